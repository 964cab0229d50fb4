/*
 * archiver - WAL goes out and comes in: the service.
 *
 * Process: archiver.  It serves from the first moment to the last: while PGDATA is being restored,
 * while postgres is down, fenced or gone.  The manifest is read again when the supervisor has a new
 * plan; a manifest that says something else ends what is under way, so that a change of the
 * destination helps against an attempt that is stuck.
 */
#include "service/archiver_impl.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "service/frame.h"
#include "service/spec_file.h"
#include "sys/channel.h"
#include "sys/file.h"

#define MANIFEST_MAX (4 << 20)
#define MANIFEST_AGAIN_MS 5000
#define FETCH_DEADLINE_MS 120000
#define CATALOG_DEADLINE_MS (10 * 60 * SEC_MS)
#define CATALOG_AGAIN_MS 60000
#define SWEEP_EVERY_MS (6 * 60 * 60 * SEC_MS)

bool
archiver_is_primary(const struct archiver *a)
{
	return a->sup.plan.generation > 0 && !a->sup.plan.standby;
}

/* ---- the manifest ---- */

static void
manifest_hash(const struct archiver *a, char out[SHA256_HEX_SIZE])
{
	AUTO(buf_deinit) struct buf text = {0};
	struct sha256 s;
	struct err e;

	if (*a->s->opt->config && file_read(&text, a->s->opt->config, MANIFEST_MAX, &e) < 0)
		log_debug("manifest not read", F_STR("error", e.msg));
	sha256_init(&s);
	sha256_put(&s, buf_str(&text), text.len);
	sha256_end_hex(&s, out);
}

static void
manifest_say(struct archiver *a)
{
	const struct spec_store *st = &a->spec->backup.store;
	struct archive_facts *f = &a->facts;

	f->destination[0] = '\0';
	if (a->has_store)
		snprintf(f->destination, sizeof(f->destination), "%.*s/%s",
			(int)strcspn(st->destination, "?"), st->destination, st->server_name);
	if (a->has_store)
		log_info("WAL goes to the archive", F_STR("destination", f->destination),
			F_INT("parallel", st->wal_parallel),
			F_STR("compression", *st->wal_compression ? st->wal_compression : "none"));
	else
		log_warning("nothing is archived: what this volume loses is lost",
			F_STR("hint", "name a destination in spec.backup.barmanObjectStore"));
}

static void
manifest_load(struct archiver *a)
{
	char hash[SHA256_HEX_SIZE];
	struct spec *spec = NULL;
	struct err e;

	manifest_hash(a, hash);
	if (a->spec && strcmp(hash, a->manifest_hash) == 0)
		return;
	if (spec_file_load(&spec, a->s->opt, NULL, &e) < 0) {
		log_error("the manifest is broken: the archive stays as it was",
			F_STR("error", e.msg));
		return;
	}
	/* Nobody may hold what is freed now: workers have their own copy of it. */
	memcpy(a->manifest_hash, hash, sizeof(hash));
	struct spec *old = a->spec;

	a->spec = spec;
	a->has_store = spec->backup.store.set && *spec->backup.store.destination;
	archiver_workers_kill(a);
	archiver_push_reset(a);
	a->ring_cluster = false;
	a->catalog_due_ns = 0;
	a->ring_stale = true;
	archiver_schedule_set(&a->schedule, spec, clock_wall_us());
	archiver_continuous_stop(a);
	manifest_say(a);
	spec_free(old);
}

/* ---- the ring ---- */

static int
ring_parallel(const struct archiver *a)
{
	int n = a->has_store ? a->spec->backup.store.wal_parallel : 1;

	for (int i = 0; i < a->ring_spec.sources; i++) {
		int k = a->ring_spec.source[i];

		if (k >= 0 && a->spec->external[k].store.wal_parallel > n)
			n = a->spec->external[k].store.wal_parallel;
	}
	return n < 1 ? 1 : n > ARCHIVER_WORKERS / 2 ? ARCHIVER_WORKERS / 2 : n;
}

static bool
cluster_exists(const struct archiver *a)
{
	char path[PATH_LEN + 32];

	snprintf(path, sizeof(path), "%s/global/pg_control", a->s->opt->pgdata);
	return access(path, F_OK) == 0;
}

