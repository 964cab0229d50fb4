#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "cmd/cmd.h"
#include "cmd/help_manifest.h"

#define HEAD                                                                              \
	"apiVersion: postgresql.cnpg.io/v1\nkind: Cluster\nmetadata: {name: pg}\nspec:\n" \
	"  instances: 1\n"

static char dir[] = "/tmp/check_test.XXXXXX";

static int
enter(void **state)
{
	(void)state;
	return mkdtemp(dir) && chdir(dir) == 0 ? 0 : -1;
}

static int
leave(void **state)
{
	(void)state;
	unlink("m.yaml");
	unlink("out");
	return rmdir(dir);
}

/* Runs the command with its standard output into a file; returns its exit code. */
static int
run(struct buf *out, const char *manifest, const char *option)
{
	char name[] = "check", file[] = "m.yaml", opt[16];
	char *argv[] = {name, file, opt, NULL};
	int was = dup(STDOUT_FILENO), fd, rc;
	char chunk[4096];
	ssize_t n;

	snprintf(opt, sizeof(opt), "%s", option ? option : "");
	fd = open("m.yaml", O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, manifest, strlen(manifest)), strlen(manifest));
	close(fd);
	fd = open("out", O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);
	fflush(stdout);
	dup2(fd, STDOUT_FILENO);
	rc = cmd_check(option ? 3 : 2, argv);
	fflush(stdout);
	dup2(was, STDOUT_FILENO);
	close(was);
	lseek(fd, 0, SEEK_SET);
	buf_reset(out);
	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		buf_put(out, chunk, (size_t)n);
	close(fd);
	return rc;
}

static void
warnings_exit_0_and_errors_78(void **state)
{
	AUTO(buf_deinit) struct buf out = {0};

	(void)state;
	assert_int_equal(run(&out, HEAD, NULL), 0);
	assert_string_equal(buf_str(&out), "m.yaml: fine, 0 warnings\n");
	assert_int_equal(run(&out, HEAD "  stopDelai: 1\n", NULL), 0);
	assert_string_equal(buf_str(&out),
		"m.yaml:6:3: warning: spec.stopDelai: unknown field, did you mean stopDelay?\n"
		"m.yaml: fine, 1 warning\n");
	assert_int_equal(run(&out, HEAD "  stopDelay: x\n", NULL), 78);
	assert_string_equal(buf_str(&out),
		"m.yaml:6:14: error: spec.stopDelay: x is text, expected a whole number of "
		"seconds\n");
}

static void
what_rendering_refuses_is_an_error_with_its_place(void **state)
{
	AUTO(buf_deinit) struct buf out = {0};

	(void)state;
	assert_int_equal(
		run(&out, HEAD "  postgresql: {pg_hba: [host all all all md6]}\n", NULL), 78);
	assert_non_null(strstr(buf_str(&out), "m.yaml:6:25: error: spec.postgresql.pg_hba[0]: "));
}

static void
remarks_are_shown_when_asked_for(void **state)
{
	AUTO(buf_deinit) struct buf out = {0};

	(void)state;
	assert_int_equal(run(&out, HEAD "  resources: {}\n", NULL), 0);
	assert_null(strstr(buf_str(&out), "note"));
	assert_int_equal(run(&out, HEAD "  resources: {}\n", "-v"), 0);
	assert_non_null(strstr(buf_str(&out), "m.yaml:6:3: note: spec.resources: for Kubernetes"));
}

static void
json_has_every_finding(void **state)
{
	AUTO(buf_deinit) struct buf out = {0};

	(void)state;
	assert_int_equal(run(&out, HEAD "  stopDelay: x\n", "--json"), 78);
	assert_string_equal(buf_str(&out),
		"{\"file\":\"m.yaml\",\"valid\":false,\"errors\":1,\"warnings\":0,\"findings\":["
		"{\"severity\":\"error\",\"line\":6,\"column\":14,\"message\":\"spec.stopDelay: x "
		"is "
		"text, expected a whole number of seconds\"}]}\n");
}

static void
help_knows_every_path_and_no_other(void **state)
{
	AUTO(buf_deinit) struct buf all = {0};
	AUTO(buf_deinit) struct buf some = {0};

	(void)state;
	assert_int_equal(help_manifest(&all, NULL), 0);
	assert_non_null(
		strstr(buf_str(&all), "\nspec.bootstrap.initdb.owner  (implemented; text)\n"));
	assert_non_null(strstr(buf_str(&all), "\narchive_command\n"));
	assert_int_equal(help_manifest(&some, "spec.replica"), 0);
	assert_int_equal(strncmp(buf_str(&some), "spec.replica  (", 15), 0);
	assert_null(strstr(buf_str(&some), "replicationSlots"));
	assert_int_equal(help_manifest(&some, "spec.repl"), -1);
	assert_int_equal(help_manifest(&some, "Pooler"), 0);
}

static void
manual_has_a_paragraph_for_every_field(void **state)
{
	AUTO(buf_deinit) struct buf out = {0};

	(void)state;
	help_manifest_man(&out);
	assert_non_null(strstr(buf_str(&out), ".SH KIND Cluster\n"));
	assert_non_null(strstr(buf_str(&out), ".TP\n\\fBspec.stopDelay  (implemented; "));
	assert_non_null(strstr(buf_str(&out), ".SH PARAMETERS\n"));
	assert_null(strstr(buf_str(&out), "\n\n"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(warnings_exit_0_and_errors_78),
		cmocka_unit_test(what_rendering_refuses_is_an_error_with_its_place),
		cmocka_unit_test(remarks_are_shown_when_asked_for),
		cmocka_unit_test(json_has_every_finding),
		cmocka_unit_test(help_knows_every_path_and_no_other),
		cmocka_unit_test(manual_has_a_paragraph_for_every_field),
	};

	return cmocka_run_group_tests(tests, enter, leave);
}
