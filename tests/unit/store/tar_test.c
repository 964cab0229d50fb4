#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "store/tar_impl.h"

/* Writes what it is told into a text, for comparison. */
struct scribe {
	struct buf text;
	int64_t bytes;
};

static int
on_begin(void *arg, const struct tar_entry *t, struct err *e)
{
	struct scribe *s = arg;

	(void)e;
	buf_printf(&s->text, "%c %s%s%s %lld %o %lld:%lld %lld [", "fdsh"[t->kind], t -> name,
		*t -> link ? "->" : "", t->link, (long long)t->bytes, t->mode, (long long)t->uid,
		(long long)t->gid, (long long)t->mtime);
	return 0;
}

static int
on_data(void *arg, const void *p, size_t n, struct err *e)
{
	struct scribe *s = arg;

	(void)e;
	assert_true(n > 0);
	s->bytes += (int64_t)n;
	if (s->text.len < 4000)
		buf_put(&s->text, p, n);
	return 0;
}

static int
on_end(void *arg, struct err *e)
{
	struct scribe *s = arg;

	(void)e;
	buf_puts(&s->text, "]\n");
	return 0;
}

static int
read_all(struct scribe *s, const struct buf *tar, size_t piece, bool open_end, struct err *e)
{
	struct tar_reader_spec spec = {on_begin, on_data, on_end, s, false, open_end};
	AUTO(tar_reader_free) struct tar_reader *r = NULL;

	assert_int_equal(tar_reader_new(&r, &spec, e), 0);
	for (size_t at = 0; at < tar->len; at += piece) {
		size_t n = tar->len - at < piece ? tar->len - at : piece;

		if (tar_reader_write(r, tar->data + at, n, e) < 0)
			return -1;
	}
	return tar_reader_finish(r, e);
}

static int
keep(void *arg, const void *p, size_t n, struct err *e)
{
	struct buf *b = arg;

	buf_put(b, p, n);
	return buf_check(b, e);
}

static void
write_entry(struct tar_writer *w, const struct tar_entry *t, const char *data)
{
	struct err e = {0};

	assert_int_equal(tar_writer_file(w, t, data, &e), 0);
}

static void
write_one(struct buf *out, const struct tar_entry *t, const char *data)
{
	AUTO(tar_writer_free) struct tar_writer *w = NULL;
	struct err e = {0};

	assert_int_equal(tar_writer_new(&w, keep, out, &e), 0);
	write_entry(w, t, data);
	assert_int_equal(tar_writer_finish(w, &e), 0);
	assert_int_equal(tar_writer_bytes(w), out->len);
}

static void
what_is_written_is_read_back_in_pieces_of_any_size(void **state)
{
	static const size_t pieces[] = {1, 7, 511, 512, 513, 4096, 1000000};
	AUTO(buf_deinit) struct buf tar = {0};
	AUTO(tar_writer_free) struct tar_writer *w = NULL;
	char longest[301], deep[200];
	struct err e = {0};

	(void)state;
	memset(longest, 'n', 300);
	longest[300] = '\0';
	memset(deep, 'd', 199);
	deep[120] = '/';
	deep[199] = '\0';
	assert_int_equal(tar_writer_new(&w, keep, &tar, &e), 0);
	write_entry(w, &(struct tar_entry){TAR_DIR, ".", "", 0, 0700, 1, 2, 3}, "");
	write_entry(w, &(struct tar_entry){TAR_FILE, "PG_VERSION", "", 3, 0600, 26, 26, 1700000000},
		"15\n");
	write_entry(w, &(struct tar_entry){TAR_FILE, "empty", "", 0, 0600, 0, 0, 0}, "");
	write_entry(w,
		&(struct tar_entry){TAR_SYMLINK, "pg_tblspc/16384", "/srv/ts", 0, 0777, 0, 0, -5},
		"");
	write_entry(w, &(struct tar_entry){TAR_FILE, longest, "", 1, 0600, 3000000, 0, 0}, "x");
	write_entry(w, &(struct tar_entry){TAR_SYMLINK, "l", longest, 0, 0777, 0, 3000000, 0}, "");
	write_entry(w, &(struct tar_entry){TAR_DIR, deep, "", 0, 0700, 0, 0, 99999999999}, "");
	assert_int_equal(tar_writer_finish(w, &e), 0);
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		AUTO(buf_deinit) struct buf want = {0};
		struct scribe s = {0};

		if (read_all(&s, &tar, pieces[i], false, &e) < 0)
			fail_msg("%s", e.msg);
		buf_printf(&want,
			"d . 0 700 1:2 3 []\n"
			"f PG_VERSION 3 600 26:26 1700000000 [15\n]\n"
			"f empty 0 600 0:0 0 []\n"
			"s pg_tblspc/16384->/srv/ts 0 777 0:0 -5 []\n"
			"f %s 1 600 3000000:0 0 [x]\n"
			"s l->%s 0 777 0:3000000 0 []\n"
			"d %s 0 700 0:0 99999999999 []\n",
			longest, longest, deep);
		assert_string_equal(buf_str(&s.text), buf_str(&want));
		buf_deinit(&s.text);
	}
}

