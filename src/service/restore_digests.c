/*
 * restore_digests - what each file of a base backup has to be: base/ID/manifest.json.
 *
 * Process: whoever restores; read once, shared with the forked children by copy on write.  A file
 * takes 32 bytes whatever its name: half of the SHA-256 of object and path finds it, half of the
 * SHA-256 of the content is compared.  128 bits of a digest that nobody chooses are beyond chance.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/linebuf.h"
#include "core/backup_manifest.h"
#include "service/restore.h"

struct digest_row {
	unsigned char name[8];
	unsigned char content[16];
	int64_t bytes;
};

struct restore_digests {
	struct digest_row *row; /* sorted by name */
	size_t n, cap;
	int64_t plain_bytes;
	bool ended;
	size_t promised;
	struct buf line;
	char parent[BACKUP_ID_SIZE];
};

#define DIGEST_LINE_MAX 4096

static void
digest_name(const char *tar, const char *path, unsigned char out[8])
{
	unsigned char full[SHA256_SIZE];
	struct sha256 s;

	sha256_init(&s);
	sha256_put(&s, tar, strlen(tar) + 1);
	sha256_put(&s, path, strlen(path));
	sha256_end(&s, full);
	memcpy(out, full, 8);
}

static int
digest_hex(const char *hex, unsigned char *out, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned v;

		if (sscanf(hex + 2 * i, "%2x", &v) != 1)
			return -1;
		out[i] = (unsigned char)v;
	}
	return 0;
}

static int
digests_row(struct restore_digests *d, const struct backup_file *f, struct err *e)
{
	struct digest_row *row;

	if (d->n == d->cap) {
		size_t cap = d->cap ? d->cap * 2 : 1024;

		row = realloc(d->row, cap * sizeof(*row));
		if (!row)
			return err_sys(e, "digests");
		d->row = row;
		d->cap = cap;
	}
	row = &d->row[d->n];
	digest_name(f->tar, f->path, row->name);
	row->bytes = f->bytes;
	if (strlen(f->sha256) != SHA256_HEX_SIZE - 1 || digest_hex(f->sha256, row->content, 16) < 0)
		return err_set(e, ERR_CORRUPT, "manifest.json: digest of %.200s", f->path);
	d->n++;
	return 0;
}

static int
digests_line(struct restore_digests *d, const char *line, size_t len, struct err *e)
{
	struct backup_line_value v;
	enum backup_line kind;

	if (backup_manifest_line(line, len, &kind, &v, e) < 0)
		return err_add(e, "manifest.json");
	if (kind == BACKUP_LINE_FILE)
		return digests_row(d, &v.file, e);
	if (kind == BACKUP_LINE_END) {
		d->ended = true;
		d->promised = (size_t)v.totals.files;
		d->plain_bytes = v.totals.plain_bytes;
	}
	return 0;
}

static int
digests_put(void *arg, const void *p, size_t n, struct err *e)
{
	struct restore_digests *d = arg;
	const char *at = p, *end = at + n;

	while (at < end) {
		const char *nl = memchr(at, '\n', (size_t)(end - at));
		size_t len = (size_t)((nl ? nl : end) - at);

		if (d->line.len + len > DIGEST_LINE_MAX)
			return err_set(e, ERR_CORRUPT, "manifest.json: a line is too long");
		buf_put(&d->line, at, len);
		if (buf_check(&d->line, e) < 0)
			return -1;
		if (!nl)
			return 0;
		if (digests_line(d, buf_str(&d->line), d->line.len, e) < 0)
			return -1;
		buf_reset(&d->line);
		at = nl + 1;
	}
	return 0;
}

static int
digest_order(const void *a, const void *b)
{
	return memcmp(
		((const struct digest_row *)a)->name, ((const struct digest_row *)b)->name, 8);
}

static int
digests_load(struct restore_digests *d, struct archive *a, const char *key, struct err *e)
{
	const struct store_get get = {.key = key, .sink = digests_put, .arg = d};

	if (store_get(a->store, &get, NULL, e) < 0)
		return -1;
	if (d->line.len && digests_line(d, buf_str(&d->line), d->line.len, e) < 0)
		return -1;
	if (!d->ended || d->promised != d->n)
		return err_set(e, ERR_CORRUPT, "%s is cut short: %zu of %zu files", key, d->n,
			d->promised);
	if (d->n)
		qsort(d->row, d->n, sizeof(*d->row), digest_order);
	return 0;
}

int
digests_read(struct restore_digests **out, struct archive *a, const char *backup_id, struct err *e)
{
	AUTO(digests_free) struct restore_digests *d = calloc(1, sizeof(*d));
	char key[ARCHIVE_KEY_SIZE];

	*out = NULL;
	if (!d)
		return err_sys(e, "digests");
	if (archive_key(key, e, "%s/base/%s/manifest.json", a->server, backup_id) < 0)
		return -1;
	if (digests_load(d, a, key, e) < 0) {
		if (e->kind != ERR_NOTFOUND)
			return -1;
		*e = (struct err){0};
		return 0; /* made by another program */
	}
	*out = take(d);
	return 0;
}

struct restore_digests *
digests_free(struct restore_digests *d)
{
	if (!d)
		return NULL;
	free(d->row);
	buf_deinit(&d->line);
	free(d);
	return NULL;
}

int
digests_check(const struct restore_digests *d, const struct digest_file *f, struct err *e)
{
	struct digest_row want, *row;
	unsigned char seen[16];

	digest_name(f->tar, f->path, want.name);
	row = d->n ? bsearch(&want, d->row, d->n, sizeof(*d->row), digest_order) : NULL;
	if (!row)
		return err_set(e, ERR_CORRUPT, "%s: the manifest does not have this file", f->path);
	if (row->bytes != f->bytes)
		return err_set(e, ERR_CORRUPT, "%s: %lld bytes, the manifest says %lld", f->path,
			(long long)f->bytes, (long long)row->bytes);
	if (digest_hex(f->sha256, seen, sizeof(seen)) < 0 ||
		memcmp(seen, row->content, sizeof(seen)) != 0)
		return err_set(
			e, ERR_CORRUPT, "%s: its SHA-256 is not that of the manifest", f->path);
	return 0;
}

int64_t
digests_plain_bytes(const struct restore_digests *d)
{
	return d ? d->plain_bytes : 0;
}

size_t
digests_files(const struct restore_digests *d)
{
	return d ? d->n : 0;
}
