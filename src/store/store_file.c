/*
 * store_file - objects as files below a folder: names, reading, removing.
 */
#include "store/store_file.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define TEMP ".podgres-tmp."

/* ---- errors ---- */

static enum err_kind
kind_of(int errnum)
{
	switch (errnum) {
	case ENOENT:
		return ERR_NOTFOUND;
	case ENOSPC:
	case EDQUOT:
		return ERR_SPACE;
	case EACCES:
	case EPERM:
	case EROFS:
		return ERR_DENIED;
	case ENOTDIR:
	case EISDIR:
	case ELOOP:
		return ERR_CONFLICT;
	case ENAMETOOLONG:
	case EFBIG:
		return ERR_INVALID;
	case EIO:
	case ESTALE:
	case ETIMEDOUT:
	case EHOSTDOWN:
	case EHOSTUNREACH:
	case ENOTCONN:
		return ERR_REMOTE;
	default:
		return ERR_SYS;
	}
}

int
store_file_err(struct err *e, const struct store_file_op *op, const char *step)
{
	int errnum = errno;

	err_raise(e, ERR_SYS, errnum, ERR_HERE, "%s %s: %s in %s", op->name, op->key, step,
		op->s->root);
	e->kind = kind_of(errnum);
	return -1;
}

int
store_file_cancelled(const struct store_file_op *op, struct err *e)
{
	if (!store_cancelled(op->s))
		return 0;
	return err_set(e, ERR_TIMEOUT, "%s %s: given up", op->name, op->key);
}

/* ---- names and folders ---- */

const char *
store_file_base(const char *key)
{
	const char *slash = strrchr(key, '/');

	return slash ? slash + 1 : key;
}

bool
store_file_is_temp(const char *name)
{
	return strncmp(name, TEMP, strlen(TEMP)) == 0;
}

int
store_file_root(const struct store_file_op *op, struct err *e)
{
	int fd = open(op->s->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0 || (errno != ENOENT && errno != ENOTDIR))
		return fd < 0 ? store_file_err(e, op, "open the folder") : fd;
	return err_set(e, ERR_CONFIG,
		"%s %s: the folder %s does not exist; podgres does not make it, because a volume "
		"may be missing",
		op->name, op->key, op->s->root);
}

/* The folder `name` in the folder fd, which is closed.  -1 with errno. */
static int
folder_enter(int fd, const char *name, bool make)
{
	int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int next = openat(fd, name, flags), why;

	if (next < 0 && errno == ENOENT && make &&
		(mkdirat(fd, name, 0700) == 0 || errno == EEXIST) &&
		(fsync(fd) == 0 || errno == EINVAL))
		next = openat(fd, name, flags);
	why = errno;
	close(fd);
	errno = why;
	return next;
}

/* A key that a file can have: no empty component, none too long, no temporary name. */
static bool
key_fits(const char *key)
{
	for (;;) {
		size_t n = strcspn(key, "/");

		if (n == 0 || n > NAME_MAX || (!key[n] && store_file_is_temp(key)))
			return false;
		if (!key[n])
			return true;
		key += n + 1;
	}
}

int
store_file_folder(const struct store_file_op *op, bool make, struct err *e)
{
	const char *at = op->key, *slash;
	char part[NAME_MAX + 1];
	int fd;

	if (!key_fits(op->key))
		return err_set(
			e, ERR_INVALID, "%s %s: no file can have this name", op->name, op->key);
	fd = store_file_root(op, e);
	for (; fd >= 0 && (slash = strchr(at, '/')); at = slash + 1) {
		memcpy(part, at, (size_t)(slash - at));
		part[slash - at] = '\0';
		fd = folder_enter(fd, part, make);
		if (fd < 0)
			return store_file_err(e, op, make ? "make the folder" : "look");
	}
	return fd;
}

void
store_file_prune(const struct store *s, const char *key)
{
	char path[STORE_KEY_SIZE];
	struct err ignored = {0};
	char *slash;

	snprintf(path, sizeof(path), "%s", key);
	while ((slash = strrchr(path, '/'))) {
		const struct store_file_op op = {s, "delete", path};
		AUTO(close) int above = -1;

		*slash = '\0';
		above = store_file_folder(&op, false, &ignored);
		if (above < 0 || unlinkat(above, store_file_base(path), AT_REMOVEDIR) < 0)
			return;
	}
}

void
store_file_object(struct store_object *o, const char *key, const struct stat *st)
{
	const struct timespec *t = &st->st_mtim;

	memset(o, 0, sizeof(*o));
	snprintf(o->key, sizeof(o->key), "%s", key);
	o->bytes = st->st_size;
	o->modified_us = (int64_t)t->tv_sec * 1000000 + t->tv_nsec / 1000;
	snprintf(o->etag, sizeof(o->etag), "%llx-%llx-%llx", (unsigned long long)st->st_ino,
		(unsigned long long)o->modified_us, (unsigned long long)st->st_size);
}

/* ---- reading ---- */

