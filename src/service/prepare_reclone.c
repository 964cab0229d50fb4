/*
 * prepare_reclone - a copy of the primary, into an empty PGDATA or in place of what is there.
 *
 * Process: the job `prepare`.  It is copied from a replica when one is near the primary
 * (member_source), and made in WRAP/data as a new cluster is.  Only when all of
 * it is on disk is the old folder renamed to PGDATA.podgres-old-REASON-STAMP and the new one to
 * PGDATA; both renames are resumed by the next run (MARK_SWAP).  One old folder is kept, older ones
 * go when the new data is in place.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "pg/conf.h"
#include "service/prepare_member.h"
#include "service/restore.h"

#define OLD_SUFFIX ".podgres-old-"
#define OLD_WAL "podgres-old-" /* in WALDIR, with the stamp behind it */

/* ---- pg_basebackup ---- */

struct copy_source {
	const struct member_target *target;
	struct holder *holder;
	const char *phase;
};

static int
reclone_argv(struct init *in, struct words *w, const struct copy_source *from, struct err *e)
{
	AUTO(buf_deinit) struct buf source = {0};
	char slot[MEMBER_SLOT_SIZE];

	member_slot_name(in->p->opt->pod_name, slot);
	member_conninfo(&source, from->target);
	conf_conninfo_put(&source, "options", "-c wal_sender_timeout=0");
	if (buf_check(&source, e) < 0 || copy_argv(w, in, e) < 0 ||
		words_addf(w, e, "--slot=%s", slot) < 0 ||
		spaces_map(in->p, from->holder, w, e) < 0)
		return -1;
	return words_addf(w, e, "--dbname=%s", buf_str(&source));
}

static int
reclone_copy_from(struct init *in, const struct copy_source *from, struct err *e)
{
	AUTO(words_deinit) struct words w = {0};
	struct spawn_spec spec = {
		.name = "pg_basebackup", .on_line = copy_line, .on_tick = init_tick, .arg = in};
	char slot[MEMBER_SLOT_SIZE];

	member_slot_name(in->p->opt->pod_name, slot);
	if (holder_slot(from->holder, slot, e) < 0 || reclone_argv(in, &w, from, e) < 0)
		return -1;
	spec.envp = (const char *const *)in->env.item;
	spec.argv = (const char *const *)w.item;
	job_phase(in->p->j, from->phase, -1);
	if (member_run(in->p, &spec, e) == 0)
		return 0;
	if (e->kind != ERR_SPACE)
		e->kind = ERR_REMOTE;
	return err_add(e, "copy from %s", from->target->host);
}

/* What the first attempt has left. */
static int
reclone_begin_again(struct init *in, struct err *e)
{
	char wal[FILE_PATH_MAX], journal[FILE_PATH_MAX];

	if (file_remove_tree(in->place.data, e) < 0 ||
		file_join(journal, sizeof(journal), in->place.wrap, "journal", e) < 0 ||
		file_remove(journal, e) < 0)
		return -1;
	if (!*in->p->opt->waldir)
		return 0;
	return file_join(wal, sizeof(wal), in->p->opt->waldir, PGDATA_OURS, e) < 0
		       ? -1
		       : file_remove_tree(wal, e);
}

/* -1: from the primary then. */
static int
reclone_copy_replica(struct init *in, struct err *e)
{
	struct member_target target;
	struct holder replica = {0};
	const struct copy_source from = {&target, &replica, "copying from a replica"};
	int rc;

	if (!source_replica(in->p, &target, &replica))
		return -1;
	rc = reclone_copy_from(in, &from, e);
	holder_close(&replica);
	if (rc < 0)
		log_warning("the copy from a replica failed, the primary is next",
			F_STR("error", e->msg));
	return rc;
}

