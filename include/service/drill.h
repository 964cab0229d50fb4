/*
 * drill - is this backup worth anything?  A real restore into a scratch folder, and a look at every
 * page of it.
 */
#pragma once

#include "service/restore_run.h"

struct archive_drill {
	const struct spec *spec;
	const struct run_options *opt; /* config, secrets_dir, bindir, user */
	const char *external;          /* NULL: the own store */
	const char *backup_id;         /* "": the newest */
	const char *scratch;           /* folder, missing or empty; as it was afterwards */
	void (*said)(const struct job *j, void *arg); /* may be NULL */
	void *said_arg;
};

struct drill_result {
	struct restore_run_result run;
	int64_t rto_ms; /* until postgres took connections with all WAL replayed */
	int64_t check_ms;
	int64_t databases, relations, rows;
	int64_t pages_bytes; /* of relations that were read */
	bool amcheck;        /* pg_amcheck looked at heaps and B-trees too */
	bool checksums;      /* pg_checksums looked at every page; false: the cluster has none */
};

/* ERR_CORRUPT (or what restore_run() says) names the relation or file. */
int archive_drill(
	const struct archive_drill *spec, struct drill_result *out, struct err *e) MUSTCHECK;
