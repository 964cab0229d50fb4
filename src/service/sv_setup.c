/*
 * sv_setup - what the supervisor needs before its first event: descriptors, folders, lock, board.
 *
 * Process: supervisor.  The only part of it that may fail with a message on stderr, and the only
 * one that touches the volume: nothing runs yet.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/log.h"
#include "pg/pgdata.h"
#include "service/sv.h"
#include "service/sv_upgrade.h"
#include "sys/file.h"
#include "sys/lock.h"

#define SV_PIPE_BYTES (1 << 20)
#define SV_LOCK_WAIT_MS 2000 /* a predecessor's postgres may be on its way out */
#define SV_BACKLOG 256
#define SV_LONGEST_SOCKET "/init/.s.PGSQL.65535"

static const char *const fifo_names[SV_FIFOS] = {
	[SV_FIFO_PLAIN] = "postgres",
	[SV_FIFO_JSON] = "postgres.json",
	[SV_FIFO_CSV] = "postgres.csv",
};

/* ---- descriptors ---- */

static int
sv_raise(int *fd, struct err *e)
{
	int high = proc_fd_raise(*fd, e);

	if (high < 0)
		return -1;
	*fd = high;
	return 0;
}

static int
sv_open_signals(struct sv *sv, struct err *e)
{
	static const int ours[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD};
	sigset_t set;

	/* SIGPIPE and the rest that could end us are blocked and never read. */
	sigfillset(&set);
	if (sigprocmask(SIG_SETMASK, &set, NULL) < 0)
		return err_sys(e, "block signals");
	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		sigaddset(&set, ours[i]);
	sv->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (sv->signals < 0)
		return err_sys(e, "receive signals");
	return sv_raise(&sv->signals, e);
}

static int
sv_open_log(struct sv *sv, struct err *e)
{
	int p[2];

	sv->log_out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, PROC_FD_FLOOR);
	if (sv->log_out < 0)
		return err_sys(e, "keep stdout");
	if (pipe2(p, O_CLOEXEC) < 0)
		return err_sys(e, "make the log pipe");
	(void)fcntl(p[1], F_SETPIPE_SZ, SV_PIPE_BYTES); /* the default size will do, too */
	sv->log_r = p[0];
	sv->log_w = p[1];
	if (sv_raise(&sv->log_r, e) < 0 || sv_raise(&sv->log_w, e) < 0)
		return -1;
	return 0;
}

static int
sv_open_own_log(struct sv *sv, struct err *e)
{
	char path[40];

	/* Our own end never blocks; O_NONBLOCK on the one we hand out would reach postgres. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", sv->log_w);
	sv->log_own = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (sv->log_own < 0)
		return err_sys(e, "open the log pipe");
	if (sv_raise(&sv->log_own, e) < 0)
		return -1;
	log_init(&(struct log_config){
		.logger = "supervisor",
		.pod = sv->opt.pod_name,
		.level = (enum log_level)sv->opt.log_level,
		.fd = sv->log_own,
	});
	return 0;
}

/* ---- folders ---- */

static int
sv_own(const struct sv *sv, const char *path, mode_t mode, struct err *e)
{
	if (geteuid() == 0 && chown(path, sv->opt.uid, sv->opt.gid) < 0)
		return err_sys(e, "give %s to user %s", path, sv->opt.user);
	if (chmod(path, mode) < 0)
		return err_sys(e, "set the mode of %s", path);
	return 0;
}

static int
sv_folder(const struct sv *sv, const char *path, struct err *e)
{
	if (file_make_dirs(path, 0755, e) < 0) {
		e->kind = ERR_CONFIG;
		return -1;
	}
	return sv_own(sv, path, 0700, e);
}

/*
 * An emptyDir or a tmpfs for the sockets belongs to root and lets our group or everybody in.  It is
 * taken as it is where it cannot be ours: what lies in it keeps others out by its own mode.
 */
static int
sv_run_folder(const struct sv *sv, struct err *e)
{
	const char *path = sv->opt.run_dir;

	if (sv_folder(sv, path, e) == 0)
		return 0;
	if (e->code != EPERM)
		return -1;
	if (access(path, R_OK | W_OK | X_OK) < 0)
		return err_set(e, ERR_CONFIG,
			"run folder %s: uid %u may not write to it: mount a folder that it may "
			"write to, or name one by --run-dir",
			path, (unsigned)geteuid());
	*e = (struct err){0};
	log_info("the run folder belongs to somebody else", F_STR("path", path));
	return 0;
}

static int
sv_open_fifo(struct sv *sv, int which, struct err *e)
{
	char path[PATH_LEN + 32];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "%s/log/%s", sv->opt.run_dir, fifo_names[which]);
	if (lstat(path, &st) == 0 && !S_ISFIFO(st.st_mode) && unlink(path) < 0)
		return err_sys(e, "remove %s", path);
	if (mkfifo(path, 0600) < 0 && errno != EEXIST)
		return err_sys(e, "make %s", path);
	if (sv_own(sv, path, 0600, e) < 0)
		return -1;
	/* Both ends at once: neither opening it nor writing to it ever waits for a reader. */
	fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "open %s", path);
	(void)fcntl(fd, F_SETPIPE_SZ, SV_PIPE_BYTES);
	sv->fifo[which] = fd;
	return sv_raise(&sv->fifo[which], e);
}

