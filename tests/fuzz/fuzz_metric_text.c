/*
 * fuzz_metric_text - labels and values of any bytes, and the headers of any client: what comes out
 * is read back by the rules of the format, and is UTF-8.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/json.h"
#include "core/metric_accept.h"
#include "core/metric_value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A label's value up to its closing quote; NULL: none. */
static const char *
skip_value(const char *p)
{
	for (; *p && *p != '"'; p++) {
		must(*p != '\n');
		if (*p != '\\')
			continue;
		p++;
		must(*p == '\\' || *p == '"' || *p == 'n');
	}
	must(*p == '"');
	return p + 1;
}

static void
check_labels(const char *text)
{
	const char *p = text;

	must(strncmp(p, "{a=\"", 4) == 0);
	p = skip_value(p + 4);
	must(strncmp(p, ",b=\"", 4) == 0);
	p = skip_value(p + 4);
	must(strcmp(p, "}") == 0);
	for (p = text; *p;) {
		size_t n = json_utf8_len(p, strlen(p));

		must(n > 0);
		p += n;
	}
}

static void
check_number(const char *text)
{
	static const uint32_t types[] = {0, METRIC_OID_BOOL, METRIC_OID_TIMESTAMPTZ};
	struct metric_column c = {.usage = METRIC_USE_GAUGE};
	char number[64], again[64];

	for (int i = 0; i < 4; i++) {
		c.usage = i == 3 ? METRIC_USE_DURATION : METRIC_USE_GAUGE;
		if (!metric_value(number, sizeof(number), &c, text, types[i % 3]))
			continue;
		must(metric_text_number(again, sizeof(again), number));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(free) char *text = malloc(size + 1);
	AUTO(buf_deinit) struct buf out = {0};
	struct metric_histogram h;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	metric_text_labels(&out,
		(const struct metric_label[]){{"a", text}, {"b", text + strlen(text) / 2}}, 2);
	check_labels(buf_str(&out));
	check_number(text);
	h = (struct metric_histogram){{text, text, "1", "2"}};
	buf_reset(&out);
	(void)metric_value_histogram(&out, "h", "{a=\"1\"}", &h);
	(void)metric_accept(text);
	(void)metric_accept_gzip(text);
	return 0;
}
