/*
 * spec_file - the manifest of this instance, read from its file.
 */
#pragma once

#include "core/spec.h"
#include "service/shared.h"

/* Reads opt->config (at most 4 MiB) for the Cluster named opt->cluster_name; no file named: the
 * defaults of "no manifest".  notes may be NULL.  ERR_CONFIG, also when the
 * file cannot be read. */
int spec_file_load(struct spec **out, const struct run_options *opt, struct spec_notes *notes,
	struct err *e) MUSTCHECK;
