/*
 * tar_writer - archives written as streams: ustar, and pax for what it cannot say.
 */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "store/tar_impl.h"

#define OCTAL_7 07777777      /* what a field of 8 bytes can say */
#define OCTAL_11 077777777777 /* 12 bytes */

struct tar_writer {
	tar_sink_fn *sink;
	void *arg;
	int64_t bytes; /* given to the sink */
	int64_t left;  /* of the entry */
	size_t pad;
	bool open;
	struct buf head; /* of the entry: kept for its memory */
};

static const char zeros[2 * TAR_BLOCK];

int
tar_writer_new(struct tar_writer **out, tar_sink_fn *sink, void *arg, struct err *e)
{
	struct tar_writer *w = calloc(1, sizeof(*w));

	if (!w)
		return err_sys(e, "write tar");
	w->sink = sink;
	w->arg = arg;
	*out = w;
	return 0;
}

struct tar_writer *
tar_writer_free(struct tar_writer *w)
{
	if (w)
		buf_deinit(&w->head);
	free(w);
	return NULL;
}

int64_t
tar_writer_bytes(const struct tar_writer *w)
{
	return w->bytes;
}

static int
send(struct tar_writer *w, const void *p, size_t n, struct err *e)
{
	w->bytes += (int64_t)n;
	return n > 0 ? w->sink(w->arg, p, n, e) : 0;
}

/* ---- headers ---- */

/* Digits and a NUL; what does not fit is said by pax, and here stands 0. */
static void
put_octal(char *field, size_t size, int64_t v)
{
	char text[24];
	int64_t max = size == 8 ? OCTAL_7 : OCTAL_11;

	snprintf(text, sizeof(text), "%0*llo", (int)size - 1,
		(unsigned long long)(v < 0 || v > max ? 0 : v));
	memcpy(field, text, size);
}

static void
put_sum(struct tar_block *b)
{
	char text[16];

	snprintf(text, sizeof(text), "%06o", tar_checksum(b));
	memcpy(b->checksum, text, 7); /* six digits, a NUL; then the space that is there */
	b->checksum[7] = ' ';
}

static char
type_of(enum tar_kind kind)
{
	static const char type[] = {
		[TAR_FILE] = '0', [TAR_DIR] = '5', [TAR_SYMLINK] = '2', [TAR_HARDLINK] = '1'};

	return type[kind];
}

static void
put_block(struct buf *out, struct tar_block *b, const struct tar_entry *t)
{
	memcpy(b->magic, "ustar", 6);
	memcpy(b->version, "00", 2);
	put_octal(b->mode, sizeof(b->mode), t->mode & 07777);
	put_octal(b->uid, sizeof(b->uid), t->uid);
	put_octal(b->gid, sizeof(b->gid), t->gid);
	put_octal(b->size, sizeof(b->size), t->bytes);
	put_octal(b->mtime, sizeof(b->mtime), t->mtime);
	put_octal(b->major, sizeof(b->major), 0);
	put_octal(b->minor, sizeof(b->minor), 0);
	put_sum(b);
	buf_put(out, b, sizeof(*b));
}

/* As one field, or as prefix and name, parted at a slash.  false: neither. */
static bool
name_fits(struct tar_block *b, const char *name)
{
	size_t len = strlen(name), cut;

	if (len <= sizeof(b->name)) {
		memcpy(b->name, name, len);
		return true;
	}
	for (cut = len - sizeof(b->name) - 1; cut < len - 1; cut++)
		if (name[cut] == '/' && cut > 0 && cut <= sizeof(b->prefix)) {
			memcpy(b->prefix, name, cut);
			memcpy(b->name, name + cut + 1, len - cut - 1);
			return true;
		}
	memcpy(b->name, name, sizeof(b->name));
	return false;
}

/* ---- extended headers ---- */

/* The length counts its own digits. */
static void
pax_put(struct buf *out, const char *key, const char *value)
{
	size_t rest = strlen(key) + strlen(value) + 3, len = rest + 1;
	char digits[24];

	while (rest + (size_t)snprintf(digits, sizeof(digits), "%zu", len) != len)
		len = rest + strlen(digits);
	buf_printf(out, "%s %s=%s\n", digits, key, value);
}