static void
ring_look(struct archiver *a)
{
	struct ring_spec *r = &a->ring_spec;
	bool there = cluster_exists(a);
	bool same = there == a->ring_cluster && a->sup.pg_starts == a->ring_starts &&
		    (!there || a->system_id == r->system_id);
	struct err e;

	if (!a->spec || (a->ring && same && !a->ring_stale))
		return;
	a->ring_cluster = there;
	a->ring_starts = a->sup.pg_starts;
	a->ring_stale = false;
	*r = (struct ring_spec){.segment_bytes = there ? a->queue.segment_bytes : 0,
		.system_id = there ? a->system_id : 0,
		.ops = &ring_files,
		.labels = a->ring_label};
	r->sources = ring_sources(a->spec, there, r->source);
	r->parallel = ring_parallel(a);
	for (int i = 0; i < r->sources; i++)
		a->ring_label[i] = r->source[i] < 0 ? "own" : a->spec->external[r->source[i]].name;
	if (a->ring)
		ring_reset(a->ring, r);
	else if (ring_new(&a->ring, r, &e) < 0)
		log_error("WAL cannot be fetched", F_STR("error", e.msg));
	else if (a->wal_dir[0])
		ring_clear(a->ring, a->wal_dir);
}

/* A standby may come up before the first thing was ever archived, and finds its end elsewhere; a
 * recovery that is not one ends where the archive ends. */
static bool
ring_unused(const struct archiver *a, int source)
{
	const struct archive_facts *f = &a->facts;

	return source < 0 && a->sup.plan.standby && !f->restored && !f->archived && !f->backups;
}

static void
ring_start(struct archiver *a)
{
	struct archiver_task task;
	bool ahead = false;
	struct err e;

	if (!a->ring)
		return;
	while (archiver_busy(a, WORKER_FETCH) <= a->ring_spec.parallel &&
		ring_next(a->ring, &task, &ahead)) {
		uint64_t job = archiver_job_begin(a, task.name, true, ahead);

		task.unused = ring_unused(a, task.source);
		if (!task.deadline_ns)
			task.deadline_ns = clock_boot_ns() + FETCH_DEADLINE_MS * MS_NS;
		if (archiver_start(a, WORKER_FETCH, &task, job, &e) == 0)
			continue;
		struct archiver_done done = {.id = task.id, .err_kind = ERR_BUSY};

		snprintf(done.msg, sizeof(done.msg), "%s", e.msg);
		archiver_job_end(a, job, ARCHIVE_JOB_FAILED, &done);
		(void)ring_done(a->ring, &done);
		return;
	}
}

static void
fetch_done(struct archiver *a, const struct archiver_worker *w, const struct archiver_done *done)
{
	enum archive_job_state state = ARCHIVE_JOB_DONE;

	if (done->err_kind)
		state = done->err_kind == ERR_NOTFOUND ? ARCHIVE_JOB_ABSENT : ARCHIVE_JOB_FAILED;
	archiver_job_end(a, w->job, state, done);
	if (a->ring)
		(void)ring_done(a->ring, done);
}

/* ---- the catalogue ---- */

static void
catalog_start(struct archiver *a)
{
	struct archiver_task task = {.kind = TASK_CATALOG, .source = -1, .flag = a->catalog_all};
	int64_t now = clock_boot_ns();
	struct err e;

	if (!a->has_store || a->health.owner != OWNER_OURS || now < a->catalog_due_ns ||
		archiver_busy(a, WORKER_CARE) || a->drain.on)
		return;
	a->catalog_due_ns = now + CATALOG_AGAIN_MS * MS_NS;
	a->catalog_all = false;
	task.sweep = archiver_may_write(a) && now >= a->sweep_due_ns;
	if (task.sweep)
		a->sweep_due_ns = now + SWEEP_EVERY_MS * MS_NS;
	task.id = ++a->tasks;
	task.segment_bytes = a->queue.segment_bytes;
	task.system_id = a->system_id;
	task.deadline_ns = now + CATALOG_DEADLINE_MS * MS_NS;
	snprintf(task.name, sizeof(task.name), "catalogue");
	if (archiver_start(a, WORKER_CARE, &task, 0, &e) < 0)
		log_debug("the catalogue is not read", F_STR("error", e.msg));
}

