/*
 * archiver_scan - looks at archive_status, which are seldom, and the drain.
 *
 * Process: archiver.  A folder with 200,000 .ready takes a tenth of a second to read, so that it is
 * read at the start, when files are known to wait that nobody asks for, and once for the drain:
 * after postgres has ended for good, everything that is .ready goes out as far as time allows.
 * archive_status itself is PostgreSQL's: it is only read.  What went out in a drain is asked for
 * again after the next start, and found to be stored.
 */
#include "service/archiver_impl.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "pg/wal_dir.h"
#include "sys/file.h"

#define SCAN_AGAIN_MS 30000
#define DRAIN_STUCK_MS 15000 /* nothing went out for so long: the store is not there */
#define DRAIN_FEED 32        /* files in the queue at once */
#define READY ".ready"
#define READY_LEN 6

static bool
scan_path(const struct archiver *a, char *out, size_t size, const char *name, const char *suffix)
{
	return snprintf(out, size, "%s/archive_status/%s%s", a->wal_dir, name, suffix) < (int)size;
}

bool
archiver_ready(void *arg, const char *name)
{
	char path[PATH_LEN + 128];

	return scan_path(arg, path, sizeof(path), name, READY) && access(path, F_OK) == 0;
}

/* "NAME.ready" -> NAME */
static bool
scan_name(const char *file, char out[ARCHIVE_NAME_SIZE])
{
	size_t n = strlen(file);
	struct archive_name parsed;

	if (n <= READY_LEN || n - READY_LEN >= ARCHIVE_NAME_SIZE ||
		strcmp(file + n - READY_LEN, READY) != 0)
		return false;
	memcpy(out, file, n - READY_LEN);
	out[n - READY_LEN] = '\0';
	return archive_name_parse(out, &parsed) != ARCHIVE_OTHER;
}

/* ---- while postgres runs ---- */

static int
scan_each(const char *file, void *arg, struct err *e)
{
	struct archiver *a = arg;
	char name[ARCHIVE_NAME_SIZE];

	(void)e;
	if (scan_name(file, name))
		queue_found(&a->queue, name, clock_boot_ns());
	return 0;
}

static void
scan(struct archiver *a)
{
	char dir[PATH_LEN + 32];
	struct err e;

	a->scan_due_ns = clock_boot_ns() + SCAN_AGAIN_MS * MS_NS;
	if (!scan_path(a, dir, sizeof(dir), "", ""))
		return;
	if (file_each(dir, scan_each, a, &e) < 0) {
		log_debug("archive_status was not read", F_STR("error", e.msg));
		return;
	}
	a->scanned = true;
	if (a->pg.known && !a->pg.in_recovery)
		queue_anchor(&a->queue, a->pg.timeline, a->pg.current_lsn);
}

void
archiver_scan_tick(struct archiver *a)
{
	bool idle = !queue_has_work(&a->queue) && a->health.fails == 0;
	int32_t ready = a->pg.ready_wal_files;
	int64_t now = clock_boot_ns();

	if (!a->has_store || !a->wal_dir[0] || !archiver_is_primary(a) || !a->queue.segment_bytes ||
		a->drain.on || a->sup.pg_phase != PG_PHASE_ACCEPTING || !a->pg.known)
		return;
	if (!a->scanned || !a->queue.anchored ||
		(idle && ready > (int32_t)queue_count(&a->queue, QUEUE_STORED) &&
			now >= a->scan_due_ns))
		scan(a);
}

/* ---- after postgres ---- */

/* History files first, then by name: as PostgreSQL would ask. */
static int
by_order(const void *x, const void *y)
{
	const char *a = x, *b = y;
	bool ha = strstr(a, ".history") != NULL, hb = strstr(b, ".history") != NULL;

	return ha != hb ? (ha ? -1 : 1) : strcmp(a, b);
}

static int
drain_each(const char *file, void *arg, struct err *e)
{
	struct archiver_drain *d = arg;
	char name[ARCHIVE_NAME_SIZE];

	if (!scan_name(file, name))
		return 0;
	if (d->names % 1024 == 0) {
		void *more = reallocarray(d->name, d->names + 1024, sizeof(*d->name));

		if (!more)
			return err_sys(e, "remember %zu names", d->names);
		d->name = more;
	}
	memcpy(d->name[d->names++], name, sizeof(name));
	return 0;
}

