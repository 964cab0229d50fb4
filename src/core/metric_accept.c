/*
 * metric_accept - which format a client wants.
 */
#include "core/metric_accept.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ITEM_MAX 160

/* One element of a list: the name, its version and its weight. */
struct item {
	char name[ITEM_MAX];
	char version[16];
	double q;
};

static void
trim(char *text)
{
	size_t from = strspn(text, " \t"), n;

	memmove(text, text + from, strlen(text + from) + 1);
	for (n = strlen(text); n > 0 && (text[n - 1] == ' ' || text[n - 1] == '\t'); n--)
		text[n - 1] = '\0';
}

static void
item_parameter(struct item *it, char *text)
{
	char *value = strchr(text, '=');

	if (!value)
		return;
	*value++ = '\0';
	trim(text);
	trim(value);
	if (strcasecmp(text, "q") == 0)
		it->q = strtod(value, NULL);
	else if (strcasecmp(text, "version") == 0)
		snprintf(it->version, sizeof(it->version), "%.15s", value);
}

/* The element at *at; false: there is none left.  One that is too long is left out. */
static bool
item_next(const char **at, struct item *it)
{
	size_t n;
	char *save = NULL;
	char copy[ITEM_MAX];

	if (!**at)
		return false;
	n = strcspn(*at, ",");
	*it = (struct item){.q = 1};
	snprintf(copy, sizeof(copy), "%.*s", n < sizeof(copy) ? (int)n : 0, *at);
	*at += n + ((*at)[n] == ',');
	for (char *part = strtok_r(copy, ";", &save); part; part = strtok_r(NULL, ";", &save)) {
		if (part == copy)
			snprintf(it->name, sizeof(it->name), "%s", part);
		else
			item_parameter(it, part);
	}
	trim(it->name);
	return true;
}

enum metric_format
metric_accept(const char *accept)
{
	double open = 0, text = 0;
	struct item it;

	while (accept && item_next(&accept, &it)) {
		bool any = strcmp(it.name, "*/*") == 0 || strcasecmp(it.name, "text/*") == 0;

		if (strcasecmp(it.name, "application/openmetrics-text") == 0 &&
			(!it.version[0] || strcmp(it.version, "1.0.0") == 0))
			open = it.q > open ? it.q : open;
		else if (any || strcasecmp(it.name, "text/plain") == 0)
			text = it.q > text ? it.q : text;
	}
	return open > 0 && open >= text ? METRIC_OPENMETRICS : METRIC_TEXT;
}

bool
metric_accept_gzip(const char *accept_encoding)
{
	double gzip = -1, any = -1;
	struct item it;

	while (accept_encoding && item_next(&accept_encoding, &it)) {
		if (strcasecmp(it.name, "gzip") == 0 || strcasecmp(it.name, "x-gzip") == 0)
			gzip = it.q;
		else if (strcmp(it.name, "*") == 0)
			any = it.q;
	}
	return gzip >= 0 ? gzip > 0 : any > 0;
}

const char *
metric_content_type(enum metric_format format)
{
	return format == METRIC_OPENMETRICS
		       ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
		       : "text/plain; version=0.0.4; charset=utf-8";
}