static int
sv_make_folders(struct sv *sv, struct err *e)
{
	char path[PATH_LEN + 8];

	if (sv_run_folder(sv, e) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/log", sv->opt.run_dir);
	if (sv_folder(sv, path, e) < 0)
		return -1;
	for (int i = 0; i < SV_FIFOS; i++)
		if (sv_open_fifo(sv, i, e) < 0)
			return -1;
	return 0;
}

/* ---- listening ---- */

static int
sv_listen_unix(struct sv *sv, int which, const char *name, struct err *e)
{
	/* The archiver's protocol is made of whole messages. */
	int type = which == SV_LISTEN_WAL ? SOCK_SEQPACKET : SOCK_STREAM;
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd;

	/* The longest name below it is that of postgres' socket while a cluster is made. */
	if (strlen(sv->opt.run_dir) + sizeof(SV_LONGEST_SOCKET) > sizeof(a.sun_path))
		return err_set(e, ERR_CONFIG,
			"--run-dir %s is too long for a socket: at most %zu characters",
			sv->opt.run_dir, sizeof(a.sun_path) - sizeof(SV_LONGEST_SOCKET));
	snprintf(a.sun_path, sizeof(a.sun_path), "%.87s/%.18s", sv->opt.run_dir, name);
	unlink(a.sun_path);
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(e, "make %s", a.sun_path);
	sv->listen[which] = fd;
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, SV_BACKLOG) < 0)
		return err_sys(e, "listen on %s", a.sun_path);
	if (sv_own(sv, a.sun_path, 0600, e) < 0)
		return -1;
	return sv_raise(&sv->listen[which], e);
}

/* "0.0.0.0:8000", "[::]:8000", ":8000" */
static int
sv_split_address(const char *text, char *host, size_t size, char *port)
{
	const char *colon = strrchr(text, ':');
	const char *start = text;
	size_t n;

	if (!colon || strlen(colon + 1) == 0 || strlen(colon + 1) > 5)
		return -1;
	n = (size_t)(colon - text);
	if (n >= 2 && text[0] == '[' && text[n - 1] == ']') {
		start = text + 1;
		n -= 2;
	}
	if (n >= size)
		return -1;
	memcpy(host, start, n);
	host[n] = '\0';
	snprintf(port, 6, "%s", colon + 1);
	return 0;
}

static int
sv_bind(const char *text, const struct addrinfo *ai, int *out, struct err *e)
{
	AUTO(close) int fd = -1;
	int on = 1;

	fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(e, "listen on %s", text);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) < 0 || listen(fd, SV_BACKLOG) < 0) {
		(void)err_sys(e, "listen on %s", text);
		e->kind = ERR_CONFIG;
		return -1;
	}
	*out = fd;
	fd = -1;
	return 0;
}

