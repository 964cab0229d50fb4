#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/pending.h"

static void
five_settings_matter_to_standbys(void **state)
{
	(void)state;
	assert_true(pending_is_sensitive("max_connections"));
	assert_true(pending_is_sensitive("MAX_WAL_SENDERS"));
	assert_true(pending_is_sensitive("max_worker_processes"));
	assert_true(pending_is_sensitive("max_prepared_transactions"));
	assert_true(pending_is_sensitive("max_locks_per_transaction"));
	assert_false(pending_is_sensitive("shared_buffers"));
	assert_false(pending_is_sensitive("max_replication_slots"));
}

static void
decrease_is_a_smaller_number_of_a_sensitive_setting(void **state)
{
	(void)state;
	assert_true(pending_is_decrease("max_connections", "100", "99"));
	assert_true(pending_is_decrease("max_connections", "100", "0x10"));
	assert_false(pending_is_decrease("max_connections", "100", "100"));
	assert_false(pending_is_decrease("max_connections", "99", "100"));
	assert_false(pending_is_decrease("shared_buffers", "100", "99"));
	assert_false(pending_is_decrease("max_connections", "100", "few"));
	assert_false(pending_is_decrease("max_connections", "", "1"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(five_settings_matter_to_standbys),
		cmocka_unit_test(decrease_is_a_smaller_number_of_a_sensitive_setting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
