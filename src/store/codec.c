/*
 * codec - formats by name, and the loop that drives their engines.
 *
 * Input goes from the caller's memory straight to the engine; output is gathered in one buffer of
 * 256 KiB and handed to the sink when that is full and at the end.
 */
#include "store/codec_impl.h"

static const struct codec_format {
	const char *text, *extension;
	const struct codec_engine *writer, *reader;
} formats[CODECS] = {
	[CODEC_NONE] = {"none", "", NULL, NULL},
	[CODEC_GZIP] = {"gzip", ".gz", &codec_isal_writer, &codec_isal_reader},
	[CODEC_ZSTD] = {"zstd", ".zst", &codec_zstd_writer, &codec_zstd_reader},
	[CODEC_LZ4] = {"lz4", ".lz4", &codec_lz4_writer, &codec_lz4_reader},
	[CODEC_SNAPPY] = {"snappy", ".snappy", &codec_snappy_writer, &codec_snappy_reader},
	[CODEC_BZIP2] = {"bzip2", ".bz2", &codec_bzip2_writer, &codec_bzip2_reader},
	[CODEC_XZ] = {"xz", ".xz", &codec_xz_writer, &codec_xz_reader},
};

#define DEFLATE_LEVEL 6 /* from here on, size is what was asked for: libdeflate, zlib */

struct codec_stream {
	struct codec_spec spec;
	const struct codec_engine *engine; /* NULL: none, bytes go through */
	void *state;
	unsigned char *out;
	size_t filled; /* bytes of out */
	bool over;     /* finished, or failed */
};

/* ---- names ---- */

const char *
codec_text(enum codec c)
{
	return formats[c].text;
}

const char *
codec_extension(enum codec c)
{
	return formats[c].extension;
}

int
codec_parse(const char *text, enum codec *out)
{
	for (int i = 0; i < CODECS; i++) {
		if (strcmp(text, formats[i].text) == 0 || (!*text && i == CODEC_NONE)) {
			*out = (enum codec)i;
			return 0;
		}
	}
	return -1;
}

enum codec
codec_of_name(const char *name, size_t *stem)
{
	size_t len = strlen(name);

	for (int i = CODEC_NONE + 1; i < CODECS; i++) {
		size_t ext = strlen(formats[i].extension);

		if (len > ext && strcmp(name + len - ext, formats[i].extension) == 0) {
			if (stem)
				*stem = len - ext;
			return (enum codec)i;
		}
	}
	if (stem)
		*stem = len;
	return CODEC_NONE;
}

/* ---- life ---- */

int
codec_open_engine(struct codec_stream **out, const struct codec_spec *spec,
	const struct codec_engine *engine, struct err *e)
{
	AUTO(codec_free) struct codec_stream *c = calloc(1, sizeof(*c));
	const char *text = codec_text(spec->codec);

	must(spec->sink && spec->level >= 0);
	if (!c || (engine && !(c->out = malloc(CODEC_PIECE))))
		return err_sys(e, "make a %s stream", text);
	c->spec = *spec;
	c->engine = engine;
	if (engine && engine->open(&c->state, spec->level, e) < 0)
		return err_add(e, "%s", text);
	*out = take(c);
	return 0;
}

/* gzip can always be written and read: zlib is linked. */
static int
stream_gzip(struct codec_stream **out, const struct codec_spec *spec, bool write, struct err *e)
{
	const struct codec_engine *best = write ? &codec_isal_writer : &codec_isal_reader;
	struct err why = {0};

	if (write && spec->level >= DEFLATE_LEVEL)
		best = &codec_deflate_writer;
	if (codec_open_engine(out, spec, best, &why) == 0)
		return 0;
	return codec_open_engine(out, spec, write ? &codec_zlib_writer : &codec_zlib_reader, e);
}

int
codec_compress(struct codec_stream **out, const struct codec_spec *spec, struct err *e)
{
	if (spec->codec == CODEC_GZIP)
		return stream_gzip(out, spec, true, e);
	return codec_open_engine(out, spec, formats[spec->codec].writer, e);
}

int
codec_decompress(struct codec_stream **out, const struct codec_spec *spec, struct err *e)
{
	if (spec->codec == CODEC_GZIP)
		return stream_gzip(out, spec, false, e);
	return codec_open_engine(out, spec, formats[spec->codec].reader, e);
}

int
codec_reset(struct codec_stream *c, void *arg, struct err *e)
{
	c->spec.arg = arg;
	c->filled = 0;
	c->over = true;
	if (c->engine && c->engine->reset(c->state, e) < 0)
		return err_add(e, "%s", codec_text(c->spec.codec));
	c->over = false;
	return 0;
}

struct codec_stream *
codec_free(struct codec_stream *c)
{
	if (c) {
		if (c->state)
			c->engine->close(c->state);
		free(c->out);
		free(c);
	}
	return NULL;
}

/* ---- the stream ---- */

static int
stream_flush(struct codec_stream *c, struct err *e)
{
	size_t n = c->filled;

	c->filled = 0;
	return n > 0 ? c->spec.sink(c->spec.arg, c->out, n, e) : 0;
}

static int
stream_run(struct codec_stream *c, struct codec_io *io, struct err *e)
{
	for (;;) {
		size_t room = CODEC_PIECE - c->filled, left = io->in_left;
		enum codec_step step;

		io->out = c->out + c->filled;
		io->out_left = room;
		step = c->engine->step(c->state, io, e);
		if (step == CODEC_FAILED)
			return err_add(e, "%s", codec_text(c->spec.codec));
		c->filled += room - io->out_left;
		if (step == CODEC_FED)
			return 0;
		if (c->filled == 0 && io->in_left == left)
			return err_set(e, ERR_CORRUPT, "%s: it makes no progress",
				codec_text(c->spec.codec));
		if (stream_flush(c, e) < 0)
			return -1;
	}
}

static int
stream_pass(struct codec_stream *c, const unsigned char *p, size_t n, struct err *e)
{
	while (n > 0) {
		size_t piece = n < CODEC_PIECE ? n : CODEC_PIECE;

		if (c->spec.sink(c->spec.arg, p, piece, e) < 0)
			return -1;
		p += piece;
		n -= piece;
	}
	return 0;
}

int
codec_write(struct codec_stream *c, const void *p, size_t n, struct err *e)
{
	struct codec_io io = {.in = p, .in_left = n};
	int rc;

	must(!c->over);
	if (n == 0)
		return 0;
	rc = c->engine ? stream_run(c, &io, e) : stream_pass(c, p, n, e);
	c->over = rc < 0;
	return rc;
}

int
codec_finish(struct codec_stream *c, struct err *e)
{
	struct codec_io io = {.in = (const unsigned char *)"", .last = true};

	must(!c->over);
	c->over = true;
	if (!c->engine)
		return 0;
	return stream_run(c, &io, e) < 0 ? -1 : stream_flush(c, e);
}
