/*
 * archive_owner - whose folder it is: SERVER/podgres/owner.json.
 *
 * Process: workers of the archiver, and jobs.  Two clusters that write WAL of the same names into
 * one folder spoil it for both, and a clone has even the system identifier of its source; so the
 * folder says whose it is.  One without a marker, made by Barman's programs or by CloudNativePG,
 * says it by its newest backup, else by its first segment.
 */
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "pg/wal_page.h"
#include "service/archive.h"

#define OWNER_MAX (64 << 10)
#define INFO_MAX (1 << 20)
#define INFO_NAME "/backup.info"

struct owner {
	bool marker; /* said by owner.json */
	uint64_t system_id;
	char cluster[128], name_space[128];
};

static int
buf_sink(void *arg, const void *p, size_t n, struct err *e)
{
	struct buf *b = arg;

	buf_put(b, p, n);
	return buf_check(b, e);
}

static int
owner_get(struct archive *a, const char *key, struct buf *out, struct err *e)
{
	const struct store_get get = {.key = key, .sink = buf_sink, .arg = out};

	return store_get(a->store, &get, NULL, e);
}

/* ---- the marker ---- */

static void
cjson_auto(cJSON **j)
{
	cJSON_Delete(*j);
}

static void
json_text(char *out, size_t size, const cJSON *from, const char *key)
{
	const char *s = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(from, key));

	snprintf(out, size, "%s", s ? s : "");
}

static int
owner_parse(struct owner *o, const struct buf *text, struct err *e)
{
	AUTO(cjson) cJSON *j = cJSON_ParseWithLength(buf_str(text), text->len);
	char id[32];

	json_text(id, sizeof(id), j, "systemId");
	o->system_id = strtoull(id, NULL, 10);
	if (!o->system_id)
		return err_set(e, ERR_CONFLICT,
			"podgres/owner.json is there and cannot be read: it does not say whose "
			"folder it is");
	o->marker = true;
	json_text(o->cluster, sizeof(o->cluster), j, "cluster");
	json_text(o->name_space, sizeof(o->name_space), j, "namespace");
	return 0;
}

static int
owner_marker(struct archive *a, struct owner *o, struct err *e)
{
	AUTO(buf_deinit) struct buf text = {0};
	char key[ARCHIVE_KEY_SIZE];

	buf_init_max(&text, OWNER_MAX);
	if (archive_key(key, e, "%s/podgres/owner.json", a->server) < 0 ||
		owner_get(a, key, &text, e) < 0)
		return -1;
	return owner_parse(o, &text, e);
}

static int
owner_write(struct archive *a, const struct archive_self *self, struct err *e)
{
	AUTO(buf_deinit) struct buf text = {0};
	char key[ARCHIVE_KEY_SIZE], id[24];
	struct store_put put = {.key = key, .create = true};
	struct json j;

	if (archive_key(key, e, "%s/podgres/owner.json", a->server) < 0)
		return -1;
	snprintf(id, sizeof(id), "%" PRIu64, self->system_id);
	json_init(&j, &text);
	json_obj(&j);
	json_kstr(&j, "systemId", id);
	json_kstr(&j, "cluster", self->cluster);
	json_kstr(&j, "namespace", self->name_space);
	json_ktime(&j, "createdAt", clock_wall_us());
	json_kstr(&j, "createdBy", "podgres " PODGRES_VERSION);
	json_end_obj(&j);
	buf_putc(&text, '\n');
	if (buf_check(&text, e) < 0)
		return -1;
	put.body = text.data;
	put.len = text.len;
	return store_put(a->store, &put, NULL, e);
}

/* ---- without a marker ---- */

static int
newest_each(void *arg, const struct store_object *o, struct err *e)
{
	char *key = arg;
	size_t n = strlen(o->key);

	(void)e;
	if (n > strlen(INFO_NAME) && strcmp(o->key + n - strlen(INFO_NAME), INFO_NAME) == 0)
		snprintf(key, STORE_KEY_SIZE, "%s", o->key);
	return 0;
}

