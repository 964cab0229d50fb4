/*
 * archiver_ring_impl - what the files of the ring share.
 */
#pragma once

#include "core/lineage.h"
#include "service/archiver_ring.h"

#define RING_PLACES 4 /* folders asked for: pg_wal, and what a person or pg_rewind asks for */
#define RING_ABSENTS 64
#define RING_LEAVES 1024

/* Where a timeline was left by the next one. */
struct ring_leave {
	uint32_t timeline;
	uint64_t lsn;
};

/* The timeline postgres follows in one folder. */
struct ring_line {
	uint32_t timeline;        /* 0: not known */
	struct ring_leave *leave; /* its ancestors, oldest first; owned */
	size_t n;
	uint64_t served; /* beginning of the newest segment of it that was handed over */
	uint32_t looked; /* the newest timeline whose history was looked for in the folder */
};

/* One folder, mostly pg_wal. */
struct ring_place {
	char dir[PATH_LEN]; /* "": free */
	bool made;          /* .podgres is there and was emptied */
	int64_t asked_ns;
	struct ring_line line;
	uint32_t at_timeline; /* segment asked for last */
	uint64_t at;
	bool at_known;
	int depth;
};

enum ring_slot_state {
	SLOT_FREE,
	SLOT_WANTED,  /* to be started */
	SLOT_RUNNING, /* a worker is at it */
	SLOT_PAUSED,  /* tried again at retry_ns */
	SLOT_READY,   /* the file lies at path */
};

/* One file. */
struct ring_slot {
	enum ring_slot_state state;
	bool stale; /* running, and nobody wants it any more */
	bool ahead; /* nobody had asked when it was begun */
	int place;
	char name[64];
	char path[PATH_LEN];
	uint64_t task;
	int source;   /* asked now */
	bool doubt;   /* one of those asked before could not say */
	bool damaged; /* and had a corrupt one */
	int damages;  /* rounds that ended so */
	int64_t bytes, since_ns, retry_ns, pause_ms;
	char why[512];
};

struct ring_waiter {
	uint64_t who; /* 0: free */
	int place;
	char name[64];
	char dest[PATH_LEN];
};

struct ring_absent {
	char name[64];
	int64_t until_ns;
};

struct ring {
	struct ring_spec spec;
	int64_t now_ns;
	uint32_t segment_bytes;
	uint64_t next_id;
	struct ring_place place[RING_PLACES];
	struct ring_slot slot[RING_SLOTS];
	struct ring_waiter waiter[RING_WAITERS];
	struct ring_verdict verdict[RING_WAITERS];
	int verdicts;
	struct ring_absent absent[RING_ABSENTS];
	unsigned absents;
	int64_t ahead_after_ns; /* nothing is fetched ahead before that */
	int64_t denied_log_ns;
	struct ring_stats stats;
};

/* A segment, as the ring counts them; false: not the name of one, or its size is not known. */
bool ring_segment(const struct ring *r, const char *name, uint32_t *timeline, uint64_t *segment);

/* ---- archiver_ring_line: timelines ---- */

void ring_line_deinit(struct ring_line *l);
/* A history file was handed over, or found in the folder. */
void ring_line_history(
	struct ring *r, struct ring_place *p, uint32_t timeline, const struct buf *text);
/* Before a segment is judged: what postgres keeps in the folder may tell which line it follows. */
void ring_line_look(struct ring *r, struct ring_place *p, uint32_t timeline);
/* The followed history has left this timeline before the segment begins. */
bool ring_line_denies(const struct ring *r, const struct ring_place *p, const char *name);
/* Byte of the segment where the followed history leaves it; 0: it does not. */
uint32_t ring_line_cut(const struct ring *r, const struct ring_place *p, const char *name);
/* The name postgres will ask for first, of this segment. */
void ring_line_name(const struct ring *r, const struct ring_place *p, uint64_t segment,
	char out[LINEAGE_NAME_SIZE]);

/* ---- archiver_ring_slot: files ---- */

struct ring_slot *ring_slot_find(struct ring *r, int place, const char *name);
/* A free one, or that of the file fetched ahead that is needed least; NULL: all are in use. */
struct ring_slot *ring_slot_new(struct ring *r, int place, const char *name);
void ring_slot_drop(struct ring *r, struct ring_slot *s);
/* Files behind postgres, or too far before it, are dropped; those that follow are wanted. */
void ring_slot_plan(struct ring *r, int place);
int ring_depth_limit(const struct ring *r);

bool ring_awaited(const struct ring *r, const struct ring_slot *s);
bool ring_absent_known(const struct ring *r, const char *name);

/* ---- archiver_ring: requests ---- */

int ring_running(const struct ring *r);
struct ring_waiter *ring_waiter_of(struct ring *r, const struct ring_slot *s);
void ring_verdict_set(struct ring_verdict *v, enum ring_state state, const char *msg);
/* The waiter is free afterwards. */
void ring_verdict_queue(struct ring *r, struct ring_waiter *w, const struct ring_verdict *v);
/* All who wait for it get the same word, and the slot is free. */
void ring_slot_end(struct ring *r, struct ring_slot *s, enum ring_state state, const char *msg);
/* A ready file goes to dest.  The slot is free afterwards. */
enum ring_state ring_slot_serve(
	struct ring *r, struct ring_slot *s, const char *dest, struct ring_verdict *v);
/* Postgres goes on: is what it wants next under way? */
void ring_follow(struct ring *r, int place, const char *name);
