/*
 * fuzz_logrec - whatever line comes in, one line of valid JSON goes out, and what our scanner takes
 * for JSON, cJSON does too and reads the same.
 */
#include <stdint.h>
#include <string.h>

#include <cJSON.h>

#include "base/json.h"
#include "base/jsonscan.h"
#include "core/logrec.h"

static const struct logrec_style styles[] = {
	{.pod = "p", .wall_us = INT64_C(1700000000123456)},
	{.pod = "p", .wall_us = INT64_C(1700000000123456), .field_max = 5},
	{.pod = "p", .wall_us = INT64_C(1700000000123456), .text = true},
};

static void
check_utf8(const struct buf *b)
{
	size_t len;

	for (size_t i = 0; i < b->len; i += len) {
		len = json_utf8_len(b->data + i, b->len - i);
		must(len > 0);
	}
}

static void
check_text(const struct buf *b)
{
	check_utf8(b);
	for (size_t i = 0; i < b->len; i++)
		must((unsigned char)b->data[i] >= 0x20 || b->data[i] == '\n' || b->data[i] == '\t');
	must(b->len > 0 && b->data[b->len - 1] == '\n');
}

static void
check_json(const struct buf *b)
{
	cJSON *j = cJSON_ParseWithLength(b->data, b->len);

	check_utf8(b);
	must(cJSON_IsObject(j));
	must(memchr(b->data, '\n', b->len) == b->data + b->len - 1);
	must(jsonscan_valid(b->data, b->len));
	cJSON_Delete(j);
}

static void
check(const struct logrec_style *style, const struct buf *b)
{
	if (style->text)
		check_text(b);
	else
		check_json(b);
}

static void
render(const struct logrec *r)
{
	char line[64];

	for (size_t i = 0; i < ARRAY_LEN(styles); i++) {
		struct buf out = {0};

		logrec_render(r, &styles[i], &out);
		check(&styles[i], &out);
		buf_deinit(&out);
	}
	must(logrec_summary(r, line, sizeof(line)) == strlen(line) || memchr(line, 0, 64));
	must(!strchr(line, '\n'));
}

static void
render_raw(const char *line, size_t n, bool cut)
{
	for (size_t i = 0; i < ARRAY_LEN(styles); i++) {
		struct buf out = {0};

		logrec_render_raw(&(struct logrec_raw){"output", line, n, cut}, &styles[i], &out);
		check(&styles[i], &out);
		buf_deinit(&out);
	}
}

/* cJSON reads "\u0000" as the end of a string and refuses half a surrogate. */
static bool
cjson_differs(const char *line, size_t n)
{
	return memmem(line, n, "\\u0000", 6) || memmem(line, n, "\\ud", 3) ||
	       memmem(line, n, "\\uD", 3) || memchr(line, 0, n);
}

static void
compare_with_cjson(const struct logrec *r, const cJSON *j)
{
	const cJSON *m = NULL;

	for (const cJSON *i = j->child; i; i = i->next)
		if (strcmp(i->string, "detail") == 0 && !cJSON_IsNull(i))
			m = i;
	if (!cJSON_IsString(m))
		return;
	must(strlen(m->valuestring) == r->field[LOGREC_DETAIL].len);
	must(memcmp(m->valuestring, r->field[LOGREC_DETAIL].at, r->field[LOGREC_DETAIL].len) == 0);
}

static char *
copy(const uint8_t *data, size_t n)
{
	char *p = malloc(n + 1);

	must(p);
	if (n)
		memcpy(p, data, n);
	return realloc(p, n ? n : 1); /* exact, so that a byte read past the end is seen */
}

static void
try_json(const uint8_t *data, size_t n, bool cut)
{
	char *line = copy(data, n);
	bool same = !cut && !cjson_differs(line, n);
	cJSON *j = same ? cJSON_ParseWithLength(line, n) : NULL;
	struct logrec r;

	if (logrec_json(&r, line, n, cut)) {
		must(!same || j);
		if (j)
			compare_with_cjson(&r, j);
		render(&r);
	} else {
		must(memcmp(line, data, n) == 0);
	}
	cJSON_Delete(j);
	free(line);
}

static void
try_csv(const uint8_t *data, size_t n, bool cut)
{
	char *line = copy(data, n);
	struct logrec r;

	if (logrec_csv(&r, line, n, cut))
		render(&r);
	else
		must(memcmp(line, data, n) == 0);
	free(line);
}

static void
try_text(const uint8_t *data, size_t n, bool cut)
{
	char *line = copy(data, n);
	struct logrec r;

	if (jsonscan_valid(line, n) && !cjson_differs(line, n)) {
		cJSON *j = cJSON_ParseWithLength(line, n);

		must(j);
		cJSON_Delete(j);
	}
	if (logrec_plain(&r, line, n, cut))
		render(&r);
	render_raw(line, n, cut);
	for (size_t i = 0; logrec_own(line, n) && i < ARRAY_LEN(styles); i += 2) {
		struct buf out = {0};

		logrec_render_own(line, n, &styles[i], &out);
		/* Half a surrogate is JSON by its grammar, and goes through unchanged. */
		if (!memchr(data, '\n', n) && !cjson_differs(line, n))
			check(&styles[i], &out);
		buf_deinit(&out);
	}
	free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	bool cut;

	if (n < 1)
		return 0;
	cut = data[0] & 1;
	try_json(data + 1, n - 1, cut);
	try_csv(data + 1, n - 1, cut);
	try_text(data + 1, n - 1, cut);
	return 0;
}
