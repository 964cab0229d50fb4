/*
 * member_spaces - the tablespaces of a member's clone.
 *
 * Process: the job `prepare`.  All members have a tablespace at the primary's path, each on a
 * volume of its own; where a member has no folder there that it may use, at STATE_DIR/tablespaces/
 * OID.  A clone is written into a folder PLACE/.podgres-new, so that whatever a killed run left is
 * known to be ours, and what is in use stays.  When the clone takes PGDATA's place, what was there
 * moves to PLACE/podgres-old-STAMP, where the former data directory's links then lead, and the
 * new one moves up.  Each step finds by the links what a killed run has done.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "service/prepare_member.h"
#include "sys/mount.h"

#define SPACE_NEW ".podgres-new"
#define SPACE_OLD "podgres-old-"
#define SPACES_MAX 256

/* ---- links ---- */

typedef int space_fn(const char *link, const char *target, void *arg, struct err *e);

struct spaces_walk {
	char dir[FILE_PATH_MAX]; /* DATA/pg_tblspc */
	space_fn *fn;
	void *arg;
};

static bool
space_link(const char *link, char target[FILE_PATH_MAX])
{
	ssize_t n = readlink(link, target, FILE_PATH_MAX - 1);

	if (n <= 0)
		return false;
	target[n] = '\0';
	return target[0] == '/';
}

static int
walk_one(const char *name, void *arg, struct err *e)
{
	const struct spaces_walk *w = arg;
	char link[FILE_PATH_MAX], target[FILE_PATH_MAX];

	if (file_join(link, sizeof(link), w->dir, name, e) < 0)
		return -1;
	/* A name of ours between two steps of replacing a link is no tablespace. */
	if (strspn(name, "0123456789") != strlen(name) || !space_link(link, target))
		return 0;
	return w->fn(link, target, w->arg, e);
}

static int
spaces_each(const char *data, space_fn *fn, void *arg, struct err *e)
{
	struct spaces_walk w = {.fn = fn, .arg = arg};

	if (file_join(w.dir, sizeof(w.dir), data, "pg_tblspc", e) < 0)
		return -1;
	return file_is_dir(w.dir) ? file_each(w.dir, walk_one, &w, e) : 0;
}

static int
space_relink(const char *link, const char *target, struct err *e)
{
	char fresh[FILE_PATH_MAX + 8], dir[FILE_PATH_MAX];

	snprintf(fresh, sizeof(fresh), "%s.new", link);
	if (file_remove(fresh, e) < 0)
		return -1;
	if (symlink(target, fresh) < 0 || rename(fresh, link) < 0)
		return file_err(e, "link %s to %s", link, target);
	return file_parent(dir, sizeof(dir), link, e) < 0 ? -1 : file_sync(dir, e);
}

/* ---- what is in a place ---- */

struct space_mover {
	const char *from, *to;
};

static int
space_move_one(const char *name, void *arg, struct err *e)
{
	const struct space_mover *m = arg;
	char from[FILE_PATH_MAX], to[FILE_PATH_MAX];

	if (strncmp(name, "PG_", 3) != 0)
		return 0;
	if (file_join(from, sizeof(from), m->from, name, e) < 0 ||
		file_join(to, sizeof(to), m->to, name, e) < 0)
		return -1;
	return rename(from, to) < 0 && errno != ENOENT ? file_err(e, "move %s to %s", from, to) : 0;
}

/* The folders of PostgreSQL's versions, of which there are one or two. */
static int
space_move_all(const char *from, const char *to, struct err *e)
{
	struct space_mover m = {from, to};

	if (file_each(from, space_move_one, &m, e) < 0 || file_sync(to, e) < 0)
		return -1;
	return file_sync(from, e);
}

static bool
space_is_new(const char *target)
{
	return strcmp(file_base(target), SPACE_NEW) == 0;
}

/* ---- where a clone's go ---- */

static int
foreign_one(const char *name, void *arg, struct err *e)
{
	bool *foreign = arg;

	(void)e;
	if (strcmp(name, SPACE_NEW) != 0 && strcmp(name, "lost+found") != 0 &&
		strncmp(name, SPACE_OLD, strlen(SPACE_OLD)) != 0)
		*foreign = true;
	return 0;
}

/* Nothing in it but what is ours, and we may write; a missing one only on a volume of its own. */
static bool
space_usable(const char *path)
{
	char parent[FILE_PATH_MAX];
	bool foreign = false, point = false;
	struct err e;

	if (file_is_dir(path))
		return access(path, W_OK | X_OK) == 0 &&
		       file_each(path, foreign_one, &foreign, &e) == 0 && !foreign;
	if (file_exists(path) || file_parent(parent, sizeof(parent), path, &e) < 0)
		return false;
	return file_is_dir(parent) && access(parent, W_OK | X_OK) == 0 &&
	       mount_is_point(parent, &point, &e) == 0 && point;
}

