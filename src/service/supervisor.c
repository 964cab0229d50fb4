/*
 * supervisor - PID 1: starts, watches and stops everything else.
 *
 * Process: supervisor.  One loop: signals, exits, messages and timers come in, each becomes one
 * event for the state table, the table's action is run, the result is published on the board.
 * Nothing here waits: whatever touches a disk, a network or SQL is another process.
 *
 *   sv_setup     descriptors, folders, lock, board
 *   sv_services  the processes that run as long as we do
 *   sv_jobs      the processes that run to their end
 *   sv_postgres  start, ladder, tree
 *   sv_orders    what people ask for, and the fence
 *   sv_drain     the archiver sends the last WAL before we end
 *   sv_lease     whose turn it is to be the primary
 */
#include "service/supervisor.h"

#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>

#include "base/clock.h"
#include "base/log.h"
#include "service/sv.h"
#include "service/sv_upgrade.h"

#define SV_TICK_MS 1000
#define SV_SETTLED_MS 60000 /* postgres that ran so long has no crash history */
#define SV_MEMBER_PAUSE_MS 3000
#define SV_SPACE_MS 3000
#define SV_RELOAD_MS 300
#define SV_FENCE_AGAIN_MS 10000
#define SV_EMERGENCY_TURN_MS 20

/* ---- state ---- */

void
sv_publish(struct sv *sv)
{
	sv->dirty = true;
}

static void
sv_flush(struct sv *sv)
{
	if (!sv->dirty)
		return;
	sv->dirty = false;
	sv->st.fenced = sv->fence.want;
	sv->st.fence_durable = sv->fence.want && sv->fence.written == 1;
	sv->st.stopping = sv->want_stop;
	sv->st.orphans = proc_orphans(sv->procs);
	sv->st.lease_deadline_ns = board_deadline_ns(sv->board);
	shared_write(sv->board, SEC_SUPERVISOR, &sv->st);
	for (int i = SERVICE_SUPERVISOR + 1; i < SERVICES; i++)
		if (i != SERVICE_LOGGER)
			sv_poke(sv, (enum service_id)i);
}

void
sv_reason(struct sv *sv, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(sv->st.reason, sizeof(sv->st.reason), fmt, ap);
	va_end(ap);
	sv_publish(sv);
}

bool
sv_arm(struct sv *sv)
{
	int64_t by_ns = clock_boot_ns() + sv->opt.watchdog_ms * MS_NS;

	if (sv_lease_limit_ns(sv) < by_ns)
		by_ns = sv_lease_limit_ns(sv);
	return board_deadline_move(sv->board, by_ns) == 0;
}

static void
sv_back_off(struct sv *sv)
{
	int64_t pause_ms = restart_after(&sv->pg_restart, clock_boot_ms());

	if (sv->st.state == FSM_FAILED && pause_ms < RESTART_FIRST_MS)
		pause_ms = RESTART_FIRST_MS;
	/* Whom a member waits for may be there the next moment. */
	if ((sv_lease_on(sv) || sv_driven(sv)) && pause_ms > SV_MEMBER_PAUSE_MS)
		pause_ms = SV_MEMBER_PAUSE_MS;
	if (sv->st.paused) {
		sv_reason(sv, "paused: postgres is started again by resume or restart");
		return;
	}
	sv->st.backoff_until_ns = clock_boot_ns() + pause_ms * MS_NS;
	loop_timer_in(sv->loop, &sv->retry, pause_ms);
	if (pause_ms > 0)
		log_warning("postgres is held back", F_INT("pause_ms", pause_ms));
}

static void
sv_claim_prepare(struct sv *sv)
{
	static struct pg_facts facts;

	shared_read(sv->board, SEC_POSTGRES, &facts);
	/* Promoted behind our back, the server has its new timeline already. */
	sv->promote_from =
		facts.timeline && facts.in_recovery ? facts.timeline : sv->st.plan.timeline;
	sv->want_promote = !facts.known || facts.in_recovery;
}

