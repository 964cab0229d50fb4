/*
 * monitor_rows - rows of answers into struct pg_facts.
 */
#include "service/monitor.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "core/lineage.h"
#include "core/pending.h"
#include "pg/wal_dir.h"
#include "sys/file.h"

static uint64_t
rows_lsn(const struct sql *r, int row, int col)
{
	uint64_t lsn = 0;

	return lineage_lsn_parse(sql_text(r, row, col), &lsn) ? lsn : 0;
}

#define COPY(r, row, col, to) sql_copy(r, row, col, to, sizeof(to))

/* ---- position ---- */

/* Flushing works when what was inserted at an earlier look is flushed by now, or when nobody waits
 * for it: WAL that no commit belongs to may lie in memory for minutes (XLogBackgroundFlush). */
static void
rows_flush(struct monitor *m, uint64_t inserted, uint64_t flushed)
{
	if (flushed < m->flush_wait_lsn) {
		monitor_kept_ask_soon(m, OBSERVE_LOAD);
		return;
	}
	m->facts.flush_ok_ns = clock_boot_ns();
	m->flush_wait_lsn = inserted;
}

/* The timeline of the last primary, when its WAL lies where we replay: the receiver asks for it
 * only after recovery has taken that timeline for its own. */
static uint32_t
rows_followed(const struct monitor *m, uint32_t timeline, uint64_t replayed)
{
	uint32_t bytes = m->sup.plan.wal_segment_bytes;
	const char *dir = m->sup.plan.waldir;
	char inside[FILE_PATH_MAX + 16];
	struct elector_status el;

	if (m->s->opt->coordination != COORDINATION_KUBERNETES || !bytes || !replayed)
		return timeline;
	snprintf(inside, sizeof(inside), "%s/pg_wal", m->s->opt->pgdata);
	shared_read(m->s->board, SEC_ELECTOR, &el);
	if (el.timeline <= timeline)
		return timeline;
	replayed--;
	return wal_dir_end(*dir ? dir : inside, el.timeline, replayed - replayed % bytes, bytes)
		       ? el.timeline
		       : timeline;
}

/* Of a standby pg_control learns the timeline with the next restart point only, and the receiver
 * tells it as long as there is a primary: what was received once stays received. */
static uint32_t
rows_recovery_timeline(const struct monitor *m, const struct sql *r)
{
	const struct pg_facts *before = &m->facts;
	uint32_t now = (uint32_t)sql_int(r, 0, POSITION_RECOVERY_TIMELINE, 0);

	if (before->known && before->in_recovery && before->timeline > now)
		now = before->timeline;
	return rows_followed(m, now, rows_lsn(r, 0, POSITION_REPLAYED));
}

static uint32_t
rows_timeline(const struct monitor *m, const struct sql *r)
{
	char digits[9] = "";

	if (sql_bool(r, 0, POSITION_IN_RECOVERY))
		return rows_recovery_timeline(m, r);
	snprintf(digits, sizeof(digits), "%s", sql_text(r, 0, POSITION_WAL_NAME));
	return (uint32_t)strtoul(digits, NULL, 16);
}

static void
rows_primary(struct monitor *m, const struct sql *r)
{
	struct pg_facts *f = &m->facts;

	f->current_lsn = rows_lsn(r, 0, POSITION_WRITE);
	f->insert_lsn = rows_lsn(r, 0, POSITION_INSERT);
	f->flush_lsn = rows_lsn(r, 0, POSITION_FLUSH);
	COPY(r, 0, POSITION_WAL_NAME, f->current_wal);
	rows_flush(m, f->insert_lsn, f->flush_lsn);
}

static void
rows_standby(struct monitor *m, const struct sql *r)
{
	struct pg_facts *f = &m->facts;

	f->current_lsn = f->insert_lsn = f->flush_lsn = 0;
	f->current_wal[0] = '\0';
	rows_flush(m, rows_lsn(r, 0, POSITION_RECEIVER_WRITTEN),
		f->receiver_active ? rows_lsn(r, 0, POSITION_RECEIVER_FLUSHED) : UINT64_MAX);
}

