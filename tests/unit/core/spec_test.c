#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/spec.h"

#define HEAD                                  \
	"apiVersion: postgresql.cnpg.io/v1\n" \
	"kind: Cluster\n"                     \
	"metadata:\n"                         \
	"  name: pg\n"                        \
	"spec:\n"                             \
	"  instances: 1\n"

struct fixture {
	struct spec *s;
	struct spec_notes notes;
	struct err e;
	int rc;
};

static void
parse(struct fixture *f, const char *text)
{
	f->rc = spec_parse(&f->s, text, strlen(text), "c.yaml", &f->notes, &f->e);
}

static void
fixture_deinit(struct fixture *f)
{
	f->s = spec_free(f->s);
	spec_notes_deinit(&f->notes);
}

static inline void
fixture_deinit_auto(struct fixture *f)
{
	fixture_deinit(f);
}

static void
expect_ok(const char *body, size_t warnings)
{
	AUTO(fixture_deinit) struct fixture f = {0};
	size_t n = 0;

	parse(&f, body);
	if (f.rc)
		print_error("%s\n", f.e.msg);
	assert_int_equal(f.rc, 0);
	for (size_t i = 0; i < f.notes.n; i++)
		n += !f.notes.item[i].info;
	if (n != warnings)
		for (size_t i = 0; i < f.notes.n; i++)
			print_error("%d:%d %s\n", f.notes.item[i].at.line, f.notes.item[i].at.col,
				f.notes.item[i].text);
	assert_int_equal(n, warnings);
}

/* The first error begins with this, "c.yaml:LINE:COL: " and the path included. */
static void
expect_error(const char *body, const char *message)
{
	AUTO(fixture_deinit) struct fixture f = {0};

	parse(&f, body);
	assert_int_equal(f.rc, -1);
	assert_int_equal(f.e.kind, ERR_CONFIG);
	if (strncmp(f.e.msg, message, strlen(message)) != 0)
		assert_string_equal(f.e.msg, message);
	assert_null(f.s);
}

static void
expect_warning(const char *body, const char *message)
{
	AUTO(fixture_deinit) struct fixture f = {0};
	char line[400];

	parse(&f, body);
	if (f.rc)
		print_error("%s\n", f.e.msg);
	assert_int_equal(f.rc, 0);
	for (size_t i = 0; i < f.notes.n; i++) {
		snprintf(line, sizeof(line), "%d:%d: %s", f.notes.item[i].at.line,
			f.notes.item[i].at.col, f.notes.item[i].text);
		if (!f.notes.item[i].error && !f.notes.item[i].info &&
			strncmp(line, message, strlen(message)) == 0)
			return;
		print_error("%s\n", line);
	}
	fail_msg("no warning begins with: %s", message);
}

static void
no_manifest_gives_a_working_single_instance(void **state)
{
	AUTO(spec_free) struct spec *s = NULL;
	struct err e = {0};

	(void)state;
	assert_int_equal(spec_load(&s, "", NULL, &e), 0);
	assert_int_equal(s->instances, 1);
	assert_int_equal(s->initdb.data_checksums, SPEC_UNSET);
	assert_false(s->has_initdb);
	assert_string_equal(s->initdb.database, "");
	assert_string_equal(s->log_level, "info");
	assert_int_equal(s->maximum_lag_bytes, -1);
	assert_int_equal(s->stop_delay_ms, 1800000);
	assert_int_equal(s->smart_shutdown_ms, 0);
}

static void
a_small_cluster_is_read(void **state)
{
	AUTO(fixture_deinit) struct fixture f = {0};

	(void)state;
	parse(&f, HEAD "  storage: {size: 1Gi}\n"
		       "  postgresql:\n"
		       "    parameters:\n"
		       "      shared_buffers: \"256MB\"\n"
		       "      log_statement: ddl\n"
		       "    pg_hba: [\"host all all all scram-sha-256\"]\n"
		       "    shared_preload_libraries: [auto_explain]\n"
		       "  bootstrap:\n"
		       "    initdb:\n"
		       "      owner: bob\n"
		       "      dataChecksums: true\n"
		       "      secret: {name: bobs}\n"
		       "      postInitSQLRefs:\n"
		       "        configMapRefs: [{name: m, key: a.sql}]\n"
		       "        secretRefs: [{name: s, key: b.sql}]\n"
		       "  probes: {readiness: {type: streaming, maximumLag: 16M}}\n"
		       "  stopDelay: 30\n");
	if (f.rc)
		print_error("%s\n", f.e.msg);
	assert_int_equal(f.rc, 0);
	assert_string_equal(f.s->name, "pg");
	assert_int_equal(f.s->params, 2);
	assert_string_equal(f.s->param[0].name, "shared_buffers");
	assert_string_equal(f.s->param[0].value, "256MB");
	assert_int_equal(f.s->param[0].at.line, 10);
	assert_int_equal(f.s->pg_hba.n, 1);
	assert_string_equal(f.s->preload.item[0].text, "auto_explain");
	assert_true(f.s->has_initdb);
	assert_string_equal(f.s->initdb.database, "app");
	assert_string_equal(f.s->initdb.owner, "bob");
	assert_int_equal(f.s->initdb.data_checksums, SPEC_TRUE);
	assert_string_equal(f.s->initdb.secret, "bobs");
	assert_int_equal(f.s->initdb.post_init_sql_refs.n, 2);
	assert_true(f.s->initdb.post_init_sql_refs.item[0].secret);
	assert_string_equal(f.s->initdb.post_init_sql_refs.item[0].key, "b.sql");
	assert_true(f.s->ready_needs_streaming);
	assert_int_equal(f.s->maximum_lag_bytes, 16000000);
	assert_int_equal(f.s->stop_delay_ms, 30000);
}

static void
unknown_field_is_a_warning_that_names_the_nearest(void **state)
{
	(void)state;
	expect_warning(HEAD "  stopDelai: 30\n",
		"7:3: spec.stopDelai: unknown field, did you mean stopDelay?");
}

static void
wrong_type_is_an_error_with_its_place(void **state)
{
	(void)state;
	expect_error(HEAD "  stopDelay: soon\n",
		"c.yaml:7:14: spec.stopDelay: soon is text, expected a whole number of seconds");
	expect_error(HEAD "  enableSuperuserAccess: \"true\"\n",
		"c.yaml:7:26: spec.enableSuperuserAccess: \"true\" is text, expected true or "
		"false");
}

static void
owned_parameter_is_refused_with_the_reason(void **state)
{
	(void)state;
	expect_error(HEAD "  postgresql: {parameters: {archive_command: cp}}\n",
		"c.yaml:7:29: spec.postgresql.parameters.archive_command: podgres sets this "
		"parameter: podgres archives WAL itself");
}

static void
minimal_cluster_has_no_warning(void **state)
{
	(void)state;
	expect_ok(HEAD "  storage: {size: 1Gi}\n", 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_manifest_gives_a_working_single_instance),
		cmocka_unit_test(a_small_cluster_is_read),
		cmocka_unit_test(minimal_cluster_has_no_warning),
		cmocka_unit_test(unknown_field_is_a_warning_that_names_the_nearest),
		cmocka_unit_test(wrong_type_is_an_error_with_its_place),
		cmocka_unit_test(owned_parameter_is_refused_with_the_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
