/*
 * archive_fetch - one file of the archive comes in.
 *
 * Process: workers of the archiver, jobs and commands.  The object is asked for under the extension
 * that worked last (at first that of the configured compression), so that the usual segment costs
 * one request.  Only when it is not there a LIST tells what else there is, and only a LIST that
 * succeeded and shows nothing means that the archive certainly does not have the file; and not
 * even that where nothing is in the archive at all, since this is how the empty folder below a
 * volume looks that is not mounted, or a prefix that was never written to.  A whole
 * segment goes before a partial one, whatever the order of their keys.  What comes is unpacked into
 * a temporary file beside the destination and looked at: nothing that is wrong is ever handed over.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "pg/wal_page.h"
#include "service/archive.h"
#include "sys/file.h"

#define FETCH_OTHER_MAX ((int64_t)16 << 20) /* of what is no segment */
#define FETCH_CANDIDATES 8

/* Where the bytes of one object go, unpacked. */
struct fetch_sink {
	struct codec_stream *codec; /* NULL: as they are */
	int fd;
	struct buf *text; /* instead of fd */
	int64_t n, max;
	unsigned char head[WAL_PAGE_HEAD];
	size_t head_n;
};

struct fetch_object {
	char key[ARCHIVE_KEY_SIZE];
	const char *extension;
	bool partial;
	bool listed; /* it was seen a moment ago */
};

struct fetch_run {
	struct archive *a;
	const struct archive_fetch *want;
	struct archive_name name;
	struct buf *text;
	char tmp[FILE_PATH_MAX];
	int64_t stored;
	struct fetch_object found[FETCH_CANDIDATES];
	int founds;
};

/* ---- bytes ---- */

static int
sink_plain(void *arg, const void *p, size_t n, struct err *e)
{
	struct fetch_sink *s = arg;
	size_t head = sizeof(s->head) - s->head_n;

	if (s->n + (int64_t)n > s->max)
		return err_set(e, ERR_CORRUPT, "is longer than %lld bytes", (long long)s->max);
	head = n < head ? n : head;
	memcpy(s->head + s->head_n, p, head);
	s->head_n += head;
	s->n += (int64_t)n;
	if (s->text) {
		buf_put(s->text, p, n);
		return buf_check(s->text, e);
	}
	return file_write_fd(s->fd, p, n, e);
}

static int
sink_stored(void *arg, const void *p, size_t n, struct err *e)
{
	struct fetch_sink *s = arg;

	return s->codec ? codec_write(s->codec, p, n, e) : sink_plain(s, p, n, e);
}

static int
fetch_bytes(struct fetch_run *r, const struct fetch_object *o, struct fetch_sink *s, struct err *e)
{
	enum codec codec = codec_of_name(o->key, NULL);
	struct codec_spec spec = {.codec = codec, .sink = sink_plain, .arg = s};
	AUTO(codec_free) struct codec_stream *stream = NULL;
	struct store_get get = {.key = o->key, .sink = sink_stored, .arg = s};
	struct store_object meta;

	if (codec != CODEC_NONE && codec_decompress(&stream, &spec, e) < 0)
		return -1;
	s->codec = stream;
	if (store_get(r->a->store, &get, &meta, e) < 0)
		return -1;
	r->stored = meta.bytes;
	return stream ? codec_finish(stream, e) : 0;
}

/* ---- what it must be ---- */

static bool
fetch_is_segment(const struct fetch_run *r)
{
	return r->name.kind == ARCHIVE_SEGMENT || r->name.kind == ARCHIVE_PARTIAL;
}

static int
check_segment(const struct fetch_run *r, const struct fetch_sink *s, struct err *e)
{
	const struct archive_fetch *want = r->want;
	struct wal_page_want page_want = {want->name, want->system_id, want->segment_bytes};
	struct wal_page page;

	if (wal_page_check(&page, s->head, s->head_n, &page_want, e) < 0)
		return -1;
	if (s->n != page.segment_bytes)
		return err_set(e, ERR_CORRUPT, "has %lld bytes instead of %u", (long long)s->n,
			page.segment_bytes);
	return 0;
}

