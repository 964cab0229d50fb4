/*
 * configure_test - configure_render() against a data directory made by the initdb of the machine.
 *
 * PODGRES_TEST_BINDIR says which PostgreSQL, default: Debian's.  As root the test becomes the user
 * postgres, as the jobs do.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "pg/conf_read.h"
#include "service/configure.h"
#include "sys/file.h"
#include "sys/spawn.h"

struct fixture {
	char top[128];
	struct run_options opt;
	struct job job;
	struct plan plan;
	struct spec spec;
	struct spec_param param[4];
	struct err e;
};

static char empty[] = "";

static const char *
bindir(void)
{
	const char *given = getenv("PODGRES_TEST_BINDIR");

	return given ? given : "/usr/lib/postgresql/15/bin";
}

static void
path_in(char out[FILE_PATH_MAX], const struct fixture *f, const char *name)
{
	struct err e;

	must(file_join(out, FILE_PATH_MAX, f->opt.pgdata, name, &e) == 0);
}

static void
initdb(struct fixture *f)
{
	char program[FILE_PATH_MAX], version[64], path[FILE_PATH_MAX];
	const char *argv[] = {
		program, "-D", f->opt.pgdata, "-N", "-U", "postgres", "-A", "trust", NULL};
	const struct spawn_spec spec = {.name = "initdb", .argv = argv, .deadline_ms = 60000};

	must(file_join(program, sizeof(program), bindir(), "initdb", &f->e) == 0);
	if (spawn_run(&spec, NULL, &f->e))
		fail_msg("%s", f->e.msg);
	path_in(path, f, "PG_VERSION");
	must(file_read_line(path, version, sizeof(version), &f->e) == 0);
	f->plan.major = atoi(version);
}

static int
setup(void **state)
{
	static struct fixture zero;
	struct fixture *f = malloc(sizeof(*f));

	*f = zero;
	snprintf(f->top, sizeof(f->top), "/tmp/podgres-configure-XXXXXX");
	must(mkdtemp(f->top));
	snprintf(f->opt.pgdata, sizeof(f->opt.pgdata), "%s/data", f->top);
	snprintf(f->opt.run_dir, sizeof(f->opt.run_dir), "%s/run", f->top);
	snprintf(f->opt.config, sizeof(f->opt.config), "c.yaml");
	snprintf(f->opt.pod_name, sizeof(f->opt.pod_name), "pod-1");
	snprintf(f->plan.bindir, sizeof(f->plan.bindir), "%s", bindir());
	snprintf(f->plan.postgres, sizeof(f->plan.postgres), "%s/postgres", bindir());
	snprintf(f->plan.superuser, sizeof(f->plan.superuser), "postgres");
	must(mkdir(f->opt.run_dir, 0700) == 0);
	f->spec.name = f->spec.replica_conninfo = f->spec.initdb.owner = empty;
	f->spec.param = f->param;
	f->job.opt = &f->opt;
	initdb(f);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	must(file_remove_tree(f->top, &f->e) == 0);
	free(f);
	return 0;
}

static void
set_param(struct fixture *f, const char *name, const char *value)
{
	struct spec_param *p = &f->param[f->spec.params++];

	p->name = (char *)(uintptr_t)name;
	p->value = (char *)(uintptr_t)value;
	p->at = (struct spec_at){7, 5};
}

static void
render(struct fixture *f)
{
	if (configure_render(&f->job, &f->spec, &f->plan, &f->e))
		fail_msg("%s", f->e.msg);
}

static void
append(const struct fixture *f, const char *name, const char *text)
{
	char path[FILE_PATH_MAX];
	FILE *out;

	path_in(path, f, name);
	out = fopen(path, "ae");
	must(out && fputs(text, out) >= 0 && fclose(out) == 0);
}

static void
read_file(const struct fixture *f, const char *name, struct buf *out)
{
	char path[FILE_PATH_MAX];
	struct err e;

	path_in(path, f, name);
	buf_reset(out);
	if (file_read(out, path, 1 << 20, &e))
		fail_msg("%s", e.msg);
}

/* What postgres makes of PGDATA's files. */
static void
show(struct fixture *f, const char *name, struct buf *out)
{
	const char *argv[] = {f->plan.postgres, "-C", name, "-D", f->opt.pgdata, NULL};
	const struct spawn_spec spec = {
		.name = "postgres", .argv = argv, .deadline_ms = 20000, .out = out};

	buf_reset(out);
	if (spawn_run(&spec, NULL, &f->e))
		fail_msg("%s", f->e.msg);
	while (out->len > 0 && out->data[out->len - 1] == '\n')
		out->data[--out->len] = '\0';
}

