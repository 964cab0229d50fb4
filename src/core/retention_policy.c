/*
 * retention_policy - retentionPolicy of a manifest: a window of time or a number of backups.
 *
 * CloudNativePG: a number and d, w or m; a month has 31 days, as in Barman.
 */
#include <string.h>

#include "core/retention.h"

#define DAY_US (INT64_C(86400) * 1000000)
#define MOST_DIGITS 5 /* 99999 months are 8,000 years */

static int
wrong(const char *text, struct err *e)
{
	return err_set(e, ERR_CONFIG,
		"\"%.60s\" is no span, expected a number and d, w or m, like 30d, or redundancy "
		"and a number",
		text);
}

int
retention_parse(struct retention_policy *out, const char *text, struct err *e)
{
	static const char word[] = "redundancy";
	const char *s = text;
	size_t digits;
	int64_t n = 0;
	bool counted = strncasecmp(s, word, strlen(word)) == 0;

	*out = (struct retention_policy){.minimum = 1};
	if (!*s)
		return 0;
	if (counted) {
		s += strlen(word);
		if (!*s || s[strspn(s, " ")] == *s)
			return wrong(text, e);
		s += strspn(s, " ");
	}
	digits = strspn(s, "0123456789");
	if (!digits || *s == '0' || digits > MOST_DIGITS)
		return wrong(text, e);
	for (; digits; digits--)
		n = n * 10 + (*s++ - '0');
	if (!*s) {
		out->redundancy = (int)n;
		return 0;
	}
	if (counted || !strchr("dwm", *s) || s[1])
		return wrong(text, e);
	out->window_us = n * DAY_US * (*s == 'd' ? 1 : *s == 'w' ? 7 : 31);
	return 0;
}
