/*
 * prepare_place - where a cluster is made, and how it gets into PGDATA.
 *
 * Process: the job `prepare`.  Killed at any point, the next run converges: WRAP/state decides, and
 * it is durable before what it says is relied on.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "service/prepare_member.h"
#include "sys/mount.h"

#define WRAP_SUFFIX ".podgres-init"
#define WRAP_INSIDE PGDATA_OURS "/init"
#define STATE_BUILDING "building"
#define STATE_RESTORING "restoring"
#define STATE_COMPLETE "complete"

static int
place_set(struct init_place *pl, bool inside, struct err *e)
{
	int n;

	pl->inside = inside;
	if (inside)
		n = snprintf(pl->wrap, sizeof(pl->wrap), "%s/" WRAP_INSIDE, pl->target);
	else
		n = snprintf(pl->wrap, sizeof(pl->wrap), "%s" WRAP_SUFFIX, pl->target);
	if (n < 0 || (size_t)n >= sizeof(pl->wrap))
		return err_set(e, ERR_CONFIG, "path too long: %.200s", pl->target);
	if (file_join(pl->data, sizeof(pl->data), pl->wrap, "data", e) < 0)
		return -1;
	return file_join(pl->state, sizeof(pl->state), pl->wrap, "state", e);
}

/* PGDATA can be replaced as a whole by a rename from beside it. */
static bool
place_beside_works(const char *target, bool exists)
{
	char parent[FILE_PATH_MAX];
	struct stat dir, up;
	bool point, empty = true;
	char first[256];
	char ours[FILE_PATH_MAX];
	struct err e;

	if (file_parent(parent, sizeof(parent), target, &e) < 0 || access(parent, W_OK | X_OK) < 0)
		return false;
	if (!exists)
		return true;
	if (mount_is_point(target, &point, &e) < 0 || point)
		return false;
	if (stat(target, &dir) < 0 || stat(parent, &up) < 0 || dir.st_dev != up.st_dev)
		return false;
	if (file_join(ours, sizeof(ours), target, PGDATA_OURS, &e) < 0 || file_exists(ours))
		return false;
	/* The sticky bit of the parent lets only the owner rename over it. */
	if ((up.st_mode & S_ISVTX) && dir.st_uid != geteuid() && up.st_uid != geteuid())
		return false;
	return pgdata_is_empty(target, &empty, first, &e) == 0 && empty;
}

static int
place_target(const struct prepare *p, struct init_place *pl, bool *exists, struct err *e)
{
	*pl = (struct init_place){0};
	*exists = file_exists(p->opt->pgdata);
	if (*exists && realpath(p->opt->pgdata, pl->target))
		return 0;
	*exists = false;
	snprintf(pl->target, sizeof(pl->target), "%s", p->opt->pgdata);
	return file_exists(p->opt->pgdata)
		       ? err_set(e, ERR_CONFIG, "%s is a link that leads nowhere", pl->target)
		       : 0;
}

int
place_find(const struct prepare *p, struct init_place *out, struct err *e)
{
	bool exists;

	if (place_target(p, out, &exists, e) < 0)
		return -1;
	return place_set(out, !place_beside_works(out->target, exists), e);
}

int
place_beside(const struct prepare *p, struct init_place *out, struct err *e)
{
	char parent[FILE_PATH_MAX];
	bool exists, point = false;

	if (place_target(p, out, &exists, e) < 0 || place_set(out, false, e) < 0 ||
		file_parent(parent, sizeof(parent), out->target, e) < 0)
		return -1;
	out->replaces = true;
	if (exists && mount_is_point(out->target, &point, e) < 0)
		return -1;
	if (!point && access(parent, W_OK | X_OK) == 0)
		return 0;
	return err_set(e, ERR_CONFIG, "%s cannot be replaced as a whole: %s", out->target,
		point ? "it is a mount point" : "nothing can be made beside it");
}

/* ---- WRAP ---- */

