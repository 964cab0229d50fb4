/*
 * wal_dir - what lies in pg_wal.
 */
#include "pg/wal_dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define HISTORY_MAX_BYTES 65536
#define STAT_BLOCK 512

static void
closedir_auto(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static bool
is_ready(const char *name)
{
	size_t n = strlen(name);

	return n > 6 && strcmp(name + n - 6, ".ready") == 0;
}

int32_t
wal_dir_ready(const char *dir)
{
	char path[600];
	AUTO(closedir) DIR *d = NULL;
	const struct dirent *entry;
	int32_t n = 0;

	snprintf(path, sizeof(path), "%s/archive_status", dir);
	d = opendir(path);
	if (!d)
		return -1;
	while ((entry = readdir(d)))
		n += is_ready(entry->d_name);
	return n;
}

int
wal_dir_look(const char *dir, struct wal_dir *out, struct err *e)
{
	AUTO(closedir) DIR *d = opendir(dir);
	const struct dirent *entry;
	struct stat st;

	*out = (struct wal_dir){.ready = -1};
	if (!d)
		return err_sys(e, "open %s", dir);
	while ((entry = readdir(d))) {
		out->files += lineage_name_ok(entry->d_name);
		if (fstatat(dirfd(d), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			S_ISREG(st.st_mode))
			out->bytes += (int64_t)st.st_blocks * STAT_BLOCK;
	}
	out->ready = wal_dir_ready(dir);
	return 0;
}

/* xlog_internal.h: struct XLogPageHeaderData. */
struct page_header {
	uint16_t magic, info;
	uint32_t timeline;
	uint64_t address;
};

static bool
segment_was_begun(const char *path, uint64_t lsn)
{
	AUTO(close) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct page_header page;

	return fd >= 0 && read(fd, &page, sizeof(page)) == sizeof(page) && page.magic &&
	       page.address == lsn;
}

uint64_t
wal_dir_end(const char *dir, uint32_t timeline, uint64_t lsn, uint32_t segment_bytes)
{
	char path[600], name[LINEAGE_NAME_SIZE];
	uint64_t end = 0;

	for (;; lsn += segment_bytes) {
		snprintf(path, sizeof(path), "%s/%s", dir,
			lineage_name(timeline, lsn, segment_bytes, name));
		if (!segment_was_begun(path, lsn))
			return end;
		end = lsn;
	}
}

int
wal_dir_history(const char *dir, uint32_t timeline, struct lineage_history *out, struct err *e)
{
	char path[600];
	AUTO(free) char *text = NULL;
	AUTO(close) int fd = -1;
	ssize_t len;

	out->n = 0;
	if (timeline <= 1)
		return 0;
	snprintf(path, sizeof(path), "%s/%08X.history", dir, timeline);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	text = malloc(HISTORY_MAX_BYTES);
	if (fd < 0 || !text)
		return err_sys(e, "open %s", path);
	len = read(fd, text, HISTORY_MAX_BYTES);
	if (len < 0)
		return err_sys(e, "read %s", path);
	if (lineage_history_parse(text, (size_t)len, out, e) < 0)
		return err_add(e, "%s", path);
	return 0;
}
