/*
 * The default metric queries, and what each column of their results becomes.
 *
 * QUERY(id, prefix, name, tier, where, min, max, all, predicate, sql, columns)
 *   family     prefix + name + "_" + column, but for FULL_...: the name as it stands there
 *   tier       enum metric_tier; where: enum metric_where
 *   min, max   server_version_num, inclusive and exclusive; 0: no bound
 *   all        MAIN: in the database postgres; ALL: in every database
 *   predicate  runs it only when this says true; ""
 * LABEL(column, help) GAUGE(column, help) COUNTER(column, help)
 * FULL_GAUGE(column, family, help) FULL_COUNTER(column, family, help)
 *
 * Queries of prefix cnpg_ give the names, labels and values of CloudNativePG's
 * default-monitoring.yaml, on every version that has the facts.  Types differ from theirs where
 * theirs are wrong: the transaction counters of pg_stat_replication (backend_start,
 * backend_xmin_age) are gauges here.  All of them run as a member of pg_monitor, also on standbys,
 * and none waits for a lock on a table of users.
 */
/* ---- CloudNativePG's ---- */
QUERY(backends, "cnpg_", "backends", FAST, ANYWHERE, 0, 0, MAIN, "",
	"SELECT datname, usename, coalesce(application_name, '') AS application_name, state,"
	" count(*) AS total, count(*) AS activity,"
	" coalesce(max(extract(epoch FROM now() - xact_start)), 0) AS max_tx_duration_seconds"
	" FROM pg_stat_activity WHERE state IS NOT NULL AND usename IS NOT NULL GROUP BY 1, 2, 3, 4",
	LABEL(datname, "Database")
	LABEL(usename, "Role")
	LABEL(application_name, "Name of the application")
	LABEL(state, "State of the backend")
	GAUGE(total, "Number of backends")
	FULL_GAUGE(activity, "cnpg_pg_stat_activity_count", "Number of backends, as cnpg_backends_total")
	GAUGE(max_tx_duration_seconds, "Duration of the longest transaction of them"))
QUERY(backends_waiting, "cnpg_", "backends_waiting", FAST, ANYWHERE, 0, 0, MAIN, "",
	"WITH l AS MATERIALIZED (SELECT pid, granted, row(locktype, database, relation, page, tuple, virtualxid,"
	" transactionid, classid, objid, objsubid) AS tag FROM pg_locks)"
	" SELECT count(*) AS total FROM l waits JOIN l holds ON holds.tag IS NOT DISTINCT FROM waits.tag AND holds.pid <> waits.pid"
	" JOIN pg_stat_activity a ON a.pid = holds.pid WHERE NOT waits.granted",
	GAUGE(total, "Pairs of a backend that waits for a lock and another that holds it or waits too"))
QUERY(pg_database, "cnpg_", "pg_database", FAST, ANYWHERE, 0, 0, MAIN, "",
	"SELECT datname, age(datfrozenxid) AS xid_age, mxid_age(datminmxid) AS mxid_age FROM pg_database WHERE datallowconn",
	LABEL(datname, "Database")
	GAUGE(xid_age, "Transactions since the oldest that is not frozen")
	GAUGE(mxid_age, "Multiple transactions since the oldest that is not frozen"))
QUERY(pg_database_size, "cnpg_", "pg_database", SIZES, ANYWHERE, 0, 0, MAIN, "",
	"SELECT datname, pg_database_size(oid) AS size_bytes FROM pg_database WHERE datallowconn",
	LABEL(datname, "Database")
	GAUGE(size_bytes, "Disk space of the database"))
QUERY(pg_postmaster, "cnpg_", "pg_postmaster", FAST, ANYWHERE, 0, 0, MAIN, "",
	"SELECT extract(epoch FROM pg_postmaster_start_time()) AS start_time",
	GAUGE(start_time, "Time at which postgres was started"))
QUERY(pg_replication, "cnpg_", "pg_replication", FAST, ANYWHERE, 0, 0, MAIN, "",
	"SELECT f.lag, f.lag AS lag_seconds, f.rec AS in_recovery, f.wal AS is_wal_receiver_up, f.n AS streaming_replicas,"
	" CASE WHEN f.rec THEN f.wal ELSE f.n > 0 END AS streaming FROM (SELECT pg_is_in_recovery() AS rec,"
	" EXISTS (SELECT FROM pg_stat_wal_receiver) AS wal, (SELECT count(*) FROM pg_stat_replication) AS n,"
	" CASE WHEN NOT pg_is_in_recovery() OR pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0"
	" ELSE greatest(0, extract(epoch FROM now() - pg_last_xact_replay_timestamp())) END AS lag) f",
	GAUGE(lag, "Seconds that replay is behind; 0 on a primary")
	GAUGE(lag_seconds, "Seconds that replay is behind, as cnpg_pg_replication_lag")
	GAUGE(in_recovery, "1 on a standby")
	GAUGE(is_wal_receiver_up, "1 if a WAL receiver runs")
	GAUGE(streaming_replicas, "Replicas that stream from here")
	GAUGE(streaming, "1 if a standby streams, or a primary has a replica that does"))