static int
place_write_state(const struct init_place *pl, const char *state, const char *waldir, struct err *e)
{
	char text[FILE_PATH_MAX + 32];
	int n = snprintf(text, sizeof(text), "%s\n%s\n", state, waldir);

	must(n > 0 && (size_t)n < sizeof(text));
	return file_write(pl->state, text, (size_t)n, 0600, e);
}

/* "" when there is none. */
static int
place_read_state(
	const struct init_place *pl, char state[16], char waldir[FILE_PATH_MAX], struct err *e)
{
	AUTO(buf_deinit) struct buf b = {0};
	const char *line;
	size_t n;

	state[0] = waldir[0] = '\0';
	if (file_read(&b, pl->state, FILE_PATH_MAX + 32, e) < 0)
		return e->kind == ERR_NOTFOUND ? 0 : -1;
	line = buf_str(&b);
	n = strcspn(line, "\n");
	snprintf(state, 16, "%.*s", n < 15 ? (int)n : 15, line);
	if (line[n]) {
		line += n + 1;
		n = strcspn(line, "\n");
		snprintf(waldir, FILE_PATH_MAX, "%.*s", (int)n, line);
	}
	return 0;
}

bool
place_is_complete(const struct init_place *pl)
{
	char state[16], waldir[FILE_PATH_MAX];
	struct err ignored;

	return file_exists(pl->data) && place_read_state(pl, state, waldir, &ignored) == 0 &&
	       strcmp(state, STATE_COMPLETE) == 0;
}

/* pg_wal is built in WALDIR/.podgres, a name of ours, and moves up when the cluster is complete: so
 * whatever else is found in WALDIR is never ours to remove. */
static int
place_check_waldir(const struct prepare *p, struct err *e)
{
	const char *wal = p->opt->waldir;
	char first[256];
	bool empty;

	if (!*wal || !file_exists(wal))
		return 0;
	if (pgdata_is_empty(wal, &empty, first, e) < 0)
		return -1;
	if (empty)
		return 0;
	return err_set(
		e, ERR_CONFIG, "the WAL folder %s is not empty: it holds \"%s\"", wal, first);
}

static int
place_make_as(struct init *in, const char *state, struct err *e)
{
	struct init_place *pl = &in->place;
	char parent[FILE_PATH_MAX];

	if (!pl->replaces && place_check_waldir(in->p, e) < 0)
		return -1;
	if (pl->inside && file_make_dirs(pl->target, 0700, e) < 0)
		return -1;
	if (file_make_dirs(pl->wrap, 0700, e) < 0)
		return -1;
	if (place_write_state(pl, state, in->p->opt->waldir, e) < 0)
		return -1;
	if (file_parent(parent, sizeof(parent), pl->wrap, e) < 0)
		return -1;
	return file_sync(parent, e);
}

int
place_make(struct init *in, struct err *e)
{
	return place_make_as(in, STATE_BUILDING, e);
}

int
place_restore(struct init *in, struct err *e)
{
	char state[16], waldir[FILE_PATH_MAX];

	if (place_read_state(&in->place, state, waldir, e) < 0)
		return -1;
	if (strcmp(state, STATE_RESTORING) == 0 && strcmp(waldir, in->p->opt->waldir) == 0)
		return 0;
	return place_make_as(in, STATE_RESTORING, e);
}

int
place_complete(struct init *in, struct err *e)
{
	const char *wal = in->p->opt->waldir;

	if (file_sync_tree(in->place.data, e) < 0 || spaces_sync(in->place.data, e) < 0 ||
		(*wal && file_sync_tree(wal, e) < 0))
		return -1;
	return place_write_state(&in->place, STATE_COMPLETE, wal, e);
}

static int
place_remove_one(const char *name, void *arg, struct err *e)
{
	const struct init_place *pl = arg;
	char path[FILE_PATH_MAX];

	if (strcmp(name, "state") == 0)
		return 0;
	if (file_join(path, sizeof(path), pl->wrap, name, e) < 0)
		return -1;
	return file_remove_tree(path, e);
}

