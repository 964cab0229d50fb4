/*
 * spawn_child - between fork and exec.
 */
#pragma once

#include "sys/spawn.h"

/* Streams of the child; -1: /dev/null. */
struct spawn_streams {
	int in, out, err;
	pid_t parent;
};

void spawn_child(const struct spawn_spec *spec, const struct spawn_streams *io)
	__attribute__((noreturn));
