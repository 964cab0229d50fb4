/*
 * archive_verify_wal - the WAL of an archive: holes, histories, and on demand every byte.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "pg/wal_page.h"
#include "service/archive_verify.h"

static void find(struct archive_verify *v, bool warning, const char *object, const char *fmt, ...)
	PRINTF(4, 5);

static void
find(struct archive_verify *v, bool warning, const char *object, const char *fmt, ...)
{
	struct verify_finding f = {.warning = warning};
	va_list ap;

	snprintf(f.object, sizeof(f.object), "%s", object);
	va_start(ap, fmt);
	vsnprintf(f.text, sizeof(f.text), fmt, ap);
	va_end(ap);
	archive_verify_found(v, &f);
}

/* ---- names ---- */

/* The first segment of a timeline that some backup needs; UINT64_MAX: none does. */
static uint64_t
first_needed(const struct catalog *c, uint32_t timeline)
{
	uint64_t first = UINT64_MAX, at;
	struct catalog_line line;

	catalog_line_of(c, timeline, &line);
	for (size_t i = 0; i < c->backups; i++) {
		if (c->backup[i]->status != BACKUP_DONE || !catalog_leads(c->backup[i], &line))
			continue;
		at = catalog_segment(c, c->backup[i]->begin_lsn);
		first = at < first ? at : first;
	}
	at = line.leg[line.n - 1].first;
	return first == UINT64_MAX || first > at ? first : at;
}

static void
check_hole(struct archive_verify *v, const struct catalog_run *a, const struct catalog_run *b)
{
	const struct catalog *c = &v->catalog->c;
	char from[LINEAGE_NAME_SIZE], to[LINEAGE_NAME_SIZE];
	uint64_t count = b->first - a->last - 1;
	bool needed = b->first > first_needed(c, a->timeline);

	lineage_name(a->timeline, (a->last + 1) * c->segment_bytes, c->segment_bytes, from);
	lineage_name(a->timeline, (b->first - 1) * c->segment_bytes, c->segment_bytes, to);
	find(v, !needed, from, "%s%s%s", count == 1 ? "is missing" : "is missing, and all up to ",
		count == 1 ? "" : to, needed ? "" : "; no backup needs it");
}

static bool
has_history(const struct catalog *c, uint32_t timeline)
{
	for (size_t i = 0; i < c->histories; i++)
		if (c->history[i].timeline == timeline)
			return true;
	return timeline == 1;
}

static void
check_names(struct archive_verify *v)
{
	const struct catalog *c = &v->catalog->c;
	const struct catalog_run *r;
	char name[24];

	for (size_t i = 0; i < c->runs; i++) {
		r = &c->run[i];
		v->segments += (int64_t)(r->last - r->first + 1);
		if (i && r[-1].timeline == r->timeline)
			check_hole(v, &r[-1], r);
		else if (!has_history(c, r->timeline)) {
			snprintf(name, sizeof(name), "%08X.history", r->timeline);
			find(v, false, name, "is missing: nobody can recover over to timeline %u",
				r->timeline);
		}
	}
}

/* ---- content ---- */

struct reading {
	struct archive_verify *v;
	struct codec_stream *codec;
	char name[ARCHIVE_NAME_SIZE];
	unsigned char head[WAL_PAGE_HEAD];
	int64_t plain_bytes;
	struct err bad;
};

static int
plain_sink(void *arg, const void *p, size_t n, struct err *e)
{
	struct reading *r = arg;
	size_t have = r->plain_bytes < WAL_PAGE_HEAD ? (size_t)r->plain_bytes : WAL_PAGE_HEAD;
	size_t part = n < WAL_PAGE_HEAD - have ? n : WAL_PAGE_HEAD - have;

	(void)e;
	memcpy(r->head + have, p, part);
	r->plain_bytes += (int64_t)n;
	return 0;
}

static int
stored_sink(void *arg, const void *p, size_t n, struct err *e)
{
	struct reading *r = arg;

	(void)e;
	if (!r->bad.kind && codec_write(r->codec, p, n, &r->bad) < 0)
		r->bad.kind = r->bad.kind ? r->bad.kind : ERR_CORRUPT;
	archive_verify_read(r->v, r->name, (int64_t)n);
	return 0;
}

