/*
 * cmd_backup_list - `podgres backup list` and `show`: what the archive has.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/json.h"
#include "cmd/archive_cli.h"

/* ---- list ---- */

static enum term_colour
status_colour(enum backup_status s)
{
	return s == BACKUP_DONE ? TERM_GREEN : s == BACKUP_FAILED ? TERM_RED : TERM_YELLOW;
}

static const char *
stays(const struct archive_cli *x, size_t i)
{
	if (x->catalog.keep[i] != KEEP_NO)
		return x->catalog.keep[i] == KEEP_FULL ? "kept" : "kept alone";
	if (!x->policy.window_us && !x->policy.redundancy)
		return "-";
	return x->plan.verdict[i] == RETAIN_CHAIN ? "chain" : retention_text(x->plan.verdict[i]);
}

static void
put_row(const struct archive_cli *x, struct term_table *t, size_t i)
{
	const struct backup_info *b = &x->catalog.info[i];
	char size[ARCHIVE_CLI_BYTES], took[DURATION_SIZE] = "-";

	if (b->begin_us && b->end_us >= b->begin_us)
		duration_text((b->end_us - b->begin_us) / 1000, took);
	term_table_put(t, TERM_BOLD, b->id);
	term_table_put(t, status_colour(b->status), backup_status_text(b->status));
	term_table_put(t, TERM_PLAIN, *b->parent ? "incr" : "full");
	term_table_printf(t, TERM_PLAIN, "%u", b->timeline);
	term_table_put(t, TERM_PLAIN, took);
	term_table_put(
		t, TERM_PLAIN, b->stored_bytes ? archive_cli_bytes(b->stored_bytes, size) : "-");
	term_table_put(t, TERM_PLAIN, stays(x, i));
	term_table_put(t, TERM_DIM, *b->name ? b->name : NULL);
}

static void
print_window(const struct archive_cli *x, struct buf *out)
{
	char from[CLOCK_RFC3339_SIZE], to[CLOCK_RFC3339_SIZE], lsn[LINEAGE_LSN_SIZE];
	struct catalog_path oldest, newest;

	for (size_t i = 0; i < x->catalog.unreadables; i++) {
		term_paint(&x->out, out, TERM_RED, x->catalog.unreadable[i]);
		buf_puts(out, "  backup.info cannot be read: no backup is deleted\n");
	}
	if (!catalog_window(&x->catalog.c, &oldest, &newest)) {
		term_paint(&x->out, out, TERM_RED, "nothing can be recovered from this archive\n");
		return;
	}
	buf_printf(out, "window    %s to %s\n", clock_rfc3339_sec(oldest.from_us, from),
		clock_rfc3339_sec(newest.to_us, to));
	buf_printf(out, "          timeline %u up to %s, %s\n", newest.timeline,
		lineage_lsn_text(newest.end_lsn, lsn), newest.last_wal);
}

/* Tables have few rows: a long list is several of them. */
static void
print_tables(const struct archive_cli *x, struct buf *out)
{
	static const char *const head[] = {
		"ID", "STATUS", "KIND", "TL", "TOOK", "STORED", "RETENTION", "NAME"};
	size_t i = 0, step = TERM_ROWS_MAX - 1, n = x->catalog.infos;

	while (i < n) {
		AUTO(term_table_deinit) struct term_table t = {0};

		term_table_init(&t, ARRAY_LEN(head));
		for (size_t c = 0; c < ARRAY_LEN(head); c++)
			term_table_put(&t, TERM_BOLD, head[c]);
		for (size_t end = i + step; i < n && i < end; i++)
			put_row(x, &t, i);
		term_table_print(&t, &x->out, out, 0);
	}
}

int
cmd_backup_list(const struct cli_args *args, const struct opt_rest *rest)
{
	AUTO(archive_cli_close) struct archive_cli x = {0};
	AUTO(buf_deinit) struct buf out = {0};
	char size[ARCHIVE_CLI_BYTES];
	struct err e = {0};
	struct json j;

	(void)rest;
	if (archive_cli_open(&x, "backup list", args, &e) < 0) {
		archive_cli_progress_end(&x);
		return command_fail(x.name, &e, NULL);
	}
	if (args->json) {
		json_init(&j, &out);
		archive_catalog_json(&x.catalog, &j);
		buf_putc(&out, '\n');
		return command_print(x.name, &out);
	}
	buf_printf(&out, "%s/%s  %zu backups, %s\n", store_where(x.archive->store),
		x.archive->server, x.catalog.infos, archive_cli_bytes(x.catalog.bytes, size));
	print_tables(&x, &out);
	print_window(&x, &out);
	return command_print(x.name, &out);
}

