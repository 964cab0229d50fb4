/*
 * tar_reader - archives pushed in pieces, handed out as entries.
 */
#include <stdio.h>
#include <string.h>

#include "store/tar_impl.h"

enum step { STEP_HEADER, STEP_EXTRA, STEP_DATA, STEP_PAD, STEP_OVER };

struct tar_reader {
	struct tar_reader_spec spec;
	enum step step;
	size_t have;  /* bytes of block, or of extra */
	int zeros;    /* blocks of them */
	int64_t left; /* bytes of data, or of an extra header, to come */
	size_t pad;   /* bytes behind them */
	char type;    /* of the extra header */
	bool pending; /* extra headers stand before the next entry */
	bool open;    /* begin was called, end is to come */
	char *extra;  /* owned, TAR_PAX_MAX bytes, when first needed */
	struct tar_pax pax;
	char name[TAR_NAME_MAX + 1]; /* of the entry, clean */
	struct tar_block block;
};

int
tar_reader_new(struct tar_reader **out, const struct tar_reader_spec *spec, struct err *e)
{
	struct tar_reader *r = calloc(1, sizeof(*r));

	if (!r)
		return err_sys(e, "read tar");
	r->spec = *spec;
	*out = r;
	return 0;
}

struct tar_reader *
tar_reader_free(struct tar_reader *r)
{
	if (r)
		free(r->extra);
	free(r);
	return NULL;
}

/* ---- headers ---- */

static size_t
padding(int64_t bytes)
{
	return (TAR_BLOCK - (size_t)bytes % TAR_BLOCK) % TAR_BLOCK;
}

/* A text field ends with a NUL or with the field. */
static size_t
field_text(char *out, const char *field, size_t size)
{
	size_t n = strnlen(field, size);

	memcpy(out, field, n);
	out[n] = '\0';
	return n;
}

/* Name as the header has it, before an extended one has a say. */
static void
header_name(const struct tar_block *b, char out[TAR_NAME_MAX + 1])
{
	size_t n = 0;

	if (memcmp(b->magic, "ustar", 6) == 0 && b->prefix[0]) {
		n = field_text(out, b->prefix, sizeof(b->prefix));
		out[n++] = '/';
	}
	field_text(out + n, b->name, sizeof(b->name));
}

static int
header_kind(const struct tar_reader *r, char type, enum tar_kind *kind)
{
	switch (type) {
	case '\0':
	case '0':
	case '7':
		*kind = TAR_FILE;
		return 0;
	case '5':
		*kind = TAR_DIR;
		return 0;
	case '2':
		*kind = TAR_SYMLINK;
		return 0;
	case '1':
		*kind = TAR_HARDLINK;
		return r->spec.hardlinks ? 0 : -1;
	default:
		return -1;
	}
}

/* Numbers of the header, then of the extended one. */
static int
header_numbers(const struct tar_reader *r, struct tar_entry *t, struct err *e)
{
	const struct tar_block *b = &r->block;
	const struct tar_pax *pax = &r->pax;
	int64_t mode;

	if (tar_number(b->size, sizeof(b->size), &t->bytes) < 0 ||
		tar_number(b->mode, sizeof(b->mode), &mode) < 0 ||
		tar_number(b->uid, sizeof(b->uid), &t->uid) < 0 ||
		tar_number(b->gid, sizeof(b->gid), &t->gid) < 0 ||
		tar_number(b->mtime, sizeof(b->mtime), &t->mtime) < 0)
		return err_set(
			e, ERR_CORRUPT, "%.200s: a number in its header is damaged", r->name);
	t->mode = (unsigned)mode & 07777;
	t->bytes = pax->has_size ? pax->size : t->bytes;
	t->mtime = pax->has_mtime ? pax->mtime : t->mtime;
	t->uid = pax->has_uid ? pax->uid : t->uid;
	t->gid = pax->has_gid ? pax->gid : t->gid;
	if (t->bytes < 0 || t->bytes > INT64_MAX / 2)
		return err_set(e, ERR_CORRUPT, "%.200s: its size is impossible", r->name);
	return 0;
}

/* What is behind the header is not ours to read any more: forget the extra headers. */
static void
entry_done(struct tar_reader *r)
{
	r->pending = r->open = false;
	memset(&r->pax, 0, offsetof(struct tar_pax, name));
	r->pax.name[0] = r->pax.link[0] = '\0';
	r->step = r->pad > 0 ? STEP_PAD : STEP_HEADER;
}

static int
entry_end(struct tar_reader *r, struct err *e)
{
	entry_done(r);
	return r->spec.end ? r->spec.end(r->spec.arg, e) : 0;
}

static int
entry_begin(struct tar_reader *r, struct err *e)
{
	const struct tar_block *b = &r->block;
	char raw[TAR_NAME_MAX + 1];
	struct tar_entry t = {.name = r->name, .link = r->pax.link};

	header_name(b, raw);
	if (tar_name_clean(r->name, r->pax.name[0] ? r->pax.name : raw, e) < 0)
		return -1;
	if (header_kind(r, b->type, &t.kind) < 0)
		return err_set(e, ERR_CORRUPT, "%.200s: an entry of type '%c' is not read", r->name,
			b->type >= ' ' && b->type < 0x7f ? b->type : '?');
	if (b->type == '\0' && raw[0] && raw[strlen(raw) - 1] == '/')
		t.kind = TAR_DIR; /* as it was before POSIX */
	if (header_numbers(r, &t, e) < 0)
		return -1;
	if (t.kind != TAR_DIR && strcmp(r->name, ".") == 0)
		return err_set(e, ERR_CORRUPT, "an entry without a name");
	if (t.kind == TAR_SYMLINK || t.kind == TAR_HARDLINK) {
		if (!r->pax.link[0])
			field_text(r->pax.link, b->link, sizeof(b->link));
	} else {
		r->pax.link[0] = '\0';
	}
	if (t.kind != TAR_FILE)
		t.bytes = 0;
	r->left = t.bytes;
	r->pad = padding(t.bytes);
	r->step = STEP_DATA;
	r->open = true;
	if (r->spec.begin && r->spec.begin(r->spec.arg, &t, e) < 0)
		return -1;
	return r->left == 0 ? entry_end(r, e) : 0;
}

