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

/* ---- one thing each ---- */

static void
what_follows_is_fetched_before_it_is_asked_for(void **state)
{
	static struct world w;
	struct ring_verdict v;
	struct ring_stats stats;

	(void)state;
	world_make(&w, 4, 1);
	for (uint64_t s = 1; s <= 20; s++)
		put(&w, 0, name_of(1, s), HAS);
	assert_int_equal(get(&w, name_of(1, 1), &v), RING_SERVED);
	assert_false(v.hit);
	work(&w);
	for (uint64_t s = 2; s <= 20; s++) {
		assert_int_equal(
			ring_ask(w.ring, 9, name_of(1, s), DIR "/RECOVERYXLOG", &v), RING_SERVED);
		assert_true(v.hit);
		assert_string_equal(served(&w)->name, name_of(1, s));
		work(&w);
	}
	ring_stats(w.ring, &stats);
	assert_int_equal(stats.hits, 19);
	assert_int_equal(w.fetches, 21); /* and one that is not there */
	assert_int_equal(get(&w, name_of(1, 21), NULL), RING_ABSENT);
	assert_true(w.held_max <= 8);
	ring_gone(&w);
	for (int i = 0; i < FILES; i++)
		assert_null(strstr(w.file[i].path, RING_DIR));
}

static void
the_depth_grows_when_postgres_waits(void **state)
{
	static struct world w;
	struct ring_stats stats;
	struct ring_verdict v;

	(void)state;
	world_make(&w, 4, 1);
	for (uint64_t s = 1; s <= 40; s++)
		put(&w, 0, name_of(1, s), HAS);
	get(&w, name_of(1, 1), NULL);
	ring_stats(w.ring, &stats);
	assert_int_equal(stats.depth, 4);
	start_all(&w);
	assert_int_equal(ring_ask(w.ring, 3, name_of(1, 2), DIR "/RECOVERYXLOG", &v), RING_WAIT);
	work(&w);
	ring_stats(w.ring, &stats);
	assert_int_equal(stats.depth, 8);
	assert_int_equal(stats.late, 1);
	ring_gone(&w);
}

static void
absence_is_remembered_for_two_seconds(void **state)
{
	static struct world w;

	(void)state;
	world_make(&w, 1, 2);
	assert_int_equal(get(&w, name_of(1, 5), NULL), RING_ABSENT);
	assert_int_equal(get(&w, "00000002.history", NULL), RING_ABSENT);
	assert_int_equal(w.fetches, 4); /* two names, two sources */
	put(&w, 0, name_of(1, 5), HAS);
	wait_s(&w, 1);
	assert_int_equal(get(&w, name_of(1, 5), NULL), RING_ABSENT);
	assert_int_equal(w.fetches, 4);
	wait_s(&w, 1.1);
	assert_int_equal(get(&w, name_of(1, 5), NULL), RING_SERVED);
	ring_gone(&w);
}

static void
a_store_out_of_reach_is_not_an_absent_file(void **state)
{
	static struct world w;
	struct ring_verdict v;
	int64_t began;

	(void)state;
	world_make(&w, 1, 2);
	put(&w, 1, name_of(1, 5), DOWN); /* the first says no, the second nothing */
	began = w.now_ns;
	assert_int_equal(get(&w, name_of(1, 5), &v), RING_FAILED);
	assert_non_null(strstr(v.msg, "503"));
	assert_true(w.now_ns - began >= 60 * SEC_MS * MS_NS);
	assert_true(w.now_ns - began < 80 * SEC_MS * MS_NS);
	ring_gone(&w);
}

static void
the_second_source_serves_when_the_first_is_down(void **state)
{
	static struct world w;

	(void)state;
	world_make(&w, 1, 2);
	put(&w, 0, name_of(1, 5), DOWN);
	put(&w, 1, name_of(1, 5), HAS);
	assert_int_equal(get(&w, name_of(1, 5), NULL), RING_SERVED);
	ring_gone(&w);
}

static void
a_damaged_object_fails_soon_and_is_never_served(void **state)
{
	static struct world w;
	struct ring_verdict v;
	int64_t began;

	(void)state;
	world_make(&w, 1, 1);
	put(&w, 0, name_of(1, 5), BAD);
	began = w.now_ns;
	assert_int_equal(get(&w, name_of(1, 5), &v), RING_FAILED);
	assert_non_null(strstr(v.msg, "3 bytes"));
	assert_true(w.now_ns - began < 20 * SEC_MS * MS_NS);
	assert_null(file_at(&w, DIR "/RECOVERYXLOG"));
	ring_gone(&w);
}

