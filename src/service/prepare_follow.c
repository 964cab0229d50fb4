/*
 * prepare_follow - does what is in PGDATA go with the primary, and what is done when it does not?
 *
 * Process: the job `prepare`.  Two things are compared: the histories of both timelines, which say
 * where they part, and where the local WAL ends.  What ends before they part only has to follow;
 * what goes on after that has transactions that the primary never saw.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "service/prepare_member.h"

#define PRIMARY_WAIT_MS (60 * SEC_MS)
#define PRIMARY_LOOK_MS 200

static bool
in_recovery_state(const struct control *c)
{
	return c->state == CONTROL_IN_ARCHIVE_RECOVERY || c->state == CONTROL_SHUT_DOWN_IN_RECOVERY;
}

/* A base backup that was never started: what it says of itself is what its source was. */
static bool
is_fresh_clone(const struct prepare *p)
{
	return p->data.backup_label && !in_recovery_state(&p->data.control);
}

/* ---- the primary ---- */

static int
follow_open(struct prepare *p, struct err *e)
{
	struct member *m = p->member;

	if (!*m->el.holder_address)
		return err_set(e, ERR_REMOTE,
			"the address of \"%.100s\", who has the Lease, is not known", m->el.holder);
	job_phase(p->j, "asking the primary", -1);
	holder_close(&m->holder); /* of a clone that took its time */
	m->has_holder = holder_open(&m->holder, &m->target, e) == 0;
	if (!m->has_holder) {
		holder_close(&m->holder);
		return -1;
	}
	if (m->holder.sys.system_id == p->data.control.system_id)
		return 0;
	prepare_hint(p,
		"`podgres reinit`, or move %s away: this instance is then cloned from the primary",
		p->data.path);
	return err_set(e, m->el.driven ? ERR_STATE : ERR_CONFIG,
		"%s is of system %llu, and the primary at %s is of system %llu", p->data.path,
		(unsigned long long)p->data.control.system_id, m->target.host,
		(unsigned long long)m->holder.sys.system_id);
}

/* Whoever has the Lease may still be on its way to be the primary. */
static int
follow_await_primary(struct prepare *p, struct err *e)
{
	struct holder *h = &p->member->holder;
	int64_t until = clock_boot_ms() + PRIMARY_WAIT_MS;

	while (h->in_recovery) {
		if (clock_boot_ms() > until)
			return err_set(e, ERR_TIMEOUT, "%s has the Lease and is still a standby",
				p->member->el.holder_name);
		job_phase(p->j, "waiting for the primary to be promoted", -1);
		poll(NULL, 0, PRIMARY_LOOK_MS);
		if (member_same_holder(p, e) < 0 || holder_ask(h, e) < 0)
			return -1;
	}
	return 0;
}

/* ---- what differs ---- */

struct compared {
	uint32_t timeline;
	uint64_t fork, end;
};

static int
follow_compare(const struct prepare *p, struct compared *out, struct err *e)
{
	struct lineage_history own = {0};
	int rc = member_history(&own, p->data.wal, control_timeline(&p->data.control),
		&p->member->holder.history, e);

	*out = (struct compared){0};
	if (rc == 0)
		rc = member_wal_end(p, &out->end, e);
	if (rc == 0 && !lineage_fork(&own, &p->member->holder.history, &out->timeline, &out->fork))
		out->fork = 0;
	free(own.entry);
	return rc;
}

static void
follow_say_diverged(struct prepare *p, const struct compared *c)
{
	char from[LINEAGE_LSN_SIZE], to[LINEAGE_LSN_SIZE];

	if (c->fork == LINEAGE_OPEN || c->fork == 0)
		prepare_warn(p, "this instance was a primary on timeline %u as %s is now",
			control_timeline(&p->data.control), p->member->el.holder_name);
	else {
		lost_record(p, c->timeline, c->fork, c->end);
		prepare_warn(p,
			"%llu bytes of WAL that the primary does not have are given up: from %s to "
			"%s on timeline %u",
			(unsigned long long)(c->end - c->fork), lineage_lsn_text(c->fork, from),
			lineage_lsn_text(c->end, to), control_timeline(&p->data.control));
	}
}

/* A pause leaves what there is as it is. */
static int
follow_paused(struct prepare *p, struct err *e)
{
	if (!p->member->el.paused)
		return 0;
	prepare_hint(p, "resume the cluster; or reinit this instance");
	return err_set(e, ERR_STATE,
		"paused: this instance has another history than the primary, and is not rewound "
		"or cloned anew before the pause is over");
}

