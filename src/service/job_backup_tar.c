/*
 * job_backup_tar - the tars of BASE_BACKUP become those that Barman's programs restore.
 *
 * Process: the job `backup`.  Data goes through by pointer: read, hashed, compressed.  Left out is
 * what a backup must not have; each tablespace becomes one tar or, at the end of a file, several.
 * What is taken and what not: Barman's own list, and podgres' folder.
 */
#include <stdio.h>
#include <string.h>

#include "service/job_backup.h"

#define LABEL_MAX (64 << 10)

/* ---- what is left out ---- */

static bool
is_below(const char *name, const char *folder)
{
	size_t n = strlen(folder);

	return n > 0 && strncmp(name, folder, n) == 0 && name[n] == '/';
}

bool
backup_tar_unwanted(const char *name, const char *own)
{
	static const char *const content[] = {"log", "pg_log", "pg_xlog", "pg_dynshmem",
		"pg_notify", "pg_replslot", "pg_serial", "pg_snapshots", "pg_stat_tmp",
		"pg_subtrans"};
	static const char *const files[] = {"postgresql.auto.conf.tmp", "current_logfiles.tmp",
		"postmaster.pid", "postmaster.opts", "recovery.conf", "recovery.signal",
		"standby.signal", "tablespace_map", "backup_manifest"};

	for (size_t i = 0; i < ARRAY_LEN(content); i++)
		if (is_below(name, content[i]))
			return true;
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		if (strcmp(name, files[i]) == 0)
			return true;
	return strcmp(name, own) == 0 || is_below(name, own);
}

/* Whoever restores makes the links to tablespaces; WAL comes from the archive. */
static bool
tar_skips(const struct backup_tar *t, const struct tar_entry *entry)
{
	if (t->oid != 0)
		return false;
	if (entry->kind == TAR_SYMLINK && is_below(entry->name, "pg_tblspc"))
		return true;
	if (entry->kind != TAR_DIR && is_below(entry->name, "pg_wal"))
		return true;
	return backup_tar_unwanted(entry->name, t->b->own);
}

/* ---- one tar of ours ---- */

static int
tar_open(struct backup_tar *t, int64_t first, struct err *e)
{
	int64_t expected = t->left < BACKUP_TAR_BYTES ? t->left : BACKUP_TAR_BYTES;
	char base[16], stem[BACKUP_TAR_SIZE - 8];

	snprintf(base, sizeof(base), "%u", t->oid);
	if (t->number == 0)
		snprintf(stem, sizeof(stem), "%s.tar", t->oid ? base : "data");
	else
		snprintf(stem, sizeof(stem), "%s_%04d.tar", t->oid ? base : "data", t->number);
	t->number++;
	/* The server's estimate may be old; a part more is cheaper than a part too few. */
	expected += expected / 4;
	if (expected < first)
		expected = first;
	if (backup_out_open(&t->b->out, stem, expected, e) < 0)
		return -1;
	return tar_writer_new(&t->writer, backup_out_write, &t->b->out, e);
}

static int
tar_close(struct backup_tar *t, struct err *e)
{
	if (tar_writer_finish(t->writer, e) < 0)
		return -1;
	t->writer = tar_writer_free(t->writer);
	return backup_out_close(&t->b->out, e);
}

static int
tar_split(struct backup_tar *t, int64_t next, struct err *e)
{
	int64_t have = tar_writer_bytes(t->writer);

	if (have == 0 || have + next <= BACKUP_TAR_BYTES)
		return 0;
	return tar_close(t, e) < 0 ? -1 : tar_open(t, next, e);
}

/* ---- entries ---- */

/* BASE_BACKUP says nothing of PGDATA itself, and unpacked without this it would be open to all,
 * with which postgres does not start. */
static int
tar_root(struct backup_tar *t, const struct tar_entry *first, struct err *e)
{
	struct tar_entry root = *first;

	if (t->oid != 0 || t->number != 1 || tar_writer_bytes(t->writer) > 0)
		return 0;
	root.kind = TAR_DIR;
	root.name = ".";
	root.link = "";
	root.bytes = 0;
	root.mode = 0700;
	return tar_writer_file(t->writer, &root, NULL, e);
}

static int
entry_begin(void *arg, const struct tar_entry *entry, struct err *e)
{
	struct backup_tar *t = arg;

	t->skip = tar_skips(t, entry);
	t->label = false;
	t->hashing = false;
	if (t->skip)
		return 0;
	if (tar_split(t, entry->bytes, e) < 0 || tar_root(t, entry, e) < 0)
		return -1;
	if (entry->kind == TAR_FILE) {
		t->label = t->oid == 0 && strcmp(entry->name, "backup_label") == 0;
		t->hashing = true;
		sha256_init(&t->hash);
		t->file.bytes = entry->bytes;
		if (strlen(entry->name) >= sizeof(t->file.path))
			return err_set(e, ERR_REMOTE, "%.100s: the name is too long", entry->name);
		snprintf(t->file.path, sizeof(t->file.path), "%s", entry->name);
		snprintf(t->file.tar, sizeof(t->file.tar), "%s", t->b->out.name);
	}
	return tar_writer_begin(t->writer, entry, e);
}

static int
entry_data(void *arg, const void *p, size_t n, struct err *e)
{
	struct backup_tar *t = arg;

	if (t->skip)
		return 0;
	if (t->label && t->label_text.len + n <= LABEL_MAX)
		buf_put(&t->label_text, p, n);
	sha256_put(&t->hash, p, n);
	return tar_writer_data(t->writer, p, n, e);
}

static int
entry_end(void *arg, struct err *e)
{
	struct backup_tar *t = arg;

	if (t->skip)
		return 0;
	if (tar_writer_end(t->writer, NULL, e) < 0)
		return -1;
	if (!t->hashing)
		return 0;
	sha256_end_hex(&t->hash, t->file.sha256);
	return backup_list_file(&t->b->list, &t->file, e);
}

/* ---- the server's tars ---- */

int
backup_tar_archive(void *arg, const struct replication_tablespace *ts, struct err *e)
{
	struct backup_tar *t = arg;
	const struct tar_reader_spec spec = {.begin = entry_begin,
		.data = entry_data,
		.end = entry_end,
		.arg = t,
		.open_end = true};

	t->oid = ts->oid;
	t->number = 0;
	t->left = ts->bytes > 0 ? ts->bytes : 0;
	if (tar_reader_new(&t->reader, &spec, e) < 0)
		return -1;
	return tar_open(t, 0, e);
}

int
backup_tar_data(void *arg, const void *p, size_t n, struct err *e)
{
	struct backup_tar *t = arg;

	t->left = t->left > (int64_t)n ? t->left - (int64_t)n : 0;
	return tar_reader_write(t->reader, p, n, e);
}

int
backup_tar_end(void *arg, struct err *e)
{
	struct backup_tar *t = arg;

	if (tar_reader_finish(t->reader, e) < 0)
		return err_add(e, "the server's tar");
	t->reader = tar_reader_free(t->reader);
	return tar_close(t, e);
}

void
backup_tar_deinit(struct backup_tar *t)
{
	t->reader = tar_reader_free(t->reader);
	t->writer = tar_writer_free(t->writer);
	buf_deinit(&t->label_text);
}
