/*
 * syncset - in which order synchronous_standby_names and the lease's sync set change (I4).
 *
 * Reference "HA", section 7: a commit that was acknowledged synchronously is in the WAL of every
 * node that ever becomes primary later.  A set is N voters and W acknowledgements.  postgres lets a
 * commit through when W of the voters of its setting have it; an election needs N - W + 1 of the
 * voters of the lease (core/election.h).  Acknowledgements under the set a suffice for elections
 * under the set b, "a covers b", when any W of a's voters meet any such number of b's:
 *
 *     a.W - |a's voters that are not b's| >= b.W,  or b has no voters
 *
 * At any moment every setting that a backend may still use covers the lease's set.  That is why the
 * setting goes first when voters or acknowledgements are added, and the lease when they are
 * removed, and why commits of before a change are waited for where the old set does not cover the
 * new one. A lease with no voters lets nobody but its holder's postgres be primary.
 *
 * Pure.  Members are bits of a mask; the caller keeps the names.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

#define SYNCSET_MEMBERS 32

struct syncset {
	uint32_t voters;
	int acks; /* in a setting it may exceed the number of voters: then no commit returns */
};

enum syncset_do {
	SYNCSET_DONE,
	SYNCSET_SET_GUC, /* set synchronous_standby_names to step.to and reload */
	SYNCSET_WAIT, /* until the setting is in force and step.to.acks voters are past the mark */
	SYNCSET_SET_LEASE, /* write step.to into the lease by compare-and-swap; on 409 ask again */
};

struct syncset_state {
	struct syncset guc; /* what was set last */
	/* What the last own write that was answered with 200 says.  A read is not enough while an
	 * earlier write of ours has no answer: it may land after the read (tests/model, NO_ANSWER).
	 */
	struct syncset lease;
	bool in_force; /* every walsender and backend uses guc; a restart brings it about */
	/* The mark is the end of the WAL at a moment when guc was in force already: members that
	 * flushed up to there have whatever was acknowledged under earlier settings. */
	uint32_t past_mark;
	uint32_t streaming; /* now */
};

struct syncset_step {
	enum syncset_do what;
	struct syncset to;
	const char *sentence;
};

bool syncset_covers(struct syncset a, struct syncset b);
bool syncset_equal(struct syncset a, struct syncset b);
/* The one next thing to do on the way to want; after a crash at any point the same question to the
 * state as found goes on from there.  No step brings the setting in force into doubt: while
 * in_force is false, no other setting may be made. */
struct syncset_step syncset_step(const struct syncset_state *st, struct syncset want);
/*
 * A new primary, before it promotes: with want as its setting, in force when clients come in, it
 * writes the set that is returned into the lease (with leader = itself).
 */
struct syncset syncset_takeover(struct syncset lease, uint32_t me, struct syncset want);

enum syncset_method { SYNCSET_ANY, SYNCSET_FIRST };

struct syncset_config {
	enum syncset_method method; /* any: all that stream vote, number acknowledge;
				       first: number vote, and all of them acknowledge */
	int number;                 /* 0: no synchronous replication */
	bool required;              /* else preferred: fewer, or none, when fewer stream */
	int max_voters;             /* maxStandbyNamesFromCluster; 0: no limit */
	int least;                  /* preferred, but never fewer than these */
};

/*
 * What to head for.  members: who may vote at all, in the order of preference (bit numbers);
 * streaming: who streams, told calmly, so that a blink does not rewrite the lease.
 */
struct syncset syncset_want(const struct syncset_config *c, const uint8_t *members, size_t n,
	uint32_t streaming, struct syncset now);
/* synchronous_standby_names, names quoted; a setting with acknowledgements and no voters names
 * somebody who never comes. */
void syncset_guc_text(struct buf *out, const struct syncset_config *c, struct syncset set,
	const char *const names[SYNCSET_MEMBERS]);
