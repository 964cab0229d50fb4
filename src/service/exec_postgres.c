/*
 * exec_postgres - the last step before postgres: become its user, set its OOM score, exec.
 *
 * Process: the child that turns into the postmaster, keeping its pid.  posix_spawn cannot change
 * the user or ask for a death signal, so this runs in between, for less than a millisecond.
 */
#include "service/exec_postgres.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "base/log.h"
#include "service/frame.h"

#define OOM_MAX 1000
#define OOM_STEP 100 /* podgres, then the postmaster, then the backends: the highest dies first */

/* PostgreSQL reads both variables in every child it forks ("Linux Memory Overcommit"). */
static void
exec_oom_scores(void)
{
	char text[16];
	int fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
	int own, len;

	if (n <= 0) {
		log_warning(
			"oom score not set", F_STR("hint", "backends die before the postmaster "
							   "only when the kernel lets us say so"));
		if (fd >= 0)
			close(fd);
		return;
	}
	text[n] = '\0';
	own = (int)strtol(text, NULL, 10);
	len = snprintf(
		text, sizeof(text), "%d", own + OOM_STEP < OOM_MAX ? own + OOM_STEP : OOM_MAX);
	if (pwrite(fd, text, (size_t)len, 0) != len)
		log_warning(
			"oom score of postgres not raised", F_STR("error", strerrordesc_np(errno)));
	close(fd);
	own += 2 * OOM_STEP;
	snprintf(text, sizeof(text), "%d", own < OOM_MAX ? own : OOM_MAX);
	setenv("PG_OOM_ADJUST_FILE", "/proc/self/oom_score_adj", 1);
	setenv("PG_OOM_ADJUST_VALUE", text, 1);
}

/* What a first start and the archive need, and no SQL function that reads the environment should
 * find. */
static void
exec_clean_environment(const struct run_options *opt)
{
	static const char *const gone[] = {"POSTGRES_PASSWORD", "POSTGRES_PASSWORD_FILE",
		"PGPASSWORD", "PGHOST", "PGPORT", "PGUSER", "PGDATABASE", "PGOPTIONS",
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
		"AWS_CONTAINER_AUTHORIZATION_TOKEN"};

	for (size_t i = 0; i < ARRAY_LEN(gone); i++)
		unsetenv(gone[i]);
	setenv("PGDATA", opt->pgdata, 1);
}

static int
exec_become(const struct frame *f, struct err *e)
{
	struct sigaction sa = {.sa_handler = SIG_DFL};

	exec_oom_scores();
	if (frame_give_up_root(&f->opt, e) < 0)
		return -1;
	/* Outside a PID namespace of our own nobody else would end it with us. */
	if (prctl(PR_SET_PDEATHSIG, SIGQUIT) < 0)
		return err_sys(e, "ask to die with the supervisor");
	exec_clean_environment(&f->opt);
	umask(077);
	/* Signals stay blocked as we got them: one that comes now waits for postgres' handlers
	 * instead of ending a server that has none yet.  The postmaster sets its own mask. */
	sigaction(SIGPIPE, &sa, NULL);
	if (chdir(f->opt.pgdata) < 0)
		return err_sys(e, "enter %s", f->opt.pgdata);
	return 0;
}

int
exec_postgres_main(void)
{
	static struct supervisor_status st;
	struct frame f = {.log_fd = -1};
	struct err e;

	if (frame_attach(&f, "postgres", &e) < 0) {
		fprintf(stderr, "podgres: start of postgres: %s\n", e.msg);
		return err_exit(&e);
	}
	shared_read(f.board, SEC_SUPERVISOR, &st);
	if (exec_become(&f, &e) < 0)
		return frame_fail("postgres", &e);
	execl(st.plan.postgres, st.plan.postgres, "-D", f.opt.pgdata, (char *)NULL);
	(void)err_sys(&e, "exec %s", st.plan.postgres);
	return frame_fail("postgres", &e);
}
