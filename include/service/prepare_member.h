/*
 * prepare_member - PGDATA of an instance of a cluster with several, fit for its role.
 *
 * The Lease says who leads (SEC_ELECTOR).  Whoever leads stays or becomes the primary; whoever
 * follows has a standby.signal before postgres starts, and a data directory whose WAL is part of
 * the primary's history: when it is not, it is rewound, and when that cannot be, it is cloned anew
 * beside and changes places with the old one, which is kept.
 *
 * STATE_DIR/rejoin (struct member_mark) says that this is under way, and is durable before it
 * begins: as long as it is there PGDATA is never started.
 */
#pragma once

#include "service/member.h"
#include "service/prepare_init.h"

enum mark_state {
	MARK_NONE,
	MARK_REWIND, /* pg_rewind is at work in PGDATA */
	MARK_CLONE,  /* PGDATA is to be replaced; its clone is not complete */
	MARK_SWAP,   /* the clone is complete: it takes PGDATA's place */
};

#define MARK_REINIT "reinit" /* the reason when it was ordered */

#define MARK_GONE "wal-gone" /* because the primary lacks WAL: what is in PGDATA is whole */

struct member_mark {
	enum mark_state state;
	char holder[256]; /* whom it is rewound to; rewinding goes on with the same only */
	uint32_t timeline;
	char reason[32]; /* part of the old folder's name: "diverged" */
	char stamp[24];  /* of the old folder's name */
};

struct member {
	struct elector_status el;
	struct member_access access;
	struct member_target target;
	struct holder holder;
	bool has_holder;
	struct member_mark mark;
	char mark_file[FILE_PATH_MAX];
	char source[64]; /* address of the replica that a clone is copied from */
};

/* ---- prepare_member: the roles ---- */

/* All three do nothing, or what is done for an instance that is alone, without coordination. */
int member_begin(struct prepare *p, struct err *e) MUSTCHECK;   /* before PGDATA is looked at */
int member_make(struct prepare *p, struct err *e) MUSTCHECK;    /* PGDATA is empty */
int prepare_member(struct prepare *p, struct err *e) MUSTCHECK; /* after prepare_adopt() */
/* PGDATA is not fit, as *e says.  Was it being rewound or replaced, and somebody leads, it is
 * replaced; else -1. */
int member_mend(struct prepare *p, struct err *e) MUSTCHECK;
void member_end(struct prepare *p);

/* standby.signal, durable, and no recovery.signal. */
int member_standby(struct prepare *p, struct err *e) MUSTCHECK;
/* PGDATA is another one now: looks at it anew and fills the plan. */
int member_look_again(struct prepare *p, struct err *e) MUSTCHECK;
/* The holder is not the one this run began with: ERR_REMOTE. */
int member_same_holder(const struct prepare *p, struct err *e) MUSTCHECK;

/* ---- prepare_mark ---- */

int mark_read(struct member *m, struct err *e) MUSTCHECK;
int mark_write(
	struct member *m, enum mark_state state, const char *reason, struct err *e) MUSTCHECK;
/* PGDATA is to be replaced, and only because somebody ordered it: what is in it is whole. */
bool mark_is_reinit(const struct member *m);
bool mark_is_gone(const struct member *m); /* for want of WAL: it is whole, too */
void mark_stamp(char out[24]);             /* of now, part of a folder's name */
int mark_clear(struct member *m, struct err *e) MUSTCHECK;

/* ---- prepare_follow: does PGDATA go with the primary? ---- */

int member_follow(struct prepare *p, struct err *e) MUSTCHECK;

/* ---- prepare_ends: where local WAL ends ---- */

/* End of what pg_control vouches for: the minimum recovery point, or the last checkpoint's record.
 */
int member_wal_end(const struct prepare *p, uint64_t *lsn, struct err *e) MUSTCHECK;
/* Takes out of pg_wal what follows lsn on that timeline: nothing of it is in the data. */
int member_trim_wal(
	const struct prepare *p, uint32_t timeline, uint64_t lsn, struct err *e) MUSTCHECK;
