/*
 * mount - what a path is mounted on, and how much room there is.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* *point: the folder itself is the root of a mount, a bind mount of the same file system too. */
int mount_is_point(const char *path, bool *point, struct err *e) MUSTCHECK;
int mount_is_point_at(int dirfd, const char *name, bool *point, struct err *e) MUSTCHECK;

struct mount_room {
	int64_t total_bytes;
	int64_t free_bytes;  /* for whoever is not root */
	int64_t free_inodes; /* -1: the file system does not count them */
};

int mount_room(const char *path, struct mount_room *out, struct err *e) MUSTCHECK;
