/*
 * backup_info - Barman's backup.info.
 *
 * Source: Barman's infofile.py.  One table says of each key where its value goes and how it is
 * read; what must hold between the values is asked afterwards, so that nobody computes with a
 * backup whose positions contradict each other.
 */
#include "core/backup_info.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "core/pytext.h"
#include "core/when.h"

#define MOST_BYTES (4u << 20)
#define DEFAULT_SEGMENT_BYTES (UINT32_C(16) << 20)
#define OWN "# podgres:"
#define BLANK " \t\r\n\v\f"

/* ---- values ---- */

typedef bool read_fn(const char *value, size_t size, void *to);

/* Cut to fit: for people. */
static bool
read_text(const char *value, size_t size, void *to)
{
	snprintf(to, size, "%s", value);
	return true;
}

/* Something works with it: as it is or not at all. */
static bool
read_whole(const char *value, size_t size, void *to)
{
	return snprintf(to, size, "%s", value) < (int)size;
}

static bool
read_number(const char *value, int64_t least, int64_t most, int64_t *out)
{
	char *end = NULL;
	long long v;

	if (!*value || value[strspn(value, "0123456789")] || strlen(value) > 18)
		return false;
	v = strtoll(value, &end, 10);
	*out = v;
	return v >= least && v <= most;
}

static bool
read_u32(const char *value, size_t size, void *to)
{
	int64_t v;

	(void)size;
	if (!read_number(value, 0, UINT32_MAX, &v))
		return false;
	*(uint32_t *)to = (uint32_t)v;
	return true;
}

static bool
read_i64(const char *value, size_t size, void *to)
{
	(void)size;
	return read_number(value, 0, INT64_MAX, to);
}

/* PostgreSQL's system identifiers go up to 2^64. */
static bool
read_system_id(const char *value, size_t size, void *to)
{
	size_t n = strlen(value);

	(void)size;
	if (!n || n > 20 || strspn(value, "0123456789") != n ||
		(n == 20 && strcmp(value, "18446744073709551615") > 0))
		return false;
	*(uint64_t *)to = strtoull(value, NULL, 10);
	return true;
}

static bool
read_lsn(const char *value, size_t size, void *to)
{
	(void)size;
	return lineage_lsn_parse(value, to);
}

static bool
read_wal(const char *value, size_t size, void *to)
{
	return lineage_name_ok(value) && read_whole(value, size, to);
}

static bool
read_id(const char *value, size_t size, void *to)
{
	return backup_id_ok(value) && read_whole(value, size, to);
}

static bool
read_time(const char *value, size_t size, void *to)
{
	(void)size;
	return when_parse(value, to, NULL) == WHEN_KNOWN;
}

static bool
read_flag(const char *value, size_t size, void *to)
{
	(void)size;
	*(bool *)to = strcmp(value, "true") == 0;
	return *(bool *)to || strcmp(value, "false") == 0;
}

static const char *const status_text[] = {
	[BACKUP_EMPTY] = "EMPTY",
	[BACKUP_STARTED] = "STARTED",
	[BACKUP_FAILED] = "FAILED",
	[BACKUP_WAITING] = "WAITING_FOR_WALS",
	[BACKUP_DONE] = "DONE",
};

const char *
backup_status_text(enum backup_status s)
{
	return status_text[s];
}

static bool
read_status(const char *value, size_t size, void *to)
{
	enum backup_status *s = to;

	(void)size;
	for (size_t i = 0; i < ARRAY_LEN(status_text); i++)
		if (strcmp(value, status_text[i]) == 0) {
			*s = (enum backup_status)i;
			return true;
		}
	*s = BACKUP_STARTED; /* of a server that is copied from another one */
	return strcmp(value, "SYNCING") == 0;
}

static bool
read_label(const char *value, size_t size, void *to)
{
	AUTO(buf_deinit) struct buf b = {0};
	const char *end = value + strlen(value);
	char **label = to;

	(void)size;
	if (pytext_read(value, end, &b) != end || b.failed)
		return false;
	free(*label);
	*label = b.data ? buf_take(&b) : strdup("");
	return *label != NULL;
}

/* ---- [('name', oid, 'location'), ...] ---- */

static const char *
skip(const char *s, char expected)
{
	s += strspn(s, " ");
	if (*s != expected)
		return NULL;
	s++;
	return s + strspn(s, " ");
}

