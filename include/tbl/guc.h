/*
 * PostgreSQL parameters (source: PostgreSQL documentation, chapter "Server Configuration").
 *
 * OWNED(name, reason)          podgres sets it; a manifest that does is refused with the reason
 * HARMLESS(name, value)        OWNED, but CloudNativePG writes this value into every Cluster, so that a
 *                              manifest taken from Kubernetes has it: passed over, not refused
 * VALUE(name, type, unit, min, max)  what the common ones take: BOOL, INT, SIZE, TIME, REAL.  unit is
 *                              the parameter's own: bytes for SIZE, microseconds for TIME; min and
 *                              max count in it.  Words of enumerations are left to postgres.
 * A table that is not wanted is defined empty by who includes this.
 */
#ifndef OWNED
#define OWNED(name, reason)
#endif
#ifndef HARMLESS
#define HARMLESS(name, value)
#endif
#ifndef VALUE
#define VALUE(name, type, unit, min, max)
#endif

#define GUC_ARCHIVE "podgres archives WAL itself: describe the store in spec.backup"
#define GUC_RECOVERY "podgres steers recovery: use spec.bootstrap.recovery.recoveryTarget"
#define GUC_REPLICATION "podgres steers replication: use spec.replica and spec.externalClusters"
#define GUC_SYNC "podgres steers synchronous replication: use spec.postgresql.synchronous"
#define GUC_LOG "podgres collects the log: it goes to standard output as JSON"
#define GUC_LISTEN "podgres decides where postgres listens: pg_hba says who may connect"
#define GUC_SOCKET "podgres decides where the socket is: the run directory"
#define GUC_FILES "podgres knows where the files are: PGDATA and the generated configuration"
#define GUC_TLS "podgres sets TLS from the mounted certificate (podgres run --tls-cert)"
#define GUC_LIFE "podgres starts, restarts and watches postgres itself"
#define GUC_NONE "it has no use in a container"

