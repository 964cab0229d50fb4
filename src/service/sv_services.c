/*
 * sv_services - the processes that run as long as the supervisor does.
 *
 * Process: supervisor.  Each has one channel and one heartbeat.  One that ends is started again at
 * once, more than five times a minute after a growing pause; one that stops beating is killed.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "base/log.h"
#include "service/sv.h"

#define SV_LATER_MS 40
#define SV_FENCER_PAUSE_MS 500
#define SV_FENCER_STAYS_MS 1000
#define SV_STOP_LOGGER_MS 1500
#define SV_FDS 8
#define SV_STALL_MS 3000

static const int64_t hung_ms[SERVICES] = {
#define SERVICE(name, text, user, hung_ms, does) [SERVICE_##name] = hung_ms,
#include "tbl/services.h"
#undef SERVICE
};

static void sv_service_start(struct sv_child *c);

/* ---- what each finds open ---- */

static size_t
sv_service_fds(const struct sv *sv, enum service_id id, int chan, struct proc_fd *out)
{
	size_t n = 0;

	out[n++] = (struct proc_fd){board_fd(sv->board), FD_BOARD};
	out[n++] = (struct proc_fd){chan, FD_CHANNEL};
	if (id == SERVICE_LOGGER) {
		out[n++] = (struct proc_fd){sv->log_r, FD_LOG_PIPE};
		out[n++] = (struct proc_fd){sv->fifo[SV_FIFO_JSON], FD_LOG_JSON};
		out[n++] = (struct proc_fd){sv->fifo[SV_FIFO_CSV], FD_LOG_CSV};
		out[n++] = (struct proc_fd){sv->fifo[SV_FIFO_PLAIN], FD_LOG_PLAIN};
		out[n++] = (struct proc_fd){sv->log_out, FD_LOG_OUT};
	}
	if (id == SERVICE_API) {
		if (sv->listen[SV_LISTEN_HTTP] >= 0)
			out[n++] = (struct proc_fd){sv->listen[SV_LISTEN_HTTP], FD_LISTEN_HTTP};
		if (sv->listen[SV_LISTEN_METRICS] >= 0)
			out[n++] =
				(struct proc_fd){sv->listen[SV_LISTEN_METRICS], FD_LISTEN_METRICS};
		out[n++] = (struct proc_fd){sv->listen[SV_LISTEN_CONTROL], FD_LISTEN_CONTROL};
	}
	if (id == SERVICE_ARCHIVER)
		out[n++] = (struct proc_fd){sv->listen[SV_LISTEN_WAL], FD_LISTEN_WAL};
	must(n <= SV_FDS);
	return n;
}

/* ---- messages ---- */

void
sv_tell(struct sv *sv, enum service_id id, const struct channel_msg *msg)
{
	struct err e;

	/* A full channel: a service that does not read has other troubles, and the board has it
	 * all. */
	if (sv->child[id].chan >= 0 && channel_send(sv->child[id].chan, msg, &e) < 0)
		log_debug("message not sent", F_STR("to", service_text(id)), F_STR("error", e.msg));
}

void
sv_poke(struct sv *sv, enum service_id id)
{
	struct channel_msg msg;

	channel_msg_init(&msg, MSG_POKE, 0, NULL, 0);
	sv_tell(sv, id, &msg);
}

static void
sv_on_order(struct sv *sv, enum service_id from, const struct channel_msg *msg)
{
	struct order_reply r = {0};
	struct channel_msg out;
	struct order o;

	if (channel_body(msg, &o, sizeof(o)))
		sv_order(sv, &o, &r);
	else
		r.err_kind = ERR_INVALID;
	channel_msg_init(&out, MSG_ORDER_REPLY, msg->id, &r, sizeof(r));
	sv_tell(sv, from, &out);
}