static const char *
read_word(const char *s, char *to, size_t size)
{
	AUTO(buf_deinit) struct buf b = {0};
	const char *rest = pytext_read(s, s + strlen(s), &b);

	if (!rest || b.failed || b.len >= size)
		return NULL;
	memcpy(to, buf_str(&b), b.len + 1);
	return rest;
}

static const char *
read_tablespace(const char *s, struct backup_tablespace *t)
{
	char digits[11];
	int64_t oid;
	size_t n;

	s = skip(s, '(');
	s = s ? read_word(s, t->name, sizeof(t->name)) : NULL;
	s = s ? skip(s, ',') : NULL;
	n = s ? strspn(s, "0123456789") : 0;
	if (!n || n >= sizeof(digits))
		return NULL;
	memcpy(digits, s, n);
	digits[n] = '\0';
	if (!read_number(digits, 1, UINT32_MAX, &oid))
		return NULL;
	t->oid = (uint32_t)oid;
	s = skip(s + n, ',');
	s = s ? read_word(s, t->location, sizeof(t->location)) : NULL;
	return s ? skip(s, ')') : NULL;
}

static bool
read_tablespaces(const char *value, size_t size, void *to)
{
	struct backup_info *b = to;
	const char *s = skip(value, '[');

	(void)size;
	b->tablespaces = 0;
	while (s && *s && *s != ']') {
		if (b->tablespaces == BACKUP_TABLESPACES)
			return false;
		s = read_tablespace(s, &b->tablespace[b->tablespaces++]);
		if (s && *s == ',')
			s = skip(s, ',');
		else if (s && *s != ']')
			return false;
	}
	return s && *s == ']' && !s[1 + strspn(s + 1, " ")];
}

/* ---- keys ---- */

#define SIZE_OF(field) sizeof(((struct backup_info *)0)->field)
#define KEY(name, field, fn)                                                  \
	{                                                                     \
		name, fn, offsetof(struct backup_info, field), SIZE_OF(field) \
	}

struct key {
	const char *name;
	read_fn *read;
	size_t at, size;
};

static const struct key keys[] = {
	KEY("backup_label", label, read_label),
	KEY("backup_name", name, read_text),
	KEY("begin_offset", begin_offset, read_u32),
	KEY("begin_time", begin_us, read_time),
	KEY("begin_wal", begin_wal, read_wal),
	KEY("begin_xlog", begin_lsn, read_lsn),
	KEY("end_offset", end_offset, read_u32),
	KEY("end_time", end_us, read_time),
	KEY("end_wal", end_wal, read_wal),
	KEY("end_xlog", end_lsn, read_lsn),
	KEY("error", error, read_text),
	KEY("parent_backup_id", parent, read_id), /* Barman from 3.11 */
	KEY("pgdata", pgdata, read_whole),
	KEY("server_name", server_name, read_text),
	KEY("size", bytes, read_i64),
	KEY("status", status, read_status),
	KEY("systemid", system_id, read_system_id),
	{"tablespaces", read_tablespaces, 0, 0},
	KEY("timeline", timeline, read_u32),
	KEY("version", version, read_u32),
	KEY("xlog_segment_size", segment_bytes, read_u32),
};

static const struct key own_keys[] = {
	KEY("bytes", bytes, read_i64),
	KEY("stored_bytes", stored_bytes, read_i64),
	KEY("parent", parent, read_id),
	KEY("standby", standby, read_flag),
	KEY("checksum_failures", checksum_failures, read_flag),
	KEY("writer", writer, read_text),
	KEY("running_pod", running_pod, read_text),
	KEY("running_session", running_session, read_text),
};

static const struct key *
find_key(const struct key *k, size_t n, const char *name)
{
	for (; n; n--, k++)
		if (strcmp(k->name, name) == 0)
			return k;
	return NULL;
}

/* Takes off blanks at both ends of a text that may be written to. */
static char *
strip(char *s)
{
	size_t n;

	s += strspn(s, BLANK);
	for (n = strlen(s); n && strchr(BLANK, s[n - 1]); n--)
		s[n - 1] = '\0';
	return s;
}

