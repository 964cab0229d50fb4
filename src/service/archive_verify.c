/*
 * archive_verify - a base backup read back.
 *
 * The files of manifest.json are kept as 64 bits of their names' digest and 256 of their content's,
 * sorted: 48 bytes a file.  Objects are then read in the manifest's order, each once.
 */
#include "service/archive_verify.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/linebuf.h"
#include "core/backup_manifest.h"
#include "store/tar.h"

#define LINE_MAX_BYTES 8192
#define TOLD_EACH 10 /* files of one object, then only their number */

struct known {
	uint64_t name;
	unsigned char sha256[SHA256_SIZE];
	bool seen;
};

struct check {
	struct archive_verify *v;
	const struct backup_info *b;
	struct known *file; /* owned, sorted by name */
	size_t files, room;
	struct backup_object *object; /* owned */
	size_t objects;
	bool has_manifest, complete; /* manifest.json is there; and has its end */
	int64_t promised;            /* files, says its end */
	/* of the object at hand */
	const char *name;
	size_t told;
	struct sha256 whole, one;
	int64_t bytes, plain_bytes;
	struct codec_stream *codec;
	struct tar_reader *tar;
	char path[BACKUP_PATH_SIZE];
	bool is_file, has_control, has_label;
	bool broken;    /* an object is not whole: what it lacks is said already */
	struct err bad; /* in the object: it is a finding, not the end */
};

/* ---- findings ---- */

void
archive_verify_found(struct archive_verify *v, const struct verify_finding *f)
{
	if (f->warning)
		v->warnings++;
	else
		v->errors++;
	v->found(v->arg, f);
}

void
archive_verify_read(struct archive_verify *v, const char *what, int64_t bytes)
{
	v->bytes += bytes;
	if (v->progress)
		v->progress(v->arg, what, v->bytes);
}

static void find(struct check *c, bool warning, const char *fmt, ...) PRINTF(3, 4);

static void
find(struct check *c, bool warning, const char *fmt, ...)
{
	struct verify_finding f = {.warning = warning};
	va_list ap;

	snprintf(f.of, sizeof(f.of), "%s", c->b->id);
	snprintf(f.object, sizeof(f.object), "%s", c->name ? c->name : "");
	va_start(ap, fmt);
	vsnprintf(f.text, sizeof(f.text), fmt, ap);
	va_end(ap);
	archive_verify_found(c->v, &f);
}

/* ---- manifest.json ---- */

/* Within one object: tablespaces may hold the same paths. */
static uint64_t
name_of(const char *object, const char *path)
{
	unsigned char digest[SHA256_SIZE];
	struct sha256 s;
	uint64_t out;

	sha256_init(&s);
	sha256_put(&s, object, strlen(object) + 1);
	sha256_put(&s, path, strlen(path));
	sha256_end(&s, digest);
	memcpy(&out, digest, sizeof(out));
	return out;
}

static bool
digest_of(const char *hex, unsigned char out[SHA256_SIZE])
{
	unsigned byte;

	for (int i = 0; i < SHA256_SIZE; i++) {
		if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
			return false;
		out[i] = (unsigned char)byte;
	}
	return true;
}

static int
keep_file(struct check *c, const struct backup_file *f, struct err *e)
{
	struct known *grown;

	if (c->files == c->room) {
		c->room = c->room ? c->room * 2 : 1024;
		grown = reallocarray(c->file, c->room, sizeof(*grown));
		if (!grown)
			return err_sys(e, "remember the files of %s", c->b->id);
		c->file = grown;
	}
	c->file[c->files] = (struct known){.name = name_of(f->tar, f->path)};
	if (!digest_of(f->sha256, c->file[c->files].sha256))
		return err_set(e, ERR_CORRUPT, "%.100s has no SHA-256", f->path);
	c->files++;
	return 0;
}

static int
keep_object(struct check *c, const struct backup_object *o, struct err *e)
{
	struct backup_object *grown = reallocarray(c->object, c->objects + 1, sizeof(*grown));

	if (!grown)
		return err_sys(e, "remember the objects of %s", c->b->id);
	c->object = grown;
	c->object[c->objects++] = *o;
	return 0;
}

