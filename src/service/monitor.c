/*
 * monitor - the service: turns, news from the supervisor, publishing.
 */
#include "service/monitor.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "sys/channel.h"

/* ---- publishing ---- */

static void
monitor_judge(struct monitor *m)
{
	struct pg_facts *f = &m->facts;
	const struct monitor_kept *k = &m->kept;
	int64_t now = clock_boot_ns();
	const struct monitor_signs signs = {
		.gone = m->files.gone,
		.pid = f->pid,
		.state = m->files.state,
		.blocked = m->files.blocked,
		.accept = (enum pg_accept)f->accept,
		.pidfile = m->files.pidfile.status,
		.redo = f->redo,
		.redo_wal = f->redo_wal,
		.redo_progress = f->redo_progress,
		.overdue_ms = k->silent_ns ? (now - k->silent_ns) / MS_NS : 0,
		.refused = k->up ? "" : m->refused,
		.refused_sqlstate = m->refused_sqlstate,
		.probe = m->probe.failed ? m->probe.error : "",
		.probe_sqlstate = m->probe.sqlstate,
		.query_error = m->query_error,
		.known = f->known,
		.connections = f->connections,
		.max_connections = f->max_connections,
		.reserved = m->reserved,
		.flush_age_ms = f->flush_ok_ns ? (now - f->flush_ok_ns) / MS_NS : 0,
		.wal_free_bytes = f->disk_wal_free,
	};

	monitor_problem(&signs, f->problem, sizeof(f->problem), f->hint, sizeof(f->hint));
	if (!m->pq_ok && !f->problem[0])
		snprintf(f->problem, sizeof(f->problem), "libpq cannot be loaded");
}

/* Starting and stopping are no trouble, and the supervisor logs them. */
static bool
monitor_trouble(const struct monitor *m)
{
	const struct pg_facts *f = &m->facts;

	return f->problem[0] && (f->accept == PG_ACCEPT_YES || f->accept == PG_ACCEPT_UNKNOWN);
}

static void
monitor_log_trouble(const struct monitor *m)
{
	if (monitor_trouble(m))
		log_warning("postgres is in trouble", F_STR("problem", m->facts.problem),
			F_STR("hint", m->facts.hint));
	else if (m->facts.pid)
		log_info("postgres is out of trouble");
}

/* Remembers what is published; false when it differs in kind from the last time. */
static bool
monitor_told(struct monitor *m)
{
	const struct pg_facts *f = &m->facts;
	bool problem = monitor_trouble(m);
	bool same = m->told.pid == f->pid && m->told.accept == f->accept &&
		    m->told.known == f->known && m->told.in_recovery == f->in_recovery &&
		    m->told.timeline == f->timeline && m->told.data_gone == f->data_gone &&
		    m->told.written_timeline == f->written_timeline && m->told.problem == problem;

	if (m->told.problem != problem)
		monitor_log_trouble(m);
	m->told.pid = f->pid;
	m->told.accept = f->accept;
	m->told.known = f->known;
	m->told.in_recovery = f->in_recovery;
	m->told.timeline = f->timeline;
	m->told.data_gone = f->data_gone;
	m->told.written_timeline = f->written_timeline;
	m->told.problem = problem;
	return same;
}

static void
monitor_put(struct monitor *m, bool even_if_same)
{
	bool same;

	monitor_judge(m);
	same = monitor_told(m);
	if (same && !even_if_same)
		return;
	m->dirty = false;
	shared_write(m->s->board, SEC_POSTGRES, &m->facts);
	if (!same)
		service_poke(m->s);
}

void
monitor_publish(struct monitor *m)
{
	monitor_put(m, true);
}

void
monitor_publish_if_new(struct monitor *m)
{
	monitor_put(m, false);
}

void
monitor_accept(struct monitor *m, enum pg_accept accept)
{
	if (m->facts.accept == accept)
		return;
	m->facts.accept = accept;
	monitor_publish(m);
}

/* ---- news from the supervisor ---- */

/* What was known of the former postmaster is not true of this one; files, disks and memory are the
 * same as before. */
static void
monitor_forget(struct monitor *m)
{
	struct pg_facts *f = &m->facts;
	size_t from = offsetof(struct pg_facts, connect_ok_ns);
	uint64_t system_id = f->system_id;
	int32_t ready = f->ready_wal_files;

	memset((char *)f + from, 0, offsetof(struct pg_facts, data_gone) - from);
	f->system_id = system_id;
	f->ready_wal_files = ready;
	f->pid = m->sup.pg_pid;
	f->accept = f->pid ? PG_ACCEPT_STARTING : PG_ACCEPT_NO;
	f->redo_progress = -1;
	f->redo_moved_ns = clock_boot_ns();
}

