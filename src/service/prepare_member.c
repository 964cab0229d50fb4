/*
 * prepare_member - the roles: who leads, who follows, who waits.
 *
 * Process: the job `prepare`.  The model stands in the header.
 */
#include "service/prepare_member.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "pg/conf.h"

/* ---- begin and end ---- */

/* What is in PGDATA goes with a rewind, and with a clone: the fence flag must not. */
static int
begin_check_place(struct prepare *p, struct err *e)
{
	size_t n = strlen(p->opt->pgdata);

	if (strncmp(p->opt->state_dir, p->opt->pgdata, n) != 0 || p->opt->state_dir[n] != '/')
		return 0;
	prepare_hint(p, "set PGDATA to a folder below the mount point, for example %s/pgdata",
		p->opt->pgdata);
	return err_set(e, ERR_CONFIG,
		"%s is a mount point: a member of a cluster must be able to replace its data "
		"directory as a whole",
		p->opt->pgdata);
}

int
member_begin(struct prepare *p, struct err *e)
{
	struct member *m;
	bool marked;

	m = p->member = calloc(1, sizeof(*m));
	if (!m)
		return err_sys(e, "member");
	shared_read(p->j->board, SEC_ELECTOR, &m->el);
	if (!member_is(p->opt, &m->el)) {
		member_end(p);
		return 0;
	}
	lost_last(p->opt, &p->plan.lost);
	if (begin_check_place(p, e) < 0 ||
		member_access(&m->access, p->opt, p->spec->name, e) < 0 ||
		file_join(m->mark_file, sizeof(m->mark_file), p->opt->state_dir, "rejoin", e) < 0)
		return -1;
	m->target = (struct member_target){.access = &m->access,
		.host = m->el.holder_address,
		.port = m->el.holder_port
				? m->el.holder_port
				: conf_port(p->spec, p->opt->port ? (int)p->opt->port : 5432),
		.application = p->opt->pod_name};
	/* A restore is for whoever makes the cluster. */
	p->restores = p->restores && m->el.role == ELECTOR_LEAD && m->el.system_id == 0;
	if (mark_read(m, e) < 0)
		return -1;
	marked = m->mark.state != MARK_NONE;
	if (member_resume_swap(p, e) < 0)
		return -1;
	if (marked && m->mark.state == MARK_NONE)
		member_reinit_done(p);
	/* Whether a clone is still needed is seen anew; until then what is there may be started. */
	return mark_is_gone(m) ? mark_clear(m, e) : 0;
}

void
member_end(struct prepare *p)
{
	if (p->member)
		holder_close(&p->member->holder);
	free(p->member);
	p->member = NULL;
}

/* ---- shared ---- */

int
member_standby(struct prepare *p, struct err *e)
{
	char path[FILE_PATH_MAX];

	if (file_join(path, sizeof(path), p->data.path, "standby.signal", e) < 0 ||
		file_write(path, "", 0, 0600, e) < 0 ||
		file_join(path, sizeof(path), p->data.path, "recovery.signal", e) < 0 ||
		file_remove(path, e) < 0)
		return -1;
	p->data.standby_signal = p->plan.standby = true;
	return file_sync(p->data.path, e);
}

int
member_look_again(struct prepare *p, struct err *e)
{
	bool make;

	if (prepare_data(p, &make, e) < 0)
		return -1;
	if (make)
		return err_set(e, ERR_STATE, "%s is empty all of a sudden", p->opt->pgdata);
	return prepare_adopt(p, e);
}

int
member_same_holder(const struct prepare *p, struct err *e)
{
	AUTO(free) struct elector_status *now = calloc(1, sizeof(*now));

	if (!now)
		return err_sys(e, "member");
	shared_read(p->j->board, SEC_ELECTOR, now);
	if (now->role == p->member->el.role && strcmp(now->holder, p->member->el.holder) == 0 &&
		strcmp(now->holder_address, p->member->el.holder_address) == 0)
		return 0;
	return err_set(e, ERR_REMOTE,
		"the primary has changed meanwhile, from \"%.100s\" to \"%.100s\"",
		p->member->el.holder, now->holder);
}

struct init *
member_init_new(struct prepare *p, struct err *e)
{
	struct init *in = calloc(1, sizeof(*in));

	if (!in) {
		err_sys(e, "member");
		return NULL;
	}
	in->p = p;
	in->shim.fd = -1;
	return in;
}

struct init *
member_init_free(struct init *in)
{
	if (!in)
		return NULL;
	wish_deinit(&in->wish);
	envlist_deinit(&in->env);
	spawn_deinit(&in->server);
	passwd_shim_close(&in->shim);
	free(in);
	return NULL;
}