static void
manifest_line(char *line, size_t n, bool cut, void *arg)
{
	struct backup_line_value value;
	enum backup_line kind;
	struct check *c = arg;

	if (c->bad.kind || (n == 0 && !cut))
		return;
	if (cut) {
		(void)err_set(&c->bad, ERR_CORRUPT, "a line is too long");
		return;
	}
	if (backup_manifest_line(line, n, &kind, &value, &c->bad) < 0)
		return;
	if (kind == BACKUP_LINE_FILE)
		(void)!keep_file(c, &value.file, &c->bad);
	else if (kind == BACKUP_LINE_OBJECT)
		(void)!keep_object(c, &value.object, &c->bad);
	else if (kind == BACKUP_LINE_END) {
		c->complete = true;
		c->promised = value.totals.files;
	}
}

struct lines {
	struct linebuf buf;
	struct check *c;
};

static int
manifest_sink(void *arg, const void *p, size_t n, struct err *e)
{
	struct lines *l = arg;
	char piece[4096];
	const char *s = p;
	size_t len;

	(void)e;
	for (; n; n -= len, s += len) {
		len = n < sizeof(piece) ? n : sizeof(piece);
		memcpy(piece, s, len);
		linebuf_feed(&l->buf, piece, len, manifest_line, l->c);
	}
	return 0;
}

static int
by_name(const void *a, const void *b)
{
	uint64_t x = ((const struct known *)a)->name, y = ((const struct known *)b)->name;

	return x < y ? -1 : x > y;
}

/* What is wrong with the manifest is a finding; that the store does not answer is an error. */
static int
read_manifest(struct check *c, struct err *e)
{
	struct lines lines = {.c = c};
	char key[ARCHIVE_KEY_SIZE];
	struct store_get get = {.key = key, .sink = manifest_sink, .arg = &lines};
	int rc;

	c->name = "manifest.json";
	if (archive_key(key, e, "%s/base/%s/%s", c->v->archive->server, c->b->id, c->name) < 0)
		return -1;
	linebuf_init(&lines.buf, LINE_MAX_BYTES);
	rc = store_get(c->v->archive->store, &get, NULL, e);
	linebuf_flush(&lines.buf, manifest_line, c);
	linebuf_deinit(&lines.buf);
	if (rc < 0 && e->kind == ERR_NOTFOUND) {
		find(c, true, "there is none, %s made the backup: files have no digests to compare",
			*c->b->writer ? c->b->writer : "another program");
		return 0;
	}
	if (rc < 0 && e->kind != ERR_CORRUPT)
		return -1;
	if (rc < 0)
		c->bad = *e;
	c->has_manifest = true;
	if (!c->bad.kind && (!c->complete || c->promised != (int64_t)c->files))
		(void)err_set(&c->bad, ERR_CORRUPT, "it ends early: %zu files of %lld", c->files,
			(long long)c->promised);
	if (c->bad.kind) { /* then the objects are read without it */
		find(c, false, "%s", c->bad.msg);
		c->has_manifest = false;
		c->files = c->objects = 0;
	}
	if (c->files)
		qsort(c->file, c->files, sizeof(*c->file), by_name);
	return 0;
}

/* ---- one object ---- */

static int
file_begin(void *arg, const struct tar_entry *t, struct err *e)
{
	struct check *c = arg;

	(void)e;
	c->is_file = t->kind == TAR_FILE;
	snprintf(c->path, sizeof(c->path), "%s", t->name);
	c->has_control = c->has_control || strcmp(t->name, "global/pg_control") == 0;
	c->has_label = c->has_label || strcmp(t->name, "backup_label") == 0;
	if (c->is_file)
		sha256_init(&c->one);
	return 0;
}

static int
file_data(void *arg, const void *p, size_t n, struct err *e)
{
	struct check *c = arg;

	(void)e;
	sha256_put(&c->one, p, n);
	return 0;
}

static void
tell_file(struct check *c, const char *what)
{
	if (c->told++ < TOLD_EACH)
		find(c, false, "file %.200s %s", c->path, what);
}