static int
check_history(const struct fetch_sink *s, const char *path, struct err *e)
{
	struct lineage_entry entry[1];
	struct lineage_history line = {.entry = entry, .max = 1};
	AUTO(buf_deinit) struct buf text = {0};

	if (!s->text && file_read(&text, path, (size_t)FETCH_OTHER_MAX, e) < 0)
		return -1;
	return s->text ? lineage_history_parse(buf_str(s->text), s->text->len, &line, e)
		       : lineage_history_parse(buf_str(&text), text.len, &line, e);
}

static int
check_what(const struct fetch_run *r, const struct fetch_sink *s, struct err *e)
{
	if (fetch_is_segment(r))
		return check_segment(r, s, e);
	if (s->n == 0)
		return err_set(e, ERR_CORRUPT, "is empty");
	if (r->name.kind == ARCHIVE_HISTORY)
		return check_history(s, r->tmp, e);
	return 0;
}

/* ---- one object ---- */

static int
fetch_object_into(
	struct fetch_run *r, const struct fetch_object *o, struct fetch_sink *s, struct err *e)
{
	if (fetch_bytes(r, o, s, e) < 0 || check_what(r, s, e) < 0) {
		if (e->kind != ERR_NOTFOUND)
			err_add(e, "%s", o->key);
		return -1;
	}
	return 0;
}

static int
fetch_file(struct fetch_run *r, const struct fetch_object *o, struct fetch_sink *s, struct err *e)
{
	AUTO(close)
	int fd = open(
		r->tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);

	if (fd < 0)
		return file_err(e, "create %s", r->tmp);
	s->fd = fd;
	if (fetch_object_into(r, o, s, e) < 0)
		return -1;
	if (fsync(fd) < 0)
		return file_err(e, "fsync %s", r->tmp);
	if (rename(r->tmp, r->want->path) < 0)
		return file_err(e, "rename %s to %s", r->tmp, r->want->path);
	return 0;
}

static int
fetch_one(struct fetch_run *r, const struct fetch_object *o, struct err *e)
{
	const uint32_t segment = r->want->segment_bytes;
	struct fetch_sink s = {.fd = -1, .text = r->text, .max = FETCH_OTHER_MAX};
	int rc;

	if (fetch_is_segment(r))
		s.max = segment ? segment : INT64_C(1) << 30;
	if (r->text) {
		s.max = (int64_t)r->text->max;
		buf_reset(r->text);
		return fetch_object_into(r, o, &s, e);
	}
	rc = fetch_file(r, o, &s, e);
	if (rc < 0)
		unlink(r->tmp);
	return rc;
}

/* ---- which object ---- */

static int
fetch_key(struct fetch_run *r, struct fetch_object *o, const char *extension, struct err *e)
{
	o->extension = extension;
	o->partial = false;
	o->listed = false;
	return archive_key_wal(o->key, r->a->server, r->want->name, extension, e);
}

/* The extension as one of the constants of codec_extension(). */
static const char *
fetch_extension(const char *key)
{
	return codec_extension(codec_of_name(key, NULL));
}

static int
fetch_listed(void *arg, const struct store_object *o, struct err *e)
{
	struct fetch_run *r = arg;
	struct fetch_object *f = &r->found[r->founds];
	char name[ARCHIVE_NAME_SIZE];
	const size_t len = strlen(r->want->name);
	const char *extension;

	(void)e;
	if (r->founds == FETCH_CANDIDATES || strlen(o->key) >= sizeof(f->key) ||
		!archive_key_parse(o->key, name, &extension))
		return 0;
	f->partial = strcmp(name + len, ".partial") == 0;
	if (strncmp(name, r->want->name, len) != 0 || (name[len] && !f->partial))
		return 0;
	if (f->partial && (!r->want->partial || r->name.kind != ARCHIVE_SEGMENT))
		return 0;
	snprintf(f->key, sizeof(f->key), "%s", o->key);
	f->extension = fetch_extension(o->key);
	f->listed = true;
	r->founds++;
	return 0;
}

static int
fetch_list(struct fetch_run *r, struct err *e)
{
	char prefix[ARCHIVE_KEY_SIZE];
	struct store_list list = {.prefix = prefix, .each = fetch_listed, .arg = r};

	r->founds = 0;
	if (archive_key_wal(prefix, r->a->server, r->want->name, "", e) < 0)
		return -1;
	return store_list(r->a->store, &list, e);
}

