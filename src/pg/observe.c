/*
 * observe - what the monitor asks postgres, by server version.
 *
 * A question must stay cheap on an idle server and must not fail because a file of the data
 * directory is gone, so pg_control is looked at by SQL on a standby alone, where nothing else
 * tells the timeline.
 */
#include "pg/observe.h"

#include <stddef.h>

#include "base/defs.h"

/* Times become microseconds since 1970 here. */
static const char position[] =
	"SELECT r,"
	" CASE WHEN r THEN pg_is_wal_replay_paused() END,"
	" CASE WHEN NOT r THEN pg_current_wal_lsn() END,"
	" CASE WHEN NOT r THEN pg_current_wal_insert_lsn() END,"
	" CASE WHEN NOT r THEN pg_current_wal_flush_lsn() END,"
	" CASE WHEN NOT r THEN pg_walfile_name(pg_current_wal_lsn()) END,"
	" pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn(),"
	" (extract(epoch FROM pg_last_xact_replay_timestamp()) * 1000000)::bigint,"
	" pg_conf_load_time(),"
	" w.status, w.written_lsn, w.flushed_lsn, w.latest_end_lsn,"
	" CASE WHEN r THEN (SELECT greatest(c.timeline_id, m.min_recovery_end_timeline,"
	" w.received_tli) FROM pg_control_checkpoint() c, pg_control_recovery() m) END,"
	" current_setting('podgres.config_hash', true),"
	" (SELECT count(*) FROM pg_stat_get_wal_senders()),"
	" current_setting('synchronous_standby_names'),"
	" CASE WHEN current_setting('synchronous_standby_names') <> '' THEN"
	" (SELECT lower(wait_event) FROM pg_stat_get_activity(NULL)"
	" WHERE backend_type = 'checkpointer' LIMIT 1) END,"
	" CASE WHEN r AND pg_last_wal_receive_lsn() IS NULL THEN"
	" (SELECT lower(wait_event) FROM pg_stat_get_activity(NULL)"
	" WHERE backend_type = 'startup' LIMIT 1) END"
	" FROM (SELECT pg_is_in_recovery() AS r OFFSET 0) x"
	" LEFT JOIN pg_stat_get_wal_receiver() w ON true";

static const char load[] = "SELECT count(*) FILTER (WHERE backend_type = 'client backend'),"
			   " count(*) FILTER (WHERE lower(wait_event) IN"
			   " ('walwrite', 'walsync', 'walinitwrite', 'walinitsync'))"
			   " FROM pg_stat_get_activity(NULL)";

static const char settings[] =
	"SELECT current_setting('max_connections'),"
	" current_setting('superuser_reserved_connections'),"
	" coalesce(current_setting('reserved_connections', true), '0'),"
	" current_setting('archive_mode'), current_setting('primary_conninfo') <> '',"
	" (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint";

/* A setting that was taken out of the files goes back to its default. */
static const char pending[] =
	"SELECT s.name, current_setting(s.name), coalesce(f.setting, s.boot_val, ''),"
	" count(*) OVER ()"
	" FROM pg_settings s LEFT JOIN"
	" (SELECT DISTINCT ON (lower(name)) lower(name) AS name, setting"
	" FROM pg_file_settings ORDER BY lower(name), seqno DESC) f"
	" ON f.name = lower(s.name)"
	" WHERE s.pending_restart ORDER BY 1 LIMIT 16";

static const char replicas[] =
	"SELECT application_name, state, sync_state, host(client_addr), usename,"
	" sent_lsn, write_lsn, flush_lsn, replay_lsn,"
	" write_lag, flush_lag, replay_lag, sync_priority, count(*) OVER ()"
	" FROM pg_stat_replication ORDER BY application_name, pid LIMIT 16";

static const char slots[] =
	"SELECT slot_name, plugin, slot_type, database, wal_status, datoid,"
	" xmin, catalog_xmin, restart_lsn, safe_wal_size, active, count(*) OVER ()"
	" FROM pg_replication_slots ORDER BY slot_name LIMIT 32";

static const char archiver[] =
	"SELECT last_archived_wal, (extract(epoch FROM last_archived_time) * 1000000)::bigint,"
	" last_failed_wal, (extract(epoch FROM last_failed_time) * 1000000)::bigint"
	" FROM pg_stat_archiver";

/* Up to version 14 databases record no version of their own. */
static const char collation_none[] = "SELECT NULL, NULL, NULL, 0 WHERE false";