QUERY(pg_replication_slots, "cnpg_", "pg_replication_slots", FAST, ANYWHERE, 0, 0, MAIN, "",
	"SELECT slot_name, slot_type, database, active, pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery()"
	" THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END, restart_lsn) AS pg_wal_lsn_diff"
	" FROM pg_replication_slots WHERE NOT temporary",
	LABEL(slot_name, "Slot")
	LABEL(slot_type, "physical or logical")
	LABEL(database, "Database of a logical slot")
	GAUGE(active, "1 if it is in use")
	GAUGE(pg_wal_lsn_diff, "Bytes of WAL that it holds back"))
QUERY(pg_roles, "cnpg_", "pg_roles", TTL, ANYWHERE, 0, 0, MAIN, "",
	"SELECT rolname, extract(epoch FROM rolvaliduntil) AS password_valid_until_seconds FROM pg_roles"
	" WHERE rolcanlogin AND isfinite(rolvaliduntil)",
	LABEL(rolname, "Role")
	GAUGE(password_valid_until_seconds, "When its password ends"))
QUERY(pg_stat_archiver, "cnpg_", "pg_stat_archiver", FAST, ANYWHERE, 0, 0, MAIN,
	"SELECT NOT pg_is_in_recovery() OR current_setting('archive_mode') = 'always'",
	"SELECT archived_count, failed_count,"
	" coalesce(extract(epoch FROM now() - last_archived_time), -1) AS seconds_since_last_archival,"
	" coalesce(extract(epoch FROM now() - last_failed_time), -1) AS seconds_since_last_failure,"
	" coalesce(extract(epoch FROM last_archived_time), -1) AS last_archived_time,"
	" coalesce(extract(epoch FROM last_failed_time), -1) AS last_failed_time,"
	" coalesce(('x' || right(split_part(last_archived_wal, '.', 1), 16))::bit(64)::int8, -1) AS last_archived_wal_start_lsn,"
	" coalesce(('x' || right(split_part(last_failed_wal, '.', 1), 16))::bit(64)::int8, -1) AS last_failed_wal_start_lsn,"
	" extract(epoch FROM stats_reset) AS stats_reset_time FROM pg_stat_archiver",
	COUNTER(archived_count, "WAL files that were archived")
	COUNTER(failed_count, "Attempts to archive a WAL file that failed")
	GAUGE(seconds_since_last_archival, "Seconds since one was archived; -1: never")
	GAUGE(seconds_since_last_failure, "Seconds since an attempt failed; -1: never")
	GAUGE(last_archived_time, "When one was archived last; -1: never")
	GAUGE(last_failed_time, "When an attempt failed last; -1: never")
	GAUGE(last_archived_wal_start_lsn, "The last 16 digits of its name as a number; -1: none")
	GAUGE(last_failed_wal_start_lsn, "The same of the file that failed last; -1: none")
	GAUGE(stats_reset_time, "When these figures were reset"))
QUERY(pg_stat_bgwriter, "cnpg_", "pg_stat_bgwriter", FAST, ANYWHERE, 0, 170000, MAIN, "",
	"SELECT checkpoints_timed, checkpoints_req, checkpoint_write_time, checkpoint_sync_time, buffers_checkpoint,"
	" buffers_clean, maxwritten_clean, buffers_backend, buffers_backend_fsync, buffers_alloc,"
	" extract(epoch FROM stats_reset) AS stats_reset_time FROM pg_stat_bgwriter",
	COUNTER(checkpoints_timed, "Checkpoints by the clock")
	COUNTER(checkpoints_req, "Checkpoints on request")
	COUNTER(checkpoint_write_time, "Milliseconds in which checkpoints wrote")
	COUNTER(checkpoint_sync_time, "Milliseconds in which checkpoints synchronised files")
	COUNTER(buffers_checkpoint, "Buffers written by checkpoints")
	COUNTER(buffers_clean, "Buffers written by the background writer")
	COUNTER(maxwritten_clean, "Times it stopped since it had written enough")
	COUNTER(buffers_backend, "Buffers written by backends themselves")
	COUNTER(buffers_backend_fsync, "Times a backend had to synchronise a file itself")
	COUNTER(buffers_alloc, "Buffers allocated")
	GAUGE(stats_reset_time, "When these figures were reset"))
QUERY(pg_stat_bgwriter_17, "cnpg_", "pg_stat_bgwriter", FAST, ANYWHERE, 170000, 0, MAIN, "",
	"SELECT w.buffers_clean, w.maxwritten_clean, w.buffers_alloc, extract(epoch FROM w.stats_reset) AS stats_reset_time,"
	" c.num_timed AS checkpoints_timed, c.num_requested AS checkpoints_req, c.write_time AS checkpoint_write_time,"
	" c.sync_time AS checkpoint_sync_time, c.buffers_written AS buffers_checkpoint,"
	" io.writes AS buffers_backend, io.fsyncs AS buffers_backend_fsync"
	" FROM pg_stat_bgwriter w, pg_stat_checkpointer c, (SELECT coalesce(sum(writes), 0) AS writes, coalesce(sum(fsyncs), 0) AS fsyncs"
	" FROM pg_stat_io WHERE object = 'relation' AND backend_type NOT IN ('checkpointer', 'background writer')) io",
	COUNTER(buffers_clean, "Buffers written by the background writer")
	COUNTER(maxwritten_clean, "Times it stopped since it had written enough")
	COUNTER(buffers_alloc, "Buffers allocated")
	GAUGE(stats_reset_time, "When these figures were reset")
	COUNTER(checkpoints_timed, "Checkpoints by the clock")
	COUNTER(checkpoints_req, "Checkpoints on request")
	COUNTER(checkpoint_write_time, "Milliseconds in which checkpoints wrote")
	COUNTER(checkpoint_sync_time, "Milliseconds in which checkpoints synchronised files")
	COUNTER(buffers_checkpoint, "Buffers written by checkpoints")
	COUNTER(buffers_backend, "Buffers written by backends themselves")
	COUNTER(buffers_backend_fsync, "Times a backend had to synchronise a file itself"))
