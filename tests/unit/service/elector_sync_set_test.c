/*
 * elector_sync_set_test - the sync set as text, and whose data it is that leads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service/elector.h"
#include "sys/file.h"

struct fixture {
	char top[64];
	struct run_options opt;
	struct service service;
	struct elector el;
	struct elector_set set;
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char path[FILE_PATH_MAX];
	struct err e;

	must(f);
	snprintf(f->top, sizeof(f->top), "/tmp/podgres-set-XXXXXX");
	must(mkdtemp(f->top));
	snprintf(f->opt.pgdata, sizeof(f->opt.pgdata), "%s", f->top);
	snprintf(f->opt.pod_name, sizeof(f->opt.pod_name), "pg-1");
	must(file_join(path, sizeof(path), f->top, "pg_stat_tmp", &e) == 0);
	must(file_make_dirs(path, 0700, &e) == 0);
	f->service.opt = &f->opt;
	f->el.s = &f->service;
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;
	struct err e;

	must(file_remove_tree(f->top, &e) == 0);
	free(f);
	return 0;
}

static void
a_set_is_read_as_it_was_written(void **state)
{
	struct fixture *f = *state;
	struct elector_sync *s = &f->el.sync;
	struct syncset set = {.acks = 1};
	char text[1024];

	set.voters = elector_set_bit(s, "pg-2") | elector_set_bit(s, "pg-3");
	snprintf(s->term, sizeof(s->term), "t.1");
	elector_set_text(&f->el, set, text, sizeof(text));
	assert_string_equal(text,
		"{\"leader\":\"pg-1\",\"term\":\"t.1\",\"voters\":[\"pg-2\",\"pg-3\"],\"acks\":1}");
	elector_set_read(&f->set, text);
	assert_true(f->set.on);
	assert_string_equal(f->set.leader, "pg-1");
	assert_string_equal(f->set.term, "t.1");
	assert_int_equal(f->set.voters, 2);
	assert_int_equal(f->set.acks, 1);
	assert_true(elector_set_has(&f->set, "pg-3"));
	assert_false(elector_set_has(&f->set, "pg-1"));
	assert_true(syncset_equal(elector_set_of(s, &f->set), set));
}

static void
no_annotation_is_no_set_and_a_broken_one_lets_nobody_vote(void **state)
{
	static const char *const broken[] = {"{", "{}", "[]", "x",
		"{\"leader\":\"pg-1\",\"voters\":[\"pg-2\"],\"acks\":2}",
		"{\"leader\":\"pg-1\",\"voters\":[\"pg-2\"],\"acks\":0}",
		"{\"leader\":\"pg-1\",\"voters\":[\"pg-2\"],\"acks\":-1}",
		"{\"leader\":\"pg-1\",\"voters\":[\"pg-2\",5],\"acks\":1}",
		"{\"leader\":\"pg-1\",\"voters\":\"pg-2\",\"acks\":1}"};
	struct fixture *f = *state;

	elector_set_read(&f->set, "");
	assert_false(f->set.on);
	for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
		elector_set_read(&f->set, broken[i]);
		assert_true(f->set.on);
		assert_int_equal(f->set.voters, 0);
		assert_int_equal(f->set.acks, 0);
	}
}

static void
names_of_postgres_are_read_back(void **state)
{
	struct fixture *f = *state;
	struct elector_sync *s = &f->el.sync;
	const struct syncset_config any = {SYNCSET_ANY, 2, true, 0, 0};
	const char *names[SYNCSET_MEMBERS];
	struct syncset set = {.acks = 2}, none = {.acks = 2};
	struct buf text = {0};

	set.voters = elector_set_bit(s, "pg-2") | elector_set_bit(s, "pg-3");
	for (size_t i = 0; i < SYNCSET_MEMBERS; i++)
		names[i] = s->name[i];
	syncset_guc_text(&text, &any, set, names);
	assert_true(syncset_equal(elector_set_names(s, buf_str(&text)), set));
	buf_reset(&text);
	syncset_guc_text(&text, &any, none, names);
	assert_true(syncset_equal(elector_set_names(s, buf_str(&text)), none));
	assert_true(syncset_equal(elector_set_names(s, ""), (struct syncset){0, 0}));
	buf_deinit(&text);
}

static void
bits_of_names_that_count_are_not_given_away(void **state)
{
	struct fixture *f = *state;
	struct elector_sync *s = &f->el.sync;
	char name[16];
	uint32_t first = elector_set_bit(s, "pg-0");

	s->lease.voters = first;
	for (int i = 1; i < 100; i++) {
		snprintf(name, sizeof(name), "pg-%d", i);
		assert_int_not_equal(elector_set_bit(s, name), 0);
		assert_int_equal(elector_set_bit(s, "pg-0"), first);
	}
}

static void
only_the_leaders_own_data_leads_without_a_vote(void **state)
{
	struct fixture *f = *state;
	char path[FILE_PATH_MAX];
	struct err e;

	elector_set_read(
		&f->set, "{\"leader\":\"pg-1\",\"term\":\"t.7\",\"voters\":[],\"acks\":0}");
	assert_false(elector_set_ours(&f->el, &f->set));
	snprintf(f->el.sync.term, sizeof(f->el.sync.term), "t.7");
	elector_set_own(&f->el);
	assert_true(elector_set_ours(&f->el, &f->set));
	snprintf(f->opt.pod_name, sizeof(f->opt.pod_name), "pg-2");
	assert_false(elector_set_ours(&f->el, &f->set));
	snprintf(f->opt.pod_name, sizeof(f->opt.pod_name), "pg-1");
	snprintf(f->set.term, sizeof(f->set.term), "t.8");
	assert_false(elector_set_ours(&f->el, &f->set));
	snprintf(f->set.term, sizeof(f->set.term), "t.7");
	must(file_join(path, sizeof(path), f->top, "pg_stat_tmp/podgres.leader", &e) == 0);
	must(unlink(path) == 0); /* what a base backup has not */
	assert_false(elector_set_ours(&f->el, &f->set));
}

static void
a_lease_without_its_set_asks_everybody(void **state)
{
	struct fixture *f = *state;

	f->el.failover.instances = 3;
	for (int i = 0; i < 3; i++)
		snprintf(f->el.peer[i].name, sizeof(f->el.peer[i].name), "pg-%d", i + 1);
	f->el.peers = 2;
	elector_set_everybody(&f->el, &f->set);
	assert_true(f->set.on);
	assert_int_equal(f->set.voters, 0);
	f->el.peers = 3;
	elector_set_everybody(&f->el, &f->set);
	assert_int_equal(f->set.voters, 3);
	assert_int_equal(f->set.acks, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_set_is_read_as_it_was_written, setup, teardown),
		cmocka_unit_test_setup_teardown(
			no_annotation_is_no_set_and_a_broken_one_lets_nobody_vote, setup, teardown),
		cmocka_unit_test_setup_teardown(names_of_postgres_are_read_back, setup, teardown),
		cmocka_unit_test_setup_teardown(
			bits_of_names_that_count_are_not_given_away, setup, teardown),
		cmocka_unit_test_setup_teardown(
			only_the_leaders_own_data_leads_without_a_vote, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_lease_without_its_set_asks_everybody, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
