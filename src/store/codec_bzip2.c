/*
 * codec_bzip2 - bzip2 streams.
 */
#include <bzlib.h>

#include "store/codec_impl.h"

struct bzip2 {
#define DYN(name) __typeof__(&name) name;
#include "tbl/dyn_bz2.h"
#undef DYN
};

static const struct dynlib_symbol symbols[] = {
#define DYN(name) {#name, offsetof(struct bzip2, name)},
#include "tbl/dyn_bz2.h"
#undef DYN
};
static const struct dynlib library = {"libbz2.so.1.0", "libbz2-1.0", symbols, ARRAY_LEN(symbols)};

#define BZIP2_LEVEL 9 /* what bzip2 and Barman write; the memory is 8 MB */

struct bzip2_stream {
	struct bzip2 lib;
	bz_stream z;
	int level; /* of a writer */
	enum codec_place place;
};

/* A length as the library takes it. */
static unsigned
length32(size_t n)
{
	return n < 1U << 30 ? (unsigned)n : 1U << 30;
}

static void
bzip2_aim(bz_stream *z, const struct codec_io *io)
{
	memcpy(&z->next_in, &io->in, sizeof(io->in));
	z->avail_in = length32(io->in_left);
	memcpy(&z->next_out, &io->out, sizeof(io->out));
	z->avail_out = length32(io->out_left);
}

static void
bzip2_moved(const bz_stream *z, struct codec_io *io)
{
	codec_io_move(
		io, length32(io->in_left) - z->avail_in, length32(io->out_left) - z->avail_out);
}

static struct bzip2_stream *
bzip2_new(struct err *e)
{
	AUTO(free) struct bzip2_stream *s = calloc(1, sizeof(*s));

	if (!s)
		err_sys(e, "make a stream");
	return s && dynlib_load(&library, &s->lib, e) == 0 ? take(s) : NULL;
}

/* ---- writing ---- */

static int
bzip2_writer_begin(struct bzip2_stream *s, struct err *e)
{
	memset(&s->z, 0, sizeof(s->z));
	if (s->lib.BZ2_bzCompressInit(&s->z, s->level, 0, 0) != BZ_OK)
		return err_set(e, ERR_SYS, "no memory for a compressor");
	return 0;
}

static int
bzip2_writer_open(void **state, int level, struct err *e)
{
	AUTO(free) struct bzip2_stream *s = bzip2_new(e);

	if (!s)
		return -1;
	s->level = level < 1 || level > 9 ? BZIP2_LEVEL : level;
	if (bzip2_writer_begin(s, e) < 0)
		return -1;
	*state = take(s);
	return 0;
}

static enum codec_step
bzip2_writer_step(void *state, struct codec_io *io, struct err *e)
{
	struct bzip2_stream *s = state;
	int rc;

	if (io->in_left == 0 && !io->last)
		return CODEC_FED;
	bzip2_aim(&s->z, io);
	rc = s->lib.BZ2_bzCompress(&s->z, io->last ? BZ_FINISH : BZ_RUN);
	bzip2_moved(&s->z, io);
	if (rc < 0)
		return (enum codec_step)err_set(e, ERR_SYS, "libbz2 failed with %d", rc);
	if (io->last)
		return rc == BZ_STREAM_END ? CODEC_FED : CODEC_FULL;
	return io->in_left == 0 ? CODEC_FED : CODEC_FULL;
}

static void
bzip2_writer_close(void *state)
{
	struct bzip2_stream *s = state;

	s->lib.BZ2_bzCompressEnd(&s->z);
	free(s);
}

static int
bzip2_writer_reset(void *state, struct err *e)
{
	struct bzip2_stream *s = state;

	s->lib.BZ2_bzCompressEnd(&s->z);
	return bzip2_writer_begin(s, e);
}

const struct codec_engine codec_bzip2_writer = {
	bzip2_writer_open, bzip2_writer_step, bzip2_writer_reset, bzip2_writer_close};

/* ---- reading ---- */

static int
bzip2_reader_begin(struct bzip2_stream *s, struct err *e)
{
	memset(&s->z, 0, sizeof(s->z));
	if (s->lib.BZ2_bzDecompressInit(&s->z, 0, 0) != BZ_OK)
		return err_set(e, ERR_SYS, "no memory for a decompressor");
	return 0;
}

static int
bzip2_reader_open(void **state, int level, struct err *e)
{
	AUTO(free) struct bzip2_stream *s = bzip2_new(e);

	(void)level;
	if (!s || bzip2_reader_begin(s, e) < 0)
		return -1;
	*state = take(s);
	return 0;
}

static int
bzip2_reader_reset(void *state, struct err *e)
{
	struct bzip2_stream *s = state;

	s->place = CODEC_NOTHING;
	s->lib.BZ2_bzDecompressEnd(&s->z);
	return bzip2_reader_begin(s, e);
}

/* One call of the library; a stream that ended makes room for the next one. */
static int
bzip2_reader_once(struct bzip2_stream *s, struct codec_io *io, struct err *e)
{
	int rc;

	if (s->place == CODEC_BETWEEN && bzip2_reader_reset(s, e) < 0)
		return -1;
	bzip2_aim(&s->z, io);
	rc = s->lib.BZ2_bzDecompress(&s->z);
	bzip2_moved(&s->z, io);
	if (rc == BZ_MEM_ERROR)
		return err_set(e, ERR_SYS, "no memory for a decompressor");
	if (rc < 0)
		return codec_bad(e, rc == BZ_DATA_ERROR_MAGIC
					    ? "no bzip2 header stands where one must"
					    : "the compressed data is damaged");
	s->place = rc == BZ_STREAM_END ? CODEC_BETWEEN : CODEC_INSIDE;
	return 0;
}

static enum codec_step
bzip2_reader_step(void *state, struct codec_io *io, struct err *e)
{
	struct bzip2_stream *s = state;

	while (io->in_left > 0 || (io->last && s->place == CODEC_INSIDE)) {
		size_t in = io->in_left, out = io->out_left;

		if (bzip2_reader_once(s, io, e) < 0)
			return CODEC_FAILED;
		if (io->out_left == 0)
			return CODEC_FULL;
		if (io->in_left == in && io->out_left == out)
			return io->in_left > 0 ? CODEC_FULL : codec_fed(io, s->place, e);
	}
	return codec_fed(io, s->place, e);
}

static void
bzip2_reader_close(void *state)
{
	struct bzip2_stream *s = state;

	s->lib.BZ2_bzDecompressEnd(&s->z);
	free(s);
}

const struct codec_engine codec_bzip2_reader = {
	bzip2_reader_open, bzip2_reader_step, bzip2_reader_reset, bzip2_reader_close};
