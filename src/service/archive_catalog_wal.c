/*
 * archive_catalog_wal - the segments of an archive, as runs.
 *
 * Process: workers of the archiver, jobs and commands.  Keys come in order, and in this order the
 * segments of a timeline follow each other, so that a run grows at its end and memory holds what is
 * missing rather than what is there.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "pg/wal_page.h"
#include "service/archive_catalog.h"
#include "sys/file.h"

#define WAL_SEGMENT_DEFAULT (UINT32_C(16) << 20)
#define WAL_STATE_MAGIC UINT64_C(0x314c41576b6e6f50)
#define WAL_STATE_MAX ((size_t)64 << 20)

void
archive_wal_deinit(struct archive_wal *w)
{
	free(w->run);
	free(w->history);
	*w = (struct archive_wal){0};
}

static int
wal_grow(void **list, size_t *room, size_t n, size_t size)
{
	size_t want = *room ? *room * 2 : 16;
	void *more;

	if (n < *room)
		return 0;
	more = realloc(*list, want * size);
	if (!more)
		return -1;
	*list = more;
	*room = want;
	return 0;
}

/* ---- one object ---- */

static int
wal_put_history(struct archive_wal *w, uint32_t timeline, struct err *e)
{
	for (size_t i = 0; i < w->histories; i++)
		if (w->history[i] == timeline)
			return 0;
	if (wal_grow((void **)&w->history, &w->history_room, w->histories, sizeof(*w->history)) < 0)
		return err_sys(e, "remember timeline %u", timeline);
	w->history[w->histories++] = timeline;
	return 0;
}

static int
wal_put_segment(struct archive_wal *w, uint32_t timeline, uint64_t segment,
	const struct store_object *o, struct err *e)
{
	struct catalog_run *last = w->runs ? &w->run[w->runs - 1] : NULL;

	w->tail[w->tails++ % ARCHIVE_WAL_TAIL] =
		(struct archive_wal_tail){timeline, segment, o->bytes};
	if (last && last->timeline == timeline && segment == last->last)
		return 0; /* the same under another extension */
	w->segments++;
	if (last && last->timeline == timeline && segment == last->last + 1) {
		last->last = segment;
		last->last_modified_us = o->modified_us;
		return 0;
	}
	if (wal_grow((void **)&w->run, &w->run_room, w->runs, sizeof(*w->run)) < 0)
		return err_sys(e, "remember a run of segments");
	must(w->run);
	w->run[w->runs++] = (struct catalog_run){timeline, segment, segment, o->modified_us};
	return 0;
}

static int
wal_each(void *arg, const struct store_object *o, struct err *e)
{
	struct archive_wal *w = arg;
	char name[ARCHIVE_NAME_SIZE];
	const char *extension;
	struct archive_name n;
	uint32_t timeline;
	uint64_t lsn;

	w->bytes += o->bytes > 0 ? o->bytes : 0;
	n.kind = ARCHIVE_OTHER;
	if (archive_key_parse(o->key, name, &extension))
		archive_name_parse(name, &n);
	if (n.kind == ARCHIVE_SEGMENT &&
		lineage_name_parse(name, w->segment_bytes, &timeline, &lsn))
		return wal_put_segment(w, timeline, lsn / w->segment_bytes, o, e);
	/* What is no segment is listed again with the segment before it. */
	if (w->tails > 0)
		w->tail[(w->tails - 1) % ARCHIVE_WAL_TAIL].bytes += o->bytes > 0 ? o->bytes : 0;
	return n.kind == ARCHIVE_HISTORY ? wal_put_history(w, n.timeline, e) : 0;
}

/* ---- the size of a segment, where nobody knows it ---- */

struct wal_first {
	char key[STORE_KEY_SIZE];
	unsigned char head[WAL_PAGE_HEAD];
	size_t n;
	struct codec_stream *codec; /* NULL: plain */
};

static int
first_enough(struct err *e)
{
	return err_set(e, ERR_STATE, "that is enough");
}

static int
first_each(void *arg, const struct store_object *o, struct err *e)
{
	struct wal_first *f = arg;
	char name[ARCHIVE_NAME_SIZE];
	const char *extension;
	struct archive_name n;

	if (!archive_key_parse(o->key, name, &extension) ||
		archive_name_parse(name, &n) != ARCHIVE_SEGMENT)
		return 0;
	snprintf(f->key, sizeof(f->key), "%s", o->key);
	return first_enough(e);
}

