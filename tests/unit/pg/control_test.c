#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "pg/control.h"
#include "sys/file.h"

/* Recorded from initdb of each major; the text is what its own pg_controldata printed for it. */
static const int majors[] = {13, 14, 15, 16, 17, 18};
#define SAMPLES "tests/unit/pg/control"

static void
sample(int major, const char *suffix, struct buf *out)
{
	char path[128];
	struct err e = {0};

	snprintf(path, sizeof(path), SAMPLES "/%d.%s", major, suffix);
	assert_int_equal(file_read(out, path, 65536, &e), 0);
}

static void
every_major_is_read_and_printed_as_its_own_tool_does(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(majors); i++) {
		AUTO(buf_deinit) struct buf bytes = {0}, want = {0}, got = {0};
		struct control c;
		struct err e = {0};

		sample(majors[i], "control", &bytes);
		sample(majors[i], "txt", &want);
		assert_int_equal(control_parse(&c, bytes.data, bytes.len, &e), 0);
		assert_int_equal(c.major, majors[i]);
		assert_true(c.crc_ok);
		control_print(&c, &got);
		assert_string_equal(buf_str(&got), buf_str(&want));
	}
}

static void
fields_that_decide_have_the_values_of_the_file(void **state)
{
	AUTO(buf_deinit) struct buf bytes = {0};
	struct control c;
	struct err e = {0};

	(void)state;
	sample(15, "control", &bytes);
	assert_int_equal(control_parse(&c, bytes.data, bytes.len, &e), 0);
	assert_int_equal(c.max_connections, 100);
	assert_int_equal(c.max_worker_processes, 8);
	assert_int_equal(c.max_wal_senders, 10);
	assert_int_equal(c.max_prepared_xacts, 0);
	assert_int_equal(c.max_locks_per_xact, 64);
	assert_int_equal(c.wal_segment_bytes, 16 << 20);
	assert_int_equal(control_timeline(&c), 1);
	assert_true(control_clean(&c));
}

static void
one_wrong_bit_is_noticed(void **state)
{
	AUTO(buf_deinit) struct buf bytes = {0}, text = {0};
	struct control c;
	struct err e = {0};

	(void)state;
	sample(17, "control", &bytes);
	bytes.data[200] ^= 4;
	assert_int_equal(control_parse(&c, bytes.data, bytes.len, &e), -1);
	assert_int_equal(e.kind, ERR_CORRUPT);
	assert_int_equal(control_print_bytes(&text, bytes.data, bytes.len, &e), 0);
	assert_non_null(strstr(buf_str(&text), "WARNING: Calculated CRC checksum does not match"));
}

static void
short_and_unknown_files_are_corrupt(void **state)
{
	unsigned char bytes[CONTROL_BYTES] = {0};
	uint32_t version = 1201;
	struct control c;
	struct err e = {0};

	(void)state;
	assert_int_equal(control_parse(&c, bytes, 0, &e), -1);
	assert_int_equal(e.kind, ERR_CORRUPT);
	memcpy(bytes + 8, &version, sizeof(version));
	assert_int_equal(control_parse(&c, bytes, sizeof(bytes), &e), -1);
	assert_non_null(strstr(e.msg, "1201"));
	version = 1800;
	memcpy(bytes + 8, &version, sizeof(version));
	assert_int_equal(control_parse(&c, bytes, 290, &e), -1);
	assert_int_equal(e.kind, ERR_CORRUPT);
}

static void
higher_of_checkpoint_and_recovery_timeline_counts(void **state)
{
	struct control c = {.copy.timeline = 2, .min_recovery_timeline = 3};

	(void)state;
	assert_int_equal(control_timeline(&c), 3);
	c.min_recovery_timeline = 0;
	assert_int_equal(control_timeline(&c), 2);
}

static void
missing_file_is_not_found(void **state)
{
	struct control c;
	struct err e = {0};

	(void)state;
	assert_int_equal(control_read(&c, "/nonexistent", &e), -1);
	assert_int_equal(e.kind, ERR_NOTFOUND);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_major_is_read_and_printed_as_its_own_tool_does),
		cmocka_unit_test(fields_that_decide_have_the_values_of_the_file),
		cmocka_unit_test(one_wrong_bit_is_noticed),
		cmocka_unit_test(short_and_unknown_files_are_corrupt),
		cmocka_unit_test(higher_of_checkpoint_and_recovery_timeline_counts),
		cmocka_unit_test(missing_file_is_not_found),
	};

	setenv("TZ", "UTC", 1); // NOLINT(concurrency-mt-unsafe): before any thread
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
