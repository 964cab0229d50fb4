/*
 * api_metrics - GET /metrics: the collector's snapshot, and what the board says at this moment.
 *
 * The second part is include/tbl/metrics_live.h, written in the order of the table:
 *
 *   api_metrics.c          the request: format, filter, compression
 *   api_metrics_live.c     the writer, held against the table
 *   api_metrics_cnpg.c     CloudNativePG's names, and those of guides
 *   api_metrics_pod.c      the instance: state, services, replication
 *   api_metrics_archive.c  archive, backups, recovery
 *   api_metrics_self.c     disk, memory, log, certificates, the metrics themselves
 */
#pragma once

#include "service/api.h"
#include "service/metrics.h"

/* What they are made of. */
struct live_in {
	const struct api_view *v;
	const struct run_options *opt;
	const struct api_facts *api;
	const struct metrics_head *head; /* NULL: there is no snapshot */
	const char *arch;
	bool live, ready;
};

struct live {
	struct buf *out;
	enum metric_format format;
	const struct live_in *in;
	size_t at;        /* the row of the table that is being written */
	bool begun;       /* its head is there */
	const char *want; /* only names that begin so; NULL: all */
};

/* The next sample; name must stand in the table behind, or at, the last one. */
void live_put(struct live *l, const char *name, double value);
/* With labels as the row names them, in its order. */
void live_put1(struct live *l, const char *name, const char *label, double value);
void live_put2(
	struct live *l, const char *name, const char *first, const char *second, double value);
void live_putn(struct live *l, const char *name, const char *const *labels, double value);

void live_cnpg(struct live *l);
void live_pod(struct live *l);
void live_archive(struct live *l);
void live_self(struct live *l);

/* All of it; want: NULL, or what the names begin with. */
void live_all(
	struct buf *out, enum metric_format format, const struct live_in *in, const char *want);
size_t live_rows(void); /* of the table */
const char *live_name(size_t row);

static inline double
live_seconds(int64_t wall_us)
{
	return wall_us > 0 ? (double)wall_us / 1e6 : 0;
}
