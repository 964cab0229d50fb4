/*
 * codec_xz - xz streams with a CRC-64.
 */
#include <lzma.h>

#include "store/codec_impl.h"

#define XZ_LEVEL 1                                   /* 10 MB of memory; Barman's 6 takes 94 */
#define XZ_READ_MEMORY ((uint64_t)128 * 1024 * 1024) /* reads what level 9 wrote */

struct xz {
#define DYN(name) __typeof__(&name) name;
#include "tbl/dyn_lzma.h"
#undef DYN
};

static const struct dynlib_symbol symbols[] = {
#define DYN(name) {#name, offsetof(struct xz, name)},
#include "tbl/dyn_lzma.h"
#undef DYN
};
static const struct dynlib library = {"liblzma.so.5", "liblzma5", symbols, ARRAY_LEN(symbols)};

struct xz_stream {
	struct xz lib;
	lzma_stream z;
	int level;
	bool write, any; /* any: input was seen */
};

static int
xz_begin(struct xz_stream *s, struct err *e)
{
	lzma_ret rc;

	s->any = false;
	if (s->write)
		rc = s->lib.lzma_easy_encoder(&s->z, (uint32_t)s->level, LZMA_CHECK_CRC64);
	else
		rc = s->lib.lzma_stream_decoder(&s->z, XZ_READ_MEMORY, LZMA_CONCATENATED);
	return rc == LZMA_OK ? 0 : err_set(e, ERR_SYS, "liblzma cannot begin: %d", (int)rc);
}

static int
xz_open(void **state, int level, bool write, struct err *e)
{
	AUTO(free) struct xz_stream *s = calloc(1, sizeof(*s));

	if (!s)
		return err_sys(e, "make a stream");
	s->level = level < 1 ? XZ_LEVEL : level < 9 ? level : 9;
	s->write = write;
	if (dynlib_load(&library, &s->lib, e) < 0 || xz_begin(s, e) < 0)
		return -1;
	*state = take(s);
	return 0;
}

static int
xz_writer_open(void **state, int level, struct err *e)
{
	return xz_open(state, level, true, e);
}

static int
xz_reader_open(void **state, int level, struct err *e)
{
	return xz_open(state, level, false, e);
}

static enum codec_step
xz_refuse(const struct xz_stream *s, lzma_ret rc, struct err *e)
{
	if (rc == LZMA_MEM_ERROR || s->write)
		return (enum codec_step)err_set(e, ERR_SYS, "liblzma failed with %d", (int)rc);
	if (rc == LZMA_MEMLIMIT_ERROR)
		return codec_bad(e, "it asks for more than 128 MiB of memory");
	if (rc == LZMA_FORMAT_ERROR)
		return codec_bad(e, "no xz header stands where one must");
	return codec_bad(e, "the compressed data is damaged");
}

static enum codec_step
xz_step(void *state, struct codec_io *io, struct err *e)
{
	struct xz_stream *s = state;
	size_t in = io->in_left, out = io->out_left;
	lzma_ret rc;

	if (!s->write && io->last && in == 0 && !s->any)
		return codec_fed(io, CODEC_NOTHING, e);
	s->any = true;
	s->z.next_in = io->in;
	s->z.avail_in = in;
	s->z.next_out = io->out;
	s->z.avail_out = out;
	rc = s->lib.lzma_code(&s->z, io->last ? LZMA_FINISH : LZMA_RUN);
	codec_io_move(io, in - s->z.avail_in, out - s->z.avail_out);
	if (rc == LZMA_STREAM_END)
		return CODEC_FED;
	if (rc != LZMA_OK && rc != LZMA_BUF_ERROR)
		return xz_refuse(s, rc, e);
	if (io->out_left == 0 || io->in_left > 0)
		return CODEC_FULL;
	if (io->last && (s->write || io->out_left < out))
		return CODEC_FULL;
	return codec_fed(io, CODEC_INSIDE, e);
}

static int
xz_reset(void *state, struct err *e)
{
	return xz_begin(state, e);
}

static void
xz_close(void *state)
{
	struct xz_stream *s = state;

	s->lib.lzma_end(&s->z);
	free(s);
}

const struct codec_engine codec_xz_writer = {xz_writer_open, xz_step, xz_reset, xz_close};
const struct codec_engine codec_xz_reader = {xz_reader_open, xz_step, xz_reset, xz_close};
