/*
 * archiver_ring_files - what the ring does to files; and which stores it may be fed from.
 *
 * Process: archiver.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "service/archiver_ring.h"
#include "sys/file.h"

#define RING_HISTORY_MAX ((size_t)1 << 20)
#define TMP_SUFFIX ".podgres-tmp"

static int
files_move(void *arg, const char *from, const char *to, struct err *e)
{
	(void)arg;
	return rename(from, to) < 0 ? file_err(e, "rename %s to %s", from, to) : 0;
}

static void
files_drop(void *arg, const char *path)
{
	(void)arg;
	unlink(path);
}

/* "NAME.1f", perhaps with ".podgres-tmp": as ring_next() names them. */
static bool
files_ours(const char *file)
{
	char name[ARCHIVE_NAME_SIZE + 32];
	struct archive_name n;
	char *end;

	if (strlen(file) >= sizeof(name))
		return false;
	snprintf(name, sizeof(name), "%s", file);
	end = strstr(name, TMP_SUFFIX);
	if (end)
		*end = '\0';
	end = strrchr(name, '.');
	if (!end || strspn(end + 1, "0123456789abcdef") != strlen(end + 1))
		return false;
	*end = '\0';
	return archive_name_parse(name, &n) != ARCHIVE_OTHER;
}

/* A folder of this name may also be the one in PGDATA that holds podgres' own state. */
static int
files_remove_one(const char *name, void *arg, struct err *e)
{
	char path[FILE_PATH_MAX];

	if (!files_ours(name))
		return 0;
	if (file_join(path, sizeof(path), arg, name, e) < 0)
		return -1;
	return file_remove(path, e);
}

static int
files_folder(void *arg, const char *path, bool clear, struct err *e)
{
	char dir[PATH_LEN + 16];

	(void)arg;
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return file_err(e, "make folder %s", path);
	snprintf(dir, sizeof(dir), "%s", path);
	return clear ? file_each(path, files_remove_one, dir, e) : 0;
}

static int
files_cut(void *arg, const char *path, uint32_t from, struct err *e)
{
	AUTO(close) int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;

	(void)arg;
	if (fd < 0 || fstat(fd, &st) < 0)
		return file_err(e, "open %s", path);
	if (from >= st.st_size)
		return 0;
	if (ftruncate(fd, from) < 0 || ftruncate(fd, st.st_size) < 0 || fsync(fd) < 0)
		return file_err(e, "cut %s", path);
	return 0;
}

static int
files_read(void *arg, const char *path, struct buf *out, struct err *e)
{
	(void)arg;
	return file_read(out, path, RING_HISTORY_MAX, e);
}

const struct ring_ops ring_files = {
	.move = files_move,
	.drop = files_drop,
	.folder = files_folder,
	.cut = files_cut,
	.read = files_read,
};

/* ---- sources ---- */

static int
source_external(const struct spec *spec, const char *name)
{
	for (size_t i = 0; i < spec->externals; i++)
		if (strcmp(spec->external[i].name, name) == 0 && spec->external[i].store.set)
			return (int)i;
	return -1;
}

/* While a recovery makes the cluster: its source alone. */
static int
sources_recovery(const struct spec *spec, int out[RING_SOURCES])
{
	int source = source_external(spec, spec->recovery.source);

	if (*spec->recovery.source && source < 0)
		return 0;
	if (!*spec->recovery.source && !spec->backup.store.set)
		return 0;
	out[0] = source;
	return 1;
}

int
ring_sources(const struct spec *spec, bool cluster_exists, int out[RING_SOURCES])
{
	int n = 0, source;

	if (!cluster_exists && spec->bootstrap == SPEC_BOOT_RECOVERY)
		return sources_recovery(spec, out);
	if (spec->backup.store.set)
		out[n++] = -1;
	source = spec->replica_enabled ? source_external(spec, spec->replica_source) : -1;
	if (source >= 0)
		out[n++] = source;
	return n;
}
