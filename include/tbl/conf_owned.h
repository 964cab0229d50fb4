/*
 * The settings of PostgreSQL that podgres writes to podgres.conf, which is read last.  What else a
 * manifest may not set is in guc.h.
 *
 * OWNED(id, min, max, how, text, reason)
 *   min, max  major versions that know the setting; max 0: all later ones
 *   how       FIXED   always written, with the value `text`
 *             MADE    written with a value podgres finds out, or left alone
 *             OPEN    a manifest may set it; podgres overrides it where it must
 *   reason    the comment behind it
 */
OWNED(listen_addresses, 13, 0, FIXED, "*", "the pod's own address is the only one there is")
OWNED(port, 13, 0, OPEN, "", "the port that probes, monitor and command line use")
OWNED(unix_socket_directories, 13, 0, MADE, "", "podgres reaches postgres through its run folder")
OWNED(unix_socket_permissions, 13, 0, FIXED, "0700", "the socket is for podgres and for root")
OWNED(unix_socket_group, 13, 0, FIXED, "", "the socket is for podgres and for root")
OWNED(hba_file, 13, 0, MADE, "", "postgresql.pg_hba of the manifest is its source")
OWNED(ident_file, 13, 0, MADE, "", "postgresql.pg_ident of the manifest is its source")
OWNED(data_directory, 13, 0, MADE, "", "it is PGDATA")
OWNED(external_pid_file, 13, 0, MADE, "", "the folder it was in may not exist here")
OWNED(cluster_name, 13, 0, MADE, "", "it is the name of the cluster")
OWNED(hot_standby, 13, 0, FIXED, "on", "a standby that takes no connections cannot be watched")
OWNED(restart_after_crash, 13, 0, FIXED, "off",
	"podgres restarts postgres after a crash, with back-off, and shows it")
OWNED(promote_trigger_file, 13, 15, FIXED, "", "podgres alone promotes")
OWNED(stats_temp_directory, 13, 14, FIXED, "pg_stat_tmp",
	"a folder outside of PGDATA may not exist in the next pod")
OWNED(allow_alter_system, 17, 0, MADE, "", "postgresql.enableAlterSystem decides")
OWNED(huge_pages, 13, 0, OPEN, "", "huge pages are promised but not granted here")
OWNED(shared_preload_libraries, 13, 0, MADE, "",
	"list libraries under postgresql.shared_preload_libraries")

/* the log goes to the logger through pipes that look like files */
OWNED(logging_collector, 13, 0, FIXED, "on", "podgres writes the log to standard output")
OWNED(log_destination, 13, 0, MADE, "", "podgres writes the log to standard output")
OWNED(log_directory, 13, 0, MADE, "", "podgres writes the log to standard output")
OWNED(log_filename, 13, 0, FIXED, "postgres", "podgres writes the log to standard output")
OWNED(log_file_mode, 13, 0, FIXED, "0600", "podgres writes the log to standard output")
OWNED(log_rotation_age, 13, 0, FIXED, "0", "a pipe cannot be rotated")
OWNED(log_rotation_size, 13, 0, FIXED, "0", "a pipe cannot be rotated")
OWNED(log_truncate_on_rotation, 13, 0, FIXED, "off", "a pipe cannot be rotated")

/* the archive and replication */
OWNED(archive_mode, 13, 0, MADE, "", "spec.backup of the manifest decides")
OWNED(archive_command, 13, 0, MADE, "", "podgres archives WAL itself")
OWNED(archive_library, 15, 0, MADE, "", "podgres archives WAL itself")
OWNED(wal_level, 13, 0, OPEN, "", "the archive needs more than minimal WAL")
OWNED(restore_command, 13, 0, MADE, "", "podgres restores by itself")
OWNED(primary_conninfo, 13, 0, MADE, "", "replica.source with externalClusters is its source")
OWNED(recovery_target_timeline, 13, 0, MADE, "", "a standby follows the newest timeline")
OWNED(synchronous_standby_names, 13, 0, MADE, "", "in step with the Lease")
OWNED(primary_slot_name, 13, 0, MADE, "", "each member has a slot of its own")
OWNED(wal_log_hints, 13, 0, OPEN, "", "pg_rewind needs it where there are no data checksums")

/* TLS */
OWNED(ssl, 13, 0, MADE, "", "the mounted certificates decide")
OWNED(ssl_cert_file, 13, 0, MADE, "", "the mounted certificates decide")
OWNED(ssl_key_file, 13, 0, MADE, "", "the mounted certificates decide")
OWNED(ssl_ca_file, 13, 0, MADE, "", "the mounted certificates decide")

/* a standby must allow for at least what the primary allows for */
OWNED(max_connections, 13, 0, OPEN, "", "recovery needs what pg_control says the primary has")
OWNED(max_worker_processes, 13, 0, OPEN, "", "recovery needs what pg_control says the primary has")
OWNED(max_wal_senders, 13, 0, OPEN, "", "recovery needs what pg_control says the primary has")
OWNED(max_prepared_transactions, 13, 0, OPEN, "",
	"recovery needs what pg_control says the primary has")
OWNED(max_locks_per_transaction, 13, 0, OPEN, "",
	"recovery needs what pg_control says the primary has")