QUERY(pg_stat_checkpointer, "cnpg_", "pg_stat_checkpointer", FAST, ANYWHERE, 170000, 0, MAIN, "",
	"SELECT num_timed AS checkpoints_timed, num_requested AS checkpoints_req, restartpoints_timed, restartpoints_req,"
	" restartpoints_done, write_time, sync_time, buffers_written, extract(epoch FROM stats_reset) AS stats_reset_time"
	" FROM pg_stat_checkpointer",
	COUNTER(checkpoints_timed, "Checkpoints by the clock")
	COUNTER(checkpoints_req, "Checkpoints on request")
	COUNTER(restartpoints_timed, "Restartpoints by the clock")
	COUNTER(restartpoints_req, "Restartpoints on request")
	COUNTER(restartpoints_done, "Restartpoints that were done")
	COUNTER(write_time, "Milliseconds in which they wrote")
	COUNTER(sync_time, "Milliseconds in which they synchronised files")
	COUNTER(buffers_written, "Buffers they wrote")
	GAUGE(stats_reset_time, "When these figures were reset"))
QUERY(pg_stat_database, "cnpg_", "pg_stat_database", FAST, ANYWHERE, 0, 0, MAIN, "",
	"SELECT datname, numbackends, xact_commit, xact_rollback, blks_read, blks_hit, tup_returned, tup_fetched, tup_inserted,"
	" tup_updated, tup_deleted, conflicts, temp_files, temp_bytes, deadlocks, blk_read_time, blk_write_time,"
	" checksum_failures FROM pg_stat_database",
	LABEL(datname, "Database; empty: objects shared by all")
	GAUGE(numbackends, "Backends connected")
	COUNTER(xact_commit, "Transactions committed")
	COUNTER(xact_rollback, "Transactions rolled back")
	COUNTER(blks_read, "Blocks read from files")
	COUNTER(blks_hit, "Blocks found in the buffer cache")
	COUNTER(tup_returned, "Rows returned by scans")
	COUNTER(tup_fetched, "Rows fetched by index scans")
	COUNTER(tup_inserted, "Rows inserted")
	COUNTER(tup_updated, "Rows updated")
	COUNTER(tup_deleted, "Rows deleted")
	COUNTER(conflicts, "Queries cancelled by replay")
	COUNTER(temp_files, "Temporary files")
	COUNTER(temp_bytes, "Bytes written to temporary files")
	COUNTER(deadlocks, "Deadlocks")
	COUNTER(blk_read_time, "Milliseconds spent reading blocks")
	COUNTER(blk_write_time, "Milliseconds spent writing blocks")
	COUNTER(checksum_failures, "Pages with a wrong checksum; NaN: checksums are off"))
QUERY(pg_stat_replication, "cnpg_", "pg_stat_replication", FAST, ON_PRIMARY, 0, 0, MAIN, "",
	"SELECT usename, coalesce(application_name, '') AS application_name, coalesce(client_addr::text, '') AS client_addr,"
	" coalesce(client_port::text, '') AS client_port, extract(epoch FROM backend_start) AS backend_start,"
	" coalesce(age(backend_xmin), 0) AS backend_xmin_age, at - sent_lsn AS sent_diff_bytes, at - write_lsn AS write_diff_bytes,"
	" at - flush_lsn AS flush_diff_bytes, coalesce(at - replay_lsn, 0) AS replay_diff_bytes, coalesce(at - replay_lsn, 0) AS lag_bytes,"
	" coalesce(at - replay_lsn, 0) AS pg_wal_lsn_diff, at - sent_lsn AS sent_lag_bytes, at - write_lsn AS write_lag_bytes,"
	" coalesce(extract(epoch FROM write_lag), 0) AS write_lag_seconds, coalesce(extract(epoch FROM flush_lag), 0) AS flush_lag_seconds,"
	" coalesce(extract(epoch FROM replay_lag), 0) AS replay_lag_seconds FROM pg_stat_replication, pg_current_wal_lsn() AS at",
	LABEL(usename, "Role of the replica")
	LABEL(application_name, "Its name")
	LABEL(client_addr, "Its address")
	LABEL(client_port, "Its port")
	GAUGE(backend_start, "When it connected")
	GAUGE(backend_xmin_age, "Transactions that its oldest snapshot is behind")
	GAUGE(sent_diff_bytes, "Written here and not yet sent")
	GAUGE(write_diff_bytes, "Written here and not yet there")
	GAUGE(flush_diff_bytes, "Written here and not yet on its disk")
	GAUGE(replay_diff_bytes, "Written here and not yet replayed there")
	GAUGE(lag_bytes, "As cnpg_pg_stat_replication_replay_diff_bytes")
	GAUGE(pg_wal_lsn_diff, "As cnpg_pg_stat_replication_replay_diff_bytes")
	GAUGE(sent_lag_bytes, "As cnpg_pg_stat_replication_sent_diff_bytes")
	GAUGE(write_lag_bytes, "As cnpg_pg_stat_replication_write_diff_bytes")
	GAUGE(write_lag_seconds, "Time until it had written")
	GAUGE(flush_lag_seconds, "Time until it had synchronised")
	GAUGE(replay_lag_seconds, "Time until it had replayed"))
