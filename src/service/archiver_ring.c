/*
 * archiver_ring - WAL that postgres asks back: requests, tasks and verdicts.
 *
 * Process: archiver.  Every file is fetched into `.podgres/` beside its destination, whether
 * somebody waits for it or not, and handed over by a rename, so that a half file is never seen.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "service/archiver_ring_impl.h"
#include "sys/file.h"

#define RING_IDLE_NS (10 * 60 * SEC_MS * MS_NS)

/* ---- what is certainly not there ---- */

bool
ring_absent_known(const struct ring *r, const char *name)
{
	for (int i = 0; i < RING_ABSENTS; i++)
		if (r->absent[i].until_ns > r->now_ns && strcmp(r->absent[i].name, name) == 0)
			return true;
	return false;
}

void
ring_stored(struct ring *r, const char *name)
{
	for (int i = 0; i < RING_ABSENTS; i++)
		if (strcmp(r->absent[i].name, name) == 0)
			r->absent[i].until_ns = 0;
}

/* ---- folders ---- */

static void
place_clear(struct ring *r, int place)
{
	struct ring_place *p = &r->place[place];

	for (int i = 0; i < RING_SLOTS; i++)
		if (r->slot[i].state != SLOT_FREE && r->slot[i].place == place)
			ring_slot_drop(r, &r->slot[i]);
	ring_line_deinit(&p->line);
	*p = (struct ring_place){.dir = ""};
}

static bool
place_busy(const struct ring *r, int place)
{
	for (int i = 0; i < RING_WAITERS; i++)
		if (r->waiter[i].who && r->waiter[i].place == place)
			return true;
	return false;
}

/* That of the folder, a new one, or that which was not asked for the longest; -1: all are in use.
 */
static int
place_of(struct ring *r, const char *dir)
{
	int oldest = -1;

	for (int i = 0; i < RING_PLACES; i++)
		if (strcmp(r->place[i].dir, dir) == 0)
			return i;
	for (int i = 0; i < RING_PLACES; i++)
		if (!place_busy(r, i) &&
			(oldest < 0 || r->place[i].asked_ns < r->place[oldest].asked_ns))
			oldest = i;
	if (oldest < 0)
		return -1;
	place_clear(r, oldest);
	snprintf(r->place[oldest].dir, sizeof(r->place[oldest].dir), "%s", dir);
	r->place[oldest].depth = r->spec.parallel > 0 ? r->spec.parallel : 1;
	return oldest;
}

static int
place_make(struct ring *r, struct ring_place *p, struct err *e)
{
	char path[PATH_LEN + 16];

	if (p->made)
		return 0;
	snprintf(path, sizeof(path), "%s/%s", p->dir, RING_DIR);
	if (r->spec.ops->folder(r->spec.arg, path, true, e) < 0)
		return -1;
	p->made = true;
	return 0;
}

/* ---- verdicts ---- */

void
ring_verdict_set(struct ring_verdict *v, enum ring_state state, const char *msg)
{
	v->state = state;
	snprintf(v->msg, sizeof(v->msg), "%s", msg);
}

static void
verdict_count(struct ring *r, const struct ring_verdict *v)
{
	r->stats.hits += v->state == RING_SERVED && v->hit;
	r->stats.absent += v->state == RING_ABSENT;
	r->stats.failed += v->state == RING_FAILED;
}

void
ring_verdict_queue(struct ring *r, struct ring_waiter *w, const struct ring_verdict *v)
{
	verdict_count(r, v);
	/* There are as many places as waiters, and each leaves with one. */
	must(r->verdicts < RING_WAITERS);
	r->verdict[r->verdicts] = *v;
	r->verdict[r->verdicts++].who = w->who;
	w->who = 0;
}

bool
ring_verdict(struct ring *r, struct ring_verdict *out)
{
	if (r->verdicts == 0)
		return false;
	*out = r->verdict[0];
	memmove(r->verdict, r->verdict + 1, (size_t)--r->verdicts * sizeof(r->verdict[0]));
	return true;
}

struct ring_waiter *
ring_waiter_of(struct ring *r, const struct ring_slot *s)
{
	for (int i = 0; i < RING_WAITERS; i++)
		if (r->waiter[i].who && r->waiter[i].place == s->place &&
			strcmp(r->waiter[i].name, s->name) == 0)
			return &r->waiter[i];
	return NULL;
}

