/*
 * podgres-wal - the program that archive_command and restore_command name.
 *
 * PostgreSQL starts it for each file of WAL, so it does nothing but ask the archiver over
 * RUN_DIR/wal.sock (protocol: service/archiver.h) and wait: libc alone, no allocation, one page of
 * stack.  The archiver says every few seconds that it is at work; when it is silent for too long,
 * or was restarted meanwhile, the question is asked again, which is harmless: a file that is stored
 * already is stored.
 *
 *   podgres-wal [--socket PATH] archive PATH        %p: 0 stored and verified, else not
 *   podgres-wal [--socket PATH] restore NAME DEST   %f %p: 0 fetched, 1 certainly not there, 255
 *
 * PostgreSQL takes 1 to 125 of a restore_command for "there is no such file", which ends a
 * recovery; so whatever is not that answer is 255, which stops it instead.
 */
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "service/archiver.h"

#define WAL_CONNECT_MS 30000
#define WAL_SILENCE_MS 30000
#define WAL_SEND_S 5
#define WAL_TOTAL_MS (15 * 60 * 1000)
#define WAL_PAUSE_MS 20
#define WAL_PAUSE_MAX_MS 500

#define WAL_EXIT_ABSENT 1
#define WAL_EXIT_TROUBLE 255

struct wal_call {
	const char *socket;
	struct wal_request request;
	int trouble; /* the exit code of whatever goes wrong here */
	long long give_up_ms, connect_by_ms;
};

/* ---- words ---- */

static void
say_to(int fd, const char *s)
{
	ssize_t n = write(fd, s, strlen(s));

	(void)n; /* nobody is left to tell */
}

static void
say(const char *before, const char *what, const char *after)
{
	say_to(STDERR_FILENO, "podgres-wal: ");
	say_to(STDERR_FILENO, before);
	say_to(STDERR_FILENO, what);
	say_to(STDERR_FILENO, after);
	say_to(STDERR_FILENO, "\n");
}

static const char usage[] =
	"usage: podgres-wal [--socket PATH] archive PATH\n"
	"       podgres-wal [--socket PATH] restore NAME DEST\n"
	"\n"
	"archive_command and restore_command of a PostgreSQL that podgres runs.\n"
	"archive exits with 0 once the file is stored and verified, 1 when it is not.\n"
	"restore: 0 when the file is in place, 1 when the archive certainly does not have\n"
	"it, 255 for any other trouble.\n"
	"  --socket PATH  where the archiver listens; default $PODGRES_RUN_DIR/wal.sock,\n"
	"                 /run/podgres/wal.sock\n";

/* ---- time ---- */

static long long
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void
pause_ms(long ms)
{
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	nanosleep(&t, NULL);
}

/* ---- asking ---- */

static int
wal_connect(const struct wal_call *c)
{
	const struct timeval send_wait = {.tv_sec = WAL_SEND_S};
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd;

	memcpy(a.sun_path, c->socket, strlen(c->socket) + 1);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	/* connect() waits, too, while the archiver takes nobody and its queue is full. */
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &send_wait, sizeof(send_wait));
	if (connect(fd, (const struct sockaddr *)&a, sizeof(a)) == 0 &&
		send(fd, &c->request, sizeof(c->request), MSG_NOSIGNAL) == sizeof(c->request))
		return fd;
	close(fd);
	return -1;
}

/* 1: an answer; 0: silence, or the archiver has gone. */
static int
wal_hear(int fd, struct wal_answer *answer)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	for (;;) {
		if (poll(&p, 1, WAL_SILENCE_MS) <= 0)
			return 0;
		if (recv(fd, answer, sizeof(*answer), 0) != sizeof(*answer))
			return 0;
		answer->msg[sizeof(answer->msg) - 1] = '\0';
		if (answer->state != WAL_WORKING)
			return 1;
	}
}

/* One question over one connection.  1: an answer. */
static int
wal_try(struct wal_call *c, struct wal_answer *answer)
{
	int fd = wal_connect(c), heard;

	if (fd < 0)
		return 0;
	heard = wal_hear(fd, answer);
	close(fd);
	c->connect_by_ms = now_ms() + WAL_CONNECT_MS; /* somebody listens, or did until now */
	return heard;
}