static void
nothing_is_served_beyond_the_switch(void **state)
{
	static struct world w;
	struct ring_verdict v;

	(void)state;
	world_make(&w, 2, 1);
	snprintf(w.history[2].text, 512, "1\t0/540000\tno recovery target\n"); /* in segment 5 */
	put(&w, 0, "00000002.history", HAS);
	for (uint64_t s = 1; s < 9; s++)
		put(&w, 0, name_of(1, s), HAS);
	assert_int_equal(get(&w, "00000002.history", NULL), RING_SERVED);
	assert_int_equal(get(&w, name_of(1, 4), NULL), RING_SERVED);
	assert_int_equal(served(&w)->cut, 0);
	assert_int_equal(get(&w, name_of(1, 5), NULL), RING_SERVED);
	assert_int_equal(served(&w)->cut, 0x40000);
	assert_int_equal(get(&w, name_of(1, 6), &v), RING_ABSENT);
	put(&w, 0, name_of(2, 6), HAS);
	wait_s(&w, 3);
	assert_int_equal(get(&w, name_of(2, 6), NULL), RING_SERVED);
	assert_string_equal(served(&w)->name, name_of(2, 6));
	ring_gone(&w);
}

static void
what_was_fetched_before_the_history_came_is_not_served_either(void **state)
{
	static struct world w;

	(void)state;
	world_make(&w, 4, 1);
	snprintf(w.history[2].text, 512, "1\t0/500000\tno recovery target\n");
	for (uint64_t s = 1; s < 9; s++)
		put(&w, 0, name_of(1, s), HAS);
	assert_int_equal(get(&w, name_of(1, 4), NULL), RING_SERVED);
	work(&w); /* 5 ... 8 lie ready */
	put(&w, 0, "00000002.history", HAS);
	assert_int_equal(get(&w, "00000002.history", NULL), RING_SERVED);
	assert_int_equal(get(&w, name_of(1, 5), NULL), RING_ABSENT);
	ring_gone(&w);
}

static void
a_history_that_postgres_refuses_changes_nothing(void **state)
{
	static struct world w;

	(void)state;
	world_make(&w, 1, 1);
	snprintf(w.history[2].text, 512, "1\t0/500000\tx\n");
	snprintf(w.history[3].text, 512, "1\t0/300000\tx\n");                 /* no child of 2 */
	snprintf(w.history[4].text, 512, "1\t0/500000\tx\n2\t0/700000\tx\n"); /* too late */
	for (uint64_t s = 1; s < 30; s++) {
		put(&w, 0, name_of(1, s), HAS);
		put(&w, 0, name_of(2, s), HAS);
	}
	for (int t = 2; t <= 4; t++) {
		char name[64];

		snprintf(name, sizeof(name), "%08X.history", (unsigned)t);
		put(&w, 0, name, HAS);
	}
	get(&w, "00000002.history", NULL);
	get(&w, "00000003.history", NULL);
	assert_int_equal(get(&w, name_of(1, 4), NULL), RING_SERVED);
	for (uint64_t s = 5; s < 20; s++)
		assert_int_equal(get(&w, name_of(2, s), NULL), RING_SERVED);
	get(&w, "00000004.history", NULL);
	assert_int_equal(get(&w, name_of(2, 20), NULL), RING_SERVED);
	ring_gone(&w);
}

static void
a_new_archiver_learns_the_timeline_from_pg_wal(void **state)
{
	static struct world w;
	struct file *f;

	(void)state;
	world_make(&w, 1, 1);
	f = file_of(&w, "");
	snprintf(f->path, sizeof(f->path), "%s", DIR "/00000002.history");
	snprintf(f->name, sizeof(f->name), "00000002.history");
	snprintf(w.history[2].text, 512, "1\t0/500000\tx\n");
	put(&w, 0, name_of(1, 6), HAS);
	assert_int_equal(get(&w, name_of(2, 6), NULL), RING_ABSENT);
	assert_int_equal(get(&w, name_of(1, 6), NULL), RING_ABSENT);
	assert_int_equal(w.fetches, 1);
	ring_gone(&w);
}

static void
a_client_that_went_away_gets_no_verdict(void **state)
{
	static struct world w;
	struct ring_verdict v;

	(void)state;
	world_make(&w, 1, 1);
	put(&w, 0, name_of(1, 6), HAS);
	assert_int_equal(ring_ask(w.ring, 5, name_of(1, 6), DIR "/RECOVERYXLOG", &v), RING_WAIT);
	start_all(&w);
	ring_forget(w.ring, 5);
	work(&w);
	assert_false(ring_verdict(w.ring, &v));
	assert_int_equal(ring_ask(w.ring, 6, name_of(1, 6), DIR "/RECOVERYXLOG", &v), RING_SERVED);
	ring_gone(&w);
}

