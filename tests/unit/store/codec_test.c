#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "store/codec_impl.h"

#define KIB ((size_t)1024)

static const struct pair {
	const char *name;
	enum codec codec;
	int level;
	const struct codec_engine *writer, *reader; /* NULL: as codec.c chooses */
} pairs[] = {
	{"none", CODEC_NONE, 0, NULL, NULL},
	{"gzip", CODEC_GZIP, 0, NULL, NULL},
	{"gzip 3", CODEC_GZIP, 3, NULL, NULL},
	{"gzip 6", CODEC_GZIP, 6, NULL, NULL},
	{"isal to zlib", CODEC_GZIP, 1, &codec_isal_writer, &codec_zlib_reader},
	{"zlib to isal", CODEC_GZIP, 1, &codec_zlib_writer, &codec_isal_reader},
	{"libdeflate to isal", CODEC_GZIP, 6, &codec_deflate_writer, &codec_isal_reader},
	{"zstd", CODEC_ZSTD, 0, NULL, NULL},
	{"lz4", CODEC_LZ4, 0, NULL, NULL},
	{"snappy", CODEC_SNAPPY, 0, NULL, NULL},
	{"bzip2", CODEC_BZIP2, 0, NULL, NULL},
	{"xz", CODEC_XZ, 0, NULL, NULL},
};

static int
keep(void *arg, const void *p, size_t n, struct err *e)
{
	struct buf *b = arg;

	assert_in_range(n, 1, CODEC_PIECE);
	buf_put(b, p, n);
	return buf_check(b, e);
}

static struct codec_stream *
stream_of(const struct pair *f, bool write, struct buf *out)
{
	struct codec_spec spec = {f->codec, f->level, keep, out};
	const struct codec_engine *engine = write ? f->writer : f->reader;
	struct codec_stream *c = NULL;
	struct err e = {0};
	int rc = engine  ? codec_open_engine(&c, &spec, engine, &e)
		 : write ? codec_compress(&c, &spec, &e)
			 : codec_decompress(&c, &spec, &e);

	if (rc < 0)
		fail_msg("%s: %s", f->name, e.msg);
	return c;
}

static int
feed(struct codec_stream *c, const void *p, size_t n, size_t piece, struct err *e)
{
	const char *at = p;

	for (; n > 0; at += piece, n -= piece) {
		piece = piece < n ? piece : n;
		if (codec_write(c, at, piece, e) < 0)
			return -1;
	}
	return codec_finish(c, e);
}

/* Half of it compresses well, a quarter badly, the rest is zeros. */
static void
make_plain(struct buf *b, size_t n)
{
	uint64_t x = 88172645463325252ULL;

	for (size_t i = 0; i < n; i++) {
		size_t part = i / 8192 % 4;

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		buf_putc(b, part < 2    ? "the quick brown fox "[(i + x % 2) % 20]
			    : part == 2 ? (char)x
					: '\0');
	}
}

static void
round_trip(const struct pair *f, const struct buf *plain, size_t piece)
{
	AUTO(buf_deinit) struct buf packed = {0}, back = {0};
	AUTO(codec_free) struct codec_stream *w = stream_of(f, true, &packed);
	AUTO(codec_free) struct codec_stream *r = stream_of(f, false, &back);
	struct err e = {0};

	for (int turn = 0; turn < 2; turn++) {
		buf_reset(&packed);
		buf_reset(&back);
		assert_int_equal(feed(w, plain->data, plain->len, piece, &e), 0);
		if (feed(r, packed.data, packed.len, piece, &e) < 0)
			fail_msg("%s, %zu bytes: %s", f->name, plain->len, e.msg);
		assert_int_equal(back.len, plain->len);
		assert_true(plain->len == 0 || memcmp(back.data, plain->data, back.len) == 0);
		assert_int_equal(codec_reset(w, &packed, &e), 0);
		assert_int_equal(codec_reset(r, &back, &e), 0);
	}
}

static void
every_format_gives_back_what_was_written_and_again_after_a_reset(void **state)
{
	static const size_t sizes[] = {0, 1, 65535, 65536, 65537, 255 * KIB, 600 * KIB};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		AUTO(buf_deinit) struct buf plain = {0};

		make_plain(&plain, sizes[i]);
		for (size_t f = 0; f < ARRAY_LEN(pairs); f++) {
			round_trip(&pairs[f], &plain, 256 * KIB);
			round_trip(&pairs[f], &plain, 7919);
		}
	}
}

static void
bytes_may_come_one_by_one(void **state)
{
	AUTO(buf_deinit) struct buf plain = {0};

	(void)state;
	make_plain(&plain, 20000);
	for (size_t f = 0; f < ARRAY_LEN(pairs); f++)
		round_trip(&pairs[f], &plain, 1);
}