/* All who wait for it get the same word, and the slot is free. */
void
ring_slot_end(struct ring *r, struct ring_slot *s, enum ring_state state, const char *msg)
{
	struct ring_verdict v = {.hit = false};
	struct ring_waiter *w;

	snprintf(v.name, sizeof(v.name), "%s", s->name);
	while ((w = ring_waiter_of(r, s))) {
		ring_verdict_set(&v, state, msg);
		ring_verdict_queue(r, w, &v);
	}
	ring_slot_drop(r, s);
}

/* ---- handing over ---- */

/* What the file tells, and what of it must not be told. */
static int
serve_judge(struct ring *r, struct ring_place *p, const struct ring_slot *s, struct err *e)
{
	AUTO(buf_deinit) struct buf text = {0};
	struct archive_name n;
	uint32_t cut;

	if (archive_name_parse(s->name, &n) == ARCHIVE_HISTORY) {
		if (r->spec.ops->read(r->spec.arg, s->path, &text, e) < 0)
			return -1;
		ring_line_history(r, p, n.timeline, &text);
		return 0;
	}
	cut = n.kind == ARCHIVE_SEGMENT ? ring_line_cut(r, p, s->name) : 0;
	if (cut == 0)
		return 0;
	log_info("segment is served up to the switch of timelines", F_STR("wal", s->name),
		F_INT("from", cut));
	return r->spec.ops->cut(r->spec.arg, s->path, cut, e);
}

static void
serve_note(struct ring *r, struct ring_place *p, const struct ring_slot *s)
{
	uint32_t timeline;
	uint64_t segment;

	if (!ring_segment(r, s->name, &timeline, &segment))
		return;
	if (timeline == p->line.timeline && segment * r->segment_bytes > p->line.served)
		p->line.served = segment * r->segment_bytes;
	r->stats.timeline = p->line.timeline;
}

static void
log_denied(struct ring *r, const struct ring_place *p, const char *name)
{
	r->stats.denied++;
	if (r->now_ns < r->denied_log_ns)
		return;
	r->denied_log_ns = r->now_ns + 60 * SEC_MS * MS_NS;
	log_warning("segment is not served: its timeline had been left by then", F_STR("wal", name),
		F_INT("timeline", p->line.timeline));
}

/* A ready file goes to dest.  The slot is free afterwards. */
enum ring_state
ring_slot_serve(struct ring *r, struct ring_slot *s, const char *dest, struct ring_verdict *v)
{
	struct ring_place *p = &r->place[s->place];
	struct err e = {0};

	if (ring_line_denies(r, p, s->name)) {
		log_denied(r, p, s->name);
		ring_verdict_set(v, RING_ABSENT, "its timeline had been left before this segment");
		ring_slot_drop(r, s);
		return v->state;
	}
	if (serve_judge(r, p, s, &e) < 0 || r->spec.ops->move(r->spec.arg, s->path, dest, &e) < 0) {
		ring_verdict_set(v, RING_FAILED, e.msg);
		ring_slot_drop(r, s);
		return v->state;
	}
	serve_note(r, p, s);
	v->bytes = s->bytes;
	v->hit = s->ahead;
	ring_verdict_set(v, RING_SERVED, "");
	s->state = SLOT_FREE;
	return v->state;
}

/* ---- requests ---- */

static int
waiter_put(struct ring *r, uint64_t who, int place, const char *name, const char *dest)
{
	for (int i = 0; i < RING_WAITERS; i++) {
		struct ring_waiter *w = &r->waiter[i];

		if (w->who)
			continue;
		w->who = who;
		w->place = place;
		snprintf(w->name, sizeof(w->name), "%s", name);
		snprintf(w->dest, sizeof(w->dest), "%s", dest);
		return 0;
	}
	return -1;
}

static int
ring_waiting(const struct ring *r)
{
	int n = 0;

	for (int i = 0; i < RING_WAITERS; i++)
		n += r->waiter[i].who != 0;
	return n;
}

/* Postgres goes on: is what it wants next under way? */
void
ring_follow(struct ring *r, int place, const char *name)
{
	struct ring_place *p = &r->place[place];
	uint32_t timeline;
	uint64_t segment;

	if (!ring_segment(r, name, &timeline, &segment))
		return;
	p->at_known = true;
	p->at_timeline = timeline;
	p->at = segment;
	ring_slot_plan(r, place);
}

