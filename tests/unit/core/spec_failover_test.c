/*
 * spec_failover_test - synchronous replication and failover in a manifest.
 */
#include "spec_rig.h"

#define SYNC(fields) HEAD "  postgresql: {synchronous: {" fields "}}\n"

static void
expect_sync(const char *text, struct spec_sync want)
{
	AUTO(rig_deinit) struct rig f = {0};

	rig_ok(&f, text);
	assert_int_equal(f.s->sync.first, want.first);
	assert_int_equal(f.s->sync.number, want.number);
	assert_int_equal(f.s->sync.least, want.least);
	assert_int_equal(f.s->sync.max_names, want.max_names);
	assert_int_equal(rig_warnings(&f), 0);
}

static void
a_commit_waits_for_nobody_unless_asked_for(void **state)
{
	AUTO(rig_deinit) struct rig f = {0};

	(void)state;
	expect_sync(HEAD, (struct spec_sync){0});
	rig_ok(&f, HEAD);
	assert_int_equal(f.s->failover_lag_bytes, -1);
	assert_int_equal(f.s->priorities, 0);
}

static void
durability_is_required_unless_preferred_is_said(void **state)
{
	(void)state;
	expect_sync(SYNC("method: any, number: 2"), (struct spec_sync){false, 2, 2, 0});
	expect_sync(SYNC("method: first, number: 1, maxStandbyNamesFromCluster: 2"),
		(struct spec_sync){true, 1, 1, 2});
	expect_sync(SYNC("method: any, number: 2, dataDurability: preferred, failoverQuorum: true"),
		(struct spec_sync){false, 2, 0, 0});
}

static void
the_older_fields_say_the_most_and_the_least(void **state)
{
	(void)state;
	expect_sync(HEAD "  maxSyncReplicas: 2\n", (struct spec_sync){false, 2, 0, 0});
	expect_sync(HEAD "  minSyncReplicas: 1\n  maxSyncReplicas: 2\n",
		(struct spec_sync){false, 2, 1, 0});
}

static void
names_of_others_and_too_few_names_are_errors(void **state)
{
	(void)state;
	expect_error(SYNC("method: any, number: 1, standbyNamesPre: [x]"),
		"c.yaml:7:71: spec.postgresql.synchronous.standbyNamesPre: only members");
	expect_error(SYNC("method: any, number: 1, standbyNamesPost: [x]"),
		"c.yaml:7:72: spec.postgresql.synchronous.standbyNamesPost: only members");
	expect_error(SYNC("method: any, number: 2, maxStandbyNamesFromCluster: 1"),
		"c.yaml:7:82: spec.postgresql.synchronous.maxStandbyNamesFromCluster: 1 is less");
}

static void
lag_and_priorities_are_read_and_checked(void **state)
{
	AUTO(rig_deinit) struct rig f = {0};

	(void)state;
	rig_ok(&f, HEAD "  maximumLagOnFailover: 16Mi\n  failoverPriority: {pg-1: 0, pg-2: 200}\n");
	assert_int_equal(f.s->failover_lag_bytes, 16 << 20);
	assert_int_equal(f.s->priorities, 2);
	assert_string_equal(f.s->priority[1].name, "pg-2");
	assert_string_equal(f.s->priority[1].value, "200");
	expect_error(HEAD "  failoverPriority: {pg-1: high}\n",
		"c.yaml:7:28: spec.failoverPriority.pg-1: \"high\" is no priority");
	expect_error(HEAD "  failoverPriority: {pg-1: -1}\n",
		"c.yaml:7:28: spec.failoverPriority.pg-1: \"-1\" is no priority");
	expect_error(
		HEAD "  maximumLagOnFailover: much\n", "c.yaml:7:25: spec.maximumLagOnFailover");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_commit_waits_for_nobody_unless_asked_for),
		cmocka_unit_test(durability_is_required_unless_preferred_is_said),
		cmocka_unit_test(the_older_fields_say_the_most_and_the_least),
		cmocka_unit_test(names_of_others_and_too_few_names_are_errors),
		cmocka_unit_test(lag_and_priorities_are_read_and_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
