/*
 * sv_postgres - postgres itself: start it, know that it accepts, stop it, know that it is gone.
 *
 * Process: supervisor.  "Gone" means that no process below us is left but our own services: a
 * postmaster that died leaves backends that still write, and those are ours by adoption.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/clock.h"
#include "base/log.h"
#include "service/sv.h"

#define SV_SETTLE_MS 50
#define SV_SETTLE_MAX_MS 1000
#define SV_COLLECTOR_MS 500 /* postgres' logging collector writes the last lines and ends */
#define SV_KILL_ROUNDS 20

static struct tree
sv_tree(struct sv *sv, pid_t *spare, size_t max)
{
	return (struct tree){
		.root = getpid(), .spare = spare, .n_spare = sv_spared(sv, spare, max)};
}

static int
sv_tree_count(struct sv *sv)
{
	pid_t spare[SERVICES + SV_LANES];
	struct tree t = sv_tree(sv, spare, ARRAY_LEN(spare));
	struct err e;
	int n = tree_count(&t, &e);

	if (n < 0) {
		log_error("cannot see the processes", F_STR("error", e.msg));
		return 1; /* what cannot be seen is not gone */
	}
	if ((uint32_t)n != sv->st.tree) {
		sv->st.tree = (uint32_t)n;
		sv_publish(sv);
	}
	return n;
}

static void
sv_tree_kill(struct sv *sv)
{
	pid_t spare[SERVICES + SV_LANES];
	struct tree t = sv_tree(sv, spare, ARRAY_LEN(spare));
	struct err e;
	int n = tree_kill(&t, SIGKILL, SV_KILL_ROUNDS, &e);

	if (n < 0)
		log_error("cannot kill the tree", F_STR("error", e.msg));
	else if (n > 0 && n != sv->leftovers)
		log_warning("killed the tree of postgres", F_INT("processes", n));
	sv->leftovers = n;
	sv->harsh = sv->harsh || sv->pg;
}

void
sv_pg_signal(struct sv *sv, int sig)
{
	struct err e;

	if (sv->pg && proc_signal(sv->pg, sig, &e) < 0)
		log_error("cannot signal postgres", F_STR("error", e.msg));
}

/* ---- the end ---- */

static enum fsm_event
sv_exit_event(const struct sv *sv)
{
	if (sv->want_stop)
		return FSM_EV_EXIT_STOP;
	if (sv_fenced(sv))
		return FSM_EV_EXIT_FENCED;
	return sv->st.pg_starts > 0 && !sv->pg_accepted ? FSM_EV_EXIT_EARLY : FSM_EV_EXIT_RUN;
}

static void
sv_exit_code(struct sv *sv)
{
	const struct pg_exit *x = &sv->st.pg_exit;
	/* The postmaster calls an immediate shutdown, and one in crash recovery, a success, too. */
	bool dirty = sv->harsh || (sv->st.plan.crashed && !sv->pg_accepted);
	bool clean = !x->set || (x->code == 0 && x->sig == 0 && !dirty);

	/* An exit of an earlier start does not count when the last one never came to be. */
	sv->exit_code = clean ? 0 : 1;
}

/* The gravest line of this start: a FATAL of a client's own session says nothing about an end that
 * came later, so after a start that succeeded only a PANIC counts. */
static void
sv_last_words(const struct sv *sv, bool early, char *out, size_t size)
{
	static struct log_facts log;

	out[0] = '\0';
	shared_read(sv->board, SEC_LOG, &log);
	for (uint32_t i = 0; i < log.count && i < LOG_LAST_LINES; i++) {
		const char *line = log.line[i];

		if (strstr(line, "starting PostgreSQL"))
			out[0] = '\0';
		else if (strstr(line, "PANIC") || (early && strstr(line, "FATAL")))
			snprintf(out, size, "%s", line);
	}
}

