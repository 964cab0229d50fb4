/*
 * archive_push - one file of pg_wal goes out.
 *
 * Process: workers of the archiver.  The file is read once, in blocks, through the compression into
 * memory, and put with one request that creates and never overwrites.  That memory stays for the
 * next file (archive_rest()): to get its pages anew each time costs a tenth of all the work.  The
 * first page must say that it is WAL of this cluster.  When something stands under the name
 * already, it is read back and compared as plain bytes, since another compressor may have written
 * it; other bytes are two primaries writing to one folder, and nothing is changed.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "pg/wal_page.h"
#include "service/archive.h"
#include "sys/file.h"

#define PUSH_BLOCK (64 << 10)
#define SEGMENT_DIGITS 24
#define PUSH_MEMORY ((size_t)64 << 20) /* compressed; what is larger is uploaded in parts */
#define PUSH_KEEP ((size_t)16 << 20)   /* what more one file took does not stay */

struct push {
	struct archive *a;
	const struct archive_push *want;
	struct archive_name name;
	char key[ARCHIVE_KEY_SIZE];
	int fd;
	int64_t bytes;
	struct stat as; /* of the file when it was opened */
	struct buf *body;
	struct store_upload *upload; /* when it grew beyond memory */
};

/* ---- reading the file ---- */