/* Postgres waits though we knew what it would want. */
static void
ask_late(struct ring *r, int place)
{
	struct ring_place *p = &r->place[place];

	r->stats.late++;
	p->depth *= 2;
}

static enum ring_state
ask_wait(struct ring *r, uint64_t who, int place, const struct ring_waiter *want,
	struct ring_verdict *v)
{
	struct ring_slot *s = ring_slot_find(r, place, want->name);

	if (s && s->ahead) {
		ask_late(r, place);
		s->since_ns = r->now_ns;
	}
	if (!s)
		s = ring_slot_new(r, place, want->name);
	if (!s || ring_waiting(r) + r->verdicts >= RING_WAITERS ||
		waiter_put(r, who, place, want->name, want->dest) < 0) {
		ring_verdict_set(v, RING_FAILED, "too many requests at once");
		return v->state;
	}
	ring_follow(r, place, want->name);
	v->state = RING_WAIT;
	return v->state;
}

static enum ring_state
ask_place(struct ring *r, uint64_t who, int place, const struct ring_waiter *want,
	struct ring_verdict *v)
{
	struct ring_place *p = &r->place[place];
	struct archive_name n;
	struct ring_slot *s;
	struct err e = {0};

	p->asked_ns = r->now_ns;
	if (archive_name_parse(want->name, &n) == ARCHIVE_SEGMENT)
		ring_line_look(r, p, n.timeline);
	if (ring_line_denies(r, p, want->name)) {
		log_denied(r, p, want->name);
		ring_verdict_set(v, RING_ABSENT, "its timeline had been left before this segment");
		return v->state;
	}
	if (r->spec.sources == 0) {
		ring_verdict_set(v, RING_ABSENT, "there is no archive to restore from");
		return v->state;
	}
	s = ring_slot_find(r, place, want->name);
	if (s && s->state == SLOT_READY && ring_slot_serve(r, s, want->dest, v) != RING_FAILED) {
		ring_follow(r, place, want->name);
		return v->state;
	}
	if (ring_absent_known(r, want->name)) {
		ring_verdict_set(v, RING_ABSENT, "");
		return v->state;
	}
	if (place_make(r, p, &e) < 0) {
		ring_verdict_set(v, RING_FAILED, e.msg);
		return v->state;
	}
	return ask_wait(r, who, place, want, v);
}

static enum ring_state
ask(struct ring *r, uint64_t who, const char *name, const char *dest, struct ring_verdict *v)
{
	struct ring_waiter want = {.who = who};
	struct archive_name n;
	char dir[PATH_LEN];
	struct err e = {0};
	int place;

	snprintf(want.name, sizeof(want.name), "%s", name);
	if (strlen(name) >= sizeof(want.name) || archive_name_parse(name, &n) == ARCHIVE_OTHER) {
		ring_verdict_set(v, RING_ABSENT, "is no file that PostgreSQL archives");
		return v->state;
	}
	if (*dest != '/' || strlen(dest) + 1 > sizeof(want.dest) ||
		file_parent(dir, sizeof(dir), dest, &e) < 0) {
		ring_verdict_set(
			v, RING_FAILED, "the destination is no absolute path, or too long");
		return v->state;
	}
	snprintf(want.dest, sizeof(want.dest), "%s", dest);
	place = place_of(r, dir);
	if (place < 0) {
		ring_verdict_set(v, RING_FAILED, "too many requests at once");
		return v->state;
	}
	return ask_place(r, who, place, &want, v);
}

enum ring_state
ring_ask(struct ring *r, uint64_t who, const char *name, const char *dest, struct ring_verdict *v)
{
	*v = (struct ring_verdict){.who = who};
	snprintf(v->name, sizeof(v->name), "%s", name);
	r->stats.asked++;
	ask(r, who, name, dest, v);
	verdict_count(r, v);
	return v->state;
}

void
ring_forget(struct ring *r, uint64_t who)
{
	for (int i = 0; i < RING_WAITERS; i++)
		if (r->waiter[i].who == who)
			r->waiter[i].who = 0;
	for (int i = 0; i < r->verdicts; i++) {
		if (r->verdict[i].who != who)
			continue;
		memmove(&r->verdict[i], &r->verdict[i + 1],
			(size_t)(r->verdicts - i - 1) * sizeof(r->verdict[0]));
		r->verdicts--;
		i--;
	}
}