#define RUN_LOOK_MS 500

int
member_run(struct prepare *p, const struct spawn_spec *spec, struct err *e)
{
	AUTO(spawn_deinit) struct spawn s = {0};

	if (spawn_start(&s, spec, e) < 0)
		return -1;
	while (!s.ended) {
		spawn_pump(&s, NULL, RUN_LOOK_MS);
		if (!s.ended && member_same_holder(p, e) < 0)
			return err_add(e, "%s is given up", spec->name);
	}
	if (spawn_check(&s, e) == 0)
		return 0;
	if (strstr(e->msg, "No space left on device"))
		e->kind = ERR_SPACE;
	return -1;
}

/* ---- an empty PGDATA ---- */

static int
make_any(struct prepare *p, struct err *e)
{
	const struct elector_status *el = p->member ? &p->member->el : NULL;

	if (!el || (el->role == ELECTOR_LEAD && el->system_id == 0)) {
		if (prepare_init(p, e) < 0)
			return -1;
		p->plan.initialised = true;
		return 0;
	}
	if (el->role == ELECTOR_FOLLOW)
		return member_clone(p, e);
	if (el->role == ELECTOR_LEAD) {
		prepare_hint(
			p, "another instance has to lead: this one can only be cloned from it");
		return err_set(e, ERR_STATE,
			"this instance has the Lease and no data, but the cluster exists: system "
			"%llu, timeline %u",
			(unsigned long long)el->system_id, el->timeline);
	}
	return err_set(
		e, ERR_REMOTE, "%s is empty: waiting for a primary to clone from", p->opt->pgdata);
}

/* A mark was about what is not there any more: somebody has moved it away. */
int
member_make(struct prepare *p, struct err *e)
{
	if (make_any(p, e) < 0)
		return -1;
	return p->member && p->member->mark.state != MARK_NONE ? mark_clear(p->member, e) : 0;
}

int
member_mend(struct prepare *p, struct err *e)
{
	const struct member *m = p->member;

	if (m && p->reinit)
		return member_reinit(p, e);
	if (!m || m->mark.state == MARK_NONE || m->el.role != ELECTOR_FOLLOW)
		return -1;
	prepare_warn(p, "it is cloned anew, because it was left half done: %s", e->msg);
	return member_reclone(p, "half-done", e);
}

/* ---- a cluster ---- */

static int
check_system(struct prepare *p, struct err *e)
{
	uint64_t theirs = p->member->el.system_id, ours = p->data.control.system_id;

	if (theirs == 0 || theirs == ours)
		return 0;
	prepare_hint(
		p, "move %s away: this instance is then cloned from the primary", p->data.path);
	return err_set(e, ERR_CONFIG,
		"%s is of system %llu, and the cluster is of system %llu: it is not this cluster's",
		p->data.path, (unsigned long long)ours, (unsigned long long)theirs);
}

static int
half_done(const struct prepare *p, struct err *e)
{
	return err_set(e, ERR_REMOTE,
		"%s is half rewound and of no use until a primary is there to rewind it to",
		p->data.path);
}

/*
 * A folder that was in recovery must not begin to write on the timeline that it followed.  One that
 * wrote goes on where it was: on the Lease's timeline, or on a later one, which we began and had no
 * time to write into the Lease.  Nobody led since, for the Lease was never another's; else we would
 * be told to follow, and this folder would be a standby's.
 */
static int
lead(struct prepare *p, struct err *e)
{
	const struct elector_status *el = &p->member->el;
	const struct control *c = &p->data.control;
	bool was_standby = p->data.standby_signal || p->data.backup_label ||
			   c->state == CONTROL_IN_ARCHIVE_RECOVERY ||
			   c->state == CONTROL_SHUT_DOWN_IN_RECOVERY;

	if (p->member->mark.state != MARK_NONE)
		return half_done(p, e);
	if (!was_standby && control_timeline(c) >= el->timeline)
		return 0;
	return member_standby(p, e);
}

int
prepare_member(struct prepare *p, struct err *e)
{
	if (!p->member)
		return 0;
	if (p->reinit || mark_is_reinit(p->member))
		return member_reinit(p, e);
	if (check_system(p, e) < 0)
		return -1;
	switch (p->member->el.role) {
	case ELECTOR_LEAD:
		return lead(p, e);
	case ELECTOR_FOLLOW:
		return member_follow(p, e);
	default:
		return p->member->mark.state == MARK_NONE ? member_standby(p, e) : half_done(p, e);
	}
}