static void
names_of_every_length_survive(void **state)
{
	(void)state;
	for (size_t len = 1; len <= TAR_NAME_MAX; len += len < 300 ? 1 : 379) {
		AUTO(buf_deinit) struct buf tar = {0};
		AUTO(free) char *name = malloc(len + 1);
		struct scribe s = {0};
		struct err e = {0};

		for (size_t i = 0; i < len; i++)
			name[i] = i % 37 == 36 && i + 1 < len ? '/' : 'a';
		name[len] = '\0';
		write_one(&tar, &(struct tar_entry){TAR_DIR, name, "", 0, 0700, 0, 0, 0}, "");
		if (read_all(&s, &tar, 512, false, &e) < 0)
			fail_msg("%zu: %s", len, e.msg);
		assert_int_equal(strncmp(s.text.data + 2, name, len), 0);
		assert_int_equal(s.text.data[2 + len], ' ');
		buf_deinit(&s.text);
	}
}

static int64_t sunk;

static int
sink_count(void *arg, const void *p, size_t n, struct err *e)
{
	(void)arg;
	(void)p;
	(void)e;
	sunk += (int64_t)n;
	return 0;
}

static void
a_file_that_shrank_is_filled_with_zeros_and_one_that_grew_is_refused(void **state)
{
	AUTO(buf_deinit) struct buf tar = {0};
	AUTO(tar_writer_free) struct tar_writer *w = NULL;
	struct tar_entry t = {TAR_FILE, "a", "", 3000, 0600, 0, 0, 0};
	struct scribe s = {0};
	struct err e = {0};
	int64_t missing = 0;

	(void)state;
	assert_int_equal(tar_writer_new(&w, keep, &tar, &e), 0);
	assert_int_equal(tar_writer_begin(w, &t, &e), 0);
	assert_int_equal(tar_writer_data(w, "xy", 2, &e), 0);
	assert_int_equal(tar_writer_end(w, &missing, &e), 0);
	assert_int_equal(missing, 2998);
	t.bytes = 1;
	assert_int_equal(tar_writer_begin(w, &t, &e), 0);
	assert_int_equal(tar_writer_data(w, "xy", 2, &e), -1);
	assert_int_equal(e.kind, ERR_INVALID);
	assert_int_equal(tar_writer_end(w, NULL, &e), 0);
	assert_int_equal(tar_writer_finish(w, &e), 0);
	assert_int_equal(tar.len % TAR_BLOCK, 0);
	assert_int_equal(read_all(&s, &tar, 512, false, &e), 0);
	assert_int_equal(s.bytes, 3001);
	buf_deinit(&s.text);
}

/* 9 GiB pass through both without being kept anywhere. */
static void
a_file_beyond_eight_gigabytes_keeps_its_size(void **state)
{
	AUTO(tar_writer_free) struct tar_writer *w = NULL;
	AUTO(buf_deinit) struct buf head = {0};
	struct tar_entry t = {TAR_FILE, "big", "", 9LL << 30, 0600, 0, 0, 0};
	struct scribe s = {0};
	struct err e = {0};

	(void)state;
	assert_int_equal(tar_writer_new(&w, keep, &head, &e), 0);
	assert_int_equal(tar_writer_begin(w, &t, &e), 0);
	assert_int_equal(read_all(&s, &head, 512, false, &e), -1);
	assert_non_null(strstr(e.msg, "big: the archive ends in the middle"));
	assert_string_equal(buf_str(&s.text), "f big 9663676416 600 0:0 0 [");
	buf_deinit(&s.text);
	w = tar_writer_free(w);
	assert_int_equal(tar_writer_new(&w, sink_count, NULL, &e), 0);
	assert_int_equal(tar_writer_begin(w, &t, &e), 0);
	assert_int_equal(tar_writer_end(w, NULL, &e), 0);
	assert_int_equal(sunk, 3 * 512 + (9LL << 30));
}

