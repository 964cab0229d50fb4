/*
 * job_members - sees to what members replicate with: the role and the slots.
 *
 * Process: the job members, every few seconds while postgres takes connections.  It also has the
 * primary write a checkpoint on a timeline that is new, because pg_rewind reads the timeline from
 * there; and a standby that receives nothing looks whether it still can: its result is then
 * "diverged", or "gone LSN", and only a preparation helps.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "pg/control.h"
#include "pg/sql.h"
#include "service/prepare_member.h"
#include "service/spec_file.h"
#include "sys/file.h"

#define SQL_MS 5000
#define CHECKPOINT_MS 20000
#define WAITS_LOOKS 10
#define WAITS_LOOK_MS 200

struct members {
	struct job *j;
	struct plan plan;
	struct elector_status el;
	struct member_access access;
	struct pq pq;
	struct sql *sql;
	bool in_recovery, receiving;
	uint64_t replayed;
	int64_t up_ms; /* since postgres was started */
	struct holder holder;
	bool has_holder;
};

static int
members_access(struct members *m, struct err *e)
{
	AUTO(spec_free) struct spec *spec = NULL;
	struct spec_notes notes = {0};
	int rc = 0;

	if (!*m->j->opt->cluster_name)
		rc = spec_file_load(&spec, m->j->opt, &notes, e);
	spec_notes_deinit(&notes);
	return rc < 0 ? -1 : member_access(&m->access, m->j->opt, spec ? spec->name : NULL, e);
}

static int
members_connect(struct members *m, struct err *e)
{
	const struct sql_spec spec = {.host = m->plan.socket_dir,
		.port = m->plan.port,
		.user = m->plan.superuser,
		.database = "postgres",
		.application = "podgres",
		.settings = "-c statement_timeout=20s -c synchronous_commit=local"};
	int64_t deadline_ns = clock_boot_ns() + SQL_MS * MS_NS;

	if (pq_load(&m->pq, e) < 0 || sql_open(&m->sql, &m->pq, &spec, deadline_ns, e) < 0)
		return -1;
	if (sql_wait(m->sql, e) < 0 ||
		sql_ask(m->sql,
			"SELECT pg_catalog.pg_is_in_recovery(), EXISTS (SELECT FROM "
			"pg_catalog.pg_stat_wal_receiver WHERE status = 'streaming'), "
			"COALESCE(pg_catalog.pg_last_wal_replay_lsn(), '0/0'), "
			"(1000 * EXTRACT(epoch FROM pg_catalog.now() - "
			"pg_catalog.pg_postmaster_start_time()))::bigint",
			deadline_ns, e) < 0)
		return err_add(e, "own postgres");
	m->in_recovery = sql_bool(m->sql, 0, 0);
	m->receiving = sql_bool(m->sql, 0, 1);
	(void)!lineage_lsn_parse(sql_text(m->sql, 0, 2), &m->replayed);
	m->up_ms = sql_int(m->sql, 0, 3, 0);
	return 0;
}

/* ---- on the primary ---- */

static int
members_checkpoint(struct members *m, struct err *e)
{
	int64_t deadline_ns = clock_boot_ns() + CHECKPOINT_MS * MS_NS;

	if (sql_ask(m->sql,
		    "SELECT pg_catalog.to_hex(timeline_id) <> pg_catalog.ltrim(pg_catalog.lower("
		    "pg_catalog.substr(pg_catalog.pg_walfile_name("
		    "pg_catalog.pg_current_wal_insert_lsn()), 1, 8)), '0') "
		    "FROM pg_catalog.pg_control_checkpoint()",
		    deadline_ns, e) < 0)
		return -1;
	if (!sql_bool(m->sql, 0, 0))
		return 0;
	job_phase(m->j, "writing a checkpoint on the new timeline", -1);
	return sql_ask(m->sql, "CHECKPOINT", deadline_ns, e);
}

/* ---- on a standby ---- */

static struct member_target
members_target(const struct members *m)
{
	return (struct member_target){.access = &m->access,
		.host = m->el.holder_address,
		.port = m->el.holder_port ? m->el.holder_port : m->plan.port,
		.application = "podgres"};
}

