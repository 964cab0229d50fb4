/*
 * election - who may claim the lease, and who goes first.
 *
 * Pure.  Each member answers for itself with what it knows of the others; two members with
 * different knowledge may both say yes, and the compare-and-swap of the lease decides between them.
 * So what stands here keeps data from being lost and members from racing; that only one writes is
 * the business of the lease alone (core/lease_time.h), which no order and no force goes past.
 *
 * Synchronous replication: with N voters of which W acknowledged each commit, any R of them with
 * R + W > N include one that has every acknowledged commit, and the one with the most WAL among
 * them has it.  So R counts voters that could themselves be elected, and their facts must be
 * younger than the end of the lease: what they received later nobody acknowledged any more.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELECTION_NAME_SIZE 64
#define ELECTION_PRIORITY 100 /* failoverPriority when nothing is said; 0: never */
#define ELECTION_NOBODY SIZE_MAX
#define ELECTION_ANY_LOSS INT64_MAX
#define ELECTION_NO_LIMIT INT64_C(-1)

enum election_sync { ELECTION_ASYNC, ELECTION_POTENTIAL, ELECTION_SYNC };

enum election_reason {
#define REASON(name, text, force, sentence) ELECTION_##name,
#include "tbl/election.h"
#undef REASON
	ELECTION_REASONS
};

/* What is known of a member; of those that did not answer, reachable is false and no more is used.
 */
struct election_member {
	char name[ELECTION_NAME_SIZE]; /* unique in an election */
	char zone[ELECTION_NAME_SIZE]; /* "": not known */
	bool reachable;
	int64_t asked_ns; /* when the question left */
	uint64_t system_id;
	uint32_t timeline;
	bool lineage_ok; /* its timeline is the lease's or an ancestor of it, left where it says */
	bool lsn_known;
	uint64_t received_lsn; /* flushed by the walreceiver, or replayed when that is more */
	uint64_t replayed_lsn;
	enum election_sync sync; /* as the last primary listed it */
	int failover_priority;
	bool replaying; /* postgres runs in recovery */
	bool fenced, cloning, rewinding, nofailover;
};

struct election {
	/* from the lease */
	uint64_t system_id;
	uint32_t timeline;
	uint64_t primary_lsn; /* the last that is known of the last primary; 0: unknown */
	uint64_t switch_lsn;  /* where the lease's timeline began; 0: unknown */
	bool paused;
	const char *const *member_names; /* as the holder listed them; NULL: no list yet */
	size_t member_count;
	/* synchronous replication: on, voters and W of the lease (core/syncset.h) */
	bool sync;
	const char *const *voters;
	size_t voter_count;
	int acks;
	/* from the manifest */
	int64_t maximum_lag_bytes; /* maximumLagOnFailover; ELECTION_NO_LIMIT */
	const char *prefer_zone;   /* "" or NULL: none */
	/* of the moment */
	const char *target; /* the command's, as long as it is waited for; "" or NULL: none */
	bool waited; /* a better one had its time (2 R) and did not come: it is passed, unless it
			may hold an acknowledged commit that is missing here */
	int64_t lease_ended_ns; /* facts asked before are stale; 0: no bound */
	bool force;             /* promote --force, for the member that is asked about */
	int64_t accept_loss_bytes;
	const struct election_member *member;
	size_t members;
};

/* Whether member me may claim: ELECTION_OK or the first reason why not. */
enum election_reason election_may_claim(const struct election *e, size_t me);
/* What keeps me out for itself, whatever the others do: all rows before TARGET, without force. */
enum election_reason election_fit(const struct election *e, size_t me);
/* The one that goes first of those that are fit, the target if it is fit and named;
 * ELECTION_NOBODY. */
size_t election_best(const struct election *e);
/* Negative: a goes before b.  Timeline, received LSN, sync state, failoverPriority, zone, replayed
 * LSN, name: a total order, 0 only for equal names. */
int election_compare(
	const struct election *e, const struct election_member *a, const struct election_member *b);
/* R and what R must be at least: voters - acks + 1. */
size_t election_quorum(const struct election *e, size_t *needed);
/* Bytes known to be written that member me lacks.  False: cannot be said. */
bool election_loss(const struct election *e, size_t me, uint64_t *bytes);

const char *election_reason_text(enum election_reason r);
const char *election_reason_sentence(enum election_reason r);
bool election_reason_forceable(enum election_reason r);
