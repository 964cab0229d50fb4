/*
 * restore_files - what must not come back with a base backup, and what must be there.
 *
 * Process: whoever restores, before the first start.  Configuration of the old cluster names
 * folders, certificates, libraries and an archive that are not ours: it is kept beside as
 * NAME.from-backup and read by nobody.  Only what initdb chose for texts and times is taken over,
 * because the data depends on it.  Without backup_label postgres must not start at all.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "pg/conf_read.h"
#include "service/restore.h"

#define KEPT_SUFFIX ".from-backup"

/* ---- configuration ---- */

/* Written by initdb after the locale; parts of indexes and of the meaning of stored text. */
static const char *const carried[] = {"datestyle", "intervalstyle", "timezone", "log_timezone",
	"lc_messages", "lc_monetary", "lc_numeric", "lc_time", "default_text_search_config"};

static int
files_carry(const char *data, struct buf *out, struct err *e)
{
	AUTO(conf_settings_deinit) struct conf_settings s = {0};
	char path[FILE_PATH_MAX];
	struct err unread;

	buf_puts(out,
		"# postgresql.conf - made by podgres for a restored cluster.  The former one is "
		"postgresql.conf" KEPT_SUFFIX ";\n"
		"# what initdb had chosen is taken over from it.\n");
	if (file_join(path, sizeof(path), data, "postgresql.conf", e) < 0)
		return -1;
	/* What cannot be read (an include that is not here) leaves what was read before. */
	if (conf_load(&s, path, &unread) < 0)
		log_info("the configuration of the backup is read in part",
			F_STR("error", unread.msg));
	for (size_t i = 0; i < ARRAY_LEN(carried); i++) {
		const struct conf_setting *c = conf_settings_get(&s, carried[i]);

		if (!c)
			continue;
		buf_printf(out, "%s = ", carried[i]);
		conf_quote(out, c->value);
		buf_putc(out, '\n');
	}
	return buf_check(out, e);
}

static int
files_set_aside(const char *data, const char *name, struct err *e)
{
	char from[FILE_PATH_MAX], to[FILE_PATH_MAX + sizeof(KEPT_SUFFIX)];

	if (file_join(from, sizeof(from), data, name, e) < 0)
		return -1;
	snprintf(to, sizeof(to), "%s" KEPT_SUFFIX, from);
	if (!file_exists(from))
		return 0;
	if (file_remove_tree(to, e) < 0)
		return -1;
	if (rename(from, to) < 0)
		return file_err(e, "set aside %s", from);
	log_info("configuration of the backup set aside", F_STR("file", name));
	return 0;
}

static int
files_configuration(const char *data, struct err *e)
{
	static const char *const theirs[] = {"postgresql.conf", "postgresql.auto.conf",
		"postgresql.base.conf", "postgresql.override.conf", "podgres.conf",
		"podgres.user.conf", "podgres.pg_hba.conf", "podgres.pg_ident.conf", "custom.conf",
		"override.conf", "conf.d", "pg_hba.conf", "pg_ident.conf", "recovery.conf",
		"patroni.dynamic.json"};
	AUTO(buf_deinit) struct buf made = {0};
	char path[FILE_PATH_MAX], kept[FILE_PATH_MAX];

	if (file_join(path, sizeof(path), data, "postgresql.conf", e) < 0 ||
		file_join(kept, sizeof(kept), data, "podgres.restored", e) < 0)
		return -1;
	/* A run before this one was killed after it had set the files aside. */
	if (file_exists(kept))
		return 0;
	if (files_carry(data, &made, e) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(theirs); i++)
		if (files_set_aside(data, theirs[i], e) < 0)
			return -1;
	if (file_write(path, made.data, made.len, 0600, e) < 0)
		return -1;
	return file_write(kept, "", 0, 0600, e);
}

/* ---- leftovers ---- */

static int
files_empty_one(const char *name, void *arg, struct err *e)
{
	const char *dir = arg;
	char path[FILE_PATH_MAX];

	if (file_join(path, sizeof(path), dir, name, e) < 0)
		return -1;
	return file_remove_tree(path, e);
}