/* A monitor that was started again goes on with what the former one saw of the same postmaster:
 * its own restart must not look like one of postgres. */
static bool
monitor_inherits(struct monitor *m)
{
	bool same = m->facts.pid && m->facts.pid == m->sup.pg_pid &&
		    m->inherited_ns > m->sup.pg_started_boot_ns;

	m->inherited_ns = 0;
	return same;
}

static void
monitor_new_postmaster(struct monitor *m)
{
	monitor_kept_close(m);
	monitor_probe_close(m);
	if (!monitor_inherits(m))
		monitor_forget(m);
	m->redo = (struct monitor_redo){0};
	m->refused[0] = m->refused_sqlstate[0] = m->query_error[0] = '\0';
	m->kept.silent_ns = 0;
	m->flush_wait_lsn = 0;
	monitor_files_new_postmaster(m);
	monitor_publish(m);
}

void
monitor_news(struct monitor *m)
{
	uint32_t seq = board_seq(m->s->board, SEC_SUPERVISOR);
	bool other;

	if (seq == m->sup_seq || !shared_read(m->s->board, SEC_SUPERVISOR, &m->sup_new))
		return;
	other = !m->sup_seq || m->sup.pg_pid != m->sup_new.pg_pid ||
		m->sup.pg_started_boot_ns != m->sup_new.pg_started_boot_ns;
	m->sup_seq = seq;
	m->sup = m->sup_new;
	if (other)
		monitor_new_postmaster(m);
	if (m->sup.pg_pid && m->sup.pg_phase == PG_PHASE_STOPPING)
		monitor_accept(m, PG_ACCEPT_STOPPING);
	monitor_kept_go(m);
}

static void
monitor_on_msg(struct service *s, const struct channel_msg *msg)
{
	struct monitor *m = s->arg;

	if (msg->type != MSG_POKE)
		return;
	/* Whoever chooses the next primary asks what was received until now. */
	if (m->sup.state == FSM_STANDBY)
		monitor_kept_ask_soon(m, OBSERVE_POSITION);
	monitor_news(m);
	monitor_kept_go(m);
}

/* ---- turns ---- */

void
monitor_tick(struct monitor *m)
{
	monitor_news(m);
	monitor_kept_go(m);
	monitor_probe_go(m);
	monitor_files_look(m);
	monitor_redo_look(m);
	monitor_plot_look(m);
	monitor_publish(m);
}

static void
monitor_on_tick(struct service *s)
{
	monitor_tick(s->arg);
}

int
monitor_new(struct monitor **out, struct service *s, struct err *e)
{
	AUTO(monitor_free) struct monitor *m = calloc(1, sizeof(*m));
	struct err pq;

	if (!m)
		return err_sys(e, "make the monitor");
	m->s = s;
	m->inherited_ns = shared_read(s->board, SEC_POSTGRES, &m->facts);
	if (!m->inherited_ns)
		m->facts.accept = PG_ACCEPT_NO;
	m->files.inotify = -1;
	monitor_kept_init(m);
	monitor_probe_init(m);
	monitor_plot_init(m);
	if (monitor_files_init(m, e) < 0)
		return -1;
	m->pq_ok = pq_load(&m->pq, &pq) == 0;
	if (!m->pq_ok)
		log_error("postgres is not looked at", F_STR("error", pq.msg));
	*out = take(m);
	return 0;
}

struct monitor *
monitor_free(struct monitor *m)
{
	if (!m)
		return NULL;
	monitor_kept_close(m);
	monitor_probe_close(m);
	monitor_files_deinit(m);
	free(m);
	return NULL;
}

int
service_monitor_main(struct service *s)
{
	AUTO(monitor_free) struct monitor *m = NULL;
	struct err e;

	if (monitor_new(&m, s, &e) < 0) {
		log_error("monitor cannot start", F_STR("error", e.msg));
		return err_exit(&e);
	}
	s->arg = m;
	s->on_msg = monitor_on_msg;
	s->on_tick = monitor_on_tick;
	if (service_run(s, &e) < 0) {
		log_error("monitor ends", F_STR("error", e.msg));
		return err_exit(&e);
	}
	return 0;
}
