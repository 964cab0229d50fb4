/*
 * syncset - in which order synchronous_standby_names and the lease's sync set change (I4).
 */
#include "core/syncset.h"

#define NOBODY "podgres nobody" /* no member can have this name: it is no DNS label */

static int
count(uint32_t voters)
{
	return __builtin_popcount(voters);
}

static int
larger(int a, int b)
{
	return a > b ? a : b;
}

bool
syncset_equal(struct syncset a, struct syncset b)
{
	return a.voters == b.voters && a.acks == b.acks;
}

bool
syncset_covers(struct syncset a, struct syncset b)
{
	return b.voters == 0 || a.acks - count(a.voters & ~b.voters) >= b.acks;
}

/* As it stands in the lease: there cannot be more acknowledgements than voters. */
static struct syncset
capped(struct syncset s)
{
	int n = count(s.voters);

	return (struct syncset){s.voters, s.acks < n ? s.acks : n};
}

static bool
reachable(struct syncset s, uint32_t streaming)
{
	return count(s.voters & streaming) >= s.acks;
}

static struct syncset_step
step_of(enum syncset_do what, struct syncset to, const char *sentence)
{
	return (struct syncset_step){what, to, sentence};
}

/* A setting that covers the lease as it is and as it is to be: want, what both have in common, or
 * both together.  Without one that commits can get through, the lease is emptied first. */
static struct syncset_step
bridge(const struct syncset_state *st, struct syncset want)
{
	const struct syncset lease = st->lease, to = capped(want);
	struct syncset common = {lease.voters & to.voters, larger(lease.acks, to.acks)};
	struct syncset both = {
		lease.voters | to.voters, larger(lease.acks + count(to.voters & ~lease.voters),
						  to.acks + count(lease.voters & ~to.voters))};

	if (syncset_covers(want, lease))
		return step_of(SYNCSET_SET_GUC, want, "postgres is told of the new voters first");
	if (common.acks <= count(common.voters) && reachable(common, st->streaming))
		return step_of(SYNCSET_SET_GUC, common,
			"commits wait for voters of the old and the new set");
	if (reachable(both, st->streaming))
		return step_of(
			SYNCSET_SET_GUC, both, "commits wait for the old and the new set together");
	return step_of(SYNCSET_SET_LEASE, (struct syncset){0, 0},
		"too few voters stream: nobody else may become primary until others have "
		"everything");
}

struct syncset_step
syncset_step(const struct syncset_state *st, struct syncset want)
{
	struct syncset to = capped(want);
	bool marked = st->in_force && count(st->past_mark & to.voters) >= to.acks;

	if (!syncset_equal(st->lease, to)) {
		if (syncset_covers(st->lease, to) || (syncset_covers(st->guc, to) && marked))
			return step_of(SYNCSET_SET_LEASE, to, "the lease takes the new set");
		if (!st->in_force || syncset_covers(st->guc, to))
			return step_of(SYNCSET_WAIT, to,
				"waiting until enough new voters have what was acknowledged "
				"before");
		return bridge(st, want);
	}
	if (syncset_equal(st->guc, want))
		return step_of(SYNCSET_DONE, want, "postgres and the lease agree");
	if (!st->in_force)
		return step_of(SYNCSET_WAIT, to, "waiting until the last setting is in force");
	return step_of(SYNCSET_SET_GUC, want, "postgres is told of the set in the lease");
}

struct syncset
syncset_takeover(struct syncset lease, uint32_t me, struct syncset want)
{
	struct syncset left = {lease.voters & ~me, lease.acks - 1};

	/* Those left are as many as an election needed, if one acknowledgement less is counted. */
	if (!(lease.voters & me) || left.acks < 1 || !syncset_covers(want, left))
		return (struct syncset){0, 0};
	return left;
}

/* ---- what is wanted ---- */

static uint32_t
mask_of(const uint8_t *members, size_t n)
{
	uint32_t mask = 0;

	for (size_t i = 0; i < n; i++) {
		must(members[i] < SYNCSET_MEMBERS);
		mask |= UINT32_C(1) << members[i];
	}
	return mask;
}

/* Adds those of from to voters, in the order of preference, up to most. */
static uint32_t
fill(uint32_t voters, uint32_t from, int most, const uint8_t *members, size_t n)
{
	for (size_t i = 0; i < n && count(voters) < most; i++)
		voters |= from & UINT32_C(1) << members[i];
	return voters;
}

struct syncset
syncset_want(const struct syncset_config *c, const uint8_t *members, size_t n, uint32_t streaming,
	struct syncset now)
{
	uint32_t may = mask_of(members, n), voters = 0;
	int most = c->max_voters > 0 ? c->max_voters : SYNCSET_MEMBERS, acks = c->number;

	if (c->number <= 0)
		return (struct syncset){0, 0};
	streaming &= may;
	if (!c->required && count(streaming) < acks)
		acks = larger(count(streaming), c->least);
	most = c->method == SYNCSET_FIRST ? acks : larger(most, acks);
	/* Who votes already goes on: a change costs two writes and a wait. */
	voters = fill(0, streaming & now.voters, most, members, n);
	voters = fill(voters, streaming, most, members, n);
	if (count(voters) < acks)
		voters = fill(voters, may & now.voters, acks, members, n);
	return (struct syncset){
		fill(voters, count(voters) < acks ? may : 0, acks, members, n), acks};
}

/* PostgreSQL, "synchronous_standby_names": [FIRST | ANY] number ( name, ... ). */
void
syncset_guc_text(struct buf *out, const struct syncset_config *c, struct syncset set,
	const char *const names[SYNCSET_MEMBERS])
{
	bool first = true;

	if (set.acks <= 0)
		return;
	buf_printf(out, "%s %d (", c->method == SYNCSET_FIRST ? "FIRST" : "ANY", set.acks);
	for (size_t i = 0; i < SYNCSET_MEMBERS; i++) {
		if (!(set.voters & UINT32_C(1) << i))
			continue;
		if (!first)
			buf_printf(out, ", ");
		first = false;
		buf_put_quoted(out, names[i], '"');
	}
	if (first)
		buf_put_quoted(out, NOBODY, '"');
	buf_putc(out, ')');
}
