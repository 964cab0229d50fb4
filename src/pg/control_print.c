/*
 * control_print - pg_control as pg_controldata prints it.
 */
#include "pg/control.h"

#include <stdio.h>
#include <time.h>

static void
print_text(struct buf *out, const char *label, const char *text)
{
	buf_printf(out, "%-38s%s\n", label, text);
}

static void
print_u32(struct buf *out, const char *label, uint32_t v)
{
	buf_printf(out, "%-38s%u\n", label, v);
}

static void
print_i32(struct buf *out, const char *label, int32_t v)
{
	buf_printf(out, "%-38s%d\n", label, v);
}

static void
print_lsn(struct buf *out, const char *label, uint64_t lsn)
{
	buf_printf(out, "%-38s%X/%X\n", label, (uint32_t)(lsn >> 32), (uint32_t)lsn);
}

static void
print_on_off(struct buf *out, const char *label, bool on)
{
	print_text(out, label, on ? "on" : "off");
}

/* "%c" of the C locale, without asking the process' locale. */
static void
print_time(struct buf *out, const char *label, int64_t sec)
{
	time_t t = (time_t)sec;
	char text[64] = "";
	struct tm tm;

	if (localtime_r(&t, &tm) && strftime(text, sizeof(text), "%a %b %e %H:%M:%S %Y", &tm) == 0)
		text[0] = '\0';
	print_text(out, label, text);
}

static bool
segment_size_ok(uint32_t bytes)
{
	return bytes >= 1U << 20 && bytes <= 1U << 30 && (bytes & (bytes - 1)) == 0;
}

static void
print_warnings(const struct control *c, struct buf *out)
{
	if (!c->crc_ok)
		buf_puts(out,
			"WARNING: Calculated CRC checksum does not match value stored in file.\n"
			"Either the file is corrupt, or it has a different layout than this "
			"program\nis expecting.  The results below are untrustworthy.\n\n");
	if (!segment_size_ok(c->wal_segment_bytes))
		buf_printf(out,
			"WARNING: invalid WAL segment size\n"
			"The WAL segment size stored in the file, %d byte%s, is not a power of "
			"two\nbetween 1 MB and 1 GB.  The file is corrupt and the results below "
			"are\nuntrustworthy.\n\n",
			(int)c->wal_segment_bytes, c->wal_segment_bytes == 1 ? "" : "s");
}

static void
print_wal_file(const struct control *c, struct buf *out)
{
	char name[32] = "???";
	uint64_t seg, per_id;

	if (segment_size_ok(c->wal_segment_bytes)) {
		seg = c->copy.redo / c->wal_segment_bytes;
		per_id = UINT64_C(0x100000000) / c->wal_segment_bytes;
		snprintf(name, sizeof(name), "%08X%08X%08X", c->copy.timeline,
			(uint32_t)(seg / per_id), (uint32_t)(seg % per_id));
	}
	print_text(out, "Latest checkpoint's REDO WAL file:", name);
}

static void
print_checkpoint(const struct control *c, struct buf *out)
{
	const struct control_checkpoint *k = &c->copy;

	print_lsn(out, "Latest checkpoint location:", c->checkpoint);
	print_lsn(out, "Latest checkpoint's REDO location:", k->redo);
	print_wal_file(c, out);
	print_u32(out, "Latest checkpoint's TimeLineID:", k->timeline);
	print_u32(out, "Latest checkpoint's PrevTimeLineID:", k->prev_timeline);
	print_on_off(out, "Latest checkpoint's full_page_writes:", k->full_page_writes);
	buf_printf(out, "%-38s%u:%u\n",
		"Latest checkpoint's NextXID:", (uint32_t)(k->next_xid >> 32),
		(uint32_t)k->next_xid);
	print_u32(out, "Latest checkpoint's NextOID:", k->next_oid);
	print_u32(out, "Latest checkpoint's NextMultiXactId:", k->next_multi);
	print_u32(out, "Latest checkpoint's NextMultiOffset:", k->next_multi_offset);
	print_u32(out, "Latest checkpoint's oldestXID:", k->oldest_xid);
	print_u32(out, "Latest checkpoint's oldestXID's DB:", k->oldest_xid_db);
	print_u32(out, "Latest checkpoint's oldestActiveXID:", k->oldest_active_xid);
	print_u32(out, "Latest checkpoint's oldestMultiXid:", k->oldest_multi);
	print_u32(out, "Latest checkpoint's oldestMulti's DB:", k->oldest_multi_db);
	print_u32(out, "Latest checkpoint's oldestCommitTsXid:", k->oldest_commit_ts_xid);
	print_u32(out, "Latest checkpoint's newestCommitTsXid:", k->newest_commit_ts_xid);
	print_time(out, "Time of latest checkpoint:", k->time_s);
}