static void
rows_reloaded(struct monitor *m, const struct sql *r)
{
	const char *mark = sql_text(r, 0, POSITION_RELOADED_AT);

	if (strcmp(mark, m->kept.reload_mark) == 0)
		return;
	COPY(r, 0, POSITION_RELOADED_AT, m->kept.reload_mark);
	monitor_kept_ask_soon(m, OBSERVE_SETTINGS);
	monitor_kept_ask_soon(m, OBSERVE_PENDING);
}

/* Until the first request to stream, the startup process reads what lies in pg_wal. */
static void
rows_sync(struct pg_facts *f, const struct sql *r)
{
	const char *startup = sql_text(r, 0, POSITION_STARTUP);

	COPY(r, 0, POSITION_SYNC_NAMES, f->sync_names);
	COPY(r, 0, POSITION_CHECKPOINTER, f->checkpointer);
	f->local_replayed = f->in_recovery &&
			    (f->received_lsn > 0 || strcmp(startup, "recoverywalstream") == 0 ||
				    strcmp(startup, "recoveryretrieveretryinterval") == 0);
}

static void
rows_position(struct monitor *m, const struct sql *r)
{
	struct pg_facts *f = &m->facts;
	int32_t senders = (int32_t)sql_int(r, 0, POSITION_SENDERS, 0);

	f->query_ok_ns = clock_boot_ns();
	f->timeline = rows_timeline(m, r);
	f->in_recovery = sql_bool(r, 0, POSITION_IN_RECOVERY);
	f->replay_paused = sql_bool(r, 0, POSITION_PAUSED);
	f->receiver_active = strcmp(sql_text(r, 0, POSITION_RECEIVER), "streaming") == 0;
	f->received_lsn = rows_lsn(r, 0, POSITION_RECEIVED);
	f->replay_lsn = rows_lsn(r, 0, POSITION_REPLAYED);
	f->latest_end_lsn = rows_lsn(r, 0, POSITION_LATEST_END);
	f->replay_wall_us = sql_int(r, 0, POSITION_REPLAYED_AT_US, 0);
	COPY(r, 0, POSITION_CONFIG_HASH, f->config_hash);
	rows_sync(f, r);
	if (f->in_recovery)
		rows_standby(m, r);
	else
		rows_primary(m, r);
	rows_reloaded(m, r);
	if (senders != m->kept.senders || senders > 0)
		monitor_kept_ask_soon(m, OBSERVE_REPLICAS);
	m->kept.senders = senders;
	f->known = true;
}

/* ---- the others ---- */

static void
rows_load(struct monitor *m, const struct sql *r)
{
	m->facts.connections = (int32_t)sql_int(r, 0, LOAD_CLIENTS, 0);
	if (sql_int(r, 0, LOAD_WAL_WAITERS, 0) == 0)
		m->facts.flush_ok_ns = clock_boot_ns();
}

static void
rows_settings(struct monitor *m, const struct sql *r)
{
	struct pg_facts *f = &m->facts;

	f->max_connections = (int32_t)sql_int(r, 0, SETTINGS_MAX_CONNECTIONS, 0);
	f->superuser_reserved = (int32_t)sql_int(r, 0, SETTINGS_SUPERUSER_RESERVED, 0);
	m->reserved = f->superuser_reserved + (int32_t)sql_int(r, 0, SETTINGS_RESERVED, 0);
	COPY(r, 0, SETTINGS_ARCHIVE_MODE, f->archive_mode);
	f->has_primary_conninfo = sql_bool(r, 0, SETTINGS_PRIMARY_CONNINFO);
	f->postmaster_start_wall_us = sql_int(r, 0, SETTINGS_STARTED_AT_US, 0);
	f->server_version_num = sql_server_version(r);
}