/* The logger may still have been reading when postgres was gone. */
void
sv_pg_words_late(struct sv *sv)
{
	char words[LOG_LAST_BYTES];

	if (!sv->want_words || sv->pg || (sv->st.state != FSM_FAILED && sv->st.state != FSM_BOOT))
		return;
	sv->want_words = false;
	sv_last_words(sv, sv->st.state == FSM_FAILED, words, sizeof(words));
	if (*words)
		sv_reason(sv, "%s: %s", fsm_state_sentence((enum fsm_state)sv->st.state), words);
}

static void
sv_gone(struct sv *sv)
{
	char words[LOG_LAST_BYTES];
	enum fsm_event ev = sv_exit_event(sv);

	sv->stopping_pg = false;
	loop_timer_off(&sv->ladder_timer);
	loop_timer_off(&sv->settle);
	/* Only now may the deadline be forgotten: nothing is left that could write. */
	board_deadline_disarm(sv->board);
	board_fired_set(sv->board, 0);
	sv_lease_free(sv);
	sv->watchdog_seen = false;
	sv->st.tree_gone = true;
	sv->st.tree = 0;
	sv->st.pg_phase = PG_PHASE_DOWN;
	sv->st.ladder[0] = '\0';
	sv->st.stop_deadline_ns = 0;
	if (ev == FSM_EV_EXIT_STOP)
		sv_exit_code(sv);
	sv_last_words(sv, ev == FSM_EV_EXIT_EARLY, words, sizeof(words));
	sv->want_words = !*words && ev == FSM_EV_EXIT_EARLY;
	sv_event(sv, ev, ev == FSM_EV_EXIT_EARLY || ev == FSM_EV_EXIT_RUN ? words : NULL);
	sv_main_next(sv);
	sv_publish(sv);
}

void
sv_pg_settle(struct sv *sv)
{
	if (!sv->stopping_pg || sv->pg)
		return;
	if (!sv->job[SV_MAIN].proc && sv_tree_count(sv) == 0) {
		sv_gone(sv);
		return;
	}
	if (sv->settle.at_ns == CLOCK_NEVER)
		loop_timer_in(sv->loop, &sv->settle, sv->settle_ms);
}

static void
sv_on_settle(struct loop_timer *t, void *arg)
{
	struct sv *sv = arg;

	(void)t;
	/* The postmaster is gone: what is left has nobody to obey any more. */
	if (!sv->stopping_pg || sv->pg)
		return;
	sv_tree_kill(sv);
	/* What does not go at once waits for a disk: look less and less often. */
	sv->settle_ms =
		sv->settle_ms * 5 / 4 < SV_SETTLE_MAX_MS ? sv->settle_ms * 5 / 4 : SV_SETTLE_MAX_MS;
	sv_pg_settle(sv);
}

static void
sv_pidfd_close(struct sv *sv)
{
	loop_remove(sv->loop, &sv->pidfd_src);
	if (sv->pidfd >= 0)
		close(sv->pidfd);
	sv->pidfd = -1;
}

static void
sv_pg_on_exit(struct proc *p, const struct proc_exit *how, void *arg)
{
	struct sv *sv = arg;

	(void)p;
	sv->pg = NULL;
	sv_pidfd_close(sv);
	sv->st.pg_pid = 0;
	sv->st.pg_exit = (struct pg_exit){
		.set = true, .code = how->code, .sig = how->sig, .at_wall_us = clock_wall_us()};
	log_at(sv->stopping_pg ? LOG_INFO : LOG_ERROR, "postgres ended", F_INT("code", how->code),
		F_INT("signal", how->sig), F_INT("pid", how->pid));
	sv->stopping_pg = true;
	sv->settle_ms = SV_SETTLE_MS;
	sv->leftovers = 0;
	sv->st.pg_phase = PG_PHASE_STOPPING;
	sv_publish(sv);
	if (how->sig) {
		sv_on_settle(&sv->settle, sv);
		return;
	}
	/* It has waited for all it started but the collector, whose end SIGCHLD tells us. */
	loop_timer_in(sv->loop, &sv->settle, SV_COLLECTOR_MS);
	sv_pg_settle(sv);
}

