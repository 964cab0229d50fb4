/*
 * restore_journal - how far a restore is: WRAP/journal, lines that only grow.
 *
 * Process: whoever restores.  A line is written and fsynced after what it says is on disk:
 *
 *   podgres-restore 1
 *   backup ID                  the one chosen, of this store and for this target:
 *   target TEXT
 *   tablespace OID PATH        where it goes
 *   object KEY                 all of its files are on disk
 *   restored                   the data directory is complete, but for WAL
 *   replaying BOOT-ID          the private postgres was started, without fsync: after a crash of
 *                              the machine what it wrote may be torn, so the boot is remembered
 *   replayed LSN TIMELINE      and checked
 *
 * A run that finds the journal of another wish drops it together with the data.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "service/restore.h"

#define JOURNAL_MAX (1U << 20)
#define JOURNAL_HEAD "podgres-restore 1"

bool
journal_has(const struct restore *r, const char *line)
{
	size_t n = strlen(line);
	const char *at = buf_str(&r->done);

	while (*at) {
		size_t len = strcspn(at, "\n");

		if (len == n && memcmp(at, line, n) == 0)
			return true;
		at += len + (at[len] != '\0');
	}
	return false;
}

const char *
journal_get(const struct restore *r, const char *key, char *out, size_t size)
{
	size_t n = strlen(key);
	const char *at = buf_str(&r->done);

	while (*at) {
		size_t len = strcspn(at, "\n");

		if (len > n && at[n] == ' ' && memcmp(at, key, n) == 0) {
			snprintf(out, size, "%.*s", (int)(len - n - 1), at + n + 1);
			return out;
		}
		at += len + (at[len] != '\0');
	}
	return NULL;
}

int
journal_add(struct restore *r, struct err *e, const char *fmt, ...)
{
	AUTO(close) int fd = -1;
	size_t before = r->done.len;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&r->done, fmt, ap);
	va_end(ap);
	buf_putc(&r->done, '\n');
	if (buf_check(&r->done, e) < 0)
		return -1;
	fd = open(r->journal, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return file_err(e, "open %s", r->journal);
	if (file_write_fd(fd, r->done.data + before, r->done.len - before, e) < 0)
		return err_add(e, "%s", r->journal);
	return fsync(fd) < 0 ? file_err(e, "fsync %s", r->journal) : 0;
}

/* A line that a kill cut short is none. */
static void
journal_trim(struct buf *b)
{
	while (b->len > 0 && b->data[b->len - 1] != '\n')
		b->data[--b->len] = '\0';
}

static bool
journal_fits(const struct restore *r, const char *target)
{
	char line[1024], found[512];

	if (!journal_has(r, JOURNAL_HEAD))
		return false;
	snprintf(line, sizeof(line), "target %s", target);
	if (!journal_has(r, line))
		return false;
	if (journal_get(r, "backup", found, sizeof(found)) == NULL ||
		strcmp(found, r->path.backup->id) != 0)
		return false;
	return true;
}

/* What a postgres without fsync wrote before the machine went down cannot be relied on. */
static bool
journal_torn(const struct restore *r)
{
	char boot[64] = "", found[64];
	struct err e;

	if (!journal_get(r, "replaying", found, sizeof(found)))
		return false;
	if (file_read_line("/proc/sys/kernel/random/boot_id", boot, sizeof(boot), &e) < 0)
		return true;
	return strcmp(boot, found) != 0;
}

static int
journal_begin(struct restore *r, const char *target, struct err *e)
{
	AUTO(buf_deinit) struct buf text = {0};

	if (r->done.len)
		log_info("what an earlier attempt restored is thrown away",
			F_STR("folder", r->in->place.data + 0));
	if (file_remove_tree(r->in->place.data, e) < 0)
		return -1;
	for (size_t i = 0; i < r->places; i++)
		if (r->map_dir && strncmp(r->place[i].path, r->map_dir, strlen(r->map_dir)) == 0 &&
			file_remove_tree(r->place[i].path, e) < 0)
			return -1;
	buf_printf(&text, JOURNAL_HEAD "\nbackup %s\ntarget %s\n", r->path.backup->id, target);
	if (buf_check(&text, e) < 0)
		return -1;
	buf_reset(&r->done);
	buf_put(&r->done, text.data, text.len);
	if (buf_check(&r->done, e) < 0)
		return -1;
	return file_write(r->journal, text.data, text.len, 0600, e);
}

int
journal_open(struct restore *r, struct err *e)
{
	char target[512];

	if (file_join(r->journal, sizeof(r->journal), r->in->place.wrap, "journal", e) < 0)
		return -1;
	snprintf(target, sizeof(target), "%s/%s ", store_where(r->archive->store),
		r->archive->server);
	restore_target_text(&r->target, target + strlen(target), sizeof(target) - strlen(target));
	buf_reset(&r->done);
	if (file_read(&r->done, r->journal, JOURNAL_MAX, e) < 0 && e->kind != ERR_NOTFOUND)
		return -1;
	*e = (struct err){0};
	journal_trim(&r->done);
	if (r->done.len && journal_fits(r, target) && !journal_torn(r)) {
		log_info("an interrupted restore is continued",
			F_STR("backup", r->path.backup->id + 0));
		return 0;
	}
	return journal_begin(r, target, e);
}
