/*
 * spec - the manifest as a struct: what a `kind: Cluster` document asks of this instance.
 *
 * Only what podgres acts on stands here; every other known field is in include/tbl/manifest_*.h
 * with the reason why not.  All memory belongs to the spec; strings are never NULL ("" when not
 * given) but for those marked.  Durations are milliseconds, sizes bytes.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* Where something stood in the manifest, for messages.  line 0: it is a default. */
struct spec_at {
	int line, col;
};

struct spec_text {
	char *text;
	struct spec_at at;
};

struct spec_list {
	struct spec_text *item;
	size_t n;
};

struct spec_param {
	char *name;
	char *value; /* as PostgreSQL would read it: scalars of YAML become text */
	struct spec_at at;
};

struct spec_ref { /* a Secret or ConfigMap key: the file NAME/KEY below the secrets folder */
	char *name;
	char *key;
	bool secret; /* else a ConfigMap */
	struct spec_at at;
};

struct spec_refs {
	struct spec_ref *item;
	size_t n;
};

enum spec_bool { SPEC_UNSET = -1, SPEC_FALSE = 0, SPEC_TRUE = 1 };

struct spec_initdb {
	char *database; /* default "app" when the manifest has bootstrap.initdb, else "" */
	char *owner;    /* default: the database's name */
	char *secret;   /* name of the Secret with username and password, "" for none */
	struct spec_list options; /* bootstrap.initdb.options, passed on as they are */
	enum spec_bool data_checksums;
	char *encoding, *locale, *locale_collate, *locale_ctype, *locale_provider;
	char *icu_locale, *icu_rules, *builtin_locale;
	int wal_segment_mb; /* 0: initdb's default */
	struct spec_list post_init_sql, post_init_application_sql, post_init_template_sql;
	struct spec_refs post_init_sql_refs, post_init_application_sql_refs,
		post_init_template_sql_refs;
};

/* A barmanObjectStore, and what podgres adds to it.  set false: there is none. */
struct spec_store {
	bool set;
	char *destination; /* destinationPath: s3://... or file:///... */
	char *endpoint;    /* endpointURL */
	char *server_name; /* default: the cluster's name; of an external cluster: its name */
	struct spec_ref endpoint_ca, access_key, secret_key, session_token, region;
	bool inherit;          /* inheritFromIAMRole */
	char *wal_compression; /* "" for none, "gzip", "zstd", ... */
	char *wal_encryption;  /* "", AES256, aws:kms */
	int wal_parallel;      /* maxParallel, default 1 */
	char *data_compression, *data_encryption;
	int data_jobs; /* default 2 */
	bool immediate_checkpoint;
	struct spec_param *tag, *history_tag;
	size_t tags, history_tags;
	struct spec_at at;
};

enum spec_when_down { SPEC_DOWN_STOP, SPEC_DOWN_DROP };

/* spec.backup */
struct spec_backup {
	struct spec_store store;
	char *retention;       /* retentionPolicy, "" for none */
	bool prefer_standby;   /* target */
	int64_t continuous_ms; /* backup.continuous: how often new WAL of the current segment goes
				  out; 0: off */
	enum spec_when_down when_down; /* backup.whenStoreFails */
	int64_t drop_bytes; /* backup.dropAbove: drop-with-gap begins when pg_wal holds so much; 0:
			       a tenth of the volume is left */
	struct spec_at at;
};

/* spec.bootstrap.recovery */
struct spec_recovery {
	bool set;
	char *source;      /* of externalClusters; "" with backup_name: the own store */
	char *backup_name; /* recovery.backup.name: of a Backup document of the file */
	char *backup_id;   /* recoveryTarget.backupID */
	char *target_tli, *target_xid, *target_name, *target_lsn, *target_time;
	bool target_immediate, exclusive;
	char *database, *owner, *secret;
	struct spec_at at, target_at;
};

/* kind: ScheduledBackup and kind: Backup */
struct spec_schedule {
	char *name;
	char *schedule; /* "" of a Backup: once */
	bool suspend, immediate, once;
	bool prefer_standby, target_set;
	enum spec_bool immediate_checkpoint; /* onlineConfiguration.immediateCheckpoint */
	struct spec_at at;
};

/* An external cluster that replica.source, recovery or pg_basebackup may name. */
struct spec_external {
	char *name;
	struct spec_param *param; /* connectionParameters in the manifest's order */
	size_t params;
	struct spec_ref password, ssl_cert, ssl_key, ssl_root_cert; /* name "": not given */
	struct spec_store store;
	struct spec_at at;
};

enum spec_bootstrap { SPEC_BOOT_INITDB, SPEC_BOOT_RECOVERY, SPEC_BOOT_PG_BASEBACKUP };

