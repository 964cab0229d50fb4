/*
 * prepare - what the files of the job `prepare` share.
 *
 * The order: the durable state, the manifest, PGDATA (made when it is empty), the programs, what
 * the machine grants, room on the volume, the configuration; then the plan is published.  A folder
 * that is not fit is left exactly as it is, and one line says why.
 */
#pragma once

#include "core/spec.h"
#include "pg/bindir.h"
#include "pg/pgdata.h"
#include "service/service.h"
#include "sys/state_file.h"

struct prepare {
	struct job *j;
	const struct run_options *opt;
	struct spec *spec;
	struct plan plan;
	struct state_record state;
	struct pgdata data;
	struct bindir bin;
	bool has_manifest;
	bool reinit;           /* ordered: PGDATA is replaced by a clone */
	uint64_t gone_lsn;     /* the primary had no WAL from there on; 0: nobody says so */
	bool restores;         /* an interrupted restore is to be continued */
	struct member *member; /* NULL: nobody else is there; prepare_member.h */
};

/* Into the report of the job, for status and the log. */
void prepare_hint(struct prepare *p, const char *fmt, ...) PRINTF(2, 3);
/* Into the plan and the log. */
void prepare_warn(struct prepare *p, const char *fmt, ...) PRINTF(2, 3);

/* ---- prepare_data: an existing folder ---- */

/* Inspects and decides: *make is set when a cluster is to be made.  ERR_CONFIG when the folder is
 * not fit. */
int prepare_data(struct prepare *p, bool *make, struct err *e) MUSTCHECK;
/* Owner, mode, programs, leftovers of a dead postmaster; fills the plan. */
int prepare_adopt(struct prepare *p, struct err *e) MUSTCHECK;

/* ---- prepare_checks: what the machine grants ---- */

int prepare_checks(struct prepare *p, struct err *e) MUSTCHECK;
/* "128MB", or a number in units of unit_bytes, in bytes; -1: not that. */
int64_t prepare_memory_value(const char *text, int64_t unit_bytes);

/* ---- prepare_init: making a cluster ---- */

/* Finishes or clears what a killed run left; call before prepare_data(). */
int prepare_init_resume(struct prepare *p, struct err *e) MUSTCHECK;
/* Makes the cluster, all or nothing. */
int prepare_init(struct prepare *p, struct err *e) MUSTCHECK;

/* ---- prepare_restore: from an archive ---- */

int prepare_restore(struct prepare *p, struct err *e) MUSTCHECK;

/* ---- prepare_clone: from a running server ---- */

int prepare_clone(struct prepare *p, struct err *e) MUSTCHECK;