static void
members_find_holder(struct members *m)
{
	const struct member_target to = members_target(m);
	struct err e;

	if (m->el.role != ELECTOR_FOLLOW || !*m->el.holder_address)
		return;
	m->has_holder = holder_open(&m->holder, &to, &e) == 0;
	if (!m->has_holder)
		log_debug("the primary does not answer", F_STR("error", e.msg));
}

/* Without it a new primary that has not made it yet would turn us away. */
static void
members_own_slot(struct members *m)
{
	char slot[MEMBER_SLOT_SIZE];
	struct err e;

	member_slot_name(m->j->opt->pod_name, slot);
	if (m->has_holder && !m->receiving && !m->holder.in_recovery &&
		holder_slot(&m->holder, slot, &e) < 0)
		log_warning("no slot on the primary", F_STR("error", e.msg));
}

/* WAL of a later timeline of the primary holds our place: we followed it there, whatever pg_control
 * says, which learns of it with the next restart point. */
static bool
members_followed(const struct members *m, const struct control *c)
{
	char name[LINEAGE_NAME_SIZE], path[FILE_PATH_MAX];
	struct err ignored;

	for (size_t i = 0; i < m->holder.history.n; i++) {
		uint32_t timeline = m->holder.history.entry[i].timeline;

		if (timeline <= control_timeline(c) || m->replayed == 0)
			continue;
		lineage_name(timeline, m->replayed - 1, c->wal_segment_bytes, name);
		if (file_join(path, sizeof(path), m->plan.waldir, name, &ignored) == 0 &&
			file_exists(path))
			return true;
	}
	return false;
}

/* Nothing is received although the primary is there, and it left our timeline before where we are.
 */
static int
members_ancestry(struct members *m, struct err *e)
{
	struct lineage_history own = {0};
	struct control c;
	uint32_t timeline;
	uint64_t fork = LINEAGE_OPEN;
	char at[LINEAGE_LSN_SIZE], here[LINEAGE_LSN_SIZE];
	int rc;

	if (!m->has_holder || m->receiving || m->holder.in_recovery)
		return 0;
	if (control_read(&c, m->j->opt->pgdata, e) < 0)
		return -1;
	if (members_followed(m, &c))
		return 0;
	rc = member_history(&own, m->plan.waldir, control_timeline(&c), &m->holder.history, e);
	if (rc == 0 && (!lineage_fork(&own, &m->holder.history, &timeline, &fork) ||
			       (fork != LINEAGE_OPEN && m->replayed > fork))) {
		snprintf(m->j->report.result, sizeof(m->j->report.result), "diverged");
		log_warning("this standby is not on the primary's line any more",
			F_STR("left_at", lineage_lsn_text(fork, at) + 0),
			F_STR("here", lineage_lsn_text(m->replayed, here) + 0));
	}
	free(own.entry);
	return rc;
}

/* Replay has all that pg_wal and the archive give, and waits for more: before either of these waits
 * restore_command was asked for just that, and had nothing.  In between it is asked again, so that
 * one look may miss it. */
static int
members_waits(struct members *m, bool *waits, struct err *e)
{
	static const char sql[] =
		"SELECT COALESCE(pg_catalog.pg_last_wal_replay_lsn(), '0/0') FROM "
		"pg_catalog.pg_stat_activity WHERE backend_type = 'startup' AND wait_event IN "
		"('RecoveryWalStream', 'RecoveryRetrieveRetryInterval')";
	uint64_t lsn;

	*waits = false;
	for (int i = 0; i < WAITS_LOOKS; i++) {
		if (i > 0)
			poll(NULL, 0, WAITS_LOOK_MS);
		if (sql_ask(m->sql, sql, clock_boot_ns() + SQL_MS * MS_NS, e) < 0)
			return -1;
		*waits = sql_rows(m->sql) == 1 && lineage_lsn_parse(sql_text(m->sql, 0, 0), &lsn) &&
			 lsn == m->replayed;
		if (*waits)
			return 0;
	}
	return 0;
}