static int
follow_diverged(struct prepare *p, const struct compared *c, struct err *e)
{
	const char *why = c->fork == 0              ? "the histories have nothing in common"
			  : c->fork == LINEAGE_OPEN ? "both are on one timeline"
						    : rewind_cannot(p);

	follow_say_diverged(p, c);
	if (follow_paused(p, e) < 0)
		return -1;
	if (why) {
		prepare_warn(p, "it is cloned anew instead of rewound: %s", why);
		return member_reclone(p, "diverged", e);
	}
	if (member_rewind(p, e) == 0)
		return 0;
	/* The primary went away or is another one: the mark stays, and the next run goes on. */
	if (e->kind == ERR_REMOTE || e->kind == ERR_TIMEOUT || e->kind == ERR_SPACE)
		return -1;
	prepare_warn(p, "it is cloned anew, because it could not be rewound: %s", e->msg);
	return member_reclone(p, "rewind-failed", e);
}

static int
follow_as_standby(struct prepare *p, const struct compared *c, struct err *e)
{
	int rc = member_starved(p, e);

	if (rc != 0)
		return rc < 0 ? -1 : 0;
	if (member_standby(p, e) < 0)
		return -1;
	if (c->fork == LINEAGE_OPEN)
		return 0;
	if (member_trim_wal(p, c->timeline, c->fork, e) < 0)
		return -1;
	return member_put_history(p, e);
}

static int
follow_judge(struct prepare *p, bool was_primary, struct err *e)
{
	struct compared c;

	if (was_primary && follow_await_primary(p, e) < 0)
		return -1;
	/* Only once it has replayed all is it known where its WAL ends. */
	if (!in_recovery_state(&p->data.control) && p->data.control.state != CONTROL_SHUT_DOWN &&
		member_settle(p, e) < 0)
		return -1;
	if (follow_compare(p, &c, e) < 0)
		return -1;
	if ((c.fork == LINEAGE_OPEN && !was_primary) || (c.fork != LINEAGE_OPEN && c.end <= c.fork))
		return follow_as_standby(p, &c, e);
	if (follow_await_primary(p, e) < 0)
		return -1;
	return follow_diverged(p, &c, e);
}

/* ---- what was begun ---- */

static int
follow_marked(struct prepare *p, struct err *e)
{
	const struct member_mark *mark = &p->member->mark;
	char reason[sizeof(mark->reason)];

	memcpy(reason, mark->reason, sizeof(reason));
	if (mark->state == MARK_REWIND && follow_paused(p, e) < 0)
		return -1;
	if (follow_await_primary(p, e) < 0)
		return -1;
	/* Rewound in part to one primary, it cannot be rewound to another. */
	if (mark->state == MARK_REWIND && mark->timeline == p->member->holder.sys.timeline &&
		strcmp(mark->holder, p->member->el.holder) == 0) {
		if (member_rewind(p, e) == 0)
			return 0;
		if (e->kind == ERR_REMOTE || e->kind == ERR_TIMEOUT || e->kind == ERR_SPACE)
			return -1;
		prepare_warn(p, "it is cloned anew, because it could not be rewound: %s", e->msg);
	}
	return member_reclone(p, mark->state == MARK_REWIND ? "rewind-failed" : reason, e);
}

/* A standby of the Lease's own timeline needs nobody to tell that it may go on. */
static bool
follow_may_go_alone(const struct prepare *p)
{
	return p->member->mark.state == MARK_NONE && in_recovery_state(&p->data.control) &&
	       (p->member->el.driven ||
		       p->member->el.timeline == control_timeline(&p->data.control));
}

/* A new primary makes it within seconds by itself; so there is nothing to wait for. */
static void
follow_slot(struct prepare *p)
{
	struct holder *h = &p->member->holder;
	char slot[MEMBER_SLOT_SIZE];
	struct err e;

	member_slot_name(p->opt->pod_name, slot);
	if (!h->in_recovery && holder_slot(h, slot, &e) < 0)
		log_warning("no slot on the primary", F_STR("error", e.msg));
}

int
member_follow(struct prepare *p, struct err *e)
{
	const struct control *c = &p->data.control;

	if (follow_open(p, e) < 0) {
		if (e->kind == ERR_CONFIG || !follow_may_go_alone(p))
			return -1;
		log_warning("the primary does not answer, the standby starts without it",
			F_STR("error", e->msg));
		return member_standby(p, e);
	}
	follow_slot(p);
	if (p->member->mark.state != MARK_NONE)
		return follow_marked(p, e);
	if (!is_fresh_clone(p))
		return follow_judge(p, !in_recovery_state(c), e);
	if (c->copy.timeline == p->member->holder.sys.timeline)
		return member_standby(p, e);
	if (follow_await_primary(p, e) < 0)
		return -1;
	prepare_warn(p,
		"this clone was made on timeline %u and never started, and the primary is on "
		"timeline %u: it is made anew",
		c->copy.timeline, p->member->holder.sys.timeline);
	return member_reclone(p, "outdated", e);
}
