/*
 * job_backup_parent - what an incremental backup stands on (PostgreSQL 17 and later).
 *
 * Process: the job `backup`.  The parent is the newest complete backup of podgres, whole or itself
 * incremental; its backup_manifest goes from the store to the server as it comes.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "service/job_backup.h"

#define INFO_MAX (256 << 10)

struct parents {
	char id[BACKUP_ID_SIZE];         /* the newest that is below `before` */
	char before[BACKUP_ID_SIZE];     /* "": any */
	char folder[ARCHIVE_KEY_SIZE];   /* of id */
	char manifest[ARCHIVE_KEY_SIZE]; /* key of its backup_manifest */
};

static int
parent_object(void *arg, const struct store_object *o, struct err *e)
{
	struct parents *p = arg;
	const char *base = strstr(o->key, "/base/"), *id = base ? base + 6 : NULL,
		   *slash = id ? strchr(id, '/') : NULL;
	char found[BACKUP_ID_SIZE];

	(void)e;
	if (!slash || slash - id != BACKUP_ID_SIZE - 1 ||
		strncmp(slash + 1, "backup_manifest", 15) != 0)
		return 0;
	memcpy(found, id, BACKUP_ID_SIZE - 1);
	found[BACKUP_ID_SIZE - 1] = '\0';
	if (!backup_id_ok(found) || strcmp(found, p->id) <= 0 ||
		(*p->before && strcmp(found, p->before) >= 0))
		return 0;
	memcpy(p->id, found, sizeof(p->id));
	snprintf(p->folder, sizeof(p->folder), "%.*s", (int)(slash + 1 - o->key), o->key);
	snprintf(p->manifest, sizeof(p->manifest), "%s", o->key);
	return 0;
}

static int
parent_list(struct backup_job *b, struct parents *p, struct err *e)
{
	static const char *const below[] = {"", "podgres/"};

	p->id[0] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(below); i++) {
		char prefix[ARCHIVE_KEY_SIZE];
		const struct store_list list = {.prefix = prefix, .each = parent_object, .arg = p};

		if (archive_key(prefix, e, "%s/%sbase/", b->archive->server, below[i]) < 0 ||
			store_list(b->archive->store, &list, e) < 0)
			return -1;
	}
	return 0;
}

static int
text_sink(void *arg, const void *p, size_t n, struct err *e)
{
	struct buf *b = arg;

	buf_put(b, p, n);
	return buf_check(b, e);
}

static bool
parent_fits(struct backup_job *b, const struct parents *p)
{
	AUTO(buf_deinit) struct buf text = {.max = INFO_MAX};
	struct backup_info info = {0};
	char key[ARCHIVE_KEY_SIZE];
	const struct store_get get = {.key = key, .sink = text_sink, .arg = &text};
	struct err e;
	bool fits;

	fits = archive_key(key, &e, "%sbackup.info", p->folder) == 0 &&
	       store_get(b->archive->store, &get, NULL, &e) == 0 &&
	       backup_info_parse(&info, buf_str(&text), text.len, &e) == 0 &&
	       info.status == BACKUP_DONE && info.system_id == b->info.system_id;
	backup_info_deinit(&info);
	return fits;
}

static int
manifest_sink(void *arg, const void *p, size_t n, struct err *e)
{
	struct backup_job *b = arg;

	return replication_manifest_write(b->repl, p, n, e);
}

static int
stored_sink(void *arg, const void *p, size_t n, struct err *e)
{
	return codec_write(arg, p, n, e);
}

static int
parent_upload(struct backup_job *b, const char *key, struct err *e)
{
	const struct codec_spec spec = {
		.codec = codec_of_name(key, NULL), .sink = manifest_sink, .arg = b};
	AUTO(codec_free) struct codec_stream *plain = NULL;
	struct store_get get = {.key = key, .sink = stored_sink};

	if (codec_decompress(&plain, &spec, e) < 0 || replication_manifest_begin(b->repl, e) < 0)
		return -1;
	get.arg = plain;
	if (store_get(b->archive->store, &get, NULL, e) < 0 || codec_finish(plain, e) < 0)
		return -1;
	return replication_manifest_end(b->repl, e);
}

int
backup_parent_send(struct backup_job *b, struct err *e)
{
	struct parents p = {0};
	char on[8];

	if (b->info.version < 170000)
		return err_set(e, ERR_CONFIG, "PostgreSQL 17 is needed, this is %d",
			b->info.version / 10000);
	if (replication_show(b->repl, "summarize_wal", on, sizeof(on), e) < 0)
		return -1;
	if (strcmp(on, "on") != 0)
		return err_set(e, ERR_CONFIG, "the parameter summarize_wal is off");
	for (;;) {
		if (parent_list(b, &p, e) < 0)
			return -1;
		if (!*p.id)
			return err_set(e, ERR_UNMET,
				"there is no backup to stand on: make a whole "
				"one first");
		if (parent_fits(b, &p))
			break;
		memcpy(p.before, p.id, sizeof(p.before));
	}
	job_phase(b->j, "sending the parent's manifest", -1);
	memcpy(b->info.parent, p.id, sizeof(p.id));
	return parent_upload(b, p.manifest, e) < 0 ? err_add(e, "parent %s", p.id) : 0;
}