static void
check_content(struct reading *r, uint64_t system_id)
{
	uint32_t bytes = r->v->catalog->c.segment_bytes;
	const struct wal_page_want want = {r->name, system_id, bytes};
	struct wal_page page;

	if (!r->bad.kind && r->plain_bytes != bytes)
		(void)err_set(&r->bad, ERR_CORRUPT, "%lld bytes instead of %u",
			(long long)r->plain_bytes, bytes);
	if (!r->bad.kind)
		(void)!wal_page_check(&page, r->head, sizeof(r->head), &want, &r->bad);
	if (r->bad.kind)
		find(r->v, false, r->name, "%s", r->bad.msg);
}

static int
read_segment(struct archive_verify *v, const char *key, uint64_t system_id, struct err *e)
{
	struct reading r = {.v = v};
	struct codec_spec spec = {.sink = plain_sink, .arg = &r, .codec = codec_of_name(key, NULL)};
	const struct store_get get = {.key = key, .sink = stored_sink, .arg = &r};
	const char *extension;
	int rc;

	if (!archive_key_parse(key, r.name, &extension))
		return 0;
	rc = codec_decompress(&r.codec, &spec, e);
	if (rc == 0)
		rc = store_get(v->archive->store, &get, NULL, e);
	if (rc == 0 && !r.bad.kind)
		(void)!codec_finish(r.codec, &r.bad);
	r.codec = codec_free(r.codec);
	if (rc < 0 && e->kind == ERR_NOTFOUND)
		return 0; /* retention was faster */
	if (rc < 0 && e->kind != ERR_CORRUPT)
		return -1;
	if (rc < 0)
		r.bad = *e;
	check_content(&r, system_id);
	return 0;
}

/* Keys of segments, some at a time: nothing is fetched while a list is under way. */
#define BATCH 256

struct batch {
	char key[BATCH][400]; /* a folder's name has at most 200 bytes */
	size_t n;
	bool full;
	char last[STORE_KEY_SIZE];
};

static int
batch_each(void *arg, const struct store_object *o, struct err *e)
{
	char name[ARCHIVE_NAME_SIZE];
	struct archive_name parsed;
	struct batch *b = arg;
	const char *extension;

	if (archive_key_parse(o->key, name, &extension) &&
		archive_name_parse(name, &parsed) == ARCHIVE_SEGMENT) {
		if (b->n == BATCH) {
			b->full = true;
			return err_set(e, ERR_BUSY, "batch is full");
		}
		if (snprintf(b->key[b->n], sizeof(b->key[0]), "%s", o->key) <
			(int)sizeof(b->key[0]))
			b->n++;
	}
	snprintf(b->last, sizeof(b->last), "%s", o->key);
	return 0;
}

static int
read_all(struct archive_verify *v, struct err *e)
{
	AUTO(free) struct batch *b = calloc(1, sizeof(*b));
	char prefix[ARCHIVE_KEY_SIZE];
	struct store_list list = {.prefix = prefix, .each = batch_each, .arg = b};
	uint64_t system_id =
		v->catalog->infos ? v->catalog->info[v->catalog->infos - 1].system_id : 0;

	if (!b || archive_key(prefix, e, "%s/wals/", v->archive->server) < 0)
		return b ? -1 : err_sys(e, "verify WAL");
	do {
		b->n = 0;
		b->full = false;
		list.after = b->last;
		if (store_list(v->archive->store, &list, e) < 0 && !b->full)
			return -1;
		for (size_t i = 0; i < b->n; i++)
			if (read_segment(v, b->key[i], system_id, e) < 0)
				return -1;
	} while (b->full);
	return 0;
}

int
archive_verify_wal(struct archive_verify *v, bool content, struct err *e)
{
	check_names(v);
	if (content && read_all(v, e) < 0)
		return err_add(e, "verify WAL");
	return 0;
}
