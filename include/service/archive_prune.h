/*
 * archive_prune - deletes from an archive what retention lets go, and single backups.
 *
 * Process: the job prune, and the command backup.  The order is one that leaves nothing behind that
 * looks whole and is not: of a backup its data first and backup.info last, then WAL.  What a killed
 * run left is taken away by the next one.
 */
#pragma once

#include "core/retention.h"
#include "service/archive.h"

struct archive_prune {
	struct archive *archive;
	const struct archive_catalog *catalog;
	const struct retention_plan *plan;
	bool dry_run; /* only count */
	/* Said before each backup and each batch of WAL; may be NULL. */
	void (*said)(void *arg, const char *what, int64_t objects);
	void *arg;
	/* out */
	size_t backups;
	int64_t objects, wal_files; /* deleted, or that would be */
	int64_t bytes;              /* of them */
};

/* The backups the plan lets go, oldest last, then WAL. */
int archive_prune_run(struct archive_prune *p, struct err *e) MUSTCHECK;
/* Everything below SERVER/base/ID/, backup.info last. */
int archive_prune_backup(struct archive_prune *p, const char *id, struct err *e) MUSTCHECK;
int archive_prune_wal(struct archive_prune *p, struct err *e) MUSTCHECK;

/* SERVER/base/ID/annotations/keep, as barman-cloud-backup-keep writes it. */
int archive_keep(
	struct archive *a, const char *id, enum retention_keep keep, struct err *e) MUSTCHECK;

/*
 * By the manifest's policy: reads the catalogue, plans, deletes, logs what went.  No policy or no
 * archive: nothing.  ERR_STATE when a backup.info could not be read, so that nothing was deleted.
 */
int archive_prune_by_policy(
	const struct spec *spec, const struct run_options *opt, struct err *e) MUSTCHECK;

/* ---- archive_delete: single backups ---- */

struct archive_choice {
	const struct archive_catalog *catalog;
	const struct retention_plan *plan;
	const struct retention_policy *policy;
	const char *retention; /* the manifest's words for it */
	const bool *goes;      /* of each backup of the catalogue: chosen */
};

/* ERR_STATE says why this one must stay: something stands on it, it is kept, the policy needs it,
 * it is being made, or it is the last finished one. */
int archive_may_go(const struct archive_choice *c, size_t i, struct err *e) MUSTCHECK;
/* Deletes one backup of the own archive, when it may go.  ERR_NOTFOUND: there is none. */
int archive_delete_backup(const struct spec *spec, const struct run_options *opt, const char *id,
	struct err *e) MUSTCHECK;
