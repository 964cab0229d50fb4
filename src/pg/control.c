/*
 * control - global/pg_control of PostgreSQL 13 to 18.
 *
 * The fields are a table of offsets, so that a read is bounded by the table and not by a cast of
 * foreign bytes to a struct.
 */
#include "pg/control.h"

#include <string.h>

#include "base/hash.h"
#include "sys/file.h"

#define AT(member) offsetof(struct control, member), sizeof(((struct control *)0)->member)

struct control_field {
	uint16_t from; /* in the file */
	uint16_t to;   /* in struct control */
	uint16_t size;
};

static const struct control_field control_fields[] = {
	{0, AT(system_id)},
	{8, AT(version)},
	{12, AT(catalog)},
	{16, AT(state)},
	{24, AT(modified_s)},
	{32, AT(checkpoint)},
	{40, AT(copy.redo)},
	{48, AT(copy.timeline)},
	{52, AT(copy.prev_timeline)},
	{56, AT(copy.full_page_writes)},
	{64, AT(copy.next_xid)},
	{72, AT(copy.next_oid)},
	{76, AT(copy.next_multi)},
	{80, AT(copy.next_multi_offset)},
	{84, AT(copy.oldest_xid)},
	{88, AT(copy.oldest_xid_db)},
	{92, AT(copy.oldest_multi)},
	{96, AT(copy.oldest_multi_db)},
	{104, AT(copy.time_s)},
	{112, AT(copy.oldest_commit_ts_xid)},
	{116, AT(copy.newest_commit_ts_xid)},
	{120, AT(copy.oldest_active_xid)},
	{128, AT(unlogged_lsn)},
	{136, AT(min_recovery_point)},
	{144, AT(min_recovery_timeline)},
	{152, AT(backup_start_point)},
	{160, AT(backup_end_point)},
	{168, AT(backup_end_required)},
	{172, AT(wal_level)},
	{176, AT(wal_log_hints)},
	{180, AT(max_connections)},
	{184, AT(max_worker_processes)},
	{188, AT(max_wal_senders)},
	{192, AT(max_prepared_xacts)},
	{196, AT(max_locks_per_xact)},
	{200, AT(track_commit_timestamp)},
	{204, AT(max_align)},
	{216, AT(block_bytes)},
	{220, AT(relation_segment_blocks)},
	{224, AT(wal_block_bytes)},
	{228, AT(wal_segment_bytes)},
	{232, AT(name_len)},
	{236, AT(index_keys)},
	{240, AT(toast_chunk_bytes)},
	{244, AT(large_object_chunk_bytes)},
	{248, AT(float8_by_value)},
	{252, AT(checksum_version)},
};

static const struct control_field control_tail_1300[] = {{256, AT(nonce)}, {288, AT(crc)}};
static const struct control_field control_tail_1800[] = {
	{256, AT(char_signed)}, {257, AT(nonce)}, {292, AT(crc)}};

static const struct {
	uint32_t version;
	const struct control_field *tail;
	size_t fields;
	size_t crc_at;
} control_layouts[] = {
	{1300, control_tail_1300, ARRAY_LEN(control_tail_1300), 288},
	{1700, control_tail_1300, ARRAY_LEN(control_tail_1300), 288},
	{1800, control_tail_1800, ARRAY_LEN(control_tail_1800), 292},
};

/* src/include/catalog/catversion.h of each release */
static const struct {
	uint32_t catalog;
	int major;
} control_catalogs[] = {
	{202007201, 13},
	{202107181, 14},
	{202209061, 15},
	{202307071, 16},
	{202406281, 17},
	{202506291, 18},
};

int
control_major(uint32_t catalog)
{
	for (size_t i = 0; i < ARRAY_LEN(control_catalogs); i++)
		if (control_catalogs[i].catalog == catalog)
			return control_catalogs[i].major;
	return 0;
}

/* A bool in a damaged file may be any byte, and a bool that is neither 0 nor 1 must not exist. */
static bool
control_is_bool(uint16_t to)
{
	static const uint16_t bools[] = {
		offsetof(struct control, copy.full_page_writes),
		offsetof(struct control, backup_end_required),
		offsetof(struct control, wal_log_hints),
		offsetof(struct control, track_commit_timestamp),
		offsetof(struct control, float8_by_value),
		offsetof(struct control, char_signed),
	};

	for (size_t i = 0; i < ARRAY_LEN(bools); i++)
		if (bools[i] == to)
			return true;
	return false;
}

static void
control_take(
	struct control *out, const unsigned char *bytes, const struct control_field *f, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char *to = (char *)out + f[i].to;

		if (control_is_bool(f[i].to))
			*to = bytes[f[i].from] != 0;
		else
			memcpy(to, bytes + f[i].from, f[i].size);
	}
}

