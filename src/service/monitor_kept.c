/*
 * monitor_kept - the kept connection: when to make it, and what to ask when.
 *
 * It is made when postmaster.pid says "ready", which the postmaster writes at the moment it takes
 * connections, and given back when postgres stops, because a smart shutdown waits for it.  A lost
 * connection is made again at once; only a new one that is refused says anything about postgres.
 * One that does not answer is kept for long: a second one would only hang as well, and hold another
 * slot.
 */
#include "service/monitor.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "core/lineage.h"

#define BACKOFF_MIN_MS 10
#define BACKOFF_MAX_MS 1000
#define ABANDON_MS 30000
#define ABANDON_MAX_MS 300000
#define PACE_MS 25
#define ALONE_MS 250 /* between looks at a standby that receives nothing: who is chosen? */
#define SLACK_MS 200 /* due so much before its time: ticks are not exact */
#define HOUR_MS (3600 * SEC_MS)

static const int64_t period_ms[OBSERVES] = {
	[OBSERVE_POSITION] = 1 * SEC_MS,
	[OBSERVE_LOAD] = 2 * SEC_MS,
	[OBSERVE_SETTINGS] = 60 * SEC_MS,
	[OBSERVE_PENDING] = 60 * SEC_MS,
	[OBSERVE_REPLICAS] = 10 * SEC_MS,
	[OBSERVE_SLOTS] = 5 * SEC_MS,
	[OBSERVE_ARCHIVER] = 10 * SEC_MS,
	[OBSERVE_COLLATION] = HOUR_MS,
	[OBSERVE_DATABASES] = HOUR_MS,
};

static bool
kept_wanted(const struct monitor *m)
{
	return m->pq_ok && m->sup.pg_pid && m->facts.accept != PG_ACCEPT_STOPPING;
}

/* ---- asking ---- */

static bool
kept_promoting(const struct monitor *m)
{
	return m->sup.state == FSM_PROMOTE && m->kept.up && !m->facts.written_lsn;
}

static bool
kept_alone(const struct monitor *m)
{
	return m->s->opt->coordination == COORDINATION_KUBERNETES && m->kept.up &&
	       m->sup.state == FSM_STANDBY && m->facts.known && !m->facts.receiver_active;
}

static int
kept_next(const struct monitor *m)
{
	int64_t now = clock_boot_ns();

	for (int q = 0; q < OBSERVES; q++)
		if (m->kept.due_ns[q] <= now)
			return q;
	return -1;
}

static void kept_broken(struct monitor *m);

static void
kept_send(struct monitor *m, int q)
{
	struct monitor_kept *k = &m->kept;
	const char *name = observe_name((enum observe)q);
	const char *text = observe_text((enum observe)q, sql_server_version(k->link.sql));
	int64_t deadline_ns = clock_boot_ns() + MONITOR_ANSWER_MS * MS_NS;
	struct err e;
	int r;

	k->asking = q;
	k->preparing = q < OBSERVES && !(k->prepared & 1u << q);
	if (k->preparing)
		r = sql_send_prepare(k->link.sql, name, text, deadline_ns, &e);
	else if (q < OBSERVES)
		r = sql_send_prepared(k->link.sql, name, deadline_ns, &e);
	else
		r = sql_send(k->link.sql, text, deadline_ns, &e);
	if (r < 0)
		kept_broken(m);
	else
		monitor_link_watch(&k->link);
}

static void
kept_ask(struct monitor *m, int q)
{
	m->kept.asked_ns = clock_boot_ns();
	m->kept.overdue = false;
	kept_send(m, q);
}

void
monitor_kept_ask_soon(struct monitor *m, enum observe q)
{
	m->kept.due_ns[q] = 0;
}

static void
kept_wrote(struct monitor *m)
{
	uint64_t lsn = 0;

	if (!lineage_lsn_parse(sql_text(m->kept.link.sql, 0, 0), &lsn))
		return;
	m->facts.written_lsn = lsn;
	m->facts.written_timeline = m->facts.timeline;
	log_info("a write on the new timeline is flushed", F_INT("timeline", m->facts.timeline));
}

static void
kept_refused(struct monitor *m, int q)
{
	const char *error = sql_error(m->kept.link.sql);

	log_at(q == OBSERVE_POSITION ? LOG_WARNING : LOG_DEBUG, "postgres refuses a query",
		F_STR("query", observe_name((enum observe)q)), F_STR("error", error));
	if (q == OBSERVE_POSITION)
		snprintf(m->query_error, sizeof(m->query_error), "%s", error);
}