static void
expect(struct fixture *f, const char *name, const char *value)
{
	AUTO(buf_deinit) struct buf got = {0};

	show(f, name, &got);
	assert_string_equal(buf_str(&got), value);
}

static void
postgres_takes_what_was_rendered(void **state)
{
	struct fixture *f = *state;
	AUTO(buf_deinit) struct buf text = {0};

	set_param(f, "work_mem", "7MB");
	set_param(f, "log_line_prefix", "it's a \\ and\nmore");
	render(f);
	assert_string_equal(f->plan.config_error, "");
	expect(f, "work_mem", "7168");
	expect(f, "log_line_prefix", "it's a \\ and\nmore");
	expect(f, "listen_addresses", "*");
	expect(f, "unix_socket_directories", f->opt.run_dir);
	expect(f, "restart_after_crash", "off");
	expect(f, "wal_level", "logical");
	expect(f, "podgres.config_hash", f->plan.config_hash);
	expect(f, "log_destination", f->plan.major >= 15 ? "jsonlog" : "csvlog");
	assert_int_equal(strlen(f->plan.config_hash), 64);
	read_file(f, "postgresql.conf", &text);
	assert_string_equal(strstr(text.data, "\ninclude_if_exists"),
		"\ninclude_if_exists 'podgres.user.conf'\ninclude 'podgres.conf'\n");
}

static void
rendering_again_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct stat before, after;
	char path[FILE_PATH_MAX], hash[65];

	render(f);
	memcpy(hash, f->plan.config_hash, sizeof(hash));
	path_in(path, f, "podgres.conf");
	must(stat(path, &before) == 0);
	render(f);
	must(stat(path, &after) == 0);
	assert_true(before.st_ino == after.st_ino);
	assert_string_equal(f->plan.config_hash, hash);
}

static void
value_that_postgres_refuses_keeps_the_former_files(void **state)
{
	struct fixture *f = *state;
	AUTO(buf_deinit) struct buf before = {0}, after = {0};
	char hash[65], path[FILE_PATH_MAX];

	render(f);
	memcpy(hash, f->plan.config_hash, sizeof(hash));
	read_file(f, "podgres.user.conf", &before);
	set_param(f, "work_mem", "plenty");
	render(f);
	assert_non_null(strstr(f->plan.config_error,
		"c.yaml:7:5: spec.postgresql.parameters.work_mem: invalid value"));
	assert_string_equal(f->plan.config_hash, hash);
	read_file(f, "podgres.user.conf", &after);
	assert_string_equal(before.data, after.data);
	path_in(path, f, "podgres.candidate.conf");
	assert_false(file_exists(path));
}

static void
unknown_parameter_is_an_error_at_its_place_when_nothing_was_there_before(void **state)
{
	struct fixture *f = *state;
	char path[FILE_PATH_MAX];

	set_param(f, "shared_bufers", "1GB");
	assert_int_equal(configure_render(&f->job, &f->spec, &f->plan, &f->e), -1);
	assert_int_equal(f->e.kind, ERR_CONFIG);
	assert_non_null(strstr(f->e.msg, "c.yaml:7:5: spec.postgresql.parameters.shared_bufers: "
					 "unrecognized configuration parameter"));
	path_in(path, f, "podgres.conf");
	assert_false(file_exists(path));
}

static void
missing_library_is_named(void **state)
{
	struct fixture *f = *state;
	struct spec_text item = {.text = (char[]){"no_such_library"}};

	f->spec.preload = (struct spec_list){&item, 1};
	assert_int_equal(configure_render(&f->job, &f->spec, &f->plan, &f->e), -1);
	assert_int_equal(f->e.kind, ERR_CONFIG);
	assert_non_null(strstr(f->e.msg, "no_such_library"));
}

static void
missing_postgresql_conf_is_made(void **state)
{
	struct fixture *f = *state;
	char path[FILE_PATH_MAX];

	path_in(path, f, "postgresql.conf");
	must(file_remove(path, &f->e) == 0);
	render(f);
	expect(f, "port", "5432");
}

static void
owned_settings_leave_postgresql_auto_conf(void **state)
{
	struct fixture *f = *state;
	AUTO(buf_deinit) struct buf text = {0};

	append(f, "postgresql.auto.conf",
		"port = '1234'\nwork_mem = '9MB'\nprimary_conninfo = 'host=a'\n");
	render(f);
	read_file(f, "postgresql.auto.conf", &text);
	assert_null(strstr(text.data, "port"));
	assert_non_null(strstr(text.data, "work_mem = '9MB'\nprimary_conninfo = 'host=a'\n"));
	assert_int_equal(f->plan.warnings, 1);
	assert_non_null(strstr(f->plan.warning[0], "port"));
	expect(f, "port", "5432");
}