struct spec_monitoring {
	struct spec_refs queries; /* customQueriesConfigMap, then customQueriesSecret */
	bool disable_default;
	int64_t ttl_ms; /* metricsQueriesTTL, default 30 s; 0: at each pass */
};

/* spec.primaryLease: what core/lease_time.h makes deadlines of; the manifest's holds, or defaults
 */
struct spec_lease {
	int64_t duration_s, renew_s, retry_s, released_s;
	bool failsafe;           /* probes.liveness.isolationCheck.enabled */
	int64_t failsafe_ask_ms; /* its requestTimeout */
};

/* spec.postgresql.synchronous, or minSyncReplicas and maxSyncReplicas.  number 0: none. */
struct spec_sync {
	bool first; /* method: first, else any */
	int number;
	int least;     /* a commit waits for so many even when fewer stream; number: required */
	int max_names; /* maxStandbyNamesFromCluster; 0: no limit */
};

struct spec {
	char *name, *name_space; /* metadata */
	int instances;
	enum spec_bootstrap bootstrap;
	struct spec_at bootstrap_at;
	bool has_initdb; /* the manifest has bootstrap.initdb */
	struct spec_initdb initdb;
	struct spec_param *param; /* postgresql.parameters in the manifest's order */
	size_t params;
	struct spec_list pg_hba, pg_ident;
	struct spec_list preload; /* shared_preload_libraries as given; conf_preload adds what
				     parameters imply */
	bool alter_system;        /* postgresql.enableAlterSystem */
	bool superuser_access;    /* enableSuperuserAccess */
	char *superuser_secret;   /* name of the Secret */
	bool replica_enabled;     /* replica.enabled */
	char *replica_source;     /* replica.source */
	char *replica_conninfo;   /* from externalClusters[replica.source].connectionParameters; "".
				     Without password and certificates: those are files, see
				     spec_external_of(s, s->replica_source) */
	char *bootstrap_source;   /* source of pg_basebackup or recovery; "" */
	struct spec_external *external; /* externalClusters */
	size_t externals;
	struct spec_list fenced; /* annotation cnpg.io/fencedInstances; "*" is everybody */
	int64_t start_delay_ms, stop_delay_ms, smart_shutdown_ms, switchover_delay_ms,
		failover_delay_ms;
	struct spec_lease lease;
	struct spec_sync sync;
	int64_t failover_lag_bytes;  /* maximumLagOnFailover; -1: no limit */
	struct spec_param *priority; /* failoverPriority: pod and number */
	size_t priorities;
	int64_t maximum_lag_bytes;  /* probes.readiness.maximumLag; -1: none */
	bool ready_needs_streaming; /* probes.readiness.type: streaming, or not given */
	struct spec_monitoring monitoring;
	struct spec_backup backup;
	struct spec_recovery recovery;
	struct spec_schedule *schedule; /* of this cluster, in the order of the file */
	size_t schedules;
	char *log_level;
};

/* A finding of the reader, in the order of the file. */
struct spec_note {
	bool error; /* else a warning, or only a remark: */
	bool info;  /* nothing is wrong: "for Kubernetes objects only", "another kind, ignored" */
	struct spec_at at;
	char text[320]; /* "spec.instances: ..., expected ..."; without FILE:LINE:COL */
};

struct spec_notes {
	struct spec_note *item;
	size_t n;
};

/* Where a manifest comes from and what is wanted of it. */
struct spec_source {
	const char *text;
	size_t len;
	const char *file; /* for messages only */
	const char
		*cluster; /* CLUSTER_NAME: which Cluster of several; NULL or "": there is but one */
	bool checking;    /* `podgres check`: no Cluster at all, or several, is fine */
};

/*
 * Reads a manifest: one or more YAML documents, or a List of objects.  Returns 0 with *out even
 * when there are warnings; -1 with ERR_CONFIG when a note is an error (*e holds the first, as
 * "FILE:LINE:COL: ...") or the text is not YAML, which then is a note as well.  notes may be NULL.
 * When checking, *out is the first Cluster or the defaults.
 */
int spec_parse_from(struct spec **out, const struct spec_source *source, struct spec_notes *notes,
	struct err *e) MUSTCHECK;
/* The same for the one Cluster of a file. */
#define spec_parse(out, its_text, its_len, its_file, notes, e)                                    \
	spec_parse_from(out,                                                                      \
		&(struct spec_source){.text = its_text, .len = its_len, .file = its_file}, notes, \
		e)
struct spec *spec_new(struct err *e); /* the defaults of "no manifest"; NULL: out of memory */
struct spec *spec_free(struct spec *s);
DEFINE_AUTO(struct spec *, spec_free)
void spec_notes_deinit(struct spec_notes *n);

/* NULL: no external cluster has this name. */
const struct spec_external *spec_external_of(const struct spec *s, const char *name);
