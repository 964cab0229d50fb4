/*
 * ring_world - a ring over a made-up disk and made-up stores, for tests.
 */
#pragma once

/* A test need not use all of it. */
#pragma GCC diagnostic ignored "-Wunused-function"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "core/lineage.h"
#include "service/archiver_ring.h"

/* ---- a disk and stores made of names ---- */

#define SEG ((uint32_t)1 << 20)
#define FILES 512
#define OBJECTS 4096
#define DIR "/pg/pg_wal"

enum { HAS = 1, DOWN = 2, BAD = 4 };

struct file {
	char path[PATH_LEN], name[64];
	uint32_t cut;
};

struct object {
	char name[64];
	int state[3]; /* of each source */
};

struct history {
	char text[512];
};

struct world {
	struct file file[FILES];
	struct object object[OBJECTS];
	int objects;
	struct history history[16]; /* by timeline */
	struct ring *ring;
	int64_t now_ns;
	int fetches;
	struct archiver_task pending[64];
	int pendings;
	unsigned seed;
	int flaky; /* percent of fetches that fail though the store is there */
	int held_max;
};

static struct file *
file_at(struct world *w, const char *path)
{
	for (int i = 0; i < FILES; i++)
		if (strcmp(w->file[i].path, path) == 0)
			return &w->file[i];
	return NULL;
}

/* One that must be there. */
static struct file *
file_of(struct world *w, const char *path)
{
	struct file *f = file_at(w, path);

	must(f);
	return f;
}

static int
op_move(void *arg, const char *from, const char *to, struct err *e)
{
	struct file *f = file_at(arg, from), *old = file_at(arg, to);

	if (!f)
		return err_set(e, ERR_NOTFOUND, "no file %s", from);
	if (old)
		*old = (struct file){.path = ""};
	snprintf(f->path, sizeof(f->path), "%s", to);
	return 0;
}

static void
op_drop(void *arg, const char *path)
{
	struct file *f = file_at(arg, path);

	if (f)
		*f = (struct file){.path = ""};
}

static int
op_folder(void *arg, const char *path, bool clear, struct err *e)
{
	(void)arg;
	(void)path;
	(void)clear;
	(void)e;
	return 0;
}

static int
op_cut(void *arg, const char *path, uint32_t from, struct err *e)
{
	(void)e;
	file_of(arg, path)->cut = from;
	return 0;
}

static int
op_read(void *arg, const char *path, struct buf *out, struct err *e)
{
	struct world *w = arg;
	struct file *f = file_at(w, path);
	unsigned timeline;

	if (!f || sscanf(f->name, "%8X", &timeline) != 1)
		return err_set(e, ERR_NOTFOUND, "no file %s", path);
	buf_puts(out, w->history[timeline].text);
	return 0;
}

static const struct ring_ops ops = {op_move, op_drop, op_folder, op_cut, op_read};

static struct object *
object_of(struct world *w, const char *name, bool make)
{
	for (int i = 0; i < w->objects; i++)
		if (strcmp(w->object[i].name, name) == 0)
			return &w->object[i];
	if (!make)
		return NULL;
	assert_true(w->objects < OBJECTS);
	snprintf(w->object[w->objects].name, 64, "%s", name);
	return &w->object[w->objects++];
}

static void
put(struct world *w, int source, const char *name, int state)
{
	object_of(w, name, true)->state[source] = state;
}

static const char *
name_of(uint32_t timeline, uint64_t segment)
{
	static char name[LINEAGE_NAME_SIZE];

	return lineage_name(timeline, segment * SEG, SEG, name);
}

static void
world_make(struct world *w, int parallel, int sources)
{
	struct ring_spec spec = {.parallel = parallel,
		.source = {-1, 0, 1},
		.sources = sources,
		.segment_bytes = SEG,
		.patience_ms = 60000,
		.ops = &ops,
		.arg = w};
	struct err e;

	memset(w, 0, sizeof(*w));
	w->now_ns = 1000 * MS_NS;
	w->seed = 1;
	assert_int_equal(ring_new(&w->ring, &spec, &e), 0);
	ring_tick(w->ring, w->now_ns);
}

static void
wait_s(struct world *w, double s)
{
	w->now_ns += (int64_t)(s * 1e9);
	ring_tick(w->ring, w->now_ns);
}

static unsigned
dice(struct world *w, unsigned n)
{
	w->seed = w->seed * 1103515245u + 12345u;
	return (w->seed >> 16) % n;
}

/* One worker has ended. */
static void
finish(struct world *w, int i)
{
	struct archiver_task t = w->pending[i];
	struct archiver_done d = {.id = t.id};
	struct object *o = object_of(w, t.name, false);
	int state = o ? o->state[t.source + 1] : 0;

	w->pending[i] = w->pending[--w->pendings];
	w->fetches++;
	if (state & DOWN || (w->flaky && dice(w, 100) < (unsigned)w->flaky)) {
		d.err_kind = ERR_REMOTE;
		snprintf(d.msg, sizeof(d.msg), "GET %s: HTTP 503", t.name);
	} else if (state & BAD) {
		d.err_kind = ERR_CORRUPT;
		snprintf(d.msg, sizeof(d.msg), "%s: has 3 bytes", t.name);
	} else if (state & HAS) {
		struct file *f = file_of(w, "");

		snprintf(f->path, sizeof(f->path), "%s", t.path);
		snprintf(f->name, sizeof(f->name), "%s", t.name);
		f->cut = 0;
		d.bytes = SEG;
	} else {
		d.err_kind = ERR_NOTFOUND;
	}
	assert_true(ring_done(w->ring, &d));
}

static void
start_all(struct world *w)
{
	struct ring_stats stats;

	while (w->pendings < 64 && ring_next(w->ring, &w->pending[w->pendings], NULL))
		w->pendings++;
	ring_stats(w->ring, &stats);
	if (stats.held > w->held_max)
		w->held_max = stats.held;
}

static void
work(struct world *w)
{
	start_all(w);
	while (w->pendings > 0) {
		finish(w, 0);
		start_all(w);
	}
}

/* Asks and waits for the verdict; time goes on as long as nothing happens. */
static enum ring_state
get(struct world *w, const char *name, struct ring_verdict *v)
{
	struct ring_verdict mine;

	v = v ? v : &mine;
	if (ring_ask(w->ring, 7, name,
		    strstr(name, "history") ? DIR "/RECOVERYHISTORY" : DIR "/RECOVERYXLOG",
		    v) != RING_WAIT)
		return v->state;
	for (int i = 0; i < 1000; i++) {
		start_all(w);
		if (w->pendings > 0)
			finish(w, (int)dice(w, (unsigned)w->pendings));
		else
			wait_s(w, 1);
		if (ring_verdict(w->ring, v))
			return v->state;
	}
	fail_msg("no verdict for %s", name);
	return RING_FAILED;
}

static const struct file *
served(struct world *w)
{
	return file_of(w, DIR "/RECOVERYXLOG");
}

static void
ring_gone(struct world *w)
{
	w->ring = ring_free(w->ring);
}
