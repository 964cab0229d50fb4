/*
 * sv_upgrade - the supervisor replaces its own program and keeps postgres.
 *
 * Process: supervisor.  Between the end of the old fencer and the first beat of the new supervisor
 * nobody would kill postgres if we stood still; it is the length of one execve, and the deadline is
 * armed again before anything else.
 */
#include "service/sv_upgrade.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "base/clock.h"
#include "base/log.h"
#include "sys/file.h"

#define BATON_ENV "PODGRES_BATON"
#define BATON_MAGIC UINT32_C(0x42415432)
#define BATON_ARGS 8192
#define UPGRADE_LOGGER_MS 300
#define BATON_FDS (6 + SV_FIFOS + SV_LISTENS)

struct baton {
	uint32_t magic;
	uint32_t size;
	int32_t fd[BATON_FDS];
	bool accepted;
	uint32_t promote_from;
	struct sv_fence fence;
	struct sv_lease lease;
	struct supervisor_status st;
};

/* The descriptors that go along, always in this order. */
static size_t
baton_fds(struct sv *sv, int *list[BATON_FDS])
{
	size_t n = 0;

	list[n++] = &sv->log_r;
	list[n++] = &sv->log_w;
	list[n++] = &sv->log_out;
	list[n++] = &sv->lock_state;
	list[n++] = &sv->lock_data;
	for (int i = 0; i < SV_FIFOS; i++)
		list[n++] = &sv->fifo[i];
	for (int i = 0; i < SV_LISTENS; i++)
		list[n++] = &sv->listen[i];
	must(n <= BATON_FDS);
	return n;
}

static void
baton_layout(char *out, size_t size)
{
	snprintf(out, size, "%x-%zu", BATON_MAGIC, sizeof(struct baton));
}

int
sv_baton_ask(const char *layout)
{
	char ours[32];

	baton_layout(ours, sizeof(ours));
	return strcmp(layout, ours) == 0 ? 0 : 75;
}

/* ---- give ---- */

static void
baton_keep(struct sv *sv, bool keep)
{
	int *list[BATON_FDS];
	size_t n = baton_fds(sv, list);

	for (size_t i = 0; i < n; i++)
		if (*list[i] >= 0)
			(void)fcntl(*list[i], F_SETFD, keep ? 0 : FD_CLOEXEC);
}

/* What people look at and no process keeps follows the baton.  A program that does not know it, or
 * another form of a part, leaves that part there. */
static const enum section tail[] = {SEC_PLOT, SEC_LOG};

union baton_part {
	struct plot plot;
	struct log_facts log;
};

static int
baton_write_tail(struct sv *sv, int fd, struct err *e)
{
	static union baton_part part;

	for (size_t i = 0; i < ARRAY_LEN(tail); i++) {
		uint64_t size = shared_sizes[tail[i]];

		must(size <= sizeof(part));
		(void)board_read(sv->board, (int)tail[i], &part, size);
		if (file_write_fd(fd, &size, sizeof(size), e) < 0 ||
			file_write_fd(fd, &part, size, e) < 0)
			return -1;
	}
	return 0;
}

static void
baton_read_tail(struct sv *sv, int fd)
{
	static union baton_part part;
	off_t at = sizeof(struct baton);
	uint64_t size;

	for (size_t i = 0; i < ARRAY_LEN(tail); i++) {
		if (pread(fd, &size, sizeof(size), at) != sizeof(size) || size > INT32_MAX)
			return;
		at += (off_t)sizeof(size);
		if (size == shared_sizes[tail[i]] && size <= sizeof(part) &&
			pread(fd, &part, size, at) == (ssize_t)size)
			board_write(sv->board, (int)tail[i], &part, size);
		at += (off_t)size;
	}
}

static int
baton_write(struct sv *sv, int *out, struct err *e)
{
	static struct baton b;
	/* Made to outlive the exec. */
	AUTO(close)
	int fd = memfd_create("podgres-baton", 0); // NOLINT(android-cloexec-memfd-create)
	int *list[BATON_FDS];
	size_t n = baton_fds(sv, list);
	char text[16];

	if (fd < 0)
		return err_sys(e, "make the baton");
	b = (struct baton){.magic = BATON_MAGIC,
		.size = sizeof(b),
		.accepted = sv->pg_accepted,
		.promote_from = sv->promote_from,
		.fence = sv->fence,
		.lease = sv->lease};
	b.st = sv->st;
	for (size_t i = 0; i < n; i++)
		b.fd[i] = *list[i];
	if (file_write_fd(fd, &b, sizeof(b), e) < 0 || baton_write_tail(sv, fd, e) < 0)
		return -1;
	snprintf(text, sizeof(text), "%d", fd);
	if (setenv(BATON_ENV, text, 1) < 0)
		return err_sys(e, "pass the baton");
	*out = fd;
	fd = -1;
	return 0;
}

/* The file we were started from, or the one that has taken its name since. */
static int
upgrade_program(char *out, size_t size, struct err *e)
{
	static const char gone[] = " (deleted)";
	ssize_t n = readlink("/proc/self/exe", out, size - 1);
	size_t len;

	if (n < 0)
		return err_sys(e, "find our own program");
	out[n] = '\0';
	len = (size_t)n;
	if (len > sizeof(gone) && strcmp(out + len - (sizeof(gone) - 1), gone) == 0)
		out[len - (sizeof(gone) - 1)] = '\0';
	if (access(out, X_OK) < 0)
		return err_sys(e, "%s", out);
	return 0;
}