static void
sv_on_channel(struct loop_fd *src, uint32_t events, void *arg)
{
	struct sv_child *c = arg;
	struct channel_msg msg;
	struct err e;
	int n, most = 64; /* a chatterbox must not keep us from our deadlines */

	(void)events;
	while (most-- > 0 && (n = channel_recv(src->fd, &msg, &e)) != 0) {
		if (n < 0) {
			/* It hung up, or speaks nonsense: without a channel it is of no use. */
			loop_remove(c->sv->loop, src);
			if (c->proc)
				(void)!proc_signal(c->proc, SIGKILL, &e);
			return;
		}
		if (msg.type == MSG_ORDER)
			sv_on_order(c->sv, c->id, &msg); /* of people, or of a schedule */
		else if (msg.type == MSG_POKE && c->id == SERVICE_MONITOR)
			sv_pg_look(c->sv);
		else if (msg.type == MSG_POKE && c->id == SERVICE_ARCHIVER)
			sv_drain_look(c->sv);
		else if (msg.type == MSG_POKE && c->id == SERVICE_ELECTOR)
			sv_lease_look(c->sv);
		else if (msg.type == MSG_PROMISE && c->id == SERVICE_API)
			sv_tell(c->sv, SERVICE_ELECTOR, &msg);
		else if (msg.type == MSG_PROMISED && c->id == SERVICE_ELECTOR)
			sv_tell(c->sv, SERVICE_API, &msg);
	}
}

/* ---- start and end ---- */

static void
sv_service_close(struct sv_child *c)
{
	loop_remove(c->sv->loop, &c->src);
	if (c->chan >= 0)
		close(c->chan);
	c->chan = -1;
}

static void
sv_service_later(struct sv_child *c, const char *why)
{
	struct service_status *st = &c->sv->st.service[c->id];
	int64_t pause_ms = restart_after(&c->restart, clock_boot_ms());

	if (c->id == SERVICE_FENCER && pause_ms > SV_FENCER_PAUSE_MS)
		pause_ms = SV_FENCER_PAUSE_MS; /* postgres runs on without it meanwhile */
	if (c->id == SERVICE_FENCER && c->sv->fencer_gone_ns == 0)
		c->sv->fencer_gone_ns = clock_boot_ns();
	st->pid = 0;
	st->restarts++;
	st->backoff_until_ns = pause_ms ? clock_boot_ns() + pause_ms * MS_NS : 0;
	if (pause_ms)
		snprintf(st->reason, sizeof(st->reason), "%s; %u ends, next start in %lld ms", why,
			st->restarts, (long long)pause_ms);
	else
		snprintf(st->reason, sizeof(st->reason), "%s", why);
	sv_publish(c->sv);
	loop_timer_in(c->sv->loop, &c->again, pause_ms);
}

static void
sv_service_on_exit(struct proc *p, const struct proc_exit *how, void *arg)
{
	struct sv_child *c = arg;
	char why[96];

	(void)p;
	c->proc = NULL;
	sv_service_close(c);
	if (how->sig)
		snprintf(why, sizeof(why), "ended by signal %d", how->sig);
	else
		snprintf(why, sizeof(why), "ended with code %d", how->code);
	if (c->sv->done) {
		c->sv->st.service[c->id].pid = 0;
		return;
	}
	log_warning("service ended", F_STR("service", service_text(c->id)), F_INT("pid", how->pid),
		F_STR("how", why));
	sv_service_later(c, why);
}

