/*
 * guc - what podgres knows of PostgreSQL's parameters (include/tbl/guc.h).
 *
 * Who sets a parameter, what it is when nobody does, and of the common ones what values they take,
 * so that a slip in a manifest is found before postgres refuses to start.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/suggest.h"

/* Why the manifest may not set it, as a sentence that also says what to do; NULL when it may. */
const char *guc_refused(const char *name);

/* Refused, but with a value that CloudNativePG writes by itself: to be passed over. */
bool guc_harmless(const char *name, const char *value);

/* Defaults that differ from PostgreSQL's own.  i counts from 0; false: no more. */
bool guc_default(size_t i, const char **name, const char **value);

/* The library that a parameter needs preloaded, NULL for none: as CloudNativePG, podgres adds it. */
const char *guc_library(const char *name);

/* Does the value fit the parameter?  Parameters that podgres does not know take anything but what
 * is certainly wrong.  ERR_CONFIG with "..., expected ...". */
int guc_check(const char *name, const char *value, struct err *e) MUSTCHECK;
/* A legal name: letters, digits, _ and $, one or more dots between extension and parameter. */
bool guc_name_ok(const char *name);
void guc_offer(struct suggest *s); /* the names podgres knows */
bool guc_known(const char *name);
