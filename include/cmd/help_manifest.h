/*
 * help_manifest - the table of manifest fields, for people and for the manual.
 */
#pragma once

#include "base/buf.h"

/* Every kind, or what of it begins with a path: "spec.bootstrap", "Pooler".  Returns 0, or -1 when
 * nothing does. */
int help_manifest(struct buf *out, const char *only) MUSTCHECK;
/* roff for podgres.yaml(5): kinds, fields, classes, parameters that podgres owns. */
void help_manifest_man(struct buf *out);
