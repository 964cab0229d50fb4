/*
 * codec_zstd - zstd frames with a checksum.
 */
#include <zstd.h>

#include "store/codec_impl.h"

struct zstd {
#define DYN(name) __typeof__(&name) name;
#include "tbl/dyn_zstd.h"
#undef DYN
};

static const struct dynlib_symbol symbols[] = {
#define DYN(name) {#name, offsetof(struct zstd, name)},
#include "tbl/dyn_zstd.h"
#undef DYN
};
static const struct dynlib library = {"libzstd.so.1", "libzstd1", symbols, ARRAY_LEN(symbols)};

struct zstd_stream {
	struct zstd lib;
	ZSTD_CCtx *c; /* a writer's */
	ZSTD_DCtx *d; /* a reader's */
	enum codec_place place;
};

static void
zstd_close(void *state)
{
	struct zstd_stream *s = state;

	if (s->c)
		s->lib.ZSTD_freeCCtx(s->c);
	if (s->d)
		s->lib.ZSTD_freeDCtx(s->d);
	free(s);
}

static struct zstd_stream *
zstd_new(struct err *e)
{
	AUTO(free) struct zstd_stream *s = calloc(1, sizeof(*s));

	if (!s)
		err_sys(e, "make a stream");
	return s && dynlib_load(&library, &s->lib, e) == 0 ? take(s) : NULL;
}

/* ---- writing ---- */

static int
zstd_writer_open(void **state, int level, struct err *e)
{
	struct zstd_stream *s = zstd_new(e);

	if (!s)
		return -1;
	s->c = s->lib.ZSTD_createCCtx();
	if (!s->c) {
		zstd_close(s);
		return err_set(e, ERR_SYS, "no memory for a compressor");
	}
	s->lib.ZSTD_CCtx_setParameter(s->c, ZSTD_c_compressionLevel, level < 1 ? 1 : level);
	s->lib.ZSTD_CCtx_setParameter(s->c, ZSTD_c_checksumFlag, 1);
	*state = s;
	return 0;
}

static enum codec_step
zstd_writer_step(void *state, struct codec_io *io, struct err *e)
{
	struct zstd_stream *s = state;
	ZSTD_inBuffer in = {io->in, io->in_left, 0};
	ZSTD_outBuffer out = {io->out, io->out_left, 0};
	size_t left = s->lib.ZSTD_compressStream2(
		s->c, &out, &in, io->last ? ZSTD_e_end : ZSTD_e_continue);

	codec_io_move(io, in.pos, out.pos);
	if (s->lib.ZSTD_isError(left))
		return (enum codec_step)err_set(e, ERR_SYS, "%s", s->lib.ZSTD_getErrorName(left));
	if (io->last)
		return left == 0 ? CODEC_FED : CODEC_FULL;
	return io->in_left == 0 && io->out_left > 0 ? CODEC_FED : CODEC_FULL;
}

static int
zstd_writer_reset(void *state, struct err *e)
{
	struct zstd_stream *s = state;

	(void)e;
	s->lib.ZSTD_CCtx_reset(s->c, ZSTD_reset_session_only);
	return 0;
}

const struct codec_engine codec_zstd_writer = {
	zstd_writer_open, zstd_writer_step, zstd_writer_reset, zstd_close};

/* ---- reading ---- */

static int
zstd_reader_open(void **state, int level, struct err *e)
{
	struct zstd_stream *s = zstd_new(e);

	(void)level;
	if (!s)
		return -1;
	s->d = s->lib.ZSTD_createDCtx();
	if (!s->d) {
		zstd_close(s);
		return err_set(e, ERR_SYS, "no memory for a decompressor");
	}
	*state = s;
	return 0;
}

static enum codec_step
zstd_reader_step(void *state, struct codec_io *io, struct err *e)
{
	struct zstd_stream *s = state;

	while (io->in_left > 0 || (io->last && s->place == CODEC_INSIDE)) {
		ZSTD_inBuffer in = {io->in, io->in_left, 0};
		ZSTD_outBuffer out = {io->out, io->out_left, 0};
		size_t hint = s->lib.ZSTD_decompressStream(s->d, &out, &in);

		codec_io_move(io, in.pos, out.pos);
		if (s->lib.ZSTD_isError(hint))
			return codec_bad(e, "%s", s->lib.ZSTD_getErrorName(hint));
		s->place = hint == 0 ? CODEC_BETWEEN : CODEC_INSIDE;
		if (io->out_left == 0)
			return CODEC_FULL;
		if (in.pos == 0 && out.pos == 0)
			return io->in_left > 0 ? CODEC_FULL : codec_fed(io, s->place, e);
	}
	return codec_fed(io, s->place, e);
}

static int
zstd_reader_reset(void *state, struct err *e)
{
	struct zstd_stream *s = state;

	(void)e;
	s->place = CODEC_NOTHING;
	s->lib.ZSTD_DCtx_reset(s->d, ZSTD_reset_session_only);
	return 0;
}

const struct codec_engine codec_zstd_reader = {
	zstd_reader_open, zstd_reader_step, zstd_reader_reset, zstd_close};