static int
push_open(struct push *p, struct err *e)
{
	p->fd = open(p->want->path, O_RDONLY | O_CLOEXEC);
	if (p->fd < 0 || fstat(p->fd, &p->as) < 0)
		return file_err(e, "open %s", p->want->path);
	p->bytes = p->as.st_size;
	if (p->name.kind == ARCHIVE_SEGMENT && p->want->segment_bytes &&
		p->bytes != p->want->segment_bytes)
		return err_set(e, ERR_INVALID, "%s has %lld bytes where a segment has %u",
			p->want->path, (long long)p->bytes, p->want->segment_bytes);
	(void)posix_fadvise(p->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	return 0;
}

/* The page header of a segment names the cluster it belongs to. */
static int
push_check(const struct push *p, const unsigned char *head, size_t n, struct err *e)
{
	const struct wal_page_want want = {.name = p->want->name,
		.system_id = p->want->system_id,
		.segment_bytes = p->want->segment_bytes};
	struct wal_page page;

	if (p->name.kind != ARCHIVE_SEGMENT && p->name.kind != ARCHIVE_PARTIAL)
		return 0;
	if (wal_page_check(&page, head, n, &want, e) == 0)
		return 0;
	e->kind = ERR_INVALID; /* trying again does not change it */
	return -1;
}

/* PostgreSQL recycles a segment by giving the file another name and writing to it anew, and does so
 * with one that is .ready when archive_mode is off: what was read then is of two segments. */
static bool
push_unchanged(const struct push *p)
{
	const struct stat *as = &p->as;
	struct stat st;

	return stat(p->want->path, &st) == 0 && st.st_dev == as->st_dev &&
	       st.st_ino == as->st_ino && st.st_size == as->st_size &&
	       st.st_mtim.tv_sec == as->st_mtim.tv_sec && st.st_mtim.tv_nsec == as->st_mtim.tv_nsec;
}

/* Every block goes to fn; the file must be the one it was. */
static int
push_read(const struct push *p, codec_sink_fn *fn, void *arg, struct err *e)
{
	char *block = p->a->push_block;
	int64_t at = 0;

	if (!block)
		block = p->a->push_block = malloc(PUSH_BLOCK);
	if (!block)
		return err_sys(e, "read %s", p->want->path);
	for (;;) {
		ssize_t n = pread(p->fd, block, PUSH_BLOCK, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return file_err(e, "read %s", p->want->path);
		if (n == 0)
			break;
		if (at == 0 && push_check(p, (unsigned char *)block, (size_t)n, e) < 0)
			return -1;
		if (fn(arg, block, (size_t)n, e) < 0)
			return -1;
		at += n;
	}
	if (at != p->bytes || !push_unchanged(p))
		return err_set(e, ERR_SYS, "%s changed while it was read", p->want->path);
	return 0;
}

/* ---- sending ---- */

/* Too large for memory: what is there becomes the beginning of an upload in parts. */
static int
push_begin_parts(struct push *p, struct err *e)
{
	const struct store_upload_spec spec = {
		.key = p->key, .expected_bytes = p->bytes, .create = true};

	if (store_upload_open(p->a->store, &spec, &p->upload, e) < 0 ||
		store_upload_write(p->upload, p->body->data, p->body->len, e) < 0)
		return -1;
	buf_deinit(p->body);
	return 0;
}

static int
push_stored(void *arg, const void *data, size_t n, struct err *e)
{
	struct push *p = arg;

	if (!p->upload && p->body->len + n > PUSH_MEMORY && push_begin_parts(p, e) < 0)
		return -1;
	if (p->upload)
		return store_upload_write(p->upload, data, n, e);
	buf_put(p->body, data, n);
	return buf_check(p->body, e);
}

static int
push_plain(void *arg, const void *data, size_t n, struct err *e)
{
	return codec_write(arg, data, n, e);
}

static int
push_codec(struct push *p, struct err *e)
{
	const struct codec_spec spec = {.codec = p->a->wal_codec, .sink = push_stored, .arg = p};
	struct archive *a = p->a;

	if (a->push_codec && a->push_format == spec.codec)
		return codec_reset(a->push_codec, p, e);
	a->push_codec = codec_free(a->push_codec);
	a->push_format = spec.codec;
	return codec_compress(&a->push_codec, &spec, e);
}

static int
push_pack(struct push *p, struct err *e)
{
	if (p->a->wal_codec == CODEC_NONE)
		return push_read(p, push_stored, p, e);
	if (push_codec(p, e) < 0 || push_read(p, push_plain, p->a->push_codec, e) < 0)
		return -1;
	return codec_finish(p->a->push_codec, e);
}

static int
push_finish(struct push *p, struct archive_push_result *r, struct err *e)
{
	const bool history = p->name.kind == ARCHIVE_HISTORY;
	const struct store_put put = {.key = p->key,
		.body = buf_str(p->body),
		.len = p->body->len,
		.create = true,
		.tag = history ? p->a->history_tag : NULL,
		.tags = history ? p->a->history_tags : 0};
	struct store_upload_result parts;
	enum store_outcome outcome;

	if (p->upload) {
		if (store_upload_finish(p->upload, &parts, e) < 0)
			return -1;
		r->stored_bytes = parts.bytes;
		return 0;
	}
	r->stored_bytes = (int64_t)p->body->len;
	if (store_put(p->a->store, &put, &outcome, e) < 0)
		return -1;
	r->same = outcome == STORE_SAME;
	return 0;
}

/* ---- something stands under the name ---- */

struct push_compare {
	struct push *p;
	struct codec_stream *codec;
	int64_t at;
	bool other;
};

static int
compare_plain(void *arg, const void *data, size_t n, struct err *e)
{
	struct push_compare *c = arg;
	AUTO(free) char *ours = malloc(n ? n : 1);
	ssize_t got;

	if (!ours)
		return err_sys(e, "compare %s", c->p->want->name);
	got = pread(c->p->fd, ours, n, c->at);
	if (got < 0)
		return file_err(e, "read %s", c->p->want->path);
	c->other = c->other || (size_t)got != n || memcmp(ours, data, n) != 0;
	c->at += (int64_t)n;
	return 0;
}

static int
compare_stored(void *arg, const void *data, size_t n, struct err *e)
{
	struct push_compare *c = arg;

	if (c->other)
		return 0;
	return c->codec ? codec_write(c->codec, data, n, e) : compare_plain(c, data, n, e);
}

/* 0 with *same; what cannot be unpacked is something else. */
static int
push_compare(struct push *p, const char *key, bool *same, struct err *e)
{
	struct push_compare c = {.p = p};
	const struct codec_spec spec = {
		.codec = codec_of_name(key, NULL), .sink = compare_plain, .arg = &c};
	const struct store_get get = {.key = key, .sink = compare_stored, .arg = &c};
	AUTO(codec_free) struct codec_stream *stream = NULL;
	int rc;

	if (spec.codec != CODEC_NONE && codec_decompress(&stream, &spec, e) < 0)
		return -1;
	c.codec = stream;
	rc = store_get(p->a->store, &get, NULL, e);
	if (rc == 0 && stream && !c.other)
		rc = codec_finish(stream, e);
	*same = rc == 0 && !c.other && c.at == p->bytes;
	return rc < 0 && e->kind != ERR_CORRUPT ? -1 : 0;
}

static int
push_conflict(struct push *p, struct archive_push_result *r, struct err *e)
{
	bool same;

	if (push_compare(p, p->key, &same, e) < 0)
		return err_add(e, "compare with what is there");
	if (!same)
		return err_set(e, ERR_CONFLICT,
			"%s/%s holds other content than our %s: two primaries write there, or did",
			store_where(p->a->store), p->key, p->want->name);
	r->same = true;
	return 0;
}

/* ---- what stands beside it ---- */

struct push_beside {
	const struct push *p;
	char other[STORE_KEY_SIZE];   /* the same file under another extension, "" for none */
	char partial[STORE_KEY_SIZE]; /* a part of this segment */
	bool whole;                   /* of this part, the whole segment */
};

static int
beside_each(void *arg, const struct store_object *o, struct err *e)
{
	struct push_beside *b = arg;
	const char *ours = b->p->want->name, *extension;
	char name[ARCHIVE_NAME_SIZE];
	struct archive_name parsed;

	(void)e;
	if (!archive_key_parse(o->key, name, &extension))
		return 0;
	if (strcmp(name, ours) == 0 && strcmp(o->key, b->p->key) != 0)
		snprintf(b->other, sizeof(b->other), "%s", o->key);
	if (strncmp(name, ours, SEGMENT_DIGITS) != 0)
		return 0;
	switch (archive_name_parse(name, &parsed)) {
	case ARCHIVE_SEGMENT:
		b->whole = true;
		break;
	case ARCHIVE_PARTIAL:
		snprintf(b->partial, sizeof(b->partial), "%s", o->key);
		break;
	default:
		break;
	}
	return 0;
}

/* One LIST of all that begins with the segment's name. */
static int
push_beside(struct push *p, struct push_beside *b, struct err *e)
{
	char stem[ARCHIVE_NAME_SIZE], prefix[ARCHIVE_KEY_SIZE];
	const struct store_list list = {.prefix = prefix, .each = beside_each, .arg = b};
	bool segment = p->name.kind == ARCHIVE_SEGMENT || p->name.kind == ARCHIVE_PARTIAL;

	*b = (struct push_beside){.p = p};
	if (!p->want->look && p->name.kind != ARCHIVE_PARTIAL)
		return 0;
	snprintf(stem, sizeof(stem), "%.*s", segment ? SEGMENT_DIGITS : (int)sizeof(stem) - 1,
		p->want->name);
	if (archive_key_wal(prefix, p->a->server, stem, "", e) < 0)
		return -1;
	return store_list(p->a->store, &list, e);
}

int
archive_push_there(struct archive *a, const char *name, bool *there, struct err *e)
{
	const struct archive_push want = {.name = name, .look = true};
	struct push p = {.a = a, .want = &want, .fd = -1};
	struct push_beside beside;

	*there = false;
	if (archive_name_parse(name, &p.name) == ARCHIVE_OTHER)
		return err_set(e, ERR_INVALID, "%s is not a file that PostgreSQL archives", name);
	/* No key is ours: whatever has the name is another one. */
	if (push_beside(&p, &beside, e) < 0)
		return err_add(e, "look for %s", name);
	*there = beside.other[0] || (p.name.kind == ARCHIVE_PARTIAL && beside.whole);
	return 0;
}

/* A part of a segment beside the whole one would be restored instead of it by Barman's programs. */
static void
push_drop_partial(struct push *p, const struct push_beside *b)
{
	const char *keys[] = {b->partial};
	struct err e;

	if (p->name.kind == ARCHIVE_SEGMENT && b->partial[0])
		(void)!store_delete(p->a->store, keys, 1, &e); /* our own readers know better */
}

/* ---- all of it ---- */

/* The empty folder below a volume that is gone takes files as the volume did. */
static int
push_marked(const struct push *p, struct err *e)
{
	char key[ARCHIVE_KEY_SIZE];
	struct store_object o;

	if (!p->want->marked)
		return 0;
	if (archive_key(key, e, "%s/podgres/owner.json", p->a->server) < 0)
		return -1;
	if (store_head(p->a->store, key, &o, e) == 0)
		return 0;
	if (e->kind != ERR_NOTFOUND)
		return -1;
	return err_set(e, ERR_CONFIG,
		"%s/%s was there and is gone: is the volume mounted? Where it was removed on "
		"purpose, a restart of podgres makes it again",
		store_where(p->a->store), key);
}

static int
push_new(struct push *p, struct archive_push_result *r, struct err *e)
{
	int rc = push_pack(p, e);

	if (rc == 0)
		rc = push_finish(p, r, e);
	return rc < 0 && e->kind == ERR_CONFLICT ? push_conflict(p, r, e) : rc;
}

static int
push_run(struct push *p, struct archive_push_result *r, struct err *e)
{
	struct push_beside beside;
	int rc;

	if (push_marked(p, e) < 0 || push_open(p, e) < 0 || push_beside(p, &beside, e) < 0)
		return -1;
	r->bytes = p->bytes;
	/* The next timeline's first segment repeats what a part has, so nothing is lost with it. */
	r->same = p->name.kind == ARCHIVE_PARTIAL && beside.whole;
	if (r->same)
		return 0;
	if (beside.other[0]) {
		snprintf(p->key, sizeof(p->key), "%s", beside.other);
		rc = push_conflict(p, r, e);
	} else {
		rc = push_new(p, r, e);
	}
	if (rc == 0)
		push_drop_partial(p, &beside);
	return rc;
}

int
archive_push(struct archive *a, const struct archive_push *push, struct archive_push_result *r,
	struct err *e)
{
	struct push p = {.a = a, .want = push, .fd = -1, .body = &a->push_body};
	int rc;

	*r = (struct archive_push_result){0};
	if (archive_name_parse(push->name, &p.name) == ARCHIVE_OTHER)
		return err_set(
			e, ERR_INVALID, "%s is not a file that PostgreSQL archives", push->name);
	if (archive_key_wal(p.key, a->server, push->name, codec_extension(a->wal_codec), e) < 0)
		return -1;
	buf_reset(p.body);
	rc = push_run(&p, r, e);
	store_upload_close(p.upload);
	if (rc < 0 || a->push_body.cap > PUSH_KEEP)
		archive_rest(a);
	if (p.fd >= 0)
		close(p.fd);
	return rc < 0 ? err_add(e, "push %s", push->name) : 0;
}
