#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "cmd/run_options.h"

static struct run_options
sample(void)
{
	struct run_options opt = {.watchdog_ms = 10000,
		.pgdata = "/tmp/pgdata",
		.run_dir = "/run/podgres",
		.listen = ":8000",
		.metrics_listen = ":9187",
		.user = "nobody"};

	return opt;
}

static const char *
listen_of(const char *text, bool ipv6)
{
	static char out[128];
	struct err e = {0};

	snprintf(out, sizeof(out), "%s", text);
	assert_int_equal(run_options_listen(out, sizeof(out), ipv6, &e), 0);
	return out;
}

static void
addresses_are_completed(void **state)
{
	(void)state;
	assert_string_equal(listen_of(":8000", false), "0.0.0.0:8000");
	assert_string_equal(listen_of("8000", true), "[::]:8000");
	assert_string_equal(listen_of("*:1", false), "0.0.0.0:1");
	assert_string_equal(listen_of("127.0.0.1:9187", true), "127.0.0.1:9187");
	assert_string_equal(listen_of("[::1]:9187", false), "[::1]:9187");
	assert_string_equal(listen_of("off", false), "");
	assert_string_equal(listen_of("", false), "");
}

static void
wrong_addresses_are_refused(void **state)
{
	static const char *const bad[] = {
		"host", ":0", ":65536", ":80a", "::1:8000", "[::1]", "1.2.3.4:", ":123456"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		char text[128];
		struct err e = {0};

		snprintf(text, sizeof(text), "%s", bad[i]);
		assert_int_equal(run_options_listen(text, sizeof(text), false, &e), -1);
		assert_int_equal(e.kind, ERR_INVALID);
	}
}

static void
accounts_are_names_or_numbers(void **state)
{
	struct run_options opt = {0};
	struct err e = {0};

	(void)state;
	assert_int_equal(run_options_user("nobody", &opt, &e), 0);
	assert_int_equal(opt.uid, 65534);
	assert_string_equal(opt.user, "nobody");
	assert_int_equal(run_options_user("65534", &opt, &e), 0);
	assert_string_equal(opt.user, "nobody");
	assert_int_equal(run_options_user("nobody:7", &opt, &e), 0);
	assert_int_equal(opt.gid, 7);
	/* Kubernetes gives accounts that no file knows. */
	assert_int_equal(run_options_user("1000660000:0", &opt, &e), 0);
	assert_int_equal(opt.uid, 1000660000);
	assert_int_equal(opt.gid, 0);
	assert_string_equal(opt.user, "1000660000");
}

static void
accounts_that_cannot_be_are_refused_with_the_remedy(void **state)
{
	struct run_options opt = {0};
	struct err e = {0};

	(void)state;
	assert_int_equal(run_options_user("no-such-user", &opt, &e), -1);
	assert_int_equal(err_exit(&e), 78);
	assert_non_null(strstr(e.msg, "no-such-user does not exist; --user"));
	assert_int_equal(run_options_user("1000660000", &opt, &e), -1);
	assert_non_null(strstr(e.msg, "UID:GID"));
	assert_int_equal(run_options_user("root", &opt, &e), -1);
	assert_non_null(strstr(e.msg, "does not run as root"));
	assert_int_equal(run_options_user("0:0", &opt, &e), -1);
	assert_int_equal(run_options_user("nobody:no-such-group", &opt, &e), -1);
}

/* ---- the state directory ---- */

struct place {
	char dir[64], pgdata[96], want[160], out[PATH_LEN];
};

static int
place_setup(void **state)
{
	static struct place p;

	snprintf(p.dir, sizeof(p.dir), "/tmp/run_options_test.XXXXXX");
	assert_non_null(mkdtemp(p.dir));
	snprintf(p.pgdata, sizeof(p.pgdata), "%s/data", p.dir);
	*state = &p;
	return 0;
}

static int
place_teardown(void **state)
{
	static const char *const names[] = {
		"data/.podgres", "data", "link", ".podgres-data", ".podgres-gone"};
	struct place *p = *state;
	char path[256];

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", p->dir, names[i]);
		if (rmdir(path) < 0)
			unlink(path);
	}
	rmdir(p->dir);
	return 0;
}

static void
the_state_directory_is_beside_the_data(void **state)
{
	struct place *p = *state;
	struct err e = {0};

	snprintf(p->want, sizeof(p->want), "%s/.podgres-data", p->dir);
	assert_int_equal(run_options_state_dir(p->pgdata, p->out, sizeof(p->out), &e), 0);
	assert_string_equal(p->out, p->want);
	assert_int_equal(mkdir(p->pgdata, 0700), 0);
	assert_int_equal(run_options_state_dir(p->pgdata, p->out, sizeof(p->out), &e), 0);
	assert_string_equal(p->out, p->want);
}

