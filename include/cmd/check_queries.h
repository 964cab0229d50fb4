/*
 * check_queries - the part of `podgres check` that looks at files of metric queries.
 */
#pragma once

#include "base/buf.h"
#include "core/spec.h"

/* Is this a file of queries rather than a manifest? */
bool check_is_queries(const char *text, size_t len);
void check_queries(struct spec_notes *out, const struct buf *text);
/* Those that the manifest names, as far as they are mounted below secrets_dir. */
void check_queries_of(struct spec_notes *out, const struct spec *spec, const char *secrets_dir);
