/*
 * fuzz_linebuf - lines do not depend on the pieces they come in, and memory does not grow.
 *
 * The first byte says how: quotes counted or not, and how long the pieces are.
 */
#include <stdint.h>
#include <string.h>

#include "base/linebuf.h"

#define MAX 64

struct heard {
	struct linebuf lines;
	struct buf text;
};

static void
hear(char *line, size_t n, bool cut, void *arg)
{
	struct heard *h = arg;

	must(n <= MAX && (!cut || n == MAX));
	must(h->lines.quoted || !memchr(line, '\n', n));
	buf_put(&h->text, line, n);
	buf_puts(&h->text, cut ? "<cut>\n" : "\n");
	memset(line, '#', n); /* it is ours to change */
}

static void
run(struct heard *h, const uint8_t *data, size_t n, size_t step)
{
	linebuf_init(&h->lines, MAX);
	h->lines.quoted = data[0] & 1;
	data++;
	n--;
	while (n > 0) {
		size_t len = n < step ? n : step;
		char *piece = malloc(len);

		must(piece);
		memcpy(piece, data, len);
		linebuf_feed(&h->lines, piece, len, hear, h);
		must(h->lines.held.len <= MAX && h->lines.held.cap <= 4 * MAX);
		free(piece);
		data += len;
		n -= len;
	}
	linebuf_flush(&h->lines, hear, h);
	must(!linebuf_pending(&h->lines));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct heard whole = {0}, pieces = {0};

	if (n < 1)
		return 0;
	run(&whole, data, n, n);
	run(&pieces, data, n, 1 + data[0] / 2);
	must(whole.text.len == pieces.text.len);
	must(whole.text.len == 0 || memcmp(whole.text.data, pieces.text.data, whole.text.len) == 0);
	linebuf_deinit(&whole.lines);
	linebuf_deinit(&pieces.lines);
	buf_deinit(&whole.text);
	buf_deinit(&pieces.text);
	return 0;
}