static const char collation[] = "SELECT datname, datcollversion, v, count(*) OVER ()"
				" FROM pg_database d, pg_database_collation_actual_version(d.oid) v"
				" WHERE datcollversion <> v ORDER BY datname LIMIT 16";

/* A connection limit of -2 marks a database that was half dropped. */
static const char databases[] =
	"SELECT datname FROM pg_database"
	" WHERE datallowconn AND datconnlimit <> -2 ORDER BY datname LIMIT 256";

/* Only collations that an index stands on: initdb makes hundreds that nobody uses. */
#define INSIDE                                                       \
	"SELECT current_database(), c.collversion, v, 1"             \
	" FROM pg_collation c, pg_collation_actual_version(c.oid) v" \
	" WHERE c.collversion <> v AND ("                            \
	"EXISTS (SELECT FROM pg_index i WHERE c.oid = ANY (i.indcollation))"
#define INSIDE_END ") ORDER BY c.collname LIMIT 1"

/* That of the database itself is found by the name of its locale. */
static const char inside_14[] =
	INSIDE " OR c.collprovider = 'c' AND lower(replace(c.collcollate, '-', '')) ="
	       " (SELECT lower(replace(datcollate, '-', '')) FROM pg_database"
	       " WHERE datname = current_database())" INSIDE_END;

static const char inside[] = INSIDE INSIDE_END;

/* Takes a transaction id, so that the commit is flushed (synchronous_commit is local). */
static const char write_test[] = "SELECT pg_logical_emit_message(true, 'podgres', 'promoted')";

/* One text serves from its version on, until a later row of the same question. */
static const struct question {
	enum observe q;
	int since; /* server_version_num */
	const char *text;
} questions[] = {
	{OBSERVE_POSITION, 0, position},
	{OBSERVE_LOAD, 0, load},
	{OBSERVE_SETTINGS, 0, settings},
	{OBSERVE_PENDING, 0, pending},
	{OBSERVE_REPLICAS, 0, replicas},
	{OBSERVE_SLOTS, 0, slots},
	{OBSERVE_ARCHIVER, 0, archiver},
	{OBSERVE_COLLATION, 0, collation_none},
	{OBSERVE_COLLATION, 150000, collation},
	{OBSERVE_DATABASES, 0, databases},
	{OBSERVE_INSIDE, 0, inside_14},
	{OBSERVE_INSIDE, 150000, inside},
	{OBSERVE_WRITE, 0, write_test},
};

static const char *const names[OBSERVE_ALL] = {
	[OBSERVE_POSITION] = "position",
	[OBSERVE_LOAD] = "load",
	[OBSERVE_SETTINGS] = "settings",
	[OBSERVE_PENDING] = "pending",
	[OBSERVE_REPLICAS] = "replicas",
	[OBSERVE_SLOTS] = "slots",
	[OBSERVE_ARCHIVER] = "archiver",
	[OBSERVE_COLLATION] = "collation",
	[OBSERVE_DATABASES] = "databases",
	[OBSERVE_INSIDE] = "inside",
	[OBSERVE_WRITE] = "write",
};

const char *
observe_name(enum observe q)
{
	return names[q];
}

const char *
observe_text(enum observe q, int server_version)
{
	const char *text = NULL;

	for (size_t i = 0; i < ARRAY_LEN(questions); i++)
		if (questions[i].q == q && questions[i].since <= server_version)
			text = questions[i].text;
	return text;
}

/* ---- settings of the session ---- */

#define EVERY                                                                                     \
	"-c search_path=pg_catalog -c synchronous_commit=local -c statement_timeout=5000 "        \
	"-c lock_timeout=1000 -c idle_in_transaction_session_timeout=10000 "                      \
	"-c default_transaction_read_only=off -c default_transaction_isolation=read\\ committed " \
	"-c DateStyle=ISO -c TimeZone=UTC -c bytea_output=hex -c jit=off "                        \
	"-c max_parallel_workers_per_gather=0 "                                                   \
	"-c log_statement=none -c log_duration=off -c log_min_duration_statement=-1 "             \
	"-c log_min_error_statement=panic -c log_disconnections=off "                             \
	"-c session_preload_libraries= -c local_preload_libraries= "                              \
	"-c auto_explain.log_min_duration=-1 -c pg_stat_statements.track=none"
#define SINCE_14 EVERY " -c idle_session_timeout=0 -c client_connection_check_interval=2000"
#define SINCE_17 SINCE_14 " -c transaction_timeout=0"

const char *
observe_settings(int major)
{
	if (major >= 17)
		return SINCE_17;
	return major >= 14 ? SINCE_14 : EVERY;
}