/* Where the present data directory has it, it stays. */
static int
space_choose(const struct prepare *p, const char *oid, const char *location,
	char out[FILE_PATH_MAX], struct err *e)
{
	char link[FILE_PATH_MAX];
	int n = snprintf(link, sizeof(link), "%s/pg_tblspc/%s", p->opt->pgdata, oid);

	if (n > 0 && (size_t)n < sizeof(link) && space_link(link, out) && file_is_dir(out) &&
		access(out, W_OK | X_OK) == 0)
		return 0;
	if (space_usable(location))
		n = snprintf(out, FILE_PATH_MAX, "%s", location);
	else
		n = snprintf(out, FILE_PATH_MAX, "%s/tablespaces/%s", p->opt->state_dir, oid);
	return n < 0 || n >= FILE_PATH_MAX
		       ? err_set(e, ERR_CONFIG, "path too long: %.200s", p->opt->state_dir)
		       : 0;
}

/* A "=" would end the name. */
static void
put_escaped(struct buf *b, const char *path)
{
	for (; *path; path++) {
		if (*path == '=')
			buf_putc(b, '\\');
		buf_putc(b, *path);
	}
}

static int
space_map(struct prepare *p, struct words *w, const char *oid, const char *location, struct err *e)
{
	AUTO(buf_deinit) struct buf word = {0};
	char place[FILE_PATH_MAX], fresh[FILE_PATH_MAX];

	if (location[0] != '/')
		return 0; /* in PGDATA itself */
	if (space_choose(p, oid, location, place, e) < 0 ||
		file_join(fresh, sizeof(fresh), place, SPACE_NEW, e) < 0 ||
		file_remove_tree(fresh, e) < 0 || file_make_dirs(fresh, 0700, e) < 0)
		return err_add(e, "tablespace at %s", location);
	if (strcmp(place, location) != 0)
		prepare_warn(p,
			"tablespace %s: %s is no empty folder that we may write to, so it goes to "
			"%s",
			oid, location, place);
	buf_puts(&word, "--tablespace-mapping=");
	put_escaped(&word, location);
	buf_putc(&word, '=');
	put_escaped(&word, fresh);
	return buf_check(&word, e) < 0 ? -1 : words_add(w, buf_str(&word), e);
}

int
spaces_map(struct prepare *p, struct holder *source, struct words *w, struct err *e)
{
	static const char sql[] = "SELECT COALESCE(pg_catalog.string_agg(oid || '/' || "
				  "pg_catalog.pg_tablespace_location(oid), '|'), '') FROM "
				  "pg_catalog.pg_tablespace WHERE oid NOT IN (1663, 1664)";
	AUTO(free) char *text = NULL;
	char *rest = NULL;

	if (holder_query(source, sql, e) < 0)
		return err_add(e, "ask for tablespaces");
	text = strdup(replication_field(source->r, 0));
	if (!text)
		return err_sys(e, "tablespaces");
	for (char *one = strtok_r(text, "|", &rest); one; one = strtok_r(NULL, "|", &rest)) {
		char *location = strchr(one, '/');

		if (!location)
			continue;
		*location++ = '\0';
		if (space_map(p, w, one, location, e) < 0)
			return -1;
	}
	return 0;
}

/* ---- steps ---- */

static int
sync_one(const char *link, const char *target, void *arg, struct err *e)
{
	(void)link;
	(void)arg;
	return file_sync_tree(target, e);
}

int
spaces_sync(const char *data, struct err *e)
{
	return spaces_each(data, sync_one, NULL, e);
}

static int
aside_one(const char *link, const char *target, void *arg, struct err *e)
{
	const char *stamp = arg;
	char old[FILE_PATH_MAX], name[64];

	if (strncmp(file_base(target), SPACE_OLD, strlen(SPACE_OLD)) == 0 || space_is_new(target) ||
		!file_is_dir(target))
		return 0;
	snprintf(name, sizeof(name), SPACE_OLD "%s", stamp);
	if (file_join(old, sizeof(old), target, name, e) < 0 || file_make_dirs(old, 0700, e) < 0 ||
		space_move_all(target, old, e) < 0)
		return -1;
	return space_relink(link, old, e);
}

int
spaces_set_aside(const char *data, const char *stamp, struct err *e)
{
	char copy[24];

	snprintf(copy, sizeof(copy), "%s", stamp);
	return spaces_each(data, aside_one, copy, e);
}

static int
up_one(const char *link, const char *target, void *arg, struct err *e)
{
	char place[FILE_PATH_MAX];

	(void)arg;
	if (!space_is_new(target))
		return 0;
	if (file_parent(place, sizeof(place), target, e) < 0)
		return -1;
	if (file_is_dir(target) && space_move_all(target, place, e) < 0)
		return -1;
	if (space_relink(link, place, e) < 0)
		return -1;
	return rmdir(target) < 0 && errno != ENOENT ? file_err(e, "remove folder %s", target) : 0;
}

int
spaces_move(const char *data, struct err *e)
{
	return spaces_each(data, up_one, NULL, e);
}

static int
remove_one(const char *link, const char *target, void *arg, struct err *e)
{
	(void)link;
	(void)arg;
	if (strncmp(file_base(target), SPACE_OLD, strlen(SPACE_OLD)) != 0)
		return 0;
	return file_remove_tree(target, e);
}

int
spaces_remove_old(const char *data, struct err *e)
{
	return spaces_each(data, remove_one, NULL, e);
}
