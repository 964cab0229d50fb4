/*
 * restore_combine - a chain of incremental backups becomes one data directory.
 *
 * Process: whoever restores.  pg_combinebackup (PostgreSQL 17 and later) reads every backup of the
 * chain, oldest first, and writes the data directory; tablespaces go from beside the newest one to
 * their places.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "service/restore.h"

static int
combine_links(const struct backup_info *info, const char *dir, struct err *e)
{
	char folder[FILE_PATH_MAX], link[FILE_PATH_MAX + 16], to[FILE_PATH_MAX];

	if (file_join(folder, sizeof(folder), dir, "pg_tblspc", e) < 0 ||
		file_make_dirs(folder, 0700, e) < 0)
		return -1;
	for (size_t i = 0; i < info->tablespaces; i++) {
		snprintf(link, sizeof(link), "%s/%u", folder, info->tablespace[i].oid);
		snprintf(to, sizeof(to), "%s.%u", dir, info->tablespace[i].oid);
		if (unlink(link) < 0 && errno != ENOENT && rmdir(link) < 0)
			return file_err(e, "replace %s", link);
		if (symlink(to, link) < 0)
			return file_err(e, "link %s", link);
	}
	return 0;
}

static int
combine_argv(struct restore *r, struct words *w, const char *const *dirs, const char *data,
	struct err *e)
{
	char program[FILE_PATH_MAX];

	if (bindir_program(&r->in->bin, "pg_combinebackup", program, e) < 0)
		return err_add(e, "backup %s is incremental", r->path.backup->id);
	if (words_add(w, program, e) < 0 || words_add(w, "--no-manifest", e) < 0 ||
		words_add(w, "--no-sync", e) < 0 || words_add(w, "-o", e) < 0 ||
		words_add(w, data, e) < 0)
		return -1;
	for (size_t i = 0; i < r->places; i++)
		if (words_addf(w, e, "--tablespace-mapping=%s.%u=%s", dirs[r->chains - 1],
			    r->place[i].oid, r->place[i].path) < 0)
			return -1;
	for (size_t i = 0; i < r->chains; i++)
		if (words_add(w, dirs[i], e) < 0)
			return -1;
	return 0;
}

static void
combine_line(const char *name, const char *line, void *arg)
{
	(void)arg;
	log_info("output while restoring", F_STR("program", name), F_STR("line", line));
}

static int
combine_clean(const struct restore *r, const char *const *dirs, struct err *e)
{
	char place[FILE_PATH_MAX];

	for (size_t i = 0; i < r->chains; i++) {
		for (size_t t = 0; t < r->chain[i]->tablespaces; t++) {
			snprintf(place, sizeof(place), "%s.%u", dirs[i],
				r->chain[i]->tablespace[t].oid);
			if (file_remove_tree(place, e) < 0)
				return -1;
		}
		if (file_remove_tree(dirs[i], e) < 0)
			return -1;
	}
	return 0;
}

int
restore_combine(struct restore *r, const char *const *dirs, const char *data, struct err *e)
{
	AUTO(words_deinit) struct words w = {0};
	struct spawn_spec spec = {.name = "pg_combinebackup",
		.envp = (const char *const *)r->in->env.item,
		.on_line = combine_line,
		.on_tick = init_tick,
		.arg = r->in};

	job_phase(r->in->p->j, "combining incremental backups", -1);
	if (file_remove_tree(data, e) < 0)
		return -1;
	for (size_t i = 0; i < r->chains; i++)
		if (combine_links(r->chain[i], dirs[i], e) < 0)
			return -1;
	/* A killed run of it may have left something in the places. */
	for (size_t i = 0; i < r->places; i++)
		if (file_remove_tree(r->place[i].path, e) < 0)
			return -1;
	if (combine_argv(r, &w, dirs, data, e) < 0)
		return -1;
	spec.argv = (const char *const *)w.item;
	if (spawn_run(&spec, NULL, e) < 0)
		return err_add(e, "combine incremental backups");
	return combine_clean(r, dirs, e);
}