/* The state file goes last, so that a half removed WRAP is still known to be ours. */
static int
place_remove_wrap(const struct init_place *pl, struct err *e)
{
	struct init_place copy = *pl;
	char temp[FILE_PATH_MAX];

	if (file_exists(pl->state) && file_each(pl->wrap, place_remove_one, &copy, e) < 0)
		return -1;
	if (snprintf(temp, sizeof(temp), "%s.podgres-tmp", pl->state) >= (int)sizeof(temp))
		return err_set(e, ERR_CONFIG, "path too long: %.200s", pl->state);
	if (file_remove(temp, e) < 0 || file_remove(pl->state, e) < 0)
		return -1;
	if (rmdir(pl->wrap) < 0 && errno != ENOENT)
		return file_err(e, "remove folder %s", pl->wrap);
	return 0;
}

static int
place_clear(const struct init_place *pl, const char *waldir, struct err *e)
{
	char wal[FILE_PATH_MAX];

	if (*waldir && file_join(wal, sizeof(wal), waldir, PGDATA_OURS, e) < 0)
		return -1;
	if (*waldir && file_remove_tree(wal, e) < 0)
		return err_add(e, "clear the WAL folder of an interrupted initdb");
	return place_remove_wrap(pl, e);
}

void
place_discard(struct init *in)
{
	char state[16], waldir[FILE_PATH_MAX];
	struct err e;

	if (place_read_state(&in->place, state, waldir, &e) == 0 &&
		(strcmp(state, STATE_BUILDING) == 0 || strcmp(state, STATE_RESTORING) == 0) &&
		place_clear(&in->place, waldir, &e) == 0)
		return;
	log_warning("what was begun could not be removed; the next start does it",
		F_STR("folder", in->place.wrap + 0));
}

/* ---- into PGDATA ---- */

struct mover {
	const char *from, *to;
	size_t moved;
};

static int
move_entry(const struct mover *m, const char *name, struct err *e)
{
	char from[FILE_PATH_MAX], to[FILE_PATH_MAX];

	if (file_join(from, sizeof(from), m->from, name, e) < 0 ||
		file_join(to, sizeof(to), m->to, name, e) < 0)
		return -1;
	if (rename(from, to) < 0 && errno != ENOENT)
		return file_err(e, "move %s to %s", from, to);
	return 0;
}

static int
move_any(const char *name, void *arg, struct err *e)
{
	struct mover *m = arg;

	if (strcmp(name, "PG_VERSION") == 0 || strcmp(name, "global") == 0)
		return 0;
	m->moved++;
	return move_entry(m, name, e);
}

/* A rename while a folder is read may hide names: again until nothing is left. */
static int
move_all(struct mover *m, struct err *e)
{
	do {
		m->moved = 0;
		if (file_each(m->from, move_any, m, e) < 0)
			return -1;
	} while (m->moved > 0);
	return file_sync(m->to, e);
}

static int
move_inside(const struct init_place *pl, struct err *e)
{
	struct mover m = {.from = pl->data, .to = pl->target};

	if (move_all(&m, e) < 0)
		return -1;
	if (move_entry(&m, "global", e) < 0 || file_sync(pl->target, e) < 0)
		return -1;
	if (move_entry(&m, "PG_VERSION", e) < 0)
		return -1;
	return file_sync(pl->target, e);
}

/* WALDIR/.podgres to WALDIR, then the link.  Before any other move, so that a run that finds pg_wal
 * gone from WRAP knows this to be done. */
