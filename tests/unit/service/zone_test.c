#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "service/zone.h"

static void
zones_of_the_database_have_their_offsets(void **state)
{
	int32_t offset = 1;

	(void)state;
	if (access("/usr/share/zoneinfo/Europe/Berlin", R_OK) != 0)
		skip();
	setenv("TZ", "Asia/Tokyo", 1);
	assert_true(zone_offset(NULL, "Europe/Berlin", INT64_C(1774745999), &offset));
	assert_int_equal(offset, 3600);
	assert_true(zone_offset(NULL, "Europe/Berlin", INT64_C(1774746000), &offset));
	assert_int_equal(offset, 7200);
	assert_string_equal(getenv("TZ"), "Asia/Tokyo");
}

static void
zone_that_is_not_there_is_said_to_be_so(void **state)
{
	int32_t offset = 1;

	(void)state;
	assert_false(zone_offset(NULL, "Mars/Base", 0, &offset));
	assert_false(zone_offset(NULL, "../../etc/passwd", 0, &offset));
	assert_false(zone_offset(NULL, "", 0, &offset));
	assert_int_equal(offset, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(zones_of_the_database_have_their_offsets),
		cmocka_unit_test(zone_that_is_not_there_is_said_to_be_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