OWNED("allow_alter_system", "use spec.postgresql.enableAlterSystem")
OWNED("allow_system_table_mods", "it lets any superuser destroy the catalogue")
OWNED("archive_cleanup_command", GUC_RECOVERY)
OWNED("archive_command", GUC_ARCHIVE)
OWNED("archive_library", GUC_ARCHIVE)
OWNED("archive_mode", GUC_ARCHIVE)
OWNED("bonjour", GUC_NONE)
OWNED("bonjour_name", GUC_NONE)
OWNED("cluster_name", "podgres names the instance after POD_NAME")
OWNED("config_file", GUC_FILES)
OWNED("data_directory", GUC_FILES)
OWNED("data_sync_retry", "after a failed fsync only crash recovery is safe")
OWNED("event_source", GUC_NONE)
OWNED("external_pid_file", GUC_LIFE)
OWNED("hba_file", "podgres generates it: use spec.postgresql.pg_hba")
OWNED("hot_standby", "a standby must be readable for podgres to watch it")
OWNED("ident_file", "podgres generates it: use spec.postgresql.pg_ident")
OWNED("jit_provider", GUC_FILES)
OWNED("listen_addresses", GUC_LISTEN)
OWNED("log_destination", GUC_LOG)
OWNED("log_directory", GUC_LOG)
OWNED("log_file_mode", GUC_LOG)
OWNED("log_filename", GUC_LOG)
OWNED("log_rotation_age", GUC_LOG)
OWNED("log_rotation_size", GUC_LOG)
OWNED("log_truncate_on_rotation", GUC_LOG)
OWNED("logging_collector", GUC_LOG)
OWNED("pg_failover_slots.primary_dsn", GUC_REPLICATION)
OWNED("pg_failover_slots.standby_slot_names", GUC_REPLICATION)
OWNED("primary_conninfo", GUC_REPLICATION)
OWNED("primary_slot_name", GUC_REPLICATION)
OWNED("promote_trigger_file", "promotion is ordered with podgres promote")
OWNED("recovery_end_command", GUC_RECOVERY)
OWNED("recovery_min_apply_delay", "use spec.replica.minApplyDelay")
OWNED("recovery_target", GUC_RECOVERY)
OWNED("recovery_target_action", GUC_RECOVERY)
OWNED("recovery_target_inclusive", GUC_RECOVERY)
OWNED("recovery_target_lsn", GUC_RECOVERY)
OWNED("recovery_target_name", GUC_RECOVERY)
OWNED("recovery_target_time", GUC_RECOVERY)
OWNED("recovery_target_timeline", GUC_RECOVERY)
OWNED("recovery_target_xid", GUC_RECOVERY)
OWNED("restart_after_crash", GUC_LIFE)
OWNED("restore_command", GUC_ARCHIVE)
OWNED("shared_preload_libraries", "use spec.postgresql.shared_preload_libraries")
OWNED("ssl", GUC_TLS)
OWNED("ssl_ca_file", GUC_TLS)
OWNED("ssl_cert_file", GUC_TLS)
OWNED("ssl_crl_file", GUC_TLS)
OWNED("ssl_dh_params_file", GUC_TLS)
OWNED("ssl_key_file", GUC_TLS)
OWNED("ssl_passphrase_command", GUC_TLS)
OWNED("ssl_passphrase_command_supports_reload", GUC_TLS)
OWNED("ssl_prefer_server_ciphers", GUC_TLS)
OWNED("stats_temp_directory", GUC_FILES)
OWNED("synchronized_standby_slots", GUC_SYNC)
OWNED("synchronous_standby_names", GUC_SYNC)
OWNED("syslog_facility", GUC_LOG)
OWNED("syslog_ident", GUC_LOG)
OWNED("syslog_sequence_numbers", GUC_LOG)
OWNED("syslog_split_messages", GUC_LOG)
OWNED("temp_tablespaces", "use spec.tablespaces with temporary: true")
OWNED("unix_socket_directories", GUC_SOCKET)
OWNED("unix_socket_group", GUC_SOCKET)
OWNED("unix_socket_permissions", GUC_SOCKET)

HARMLESS("archive_mode", "on")
HARMLESS("log_destination", "csvlog")
HARMLESS("log_directory", "/controller/log")
HARMLESS("log_filename", "postgres")
HARMLESS("log_rotation_age", "0")
HARMLESS("log_rotation_size", "0")
HARMLESS("log_truncate_on_rotation", "false")
HARMLESS("logging_collector", "on")
HARMLESS("shared_preload_libraries", "")

