/*
 * codec_snappy - the framing format of snappy (framing_format.txt of its sources).
 *
 * The library compresses blocks; the frame is ours: a stream identifier, then chunks of a type, a
 * length of three bytes, a masked CRC-32C of the plain bytes and at most 64 KiB of them.
 */
#include <snappy-c.h>

#include "base/hash.h"
#include "store/codec_impl.h"

#define SNAPPY_BLOCK ((size_t)65536)
#define SNAPPY_WORST ((size_t)76490) /* a block that does not compress: 32 + n + n / 6 */
#define SNAPPY_HEAD 8                /* type, length, checksum */
#define SNAPPY_ID "\xff\x06\x00\x00sNaPpY"
#define SNAPPY_ID_LEN ((size_t)10)

enum { CHUNK_COMPRESSED = 0, CHUNK_PLAIN = 1, CHUNK_SKIP_FIRST = 0x80, CHUNK_ID = 0xff };

struct snappy {
#define DYN(name) __typeof__(&name) name;
#include "tbl/dyn_snappy.h"
#undef DYN
};

static const struct dynlib_symbol symbols[] = {
#define DYN(name) {#name, offsetof(struct snappy, name)},
#include "tbl/dyn_snappy.h"
#undef DYN
};
static const struct dynlib library = {
	"libsnappy.so.1", "libsnappy1v5", symbols, ARRAY_LEN(symbols)};

static uint32_t
snappy_mask(uint32_t crc)
{
	return (crc >> 15 | crc << 17) + 0xa282ead8U;
}

static uint32_t
little_endian(const unsigned char *p, int bytes)
{
	uint32_t v = 0;

	for (int i = bytes - 1; i >= 0; i--)
		v = v << 8 | p[i];
	return v;
}

/* ---- writing ---- */

struct snappy_writer {
	struct snappy lib;
	bool begun;
	size_t n; /* bytes in block */
	unsigned char block[SNAPPY_BLOCK];
};

static int
snappy_writer_open(void **state, int level, struct err *e)
{
	AUTO(free) struct snappy_writer *w = malloc(sizeof(*w));

	(void)level;
	if (!w)
		return err_sys(e, "make a compressor");
	if (dynlib_load(&library, &w->lib, e) < 0)
		return -1;
	must(w->lib.snappy_max_compressed_length(SNAPPY_BLOCK) <= SNAPPY_WORST);
	w->begun = false;
	w->n = 0;
	*state = take(w);
	return 0;
}

static void
snappy_head(unsigned char *out, int type, size_t body, uint32_t crc)
{
	size_t len = body + 4;

	out[0] = (unsigned char)type;
	for (int i = 0; i < 3; i++)
		out[1 + i] = (unsigned char)(len >> (8 * i));
	for (int i = 0; i < 4; i++)
		out[4 + i] = (unsigned char)(crc >> (8 * i));
}

/* One chunk of p, where there is room for the worst. */
static int
snappy_chunk(struct snappy_writer *w, struct codec_io *io, const unsigned char *p, size_t n,
	struct err *e)
{
	size_t len = SNAPPY_WORST;
	int type = CHUNK_COMPRESSED;

	if (w->lib.snappy_compress((const char *)p, n, (char *)io->out + SNAPPY_HEAD, &len) !=
		SNAPPY_OK)
		return err_set(e, ERR_SYS, "libsnappy failed");
	if (len >= n - n / 8) {
		memcpy(io->out + SNAPPY_HEAD, p, n);
		len = n;
		type = CHUNK_PLAIN;
	}
	snappy_head(io->out, type, len, snappy_mask(crc32c(0, p, n)));
	codec_io_move(io, 0, SNAPPY_HEAD + len);
	return 0;
}

/* Fills the block; a whole one in the caller's memory is not copied.  *p: what to compress. */
static size_t
snappy_gather(struct snappy_writer *w, struct codec_io *io, const unsigned char **p)
{
	size_t n = SNAPPY_BLOCK - w->n < io->in_left ? SNAPPY_BLOCK - w->n : io->in_left;

	*p = io->in;
	if (n == SNAPPY_BLOCK) {
		codec_io_move(io, n, 0);
		return n;
	}
	memcpy(w->block + w->n, io->in, n);
	w->n += n;
	codec_io_move(io, n, 0);
	*p = w->block;
	if (w->n < SNAPPY_BLOCK && !io->last)
		return 0;
	n = w->n;
	w->n = 0;
	return n;
}

static enum codec_step
snappy_writer_step(void *state, struct codec_io *io, struct err *e)
{
	struct snappy_writer *w = state;
	const unsigned char *p;

	while (!w->begun || io->in_left > 0 || (io->last && w->n > 0)) {
		size_t n;

		if (io->out_left < SNAPPY_ID_LEN + SNAPPY_HEAD + SNAPPY_WORST)
			return CODEC_FULL;
		if (!w->begun) {
			memcpy(io->out, SNAPPY_ID, SNAPPY_ID_LEN);
			codec_io_move(io, 0, SNAPPY_ID_LEN);
			w->begun = true;
			continue;
		}
		n = snappy_gather(w, io, &p);
		if (n > 0 && snappy_chunk(w, io, p, n, e) < 0)
			return CODEC_FAILED;
	}
	return CODEC_FED;
}

