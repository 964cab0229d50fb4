/*
 * guc - what podgres knows of PostgreSQL's parameters (include/tbl/guc.h).
 *
 * Which ones a manifest may not set, and of the common ones what values they take, so that a slip
 * is found before postgres refuses to start.  What podgres writes itself is in conf_owned.h and
 * conf_defaults.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/suggest.h"

/* Why the manifest may not set it, as a sentence that also says what to do; NULL when it may. */
const char *guc_refused(const char *name);
/* Row i of those; false: no more. */
bool guc_owned(size_t i, const char **name, const char **reason);

/* Refused, but with a value that CloudNativePG writes by itself: to be passed over. */
bool guc_harmless(const char *name, const char *value);

/* Does the value fit the parameter?  Parameters that podgres does not know take anything but what
 * is certainly wrong.  ERR_CONFIG with "..., expected ...". */
int guc_check(const char *name, const char *value, struct err *e) MUSTCHECK;
/* A legal name: letters, digits, _ and $, one or more dots between extension and parameter. */
bool guc_name_ok(const char *name);
void guc_offer(struct suggest *s); /* the names podgres knows */
bool guc_known(const char *name);
