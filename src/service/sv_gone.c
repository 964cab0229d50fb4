/*
 * sv_gone - a standby that cannot go on, because the primary has removed the WAL it needs.
 *
 * Process: supervisor.  The job members looks; only what it found several times in a row at one and
 * the same position counts, and then a preparation looks once more and clones beside.  A clone that
 * is not made is tried again ever later, for each try stops postgres.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "service/member.h"
#include "service/sv.h"

#define GONE_LOOKS 3u   /* the job members looks every 10 s */
#define GONE_DOUBLED 4u /* at most so often: 8 min */

static void
gone_say(struct sv *sv)
{
	struct sv_gone *g = &sv->gone;
	const char *then = sv->st.paused ? "paused: it is not cloned anew before the pause is over"
					 : "it is cloned anew when that stays so";

	sv_reason(sv, "the primary has no WAL from %s on any more: %s", g->lsn, then);
	if (g->looks == 1)
		log_warning("the primary has no WAL for this standby any more",
			F_STR("from", g->lsn + 0), F_STR("holder", sv->lease.el.holder_name),
			F_STR("hint", then));
}

/* True while it is so. */
static bool
gone_count(struct sv *sv, const char *lsn)
{
	struct sv_gone *g = &sv->gone;
	bool was = *g->lsn != '\0';

	if (strcmp(lsn, g->lsn) != 0) {
		snprintf(g->lsn, sizeof(g->lsn), "%s", lsn);
		g->looks = 0;
	}
	if (!*lsn) {
		if (was && sv->st.state == FSM_STANDBY)
			sv_reason(sv, "%s", fsm_state_sentence(FSM_STANDBY));
		return false;
	}
	g->looks++;
	return true;
}

void
sv_gone_cared(struct sv *sv, const struct job_report *r)
{
	struct sv_gone *g = &sv->gone;
	bool so = strncmp(r->result, MEMBER_GONE, strlen(MEMBER_GONE)) == 0 &&
		  sv->st.state == FSM_STANDBY && sv_lease_on(sv) &&
		  sv->lease.el.role == ELECTOR_FOLLOW;

	if (!gone_count(sv, so ? r->result + strlen(MEMBER_GONE) : ""))
		return;
	gone_say(sv);
	if (sv->st.paused || g->looks < GONE_LOOKS << g->failed)
		return;
	g->wanted = true;
	memcpy(g->order, g->lsn, sizeof(g->order));
	g->lsn[0] = '\0';
	sv_event(sv, FSM_EV_WAL_GONE, g->order);
}

/* One that failed tells nothing: the next one is told the same. */
void
sv_gone_prepared(struct sv *sv, const struct job_report *r)
{
	struct sv_gone *g = &sv->gone;

	if (!g->wanted || r->outcome != JOB_OUT_OK)
		return;
	g->wanted = false;
	if (strcmp(r->result, "cloned") == 0)
		g->failed = 0;
	else if (g->failed < GONE_DOUBLED)
		g->failed++;
}