static int
snappy_writer_reset(void *state, struct err *e)
{
	struct snappy_writer *w = state;

	(void)e;
	w->begun = false;
	w->n = 0;
	return 0;
}

const struct codec_engine codec_snappy_writer = {
	snappy_writer_open, snappy_writer_step, snappy_writer_reset, free};

/* ---- reading ---- */

struct snappy_reader {
	struct snappy lib;
	bool begun;        /* the identifier was there */
	size_t have, want; /* bytes of the chunk with its first four; those it must have */
	size_t skip;       /* bytes of a chunk that is passed over */
	unsigned char chunk[SNAPPY_HEAD + SNAPPY_WORST];
};

static int
snappy_reader_reset(void *state, struct err *e)
{
	struct snappy_reader *r = state;

	(void)e;
	r->begun = false;
	r->have = 0;
	r->want = 4;
	r->skip = 0;
	return 0;
}

static int
snappy_reader_open(void **state, int level, struct err *e)
{
	AUTO(free) struct snappy_reader *r = malloc(sizeof(*r));

	(void)level;
	if (!r)
		return err_sys(e, "make a decompressor");
	if (dynlib_load(&library, &r->lib, e) < 0 || snappy_reader_reset(r, e) < 0)
		return -1;
	*state = take(r);
	return 0;
}

/* The first four bytes of a chunk are there: what follows? */
static int
snappy_reader_head(struct snappy_reader *r, struct err *e)
{
	size_t len = little_endian(r->chunk + 1, 3);
	int type = r->chunk[0];

	if (!r->begun && type != CHUNK_ID)
		return codec_bad(e, "no stream identifier stands at the beginning");
	if (type >= CHUNK_SKIP_FIRST && type != CHUNK_ID) {
		r->skip = len;
		r->have = 0;
		return 0;
	}
	if (type > CHUNK_PLAIN && type != CHUNK_ID)
		return codec_bad(e, "chunk of the unknown type 0x%02x", (unsigned)type);
	if (type == CHUNK_ID ? len != SNAPPY_ID_LEN - 4 : len < 4 || 4 + len > sizeof(r->chunk))
		return codec_bad(e, "chunk of type 0x%02x with %zu bytes", (unsigned)type, len);
	r->want = 4 + len;
	return 0;
}

/* A chunk of data is whole: its plain bytes go to out, where a block has room. */
static int
snappy_reader_data(struct snappy_reader *r, struct codec_io *io, struct err *e)
{
	const char *body = (const char *)r->chunk + SNAPPY_HEAD;
	size_t len = r->want - SNAPPY_HEAD, n = len;

	if (r->chunk[0] == CHUNK_COMPRESSED) {
		if (r->lib.snappy_uncompressed_length(body, len, &n) != SNAPPY_OK ||
			n > SNAPPY_BLOCK ||
			r->lib.snappy_uncompress(body, len, (char *)io->out, &n) != SNAPPY_OK)
			return codec_bad(e, "the compressed data is damaged");
	} else if (n > SNAPPY_BLOCK) {
		return codec_bad(e, "a chunk of more than 64 KiB");
	} else {
		memcpy(io->out, body, n);
	}
	if (snappy_mask(crc32c(0, io->out, n)) != little_endian(r->chunk + 4, 4))
		return codec_bad(e, "the checksum is wrong");
	codec_io_move(io, 0, n);
	return 0;
}

static int
snappy_reader_chunk(struct snappy_reader *r, struct codec_io *io, struct err *e)
{
	if (r->chunk[0] != CHUNK_ID) {
		if (snappy_reader_data(r, io, e) < 0)
			return -1;
	} else if (memcmp(r->chunk, SNAPPY_ID, SNAPPY_ID_LEN) != 0) {
		return codec_bad(e, "the stream identifier is another format's");
	}
	r->begun = true;
	r->have = 0;
	r->want = 4;
	return 0;
}

static void
snappy_reader_take(struct snappy_reader *r, struct codec_io *io)
{
	size_t n = r->skip > 0 ? r->skip : r->want - r->have;

	n = n < io->in_left ? n : io->in_left;
	if (r->skip > 0) {
		r->skip -= n;
	} else {
		memcpy(r->chunk + r->have, io->in, n);
		r->have += n;
	}
	codec_io_move(io, n, 0);
}

static enum codec_step
snappy_reader_step(void *state, struct codec_io *io, struct err *e)
{
	struct snappy_reader *r = state;

	while (io->in_left > 0 || (r->have == r->want && r->have > 4)) {
		if (r->have == r->want && r->have > 4) {
			if (io->out_left < SNAPPY_BLOCK)
				return CODEC_FULL;
			if (snappy_reader_chunk(r, io, e) < 0)
				return CODEC_FAILED;
			continue;
		}
		snappy_reader_take(r, io);
		if (r->have == 4 && r->want == 4 && snappy_reader_head(r, e) < 0)
			return CODEC_FAILED;
	}
	return codec_fed(io,
		r->have > 0 || r->skip > 0 ? CODEC_INSIDE
		: r->begun                 ? CODEC_BETWEEN
					   : CODEC_NOTHING,
		e);
}

const struct codec_engine codec_snappy_reader = {
	snappy_reader_open, snappy_reader_step, snappy_reader_reset, free};
