/*
 * archive_parts - the parts of a segment that is not whole yet, in the store.
 */
#include "service/archive_parts.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "pg/wal_page.h"
#include "sys/file.h"

#define PARTS_FOLDER "podgres/continuous"
#define PARTS_BLOCK (256 << 10)
#define PARTS_DELETE 500 /* keys of one request */

/* ---- out ---- */

static int
put_sink(void *arg, const void *p, size_t n, struct err *e)
{
	return store_upload_write(arg, p, n, e);
}

static int
put_file(struct codec_stream *c, const struct archive_part *p, struct err *e)
{
	AUTO(free) char *block = malloc(PARTS_BLOCK);

	if (!block)
		return err_set(e, ERR_SYS, "out of memory");
	for (uint32_t at = p->part.from; at < p->part.to;) {
		size_t want = p->part.to - at < PARTS_BLOCK ? p->part.to - at : PARTS_BLOCK;
		ssize_t n = pread(p->fd, block, want, at);

		if (n < 0)
			return err_sys(e, "read %s", p->segment);
		if (n == 0)
			return err_set(e, ERR_CORRUPT, "%s ends at byte %u", p->segment, at);
		if (codec_write(c, block, (size_t)n, e) < 0)
			return -1;
		at += (uint32_t)n;
	}
	return 0;
}

int
archive_part_put(struct archive *a, const struct archive_part *p, struct err *e)
{
	char key[ARCHIVE_KEY_SIZE], name[PART_NAME_SIZE];
	const uint32_t bytes = p->part.to - p->part.from;
	const struct store_upload_spec upload = {.key = key, .expected_bytes = bytes};
	AUTO(store_upload_close) struct store_upload *u = NULL;
	AUTO(codec_free) struct codec_stream *c = NULL;
	struct store_upload_result r;
	struct codec_spec codec = {.codec = a->wal_codec, .sink = put_sink};

	if (archive_key(key, e, "%s/" PARTS_FOLDER "/%s/%s%s", a->server, p->segment,
		    part_name(&p->part, name), codec_extension(a->wal_codec)) < 0 ||
		store_upload_open(a->store, &upload, &u, e) < 0)
		return -1;
	codec.arg = u;
	if (codec_compress(&c, &codec, e) < 0)
		return -1;
	if ((p->fd >= 0 ? put_file(c, p, e) : codec_write(c, p->p, bytes, e)) < 0)
		return err_add(e, "part %s of %s", name, p->segment);
	if (codec_finish(c, e) < 0 || store_upload_finish(u, &r, e) < 0)
		return -1;
	return 0;
}

/* ---- what is there ---- */

struct parts_found {
	struct archive *a;
	struct part *part; /* owned; extension is a constant of codec.c */
	size_t n, room;
};

static void
found_deinit_auto(struct parts_found *f)
{
	free(f->part);
}

static int
found_each(void *arg, const struct store_object *o, struct err *e)
{
	struct parts_found *f = arg;
	const char *slash = strrchr(o->key, '/');
	struct part p;

	if (!slash || !part_parse(slash + 1, &p))
		return 0;
	if (f->n == f->room) {
		size_t room = f->room ? f->room * 2 : 64;
		struct part *grown = realloc(f->part, room * sizeof(*grown));

		if (!grown)
			return err_set(e, ERR_SYS, "out of memory");
		f->part = grown;
		f->room = room;
	}
	p.extension = codec_extension(codec_of_name(slash + 1, NULL));
	f->part[f->n++] = p;
	return 0;
}

static int
found_list(struct parts_found *f, const char *segment, struct err *e)
{
	char prefix[ARCHIVE_KEY_SIZE];
	struct store_list list = {.prefix = prefix, .each = found_each, .arg = f};

	f->n = 0;
	if (archive_key(prefix, e, "%s/" PARTS_FOLDER "/%s/", f->a->server, segment) < 0)
		return -1;
	return store_list(f->a->store, &list, e);
}

/* ---- in ---- */

struct parts_sink {
	struct codec_stream *codec;
	int fd;
	uint32_t n, max;
};

