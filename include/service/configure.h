/*
 * configure - bring the configuration files of PGDATA in line with the manifest.
 *
 * Process: the jobs prepare (before a start of postgres) and configure (on reload).  Files:
 * PGDATA/podgres.user.conf, podgres.conf, podgres.pg_hba.conf, podgres.pg_ident.conf, and the
 * include lines at the end of PGDATA/postgresql.conf.  New files are tried with
 * `postgres -C` before any of them is replaced, and replaced one by one with fsync and rename.
 */
#pragma once

#include "core/spec.h"
#include "service/service.h"

/* How warnings of configure in the plan begin: a reload replaces these and keeps the others. */
#define CONFIGURE_WARNING "configuration: "

/* The times, limits and wishes that the plan takes over from the manifest as they are. */
void configure_plan(struct plan *plan, const struct spec *spec, const char *pod);

/* Who acknowledges commits, into the file as it is: a manifest that cannot be read, or is refused,
 * must not hold up the Lease. */
int configure_sync(struct job *j, struct err *e) MUSTCHECK;
void configure_failover(struct plan_failover *out, const struct spec *spec);

/*
 * Renders, checks and writes; never touches a file when the result would not load.
 *
 * Reads of plan: postgres, bindir, major, waldir, superuser, huge_pages_off.
 * Sets of plan: port, socket_dir, config_hash, archive; adds warnings.
 *
 * Returns 0 when the files are in place; 0 with plan->config_error set when the new configuration
 * is refused and the former one stays in force; -1 (ERR_CONFIG: the manifest or the data
 * directory's own files are at fault) when it is refused and there is no former one.
 */
int configure_render(
	struct job *j, const struct spec *spec, struct plan *plan, struct err *e) MUSTCHECK;
