/*
 * frame - what every process below the supervisor does before and around its own work.
 *
 * Process: each service and each job.  The supervisor has given us the board on FD_BOARD and, to a
 * service, its channel on FD_CHANNEL.  We ask to die with the supervisor, make our own descriptor
 * of the log pipe that never blocks, and give up root where the table says so.
 */
#include "service/frame.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/log.h"

int
frame_attach(struct frame *f, const char *name, struct err *e)
{
	pid_t parent = getppid();

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return err_sys(e, "ask to die with the supervisor");
	if (getppid() != parent)
		return err_set(e, ERR_REMOTE, "the supervisor is gone");
	prctl(PR_SET_NAME, name);
	if (fcntl(FD_BOARD, F_SETFD, FD_CLOEXEC) < 0)
		return err_set(e, ERR_INVALID,
			"this command is started by `podgres run` and by nothing else");
	if (board_attach(&f->board, FD_BOARD, shared_sizes, SECTIONS, e) < 0)
		return -1;
	if (shared_read(f->board, SEC_OPTIONS, &f->opt) == 0)
		return err_set(e, ERR_CORRUPT, "the board has no options");

	/* O_NONBLOCK belongs to the open description, which postgres shares: make our own. */
	f->log_fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	log_init(&(struct log_config){
		.logger = name,
		.pod = f->opt.pod_name,
		.level = (enum log_level)f->opt.log_level,
		.fd = f->log_fd,
	});
	return 0;
}

int
frame_give_up_root(const struct run_options *opt, struct err *e)
{
	if (geteuid() != 0 || opt->uid == 0)
		return 0;
	if (initgroups(opt->user, opt->gid) < 0 && setgroups(0, NULL) < 0)
		return err_sys(e, "set the groups of user %s", opt->user);
	if (setresgid(opt->gid, opt->gid, opt->gid) < 0)
		return err_sys(e, "become group %u", opt->gid);
	if (setresuid(opt->uid, opt->uid, opt->uid) < 0)
		return err_sys(e, "become user %s (uid %u)", opt->user, opt->uid);
	/* A change of user forgets the wish. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return err_sys(e, "ask to die with the supervisor");
	return 0;
}

void
frame_detach(struct frame *f)
{
	f->board = board_free(f->board);
	if (f->log_fd >= 0)
		close(f->log_fd);
	f->log_fd = -1;
}

int
frame_fail(const char *what, const struct err *e)
{
	log_error("cannot start", F_STR("what", what), F_STR("error", e->msg));
	return err_exit(e);
}
