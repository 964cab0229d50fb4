/*
 * elector_sync - synchronous replication, in step with the Lease (core/syncset.h).
 *
 * Process: elector.  What is to stand in synchronous_standby_names goes onto the board; the
 * supervisor has the configuration written and read again, and the monitor tells what postgres
 * shows.  What the Lease says goes with the next write.  The holder takes one step at a time: while
 * a write that changes the set has no answer, or a setting is not in force, nothing else changes.
 *
 * Who is not primary holds a setting ready that names all others: should it be promoted, its first
 * commits wait for one of them, and the claim itself says that nobody else may lead until then.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "service/elector.h"

#define CALM_MS 500    /* a standby that begins to stream counts after that */
#define GONE_MS 700    /* and one that ended, when commits wait for it */
#define AWAY_MS 5000   /* or when they do not */
#define BEHIND_MS 3000 /* one that did not flush for so long what was there */
#define RELOAD_MS 300  /* signals have arrived everywhere */
#define FORCE_MS 3000  /* a WAL sender that sent nothing all the time has read its files again */
#define STALE_MS 5000  /* of the monitor */
#define BEGIN_MS 4000  /* the standbys of a new primary come back within */

static bool
sync_asked(const struct elector *el)
{
	return el->failover.number > 0;
}

static bool
sync_leads(const struct elector *el)
{
	return el->held && el->sync.told && el->peers_listed && el->sv.state == FSM_PRIMARY &&
	       el->pg.known && !el->pg.in_recovery;
}

static struct syncset_config
sync_config(const struct elector *el)
{
	const struct plan_failover *f = &el->failover;

	return (struct syncset_config){.method = f->first ? SYNCSET_FIRST : SYNCSET_ANY,
		.number = f->number,
		.required = f->least >= f->number,
		.least = f->least,
		.max_voters = f->max_names};
}

static void
sync_set(struct elector *el, struct syncset to)
{
	AUTO(buf_deinit) struct buf text = {0};
	const struct syncset_config c = sync_config(el);
	struct elector_sync *s = &el->sync;
	const char *names[SYNCSET_MEMBERS];

	for (size_t i = 0; i < SYNCSET_MEMBERS; i++)
		names[i] = s->name[i];
	syncset_guc_text(&text, &c, to, names);
	if (text.failed || text.len >= sizeof(el->st.sync_names))
		return;
	s->guc = to;
	if (strcmp(el->st.sync_names, buf_str(&text)) == 0)
		return;
	snprintf(el->st.sync_names, sizeof(el->st.sync_names), "%s", buf_str(&text));
	s->shown_ns = s->force_ns = 0;
	if (el->held)
		log_info("synchronous standbys", F_STR("names", el->st.sync_names));
}

/* ---- who may vote ---- */

/* The others, higher priority first, the holder last; who never leads counts for no election. */
static size_t
sync_members(struct elector *el, uint8_t out[ELECTOR_MEMBERS])
{
	int rank[ELECTOR_MEMBERS];
	size_t n = 0;

	for (size_t i = 0; i < el->peers; i++) {
		const struct elector_peer *p = &el->peer[i];
		int mine = elector_priority(el, p->name);
		uint32_t bit;
		size_t at = n;

		if (elector_peer_is_self(el, p) || mine <= 0)
			continue;
		bit = elector_set_bit(&el->sync, p->name);
		if (!bit)
			continue;
		if (strcmp(p->name, el->st.holder_name) == 0)
			mine = 0;
		for (; at > 0 && rank[at - 1] < mine; at--) {
			rank[at] = rank[at - 1];
			out[at] = out[at - 1];
		}
		rank[at] = mine;
		out[at] = (uint8_t)__builtin_ctz(bit);
		n++;
	}
	return n;
}

/* ---- what postgres shows ---- */

static const struct pg_replica *
sync_row(const struct elector *el, const char *name)
{
	const struct pg_facts *pg = &el->pg;

	for (uint32_t i = 0; i < pg->replicas && i < PG_REPLICAS; i++)
		if (strcmp(pg->replica[i].application_name, name) == 0 &&
			strcmp(pg->replica[i].state, "streaming") == 0)
			return &pg->replica[i];
	return NULL;
}

static bool
sync_keeps_up(struct elector_stream *m, const struct pg_replica *r, uint64_t flushed, int64_t now)
{
	if (m->behind_lsn && r->flush_lsn >= m->behind_lsn)
		m->behind_lsn = 0;
	if (!m->behind_lsn && r->flush_lsn < flushed) {
		m->behind_lsn = flushed;
		m->behind_ns = now;
	}
	return !m->behind_lsn || now - m->behind_ns < BEHIND_MS * MS_NS;
}

