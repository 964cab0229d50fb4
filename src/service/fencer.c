/*
 * fencer - kills the whole tree of postgres when the deadline on the board passes.
 *
 * Process: fencer.  It shares nothing with the supervisor but one number on the board, because it
 * is there for the day the supervisor stands still.  libc only; the processes are found in /proc
 * and killed one by one: kill(-1) is PID 1's alone.  The services are spared, so that status and
 * probes go on and say what happened.
 */
#include <signal.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "service/service.h"
#include "sys/tree.h"

#define FENCER_ROUNDS 200

struct fencer {
	struct service *s;
	struct loop_timer timer;
	int64_t fired_for_ns; /* the deadline we have answered */
	int64_t armed_ns;     /* the deadline that the timer stands for */
	pid_t supervisor;
};

static size_t
fencer_spared(struct fencer *f, pid_t *out)
{
	static struct supervisor_status st;
	size_t n = 0;

	shared_read(f->s->board, SEC_SUPERVISOR, &st);
	for (int i = SERVICE_SUPERVISOR + 1; i < SERVICES; i++)
		if (st.service[i].pid > 0)
			out[n++] = st.service[i].pid;
	out[n++] = getpid();
	return n;
}

static void
fencer_fire(struct fencer *f, int64_t deadline_ns)
{
	pid_t spare[SERVICES + 1];
	struct tree t = {.root = f->supervisor, .spare = spare};
	struct err e;
	int killed;

	/* Given to another parent: what is below that one is not ours to kill. */
	if (getppid() != f->supervisor) {
		f->s->stop = true;
		return;
	}
	board_fired_set(f->s->board, clock_boot_ns());
	t.n_spare = fencer_spared(f, spare);
	killed = tree_kill(&t, SIGKILL, FENCER_ROUNDS, &e);
	f->fired_for_ns = deadline_ns;
	if (killed < 0)
		log_error("fencer cannot see the processes", F_STR("error", e.msg));
	else
		log_error("deadline missed: postgres was killed", F_INT("processes", killed),
			F_INT("late_us", (clock_boot_ns() - deadline_ns) / 1000),
			F_STR("hint",
				"the supervisor stood still; look for a frozen or starved pod"));
}

static void
fencer_look(struct fencer *f)
{
	int64_t deadline = board_deadline_ns(f->s->board);

	f->armed_ns = deadline;
	if (deadline == 0) {
		f->fired_for_ns = 0;
		loop_timer_off(&f->timer);
		return;
	}
	if (deadline > clock_boot_ns()) {
		loop_timer_at(f->s->loop, &f->timer, deadline);
		return;
	}
	/* Once more each second while it stays missed: something may have been forked meanwhile. */
	fencer_fire(f, deadline);
	loop_timer_in(f->s->loop, &f->timer, 1000);
}

static void
fencer_on_timer(struct loop_timer *t, void *arg)
{
	(void)t;
	fencer_look(arg);
}

static void
fencer_on_tick(struct service *s)
{
	struct fencer *f = s->arg;

	/* It moves on each second; but it may also have come nearer, when a Lease began to count.
	 */
	if (f->timer.at_ns == CLOCK_NEVER || board_deadline_ns(f->s->board) < f->armed_ns)
		fencer_look(f);
}

static void
fencer_on_msg(struct service *s, const struct channel_msg *msg)
{
	(void)msg;
	fencer_on_tick(s);
}

int
service_fencer_main(struct service *s)
{
	static struct fencer f; /* one process, one fencer */
	struct err e;

	f = (struct fencer){.s = s, .supervisor = getppid()};
	loop_timer_init(&f.timer, fencer_on_timer, &f);
	s->arg = &f;
	s->on_tick = fencer_on_tick;
	s->on_msg = fencer_on_msg;
	fencer_look(&f);
	if (service_run(s, &e) < 0) {
		log_error("fencer failed", F_STR("error", e.msg));
		return err_exit(&e);
	}
	return 0;
}
