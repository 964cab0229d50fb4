/*
 * member_test - names of slots, the shared secret, and passwords as PostgreSQL keeps them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "service/member.h"
#include "sys/file.h"

struct fixture {
	char top[64];
	struct run_options opt;
	struct member_access access;
	struct err e;
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	must(f);
	snprintf(f->top, sizeof(f->top), "/tmp/podgres-member-XXXXXX");
	must(mkdtemp(f->top));
	snprintf(f->opt.run_dir, sizeof(f->opt.run_dir), "%s/run", f->top);
	snprintf(f->opt.secrets_dir, sizeof(f->opt.secrets_dir), "%s/secrets", f->top);
	snprintf(f->opt.cluster_name, sizeof(f->opt.cluster_name), "db");
	must(mkdir(f->opt.run_dir, 0700) == 0);
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
put(struct fixture *f, const char *key, const char *text)
{
	char dir[FILE_PATH_MAX], path[FILE_PATH_MAX];

	must(file_join(dir, sizeof(dir), f->opt.secrets_dir, "db-replication", &f->e) == 0);
	must(file_make_dirs(dir, 0700, &f->e) == 0);
	must(file_join(path, sizeof(path), dir, key, &f->e) == 0);
	must(file_write(path, text, strlen(text), 0644, &f->e) == 0);
}

static void
slots_are_named_as_cloudnativepg_names_them(void **state)
{
	char name[MEMBER_SLOT_SIZE], other[MEMBER_SLOT_SIZE];

	(void)state;
	assert_string_equal(member_slot_name("cluster-example-2", name), "_cnpg_cluster_example_2");
	assert_string_equal(member_slot_name("A.b-1", name), "_cnpg_a_b_1");
	member_slot_name("a-very-long-name-of-a-cluster-that-fills-a-label-to-the-brim-01", name);
	member_slot_name("a-very-long-name-of-a-cluster-that-fills-a-label-to-the-brim-02", other);
	assert_true(strlen(name) < MEMBER_SLOT_SIZE);
	assert_string_not_equal(name, other);
}

static void
without_a_secret_the_error_names_file_and_remedy(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(member_access(&f->access, &f->opt, NULL, &f->e), -1);
	assert_int_equal(f->e.kind, ERR_CONFIG);
	assert_non_null(strstr(f->e.msg, "db-replication/password"));
	assert_non_null(strstr(f->e.msg, "mount a secret"));
}

static void
password_stands_in_a_file_that_only_we_read(void **state)
{
	struct fixture *f = *state;
	AUTO(buf_deinit) struct buf text = {0}, info = {0};
	struct member_target to = {&f->access, "10.0.0.7", 5433, "db-2"};
	struct stat st;

	put(f, "password", "se:cr\\et\n");
	assert_int_equal(member_access(&f->access, &f->opt, NULL, &f->e), 0);
	assert_int_equal(stat(f->access.passfile, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(file_read(&text, f->access.passfile, 4096, &f->e), 0);
	assert_string_equal(buf_str(&text), "*:*:*:streaming_replica:se\\:cr\\\\et\n");
	member_conninfo(&info, &to);
	assert_non_null(strstr(buf_str(&info), "host='10.0.0.7' port='5433'"));
	assert_non_null(strstr(buf_str(&info), "application_name='db-2'"));
	assert_null(strstr(buf_str(&info), "cr"));
}

static void
certificate_wins_over_a_password_and_its_key_is_copied(void **state)
{
	struct fixture *f = *state;
	AUTO(buf_deinit) struct buf info = {0};
	struct member_target to = {&f->access, "10.0.0.7", 5432, "db-2"};
	struct stat st;

	put(f, "password", "x");
	put(f, "tls.crt", "cert");
	put(f, "tls.key", "key");
	put(f, "ca.crt", "ca");
	assert_int_equal(member_access(&f->access, &f->opt, NULL, &f->e), 0);
	assert_true(f->access.cert);
	assert_int_equal(stat(f->access.key_file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	member_conninfo(&info, &to);
	assert_non_null(strstr(buf_str(&info), "sslmode='verify-ca'"));
	assert_null(strstr(buf_str(&info), "passfile"));
}

static void
password_that_scram_would_change_is_refused(void **state)
{
	struct fixture *f = *state;

	put(f, "password", "p\xc3\xa4ss");
	assert_int_equal(member_access(&f->access, &f->opt, NULL, &f->e), -1);
	assert_int_equal(f->e.kind, ERR_CONFIG);
	put(f, "password", "\n");
	assert_int_equal(member_access(&f->access, &f->opt, NULL, &f->e), -1);
}

static void
verifier_is_that_of_postgres(void **state)
{
	static const unsigned char salt[16] = {0x5b, 0x6d, 0x99, 0x68, 0x9d, 0x12, 0x35, 0x8e, 0xec,
		0xa0, 0x4b, 0x14, 0x12, 0x36, 0xfa, 0x81};
	AUTO(buf_deinit) struct buf made = {0};
	struct err e;

	(void)state;
	/* Salt, password and rounds of the example in RFC 7677. */
	assert_int_equal(member_scram(&made, "pencil", salt, &e), 0);
	assert_string_equal(buf_str(&made), "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
					    "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
					    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=");
	assert_true(member_scram_is(buf_str(&made), "pencil"));
	assert_false(member_scram_is(buf_str(&made), "pencil2"));
	assert_false(member_scram_is("", "pencil"));
	assert_false(member_scram_is("md5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "pencil"));
	assert_false(member_scram_is("SCRAM-SHA-256$4096:!$a:b", "pencil"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slots_are_named_as_cloudnativepg_names_them),
		cmocka_unit_test_setup_teardown(
			without_a_secret_the_error_names_file_and_remedy, setup, teardown),
		cmocka_unit_test_setup_teardown(
			password_stands_in_a_file_that_only_we_read, setup, teardown),
		cmocka_unit_test_setup_teardown(
			certificate_wins_over_a_password_and_its_key_is_copied, setup, teardown),
		cmocka_unit_test_setup_teardown(
			password_that_scram_would_change_is_refused, setup, teardown),
		cmocka_unit_test(verifier_is_that_of_postgres),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
