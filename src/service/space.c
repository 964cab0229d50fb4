/*
 * space - room for WAL on the volume, and the reserve that recovery may use.
 *
 * Process: the jobs prepare and space.
 */
#include "service/space.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/log.h"
#include "sys/file.h"
#include "sys/mount.h"

#define SPACE_PROBE ".podgres.probe"
#define SPACE_DATA_BYTES (1 << 20) /* postmaster.pid, pg_control and the configuration */
#define SPACE_SMALL 32             /* segments */
#define SPACE_TINY 8
#define SPACE_TINY_SHARE 16

struct space_need
space_need(int64_t volume_bytes, uint32_t segment_bytes)
{
	int64_t seg = segment_bytes;

	if (volume_bytes < SPACE_TINY * seg)
		return (struct space_need){.start_bytes = volume_bytes / SPACE_TINY_SHARE};
	if (volume_bytes < SPACE_SMALL * seg)
		return (struct space_need){.start_bytes = 2 * seg, .reserve_bytes = seg};
	return (struct space_need){.start_bytes = 2 * seg, .reserve_bytes = 2 * seg};
}

/* ---- allocation ---- */

static int
space_allocate(const char *path, int64_t bytes, struct err *e)
{
	AUTO(close)
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return file_err(e, "create %s", path);
	errno = posix_fallocate(fd, 0, bytes);
	if (errno)
		return file_err(e, "allocate %lld bytes in %s", (long long)bytes, path);
	if (fsync(fd) < 0)
		return file_err(e, "fsync %s", path);
	return 0;
}

int
space_probe(const char *waldir, int64_t bytes, struct err *e)
{
	char path[FILE_PATH_MAX];
	struct err ignored;
	int rc;

	if (file_join(path, sizeof(path), waldir, SPACE_PROBE, e) < 0)
		return -1;
	rc = space_allocate(path, bytes, e);
	if (file_remove(path, rc < 0 ? &ignored : e) < 0)
		rc = -1;
	return rc;
}

int
space_check_data(const char *pgdata, const char *waldir, struct err *e)
{
	struct stat data, wal;

	if (stat(pgdata, &data) < 0)
		return file_err(e, "look at %s", pgdata);
	if (stat(waldir, &wal) < 0)
		return file_err(e, "look at %s", waldir);
	return data.st_dev == wal.st_dev ? 0 : space_probe(pgdata, SPACE_DATA_BYTES, e);
}

/* ---- the reserve ---- */

static int64_t
space_reserve_bytes(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) ? (int64_t)st.st_blocks * 512 : 0;
}

bool
space_reserve_present(const char *waldir)
{
	char path[FILE_PATH_MAX];
	struct err e;

	return file_join(path, sizeof(path), waldir, SPACE_RESERVE, &e) == 0 &&
	       space_reserve_bytes(path) > 0;
}

/* The reserve comes last: it never takes what a start needs. */
static void
space_reserve_make(const char *waldir, const char *path, const struct space_need *need)
{
	struct mount_room room;
	struct err e;

	if (need->reserve_bytes == 0 || space_reserve_bytes(path) >= need->reserve_bytes)
		return;
	if (mount_room(waldir, &room, &e) < 0 ||
		room.free_bytes < need->start_bytes + 2 * need->reserve_bytes)
		return;
	if (space_allocate(path, need->reserve_bytes, &e) < 0) {
		log_warning("no reserve for recovery", F_STR("error", e.msg));
		unlink(path);
	}
}

/* A reserve that stands and as much free besides: the answer is known without writing. */
static bool
space_plenty(const char *path, const struct space_need *need, const struct mount_room *room)
{
	return need->reserve_bytes > 0 && space_reserve_bytes(path) >= need->reserve_bytes &&
	       room->free_bytes >= 4 * need->start_bytes;
}

int
space_prepare(const char *waldir, uint32_t segment_bytes, bool *released, struct err *e)
{
	char path[FILE_PATH_MAX];
	struct mount_room room;
	struct space_need need;

	*released = false;
	if (file_join(path, sizeof(path), waldir, SPACE_RESERVE, e) < 0 ||
		mount_room(waldir, &room, e) < 0)
		return -1;
	need = space_need(room.total_bytes, segment_bytes);
	if (space_plenty(path, &need, &room))
		return 0;
	if (space_probe(waldir, need.start_bytes, e) == 0) {
		space_reserve_make(waldir, path, &need);
		return 0;
	}
	if (e->kind != ERR_SPACE || space_reserve_bytes(path) == 0)
		return -1;
	if (file_remove(path, e) < 0 || file_sync(waldir, e) < 0)
		return -1;
	*released = true;
	return space_probe(waldir, need.reserve_bytes, e);
}
