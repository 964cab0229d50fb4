/*
 * observe - what the monitor asks postgres, by server version.
 *
 * Each question is one statement; its columns are numbered here and nowhere else.  LSNs and times
 * of the catalogue stay text; times become microseconds since 1970 in the statement.
 */
#pragma once

enum observe {
	OBSERVE_POSITION,  /* role, timeline, positions: each second */
	OBSERVE_LOAD,      /* connections, who waits for WAL */
	OBSERVE_SETTINGS,  /* what only a reload or restart changes */
	OBSERVE_PENDING,   /* settings that wait for a restart */
	OBSERVE_REPLICAS,  /* pg_stat_replication */
	OBSERVE_SLOTS,     /* pg_replication_slots */
	OBSERVE_ARCHIVER,  /* pg_stat_archiver */
	OBSERVE_COLLATION, /* databases whose recorded collation version is not the library's */
	OBSERVE_DATABASES, /* names of those that can be visited for OBSERVE_INSIDE */
	OBSERVES,
	/* asked inside each database, not on the kept connection */
	OBSERVE_INSIDE = OBSERVES,
	OBSERVE_WRITE, /* the flushed test write after a promotion */
	OBSERVE_ALL
};

/* Also the name of the prepared statement. */
const char *observe_name(enum observe q);
/* server_version as PQserverVersion(): 130023. */
const char *observe_text(enum observe q, int server_version);

/* "-c name=value ..." for a session that must neither wait for others, nor write, nor fill the log.
 * major 0: unknown; then only what every version knows. */
const char *observe_settings(int major);

enum observe_position {
	POSITION_IN_RECOVERY,
	POSITION_PAUSED,
	POSITION_WRITE,
	POSITION_INSERT,
	POSITION_FLUSH,
	POSITION_WAL_NAME, /* on a primary; its first 8 digits are the timeline at once */
	POSITION_RECEIVED,
	POSITION_REPLAYED,
	POSITION_REPLAYED_AT_US,
	POSITION_RELOADED_AT, /* any change means that the configuration was read again */
	POSITION_RECEIVER,    /* state of the WAL receiver */
	POSITION_RECEIVER_WRITTEN,
	POSITION_RECEIVER_FLUSHED,
	POSITION_LATEST_END,
	POSITION_RECOVERY_TIMELINE,
	POSITION_CONFIG_HASH,
	POSITION_SENDERS,
	POSITION_SYNC_NAMES,
	POSITION_CHECKPOINTER, /* its wait event, with synchronous replication */
	POSITION_STARTUP,      /* likewise of the startup process, before anything was streamed */
};

enum observe_load { LOAD_CLIENTS, LOAD_WAL_WAITERS };

enum observe_settings_col {
	SETTINGS_MAX_CONNECTIONS,
	SETTINGS_SUPERUSER_RESERVED,
	SETTINGS_RESERVED, /* reserved_connections, 16 and later */
	SETTINGS_ARCHIVE_MODE,
	SETTINGS_PRIMARY_CONNINFO, /* boolean */
	SETTINGS_STARTED_AT_US,
};

enum observe_pending { PENDING_NAME, PENDING_OLD, PENDING_NEW, PENDING_TOTAL };

enum observe_replica {
	REPLICA_NAME,
	REPLICA_STATE,
	REPLICA_SYNC_STATE,
	REPLICA_ADDRESS,
	REPLICA_USER,
	REPLICA_SENT,
	REPLICA_WRITTEN,
	REPLICA_FLUSHED,
	REPLICA_REPLAYED,
	REPLICA_WRITE_LAG,
	REPLICA_FLUSH_LAG,
	REPLICA_REPLAY_LAG,
	REPLICA_PRIORITY,
	REPLICA_TOTAL,
};

enum observe_slot {
	SLOT_NAME,
	SLOT_PLUGIN,
	SLOT_TYPE,
	SLOT_DATABASE,
	SLOT_WAL_STATUS,
	SLOT_DATOID,
	SLOT_XMIN,
	SLOT_CATALOG_XMIN,
	SLOT_RESTART,
	SLOT_SAFE_WAL_SIZE,
	SLOT_ACTIVE,
	SLOT_TOTAL,
};

enum observe_archiver {
	ARCHIVER_LAST,
	ARCHIVER_LAST_AT_US,
	ARCHIVER_FAILED,
	ARCHIVER_FAILED_AT_US
};

enum observe_collation {
	COLLATION_DATABASE,
	COLLATION_RECORDED,
	COLLATION_ACTUAL,
	COLLATION_TOTAL
};