/* -1: streamed then. */
static int
reclone_copy_archive(struct init *in, struct err *e)
{
	if (in->p->opt->clone_from != CLONE_FROM_ARCHIVE)
		return -1;
	/* A journal of a killed run is about data that may be another's by now. */
	if (reclone_begin_again(in, e) == 0 && member_archived(in, e) == 0)
		return 0;
	prepare_warn(in->p, "no base backup of the archive serves for a clone, it is streamed: %s",
		e->msg);
	if (reclone_begin_again(in, e) < 0)
		log_warning("what was restored is not removed", F_STR("error", e->msg));
	return -1;
}

static int
reclone_programs(struct init *in, struct err *e)
{
	struct prepare *p = in->p;

	if (bindir_find(&in->bin, p->member->holder.version / 10000, p->opt->bindir, e) == 0)
		return 0;
	prepare_hint(p, "use an image with PostgreSQL %d, or set --bindir",
		p->member->holder.version / 10000);
	return -1;
}

static int
reclone_copy(struct init *in, struct err *e)
{
	struct prepare *p = in->p;
	const struct copy_source primary = {
		&p->member->target, &p->member->holder, "copying from the primary"};
	char slot[MEMBER_SLOT_SIZE];

	if (reclone_programs(in, e) < 0)
		return -1;
	/* From now on the primary keeps what the clone needs afterwards. */
	member_slot_name(p->opt->pod_name, slot);
	if (holder_slot(&p->member->holder, slot, e) < 0)
		return -1;
	if (reclone_copy_archive(in, e) == 0)
		return 0;
	if (reclone_programs(in, e) < 0)
		return -1;
	if (reclone_copy_replica(in, e) == 0)
		return 0;
	if (member_same_holder(p, e) < 0 || reclone_begin_again(in, e) < 0)
		return -1;
	return reclone_copy_from(in, &primary, e);
}

/* A copy of the cluster that the Lease means, and a standby. */
static int
reclone_check(struct init *in, struct err *e)
{
	struct prepare *p = in->p;
	char path[FILE_PATH_MAX];
	struct pgdata d;

	if (pgdata_inspect(&d, in->place.data, e) < 0)
		return -1;
	if (d.kind != PGDATA_CLUSTER || !d.control_ok)
		return err_set(e, ERR_CORRUPT, "what was copied is no cluster: %s", d.what);
	if (p->member->el.system_id && d.control.system_id != p->member->el.system_id)
		return err_set(e, ERR_STATE,
			"the primary at %s is of system %llu, and the cluster of system %llu",
			p->member->target.host, (unsigned long long)d.control.system_id,
			(unsigned long long)p->member->el.system_id);
	if (restore_files_clean(in->place.data, e) < 0 ||
		file_join(path, sizeof(path), in->place.data, "standby.signal", e) < 0)
		return -1;
	return file_write(path, "", 0, 0600, e);
}

/* Until WRAP says "complete". */
static int
reclone_build(struct init *in, struct err *e)
{
	if (init_env(in, e) < 0 || init_name_for_uid(in, e) < 0)
		return -1;
	if (place_make(in, e) < 0)
		return init_place_failed(in, e);
	if (reclone_copy(in, e) < 0 || reclone_check(in, e) < 0) {
		place_discard(in);
		return -1;
	}
	job_phase(in->p->j, "writing the clone to disk", -1);
	if (place_complete(in, e) == 0)
		return 0;
	place_discard(in);
	return -1;
}

static int
clone_open(struct prepare *p, struct err *e)
{
	struct member *m = p->member;

	if (m->has_holder)
		return 0;
	if (!*m->el.holder_address)
		return err_set(e, ERR_REMOTE,
			"the address of \"%.100s\", who has the Lease, is not known", m->el.holder);
	job_phase(p->j, "asking the primary", -1);
	m->has_holder = holder_open(&m->holder, &m->target, e) == 0;
	if (!m->has_holder)
		holder_close(&m->holder);
	return m->has_holder ? 0 : -1;
}

