/*
 * codec_deflate - gzip by libdeflate: the smallest for the time, but for whole inputs only.
 *
 * The input is kept until its end, at most DEFLATE_WHOLE of it (a WAL segment of the ordinary
 * size); what turns out larger goes through zlib at the same level, the kept part first.
 */
#include <libdeflate.h>

#include "store/codec_impl.h"

#define DEFLATE_WHOLE ((size_t)16 * 1024 * 1024)

struct deflate {
#define DYN(name) __typeof__(&name) name;
#include "tbl/dyn_deflate.h"
#undef DYN
};

static const struct dynlib_symbol symbols[] = {
#define DYN(name) {#name, offsetof(struct deflate, name)},
#include "tbl/dyn_deflate.h"
#undef DYN
};
static const struct dynlib library = {
	"libdeflate.so.0", "libdeflate0", symbols, ARRAY_LEN(symbols)};

struct deflate_writer {
	struct deflate lib;
	struct libdeflate_compressor *c;
	void *zlib; /* takes over when the input is too large; NULL until then */
	unsigned char *kept, *result;
	size_t in, room, given, ready; /* bytes in kept, its size; of result given away and made */
	int level;
	bool made; /* result is */
};

static void
deflate_writer_close(void *state)
{
	struct deflate_writer *w = state;

	if (w->c)
		w->lib.libdeflate_free_compressor(w->c);
	if (w->zlib)
		codec_zlib_writer.close(w->zlib);
	free(w->kept);
	free(w->result);
	free(w);
}

static int
deflate_writer_open(void **state, int level, struct err *e)
{
	struct deflate_writer *w = calloc(1, sizeof(*w));

	if (!w)
		return err_sys(e, "make a compressor");
	w->level = level < 1 ? 1 : level < 12 ? level : 12;
	if (dynlib_load(&library, &w->lib, e) < 0) {
		free(w);
		return -1;
	}
	w->c = w->lib.libdeflate_alloc_compressor(w->level);
	if (!w->c) {
		free(w);
		return err_set(e, ERR_SYS, "no memory for a compressor");
	}
	*state = w;
	return 0;
}

static int
deflate_keep(struct deflate_writer *w, struct codec_io *io, struct err *e)
{
	size_t need = w->in + io->in_left;

	if (need > w->room) {
		size_t room = 2 * w->room > need ? 2 * w->room : need;
		unsigned char *more = realloc(w->kept, room < DEFLATE_WHOLE ? room : DEFLATE_WHOLE);

		if (!more)
			return err_sys(e, "keep the input");
		w->kept = more;
		w->room = room < DEFLATE_WHOLE ? room : DEFLATE_WHOLE;
	}
	memcpy(w->kept + w->in, io->in, io->in_left);
	w->in = need;
	codec_io_move(io, io->in_left, 0);
	return 0;
}

static int
deflate_make(struct deflate_writer *w, struct err *e)
{
	size_t bound = w->lib.libdeflate_gzip_compress_bound(w->c, w->in);

	free(w->result);
	w->result = malloc(bound);
	if (!w->result)
		return err_sys(e, "compress %zu bytes", w->in);
	w->ready = w->lib.libdeflate_gzip_compress(w->c, w->kept, w->in, w->result, bound);
	w->made = true;
	return w->ready > 0 ? 0 : err_set(e, ERR_SYS, "libdeflate failed");
}

/* Too large: zlib goes on, from the beginning of what is kept. */
static enum codec_step
deflate_hand_over(struct deflate_writer *w, struct codec_io *io, struct err *e)
{
	struct codec_io kept = {.in = w->kept + w->given,
		.in_left = w->in - w->given,
		.out = io->out,
		.out_left = io->out_left};
	enum codec_step step;

	if (!w->zlib && codec_zlib_writer.open(&w->zlib, w->level, e) < 0)
		return CODEC_FAILED;
	if (w->given == w->in)
		return codec_zlib_writer.step(w->zlib, io, e);
	step = codec_zlib_writer.step(w->zlib, &kept, e);
	w->given = w->in - kept.in_left;
	codec_io_move(io, 0, io->out_left - kept.out_left);
	if (step != CODEC_FED)
		return step;
	free(w->kept);
	w->kept = NULL;
	w->in = w->given = w->room = 0;
	return codec_zlib_writer.step(w->zlib, io, e);
}

static enum codec_step
deflate_writer_step(void *state, struct codec_io *io, struct err *e)
{
	struct deflate_writer *w = state;
	size_t n;

	if (w->zlib || w->in + io->in_left > DEFLATE_WHOLE)
		return deflate_hand_over(w, io, e);
	if (io->in_left > 0 && deflate_keep(w, io, e) < 0)
		return CODEC_FAILED;
	if (!io->last)
		return CODEC_FED;
	if (!w->made && deflate_make(w, e) < 0)
		return CODEC_FAILED;
	n = w->ready - w->given < io->out_left ? w->ready - w->given : io->out_left;
	memcpy(io->out, w->result + w->given, n);
	w->given += n;
	codec_io_move(io, 0, n);
	return w->given == w->ready ? CODEC_FED : CODEC_FULL;
}

static int
deflate_writer_reset(void *state, struct err *e)
{
	struct deflate_writer *w = state;

	(void)e;
	if (w->zlib)
		codec_zlib_writer.close(w->zlib);
	w->zlib = NULL;
	free(w->result);
	w->result = NULL;
	w->in = w->given = w->ready = 0;
	w->made = false;
	return 0;
}

const struct codec_engine codec_deflate_writer = {
	deflate_writer_open, deflate_writer_step, deflate_writer_reset, deflate_writer_close};
