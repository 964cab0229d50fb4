#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pg/hba.h"

static void
takes(int major, const char *line)
{
	AUTO(buf_deinit) struct buf why = {0};

	if (hba_check_line(line, major, false, &why))
		fail_msg("%s: %s", line, buf_str(&why));
}

static void
refuses(int major, const char *line, const char *reason)
{
	AUTO(buf_deinit) struct buf why = {0};

	if (hba_check_line(line, major, false, &why) == 0)
		fail_msg("taken: %s", line);
	if (!strstr(buf_str(&why), reason))
		fail_msg("%s: \"%s\" lacks \"%s\"", line, buf_str(&why), reason);
}

static void
lines_of_the_manual_are_taken(void **state)
{
	(void)state;
	takes(13, "");
	takes(13, "# a comment");
	takes(13, "local   all             all                                     trust");
	takes(13, "host    all             all             127.0.0.1/32            trust # why");
	takes(13, "host    all  all  127.0.0.1  255.255.255.255  trust");
	takes(13, "host    all             all             ::1/128                 trust");
	takes(13, "host    postgres        all             192.168.12.10/32        scram-sha-256");
	takes(13, "host    all             all             .example.com            scram-sha-256");
	takes(13, "hostgssenc all all 0.0.0.0/0 gss include_realm=1 krb_realm=EXAMPLE.COM");
	takes(13, "host    all             all             192.168.0.0/16          ident "
		  "map=omicron");
	takes(13, "local   all  +support,\"joe x\"  md5");
	takes(13, "hostssl all,postgres all samenet cert map=x clientcert=verify-full");
	takes(13, "host all all all ldap ldapserver=h ldapprefix=\"cn=\" ldapsuffix=\", dc=x\"");
	takes(13, "hostssl all all all md5 clientcert=1");
}

static void
each_field_is_checked(void **state)
{
	(void)state;
	refuses(15, "hosts all all all trust", "connection type \"hosts\"");
	refuses(15, "host,local all all all trust", "connection type is a list");
	refuses(15, "host", "before the database");
	refuses(15, "host all", "before the role");
	refuses(15, "host all all", "before the address");
	refuses(15, "host all all all", "before the authentication method");
	refuses(15, "host all all 10.0.0.0/33 trust", "wrong mask");
	refuses(15, "host all all 10.0.0.0/ trust", "wrong mask");
	refuses(15, "host all all example.com/8 trust", "no IP address");
	refuses(15, "host all all 10.0.0.0 trust", "no mask");
	refuses(15, "host all all 10.0.0.0 ::1 trust", "no mask");
	refuses(15, "host all all 10.0.0.0/8,11.0.0.0/8 trust", "address is a list");
	refuses(15, "host all all ${podselector:app} trust", "needs Kubernetes");
	refuses(15, "host all all all scram", "authentication method \"scram\"");
	refuses(15, "host all all all peer", "does not go with \"host\"");
	refuses(15, "host all all all cert", "does not go with \"host\"");
	refuses(15, "local all all gss", "does not go with \"local\"");
	refuses(15, "host all all all sspi", "not in PostgreSQL for Linux");
	refuses(15, "host all @file all trust", "names a file");
	refuses(15, "host all all all trust map=x", "does not go with method \"trust\"");
	refuses(15, "host all all all md5 colour=red", "no option \"colour\"");
	refuses(15, "host all all all md5 what", "expected NAME=VALUE");
	refuses(15, "host all all all md5 clientcert=verify-ca", "hostssl only");
	refuses(15, "hostssl all all all md5 clientcert=1", "verify-ca or verify-full");
	refuses(15, "host all all all ldap ldapserver=x", "needs ldapbasedn");
	refuses(15, "host all all all ldap ldapprefix=a ldapbasedn=b", "does not go with");
	refuses(15, "host all all all radius radiusservers=x", "needs radiusservers");
}

static void
version_decides(void **state)
{
	(void)state;
	refuses(17, "host all all all oauth issuer=https://i scope=s", "came with PostgreSQL 18");
	takes(18, "host all all all oauth issuer=https://i scope=s");
	refuses(13, "hostssl all all all cert clientname=DN", "came with PostgreSQL 14");
	takes(14, "hostssl all all all cert clientname=DN");
	takes(15, "host /[ all all trust");
	refuses(16, "host /[ all all trust", "regular expression");
	refuses(16, "host /a(b all all trust", "do not match");
	refuses(16, "host \"/x\",/a) all all trust", "do not match");
	refuses(16, "host /a\\ all all trust", "ends in the middle");
	refuses(16, "host /*a all all trust", "begins with a repetition");
	takes(16, "host /^[]()[:alpha:]]+\\($ /(a|b){2,3} all trust");
}

