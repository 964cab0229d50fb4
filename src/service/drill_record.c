/*
 * drill_record - what came of the last restore drill.
 */
#include "service/drill_record.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"

#define RECORD_MAX 65536

static int
record_key(char key[ARCHIVE_KEY_SIZE], const struct archive *a, struct err *e)
{
	return archive_key(key, e, "%s/podgres/drill.json", a->server);
}

static int
record_take(void *arg, const void *p, size_t n, struct err *e)
{
	buf_put(arg, p, n);
	return buf_check(arg, e);
}

static double
record_number(const cJSON *j, const char *name)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(j, name);

	return cJSON_IsNumber(v) && v->valuedouble > 0 && v->valuedouble < 9e15 ? v->valuedouble
										: 0;
}

int
drill_record_read(struct archive *a, struct drill_record *out, struct err *e)
{
	AUTO(buf_deinit) struct buf text = {0};
	char key[ARCHIVE_KEY_SIZE];
	const struct store_get get = {.key = key, .sink = record_take, .arg = &text};
	cJSON *j;

	*out = (struct drill_record){0};
	buf_init_max(&text, RECORD_MAX);
	if (record_key(key, a, e) < 0 || store_get(a->store, &get, NULL, e) < 0)
		return -1;
	j = cJSON_ParseWithLength(buf_str(&text), text.len);
	out->good_wall_us = (int64_t)record_number(j, "lastGoodMicroseconds");
	out->good_ms = (int64_t)record_number(j, "recoveryMilliseconds");
	out->failed = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(j, "failed"));
	cJSON_Delete(j);
	return 0;
}

int
drill_record_write(struct archive *a, const struct drill_record *r, struct err *e)
{
	AUTO(buf_deinit) struct buf text = {0};
	char key[ARCHIVE_KEY_SIZE];
	struct store_put put = {.key = key};
	struct json j;

	if (record_key(key, a, e) < 0)
		return -1;
	json_init(&j, &text);
	json_obj(&j);
	json_ktime(&j, "lastGood", r->good_wall_us);
	json_kint(&j, "lastGoodMicroseconds", r->good_wall_us);
	json_kint(&j, "recoveryMilliseconds", r->good_ms);
	json_kbool(&j, "failed", r->failed);
	json_kstr(&j, "backup", r->backup);
	json_end_obj(&j);
	buf_putc(&text, '\n');
	if (buf_check(&text, e) < 0)
		return -1;
	put.body = text.data;
	put.len = text.len;
	return store_put(a->store, &put, NULL, e);
}