static void
two_clients_may_want_the_same_file(void **state)
{
	static struct world w;
	struct ring_verdict v;
	unsigned seen = 0;

	(void)state;
	world_make(&w, 1, 1);
	put(&w, 0, name_of(1, 6), HAS);
	assert_int_equal(ring_ask(w.ring, 1, name_of(1, 6), DIR "/a", &v), RING_WAIT);
	assert_int_equal(ring_ask(w.ring, 2, name_of(1, 6), DIR "/b", &v), RING_WAIT);
	work(&w);
	while (ring_verdict(w.ring, &v)) {
		assert_int_equal(v.state, RING_SERVED);
		seen |= (unsigned)v.who;
	}
	assert_int_equal(seen, 3);
	assert_non_null(file_at(&w, DIR "/a"));
	assert_non_null(file_at(&w, DIR "/b"));
	ring_gone(&w);
}

static void
those_who_wait_outlive_a_reset(void **state)
{
	static struct world w;
	struct ring_spec spec = {
		.parallel = 1, .source = {0}, .sources = 1, .ops = &ops, .arg = &w};
	struct ring_verdict v;

	(void)state;
	world_make(&w, 1, 1);
	put(&w, 1, name_of(1, 6), HAS);
	assert_int_equal(ring_ask(w.ring, 1, name_of(1, 6), DIR "/a", &v), RING_WAIT);
	start_all(&w);
	ring_reset(w.ring, &spec);
	work(&w);
	assert_true(ring_verdict(w.ring, &v));
	assert_int_equal(v.state, RING_SERVED);
	spec.sources = 0;
	assert_int_equal(ring_ask(w.ring, 1, name_of(1, 9), DIR "/a", &v), RING_WAIT);
	ring_reset(w.ring, &spec);
	assert_true(ring_verdict(w.ring, &v));
	assert_int_equal(v.state, RING_ABSENT);
	ring_gone(&w);
}

static void
big_segments_are_few(void **state)
{
	static struct world w;
	struct ring_spec spec = {.parallel = 8,
		.source = {-1},
		.sources = 1,
		.segment_bytes = (uint32_t)512 << 20,
		.ops = &ops,
		.arg = &w};
	struct ring_stats stats;

	(void)state;
	world_make(&w, 8, 1);
	ring_reset(w.ring, &spec);
	for (int s = 1; s < 8; s++) {
		char name[64];

		snprintf(name, sizeof(name), "0000000100000000%08X", (unsigned)s);
		put(&w, 0, name, HAS);
	}
	assert_int_equal(get(&w, "000000010000000000000001", NULL), RING_SERVED);
	work(&w);
	ring_stats(w.ring, &stats);
	assert_int_equal(stats.held, 2);
	ring_gone(&w);
}

/* ---- a random world and a postgres that restores from it ---- */

#define LINES 5

struct tree {
	int parent[LINES + 1];
	uint64_t leave[LINES + 1]; /* where the timeline left its parent */
	uint64_t end;
};

static void
tree_make(struct world *w, struct tree *t)
{
	t->end = 12 + dice(w, 12);
	for (int n = 2; n <= LINES; n++) {
		uint64_t from;

		t->parent[n] = 1 + (int)dice(w, (unsigned)n - 1);
		from = t->parent[n] > 1 ? t->leave[t->parent[n]] : SEG * 2;
		t->leave[n] = from + 8 * (1 + dice(w, 4 * SEG / 8));
	}
	for (int n = 1; n <= LINES; n++) {
		char line[LINES][64], name[64], at[LINEAGE_LSN_SIZE];
		int lines = 0;

		for (int k = n; k > 1; k = t->parent[k])
			snprintf(line[lines++], 64, "%d\t%s\tx\n", t->parent[k],
				lineage_lsn_text(t->leave[k], at));
		w->history[n].text[0] = '\0';
		while (lines > 0)
			strncat(w->history[n].text, line[--lines], 64);
		snprintf(name, sizeof(name), "%08X.history", (unsigned)n);
		if (n > 1)
			put(w, (int)dice(w, 2), name, HAS);
	}
}

/* Every timeline goes on to the end, as if each old primary had written on. */
static void
stores_fill(struct world *w, const struct tree *t)
{
	for (int n = 1; n <= LINES; n++) {
		for (uint64_t s = n > 1 ? t->leave[n] / SEG : 1; s < t->end; s++) {
			unsigned luck = dice(w, 20);

			if (luck == 0)
				continue; /* nowhere */
			put(w, (int)dice(w, 2), name_of((uint32_t)n, s), HAS);
			if (luck == 1)
				put(w, (int)dice(w, 2), name_of((uint32_t)n, s), DOWN);
			if (luck == 2)
				put(w, (int)dice(w, 2), name_of((uint32_t)n, s), HAS);
		}
	}
}

static bool
nobody_has(struct world *w, const char *name)
{
	const struct object *o = object_of(w, name, false);

	return !o || (o->state[0] == 0 && o->state[1] == 0);
}