/* What would otherwise become another line of the file. */
static void
line_cannot_smuggle_in_another(void **state)
{
	(void)state;
	refuses(15, "host all all all reject\nhost all all all trust", "control character");
	refuses(15, "host all all all reject\r", "control character");
	refuses(15, "host all all all reject \\", "backslash");
	refuses(15, "host all \"all all reject", "not closed");
}

static void
words_are_split_as_postgres_does(void **state)
{
	AUTO(hba_line_deinit) struct hba_line l = {0};
	AUTO(buf_deinit) struct buf why = {0};
	int count;

	(void)state;
	assert_int_equal(hba_split(&l, "host a,\"b c\", d \"x\"\"y\" # z", &why), 0);
	assert_int_equal(l.fields, 3);
	assert_string_equal(hba_field(&l, 0, &count)->text, "host");
	assert_string_equal(hba_field(&l, 1, &count)->text, "a");
	assert_int_equal(count, 3);
	assert_string_equal(l.token[2].text, "b c");
	assert_true(l.token[2].quoted);
	assert_string_equal(hba_field(&l, 2, &count)->text, "x\"y");
	assert_null(hba_field(&l, 3, &count));
}

static void
ident_lines_are_checked(void **state)
{
	AUTO(buf_deinit) struct buf why = {0};

	(void)state;
	assert_int_equal(hba_check_ident("m bryanh bryanh", &why), 0);
	assert_int_equal(hba_check_ident("m /^(.*)@x\\.com$ \\1", &why), 0);
	assert_int_equal(hba_check_ident("# m", &why), 0);
	assert_int_equal(hba_check_ident("m bryanh", &why), -1);
	assert_int_equal(hba_check_ident("m", &why), -1);
	assert_int_equal(hba_check_ident("m a b c", &why), -1);
	assert_int_equal(hba_check_ident("m a,b c", &why), -1);
	assert_int_equal(hba_check_ident("m /( c", &why), -1);
}

/* ---- files ---- */

struct fixture {
	struct spec spec;
	struct spec_text hba[2], ident[1];
	struct hba_input in;
	struct buf out;
	struct err e;
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	must(f);
	f->in = (struct hba_input){
		.major = 15,
		.os_user = "postgres",
		.roles = {"postgres", "app"},
		.host_method = "",
		.spec = &f->spec,
		.file = "c.yaml",
	};
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	buf_deinit(&f->out);
	free(f);
	return 0;
}

/* The records alone, each on its line. */
static void
expect(struct fixture *f, bool ident, const char *want)
{
	AUTO(buf_deinit) struct buf records = {0};
	const char *p, *eol;

	buf_reset(&f->out);
	if (ident ? hba_ident_render(&f->out, &f->in, &f->e) : hba_render(&f->out, &f->in, &f->e))
		fail_msg("%s", f->e.msg);
	for (p = f->out.data; *p; p = eol + 1) {
		eol = strchr(p, '\n');
		if (*p != '#' && eol > p)
			buf_put(&records, p, (size_t)(eol - p) + 1);
	}
	assert_string_equal(buf_str(&records), want);
}

#define LOCAL "local all all peer map=podgres\nlocal replication all peer map=podgres\n"

static void
manifest_lines_stand_between_ours(void **state)
{
	struct fixture *f = *state;
	char one[] = "hostnossl all all all reject \n", two[] = "host a b 10.0.0.0/8 md5";

	f->hba[0].text = one;
	f->hba[1].text = two;
	f->spec.pg_hba = (struct spec_list){f->hba, 2};
	expect(f, false,
		LOCAL "hostnossl all all all reject\nhost a b 10.0.0.0/8 md5\n"
		      "host all all all scram-sha-256\nhost replication all all scram-sha-256\n");
	f->in.major = 13;
	f->spec.pg_hba.n = 0;
	expect(f, false, LOCAL "host all all all md5\nhost replication all all md5\n");
}

static void
method_of_the_environment_is_for_the_last_line(void **state)
{
	struct fixture *f = *state;

	f->in.host_method = "trust";
	expect(f, false, LOCAL "host all all all trust\nhost replication all all scram-sha-256\n");
	f->in.host_method = "trsut";
	assert_int_equal(hba_render(&f->out, &f->in, &f->e), -1);
	assert_non_null(strstr(f->e.msg, "POSTGRES_HOST_AUTH_METHOD"));
}

