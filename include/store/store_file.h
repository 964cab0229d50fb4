/*
 * store_file - the driver for file:///FOLDER in its parts: keys, reading and removing
 * (store_file.c), writing (store_file_write.c), walks (store_file_walk.c).
 *
 * FOLDER must exist: podgres makes folders below it, never FOLDER itself, because a mount that is
 * gone would be replaced by a folder on the disk of the node.  It is opened anew by each call, so
 * that a mount that comes back is used.  Keys are paths below it; no link is followed there.
 * Folders get mode 0700, files 0600.
 *
 * Written is to ".podgres-tmp.PID.N" in the folder of the key, under flock(2), fsynced, then given
 * its name; the folder is fsynced too, and so are the parents of folders that were made.  Size and
 * the success of fsync are what is checked: reading back would only show the page cache.
 *
 * The calls block as long as the disk or the network file system does; the processes that make
 * them can be killed.  Between blocks the caller is asked whether to go on.  Of the spec's times
 * none applies.
 */
#pragma once

#include <sys/stat.h>

#include "store/driver.h"

#define STORE_FILE_BLOCK ((size_t)256 * 1024)

/* What an operation works on, for messages: "OP KEY: STEP in ROOT: ...". */
struct store_file_op {
	const struct store *s;
	const char *name, *key;
};

/* Kind by errno.  Both return -1. */
int store_file_err(struct err *e, const struct store_file_op *op, const char *step);
int store_file_cancelled(const struct store_file_op *op, struct err *e); /* 0: go on */

/* The folder of the destination, open; ERR_CONFIG when it is not there. */
int store_file_root(const struct store_file_op *op, struct err *e);
/* The folder that op->key lies in, open.  make: makes it.  ERR_NOTFOUND when it is not there,
 * ERR_INVALID for a key that no file can have. */
int store_file_folder(const struct store_file_op *op, bool make, struct err *e);
const char *store_file_base(const char *key); /* last component */
bool store_file_is_temp(const char *name);
/* Removes the folders of a key, upward, while they are empty; never the root. */
void store_file_prune(const struct store *s, const char *key);
void store_file_object(struct store_object *o, const char *key, const struct stat *st);

int store_file_put(
	struct store *s, const struct store_put *put, enum store_outcome *outcome, struct err *e);
int store_file_upload_open(struct store_upload *u, struct err *e);
int store_file_upload_write(struct store_upload *u, const void *p, size_t n, struct err *e);
int store_file_upload_finish(struct store_upload *u, struct store_upload_result *r, struct err *e);
void store_file_upload_close(struct store_upload *u);

int store_file_list(struct store *s, const struct store_list *list, struct err *e);
int store_file_sweep(
	struct store *s, const char *prefix, int64_t before_us, int *count, struct err *e);