/* The rows of the present question are there, or its refusal. */
static void
kept_answered(struct monitor *m)
{
	struct monitor_kept *k = &m->kept;
	int q = k->asking;

	if (k->preparing && !sql_failed(k->link.sql)) {
		k->prepared |= 1u << q;
		kept_send(m, q);
		return;
	}
	k->asking = -1;
	k->overdue = false;
	k->silent_ns = 0;
	k->abandon_ms = ABANDON_MS;
	m->dirty = true;
	if (q < OBSERVES)
		k->due_ns[q] = k->asked_ns + (period_ms[q] - SLACK_MS) * MS_NS;
	if (sql_failed(k->link.sql)) {
		kept_refused(m, q);
	} else if (q == OBSERVE_WRITE) {
		kept_wrote(m);
	} else {
		monitor_rows(m, (enum observe)q, k->link.sql);
		if (q == OBSERVE_POSITION)
			m->query_error[0] = '\0';
	}
	monitor_publish_if_new(m);
	if (q == OBSERVE_POSITION && kept_promoting(m) && !m->facts.in_recovery &&
		m->facts.timeline > m->sup.plan.timeline && !sql_failed(k->link.sql))
		kept_ask(m, OBSERVE_WRITE);
	else
		monitor_kept_go(m);
}

static void
kept_on_pace(struct loop_timer *t, void *arg)
{
	struct monitor *m = arg;

	(void)t;
	if (!kept_promoting(m) && !kept_alone(m))
		return;
	loop_timer_in(m->s->loop, &m->kept.pace, kept_promoting(m) ? PACE_MS : ALONE_MS);
	monitor_kept_ask_soon(m, OBSERVE_POSITION);
	monitor_kept_go(m);
}

/* ---- connecting ---- */

static void
kept_connected(struct monitor *m)
{
	struct monitor_kept *k = &m->kept;

	k->up = true;
	k->asking = -1;
	k->prepared = 0;
	k->overdue = false;
	k->silent_ns = 0;
	k->backoff_ms = BACKOFF_MIN_MS;
	k->reload_mark[0] = '\0';
	k->senders = 0;
	m->refused[0] = m->refused_sqlstate[0] = '\0';
	m->facts.connect_ok_ns = clock_boot_ns();
	m->facts.heard_ns = m->facts.flush_ok_ns = m->facts.connect_ok_ns;
	m->facts.redo = false;
	for (int q = 0; q < OBSERVES; q++)
		k->due_ns[q] = 0;
	monitor_accept(m, PG_ACCEPT_YES);
	if (m->sup.state == FSM_PROMOTE)
		loop_timer_in(m->s->loop, &k->pace, PACE_MS);
	monitor_kept_go(m);
}

/* What a refused connection says about postgres; SQLSTATEs: PostgreSQL, appendix A. */
static enum pg_accept
kept_verdict(const struct monitor *m)
{
	if (m->files.pidfile.status == PIDFILE_STOPPING)
		return PG_ACCEPT_STOPPING;
	if (strcmp(m->refused_sqlstate, "53300") == 0)
		return PG_ACCEPT_YES; /* too many: it does take connections */
	if (strcmp(m->refused_sqlstate, "57P03") == 0 || m->refused_sqlstate[0] == '\0')
		return PG_ACCEPT_STARTING;
	return PG_ACCEPT_UNKNOWN;
}

static void
kept_other_database(struct monitor *m)
{
	struct monitor_kept *k = &m->kept;
	const char *other = m->sup.plan.database;

	if (strcmp(k->database, "postgres") != 0 || other[0] == '\0' ||
		strcmp(other, "postgres") == 0)
		other = strcmp(k->database, "template1") == 0 ? "postgres" : "template1";
	snprintf(k->database, sizeof(k->database), "%s", other);
}

static void kept_connect(struct monitor *m);

static void
kept_broken(struct monitor *m)
{
	struct monitor_kept *k = &m->kept;
	bool was_up = k->up;

	if (!was_up) {
		snprintf(m->refused, sizeof(m->refused), "%s", sql_error(k->link.sql));
		snprintf(m->refused_sqlstate, sizeof(m->refused_sqlstate), "%s",
			sql_sqlstate(k->link.sql));
		k->silent_ns = 0; /* a refusal is an answer */
		if (m->refused_sqlstate[0])
			m->facts.heard_ns = clock_boot_ns();
	}
	log_debug(was_up ? "the kept connection is lost" : "no connection to postgres",
		F_STR("error", sql_error(k->link.sql)));
	monitor_kept_close(m);
	if (!kept_wanted(m))
		return;
	if (was_up) {
		kept_connect(m);
		return;
	}
	if (strcmp(m->refused_sqlstate, "3D000") == 0)
		kept_other_database(m);
	monitor_accept(m, kept_verdict(m));
	loop_timer_in(m->s->loop, &k->link.timer, k->backoff_ms);
	k->backoff_ms = k->backoff_ms * 2 < BACKOFF_MAX_MS ? k->backoff_ms * 2 : BACKOFF_MAX_MS;
}