bool
ring_troubled(const struct ring *r, uint64_t who)
{
	for (int i = 0; i < RING_WAITERS; i++) {
		const struct ring_waiter *w = &r->waiter[i];

		for (int k = 0; w->who == who && k < RING_SLOTS; k++) {
			const struct ring_slot *s = &r->slot[k];

			if (s->state != SLOT_FREE && s->place == w->place &&
				strcmp(s->name, w->name) == 0)
				return s->doubt || s->pause_ms > 0;
		}
	}
	return false;
}

/* ---- time ---- */

static int64_t
tick_slot(struct ring *r, struct ring_slot *s)
{
	if (s->state != SLOT_PAUSED)
		return CLOCK_NEVER;
	if (!ring_awaited(r, s)) {
		ring_slot_drop(r, s);
		return CLOCK_NEVER;
	}
	if (s->retry_ns > r->now_ns)
		return s->retry_ns;
	s->state = SLOT_WANTED;
	return CLOCK_NEVER;
}

int64_t
ring_tick(struct ring *r, int64_t now_ns)
{
	int64_t next = CLOCK_NEVER;

	r->now_ns = now_ns;
	for (int i = 0; i < RING_SLOTS; i++) {
		int64_t at = tick_slot(r, &r->slot[i]);

		next = at < next ? at : next;
	}
	for (int i = 0; i < RING_PLACES; i++) {
		int64_t idle = r->place[i].asked_ns + RING_IDLE_NS;

		if (!*r->place[i].dir || place_busy(r, i))
			continue;
		if (idle <= now_ns)
			place_clear(r, i);
		else
			next = idle < next ? idle : next;
	}
	return next;
}

/* ---- the ring ---- */

int
ring_new(struct ring **out, const struct ring_spec *spec, struct err *e)
{
	struct ring *r = calloc(1, sizeof(*r));

	if (!r)
		return err_sys(e, "make the prefetch ring");
	r->spec = *spec;
	r->segment_bytes = spec->segment_bytes;
	*out = r;
	return 0;
}

struct ring *
ring_free(struct ring *r)
{
	if (!r)
		return NULL;
	for (int i = 0; i < RING_PLACES; i++)
		place_clear(r, i);
	free(r);
	return NULL;
}

void
ring_reset(struct ring *r, const struct ring_spec *spec)
{
	for (int i = 0; i < RING_PLACES; i++) {
		struct ring_place old = r->place[i];

		place_clear(r, i);
		if (!place_busy(r, i))
			continue;
		memcpy(r->place[i].dir, old.dir, sizeof(old.dir));
		r->place[i].made = old.made;
		r->place[i].asked_ns = old.asked_ns;
		r->place[i].depth = spec->parallel > 0 ? spec->parallel : 1;
	}
	r->spec = *spec;
	r->segment_bytes = spec->segment_bytes;
	memset(r->absent, 0, sizeof(r->absent));
	r->ahead_after_ns = 0;
	for (int i = 0; i < RING_WAITERS; i++) {
		const struct ring_waiter *w = &r->waiter[i];

		if (w->who && !ring_slot_find(r, w->place, w->name))
			ring_slot_new(r, w->place, w->name);
	}
	for (int i = 0; i < RING_SLOTS && spec->sources == 0; i++)
		if (r->slot[i].state == SLOT_WANTED)
			ring_slot_end(
				r, &r->slot[i], RING_ABSENT, "there is no archive to restore from");
}

void
ring_clear(struct ring *r, const char *pg_wal)
{
	char path[PATH_LEN + 16];
	struct err e = {0};

	for (int i = 0; i < RING_PLACES; i++) {
		if (strcmp(r->place[i].dir, pg_wal) != 0)
			continue;
		if (place_busy(r, i))
			return;
		place_clear(r, i);
	}
	snprintf(path, sizeof(path), "%s/%s", pg_wal, RING_DIR);
	if (file_exists(path) && r->spec.ops->folder(r->spec.arg, path, true, &e) < 0)
		log_warning("files fetched ahead are not removed", F_STR("error", e.msg));
}

void
ring_stats(const struct ring *r, struct ring_stats *out)
{
	*out = r->stats;
	out->running = ring_running(r);
	out->waiting = ring_waiting(r);
	for (int i = 0; i < RING_SLOTS; i++)
		out->held += r->slot[i].state == SLOT_READY;
	for (int i = 0; i < RING_PLACES; i++)
		if (*r->place[i].dir && r->place[i].depth > out->depth)
			out->depth = r->place[i].depth;
}
