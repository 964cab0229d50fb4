/*
 * metrics - the snapshot of all query metrics, on the board.
 *
 * The collector renders and compresses it once per pass and puts it there; the api copies it from
 * there, whole or in groups, and adds what it knows itself (include/tbl/metrics_live.h).  A group
 * is one query.
 *
 * A gzip answer is put together without compressing the snapshot again: its deflate stream ends on
 * a full flush, so that the api may append its own part and the trailer (RFC 1951, 1952).
 */
#pragma once

#include "base/buf.h"
#include "core/metric_text.h"
#include "sys/board.h"

#define METRICS_MAX_BYTES \
	((size_t)8 << 20) /* of a snapshot; what does not fit is dropped, counted */
#define METRICS_GROUPS 256

struct metrics_group {
	char name[64];
	int64_t taken_ns; /* boot time of its rows; 0: never had any */
	int64_t taken_wall_us;
	float took_s;      /* the last run */
	uint32_t families; /* of the snapshot, in order */
	uint32_t samples;
	uint32_t dropped; /* the last run: over the cap, twice, no number */
	uint64_t dropped_total, errors_total;
	char sqlstate[6]; /* of the last error; "" when the last run was good */
	bool breaker;     /* left out for a while after timeouts */
};

/* What comes first in the section.  Behind it: families[], the arena, the two deflate streams. */
struct metrics_head {
	uint64_t generation;
	int64_t taken_ns, taken_wall_us;
	int32_t pg_pid; /* whom these facts are about; 0: nobody */
	uint32_t groups, families;
	uint32_t arena_bytes;
	uint32_t plain_bytes[METRIC_FORMATS]; /* uncompressed */
	uint32_t plain_crc[METRIC_FORMATS];   /* CRC-32 of it */
	uint32_t gzip_bytes[METRIC_FORMATS];  /* of the deflate stream; 0: there is none */
	uint64_t dropped_total;               /* samples that did not fit */
	struct metrics_group group[METRICS_GROUPS];
};

/* Three pieces, one after another in the arena: both heads, then the lines they share. */
struct metrics_family {
	uint32_t head[METRIC_FORMATS];
	uint32_t lines;
};

/* ---- the collector's side ---- */

struct metrics_build;

struct metrics_build *metrics_build_new(void);
struct metrics_build *metrics_build_free(struct metrics_build *b);
DEFINE_AUTO(struct metrics_build *, metrics_build_free)
void metrics_build_start(struct metrics_build *b, int32_t pg_pid);
/* False: there is no room for another. */
bool metrics_build_group(struct metrics_build *b, const struct metrics_group *group);
/* Into the last group.  A family whose name is there already is left out and counted. */
bool metrics_build_family(
	struct metrics_build *b, const struct metric_family *f, const struct buf *lines);
/* Compresses and publishes in SEC_METRICS. */
int metrics_build_put(struct metrics_build *b, struct board *board, struct err *e) MUSTCHECK;

/* ---- the api's side ---- */

struct metrics_view;

struct metrics_view *metrics_view_new(void);
struct metrics_view *metrics_view_free(struct metrics_view *v);
DEFINE_AUTO(struct metrics_view *, metrics_view_free)
/* Copies the snapshot if there is a newer one; false: there is none. */
bool metrics_view_refresh(struct metrics_view *v, const struct board *board);
const struct metrics_head *metrics_view_head(const struct metrics_view *v);
/* Appends the text; want: NULL for all, else says whether a group is asked for. */
typedef bool metrics_want_fn(const char *group, const void *arg);
void metrics_view_text(const struct metrics_view *v, struct buf *out, enum metric_format format,
	metrics_want_fn *want, const void *arg);
/* A whole gzip body: the snapshot's stream and after it own, compressed here; v NULL: own alone. */
int metrics_view_gzip(const struct metrics_view *v, struct buf *out, enum metric_format format,
	const struct buf *own, struct err *e) MUSTCHECK;
