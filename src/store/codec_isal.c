/*
 * codec_isal - gzip by ISA-L: its levels 1 to 3 where speed counts, and reading.
 *
 * Written is one member with an empty header (no name, no time), so that the same input fed in the
 * same pieces on the same machine gives the same bytes.
 */
#include <isa-l/igzip_lib.h>

#include "store/codec_impl.h"

struct isal {
#define DYN(name) __typeof__(&name) name;
#include "tbl/dyn_isal.h"
#undef DYN
};

static const struct dynlib_symbol symbols[] = {
#define DYN(name) {#name, offsetof(struct isal, name)},
#include "tbl/dyn_isal.h"
#undef DYN
};
static const struct dynlib library = {"libisal.so.2", "libisal2", symbols, ARRAY_LEN(symbols)};

static const uint32_t level_bytes[] = {
	0, ISAL_DEF_LVL1_DEFAULT, ISAL_DEF_LVL2_DEFAULT, ISAL_DEF_LVL3_DEFAULT};

struct isal_writer {
	struct isal lib;
	struct isal_zstream z;
	unsigned char memory[]; /* of the level */
};

struct isal_reader {
	struct isal lib;
	struct inflate_state z;
	enum codec_place place;
};

/* A length as the library takes it. */
static uint32_t
length32(size_t n)
{
	return n < 1U << 30 ? (uint32_t)n : 1U << 30;
}

/* ---- writing ---- */

static void
isal_writer_begin(struct isal_writer *w, uint32_t level)
{
	w->lib.isal_deflate_init(&w->z);
	w->z.level = level;
	w->z.level_buf = w->memory;
	w->z.level_buf_size = level_bytes[level];
	w->z.gzip_flag = IGZIP_GZIP;
}

static int
isal_writer_open(void **state, int level, struct err *e)
{
	uint32_t own = level < 1 ? 1 : level < 3 ? (uint32_t)level : 3;
	AUTO(free) struct isal_writer *w = malloc(sizeof(*w) + level_bytes[own]);

	if (!w)
		return err_sys(e, "make a compressor");
	if (dynlib_load(&library, &w->lib, e) < 0)
		return -1;
	isal_writer_begin(w, own);
	*state = take(w);
	return 0;
}

static enum codec_step
isal_writer_step(void *state, struct codec_io *io, struct err *e)
{
	struct isal_writer *w = state;
	uint32_t in = length32(io->in_left), out = length32(io->out_left);
	int rc;

	/* The library only reads what it is given; its pointer is not const. */
	memcpy(&w->z.next_in, &io->in, sizeof(io->in));
	w->z.avail_in = in;
	w->z.next_out = io->out;
	w->z.avail_out = out;
	w->z.end_of_stream = io->last && in == io->in_left;
	rc = w->lib.isal_deflate(&w->z);
	codec_io_move(io, in - w->z.avail_in, out - w->z.avail_out);
	if (rc != COMP_OK)
		return (enum codec_step)err_set(e, ERR_SYS, "ISA-L failed with %d", rc);
	if (io->last)
		return w->z.internal_state.state == ZSTATE_END ? CODEC_FED : CODEC_FULL;
	return io->in_left == 0 && w->z.avail_out > 0 ? CODEC_FED : CODEC_FULL;
}

static int
isal_writer_reset(void *state, struct err *e)
{
	struct isal_writer *w = state;

	(void)e;
	isal_writer_begin(w, w->z.level);
	return 0;
}

const struct codec_engine codec_isal_writer = {
	isal_writer_open, isal_writer_step, isal_writer_reset, free};

/* ---- reading ---- */

static int
isal_reader_reset(void *state, struct err *e)
{
	struct isal_reader *r = state;

	(void)e;
	r->lib.isal_inflate_init(&r->z);
	r->z.crc_flag = ISAL_GZIP;
	r->place = CODEC_NOTHING;
	return 0;
}

static int
isal_reader_open(void **state, int level, struct err *e)
{
	AUTO(free) struct isal_reader *r = malloc(sizeof(*r));

	(void)level;
	if (!r)
		return err_sys(e, "make a decompressor");
	if (dynlib_load(&library, &r->lib, e) < 0 || isal_reader_reset(r, e) < 0)
		return -1;
	*state = take(r);
	return 0;
}

static const char *
isal_reader_why(int rc)
{
	switch (rc) {
	case ISAL_INVALID_WRAPPER:
	case ISAL_UNSUPPORTED_METHOD:
		return "no gzip header stands where one must";
	case ISAL_INCORRECT_CHECKSUM:
		return "the checksum is wrong";
	default:
		return "the compressed data is damaged";
	}
}

/* One call of the library: up to the end of the member, of the input or of the room. */
static int
isal_reader_once(struct isal_reader *r, struct codec_io *io, struct err *e)
{
	uint32_t in = length32(io->in_left), out = length32(io->out_left);
	int rc;

	memcpy(&r->z.next_in, &io->in, sizeof(io->in));
	r->z.avail_in = in;
	r->z.next_out = io->out;
	r->z.avail_out = out;
	rc = r->lib.isal_inflate(&r->z);
	codec_io_move(io, in - r->z.avail_in, out - r->z.avail_out);
	if (rc < 0)
		return codec_bad(e, "%s", isal_reader_why(rc));
	r->place = CODEC_INSIDE;
	if (r->z.block_state == ISAL_BLOCK_FINISH) {
		r->lib.isal_inflate_reset(&r->z);
		r->z.crc_flag = ISAL_GZIP;
		r->place = CODEC_BETWEEN;
	}
	return 0;
}

static enum codec_step
isal_reader_step(void *state, struct codec_io *io, struct err *e)
{
	struct isal_reader *r = state;

	while (io->in_left > 0 || (io->last && r->place == CODEC_INSIDE)) {
		size_t in = io->in_left, out = io->out_left;

		if (isal_reader_once(r, io, e) < 0)
			return CODEC_FAILED;
		if (io->out_left == 0)
			return CODEC_FULL;
		if (io->in_left == in && io->out_left == out)
			return io->in_left > 0 ? CODEC_FULL : codec_fed(io, r->place, e);
	}
	return codec_fed(io, r->place, e);
}

const struct codec_engine codec_isal_reader = {
	isal_reader_open, isal_reader_step, isal_reader_reset, free};
