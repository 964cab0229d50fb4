/* podgres-wal against a made-up archiver: what it asks, what it makes of the answers. */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/clock.h"
#include "service/archiver.h"

#define SEG "000000010000000000000003"
#define WAIT_MS 10000

struct rig {
	char dir[64], socket[96], program[512], words[1024];
	int listener, pipe;
	pid_t pid;
};

static void
rig_listen(struct rig *r)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", r->socket);
	r->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(r->listener, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(r->listener, 8), 0);
}

static void
rig_make(struct rig *r)
{
	char self[400];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	memset(r, 0, sizeof(*r));
	assert_true(n > 0);
	self[n] = '\0';
	*strrchr(self, '/') = '\0';
	snprintf(r->program, sizeof(r->program), "%s/../../podgres-wal", self);
	snprintf(r->dir, sizeof(r->dir), "/tmp/podgres-wal-XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	snprintf(r->socket, sizeof(r->socket), "%s/wal.sock", r->dir);
	r->listener = -1;
}

static void
rig_end(struct rig *r)
{
	if (r->listener >= 0)
		close(r->listener);
	unlink(r->socket);
	assert_int_equal(rmdir(r->dir), 0);
}

static void
rig_run(struct rig *r, const char *what, const char *a, const char *b)
{
	int p[2];

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	r->pid = fork();
	assert_true(r->pid >= 0);
	if (r->pid == 0) {
		dup2(p[1], STDERR_FILENO);
		if (chdir(r->dir) == 0)
			execl(r->program, "podgres-wal", "--socket", r->socket, what, a, b, NULL);
		_exit(99);
	}
	close(p[1]);
	r->pipe = p[0];
}

/* A question, and the connection to answer it on. */
static int
rig_heard(struct rig *r, struct wal_request *q)
{
	struct pollfd p = {.fd = r->listener, .events = POLLIN};
	int fd;

	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	fd = accept4(r->listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(recv(fd, q, sizeof(*q), 0), sizeof(*q));
	return fd;
}

static void
rig_say(int fd, enum wal_state state, uint32_t code, const char *msg)
{
	struct wal_answer a = {.state = state, .exit_code = code};

	snprintf(a.msg, sizeof(a.msg), "%s", msg);
	assert_int_equal(send(fd, &a, sizeof(a), MSG_NOSIGNAL), sizeof(a));
}

static int
rig_code(struct rig *r)
{
	int status;
	ssize_t n;

	assert_int_equal(waitpid(r->pid, &status, 0), r->pid);
	n = read(r->pipe, r->words, sizeof(r->words) - 1);
	r->words[n > 0 ? n : 0] = '\0';
	close(r->pipe);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* One question, one answer; returns the exit code. */
static int
once(const char *what, enum wal_state state, uint32_t code, const char *msg)
{
	bool archive = strcmp(what, "archive") == 0;
	struct wal_request q;
	struct rig r;
	int fd, exit_code;

	rig_make(&r);
	rig_listen(&r);
	rig_run(&r, what, archive ? "pg_wal/" SEG : SEG, archive ? NULL : "pg_wal/RECOVERYXLOG");
	fd = rig_heard(&r, &q);
	assert_int_equal(q.protocol, WAL_PROTOCOL);
	assert_int_equal(q.restore, archive ? 0 : 1);
	assert_string_equal(q.name, SEG);
	assert_int_equal(strncmp(q.path, r.dir, strlen(r.dir)), 0);
	assert_string_equal(
		q.path + strlen(r.dir), archive ? "/pg_wal/" SEG : "/pg_wal/RECOVERYXLOG");
	rig_say(fd, WAL_WORKING, 0, "");
	rig_say(fd, state, code, msg);
	exit_code = rig_code(&r);
	if (*msg)
		assert_non_null(strstr(r.words, msg));
	else
		assert_string_equal(r.words, "");
	close(fd);
	rig_end(&r);
	return exit_code;
}

static void
archive_ends_as_it_is_told(void **state)
{
	(void)state;
	assert_int_equal(once("archive", WAL_DONE, 0, ""), 0);
	assert_int_equal(once("archive", WAL_FAILED, 1, "HTTP 503"), 1);
	assert_int_equal(once("archive", WAL_FAILED, 0, "no code"), 1);
	assert_int_equal(once("archive", WAL_FAILED, 130, "stopping"), 130);
}

static void
only_certainly_absent_looks_so_to_postgres(void **state)
{
	(void)state;
	assert_int_equal(once("restore", WAL_DONE, 0, ""), 0);
	assert_int_equal(once("restore", WAL_ABSENT, 0, ""), 1);
	assert_int_equal(once("restore", WAL_FAILED, 255, "out of reach"), 255);
	assert_int_equal(once("restore", WAL_FAILED, 1, "a wrong code"), 255);
	assert_int_equal(once("restore", WAL_FAILED, 0, "no code"), 255);
}

static void
an_archiver_that_ends_is_asked_again(void **state)
{
	struct wal_request q;
	struct rig r;
	int fd;

	(void)state;
	rig_make(&r);
	rig_listen(&r);
	rig_run(&r, "archive", "/data/pg_wal/" SEG, NULL);
	for (int i = 0; i < 3; i++)
		close(rig_heard(&r, &q));
	fd = rig_heard(&r, &q);
	assert_string_equal(q.path, "/data/pg_wal/" SEG);
	assert_int_equal(send(fd, "?", 1, 0), 1); /* nonsense is no answer */
	close(fd);
	fd = rig_heard(&r, &q);
	rig_say(fd, WAL_DONE, 0, "");
	assert_int_equal(rig_code(&r), 0);
	close(fd);
	rig_end(&r);
}

static void
an_archiver_that_comes_late_is_waited_for(void **state)
{
	struct wal_request q;
	struct rig r;
	int fd;

	(void)state;
	rig_make(&r);
	rig_run(&r, "restore", SEG, "/data/x");
	poll(NULL, 0, 300); /* it has been refused a few times by now */
	rig_listen(&r);
	fd = rig_heard(&r, &q);
	assert_string_equal(q.path, "/data/x");
	rig_say(fd, WAL_ABSENT, 0, "");
	assert_int_equal(rig_code(&r), 1);
	close(fd);
	rig_end(&r);
}

static void
a_mistake_never_looks_like_the_end_of_the_archive(void **state)
{
	struct rig r;

	(void)state;
	rig_make(&r);
	rig_run(&r, "restore", SEG, NULL);
	assert_int_equal(rig_code(&r), 255);
	assert_non_null(strstr(r.words, "usage"));
	rig_run(&r, "fetch", SEG, "x");
	assert_int_equal(rig_code(&r), 255);
	rig_run(&r, "restore", SEG SEG SEG, "x");
	assert_int_equal(rig_code(&r), 255);
	rig_end(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(archive_ends_as_it_is_told),
		cmocka_unit_test(only_certainly_absent_looks_so_to_postgres),
		cmocka_unit_test(an_archiver_that_ends_is_asked_again),
		cmocka_unit_test(an_archiver_that_comes_late_is_waited_for),
		cmocka_unit_test(a_mistake_never_looks_like_the_end_of_the_archive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