static void
kept_on_turn(struct monitor_link *l)
{
	struct monitor *m = l->m;

	switch (sql_state(l->sql)) {
	case SQL_CONNECTING:
	case SQL_BUSY:
		return;
	case SQL_BROKEN:
		kept_broken(m);
		return;
	case SQL_IDLE:
		if (!m->kept.up)
			kept_connected(m);
		else if (m->kept.asking >= 0)
			kept_answered(m);
	}
}

static void
kept_connect(struct monitor *m)
{
	struct monitor_kept *k = &m->kept;
	struct err e;

	k->asked_ns = clock_boot_ns();
	k->overdue = false;
	if (monitor_link_open(&k->link, k->database, "podgres-monitor", &e) < 0) {
		log_error("cannot connect to postgres", F_STR("error", e.msg));
		loop_timer_in(m->s->loop, &k->link.timer, BACKOFF_MAX_MS);
	} else if (sql_state(k->link.sql) == SQL_BROKEN) {
		kept_broken(m);
	}
}

/* The back-off is over, or an answer is late. */
static void
kept_on_timer(struct monitor_link *l)
{
	struct monitor *m = l->m;
	struct monitor_kept *k = &m->kept;

	if (!l->sql) {
		monitor_kept_go(m);
		return;
	}
	if (!k->overdue) {
		k->overdue = true;
		if (!k->silent_ns)
			k->silent_ns = k->asked_ns;
		loop_timer_at(m->s->loop, &l->timer, k->asked_ns + k->abandon_ms * MS_NS);
		monitor_publish(m);
		return;
	}
	log_warning("the connection to postgres does not answer and is given up",
		F_INT("waitedMs", (clock_boot_ns() - k->asked_ns) / MS_NS));
	k->abandon_ms = k->abandon_ms * 2 < ABANDON_MAX_MS ? k->abandon_ms * 2 : ABANDON_MAX_MS;
	monitor_kept_close(m);
	kept_connect(m);
}

/* ---- the outside ---- */

void
monitor_kept_init(struct monitor *m)
{
	struct monitor_kept *k = &m->kept;

	monitor_link_init(&k->link, m);
	k->link.on_turn = kept_on_turn;
	k->link.on_timer = kept_on_timer;
	k->asking = -1;
	k->backoff_ms = BACKOFF_MIN_MS;
	k->abandon_ms = ABANDON_MS;
	snprintf(k->database, sizeof(k->database), "postgres");
	loop_timer_init(&k->pace, kept_on_pace, m);
}

void
monitor_kept_close(struct monitor *m)
{
	struct monitor_kept *k = &m->kept;

	monitor_link_close(&k->link);
	loop_timer_off(&k->pace);
	k->up = k->overdue = false;
	k->asking = -1;
}

void
monitor_kept_ready(struct monitor *m)
{
	struct monitor_kept *k = &m->kept;

	if (k->link.sql)
		return;
	k->backoff_ms = BACKOFF_MIN_MS;
	loop_timer_off(&k->link.timer);
	monitor_kept_go(m);
}

void
monitor_kept_go(struct monitor *m)
{
	struct monitor_kept *k = &m->kept;
	int q;

	if (!kept_wanted(m)) {
		monitor_kept_close(m);
		return;
	}
	if (!k->link.sql) {
		if (m->files.pidfile.status == PIDFILE_READY && !k->link.timer.linked)
			kept_connect(m);
		return;
	}
	if (!k->up || k->asking >= 0)
		return;
	if (!k->pace.linked && kept_promoting(m))
		loop_timer_in(m->s->loop, &k->pace, PACE_MS);
	else if (!k->pace.linked && kept_alone(m))
		loop_timer_in(m->s->loop, &k->pace, ALONE_MS);
	q = kept_next(m);
	if (q >= 0)
		kept_ask(m, q);
	else if (m->dirty)
		monitor_publish(m);
}
