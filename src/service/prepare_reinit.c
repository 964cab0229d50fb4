/*
 * prepare_reinit - PGDATA is cloned anew because somebody ordered it, or because the primary has no
 * WAL any more that it could go on with.
 *
 * Process: the job `prepare`.  The primary is asked first: as long as nothing but the order speaks
 * against what is in PGDATA, it stays in use when the clone cannot be made: it may be the only copy
 * by then, and somebody is there to order again.  When a run is killed, the next one goes on.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "service/prepare_member.h"

static void
reinit_result(struct prepare *p, const char *text)
{
	snprintf(p->j->report.result, sizeof(p->j->report.result), "%s", text);
}

/* Something that was begun before keeps its reason: what is in PGDATA may be half done. */
static const char *
reinit_reason(const struct prepare *p, char out[32])
{
	const struct member_mark *m = &p->member->mark;

	if (m->state == MARK_NONE)
		return MARK_REINIT;
	if (m->state == MARK_REWIND)
		return "rewind-failed";
	memcpy(out, m->reason, sizeof(m->reason));
	return out;
}

static int
reinit_do(struct prepare *p, struct err *e)
{
	char reason[sizeof(p->member->mark.reason)];

	if (p->member->el.role != ELECTOR_FOLLOW)
		return err_set(e, ERR_STATE, "no primary is known that it could be cloned from");
	return member_reclone(p, reinit_reason(p, reason), e);
}

void
member_reinit_done(struct prepare *p)
{
	if (!p->reinit)
		return;
	p->reinit = false;
	reinit_result(p, "cloned");
}

int
member_reinit(struct prepare *p, struct err *e)
{
	struct member *m = p->member;
	struct err other;

	if (reinit_do(p, e) == 0) {
		member_reinit_done(p);
		return 0;
	}
	if (m->mark.state == MARK_NONE || (mark_is_reinit(m) && mark_clear(m, &other) == 0)) {
		reinit_result(p, "kept");
		return err_add(e, "not cloned anew, the former copy stays in use");
	}
	return err_add(e, "reinit");
}

/* ---- by itself ---- */

/* The former copy goes on when the clone cannot be made: it is old, and it is whole. */
static int
starved_clone(struct prepare *p, struct err *e)
{
	struct member *m = p->member;

	if (member_reclone(p, MARK_GONE, e) == 0) {
		reinit_result(p, "cloned");
		return 1;
	}
	if (!mark_is_gone(m))
		return -1;
	log_warning("not cloned anew, the former copy stays in use", F_STR("error", e->msg));
	return mark_clear(m, e) < 0 || member_same_holder(p, e) < 0 ? -1 : 0;
}

int
member_starved(struct prepare *p, struct err *e)
{
	char lsn[LINEAGE_LSN_SIZE];
	struct init_place place;
	struct err why = {0};
	bool gone = false;

	if (p->gone_lsn == 0 || p->member->el.paused)
		return 0;
	/* It may be another primary by now. */
	if (member_gone(&p->member->target, p->gone_lsn, &gone, &why) < 0 ||
		(gone && place_beside(p, &place, &why) < 0)) {
		log_warning(
			"not cloned anew, the former copy stays in use", F_STR("error", why.msg));
		return 0;
	}
	if (!gone)
		return 0;
	prepare_warn(p,
		"it is cloned anew: %s has no WAL from %s on any more, and no archive gave it",
		p->member->el.holder_name, lineage_lsn_text(p->gone_lsn, lsn));
	return starved_clone(p, e);
}
