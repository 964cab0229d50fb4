/*
 * wal_page - the header of a WAL segment's first page.
 *
 * Format: XLogLongPageHeaderData of src/include/access/xlog_internal.h, PostgreSQL 13 to 18, in the
 * machine's own byte order.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"

#define WAL_PAGE_HEAD 40 /* bytes of the long header */

struct wal_page {
	uint16_t magic, info;
	uint32_t timeline;
	uint64_t lsn; /* of the page */
	uint64_t system_id;
	uint32_t segment_bytes, block_bytes;
};

/* What the segment must be; name: 24 digits, more may follow.  0: not checked. */
struct wal_page_want {
	const char *name;
	uint64_t system_id;
	uint32_t segment_bytes;
};

/* ERR_CORRUPT when these bytes are no such header: magic, flags, sizes. */
int wal_page_parse(struct wal_page *out, const void *head, size_t n, struct err *e) MUSTCHECK;
/* Parses and compares; ERR_CORRUPT says what is wrong.  A timeline older than the name's is right:
 * the first segment of a timeline begins as a copy. */
int wal_page_check(struct wal_page *out, const void *head, size_t n,
	const struct wal_page_want *want, struct err *e) MUSTCHECK;
