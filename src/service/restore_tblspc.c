/*
 * restore_tblspc - where tablespaces go.
 *
 * Process: whoever restores.  A tablespace goes back to its own place when that is prepared for
 * it: an empty folder that we may write to, or a missing one directly on a volume of its own.
 * Anything else, a path in the container's own file system say, would be gone with the next start,
 * so it goes to the caller's folder on the volume of the data directory, and that is said.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "service/restore.h"
#include "sys/mount.h"

static bool
tblspc_usable(const char *path)
{
	char parent[FILE_PATH_MAX], first[256];
	bool empty = false, point = false;
	struct err e;

	if (file_is_dir(path))
		return access(path, W_OK | X_OK) == 0 &&
		       pgdata_is_empty(path, &empty, first, &e) == 0 && empty;
	if (file_exists(path) || file_parent(parent, sizeof(parent), path, &e) < 0)
		return false;
	return file_is_dir(parent) && access(parent, W_OK | X_OK) == 0 &&
	       mount_is_point(parent, &point, &e) == 0 && point;
}

static const char *
tblspc_mapped(const struct restore *r, const struct backup_tablespace *t)
{
	char oid[16];

	snprintf(oid, sizeof(oid), "%u", t->oid);
	for (size_t i = 0; i < r->maps; i++)
		if (strcmp(r->map[i].from, t->name) == 0 || strcmp(r->map[i].from, oid) == 0 ||
			strcmp(r->map[i].from, t->location) == 0)
			return r->map[i].to;
	return NULL;
}

int
tblspc_place(const struct restore *r, const struct backup_tablespace *t, struct restore_place *p,
	struct err *e)
{
	const char *mapped = tblspc_mapped(r, t);
	char first[256];
	bool empty;
	int n;

	p->oid = t->oid;
	if (mapped) {
		if (file_is_dir(mapped) &&
			(pgdata_is_empty(mapped, &empty, first, e) < 0 || !empty))
			return err_set(e, ERR_CONFIG,
				"tablespace \"%s\": the folder %s is not empty", t->name, mapped);
		n = snprintf(p->path, sizeof(p->path), "%s", mapped);
	} else if (!r->check_only && t->location[0] == '/' && tblspc_usable(t->location)) {
		n = snprintf(p->path, sizeof(p->path), "%s", t->location);
	} else {
		n = snprintf(p->path, sizeof(p->path), "%s/%u", r->map_dir, t->oid);
		if (!r->check_only)
			prepare_warn(r->in->p,
				"tablespace \"%s\": %s is no empty folder that we may write to, "
				"so it goes to %s",
				t->name, t->location, p->path);
	}
	return n < 0 || (size_t)n >= sizeof(p->path)
		       ? err_set(e, ERR_CONFIG, "path too long: %.200s", p->path)
		       : 0;
}

/* An earlier run may have filled the places already, so what it chose counts. */
static bool
tblspc_recall(const struct restore *r, struct restore_place *p, uint32_t oid)
{
	char key[40];

	snprintf(key, sizeof(key), "tablespace %u", oid);
	p->oid = oid;
	return journal_get(r, key, p->path, sizeof(p->path)) != NULL;
}

int
tblspc_choose(struct restore *r, struct err *e)
{
	const struct backup_info *b = r->path.backup;

	r->places = 0;
	for (size_t i = 0; i < b->tablespaces; i++) {
		struct restore_place *p = &r->place[r->places++];

		if (!tblspc_recall(r, p, b->tablespace[i].oid) &&
			(tblspc_place(r, &b->tablespace[i], p, e) < 0 ||
				journal_add(r, e, "tablespace %u %s", p->oid, p->path) < 0))
			return -1;
		if (file_make_dirs(p->path, 0700, e) < 0)
			return err_add(e, "tablespace \"%s\"", b->tablespace[i].name);
	}
	return 0;
}

int
tblspc_link(struct restore *r, const char *data, struct err *e)
{
	char folder[FILE_PATH_MAX], link[FILE_PATH_MAX + 16];

	if (file_join(folder, sizeof(folder), data, "pg_tblspc", e) < 0 ||
		file_make_dirs(folder, 0700, e) < 0)
		return -1;
	for (size_t i = 0; i < r->places; i++) {
		snprintf(link, sizeof(link), "%s/%u", folder, r->place[i].oid);
		if (unlink(link) < 0 && errno != ENOENT && rmdir(link) < 0)
			return file_err(e, "replace %s", link);
		if (symlink(r->place[i].path, link) < 0)
			return file_err(e, "link %s", link);
	}
	return file_sync(folder, e);
}