static void
pax_put_number(struct buf *out, const char *key, int64_t v, int64_t max)
{
	char text[24];

	if (v >= 0 && v <= max)
		return;
	snprintf(text, sizeof(text), "%lld", (long long)v);
	pax_put(out, key, text);
}

static size_t
padding(int64_t bytes)
{
	return (TAR_BLOCK - (size_t)bytes % TAR_BLOCK) % TAR_BLOCK;
}

static void
put_pax(struct buf *out, const struct buf *records, const struct tar_entry *t)
{
	struct tar_entry own = {.kind = TAR_FILE, .bytes = (int64_t)records->len, .mode = 0644};
	struct tar_block b = {.name = "PaxHeaders/", .type = TAR_PAX};
	size_t n = strlen(b.name);

	memcpy(b.name + n, t->name, strnlen(t->name, sizeof(b.name) - n));
	put_block(out, &b, &own);
	buf_put(out, records->data, records->len);
	buf_put(out, zeros, padding((int64_t)records->len));
}

/* ---- entries ---- */

static void
build_head(struct tar_writer *w, const struct tar_entry *t, const char *name)
{
	AUTO(buf_deinit) struct buf records = {0};
	struct tar_block b = {.type = type_of(t->kind)};
	size_t link = strlen(t->link ? t->link : "");

	if (!name_fits(&b, name))
		pax_put(&records, "path", name);
	if (link > sizeof(b.link))
		pax_put(&records, "linkpath", t->link);
	else if (link > 0)
		memcpy(b.link, t->link, link);
	pax_put_number(&records, "size", t->bytes, OCTAL_11);
	pax_put_number(&records, "mtime", t->mtime, OCTAL_11);
	pax_put_number(&records, "uid", t->uid, OCTAL_7);
	pax_put_number(&records, "gid", t->gid, OCTAL_7);
	buf_reset(&w->head);
	if (records.len > 0)
		put_pax(&w->head, &records, t);
	put_block(&w->head, &b, t);
	w->head.failed |= records.failed;
}

int
tar_writer_begin(struct tar_writer *w, const struct tar_entry *t, struct err *e)
{
	char name[TAR_NAME_MAX + 2];
	int n = snprintf(name, sizeof(name), "%s%s", t->name, t->kind == TAR_DIR ? "/" : "");

	must(!w->open && t->bytes >= 0 && (t->bytes == 0 || t->kind == TAR_FILE));
	if (n < 1 || (size_t)n >= sizeof(name) || (t->link && strlen(t->link) > TAR_NAME_MAX))
		return err_set(e, ERR_INVALID, "%.200s: the name is too long for tar", t->name);
	build_head(w, t, name);
	if (buf_check(&w->head, e) < 0)
		return -1;
	w->open = true;
	w->left = t->bytes;
	w->pad = padding(t->bytes);
	return send(w, w->head.data, w->head.len, e);
}

int
tar_writer_data(struct tar_writer *w, const void *p, size_t n, struct err *e)
{
	must(w->open);
	if ((int64_t)n > w->left)
		return err_set(e, ERR_INVALID, "%zu bytes more than the entry has room for",
			n - (size_t)w->left);
	w->left -= (int64_t)n;
	return send(w, p, n, e);
}

int
tar_writer_end(struct tar_writer *w, int64_t *missing, struct err *e)
{
	must(w->open);
	w->open = false;
	if (missing)
		*missing = w->left;
	while (w->left > 0) {
		size_t n = w->left < (int64_t)sizeof(zeros) ? (size_t)w->left : sizeof(zeros);

		if (send(w, zeros, n, e) < 0)
			return -1;
		w->left -= (int64_t)n;
	}
	return send(w, zeros, w->pad, e);
}

int
tar_writer_file(struct tar_writer *w, const struct tar_entry *t, const void *data, struct err *e)
{
	if (tar_writer_begin(w, t, e) < 0 || tar_writer_data(w, data, (size_t)t->bytes, e) < 0)
		return -1;
	return tar_writer_end(w, NULL, e);
}

int
tar_writer_finish(struct tar_writer *w, struct err *e)
{
	must(!w->open);
	return send(w, zeros, sizeof(zeros), e);
}
