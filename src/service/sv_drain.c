/*
 * sv_drain - before podgres ends, the archiver sends what is left of the WAL.
 *
 * Process: supervisor.  postgres is gone for good; its last segment, and whatever its own archiver
 * did not come to, may exist on this volume alone.  The archiver is told until when, and says on
 * the board when nothing is left or no more can be done.  Nobody waits for it longer than the grace
 * period, a second request to stop ends it at once, and what is left is counted in the log and in
 * the exit code.
 */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "service/sv.h"

#define SV_DRAIN_TAIL_MS 200      /* before the end of the grace period */
#define SV_DRAIN_LEAST_MS 100     /* shorter is not worth the question */
#define SV_DRAIN_MISSING_MS 10000 /* an archiver that does not come back */
#define SV_EXIT_LEFT 69

static bool
sv_drain_wanted(const struct sv *sv)
{
	const struct plan *plan = &sv->st.plan;

	return !sv->quit && plan->generation > 0 && plan->archive[0] &&
	       strcmp(plan->archive, "none") != 0;
}

static void
sv_drain_end(struct sv *sv, const char *how)
{
	static struct archive_facts f;
	int64_t left;

	shared_read(sv->board, SEC_ARCHIVE, &f);
	left = f.drained ? f.left : f.queue;
	sv->drain.on = false;
	loop_timer_off(&sv->drain.late);
	if (f.drained && left == 0) {
		log_info("nothing is left for the archive", F_STR("last", f.last_archived));
	} else if (sv_lease_on(sv) && f.drained && left > 0 && !sv_lease_fresh(sv) &&
		   sv->lease.el.members > 1) {
		log_info("WAL is left that the next primary archives", F_INT("files", left));
	} else {
		log_error("WAL is left that is not in the archive", F_INT("files", left),
			F_STR("why", how), F_STR("problem", f.problem),
			F_STR("hint", "keep this volume: the next start of podgres on it sends "
				      "the rest"));
		if (sv->exit_code == 0)
			sv->exit_code = SV_EXIT_LEFT;
	}
	sv_lease_end(sv);
}

static void
sv_drain_tell(struct sv *sv)
{
	struct channel_msg msg;

	channel_msg_init(&msg, MSG_DRAIN, 0, &sv->drain.by_ns, sizeof(sv->drain.by_ns));
	sv_tell(sv, SERVICE_ARCHIVER, &msg);
}

void
sv_drain_begin(struct sv *sv)
{
	int64_t left_ms = (sv->give_up.at_ns - clock_boot_ns()) / MS_NS - SV_DRAIN_TAIL_MS;

	if (sv->drain.on)
		return;
	if (!sv_drain_wanted(sv)) {
		sv_lease_end(sv);
		return;
	}
	if (sv->give_up.at_ns == CLOCK_NEVER || left_ms < SV_DRAIN_LEAST_MS) {
		sv_drain_end(sv, "the grace period is over");
		return;
	}
	sv->drain.on = true;
	sv->drain.silent_ns = 0;
	sv->drain.by_ns = clock_boot_ns() + left_ms * MS_NS;
	loop_timer_at(sv->loop, &sv->drain.late, sv->drain.by_ns);
	loop_timer_off(&sv->give_up);
	sv_reason(sv, "postgres is stopped: sending the last WAL to the archive");
	log_info("sending the last WAL to the archive", F_INT("at_most_ms", left_ms));
	/* It sees on the board that postgres is gone. */
	shared_write(sv->board, SEC_SUPERVISOR, &sv->st);
	sv_drain_tell(sv);
}

void
sv_drain_look(struct sv *sv)
{
	static struct archive_facts f;

	if (!sv->drain.on)
		return;
	shared_read(sv->board, SEC_ARCHIVE, &f);
	if (f.drained)
		sv_drain_end(sv, "the store does not take it");
}

void
sv_drain_again(struct sv *sv)
{
	if (sv->drain.on)
		sv_drain_tell(sv);
}

void
sv_drain_tick(struct sv *sv)
{
	int64_t now = clock_boot_ns();

	if (!sv->drain.on)
		return;
	sv_drain_look(sv);
	if (sv->child[SERVICE_ARCHIVER].proc)
		sv->drain.silent_ns = 0;
	else if (!sv->drain.silent_ns)
		sv->drain.silent_ns = now;
	else if (now - sv->drain.silent_ns > SV_DRAIN_MISSING_MS * MS_NS)
		sv_drain_end(sv, "there is no archiver that stays");
}

void
sv_drain_cut(struct sv *sv)
{
	log_warning("second request to stop: the rest of the WAL is not waited for");
	sv_drain_end(sv, "a second request to stop");
}

static void
sv_on_drain_late(struct loop_timer *t, void *arg)
{
	(void)t;
	sv_drain_end(arg, "the grace period is over");
}

void
sv_drain_init(struct sv *sv)
{
	loop_timer_init(&sv->drain.late, sv_on_drain_late, sv);
}
