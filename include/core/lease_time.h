/*
 * lease_time - when the holder of the lease must have stopped, and when somebody else may begin.
 *
 * Reference "HA" 4.3.  L is the lease's duration, R the time between two renewals, H the longest a
 * call may take.  The holder counts from the moment it SENT the last renewal that was answered with
 * 200: at V1 it stops postgres fast, at V2 the whole tree gets SIGKILL, at V3 the independent
 * fencer strikes.  A candidate counts L from the moment it RECEIVED the first sight of the record
 * as it is.  With J for killing and scheduling, and rho for the error of each clock's rate:
 *
 *     V3/(1-rho) + J < L/(1+rho)   never two that write
 *     V1 >= R + 2H                 two renewals fit before the holder gives up
 *
 * Pure: times come as arguments, as nanoseconds of CLOCK_BOOTTIME (base/clock.h), never as the wall
 * clock's, and no time that stands in the lease is ever compared with one of ours.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define LEASE_DURATION_S 15 /* CloudNativePG's defaults of spec.primaryLease */
#define LEASE_RENEW_S 10
#define LEASE_RETRY_S 2
#define LEASE_RELEASED_S 1

#define LEASE_MAX_S 86400
#define LEASE_KILL_BUDGET_MS 2000 /* J */
#define LEASE_CLOCK_PERCENT 1     /* rho */
#define LEASE_FAST_STOP_MS 1500   /* V2 - V1 when there is room, and what it must be at least */
#define LEASE_FAST_STOP_MIN_MS 500
#define LEASE_TREE_MS 1000 /* V3 - V2 */
#define LEASE_TREE_MIN_MS 300
#define LEASE_CALL_MS 2500 /* H */
#define LEASE_CALL_MIN_MS 300
#define LEASE_ASK_MS 1000 /* for a promise: CloudNativePG's isolationCheck.requestTimeout */
#define LEASE_ASK_MIN_MS 100
#define LEASE_MARGIN_MS 100 /* on top of L, so that timers that fire early do no harm */

/* As in the manifest.  Stop times of 0 are the defaults. */
struct lease_request {
	int64_t duration_s; /* leaseDurationSeconds */
	int64_t renew_s;    /* renewDeadlineSeconds: V1 */
	int64_t retry_s;    /* retryPeriodSeconds */
	int64_t released_s; /* releasedLeaseDurationSeconds */
	int64_t fast_stop_ms, tree_ms;
};
#define LEASE_REQUEST_DEFAULT                                                     \
	{                                                                         \
		LEASE_DURATION_S, LEASE_RENEW_S, LEASE_RETRY_S, LEASE_RELEASED_S, \
			LEASE_FAST_STOP_MS, LEASE_TREE_MS,                        \
	}

struct lease_times {
	int64_t lease_ms;    /* L */
	int64_t retry_ms;    /* R */
	int64_t call_ms;     /* H */
	int64_t stop_ms;     /* V1: fast stop */
	int64_t kill_ms;     /* V2: SIGKILL of the tree */
	int64_t fencer_ms;   /* V3 */
	int64_t released_ms; /* who is not the target leaves a released lease alone so long */
};

/* ERR_CONFIG with the inequality and its numbers when it cannot hold.  At most 250 characters. */
int lease_times_make(
	struct lease_times *out, const struct lease_request *in, struct err *e) MUSTCHECK;
/* The inequality itself, for what is measured or comes from elsewhere. */
bool lease_times_safe(const struct lease_times *t);
/* T9: whether a cluster that runs with from may go to to at once; else the longer L must be
 * everywhere first, or the shorter V. */
bool lease_times_change_safe(const struct lease_times *from, const struct lease_times *to);
/* What is safe beside both: the shorter V and the longer L.  On the way from one to the other a
 * holder goes by it until it has written that L and nothing of its own counts a longer V. */
struct lease_times lease_times_between(const struct lease_times *a, const struct lease_times *b);

/* ---- the record, as far as counting needs it ---- */

#define LEASE_HOLDER_SIZE 320 /* POD/UID/NONCE and its NUL */

struct lease_record {
	bool exists;                    /* false: there is no Lease of this name */
	char holder[LEASE_HOLDER_SIZE]; /* "": nobody's */
	bool released; /* holder "", and the annotation "released" equals seq: its holder did it */
	char renewed[40]; /* renewTime as it stands there; only compared for equality */
	uint64_t seq;     /* moved by the holder alone */
	int64_t duration_ms;
	char version[64]; /* resourceVersion: what a write is conditional on, never counted by */
	bool consistent;  /* came with a GET that no cache may answer */
};

/* False: too long. */
bool lease_holder_name(
	char out[LEASE_HOLDER_SIZE], const char *pod, const char *uid, const char *nonce);
/* The same pod by name and UID, perhaps of another start: its postgres is gone for certain. */
bool lease_same_pod(const char *a, const char *b);

/* ---- the holder ---- */