static int
read_line(struct backup_info *b, char *line, struct err *e)
{
	const struct key *k;
	bool own = false;
	char *value;

	line = strip(line);
	if (strncmp(line, OWN, strlen(OWN)) == 0) {
		line += strlen(OWN);
		own = true;
	} else if (!*line || *line == '#') {
		return 0;
	}
	value = strchr(line, '=');
	if (!value)
		return err_set(e, ERR_CORRUPT, "\"%.60s\" is no line key=value", line);
	*value = '\0';
	value = strip(value + 1);
	line = strip(line);
	k = own ? find_key(own_keys, ARRAY_LEN(own_keys), line)
		: find_key(keys, ARRAY_LEN(keys), line);
	if (!k || strcmp(value, "None") == 0 || !*value)
		return 0;
	if (!k->read(value, k->size, (char *)b + k->at))
		return err_set(e, ERR_CORRUPT, "%s: \"%.60s\" cannot be read", line, value);
	return 0;
}

/* ---- what must hold between them ---- */

static bool
segment_ok(uint32_t bytes)
{
	return bytes >= 1u << 20 && bytes <= 1u << 30 && (bytes & (bytes - 1)) == 0;
}

/* At a boundary PostgreSQL names the file that ends there. */
static bool
names_place(const struct backup_info *b, const char *wal, uint64_t lsn)
{
	char name[LINEAGE_NAME_SIZE];

	if (strcmp(lineage_name(b->timeline, lsn, b->segment_bytes, name), wal) == 0)
		return true;
	return lsn % b->segment_bytes == 0 && lsn &&
	       strcmp(lineage_name(b->timeline, lsn - 1, b->segment_bytes, name), wal) == 0;
}

static int
check(const struct backup_info *b, struct err *e)
{
	if (!segment_ok(b->segment_bytes))
		return err_set(e, ERR_CORRUPT, "xlog_segment_size: %u is no size of a segment",
			b->segment_bytes);
	if (b->status != BACKUP_DONE && b->status != BACKUP_WAITING)
		return 0;
	if (!*b->begin_wal || !*b->end_wal || !b->begin_lsn || !b->end_lsn || !b->timeline ||
		!b->end_us)
		return err_set(e, ERR_CORRUPT,
			"status %s without its timeline, begin_xlog, begin_wal, end_xlog, end_wal "
			"or end_time",
			backup_status_text(b->status));
	if (b->end_lsn < b->begin_lsn)
		return err_set(e, ERR_CORRUPT, "end_xlog is before begin_xlog");
	if (!names_place(b, b->begin_wal, b->begin_lsn) || !names_place(b, b->end_wal, b->end_lsn))
		return err_set(e, ERR_CORRUPT,
			"begin_wal %s or end_wal %s is not where begin_xlog and end_xlog are",
			b->begin_wal, b->end_wal);
	return 0;
}

static bool
is_utf8(const char *s, size_t len)
{
	size_t n;

	for (size_t i = 0; i < len; i += n) {
		n = (unsigned char)s[i] < 0x80 ? 1 : json_utf8_len(s + i, len - i);
		if (n == 0)
			return false;
	}
	return true;
}

int
backup_info_parse(struct backup_info *out, const char *text, size_t len, struct err *e)
{
	AUTO(free) char *copy = NULL;
	char *line, *save = NULL;
	int rc = 0;

	*out = (struct backup_info){.segment_bytes = DEFAULT_SEGMENT_BYTES};
	if (len > MOST_BYTES || memchr(text, '\0', len) || !is_utf8(text, len))
		return err_set(e, ERR_CORRUPT, "%zu bytes that are no backup.info", len);
	copy = strndup(text, len);
	if (!copy)
		return err_sys(e, "backup.info");
	for (line = strtok_r(copy, "\n", &save); line && rc == 0;
		line = strtok_r(NULL, "\n", &save))
		rc = read_line(out, line, e);
	if (rc == 0)
		rc = check(out, e);
	if (rc)
		backup_info_deinit(out);
	return rc;
}

void
backup_info_deinit(struct backup_info *b)
{
	free(b->label);
	b->label = NULL;
}

/* ---- writing ---- */

/* On one line, without the blanks at its ends that no reader would see. */
static void
put_text(struct buf *out, const char *key, const char *text)
{
	const char *s = text + strspn(text, BLANK);
	size_t len = strlen(s), n;

	while (len && strchr(BLANK, s[len - 1]))
		len--;
	buf_printf(out, "%s=%s", key, len ? "" : "None");
	for (size_t i = 0; i < len; i += n) {
		n = (unsigned char)s[i] < 0x80 ? 1 : json_utf8_len(s + i, len - i);
		if (n == 0 || s[i] == '\n' || s[i] == '\r') {
			buf_putc(out, n ? ' ' : '?');
			n = 1;
		} else {
			buf_put(out, s + i, n);
		}
	}
	buf_putc(out, '\n');
}