static int
wal_ask(struct wal_call *c, struct wal_answer *answer)
{
	long pause = WAL_PAUSE_MS;

	c->give_up_ms = now_ms() + WAL_TOTAL_MS;
	c->connect_by_ms = now_ms() + WAL_CONNECT_MS;
	for (;;) {
		if (wal_try(c, answer))
			return 0;
		if (now_ms() > c->connect_by_ms || now_ms() > c->give_up_ms)
			return -1;
		pause_ms(pause);
		pause = pause * 2 < WAL_PAUSE_MAX_MS ? pause * 2 : WAL_PAUSE_MAX_MS;
	}
}

static int
wal_run(struct wal_call *c)
{
	struct wal_answer answer;

	if (wal_ask(c, &answer) < 0) {
		say("the archiver does not answer on ", c->socket, "");
		return c->trouble;
	}
	if (answer.msg[0])
		say("", answer.msg, "");
	switch (answer.state) {
	case WAL_DONE:
		return 0;
	case WAL_ABSENT:
		return WAL_EXIT_ABSENT;
	default:
		break;
	}
	/* Of a restore only "certainly not there" may look like it. */
	if (c->request.restore || answer.exit_code == 0 || answer.exit_code > 255)
		return c->trouble;
	return (int)answer.exit_code;
}

/* ---- arguments ---- */

static int
put(char *out, size_t size, size_t at, const char *s)
{
	size_t n = strlen(s);

	if (at + n >= size)
		return -1;
	memcpy(out + at, s, n + 1);
	return 0;
}

static int
put_path(char *out, size_t size, const char *path)
{
	if (path[0] == '/')
		return put(out, size, 0, path);
	if (!getcwd(out, size - 1))
		return -1;
	if (put(out, size, strlen(out), "/") < 0)
		return -1;
	return put(out, size, strlen(out), path);
}

static int
wal_request(struct wal_call *c, int argc, char **argv)
{
	struct wal_request *r = &c->request;
	int restore = argc == 3 && strcmp(argv[0], "restore") == 0;
	const char *path, *base, *name;

	if (!restore && (argc != 2 || strcmp(argv[0], "archive") != 0))
		return -1;
	path = argv[argc - 1];
	base = strrchr(path, '/');
	name = restore ? argv[1] : base ? base + 1 : path;
	*r = (struct wal_request){.protocol = WAL_PROTOCOL, .restore = restore ? 1 : 0};
	c->trouble = restore ? WAL_EXIT_TROUBLE : 1;
	if (put(r->name, sizeof(r->name), 0, name) < 0 ||
		put_path(r->path, sizeof(r->path), path) < 0) {
		say("cannot name ", path, ": too long, or the folder is gone");
		_exit(c->trouble);
	}
	return 0;
}

static const char *
wal_socket(char *room, size_t size)
{
	const char *dir = getenv("PODGRES_RUN_DIR");

	if (!dir || !*dir)
		dir = "/run/podgres";
	if (put(room, size, 0, dir) < 0 || put(room, size, strlen(room), "/wal.sock") < 0)
		return "";
	return room;
}

int
main(int argc, char **argv)
{
	static char room[sizeof(((struct sockaddr_un *)0)->sun_path)];
	static struct wal_call c;

	argc--, argv++;
	if (argc >= 1 && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0)) {
		say_to(STDOUT_FILENO, usage);
		return 0;
	}
	if (argc >= 1 && strcmp(argv[0], "--version") == 0) {
		say_to(STDOUT_FILENO, "podgres-wal " PODGRES_VERSION "\n");
		return 0;
	}
	if (argc >= 2 && strcmp(argv[0], "--socket") == 0) {
		c.socket = argv[1];
		argc -= 2, argv += 2;
	} else {
		c.socket = wal_socket(room, sizeof(room));
	}
	/* PostgreSQL must not take a mistake in restore_command for the end of the archive. */
	if (!*c.socket || strlen(c.socket) >= sizeof(room) || wal_request(&c, argc, argv) < 0) {
		say_to(STDERR_FILENO, usage);
		return WAL_EXIT_TROUBLE;
	}
	return wal_run(&c);
}
