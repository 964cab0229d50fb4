/*
 * run_options - how `podgres run` comes to its options (include/tbl/run_options.h).
 */
#pragma once

#include "cmd/opts.h"
#include "service/shared.h"

struct opt_set run_options_set(void);

/* What lies outside of the tables is looked up here: host name, accounts, mount points, clocks. */
int run_options_resolve(struct run_options *opt, struct err *e) MUSTCHECK;

/* "8000", ":8000", "*:8000" -> "0.0.0.0:8000" or "[::]:8000"; "off" -> "".  Checks the port. */
int run_options_listen(char *text, size_t size, bool ipv6, struct err *e) MUSTCHECK;
/* Who lives beside pgdata: see --state-dir. */
int run_options_state_dir(const char *pgdata, char *out, size_t size, struct err *e) MUSTCHECK;
/* "USER", "USER:GROUP", numbers welcome.  An account that is not known needs both as numbers. */
int run_options_user(const char *text, struct run_options *opt, struct err *e) MUSTCHECK;