static void
limits_of_a_standby_are_raised_to_what_pg_control_demands(void **state)
{
	struct fixture *f = *state;

	append(f, "standby.signal", "");
	append(f, "postgresql.conf", "max_worker_processes = 2\n");
	append(f, "postgresql.auto.conf", "max_connections = '10'\n");
	render(f);
	expect(f, "max_connections", "100");
	expect(f, "max_worker_processes", "8");
	expect(f, "recovery_target_timeline", "latest");
}

static void
configuration_of_another_manager_is_made_to_work(void **state)
{
	struct fixture *f = *state;

	append(f, "custom.conf",
		"ssl = 'on'\nssl_cert_file = '/controller/server.crt'\nwork_mem = '9MB'\n"
		"archive_mode = 'on'\narchive_command = '/controller/manager wal-archive %p'\n"
		"unix_socket_directories = '/controller/run'\n");
	append(f, "override.conf", "restore_command = '/controller/manager wal-restore %f %p'\n");
	append(f, "standby.signal", "");
	append(f, "postgresql.conf", "include 'custom.conf'\ninclude 'override.conf'\n");
	render(f);
	expect(f, "ssl", "off");
	expect(f, "archive_mode", "off");
	expect(f, "restore_command", "");
	expect(f, "work_mem", "9216");
	assert_int_equal(f->plan.warnings, 3);
}

static void
write_top(const struct fixture *f, const char *name, const char *text, mode_t mode)
{
	char path[FILE_PATH_MAX];
	struct err e;

	must(file_join(path, sizeof(path), f->top, name, &e) == 0);
	if (file_write(path, text, strlen(text), mode, &e))
		fail_msg("%s", e.msg);
}

static void
password_of_the_primary_stays_out_of_the_configuration(void **state)
{
	struct fixture *f = *state;
	AUTO(buf_deinit) struct buf text = {0};
	char info[] = "host='primary'", name[] = "upstream", secret[] = "s", key[] = "password";
	struct spec_external x = {.name = name, .password = {.name = secret, .key = key}};
	char want[1200];

	f->spec.replica_conninfo = info;
	f->spec.replica_source = name;
	f->spec.external = &x;
	f->spec.externals = 1;
	x.ssl_cert.name = x.ssl_key.name = x.ssl_root_cert.name = empty;
	append(f, "standby.signal", "");
	snprintf(f->opt.secrets_dir, sizeof(f->opt.secrets_dir), "%.100s/secrets", f->top);
	assert_int_equal(configure_render(&f->job, &f->spec, &f->plan, &f->e), -1);
	assert_int_equal(f->e.kind, ERR_CONFIG);
	assert_non_null(strstr(f->e.msg, "secret s, key password"));
	must(mkdir(f->opt.secrets_dir, 0700) == 0);
	snprintf(want, sizeof(want), "%.100s/s", f->opt.secrets_dir);
	must(mkdir(want, 0700) == 0);
	write_top(f, "secrets/s/password", "a:b\\c\n", 0600);
	render(f);
	snprintf(want, sizeof(want),
		"host='primary' passfile='%s/replica.pgpass' application_name='pod-1'",
		f->opt.run_dir);
	expect(f, "primary_conninfo", want);
	append(f, "postgresql.auto.conf", "primary_conninfo = 'password=hidden'\n");
	render(f);
	assert_int_equal(f->plan.warnings, 1);
	assert_non_null(strstr(f->plan.warning[0], "primary_conninfo is taken out"));
	assert_null(strstr(f->plan.warning[0], "hidden"));
	snprintf(want, sizeof(want), "%s/replica.pgpass", f->opt.run_dir);
	must(file_read(&text, want, 1000, &f->e) == 0);
	assert_string_equal(text.data, "*:*:*:*:a\\:b\\\\c\n");
}

static void
make_certificate(struct fixture *f)
{
	const char *argv[] = {"/usr/bin/openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
		"ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=pod-1", "-keyout",
		f->opt.tls_key, "-out", f->opt.tls_cert, NULL};
	const struct spawn_spec spec = {.name = "openssl", .argv = argv, .deadline_ms = 20000};

	snprintf(f->opt.tls_cert, sizeof(f->opt.tls_cert), "%s/tls.crt", f->top);
	snprintf(f->opt.tls_key, sizeof(f->opt.tls_key), "%s/tls.key", f->top);
	if (spawn_run(&spec, NULL, &f->e))
		fail_msg("%s", f->e.msg);
}

