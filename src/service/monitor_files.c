/*
 * monitor_files - PGDATA, disks, memory: what is known without a connection.
 *
 * PGDATA is watched, so that a word of postmaster.pid or a missing pg_control is noticed at once;
 * the look of each second finds the same on file systems that tell nothing.
 */
#include "service/monitor.h"
#include "service/space.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "base/log.h"
#include "pg/wal_dir.h"
#include "sys/cgroup.h"

#define DISK_MS (2 * SEC_MS)
#define WAL_MS (5 * SEC_MS)
#define WAL_COST 1000 /* counting files may take a thousandth of the time */
#define MEMORY_MS (10 * SEC_MS)
#define WATCH_DATA                                                                          \
	(IN_MODIFY | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | \
		IN_MOVE_SELF | IN_ONLYDIR)
#define WATCH_GLOBAL (IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR)

struct path {
	char text[PATH_LEN + 64];
};

static struct path
files_path(const struct monitor *m, const char *below)
{
	struct path p;

	snprintf(p.text, sizeof(p.text), "%s/%s", m->s->opt->pgdata, below);
	return p;
}

static struct path
files_wal(const struct monitor *m)
{
	struct path p = files_path(m, "pg_wal");

	if (m->sup.plan.waldir[0])
		snprintf(p.text, sizeof(p.text), "%s", m->sup.plan.waldir);
	return p;
}

/* ---- postmaster.pid ---- */

void
monitor_files_pidfile(struct monitor *m)
{
	struct pidfile *now = &m->files.pidfile;
	enum pidfile_status before = now->status;

	if (!pidfile_read(m->s->opt->pgdata, now) || now->pid != m->sup.pg_pid)
		*now = (struct pidfile){0};
	if (now->status == PIDFILE_STOPPING && m->facts.accept != PG_ACCEPT_STOPPING) {
		monitor_accept(m, PG_ACCEPT_STOPPING);
		monitor_kept_close(m);
		monitor_probe_close(m);
	} else if (now->status == PIDFILE_STANDBY && m->facts.accept != PG_ACCEPT_NO) {
		monitor_accept(m, PG_ACCEPT_NO);
	} else if (now->status == PIDFILE_READY && before != PIDFILE_READY) {
		monitor_kept_ready(m);
	}
}

/* ---- is the data directory still the one postgres was started on ---- */

enum seen { SEEN_SAME, SEEN_MISSING, SEEN_OTHER };

static enum seen
files_seen(const char *path, bool running, uint64_t *dev, uint64_t *ino)
{
	struct stat st;
	bool known = *ino != 0;

	if (stat(path, &st) < 0)
		return known && (errno == ENOENT || errno == ENOTDIR || errno == ESTALE)
			       ? SEEN_MISSING
			       : SEEN_SAME;
	if (running && known && (*dev != st.st_dev || *ino != st.st_ino))
		return SEEN_OTHER;
	*dev = st.st_dev;
	*ino = st.st_ino;
	return SEEN_SAME;
}

/* postgres writes pg_control in place and PG_VERSION never (13 to 18), so while it runs another
 * inode is another file. */
static void
files_gone(struct monitor *m)
{
	struct monitor_files *f = &m->files;
	bool running = m->sup.pg_pid != 0;
	struct path control = files_path(m, "global/pg_control");
	struct path version = files_path(m, "PG_VERSION");
	enum seen c = files_seen(control.text, running, &f->control_dev, &f->control_ino);
	enum seen v = files_seen(version.text, running, &f->version_dev, &f->version_ino);
	bool gone = c != SEEN_SAME || v != SEEN_SAME;

	if (gone)
		snprintf(f->gone, sizeof(f->gone), "the data directory is damaged: %s %s",
			c != SEEN_SAME ? "global/pg_control" : "PG_VERSION",
			(c != SEEN_SAME ? c : v) == SEEN_MISSING ? "is missing"
								 : "was replaced by another file");
	else
		f->gone[0] = '\0';
	if (gone && !m->facts.data_gone)
		log_error(f->gone, F_STR("pgdata", m->s->opt->pgdata));
	m->facts.data_gone = gone;
}