QUERY(pg_settings, "cnpg_", "pg_settings", SETTINGS, ANYWHERE, 0, 0, MAIN, "",
	"SELECT name, CASE setting WHEN 'on' THEN '1' WHEN 'off' THEN '0' ELSE setting END AS setting FROM pg_settings"
	" WHERE vartype IN ('integer', 'real', 'bool')",
	LABEL(name, "Setting")
	GAUGE(setting, "Its value in the setting's own unit; on is 1"))
QUERY(pg_settings_max_connections, "cnpg_", "pg_settings", SETTINGS, ANYWHERE, 0, 0, MAIN, "",
	"SELECT current_setting('max_connections')::int AS max_connections",
	GAUGE(max_connections, "The setting max_connections"))
QUERY(pg_extensions, "cnpg_", "pg_extensions", SWEEP, ANYWHERE, 0, 0, ALL, "",
	"SELECT current_database() AS datname, name AS extname, default_version, installed_version,"
	" default_version IS DISTINCT FROM installed_version AS update_available FROM pg_available_extensions WHERE installed_version IS NOT NULL",
	LABEL(datname, "Database")
	LABEL(extname, "Extension")
	LABEL(default_version, "Version that there is")
	LABEL(installed_version, "Version that is installed")
	GAUGE(update_available, "1 if they differ"))
QUERY(lo_pages, "cnpg_", "collector", SWEEP, ANYWHERE, 0, 0, ALL, "",
	"SELECT current_database() AS datname, relpages AS lo_pages FROM pg_class WHERE oid = 'pg_largeobject'::regclass",
	LABEL(datname, "Database")
	GAUGE(lo_pages, "Pages of large objects, estimated"))
QUERY(pg_stat_wal, "cnpg_", "collector", FAST, ANYWHERE, 140000, 180000, MAIN, "",
	"SELECT rtrim(rtrim(to_char(stats_reset AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US'), '0'), '.') || 'Z' AS stats_reset,"
	" wal_records, wal_fpi, wal_bytes, wal_buffers_full, wal_write, wal_sync, wal_write_time, wal_sync_time FROM pg_stat_wal",
	LABEL(stats_reset, "When these figures were reset")
	GAUGE(wal_records, "Records of WAL")
	GAUGE(wal_fpi, "Images of whole pages in WAL")
	GAUGE(wal_bytes, "Bytes of WAL")
	GAUGE(wal_buffers_full, "Times WAL was written since its buffers were full")
	GAUGE(wal_write, "Times WAL buffers were written")
	GAUGE(wal_sync, "Times WAL files were synchronised")
	GAUGE(wal_write_time, "Milliseconds spent writing")
	GAUGE(wal_sync_time, "Milliseconds spent synchronising"))
QUERY(pg_stat_wal_18, "cnpg_", "collector", FAST, ANYWHERE, 180000, 0, MAIN, "",
	"SELECT rtrim(rtrim(to_char(w.stats_reset AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US'), '0'), '.') || 'Z' AS stats_reset,"
	" w.wal_records, w.wal_fpi, w.wal_bytes, w.wal_buffers_full, io.wal_write, io.wal_sync, io.wal_write_time, io.wal_sync_time"
	" FROM pg_stat_wal w, (SELECT coalesce(sum(writes), 0) AS wal_write, coalesce(sum(fsyncs), 0) AS wal_sync,"
	" coalesce(sum(write_time), 0) AS wal_write_time, coalesce(sum(fsync_time), 0) AS wal_sync_time FROM pg_stat_io WHERE object = 'wal') io",
	LABEL(stats_reset, "When these figures were reset")
	GAUGE(wal_records, "Records of WAL")
	GAUGE(wal_fpi, "Images of whole pages in WAL")
	GAUGE(wal_bytes, "Bytes of WAL")
	GAUGE(wal_buffers_full, "Times WAL was written since its buffers were full")
	GAUGE(wal_write, "Times WAL buffers were written")
	GAUGE(wal_sync, "Times WAL files were synchronised")
	GAUGE(wal_write_time, "Milliseconds spent writing")
	GAUGE(wal_sync_time, "Milliseconds spent synchronising"))
QUERY(pg_locks, "cnpg_", "pg_locks", FAST, ANYWHERE, 0, 0, MAIN, "",
	"SELECT d.datname, lower(l.mode) AS mode, count(*) AS count FROM pg_locks l LEFT JOIN pg_database d ON d.oid = l.database"
	" GROUP BY 1, 2",
	LABEL(datname, "Database")
	LABEL(mode, "Mode of the lock")
	GAUGE(count, "Locks held or waited for"))