/* SIGCHLD would do; the pidfd also wakes us when the signal queue is full of orphans. */
static void
sv_on_pidfd(struct loop_fd *src, uint32_t events, void *arg)
{
	struct sv *sv = arg;
	struct err e;

	(void)src;
	(void)events;
	if (proc_reap(sv->procs, &e) < 0)
		log_error("cannot reap", F_STR("error", e.msg));
}

/* ---- start ---- */

/* A preparation puts the new cluster into the place of an empty folder: what is held then is the
 * lock of a folder that nobody finds any more. */
static bool
sv_lock_data_holds(const struct sv *sv)
{
	struct stat held, now;

	return sv->lock_data >= 0 && fstat(sv->lock_data, &held) == 0 &&
	       stat(sv->opt.pgdata, &now) == 0 && held.st_dev == now.st_dev &&
	       held.st_ino == now.st_ino;
}

static void
sv_lock_data(struct sv *sv)
{
	int fd;

	/* The cluster that a preparation has just made: its folder is locked from now on, too. */
	if (sv_lock_data_holds(sv))
		return;
	if (sv->lock_data >= 0)
		close(sv->lock_data);
	sv->lock_data = -1;
	fd = open(sv->opt.pgdata, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return; /* root_squash: the lock beside it holds */
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && syscall(SYS_flock, fd, 2 | 4) == 0)
		sv->lock_data = fcntl(fd, F_DUPFD_CLOEXEC, PROC_FD_FLOOR);
	close(fd);
}

static void
sv_pidfd_open(struct sv *sv)
{
	struct err e;

	sv->pidfd = (int)syscall(SYS_pidfd_open, proc_pid(sv->pg), 0);
	if (sv->pidfd >= 0 && loop_add(sv->loop, loop_fd_init(&sv->pidfd_src, sv_on_pidfd, sv),
				      sv->pidfd, EPOLLIN, &e) < 0)
		sv_pidfd_close(sv);
}

static int
sv_pg_spawn(struct sv *sv, struct err *e)
{
	static const char *const argv[] = {"podgres", "service", "postgres", NULL};
	struct proc_fd fds[3] = {{board_fd(sv->board), FD_BOARD}, {sv->lock_state, FD_LOCK_STATE}};
	struct proc_spec spec = {.name = "postgres",
		.program = "/proc/self/exe",
		.argv = argv,
		.envp = environ,
		.in_fd = -1,
		.out_fd = sv->log_w,
		.fds = fds,
		.n_fds = 2,
		.deaf = true, /* until it has handlers */
		.on_exit = sv_pg_on_exit,
		.arg = sv};

	if (sv->lock_data >= 0)
		fds[spec.n_fds++] = (struct proc_fd){sv->lock_data, FD_LOCK_DATA};
	if (!sv_fencer_lives(sv))
		return err_set(e, ERR_STATE, "there is no fencer, and nothing is writable without");
	if (!sv_arm(sv))
		return err_set(e, ERR_STATE, "the deadline of the fencer has passed");
	/* The child reads the plan from the board. */
	shared_write(sv->board, SEC_SUPERVISOR, &sv->st);
	if (proc_start(sv->procs, &spec, &sv->pg, e) < 0)
		return -1;
	sv_pidfd_open(sv);
	return 0;
}

int
sv_pg_adopt(struct sv *sv, pid_t pid, struct err *e)
{
	const struct proc_spec spec = {.name = "postgres", .on_exit = sv_pg_on_exit, .arg = sv};

	if (proc_adopt(sv->procs, pid, &spec, &sv->pg, e) < 0)
		return -1;
	sv_pidfd_open(sv);
	return 0;
}

