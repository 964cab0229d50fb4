/*
 * job_backup - one base backup from the running server into the archive, or `sweep`.
 *
 * Process: the job `backup`.  SIGTERM asks it to end: it takes back what it stored.  Whatever else
 * ends it leaves a backup.info that says STARTED and names this pod, which `sweep` finds.
 */
#include "service/job_backup.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>

#include "base/clock.h"
#include "base/log.h"
#include "service/spec_file.h"

#define BACKUP_STORE_MS (15 * 60 * SEC_MS) /* one call with all its attempts */

/* ---- ending early ---- */

static int
backup_watch(struct backup_job *b, struct err *e)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return err_sys(e, "watch for signals");
	b->stop_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return b->stop_fd < 0 ? err_sys(e, "watch for signals") : 0;
}

bool
backup_cancelled(void *arg)
{
	struct backup_job *b = arg;
	struct pollfd p = {.fd = b->stop_fd, .events = POLLIN};

	if (!b->stopped && b->stop_fd >= 0 && poll(&p, 1, 0) > 0)
		b->stopped = true;
	return b->stopped;
}

int
backup_pause(struct backup_job *b, int64_t ms, struct err *e)
{
	struct pollfd p = {.fd = b->stop_fd, .events = POLLIN};

	if (!b->stopped)
		(void)!poll(&p, 1, (int)ms);
	return backup_cancelled(b) ? err_set(e, ERR_STATE, "the backup was asked to end") : 0;
}

/* ---- what it works with ---- */

int
backup_archive_open(struct backup_job *b, struct archive **out, struct err *e)
{
	const struct archive_patience patience = {
		.total_ms = BACKUP_STORE_MS, .cancelled = backup_cancelled, .arg = b};

	return archive_open(out, b->spec, NULL, b->j->opt, &patience, e);
}

int
backup_key(const struct backup_job *b, char out[ARCHIVE_KEY_SIZE], const char *name, struct err *e)
{
	return archive_key(out, e, "%s%s", b->folder, name);
}

int
backup_info_store(struct backup_job *b, struct archive *a, bool create, struct err *e)
{
	AUTO(buf_deinit) struct buf text = {0};
	char key[ARCHIVE_KEY_SIZE];
	struct store_put put = {.key = key, .create = create};

	backup_info_print(&b->info, &text);
	if (buf_check(&text, e) < 0 || backup_key(b, key, "backup.info", e) < 0)
		return -1;
	put.body = text.data;
	put.len = text.len;
	return store_put(a->store, &put, NULL, e);
}

/* A folder of podgres' own that lies inside PGDATA. */
static void
backup_find_own(struct backup_job *b)
{
	const struct run_options *opt = b->j->opt;
	size_t n = strlen(opt->pgdata);

	if (strncmp(opt->state_dir, opt->pgdata, n) == 0 && opt->state_dir[n] == '/')
		snprintf(b->own, sizeof(b->own), "%.63s", opt->state_dir + n + 1);
}

static int
backup_begin(struct backup_job *b, struct err *e)
{
	if (backup_watch(b, e) < 0 || spec_file_load(&b->spec, b->j->opt, NULL, e) < 0)
		return -1;
	if (shared_read(b->j->board, SEC_PLAN, &b->plan) == 0)
		return err_set(e, ERR_STATE, "postgres was not prepared yet");
	backup_find_own(b);
	return backup_archive_open(b, &b->archive, e);
}

static void
backup_end(struct backup_job *b)
{
	backup_tar_deinit(&b->tar);
	backup_list_deinit(&b->list);
	backup_out_deinit(&b->out);
	replication_close(b->repl);
	backup_info_deinit(&b->info);
	archive_close(b->archive);
	spec_free(b->spec);
	if (b->stop_fd >= 0)
		close(b->stop_fd);
}

static int
backup_args(struct backup_job *b, struct err *e)
{
	char **argv = b->j->argv;

	if (b->j->argc != 6)
		return err_set(e, ERR_INVALID, "job backup: wrong number of arguments");
	b->wish = (struct backup_wish){.name = argv[1],
		.immediate = (int)strtol(argv[2], NULL, 10),
		.incremental = strtol(argv[3], NULL, 10) != 0,
		.keep = (enum order_keep)strtol(argv[4], NULL, 10),
		.rate = strtoll(argv[5], NULL, 10)};
	return 0;
}

int
job_backup_main(struct job *j, struct err *e)
{
	struct backup_job b = {.j = j, .stop_fd = -1};
	bool sweep = j->argc > 0 && strcmp(j->argv[0], "sweep") == 0;
	int rc;

	b.out.b = b.list.b = b.tar.b = &b;
	rc = sweep ? 0 : backup_args(&b, e);
	if (rc == 0)
		rc = backup_begin(&b, e);
	if (rc == 0)
		rc = sweep ? backup_sweep(&b, e) : backup_create(&b, e);
	if (rc < 0 && b.stopped)
		err_set(e, ERR_STATE, "the backup was ended: postgres is being stopped");
	if (rc < 0 && !sweep)
		backup_undo(&b, e);
	backup_end(&b);
	return rc;
}