/* ---- what CloudNativePG does not have ---- */
QUERY(activity, "podgres_", "activity", FAST, ANYWHERE, 0, 0, MAIN, "",
	"SELECT count(*) FILTER (WHERE xact_start < now() - interval '5 min') AS long_transactions,"
	" coalesce(max(extract(epoch FROM now() - xact_start)), 0) AS oldest_transaction_seconds,"
	" coalesce(max(extract(epoch FROM now() - query_start)) FILTER (WHERE state = 'active'), 0) AS oldest_query_seconds,"
	" coalesce(max(extract(epoch FROM now() - state_change)) FILTER (WHERE state LIKE 'idle in transaction%'), 0) AS idle_in_transaction_seconds,"
	" coalesce(max(age(backend_xmin)), 0) AS oldest_xmin_age,"
	" count(*) FILTER (WHERE wait_event_type = 'Lock' AND cardinality(pg_blocking_pids(pid)) > 0) AS blocked_backends,"
	" coalesce(max(extract(epoch FROM now() - query_start)) FILTER (WHERE wait_event_type = 'Lock'), 0) AS blocked_seconds,"
	" count(*) FILTER (WHERE backend_type = 'autovacuum worker') AS autovacuum_workers"
	" FROM pg_stat_activity WHERE pid <> pg_backend_pid()",
	GAUGE(long_transactions, "Transactions open for more than 5 minutes")
	GAUGE(oldest_transaction_seconds, "Age of the oldest open transaction")
	GAUGE(oldest_query_seconds, "Age of the oldest running query")
	GAUGE(idle_in_transaction_seconds, "How long the idlest open transaction has done nothing")
	GAUGE(oldest_xmin_age, "Transactions that the oldest snapshot is behind: it holds back vacuum")
	GAUGE(blocked_backends, "Backends that wait for a lock of another")
	GAUGE(blocked_seconds, "Age of the oldest query that waits for a lock")
	GAUGE(autovacuum_workers, "Workers of autovacuum that run"))
QUERY(wait_events, "podgres_", "wait_events", FAST, ANYWHERE, 0, 0, MAIN, "",
	"SELECT coalesce(wait_event_type, 'CPU') AS type, count(*) AS backends FROM pg_stat_activity"
	" WHERE state = 'active' AND pid <> pg_backend_pid() GROUP BY 1",
	LABEL(type, "What is waited for; CPU: nothing")
	GAUGE(backends, "Active backends that wait for it"))
QUERY(sessions, "podgres_", "sessions", FAST, ANYWHERE, 140000, 0, MAIN, "",
	"SELECT datname, sessions AS total, sessions_abandoned AS abandoned_total, sessions_fatal AS fatal_total,"
	" sessions_killed AS killed_total, session_time / 1000 AS seconds_total, active_time / 1000 AS active_seconds_total,"
	" idle_in_transaction_time / 1000 AS idle_in_transaction_seconds_total FROM pg_stat_database WHERE datname IS NOT NULL",
	LABEL(datname, "Database")
	COUNTER(total, "Sessions begun")
	COUNTER(abandoned_total, "Sessions whose client went away")
	COUNTER(fatal_total, "Sessions ended by an error")
	COUNTER(killed_total, "Sessions ended by an operator")
	COUNTER(seconds_total, "Time spent in sessions")
	COUNTER(active_seconds_total, "Time spent executing")
	COUNTER(idle_in_transaction_seconds_total, "Time spent idle in transactions"))
QUERY(wraparound, "podgres_", "wraparound", FAST, ANYWHERE, 0, 0, MAIN, "",
	"SELECT datname, age(datfrozenxid) / 2147483648.0 AS xid_ratio, mxid_age(datminmxid) / 2147483648.0 AS mxid_ratio,"
	" age(datfrozenxid) / current_setting('autovacuum_freeze_max_age')::float8 AS autovacuum_ratio FROM pg_database",
	LABEL(datname, "Database")
	GAUGE(xid_ratio, "How much of the way to transaction wraparound is gone; 1: PostgreSQL takes no more writes")
	GAUGE(mxid_ratio, "The same for multiple transactions")
	GAUGE(autovacuum_ratio, "Age against autovacuum_freeze_max_age; above 1 vacuum is forced"))
QUERY(slots, "podgres_", "slot", FAST, ANYWHERE, 0, 0, MAIN, "",
	"SELECT slot_name, coalesce(wal_status, '') AS wal_status, 1 AS info, safe_wal_size AS safe_wal_bytes,"
	" greatest(age(xmin), age(catalog_xmin)) AS xmin_age FROM pg_replication_slots WHERE NOT temporary",
	LABEL(slot_name, "Slot")
	LABEL(wal_status, "reserved, extended, unreserved or lost")
	GAUGE(info, "1")
	GAUGE(safe_wal_bytes, "WAL that may still be written before the slot is lost; NaN: no limit")
	GAUGE(xmin_age, "Transactions that the slot holds back vacuum; NaN: none"))
QUERY(slots_17, "podgres_", "slot", FAST, ANYWHERE, 170000, 0, MAIN, "",
	"SELECT slot_name, coalesce(invalidation_reason, '') AS invalidation_reason,"
	" coalesce(extract(epoch FROM now() - inactive_since), 0) AS inactive_seconds, conflicting FROM pg_replication_slots WHERE NOT temporary",
	LABEL(slot_name, "Slot")
	LABEL(invalidation_reason, "Why it is lost; empty: it is not")
	GAUGE(inactive_seconds, "How long nobody has used it; 0: in use")
	GAUGE(conflicting, "1 if it was invalidated by a conflict; NaN: physical"))
