/*
 * fuzz_tar - archives of any bytes; the first one picks the size of the pieces and what is allowed.
 *
 * What is taken has clean names, as much data as it said, and stays the same when it is written and
 * read again.
 */
#include <string.h>

#include "base/buf.h"
#include "store/tar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct copy {
	struct tar_writer *to; /* NULL: only looked at */
	int64_t left;
	bool open;
	size_t entries;
};

static void
check_name(const char *name)
{
	size_t len = strlen(name);

	must(len > 0 && len <= TAR_NAME_MAX && name[0] != '/' && name[len - 1] != '/');
	must(strcmp(name, "..") != 0 && strncmp(name, "../", 3) != 0 && !strstr(name, "/../"));
	must(len < 3 || strcmp(name + len - 3, "/..") != 0);
}

static int
begin(void *arg, const struct tar_entry *t, struct err *e)
{
	struct copy *c = arg;

	must(!c->open);
	check_name(t->name);
	c->open = true;
	c->left = t->bytes;
	c->entries++;
	return c->to ? tar_writer_begin(c->to, t, e) : 0;
}

static int
body(void *arg, const void *p, size_t n, struct err *e)
{
	struct copy *c = arg;

	must(c->open && n > 0 && (int64_t)n <= c->left);
	c->left -= (int64_t)n;
	return c->to ? tar_writer_data(c->to, p, n, e) : 0;
}

static int
end(void *arg, struct err *e)
{
	struct copy *c = arg;

	must(c->open && c->left == 0);
	c->open = false;
	return c->to ? tar_writer_end(c->to, NULL, e) : 0;
}

static int
read_all(struct copy *c, const void *p, size_t n, unsigned how, struct err *e)
{
	struct tar_reader_spec spec = {begin, body, end, c, how & 1, how & 2};
	AUTO(tar_reader_free) struct tar_reader *r = NULL;
	size_t piece = how & 4 ? 100 : how & 8 ? 7 : n;

	must(tar_reader_new(&r, &spec, e) == 0);
	for (const char *at = p; n > 0; at += piece, n -= piece) {
		piece = n < piece ? n : piece;
		if (tar_reader_write(r, at, piece, e) < 0)
			return -1;
	}
	return tar_reader_finish(r, e);
}

static int
keep(void *arg, const void *p, size_t n, struct err *e)
{
	buf_put(arg, p, n);
	return buf_check(arg, e);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(buf_deinit) struct buf out = {0};
	AUTO(tar_writer_free) struct tar_writer *w = NULL;
	struct copy first = {0}, again = {0};
	struct err e = {0};

	if (size < 1)
		return 0;
	must(tar_writer_new(&w, keep, &out, &e) == 0);
	first.to = w;
	if (read_all(&first, data + 1, size - 1, data[0], &e) < 0) {
		must(e.kind == ERR_CORRUPT || e.kind == ERR_INVALID);
		return 0;
	}
	must(tar_writer_finish(w, &e) == 0);
	must(read_all(&again, out.data, out.len, 1, &e) == 0);
	must(again.entries == first.entries);
	return 0;
}
