#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <limits.h>
#include <string.h>

#include <cmocka.h>

#include "base/defs.h"
#include "base/suggest.h"

static const char *const names[] = {"pgdata", "pod-name", "pod-namespace", "run-dir", "state-dir",
	"maximumLag", "stopDelay", "wal"};

static const char *
near(const char *word)
{
	return suggest_nearest(word, names, ARRAY_LEN(names));
}

static void
a_slip_of_the_pen_is_understood(void **state)
{
	(void)state;
	assert_string_equal(near("pgdat"), "pgdata");
	assert_string_equal(near("pgdtaa"), "pgdata");
	assert_string_equal(near("pod-nmae"), "pod-name");
	assert_string_equal(near("stat-dir"), "state-dir");
}

static void
letters_of_another_case_cost_nothing(void **state)
{
	(void)state;
	assert_string_equal(near("MAXIMUMLAG"), "maximumLag");
	assert_int_equal(suggest_cost("stopdelay", "stopDelay"), 0);
}

static void
an_abbreviation_is_understood(void **state)
{
	(void)state;
	assert_string_equal(near("maxi"), "maximumLag");
}

static void
something_else_altogether_is_near_to_nothing(void **state)
{
	(void)state;
	assert_null(near("kubernetes"));
	assert_null(near(""));
	assert_null(near("x"));
	assert_null(near("abc"));
}

static void
cost_counts_letters(void **state)
{
	(void)state;
	assert_int_equal(suggest_cost("", "abc"), 3);
	assert_int_equal(suggest_cost("abc", ""), 3);
	assert_int_equal(suggest_cost("kitten", "sitting"), 3);
	assert_int_equal(suggest_cost("ab", "ba"), 1);
}

static void
words_beyond_the_limit_are_never_near(void **state)
{
	char word[SUGGEST_MAX + 2];

	(void)state;
	memset(word, 'a', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	assert_int_equal(suggest_cost(word, "a"), UINT_MAX);
	assert_null(near(word));
	word[SUGGEST_MAX] = '\0';
	assert_int_equal(suggest_cost(word, ""), SUGGEST_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_slip_of_the_pen_is_understood),
		cmocka_unit_test(letters_of_another_case_cost_nothing),
		cmocka_unit_test(an_abbreviation_is_understood),
		cmocka_unit_test(something_else_altogether_is_near_to_nothing),
		cmocka_unit_test(cost_counts_letters),
		cmocka_unit_test(words_beyond_the_limit_are_never_near),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