static int
sv_service_spawn(struct sv_child *c, struct err *e)
{
	const char *argv[] = {"podgres", "service", service_text(c->id), NULL};
	struct proc_fd fds[SV_FDS];
	struct proc_spec spec = {.name = service_text(c->id),
		.program = "/proc/self/exe",
		.argv = argv,
		.envp = environ,
		.in_fd = -1,
		.out_fd = c->sv->log_w,
		.fds = fds,
		.on_exit = sv_service_on_exit,
		.arg = c};
	int pair[2], theirs;

	if (channel_pair(pair, e) < 0)
		return -1;
	c->chan = proc_fd_raise(pair[0], e);
	theirs = proc_fd_raise(pair[1], e);
	if (c->chan < 0)
		close(pair[0]);
	if (theirs < 0)
		close(pair[1]);
	else if (c->chan < 0)
		close(theirs);
	if (c->chan < 0 || theirs < 0)
		return -1;
	spec.n_fds = sv_service_fds(c->sv, c->id, theirs, fds);
	if (proc_start(c->sv->procs, &spec, &c->proc, e) < 0) {
		close(theirs);
		return -1;
	}
	close(theirs);
	if (loop_add(c->sv->loop, loop_fd_init(&c->src, sv_on_channel, c), c->chan, EPOLLIN, e) ==
		0)
		return 0;
	/* It runs, deaf: its exit will bring the next. */
	log_error("service is not heard", F_STR("error", e->msg));
	return proc_signal(c->proc, SIGKILL, e);
}

static void
sv_service_start(struct sv_child *c)
{
	struct service_status *st = &c->sv->st.service[c->id];
	struct err e;

	/* Its time without a beat begins now. */
	board_beat(c->sv->board, (int)c->id);
	if (sv_service_spawn(c, &e) < 0) {
		log_error("service not started", F_STR("service", service_text(c->id)),
			F_STR("error", e.msg));
		sv_service_close(c);
		sv_service_later(c, "could not be started");
		return;
	}
	if (c->id == SERVICE_FENCER)
		c->sv->fencer_started_ns = clock_boot_ns();
	if (c->id == SERVICE_ARCHIVER)
		sv_drain_again(c->sv);
	st->pid = proc_pid(c->proc);
	st->started_wall_us = clock_wall_us();
	st->backoff_until_ns = 0;
	sv_publish(c->sv);
}

static void
sv_service_on_again(struct loop_timer *t, void *arg)
{
	(void)t;
	sv_service_start(arg);
}

static bool
sv_service_wanted(const struct sv *sv, int id)
{
	return id != SERVICE_ELECTOR || sv_lease_on(sv);
}

static bool
sv_service_waits(enum service_id id)
{
	return id == SERVICE_MONITOR || id == SERVICE_API || id == SERVICE_ARCHIVER ||
	       id == SERVICE_COLLECTOR;
}

void
sv_services_start(struct sv *sv)
{
	snprintf(sv->st.service[SERVICE_SUPERVISOR].name, sizeof(sv->st.service[0].name), "%s",
		service_text(SERVICE_SUPERVISOR));
	sv->st.service[SERVICE_SUPERVISOR].pid = getpid();
	sv->st.service[SERVICE_SUPERVISOR].started_wall_us = sv->opt.started_wall_us;
	for (int i = SERVICE_SUPERVISOR + 1; i < SERVICES; i++) {
		struct sv_child *c = &sv->child[i];

		snprintf(sv->st.service[i].name, sizeof(sv->st.service[i].name), "%s",
			service_text((enum service_id)i));
		loop_timer_init(&c->again, sv_service_on_again, c);
		if (!sv_service_wanted(sv, i))
			continue;
		/* Their libraries take their time: a start of postgres comes before them. */
		if (!sv->resumed && sv_service_waits((enum service_id)i))
			loop_timer_in(sv->loop, &c->again, SV_LATER_MS);
		else
			sv_service_start(c);
	}
}

void
sv_services_now(struct sv *sv)
{
	for (int i = SERVICE_SUPERVISOR + 1; i < SERVICES; i++) {
		struct sv_child *c = &sv->child[i];

		if (c->proc || sv->st.service[i].restarts || !sv_service_wanted(sv, i))
			continue;
		loop_timer_off(&c->again);
		sv_service_start(c);
	}
}

/* ---- watch ---- */

bool
sv_fencer_lives(const struct sv *sv)
{
	return sv->child[SERVICE_FENCER].proc && sv->fencer_gone_ns == 0;
}

/* A fencer that ends is back in milliseconds, and postgres need not notice.  One that cannot be had
 * for as long as the watchdog allows leaves nobody to stop a writable postgres if we stood still.
 */