static int
sink_plain(void *arg, const void *p, size_t n, struct err *e)
{
	struct parts_sink *s = arg;

	if (n > s->max - s->n)
		return err_set(e, ERR_CORRUPT, "holds more than its name says");
	s->n += (uint32_t)n;
	return file_write_fd(s->fd, p, n, e);
}

static int
sink_stored(void *arg, const void *p, size_t n, struct err *e)
{
	struct parts_sink *s = arg;

	return codec_write(s->codec, p, n, e);
}

static int
fetch_part(struct archive *a, const char *segment, const struct part *p, int fd, struct err *e)
{
	struct parts_sink s = {.fd = fd, .max = p->to - p->from};
	struct codec_spec codec = {.sink = sink_plain, .arg = &s};
	AUTO(codec_free) struct codec_stream *c = NULL;
	char key[ARCHIVE_KEY_SIZE], name[PART_NAME_SIZE];
	struct store_get get = {.key = key, .sink = sink_stored, .arg = &s};

	if (archive_key(key, e, "%s/" PARTS_FOLDER "/%s/%s%s", a->server, segment,
		    part_name(p, name), p->extension) < 0)
		return -1;
	codec.codec = codec_of_name(key, NULL);
	if (codec_decompress(&c, &codec, e) < 0)
		return -1;
	s.codec = c;
	if (store_get(a->store, &get, NULL, e) < 0 || codec_finish(c, e) < 0)
		return err_add(e, "%s", key);
	if (s.n != s.max)
		return err_set(e, ERR_CORRUPT, "%s: holds %u bytes instead of %u", key, s.n, s.max);
	return 0;
}

/* Also makes it as long as a segment is. */
static int
parts_whole(int fd, const struct archive_fetch *want, uint32_t to, struct err *e)
{
	const struct wal_page_want page_want = {want->name, want->system_id, want->segment_bytes};
	unsigned char head[WAL_PAGE_HEAD];
	struct wal_page page;
	ssize_t n = pread(fd, head, sizeof(head), 0);

	if (n < 0)
		return err_sys(e, "read the parts of %s", want->name);
	if (wal_page_check(&page, head, (size_t)n, &page_want, e) < 0)
		return err_add(e, "the parts of %s", want->name);
	if (to > page.segment_bytes)
		return err_set(e, ERR_CORRUPT, "the parts of %s go beyond its end", want->name);
	if (ftruncate(fd, page.segment_bytes) < 0 || fsync(fd) < 0)
		return err_sys(e, "write the parts of %s", want->name);
	return 0;
}

static int
parts_write(struct parts_found *f, size_t n, const struct archive_fetch *want, const char *tmp,
	struct err *e)
{
	AUTO(close)
	int fd = open(tmp, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return file_err(e, "create %s", tmp);
	for (size_t i = 0; i < n; i++)
		if (fetch_part(f->a, want->name, &f->part[i], fd, e) < 0)
			return -1;
	if (parts_whole(fd, want, f->part[n - 1].to, e) < 0)
		return -1;
	if (rename(tmp, want->path) < 0)
		return file_err(e, "rename %s to %s", tmp, want->path);
	return 0;
}

int
archive_parts_fetch(
	struct archive *a, const struct archive_fetch *want, uint32_t *to, struct err *e)
{
	AUTO(found_deinit) struct parts_found f = {.a = a};
	char tmp[FILE_PATH_MAX];
	size_t n;
	int len = snprintf(tmp, sizeof(tmp), "%s.podgres-tmp", want->path);

