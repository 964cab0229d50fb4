#include "s3_rig.h"

#include <unistd.h>

#include "net/s3_creds_impl.h"

#define OK_HEAD "HTTP/1.1 200 OK\r\nx-amz-request-id: t\r\nContent-Length: 3\r\n\r\n"
#define LATER "2099-01-01T00:00:00Z"

static char dir[] = "/tmp/podgres-creds-XXXXXX";

static const char *
file(const char *name, const char *text)
{
	static char path[4][128];
	static int turn;
	char *p = path[turn++ % 4];
	FILE *f;

	snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	f = fopen(p, "we");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	return p;
}

static void
replace(const char *name, const char *text)
{
	char from[128], to[128];

	file("next", text);
	snprintf(from, sizeof(from), "%s/next", dir);
	snprintf(to, sizeof(to), "%s/%s", dir, name);
	assert_int_equal(rename(from, to), 0);
}

static int
head(struct rig *r)
{
	struct store_object o;

	return store_head(r->store, "k", &o, &r->e);
}

static void
replaced_files_are_used_at_once(void **state)
{
	struct store_spec spec = {.access_key_file = file("access", "OLD\n"),
		.secret_key_file = file("secret", "s"),
		.session_token_file = file("token", " tok\n\n")};
	struct rig r;

	(void)state;
	rig_init(&r);
	for (int i = 0; i < 3; i++)
		rig_raw(&r, OK_HEAD, RIG_KEEP);
	rig_start_with(&r, spec);
	assert_good(&r, head(&r));
	replace("access", "NEW");
	assert_good(&r, head(&r));
	/* Half a rotation: what was good goes on. */
	assert_int_equal(unlink(spec.secret_key_file), 0);
	assert_good(&r, head(&r));
	assert_asked(&r, 0, "Credential=OLD/");
	assert_asked(&r, 0, "x-amz-security-token: tok");
	assert_asked(&r, 1, "Credential=NEW/");
	assert_asked(&r, 2, "Credential=NEW/");
	rig_deinit(&r);
}

static void
refused_credentials_are_read_once_more(void **state)
{
	struct store_spec spec = {
		.access_key_file = file("access", "A"), .secret_key_file = file("secret", "s")};
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_raw(&r, "HTTP/1.1 403 Forbidden\r\n\r\n", RIG_CLOSE);
	rig_error(&r, "403 Forbidden", "InvalidAccessKeyId"); /* in words */
	rig_start_with(&r, spec);
	assert_int_equal(head(&r), -1); /* still the same ones: no use */
	assert_int_equal(r.e.kind, ERR_DENIED);
	assert_int_equal(r.asked->n, 2);
	rig_deinit(&r);
}

static void
a_file_that_is_missing_or_empty_is_named(void **state)
{
	struct store_spec spec = {.url = "s3://bucket",
		.endpoint = "http://127.0.0.1:1",
		.access_key_file = file("access", "A"),
		.secret_key_file = "/nonexistent/secret"};
	struct store *s;
	struct err e;

	(void)state;
	assert_int_equal(store_open(&s, &spec, &e), -1);
	assert_int_equal(e.kind, ERR_CONFIG);
	assert_non_null(strstr(e.msg, "secret access key: "));
	assert_non_null(strstr(e.msg, "/nonexistent/secret"));
	spec.secret_key_file = file("secret", "\n");
	assert_int_equal(store_open(&s, &spec, &e), -1);
	assert_non_null(strstr(e.msg, "is empty"));
	spec.access_key_file = spec.secret_key_file = "";
	unsetenv("AWS_ACCESS_KEY_ID");
	unsetenv("AWS_WEB_IDENTITY_TOKEN_FILE");
	unsetenv("AWS_CONTAINER_CREDENTIALS_FULL_URI");
	assert_int_equal(store_open(&s, &spec, &e), -1);
	assert_int_equal(e.kind, ERR_CONFIG);
	assert_non_null(strstr(e.msg, "no credentials"));
}

