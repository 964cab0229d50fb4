/*
 * monitor_probe - the short connections: does a new one work, and what do the databases hold.
 *
 * A postmaster that hangs goes unnoticed by an old connection, so a new one is tried every ten
 * seconds.  When databases are to be visited, the next ones go there instead.
 */
#include "service/monitor.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

#define PROBE_MS (10 * SEC_MS)
#define PROBE_AGAIN_MS (2 * SEC_MS) /* after a failure */
#define SLACK_MS 200

static void
probe_done(struct monitor *m, int64_t again_ms)
{
	struct monitor_probe *p = &m->probe;

	monitor_link_close(&p->link);
	p->visiting = p->asked = false;
	p->due_ns = clock_boot_ns() + (again_ms - SLACK_MS) * MS_NS;
}

static void
probe_visits_end(struct monitor *m)
{
	struct monitor_probe *p = &m->probe;

	free(take(p->visit));
	p->visits = p->visited = 0;
}

static void
probe_visit_done(struct monitor *m)
{
	struct monitor_probe *p = &m->probe;

	probe_done(m, SLACK_MS);
	if (++p->visited < p->visits)
		return;
	probe_visits_end(m);
	monitor_collation_end(m);
	p->due_ns = clock_boot_ns() + PROBE_MS * MS_NS;
}

static void
probe_failed(struct monitor *m, const char *error, const char *sqlstate)
{
	struct monitor_probe *p = &m->probe;
	bool news = !p->failed;

	p->failed = true;
	snprintf(p->error, sizeof(p->error), "%s", error);
	snprintf(p->sqlstate, sizeof(p->sqlstate), "%s", sqlstate);
	if (sqlstate[0])
		m->facts.heard_ns = clock_boot_ns();
	probe_done(m, PROBE_AGAIN_MS);
	if (news)
		monitor_publish(m);
}

static void
probe_ok(struct monitor *m)
{
	struct monitor_probe *p = &m->probe;

	p->failed = false;
	p->error[0] = p->sqlstate[0] = '\0';
	m->facts.heard_ns = m->facts.connect_ok_ns = clock_boot_ns();
}

static void
probe_ask(struct monitor *m)
{
	struct monitor_probe *p = &m->probe;
	const char *text = observe_text(OBSERVE_INSIDE, sql_server_version(p->link.sql));
	struct err e;

	p->asked = true;
	if (sql_send(p->link.sql, text, clock_boot_ns() + MONITOR_ANSWER_MS * MS_NS, &e) < 0)
		probe_visit_done(m);
	else
		monitor_link_watch(&p->link);
}

static void
probe_idle(struct monitor *m)
{
	struct monitor_probe *p = &m->probe;

	if (!p->asked) {
		probe_ok(m);
		if (p->visiting)
			probe_ask(m);
		else
			probe_done(m, PROBE_MS);
		return;
	}
	if (sql_failed(p->link.sql))
		log_debug("collations not seen", F_STR("database", p->visit[p->visited]),
			F_STR("error", sql_error(p->link.sql)));
	else if (sql_rows(p->link.sql) > 0)
		monitor_collation_found(m, p->link.sql, 0);
	probe_visit_done(m);
}

/* A database may have gone or be closed to us, which says nothing about the server; no word of its
 * own, no slot left (53300) and "starting up" (57P03) do. */
static bool
probe_is_about_server(const char *sqlstate)
{
	return sqlstate[0] == '\0' || strcmp(sqlstate, "53300") == 0 ||
	       strcmp(sqlstate, "57P03") == 0;
}

static void
probe_broken(struct monitor *m, const char *error, const char *sqlstate)
{
	struct monitor_probe *p = &m->probe;
	char text[sizeof(p->error)], state[sizeof(p->sqlstate)];

	/* they belong to the connection, which is about to be closed */
	snprintf(text, sizeof(text), "%s", error);
	snprintf(state, sizeof(state), "%s", sqlstate);
	if (p->visiting && (p->asked || !probe_is_about_server(state)))
		probe_visit_done(m);
	else
		probe_failed(m, text, state);
}

static void
probe_on_turn(struct monitor_link *l)
{
	if (sql_state(l->sql) == SQL_IDLE)
		probe_idle(l->m);
	else if (sql_state(l->sql) == SQL_BROKEN)
		probe_broken(l->m, sql_error(l->sql), sql_sqlstate(l->sql));
}

static void
probe_on_timer(struct monitor_link *l)
{
	probe_broken(l->m, "no answer in time", "");
}

void
monitor_probe_init(struct monitor *m)
{
	monitor_link_init(&m->probe.link, m);
	m->probe.link.on_turn = probe_on_turn;
	m->probe.link.on_timer = probe_on_timer;
}

void
monitor_probe_close(struct monitor *m)
{
	monitor_link_close(&m->probe.link);
	probe_visits_end(m);
	m->probe.visiting = m->probe.asked = m->probe.failed = false;
	m->probe.error[0] = m->probe.sqlstate[0] = '\0';
	m->probe.due_ns = 0;
}

void
monitor_probe_visits(struct monitor *m, const struct sql *rows)
{
	struct monitor_probe *p = &m->probe;
	uint32_t n = (uint32_t)sql_rows(rows);

	if (p->visit || n == 0)
		return;
	p->visit = calloc(n, sizeof(*p->visit));
	if (!p->visit)
		return;
	for (uint32_t i = 0; i < n; i++)
		sql_copy(rows, (int)i, 0, p->visit[i], sizeof(p->visit[i]));
	p->visits = n;
	p->visited = 0;
	p->due_ns = 0;
}

void
monitor_probe_go(struct monitor *m)
{
	struct monitor_probe *p = &m->probe;
	struct err e;

	if (!m->kept.up || p->link.sql || clock_boot_ns() < p->due_ns)
		return;
	p->visiting = p->visit != NULL && !p->failed;
	p->asked = false;
	if (monitor_link_open(&p->link, p->visiting ? p->visit[p->visited] : m->kept.database,
		    "podgres-probe", &e) < 0)
		probe_broken(m, e.msg, "");
	else if (sql_state(p->link.sql) == SQL_BROKEN)
		probe_on_turn(&p->link);
}
