/*
 * archive_name - the names of Barman's cloud layout.
 *
 * Sources: Barman's cloud.py and xlog.py (3.4 and 3.17) and PostgreSQL's xlog_internal.h.
 */
#include "core/archive_name.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "core/when.h"

#define SEGMENT_DIGITS 24
#define TIMELINE_DIGITS 8
#define FOLDER_DIGITS 16

static bool
is_hex(const char *s, size_t n)
{
	return strspn(s, "0123456789ABCDEF") >= n;
}

static uint32_t
hex8(const char *s)
{
	char digits[TIMELINE_DIGITS + 1];

	memcpy(digits, s, TIMELINE_DIGITS);
	digits[TIMELINE_DIGITS] = '\0';
	return (uint32_t)strtoul(digits, NULL, 16);
}

static enum archive_kind
kind_of(const char *name)
{
	const char *rest;

	if (!is_hex(name, TIMELINE_DIGITS))
		return ARCHIVE_OTHER;
	if (strcmp(name + TIMELINE_DIGITS, ".history") == 0)
		return ARCHIVE_HISTORY;
	if (!is_hex(name, SEGMENT_DIGITS))
		return ARCHIVE_OTHER;
	rest = name + SEGMENT_DIGITS;
	if (!*rest)
		return ARCHIVE_SEGMENT;
	if (strcmp(rest, ".partial") == 0)
		return ARCHIVE_PARTIAL;
	if (*rest == '.' && is_hex(rest + 1, 8) && strcmp(rest + 9, ".backup") == 0)
		return ARCHIVE_BACKUP;
	return ARCHIVE_OTHER;
}

enum archive_kind
archive_name_parse(const char *name, struct archive_name *out)
{
	struct archive_name n = {.kind = kind_of(name)};

	if (n.kind != ARCHIVE_OTHER)
		n.timeline = hex8(name);
	if (n.kind != ARCHIVE_OTHER && n.kind != ARCHIVE_HISTORY) {
		n.log = hex8(name + 8);
		n.seg = hex8(name + 16);
	}
	if (n.kind != ARCHIVE_OTHER && n.timeline == 0) /* PostgreSQL counts from 1 */
		n = (struct archive_name){.kind = ARCHIVE_OTHER};
	*out = n;
	return n.kind;
}

int
archive_key(char out[ARCHIVE_KEY_SIZE], struct err *e, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(out, ARCHIVE_KEY_SIZE, fmt, ap);
	va_end(ap);
	if (n < 0 || n >= ARCHIVE_KEY_SIZE)
		return err_set(e, ERR_INVALID, "key of %d bytes, expected at most %d", n,
			ARCHIVE_KEY_SIZE - 1);
	return 0;
}

int
archive_key_wal(char out[ARCHIVE_KEY_SIZE], const char *server, const char *name,
	const char *extension, struct err *e)
{
	struct archive_name n;

	switch (archive_name_parse(name, &n)) {
	case ARCHIVE_OTHER:
		return err_set(
			e, ERR_INVALID, "\"%.60s\" is no file of pg_wal that is archived", name);
	case ARCHIVE_HISTORY:
		return archive_key(out, e, "%s/wals/%s%s", server, name, extension);
	default:
		return archive_key(
			out, e, "%s/wals/%.*s/%s%s", server, FOLDER_DIGITS, name, name, extension);
	}
}

bool
archive_key_parse(const char *key, char name[ARCHIVE_NAME_SIZE], const char **extension)
{
	static const char *const known[] = {
		".gz", ".bz2", ".snappy", ".xz", ".zst", ".lz4", ".lzma", ""};
	const char *last = strrchr(key, '/');
	struct archive_name n;
	size_t len, tail;

	last = last ? last + 1 : key;
	len = strlen(last);
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		tail = strlen(known[i]);
		if (len <= tail || len - tail >= ARCHIVE_NAME_SIZE ||
			strcmp(last + len - tail, known[i]) != 0)
			continue;
		memcpy(name, last, len - tail);
		name[len - tail] = '\0';
		if (archive_name_parse(name, &n) == ARCHIVE_OTHER)
			continue;
		*extension = known[i];
		return true;
	}
	return false;
}

/* ---- IDs of backups ---- */

static int
two(const char *s)
{
	return (s[0] - '0') * 10 + (s[1] - '0');
}

bool
backup_id_ok(const char *id)
{
	return strspn(id, "0123456789") == 8 && id[8] == 'T' && strspn(id + 9, "0123456789") == 6 &&
	       !id[15];
}

void
backup_id_make(char out[BACKUP_ID_SIZE], int64_t wall_us)
{
	struct when_civil c = when_civil(wall_us / SEC_US);

	must(c.year >= 1970 && c.year <= 9999);
	snprintf(out, BACKUP_ID_SIZE, "%04u%02u%02uT%02u%02u%02u", (unsigned)c.year % 10000,
		(unsigned)c.month % 100, (unsigned)c.day % 100, (unsigned)c.hour % 100,
		(unsigned)c.minute % 100, (unsigned)c.second % 100);
}

int64_t
backup_id_time(const char *id)
{
	struct when_civil c = {0};

	if (!backup_id_ok(id))
		return 0;
	c.year = two(id) * 100 + two(id + 2);
	c.month = two(id + 4);
	c.day = two(id + 6);
	c.hour = two(id + 9);
	c.minute = two(id + 11);
	c.second = two(id + 13);
	if (c.month < 1 || c.month > 12 || c.day < 1 || c.day > when_month_days(c.year, c.month) ||
		c.hour > 23 || c.minute > 59 || c.second > 60)
		return 0;
	return when_seconds(&c) * SEC_US;
}