static void
a_web_identity_is_exchanged_for_keys(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_answer(&r, "200 OK", "",
		"<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>"
		"<AccessKeyId>STS</AccessKeyId><SecretAccessKey>s</SecretAccessKey>"
		"<SessionToken>web-token</SessionToken><Expiration>" LATER "</Expiration>"
		"</Credentials></AssumeRoleWithWebIdentityResult></"
		"AssumeRoleWithWebIdentityResponse>");
	rig_raw(&r, OK_HEAD, RIG_KEEP);
	rig_raw(&r, OK_HEAD, RIG_KEEP);
	rig_listen(&r);
	unsetenv("AWS_ACCESS_KEY_ID");
	setenv("AWS_WEB_IDENTITY_TOKEN_FILE", file("jwt", "a.b.c\n"), 1);
	setenv("AWS_ROLE_ARN", "arn:aws:iam::1:role/r", 1);
	setenv("AWS_ENDPOINT_URL_STS", r.endpoint, 1);
	rig_start(&r);
	assert_good(&r, head(&r));
	assert_good(&r, head(&r));
	assert_int_equal(r.asked->n, 3); /* they hold until they expire */
	assert_asked(&r, 0, "POST / HTTP/1.1");
	assert_asked(&r, 1, "Credential=STS/");
	assert_asked(&r, 1, "x-amz-security-token: web-token");
	rig_deinit(&r);
}

static void
the_agent_of_the_container_is_asked_with_its_token(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_answer(&r, "200 OK", "",
		"{\"AccessKeyId\":\"BOX\",\"SecretAccessKey\":\"s\",\"Token\":\"t\",\"Expiration\":"
		"\"" LATER "\"}");
	rig_raw(&r, OK_HEAD, RIG_KEEP);
	rig_listen(&r);
	unsetenv("AWS_ACCESS_KEY_ID");
	setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", r.endpoint, 1);
	setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file("box", "box-token\n"), 1);
	rig_start(&r);
	assert_good(&r, head(&r));
	assert_asked(&r, 0, "authorization: box-token");
	assert_asked(&r, 1, "Credential=BOX/");
	rig_deinit(&r);
}

static void
the_role_of_the_machine_is_asked_for_only_when_inherited(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_answer(&r, "200 OK", "", "session");
	rig_answer(&r, "200 OK", "", "the-role\n");
	rig_answer(&r, "200 OK", "",
		"{\"Code\":\"Success\",\"AccessKeyId\":\"MACHINE\",\"SecretAccessKey\":\"s\","
		"\"Token\":\"t\",\"Expiration\":\"" LATER "\"}");
	rig_raw(&r, OK_HEAD, RIG_KEEP);
	rig_listen(&r);
	unsetenv("AWS_ACCESS_KEY_ID");
	setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", r.endpoint, 1);
	rig_start_with(&r, (struct store_spec){.inherit = true});
	assert_good(&r, head(&r));
	assert_asked(&r, 0, "PUT /latest/api/token");
	assert_asked(&r, 2, "GET /latest/meta-data/iam/security-credentials/the-role ");
	assert_asked(&r, 2, "x-aws-ec2-metadata-token: session");
	assert_asked(&r, 3, "Credential=MACHINE/");
	rig_deinit(&r);
}

static void
a_refusal_by_sts_tells_why_and_no_secret(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_answer(&r, "400 Bad Request", "",
		"<ErrorResponse><Error><Code>ExpiredTokenException</Code><Message>Token expired"
		"</Message></Error></ErrorResponse>");
	rig_listen(&r);
	unsetenv("AWS_ACCESS_KEY_ID");
	setenv("AWS_WEB_IDENTITY_TOKEN_FILE", file("jwt", "top.secret.jwt"), 1);
	setenv("AWS_ENDPOINT_URL_STS", r.endpoint, 1);
	rig_start(&r);
	assert_int_equal(head(&r), -1);
	assert_int_equal(r.e.kind, ERR_DENIED);
	assert_non_null(strstr(r.e.msg, "ExpiredTokenException"));
	assert_null(strstr(r.e.msg, "top.secret"));
	rig_deinit(&r);
}

static int
make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int
remove_dir(void **state)
{
	static const char *const names[] = {"access", "secret", "token", "jwt", "box", "next"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[128];

		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replaced_files_are_used_at_once),
		cmocka_unit_test(refused_credentials_are_read_once_more),
		cmocka_unit_test(a_file_that_is_missing_or_empty_is_named),
		cmocka_unit_test(a_web_identity_is_exchanged_for_keys),
		cmocka_unit_test(the_agent_of_the_container_is_asked_with_its_token),
		cmocka_unit_test(the_role_of_the_machine_is_asked_for_only_when_inherited),
		cmocka_unit_test(a_refusal_by_sts_tells_why_and_no_secret),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