/* ---- archives made by hand ---- */

static void
raw(struct buf *out, char type, const char *name, const char *size, const char *body)
{
	struct tar_block b = {.mode = "0000600",
		.mtime = "0",
		.type = type,
		.magic = "ustar",
		.version = {'0', '0'}};
	char sum[16];
	size_t n = strlen(body);

	memcpy(b.name, name, strlen(name));
	snprintf(b.size, sizeof(b.size), "%s", size);
	snprintf(sum, sizeof(sum), "%06o", tar_checksum(&b));
	memcpy(b.checksum, sum, 7);
	buf_put(out, &b, sizeof(b));
	buf_puts(out, body);
	for (; n % TAR_BLOCK; n++)
		buf_putc(out, '\0');
}

/* An extended header whose size is that of its body. */
static void
extra(struct buf *out, char type, const char *body)
{
	char size[32];

	snprintf(size, sizeof(size), "%zo", strlen(body));
	raw(out, type, "extra", size, body);
}

static void
raw_end(struct buf *out)
{
	for (size_t i = 0; i < 2 * TAR_BLOCK; i++)
		buf_putc(out, '\0');
}

static void
expect_text(struct buf *tar, const char *want)
{
	struct scribe s = {0};
	struct err e = {0};

	raw_end(tar);
	if (read_all(&s, tar, 100, false, &e) < 0)
		fail_msg("%s", e.msg);
	assert_string_equal(buf_str(&s.text), want);
	buf_deinit(&s.text);
	buf_reset(tar);
}

static void
expect_corrupt(struct buf *tar, const char *words)
{
	struct scribe s = {0};
	struct err e = {0};

	assert_int_equal(read_all(&s, tar, 100, false, &e), -1);
	assert_int_equal(e.kind, ERR_CORRUPT);
	if (!strstr(e.msg, words))
		fail_msg("\"%s\" is not in \"%s\"", words, e.msg);
	buf_deinit(&s.text);
	buf_reset(tar);
}

static void
long_names_of_gnu_and_of_pax_are_read(void **state)
{
	AUTO(buf_deinit) struct buf tar = {0};

	(void)state;
	extra(&tar, 'K', "target");
	extra(&tar, 'L', "./b//c/");
	raw(&tar, '2', "b", "0", "");
	extra(&tar, 'x', "12 path=a/b\n18 mtime=-12.5000\n");
	raw(&tar, '0', "b", "1", "x");
	extra(&tar, 'g', "12 path=x/y\n");
	raw(&tar, '0', "./c", "1", "x");
	expect_text(&tar,
		"s b/c->target 0 600 0:0 0 []\nf a/b 1 600 0:0 -12 [x]\nf c 1 600 0:0 0 [x]\n");
	extra(&tar, 'x', "9 size=2\n");
	raw(&tar, '0', "b", "1", "xy");
	raw(&tar, '\0', "old/", "0", "");
	expect_text(&tar, "f b 2 600 0:0 0 [xy]\nd old 0 600 0:0 0 []\n");
}

static void
names_that_leave_the_folder_are_refused(void **state)
{
	AUTO(buf_deinit) struct buf tar = {0};

	(void)state;
	raw(&tar, '0', "/etc/passwd", "0", "");
	expect_corrupt(&tar, "/etc/passwd: the name is absolute");
	raw(&tar, '0', "a/../b", "0", "");
	expect_corrupt(&tar, "a/../b: the name leaves");
	extra(&tar, 'x', "8 path=\n");
	raw(&tar, '0', "..", "0", "");
	expect_corrupt(&tar, "..: the name leaves");
	extra(&tar, 'x', "15 path=/etc/x\n");
	raw(&tar, '0', "b", "0", "");
	expect_corrupt(&tar, "/etc/x");
	raw(&tar, '0', "./", "0", "");
	expect_corrupt(&tar, "without a name");
}