static int
file_end(void *arg, struct err *e)
{
	struct known key = {.name = 0}, *k;
	unsigned char digest[SHA256_SIZE];
	struct check *c = arg;

	(void)e;
	if (!c->is_file)
		return 0;
	c->v->files++;
	sha256_end(&c->one, digest);
	if (!c->has_manifest)
		return 0;
	key.name = name_of(c->name, c->path);
	k = c->files ? bsearch(&key, c->file, c->files, sizeof(key), by_name) : NULL;
	if (!k)
		tell_file(c, "is not in manifest.json");
	else if (memcmp(k->sha256, digest, sizeof(digest)) != 0)
		tell_file(c, "has another SHA-256 than in manifest.json");
	if (k)
		k->seen = true;
	return 0;
}

static int
plain_sink(void *arg, const void *p, size_t n, struct err *e)
{
	struct check *c = arg;

	c->plain_bytes += (int64_t)n;
	return c->tar ? tar_reader_write(c->tar, p, n, e) : 0;
}

/* A broken stream is a finding; the rest of the object is read for its digest all the same. */
static int
stored_sink(void *arg, const void *p, size_t n, struct err *e)
{
	struct check *c = arg;

	(void)e;
	sha256_put(&c->whole, p, n);
	c->bytes += (int64_t)n;
	if (!c->bad.kind && codec_write(c->codec, p, n, &c->bad) < 0)
		c->bad.kind = c->bad.kind ? c->bad.kind : ERR_CORRUPT;
	archive_verify_read(c->v, c->name, (int64_t)n);
	return 0;
}

/* Beside tars an archive may keep what the server said of its files (backup_manifest). */
static bool
is_tar(const char *name)
{
	size_t stem;

	(void)codec_of_name(name, &stem);
	return stem > 4 && strncmp(name + stem - 4, ".tar", 4) == 0;
}

static int
object_open(struct check *c, struct err *e)
{
	const struct tar_reader_spec tar = {.begin = file_begin,
		.data = file_data,
		.end = file_end,
		.arg = c,
		.open_end = true};
	const struct codec_spec codec = {
		.codec = codec_of_name(c->name, NULL), .sink = plain_sink, .arg = c};

	sha256_init(&c->whole);
	c->bytes = c->plain_bytes = 0;
	c->told = 0;
	c->bad = (struct err){0};
	if (is_tar(c->name) && tar_reader_new(&c->tar, &tar, e) < 0)
		return -1;
	return codec_decompress(&c->codec, &codec, e);
}

static void
object_close(struct check *c)
{
	c->codec = codec_free(c->codec);
	c->tar = tar_reader_free(c->tar);
}

static void
compare_object(struct check *c, const struct backup_object *o)
{
	char sha256[SHA256_HEX_SIZE];

	sha256_end_hex(&c->whole, sha256);
	c->broken = c->broken || c->bad.kind;
	if (c->bad.kind)
		find(c, false, "cannot be read: %.300s", c->bad.msg);
	if (c->told > TOLD_EACH)
		find(c, false, "%zu more files are wrong", c->told - TOLD_EACH);
	if (!o)
		return;
	if (c->bytes != o->bytes)
		find(c, false, "%lld bytes, manifest.json says %lld", (long long)c->bytes,
			(long long)o->bytes);
	else if (strcmp(sha256, o->sha256) != 0)
		find(c, false, "has another SHA-256 than in manifest.json");
	else if (!c->bad.kind && c->plain_bytes != o->plain_bytes)
		find(c, false, "%lld bytes unpacked, manifest.json says %lld",
			(long long)c->plain_bytes, (long long)o->plain_bytes);
}

static int
check_object(struct check *c, const char *name, const struct backup_object *o, struct err *e)
{
	char key[ARCHIVE_KEY_SIZE];
	struct store_get get = {.key = key, .sink = stored_sink, .arg = c};
	int rc;

	c->name = name;
	if (archive_key(key, e, "%s/base/%s/%s", c->v->archive->server, c->b->id, name) < 0)
		return -1;
	rc = object_open(c, e);
	if (rc == 0)
		rc = store_get(c->v->archive->store, &get, NULL, e);
	if (rc == 0 && !c->bad.kind && codec_finish(c->codec, &c->bad) == 0)
		(void)!(c->tar && tar_reader_finish(c->tar, &c->bad));
	object_close(c);
	if (rc < 0 && e->kind == ERR_NOTFOUND) {
		find(c, false, "is missing");
		c->broken = true;
		return 0;
	}
	if (rc < 0 && e->kind != ERR_CORRUPT)
		return -1;
	if (rc < 0)
		c->bad = *e;
	c->v->objects++;
	compare_object(c, o);
	return 0;
}