/* Runs the action of a transition; returns the event that follows from it at once, if any. */
static enum fsm_event
sv_act(struct sv *sv, enum fsm_action action)
{
	switch (action) {
	case FSM_DO_PREPARE:
		sv_job_prepare(sv);
		break;
	case FSM_DO_START_PRIMARY:
		sv_lease_bind(sv);
		sv_pg_start(sv);
		break;
	case FSM_DO_START_STANDBY:
		sv_pg_start(sv);
		break;
	case FSM_DO_CLAIM:
		sv_claim_prepare(sv);
		return sv_lease_claim(sv);
	case FSM_DO_PROMOTE:
		sv_lease_bind(sv);
		loop_timer_in(sv->loop, &sv->promote_late, sv->st.plan.start_delay_ms);
		sv_side_next(sv);
		break;
	case FSM_DO_STOP_ORDERLY:
		sv_pg_stop(sv, sv->want_stop ? LADDER_STOP : LADDER_RESTART);
		break;
	case FSM_DO_STOP_FAST:
		/* Whatever else is wanted, V2 is not waited beyond. */
		sv_pg_stop(sv, sv->lease.lost                    ? LADDER_LEASE
			       : sv->fence.want && sv->fence.now ? LADDER_FENCE_NOW
			       : sv->fence.want                  ? LADDER_FENCE
								 : LADDER_STOP);
		break;
	case FSM_DO_STOP_NOW:
		sv_pg_stop(sv, LADDER_NOW);
		break;
	case FSM_DO_BACK_OFF:
		sv_back_off(sv);
		break;
	case FSM_DO_WATCH_SPACE:
		loop_timer_in(sv->loop, &sv->retry, SV_SPACE_MS);
		break;
	case FSM_DO_EXIT:
		sv_drain_begin(sv);
		break;
	case FSM_DO_NOTHING:
	case FSM_ACTIONS:
		break;
	}
	return FSM_EV_NONE;
}

void
sv_event(struct sv *sv, enum fsm_event ev, const char *detail)
{
	while (ev != FSM_EV_NONE) {
		struct fsm_step step = fsm_step((enum fsm_state)sv->st.state, ev);
		enum fsm_state from = (enum fsm_state)sv->st.state;

		if (!step.moves) {
			log_debug("event changes nothing", F_STR("state", fsm_state_text(from)),
				F_STR("event", fsm_event_text(ev)), F_STR("why", step.sentence));
			return;
		}
		loop_timer_off(&sv->retry);
		loop_timer_off(&sv->promote_late);
		sv->st.backoff_until_ns = 0;
		sv->st.state = step.next;
		sv->st.since_wall_us = clock_wall_us();
		sv->st.since_boot_ns = clock_boot_ns();
		sv_reason(sv, detail && *detail ? "%s: %s" : "%s", step.sentence, detail);
		log_info("state", F_STR("from", fsm_state_text(from)),
			F_STR("to", fsm_state_text(step.next)), F_STR("event", fsm_event_text(ev)),
			F_STR("reason", sv->st.reason));
		ev = sv_act(sv, step.action);
		detail = NULL;
	}
	sv_ops_update(sv);
}

/* What is stuck in the kernel cannot even be killed; the grace period ends all the same. */
static void
sv_on_give_up(struct loop_timer *t, void *arg)
{
	struct sv *sv = arg;

	(void)t;
	log_error("the grace period is over and processes are left",
		F_INT("processes", sv->st.tree),
		F_STR("hint",
			"a process that no signal ends waits for a disk or a network volume"));
	sv->exit_code = 1;
	sv->done = true;
}

static void
sv_last_resort(struct sv *sv)
{
	int64_t budget_ms = sv_budget_ms(sv), tail_ms = budget_ms / 20;

	/* The grace period began with the first request, whatever went before. */
	sv->stop_by_ns = sv->ending.asked_ns + budget_ms * MS_NS;
	tail_ms = tail_ms < 50 ? 50 : tail_ms > 2500 ? 2500 : tail_ms;
	loop_timer_at(sv->loop, &sv->give_up, sv->stop_by_ns - tail_ms * MS_NS);
}

void
sv_stop(struct sv *sv, bool quit)
{
	bool again = sv->want_stop;

	if (sv->drain.on) {
		sv_drain_cut(sv);
		return;
	}
	if (sv->ending.on && !quit) {
		log_warning("second request to stop: not waiting for the checkpoint");
		sv_ending_over(sv);
		return;
	}
	if (!quit && !again && sv_ending_begins(sv))
		return;
	sv_ending_skip(sv);
	sv->want_stop = true;
	sv_publish(sv);
	if (!again)
		sv_last_resort(sv);
	if (quit && !sv->quit) {
		sv->quit = true;
		log_info("immediate stop requested");
		if (!again)
			sv_event(sv, FSM_EV_STOP, NULL);
		if (sv->pg)
			sv_pg_stop(sv, LADDER_QUIT);
		return;
	}
	if (again) {
		log_warning("second request to stop: taking the next rung");
		sv_pg_next_rung(sv);
		return;
	}
	log_info("stop requested");
	/* A restart or a fence under way keeps its rungs, but inside the grace period. */
	if (sv->stopping_pg)
		sv_pg_stop(sv, LADDER_STOP);
	sv_event(sv, FSM_EV_STOP, NULL);
}

/* ---- what wakes us ---- */