/* One line is enough, in a file that may be of a backup that failed. */
static uint64_t
info_system_id(const char *text)
{
	static const char key[] = "systemid=";

	for (const char *at = text; at; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (strncmp(at, key, sizeof(key) - 1) == 0)
			return strtoull(at + sizeof(key) - 1, NULL, 10);
	}
	return 0;
}

/* What the newest backup says; ERR_NOTFOUND: nothing. */
static int
owner_of_backup(struct archive *a, struct owner *o, struct err *e)
{
	AUTO(buf_deinit) struct buf text = {0};
	char prefix[ARCHIVE_KEY_SIZE], newest[STORE_KEY_SIZE] = "";
	const struct store_list list = {.prefix = prefix, .each = newest_each, .arg = newest};

	if (archive_key(prefix, e, "%s/base/", a->server) < 0 || store_list(a->store, &list, e) < 0)
		return -1;
	if (!*newest)
		return err_set(e, ERR_NOTFOUND, "no backup");
	buf_init_max(&text, INFO_MAX);
	if (owner_get(a, newest, &text, e) < 0)
		return -1;
	o->system_id = info_system_id(buf_str(&text));
	return o->system_id ? 0 : err_set(e, ERR_NOTFOUND, "the backup does not say");
}

static int
owner_of_wal(struct archive *a, struct owner *o, struct err *e)
{
	struct wal_page page;

	if (archive_first_page(a, &page, e) < 0) {
		/* No WAL at all, in whatever folder. */
		if (e->kind == ERR_CORRUPT)
			(void)err_set(e, ERR_NOTFOUND, "the first segment does not say");
		return -1;
	}
	o->system_id = page.system_id;
	return 0;
}

/* ERR_NOTFOUND: nobody's. */
static int
owner_find(struct archive *a, struct owner *o, struct err *e)
{
	*o = (struct owner){0};
	if (owner_marker(a, o, e) == 0)
		return 0;
	if (e->kind != ERR_NOTFOUND)
		return -1;
	if (owner_of_backup(a, o, e) == 0)
		return 0;
	if (e->kind != ERR_NOTFOUND)
		return -1;
	return owner_of_wal(a, o, e);
}

/* ---- is it us? ---- */

static bool
differs(const char *theirs, const char *ours)
{
	return *theirs && ours && *ours && strcmp(theirs, ours) != 0;
}

static int
owner_compare(
	struct archive *a, const struct owner *o, const struct archive_self *self, struct err *e)
{
	if ((!self->system_id || o->system_id == self->system_id) &&
		!differs(o->cluster, self->cluster) && !differs(o->name_space, self->name_space))
		return 0;
	return err_set(e, ERR_CONFLICT,
		"%s/%s belongs to cluster %s%s%s with system identifier %" PRIu64
		", and this is %s%s%s with %" PRIu64,
		store_where(a->store), a->server, o->name_space, *o->name_space ? "/" : "",
		*o->cluster ? o->cluster : "(without a name)", o->system_id,
		self->name_space ? self->name_space : "",
		self->name_space && *self->name_space ? "/" : "",
		self->cluster && *self->cluster ? self->cluster : "(without a name)",
		self->system_id);
}

int
archive_owner_check(struct archive *a, const struct archive_self *self, bool make, struct err *e)
{
	struct owner o;

	if (owner_find(a, &o, e) < 0 && e->kind != ERR_NOTFOUND)
		return err_add(e, "whose is %s/%s", store_where(a->store), a->server);
	if (o.system_id && owner_compare(a, &o, self, e) < 0)
		return -1;
	if (o.marker || !make)
		return 0;
	if (owner_write(a, self, e) == 0)
		return 0;
	if (e->kind != ERR_CONFLICT)
		return err_add(e, "mark %s/%s as ours", store_where(a->store), a->server);
	/* Somebody was faster. */
	if (owner_marker(a, &o, e) < 0)
		return -1;
	return owner_compare(a, &o, self, e);
}
