#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pg/wal_page.h"

#define SYSTEM UINT64_C(7312345678901234567)

static void
make(unsigned char p[WAL_PAGE_HEAD], uint32_t timeline, uint64_t lsn, uint32_t segment)
{
	const uint16_t magic = 0xD110, info = 2;
	const uint64_t system = SYSTEM;
	const uint32_t block = 8192;

	memset(p, 0, WAL_PAGE_HEAD);
	memcpy(p, &magic, 2);
	memcpy(p + 2, &info, 2);
	memcpy(p + 4, &timeline, 4);
	memcpy(p + 8, &lsn, 8);
	memcpy(p + 24, &system, 8);
	memcpy(p + 32, &segment, 4);
	memcpy(p + 36, &block, 4);
}

static void
a_segment_is_what_its_name_says(void **state)
{
	const struct wal_page_want want = {"000000020000000100000003", SYSTEM, 16 << 20};
	unsigned char p[WAL_PAGE_HEAD];
	struct wal_page page;
	struct err e = {0};

	(void)state;
	make(p, 2, UINT64_C(0x103000000), 16 << 20);
	assert_int_equal(wal_page_check(&page, p, sizeof(p), &want, &e), 0);
	assert_int_equal(page.segment_bytes, 16 << 20);
	make(p, 1, UINT64_C(0x103000000), 16 << 20); /* a copy of the parent's */
	assert_int_equal(wal_page_check(&page, p, sizeof(p), &want, &e), 0);
}

static void
what_is_another_segment_is_corrupt(void **state)
{
	const struct wal_page_want want = {"000000020000000100000003", SYSTEM, 16 << 20};
	const struct wal_page_want other = {"000000020000000100000003", SYSTEM + 1, 0};
	unsigned char p[WAL_PAGE_HEAD];
	struct wal_page page;
	struct err e = {0};

	(void)state;
	make(p, 2, UINT64_C(0x104000000), 16 << 20);
	assert_int_equal(wal_page_check(&page, p, sizeof(p), &want, &e), -1);
	assert_int_equal(e.kind, ERR_CORRUPT);
	assert_non_null(strstr(e.msg, "1/4000000"));
	make(p, 3, UINT64_C(0x103000000), 16 << 20);
	assert_int_equal(wal_page_check(&page, p, sizeof(p), &want, &e), -1);
	make(p, 2, UINT64_C(0x103000000), 64 << 20);
	assert_int_equal(wal_page_check(&page, p, sizeof(p), &want, &e), -1);
	make(p, 2, UINT64_C(0x103000000), 16 << 20);
	assert_int_equal(wal_page_check(&page, p, sizeof(p), &other, &e), -1);
	assert_int_equal(wal_page_check(&page, p, sizeof(p) - 1, &want, &e), -1);
	p[0] = p[1] = 0;
	assert_int_equal(wal_page_check(&page, p, sizeof(p), &want, &e), -1);
	assert_int_equal(e.kind, ERR_CORRUPT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_segment_is_what_its_name_says),
		cmocka_unit_test(what_is_another_segment_is_corrupt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