static int
first_plain(void *arg, const void *p, size_t n, struct err *e)
{
	struct wal_first *f = arg;
	size_t room = sizeof(f->head) - f->n;

	n = n < room ? n : room;
	memcpy(f->head + f->n, p, n);
	f->n += n;
	return f->n == sizeof(f->head) ? first_enough(e) : 0;
}

static int
first_stored(void *arg, const void *p, size_t n, struct err *e)
{
	struct wal_first *f = arg;

	return f->codec ? codec_write(f->codec, p, n, e) : first_plain(f, p, n, e);
}

static int
wal_first_head(struct archive *a, struct wal_first *f, struct err *e)
{
	struct codec_spec spec = {
		.codec = codec_of_name(f->key, NULL), .sink = first_plain, .arg = f};
	AUTO(codec_free) struct codec_stream *stream = NULL;
	struct store_get get = {.key = f->key, .sink = first_stored, .arg = f};

	if (spec.codec != CODEC_NONE && codec_decompress(&stream, &spec, e) < 0)
		return -1;
	f->codec = stream;
	if (store_get(a->store, &get, NULL, e) < 0 && f->n < sizeof(f->head))
		return -1;
	return 0;
}

int
archive_first_page(struct archive *a, struct wal_page *out, struct err *e)
{
	struct wal_first first = {.n = 0};
	char prefix[ARCHIVE_KEY_SIZE];
	struct store_list list = {.prefix = prefix, .each = first_each, .arg = &first};

	if (archive_key(prefix, e, "%s/wals/", a->server) < 0)
		return -1;
	if (store_list(a->store, &list, e) < 0 && !*first.key)
		return -1;
	if (!*first.key)
		return err_set(e, ERR_NOTFOUND, "%s holds no segment", prefix);
	if (wal_first_head(a, &first, e) < 0)
		return -1;
	return wal_page_parse(out, first.head, first.n, e);
}

static int
wal_learn(struct archive *a, struct archive_wal *w, struct err *e)
{
	struct wal_page page;

	w->segment_bytes = WAL_SEGMENT_DEFAULT;
	if (archive_first_page(a, &page, e) == 0)
		w->segment_bytes = page.segment_bytes;
	else if (e->kind != ERR_NOTFOUND && e->kind != ERR_CORRUPT)
		return -1;
	return 0;
}

/* ---- a list, or the rest of one ---- */

/* Forgets segments from (timeline, segment) on. */
static void
wal_cut(struct archive_wal *w, uint32_t timeline, uint64_t segment)
{
	while (w->runs > 0) {
		struct catalog_run *last = &w->run[w->runs - 1];

		if (last->timeline < timeline ||
			(last->timeline == timeline && last->last < segment))
			return;
		if (last->timeline == timeline && last->first < segment) {
			w->segments -= last->last - segment + 1;
			last->last = segment - 1;
			return;
		}
		w->segments -= last->last - last->first + 1;
		w->runs--;
	}
}

/* Turns a segment's key into a text that stands before it and behind every key of the segment
 * before, whatever their extensions: "...3A" becomes "...3@~". */
static int
wal_before(char key[ARCHIVE_KEY_SIZE], struct err *e)
{
	size_t n = strlen(key);

	if (n == 0 || n + 2 > ARCHIVE_KEY_SIZE)
		return err_set(e, ERR_INVALID, "%s: the key is too long", key);
	key[n - 1]--;
	key[n] = '~';
	key[n + 1] = '\0';
	return 0;
}

/* Takes the tail back and says after which key to list. */
static int
wal_rewind(struct archive *a, struct archive_wal *w, char after[ARCHIVE_KEY_SIZE], struct err *e)
{
	uint64_t n = w->tails < ARCHIVE_WAL_TAIL ? w->tails : ARCHIVE_WAL_TAIL;
	const struct archive_wal_tail *from = &w->tail[(w->tails - n) % ARCHIVE_WAL_TAIL];
	char name[LINEAGE_NAME_SIZE];

	lineage_name(from->timeline, from->segment * w->segment_bytes, w->segment_bytes, name);
	if (archive_key_wal(after, a->server, name, "", e) < 0)
		return -1;
	wal_cut(w, from->timeline, from->segment);
	for (uint64_t i = w->tails - n; i < w->tails; i++)
		w->bytes -= w->tail[i % ARCHIVE_WAL_TAIL].bytes;
	return wal_before(after, e);
}

static int
wal_read_on(struct archive *a, struct archive_wal *w, const char *prefix, struct err *e)
{
	char after[ARCHIVE_KEY_SIZE];
	struct store_list list = {.prefix = prefix, .after = after, .each = wal_each, .arg = w};

	if (wal_rewind(a, w, after, e) < 0)
		return -1;
	w->tails = 0;
	return store_list(a->store, &list, e);
}