QUERY(prepared, "podgres_", "prepared_transactions", FAST, ANYWHERE, 0, 0, MAIN, "",
	"SELECT count(*) AS open, coalesce(max(extract(epoch FROM now() - prepared)), 0) AS oldest_seconds FROM pg_prepared_xacts",
	GAUGE(open, "Prepared transactions that nobody has ended")
	GAUGE(oldest_seconds, "Age of the oldest of them"))
QUERY(wal_receiver, "podgres_", "wal_receiver", FAST, ON_STANDBY, 0, 0, MAIN, "",
	"SELECT status, coalesce(sender_host, '') AS sender_host, coalesce(slot_name, '') AS slot_name, received_tli AS timeline,"
	" coalesce(extract(epoch FROM now() - last_msg_receipt_time), -1) AS last_message_seconds FROM pg_stat_wal_receiver",
	LABEL(status, "State of the receiver")
	LABEL(sender_host, "Whom it streams from")
	LABEL(slot_name, "Slot there")
	GAUGE(timeline, "Timeline that it receives")
	GAUGE(last_message_seconds, "Since the last message; -1: none came"))
QUERY(checkpoint, "podgres_", "checkpoint", FAST, ANYWHERE, 0, 0, MAIN, "",
	"SELECT extract(epoch FROM now() - checkpoint_time) AS age_seconds, redo_lsn - '0/0'::pg_lsn AS redo_bytes, timeline_id AS timeline"
	" FROM pg_control_checkpoint()",
	GAUGE(age_seconds, "Age of the last checkpoint")
	GAUGE(redo_bytes, "Position from which a crash recovery would begin")
	GAUGE(timeline, "Timeline of the last checkpoint"))
QUERY(conflicts, "podgres_", "recovery_conflicts", FAST, ON_STANDBY, 0, 0, MAIN, "",
	"SELECT c.datname, k.kind, k.total FROM pg_stat_database_conflicts c, LATERAL (VALUES ('tablespace', confl_tablespace), ('lock', confl_lock),"
	" ('snapshot', confl_snapshot), ('bufferpin', confl_bufferpin), ('deadlock', confl_deadlock)) AS k(kind, total)",
	LABEL(datname, "Database")
	LABEL(kind, "What was in the way of replay")
	COUNTER(total, "Queries cancelled by replay"))
QUERY(progress, "podgres_", "progress", FAST, ANYWHERE, 0, 0, MAIN, "",
	"SELECT command, datname, relation, phase, max(done / nullif(total, 0)::float8) AS ratio, max(total) AS units FROM ("
	"SELECT 'vacuum' AS command, datname, relid::text AS relation, phase, heap_blks_scanned AS done, heap_blks_total AS total FROM pg_stat_progress_vacuum"
	" UNION ALL SELECT 'analyze', datname, relid::text, phase, sample_blks_scanned, sample_blks_total FROM pg_stat_progress_analyze"
	" UNION ALL SELECT lower(command), datname, relid::text, phase, blocks_done, blocks_total FROM pg_stat_progress_create_index"
	" UNION ALL SELECT lower(command), datname, relid::text, phase, heap_blks_scanned, heap_blks_total FROM pg_stat_progress_cluster"
	" UNION ALL SELECT 'base backup', '', '', phase, backup_streamed, backup_total FROM pg_stat_progress_basebackup) p"
	" GROUP BY 1, 2, 3, 4",
	LABEL(command, "vacuum, analyze, create index, reindex, cluster, vacuum full, base backup")
	LABEL(datname, "Database")
	LABEL(relation, "OID of the table")
	LABEL(phase, "What it does now")
	GAUGE(ratio, "How far it is, 0 to 1; NaN: unknown")
	GAUGE(units, "Blocks (of a base backup bytes) in all; NaN: unknown"))
QUERY(progress_copy, "podgres_", "copy", FAST, ANYWHERE, 140000, 0, MAIN, "",
	"SELECT datname, relid::text AS relation, lower(command) AS command, sum(bytes_processed) AS processed_bytes,"
	" sum(nullif(bytes_total, 0)) AS size_bytes, sum(tuples_processed) AS rows FROM pg_stat_progress_copy GROUP BY 1, 2, 3",
	LABEL(datname, "Database")
	LABEL(relation, "OID of the table")
	LABEL(command, "copy from or copy to")
	GAUGE(processed_bytes, "Bytes gone through")
	GAUGE(size_bytes, "Bytes in all; NaN: unknown")
	GAUGE(rows, "Rows gone through"))
QUERY(wal_totals, "podgres_", "wal", FAST, ANYWHERE, 140000, 0, MAIN, "",
	"SELECT wal_records AS records_total, wal_fpi AS full_page_images_total, wal_bytes AS bytes_total,"
	" wal_buffers_full AS buffers_full_total FROM pg_stat_wal",
	COUNTER(records_total, "Records of WAL")
	COUNTER(full_page_images_total, "Images of whole pages in WAL")
	COUNTER(bytes_total, "Bytes of WAL")
	COUNTER(buffers_full_total, "Times WAL was written since its buffers were full"))
