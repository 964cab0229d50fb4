/*
 * codec_impl - what every format is to codec.c: two engines, one that writes and one that reads it.
 *
 * An engine turns what is at io->in into what goes to io->out and moves both on.  The loop in
 * codec.c gives it room, hands the result to the sink and ends a stream that makes no progress.
 */
#pragma once

#include <string.h>

#include "store/codec.h"
#include "sys/dynlib.h"

#define CODEC_PIECE ((size_t)256 * 1024) /* the room an engine gets, and what a sink gets */

enum codec_step {
	CODEC_FAILED = -1,
	CODEC_FED,  /* all input is taken; after the last one: all output is given */
	CODEC_FULL, /* call again with more room, at least CODEC_PIECE from the second time on */
};

struct codec_io {
	const unsigned char *in;
	size_t in_left;
	unsigned char *out;
	size_t out_left;
	bool last; /* nothing follows what is at in */
};

struct codec_engine {
	int (*open)(void **state, int level, struct err *e); /* ERR_CONFIG: no such library */
	enum codec_step (*step)(void *state, struct codec_io *io, struct err *e);
	int (*reset)(void *state, struct err *e);
	void (*close)(void *state);
};

/* Where a reader stands; formats may be joined end to end (gzip members, zstd and lz4 frames). */
enum codec_place {
	CODEC_NOTHING, /* read yet */
	CODEC_INSIDE,
	CODEC_BETWEEN, /* at the end, or before the next one */
};

extern const struct codec_engine codec_isal_writer, codec_isal_reader;
extern const struct codec_engine codec_deflate_writer;
extern const struct codec_engine codec_zlib_writer, codec_zlib_reader;
extern const struct codec_engine codec_zstd_writer, codec_zstd_reader;
extern const struct codec_engine codec_lz4_writer, codec_lz4_reader;
extern const struct codec_engine codec_snappy_writer, codec_snappy_reader;
extern const struct codec_engine codec_bzip2_writer, codec_bzip2_reader;
extern const struct codec_engine codec_xz_writer, codec_xz_reader;

/* A stream of this engine, whatever codec.c would choose. */
int codec_open_engine(struct codec_stream **out, const struct codec_spec *spec,
	const struct codec_engine *engine, struct err *e) MUSTCHECK;

/* Moves io on by what the library took and gave. */
static inline void
codec_io_move(struct codec_io *io, size_t taken, size_t given)
{
	io->in += taken;
	io->in_left -= taken;
	io->out += given;
	io->out_left -= given;
}

/* Input is used up: is that all right?  ERR_CORRUPT when the last of it ended in the middle. */
static inline enum codec_step
codec_fed(const struct codec_io *io, enum codec_place place, struct err *e)
{
	if (io->last && place == CODEC_NOTHING)
		return (enum codec_step)err_set(e, ERR_CORRUPT, "there is nothing in it");
	if (io->last && place == CODEC_INSIDE)
		return (enum codec_step)err_set(e, ERR_CORRUPT, "it ends in the middle");
	return CODEC_FED;
}

#define codec_bad(e, ...) ((enum codec_step)err_set(e, ERR_CORRUPT, __VA_ARGS__))
