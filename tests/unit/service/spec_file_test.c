#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "service/spec_file.h"

#define HEAD "apiVersion: postgresql.cnpg.io/v1\nkind: Cluster\n"
#define TWO                                                            \
	HEAD "metadata: {name: one}\nspec: {instances: 1}\n---\n" HEAD \
	     "metadata: {name: other}\nspec: {instances: 7}\n"

static void
a_file_is_loaded_for_the_cluster_of_the_options(void **state)
{
	static struct run_options opt = {
		.config = "/tmp/spec_file_test.XXXXXX", .cluster_name = "other"};
	AUTO(spec_free) struct spec *s = NULL;
	struct err e = {0};
	int fd = mkostemp(opt.config, O_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, TWO, strlen(TWO)), strlen(TWO));
	close(fd);
	assert_int_equal(spec_file_load(&s, &opt, NULL, &e), 0);
	assert_int_equal(s->instances, 7);
	unlink(opt.config);
}

static void
a_file_that_is_not_there_is_named(void **state)
{
	static const struct run_options opt = {.config = "/nonexistent/cluster.yaml"};
	AUTO(spec_free) struct spec *s = NULL;
	struct err e = {0};

	(void)state;
	assert_int_equal(spec_file_load(&s, &opt, NULL, &e), -1);
	assert_int_equal(e.kind, ERR_CONFIG);
	assert_non_null(strstr(e.msg, "/nonexistent/cluster.yaml"));
}

static void
no_file_named_gives_the_defaults(void **state)
{
	static const struct run_options opt = {.config = ""};
	AUTO(spec_free) struct spec *s = NULL;
	struct err e = {0};

	(void)state;
	assert_int_equal(spec_file_load(&s, &opt, NULL, &e), 0);
	assert_int_equal(s->instances, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_loaded_for_the_cluster_of_the_options),
		cmocka_unit_test(a_file_that_is_not_there_is_named),
		cmocka_unit_test(no_file_named_gives_the_defaults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