static void
a_segment_and_a_byte_more_pass_through_every_format(void **state)
{
	AUTO(buf_deinit) struct buf plain = {0};

	(void)state;
	make_plain(&plain, 16 * KIB * KIB);
	for (size_t f = 0; f < ARRAY_LEN(pairs); f++)
		if (pairs[f].codec != CODEC_BZIP2 && pairs[f].codec != CODEC_XZ)
			round_trip(&pairs[f], &plain, 256 * KIB);
	buf_putc(&plain, 'x');
	round_trip(&pairs[3], &plain, 256 * KIB);
}

static void
pack(const struct pair *f, const void *p, size_t n, struct buf *out)
{
	AUTO(codec_free) struct codec_stream *w = stream_of(f, true, out);
	struct err e = {0};

	assert_int_equal(feed(w, p, n, CODEC_PIECE, &e), 0);
}

static int
unpack(const struct pair *f, const void *p, size_t n, struct buf *out, struct err *e)
{
	AUTO(codec_free) struct codec_stream *r = stream_of(f, false, out);

	return feed(r, p, n, 4096, e);
}

static void
expect_corrupt(const struct pair *f, const void *p, size_t n)
{
	AUTO(buf_deinit) struct buf back = {0};
	struct err e = {0};

	if (unpack(f, p, n, &back, &e) == 0)
		fail_msg("%s: %zu bytes were taken", f->name, n);
	assert_int_equal(e.kind, ERR_CORRUPT);
	if (strncmp(e.msg, codec_text(f->codec), strlen(codec_text(f->codec))) != 0)
		fail_msg("%s: the message does not name the format: %s", f->name, e.msg);
}

static void
a_stream_that_ends_too_early_is_corrupt_wherever_it_ends(void **state)
{
	AUTO(buf_deinit) struct buf plain = {0};

	(void)state;
	make_plain(&plain, 3000);
	for (size_t f = 1; f < ARRAY_LEN(pairs); f++) {
		AUTO(buf_deinit) struct buf packed = {0};

		pack(&pairs[f], plain.data, plain.len, &packed);
		for (size_t n = 0; n < packed.len; n++) {
			/* snappy has no end mark: a whole identifier is a whole empty stream */
			if (pairs[f].codec == CODEC_SNAPPY && n == 10)
				continue;
			expect_corrupt(&pairs[f], packed.data, n);
		}
	}
}

/* A copy from another place that holds the same text is no damage. */
static void
expect_found(const struct pair *f, const struct buf *packed, const struct buf *plain)
{
	AUTO(buf_deinit) struct buf back = {0};
	struct err e = {0};

	if (unpack(f, packed->data, packed->len, &back, &e) < 0)
		assert_int_equal(e.kind, ERR_CORRUPT);
	else if (back.len != plain->len || memcmp(back.data, plain->data, back.len) != 0)
		fail_msg("%s: damage was taken", f->name);
}

static void
a_wrong_byte_in_the_data_is_found(void **state)
{
	AUTO(buf_deinit) struct buf plain = {0};

	(void)state;
	make_plain(&plain, 40000);
	for (size_t f = 1; f < ARRAY_LEN(pairs); f++) {
		AUTO(buf_deinit) struct buf packed = {0};

		pack(&pairs[f], plain.data, plain.len, &packed);
		for (size_t n = 100; n < packed.len; n += packed.len / 23) {
			packed.data[n] ^= 0x10;
			expect_found(&pairs[f], &packed, &plain);
			packed.data[n] ^= 0x10;
		}
	}
}

static void
bytes_behind_the_end_are_refused(void **state)
{
	(void)state;
	for (size_t f = 1; f < ARRAY_LEN(pairs); f++) {
		AUTO(buf_deinit) struct buf packed = {0};

		pack(&pairs[f], "some text", 9, &packed);
		buf_put(&packed, "garbage behind", 14);
		expect_corrupt(&pairs[f], packed.data, packed.len);
	}
}

static void
streams_joined_end_to_end_are_one(void **state)
{
	(void)state;
	for (size_t f = 0; f < ARRAY_LEN(pairs); f++) {
		AUTO(buf_deinit) struct buf packed = {0}, back = {0};
		struct err e = {0};

		pack(&pairs[f], "one ", 4, &packed);
		pack(&pairs[f], "", 0, &packed);
		pack(&pairs[f], "two", 3, &packed);
		if (unpack(&pairs[f], packed.data, packed.len, &back, &e) < 0)
			fail_msg("%s: %s", pairs[f].name, e.msg);
		assert_string_equal(back.data, "one two");
	}
}

