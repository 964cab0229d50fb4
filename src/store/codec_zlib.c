/*
 * codec_zlib - gzip by zlib, which is always there.
 */
#include <zlib.h>

#include "store/codec_impl.h"

#define ZLIB_GZIP (15 + 16) /* the largest window, with a gzip header and trailer */

struct zlib_stream {
	z_stream z;
	enum codec_place place;
};

/* A length as the library takes it. */
static uInt
length32(size_t n)
{
	return n < 1U << 30 ? (uInt)n : 1U << 30;
}

static void
zlib_aim(z_stream *z, const struct codec_io *io)
{
	memcpy(&z->next_in, &io->in, sizeof(io->in));
	z->avail_in = length32(io->in_left);
	z->next_out = io->out;
	z->avail_out = length32(io->out_left);
}

/* ---- writing ---- */

static int
zlib_writer_open(void **state, int level, struct err *e)
{
	AUTO(free) struct zlib_stream *s = calloc(1, sizeof(*s));
	int own = level < 1 ? 1 : level < 9 ? level : 9;

	if (!s || deflateInit2(&s->z, own, Z_DEFLATED, ZLIB_GZIP, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return err_set(e, ERR_SYS, "no memory for a compressor");
	*state = take(s);
	return 0;
}

static enum codec_step
zlib_writer_step(void *state, struct codec_io *io, struct err *e)
{
	struct zlib_stream *s = state;
	int rc;

	zlib_aim(&s->z, io);
	rc = deflate(&s->z, io->last && s->z.avail_in == io->in_left ? Z_FINISH : Z_NO_FLUSH);
	codec_io_move(io, (size_t)(s->z.next_in - io->in), (size_t)(s->z.next_out - io->out));
	if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
		return (enum codec_step)err_set(e, ERR_SYS, "zlib failed with %d", rc);
	if (io->last)
		return rc == Z_STREAM_END ? CODEC_FED : CODEC_FULL;
	return io->in_left == 0 && io->out_left > 0 ? CODEC_FED : CODEC_FULL;
}

static int
zlib_writer_reset(void *state, struct err *e)
{
	struct zlib_stream *s = state;

	return deflateReset(&s->z) == Z_OK ? 0 : err_set(e, ERR_SYS, "zlib cannot begin again");
}

static void
zlib_writer_close(void *state)
{
	struct zlib_stream *s = state;

	(void)deflateEnd(&s->z);
	free(s);
}

const struct codec_engine codec_zlib_writer = {
	zlib_writer_open, zlib_writer_step, zlib_writer_reset, zlib_writer_close};

/* ---- reading ---- */

static int
zlib_reader_open(void **state, int level, struct err *e)
{
	AUTO(free) struct zlib_stream *s = calloc(1, sizeof(*s));

	(void)level;
	if (!s || inflateInit2(&s->z, ZLIB_GZIP) != Z_OK)
		return err_set(e, ERR_SYS, "no memory for a decompressor");
	*state = take(s);
	return 0;
}

static int
zlib_reader_once(struct zlib_stream *s, struct codec_io *io, struct err *e)
{
	int rc;

	if (s->place == CODEC_BETWEEN && inflateReset(&s->z) != Z_OK)
		return err_set(e, ERR_SYS, "zlib cannot begin again");
	zlib_aim(&s->z, io);
	rc = inflate(&s->z, Z_NO_FLUSH);
	codec_io_move(io, (size_t)(s->z.next_in - io->in), (size_t)(s->z.next_out - io->out));
	if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
		return codec_bad(e, "%s", s->z.msg ? s->z.msg : "the compressed data is damaged");
	s->place = rc == Z_STREAM_END ? CODEC_BETWEEN : CODEC_INSIDE;
	return 0;
}

static enum codec_step
zlib_reader_step(void *state, struct codec_io *io, struct err *e)
{
	struct zlib_stream *s = state;

	while (io->in_left > 0 || (io->last && s->place == CODEC_INSIDE)) {
		size_t in = io->in_left, out = io->out_left;

		if (zlib_reader_once(s, io, e) < 0)
			return CODEC_FAILED;
		if (io->out_left == 0)
			return CODEC_FULL;
		if (io->in_left == in && io->out_left == out)
			return io->in_left > 0 ? CODEC_FULL : codec_fed(io, s->place, e);
	}
	return codec_fed(io, s->place, e);
}

static int
zlib_reader_reset(void *state, struct err *e)
{
	struct zlib_stream *s = state;

	s->place = CODEC_NOTHING;
	return inflateReset(&s->z) == Z_OK ? 0 : err_set(e, ERR_SYS, "zlib cannot begin again");
}

static void
zlib_reader_close(void *state)
{
	struct zlib_stream *s = state;

	(void)inflateEnd(&s->z);
	free(s);
}

const struct codec_engine codec_zlib_reader = {
	zlib_reader_open, zlib_reader_step, zlib_reader_reset, zlib_reader_close};