static int
sv_listen_tcp(struct sv *sv, int which, const char *text, struct err *e)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV};
	struct addrinfo *ai = NULL;
	char host[128], port[6];
	int rc;

	if (!*text || strcmp(text, "off") == 0)
		return 0;
	if (sv_split_address(text, host, sizeof(host), port) < 0 ||
		getaddrinfo(*host ? host : NULL, port, &hints, &ai) != 0 || !ai)
		return err_set(e, ERR_CONFIG,
			"cannot listen on \"%s\": expected ADDRESS:PORT with a numeric address",
			text);
	rc = sv_bind(text, ai, &sv->listen[which], e);
	freeaddrinfo(ai);
	return rc < 0 ? -1 : sv_raise(&sv->listen[which], e);
}

/* ---- the volume ---- */

/* With root_squash only the owner may enter: touch the volume as the user of postgres. */
static int
sv_lock_volume(struct sv *sv, struct err *e)
{
	char path[PATH_LEN + 8];
	bool root = geteuid() == 0 && sv->opt.uid != 0;
	struct stat st;
	int rc = 0;

	snprintf(path, sizeof(path), "%s/lock", sv->opt.state_dir);
	if (root && file_is_dir(sv->opt.state_dir) && seteuid(sv->opt.uid) < 0)
		return err_sys(e, "become user %s", sv->opt.user);
	rc = lock_take(&sv->lock_state, path, SV_LOCK_WAIT_MS, e);
	if (rc == 0 && stat(sv->opt.pgdata, &st) == 0)
		rc = lock_take(&sv->lock_data, sv->opt.pgdata, SV_LOCK_WAIT_MS, e);
	/* A folder that is not ours to enter: the preparation says whose it is and what to do. */
	if (rc < 0 && sv->lock_state >= 0 && e->kind == ERR_SYS)
		rc = 0;
	if (root)
		must(seteuid(0) == 0);
	if (rc < 0)
		return -1;
	if (sv_raise(&sv->lock_state, e) < 0)
		return -1;
	return sv->lock_data < 0 ? 0 : sv_raise(&sv->lock_data, e);
}

/* A volume comes empty and owned by root.  Only a folder that holds nothing is given away, never
 * what is below one. */
static int
sv_any_name(const char *name, void *arg, struct err *e)
{
	(void)arg;
	return err_set(e, ERR_STATE, "%s is there", name);
}

static int
sv_own_empty(const struct sv *sv, const char *path, struct err *e)
{
	struct stat st;

	if (geteuid() != 0 || sv->opt.uid == 0)
		return 0;
	if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode) || st.st_uid != 0)
		return 0;
	if (file_each(path, sv_any_name, NULL, e) < 0)
		return 0; /* it holds something: whose it is, the preparation says */
	return sv_own(sv, path, 0700, e);
}

/* As Docker's image does it as root: the user of postgres may not make a folder here itself. */
static int
sv_make_for_user(const struct sv *sv, const char *path, struct err *e)
{
	char parent[FILE_PATH_MAX];
	struct stat st;

	if (geteuid() != 0 || sv->opt.uid == 0 || !*path)
		return 0;
	if (file_exists(path))
		return sv_own_empty(sv, path, e);
	if (file_parent(parent, sizeof(parent), path, e) < 0)
		return -1;
	if (stat(parent, &st) == 0 && st.st_uid == sv->opt.uid)
		return 0;
	return sv_folder(sv, path, e);
}

static int
sv_watch_config(struct sv *sv, struct err *e)
{
	char dir[FILE_PATH_MAX];

	if (!*sv->opt.config)
		return 0;
	sv->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (sv->inotify < 0 || file_parent(dir, sizeof(dir), sv->opt.config, e) < 0 ||
		inotify_add_watch(sv->inotify, dir,
			IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_ONLYDIR) < 0) {
		log_warning("configuration is not watched", F_STR("file", sv->opt.config),
			F_STR("error", strerrordesc_np(errno)),
			F_STR("hint", "send SIGHUP or use `podgres reload` after a change"));
		return 0;
	}
	return sv_raise(&sv->inotify, e);
}

/* ---- all of it ---- */

