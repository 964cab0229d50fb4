/*
 * tar_header - what headers of tar say: numbers, checksums, extended headers, names.
 */
#include <string.h>

#include "store/tar_impl.h"

_Static_assert(sizeof(struct tar_block) == TAR_BLOCK, "a header is one block");

unsigned
tar_checksum(const struct tar_block *b)
{
	const unsigned char *p = (const unsigned char *)b;
	size_t from = offsetof(struct tar_block, checksum), to = from + sizeof(b->checksum);
	unsigned sum = ' ' * sizeof(b->checksum);

	for (size_t i = 0; i < from; i++)
		sum += p[i];
	for (size_t i = to; i < TAR_BLOCK; i++)
		sum += p[i];
	return sum;
}

/* Two's complement, big-endian; the first bit only says that it is one. */
static int
number_base256(const unsigned char *p, size_t size, int64_t *out)
{
	bool negative = p[0] & 0x40;
	uint64_t v = negative ? (uint64_t)-1 : 0;
	unsigned char fill = negative ? 0xff : 0;

	for (size_t i = 0; i < size; i++) {
		unsigned char c = p[i];

		if (i == 0)
			c = negative ? c : c & 0x7f;
		if (i + 8 < size && c != fill)
			return -1;
		v = v << 8 | c;
	}
	*out = (int64_t)v;
	return (*out < 0) == negative ? 0 : -1;
}

int
tar_number(const char *field, size_t size, int64_t *out)
{
	size_t i = 0;
	int64_t v = 0;

	if (field[0] & 0x80)
		return number_base256((const unsigned char *)field, size, out);
	while (i < size && field[i] == ' ')
		i++;
	for (; i < size && field[i] >= '0' && field[i] <= '7'; i++)
		v = v * 8 + (field[i] - '0');
	for (; i < size; i++)
		if (field[i] && field[i] != ' ')
			return -1;
	*out = v;
	return 0;
}

/* ---- extended headers ---- */

/* Decimal, with a fraction that is dropped. */
static int
pax_number(const char *p, size_t n, int64_t *out)
{
	bool negative = n > 0 && p[0] == '-';
	size_t i = negative ? 1 : 0, begin = i;
	int64_t v = 0;

	for (; i < n && p[i] >= '0' && p[i] <= '9'; i++)
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, p[i] - '0', &v))
			return -1;
	if (i == begin || (i < n && p[i] != '.'))
		return -1;
	*out = negative ? -v : v;
	return 0;
}

static int
pax_text(char out[TAR_NAME_MAX + 1], const char *p, size_t n, struct err *e)
{
	if (n > TAR_NAME_MAX)
		return err_set(e, ERR_CORRUPT, "a name of %zu bytes", n);
	if (memchr(p, '\0', n))
		return err_set(e, ERR_CORRUPT, "a name with a NUL in it");
	memcpy(out, p, n);
	out[n] = '\0';
	return 0;
}

struct pax_record {
	const char *key, *value;
	size_t key_len, value_len;
};

static bool
record_is(const struct pax_record *r, const char *key)
{
	return r->key_len == strlen(key) && memcmp(r->key, key, r->key_len) == 0;
}

static int
pax_take(struct tar_pax *pax, const struct pax_record *r, struct err *e)
{
	const struct {
		const char *key;
		bool *has;
		int64_t *value;
	} number[] = {
		{"size", &pax->has_size, &pax->size},
		{"mtime", &pax->has_mtime, &pax->mtime},
		{"uid", &pax->has_uid, &pax->uid},
		{"gid", &pax->has_gid, &pax->gid},
	};

	for (size_t i = 0; i < ARRAY_LEN(number); i++) {
		if (!record_is(r, number[i].key))
			continue;
		if (pax_number(r->value, r->value_len, number[i].value) < 0)
			return err_set(e, ERR_CORRUPT, "no number in %s", number[i].key);
		*number[i].has = true;
		return 0;
	}
	if (record_is(r, "path"))
		return pax_text(pax->name, r->value, r->value_len, e);
	if (record_is(r, "linkpath"))
		return pax_text(pax->link, r->value, r->value_len, e);
	if (r->key_len >= 11 && memcmp(r->key, "GNU.sparse.", 11) == 0)
		return err_set(e, ERR_CORRUPT, "sparse files are not read");
	return 0;
}

/* "LENGTH KEY=VALUE\n", where LENGTH counts all of it.  Returns its length, 0 when it is none. */
static size_t
pax_record(const char *p, size_t n, struct pax_record *r)
{
	size_t len = 0, i = 0;
	const char *equals;

	for (; i < n && i < 8 && p[i] >= '0' && p[i] <= '9'; i++)
		len = len * 10 + (size_t)(p[i] - '0');
	if (i == 0 || i >= n || p[i] != ' ' || len > n || len < i + 4 || p[len - 1] != '\n')
		return 0;
	r->key = p + i + 1;
	equals = memchr(r->key, '=', len - i - 2);
	if (!equals)
		return 0;
	r->key_len = (size_t)(equals - r->key);
	r->value = equals + 1;
	r->value_len = (size_t)(p + len - 1 - r->value);
	return len;
}

int
tar_pax_parse(struct tar_pax *pax, const char *p, size_t n, struct err *e)
{
	while (n > 0) {
		struct pax_record r;
		size_t len = pax_record(p, n, &r);

		if (len == 0)
			return err_set(e, ERR_CORRUPT, "an extended header is damaged");
		if (pax_take(pax, &r, e) < 0)
			return -1;
		p += len;
		n -= len;
	}
	return 0;
}

/* ---- names ---- */

int
tar_name_clean(char out[TAR_NAME_MAX + 1], const char *name, struct err *e)
{
	size_t used = 0;

	if (name[0] == '/')
		return err_set(e, ERR_CORRUPT, "%.200s: the name is absolute", name);
	for (const char *p = name; *p;) {
		size_t n = strcspn(p, "/");

		if (n == 2 && p[0] == '.' && p[1] == '.')
			return err_set(e, ERR_CORRUPT, "%.200s: the name leaves the folder", name);
		if (n > 0 && !(n == 1 && p[0] == '.')) {
			if (used > 0)
				out[used++] = '/';
			must(used + n <= TAR_NAME_MAX);
			memcpy(out + used, p, n);
			used += n;
		}
		p += n;
		p += *p == '/';
	}
	if (used == 0)
		out[used++] = '.';
	out[used] = '\0';
	return 0;
}