enum lease_phase {
	LEASE_NONE,  /* not ours */
	LEASE_FRESH, /* postgres may write */
	LEASE_STOP,  /* V1 has passed or another was seen: stop fast */
	LEASE_KILL,  /* V2: SIGKILL of the tree */
	LEASE_DEAD   /* V3: nothing may run any more */
};

/* What the holder does next about the lease. */
enum lease_do {
	LEASE_DO_WAIT,
	LEASE_DO_PUT, /* renew, conditional on the version last read or written */
	LEASE_DO_GET  /* nobody knows what stands there: read before writing */
};

struct lease_holder {
	enum lease_phase worst; /* a phase is never left backwards */
	int64_t sent_ns;        /* of the last renewal that counts */
	int64_t lost_ns;        /* when another was seen to hold it; 0 */
	int64_t next_ns;        /* of the next call */
	bool doubt;             /* an answer is missing or was 409: GET first */
};

/* What a GET after doubt showed. */
enum lease_sight { LEASE_SIGHT_MINE, LEASE_SIGHT_OTHER, LEASE_SIGHT_RELEASED, LEASE_SIGHT_ABSENT };

/* 200 to a claim that was sent at sent_ns.  False: too late for V1; then nothing is held and the
 * claim is made anew.  Arm the fencer with the deadline before promoting. */
bool lease_holder_claimed(
	struct lease_holder *h, const struct lease_times *t, int64_t sent_ns, int64_t now_ns);
/* 200 to a renewal.  True: the deadline moved.  Never once a deadline has passed, never back. */
bool lease_holder_renewed(
	struct lease_holder *h, const struct lease_times *t, int64_t sent_ns, int64_t now_ns);
/* Failsafe: every member that might be listed promised not to claim; the oldest question left at
 * sent_ns.  The deadline moves as by a renewal, and what stands in the lease stays as unknown as it
 * was. */
bool lease_holder_promised(
	struct lease_holder *h, const struct lease_times *t, int64_t sent_ns, int64_t now_ns);
/* No answer, 409 or 5xx: the write may have happened or may still happen.  retry_ms: Retry-After or
 * 0; it is not waited for longer than R. */
void lease_holder_doubts(
	struct lease_holder *h, const struct lease_times *t, int64_t now_ns, int64_t retry_ms);
/* The record as a consistent GET showed it.  MINE: write again at once, the deadline stays. ABSENT:
 * somebody deleted it; a fresh holder creates it again at once, which counts like a renewal.  The
 * other two: LEASE_STOP from now on. */
void lease_holder_sees(struct lease_holder *h, enum lease_sight sight, int64_t now_ns);
/* R has become shorter. */
void lease_holder_paced(struct lease_holder *h, const struct lease_times *t);
enum lease_phase lease_holder_phase(
	struct lease_holder *h, const struct lease_times *t, int64_t now_ns);
/* Until when; what the supervisor writes on the board for the fencer is the one of LEASE_DEAD. */
int64_t lease_holder_deadline_ns(
	const struct lease_holder *h, const struct lease_times *t, enum lease_phase p);
enum lease_do lease_holder_next(
	const struct lease_holder *h, const struct lease_times *t, int64_t now_ns);
/* The longest a call made now may take: H, and not beyond V1. */
int64_t lease_holder_call_ms(
	const struct lease_holder *h, const struct lease_times *t, int64_t now_ns);
/* T6: whether holder "" may be written. */
bool lease_may_release(bool postgres_reaped);
/* No process of postgres is left: the next claim begins from nothing. */
void lease_holder_done(struct lease_holder *h);

/* ---- the candidate ---- */

struct lease_watch {
	bool known; /* something was seen since this process began */
	struct lease_record last;
	int64_t seen_ns;    /* when the record was first seen as it is */
	int64_t kept_ms;    /* the last duration that a holder wrote, also when it is gone */
	int64_t promise_ns; /* failsafe: no claim before; 0 */
	char asked[64];     /* version of a claim that may still land; "" */
};

/* The record as received at now_ns.  True: it changed, and counting begins anew.  A command that
 * somebody writes into it changes the version alone, and nobody's counting. */
bool lease_watch_saw(struct lease_watch *w, const struct lease_record *r, int64_t now_ns);
/* The earliest moment for a claim; CLOCK_NEVER while nothing was seen.  me: own holder name;
 * preferred: the switchover names this member, or none and it ranks first.  Only what its holder
 * released can be had at once: a lease that was deleted, made anew or emptied by hand may have a
 * holder that does not know it yet, so that the full L is waited for. */
int64_t lease_watch_claim_ns(
	const struct lease_watch *w, const struct lease_times *t, const char *me, bool preferred);
/* A claim leaves, conditional on w->last.version, which a consistent GET showed (must be); and its
 * end.  answered: 200 or 409; else it may still land, until a consistent GET shows another version.
 */
void lease_watch_claims(struct lease_watch *w);
void lease_watch_claim_ends(struct lease_watch *w, bool answered);
/* Failsafe: the holder asks not to be followed.  False: refused, since a claim is under way,
 * another holder is known or nothing is. */
bool lease_watch_promise(struct lease_watch *w, const struct lease_times *t, const char *holder,
	int64_t received_ns);
