/*
 * store_file_write - files that appear whole, with their content on the disk, or not at all.
 *
 * What is uploaded is sent to the disk as it comes and dropped from the page cache: a base backup
 * must neither push the database's pages out nor leave all its writing to the fsync at the end.
 */
#include "store/store_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

#include "base/clock.h"

#define TEMPS_TRIED 10000 /* names of this PID that others hold: dead ones, or of another pod */
#define FOLDERS_TRIED 5   /* someone may remove the folder while it is empty */
#define WINDOW ((int64_t)8 * 1024 * 1024)
#define NAP_MS 50

struct temp {
	int folder, fd; /* -1: not open */
	char name[64];  /* "": nothing to remove */
	int64_t bytes;
};

/* ---- the temporary file ---- */

static void
temp_drop(struct temp *t)
{
	if (t->name[0])
		(void)unlinkat(t->folder, t->name, 0);
	if (t->fd >= 0)
		close(t->fd);
	if (t->folder >= 0)
		close(t->folder);
	*t = (struct temp){-1, -1, "", 0};
}

/* Locked, so that a sweep sees that its writer lives; without locks its age must do.  false: a
 * sweep was faster. */
static bool
temp_lock(const struct temp *t)
{
	struct stat st;

	if (flock(t->fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
		return false;
	return fstat(t->fd, &st) == 0 && st.st_nlink > 0;
}

static int
temp_create(struct temp *t)
{
	for (int i = 0; i < TEMPS_TRIED; i++) {
		snprintf(t->name, sizeof(t->name), ".podgres-tmp.%d.%d", (int)getpid(), i);
		t->fd = openat(t->folder, t->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (t->fd >= 0 && temp_lock(t))
			return 0;
		if (t->fd < 0 && errno != EEXIST)
			break;
		if (t->fd >= 0)
			close(t->fd);
		t->fd = -1;
	}
	t->name[0] = '\0';
	return -1;
}

static int
temp_open(struct temp *t, const struct store_file_op *op, struct err *e)
{
	*t = (struct temp){-1, -1, "", 0};
	for (int i = 0; i < FOLDERS_TRIED; i++) {
		t->folder = store_file_folder(op, true, e);
		if (t->folder < 0 && e->kind != ERR_NOTFOUND)
			return -1;
		if (t->folder >= 0 && temp_create(t) == 0)
			return 0;
		if (t->folder >= 0)
			store_file_err(e, op, "make a temporary file");
		temp_drop(t);
		if (e->kind != ERR_NOTFOUND)
			return -1;
	}
	e->kind = ERR_REMOTE; /* its folder comes and goes; of the object this says nothing */
	return -1;
}

static int
temp_write(struct temp *t, const struct store_file_op *op, const char *p, size_t n, struct err *e)
{
	while (n > 0) {
		size_t block = n < 4 * STORE_FILE_BLOCK ? n : 4 * STORE_FILE_BLOCK;
		ssize_t done = write(t->fd, p, block);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return store_file_err(e, op, "write");
		p += done;
		n -= (size_t)done;
		t->bytes += done;
		if (store_file_cancelled(op, e) < 0)
			return -1;
	}
	return 0;
}

static int
temp_sync(const struct temp *t, const struct store_file_op *op, struct err *e)
{
	struct stat st;

	if (fsync(t->fd) < 0)
		return store_file_err(e, op, "fsync");
	if (fstat(t->fd, &st) < 0)
		return store_file_err(e, op, "look at what was written");
	if (st.st_size != t->bytes)
		return err_set(e, ERR_CORRUPT, "%s %s: %lld bytes were written, the file has %lld",
			op->name, op->key, (long long)t->bytes, (long long)st.st_size);
	return 0;
}

/* ---- what stands there already ---- */

/* Either memory or a file. */
struct content {
	const char *body; /* NULL: fd */
	int fd;
	int64_t bytes;
};

/* 1: the same, 0: other bytes, -1: errno. */
static int
block_compare(int fd, const struct content *c, int64_t at, size_t n, char *block)
{
	const char *own = c->body ? c->body + at : block + STORE_FILE_BLOCK;
	ssize_t got = pread(fd, block, n, at);

	if (got < 0 || (!c->body && pread(c->fd, block + STORE_FILE_BLOCK, n, at) != got))
		return -1;
	return (size_t)got == n && memcmp(block, own, n) == 0;
}

static int
content_compare(int fd, const struct content *c)
{
	AUTO(free) char *block = malloc(2 * STORE_FILE_BLOCK);
	int same = block ? 1 : -1;

	for (int64_t at = 0; same == 1 && at < c->bytes; at += (int64_t)STORE_FILE_BLOCK) {
		int64_t left = c->bytes - at;

		same = block_compare(fd, c, at,
			left < (int64_t)STORE_FILE_BLOCK ? (size_t)left : STORE_FILE_BLOCK, block);
	}
	return same;
}

static int
conflict(const struct store_file_op *op, const char *what, struct err *e)
{
	return err_set(e, ERR_CONFLICT, "%s %s: %s stands there in %s", op->name, op->key, what,
		op->s->root);
}

/* STORE_SAME is a promise too: whoever wrote it may have died before it was on the disk. */
static int
content_settle(int folder, const struct store_file_op *op, const struct content *c, struct err *e)
{
	AUTO(close)
	int fd = openat(
		folder, store_file_base(op->key), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	int same;

	if (fd < 0 && errno == ELOOP)
		return conflict(op, "a link", e);
	if (fd < 0 || fstat(fd, &st) < 0)
		return store_file_err(e, op, "open what stands there");
	if (!S_ISREG(st.st_mode))
		return conflict(op, "something else than a file", e);
	same = st.st_size == c->bytes ? content_compare(fd, c) : 0;
	if (same < 0)
		return store_file_err(e, op, "read what stands there");
	if (!same)
		return conflict(op, "a file with other content", e);
	if (fsync(fd) < 0 || (fsync(folder) < 0 && errno != EINVAL))
		return store_file_err(e, op, "fsync what stands there");
	return 0;
}

/* ---- giving the name ---- */

/* 0, or -1 with errno, EEXIST when something stands there. */
static int
temp_name_new(struct temp *t, const char *base)
{
	struct stat st;

	if (renameat2(t->folder, t->name, t->folder, base, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS && errno != EPERM)
		return -1;
	if (linkat(t->folder, t->name, t->folder, base, 0) == 0)
		return unlinkat(t->folder, t->name, 0);
	if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS)
		return -1;
	/* A file system with neither: like a store without conditional writes. */
	if (fstatat(t->folder, base, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		errno = EEXIST;
		return -1;
	}
	return renameat(t->folder, t->name, t->folder, base);
}

static int
temp_publish(struct temp *t, const struct store_file_op *op, bool create,
	enum store_outcome *outcome, struct err *e)
{
	const struct content own = {NULL, t->fd, t->bytes};
	const char *base = store_file_base(op->key);
	int rc;

	if (temp_sync(t, op, e) < 0)
		return -1;
	*outcome = STORE_STORED;
	rc = create ? temp_name_new(t, base) : renameat(t->folder, t->name, t->folder, base);
	/* What stood there may be gone when it is looked at. */
	for (int i = 0; rc < 0 && create && errno == EEXIST && i < FOLDERS_TRIED; i++) {
		*outcome = STORE_SAME;
		if (content_settle(t->folder, op, &own, e) == 0)
			return 0;
		if (e->kind != ERR_NOTFOUND)
			return -1;
		*outcome = STORE_STORED;
		rc = temp_name_new(t, base);
	}
	if (rc < 0)
		return store_file_err(e, op, "give the name");
	t->name[0] = '\0';
	if (fsync(t->folder) < 0 && errno != EINVAL)
		return store_file_err(e, op, "fsync the folder");
	return 0;
}

/* ---- put ---- */

/* The usual second try of a segment: nothing has to be written to see that it is there. */
static int
put_found(const struct store_file_op *op, const struct store_put *put, struct err *e)
{
	const struct content own = {put->body ? put->body : "", -1, (int64_t)put->len};
	struct err none = {0};
	AUTO(close) int folder = store_file_folder(op, false, &none);
	struct stat st;

	if (folder < 0 || fstatat(folder, store_file_base(op->key), &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (content_settle(folder, op, &own, e) == 0)
		return 1;
	return e->kind == ERR_NOTFOUND ? 0 : -1;
}

int
store_file_put(
	struct store *s, const struct store_put *put, enum store_outcome *outcome, struct err *e)
{
	const struct store_file_op op = {s, "put", put->key};
	int found = put->create ? put_found(&op, put, e) : 0, rc;
	struct temp t;

	s->stats.requests++;
	*outcome = STORE_SAME;
	if (found != 0)
		return found < 0 ? -1 : 0;
	rc = temp_open(&t, &op, e);
	if (rc == 0)
		rc = temp_write(&t, &op, put->body, put->len, e);
	if (rc == 0)
		rc = temp_publish(&t, &op, put->create, outcome, e);
	temp_drop(&t);
	if (rc < 0)
		store_file_prune(s, put->key);
	if (rc == 0 && *outcome == STORE_STORED)
		s->stats.bytes_out += put->len;
	return rc;
}

/* ---- uploads ---- */

struct upload {
	struct temp temp;
	struct sha256 hash;
	int64_t begun_ns;
	int64_t sent; /* up to here the disk was asked to write */
};

static struct store_file_op
upload_op(const struct store_upload *u)
{
	return (struct store_file_op){u->store, "upload", u->key};
}

int
store_file_upload_open(struct store_upload *u, struct err *e)
{
	const struct store_file_op op = upload_op(u);
	AUTO(free) struct upload *f = calloc(1, sizeof(*f));

	if (!f)
		return err_sys(e, "upload %s", u->key);
	if (temp_open(&f->temp, &op, e) < 0)
		return -1;
	sha256_init(&f->hash);
	f->begun_ns = clock_boot_ns();
	u->store->stats.requests++;
	u->state = take(f);
	return 0;
}

/* Sleeps until so many bytes are due. */
static int
upload_pace(const struct store_upload *u, struct err *e)
{
	const struct store_file_op op = upload_op(u);
	const struct upload *f = u->state;
	const struct timespec nap = {0, NAP_MS * 1000000L};

	while (u->spec.rate > 0) {
		double due_ns = (double)f->temp.bytes / (double)u->spec.rate * 1e9;

		if ((double)(clock_boot_ns() - f->begun_ns) >= due_ns)
			return 0;
		if (store_file_cancelled(&op, e) < 0)
			return -1;
		(void)nanosleep(&nap, NULL);
	}
	return 0;
}

/* One window goes to the disk while the next is filled; the one before it leaves the cache. */
static void
upload_send(struct upload *f)
{
	while (f->temp.bytes - f->sent >= WINDOW) {
		int64_t before = f->sent - WINDOW;

		(void)sync_file_range(f->temp.fd, f->sent, WINDOW, SYNC_FILE_RANGE_WRITE);
		if (before >= 0) {
			(void)sync_file_range(f->temp.fd, before, WINDOW,
				SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
					SYNC_FILE_RANGE_WAIT_AFTER);
			(void)posix_fadvise(f->temp.fd, before, WINDOW, POSIX_FADV_DONTNEED);
		}
		f->sent += WINDOW;
	}
}

int
store_file_upload_write(struct store_upload *u, const void *p, size_t n, struct err *e)
{
	const struct store_file_op op = upload_op(u);
	struct upload *f = u->state;

	if (temp_write(&f->temp, &op, p, n, e) < 0)
		return -1;
	sha256_put(&f->hash, p, n);
	upload_send(f);
	return upload_pace(u, e);
}

int
store_file_upload_finish(struct store_upload *u, struct store_upload_result *r, struct err *e)
{
	const struct store_file_op op = upload_op(u);
	struct upload *f = u->state;
	enum store_outcome outcome;

	if (temp_publish(&f->temp, &op, u->spec.create, &outcome, e) < 0)
		return -1;
	r->bytes = f->temp.bytes;
	r->parts = 1;
	sha256_end_hex(&f->hash, r->sha256);
	u->store->stats.bytes_out += (uint64_t)f->temp.bytes;
	return 0;
}

void
store_file_upload_close(struct store_upload *u)
{
	struct upload *f = u->state;

	if (!f)
		return;
	temp_drop(&f->temp);
	if (!u->finished)
		store_file_prune(u->store, u->key);
	free(f);
	u->state = NULL;
}
