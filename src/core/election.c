/*
 * election - who may claim the lease, and who goes first.
 */
#include "core/election.h"

#include <string.h>

#include "base/defs.h"

static const struct {
	const char *text, *sentence;
	bool force;
} reasons[ELECTION_REASONS] = {
#define REASON(name, its_text, its_force, its_sentence) \
	[ELECTION_##name] = {its_text, its_sentence, its_force},
#include "tbl/election.h"
#undef REASON
};

static bool
given(const char *text)
{
	return text && *text;
}

static bool
among(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* ---- about one member ---- */

/* REASON rows NO_SYSTEM to STALE, in their order. */
static enum election_reason
own_obstacle(const struct election *e, const struct election_member *m)
{
	const struct {
		bool holds;
		enum election_reason reason;
	} rules[] = {
		{m->system_id == 0, ELECTION_NO_SYSTEM},
		{m->system_id != e->system_id, ELECTION_OTHER_SYSTEM},
		{m->fenced, ELECTION_FENCED},
		{e->paused, ELECTION_PAUSED},
		{m->nofailover || m->failover_priority <= 0, ELECTION_NOFAILOVER},
		{e->member_names && !among(e->member_names, e->member_count, m->name),
			ELECTION_NO_MEMBER},
		{m->cloning, ELECTION_CLONING},
		{m->rewinding, ELECTION_REWINDING},
		{!m->replaying, ELECTION_NOT_RUNNING},
		{!m->lineage_ok || m->timeline > e->timeline, ELECTION_OTHER_LINEAGE},
		{!m->reachable || m->asked_ns < e->lease_ended_ns, ELECTION_STALE},
	};

	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (rules[i].holds)
			return rules[i].reason;
	return ELECTION_OK;
}

static bool
lags_too_far(const struct election *e, const struct election_member *m)
{
	return e->maximum_lag_bytes >= 0 && e->primary_lsn > m->received_lsn &&
	       e->primary_lsn - m->received_lsn > (uint64_t)e->maximum_lag_bytes;
}

static bool
is_voter(const struct election *e, const struct election_member *m)
{
	return among(e->voters, e->voter_count, m->name);
}

/* A voter whose WAL counts towards R: it could be elected, were it the only one. */
static bool
counts(const struct election *e, const struct election_member *m)
{
	return is_voter(e, m) && own_obstacle(e, m) == ELECTION_OK && m->timeline == e->timeline &&
	       m->lsn_known;
}

size_t
election_quorum(const struct election *e, size_t *needed)
{
	size_t have = 0;

	for (size_t i = 0; i < e->members; i++)
		have += counts(e, &e->member[i]);
	if (e->acks <= 0)
		*needed = SIZE_MAX;
	else
		*needed =
			(size_t)e->acks > e->voter_count ? 1 : e->voter_count - (size_t)e->acks + 1;
	return have;
}

static enum election_reason
guard(const struct election *e, const struct election_member *m)
{
	size_t needed;

	if (m->timeline != e->timeline)
		return ELECTION_TIMELINE;
	if (!m->lsn_known)
		return ELECTION_NO_LSN;
	if (lags_too_far(e, m))
		return ELECTION_LAG;
	if (!e->sync)
		return ELECTION_OK;
	if (!is_voter(e, m))
		return ELECTION_NOT_SYNC;
	return election_quorum(e, &needed) < needed ? ELECTION_NO_QUORUM : ELECTION_OK;
}

enum election_reason
election_fit(const struct election *e, size_t me)
{
	enum election_reason own;

	must(me < e->members);
	own = own_obstacle(e, &e->member[me]);
	return own == ELECTION_OK ? guard(e, &e->member[me]) : own;
}

/* ---- who goes first ---- */

static int
more_first(uint64_t a, uint64_t b)
{
	return (a < b) - (a > b);
}

int
election_compare(
	const struct election *e, const struct election_member *a, const struct election_member *b)
{
	const char *zone = e->prefer_zone;
	const struct {
		uint64_t a, b;
	} by[] = {
		{a->timeline, b->timeline},
		{a->lsn_known ? a->received_lsn : 0, b->lsn_known ? b->received_lsn : 0},
		{a->sync, b->sync},
		{a->failover_priority > 0 ? (uint64_t)a->failover_priority : 0,
			b->failover_priority > 0 ? (uint64_t)b->failover_priority : 0},
		{given(zone) && strcmp(a->zone, zone) == 0,
			given(zone) && strcmp(b->zone, zone) == 0},
		{a->replayed_lsn, b->replayed_lsn},
	};

	for (size_t i = 0; i < ARRAY_LEN(by); i++)
		if (by[i].a != by[i].b)
			return more_first(by[i].a, by[i].b);
	return strcmp(a->name, b->name);
}

/*
 * A switchover's target is not measured against the others: who named it has chosen, and what could
 * be lost the guards have looked at.  With synchronous replication it must still have the most WAL
 * of the voters, since the others may hold a commit that it lacks.
 */
static bool
behind_a_voter(const struct election *e, const struct election_member *m)
{
	for (size_t i = 0; e->sync && i < e->members; i++)
		if (counts(e, &e->member[i]) && e->member[i].received_lsn > m->received_lsn)
			return true;
	return false;
}

static bool
is_target(const struct election *e, const struct election_member *m)
{
	return given(e->target) && strcmp(e->target, m->name) == 0;
}

size_t
election_best(const struct election *e)
{
	size_t best = ELECTION_NOBODY;

	for (size_t i = 0; i < e->members; i++) {
		const struct election_member *m = &e->member[i];

		if (election_fit(e, i) != ELECTION_OK)
			continue;
		if (is_target(e, m) && !behind_a_voter(e, m))
			return i;
		if (best == ELECTION_NOBODY || election_compare(e, m, &e->member[best]) < 0)
			best = i;
	}
	return best;
}

/* ---- force ---- */

bool
election_loss(const struct election *e, size_t me, uint64_t *bytes)
{
	uint64_t most, mine;

	must(me < e->members);
	if (!e->member[me].lsn_known || e->primary_lsn == 0)
		return false;
	most = e->primary_lsn;
	for (size_t i = 0; i < e->members; i++)
		if (e->member[i].reachable && e->member[i].lsn_known &&
			e->member[i].system_id == e->system_id &&
			e->member[i].timeline == e->timeline && e->member[i].received_lsn > most)
			most = e->member[i].received_lsn;
	mine = e->member[me].received_lsn;
	/* What an older timeline wrote behind the branch is no part of the cluster's history. */
	if (e->member[me].timeline != e->timeline) {
		if (e->switch_lsn == 0)
			return false;
		mine = mine < e->switch_lsn ? mine : e->switch_lsn;
	}
	*bytes = most > mine ? most - mine : 0;
	return true;
}

static enum election_reason
forced(const struct election *e, size_t me)
{
	enum election_reason own = own_obstacle(e, &e->member[me]);
	uint64_t loss;

	if (own != ELECTION_OK)
		return own;
	if (e->accept_loss_bytes == ELECTION_ANY_LOSS)
		return ELECTION_OK;
	if (!election_loss(e, me, &loss))
		return ELECTION_LOSS_UNKNOWN;
	if (e->accept_loss_bytes < 0 || loss > (uint64_t)e->accept_loss_bytes)
		return ELECTION_LOSS;
	return ELECTION_OK;
}

enum election_reason
election_may_claim(const struct election *e, size_t me)
{
	enum election_reason fit;

	must(me < e->members);
	if (e->force)
		return forced(e, me);
	fit = election_fit(e, me);
	if (fit != ELECTION_OK)
		return fit;
	if (given(e->target) && !is_target(e, &e->member[me]))
		return ELECTION_TARGET;
	if (election_best(e) == me || (e->waited && !behind_a_voter(e, &e->member[me])))
		return ELECTION_OK;
	return ELECTION_BETTER;
}

/* ---- words ---- */

const char *
election_reason_text(enum election_reason r)
{
	must(r < ELECTION_REASONS);
	return reasons[r].text;
}

const char *
election_reason_sentence(enum election_reason r)
{
	must(r < ELECTION_REASONS);
	return reasons[r].sentence;
}

bool
election_reason_forceable(enum election_reason r)
{
	must(r < ELECTION_REASONS);
	return reasons[r].force;
}
