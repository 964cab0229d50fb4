/*
 * supervisor - PID 1: starts, watches and stops everything else.
 */
#pragma once

#include "service/shared.h"

/* Runs until stopped.  Returns the exit code of `podgres run`.  Options are copied. */
int supervisor_main(const struct run_options *opt);