/* A header that speaks of the next one. */
static int
extra_begin(struct tar_reader *r, struct err *e)
{
	const struct tar_block *b = &r->block;
	int64_t limit =
		b->type == TAR_PAX || b->type == TAR_PAX_GLOBAL ? TAR_PAX_MAX : TAR_NAME_MAX + 1;

	if (tar_number(b->size, sizeof(b->size), &r->left) < 0 || r->left <= 0 || r->left > limit)
		return err_set(e, ERR_CORRUPT, "an extended header of impossible size");
	if (!r->extra && !(r->extra = malloc(TAR_PAX_MAX)))
		return err_sys(e, "read an extended header");
	r->type = b->type;
	r->pad = padding(r->left);
	r->have = 0;
	r->pending = true;
	r->step = STEP_EXTRA;
	return 0;
}

static int
extra_end(struct tar_reader *r, struct err *e)
{
	char *name = r->type == TAR_LONG_NAME ? r->pax.name : r->pax.link;
	size_t n = r->have;

	r->have = 0;
	r->step = r->pad > 0 ? STEP_PAD : STEP_HEADER;
	if (r->type == TAR_PAX)
		return tar_pax_parse(&r->pax, r->extra, n, e);
	if (r->type == TAR_PAX_GLOBAL)
		return 0;
	n = strnlen(r->extra, n);
	if (n > TAR_NAME_MAX)
		return err_set(e, ERR_CORRUPT, "a name of %zu bytes", n);
	memcpy(name, r->extra, n);
	name[n] = '\0';
	return 0;
}

static bool
all_zero(const char *p, size_t n)
{
	return n == 0 || (p[0] == '\0' && memcmp(p, p + 1, n - 1) == 0);
}

static int
header(struct tar_reader *r, struct err *e)
{
	const struct tar_block *b = &r->block;
	int64_t sum;

	r->have = 0;
	if (all_zero((const char *)b, TAR_BLOCK)) {
		if (r->pending)
			return err_set(e, ERR_CORRUPT, "an extended header without an entry");
		if (++r->zeros == 2)
			r->step = STEP_OVER;
		return 0;
	}
	if (r->zeros > 0)
		return err_set(e, ERR_CORRUPT, "an entry behind the end");
	if (tar_number(b->checksum, sizeof(b->checksum), &sum) < 0 || sum != tar_checksum(b))
		return err_set(e, ERR_CORRUPT, "%s%.200s: the checksum of %s header is wrong",
			r->name[0] ? "behind " : "", r->name[0] ? r->name : "the beginning",
			r->name[0] ? "the next" : "the first");
	switch (b->type) {
	case TAR_PAX:
	case TAR_PAX_GLOBAL:
	case TAR_LONG_NAME:
	case TAR_LONG_LINK:
		return extra_begin(r, e);
	default:
		return entry_begin(r, e);
	}
}

/* ---- input ---- */

/* Gathers what must be in one piece.  Returns what it took. */
static size_t
gather(char *to, size_t *have, size_t want, const char *p, size_t n)
{
	size_t take = want - *have < n ? want - *have : n;

	memcpy(to + *have, p, take);
	*have += take;
	return take;
}

static int
take_data(struct tar_reader *r, const char *p, size_t n, struct err *e)
{
	r->left -= (int64_t)n;
	if (r->spec.data && r->spec.data(r->spec.arg, p, n, e) < 0)
		return -1;
	return r->left == 0 ? entry_end(r, e) : 0;
}

/* Takes some of the input, *used, at least a byte. */
static int
take_some(struct tar_reader *r, const char *p, size_t n, size_t *used, struct err *e)
{
	*used = n;
	switch (r->step) {
	case STEP_HEADER:
		*used = gather((char *)&r->block, &r->have, TAR_BLOCK, p, n);
		return r->have == TAR_BLOCK ? header(r, e) : 0;
	case STEP_EXTRA:
		*used = gather(r->extra, &r->have, (size_t)r->left, p, n);
		return r->have == (size_t)r->left ? extra_end(r, e) : 0;
	case STEP_DATA:
		*used = (int64_t)n < r->left ? n : (size_t)r->left;
		return take_data(r, p, *used, e);
	case STEP_PAD:
		*used = n < r->pad ? n : r->pad;
		r->pad -= *used;
		if (r->pad == 0)
			r->step = STEP_HEADER;
		return 0;
	case STEP_OVER:
		break;
	}
	return all_zero(p, n) ? 0 : err_set(e, ERR_CORRUPT, "bytes behind the end");
}

int
tar_reader_write(struct tar_reader *r, const void *p, size_t n, struct err *e)
{
	const char *at = p;

	while (n > 0) {
		size_t used;

		if (take_some(r, at, n, &used, e) < 0)
			return -1;
		at += used;
		n -= used;
	}
	return 0;
}

int
tar_reader_finish(struct tar_reader *r, struct err *e)
{
	bool clean = r->step == STEP_HEADER && r->have == 0 && !r->pending;

	if (r->step == STEP_OVER || (clean && r->spec.open_end))
		return 0;
	if (r->open)
		return err_set(
			e, ERR_CORRUPT, "%.200s: the archive ends in the middle of it", r->name);
	return err_set(e, ERR_CORRUPT, "the archive ends before its end mark");
}