static void
rows_pending(struct monitor *m, const struct sql *r)
{
	struct pg_facts *f = &m->facts;
	uint32_t before = f->pending_count;

	f->pending_count = (uint32_t)sql_int(r, 0, PENDING_TOTAL, 0);
	if (f->pending_count > before)
		log_warning("settings wait for a restart of postgres",
			F_INT("count", f->pending_count), F_STR("first", sql_text(r, 0, 0)),
			F_STR("hint", "podgres restart"));
	f->pending_decrease = false;
	memset(f->pending, 0, sizeof(f->pending));
	for (int i = 0; i < sql_rows(r) && i < PG_PENDING; i++) {
		struct plan_pending *p = &f->pending[i];

		COPY(r, i, PENDING_NAME, p->name);
		COPY(r, i, PENDING_OLD, p->old_value);
		COPY(r, i, PENDING_NEW, p->new_value);
		f->pending_decrease |= pending_is_decrease(p->name, p->old_value, p->new_value);
	}
}

static void
rows_replica(struct pg_replica *to, const struct sql *r, int i)
{
	COPY(r, i, REPLICA_NAME, to->application_name);
	COPY(r, i, REPLICA_STATE, to->state);
	COPY(r, i, REPLICA_SYNC_STATE, to->sync_state);
	COPY(r, i, REPLICA_ADDRESS, to->client_addr);
	COPY(r, i, REPLICA_USER, to->usename);
	COPY(r, i, REPLICA_WRITE_LAG, to->write_lag);
	COPY(r, i, REPLICA_FLUSH_LAG, to->flush_lag);
	COPY(r, i, REPLICA_REPLAY_LAG, to->replay_lag);
	to->sent_lsn = rows_lsn(r, i, REPLICA_SENT);
	to->write_lsn = rows_lsn(r, i, REPLICA_WRITTEN);
	to->flush_lsn = rows_lsn(r, i, REPLICA_FLUSHED);
	to->replay_lsn = rows_lsn(r, i, REPLICA_REPLAYED);
	to->sync_priority = (int32_t)sql_int(r, i, REPLICA_PRIORITY, 0);
}

static void
rows_replicas(struct monitor *m, const struct sql *r)
{
	struct pg_facts *f = &m->facts;

	f->replicas = (uint32_t)sql_int(r, 0, REPLICA_TOTAL, 0);
	memset(f->replica, 0, sizeof(f->replica));
	for (int i = 0; i < sql_rows(r) && i < PG_REPLICAS; i++)
		rows_replica(&f->replica[i], r, i);
}

static void
rows_slot(struct pg_slot *to, const struct sql *r, int i)
{
	COPY(r, i, SLOT_NAME, to->name);
	COPY(r, i, SLOT_PLUGIN, to->plugin);
	COPY(r, i, SLOT_TYPE, to->type);
	COPY(r, i, SLOT_DATABASE, to->database);
	COPY(r, i, SLOT_WAL_STATUS, to->wal_status);
	to->datoid = (uint32_t)sql_int(r, i, SLOT_DATOID, 0);
	to->xmin = (uint32_t)sql_int(r, i, SLOT_XMIN, 0);
	to->catalog_xmin = (uint32_t)sql_int(r, i, SLOT_CATALOG_XMIN, 0);
	to->restart_lsn = rows_lsn(r, i, SLOT_RESTART);
	to->safe_wal_size = sql_int(r, i, SLOT_SAFE_WAL_SIZE, INT64_MIN);
	to->active = sql_bool(r, i, SLOT_ACTIVE);
}

static void
rows_slots(struct monitor *m, const struct sql *r)
{
	struct pg_facts *f = &m->facts;

	f->slots = (uint32_t)sql_int(r, 0, SLOT_TOTAL, 0);
	memset(f->slot, 0, sizeof(f->slot));
	for (int i = 0; i < sql_rows(r) && i < PG_SLOTS; i++)
		rows_slot(&f->slot[i], r, i);
}

