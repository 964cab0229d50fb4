#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/field.h"

static const char *const kinds[] = {"Cluster", "Backup", "ScheduledBackup", "Pooler"};

/* The row of "spec.backup.target" below a kind. */
static int
find(const char *kind, const char *path)
{
	char copy[200], *save = NULL;
	int f = field_root(kind);

	snprintf(copy, sizeof(copy), "%s", path);
	for (char *p = strtok_r(copy, ".", &save); p && f != FIELD_NONE;
		p = strtok_r(NULL, ".", &save))
		f = field_child(f, p);
	return f;
}

static void
every_kind_has_name_spec_and_status(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		assert_true(field_root(kinds[i]) != FIELD_NONE);
		assert_true(field_required(find(kinds[i], "metadata.name")));
		assert_true(field_required(find(kinds[i], "spec")));
		assert_true(find(kinds[i], "status") != FIELD_NONE);
	}
	assert_int_equal(field_root("Database"), FIELD_NONE);
}

static void
every_row_has_a_sentence_without_full_stop(void **state)
{
	(void)state;
	for (int f = 0; f < field_count(); f++) {
		const char *text = field_text(f);

		if (!*field_name(f) || !*text || text[strlen(text) - 1] == '.')
			fail_msg("row %d, %s: \"%s\"", f, field_name(f), text);
	}
}

/* Walking also shows that every "@ROOT" exists: field_first must find it. */
static int
walk(int parent, int depth)
{
	int n = 0, f, twin;

	assert_true(depth < 12);
	for (f = field_first(parent); f != FIELD_NONE; f = field_next(f)) {
		twin = field_child(parent, field_name(f));
		if (twin != f)
			fail_msg("%s stands twice", field_name(f));
		n += 1 + walk(f, depth + 1);
	}
	return n;
}

static void
names_are_unique_among_siblings_and_roots_exist(void **state)
{
	int n = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		n += walk(field_root(kinds[i]), 0);
	assert_true(n > 500);
}

static void
only_maps_and_lists_of_maps_have_fields(void **state)
{
	(void)state;
	for (int f = 0; f < field_count(); f++) {
		bool may = field_type(f) == FIELD_OBJ || field_type(f) == FIELD_OBJS ||
			   field_implied(f);

		if (may != (field_first(f) != FIELD_NONE))
			fail_msg("row %d, %s", f, field_name(f));
	}
}

static void
ranges_and_words_fit_the_type(void **state)
{
	int64_t min, max;

	(void)state;
	for (int f = 0; f < field_count(); f++) {
		field_range(f, &min, &max);
		if (min > max)
			fail_msg("range of %s", field_name(f));
		if (min != INT64_MIN && field_type(f) != FIELD_INT && field_type(f) != FIELD_SECS)
			fail_msg("%s is no number", field_name(f));
		if (field_words(f) && field_type(f) != FIELD_STR && field_type(f) != FIELD_STRS)
			fail_msg("%s is no text", field_name(f));
	}
}

static void
every_type_and_class_says_what_it_is(void **state)
{
	(void)state;
	for (int t = 0; t < FIELD_TYPES; t++)
		assert_true(*field_expected((enum field_type)t));
	for (int c = 0; c < FIELD_CLASSES; c++) {
		assert_true(*field_class_text((enum field_class)c));
		assert_true(*field_class_meaning((enum field_class)c));
	}
}

static void
shared_parts_are_found_wherever_they_occur(void **state)
{
	(void)state;
	assert_true(find("Cluster", "spec.backup.barmanObjectStore.wal.maxParallel") != FIELD_NONE);
	assert_true(find("Cluster", "spec.externalClusters.barmanObjectStore.wal.maxParallel") !=
		    FIELD_NONE);
	assert_true(find("Cluster", "spec.externalClusters.sslKey.key") != FIELD_NONE);
	assert_true(find("Cluster", "spec.superuserSecret.name") != FIELD_NONE);
	assert_int_equal(find("Cluster", "spec.superuserSecret.key"), FIELD_NONE);
	assert_true(
		find("ScheduledBackup", "spec.onlineConfiguration.waitForArchive") != FIELD_NONE);
	assert_true(find("Pooler", "spec.pgbouncer.authQuerySecret.name") != FIELD_NONE);
	assert_int_equal(field_class(find("Cluster", "spec.storage")), FIELD_KUBE);
	assert_int_equal(field_type(find("Cluster", "spec.stopDelay")), FIELD_SECS);
}

static void
printing_shows_paths_and_inherits_the_class(void **state)
{
	AUTO(buf_deinit) struct buf b = {0};

	(void)state;
	field_print(&b, "Cluster", -1);
	assert_non_null(
		strstr(buf_str(&b), "spec.externalClusters[].connectionParameters  (implemented"));
	assert_non_null(
		strstr(buf_str(&b), "spec.backup.barmanObjectStore.data.jobs  (implemented"));
	assert_non_null(strstr(buf_str(&b), "spec.managed.roles[].login  (later"));
	assert_non_null(strstr(buf_str(&b), "spec.storage.size  (kubernetes"));
	assert_null(strstr(buf_str(&b), "@"));
	buf_reset(&b);
	field_print(&b, "Cluster", FIELD_IMPL);
	assert_null(strstr(buf_str(&b), "(later"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_has_name_spec_and_status),
		cmocka_unit_test(every_row_has_a_sentence_without_full_stop),
		cmocka_unit_test(names_are_unique_among_siblings_and_roots_exist),
		cmocka_unit_test(only_maps_and_lists_of_maps_have_fields),
		cmocka_unit_test(ranges_and_words_fit_the_type),
		cmocka_unit_test(every_type_and_class_says_what_it_is),
		cmocka_unit_test(shared_parts_are_found_wherever_they_occur),
		cmocka_unit_test(printing_shows_paths_and_inherits_the_class),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