static void
catalog_done(struct archiver *a, const struct archiver_done *done)
{
	const struct archiver_summary *c = &done->summary;
	struct archive_facts *f = &a->facts;

	if (done->err_kind == ERR_BUSY)
		return; /* the configuration changed */
	if (done->err_kind || !c->catalog_wall_us) {
		if (!a->catalog_fails++)
			log_warning("the catalogue could not be read", F_STR("error", done->msg));
		return;
	}
	if (a->catalog_fails)
		log_info(
			"the catalogue can be read again", F_INT("failed_tries", a->catalog_fails));
	a->catalog_fails = 0;
	a->catalog_due_ns = clock_boot_ns() + CATALOG_EVERY_MS * MS_NS;
	f->catalog_wall_us = c->catalog_wall_us;
	f->backups = c->backups;
	memcpy(f->last_backup, c->last_backup, sizeof(f->last_backup));
	memcpy(f->last_failed_backup, c->last_failed_backup, sizeof(f->last_failed_backup));
	f->last_backup_wall_us = c->last_backup_wall_us;
	f->last_backup_bytes = c->last_backup_bytes;
	f->last_backup_stored = c->last_backup_stored;
	f->last_backup_ms = c->last_backup_ms;
	f->last_failed_backup_wall_us = c->last_failed_backup_wall_us;
	f->drill_wall_us = c->drill.good_wall_us;
	f->drill_ms = c->drill.good_ms;
	f->drill_failed = c->drill.failed;
	f->first_point_wall_us = c->first_point_wall_us;
	f->last_point_wall_us = c->last_point_wall_us;
	f->gaps = c->gaps + a->gaps.n;
	f->broken_window = c->broken_window || a->gaps.n > 0;
	a->dirty = true;
	service_poke(a->s);
}

/* ---- the schedules ---- */

static int
schedule_send(void *arg, uint64_t id, const struct order *o, struct err *e)
{
	struct archiver *a = arg;
	struct channel_msg msg;

	channel_msg_init(&msg, MSG_ORDER, id, o, sizeof(*o));
	return channel_send(a->s->channel.fd, &msg, e);
}

static void
schedule_tick(struct archiver *a)
{
	const struct archiver_schedule_now now = {.wall_us = clock_wall_us(),
		.ready = a->sup.pg_phase == PG_PHASE_ACCEPTING && !a->stopping_ns &&
			 a->facts.state == ARCHIVE_STATE_OK,
		.standby = !archiver_is_primary(a),
		.standby_elsewhere = a->pg.replicas > 0 && a->spec && a->spec->instances > 1};
	int64_t next = archiver_schedule_next(&a->schedule);

	if (!a->spec || !a->has_store)
		return;
	archiver_schedule_tick(&a->schedule, &now);
	if (a->facts.next_backup_wall_us != next) {
		a->facts.next_backup_wall_us = next;
		a->dirty = true;
	}
}

static void
schedule_reply(struct archiver *a, const struct channel_msg *msg)
{
	struct order_reply reply;

	if (!channel_body(msg, &reply, sizeof(reply)))
		return;
	if (msg->id == ARCHIVER_GAP_ORDER)
		archiver_gap_reply(a, &reply);
	else
		(void)archiver_schedule_reply(&a->schedule, msg->id, &reply, clock_wall_us());
}

/* ---- what ended, what comes next ---- */

void
archiver_done(struct archiver *a, const struct archiver_worker *w, const struct archiver_done *done)
{
	if (done->learnt)
		a->health.learnt = done->learnt;
	switch ((enum archiver_task_kind)w->task.kind) {
	case TASK_PUSH:
		archiver_push_done(a, w, done);
		break;
	case TASK_FETCH:
		fetch_done(a, w, done);
		break;
	case TASK_OWNER:
		archiver_owner_done(a, w, done);
		break;
	case TASK_CATALOG:
		catalog_done(a, done);
		break;
	case TASK_GAP:
		archiver_gap_done(a, w, done);
		break;
	}
	loop_timer_in(a->s->loop, &a->again, 0);
}

void
archiver_pump(struct archiver *a)
{
	int64_t wants = CLOCK_NEVER, patience;

	if (a->ring)
		wants = ring_tick(a->ring, clock_boot_ns());
	archiver_sock_ring(a);
	archiver_drain_look(a);
	archiver_push_start(a);
	ring_start(a);
	archiver_sock_ring(a);
	catalog_start(a);
	patience = archiver_sock_patience(a);
	wants = patience < wants ? patience : wants;
	if (wants != CLOCK_NEVER)
		loop_timer_at(a->s->loop, &a->again, wants);
	if (a->dirty)
		archiver_facts_publish(a);
}