/* We are on the primary's line, and it has no WAL any more that we could go on with. */
static int
members_gone(struct members *m, struct err *e)
{
	const struct member_target to = members_target(m);
	char lsn[LINEAGE_LSN_SIZE];
	bool gone = false;

	if (!m->has_holder || m->receiving || m->holder.in_recovery || m->el.driven ||
		m->replayed == 0 || *m->j->report.result)
		return 0;
	if (members_waits(m, &gone, e) < 0)
		return -1;
	if (!gone)
		return 0;
	if (member_gone(&to, m->replayed, &gone, e) < 0) {
		log_debug("whether the primary has our WAL is not known", F_STR("error", e->msg));
		return 0;
	}
	if (gone)
		snprintf(m->j->report.result, sizeof(m->j->report.result), MEMBER_GONE "%s",
			lineage_lsn_text(m->replayed, lsn));
	return 0;
}

/* The primary allows more of something than this standby was started with: replay has stopped, and
 * goes on after a restart, for which the configuration takes the values of pg_control. */
static int
members_settings(struct members *m, struct err *e)
{
	static const char sql[] =
		"SELECT setting::bigint FROM pg_catalog.pg_settings WHERE name IN "
		"('max_connections', 'max_worker_processes', 'max_wal_senders', "
		"'max_prepared_transactions', 'max_locks_per_transaction') ORDER BY name";
	struct control c;

	if (!m->in_recovery || *m->plan.config_error)
		return 0;
	if (control_read(&c, m->j->opt->pgdata, e) < 0 ||
		sql_ask(m->sql, sql, clock_boot_ns() + SQL_MS * MS_NS, e) < 0)
		return -1;

	/* in the order of their names */
	const int64_t needed[] = {c.max_connections, c.max_locks_per_xact, c.max_prepared_xacts,
		c.max_wal_senders, c.max_worker_processes};

	for (int i = 0; i < (int)ARRAY_LEN(needed) && i < sql_rows(m->sql); i++)
		if (sql_int(m->sql, i, 0, needed[i]) < needed[i])
			snprintf(m->j->report.result, sizeof(m->j->report.result), "settings");
	return 0;
}

/* What a clone has replaced: the clone streams, and has done so for a while. */
static void
members_tidy(const struct members *m)
{
	struct err e;

	if (m->in_recovery && m->receiving && m->up_ms >= m->j->opt->keep_old_ms &&
		member_remove_old(m->j->opt, "", &e) < 0)
		log_warning("a former data directory stays", F_STR("error", e.msg));
}

static int
members_all(struct members *m, struct err *e)
{
	struct member_slots s = {.opt = m->j->opt, .el = &m->el, .now_ns = clock_boot_ns()};

	if (members_access(m, e) < 0 || members_connect(m, e) < 0)
		return -1;
	if (!m->in_recovery &&
		(member_role(m->sql, &m->access, e) < 0 || members_checkpoint(m, e) < 0))
		return -1;
	if (m->in_recovery)
		members_find_holder(m);
	members_own_slot(m);
	members_tidy(m);
	if (members_settings(m, e) < 0 || members_ancestry(m, e) < 0 || members_gone(m, e) < 0)
		return -1;
	s.sql = m->sql;
	s.in_recovery = m->in_recovery;
	s.holder = m->has_holder ? &m->holder : NULL;
	return member_slots(&s, e);
}

int
job_members_main(struct job *j, struct err *e)
{
	AUTO(free) struct members *m = calloc(1, sizeof(*m));
	int rc;

	if (!m)
		return err_sys(e, "members");
	m->j = j;
	shared_read(j->board, SEC_PLAN, &m->plan);
	shared_read(j->board, SEC_ELECTOR, &m->el);
	if (!member_is(j->opt, &m->el))
		return err_set(e, ERR_STATE, "this instance is not one of several");
	rc = members_all(m, e);
	holder_close(&m->holder);
	m->sql = sql_close(m->sql);
	return rc;
}