static int
wal_read_whole(struct archive *a, struct archive_wal *w, const char *prefix, struct err *e)
{
	struct store_list list = {.prefix = prefix, .each = wal_each, .arg = w};

	w->runs = w->histories = 0;
	w->segments = w->tails = 0;
	w->bytes = 0;
	w->whole_us = clock_wall_us();
	if (store_list(a->store, &list, e) == 0)
		return 0;
	w->whole_us = 0;
	return -1;
}

int
archive_wal_read(struct archive *a, struct archive_wal *w, struct err *e)
{
	char prefix[ARCHIVE_KEY_SIZE];

	if (archive_key(prefix, e, "%s/wals/", a->server) < 0)
		return -1;
	if (w->segment_bytes == 0 && wal_learn(a, w, e) < 0)
		return -1;
	if (w->whole_us == 0 || w->tails == 0)
		return wal_read_whole(a, w, prefix, e);
	return wal_read_on(a, w, prefix, e);
}

/* ---- kept between two runs ---- */

struct wal_state {
	uint64_t magic;
	char archive[SHA256_HEX_SIZE];
	uint32_t segment_bytes;
	uint64_t runs, histories, segments, tails;
	int64_t bytes, whole_us;
	struct archive_wal_tail tail[ARCHIVE_WAL_TAIL];
};

static void
wal_state_name(char out[SHA256_HEX_SIZE], const struct archive *a)
{
	struct sha256 h;

	sha256_init(&h);
	sha256_put(&h, store_where(a->store), strlen(store_where(a->store)) + 1);
	sha256_put(&h, a->server, strlen(a->server));
	sha256_end_hex(&h, out);
}

int
archive_wal_save(
	const struct archive_wal *w, const struct archive *a, const char *path, struct err *e)
{
	AUTO(buf_deinit) struct buf out = {0};
	struct wal_state s;

	memset(&s, 0, sizeof(s));
	s.magic = WAL_STATE_MAGIC;
	s.segment_bytes = w->segment_bytes;
	s.runs = w->runs;
	s.histories = w->histories;
	s.segments = w->segments;
	s.tails = w->tails;
	s.bytes = w->bytes;
	s.whole_us = w->whole_us;
	memcpy(s.tail, w->tail, sizeof(s.tail));
	wal_state_name(s.archive, a);
	buf_put(&out, &s, sizeof(s));
	buf_put(&out, w->run, w->runs * sizeof(*w->run));
	buf_put(&out, w->history, w->histories * sizeof(*w->history));
	if (buf_check(&out, e) < 0)
		return -1;
	return file_write(path, out.data, out.len, 0600, e);
}

static void *
wal_copy(const void *from, size_t bytes)
{
	void *p = malloc(bytes ? bytes : 1);

	if (p && bytes)
		memcpy(p, from, bytes);
	return p;
}

static bool
wal_state_fits(const struct wal_state *s, const struct archive *a, size_t len)
{
	char name[SHA256_HEX_SIZE];
	size_t rest = len - sizeof(*s);

	wal_state_name(name, a);
	return s->magic == WAL_STATE_MAGIC && memcmp(s->archive, name, sizeof(name)) == 0 &&
	       s->runs <= rest && s->histories <= rest &&
	       rest == s->runs * sizeof(struct catalog_run) + s->histories * sizeof(uint32_t) &&
	       s->whole_us <= clock_wall_us();
}

bool
archive_wal_load(struct archive_wal *w, const struct archive *a, const char *path)
{
	AUTO(buf_deinit) struct buf in = {0};
	struct wal_state s;
	struct err e;

	if (file_read(&in, path, WAL_STATE_MAX, &e) < 0 || in.len < sizeof(s))
		return false;
	memcpy(&s, in.data, sizeof(s));
	if (!wal_state_fits(&s, a, in.len))
		return false;
	*w = (struct archive_wal){.segment_bytes = s.segment_bytes,
		.segments = s.segments,
		.bytes = s.bytes,
		.whole_us = s.whole_us,
		.tails = s.tails};
	memcpy(w->tail, s.tail, sizeof(w->tail));
	w->runs = w->run_room = s.runs;
	w->histories = w->history_room = s.histories;
	w->run = wal_copy(in.data + sizeof(s), s.runs * sizeof(*w->run));
	w->history = wal_copy(
		in.data + sizeof(s) + s.runs * sizeof(*w->run), s.histories * sizeof(*w->history));
	if (w->run && w->history)
		return true;
	archive_wal_deinit(w);
	return false;
}
