/*
 * mount - what a path is mounted on, and how much room there is.
 */
#include "sys/mount.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "sys/file.h"

/* Before Linux 5.8 statx does not tell: then a folder on another device than its parent is one. */
static int
mount_by_device(int dirfd, const char *name, bool *point, struct err *e)
{
	char up[FILE_PATH_MAX];
	struct stat st, parent;

	if (file_join(up, sizeof(up), name, "..", e) < 0)
		return -1;
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return file_err(e, "look at %s", name);
	if (!S_ISDIR(st.st_mode)) {
		*point = false;
		return 0;
	}
	if (fstatat(dirfd, up, &parent, 0) < 0)
		return file_err(e, "look at %s", up);
	*point = st.st_dev != parent.st_dev || st.st_ino == parent.st_ino;
	return 0;
}

int
mount_is_point_at(int dirfd, const char *name, bool *point, struct err *e)
{
	struct statx sx;

	*point = false;
	if (statx(dirfd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_TYPE, &sx) < 0) {
		if (errno != ENOSYS)
			return file_err(e, "look at %s", name);
		return mount_by_device(dirfd, name, point, e);
	}
	if (!(sx.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT))
		return mount_by_device(dirfd, name, point, e);
	*point = (sx.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
	return 0;
}

int
mount_is_point(const char *path, bool *point, struct err *e)
{
	return mount_is_point_at(AT_FDCWD, path, point, e);
}

int
mount_room(const char *path, struct mount_room *out, struct err *e)
{
	struct statvfs v;

	*out = (struct mount_room){0};
	if (statvfs(path, &v) < 0)
		return file_err(e, "look at the volume of %s", path);
	out->total_bytes = (int64_t)(v.f_blocks * v.f_frsize);
	out->free_bytes = (int64_t)(v.f_bavail * v.f_frsize);
	out->free_inodes = v.f_files ? (int64_t)v.f_favail : -1;
	return 0;
}