/* The history file of the primary's timeline, so that recovery looks for it from the beginning. */
int member_put_history(const struct prepare *p, struct err *e) MUSTCHECK;
/* Lets a crashed postgres replay to the end of its WAL and stop, as a standby: it writes no WAL of
 * its own.  Then p->data is looked at anew. */
int member_settle(struct prepare *p, struct err *e) MUSTCHECK;

/* ---- prepare_rewind ---- */

/* NULL when it can be tried; else why not. */
const char *rewind_cannot(const struct prepare *p);
/* ERR_REMOTE, ERR_TIMEOUT: the primary; try again.  Anything else: it cannot be rewound. */
int member_rewind(struct prepare *p, struct err *e) MUSTCHECK;

/* ---- prepare_reclone ---- */

/* Into an empty PGDATA. */
int member_clone(struct prepare *p, struct err *e) MUSTCHECK;
/* Beside, then in PGDATA's place.  reason: "diverged", for the old folder's name. */
int member_reclone(struct prepare *p, const char *reason, struct err *e) MUSTCHECK;
/* An order: a clone whatever is in PGDATA.  The report's result is then "cloned"; "kept" when what
 * is in PGDATA stays in use; else it goes on with the next run. */
int member_reinit(struct prepare *p, struct err *e) MUSTCHECK;
/* A clone is in place: if one was ordered, that is it. */
void member_reinit_done(struct prepare *p);
/* What is in PGDATA only has to follow.  1: the primary it was stopped for lacks WAL still, and a
 * clone of it is in place now, the report's result is "cloned"; 0: what is there stays in use; -1:
 * neither, the next run goes on. */
int member_starved(struct prepare *p, struct err *e) MUSTCHECK;
/* Finishes a change of places that was interrupted. */
int member_resume_swap(struct prepare *p, struct err *e) MUSTCHECK;

/* ---- member_lost: what was given up ---- */

/* The last time, from the list; at "" when there was none. */
void lost_last(const struct run_options *opt, struct plan_lost *out);
/* Notes it, in the plan too, and keeps the WAL as the options say. */
void lost_record(struct prepare *p, uint32_t timeline, uint64_t from, uint64_t to);
/* Former data directories, but for the one of that stamp ("": none is spared). */
int member_remove_old(const struct run_options *opt, const char *stamp, struct err *e) MUSTCHECK;

/* ---- member_source: whom a clone is copied from ---- */

/* A replica that streams and is near the primary; the primary's connection is open, and its slot is
 * made.  True: connected to it, target borrows from p->member. */
bool source_replica(struct prepare *p, struct member_target *target, struct holder *h);

/* ---- member_archived: a clone from the archive ---- */

/* The newest base backup into in->place.data; the slot on the primary is made.  -1: says why, and
 * what is in place.data is to be removed. */
int member_archived(struct init *in, struct err *e) MUSTCHECK;

/* ---- member_spaces: tablespaces ---- */

/* pg_basebackup's options for the source's tablespaces. */
int spaces_map(struct prepare *p, struct holder *source, struct words *w, struct err *e) MUSTCHECK;
int spaces_sync(const char *data, struct err *e) MUSTCHECK; /* fsync of what the links lead to */
/* Of a data directory that gives way to a clone.  Can be repeated, as the others. */
int spaces_set_aside(const char *data, const char *stamp, struct err *e) MUSTCHECK;
/* Of a clone that comes into use. */
int spaces_move(const char *data, struct err *e) MUSTCHECK;
/* What was set aside with that data directory. */
int spaces_remove_old(const char *data, struct err *e) MUSTCHECK;

/* ---- shared ---- */

/* struct init for programs that work on PGDATA or beside it. */
struct init *member_init_new(struct prepare *p, struct err *e);
struct init *member_init_free(struct init *in); /* returns NULL */
/* Runs until it ends; a change of the holder ends it with ERR_REMOTE. */
int member_run(struct prepare *p, const struct spawn_spec *spec, struct err *e) MUSTCHECK;