static int
refuse(void *arg, const void *p, size_t n, struct err *e)
{
	(void)arg;
	(void)p;
	(void)n;
	return err_set(e, ERR_SPACE, "no room");
}

static void
the_error_of_the_sink_comes_back_as_it_is(void **state)
{
	(void)state;
	for (size_t f = 0; f < ARRAY_LEN(pairs); f++) {
		struct codec_spec spec = {pairs[f].codec, pairs[f].level, refuse, NULL};
		AUTO(codec_free) struct codec_stream *w = NULL;
		struct err e = {0};

		assert_int_equal(codec_compress(&w, &spec, &e), 0);
		assert_int_equal(feed(w, "abc", 3, 3, &e), -1);
		assert_int_equal(e.kind, ERR_SPACE);
		assert_string_equal(e.msg, "no room");
	}
}

/* Made by gzip(1), lzma, snzip and the like: what others write is read. */
static void
what_other_programs_wrote_is_read(void **state)
{
	static const unsigned char gz[] = {0x1f, 0x8b, 0x08, 0x08, 0, 0, 0, 0, 0x02, 0xff, 'n', 0,
		0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0, 0x86, 0xa6, 0x10, 0x36, 0x05, 0, 0, 0};
	static const unsigned char sn[] = {0xff, 6, 0, 0, 's', 'N', 'a', 'P', 'p', 'Y', 0xfe, 3, 0,
		0, 0, 0, 0, 1, 9, 0, 0, 0xbb, 0x1f, 0x1c, 0x19, 'h', 'e', 'l', 'l', 'o'};
	AUTO(buf_deinit) struct buf out = {0};
	struct err e = {0};

	(void)state;
	assert_int_equal(unpack(&pairs[1], gz, sizeof(gz), &out, &e), 0);
	assert_string_equal(out.data, "hello");
	buf_reset(&out);
	if (unpack(&pairs[9], sn, sizeof(sn), &out, &e) < 0)
		fail_msg("%s", e.msg);
	assert_string_equal(out.data, "hello");
}

static void
gzip_is_one_member_without_name_or_time(void **state)
{
	AUTO(buf_deinit) struct buf plain = {0}, packed = {0};
	uint32_t size;

	(void)state;
	make_plain(&plain, 700 * KIB);
	for (size_t f = 1; f < 7; f++) {
		buf_reset(&packed);
		pack(&pairs[f], plain.data, plain.len, &packed);
		assert_memory_equal(packed.data, "\x1f\x8b\x08\0\0\0\0\0", 8);
		memcpy(&size, packed.data + packed.len - 4, 4);
		assert_int_equal(size, plain.len);
	}
}

static void
names_and_extensions_are_barmans(void **state)
{
	enum codec c = CODEC_XZ;
	size_t stem = 0;

	(void)state;
	assert_int_equal(codec_parse("zstd", &c), 0);
	assert_int_equal(c, CODEC_ZSTD);
	assert_int_equal(codec_parse("", &c), 0);
	assert_int_equal(c, CODEC_NONE);
	assert_int_equal(codec_parse("rar", &c), -1);
	assert_int_equal(codec_of_name("00000002.history.gz", &stem), CODEC_GZIP);
	assert_int_equal(stem, 16);
	assert_int_equal(codec_of_name("000000010000000000000001", &stem), CODEC_NONE);
	assert_int_equal(stem, 24);
	assert_int_equal(codec_of_name("a.snappy", NULL), CODEC_SNAPPY);
	assert_int_equal(codec_of_name(".gz", NULL), CODEC_NONE);
	for (int i = 0; i < CODECS; i++) {
		assert_non_null(codec_text((enum codec)i));
		assert_int_equal(codec_parse(codec_text((enum codec)i), &c), 0);
		assert_int_equal(c, i);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_format_gives_back_what_was_written_and_again_after_a_reset),
		cmocka_unit_test(bytes_may_come_one_by_one),
		cmocka_unit_test(a_segment_and_a_byte_more_pass_through_every_format),
		cmocka_unit_test(a_stream_that_ends_too_early_is_corrupt_wherever_it_ends),
		cmocka_unit_test(a_wrong_byte_in_the_data_is_found),
		cmocka_unit_test(bytes_behind_the_end_are_refused),
		cmocka_unit_test(streams_joined_end_to_end_are_one),
		cmocka_unit_test(the_error_of_the_sink_comes_back_as_it_is),
		cmocka_unit_test(what_other_programs_wrote_is_read),
		cmocka_unit_test(gzip_is_one_member_without_name_or_time),
		cmocka_unit_test(names_and_extensions_are_barmans),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
