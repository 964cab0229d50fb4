/*
 * restore_run - a restore outside of a pod's life: the command `podgres restore`, the drill.
 */
#pragma once

#include "service/restore.h"

struct restore_run {
	const struct spec *spec;
	/* pgdata: the folder to make, missing or empty; state_dir as its manager will have it */
	const struct run_options *opt;
	const char *external; /* NULL: the own store */
	const char *backup_name;
	const struct spec_recovery *target; /* only the target's fields count */
	const struct restore_map *map;
	size_t maps;
	bool no_replay; /* base backup only; recovery.signal is left for whoever goes on */
	bool drill;     /* nothing outlives it: tablespaces inside, the folder removed at the end */
	bool plan_only;
	/* While postgres runs at the target, before it is stopped; may be NULL. */
	int (*while_up)(struct restore *r, void *arg, struct err *e);
	/* After it was stopped, in WRAP/data; may be NULL. */
	int (*when_down)(struct restore *r, void *arg, struct err *e);
	/* Something moved: j->report says what; may be NULL. */
	void (*said)(const struct job *j, void *arg);
	void *said_arg;
	void *arg;
};

struct restore_run_result {
	struct restore_result r;
	char backup_id[BACKUP_ID_SIZE];
	char from[512]; /* s3://bucket/path/server */
	char hint[320];
	uint64_t end_lsn; /* what the archive has */
	int64_t ms;
};

/* Becomes the user of postgres when root.  An earlier call that was killed is continued. */
int restore_run(
	const struct restore_run *run, struct restore_run_result *out, struct err *e) MUSTCHECK;