static void
drain_end(struct archiver *a, const char *why)
{
	struct archiver_drain *d = &a->drain;

	if (d->done)
		return;
	d->done = true;
	a->facts.drained = true;
	a->facts.left = d->left;
	a->dirty = true;
	log_info("the last WAL was sent", F_INT("files", d->names), F_INT("left", d->left),
		F_STR("because", why));
	archiver_facts_publish(a);
	service_poke(a->s);
}

/* What was sent ahead of PostgreSQL's question is in the archive already. */
static void
drain_forget(struct archiver *a)
{
	struct archiver_drain *d = &a->drain;
	size_t kept = 0;

	for (size_t i = 0; i < d->names; i++) {
		const struct queue_item *it = queue_find(&a->queue, d->name[i]);

		if (!it || it->state != QUEUE_STORED)
			memmove(d->name[kept++], d->name[i], sizeof(*d->name));
	}
	d->names = kept;
	for (size_t i = 0; i < QUEUE_ITEMS; i++)
		if (a->queue.item[i].state == QUEUE_STORED)
			queue_forget(&a->queue.item[i]);
}

void
archiver_drain_begin(struct archiver *a, int64_t by_ns)
{
	struct archiver_drain *d = &a->drain;
	char dir[PATH_LEN + 32];
	struct err e;

	if (d->on)
		return;
	*d = (struct archiver_drain){.on = true, .by_ns = by_ns, .moved_ns = clock_boot_ns()};
	if (!a->has_store || !a->wal_dir[0] || !archiver_is_primary(a)) {
		drain_end(a, "nothing is archived here");
		return;
	}
	if (!scan_path(a, dir, sizeof(dir), "", "") || file_each(dir, drain_each, d, &e) < 0) {
		log_error("archive_status was not read", F_STR("error", e.msg));
		d->left = -1;
		drain_end(a, "archive_status cannot be read");
		return;
	}
	if (d->names)
		qsort(d->name, d->names, sizeof(*d->name), by_order);
	drain_forget(a);
	d->left = (int64_t)d->names;
	a->health.hold_ns = 0;
	a->health.owner_again_ns = 0;
	a->queue.ahead = false;
	archiver_drain_look(a);
}

/* Items that went out make room for the next names. */
static void
drain_feed(struct archiver *a)
{
	struct archiver_drain *d = &a->drain;
	int64_t now = clock_boot_ns();

	while (d->next < d->names &&
		queue_count(&a->queue, QUEUE_WAITING) + queue_count(&a->queue, QUEUE_RUNNING) <
			DRAIN_FEED) {
		struct queue_item *it = queue_ask(&a->queue, d->name[d->next++], now);

		if (it && it->state == QUEUE_FAILED)
			queue_set(it, QUEUE_WAITING, now);
	}
}

/* A transfer over a slow line takes its time; it is not stuck before it has failed. */
static bool
drain_stuck(const struct archiver *a)
{
	return a->health.fails > 0 || queue_count(&a->queue, QUEUE_RUNNING) == 0;
}

void
archiver_drain_look(struct archiver *a)
{
	struct archiver_drain *d = &a->drain;
	int64_t now = clock_boot_ns();

	if (!d->on || d->done)
		return;
	for (size_t i = 0; i < QUEUE_ITEMS; i++)
		if (a->queue.item[i].state == QUEUE_STORED) {
			queue_forget(&a->queue.item[i]);
			d->left--;
		}
	if (archiver_lease_on(a) && !archiver_may_write(a)) {
		drain_end(a, "the Lease is not ours any more: who leads next sends the rest");
		return;
	}
	drain_feed(a);
	if (d->next == d->names && !queue_has_work(&a->queue))
		drain_end(a, d->left ? "what is left cannot be stored" : "nothing is left");
	else if (now > d->by_ns)
		drain_end(a, "the grace period is over");
	else if (drain_stuck(a) && now - d->moved_ns > DRAIN_STUCK_MS * MS_NS)
		drain_end(a, "the store takes nothing");
}