static int
upgrade_args(char *text, size_t size, const char **argv, size_t max, struct err *e)
{
	size_t len = 0, n = 0;

	if (file_read_some("/proc/self/cmdline", text, size - 1, &len, e) < 0)
		return -1;
	text[len] = '\0';
	for (size_t at = 0; at < len && n + 1 < max; at += strlen(text + at) + 1)
		argv[n++] = text + at;
	argv[n] = NULL;
	return 0;
}

static int
upgrade_exec(struct sv *sv, struct err *e)
{
	static char program[FILE_PATH_MAX], args[BATON_ARGS];
	static const char *argv[256];
	AUTO(close) int fd = -1;
	char *const *list;

	if (upgrade_program(program, sizeof(program), e) < 0 ||
		upgrade_args(args, sizeof(args), argv, ARRAY_LEN(argv), e) < 0 ||
		baton_write(sv, &fd, e) < 0)
		return -1;
	memcpy(&list, &(const char **){argv}, sizeof(list));
	baton_keep(sv, true);
	(void)!sv_arm(sv);
	execv(program, list);
	(void)err_sys(e, "exec %s", program);
	baton_keep(sv, false);
	unsetenv(BATON_ENV);
	return -1;
}

static void
upgrade_now(struct sv *sv)
{
	struct err e;

	log_info("upgrade: the program is replaced now", F_INT("postgres_pid", sv->st.pg_pid));
	sv_services_end(sv, UPGRADE_LOGGER_MS);
	if (upgrade_exec(sv, &e) == 0)
		return;
	sv->done = false;
	log_error("upgrade failed: the old program goes on", F_STR("error", e.msg));
	sv_services_start(sv);
}

static void
upgrade_asked(struct proc *p, const struct proc_exit *how, void *arg)
{
	struct sv *sv = arg;

	(void)p;
	sv->upgrading = false;
	if (how->code == 0 && sv->pg && !sv->stopping_pg)
		upgrade_now(sv);
	else
		log_error("upgrade refused by the new program", F_INT("code", how->code),
			F_INT("signal", how->sig),
			F_STR("hint", "it does not run here or takes over no such version: restart "
				      "the pod instead"));
}

static const char *
upgrade_obstacle(const struct sv *sv)
{
	if (sv->want_stop || sv->ending.on)
		return "podgres is stopping";
	if (!sv->pg || sv->stopping_pg || !sv->pg_accepted)
		return "postgres is not running calmly";
	if (sv->st.state != FSM_PRIMARY && sv->st.state != FSM_STANDBY)
		return "the state is changing";
	if (sv->job[SV_MAIN].proc || sv->job[SV_SIDE].proc || sv->job[SV_BACKUP].proc)
		return "a job is running";
	return sv->upgrading ? "an upgrade is under way" : NULL;
}

void
sv_upgrade(struct sv *sv)
{
	static char program[FILE_PATH_MAX];
	const char *why = upgrade_obstacle(sv);
	char layout[32];
	const char *argv[] = {"podgres", "service", "baton", layout, NULL};
	struct proc_spec spec = {.name = "baton",
		.program = program,
		.argv = argv,
		.envp = environ,
		.in_fd = -1,
		.out_fd = sv->log_w,
		.on_exit = upgrade_asked,
		.arg = sv};
	struct proc *p;
	struct err e;

	baton_layout(layout, sizeof(layout));
	if (why) {
		log_warning("upgrade refused", F_STR("reason", why));
		return;
	}
	if (upgrade_program(program, sizeof(program), &e) < 0 ||
		proc_start(sv->procs, &spec, &p, &e) < 0) {
		log_error("upgrade failed", F_STR("error", e.msg));
		return;
	}
	sv->upgrading = true;
}

/* ---- take ---- */

/* No service runs yet: monitor and logger go on behind it. */
void
sv_baton_board(struct sv *sv)
{
	AUTO(close) int fd = sv->baton;

	sv->baton = -1;
	if (fd < 0)
		return;
	/* Jobs look for the plan there, and nobody shall take an empty board for the truth. */
	memset(sv->st.service, 0, sizeof(sv->st.service));
	shared_write(sv->board, SEC_PLAN, &sv->st.plan);
	shared_write(sv->board, SEC_SUPERVISOR, &sv->st);
	baton_read_tail(sv, fd);
}

int
sv_baton_take(struct sv *sv, struct err *e)
{
	const char *text = getenv(BATON_ENV);
	static struct baton b;
	AUTO(close) int fd = -1;
	int *list[BATON_FDS];
	size_t n = baton_fds(sv, list);

	if (!text)
		return 0;
	fd = (int)strtol(text, NULL, 10);
	unsetenv(BATON_ENV);
	if (pread(fd, &b, sizeof(b), 0) != sizeof(b) || b.magic != BATON_MAGIC ||
		b.size != sizeof(b))
		return err_set(e, ERR_CORRUPT, "the baton of the former program is damaged");
	for (size_t i = 0; i < n; i++)
		*list[i] = b.fd[i];
	baton_keep(sv, false);
	sv->st = b.st;
	sv->fence = b.fence;
	sv->lease = b.lease;
	sv->pg_accepted = b.accepted;
	sv->promote_from = b.promote_from;
	sv->resumed = true;
	sv->baton = fd;
	fd = -1;
	return 1;
}

int
sv_baton_resume(struct sv *sv, struct err *e)
{
	sv->prepared = true;
	for (int i = 0; i < SHARED_OPERATIONS; i++)
		sv->op_mark[i] = sv->st.pg_starts;
	if (sv_pg_adopt(sv, sv->st.pg_pid, e) < 0)
		return -1;
	if (!sv_arm(sv))
		return err_set(e, ERR_STATE, "the deadline of the fencer has passed");
	log_info("upgrade done: postgres was taken over", F_INT("postgres_pid", sv->st.pg_pid));
	return 0;
}
