/*
 * file_tree - folders: make, walk, fsync, remove without ever leaving the mount.
 *
 * A walk holds one descriptor a level and opens names relative to it without following links, so
 * that nobody can lead it elsewhere meanwhile.
 */
#include "sys/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "sys/mount.h"

#define TREE_DEPTH 64

/* A read-only or closed parent answers mkdir before it looks whether the folder is there. */
static bool
tree_not_there(const char *path)
{
	int saved = errno;
	bool there = saved == EEXIST || file_is_dir(path);

	errno = saved;
	return !there;
}

int
file_make_dirs(const char *path, mode_t mode, struct err *e)
{
	char part[FILE_PATH_MAX];
	size_t len = strlen(path);

	if (len >= sizeof(part))
		return err_set(e, ERR_INVALID, "path too long: %.200s", path);
	for (size_t i = 1; i <= len; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (mkdir(part, mode) < 0 && tree_not_there(part))
			return file_err(e, "make folder %s", part);
	}
	if (!file_is_dir(path))
		return err_set(e, ERR_CONFIG, "%s is not a folder", path);
	return 0;
}

static DIR *
tree_open(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d;

	if (fd < 0)
		return NULL;
	d = fdopendir(fd);
	if (!d)
		close(fd);
	return d;
}

static void
closedir_auto(DIR **d)
{
	if (*d)
		closedir(*d);
}

static bool
tree_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* NULL at the end, with errno 0, or on an error. */
static struct dirent *
tree_next(DIR *d)
{
	struct dirent *de;

	do {
		errno = 0;
		de = readdir(d); // NOLINT(concurrency-mt-unsafe): the stream is ours alone
	} while (de && tree_dots(de->d_name));
	return de;
}

int
file_each(const char *dir, file_each_fn *fn, void *arg, struct err *e)
{
	AUTO(closedir) DIR *d = opendir(dir);
	struct dirent *de;

	if (!d)
		return file_err(e, "open folder %s", dir);
	while ((de = tree_next(d)))
		if (fn(de->d_name, arg, e) < 0)
			return -1;
	return errno ? file_err(e, "read folder %s", dir) : 0;
}

/* ---- fsync ---- */

static int tree_sync_dir(int at, const char *name, int depth, struct err *e);

static int
tree_sync_entry(int at, const char *name, int depth, struct err *e)
{
	AUTO(close) int fd = -1;
	struct stat st;

	if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return file_err(e, "look at %s", name);
	if (S_ISDIR(st.st_mode))
		return tree_sync_dir(at, name, depth + 1, e);
	if (!S_ISREG(st.st_mode))
		return 0;
	fd = openat(at, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return file_err(e, "open %s", name);
	return fsync(fd) < 0 ? file_err(e, "fsync %s", name) : 0;
}

static int
tree_sync_dir(int at, const char *name, int depth, struct err *e)
{
	AUTO(closedir) DIR *d = tree_open(at, name);
	struct dirent *de;

	if (!d)
		return file_err(e, "open folder %s", name);
	if (depth > TREE_DEPTH)
		return err_set(e, ERR_STATE, "%s is nested too deeply", name);
	while ((de = tree_next(d)))
		if (tree_sync_entry(dirfd(d), de->d_name, depth, e) < 0)
			return err_add(e, "%s", name);
	if (errno)
		return file_err(e, "read folder %s", name);
	if (fsync(dirfd(d)) < 0 && errno != EINVAL && errno != ENOTSUP)
		return file_err(e, "fsync folder %s", name);
	return 0;
}

/* syncfs() writes all at once and reports errors since Linux 5.8; files one by one are the way of
 * PostgreSQL itself.  The first makes the second quick. */
int
file_sync_tree(const char *path, struct err *e)
{
	AUTO(close) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return file_err(e, "open folder %s", path);
	if (syncfs(fd) < 0)
		return file_err(e, "sync the file system of %s", path);
	return tree_sync_dir(AT_FDCWD, path, 0, e);
}

/* ---- remove ---- */

static int tree_empty(int at, const char *name, int depth, struct err *e);

static int
tree_check_mount(int at, const char *name, struct err *e)
{
	bool point;

	if (mount_is_point_at(at, name, &point, e) < 0)
		return -1;
	if (point)
		return err_set(e, ERR_STATE, "%s is a mount point and stays untouched", name);
	return 0;
}

static int
tree_remove_entry(int at, const char *name, int depth, struct err *e)
{
	struct stat st;

	if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : file_err(e, "look at %s", name);
	if (!S_ISDIR(st.st_mode)) {
		if (unlinkat(at, name, 0) < 0 && errno != ENOENT)
			return file_err(e, "remove %s", name);
		return 0;
	}
	if (tree_check_mount(at, name, e) < 0 || tree_empty(at, name, depth, e) < 0)
		return -1;
	if (unlinkat(at, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return file_err(e, "remove folder %s", name);
	return 0;
}

static int
tree_empty(int at, const char *name, int depth, struct err *e)
{
	AUTO(closedir) DIR *d = tree_open(at, name);
	struct dirent *de;

	if (!d)
		return file_err(e, "open folder %s", name);
	if (depth > TREE_DEPTH)
		return err_set(e, ERR_STATE, "%s is nested too deeply", name);
	while ((de = tree_next(d)))
		if (tree_remove_entry(dirfd(d), de->d_name, depth + 1, e) < 0)
			return err_add(e, "%s", name);
	return errno ? file_err(e, "read folder %s", name) : 0;
}

int
file_remove_tree(const char *path, struct err *e)
{
	return tree_remove_entry(AT_FDCWD, path, 0, e);
}