/* Whole ones first. */
static int
fetch_candidates(struct fetch_run *r, struct err *e)
{
	struct err worst = {0};

	for (int partial = 0; partial < 2; partial++) {
		for (int i = 0; i < r->founds; i++) {
			const struct fetch_object *o = &r->found[i];

			if (o->partial != (partial == 1))
				continue;
			if (fetch_one(r, o, e) == 0) {
				if (!o->partial)
					r->a->fetch_extension = o->extension;
				return 0;
			}
			if (worst.kind == ERR_NONE || worst.kind == ERR_NOTFOUND)
				worst = *e;
		}
		if (worst.kind != ERR_NONE && worst.kind != ERR_NOTFOUND)
			break; /* a whole one is there, but out of reach */
	}
	*e = worst;
	return -1;
}

static int
used_each(void *arg, const struct store_object *o, struct err *e)
{
	(void)o;
	*(bool *)arg = true;
	return err_set(e, ERR_STATE, "one is enough");
}

/* It holds something, be it the marker that says whose it is. */
static int
fetch_used(struct fetch_run *r, struct err *e)
{
	char prefix[ARCHIVE_KEY_SIZE];
	bool used = false;
	struct store_list list = {
		.prefix = prefix, .folders = true, .each = used_each, .arg = &used};

	if (r->want->unused)
		return 0;
	if (archive_key(prefix, e, "%s/", r->a->server) < 0)
		return -1;
	if (store_list(r->a->store, &list, e) < 0 && !used)
		return -1;
	if (used)
		return 0;
	return err_set(e, ERR_CONFIG,
		"%s/%s holds nothing at all: is the volume mounted, and are destination and "
		"server name right?",
		store_where(r->a->store), r->a->server);
}

static int
fetch_absent(struct fetch_run *r, struct err *e)
{
	if (fetch_used(r, e) < 0)
		return -1;
	return err_set(e, ERR_NOTFOUND, "%s is not in %s/%s", r->want->name,
		store_where(r->a->store), r->a->server);
}

/* What a LIST has shown may be gone by the time it is read: a partial segment makes room for the
 * whole one.  Then once more. */
static int
fetch_search(struct fetch_run *r, struct err *e)
{
	for (int round = 0; round < 2; round++) {
		if (fetch_list(r, e) < 0)
			return -1;
		if (r->founds == 0)
			return fetch_absent(r, e);
		if (fetch_candidates(r, e) == 0)
			return 0;
		if (e->kind != ERR_NOTFOUND)
			return -1;
	}
	e->kind = ERR_REMOTE; /* listed and not to be had: that is not absence */
	return -1;
}

static int
fetch(struct fetch_run *r, struct err *e)
{
	struct archive *a = r->a;
	struct fetch_object usual;

	if (archive_name_parse(r->want->name, &r->name) == ARCHIVE_OTHER)
		return err_set(e, ERR_INVALID, "\"%s\" is no file that PostgreSQL archives",
			r->want->name);
	if (!a->fetch_extension)
		a->fetch_extension = codec_extension(a->wal_codec);
	if (fetch_key(r, &usual, a->fetch_extension, e) < 0)
		return -1;
	if (fetch_one(r, &usual, e) == 0)
		return 0;
	/* A damaged one may have a sound twin under another extension. */
	if (e->kind == ERR_NOTFOUND || e->kind == ERR_CORRUPT)
		return fetch_search(r, e);
	return -1;
}

int
archive_fetch(
	struct archive *a, const struct archive_fetch *want, int64_t *stored_bytes, struct err *e)
{
	struct fetch_run r = {.a = a, .want = want};
	int n = snprintf(r.tmp, sizeof(r.tmp), "%s.podgres-tmp", want->path);

	if (n < 0 || (size_t)n >= sizeof(r.tmp))
		return err_set(e, ERR_INVALID, "%s: the path is too long", want->path);
	if (fetch(&r, e) < 0)
		return -1;
	if (stored_bytes)
		*stored_bytes = r.stored;
	return 0;
}

int
archive_fetch_text(struct archive *a, const char *name, size_t max, struct buf *out, struct err *e)
{
	struct archive_fetch want = {.name = name, .path = "", .unused = true};
	AUTO(buf_deinit) struct buf text;
	struct fetch_run r = {.a = a, .want = &want, .text = &text};

	buf_init_max(&text, max);
	if (fetch(&r, e) < 0)
		return -1;
	buf_put(out, buf_str(&text), text.len);
	return buf_check(out, e);
}