static void
two_names_of_one_data_directory_share_its_state(void **state)
{
	struct place *p = *state;
	char link[128];
	struct err e = {0};

	assert_int_equal(mkdir(p->pgdata, 0700), 0);
	snprintf(link, sizeof(link), "%s/link", p->dir);
	assert_int_equal(symlink("data", link), 0);
	snprintf(p->want, sizeof(p->want), "%s/.podgres-data", p->dir);
	assert_int_equal(run_options_state_dir(link, p->out, sizeof(p->out), &e), 0);
	assert_string_equal(p->out, p->want);
}

static void
a_state_directory_inside_stays_in_use(void **state)
{
	struct place *p = *state;
	struct err e = {0};

	assert_int_equal(mkdir(p->pgdata, 0700), 0);
	snprintf(p->want, sizeof(p->want), "%s/.podgres", p->pgdata);
	assert_int_equal(mkdir(p->want, 0700), 0);
	assert_int_equal(run_options_state_dir(p->pgdata, p->out, sizeof(p->out), &e), 0);
	assert_string_equal(p->out, p->want);
}

static void
a_mount_point_keeps_its_state_inside(void **state)
{
	char out[PATH_LEN];
	struct err e = {0};

	(void)state;
	assert_int_equal(run_options_state_dir("/proc", out, sizeof(out), &e), 0);
	assert_string_equal(out, "/proc/.podgres");
}

/* ---- all of it ---- */

static void
everything_is_resolved(void **state)
{
	struct run_options opt = sample(), other = sample();
	struct err e = {0};

	(void)state;
	assert_int_equal(run_options_resolve(&opt, &e), 0);
	assert_string_equal(opt.listen, "0.0.0.0:8000");
	assert_string_equal(opt.state_dir, "/tmp/.podgres-pgdata");
	assert_true(*opt.pod_name);
	assert_int_equal(strlen(opt.session_id), 36);
	assert_int_equal(opt.session_id[14], '4');
	assert_false(opt.is_init);
	assert_true(opt.uid != 0);
	assert_int_equal(run_options_resolve(&other, &e), 0);
	assert_string_not_equal(opt.session_id, other.session_id);
}

static void
a_pod_of_ipv6_listens_on_ipv6(void **state)
{
	struct run_options opt = sample();
	struct err e = {0};

	(void)state;
	snprintf(opt.pod_ip, sizeof(opt.pod_ip), "fd00::17");
	assert_int_equal(run_options_resolve(&opt, &e), 0);
	assert_string_equal(opt.listen, "[::]:8000");
	assert_string_equal(opt.metrics_listen, "[::]:9187");
}

static void
options_that_contradict_are_refused(void **state)
{
	struct err e = {0};

	(void)state;
	{
		struct run_options opt = sample();

		snprintf(opt.tls_cert, sizeof(opt.tls_cert), "/c");
		assert_int_equal(run_options_resolve(&opt, &e), -1);
		assert_non_null(strstr(e.msg, "--tls-key"));
	}
	{
		struct run_options opt = sample();

		snprintf(opt.tls_client_ca, sizeof(opt.tls_client_ca), "/c");
		assert_int_equal(run_options_resolve(&opt, &e), -1);
	}
	{
		struct run_options opt = sample();

		opt.watchdog_ms = 100;
		assert_int_equal(run_options_resolve(&opt, &e), -1);
		assert_non_null(strstr(e.msg, "--watchdog"));
	}
	{
		struct run_options opt = sample();

		memset(opt.run_dir, 'x', 92);
		opt.run_dir[0] = '/';
		assert_int_equal(run_options_resolve(&opt, &e), -1);
		assert_non_null(strstr(e.msg, "--run-dir"));
	}
	{
		struct run_options opt = sample();

		snprintf(opt.pgdata, sizeof(opt.pgdata), "///");
		assert_int_equal(run_options_resolve(&opt, &e), -1);
		assert_non_null(strstr(e.msg, "--pgdata"));
	}
}

#define AT(f) cmocka_unit_test_setup_teardown(f, place_setup, place_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_completed),
		cmocka_unit_test(wrong_addresses_are_refused),
		cmocka_unit_test(accounts_are_names_or_numbers),
		cmocka_unit_test(accounts_that_cannot_be_are_refused_with_the_remedy),
		AT(the_state_directory_is_beside_the_data),
		AT(two_names_of_one_data_directory_share_its_state),
		AT(a_state_directory_inside_stays_in_use),
		cmocka_unit_test(a_mount_point_keeps_its_state_inside),
		cmocka_unit_test(everything_is_resolved),
		cmocka_unit_test(a_pod_of_ipv6_listens_on_ipv6),
		cmocka_unit_test(options_that_contradict_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
