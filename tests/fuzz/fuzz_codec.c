/*
 * fuzz_codec - compressed streams of any bytes; the first byte picks the format and the size of the
 * pieces.
 *
 * A stream is either taken or corrupt; gzip that both ISA-L and zlib take gives the same. (Reserved
 * bits in a header are refused by zlib alone.)
 */
#include <string.h>

#include "base/hash.h"
#include "store/codec_impl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ENOUGH (8 << 20) /* bytes; a bomb is not waited for */

struct seen {
	struct sha256 hash;
	size_t bytes;
};

static int
see(void *arg, const void *p, size_t n, struct err *e)
{
	struct seen *s = arg;

	must(n > 0 && n <= CODEC_PIECE);
	sha256_put(&s->hash, p, n);
	s->bytes += n;
	return s->bytes > ENOUGH ? err_set(e, ERR_SPACE, "enough") : 0;
}

static int
feed(struct codec_stream *c, const uint8_t *p, size_t n, size_t piece, struct err *e)
{
	while (n > 0) {
		size_t now = n < piece ? n : piece;

		if (codec_write(c, p, now, e) < 0)
			return -1;
		p += now;
		n -= now;
	}
	return codec_finish(c, e);
}

/* What came of it: a digest, or the kind of the error. */
static enum err_kind
run(const struct codec_engine *engine, const uint8_t *data, size_t size, struct seen *seen)
{
	enum codec codec = (enum codec)(1 + (data[0] & 7) % (CODECS - 1));
	size_t piece = data[0] & 8 ? 1 : data[0] & 16 ? 100 : size;
	struct codec_spec spec = {codec, 0, see, seen};
	AUTO(codec_free) struct codec_stream *c = NULL;
	struct err e = {0};
	int rc =
		engine ? codec_open_engine(&c, &spec, engine, &e) : codec_decompress(&c, &spec, &e);

	must(rc == 0);
	sha256_init(&seen->hash);
	seen->bytes = 0;
	if (feed(c, data + 1, size - 1, piece, &e) == 0)
		return ERR_NONE;
	must(e.kind == ERR_CORRUPT || e.kind == ERR_SPACE || e.kind == ERR_SYS);
	return e.kind;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen one, two;
	char a[SHA256_HEX_SIZE], b[SHA256_HEX_SIZE];

	if (size < 2)
		return 0;
	if (run(NULL, data, size, &one) != ERR_NONE || data[0] % 8 % (CODECS - 1) != 0)
		return 0;
	if (run(&codec_zlib_reader, data, size, &two) != ERR_NONE)
		return 0;
	sha256_end_hex(&one.hash, a);
	sha256_end_hex(&two.hash, b);
	must(strcmp(a, b) == 0);
	return 0;
}
