/*
 * passwd_shim - a name for a uid that /etc/passwd does not know.
 *
 * initdb, and the single-user postgres it runs, ask getpwuid() for the name of the user and give up
 * when there is none, as for the arbitrary uid that OpenShift picks.  The shim is a shared object
 * of two functions, built in memory, that answers with one made-up entry; it is put before the C
 * library of those programs by LD_PRELOAD, and nothing is written anywhere.
 */
#pragma once

#include <sys/types.h>

#include "base/err.h"

struct passwd_shim {
	int fd;        /* -1: none; must stay open while the programs start */
	char path[64]; /* for LD_PRELOAD */
};

/* Builds it for this process' own uid and gid.  ERR_NOTIMPL on machines it is not made for. */
int passwd_shim_open(struct passwd_shim *s, const char *name, struct err *e) MUSTCHECK;
void passwd_shim_close(struct passwd_shim *s); /* idempotent */
/* The effective uid has no entry. */
bool passwd_shim_needed(void);