static void
sv_clear(struct sv *sv)
{
	*sv = (struct sv){.signals = -1,
		.log_r = -1,
		.log_w = -1,
		.log_own = -1,
		.log_out = -1,
		.inotify = -1,
		.lock_state = -1,
		.lock_data = -1,
		.baton = -1,
		.pidfd = -1};
	for (int i = 0; i < SV_FIFOS; i++)
		sv->fifo[i] = -1;
	for (int i = 0; i < SV_LISTENS; i++)
		sv->listen[i] = -1;
	for (int i = 0; i < SERVICES; i++)
		sv->child[i] = (struct sv_child){.sv = sv, .id = (enum service_id)i, .chan = -1};
}

static int
sv_setup_process(struct sv *sv, struct err *e)
{
	/* What our own parent left open is not for services, jobs and postgres. */
	close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
	if (sv_open_signals(sv, e) < 0)
		return -1;
	if (tree_check_proc(e) < 0)
		return -1;
	sv->opt.is_init = getpid() == 1;
	if (!sv->opt.is_init && prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return err_sys(e, "become the reaper of orphans");
	(void)prctl(PR_SET_DUMPABLE, 1);
	umask(022); /* folders on the way to ours may be entered; ours get their modes by name */
	return 0;
}

/* Our folder would be made inside such a PGDATA: refuse before anything is touched. */
static int
sv_check_mount_top(const struct sv *sv, struct err *e)
{
	static struct pgdata d;

	if (pgdata_inspect(&d, sv->opt.pgdata, e) == 0 && d.kind == PGDATA_MOUNT_TOP)
		return pgdata_refuse_mount_top(sv->opt.pgdata, e);
	return 0;
}

static int
sv_setup_volume(struct sv *sv, struct err *e)
{
	char parent[FILE_PATH_MAX];

	if (sv_check_mount_top(sv, e) < 0)
		return -1;
	if (file_parent(parent, sizeof(parent), sv->opt.pgdata, e) < 0 ||
		file_make_dirs(parent, 0755, e) < 0 || sv_own_empty(sv, parent, e) < 0 ||
		sv_make_for_user(sv, sv->opt.pgdata, e) < 0 ||
		sv_make_for_user(sv, sv->opt.waldir, e) < 0)
		return -1;
	if (sv_folder(sv, sv->opt.state_dir, e) < 0)
		return -1;
	return sv_lock_volume(sv, e);
}

static int
sv_setup_board(struct sv *sv, struct err *e)
{
	sv->opt.started_wall_us = clock_wall_us();
	sv->opt.started_boot_ns = clock_boot_ns();
	if (board_create(&sv->board, shared_sizes, SECTIONS, e) < 0)
		return -1;
	shared_write(sv->board, SEC_OPTIONS, &sv->opt);
	sv_baton_board(sv);
	if (loop_new(&sv->loop, e) < 0)
		return -1;
	return proc_set_new(&sv->procs, e);
}

/* What an upgrade hands on: it is open, locked and in use. */
static int
sv_setup_outside(struct sv *sv, struct err *e)
{
	if (sv_setup_volume(sv, e) < 0 || sv_make_folders(sv, e) < 0 || sv_open_log(sv, e) < 0)
		return -1;
	if (sv_listen_unix(sv, SV_LISTEN_CONTROL, "control.sock", e) < 0 ||
		sv_listen_unix(sv, SV_LISTEN_WAL, "wal.sock", e) < 0 ||
		sv_listen_tcp(sv, SV_LISTEN_HTTP, sv->opt.listen, e) < 0)
		return -1;
	return sv_listen_tcp(sv, SV_LISTEN_METRICS, sv->opt.metrics_listen, e);
}

int
sv_setup(struct sv *sv, const struct run_options *opt, struct err *e)
{
	sv_clear(sv);
	sv->opt = *opt;
	if (sv_baton_take(sv, e) < 0 || sv_setup_process(sv, e) < 0)
		return -1;
	if (!sv->resumed && sv_setup_outside(sv, e) < 0)
		return -1;
	if (sv_open_own_log(sv, e) < 0 || sv_watch_config(sv, e) < 0)
		return -1;
	return sv_setup_board(sv, e);
}

void
sv_teardown(struct sv *sv)
{
	sv->loop = loop_free(sv->loop);
	sv->procs = proc_set_free(sv->procs);
	sv->board = board_free(sv->board);
	/* Descriptors, and with them the lock, go with the process. */
}