static void
sync_stream(struct elector *el, size_t i, int64_t now, int64_t patience_ms)
{
	struct elector_stream *m = &el->sync.stream[i];
	const struct pg_replica *r = el->sync.name[i][0] ? sync_row(el, el->sync.name[i]) : NULL;

	if (r && sync_keeps_up(m, r, el->pg.flush_lsn, now)) {
		m->lost_ns = 0;
		if (!m->since_ns)
			m->since_ns = now;
		m->on = m->on || now - m->since_ns >= CALM_MS * MS_NS;
		return;
	}
	m->since_ns = 0;
	if (!r)
		m->behind_lsn = 0;
	if (!m->lost_ns)
		m->lost_ns = now;
	m->on = m->on && now - m->lost_ns < patience_ms * MS_NS;
}

static uint32_t
sync_streams(struct elector *el)
{
	struct elector_sync *s = &el->sync;
	int64_t now = clock_boot_ns();
	uint32_t on = 0, well = 0;

	for (size_t i = 0; i < SYNCSET_MEMBERS; i++)
		if (s->name[i][0] && !s->stream[i].lost_ns && s->stream[i].since_ns)
			well |= UINT32_C(1) << i;
	for (size_t i = 0; i < SYNCSET_MEMBERS; i++) {
		bool enough = __builtin_popcount(well & s->guc.voters) >= s->guc.acks;

		if (now - el->pg.query_ok_ns < STALE_MS * MS_NS)
			sync_stream(el, i, now, enough ? AWAY_MS : GONE_MS);
		if (s->stream[i].on)
			on |= UINT32_C(1) << i;
	}
	return on;
}

/* Each WAL sender reads its files before it looks at answers: one that was answered for WAL from
 * after the signal goes by the new setting.  The priority that it shows is of its own reading. */
static bool
sync_senders(const struct elector *el, int64_t now)
{
	const struct elector_sync *s = &el->sync;
	const struct pg_facts *pg = &el->pg;

	for (uint32_t i = 0; i < pg->replicas && i < PG_REPLICAS; i++) {
		const struct pg_replica *r = &pg->replica[i];
		bool voter = false;

		if (strcmp(r->state, "streaming") != 0)
			continue;
		for (size_t k = 0; k < SYNCSET_MEMBERS; k++)
			voter |= (s->guc.voters & UINT32_C(1) << k) &&
				 strcmp(s->name[k], r->application_name) == 0;
		if (voter != (r->sync_priority > 0))
			return false;
		if (voter && r->flush_lsn <= s->reload_lsn && now - s->shown_ns < FORCE_MS * MS_NS)
			return false;
	}
	return true;
}

/* The checkpointer tells the backends whether commits wait at all. */
static bool
sync_defined(const struct elector *el)
{
	const struct elector_sync *s = &el->sync;

	return s->guc.acks == 0 || s->defined ||
	       ((strcmp(el->pg.checkpointer, "checkpointermain") == 0 ||
			strcmp(el->pg.checkpointer, "checkpointwritedelay") == 0) &&
		       el->pg.query_ok_ns > s->shown_ns + RELOAD_MS * MS_NS);
}

static void
sync_shown(struct elector *el, int64_t now)
{
	struct elector_sync *s = &el->sync;

	if (el->pg.pid != s->pid) {
		s->pid = el->pg.pid;
		s->defined = false;
		s->shown_ns = 0;
	}
	if (!el->pg.known || strcmp(el->pg.sync_names, el->st.sync_names) != 0)
		s->shown_ns = 0;
	else if (!s->shown_ns) {
		s->shown_ns = now;
		s->reload_lsn = 0;
	}
	if (!s->shown_ns)
		s->force_ns = 0;
	if (s->force_ns == 0) {
		s->mark = 0;
		s->past_mark = 0;
	}
}