static void
sv_fencer_tick(struct sv *sv)
{
	int64_t now = clock_boot_ns();
	bool stays = sv->child[SERVICE_FENCER].proc &&
		     now - sv->fencer_started_ns > SV_FENCER_STAYS_MS * MS_NS;

	if (sv->fencer_gone_ns == 0)
		return;
	if (stays)
		sv->fencer_gone_ns = 0;
	else if (sv->pg && now - sv->fencer_gone_ns > sv->opt.watchdog_ms * MS_NS)
		sv_event(sv, FSM_EV_UNGUARDED, NULL);
}

void
sv_services_tick(struct sv *sv)
{
	int64_t now = clock_boot_ns(), last = sv->ticked_ns;

	sv->ticked_ns = now;
	/* We stood still, and so perhaps did they: a whole pod that was frozen.  Count anew. */
	if (last && now - last > SV_STALL_MS * MS_NS)
		for (int i = SERVICE_SUPERVISOR + 1; i < SERVICES; i++)
			board_beat(sv->board, i);
	for (int i = SERVICE_SUPERVISOR + 1; i < SERVICES; i++) {
		struct sv_child *c = &sv->child[i];
		int64_t age_ms = (now - board_beat_ns(sv->board, i)) / MS_NS;
		struct err e;

		if (!c->proc || age_ms < hung_ms[i])
			continue;
		log_error("service does not answer and is killed",
			F_STR("service", service_text((enum service_id)i)),
			F_INT("silent_ms", age_ms));
		if (proc_signal(c->proc, SIGKILL, &e) < 0)
			log_error("cannot kill", F_STR("error", e.msg));
		/* What is stuck in the kernel is not killed every second. */
		board_beat(sv->board, i);
	}
	sv_fencer_tick(sv);
}

size_t
sv_spared(const struct sv *sv, pid_t *out, size_t max)
{
	size_t n = 0;

	for (int i = SERVICE_SUPERVISOR + 1; i < SERVICES; i++)
		if (sv->child[i].proc && n < max)
			out[n++] = proc_pid(sv->child[i].proc);
	for (int i = SV_MAIN + 1; i < SV_LANES; i++)
		if (sv->job[i].proc && n < max)
			out[n++] = proc_pid(sv->job[i].proc);
	return n;
}

/* ---- the end ---- */

static bool
sv_service_lives(struct sv *sv, enum service_id id, int64_t until_ms)
{
	struct err e;

	while (sv->child[id].proc && clock_boot_ms() < until_ms)
		if (loop_turn(sv->loop, 20, &e) < 0)
			break;
	return sv->child[id].proc != NULL;
}

/* The logger goes last and may finish what is in the pipe: its channel closes, it drains, it ends.
 */
void
sv_services_end(struct sv *sv, int64_t logger_ms)
{
	int64_t until = clock_boot_ms() + logger_ms;
	struct err e;

	sv->done = true;
	for (int i = SERVICE_SUPERVISOR + 1; i < SERVICES; i++) {
		loop_timer_off(&sv->child[i].again);
		if (i != SERVICE_LOGGER && sv->child[i].proc)
			(void)!proc_signal(sv->child[i].proc, SIGKILL, &e);
	}
	sv_service_close(&sv->child[SERVICE_LOGGER]);
	if (sv_service_lives(sv, SERVICE_LOGGER, until))
		(void)!proc_signal(sv->child[SERVICE_LOGGER].proc, SIGKILL, &e);
	for (int i = SERVICE_SUPERVISOR + 1; i < SERVICES; i++)
		(void)sv_service_lives(sv, (enum service_id)i, until + 500);
}

void
sv_services_stop(struct sv *sv)
{
	struct err e;

	if (!sv->loop || !sv->procs)
		return;
	sv_services_end(sv, SV_STOP_LOGGER_MS);
	if (sv->opt.is_init)
		(void)!tree_kill_everything(&e);
}