static void
rows_archiver(struct monitor *m, const struct sql *r)
{
	struct pg_facts *f = &m->facts;

	COPY(r, 0, ARCHIVER_LAST, f->archived_wal);
	COPY(r, 0, ARCHIVER_FAILED, f->failed_wal);
	f->archived_wall_us = sql_int(r, 0, ARCHIVER_LAST_AT_US, 0);
	f->failed_wall_us = sql_int(r, 0, ARCHIVER_FAILED_AT_US, 0);
}

/* ---- collations ---- */

void
monitor_collation_begin(struct monitor *m)
{
	m->probe.collations = 0;
	memset(m->probe.collation, 0, sizeof(m->probe.collation));
}

void
monitor_collation_found(struct monitor *m, const struct sql *r, int row)
{
	struct monitor_probe *p = &m->probe;
	const char *database = sql_text(r, row, COLLATION_DATABASE);
	uint32_t known = p->collations < PG_COLLATIONS ? p->collations : PG_COLLATIONS;
	struct pg_collation *to;

	for (uint32_t i = 0; i < known; i++)
		if (strcmp(p->collation[i].database, database) == 0)
			return;
	p->collations++;
	if (known == PG_COLLATIONS)
		return;
	to = &p->collation[known];
	COPY(r, row, COLLATION_DATABASE, to->database);
	COPY(r, row, COLLATION_RECORDED, to->recorded);
	COPY(r, row, COLLATION_ACTUAL, to->actual);
}

static void
collation_log(const struct monitor *m)
{
	const struct monitor_probe *p = &m->probe;

	for (uint32_t i = 0; i < p->collations && i < PG_COLLATIONS; i++)
		log_warning("a database was sorted by another version of its collation",
			F_STR("database", p->collation[i].database),
			F_STR("recorded", p->collation[i].recorded),
			F_STR("actual", p->collation[i].actual),
			F_STR("hint", "reindex it, then ALTER DATABASE ... REFRESH COLLATION"
				      " VERSION or ALTER COLLATION ... REFRESH VERSION"));
}

void
monitor_collation_end(struct monitor *m)
{
	if (memcmp(m->facts.collation, m->probe.collation, sizeof(m->facts.collation)) != 0)
		collation_log(m);
	m->facts.collations = m->probe.collations;
	memcpy(m->facts.collation, m->probe.collation, sizeof(m->facts.collation));
	m->dirty = true;
}

static void
rows_collation(struct monitor *m, const struct sql *r)
{
	uint32_t total = (uint32_t)sql_int(r, 0, COLLATION_TOTAL, 0);

	monitor_collation_begin(m);
	for (int i = 0; i < sql_rows(r); i++)
		monitor_collation_found(m, r, i);
	if (total > m->probe.collations)
		m->probe.collations = total;
	if (total > m->facts.collations)
		monitor_collation_end(m); /* no need to wait for the visits */
}

static void
rows_databases(struct monitor *m, const struct sql *r)
{
	monitor_probe_visits(m, r);
}

void
monitor_rows(struct monitor *m, enum observe q, const struct sql *rows)
{
	static void (*const read[OBSERVES])(struct monitor *, const struct sql *) = {
		[OBSERVE_POSITION] = rows_position,
		[OBSERVE_LOAD] = rows_load,
		[OBSERVE_SETTINGS] = rows_settings,
		[OBSERVE_PENDING] = rows_pending,
		[OBSERVE_REPLICAS] = rows_replicas,
		[OBSERVE_SLOTS] = rows_slots,
		[OBSERVE_ARCHIVER] = rows_archiver,
		[OBSERVE_COLLATION] = rows_collation,
		[OBSERVE_DATABASES] = rows_databases,
	};

	read[q](m, rows);
}
