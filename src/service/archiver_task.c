/*
 * archiver_task - the life of a worker: one task after the other, until the service has no more.
 *
 * Process: a worker, forked from the archiver.  It gives up everything of the service but its end
 * of the socket and the log, dies with the service, and opens a store when the first task names it.
 */
#include "service/archiver_impl.h"

#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "sys/board.h"
#include "sys/dynlib.h"

#define TASK_FD 3
#define TASK_LOG_FD 4
#define TASK_ATTEMPTS 4
#define TASK_DEAD_US (24 * 3600 * SEC_US)
#define TASK_MAP_BYTES (128 << 10)
#define TASK_REST_MS 1000

struct task_worker {
	const struct archiver *a;
	struct archive *store[RING_SOURCES]; /* opened so far */
	int source[RING_SOURCES];
	size_t stores;
	int64_t deadline_ns;
	bool leased;
	uint64_t throttled; /* as of the last task */
	bool used;          /* a task was done: connected, and all is loaded */
};

/* ---- life ---- */

static void
task_limits(void)
{
	const struct rlimit none = {0, 0};
#ifndef __SANITIZE_ADDRESS__
	const struct rlimit memory = {INT64_C(1) << 30, INT64_C(1) << 30};

	(void)setrlimit(RLIMIT_DATA, &memory);
#endif
	(void)setrlimit(RLIMIT_CORE, &none);
}

/* Nothing of the service may be kept open: a client whose connection we held would wait for ever.
 * The board stays mapped. */
static bool
task_close_all(int fd)
{
	int log_fd;

	if (fd != TASK_FD && dup3(fd, TASK_FD, O_CLOEXEC) < 0)
		return false;
	/* O_NONBLOCK belongs to the open description: our own one. */
	log_fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (log_fd != TASK_LOG_FD && dup3(log_fd < 0 ? 2 : log_fd, TASK_LOG_FD, O_CLOEXEC) < 0)
		return false;
	return close_range(TASK_LOG_FD + 1, ~0U, 0) == 0;
}

static bool
task_begin(const struct archiver *a, int fd)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != a->self)
		return false;
	prctl(PR_SET_NAME, "archiver-worker");
	/* A segment's buffers come from the kernel and go back to it: growing moves no bytes, and
	 * what one large file took does not stay. */
	(void)mallopt(M_MMAP_THRESHOLD, TASK_MAP_BYTES);
	task_limits();
	if (!task_close_all(fd))
		return false;
	log_init(&(struct log_config){.logger = "archiver",
		.pod = a->s->opt->pod_name,
		.level = (enum log_level)a->s->opt->log_level,
		.fd = TASK_LOG_FD});
	return true;
}

/* ---- stores ---- */

static bool
task_cancelled(void *arg)
{
	const struct task_worker *w = arg;
	struct archiver_hold hold = w->a->lease.hold;

	if (w->leased) {
		archiver_lease_read(&hold, w->a->s->board);
		if (!archiver_lease_holds(&hold))
			return true;
	}
	return clock_boot_ns() > w->deadline_ns;
}

static int
task_store(struct task_worker *w, int source, struct archive **out, struct err *e)
{
	const struct spec *spec = w->a->spec;
	const struct archive_patience patience = {
		.attempts = TASK_ATTEMPTS, .cancelled = task_cancelled, .arg = w};
	const char *external = NULL;

	for (size_t i = 0; i < w->stores; i++)
		if (w->source[i] == source) {
			*out = w->store[i];
			return 0;
		}
	must(w->stores < ARRAY_LEN(w->store));
	if (source >= 0 && (size_t)source >= spec->externals)
		return err_set(e, ERR_CONFIG, "there is no external cluster %d", source);
	if (source >= 0)
		external = spec->external[source].name;
	if (archive_open(out, spec, external, w->a->s->opt, &patience, e) < 0)
		return -1;
	w->store[w->stores] = *out;
	w->source[w->stores++] = source;
	dynlib_rest();
	return 0;
}

/* ---- tasks ---- */

static bool
task_folder(const struct archive *a)
{
	return strncmp(a->spec->destination, "file:", 5) == 0;
}

static int
task_push(struct archive *a, const struct archiver_task *task, struct archiver_done *done,
	struct err *e)
{
	struct archive_push_result r = {0};

	if (task->look)
		return archive_push_there(a, task->name, &done->same, e);
	if (archive_push(a,
		    &(struct archive_push){.path = task->path,
			    .name = task->name,
			    .system_id = task->system_id,
			    .segment_bytes = task->segment_bytes,
			    .look = task->flag,
			    .marked = task_folder(a)},
		    &r, e) < 0)
		return -1;
	done->same = r.same;
	done->bytes = r.bytes;
	done->stored_bytes = r.stored_bytes;
	return 0;
}

static int
task_fetch(struct archive *a, const struct archiver_task *task, struct archiver_done *done,
	struct err *e)
{
	const struct archive_fetch fetch = {.name = task->name,
		.path = task->path,
		.system_id = task->system_id,
		.segment_bytes = task->segment_bytes,
		.partial = task->flag,
		.unused = task->unused};