/* ---- show ---- */

static void
line(struct buf *out, const char *key, const char *value)
{
	if (value && *value)
		buf_printf(out, "%-18s%s\n", key, value);
}

static void
line_bytes(struct buf *out, const char *key, int64_t bytes)
{
	char text[ARCHIVE_CLI_BYTES];

	if (bytes)
		buf_printf(out, "%-18s%s (%lld bytes)\n", key, archive_cli_bytes(bytes, text),
			(long long)bytes);
}

static void
print_places(const struct backup_info *b, struct buf *out)
{
	char lsn[LINEAGE_LSN_SIZE];

	if (b->begin_lsn)
		buf_printf(out, "%-18s%s, %s\n", "begins at", lineage_lsn_text(b->begin_lsn, lsn),
			b->begin_wal);
	if (b->end_lsn)
		buf_printf(out, "%-18s%s, %s\n", "ends at", lineage_lsn_text(b->end_lsn, lsn),
			b->end_wal);
	if (b->timeline)
		buf_printf(out, "%-18s%u\n", "timeline", b->timeline);
	if (b->system_id)
		buf_printf(
			out, "%-18s%llu\n", "system identifier", (unsigned long long)b->system_id);
	if (b->version)
		buf_printf(
			out, "%-18s%d.%d\n", "PostgreSQL", b->version / 10000, b->version % 10000);
	line(out, "data directory", b->pgdata);
	for (size_t i = 0; i < b->tablespaces; i++)
		buf_printf(out, "%-18s%s (%u) in %s\n", "tablespace", b->tablespace[i].name,
			b->tablespace[i].oid, b->tablespace[i].location);
}

static int
print_object(void *arg, const struct store_object *o, struct err *e)
{
	const char *slash = strrchr(o->key, '/');
	char size[ARCHIVE_CLI_BYTES];

	(void)e;
	buf_printf(arg, "%-18s%-24s%s\n", "object", slash ? slash + 1 : o->key,
		archive_cli_bytes(o->bytes, size));
	return 0;
}

static int
print_show(struct archive_cli *x, size_t i, struct buf *out, struct err *e)
{
	const struct backup_info *b = &x->catalog.info[i];
	char time[CLOCK_RFC3339_SIZE], prefix[ARCHIVE_KEY_SIZE];
	struct store_list list = {.prefix = prefix, .each = print_object, .arg = out};

	line(out, "ID", b->id);
	line(out, "name", b->name);
	line(out, "status", backup_status_text(b->status));
	line(out, "error", b->error);
	line(out, "stands on", b->parent);
	line(out, "began", clock_rfc3339(b->begin_us, time));
	line(out, "ended", clock_rfc3339(b->end_us, time));
	print_places(b, out);
	line(out, "taken from", b->standby ? "a standby" : NULL);
	line(out, "checksums",
		b->checksum_failures ? "pages with wrong checksums were read" : NULL);
	line_bytes(out, "data", b->bytes);
	line_bytes(out, "stored", b->stored_bytes);
	line(out, "retention", stays(x, i));
	line(out, "written by", b->writer);
	if (archive_key(prefix, e, "%s/base/%s/", x->archive->server, b->id) < 0)
		return -1;
	return store_list(x->archive->store, &list, e);
}

int
cmd_backup_show(const struct cli_args *args, const struct opt_rest *rest)
{
	AUTO(archive_cli_close) struct archive_cli x = {0};
	AUTO(buf_deinit) struct buf out = {0};
	struct err e = {0};
	struct json j;
	size_t i;

	if (archive_cli_open(&x, "backup show", args, &e) < 0 ||
		archive_cli_find(&x, rest->arg[1], &i, &e) < 0) {
		archive_cli_progress_end(&x);
		return command_fail(x.name, &e, NULL);
	}
	if (args->json) {
		json_init(&j, &out);
		archive_backup_json(&x.catalog.info[i], x.catalog.keep[i], &j);
		buf_putc(&out, '\n');
	} else if (print_show(&x, i, &out, &e) < 0) {
		return command_fail(x.name, &e, NULL);
	}
	return command_print(x.name, &out);
}
