/*
 * restore_object - one tar of a base backup, from the store into files.
 *
 * Process: a forked child of whoever restores, with a store connection of its own.  Download,
 * decompression, tar and writing are one stream in fixed memory.  What the tar says is trusted as
 * little as any foreign bytes: no link of it is made, nothing is written through one, and only
 * files and folders appear.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "service/restore.h"
#include "store/tar.h"

#define OBJECT_FLUSH_BYTES (8 << 20) /* larger files are written back while they come */

struct unpack {
	const struct restore_object *o;
	const char *tar; /* name of the object, as in the manifest */
	int fd;          /* of the present file; -1: none */
	char name[TAR_NAME_MAX + 1];
	int64_t bytes, flushed;
	struct sha256 sha;
	struct codec_stream *codec;
	struct tar_reader *reader;
	int64_t *stored, *written;
	uint64_t *files;
};

/* ---- entries ---- */

static int
unpack_path(const struct unpack *u, const char *name, char out[FILE_PATH_MAX], struct err *e)
{
	int n = snprintf(out, FILE_PATH_MAX, "%s/%s", u->o->dir, name);

	return n < 0 || n >= FILE_PATH_MAX ? err_set(e, ERR_CORRUPT, "name too long: %.200s", name)
					   : 0;
}

static int
unpack_file(struct unpack *u, const char *path, struct err *e)
{
	const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW;
	char parent[FILE_PATH_MAX];

	u->fd = open(path, flags, 0600);
	if (u->fd < 0 && errno == ENOENT) {
		if (file_parent(parent, sizeof(parent), path, e) < 0 ||
			file_make_dirs(parent, 0700, e) < 0)
			return -1;
		u->fd = open(path, flags, 0600);
	}
	if (u->fd < 0)
		return file_err(e, "create %s", path);
	u->bytes = u->flushed = 0;
	sha256_init(&u->sha);
	return 0;
}

static int
unpack_begin(void *arg, const struct tar_entry *t, struct err *e)
{
	struct unpack *u = arg;
	char path[FILE_PATH_MAX];

	if (strcmp(t->name, ".") == 0)
		return 0;
	if (unpack_path(u, t->name, path, e) < 0)
		return -1;
	snprintf(u->name, sizeof(u->name), "%s", t->name);
	if (t->kind == TAR_FILE)
		return unpack_file(u, path, e);
	/* Links of tablespaces are made from backup.info, pg_wal is a folder of ours. */
	if (t->kind != TAR_DIR) {
		if (strncmp(t->name, "pg_tblspc/", 10) != 0 && strcmp(t->name, "pg_wal") != 0)
			log_warning("a link of the backup is left out", F_STR("link", t->name),
				F_STR("to", t->link));
		return 0;
	}
	/* pg_wal may be a link to the folder that the caller chose. */
	return file_is_dir(path) ? 0 : file_make_dirs(path, 0700, e);
}

static int
unpack_data(void *arg, const void *p, size_t n, struct err *e)
{
	struct unpack *u = arg;

	if (u->fd < 0)
		return 0;
	if (file_write_fd(u->fd, p, n, e) < 0)
		return err_add(e, "%s", u->name);
	if (u->o->digests)
		sha256_put(&u->sha, p, n);
	u->bytes += (int64_t)n;
	*u->written += (int64_t)n;
	if (u->bytes - u->flushed >= OBJECT_FLUSH_BYTES) {
		sync_file_range(u->fd, u->flushed, u->bytes - u->flushed, SYNC_FILE_RANGE_WRITE);
		u->flushed = u->bytes;
	}
	return 0;
}

static int
unpack_end(void *arg, struct err *e)
{
	struct unpack *u = arg;
	struct digest_file f = {.tar = u->tar, .path = u->name, .bytes = u->bytes};
	int fd = u->fd;

	if (fd < 0)
		return 0;
	u->fd = -1;
	if (close(fd) < 0)
		return file_err(e, "close %s", u->name);
	(*u->files)++;
	if (!u->o->digests)
		return 0;
	sha256_end_hex(&u->sha, f.sha256);
	return digests_check(u->o->digests, &f, e);
}

/* ---- the stream ---- */

static int
unpack_plain(void *arg, const void *p, size_t n, struct err *e)
{
	struct unpack *u = arg;

	return tar_reader_write(u->reader, p, n, e);
}

static int
unpack_stored(void *arg, const void *p, size_t n, struct err *e)
{
	struct unpack *u = arg;

	*u->stored += (int64_t)n;
	return u->codec ? codec_write(u->codec, p, n, e) : unpack_plain(u, p, n, e);
}

static int
unpack_open(struct unpack *u, struct err *e)
{
	const struct tar_reader_spec tar = {.begin = unpack_begin,
		.data = unpack_data,
		.end = unpack_end,
		.arg = u,
		.open_end = true};
	const struct codec_spec spec = {
		.codec = codec_of_name(u->o->key, NULL), .sink = unpack_plain, .arg = u};

	if (tar_reader_new(&u->reader, &tar, e) < 0)
		return -1;
	return spec.codec == CODEC_NONE ? 0 : codec_decompress(&u->codec, &spec, e);
}

static int
unpack_run(struct unpack *u, const struct restore *r, struct archive *a, struct err *e)
{
	const struct restore_get get = {.restore = r,
		.archive = a,
		.key = u->o->key,
		.bytes = u->o->bytes,
		.parallel = u->o->parallel,
		.sink = unpack_stored,
		.arg = u};

	if (unpack_open(u, e) < 0 || restore_get(&get, e) < 0)
		return -1;
	if (u->codec && codec_finish(u->codec, e) < 0)
		return -1;
	return tar_reader_finish(u->reader, e);
}

/* Everything this object became is on disk before anybody relies on it. */
static int
unpack_sync(const struct restore_object *o, struct err *e)
{
	AUTO(close) int fd = open(o->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return file_err(e, "open %s", o->dir);
	return syncfs(fd) < 0 ? file_err(e, "sync the volume of %s", o->dir) : 0;
}

int
restore_object(struct restore *r, const struct restore_object *o, struct restore_counts *counts,
	struct err *e)
{
	AUTO(archive_close) struct archive *a = NULL;
	struct unpack u = {.o = o,
		.tar = file_base(o->key),
		.fd = -1,
		.stored = &counts->stored,
		.written = &counts->written,
		.files = &counts->files};
	int rc = restore_open(r, &a, e);

	if (rc == 0)
		rc = unpack_run(&u, r, a, e);

	if (rc == 0)
		rc = unpack_sync(o, e);
	if (u.fd >= 0)
		close(u.fd);
	codec_free(u.codec);
	tar_reader_free(u.reader);
	return rc < 0 ? err_add(e, "%s", file_base(o->key)) : 0;
}
