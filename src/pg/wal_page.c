/*
 * wal_page - the header of a WAL segment's first page.
 */
#include "pg/wal_page.h"

#include <string.h>

#include "core/lineage.h"

#define WAL_LONG_HEADER 0x0002 /* XLP_LONG_HEADER */
#define WAL_SEGMENT_MIN (UINT32_C(1) << 20)
#define WAL_SEGMENT_MAX (UINT32_C(1) << 30)

static bool
power_of_two(uint32_t v)
{
	return v && (v & (v - 1)) == 0;
}

int
wal_page_parse(struct wal_page *out, const void *head, size_t n, struct err *e)
{
	const unsigned char *p = head;

	if (n < WAL_PAGE_HEAD)
		return err_set(e, ERR_CORRUPT, "%zu bytes are too few for a WAL segment", n);
	memcpy(&out->magic, p, 2);
	memcpy(&out->info, p + 2, 2);
	memcpy(&out->timeline, p + 4, 4);
	memcpy(&out->lsn, p + 8, 8);
	memcpy(&out->system_id, p + 24, 8);
	memcpy(&out->segment_bytes, p + 32, 4);
	memcpy(&out->block_bytes, p + 36, 4);
	/* 13 to 18 have D106 to D118. */
	if (out->magic >> 8 != 0xD1)
		return err_set(e, ERR_CORRUPT, "is no WAL of PostgreSQL 13 or later: magic %04X",
			out->magic);
	if (!(out->info & WAL_LONG_HEADER))
		return err_set(e, ERR_CORRUPT, "does not begin with a segment's first page");
	if (!power_of_two(out->segment_bytes) || out->segment_bytes < WAL_SEGMENT_MIN ||
		out->segment_bytes > WAL_SEGMENT_MAX || !power_of_two(out->block_bytes))
		return err_set(e, ERR_CORRUPT, "says segments of %u bytes, pages of %u",
			out->segment_bytes, out->block_bytes);
	return 0;
}

static int
page_place(const struct wal_page *page, const char *name, struct err *e)
{
	char segment[LINEAGE_NAME_SIZE], at[LINEAGE_LSN_SIZE];
	uint32_t timeline;
	uint64_t lsn;

	memcpy(segment, name, sizeof(segment) - 1);
	segment[sizeof(segment) - 1] = '\0';
	if (!lineage_name_parse(segment, page->segment_bytes, &timeline, &lsn))
		return err_set(e, ERR_CORRUPT, "%s is no name for segments of %u bytes", segment,
			page->segment_bytes);
	if (page->lsn != lsn)
		return err_set(e, ERR_CORRUPT, "holds the WAL of another place: %s, on timeline %u",
			lineage_lsn_text(page->lsn, at), page->timeline);
	if (page->timeline == 0 || page->timeline > timeline)
		return err_set(e, ERR_CORRUPT, "holds WAL of timeline %u", page->timeline);
	return 0;
}

int
wal_page_check(struct wal_page *out, const void *head, size_t n, const struct wal_page_want *want,
	struct err *e)
{
	if (wal_page_parse(out, head, n, e) < 0)
		return -1;
	if (want->segment_bytes && out->segment_bytes != want->segment_bytes)
		return err_set(e, ERR_CORRUPT, "is of segments of %u bytes, ours have %u",
			out->segment_bytes, want->segment_bytes);
	if (want->system_id && out->system_id != want->system_id)
		return err_set(e, ERR_CORRUPT, "is of system %llu, ours is %llu",
			(unsigned long long)out->system_id, (unsigned long long)want->system_id);
	return want->name ? page_place(out, want->name, e) : 0;
}
