/*
 * archiver_gap - backup.whenStoreFails: drop-with-gap.
 *
 * Process: archiver.  Who asks for it would rather lose the way back in time than have the database
 * stop for want of room.  While the store fails and pg_wal holds more than allowed, PostgreSQL is
 * told "done" about a segment that was not stored.  That is written down in STATE_DIR first, said
 * loudly, and told to the archive as soon as it can be reached (SERVER/podgres/gaps/SEGMENT), so
 * that nobody takes the window for whole.
 */
#include "service/archiver_impl.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "sys/channel.h"
#include "sys/file.h"

#define GAP_FILE "archive.gaps"
#define GAP_DEADLINE_MS 60000
#define GAP_AGAIN_MS 60000              /* after a refusal */
#define GAP_ORDER_MS (15 * 60 * SEC_MS) /* a backup takes its time */
#define GAP_FREE_PART 10                /* without dropAbove: this part of the volume stays free */
#define GAP_MAX_BYTES (ARCHIVER_GAPS * (ARCHIVE_NAME_SIZE + 1))

static int
gap_path(const struct archiver *a, char out[FILE_PATH_MAX], struct err *e)
{
	return file_join(out, FILE_PATH_MAX, a->s->opt->state_dir, GAP_FILE, e);
}

static void
gap_put(struct archiver *a, const char *name)
{
	struct archiver_gaps *g = &a->gaps;

	if (g->n == ARCHIVER_GAPS)
		return; /* one more changes nothing: the window is broken already */
	snprintf(g->gap[g->n++].name, sizeof(g->gap[0].name), "%s", name);
	a->facts.broken_window = true;
	a->dirty = true;
}

void
archiver_gap_load(struct archiver *a)
{
	AUTO(buf_deinit) struct buf text = {0};
	char path[FILE_PATH_MAX];
	struct err e;

	if (a->gaps.loaded || gap_path(a, path, &e) < 0)
		return;
	a->gaps.loaded = true;
	if (file_read(&text, path, GAP_MAX_BYTES, &e) < 0)
		return; /* mostly there is none */
	for (char *at = text.data, *end; at && (end = strchr(at, '\n')); at = end + 1) {
		*end = '\0';
		if (lineage_name_ok(at))
			gap_put(a, at);
	}
}

static int
gap_note(const struct archiver *a, const char *name, struct err *e)
{
	char path[FILE_PATH_MAX], line[ARCHIVE_NAME_SIZE + 2];
	AUTO(close) int fd = -1;
	int n = snprintf(line, sizeof(line), "%s\n", name);

	if (gap_path(a, path, e) < 0)
		return -1;
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0)
		return file_err(e, "open %s", path);
	if (file_write_fd(fd, line, (size_t)n, e) < 0)
		return -1;
	if (fsync(fd) < 0)
		return file_err(e, "sync %s", path);
	return file_sync(a->s->opt->state_dir, e);
}

/* Dropped segments stay in pg_wal until the next checkpoint: they are as good as gone. */
static int64_t
gap_pending(const struct archiver *a)
{
	char path[FILE_PATH_MAX];
	int64_t n = 0;
	struct err ignored;

	for (size_t i = a->gaps.n; i-- > 0;) {
		if (file_join(path, sizeof(path), a->wal_dir, a->gaps.gap[i].name, &ignored) < 0 ||
			access(path, F_OK) < 0)
			break;
		n++;
	}
	return n * a->queue.segment_bytes;
}

static bool
gap_must(const struct archiver *a)
{
	const struct spec_backup *b = &a->spec->backup;

	if (b->when_down != SPEC_DOWN_DROP || a->health.fails < 2 || !a->pg.known)
		return false;
	if (b->drop_bytes > 0)
		return a->pg.wal_bytes - gap_pending(a) > b->drop_bytes;
	return a->pg.disk_wal_free >= 0 &&
	       a->pg.disk_wal_free + gap_pending(a) < a->pg.disk_wal_total / GAP_FREE_PART;
}

