/*
 * metrics_build - the snapshot of all query metrics, as the collector makes it.
 */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/clock.h"
#include "service/metrics.h"
#include "service/shared.h"

#define BUILD_FAMILIES 4096
#define BUILD_LEVEL 1          /* of zlib: 32 kB become 6 kB in 0.15 ms */
#define BUILD_OUT (32u << 10)  /* pieces of the stream */
#define BUILD_RAW_WINDOW (-15) /* of zlib: no header, no trailer */

struct metrics_build {
	struct metrics_head head;
	struct metrics_family family[BUILD_FAMILIES];
	uint64_t name[BUILD_FAMILIES]; /* hashes of their names */
	struct buf arena;
	struct buf stream[METRIC_FORMATS];
	z_stream z; /* kept: its memory is used again */
	bool z_ready;
	uint64_t generation;
};

struct metrics_build *
metrics_build_new(void)
{
	return calloc(1, sizeof(struct metrics_build));
}

struct metrics_build *
metrics_build_free(struct metrics_build *b)
{
	if (!b)
		return NULL;
	if (b->z_ready)
		deflateEnd(&b->z);
	buf_deinit(&b->arena);
	for (int f = 0; f < METRIC_FORMATS; f++)
		buf_deinit(&b->stream[f]);
	free(b);
	return NULL;
}

void
metrics_build_start(struct metrics_build *b, int32_t pg_pid)
{
	uint64_t dropped = b->head.dropped_total;

	memset(&b->head, 0, sizeof(b->head));
	b->head.dropped_total = dropped;
	b->head.pg_pid = pg_pid;
	buf_reset(&b->arena);
}

bool
metrics_build_group(struct metrics_build *b, const struct metrics_group *group)
{
	if (b->head.groups == METRICS_GROUPS)
		return false;
	b->head.group[b->head.groups] = *group;
	b->head.group[b->head.groups++].families = 0;
	return true;
}

/* ---- families ---- */

/* FNV-1a, 64 bit (Fowler, Noll, Vo). */
static uint64_t
build_hash(const char *text)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return h;
}

static bool
build_has(const struct metrics_build *b, uint64_t hash)
{
	for (uint32_t i = 0; i < b->head.families; i++)
		if (b->name[i] == hash)
			return true;
	return false;
}

/* What a whole snapshot takes on the board if the streams do not shrink at all. */
static bool
build_fits(const struct metrics_build *b, size_t more)
{
	size_t texts = METRIC_FORMATS * (b->arena.len + more + 4096);

	return sizeof(b->head) + sizeof(b->family) + b->arena.len + more + texts <=
	       METRICS_MAX_BYTES;
}

bool
metrics_build_family(
	struct metrics_build *b, const struct metric_family *f, const struct buf *lines)
{
	struct metrics_group *group = &b->head.group[b->head.groups - 1];
	struct metrics_family *to = &b->family[b->head.families];
	uint64_t hash = build_hash(f->name);
	size_t at = b->arena.len;

	if (!lines->len)
		return true;
	if (b->head.families == BUILD_FAMILIES || build_has(b, hash) ||
		!build_fits(b, lines->len + 2 * strlen(f->help) + 1024)) {
		b->head.dropped_total++;
		group->dropped++;
		return false;
	}
	for (int i = 0; i < METRIC_FORMATS; i++) {
		metric_text_head(&b->arena, (enum metric_format)i, f);
		to->head[i] = (uint32_t)(b->arena.len - at);
		at = b->arena.len;
	}
	buf_put(&b->arena, lines->data, lines->len);
	to->lines = (uint32_t)lines->len;
	b->name[b->head.families++] = hash;
	group->families++;
	return true;
}

/* ---- streams ---- */

static int
build_z(struct metrics_build *b, struct err *e)
{
	int rc = b->z_ready ? deflateReset(&b->z)
			    : deflateInit2(&b->z, BUILD_LEVEL, Z_DEFLATED, BUILD_RAW_WINDOW, 8,
				      Z_DEFAULT_STRATEGY);

	b->z_ready = b->z_ready || rc == Z_OK;
	return rc == Z_OK ? 0 : err_set(e, ERR_FAILED, "compress metrics: zlib says %d", rc);
}

static void
build_deflate(struct metrics_build *b, struct buf *out, const char *data, size_t len, int flush)
{
	Bytef piece[BUILD_OUT];

	b->z.next_in = (Bytef *)(uintptr_t)data;
	b->z.avail_in = (uInt)len;
	do {
		b->z.next_out = piece;
		b->z.avail_out = sizeof(piece);
		deflate(&b->z, flush);
		buf_put(out, piece, sizeof(piece) - b->z.avail_out);
	} while (b->z.avail_out == 0);
}

static void
build_piece(struct metrics_build *b, int format, const char *data, size_t len)
{
	b->head.plain_bytes[format] += (uint32_t)len;
	b->head.plain_crc[format] =
		(uint32_t)crc32(b->head.plain_crc[format], (const Bytef *)data, (uInt)len);
	build_deflate(b, &b->stream[format], data, len, Z_NO_FLUSH);
}

static int
build_stream(struct metrics_build *b, int format, struct err *e)
{
	const char *at = b->arena.data;

	buf_reset(&b->stream[format]);
	if (build_z(b, e) < 0)
		return -1;
	b->head.plain_crc[format] = (uint32_t)crc32(0, NULL, 0);
	for (uint32_t i = 0; i < b->head.families; i++) {
		const struct metrics_family *f = &b->family[i];
		const char *lines = at + f->head[METRIC_TEXT] + f->head[METRIC_OPENMETRICS];

		if (format == METRIC_OPENMETRICS)
			at += f->head[METRIC_TEXT];
		build_piece(b, format, at, f->head[format]);
		build_piece(b, format, lines, f->lines);
		at = lines + f->lines;
	}
	build_deflate(b, &b->stream[format], NULL, 0, Z_FULL_FLUSH);
	b->head.gzip_bytes[format] = (uint32_t)b->stream[format].len;
	return buf_check(&b->stream[format], e);
}

int
metrics_build_put(struct metrics_build *b, struct board *board, struct err *e)
{
	struct board_piece piece[] = {
		{&b->head, sizeof(b->head)},
		{b->family, 0},
		{NULL, 0},
		{NULL, 0},
		{NULL, 0},
	};

	if (buf_check(&b->arena, e) < 0)
		return -1;
	for (int f = 0; f < METRIC_FORMATS; f++) {
		if (build_stream(b, f, e) < 0)
			return -1;
		piece[3 + f] = (struct board_piece){b->stream[f].data, b->stream[f].len};
	}
	b->head.generation = ++b->generation;
	b->head.taken_ns = clock_boot_ns();
	b->head.taken_wall_us = clock_wall_us();
	b->head.arena_bytes = (uint32_t)b->arena.len;
	piece[1].size = b->head.families * sizeof(b->family[0]);
	piece[2] = (struct board_piece){buf_str(&b->arena), b->arena.len};
	board_write_pieces(board, SEC_METRICS, piece, ARRAY_LEN(piece));
	return 0;
}
