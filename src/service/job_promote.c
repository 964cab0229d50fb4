/*
 * job_promote - writes the promote file that postgres looks for.
 *
 * Process: the job `promote`.  The supervisor sends SIGUSR1 afterwards; the postmaster then finds
 * PGDATA/promote (CheckPromoteSignal) and lets the startup process end recovery.
 */
#include <fcntl.h>

#include "base/clock.h"
#include "base/log.h"
#include "pg/control.h"
#include "service/service.h"
#include "sys/file.h"
#include "sys/state_file.h"

static int
job_promote_check(const struct job *j, struct err *e)
{
	char path[FILE_PATH_MAX];
	struct control c;

	if (file_join(path, sizeof(path), j->opt->pgdata, "standby.signal", e) < 0)
		return -1;
	if (!file_exists(path))
		return err_set(e, ERR_STATE, "not a standby: there is no standby.signal");
	if (control_read(&c, j->opt->pgdata, e) < 0)
		return -1;
	if (c.state != CONTROL_IN_ARCHIVE_RECOVERY)
		return err_set(e, ERR_STATE, "postgres is not in recovery: pg_control says \"%s\"",
			control_state_text(c.state));
	return 0;
}

/* From now on the manifest's replica.enabled does not make it a standby again.  A promotion is
 * not held up by trouble here: it is said, and the manifest decides at the next start. */
static void
job_promote_remember(const struct job *j)
{
	char path[FILE_PATH_MAX];
	AUTO(close) int lock = -1;
	struct state_record rec;
	struct err e;

	if (file_join(path, sizeof(path), j->opt->state_dir, STATE_FILE_NAME, &e) == 0 &&
		state_file_lock(&lock, path, &e) == 0 && state_file_read(&rec, path, &e) == 0) {
		rec.promoted_wall_us = clock_wall_us();
		if (state_file_write(path, &rec, &e) == 0)
			return;
	}
	log_warning("the promotion could not be recorded", F_STR("error", e.msg));
}

int
job_promote_main(struct job *j, struct err *e)
{
	char path[FILE_PATH_MAX];
	int fd;

	if (job_promote_check(j, e) < 0)
		return -1;
	if (file_join(path, sizeof(path), j->opt->pgdata, "promote", e) < 0)
		return -1;
	job_promote_remember(j);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return file_err(e, "create %s", path);
	close(fd);
	return 0;
}
