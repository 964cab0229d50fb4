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
ends(const char *name, const char *with)
{
	size_t n = strlen(name), w = strlen(with);

	return n > w && strcmp(name + n - w, with) == 0;
}

/* Counts what archive_status says; done may be NULL. */
static int32_t
status_count(const char *dir, int32_t *done)
{
	char path[600];
	AUTO(closedir) DIR *d = NULL;
	const struct dirent *entry;
	int32_t ready = 0, other = 0;

	snprintf(path, sizeof(path), "%s/archive_status", dir);
	d = opendir(path);
	if (!d)
		return -1;
	while ((entry = readdir(d))) {
		ready += ends(entry->d_name, ".ready");
		other += ends(entry->d_name, ".done");
	}
	if (done)
		*done = other;
	return ready;
}

int32_t
wal_dir_ready(const char *dir)
{
	return status_count(dir, NULL);
}

int
wal_dir_look(const char *dir, struct wal_dir *out, struct err *e)
{
	AUTO(closedir) DIR *d = opendir(dir);
	const struct dirent *entry;
	struct stat st;

	*out = (struct wal_dir){.ready = -1, .done = -1};
	if (!d)
		return err_sys(e, "open %s", dir);
	while ((entry = readdir(d))) {
		out->files += lineage_name_ok(entry->d_name);
		if (fstatat(dirfd(d), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			S_ISREG(st.st_mode))
			out->bytes += (int64_t)st.st_blocks * STAT_BLOCK;
	}
	out->ready = status_count(dir, &out->done);
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
