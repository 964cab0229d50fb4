/*
 * The options of every other command.
 *
 * CLI_OPTION(name, letter, kind, field, env, default, argument, commands, help)
 *   letter    of the short form, 0 for none
 *   field     of struct cli_args
 *   commands  who takes it: ON(name) | ON(name), see include/cmd/cmd.h
 * The rest as in run_options.h.
 */
CLI_OPTION("run-dir", 0, PATH, run_dir, "PODGRES_RUN_DIR", "/run/podgres", "DIR",
	ON(STATUS) | ON(PSQL) | ON(BACKUP) | ON(WAL) | ON_ORDERS, "the run directory of the manager to ask")
CLI_OPTION("json", 0, FLAG, json, "", "", "", ON(STATUS) | ON(VERSION) | ON(CHECK) | ON(BACKUP) | ON(WAL) |
	ON(RESTORE) | ON_ORDERS,
	"print JSON instead of text")
CLI_OPTION("verbose", 'v', FLAG, verbose, "", "", "", ON(STATUS) | ON(CHECK) | ON(RESTORE),
	"everything there is: services, settings, slots, log lines; of check: notes as well")
CLI_OPTION("no-wait", 0, FLAG, no_wait, "", "", "", ON_ORDERS | ON(BACKUP),
	"print the id of the operation and return at once")
CLI_OPTION("timeout", 0, SPAN, timeout_ms, "", "0", "DURATION", ON(STATUS) | ON(BACKUP) | ON(WAL) | ON_ORDERS,
	"how long to wait; 0: 5s for status, 5m for orders, a week for backups")
CLI_OPTION("mode", 0, CHOICE, mode, "", "default", "default|smart|fast|immediate",
	ON(FENCE) | ON(RESTART), "how postgres is stopped; a fence knows fast and immediate")
CLI_OPTION("reason", 0, TEXT, reason, "", "", "TEXT", ON(FENCE),
	"why, for whoever reads the status")
CLI_OPTION("accept-data-loss", 0, TEXT, accept_loss, "", "", "BYTES", ON(PROMOTE),
	"with --force: at most so many bytes of WAL may be lost, such as 16Mi; any: whatever it is")
CLI_OPTION("token", 0, TEXT, token, "", "", "N", ON(PROMOTE) | ON(FOLLOW) | ON(FENCE),
	"with --coordination none: the fencing token of whoever drives the instances; an older one is refused")
CLI_OPTION("name", 0, TEXT, name, "", "", "NAME", ON(BACKUP),
	"create: the backup's name, besides its ID")
CLI_OPTION("immediate", 0, FLAG, immediate, "", "", "", ON(BACKUP),
	"create: checkpoint at once instead of spread over time")
CLI_OPTION("incremental", 0, FLAG, incremental, "", "", "", ON(BACKUP),
	"create: only what changed since the newest backup; PostgreSQL 17 with summarize_wal")
CLI_OPTION("rate", 0, TEXT, rate, "", "", "SIZE", ON(BACKUP),
	"create: bytes a second at most, such as 20MB")
CLI_OPTION("keep", 0, CHOICE, keep, "", "no", "no|full|standalone", ON(BACKUP),
	"create: no retention policy deletes it; standalone: nor the WAL it needs by itself")
CLI_OPTION("follow", 'f', FLAG, follow, "", "", "", ON(WAL),
	"jobs: go on and print each job as it begins and ends")
CLI_OPTION("config", 0, PATH, config, "PODGRES_CONFIG", "", "FILE", ON(BACKUP) | ON(WAL) | ON(RESTORE),
	"the manifest, which says where the archive is")
CLI_OPTION("secrets-dir", 0, PATH, secrets_dir, "PODGRES_SECRETS_DIR", "", "DIR", ON(BACKUP) | ON(WAL) | ON(RESTORE),
	"the secret reference {name: N, key: K} is the file N/K below it")
CLI_OPTION("from", 0, TEXT, from, "", "", "NAME", ON(BACKUP) | ON(WAL) | ON(RESTORE),
	"an external cluster of the manifest, or \"own\"; default: the own archive, else the one there is")
CLI_OPTION("cluster-name", 0, TEXT, cluster_name, "CLUSTER_NAME", "", "NAME", ON(BACKUP) | ON(WAL) | ON(RESTORE),
	"which Cluster of several in the manifest")
CLI_OPTION("dry-run", 0, FLAG, dry_run, "", "", "", ON(BACKUP),
	"prune, delete: only say what would go")
CLI_OPTION("force", 0, FLAG, force, "", "", "", ON(BACKUP) | ON(PROMOTE),
	"backup delete: also what the policy, an incremental backup or the recovery window needs; "
	"promote: past the guards against loss of data, never past the Lease")
CLI_OPTION("yes", 'y', FLAG, yes, "", "", "", ON(BACKUP), "delete: do not ask")
CLI_OPTION("read", 0, FLAG, read, "", "", "", ON(WAL),
	"verify: also read every segment through decompression")
CLI_OPTION("bindir", 0, PATH, bindir, "PODGRES_BINDIR", "", "DIR", ON(RESTORE) | ON(BACKUP),
	"the folder of postgres; found by the backup's version when not given")
CLI_OPTION("user", 0, TEXT, user, "PODGRES_USER", "", "USER[:GROUP]", ON(RESTORE) | ON(BACKUP),
	"whose the folder is when podgres is started as root, default postgres")
CLI_OPTION("restore", 0, FLAG, rehearse, "", "", "", ON(BACKUP),
	"verify: restore it too, replay all WAL, read every page, and say how long that took")
CLI_OPTION("to", 0, PATH, to, "", "", "DIR", ON(RESTORE) | ON(BACKUP),
	"the data directory to make, missing or empty; of backup verify --restore: removed afterwards, "
	"default in /var/tmp")
CLI_OPTION("backup", 0, TEXT, backup, "", "", "ID|NAME", ON(RESTORE),
	"the base backup to begin with, default the newest that ended before the target")
CLI_OPTION("target-time", 0, TEXT, target_time, "", "", "TIME", ON(RESTORE),
	"recover to this point in time; any form PostgreSQL takes, UTC without a zone")
CLI_OPTION("target-lsn", 0, TEXT, target_lsn, "", "", "LSN", ON(RESTORE),
	"recover to this position in the WAL")
CLI_OPTION("target-xid", 0, TEXT, target_xid, "", "", "XID", ON(RESTORE),
	"recover to the end of this transaction")
CLI_OPTION("target-name", 0, TEXT, target_name, "", "", "NAME", ON(RESTORE),
	"recover to this restore point (pg_create_restore_point)")
CLI_OPTION("target-immediate", 0, FLAG, target_immediate, "", "", "", ON(RESTORE),
	"recover to the end of the base backup")
CLI_OPTION("target-timeline", 0, TEXT, target_timeline, "", "", "N|latest", ON(RESTORE),
	"recover along this timeline, default latest")
CLI_OPTION("exclusive", 0, FLAG, exclusive, "", "", "", ON(RESTORE),
	"stop just before the target instead of just after it")
CLI_OPTION("no-replay", 0, FLAG, no_replay, "", "", "", ON(RESTORE),
	"the base backup alone; whoever starts it has to replay WAL")
CLI_OPTION("tablespace", 0, TEXT, tablespace, "", "", "NAME=DIR,...", ON(RESTORE),
	"where tablespaces go, by name or OID; default: their own place when it is an empty folder, "
	"else beside the data directory")