/* A fence that could not be made durable is tried again for as long as it is wanted. */
static void
sv_fence_again(struct sv *sv)
{
	if (!sv->fence.failed || !sv->fence.want || clock_boot_ns() < sv->fence.again_ns)
		return;
	sv->fence.again_ns = clock_boot_ns() + SV_FENCE_AGAIN_MS * MS_NS;
	sv->fence.failed = false;
	sv_flag_next(sv);
}

/* A preparation that ended while a fence was wanted has started nothing; if nobody wants the fence
 * any more, nobody else would. */
static void
sv_wake_boot(struct sv *sv)
{
	if (sv->st.state == FSM_BOOT && !sv_fenced(sv) && !sv->want_stop && !sv->st.paused &&
		!sv->stopping_pg && !sv->job[SV_MAIN].proc && !sv->want_prepare &&
		sv->retry.at_ns == CLOCK_NEVER)
		sv_event(sv, FSM_EV_RETRY, NULL);
}

static void
sv_on_tick(struct loop_timer *t, void *arg)
{
	struct sv *sv = arg;
	int64_t ms = sv->opt.watchdog_ms / 4 < SV_TICK_MS ? sv->opt.watchdog_ms / 4 : SV_TICK_MS;

	/* Deadlines first: after a stall this decides before anything else happens. */
	if (board_deadline_ns(sv->board) != 0 && !sv_arm(sv) && !sv->watchdog_seen) {
		sv->watchdog_seen = true;
		sv->st.watchdog_fired_wall_us = clock_wall_us();
		log_error("watchdog: the supervisor missed its own deadline");
		sv_event(sv, FSM_EV_WATCHDOG, NULL);
	}
	board_beat(sv->board, SERVICE_SUPERVISOR);
	loop_timer_in(sv->loop, t, ms);
	sv_lease_look(sv);
	if (sv->pg && sv->pg_accepted && sv->pg_restart.count > 0 &&
		clock_boot_ns() - sv->st.pg_started_boot_ns > SV_SETTLED_MS * MS_NS)
		restart_forget(&sv->pg_restart);
	sv_services_tick(sv);
	sv_drain_tick(sv);
	sv_fence_again(sv);
	sv_wake_boot(sv);
	sv_pg_words_late(sv);
	sv_pg_look(sv);
	sv_backup_tick(sv);
}

static void
sv_on_retry(struct loop_timer *t, void *arg)
{
	struct sv *sv = arg;

	(void)t;
	if (sv->st.state == FSM_SPACE) {
		sv->want_space = true;
		sv_side_next(sv);
		return;
	}
	sv_event(sv, FSM_EV_RETRY, NULL);
}

static void
sv_on_promote_late(struct loop_timer *t, void *arg)
{
	(void)t;
	sv_event(arg, FSM_EV_PROMOTE_LATE, NULL);
}

static void
sv_on_fence_late(struct loop_timer *t, void *arg)
{
	struct sv *sv = arg;

	(void)t;
	if (!sv->fence.want || sv->fence.written == 1)
		return;
	log_error("the fence flag is not on disk yet: postgres is stopped all the same");
	sv_event(sv, FSM_EV_FENCE, "the flag is not on disk yet");
}

static void
sv_on_reload_soon(struct loop_timer *t, void *arg)
{
	(void)t;
	sv_job_configure(arg);
}

static void
sv_dump(struct sv *sv)
{
	struct channel_msg msg;

	log_info("status", F_STR("state", fsm_state_text((enum fsm_state)sv->st.state)),
		F_STR("reason", sv->st.reason), F_INT("postgres_pid", sv->st.pg_pid),
		F_INT("starts", sv->st.pg_starts), F_INT("fenced", sv->fence.want),
		F_INT("orphans", proc_orphans(sv->procs)));
	channel_msg_init(&msg, MSG_REOPEN, 0, NULL, 0);
	sv_tell(sv, SERVICE_LOGGER, &msg);
}

static void
sv_on_signal(struct loop_fd *src, uint32_t events, void *arg)
{
	struct signalfd_siginfo si;
	struct sv *sv = arg;
	struct err e;

	(void)events;
	while (read(src->fd, &si, sizeof(si)) == sizeof(si)) {
		switch (si.ssi_signo) {
		case SIGCHLD:
			if (proc_reap(sv->procs, &e) < 0)
				log_error("cannot reap", F_STR("error", e.msg));
			sv_pg_settle(sv);
			break;
		case SIGTERM:
		case SIGINT:
			sv_stop(sv, false);
			break;
		case SIGQUIT:
			sv_stop(sv, true);
			break;
		case SIGHUP:
			sv_job_configure(sv);
			break;
		case SIGUSR1:
			sv_dump(sv);
			break;
		case SIGUSR2:
			sv_upgrade(sv);
			break;
		default:
			break;
		}
	}
}

