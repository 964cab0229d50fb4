/*
 * metrics_view - the snapshot of all query metrics, as the api reads it.
 *
 * The collector is another process: no length is believed before it was held against the others.
 */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "service/metrics.h"
#include "service/shared.h"

#define VIEW_TRIES 4
#define VIEW_FAMILIES 65536u
#define VIEW_RAW_WINDOW (-15)
#define GZIP_HEAD "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff" /* RFC 1952, 2.3 */

struct metrics_view {
	uint32_t seq;
	bool good;
	struct metrics_head head;
	struct metrics_family *family; /* head.families */
	size_t family_cap;
	struct buf arena;
	struct buf stream[METRIC_FORMATS];
};

struct metrics_view *
metrics_view_new(void)
{
	return calloc(1, sizeof(struct metrics_view));
}

struct metrics_view *
metrics_view_free(struct metrics_view *v)
{
	if (!v)
		return NULL;
	free(v->family);
	buf_deinit(&v->arena);
	for (int f = 0; f < METRIC_FORMATS; f++)
		buf_deinit(&v->stream[f]);
	free(v);
	return NULL;
}

const struct metrics_head *
metrics_view_head(const struct metrics_view *v)
{
	return &v->head;
}

/* ---- copying ---- */

/* Makes room for size bytes and says that they are there. */
static bool
view_into(struct buf *out, size_t size)
{
	if (size > METRICS_MAX_BYTES)
		return false;
	if (size >= out->cap) {
		buf_deinit(out);
		out->data = malloc(size + 1);
		if (!out->data)
			return false;
		out->cap = size + 1;
	}
	out->len = size;
	out->data[size] = '\0';
	return true;
}

static bool
view_families(struct metrics_view *v)
{
	struct metrics_family *more;

	if (v->head.families > VIEW_FAMILIES)
		return false;
	if (v->head.families <= v->family_cap)
		return true;
	more = realloc(v->family, v->head.families * sizeof(*more));
	if (!more)
		return false;
	v->family = more;
	v->family_cap = v->head.families;
	return true;
}

/* Do the pieces add up to what the head says? */
static bool
view_sound(const struct metrics_view *v)
{
	size_t bytes = 0, families = 0;

	if (v->head.groups > METRICS_GROUPS)
		return false;
	for (uint32_t i = 0; i < v->head.families; i++)
		bytes += (size_t)v->family[i].head[METRIC_TEXT] +
			 v->family[i].head[METRIC_OPENMETRICS] + v->family[i].lines;
	for (uint32_t i = 0; i < v->head.groups; i++) {
		families += v->head.group[i].families;
		if (!memchr(v->head.group[i].name, '\0', sizeof(v->head.group[i].name)) ||
			v->head.group[i].sqlstate[sizeof(v->head.group[i].sqlstate) - 1])
			return false;
	}
	return bytes == v->head.arena_bytes && families == v->head.families;
}

static bool
view_part(const struct board *board, uint32_t seq, size_t *at, void *data, size_t size)
{
	struct board_part part = {data, *at, size};

	*at += size;
	return board_read_at(board, SEC_METRICS, seq, &part);
}

static bool
view_copy(struct metrics_view *v, const struct board *board, uint32_t seq)
{
	size_t at = 0;

	if (!view_part(board, seq, &at, &v->head, sizeof(v->head)) || !view_families(v) ||
		!view_part(board, seq, &at, v->family, v->head.families * sizeof(*v->family)) ||
		!view_into(&v->arena, v->head.arena_bytes) ||
		!view_part(board, seq, &at, v->arena.data, v->arena.len))
		return false;
	for (int f = 0; f < METRIC_FORMATS; f++)
		if (!view_into(&v->stream[f], v->head.gzip_bytes[f]) ||
			!view_part(board, seq, &at, v->stream[f].data, v->stream[f].len))
			return false;
	return view_sound(v);
}

bool
metrics_view_refresh(struct metrics_view *v, const struct board *board)
{
	for (int i = 0; i < VIEW_TRIES; i++) {
		uint32_t seq = board_seq(board, SEC_METRICS);

		if (seq == v->seq)
			return v->good;
		v->good = view_copy(v, board, seq);
		if (v->good) {
			v->seq = seq;
			return true;
		}
		if (board_seq(board, SEC_METRICS) == seq) {
			v->seq = seq; /* it is not sound: not again until there is another */
			return false;
		}
	}
	return false;
}

/* ---- text ---- */

void
metrics_view_text(const struct metrics_view *v, struct buf *out, enum metric_format format,
	metrics_want_fn *want, const void *arg)
{
	const char *at = v->arena.data;
	const struct metrics_family *f = v->family;

	for (uint32_t g = 0; g < v->head.groups; g++) {
		bool wanted = !want || want(v->head.group[g].name, arg);

		for (uint32_t i = 0; i < v->head.group[g].families; i++, f++) {
			const char *lines = at + f->head[METRIC_TEXT] + f->head[METRIC_OPENMETRICS];

			if (format == METRIC_OPENMETRICS)
				at += f->head[METRIC_TEXT];
			if (wanted) {
				buf_put(out, at, f->head[format]);
				buf_put(out, lines, f->lines);
			}
			at = lines + f->lines;
		}
	}
}

/* ---- gzip ---- */

static int
view_deflate(struct buf *out, const struct buf *own, struct err *e)
{
	z_stream z = {0};
	size_t bound;
	int rc = deflateInit2(&z, 1, Z_DEFLATED, VIEW_RAW_WINDOW, 8, Z_DEFAULT_STRATEGY);
	AUTO(free) Bytef *piece = NULL;

	if (rc != Z_OK)
		return err_set(e, ERR_FAILED, "compress metrics: zlib says %d", rc);
	bound = deflateBound(&z, own->len);
	piece = malloc(bound);
	z.next_in = (Bytef *)(uintptr_t)buf_str(own);
	z.avail_in = (uInt)own->len;
	z.next_out = piece;
	z.avail_out = (uInt)bound;
	rc = piece ? deflate(&z, Z_FINISH) : Z_MEM_ERROR;
	if (rc == Z_STREAM_END)
		buf_put(out, piece, bound - z.avail_out);
	deflateEnd(&z);
	return rc == Z_STREAM_END ? 0
				  : err_set(e, ERR_FAILED, "compress metrics: zlib says %d", rc);
}

static void
put_le32(struct buf *out, uint32_t n)
{
	const unsigned char bytes[] = {(unsigned char)n, (unsigned char)(n >> 8),
		(unsigned char)(n >> 16), (unsigned char)(n >> 24)};

	buf_put(out, bytes, sizeof(bytes));
}

int
metrics_view_gzip(const struct metrics_view *v, struct buf *out, enum metric_format format,
	const struct buf *own, struct err *e)
{
	bool with = v && v->good;
	uint32_t crc = (uint32_t)crc32(0, (const Bytef *)buf_str(own), (uInt)own->len);
	uint32_t size = (uint32_t)own->len;

	buf_put(out, GZIP_HEAD, sizeof(GZIP_HEAD) - 1);
	if (with) {
		buf_put(out, v->stream[format].data, v->stream[format].len);
		crc = (uint32_t)crc32_combine(v->head.plain_crc[format], crc, (z_off_t)own->len);
		size += v->head.plain_bytes[format];
	}
	if (view_deflate(out, own, e) < 0)
		return -1;
	put_le32(out, crc);
	put_le32(out, size);
	return buf_check(out, e);
}
