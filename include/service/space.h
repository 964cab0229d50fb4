/*
 * space - room for WAL on the volume, and the reserve that recovery may use.
 *
 * The reserve is the file SPACE_RESERVE in the real folder of pg_wal: two segments that are really
 * allocated.  Its name begins with a dot, so that neither pg_ls_waldir() nor a base backup nor the
 * recycling of WAL sees it.  When the volume is full it is deleted, and crash recovery has room; it
 * is made again when the volume has room for it besides what a start needs.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define SPACE_RESERVE ".podgres.reserve"

struct space_need {
	int64_t start_bytes;   /* what must be free for a start */
	int64_t reserve_bytes; /* 0: the volume is too small for a reserve */
};

/* Two segments to start and two in reserve; on a volume of fewer than 32 segments one in reserve.
 * One of fewer than 8, which a new cluster nearly fills, needs a sixteenth of it and has none. */
struct space_need space_need(int64_t volume_bytes, uint32_t segment_bytes);

/* Allocates so many bytes in the folder, fsyncs and frees them again: the file system's own answer,
 * quotas included.  ERR_SPACE when there is no room. */
int space_probe(const char *waldir, int64_t bytes, struct err *e) MUSTCHECK;

/* The volume of PGDATA, when pg_wal has another one: a start writes a few files there as well. */
int space_check_data(const char *pgdata, const char *waldir, struct err *e) MUSTCHECK;

/* Makes sure that a start has room: the reserve is released when it must be (*released) and is then
 * room enough; it is made when it can be.  ERR_SPACE when there is no room. */
int space_prepare(
	const char *waldir, uint32_t segment_bytes, bool *released, struct err *e) MUSTCHECK;
bool space_reserve_present(const char *waldir);