static int
move_wal(const struct init_place *pl, const char *waldir, struct err *e)
{
	char from[FILE_PATH_MAX], link[FILE_PATH_MAX], fresh[FILE_PATH_MAX];
	struct mover m = {.from = from, .to = waldir};

	if (file_join(from, sizeof(from), waldir, PGDATA_OURS, e) < 0 ||
		file_join(link, sizeof(link), pl->data, "pg_wal", e) < 0 ||
		file_join(fresh, sizeof(fresh), pl->data, "pg_wal.new", e) < 0)
		return -1;
	if (file_is_dir(from) && move_all(&m, e) < 0)
		return -1;
	if (file_exists(link)) {
		if (file_remove(fresh, e) < 0)
			return -1;
		if (symlink(waldir, fresh) < 0 || rename(fresh, link) < 0)
			return file_err(e, "link %s to %s", link, waldir);
		if (file_sync(pl->data, e) < 0)
			return -1;
	}
	return file_remove_tree(from, e);
}

static int
move_beside(const struct init_place *pl, struct err *e)
{
	char parent[FILE_PATH_MAX];

	if (rename(pl->data, pl->target) < 0)
		return file_err(e, "rename %s to %s", pl->data, pl->target);
	if (file_parent(parent, sizeof(parent), pl->target, e) < 0)
		return -1;
	return file_sync(parent, e);
}

int
place_move(const struct init_place *pl, struct err *e)
{
	char state[16], waldir[FILE_PATH_MAX];

	if (place_read_state(pl, state, waldir, e) < 0)
		return -1;
	if (*waldir && file_exists(pl->data) && move_wal(pl, waldir, e) < 0)
		return -1;
	if (file_exists(pl->data) && spaces_move(pl->data, e) < 0)
		return -1;
	/* WRAP without data: a former run moved it all and was killed before it cleaned up. */
	if (file_exists(pl->data)) {
		if ((pl->inside ? move_inside(pl, e) : move_beside(pl, e)) < 0)
			return -1;
	}
	return place_remove_wrap(pl, e);
}

/* ---- what a killed run left ---- */

static int
resume_foreign(struct prepare *p, const struct init_place *pl, struct err *e)
{
	char first[256] = "";
	bool empty = true;

	if (pgdata_is_empty(pl->wrap, &empty, first, e) < 0)
		return -1;
	if (empty || strcmp(first, "state.podgres-tmp") == 0)
		return place_remove_wrap(pl, e);
	prepare_hint(p, "move %s away", pl->wrap);
	return err_set(e, ERR_CONFIG, "%s is in the way and was not made by podgres", pl->wrap);
}

static int
resume_complete(struct prepare *p, const struct init_place *pl, struct err *e)
{
	struct pgdata d;

	if (pgdata_inspect(&d, p->opt->pgdata, e) < 0)
		return -1;
	if (!pl->inside && d.kind == PGDATA_CLUSTER && file_exists(pl->data)) {
		prepare_warn(p,
			"%s holds a complete cluster although PGDATA has one: it is left "
			"alone",
			pl->data);
		return 0;
	}
	log_info("an interrupted initialisation is finished", F_STR("folder", pl->wrap + 0));
	return place_move(pl, e);
}

static int
resume_at(struct prepare *p, const struct init_place *pl, struct err *e)
{
	char state[16], waldir[FILE_PATH_MAX];

	if (!file_exists(pl->wrap))
		return 0;
	if (place_read_state(pl, state, waldir, e) < 0)
		return -1;
	if (strcmp(state, STATE_COMPLETE) == 0)
		return resume_complete(p, pl, e);
	/* Its journal says what of it can be used. */
	if (strcmp(state, STATE_RESTORING) == 0 && p->restores)
		return 0;
	if (strcmp(state, STATE_BUILDING) != 0 && strcmp(state, STATE_RESTORING) != 0)
		return resume_foreign(p, pl, e);
	log_info("an interrupted initialisation is thrown away", F_STR("folder", pl->wrap + 0));
	return place_clear(pl, waldir, e);
}

int
prepare_init_resume(struct prepare *p, struct err *e)
{
	struct init_place pl;
	bool exists;

	if (place_target(p, &pl, &exists, e) < 0)
		return -1;
	for (int inside = 0; inside <= 1; inside++)
		if (place_set(&pl, inside, e) < 0 || resume_at(p, &pl, e) < 0)
			return -1;
	return 0;
}