VALUE("archive_timeout", TIME, 1000000, 0, 1073741823)
VALUE("autovacuum", BOOL, 0, 0, 0)
VALUE("autovacuum_max_workers", INT, 1, 1, 262143)
VALUE("autovacuum_naptime", TIME, 1000000, 1, 2147483)
VALUE("autovacuum_vacuum_cost_limit", INT, 1, -1, 10000)
VALUE("autovacuum_vacuum_scale_factor", REAL, 1, 0, 100)
VALUE("autovacuum_analyze_scale_factor", REAL, 1, 0, 100)
VALUE("autovacuum_work_mem", SIZE, 1024, -1, 2147483647)
VALUE("checkpoint_completion_target", REAL, 1, 0, 1)
VALUE("checkpoint_timeout", TIME, 1000000, 30, 86400)
VALUE("cpu_tuple_cost", REAL, 1, 0, 1000000)
VALUE("deadlock_timeout", TIME, 1000, 1, 2147483647)
VALUE("default_statistics_target", INT, 1, 1, 10000)
VALUE("effective_cache_size", SIZE, 8192, 1, 2147483647)
VALUE("effective_io_concurrency", INT, 1, 0, 1000)
VALUE("fsync", BOOL, 0, 0, 0)
VALUE("full_page_writes", BOOL, 0, 0, 0)
VALUE("hot_standby_feedback", BOOL, 0, 0, 0)
VALUE("idle_in_transaction_session_timeout", TIME, 1000, 0, 2147483647)
VALUE("jit", BOOL, 0, 0, 0)
VALUE("lock_timeout", TIME, 1000, 0, 2147483647)
VALUE("log_autovacuum_min_duration", TIME, 1000, -1, 2147483647)
VALUE("log_checkpoints", BOOL, 0, 0, 0)
VALUE("log_disconnections", BOOL, 0, 0, 0)
VALUE("log_lock_waits", BOOL, 0, 0, 0)
VALUE("log_min_duration_statement", TIME, 1000, -1, 2147483647)
VALUE("log_temp_files", SIZE, 1024, -1, 2147483647)
VALUE("logical_decoding_work_mem", SIZE, 1024, 64, 2147483647)
VALUE("maintenance_work_mem", SIZE, 1024, 64, 2147483647)
VALUE("max_connections", INT, 1, 1, 262143)
VALUE("max_locks_per_transaction", INT, 1, 10, 2147483647)
VALUE("max_logical_replication_workers", INT, 1, 0, 262143)
VALUE("max_parallel_maintenance_workers", INT, 1, 0, 1024)
VALUE("max_parallel_workers", INT, 1, 0, 1024)
VALUE("max_parallel_workers_per_gather", INT, 1, 0, 1024)
VALUE("max_prepared_transactions", INT, 1, 0, 262143)
VALUE("max_replication_slots", INT, 1, 0, 262143)
VALUE("max_slot_wal_keep_size", SIZE, 1048576, -1, 2147483647)
VALUE("max_standby_archive_delay", TIME, 1000, -1, 2147483647)
VALUE("max_standby_streaming_delay", TIME, 1000, -1, 2147483647)
VALUE("max_sync_workers_per_subscription", INT, 1, 0, 262143)
VALUE("max_wal_senders", INT, 1, 0, 262143)
VALUE("max_wal_size", SIZE, 1048576, 2, 2147483647)
VALUE("max_worker_processes", INT, 1, 0, 262143)
VALUE("min_wal_size", SIZE, 1048576, 2, 2147483647)
VALUE("port", INT, 1, 1, 65535)
VALUE("random_page_cost", REAL, 1, 0, 1000000)
VALUE("seq_page_cost", REAL, 1, 0, 1000000)
VALUE("shared_buffers", SIZE, 8192, 16, 1073741823)
VALUE("statement_timeout", TIME, 1000, 0, 2147483647)
VALUE("superuser_reserved_connections", INT, 1, 0, 262143)
VALUE("temp_buffers", SIZE, 8192, 100, 1073741823)
VALUE("temp_file_limit", SIZE, 1024, -1, 2147483647)
VALUE("track_commit_timestamp", BOOL, 0, 0, 0)
VALUE("track_io_timing", BOOL, 0, 0, 0)
VALUE("wal_buffers", SIZE, 8192, -1, 262143)
VALUE("wal_keep_size", SIZE, 1048576, 0, 2147483647)
VALUE("wal_log_hints", BOOL, 0, 0, 0)
VALUE("wal_receiver_status_interval", TIME, 1000000, 0, 2147483)
VALUE("wal_receiver_timeout", TIME, 1000, 0, 2147483647)
VALUE("wal_sender_timeout", TIME, 1000, 0, 2147483647)
VALUE("wal_writer_delay", TIME, 1000, 1, 10000)
VALUE("work_mem", SIZE, 1024, 64, 2147483647)

#undef GUC_ARCHIVE
#undef GUC_RECOVERY
#undef GUC_REPLICATION
#undef GUC_SYNC
#undef GUC_LOG
#undef GUC_LISTEN
#undef GUC_SOCKET
#undef GUC_FILES
#undef GUC_TLS
#undef GUC_LIFE
#undef GUC_NONE
#undef OWNED
#undef HARMLESS
#undef VALUE
