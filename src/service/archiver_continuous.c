/*
 * archiver_continuous - starts, hears and ends the receiver of backup.continuous.
 *
 * Process: archiver.  The receiver runs on a primary whose folder in the store is certainly ours.
 * It is killed at the first sign of a stop, since a walsender waits for its receiver; when it is
 * silent; and when the manifest changes.  One that ended by itself is started again after a pause.
 */
#include "service/archiver_impl.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/log.h"
#include "service/continuous.h"

#define CHILD_FD 3
#define CHILD_LOG_FD 4
#define SILENT_MS 60000 /* longer than one part may take */
#define PAUSE_MS 1000
#define PAUSE_MAX_MS 30000

/* ---- the child ---- */

static bool
child_begin(const struct archiver *a, int fd)
{
	const struct rlimit no_core = {0, 0};
	int log_fd;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != a->self)
		return false;
	prctl(PR_SET_NAME, "archiver-contin");
	if (fd != CHILD_FD && dup3(fd, CHILD_FD, O_CLOEXEC) < 0)
		return false;
	log_fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (log_fd != CHILD_LOG_FD && dup3(log_fd < 0 ? 2 : log_fd, CHILD_LOG_FD, O_CLOEXEC) < 0)
		return false;
	if (close_range(CHILD_LOG_FD + 1, ~0U, 0) < 0)
		return false;
	(void)setrlimit(RLIMIT_CORE, &no_core); /* it holds keys */
	log_init(&(struct log_config){.logger = "archiver",
		.pod = a->s->opt->pod_name,
		.level = (enum log_level)a->s->opt->log_level,
		.fd = CHILD_LOG_FD});
	return true;
}

static void
child_main(const struct archiver *a, int fd)
{
	const struct continuous_spec cs = {
		.board = a->s->board, .opt = a->s->opt, .spec = a->spec, .news = CHILD_FD};

	_exit(child_begin(a, fd) ? continuous_main(&cs) : 1);
}

/* ---- the parent ---- */

void
archiver_continuous_stop(struct archiver *a)
{
	struct archiver_continuous *c = &a->continuous;

	if (!c->pid)
		return;
	kill(c->pid, SIGKILL);
	loop_remove(a->s->loop, &c->src);
	close(c->fd);
	c->pid = 0; /* archiver_workers_tick() reaps */
	a->facts.continuous_lsn = 0;
	a->dirty = true;
}

static void
continuous_ended(struct archiver *a, const char *why)
{
	struct archiver_continuous *c = &a->continuous;
	int64_t pause_ms = (int64_t)PAUSE_MS << (c->fails < 5 ? c->fails : 5);

	pause_ms = pause_ms < PAUSE_MAX_MS ? pause_ms : PAUSE_MAX_MS;
	archiver_continuous_stop(a);
	c->fails++;
	c->again_ns = clock_boot_ns() + pause_ms * MS_NS;
	if (c->fails == 1)
		log_warning("continuous WAL was interrupted", F_STR("error", why),
			F_INT("again_in_ms", pause_ms));
}

static void
continuous_on_news(struct loop_fd *src, uint32_t events, void *arg)
{
	struct archiver *a = arg;
	struct continuous_news n;
	ssize_t got = recv(src->fd, &n, sizeof(n), MSG_DONTWAIT);

	(void)events;
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got != (ssize_t)sizeof(n)) {
		continuous_ended(a, "its process ended");
		return;
	}
	n.msg[sizeof(n.msg) - 1] = '\0';
	a->continuous.heard_ns = clock_boot_ns();
	if (n.err_kind) {
		continuous_ended(a, n.msg);
		return;
	}
	if (a->continuous.fails)
		log_info("continuous WAL goes on", F_INT("failed_tries", a->continuous.fails));
	a->continuous.fails = 0;
	a->facts.continuous_lsn = n.lsn;
	a->dirty = true;
}

static int
continuous_start(struct archiver *a, struct err *e)
{
	struct archiver_continuous *c = &a->continuous;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, "make a socket for the receiver");
	c->pid = fork();
	if (c->pid == 0)
		child_main(a, pair[1]);
	close(pair[1]);
	if (c->pid < 0) {
		c->pid = 0;
		close(pair[0]);
		return err_sys(e, "start the receiver");
	}
	c->fd = pair[0];
	c->heard_ns = clock_boot_ns();
	if (loop_add(a->s->loop, loop_fd_init(&c->src, continuous_on_news, a), c->fd, EPOLLIN, e) <
		0) {
		archiver_continuous_stop(a);
		return -1;
	}
	return 0;
}

static bool
continuous_wanted(const struct archiver *a)
{
	return a->has_store && a->spec->backup.continuous_ms > 0 && archiver_is_primary(a) &&
	       !a->stopping_ns && !a->drain.on && a->health.owner == OWNER_OURS &&
	       a->sup.pg_phase == PG_PHASE_ACCEPTING && a->pg.known && !a->pg.in_recovery;
}

void
archiver_continuous_tick(struct archiver *a)
{
	struct archiver_continuous *c = &a->continuous;
	int64_t now = clock_boot_ns();
	struct err e;

	if (!continuous_wanted(a)) {
		archiver_continuous_stop(a);
		c->fails = 0;
		c->again_ns = 0;
		return;
	}
	if (c->pid && now - c->heard_ns > SILENT_MS * MS_NS)
		continuous_ended(a, "it was silent for too long");
	if (!c->pid && now >= c->again_ns && continuous_start(a, &e) < 0)
		continuous_ended(a, e.msg);
}