/* The same folders that pg_basebackup and Barman leave empty; old slots would keep WAL for ever. */
static int
files_folders(const char *data, struct err *e)
{
	static const struct {
		const char *name;
		bool clear;
	} folders[] = {{"pg_wal", false}, {"pg_wal/archive_status", true}, {"pg_commit_ts", false},
		{"pg_dynshmem", true}, {"pg_notify", true}, {"pg_replslot", true},
		{"pg_serial", true}, {"pg_snapshots", true}, {"pg_stat", false},
		{"pg_stat_tmp", true}, {"pg_subtrans", true}, {"pg_tblspc", false},
		{"pg_twophase", false}, {"pg_logical", false}, {"pg_logical/snapshots", true},
		{"pg_logical/mappings", true}, {"pg_wal/summaries", true}};
	char path[FILE_PATH_MAX];

	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		if (file_join(path, sizeof(path), data, folders[i].name, e) < 0)
			return -1;
		if (strcmp(folders[i].name, "pg_wal/summaries") == 0 && !file_is_dir(path))
			continue;
		if (file_make_dirs(path, 0700, e) < 0)
			return -1;
		if (folders[i].clear && file_each(path, files_empty_one, path, e) < 0)
			return -1;
	}
	return 0;
}

static const char ours_in_wal[] = "pg_wal/" PGDATA_OURS;

static int
files_leftovers(const char *data, struct err *e)
{
	/* .podgres: fence flag and lock of the manager that the backup was taken from. */
	static const char *const gone[] = {"postmaster.pid", "postmaster.opts", "standby.signal",
		"recovery.signal", "recovery.done", "promote", "current_logfiles",
		"backup_manifest", PGDATA_OURS, ours_in_wal, "pg_wal/.podgres.reserve",
		"tablespace_map"};
	char path[FILE_PATH_MAX];

	for (size_t i = 0; i < ARRAY_LEN(gone); i++) {
		if (file_join(path, sizeof(path), data, gone[i], e) < 0)
			return -1;
		if (strcmp(gone[i], PGDATA_OURS) == 0 ||
			strcmp(gone[i], "pg_wal/" PGDATA_OURS) == 0) {
			if (file_remove_tree(path, e) < 0)
				return -1;
		} else if (file_remove(path, e) < 0) {
			return -1;
		}
	}
	return 0;
}

/* ---- what must be there ---- */

static int
files_label(const struct restore *r, const char *data, struct err *e)
{
	const struct backup_info *b = r->path.backup;
	char path[FILE_PATH_MAX];

	if (file_join(path, sizeof(path), data, "backup_label", e) < 0)
		return -1;
	if (file_exists(path))
		return 0;
	if (!b->label || !*b->label)
		return err_set(e, ERR_CORRUPT,
			"backup %s has no backup_label: it cannot be brought to a consistent state",
			b->id);
	return file_write(path, b->label, strlen(b->label), 0600, e);
}

static int
files_control(const struct restore *r, const char *data, struct err *e)
{
	const struct backup_info *b = r->path.backup;
	struct control c;

	if (control_read(&c, data, e) < 0)
		return err_add(e, "backup %s: pg_control", b->id);
	if (b->system_id && b->system_id != c.system_id)
		return err_set(e, ERR_CORRUPT,
			"backup %s is of system %llu, but its pg_control says %llu", b->id,
			(unsigned long long)b->system_id, (unsigned long long)c.system_id);
	return control_invalidate(data, e);
}

int
restore_files_clean(const char *data, struct err *e)
{
	if (files_configuration(data, e) < 0 || files_leftovers(data, e) < 0 ||
		files_folders(data, e) < 0)
		return -1;
	return chmod(data, 0700) < 0 ? file_err(e, "set the mode of %s", data) : 0;
}

int
restore_files(struct restore *r, struct err *e)
{
	const char *data = r->in->place.data;

	if (files_label(r, data, e) < 0 || restore_files_clean(data, e) < 0)
		return -1;
	return tblspc_link(r, data, e) < 0 || files_control(r, data, e) < 0 ? -1 : 0;
}
