/*
 * codec_lz4 - lz4 frames with a checksum of the content, in blocks of 64 KiB.
 */
#include <lz4frame.h>

#include "store/codec_impl.h"

#define LZ4_BLOCK ((size_t)64 * 1024)
#define LZ4_HEADER_ROOM 32 /* more than the longest header of a frame */

struct lz4 {
#define DYN(name) __typeof__(&name) name;
#include "tbl/dyn_lz4.h"
#undef DYN
};

static const struct dynlib_symbol symbols[] = {
#define DYN(name) {#name, offsetof(struct lz4, name)},
#include "tbl/dyn_lz4.h"
#undef DYN
};
static const struct dynlib library = {"liblz4.so.1", "liblz4-1", symbols, ARRAY_LEN(symbols)};

struct lz4_stream {
	struct lz4 lib;
	LZ4F_cctx *c; /* a writer's */
	LZ4F_dctx *d; /* a reader's */
	LZ4F_preferences_t wish;
	enum codec_place place;
};

static void
lz4_close(void *state)
{
	struct lz4_stream *s = state;

	if (s->c)
		s->lib.LZ4F_freeCompressionContext(s->c);
	if (s->d)
		s->lib.LZ4F_freeDecompressionContext(s->d);
	free(s);
}

static struct lz4_stream *
lz4_new(struct err *e)
{
	AUTO(free) struct lz4_stream *s = calloc(1, sizeof(*s));

	if (!s)
		err_sys(e, "make a stream");
	return s && dynlib_load(&library, &s->lib, e) == 0 ? take(s) : NULL;
}

/* ---- writing ---- */

static int
lz4_writer_open(void **state, int level, struct err *e)
{
	struct lz4_stream *s = lz4_new(e);

	if (!s)
		return -1;
	s->wish = (LZ4F_preferences_t){
		.frameInfo = {.blockSizeID = LZ4F_max64KB,
			.contentChecksumFlag = LZ4F_contentChecksumEnabled},
		.compressionLevel = level,
	};
	if (s->lib.LZ4F_isError(s->lib.LZ4F_createCompressionContext(&s->c, LZ4F_VERSION))) {
		lz4_close(s);
		return err_set(e, ERR_SYS, "no memory for a compressor");
	}
	*state = s;
	return 0;
}

/* n: what a call of the library gave, or an error.  Takes what it was given. */
static int
lz4_given(const struct lz4_stream *s, struct codec_io *io, size_t taken, size_t n, struct err *e)
{
	if (s->lib.LZ4F_isError(n))
		return err_set(e, ERR_SYS, "%s", s->lib.LZ4F_getErrorName(n));
	codec_io_move(io, taken, n);
	return 0;
}

static enum codec_step
lz4_writer_step(void *state, struct codec_io *io, struct err *e)
{
	struct lz4_stream *s = state;
	LZ4F_compressOptions_t stays = {0};
	size_t n;

	if (s->place == CODEC_NOTHING) {
		if (io->out_left < LZ4_HEADER_ROOM)
			return CODEC_FULL;
		n = s->lib.LZ4F_compressBegin(s->c, io->out, io->out_left, &s->wish);
		if (lz4_given(s, io, 0, n, e) < 0)
			return CODEC_FAILED;
		s->place = CODEC_INSIDE;
	}
	while (io->in_left > 0) {
		size_t piece = io->in_left < LZ4_BLOCK ? io->in_left : LZ4_BLOCK;

		if (io->out_left < s->lib.LZ4F_compressBound(piece, &s->wish))
			return CODEC_FULL;
		stays.stableSrc = piece < io->in_left;
		n = s->lib.LZ4F_compressUpdate(s->c, io->out, io->out_left, io->in, piece, &stays);
		if (lz4_given(s, io, piece, n, e) < 0)
			return CODEC_FAILED;
	}
	if (!io->last)
		return CODEC_FED;
	if (io->out_left < s->lib.LZ4F_compressBound(0, &s->wish))
		return CODEC_FULL;
	n = s->lib.LZ4F_compressEnd(s->c, io->out, io->out_left, NULL);
	return lz4_given(s, io, 0, n, e) < 0 ? CODEC_FAILED : CODEC_FED;
}

static int
lz4_writer_reset(void *state, struct err *e)
{
	struct lz4_stream *s = state;

	(void)e;
	s->place = CODEC_NOTHING; /* the next begin starts the context afresh */
	return 0;
}

const struct codec_engine codec_lz4_writer = {
	lz4_writer_open, lz4_writer_step, lz4_writer_reset, lz4_close};

/* ---- reading ---- */

static int
lz4_reader_open(void **state, int level, struct err *e)
{
	struct lz4_stream *s = lz4_new(e);

	(void)level;
	if (!s)
		return -1;
	if (s->lib.LZ4F_isError(s->lib.LZ4F_createDecompressionContext(&s->d, LZ4F_VERSION))) {
		lz4_close(s);
		return err_set(e, ERR_SYS, "no memory for a decompressor");
	}
	*state = s;
	return 0;
}

static enum codec_step
lz4_reader_step(void *state, struct codec_io *io, struct err *e)
{
	struct lz4_stream *s = state;

	while (io->in_left > 0 || (io->last && s->place == CODEC_INSIDE)) {
		size_t in = io->in_left, out = io->out_left;
		size_t hint = s->lib.LZ4F_decompress(s->d, io->out, &out, io->in, &in, NULL);

		if (s->lib.LZ4F_isError(hint))
			return codec_bad(e, "%s", s->lib.LZ4F_getErrorName(hint));
		codec_io_move(io, in, out);
		s->place = hint == 0 ? CODEC_BETWEEN : CODEC_INSIDE;
		if (io->out_left == 0)
			return CODEC_FULL;
		if (in == 0 && out == 0)
			return io->in_left > 0 ? CODEC_FULL : codec_fed(io, s->place, e);
	}
	return codec_fed(io, s->place, e);
}

static int
lz4_reader_reset(void *state, struct err *e)
{
	struct lz4_stream *s = state;

	(void)e;
	s->place = CODEC_NOTHING;
	s->lib.LZ4F_resetDecompressionContext(s->d);
	return 0;
}

const struct codec_engine codec_lz4_reader = {
	lz4_reader_open, lz4_reader_step, lz4_reader_reset, lz4_close};