static void
put_number(struct buf *out, const char *key, uint64_t v, bool known)
{
	if (known)
		buf_printf(out, "%s=%llu\n", key, (unsigned long long)v);
	else
		buf_printf(out, "%s=None\n", key);
}

static void
put_time(struct buf *out, const char *key, int64_t wall_us)
{
	char text[WHEN_TEXT_SIZE];

	put_text(out, key, wall_us ? when_text(wall_us, text) : "");
}

static void
put_lsn(struct buf *out, const char *key, uint64_t lsn)
{
	char text[LINEAGE_LSN_SIZE];

	put_text(out, key, lineage_lsn_text(lsn, text));
}

static void
put_tablespaces(const struct backup_info *b, struct buf *out)
{
	buf_puts(out, b->tablespaces ? "tablespaces=[" : "tablespaces=None");
	for (size_t i = 0; i < b->tablespaces; i++) {
		buf_puts(out, i ? ", (" : "(");
		pytext_print(out, b->tablespace[i].name);
		buf_printf(out, ", %u, ", b->tablespace[i].oid);
		pytext_print(out, b->tablespace[i].location);
		buf_putc(out, ')');
	}
	buf_puts(out, b->tablespaces ? "]\n" : "\n");
}

static void
put_own(const struct backup_info *b, struct buf *out)
{
	const struct {
		const char *name;
		bool given;
	} flags[] = {{"standby", b->standby}, {"checksum_failures", b->checksum_failures}};

	if (b->bytes)
		put_number(out, OWN " bytes", (uint64_t)b->bytes, true);
	if (b->stored_bytes)
		put_number(out, OWN " stored_bytes", (uint64_t)b->stored_bytes, true);
	if (*b->parent)
		put_text(out, OWN " parent", b->parent);
	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		if (flags[i].given)
			buf_printf(out, OWN " %s=true\n", flags[i].name);
	if (*b->writer)
		put_text(out, OWN " writer", b->writer);
	if (*b->running_pod)
		put_text(out, OWN " running_pod", b->running_pod);
	if (*b->running_session)
		put_text(out, OWN " running_session", b->running_session);
}

static void
put_begin_and_end(const struct backup_info *b, struct buf *out)
{
	put_number(out, "begin_offset", b->begin_offset, b->begin_lsn != 0);
	put_time(out, "begin_time", b->begin_us);
	put_text(out, "begin_wal", b->begin_wal);
	put_lsn(out, "begin_xlog", b->begin_lsn);
	buf_puts(out, "compression=None\nconfig_file=None\ncopy_stats=None\n"
		      "deduplicated_size=None\n");
	put_number(out, "end_offset", b->end_offset, b->end_lsn != 0);
	put_time(out, "end_time", b->end_us);
	put_text(out, "end_wal", b->end_wal);
	put_lsn(out, "end_xlog", b->end_lsn);
}

void
backup_info_print(const struct backup_info *b, struct buf *out)
{
	put_own(b, out);
	if (b->label) {
		buf_puts(out, "backup_label=");
		pytext_print(out, b->label);
		buf_putc(out, '\n');
	} else {
		buf_puts(out, "backup_label=None\n");
	}
	if (*b->name)
		put_text(out, "backup_name", b->name);
	put_begin_and_end(b, out);
	put_text(out, "error", b->error);
	buf_puts(out, "hba_file=None\nident_file=None\nincluded_files=None\nmode=None\n");
	put_text(out, "pgdata", b->pgdata);
	put_text(out, "server_name", *b->server_name ? b->server_name : "cloud");
	buf_puts(out, "size=None\n");
	buf_printf(out, "status=%s\n", backup_status_text(b->status));
	put_number(out, "systemid", b->system_id, b->system_id != 0);
	put_tablespaces(b, out);
	put_number(out, "timeline", b->timeline, b->timeline != 0);
	put_number(out, "version", (uint64_t)b->version, b->version > 0);
	put_number(out, "xlog_segment_size", b->segment_bytes, b->segment_bytes != 0);
}