static int
clone_into_place(struct prepare *p, struct init *in, struct err *e)
{
	if (clone_open(p, e) < 0 || place_find(p, &in->place, e) < 0 || reclone_build(in, e) < 0)
		return -1;
	return place_move(&in->place, e);
}

int
member_clone(struct prepare *p, struct err *e)
{
	struct init *in = member_init_new(p, e);
	int rc = in ? clone_into_place(p, in, e) : -1;

	member_init_free(in);
	return rc < 0 ? err_add(e, "clone the primary") : 0;
}

/* ---- places ---- */

static int
old_name(char *out, size_t size, const struct init_place *pl, const struct member_mark *m,
	struct err *e)
{
	int n = snprintf(out, size, "%s" OLD_SUFFIX "%s-%s", pl->target, m->reason, m->stamp);

	return n < 0 || (size_t)n >= size
		       ? err_set(e, ERR_CONFIG, "path too long: %.200s", pl->target)
		       : 0;
}

struct wal_mover {
	const char *from, *to;
};

static int
old_wal_one(const char *name, void *arg, struct err *e)
{
	const struct wal_mover *m = arg;
	char from[FILE_PATH_MAX], to[FILE_PATH_MAX];

	if (strcmp(name, PGDATA_OURS) == 0 || strcmp(name, "lost+found") == 0 ||
		strncmp(name, OLD_WAL, strlen(OLD_WAL)) == 0)
		return 0;
	if (file_join(from, sizeof(from), m->from, name, e) < 0 ||
		file_join(to, sizeof(to), m->to, name, e) < 0)
		return -1;
	return rename(from, to) < 0 && errno != ENOENT ? file_err(e, "move %s to %s", from, to) : 0;
}

/* The WAL folder on a volume of its own: the old WAL goes into a folder there, the old data's link
 * follows. */
static int
swap_old_wal(struct prepare *p, const struct init_place *pl, struct err *e)
{
	const char *waldir = p->opt->waldir;
	char old[FILE_PATH_MAX], link[FILE_PATH_MAX], name[64];
	struct wal_mover m = {waldir, old};
	bool empty = false;
	char first[256];

	if (!*waldir)
		return 0;
	snprintf(name, sizeof(name), OLD_WAL "%s", p->member->mark.stamp);
	if (file_join(old, sizeof(old), waldir, name, e) < 0 ||
		file_join(link, sizeof(link), pl->target, "pg_wal", e) < 0 ||
		file_make_dirs(old, 0700, e) < 0)
		return -1;
	/* Renames while a folder is read may hide names. */
	for (int i = 0; i < 100 && !empty; i++) {
		if (file_each(waldir, old_wal_one, &m, e) < 0)
			return -1;
		empty = pgdata_is_empty(waldir, &empty, first, e) == 0 &&
			(empty || strncmp(first, OLD_WAL, strlen(OLD_WAL)) == 0);
	}
	if (file_remove(link, e) < 0)
		return -1;
	if (symlink(old, link) < 0)
		return file_err(e, "link %s to %s", link, old);
	return file_sync(waldir, e);
}

static int
swap_set_aside(struct prepare *p, const struct init_place *pl, struct err *e)
{
	char old[FILE_PATH_MAX], parent[FILE_PATH_MAX];

	if (!file_exists(pl->target))
		return 0;
	if (old_name(old, sizeof(old), pl, &p->member->mark, e) < 0 || swap_old_wal(p, pl, e) < 0 ||
		spaces_set_aside(pl->target, p->member->mark.stamp, e) < 0)
		return -1;
	if (rename(pl->target, old) < 0)
		return file_err(e, "rename %s to %s", pl->target, old);
	prepare_warn(p,
		"the former data directory is kept as %s until the next one takes its place", old);
	return file_parent(parent, sizeof(parent), pl->target, e) < 0 ? -1 : file_sync(parent, e);
}