static void
sv_on_inotify(struct loop_fd *src, uint32_t events, void *arg)
{
	_Alignas(struct inotify_event) char raw[4096];
	struct sv *sv = arg;
	bool any = false;

	(void)events;
	while (read(src->fd, raw, sizeof(raw)) > 0)
		any = true;
	/* A symlink swap is several events; look once, when it is quiet. */
	if (any)
		loop_timer_in(sv->loop, &sv->reload_soon, SV_RELOAD_MS);
}

/* ---- life ---- */

static void
sv_begin_state(struct sv *sv)
{
	sv->fence.written = -1;
	sv->st.state = FSM_BOOT;
	sv->st.since_wall_us = clock_wall_us();
	sv->st.since_boot_ns = clock_boot_ns();
	sv->st.tree_gone = true;
	sv_reason(sv, "%s", fsm_state_sentence(FSM_BOOT));
}

static int
sv_begin(struct sv *sv, struct err *e)
{
	loop_timer_init(&sv->tick, sv_on_tick, sv);
	loop_timer_init(&sv->retry, sv_on_retry, sv);
	loop_timer_init(&sv->promote_late, sv_on_promote_late, sv);
	loop_timer_init(&sv->fence_late, sv_on_fence_late, sv);
	loop_timer_init(&sv->give_up, sv_on_give_up, sv);
	loop_timer_init(&sv->reload_soon, sv_on_reload_soon, sv);
	sv_jobs_init(sv);
	sv_drain_init(sv);
	sv_lease_init(sv);
	sv_ending_init(sv);
	sv_pg_init(sv);
	if (loop_add(sv->loop, loop_fd_init(&sv->signal_src, sv_on_signal, sv), sv->signals,
		    EPOLLIN, e) < 0)
		return -1;
	if (sv->inotify >= 0 &&
		loop_add(sv->loop, loop_fd_init(&sv->inotify_src, sv_on_inotify, sv), sv->inotify,
			EPOLLIN, e) < 0)
		return -1;
	if (sv->resumed && sv_baton_resume(sv, e) < 0)
		return -1;
	if (!sv->resumed)
		sv_begin_state(sv);
	sv_flush(sv);
	sv->dirty = true; /* the services' pids come next */
	sv_services_start(sv);
	sv_on_tick(&sv->tick, sv);
	if (!sv->resumed)
		sv_flag_next(sv); /* reads the fence flag before anything else */
	return 0;
}

static int
sv_run(struct sv *sv, struct err *e)
{
	if (sv_begin(sv, e) < 0)
		return -1;
	while (!sv->done) {
		sv_flush(sv);
		if (loop_turn(sv->loop, SV_TICK_MS, e) < 0)
			return -1;
	}
	sv_flush(sv);
	return 0;
}

/* The loop itself is broken.  Whatever that is, the database is not to pay for it. */
static void
sv_emergency(struct sv *sv)
{
	int64_t until_ms = clock_boot_ms() + sv_budget_ms(sv) * 3 / 4;
	struct err e;

	sv_pg_signal(sv, SIGINT);
	while (sv->pg && clock_boot_ms() < until_ms) {
		poll(NULL, 0, SV_EMERGENCY_TURN_MS);
		if (proc_reap(sv->procs, &e) < 0)
			break;
	}
}

/* For whoever reads lines of JSON, and for whoever reads a terminal. */
static void
sv_setup_failed(const struct sv *sv, const struct err *e)
{
	log_init(&(struct log_config){.logger = "supervisor",
		.pod = sv->opt.pod_name,
		.level = LOG_INFO,
		.text = sv->opt.log_text,
		.fd = STDOUT_FILENO});
	log_error("cannot start", F_STR("error", e->msg));
	fprintf(stderr, "podgres: %s\n", e->msg);
}

int
supervisor_main(const struct run_options *opt)
{
	static struct sv
		sv; /* too large for a stack, and PID 1 should not depend on malloc for it */
	struct err e;

	if (sv_setup(&sv, opt, &e) < 0) {
		sv_setup_failed(&sv, &e);
		sv_teardown(&sv);
		return err_exit(&e);
	}
	if (sv_run(&sv, &e) < 0) {
		log_error("supervisor failed", F_STR("error", e.msg));
		sv.exit_code = err_exit(&e);
		sv_emergency(&sv);
	}
	log_info("stopped", F_INT("code", sv.exit_code));
	sv_services_stop(&sv);
	sv_teardown(&sv);
	return sv.exit_code;
}
