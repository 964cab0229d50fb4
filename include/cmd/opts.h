/*
 * opts - options from tables: command line, then environment, then default.
 *
 * The parser knows nothing of any command.  "--name value", "--name=value", "-x", "--" and flags
 * with "=on" or "=off" are understood; an unknown option is ERR_INVALID and names its nearest
 * neighbour.  Kinds are described in include/tbl/run_options.h.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum opt_kind { OPT_TEXT, OPT_PATH, OPT_FLAG, OPT_NUMBER, OPT_SPAN, OPT_CHOICE };

struct opt {
	const char *name;
	char letter;
	enum opt_kind kind;
	size_t offset, size; /* of the field in the target */
	const char *env, *dflt, *arg;
	uint64_t commands; /* bits; 0: of every set it stands in */
	const char *help;
};

struct opt_set {
	const char *command; /* for messages */
	const struct opt *opt;
	size_t n;
	uint64_t commands; /* only options with one of these bits; 0: all */
	bool pass_through; /* the first word that is not ours ends the options */
};

struct opt_rest {
	/* in: argv[0] is the command's name */
	int argc;
	char **argv;
	/* out: what was no option, in order; points into argv, which is rearranged */
	char **arg;
	int n;
	bool help; /* --help or -h was there: nothing else counts */
};

/* Every field of the set in *target is given a value. */
int opts_parse(
	const struct opt_set *set, struct opt_rest *rest, void *target, struct err *e) MUSTCHECK;
bool opts_in(const struct opt_set *set, const struct opt *o);
/* The options as text for a terminal of so many columns. */
void opts_help(const struct opt_set *set, struct buf *out, int columns);
