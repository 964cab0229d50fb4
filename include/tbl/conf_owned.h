/*
 * The settings of PostgreSQL that are podgres' own: what it writes to podgres.conf, which is read
 * last, and what a manifest may therefore not set.
 *
 * OWNED(id, min, max, how, text, reason)
 *   min, max  major versions that know the setting; max 0: all later ones
 *   how       FIXED   always written, with the value `text`
 *             MADE    written with a value podgres finds out, or left alone
 *             NEVER   not written; a manifest may not set it
 *             OPEN    a manifest may set it; podgres overrides it where it must
 *   reason    completes "NAME is not yours to set: ..."; for OPEN: why it was overridden
 */
OWNED(listen_addresses, 13, 0, FIXED, "*", "the pod's own address is the only one there is")
OWNED(port, 13, 0, OPEN, "", "the port that probes, monitor and command line use")
OWNED(unix_socket_directories, 13, 0, MADE, "", "podgres reaches postgres through its run folder")
OWNED(unix_socket_permissions, 13, 0, FIXED, "0700", "the socket is for podgres and for root")
OWNED(unix_socket_group, 13, 0, FIXED, "", "the socket is for podgres and for root")
OWNED(hba_file, 13, 0, MADE, "", "postgresql.pg_hba of the manifest is its source")
OWNED(ident_file, 13, 0, MADE, "", "postgresql.pg_ident of the manifest is its source")
OWNED(data_directory, 13, 0, MADE, "", "it is PGDATA")
OWNED(config_file, 13, 0, NEVER, "", "it is PGDATA/postgresql.conf")
OWNED(external_pid_file, 13, 0, FIXED, "", "podgres knows the process without a file")
OWNED(cluster_name, 13, 0, MADE, "", "it is the name of the cluster")
OWNED(hot_standby, 13, 0, FIXED, "on", "a standby that takes no connections cannot be watched")
OWNED(restart_after_crash, 13, 0, FIXED, "off",
	"podgres restarts postgres after a crash, with back-off, and shows it")
OWNED(promote_trigger_file, 13, 15, FIXED, "", "podgres alone promotes")
OWNED(data_sync_retry, 13, 0, NEVER, "", "after a failed fsync only WAL replay is safe")
OWNED(allow_system_table_mods, 13, 0, NEVER, "", "it is for developers of PostgreSQL")
OWNED(jit_provider, 13, 0, NEVER, "", "it names a library of the image")
OWNED(event_source, 13, 0, NEVER, "", "it is for Windows")
OWNED(bonjour, 13, 0, NEVER, "", "a pod is found by its Service")
OWNED(bonjour_name, 13, 0, NEVER, "", "a pod is found by its Service")
OWNED(stats_temp_directory, 13, 14, FIXED, "pg_stat_tmp",
	"a folder outside of PGDATA may not exist in the next pod")
OWNED(allow_alter_system, 17, 0, MADE, "", "postgresql.enableAlterSystem decides")
OWNED(huge_pages, 13, 0, OPEN, "", "huge pages are promised but not granted here")
OWNED(shared_preload_libraries, 13, 0, MADE, "",
	"list libraries under postgresql.shared_preload_libraries")
OWNED(temp_tablespaces, 13, 0, NEVER, "", "tablespaces of the manifest are its source")

/* the log goes to the logger through pipes that look like files */
OWNED(logging_collector, 13, 0, FIXED, "on", "podgres writes the log to standard output")
OWNED(log_destination, 13, 0, MADE, "", "podgres writes the log to standard output")
OWNED(log_directory, 13, 0, MADE, "", "podgres writes the log to standard output")
OWNED(log_filename, 13, 0, FIXED, "postgres", "podgres writes the log to standard output")
OWNED(log_file_mode, 13, 0, FIXED, "0600", "podgres writes the log to standard output")
OWNED(log_rotation_age, 13, 0, FIXED, "0", "a pipe cannot be rotated")
OWNED(log_rotation_size, 13, 0, FIXED, "0", "a pipe cannot be rotated")
OWNED(log_truncate_on_rotation, 13, 0, FIXED, "off", "a pipe cannot be rotated")
OWNED(syslog_facility, 13, 0, NEVER, "", "podgres writes the log to standard output")
OWNED(syslog_ident, 13, 0, NEVER, "", "podgres writes the log to standard output")
OWNED(syslog_sequence_numbers, 13, 0, NEVER, "", "podgres writes the log to standard output")
OWNED(syslog_split_messages, 13, 0, NEVER, "", "podgres writes the log to standard output")