static void
uid_without_a_name_is_let_in_by_the_folder_alone(void **state)
{
	struct fixture *f = *state;

	f->in.os_user = "";
	expect(f, false,
		"local all all trust\nlocal replication all trust\n"
		"host all all all scram-sha-256\nhost replication all all scram-sha-256\n");
	expect(f, true, "");
}

static void
members_come_before_the_manifest_and_get_nothing_else(void **state)
{
	struct fixture *f = *state;

	f->in.member_role = "streaming_replica";
	expect(f, false,
		LOCAL "host replication streaming_replica all scram-sha-256\n"
		      "host postgres streaming_replica all scram-sha-256\n"
		      "host all,replication streaming_replica all reject\n"
		      "host all all all scram-sha-256\nhost replication all all scram-sha-256\n");
	f->in.member_cert = true;
	expect(f, false,
		LOCAL "hostssl replication streaming_replica all cert\n"
		      "hostssl postgres streaming_replica all cert\n"
		      "host all,replication streaming_replica all reject\n"
		      "host all all all scram-sha-256\nhost replication all all scram-sha-256\n");
}

static void
lines_of_pgdata_take_the_middle_and_end_it(void **state)
{
	static const char text[] = "# kept\n\nhost all all 10.0.0.0/8 md5\nhost x x x\n";
	struct fixture *f = *state;
	struct conf_text t = {text, sizeof(text) - 1, "pg_hba.conf"};

	f->in.own_hba = &t;
	assert_int_equal(hba_render(&f->out, &f->in, &f->e), -1);
	assert_int_equal(strncmp(f->e.msg, "pg_hba.conf:4: ", 15), 0);
	t.len -= strlen("host x x x\n");
	expect(f, false, LOCAL "host all all 10.0.0.0/8 md5\n");
}

static void
wrong_line_is_named_by_its_place(void **state)
{
	struct fixture *f = *state;
	char one[] = "host all";

	f->hba[0] = (struct spec_text){one, {9, 4}};
	f->spec.pg_hba = (struct spec_list){f->hba, 1};
	assert_int_equal(hba_render(&f->out, &f->in, &f->e), -1);
	assert_string_equal(
		f->e.msg, "c.yaml:9:4: spec.postgresql.pg_hba[0]: the line ends before the role");
	assert_int_equal(f->e.kind, ERR_CONFIG);
}

static void
own_user_and_root_may_be_the_known_roles(void **state)
{
	struct fixture *f = *state;
	char line[] = "m a b";

	f->ident[0].text = line;
	f->spec.pg_ident = (struct spec_list){f->ident, 1};
	expect(f, true,
		"podgres \"postgres\" \"postgres\"\npodgres \"postgres\" \"app\"\n"
		"podgres \"root\" \"postgres\"\npodgres \"root\" \"app\"\nm a b\n");
	f->in.major = 16;
	expect(f, true, "podgres \"postgres\" all\npodgres \"root\" all\nm a b\n");
}

static void
file_of_initdb_is_nobodys_own(void **state)
{
	static const char theirs[] =
		"# x\nlocal all all trust\nhost all all 127.0.0.1/32 trust\n"
		"host    all  all  ::1/128  trust\nlocal replication all trust\n";
	static const char docker[] = "local all all trust\nhost all all all scram-sha-256\n";
	const struct conf_text t = {theirs, sizeof(theirs) - 1, ""};
	const struct conf_text d = {docker, sizeof(docker) - 1, ""};

	(void)state;
	assert_false(hba_is_own(&t));
	assert_true(hba_is_own(&d));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_of_the_manual_are_taken),
		cmocka_unit_test(each_field_is_checked),
		cmocka_unit_test(version_decides),
		cmocka_unit_test(line_cannot_smuggle_in_another),
		cmocka_unit_test(words_are_split_as_postgres_does),
		cmocka_unit_test(ident_lines_are_checked),
		CASE(manifest_lines_stand_between_ours),
		CASE(method_of_the_environment_is_for_the_last_line),
		CASE(uid_without_a_name_is_let_in_by_the_folder_alone),
		CASE(members_come_before_the_manifest_and_get_nothing_else),
		CASE(lines_of_pgdata_take_the_middle_and_end_it),
		CASE(wrong_line_is_named_by_its_place),
		CASE(own_user_and_root_may_be_the_known_roles),
		CASE(file_of_initdb_is_nobodys_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