/* ---- a backup ---- */

struct listed {
	struct check *c;
	size_t skip;
	char (*name)[BACKUP_TAR_SIZE]; /* owned */
	size_t n;
};

static bool
in_manifest(const struct check *c, const char *name)
{
	for (size_t i = 0; i < c->objects; i++)
		if (strcmp(c->object[i].name, name) == 0)
			return true;
	return false;
}

/* Tar files that the manifest does not name. */
static int
list_each(void *arg, const struct store_object *o, struct err *e)
{
	const char *name = o->key + ((struct listed *)arg)->skip;
	struct listed *l = arg;
	void *grown;

	if (strchr(name, '/') || strlen(name) >= BACKUP_TAR_SIZE || !is_tar(name) ||
		in_manifest(l->c, name))
		return 0;
	grown = reallocarray(l->name, l->n + 1, sizeof(*l->name));
	if (!grown)
		return err_sys(e, "remember %s", o->key);
	l->name = grown;
	snprintf(l->name[l->n++], sizeof(*l->name), "%s", name);
	return 0;
}

static int
check_others(struct check *c, struct err *e)
{
	char prefix[ARCHIVE_KEY_SIZE];
	struct listed l = {.c = c};
	struct store_list list = {.prefix = prefix, .each = list_each, .arg = &l};
	int rc;

	if (archive_key(prefix, e, "%s/base/%s/", c->v->archive->server, c->b->id) < 0)
		return -1;
	l.skip = strlen(prefix);
	rc = store_list(c->v->archive->store, &list, e);
	for (size_t i = 0; rc == 0 && i < l.n; i++) {
		c->name = l.name[i];
		if (c->has_manifest)
			find(c, true, "is not in manifest.json");
		rc = c->has_manifest ? 0 : check_object(c, l.name[i], NULL, e);
	}
	c->name = NULL;
	free(l.name);
	return rc;
}

static void
check_whole(struct check *c)
{
	size_t missing = 0;

	for (size_t i = 0; i < c->files; i++)
		missing += !c->file[i].seen;
	c->name = "";
	if (missing && !c->broken)
		find(c, false, "%zu files of manifest.json are in no object", missing);
	if (!c->has_control && !c->broken)
		find(c, false, "global/pg_control is in no object");
	if (!c->has_label && !c->broken)
		find(c, false, "backup_label is in no object");
	if (!catalog_chain_ok(&c->v->catalog->c, c->b))
		find(c, false, "a parent of this incremental backup is missing (%s)", c->b->parent);
	if (c->b->checksum_failures)
		find(c, true, "pages with wrong checksums were read when it was made");
}

/* Its WAL, on its own timeline. */
static void
check_wal(struct check *c)
{
	const struct catalog *cat = &c->v->catalog->c;
	struct catalog_line line;
	struct catalog_path path;

	c->name = "wals";
	catalog_line_of(cat, c->b->timeline, &line);
	if (catalog_chain_ok(cat, c->b) && !catalog_follow(cat, c->b, &line, &path))
		find(c, false, "WAL is missing between %s and %s", c->b->begin_wal, c->b->end_wal);
}

int
archive_verify_backup(struct archive_verify *v, const struct backup_info *b, struct err *e)
{
	struct check c = {.v = v, .b = b};
	int rc;

	v->backups++;
	if (b->status != BACKUP_DONE) {
		find(&c, true, "%s: nothing to verify", backup_status_text(b->status));
		return 0;
	}
	rc = read_manifest(&c, e);
	for (size_t i = 0; rc == 0 && i < c.objects; i++)
		rc = check_object(&c, c.object[i].name, &c.object[i], e);
	if (rc == 0)
		rc = check_others(&c, e);
	if (rc == 0) {
		check_whole(&c);
		check_wal(&c);
	}
	free(c.file);
	free(c.object);
	return rc < 0 ? err_add(e, "verify backup %s", b->id) : 0;
}