void
sv_pg_start(struct sv *sv)
{
	struct err e;

	sv_lock_data(sv);
	sv->pg_accepted = sv->harsh = false;
	sv->ladder.n = sv->rung = 0;
	sv->st.pg_starts++;
	sv->st.pg_exit.set = false;
	sv->st.tree_gone = false;
	sv->st.pg_started_wall_us = clock_wall_us();
	sv->st.pg_started_boot_ns = clock_boot_ns();
	if (sv_pg_spawn(sv, &e) < 0) {
		log_error("postgres not started", F_STR("error", e.msg));
		sv->stopping_pg = true;
		sv->settle_ms = SV_SETTLE_MS;
		loop_timer_in(sv->loop, &sv->settle, SV_SETTLE_MS);
		return;
	}
	sv_services_now(sv);
	sv->st.pg_pid = proc_pid(sv->pg);
	sv->st.pg_phase = PG_PHASE_STARTING;
	sv_publish(sv);
	sv_poke(sv, SERVICE_FENCER);
	log_info("postgres started", F_INT("pid", sv->st.pg_pid),
		F_STR("program", sv->st.plan.postgres), F_INT("start", sv->st.pg_starts));
}

/* ---- what the monitor saw ---- */

static void
sv_look_promoted(struct sv *sv, const struct pg_facts *f)
{
	if (sv->st.state == FSM_STANDBY && f->known && !f->in_recovery &&
		(!sv_lease_fresh(sv) || sv_driven_follows(sv))) {
		sv_event(sv, FSM_EV_UNLEASED, "somebody promoted it directly");
		return;
	}
	if (sv->st.state == FSM_STANDBY && f->known && !f->in_recovery) {
		log_warning("postgres was promoted by somebody else");
		sv_event(sv, FSM_EV_PROMOTE, "somebody promoted postgres directly");
		return;
	}
	if (sv->st.state != FSM_PROMOTE || f->in_recovery || f->written_lsn == 0 ||
		f->written_timeline <= sv->promote_from)
		return;
	sv->st.plan.standby = false;
	sv->st.plan.timeline = f->written_timeline;
	sv_event(sv, FSM_EV_PROMOTED, NULL);
}

void
sv_pg_look(struct sv *sv)
{
	static struct pg_facts f;

	shared_read(sv->board, SEC_POSTGRES, &f);
	if (!sv->pg || f.pid != proc_pid(sv->pg))
		return;
	if (f.data_gone && !sv->stopping_pg) {
		sv_event(sv, FSM_EV_DATA_GONE, f.problem);
		return;
	}
	if (f.accept == PG_ACCEPT_YES && sv->st.pg_phase == PG_PHASE_STARTING) {
		sv->pg_accepted = true;
		sv->st.pg_phase = PG_PHASE_ACCEPTING;
		log_info("postgres accepts connections", F_INT("pid", f.pid),
			F_INT("after_ms", (clock_boot_ns() - sv->st.pg_started_boot_ns) / MS_NS));
		if (sv->st.state == FSM_PRIMARY || sv->st.state == FSM_STANDBY)
			sv_reason(sv, "%s", fsm_state_sentence((enum fsm_state)sv->st.state));
		sv_publish(sv);
		sv_ops_update(sv);
	}
	sv_look_promoted(sv, &f);
}

/* ---- stop ---- */

static void
sv_ladder_text(struct sv *sv, enum ladder_rung now)
{
	char next[64] = "";

	if (sv->rung < sv->ladder.n)
		snprintf(next, sizeof(next), ", %s in %lld s",
			ladder_rung_text(sv->ladder.step[sv->rung].rung),
			(long long)((sv->ladder.step[sv->rung].at_ms + 999 -
					    (clock_boot_ns() - sv->ladder_start_ns) / MS_NS) /
				    1000));
	snprintf(sv->st.ladder, sizeof(sv->st.ladder), "%.30s%.60s", ladder_rung_text(now), next);
	sv_publish(sv);
}

static void
sv_ladder_arm(struct sv *sv)
{
	if (sv->rung < sv->ladder.n)
		loop_timer_at(sv->loop, &sv->ladder_timer,
			sv->ladder_start_ns + sv->ladder.step[sv->rung].at_ms * MS_NS);
	else if (sv->pg)
		loop_timer_in(
			sv->loop, &sv->ladder_timer, 1000); /* SIGKILL again: it may have forked */
}