struct pruner {
	const char *dir, *prefix, *keep; /* prefix of names; what ends in keep stays */
};

static int
prune_one(const char *name, void *arg, struct err *e)
{
	const struct pruner *pr = arg;
	size_t n = strlen(name), k = strlen(pr->keep);
	char path[FILE_PATH_MAX];

	if (strncmp(name, pr->prefix, strlen(pr->prefix)) != 0 ||
		(k > 0 && n >= k && strcmp(name + n - k, pr->keep) == 0))
		return 0;
	if (file_join(path, sizeof(path), pr->dir, name, e) < 0)
		return -1;
	log_info("a former data directory is removed", F_STR("folder", path + 0));
	return spaces_remove_old(path, e) < 0 ? -1 : file_remove_tree(path, e);
}

int
member_remove_old(const struct run_options *opt, const char *stamp, struct err *e)
{
	char target[FILE_PATH_MAX], parent[FILE_PATH_MAX], prefix[FILE_PATH_MAX];
	struct pruner pr = {parent, prefix, stamp};
	struct pruner wal = {opt->waldir, OLD_WAL, stamp};

	if (!realpath(opt->pgdata, target))
		return file_err(e, "find %s", opt->pgdata);
	snprintf(prefix, sizeof(prefix), "%.3000s" OLD_SUFFIX, file_base(target));
	if (file_parent(parent, sizeof(parent), target, e) < 0 ||
		file_each(parent, prune_one, &pr, e) < 0)
		return -1;
	return *opt->waldir ? file_each(opt->waldir, prune_one, &wal, e) : 0;
}

/* Older ones are in nobody's way but the volume's: what cannot go is said. */
static void
swap_prune(const struct prepare *p)
{
	struct err e = {0};

	if (member_remove_old(p->opt, p->member->mark.stamp, &e) < 0)
		log_warning("an older former data directory stays", F_STR("error", e.msg));
}

/* From MARK_SWAP on; each step finds what a killed run has done. */
static int
swap_go_on(struct prepare *p, const struct init_place *pl, struct err *e)
{
	if (place_is_complete(pl) && swap_set_aside(p, pl, e) < 0)
		return -1;
	if (file_exists(pl->wrap) && place_move(pl, e) < 0)
		return -1;
	swap_prune(p);
	return mark_clear(p->member, e);
}

int
member_resume_swap(struct prepare *p, struct err *e)
{
	struct member *m = p->member;
	struct init_place pl;
	struct err why;

	if (m->mark.state != MARK_CLONE && m->mark.state != MARK_SWAP)
		return 0;
	if (place_beside(p, &pl, &why) < 0)
		return 0;
	if (m->mark.state == MARK_CLONE && !place_is_complete(&pl))
		return 0;
	if (m->mark.state == MARK_CLONE && mark_write(m, MARK_SWAP, NULL, e) < 0)
		return -1;
	log_info("an interrupted change of data directories is finished");
	return swap_go_on(p, &pl, e);
}

static int
reclone_all(struct prepare *p, struct init *in, const char *reason, struct err *e)
{
	struct member *m = p->member;

	if (place_beside(p, &in->place, e) < 0) {
		prepare_hint(p,
			"move the contents of %s away: this instance is then cloned from "
			"the primary",
			p->opt->pgdata);
		return -1;
	}
	if (clone_open(p, e) < 0 || mark_write(m, MARK_CLONE, reason, e) < 0 ||
		reclone_build(in, e) < 0 || mark_write(m, MARK_SWAP, NULL, e) < 0 ||
		swap_go_on(p, &in->place, e) < 0)
		return -1;
	return member_look_again(p, e);
}

int
member_reclone(struct prepare *p, const char *reason, struct err *e)
{
	struct init *in = member_init_new(p, e);
	int rc = in ? reclone_all(p, in, reason, e) : -1;

	member_init_free(in);
	return rc < 0 ? err_add(e, "clone the primary anew") : 0;
}
