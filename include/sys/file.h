/*
 * file - whole files and folders: read with a limit, write so that it survives a power cut, remove.
 *
 * Errors carry a kind by errno: ERR_NOTFOUND for ENOENT, ERR_SPACE for ENOSPC and EDQUOT, else
 * ERR_SYS.  Messages name the path.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

#define FILE_PATH_MAX 4096

/* Like err_sys, with the kind taken from errno as said above. */
#define file_err(e, ...) file_err_raise(e, errno, ERR_HERE, __VA_ARGS__)
int file_err_raise(struct err *e, int errnum, const char *at, const char *fmt, ...) PRINTF(4, 5);

/* dir + "/" + name; ERR_INVALID when it does not fit. */
int file_join(char *out, size_t size, const char *dir, const char *name, struct err *e) MUSTCHECK;
/* The folder a path lies in: "/a/b" gives "/a", "b" gives ".". */
int file_parent(char *out, size_t size, const char *path, struct err *e) MUSTCHECK;
const char *file_base(const char *path); /* behind the last slash */
bool file_exists(const char *path);      /* anything, a dangling link too */
bool file_is_dir(const char *path);      /* follows links */

/* Appends the file to out.  Larger than max bytes: ERR_INVALID, and nothing is appended. */
int file_read(struct buf *out, const char *path, size_t max, struct err *e) MUSTCHECK;
/* The same from an open descriptor, from where it stands to its end. */
int file_read_fd(int fd, struct buf *out, size_t max, struct err *e) MUSTCHECK;
/* At most size bytes from the beginning; *n is what there was. */
int file_read_some(const char *path, void *out, size_t size, size_t *n, struct err *e) MUSTCHECK;
/* First line without its end, for the one-value files of /proc and /sys and PG_VERSION. */
int file_read_line(const char *path, char *out, size_t size, struct err *e) MUSTCHECK;

/* Writes all of it to an open descriptor. */
int file_write_fd(int fd, const void *data, size_t len, struct err *e) MUSTCHECK;
/* Written to a temporary name beside it, fsynced, renamed over it, folder fsynced: after a crash
 * there is the old or the new content.  mode is set whatever the umask. */
int file_write(
	const char *path, const void *data, size_t len, mode_t mode, struct err *e) MUSTCHECK;

int file_sync(const char *path, struct err *e) MUSTCHECK; /* fsync of a file or folder */
/* Every file and folder below and including path; links are not followed, save that pg_wal and
 * what lies in pg_tblspc are the caller's to name. */
int file_sync_tree(const char *path, struct err *e) MUSTCHECK;

/* All missing folders of the path get mode; what is there is left as it is. */
int file_make_dirs(const char *path, mode_t mode, struct err *e) MUSTCHECK;
/* Removes path and all below.  Follows no link and stays on one mount: a mount point inside is an
 * error (ERR_STATE) that names it, found before anything in that folder is removed.  A path that is
 * not there is fine. */
int file_remove_tree(const char *path, struct err *e) MUSTCHECK;
/* Removes one file; not there is fine. */
int file_remove(const char *path, struct err *e) MUSTCHECK;

/* Calls fn for each name but "." and ".."; stops and returns -1 when fn does. */
typedef int file_each_fn(const char *name, void *arg, struct err *e);
int file_each(const char *dir, file_each_fn *fn, void *arg, struct err *e) MUSTCHECK;
