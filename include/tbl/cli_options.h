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
CLI_OPTION("json", 0, FLAG, json, "", "", "", ON(STATUS) | ON(VERSION) | ON(CHECK) | ON(BACKUP) | ON(WAL) | ON_ORDERS,
	"print JSON instead of text")
CLI_OPTION("verbose", 'v', FLAG, verbose, "", "", "", ON(STATUS) | ON(CHECK),
	"everything there is: services, settings, slots, log lines; of check: notes as well")
CLI_OPTION("no-wait", 0, FLAG, no_wait, "", "", "", ON_ORDERS | ON(BACKUP),
	"print the id of the operation and return at once")
CLI_OPTION("timeout", 0, SPAN, timeout_ms, "", "0", "DURATION", ON(STATUS) | ON(BACKUP) | ON(WAL) | ON_ORDERS,
	"how long to wait; 0: 5s for status, 5m for orders, a week for backups")
CLI_OPTION("mode", 0, CHOICE, mode, "", "default", "default|smart|fast|immediate",
	ON(FENCE) | ON(RESTART), "how postgres is stopped; a fence knows fast and immediate")
CLI_OPTION("reason", 0, TEXT, reason, "", "", "TEXT", ON(FENCE),
	"why, for whoever reads the status")
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
CLI_OPTION("config", 0, PATH, config, "PODGRES_CONFIG", "", "FILE", ON(BACKUP) | ON(WAL),
	"the manifest, which says where the archive is")
CLI_OPTION("secrets-dir", 0, PATH, secrets_dir, "PODGRES_SECRETS_DIR", "", "DIR", ON(BACKUP) | ON(WAL),
	"the secret reference {name: N, key: K} is the file N/K below it")
CLI_OPTION("from", 0, TEXT, from, "", "", "NAME", ON(BACKUP) | ON(WAL),
	"an external cluster of the manifest, or \"own\"; default: the own archive, else the one there is")
CLI_OPTION("cluster-name", 0, TEXT, cluster_name, "CLUSTER_NAME", "", "NAME", ON(BACKUP) | ON(WAL),
	"which Cluster of several in the manifest")
CLI_OPTION("dry-run", 0, FLAG, dry_run, "", "", "", ON(BACKUP),
	"prune, delete: only say what would go")
CLI_OPTION("force", 0, FLAG, force, "", "", "", ON(BACKUP),
	"delete: also what the policy, an incremental backup or the recovery window needs")
CLI_OPTION("yes", 'y', FLAG, yes, "", "", "", ON(BACKUP), "delete: do not ask")
CLI_OPTION("read", 0, FLAG, read, "", "", "", ON(WAL),
	"verify: also read every segment through decompression")