/* the archive and replication */
OWNED(archive_mode, 13, 0, FIXED, "off", "this version does not archive WAL yet")
OWNED(archive_command, 13, 0, NEVER, "", "podgres archives by itself once backup is configured")
OWNED(archive_library, 15, 0, NEVER, "", "podgres archives by itself once backup is configured")
OWNED(restore_command, 13, 0, MADE, "", "podgres restores by itself")
OWNED(archive_cleanup_command, 13, 0, NEVER, "", "retention is podgres' business")
OWNED(recovery_end_command, 13, 0, NEVER, "", "podgres sees the end of recovery")
OWNED(primary_conninfo, 13, 0, MADE, "", "replica.source with externalClusters is its source")
OWNED(primary_slot_name, 13, 0, NEVER, "", "podgres names the slots")
OWNED(recovery_target, 13, 0, NEVER, "", "bootstrap.recovery.recoveryTarget is its source")
OWNED(recovery_target_action, 13, 0, NEVER, "", "bootstrap.recovery.recoveryTarget is its source")
OWNED(recovery_target_inclusive, 13, 0, NEVER, "", "bootstrap.recovery.recoveryTarget is its source")
OWNED(recovery_target_lsn, 13, 0, NEVER, "", "bootstrap.recovery.recoveryTarget is its source")
OWNED(recovery_target_name, 13, 0, NEVER, "", "bootstrap.recovery.recoveryTarget is its source")
OWNED(recovery_target_time, 13, 0, NEVER, "", "bootstrap.recovery.recoveryTarget is its source")
OWNED(recovery_target_xid, 13, 0, NEVER, "", "bootstrap.recovery.recoveryTarget is its source")
OWNED(recovery_target_timeline, 13, 0, MADE, "", "a standby follows the newest timeline")
OWNED(recovery_min_apply_delay, 13, 0, NEVER, "", "replica.minApplyDelay is its source")
OWNED(synchronous_standby_names, 13, 0, NEVER, "", "postgresql.synchronous is its source")
OWNED(synchronized_standby_slots, 17, 0, NEVER, "", "postgresql.synchronous is its source")

/* TLS */
OWNED(ssl, 13, 0, MADE, "", "the mounted certificates decide")
OWNED(ssl_cert_file, 13, 0, MADE, "", "the mounted certificates decide")
OWNED(ssl_key_file, 13, 0, MADE, "", "the mounted certificates decide")
OWNED(ssl_ca_file, 13, 0, MADE, "", "the mounted certificates decide")
OWNED(ssl_crl_file, 13, 0, NEVER, "", "the mounted certificates decide")
OWNED(ssl_dh_params_file, 13, 0, NEVER, "", "the mounted certificates decide")
OWNED(ssl_passphrase_command, 13, 0, NEVER, "", "mounted keys have no passphrase")
OWNED(ssl_passphrase_command_supports_reload, 13, 0, NEVER, "", "mounted keys have no passphrase")
OWNED(ssl_prefer_server_ciphers, 13, 0, NEVER, "", "the server's order of ciphers is the safe one")

/* a standby must allow for at least what the primary allows for */
OWNED(max_connections, 13, 0, OPEN, "", "recovery needs what pg_control says the primary has")
OWNED(max_worker_processes, 13, 0, OPEN, "", "recovery needs what pg_control says the primary has")
OWNED(max_wal_senders, 13, 0, OPEN, "", "recovery needs what pg_control says the primary has")
OWNED(max_prepared_transactions, 13, 0, OPEN, "",
	"recovery needs what pg_control says the primary has")
OWNED(max_locks_per_transaction, 13, 0, OPEN, "",
	"recovery needs what pg_control says the primary has")