static void
print_recovery(const struct control *c, struct buf *out)
{
	print_lsn(out, "Fake LSN counter for unlogged rels:", c->unlogged_lsn);
	print_lsn(out, "Minimum recovery ending location:", c->min_recovery_point);
	print_u32(out, "Min recovery ending loc's timeline:", c->min_recovery_timeline);
	print_lsn(out, "Backup start location:", c->backup_start_point);
	print_lsn(out, "Backup end location:", c->backup_end_point);
	print_text(out, "End-of-backup record required:", c->backup_end_required ? "yes" : "no");
}

static void
print_settings(const struct control *c, struct buf *out)
{
	static const char *const level[] = {"minimal", "replica", "logical"};

	print_text(out, "wal_level setting:",
		c->wal_level >= 0 && c->wal_level <= 2 ? level[c->wal_level]
						       : "unrecognized \"wal_level\"");
	print_on_off(out, "wal_log_hints setting:", c->wal_log_hints);
	print_i32(out, "max_connections setting:", c->max_connections);
	print_i32(out, "max_worker_processes setting:", c->max_worker_processes);
	print_i32(out, "max_wal_senders setting:", c->max_wal_senders);
	print_i32(out, "max_prepared_xacts setting:", c->max_prepared_xacts);
	print_i32(out, "max_locks_per_xact setting:", c->max_locks_per_xact);
	print_on_off(out, "track_commit_timestamp setting:", c->track_commit_timestamp);
}

static void
print_sizes(const struct control *c, struct buf *out)
{
	print_u32(out, "Maximum data alignment:", c->max_align);
	print_u32(out, "Database block size:", c->block_bytes);
	print_u32(out, "Blocks per segment of large relation:", c->relation_segment_blocks);
	print_u32(out, "WAL block size:", c->wal_block_bytes);
	print_u32(out, "Bytes per WAL segment:", c->wal_segment_bytes);
	print_u32(out, "Maximum length of identifiers:", c->name_len);
	print_u32(out, "Maximum columns in an index:", c->index_keys);
	print_u32(out, "Maximum size of a TOAST chunk:", c->toast_chunk_bytes);
	print_u32(out, "Size of a large-object chunk:", c->large_object_chunk_bytes);
	print_text(out, "Date/time type storage:", "64-bit integers");
	print_text(
		out, "Float8 argument passing:", c->float8_by_value ? "by value" : "by reference");
	print_u32(out, "Data page checksum version:", c->checksum_version);
	if (c->version >= 1800)
		print_text(out,
			"Default char data signedness:", c->char_signed ? "signed" : "unsigned");
}

void
control_print(const struct control *c, struct buf *out)
{
	print_warnings(c, out);
	print_u32(out, "pg_control version number:", c->version);
	print_u32(out, "Catalog version number:", c->catalog);
	buf_printf(out, "%-38s%llu\n",
		"Database system identifier:", (unsigned long long)c->system_id);
	print_text(out, "Database cluster state:", control_state_text(c->state));
	print_time(out, "pg_control last modified:", c->modified_s);
	print_checkpoint(c, out);
	print_recovery(c, out);
	print_settings(c, out);
	print_sizes(c, out);
	buf_printf(out, "%-38s", "Mock authentication nonce:");
	for (size_t i = 0; i < CONTROL_NONCE; i++)
		buf_printf(out, "%02x", c->nonce[i]);
	buf_putc(out, '\n');
}

int
control_print_bytes(struct buf *out, const void *bytes, size_t n, struct err *e)
{
	struct control c;

	if (control_parse(&c, bytes, n, e) < 0 && c.version == 0)
		return -1;
	control_print(&c, out);
	return 0;
}