/* Opens the object and tells what it is. */
static int
object_open(const struct store_file_op *op, struct store_object *object, struct err *e)
{
	AUTO(close) int folder = store_file_folder(op, false, e);
	struct stat st;
	int fd;

	if (folder < 0)
		return -1;
	fd = openat(
		folder, store_file_base(op->key), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return store_file_err(e, op, "open");
	if (fstat(fd, &st) < 0 || (!S_ISREG(st.st_mode) && (errno = EISDIR))) {
		store_file_err(e, op, "open");
		close(fd);
		return -1;
	}
	store_file_object(object, op->key, &st);
	return fd;
}

static int
object_send(const struct store_file_op *op, int fd, const struct store_get *get, int64_t left,
	struct err *e)
{
	AUTO(free) char *block = malloc(STORE_FILE_BLOCK);
	int64_t at = get->from;

	if (!block)
		return err_sys(e, "get %s", op->key);
	while (left > 0) {
		size_t want = left < (int64_t)STORE_FILE_BLOCK ? (size_t)left : STORE_FILE_BLOCK;
		ssize_t n = pread(fd, block, want, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return store_file_err(e, op, "read");
		if (n == 0)
			return err_set(e, ERR_CORRUPT,
				"get %s: it became shorter while it was read", op->key);
		if (get->sink(get->arg, block, (size_t)n, e) < 0)
			return -1;
		at += n;
		left -= n;
		if (left > 0 && store_file_cancelled(op, e) < 0)
			return -1;
	}
	return 0;
}

static int
file_get(struct store *s, const struct store_get *get, struct store_object *object, struct err *e)
{
	const struct store_file_op op = {s, "get", get->key};
	AUTO(close) int fd = object_open(&op, object, e);
	int64_t left;

	s->stats.requests++;
	if (fd < 0)
		return -1;
	left = object->bytes - get->from;
	if (left < 0)
		return err_set(e, ERR_INVALID, "get %s: it has %lld bytes, asked for from %lld on",
			get->key, (long long)object->bytes, (long long)get->from);
	if (get->len > 0 && get->len < left)
		left = get->len;
	if (object_send(&op, fd, get, left, e) < 0)
		return -1;
	s->stats.bytes_in += (uint64_t)left;
	return 0;
}

static int
file_head(struct store *s, const char *key, struct store_object *object, struct err *e)
{
	const struct store_file_op op = {s, "head", key};
	AUTO(close) int fd = object_open(&op, object, e);

	s->stats.requests++;
	return fd < 0 ? -1 : 0;
}

/* ---- removing ---- */

/* Folder of a, with the slash, is that of b too. */
static bool
same_folder(const char *a, const char *b)
{
	size_t n = (size_t)(store_file_base(a) - a);

	return n == (size_t)(store_file_base(b) - b) && strncmp(a, b, n) == 0;
}

/* One key in its open folder.  Folders and what is gone are no objects. */
static int
remove_one(const struct store_file_op *op, int folder, struct err *e)
{
	if (unlinkat(folder, store_file_base(op->key), 0) == 0 || errno == ENOENT ||
		errno == EISDIR)
		return 0;
	return store_file_err(e, op, "remove");
}

/* A run of keys in one folder: the folder is fsynced once, and removed when it became empty. */
static int
remove_run(struct store *s, const char *const *keys, size_t n, struct err *e)
{
	struct store_file_op op = {s, "delete", keys[0]};
	AUTO(close) int folder = store_file_folder(&op, false, e);

	if (folder < 0)
		return e->kind == ERR_NOTFOUND ? 0 : -1;
	for (size_t i = 0; i < n; i++) {
		op.key = keys[i];
		if (store_file_cancelled(&op, e) < 0 || remove_one(&op, folder, e) < 0)
			return -1;
	}
	if (fsync(folder) < 0 && errno != EINVAL)
		return store_file_err(e, &op, "fsync the folder");
	store_file_prune(s, keys[0]);
	return 0;
}

static int
file_remove_keys(struct store *s, const char *const *keys, size_t n, struct err *e)
{
	for (size_t i = 0, run; i < n; i += run) {
		for (run = 1; i + run < n && same_folder(keys[i], keys[i + run]); run++)
			;
		if (remove_run(s, keys + i, run, e) < 0)
			return -1;
		s->stats.requests++;
	}
	return 0;
}

/* ---- the driver ---- */

static int
file_open(struct store *s, struct err *e)
{
	if (s->root[0] != '/')
		return err_set(e, ERR_CONFIG,
			"\"%.200s\" names no folder: it must be file:/// and an absolute path",
			s->spec.url);
	if (strcmp(s->root, "/") == 0)
		return err_set(e, ERR_CONFIG, "file:/// is the root folder: name one below it");
	return 0;
}

static void
file_close(struct store *s)
{
	(void)s;
}

const struct store_driver store_driver_file = {
	.scheme = "file",
	.open = file_open,
	.close = file_close,
	.put = store_file_put,
	.get = file_get,
	.head = file_head,
	.list = store_file_list,
	.remove = file_remove_keys,
	.upload_open = store_file_upload_open,
	.upload_write = store_file_upload_write,
	.upload_finish = store_file_upload_finish,
	.upload_close = store_file_upload_close,
	.upload_sweep = store_file_sweep,
};