/* pg_control begins with the system identifier (pg_control.h: struct ControlFileData). */
static void
files_control(struct monitor *m)
{
	struct pg_facts *f = &m->facts;
	struct path path = files_path(m, "global/pg_control");
	AUTO(close) int fd = open(path.text, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, f->control, sizeof(f->control));

	f->control_bytes = n > 0 ? (uint32_t)n : 0;
	if (f->control_bytes >= sizeof(f->system_id))
		memcpy(&f->system_id, f->control, sizeof(f->system_id));
}

/* ---- watching ---- */

static bool
files_is_control(const struct inotify_event *ev)
{
	return ev->len &&
	       (strcmp(ev->name, "pg_control") == 0 || strcmp(ev->name, "PG_VERSION") == 0 ||
		       strcmp(ev->name, "global") == 0);
}

static void
files_on_event(struct loop_fd *src, uint32_t events, void *arg)
{
	struct monitor *m = arg;
	char raw[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	bool pidfile = false, control = false;
	ssize_t n;

	(void)events;
	while ((n = read(src->fd, raw, sizeof(raw))) > 0) {
		for (char *at = raw; at < raw + n;) {
			const struct inotify_event *ev = (const void *)at;

			pidfile |= ev->len && strcmp(ev->name, "postmaster.pid") == 0;
			control |= files_is_control(ev);
			if (ev->mask & (IN_IGNORED | IN_MOVE_SELF | IN_Q_OVERFLOW)) {
				m->files.watching = false;
				pidfile = control = true;
			}
			at += sizeof(*ev) + ev->len;
		}
	}
	if (pidfile)
		monitor_files_pidfile(m);
	if (control) {
		files_gone(m);
		monitor_publish_if_new(m);
	}
}

/* Without it everything still works, a second later. */
static void
files_watch(struct monitor *m)
{
	struct path global = files_path(m, "global");

	if (m->files.inotify < 0 || m->files.watching)
		return;
	m->files.watching =
		inotify_add_watch(m->files.inotify, m->s->opt->pgdata, WATCH_DATA) >= 0 &&
		inotify_add_watch(m->files.inotify, global.text, WATCH_GLOBAL) >= 0;
}

int
monitor_files_init(struct monitor *m, struct err *e)
{
	struct monitor_files *f = &m->files;
	struct pg_facts *p = &m->facts;

	f->src.fd = -1;
	p->ready_wal_files = -1;
	p->disk_data_total = p->disk_data_free = p->disk_wal_total = p->disk_wal_free = -1;
	p->wal_bytes = -1;
	p->wal_files = p->done_wal_files = -1;
	p->memory_used = p->memory_limit = -1;
	f->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (f->inotify < 0) {
		log_warning("files are not watched, only looked at each second",
			F_STR("error", strerror(errno)));
		return 0;
	}
	files_watch(m);
	return loop_add(
		m->s->loop, loop_fd_init(&f->src, files_on_event, m), f->inotify, EPOLLIN, e);
}

void
monitor_files_deinit(struct monitor *m)
{
	loop_remove(m->s->loop, &m->files.src);
	if (m->files.inotify >= 0)
		close(m->files.inotify);
	m->files.inotify = -1;
}

void
monitor_files_new_postmaster(struct monitor *m)
{
	struct monitor_files *f = &m->files;

	f->watching = false;
	f->state = 0;
	f->blocked = 0;
	f->pidfile = (struct pidfile){0};
	if (m->sup.pg_pid)
		f->control_ino = f->version_ino = 0;
	files_watch(m);
	files_gone(m);
	monitor_files_pidfile(m);
}

/* ---- now and then ---- */

static void
files_volume(const char *path, int64_t *total, int64_t *available)
{
	struct statvfs v;

	must(path);
	*total = *available = -1;
	if (statvfs(path, &v) < 0)
		return;
	*total = (int64_t)(v.f_blocks * v.f_frsize);
	*available = (int64_t)(v.f_bavail * v.f_frsize);
}

static void
files_disk(struct monitor *m, int64_t now)
{
	struct pg_facts *f = &m->facts;
	struct path wal = files_wal(m);

	if (now < m->files.disk_due_ns)
		return;
	m->files.disk_due_ns = now + (DISK_MS - SEC_MS / 2) * MS_NS;
	files_volume(m->s->opt->pgdata, &f->disk_data_total, &f->disk_data_free);
	files_volume(wal.text, &f->disk_wal_total, &f->disk_wal_free);
	f->reserve_present = space_reserve_present(wal.text);
}

static void
files_wal_look(struct monitor *m, int64_t now)
{
	struct path dir = files_wal(m);
	struct wal_dir wal;
	struct err e;
	int64_t took_ns;

	if (now < m->files.wal_due_ns)
		return;
	if (wal_dir_look(dir.text, &wal, &e) < 0)
		wal = (struct wal_dir){.bytes = -1, .files = -1, .ready = -1, .done = -1};
	m->facts.wal_bytes = wal.bytes;
	m->facts.wal_files = wal.files;
	m->facts.done_wal_files = wal.done;
	m->facts.ready_wal_files = wal.ready;
	took_ns = clock_boot_ns() - now;
	m->files.wal_due_ns =
		now + (took_ns * WAL_COST > WAL_MS * MS_NS ? took_ns * WAL_COST : WAL_MS * MS_NS);
}

static void
files_history(struct monitor *m)
{
	struct lineage_entry entry[PG_HISTORY];
	struct lineage_history history = {.entry = entry, .max = PG_HISTORY};
	struct pg_facts *f = &m->facts;
	struct path wal = files_wal(m);
	struct err e;

	if (!f->known || f->timeline == m->files.history_timeline)
		return;
	m->files.history_timeline = f->timeline;
	if (wal_dir_history(wal.text, f->timeline, &history, &e) < 0) {
		log_debug("no history of the timeline", F_STR("error", e.msg));
		m->files.history_timeline = 0; /* it may come yet */
	}
	f->histories = (uint32_t)history.n;
	memset(f->history, 0, sizeof(f->history));
	for (size_t i = 0; i < history.n; i++) {
		f->history[i].timeline = entry[i].timeline;
		f->history[i].lsn = entry[i].lsn;
		memcpy(f->history[i].reason, entry[i].reason, sizeof(f->history[i].reason));
	}
}

static void
files_memory(struct monitor *m, int64_t now)
{
	int64_t total, available;

	if (now < m->files.memory_due_ns)
		return;
	m->files.memory_due_ns = now + (MEMORY_MS - SEC_MS / 2) * MS_NS;
	for (int i = 0; i < SERVICES; i++) {
		pid_t pid = i == SERVICE_SUPERVISOR ? getppid() : m->sup.service[i].pid;

		m->facts.rss_bytes[i] = pid > 0 ? procfs_rss_bytes(pid) : 0;
	}
	m->facts.memory_used = cgroup_memory_used(NULL);
	m->facts.memory_limit = cgroup_memory_limit(NULL);
	files_volume("/dev/shm", &total, &available);
	m->facts.shm_percent = total > 0 ? (uint32_t)((total - available) * 100 / total) : 0;
}

static void
files_process(struct monitor *m)
{
	struct monitor_files *f = &m->files;
	struct procfs_stat st = {0};

	if (m->sup.pg_pid && !procfs_stat(m->sup.pg_pid, &st))
		st.state = 'X';
	f->state = st.state;
	f->blocked = st.state == 'D' ? f->blocked + 1 : 0;
}

void
monitor_files_look(struct monitor *m)
{
	int64_t now = clock_boot_ns();

	files_watch(m);
	monitor_files_pidfile(m);
	files_process(m);
	files_gone(m);
	files_control(m);
	files_disk(m, now);
	files_wal_look(m, now);
	files_history(m);
	files_memory(m, now);
}