void
sv_pg_next_rung(struct sv *sv)
{
	enum ladder_rung rung = LADDER_TREE;

	if (!sv->stopping_pg)
		return;
	if (sv->rung < sv->ladder.n)
		rung = sv->ladder.step[sv->rung++].rung;
	log_info("stopping postgres", F_STR("cause", ladder_cause_text(sv->ladder.cause)),
		F_STR("rung", ladder_rung_text(rung)));
	sv_ladder_text(sv, rung);
	sv->harsh = sv->harsh || (sv->pg && rung >= LADDER_IMMEDIATE);
	if (rung == LADDER_TREE)
		sv_tree_kill(sv);
	else
		sv_pg_signal(sv, ladder_rung_signal(rung));
	sv_ladder_arm(sv);
}

static void
sv_on_ladder(struct loop_timer *t, void *arg)
{
	(void)t;
	sv_pg_next_rung(arg);
}

int64_t
sv_budget_ms(const struct sv *sv)
{
	if (sv->opt.grace_ms > 0)
		return sv->opt.grace_ms;
	return sv->st.plan.stop_delay_ms > 0 ? sv->st.plan.stop_delay_ms : 30000;
}

static struct ladder
sv_ladder(const struct sv *sv, enum ladder_cause cause)
{
	struct ladder_times t = {.budget_ms = sv_budget_ms(sv),
		.smart_ms = sv->st.plan.smart_ms,
		.switchover_ms = sv->st.plan.switchover_ms,
		.lease_ms = (sv_lease_kill_ns(sv) - clock_boot_ns()) / MS_NS};

	if (!sv->pg)
		cause = LADDER_NOW; /* nothing orderly runs: a job at most */
	/* Once podgres is to end, no other reason to stop may take longer. */
	if (sv->want_stop && cause == LADDER_FENCE) {
		cause = LADDER_STOP;
		t.smart_ms = 0;
	}
	if (sv->want_stop)
		t.budget_ms = (sv->stop_by_ns - clock_boot_ns()) / MS_NS;
	return ladder_make(cause, &t);
}

/* A ladder under way stays when the new one is neither rougher at once nor sooner at its end. */
static bool
sv_ladder_keeps(const struct sv *sv, const struct ladder *l)
{
	int64_t now_ms = (clock_boot_ns() - sv->ladder_start_ns) / MS_NS;

	return sv->pg && sv->stopping_pg && sv->rung > 0 &&
	       sv->ladder.step[sv->rung - 1].rung >= l->step[0].rung &&
	       sv->ladder.step[sv->ladder.n - 1].at_ms <= now_ms + l->step[l->n - 1].at_ms;
}

void
sv_pg_stop(struct sv *sv, enum ladder_cause cause)
{
	struct ladder next = sv_ladder(sv, cause);

	sv_job_kill(sv, SV_MAIN);
	sv_backup_end(sv);
	sv->want_prepare = false;
	if (sv_ladder_keeps(sv, &next))
		return;
	sv->stopping_pg = true;
	sv->ladder = next;
	sv->rung = 0;
	sv->settle_ms = SV_SETTLE_MS;
	sv->ladder_start_ns = clock_boot_ns();
	sv->st.stop_deadline_ns =
		sv->ladder_start_ns + sv->ladder.step[sv->ladder.n - 1].at_ms * MS_NS;
	if (sv->pg)
		sv->st.pg_phase = PG_PHASE_STOPPING;
	sv_pg_next_rung(sv);
	if (!sv->pg) {
		loop_timer_off(&sv->ladder_timer);
		loop_timer_in(sv->loop, &sv->settle, 0);
	}
}

void
sv_pg_init(struct sv *sv)
{
	loop_timer_init(&sv->ladder_timer, sv_on_ladder, sv);
	loop_timer_init(&sv->settle, sv_on_settle, sv);
}