	return archive_fetch(a, &fetch, &done->stored_bytes, e);
}

static int
task_owner(const struct task_worker *w, struct archive *a, const struct archiver_task *task,
	struct err *e)
{
	const struct spec *spec = w->a->spec;
	const struct run_options *opt = w->a->s->opt;
	const struct archive_self self = {.system_id = task->system_id,
		.cluster = *spec->name ? spec->name : opt->cluster_name,
		.name_space = *spec->name_space ? spec->name_space : opt->pod_namespace};

	return archive_owner_check(a, &self, task->flag, e);
}

static int
task_gap(struct archive *a, const struct archiver_task *task, struct err *e)
{
	char key[ARCHIVE_KEY_SIZE], body[128], now[CLOCK_RFC3339_SIZE];
	const struct store_put put = {.key = key, .body = body, .create = true};
	struct store_put p = put;

	if (archive_key(key, e, "%s/podgres/gaps/%s", a->server, task->name) < 0)
		return -1;
	p.len = (size_t)snprintf(body, sizeof(body), "{\"segment\":\"%.63s\",\"at\":\"%s\"}\n",
		task->name, clock_rfc3339_sec(clock_wall_us(), now));
	if (store_put(a->store, &p, NULL, e) == 0)
		return 0;
	/* It is there, written at another second. */
	return e->kind == ERR_CONFLICT ? 0 : -1;
}

/* In a folder the writer's lock says whether it lives, in a bucket only age does. */
static void
task_sweep(struct archive *a)
{
	int64_t before_us = clock_wall_us() - (task_folder(a) ? 0 : TASK_DEAD_US);
	char prefix[ARCHIVE_KEY_SIZE];
	int count = 0;
	struct err e;

	if (archive_key(prefix, &e, "%s/wals/", a->server) < 0)
		return;
	if (store_upload_sweep(a->store, prefix, before_us, &count, &e) < 0)
		log_warning("what killed uploads left was not removed", F_STR("error", e.msg));
	else if (count)
		log_info("removed what killed uploads left", F_INT("uploads", count));
}

static int
task_run(struct task_worker *w, const struct archiver_task *task, struct archiver_done *done,
	struct err *e)
{
	struct archive *a;

	if (task_store(w, task->source, &a, e) < 0)
		return -1;
	store_teach(a->store, task->learnt);
	switch ((enum archiver_task_kind)task->kind) {
	case TASK_PUSH:
		return task_push(a, task, done, e);
	case TASK_FETCH:
		return task_fetch(a, task, done, e);
	case TASK_OWNER:
		return task_owner(w, a, task, e);
	case TASK_CATALOG:
		if (task->sweep)
			task_sweep(a);
		return archiver_catalog(a, task, w->a->s->opt->run_dir, &done->summary, e);
	case TASK_GAP:
		return task_gap(a, task, e);
	}
	return err_set(e, ERR_INVALID, "a task of kind %u", task->kind);
}

static void
task_count(struct task_worker *w, struct archiver_done *done)
{
	uint64_t throttled = 0;

	for (size_t i = 0; i < w->stores; i++) {
		const struct store_stats *st = store_stats(w->store[i]->store);

		throttled += st->throttled;
		if (w->source[i] < 0)
			done->learnt = store_learnt(w->store[i]->store);
		if (done->err_kind && done->code == 0)
			done->code = st->last_status;
	}
	done->throttled = (uint32_t)(throttled - w->throttled);
	w->throttled = throttled;
}

static void
task_do(struct task_worker *w, const struct archiver_task *task, struct archiver_done *done)
{
	struct err e = {0};

	w->deadline_ns = task->deadline_ns;
	w->leased = task->leased;
	done->id = task->id;
	if (task_run(w, task, done, &e) < 0) {
		done->err_kind = e.kind;
		done->code = e.code;
		snprintf(done->msg, sizeof(done->msg), "%s", e.msg);
	}
	task_count(w, done);
}

/* What only one task after the other needs goes when there is a pause. */
static bool
task_wait(const struct task_worker *w, struct archiver_task *task)
{
	struct pollfd p = {.fd = TASK_FD, .events = POLLIN};

	if (poll(&p, 1, TASK_REST_MS) == 0)
		for (size_t i = 0; i < w->stores; i++)
			archive_rest(w->store[i]);
	return recv(TASK_FD, task, sizeof(*task), 0) == (ssize_t)sizeof(*task);
}

void
archiver_worker_main(struct archiver *a, int fd)
{
	static struct task_worker w;
	static struct archiver_task task;
	static struct archiver_done done;

	w = (struct task_worker){.a = a};
	if (!task_begin(a, fd))
		_exit(1);
	while (task_wait(&w, &task)) {
		done = (struct archiver_done){0};
		task_do(&w, &task, &done);
		if (send(TASK_FD, &done, sizeof(done), MSG_NOSIGNAL) != (ssize_t)sizeof(done))
			break;
		if (!w.used)
			dynlib_rest();
		w.used = true;
	}
	_exit(0);
}