int
control_parse(struct control *out, const void *bytes, size_t n, struct err *e)
{
	uint32_t version;

	*out = (struct control){0};
	if (n < 12)
		return err_set(e, ERR_CORRUPT, "pg_control has only %zu bytes", n);
	memcpy(&version, (const char *)bytes + 8, sizeof(version));

	for (size_t i = 0; i < ARRAY_LEN(control_layouts); i++) {
		size_t crc_at = control_layouts[i].crc_at;

		if (control_layouts[i].version != version)
			continue;
		if (n < crc_at + sizeof(uint32_t))
			return err_set(e, ERR_CORRUPT, "pg_control has only %zu bytes", n);
		control_take(out, bytes, control_fields, ARRAY_LEN(control_fields));
		control_take(out, bytes, control_layouts[i].tail, control_layouts[i].fields);
		out->major = control_major(out->catalog);
		out->crc_ok = crc32c(0, bytes, crc_at) == out->crc;
		if (!out->crc_ok)
			return err_set(e, ERR_CORRUPT, "the checksum of pg_control is wrong");
		return 0;
	}
	return err_set(e, ERR_CORRUPT,
		"pg_control is of format %u; known are 1300 (PostgreSQL 13 to 16), 1700 and 1800",
		version);
}

int
control_read_bytes(unsigned char out[CONTROL_BYTES], size_t *n, const char *pgdata, struct err *e)
{
	char path[FILE_PATH_MAX];

	if (file_join(path, sizeof(path), pgdata, "global/pg_control", e) < 0)
		return -1;
	return file_read_some(path, out, CONTROL_BYTES, n, e);
}

int
control_read(struct control *out, const char *pgdata, struct err *e)
{
	unsigned char bytes[CONTROL_BYTES];
	size_t n;

	*out = (struct control){0};
	if (control_read_bytes(bytes, &n, pgdata, e) < 0)
		return -1;
	return control_parse(out, bytes, n, e);
}

/* ---- change ---- */

#define CONTROL_FILE_BYTES 8192 /* PG_CONTROL_FILE_SIZE; the rest is zeros */
/* No segment lies so low, and the position passes XRecOffIsValid(), which is asked in any case. */
#define CONTROL_NOWHERE UINT64_C(0xDEAD)

static size_t
control_crc_at(uint32_t version)
{
	for (size_t i = 0; i < ARRAY_LEN(control_layouts); i++)
		if (control_layouts[i].version == version)
			return control_layouts[i].crc_at;
	return 0;
}

int
control_invalidate(const char *pgdata, struct err *e)
{
	AUTO(buf_deinit) struct buf b = {0};
	const uint64_t nowhere = CONTROL_NOWHERE;
	char path[FILE_PATH_MAX];
	struct control c;
	uint32_t crc;

	if (file_join(path, sizeof(path), pgdata, "global/pg_control", e) < 0 ||
		file_read(&b, path, CONTROL_FILE_BYTES, e) < 0)
		return -1;
	if (control_parse(&c, buf_str(&b), b.len, e) < 0)
		return err_add(e, "%s", path);
	memcpy(b.data + 32, &nowhere, sizeof(nowhere));
	crc = crc32c(0, b.data, control_crc_at(c.version));
	memcpy(b.data + control_crc_at(c.version), &crc, sizeof(crc));
	return file_write(path, b.data, b.len, 0600, e);
}

/* ---- questions ---- */

const char *
control_state_text(uint32_t state)
{
	static const char *const text[CONTROL_STATES] = {
		[CONTROL_STARTING_UP] = "starting up",
		[CONTROL_SHUT_DOWN] = "shut down",
		[CONTROL_SHUT_DOWN_IN_RECOVERY] = "shut down in recovery",
		[CONTROL_SHUTTING_DOWN] = "shutting down",
		[CONTROL_IN_CRASH_RECOVERY] = "in crash recovery",
		[CONTROL_IN_ARCHIVE_RECOVERY] = "in archive recovery",
		[CONTROL_IN_PRODUCTION] = "in production",
	};

	return state < CONTROL_STATES ? text[state] : "unrecognized status code";
}

bool
control_clean(const struct control *c)
{
	return c->state == CONTROL_SHUT_DOWN || c->state == CONTROL_SHUT_DOWN_IN_RECOVERY;
}

uint32_t
control_timeline(const struct control *c)
{
	uint32_t a = c->copy.timeline, b = c->min_recovery_timeline;

	return a > b ? a : b;
}