QUERY(io, "podgres_", "io", FAST, ANYWHERE, 160000, 180000, MAIN, "",
	"SELECT backend_type, object, context, reads AS reads_total, writes AS writes_total, extends AS extends_total, hits AS hits_total,"
	" evictions AS evictions_total, fsyncs AS fsyncs_total, reads * op_bytes AS read_bytes_total, writes * op_bytes AS written_bytes_total"
	" FROM pg_stat_io WHERE coalesce(reads, 0) + coalesce(writes, 0) + coalesce(extends, 0) + coalesce(hits, 0) + coalesce(fsyncs, 0) > 0",
	LABEL(backend_type, "Kind of process")
	LABEL(object, "relation, temp relation or wal")
	LABEL(context, "normal, vacuum, bulkread, bulkwrite or init")
	COUNTER(reads_total, "Reads")
	COUNTER(writes_total, "Writes")
	COUNTER(extends_total, "Extensions of files")
	COUNTER(hits_total, "Blocks found in the buffer cache")
	COUNTER(evictions_total, "Blocks that had to go for others")
	COUNTER(fsyncs_total, "Synchronisations")
	COUNTER(read_bytes_total, "Bytes read")
	COUNTER(written_bytes_total, "Bytes written"))
QUERY(io_18, "podgres_", "io", FAST, ANYWHERE, 180000, 0, MAIN, "",
	"SELECT backend_type, object, context, reads AS reads_total, writes AS writes_total, extends AS extends_total, hits AS hits_total,"
	" evictions AS evictions_total, fsyncs AS fsyncs_total, read_bytes AS read_bytes_total, write_bytes AS written_bytes_total"
	" FROM pg_stat_io WHERE coalesce(reads, 0) + coalesce(writes, 0) + coalesce(extends, 0) + coalesce(hits, 0) + coalesce(fsyncs, 0) > 0",
	LABEL(backend_type, "Kind of process")
	LABEL(object, "relation, temp relation or wal")
	LABEL(context, "normal, vacuum, bulkread, bulkwrite or init")
	COUNTER(reads_total, "Reads")
	COUNTER(writes_total, "Writes")
	COUNTER(extends_total, "Extensions of files")
	COUNTER(hits_total, "Blocks found in the buffer cache")
	COUNTER(evictions_total, "Blocks that had to go for others")
	COUNTER(fsyncs_total, "Synchronisations")
	COUNTER(read_bytes_total, "Bytes read")
	COUNTER(written_bytes_total, "Bytes written"))
QUERY(subscriptions, "podgres_", "subscription", FAST, ANYWHERE, 0, 0, MAIN, "",
	"SELECT subname, bool_or(pid IS NOT NULL) AS up, coalesce(max(extract(epoch FROM now() - last_msg_receipt_time)), -1) AS last_message_seconds,"
	" max(received_lsn - latest_end_lsn) AS behind_bytes FROM pg_stat_subscription GROUP BY 1",
	LABEL(subname, "Subscription")
	GAUGE(up, "1 if a worker runs for it")
	GAUGE(last_message_seconds, "Since the last message; -1: none came")
	GAUGE(behind_bytes, "Received and not yet confirmed; NaN: unknown"))
QUERY(subscription_errors, "podgres_", "subscription", FAST, ANYWHERE, 150000, 0, MAIN, "",
	"SELECT subname, apply_error_count AS apply_errors_total, sync_error_count AS sync_errors_total FROM pg_stat_subscription_stats",
	LABEL(subname, "Subscription")
	COUNTER(apply_errors_total, "Errors while changes were applied")
	COUNTER(sync_errors_total, "Errors while tables were copied"))
QUERY(statements, "podgres_", "statement", TTL, ANYWHERE, 0, 0, MAIN,
	"SELECT current_setting('shared_preload_libraries') LIKE '%pg_stat_statements%' AND EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_stat_statements'"
	" AND extnamespace = to_regnamespace('public') AND string_to_array(extversion, '.')::int[] >= '{1,8}')",
	"SELECT s.queryid::text AS queryid, d.datname, r.rolname AS usename, sum(s.calls) AS calls_total,"
	" sum(s.total_exec_time) / 1000 AS seconds_total, sum(s.rows) AS rows_total, sum(s.shared_blks_hit) AS blocks_hit_total,"
	" sum(s.shared_blks_read) AS blocks_read_total, sum(s.temp_blks_written) AS temp_blocks_written_total"
	" FROM public.pg_stat_statements(false) s LEFT JOIN pg_database d ON d.oid = s.dbid LEFT JOIN pg_roles r ON r.oid = s.userid"
	" GROUP BY 1, 2, 3 ORDER BY 5 DESC LIMIT 50",
	LABEL(queryid, "Identifier of the statement; its text is in pg_stat_statements")
	LABEL(datname, "Database")
	LABEL(usename, "Role")
	COUNTER(calls_total, "Calls, of the 50 statements that took most time")
	COUNTER(seconds_total, "Time spent executing")
	COUNTER(rows_total, "Rows")
	COUNTER(blocks_hit_total, "Blocks found in the buffer cache")
	COUNTER(blocks_read_total, "Blocks read")
	COUNTER(temp_blocks_written_total, "Blocks of temporary files written"))