static void
sync_in_force(struct elector *el)
{
	struct elector_sync *s = &el->sync;
	int64_t now = clock_boot_ns();

	sync_shown(el, now);
	if (!s->shown_ns)
		return;
	if (!s->reload_lsn && el->pg.query_ok_ns > s->shown_ns + RELOAD_MS * MS_NS)
		s->reload_lsn = el->pg.insert_lsn ? el->pg.insert_lsn : el->pg.replay_lsn;
	if (!s->force_ns && s->reload_lsn && sync_defined(el) && sync_senders(el, now)) {
		s->force_ns = now;
		s->defined = s->guc.acks > 0;
	}
	if (s->force_ns && !s->mark && el->pg.query_ok_ns > s->force_ns)
		s->mark = el->pg.flush_lsn;
	for (size_t i = 0; s->mark && i < SYNCSET_MEMBERS; i++) {
		const struct pg_replica *r = s->name[i][0] ? sync_row(el, s->name[i]) : NULL;

		if (r && r->flush_lsn >= s->mark)
			s->past_mark |= UINT32_C(1) << i;
	}
}

/* ---- steps ---- */

/* With nobody to acknowledge one list of names is as good as another: the longer one stays. */
static bool
sync_waits(const struct elector_sync *s, struct syncset want, uint32_t streaming)
{
	return want.acks == s->guc.acks &&
	       __builtin_popcount(want.voters & streaming) < want.acks &&
	       __builtin_popcount(s->guc.voters & streaming) < s->guc.acks &&
	       __builtin_popcount(s->guc.voters) >= __builtin_popcount(want.voters);
}

static void
sync_step(struct elector *el, uint32_t streaming)
{
	struct elector_sync *s = &el->sync;
	const struct syncset_config c = sync_config(el);
	uint8_t members[ELECTOR_MEMBERS];
	size_t n = sync_members(el, members);
	struct syncset now = s->lease.voters ? s->lease : s->guc;
	struct syncset want = syncset_want(&c, members, n, streaming, now);
	const struct syncset_state st = {.guc = s->guc,
		.lease = s->lease,
		.in_force = s->force_ns != 0,
		.past_mark = s->past_mark,
		.streaming = streaming};
	struct syncset_step step;

	if (sync_waits(s, want, streaming)) {
		snprintf(el->st.sync_state, sizeof(el->st.sync_state),
			"commits wait: too few standbys stream");
		return;
	}
	if (want.acks < c.number && clock_boot_ns() - s->leads_ns < BEGIN_MS * MS_NS)
		return;
	step = syncset_step(&st, want);
	if (step.what == SYNCSET_SET_GUC)
		sync_set(el, step.to);
	s->target = step.what == SYNCSET_SET_LEASE ? step.to : s->lease;
	snprintf(el->st.sync_state, sizeof(el->st.sync_state), "%s", step.sentence);
}

/* Nothing here takes writes: what a promotion would begin with. */
static void
sync_prepare(struct elector *el)
{
	struct syncset_config c = sync_config(el);
	uint8_t members[ELECTOR_MEMBERS];
	size_t n = sync_members(el, members);
	uint32_t all = 0;

	for (size_t i = 0; i < n; i++)
		all |= UINT32_C(1) << members[i];
	el->st.sync_state[0] = '\0';
	if (el->peers_listed || !sync_asked(el))
		sync_set(el, syncset_want(&c, members, n, all, (struct syncset){0, 0}));
}

/* The board was made anew under a postgres that writes. */
static void
sync_adopt(struct elector *el, enum fsm_postgres runs)
{
	struct elector_sync *s = &el->sync;

	if (runs != FSM_PG_WRITABLE || s->told || el->st.sync_names[0] || !el->pg.known)
		return;
	snprintf(el->st.sync_names, sizeof(el->st.sync_names), "%s", el->pg.sync_names);
	s->guc = elector_set_names(s, el->st.sync_names);
}

void
elector_sync_turn(struct elector *el)
{
	struct elector_sync *s = &el->sync;
	enum fsm_postgres runs = fsm_state_postgres((enum fsm_state)el->sv.state);
	uint32_t streaming;

	if (el->sv.plan.generation)
		el->failover = el->sv.plan.failover;
	if (!el->held) {
		s->told = s->doubt = false;
		s->lease = s->target = s->sent = (struct syncset){0, 0};
		/* What writes goes on with what it has. */
		if (runs == FSM_PG_RECOVERY || runs == FSM_PG_NONE)
			sync_prepare(el);
	}
	sync_adopt(el, runs);
	sync_in_force(el);
	if (!sync_leads(el)) {
		s->leads_ns = 0;
		return;
	}
	if (!s->leads_ns)
		s->leads_ns = clock_boot_ns();
	elector_set_own(el);
	streaming = sync_streams(el);
	if (!s->doubt)
		sync_step(el, streaming);
}

/* ---- what the Lease says ---- */

