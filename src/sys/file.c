/*
 * file - whole files: names, reading with a limit, writing that survives a power cut.
 */
#include "sys/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_CHUNK 65536

int
file_err_raise(struct err *e, int errnum, const char *at, const char *fmt, ...)
{
	char what[sizeof(e->msg)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	err_raise(e, ERR_SYS, errnum, at, "%s", what);
	if (errnum == ENOENT)
		e->kind = ERR_NOTFOUND;
	else if (errnum == ENOSPC || errnum == EDQUOT)
		e->kind = ERR_SPACE;
	return -1;
}

/* ---- names ---- */

int
file_join(char *out, size_t size, const char *dir, const char *name, struct err *e)
{
	int n = snprintf(out, size, "%s/%s", dir, name);

	if (n < 0 || (size_t)n >= size)
		return err_set(e, ERR_INVALID, "path too long: %.200s/%.100s", dir, name);
	return 0;
}

const char *
file_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

int
file_parent(char *out, size_t size, const char *path, struct err *e)
{
	const char *base = file_base(path);
	size_t len = (size_t)(base - path);

	while (len > 1 && path[len - 1] == '/')
		len--;
	if (len == 0) {
		path = ".";
		len = 1;
	}
	if (len >= size)
		return err_set(e, ERR_INVALID, "path too long: %.200s", path);
	memcpy(out, path, len);
	out[len] = '\0';
	return 0;
}

bool
file_exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

bool
file_is_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* ---- read ---- */

int
file_read_fd(int fd, struct buf *out, size_t max, struct err *e)
{
	AUTO(free) char *chunk = malloc(FILE_CHUNK);
	size_t before = out->len;

	if (!chunk)
		return err_sys(e, "read");
	for (;;) {
		ssize_t n = read(fd, chunk, FILE_CHUNK);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "read");
		if (n == 0)
			return buf_check(out, e);
		if (out->len - before + (size_t)n > max) {
			out->len = before;
			if (out->data)
				out->data[before] = '\0';
			return err_set(e, ERR_INVALID, "larger than %zu bytes", max);
		}
		buf_put(out, chunk, (size_t)n);
	}
}

int
file_read(struct buf *out, const char *path, size_t max, struct err *e)
{
	AUTO(close) int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return file_err(e, "open %s", path);
	return file_read_fd(fd, out, max, e) < 0 ? err_add(e, "%s", path) : 0;
}

int
file_read_some(const char *path, void *out, size_t size, size_t *n, struct err *e)
{
	AUTO(close) int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *at = out;

	*n = 0;
	if (fd < 0)
		return file_err(e, "open %s", path);
	while (*n < size) {
		ssize_t got = read(fd, at + *n, size - *n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return file_err(e, "read %s", path);
		if (got == 0)
			break;
		*n += (size_t)got;
	}
	return 0;
}

int
file_read_line(const char *path, char *out, size_t size, struct err *e)
{
	size_t n;

	must(size > 0);
	if (file_read_some(path, out, size - 1, &n, e) < 0)
		return -1;
	out[n] = '\0';
	out[strcspn(out, "\r\n")] = '\0';
	return 0;
}

/* ---- write ---- */

int
file_write_fd(int fd, const void *data, size_t len, struct err *e)
{
	const char *at = data;

	while (len > 0) {
		ssize_t n = write(fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return file_err(e, "write");
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

static int
file_fill(const char *path, const void *data, size_t len, mode_t mode, struct err *e)
{
	AUTO(close)
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);

	if (fd < 0)
		return file_err(e, "create %s", path);
	if (file_write_fd(fd, data, len, e) < 0)
		return err_add(e, "%s", path);
	if (fchmod(fd, mode) < 0)
		return file_err(e, "set the mode of %s", path);
	if (fsync(fd) < 0)
		return file_err(e, "fsync %s", path);
	return 0;
}

int
file_write(const char *path, const void *data, size_t len, mode_t mode, struct err *e)
{
	char temp[FILE_PATH_MAX], parent[FILE_PATH_MAX];
	int n = snprintf(temp, sizeof(temp), "%s.podgres-tmp", path);

	if (n < 0 || (size_t)n >= sizeof(temp))
		return err_set(e, ERR_INVALID, "path too long: %.200s", path);
	if (file_parent(parent, sizeof(parent), path, e) < 0)
		return -1;
	if (file_fill(temp, data, len, mode, e) < 0) {
		unlink(temp);
		return -1;
	}
	if (rename(temp, path) < 0) {
		file_err(e, "rename %s to %s", temp, path);
		unlink(temp);
		return -1;
	}
	return file_sync(parent, e);
}

int
file_sync(const char *path, struct err *e)
{
	AUTO(close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return file_err(e, "open %s", path);
	/* Some file systems do not fsync folders, and say so. */
	if (fsync(fd) < 0 && errno != EINVAL && errno != EBADF && errno != ENOTSUP)
		return file_err(e, "fsync %s", path);
	return 0;
}

int
file_remove(const char *path, struct err *e)
{
	if (unlink(path) < 0 && errno != ENOENT)
		return file_err(e, "remove %s", path);
	return 0;
}