static void
kinds_of_entries_that_postgres_does_not_have_are_refused(void **state)
{
	AUTO(buf_deinit) struct buf tar = {0};

	(void)state;
	for (const char *type = "13467SVMDNA"; *type; type++) {
		if (*type == '7')
			continue;
		raw(&tar, *type, "it", "0", "");
		expect_corrupt(&tar, "it: an entry of type");
	}
	extra(&tar, 'x', "22 GNU.sparse.major=1\n");
	raw(&tar, '0', "it", "0", "");
	expect_corrupt(&tar, "sparse");
}

static void
damaged_headers_are_refused(void **state)
{
	AUTO(buf_deinit) struct buf tar = {0};

	(void)state;
	raw(&tar, '0', "a", "0", "");
	tar.data[0] = 'b';
	expect_corrupt(&tar, "checksum");
	raw(&tar, '0', "a", "9x", "");
	expect_corrupt(&tar, "number");
	raw(&tar, 'x', "a", "300000", "");
	expect_corrupt(&tar, "impossible size");
	raw(&tar, 'L', "a", "20000", "");
	expect_corrupt(&tar, "impossible size");
	extra(&tar, 'x', "99 path=a\n\n\n\n");
	expect_corrupt(&tar, "damaged");
	extra(&tar, 'x', "9 size=9\n");
	raw_end(&tar);
	expect_corrupt(&tar, "without an entry");
}

static void
an_archive_must_have_its_end_unless_it_may_be_open(void **state)
{
	AUTO(buf_deinit) struct buf tar = {0};
	struct scribe s = {0};
	struct err e = {0};

	(void)state;
	raw(&tar, '0', "a", "3", "abc");
	assert_int_equal(read_all(&s, &tar, 512, true, &e), 0);
	assert_int_equal(read_all(&s, &tar, 512, false, &e), -1);
	assert_int_equal(e.kind, ERR_CORRUPT);
	for (size_t n = 1; n < 1024; n += 37) {
		struct buf part = {.data = tar.data, .len = n};

		assert_int_equal(read_all(&s, &part, 512, true, &e), -1);
		assert_int_equal(e.kind, ERR_CORRUPT);
	}
	raw_end(&tar);
	raw_end(&tar);
	assert_int_equal(read_all(&s, &tar, 512, false, &e), 0);
	buf_putc(&tar, 'x');
	expect_corrupt(&tar, "behind the end");
	raw(&tar, '0', "a", "0", "");
	for (size_t i = 0; i < TAR_BLOCK; i++)
		buf_putc(&tar, '\0');
	raw(&tar, '0', "b", "0", "");
	expect_corrupt(&tar, "behind the end");
	buf_deinit(&s.text);
}

static void
numbers_may_be_octal_or_base_256(void **state)
{
	static const struct {
		const char *field;
		size_t size;
		int64_t value;
	} good[] = {
		{"0000017\0", 8, 15},
		{"   17 \0\0", 8, 15},
		{"\0\0\0\0\0\0\0\0", 8, 0},
		{"777777777777", 12, 68719476735},
		{"\x80\0\0\0\0\0\0\0\0\0\1\2", 12, 258},
		{"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe", 12, -2},
		{"\x80\0\0\0\0\0\1\0", 8, 256},
	};
	int64_t v;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(tar_number(good[i].field, good[i].size, &v), 0);
		assert_int_equal(v, good[i].value);
	}
	assert_int_equal(tar_number("-1\0\0\0\0\0\0", 8, &v), -1);
	assert_int_equal(tar_number("9\0\0\0\0\0\0\0", 8, &v), -1);
	assert_int_equal(tar_number("\x80\0\1\0\0\0\0\0\0\0\0\0", 12, &v), -1);
	assert_int_equal(tar_number("\x80\0\0\0\x80\0\0\0\0\0\0\0", 12, &v), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read_back_in_pieces_of_any_size),
		cmocka_unit_test(names_of_every_length_survive),
		cmocka_unit_test(
			a_file_that_shrank_is_filled_with_zeros_and_one_that_grew_is_refused),
		cmocka_unit_test(a_file_beyond_eight_gigabytes_keeps_its_size),
		cmocka_unit_test(long_names_of_gnu_and_of_pax_are_read),
		cmocka_unit_test(names_that_leave_the_folder_are_refused),
		cmocka_unit_test(kinds_of_entries_that_postgres_does_not_have_are_refused),
		cmocka_unit_test(damaged_headers_are_refused),
		cmocka_unit_test(an_archive_must_have_its_end_unless_it_may_be_open),
		cmocka_unit_test(numbers_may_be_octal_or_base_256),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