	if (len < 0 || (size_t)len >= sizeof(tmp))
		return err_set(e, ERR_INVALID, "%s: the path is too long", want->path);
	if (found_list(&f, want->name, e) < 0)
		return -1;
	n = parts_chain(f.part, f.n);
	if (n == 0)
		return err_set(e, ERR_NOTFOUND, "%s is not in %s/%s, nor are parts of it",
			want->name, store_where(a->store), a->server);
	if (parts_write(&f, n, want, tmp, e) < 0) {
		unlink(tmp);
		if (e->kind == ERR_NOTFOUND) /* listed, and gone: the whole one is there by now */
			e->kind = ERR_REMOTE;
		return -1;
	}
	*to = f.part[n - 1].to;
	return 0;
}

int
archive_fetch_or_parts(struct archive *a, const struct archive_fetch *want, bool ahead,
	int64_t *stored_bytes, struct err *e)
{
	struct archive_name name;
	uint32_t to;

	if (archive_fetch(a, want, stored_bytes, e) == 0)
		return 0;
	if (e->kind != ERR_NOTFOUND || archive_name_parse(want->name, &name) != ARCHIVE_SEGMENT)
		return -1;
	if (ahead)
		return err_set(e, ERR_STATE, "%s is not whole yet", want->name);
	if (archive_parts_fetch(a, want, &to, e) < 0)
		return -1;
	log_info("the end of WAL was put together from its parts", F_STR("segment", want->name),
		F_INT("bytes", to));
	return 0;
}

/* ---- away ---- */

struct parts_drop {
	struct archive *a;
	const struct archive_parts_old *old; /* NULL: by run */
	uint64_t before_run;
	char *key[PARTS_DELETE];
	size_t n;
	int count;
};

static int
drop_flush(struct parts_drop *d, struct err *e)
{
	const char *keys[PARTS_DELETE];
	int rc;

	if (d->n == 0)
		return 0;
	for (size_t i = 0; i < d->n; i++)
		keys[i] = d->key[i];
	rc = store_delete(d->a->store, keys, d->n, e);
	d->count += rc == 0 ? (int)d->n : 0;
	for (size_t i = 0; i < d->n; i++)
		free(d->key[i]);
	d->n = 0;
	return rc;
}

static bool
drop_old(const struct parts_drop *d, const char *slash)
{
	char segment[LINEAGE_NAME_SIZE];
	uint32_t timeline;
	uint64_t lsn;

	snprintf(segment, sizeof(segment), "%.24s", slash - 24);
	return lineage_name_parse(segment, d->old->segment_bytes, &timeline, &lsn) &&
	       timeline <= d->old->timeline && lsn + d->old->segment_bytes <= d->old->lsn;
}

static int
drop_each(void *arg, const struct store_object *o, struct err *e)
{
	struct parts_drop *d = arg;
	const char *slash = strrchr(o->key, '/');
	struct part p;

	if (!slash || slash - o->key < 25 || slash[-25] != '/' || !part_parse(slash + 1, &p))
		return 0;
	if (d->old ? !drop_old(d, slash) : p.run >= d->before_run)
		return 0;
	if (d->n == PARTS_DELETE && drop_flush(d, e) < 0)
		return -1;
	d->key[d->n] = strdup(o->key);
	if (!d->key[d->n])
		return err_set(e, ERR_SYS, "out of memory");
	d->n++;
	return 0;
}

static int
drop_below(struct parts_drop *d, const char *folder, struct err *e)
{
	char prefix[ARCHIVE_KEY_SIZE];
	struct store_list list = {.prefix = prefix, .each = drop_each, .arg = d};
	int rc;

	if (archive_key(prefix, e, "%s/" PARTS_FOLDER "/%s", d->a->server, folder) < 0)
		return -1;
	rc = store_list(d->a->store, &list, e);
	if (rc == 0)
		return drop_flush(d, e);
	for (size_t i = 0; i < d->n; i++)
		free(d->key[i]);
	return rc;
}

int
archive_parts_drop(
	struct archive *a, const struct archive_parts_old *old, int *count, struct err *e)
{
	struct parts_drop d = {.a = a, .old = old};
	int rc = drop_below(&d, "", e);

	if (count)
		*count = d.count;
	return rc;
}

int
archive_parts_drop_runs(struct archive *a, const char *segment, uint64_t before_run, struct err *e)
{
	struct parts_drop d = {.a = a, .before_run = before_run};
	char folder[LINEAGE_NAME_SIZE + 1];

	snprintf(folder, sizeof(folder), "%s/", segment);
	return drop_below(&d, folder, e);
}
