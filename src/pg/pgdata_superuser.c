/*
 * pgdata_superuser - the name of the role that initdb made, read from pg_authid on disk.
 *
 * The role with OID 10 is called whatever initdb was told, and an adopted data directory does not
 * say it anywhere else.  Formats: struct RelMapFile of relmapper.c, the page and the tuple header
 * of bufpage.h and htup_details.h, the same from 13 to 18.
 */
#include "pg/pgdata.h"

#include <stdio.h>
#include <string.h>

#define MAP_MAGIC UINT32_C(0x592717)
#define AUTHID_OID 1260
#define BOOTSTRAP_OID 10
#define PAGE_BYTES 8192
#define PAGE_HEADER 24
#define TUPLE_HEADER 23
#define NAME_BYTES 64
#define XMAX_COMMITTED 0x0400
#define XMAX_INVALID 0x0800

static uint16_t
get16(const unsigned char *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint32_t
get32(const unsigned char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static int
authid_node(const char *pgdata, uint32_t *node, struct err *e)
{
	unsigned char map[1024];
	char path[FILE_PATH_MAX];
	uint32_t count;
	size_t n;

	if (file_join(path, sizeof(path), pgdata, "global/pg_filenode.map", e) < 0 ||
		file_read_some(path, map, sizeof(map), &n, e) < 0)
		return -1;
	if (n < 8 || get32(map) != MAP_MAGIC)
		return err_set(e, ERR_CORRUPT, "%s is no relation map", path);
	count = get32(map + 4);
	for (uint32_t i = 0; i < count && 16 + (size_t)i * 8 <= n; i++) {
		if (get32(map + 8 + (size_t)i * 8) == AUTHID_OID) {
			*node = get32(map + 12 + (size_t)i * 8);
			return 0;
		}
	}
	return err_set(e, ERR_CORRUPT, "%s does not know pg_authid", path);
}

/* The tuple behind a line pointer, when it is the role asked for; 2: surely the live version. */
static int
tuple_match(const unsigned char *page, uint32_t item, char out[NAME_BYTES])
{
	uint32_t off = item & 0x7FFF, len = item >> 17, flags = (item >> 15) & 3, hoff;
	const unsigned char *t = page + off;
	uint16_t mask;

	if (flags != 1 || off < PAGE_HEADER || off + len > PAGE_BYTES || len < TUPLE_HEADER)
		return 0;
	hoff = t[22];
	mask = get16(t + 20);
	if (hoff < TUPLE_HEADER || hoff + 4 + NAME_BYTES > len || get32(t + hoff) != BOOTSTRAP_OID)
		return 0;
	memcpy(out, t + hoff + 4, NAME_BYTES);
	out[NAME_BYTES - 1] = '\0';
	if (out[0] == '\0')
		return 0;
	return get32(t + 4) == 0 || (mask & XMAX_INVALID) ? 2 : (mask & XMAX_COMMITTED) ? 0 : 1;
}

bool
pgdata_superuser_in_page(char out[64], const unsigned char *page, size_t n)
{
	uint16_t lower;
	int best = 0;

	if (n < PAGE_BYTES)
		return false;
	lower = get16(page + 12);
	for (size_t at = PAGE_HEADER; at + 4 <= lower && at + 4 <= PAGE_BYTES; at += 4) {
		char name[NAME_BYTES];
		int match = tuple_match(page, get32(page + at), name);

		if (match > best) {
			best = match;
			memcpy(out, name, sizeof(name));
		}
	}
	return best > 0;
}

int
pgdata_superuser(char out[64], const char *path, struct err *e)
{
	AUTO(buf_deinit) struct buf b = {0};
	char file[FILE_PATH_MAX], name[32];
	uint32_t node;

	if (authid_node(path, &node, e) < 0)
		return -1;
	snprintf(name, sizeof(name), "global/%u", node);
	if (file_join(file, sizeof(file), path, name, e) < 0 ||
		file_read(&b, file, 64U << 20, e) < 0)
		return -1;
	for (size_t at = 0; at + PAGE_BYTES <= b.len; at += PAGE_BYTES)
		if (pgdata_superuser_in_page(out, (const unsigned char *)b.data + at, PAGE_BYTES))
			return 0;
	return err_set(e, ERR_NOTFOUND, "%s holds no role with OID %d", file, BOOTSTRAP_OID);
}
