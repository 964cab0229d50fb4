/*
 * Every command of podgres, in the order in which `podgres help` lists them.
 *
 * COMMAND(name, text, function, group, usage, summary, missing)
 *   group    RUN, LOOK, ORDER, ARCHIVE, TOOL; HIDDEN ones stand in no list
 *   usage    what follows the name on the command line
 *   missing  NULL, or what this version lacks: the command then exits 69 with that sentence
 */
COMMAND(RUN, "run", cmd_run, RUN, "[OPTION...]",
	"PID 1: prepare PGDATA, start, watch, fence and stop postgres, serve HTTP", NULL)
COMMAND(STATUS, "status", cmd_status, LOOK, "[--json] [-v]",
	"this instance as its manager sees it, for a person", NULL)
COMMAND(PSQL, "psql", cmd_psql, LOOK, "[PSQL-ARG...]", "exec psql on this instance's socket", NULL)
COMMAND(PROMOTE, "promote", cmd_order, ORDER, "[--force --accept-data-loss=BYTES]",
	"make this standby the primary", NULL)
COMMAND(SWITCHOVER, "switchover", cmd_order, ORDER, "[TARGET]",
	"hand the primary's role to another member, the best one unless it is named", NULL)
COMMAND(FOLLOW, "follow", cmd_order, ORDER, "HOST:PORT --token=N",
	"with --coordination none: follow that primary; a former primary stops first", NULL)
COMMAND(FENCE, "fence", cmd_order, ORDER, "on|off [--mode immediate] [--reason TEXT]",
	"stop postgres and keep it stopped, also after a restart; or let it run again", NULL)
COMMAND(RESTART, "restart", cmd_order, ORDER, "[--mode smart|fast|immediate]",
	"stop postgres and start it again", NULL)
COMMAND(RELOAD, "reload", cmd_order, ORDER, "", "read the manifest again and reload postgres", NULL)
COMMAND(PAUSE, "pause", cmd_order, ORDER, "on|off",
	"keep podgres from acting by itself: no restart after a crash", NULL)
COMMAND(REINIT, "reinit", cmd_order, ORDER, "",
	"clone this standby anew from the primary; the former copy is kept for a while (--keep-old)", NULL)
COMMAND(BACKUP, "backup", cmd_backup, ARCHIVE,
	"create|list|show ID|verify [ID...]|delete ID...|prune|keep ID [standalone]|unkeep ID",
	"base backups in the archive; an ID may also be a backup's name, latest or oldest", NULL)
COMMAND(RESTORE, "restore", cmd_restore, ARCHIVE, "--to DIR [OPTION...]",
	"a new data directory from the archive of the manifest, recovered to a target", NULL)
COMMAND(WAL, "wal", cmd_wal, ARCHIVE, "status|jobs [--follow]|verify|fetch NAME DEST|push PATH",
	"the archive of WAL: what is exposed, what goes out and comes back; one file by hand", NULL)
COMMAND(GENERATE, "generate", cmd_missing, TOOL, "FILE", "manifest to Kubernetes objects",
	"generate needs the Kubernetes objects, which this version does not have yet")
COMMAND(CHECK, "check", cmd_check, TOOL, "FILE... [--json] [-v]",
	"validate a manifest or metric queries, with file:line:column; - is stdin", NULL)
COMMAND(CERTIFICATE, "certificate", cmd_missing, TOOL, "", "make and look at certificates",
	"certificate needs the certificate authority, which this version does not have yet")
COMMAND(POOLER, "pooler", cmd_missing, TOOL, "run", "run and watch a PgBouncer",
	"pooler needs the manager of PgBouncer, which this version does not have yet")
COMMAND(VERSION, "version", cmd_version, TOOL, "[--json]", "version and build of this program",
	NULL)
COMMAND(HELP, "help", cmd_help, TOOL, "[COMMAND|states|errors|options|manifest [PATH]]",
	"how to use a command; the tables podgres works by", NULL)
COMMAND(SERVICE, "service", service_main, HIDDEN, "NAME",
	"an auxiliary process; started by the supervisor alone", NULL)
COMMAND(JOB, "job", job_main, HIDDEN, "NAME RUN [ARG...]",
	"work that runs to its end; started by the supervisor alone", NULL)
COMMAND(DOCS, "docs", cmd_docs, HIDDEN, "man1|man5|man7|names",
	"the sections of the manual that come from tables", NULL)