/* Where the line that ends with `target` leaves timeline n; UINT64_MAX: never. */
static uint64_t
left_at(const struct tree *t, int target, int n)
{
	for (int k = target; k > 1; k = t->parent[k])
		if (t->parent[k] == n)
			return t->leave[k];
	return UINT64_MAX;
}

static void
check_segment(struct world *w, const struct tree *t, int target, int n, uint64_t s)
{
	uint64_t left = left_at(t, target, n);
	struct ring_verdict v;
	char name[64];

	snprintf(name, sizeof(name), "%s", name_of((uint32_t)n, s));
	switch (get(w, name, &v)) {
	case RING_SERVED:
		assert_string_equal(served(w)->name, name);
		assert_true(s * SEG < left);
		assert_int_equal(
			served(w)->cut, left < (s + 1) * SEG ? (uint32_t)(left - s * SEG) : 0);
		break;
	case RING_ABSENT:
		assert_true(nobody_has(w, name) || s * SEG >= left);
		break;
	default:
		assert_false(nobody_has(w, name));
		break;
	}
}

/* As XLogFileReadAnyTLI: the newest that had begun, then the older ones, whatever their end. */
static void
restore(struct world *w, const struct tree *t, int target)
{
	for (uint64_t s = 1; s < t->end; s++) {
		for (int n = target;; n = t->parent[n]) {
			if (n == 1 || t->leave[n] / SEG <= s)
				check_segment(w, t, target, n, s);
			if (n == 1)
				break;
			if (dice(w, 4) == 0)
				wait_s(w, 0.3 * dice(w, 10));
		}
	}
}

static void
no_random_world_gets_a_wrong_segment_or_a_false_absence(void **state)
{
	static struct world w;
	struct tree t;

	(void)state;
	for (unsigned round = 1; round <= 150; round++) {
		struct ring_verdict v;
		char name[64];
		int target;

		world_make(&w, 1 + (int)(round % 6), 2);
		w.seed = round * 7919;
		w.flaky = round % 3 ? 0 : 15;
		tree_make(&w, &t);
		stores_fill(&w, &t);
		target = 2 + (int)dice(&w, LINES - 1);
		snprintf(name, sizeof(name), "%08X.history", (unsigned)target);
		assert_int_equal(get(&w, name, &v), RING_SERVED);
		restore(&w, &t, target);
		assert_true(w.held_max <= 2 * (1 + (int)(round % 6)));
		ring_gone(&w);
	}
}

/* ---- sources ---- */

static void
a_recovery_reads_its_source_alone(void **state)
{
	char none[] = "", old[] = "old", main_[] = "main";
	struct spec_external external[2] = {
		{.name = old, .store.set = true}, {.name = main_, .store.set = true}};
	struct spec spec = {.bootstrap = SPEC_BOOT_RECOVERY,
		.recovery = {.set = true, .source = main_},
		.replica_source = none,
		.external = external,
		.externals = 2,
		.backup.store.set = true};
	int out[RING_SOURCES];

	(void)state;
	assert_int_equal(ring_sources(&spec, false, out), 1);
	assert_int_equal(out[0], 1);
	assert_int_equal(ring_sources(&spec, true, out), 1);
	assert_int_equal(out[0], -1);
	spec.replica_enabled = true;
	spec.replica_source = old;
	assert_int_equal(ring_sources(&spec, true, out), 2);
	assert_int_equal(out[0], -1);
	assert_int_equal(out[1], 0);
	spec.recovery.source = none; /* from a backup of its own */
	assert_int_equal(ring_sources(&spec, false, out), 1);
	assert_int_equal(out[0], -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_follows_is_fetched_before_it_is_asked_for),
		cmocka_unit_test(the_depth_grows_when_postgres_waits),
		cmocka_unit_test(absence_is_remembered_for_two_seconds),
		cmocka_unit_test(a_store_out_of_reach_is_not_an_absent_file),
		cmocka_unit_test(the_second_source_serves_when_the_first_is_down),
		cmocka_unit_test(a_damaged_object_fails_soon_and_is_never_served),
		cmocka_unit_test(nothing_is_served_beyond_the_switch),
		cmocka_unit_test(what_was_fetched_before_the_history_came_is_not_served_either),
		cmocka_unit_test(a_history_that_postgres_refuses_changes_nothing),
		cmocka_unit_test(a_new_archiver_learns_the_timeline_from_pg_wal),
		cmocka_unit_test(a_client_that_went_away_gets_no_verdict),
		cmocka_unit_test(two_clients_may_want_the_same_file),
		cmocka_unit_test(those_who_wait_outlive_a_reset),
		cmocka_unit_test(big_segments_are_few),
		cmocka_unit_test(no_random_world_gets_a_wrong_segment_or_a_false_absence),
		cmocka_unit_test(a_recovery_reads_its_source_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
