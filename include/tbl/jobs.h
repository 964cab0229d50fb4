/*
 * Work that runs to its end in a process of its own, so that the supervisor never waits for a disk.
 *
 * JOB(name, text, lane, deadline_s, does)
 *   lane        MAIN: one at a time, the long ones; SIDE: short ones that must not wait for those;
 *               CARE: what comes again every few seconds while postgres runs;
 *               FLAG: the fence flag alone, which waits for nobody; BACKUP: base backups, beside all
 *               else, ended with postgres
 *   deadline_s  seconds until it is killed; 0: as long as it makes progress
 */
JOB(PREPARE, "prepare", MAIN, 0, "makes PGDATA fit to start: checks, initdb, configuration")
JOB(CONFIGURE, "configure", MAIN, 60, "reads the manifest again and renders the configuration")
JOB(FENCE_FLAG, "fence-flag", FLAG, 10, "writes or clears the durable fence flag")
JOB(PROMOTE, "promote", SIDE, 10, "writes the promote file that postgres looks for")
JOB(CHECKPOINT, "checkpoint", SIDE, 35, "writes a checkpoint before a switchover stops postgres")
JOB(HANDED, "handed", SIDE, 0, "looks that the next primary has all WAL of the one that was stopped for it")
JOB(TOKEN, "token", SIDE, 10, "writes the fencing token of an order before it is carried out")
JOB(BACKUP, "backup", BACKUP, 0, "makes a base backup in the archive, or clears away a dead one")
JOB(PRUNE, "prune", BACKUP, 3600, "deletes from the archive what retentionPolicy lets go")
JOB(HOT_BACKUP, "hot-backup", BACKUP, 0, "holds a backup open while volumes are copied")
JOB(MEMBERS, "members", CARE, 30, "sees to the role and the slots that members replicate with")
JOB(SPACE, "space", SIDE, 30, "looks whether the volume has room for WAL again")
