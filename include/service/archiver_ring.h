/*
 * archiver_ring - WAL that postgres asks back: fetched ahead, handed over by a rename.
 *
 * Process: archiver.  The ring decides; it neither opens a store nor waits.  The service hands it
 * each restore request (ring_ask), starts the fetch tasks it wants (ring_next), tells it how they
 * ended (ring_done) and passes its verdicts on to the clients (ring_verdict).  What it does to
 * files goes through struct ring_ops, so that the tests can stand in for disk and store.
 *
 * - After a request for segment n, those that follow are fetched into `.podgres/` beside the
 *   destination, at most 2 * parallel of them and 1 GiB.  The depth begins at `parallel` and
 *   doubles when postgres had to wait.
 * - "Not there" is said only when every source says it certainly is not.  A source out of reach is
 *   asked again, with growing pauses, until patience_ms have passed: then the request fails (255).
 * - Timelines.  PostgreSQL follows the newest history it was given that descends from the one it
 *   followed before and leaves that not before what was already replayed; so does the ring.  Of a
 *   timeline t that the followed history has left at a switch point, no segment is served that
 *   begins at or beyond that point, though the store has one (an old primary may have written on);
 *   and the one segment that holds the point is served with zeros from there on.
 * - "Not there" is remembered for 2 s, that a polling standby does not wear out the store.
 */
#pragma once

#include <stdint.h>

#include "core/spec.h"
#include "service/archiver.h"

#define RING_SLOTS 64 /* files held or under way, those that postgres waits for included */
#define RING_WAITERS 16
#define RING_SOURCES 8
#define RING_DIR ".podgres" /* beside the destination, that is in pg_wal */

/* Files, as the ring needs them.  Paths are absolute. */
struct ring_ops {
	/* from is gone afterwards; an existing to is replaced. */
	int (*move)(void *arg, const char *from, const char *to, struct err *e);
	void (*drop)(void *arg, const char *path);
	/* The folder, made when missing; clear: emptied. */
	int (*folder)(void *arg, const char *path, bool clear, struct err *e);
	/* Zeros from byte `from` on; the length stays. */
	int (*cut)(void *arg, const char *path, uint32_t from, struct err *e);
	int (*read)(void *arg, const char *path, struct buf *out, struct err *e);
};
extern const struct ring_ops ring_files; /* the real ones */

struct ring_spec {
	int parallel;             /* wal.maxParallel */
	int source[RING_SOURCES]; /* in order; -1: the own store, else number in externalClusters */
	int sources;              /* 0: there is none, everything is absent */
	const char *const *labels; /* for messages, one for each source; NULL: numbers */
	uint32_t segment_bytes;    /* 0: learnt from the first segment */
	uint64_t system_id;        /* 0: not checked */
	int64_t patience_ms;       /* 0: 5 minutes */
	const struct ring_ops *ops;
	void *arg;
};

struct ring;

int ring_new(struct ring **out, const struct ring_spec *spec, struct err *e) MUSTCHECK;
/* Drops the files it holds.  NULL is fine; returns NULL. */
struct ring *ring_free(struct ring *r);
DEFINE_AUTO(struct ring *, ring_free)
/* Another manifest, another system, another number of segments: what is held and remembered goes;
 * those who wait go on waiting. */
void ring_reset(struct ring *r, const struct ring_spec *spec);
/* pg_wal of the cluster: what an earlier archiver left there is removed.  At the start, and when
 * recovery has ended. */
void ring_clear(struct ring *r, const char *pg_wal);

enum ring_state {
	RING_WAIT,   /* ring_verdict() tells later */
	RING_SERVED, /* the file stands at its destination */
	RING_ABSENT, /* no source has it: exit 1 */
	RING_FAILED, /* exit 255 */
};

struct ring_verdict {
	uint64_t who;
	enum ring_state state;
	bool hit;      /* it had been fetched before it was asked for */
	int64_t bytes; /* when served */
	char name[64]; /* asked for */
	char msg[512]; /* one line; "" when served */
};

/* A request; who is the caller's word for it, never 0.  dest is absolute.  Returns what v says;
 * with RING_WAIT the verdict comes later. */
enum ring_state ring_ask(
	struct ring *r, uint64_t who, const char *name, const char *dest, struct ring_verdict *v);
/* The client went away. */
void ring_forget(struct ring *r, uint64_t who);
/* What it waits for could not be had at the first attempt. */
bool ring_troubled(const struct ring *r, uint64_t who);
/* This file was just stored: it is not absent any more. */
void ring_stored(struct ring *r, const char *name);
/* One verdict that was not told yet; false: none. */
bool ring_verdict(struct ring *r, struct ring_verdict *out);

/* The next fetch to start now, the most urgent first; false: none.  ahead (may be NULL): nobody
 * waits for it.  Its id comes back in ring_done(); ids have the top bit set, so that they differ
 * from the archiver's own.  A task that cannot be started is ended with ERR_BUSY. */
bool ring_next(struct ring *r, struct archiver_task *task, bool *ahead);
/* True when the task was one of the ring's. */
bool ring_done(struct ring *r, const struct archiver_done *done);
#define RING_ID (UINT64_C(1) << 63)

/* Time passes (boot time).  Every call above takes the time of the last tick, so call it first in
 * a turn.  Returns when it wants to be called again, CLOCK_NEVER when it does not care. */
int64_t ring_tick(struct ring *r, int64_t now_ns);

struct ring_stats {
	uint64_t asked, hits, late, absent, failed, denied; /* denied: beyond a switch point */
	int depth, held, running, waiting;
	uint32_t timeline; /* the one followed; 0: none known */
};
void ring_stats(const struct ring *r, struct ring_stats *out);

/*
 * Which sources postgres may be fed from.  While PGDATA does not hold a cluster yet, a recovery
 * asks: only the source of the recovery, since the own prefix is the new cluster's and empty (the
 * own store when the manifest recovers from a backup of its own).  After that: the own store, then,
 * of a replica cluster, that of replica.source.  The source of a finished recovery is asked no
 * more: its cluster lives on, and its next timeline would be taken for ours.
 * Returns how many.
 */
int ring_sources(const struct spec *spec, bool cluster_exists, int out[RING_SOURCES]);