/* Nothing that commits wait for is left, and nothing is asked for. */
static bool
sync_over(const struct elector *el)
{
	const struct elector_sync *s = &el->sync;

	return !sync_asked(el) && s->lease.voters == 0 && s->target.voters == 0 && s->guc.acks == 0;
}

bool
elector_sync_news(const struct elector *el)
{
	const struct elector_sync *s = &el->sync;

	return s->told && (s->doubt || !syncset_equal(s->target, s->lease) ||
				  sync_over(el) == (el->object.sync[0] != '\0'));
}

static void
sync_new_term(struct elector *el)
{
	struct elector_sync *s = &el->sync;

	snprintf(s->term, sizeof(s->term), "%.40s.%llu", el->s->opt->session_id,
		(unsigned long long)el->object.transitions + 1);
}

/*
 * The claim.  Of a leader that comes back the set holds as long as its setting covers it; a new one
 * takes over, and whoever acknowledged to the last one has no say until it does so here.  The
 * setting counts for what it promises only where postgres shows it.
 */
static struct syncset
sync_claim(struct elector *el)
{
	struct elector_sync *s = &el->sync;
	struct elector_set set;
	struct syncset was, own = {0, 0};
	bool stopped = !el->sv.pg_pid, ours;

	elector_set_read(&set, el->object.sync);
	was = elector_set_of(s, &set);
	ours = elector_set_ours(el, &set);
	if (el->sv.state >= FSM_PROMOTE && el->sv.state <= FSM_PRIMARY)
		ours = ours || strcmp(set.leader, el->s->opt->pod_name) == 0;
	if (ours)
		snprintf(s->term, sizeof(s->term), "%s", set.term);
	else
		sync_new_term(el);
	/* Who claims has whatever was acknowledged: should the claim be all that it comes to, it
	 * may come back.  Of a claim that does not land the mark says nothing to anybody. */
	elector_set_own(el);
	if (stopped && ours && was.voters) {
		sync_set(el, was); /* postgres is started with it */
		return was;
	}
	if (ours && !stopped && syncset_covers(s->guc, was))
		return was;
	if (!ours && s->force_ns)
		own = syncset_takeover(was, elector_set_bit(s, el->s->opt->pod_name), s->guc);
	return own;
}

void
elector_sync_wish(struct elector *el)
{
	struct elector_sync *s = &el->sync;
	struct lease_object *w = &el->wanted;

	if (!s->told && !s->doubt)
		s->target = sync_claim(el);
	s->sent = s->target;
	s->doubt = s->doubt || !s->told || !syncset_equal(s->sent, s->lease);
	if (sync_over(el) && (!*w->sync || s->told))
		w->sync[0] = '\0';
	else
		elector_set_text(el, s->target, w->sync, sizeof(w->sync));
}

void
elector_sync_answered(struct elector *el)
{
	struct elector_sync *s = &el->sync;

	s->lease = s->target = s->sent;
	s->told = true;
	s->doubt = false;
}

const char *
elector_sync_obstacle(const struct elector *el, const struct elector_peer *p)
{
	const struct elector_sync *s = &el->sync;
	int here = 0, needed = __builtin_popcount(s->lease.voters) - s->lease.acks + 1;
	bool voter = false;

	if (!el->object.sync[0])
		return NULL;
	for (size_t i = 0; i < el->peers; i++) {
		const struct elector_peer *q = &el->peer[i];

		for (size_t k = 0; k < SYNCSET_MEMBERS; k++) {
			if (!(s->lease.voters & UINT32_C(1) << k) ||
				strcmp(s->name[k], q->name) != 0)
				continue;
			here += q->facts.reachable && q->facts.replaying;
			voter |= q == p;
		}
	}
	if (!voter)
		return "the member is not among the synchronous standbys";
	return here >= needed ? NULL : "too few synchronous standbys answer";
}

/* ---- the board ---- */

void
elector_sync_begin(struct elector *el)
{
	struct elector_sync *s = &el->sync;

	/* What an elector before us told postgres is still to be found on the board. */
	if (el->st.sync_names[0])
		s->guc = elector_set_names(s, el->st.sync_names);
}

void
elector_sync_publish(struct elector *el)
{
	struct elector_status *st = &el->st;
	struct elector_set set;

	elector_set_read(&set, el->object.sync);
	st->sync = set.on;
	memcpy(st->sync_leader, set.leader, sizeof(st->sync_leader));
	st->sync_acks = (uint32_t)set.acks;
	for (size_t i = 0; i < el->peers; i++)
		el->peer[i].seen.voter = elector_set_has(&set, el->peer[i].name);
}