static void
archiver_on_again(struct loop_timer *t, void *arg)
{
	(void)t;
	archiver_pump(arg);
}

/* ---- what the supervisor says ---- */

static void
look_cluster(struct archiver *a)
{
	const struct plan *plan = &a->sup.plan;

	if (plan->waldir[0])
		snprintf(a->wal_dir, sizeof(a->wal_dir), "%s", plan->waldir);
	else
		snprintf(a->wal_dir, sizeof(a->wal_dir), "%.500s/pg_wal", a->s->opt->pgdata);
	if (plan->system_id == a->system_id && plan->wal_segment_bytes == a->queue.segment_bytes)
		return;
	if (a->system_id)
		archiver_workers_kill(a); /* what they do is of the former cluster */
	a->system_id = plan->system_id;
	queue_clear(&a->queue, plan->wal_segment_bytes);
	exposure_forget(&a->exposure);
	a->ring_stale = true;
	archiver_push_reset(a);
}

static void
look_stopping(struct archiver *a)
{
	bool now = a->sup.pg_phase == PG_PHASE_STOPPING || a->sup.stopping;

	if (!now)
		a->stopping_ns = a->stop_waited_ns = 0;
	else if (!a->stopping_ns)
		a->stopping_ns = clock_boot_ns();
}

static void
archiver_look(struct archiver *a)
{
	bool was_primary = archiver_is_primary(a);

	shared_read(a->s->board, SEC_SUPERVISOR, &a->sup);
	shared_read(a->s->board, SEC_POSTGRES, &a->pg);
	look_stopping(a);
	archiver_lease_look(a);
	if (a->sup.plan.generation != a->generation ||
		(!a->spec && clock_boot_ns() > a->manifest_due_ns)) {
		a->generation = a->sup.plan.generation;
		a->manifest_due_ns = clock_boot_ns() + MANIFEST_AGAIN_MS * MS_NS;
		manifest_load(a);
		look_cluster(a);
	}
	ring_look(a);
	if (archiver_is_primary(a) && !was_primary && a->ring)
		ring_clear(a->ring, a->wal_dir);
}

static void
archiver_on_msg(struct service *s, const struct channel_msg *msg)
{
	struct archiver *a = s->arg;
	int64_t by_ns;

	archiver_look(a);
	if (msg->type == MSG_DRAIN && channel_body(msg, &by_ns, sizeof(by_ns)))
		archiver_drain_begin(a, by_ns);
	if (msg->type == MSG_ORDER_REPLY)
		schedule_reply(a, msg);
	if (msg->type == MSG_CATALOG) {
		a->catalog_due_ns = 0;
		a->catalog_all = true;
	}
	if (a->stopping_ns) {
		archiver_continuous_tick(a);
		archiver_push_tick(a);
	}
	archiver_pump(a);
}

static void
archiver_on_tick(struct service *s)
{
	struct archiver *a = s->arg;

	archiver_look(a);
	archiver_workers_tick(a);
	archiver_sock_tick(a);
	archiver_push_tick(a);
	archiver_scan_tick(a);
	archiver_gap_tick(a);
	schedule_tick(a);
	archiver_continuous_tick(a);
	archiver_pump(a);
	archiver_facts_tick(a);
}

int
service_archiver_main(struct service *s)
{
	static struct archiver a; /* a fork of it is a worker: small, and no heap to copy */
	struct err e;

	a.s = s;
	a.self = getpid();
	a.facts.queue = -1;
	s->arg = &a;
	s->on_msg = archiver_on_msg;
	s->on_tick = archiver_on_tick;
	archiver_lease_init(&a);
	queue_init(&a.queue, archiver_ready, &a);
	loop_timer_init(&a.again, archiver_on_again, &a);
	archiver_gap_load(&a);
	archiver_schedule_init(&a.schedule, s->opt->state_dir);
	a.schedule.send = schedule_send;
	a.schedule.arg = &a;
	if (archiver_sock_init(&a, &e) < 0)
		return frame_fail("archiver", &e);
	archiver_look(&a);
	archiver_pump(&a);
	if (service_run(s, &e) < 0)
		return frame_fail("archiver", &e);
	return 0;
}