bool
archiver_gap_drop(struct archiver *a, const char *name)
{
	struct err e;

	if (!lineage_name_ok(name) || !gap_must(a))
		return false;
	if (gap_note(a, name, &e) < 0) {
		log_error("a gap could not be noted, so the segment is kept", F_STR("file", name),
			F_STR("error", e.msg));
		return false;
	}
	gap_put(a, name);
	a->facts.gaps++;
	log_error("WAL is dropped without being archived: the window is broken",
		F_STR("file", name), F_INT("pg_wal_bytes", a->pg.wal_bytes),
		F_STR("problem", a->facts.problem),
		F_STR("hint", "repair the store, then take a new base backup: nothing later than "
			      "this segment can be recovered without"));
	return true;
}

void
archiver_gap_start(struct archiver *a)
{
	struct archiver_task task = {.kind = TASK_GAP, .source = -1};
	struct archiver_gaps *g = &a->gaps;
	size_t i = 0;
	struct err e;

	while (i < g->n && g->gap[i].told)
		i++;
	if (!archiver_may_write(a) || g->task || i == g->n || a->health.owner != OWNER_OURS ||
		!a->health.owner_made)
		return;
	task.id = ++a->tasks;
	task.leased = archiver_lease_on(a);
	task.deadline_ns = clock_boot_ns() + GAP_DEADLINE_MS * MS_NS;
	snprintf(task.name, sizeof(task.name), "%s", g->gap[i].name);
	if (archiver_start(a, WORKER_PUSH, &task, 0, &e) == 0)
		g->task = task.id;
}

/* All are told: the note has done its work. */
static void
gap_tidy(struct archiver *a)
{
	char path[FILE_PATH_MAX];
	struct err e;

	for (size_t i = 0; i < a->gaps.n; i++)
		if (!a->gaps.gap[i].told)
			return;
	a->gaps.n = 0;
	a->catalog_due_ns = 0;
	if (gap_path(a, path, &e) < 0 || file_remove(path, &e) < 0)
		log_error("the note of gaps was not removed", F_STR("error", e.msg));
}

void
archiver_gap_done(
	struct archiver *a, const struct archiver_worker *w, const struct archiver_done *done)
{
	struct archiver_gaps *g = &a->gaps;

	g->task = 0;
	if (done->err_kind == ERR_BUSY)
		return;
	if (done->err_kind) {
		archiver_store_failed(a, "a gap", done);
		return;
	}
	archiver_store_worked(a);
	for (size_t i = 0; i < g->n; i++)
		if (strcmp(g->gap[i].name, w->task.name) == 0)
			g->gap[i].told = true;
	gap_tidy(a);
}

/* ---- the base backup that makes the window whole again ---- */

void
archiver_gap_tick(struct archiver *a)
{
	struct archiver_gaps *g = &a->gaps;
	struct channel_msg msg;
	struct order o;
	struct err e;

	if (!a->facts.broken_window || g->n > 0 || clock_boot_ns() < g->order_ns ||
		a->facts.state != ARCHIVE_STATE_OK || !archiver_is_primary(a) || a->stopping_ns ||
		a->sup.pg_phase != PG_PHASE_ACCEPTING)
		return;
	g->order_ns = clock_boot_ns() + GAP_AGAIN_MS * MS_NS;
	order_init(&o, ORDER_BACKUP);
	snprintf(o.by, sizeof(o.by), "archiver");
	snprintf(o.reason, sizeof(o.reason), "WAL was dropped: the window is broken without it");
	channel_msg_init(&msg, MSG_ORDER, ARCHIVER_GAP_ORDER, &o, sizeof(o));
	if (channel_send(a->s->channel.fd, &msg, &e) < 0)
		log_error("a base backup was not asked for", F_STR("error", e.msg));
}

void
archiver_gap_reply(struct archiver *a, const struct order_reply *r)
{
	if (r->err_kind) {
		log_warning("the base backup that a gap asks for was refused",
			F_STR("reason", r->reason));
		return;
	}
	a->gaps.order_ns = clock_boot_ns() + GAP_ORDER_MS * MS_NS;
	log_info("a base backup was asked for, because WAL was dropped",
		F_STR("operation", r->op_id));
}