QUERY(tables, "podgres_", "table", SWEEP, ANYWHERE, 0, 0, ALL, "",
	"SELECT current_database() AS datname, s.schemaname, s.relname, c.relpages * current_setting('block_size')::float8 AS size_bytes,"
	" s.n_live_tup AS live_rows, s.n_dead_tup AS dead_rows, s.n_dead_tup / nullif(s.n_live_tup + s.n_dead_tup, 0)::float8 AS dead_ratio,"
	" s.n_mod_since_analyze AS changed_since_analyze, CASE WHEN c.relkind <> 'p' THEN age(c.relfrozenxid) END AS xid_age, s.seq_scan AS seq_scans_total,"
	" coalesce(extract(epoch FROM now() - greatest(s.last_vacuum, s.last_autovacuum)), -1) AS vacuum_age_seconds,"
	" coalesce(extract(epoch FROM now() - greatest(s.last_analyze, s.last_autoanalyze)), -1) AS analyze_age_seconds"
	" FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid ORDER BY c.relpages + s.n_dead_tup DESC, 2, 3 LIMIT 20",
	LABEL(datname, "Database")
	LABEL(schemaname, "Schema")
	LABEL(relname, "Table, of the 20 largest or deadest of the database")
	GAUGE(size_bytes, "Size without indexes and TOAST, as of the last vacuum or analyze")
	GAUGE(live_rows, "Rows, estimated")
	GAUGE(dead_rows, "Dead rows, estimated")
	GAUGE(dead_ratio, "Dead rows of all; NaN: empty")
	GAUGE(changed_since_analyze, "Rows changed since the last analyze")
	GAUGE(xid_age, "Transactions since the oldest that is not frozen; NaN: a partitioned table")
	COUNTER(seq_scans_total, "Sequential scans")
	GAUGE(vacuum_age_seconds, "Since the last vacuum; -1: never")
	GAUGE(analyze_age_seconds, "Since the last analyze; -1: never"))
QUERY(indexes, "podgres_", "index", SWEEP, ANYWHERE, 0, 0, ALL, "",
	"SELECT current_database() AS datname, s.schemaname, s.indexrelname, c.relpages * current_setting('block_size')::float8 AS size_bytes,"
	" c.relpages * current_setting('block_size')::float8 / nullif(greatest(c.reltuples, 0), 0) AS entry_bytes, s.idx_scan AS scans_total"
	" FROM pg_stat_user_indexes s JOIN pg_class c ON c.oid = s.indexrelid ORDER BY c.relpages DESC, 2, 3 LIMIT 20",
	LABEL(datname, "Database")
	LABEL(schemaname, "Schema")
	LABEL(indexrelname, "Index, of the 20 largest of the database")
	GAUGE(size_bytes, "Size, as of the last vacuum or analyze")
	GAUGE(entry_bytes, "Size for each row: it grows as the index bloats; NaN: empty")
	COUNTER(scans_total, "Scans of the index"))
QUERY(index_care, "podgres_", "indexes", SWEEP, ANYWHERE, 0, 0, ALL, "",
	"SELECT current_database() AS datname, count(*) FILTER (WHERE NOT i.indisvalid) AS invalid,"
	" count(*) FILTER (WHERE s.idx_scan = 0 AND NOT i.indisunique) AS unused,"
	" coalesce(sum(c.relpages) FILTER (WHERE s.idx_scan = 0 AND NOT i.indisunique), 0) * current_setting('block_size')::float8 AS unused_bytes"
	" FROM pg_stat_user_indexes s JOIN pg_index i USING (indexrelid) JOIN pg_class c ON c.oid = s.indexrelid",
	LABEL(datname, "Database")
	GAUGE(invalid, "Invalid indexes: leavings of CREATE INDEX CONCURRENTLY")
	GAUGE(unused, "Indexes not used since the figures were reset, unique ones aside")
	GAUGE(unused_bytes, "Their size"))
QUERY(sequences, "podgres_", "sequence", SWEEP, ANYWHERE, 0, 0, ALL, "",
	"SELECT current_database() AS datname, schemaname, sequencename, (CASE WHEN increment_by > 0"
	" THEN (last_value::float8 - min_value) / nullif(max_value::float8 - min_value, 0)"
	" ELSE (max_value::float8 - last_value) / nullif(max_value::float8 - min_value, 0) END) AS used_ratio"
	" FROM pg_sequences WHERE last_value IS NOT NULL AND NOT cycle ORDER BY 4 DESC NULLS LAST, 2, 3 LIMIT 20",
	LABEL(datname, "Database")
	LABEL(schemaname, "Schema")
	LABEL(sequencename, "Sequence, of the 20 nearest to their end that cnpg_metrics_exporter may read")
	GAUGE(used_ratio, "How much of it is used; 1: nothing is left"))
QUERY(sequences_hidden, "podgres_", "sequences", SWEEP, ANYWHERE, 0, 0, ALL, "",
	"SELECT current_database() AS datname, count(*) AS unreadable FROM pg_sequence"
	" WHERE NOT has_sequence_privilege(seqrelid, 'SELECT,USAGE')",
	LABEL(datname, "Database")
	GAUGE(unreadable, "Sequences that cnpg_metrics_exporter may not read: GRANT SELECT ON them TO it"))