static void
key_that_others_may_read_is_copied(void **state)
{
	struct fixture *f = *state;
	char copy[FILE_PATH_MAX];
	struct stat st;

	make_certificate(f);
	must(chmod(f->opt.tls_key, 0644) == 0);
	render(f);
	expect(f, "ssl", "on");
	expect(f, "ssl_cert_file", f->opt.tls_cert);
	must(file_join(copy, sizeof(copy), f->opt.run_dir, "postgres.key", &f->e) == 0);
	expect(f, "ssl_key_file", copy);
	must(stat(copy, &st) == 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	must(chmod(f->opt.tls_key, 0600) == 0);
	render(f);
	expect(f, "ssl_key_file", f->opt.tls_key);
	snprintf(f->opt.tls_key, sizeof(f->opt.tls_key), "%s/gone.key", f->top);
	render(f);
	expect(f, "ssl", "off");
	assert_int_equal(f->plan.warnings, 1);
}

static void
settings_that_contradict_each_other_are_refused(void **state)
{
	struct fixture *f = *state;

	set_param(f, "max_connections", "10");
	set_param(f, "superuser_reserved_connections", "10");
	assert_int_equal(configure_render(&f->job, &f->spec, &f->plan, &f->e), -1);
	assert_int_equal(f->e.kind, ERR_CONFIG);
	assert_non_null(strstr(f->e.msg, "must be less than"));
}

static void
earlier_files_of_another_run_folder_are_no_fallback(void **state)
{
	struct fixture *f = *state;

	render(f);
	snprintf(f->opt.run_dir, sizeof(f->opt.run_dir), "%.100s/run2", f->top);
	must(mkdir(f->opt.run_dir, 0700) == 0);
	set_param(f, "no_such_setting", "1");
	assert_int_equal(configure_render(&f->job, &f->spec, &f->plan, &f->e), -1);
}

static void
rules_of_pgdata_count_without_a_manifest(void **state)
{
	struct fixture *f = *state;
	AUTO(buf_deinit) struct buf text = {0};

	f->opt.config[0] = '\0';
	render(f);
	read_file(f, "podgres.pg_hba.conf", &text);
	assert_non_null(strstr(text.data, "\nhost all all all "));
	append(f, "pg_hba.conf", "host all all 10.0.0.0/8 md5\n");
	render(f);
	read_file(f, "podgres.pg_hba.conf", &text);
	assert_non_null(strstr(text.data, "\nhost all all 10.0.0.0/8 md5\n"));
	assert_null(strstr(text.data, "\nhost all all all "));
}

static void
port_of_the_manifest_is_taken(void **state)
{
	struct fixture *f = *state;

	set_param(f, "port", "6543");
	render(f);
	assert_int_equal(f->plan.port, 6543);
	expect(f, "port", "6543");
}

static int
become_postgres(void)
{
	const struct passwd *pw = getpwnam("postgres");

	if (geteuid() != 0)
		return 0;
	return pw && initgroups(pw->pw_name, pw->pw_gid) == 0 && setgid(pw->pw_gid) == 0 &&
			       setuid(pw->pw_uid) == 0
		       ? 0
		       : -1;
}

#define WITH_PGDATA(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PGDATA(postgres_takes_what_was_rendered),
		WITH_PGDATA(rendering_again_changes_nothing),
		WITH_PGDATA(value_that_postgres_refuses_keeps_the_former_files),
		WITH_PGDATA(
			unknown_parameter_is_an_error_at_its_place_when_nothing_was_there_before),
		WITH_PGDATA(missing_library_is_named),
		WITH_PGDATA(missing_postgresql_conf_is_made),
		WITH_PGDATA(owned_settings_leave_postgresql_auto_conf),
		WITH_PGDATA(limits_of_a_standby_are_raised_to_what_pg_control_demands),
		WITH_PGDATA(configuration_of_another_manager_is_made_to_work),
		WITH_PGDATA(password_of_the_primary_stays_out_of_the_configuration),
		WITH_PGDATA(key_that_others_may_read_is_copied),
		WITH_PGDATA(settings_that_contradict_each_other_are_refused),
		WITH_PGDATA(earlier_files_of_another_run_folder_are_no_fallback),
		WITH_PGDATA(rules_of_pgdata_count_without_a_manifest),
		WITH_PGDATA(port_of_the_manifest_is_taken),
	};

	if (become_postgres())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
