#include <fcntl.h>
#include <sys/stat.h>

#include "api_rig.h"

/* Certificates are made, and spoken for, by the openssl command. */

static struct rig rig;
static char dir[64];

static const char *
in_dir(const char *name)
{
	static char path[4][160];
	static unsigned next;
	char *out = path[next++ % 4];

	snprintf(out, sizeof(path[0]), "%s/%s", dir, name);
	return out;
}

static void
write_file(const char *name, const char *text)
{
	char temporary[160];
	FILE *f;

	snprintf(temporary, sizeof(temporary), "%s/.new", dir);
	f = fopen(temporary, "w");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(rename(temporary, in_dir(name)), 0);
}

static void
rename_file(const char *from, const char *to)
{
	assert_int_equal(rename(in_dir(from), in_dir(to)), 0);
}

/* Runs openssl with these words; in, out: -1 for /dev/null. */
static pid_t
openssl(const char *const *words, int in, int out)
{
	const char *argv[48] = {"openssl"};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	pid_t pid;

	for (size_t i = 0; words[i]; i++) {
		assert_true(i + 2 < ARRAY_LEN(argv));
		argv[i + 1] = words[i];
	}
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		union {
			const char **in;
			char *const *out;
		} args = {.in = argv};

		dup2(in < 0 ? null : in, STDIN_FILENO);
		dup2(out < 0 ? null : out, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		execvp("openssl", args.out);
		_exit(127);
	}
	close(null);
	return pid;
}

static int
wait_for(pid_t pid)
{
	int status = 0;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

/* NAME.crt and NAME.key with CN=NAME; ca NULL: it signs itself. */
static void
make_certificate(const char *name, const char *ca, const char *use)
{
	char subject[64], key[160], crt[160], ca_crt[160], ca_key[160], usage[64];
	const char *words[] = {"req", "-x509", "-newkey", "ec", "-pkeyopt",
		"ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-config",
		in_dir("openssl.cnf"), "-subj", subject, "-keyout", key, "-out", crt, "-addext",
		usage, "-addext",
		ca ? "basicConstraints=critical,CA:FALSE" : "basicConstraints=critical,CA:TRUE",
		ca ? "-CA" : NULL, ca_crt, "-CAkey", ca_key, NULL};

	snprintf(subject, sizeof(subject), "/CN=%s", name);
	snprintf(key, sizeof(key), "%s/%s.key", dir, name);
	snprintf(crt, sizeof(crt), "%s/%s.crt", dir, name);
	snprintf(ca_crt, sizeof(ca_crt), "%s/%s.crt", dir, ca ? ca : "");
	snprintf(ca_key, sizeof(ca_key), "%s/%s.key", dir, ca ? ca : "");
	snprintf(usage, sizeof(usage), "extendedKeyUsage=%s", use);
	assert_int_equal(wait_for(openssl(words, -1, -1)), 0);
}

/* A request over TLS; more: further words for s_client, NULL-terminated.  Fills in a->status, 0
 * when there was no answer. */
static pid_t
tls_begin(const char *request, const char *head, const char *const *more, int *out)
{
	char address[32], text[1024];
	const char *words[40] = {"s_client", "-quiet", "-verify_quiet", "-no_ign_eof", "-ign_eof",
		"-connect", address};
	int in[2], from[2];
	pid_t pid;

	snprintf(address, sizeof(address), "127.0.0.1:%d", rig.port[API_HTTP]);
	for (size_t i = 0; more && more[i]; i++)
		words[i + 7] = more[i];
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(from, O_CLOEXEC), 0);
	pid = openssl(words, in[0], from[1]);
	close(in[0]);
	close(from[1]);
	snprintf(text, sizeof(text), "%s HTTP/1.1\r\nHost: x\r\n%sConnection: close\r\n\r\n",
		request, head);
	assert_true(write(in[1], text, strlen(text)) > 0);
	*out = from[0];
	/* The client must not see the end of its input before it has the answer. */
	assert_true(fcntl(in[1], F_SETFD, 0) == 0);
	close(in[1]);
	return pid;
}

static void
tls_end(pid_t pid, int out, struct answer *a)
{
	char raw[65536];
	size_t len = 0;
	ssize_t n;

	memset(a, 0, sizeof(*a));
	while ((n = rig_read(out, raw + len, sizeof(raw) - 1 - len)) > 0)
		len += (size_t)n;
	raw[len] = '\0';
	close(out);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	if (sscanf(raw, "HTTP/1.%*d %d", &a->status) == 1 && strstr(raw, "\r\n\r\n"))
		snprintf(a->body, sizeof(a->body), "%s", strstr(raw, "\r\n\r\n") + 4);
}

static void
tls_call(const char *request, const char *head, const char *const *more, struct answer *a)
{
	int out;
	pid_t pid = tls_begin(request, head, more, &out);

	tls_end(pid, out, a);
}

static void
expect_tls(const char *request, const char *head, const char *const *more, int status,
	const char *says)
{
	struct answer a;

	tls_call(request, head, more, &a);
	if (a.status != status || (says && !strstr(a.body, says)))
		fail_msg("%s: %d %s (expected %d %s)", request, a.status, a.body, status,
			says ? says : "");
}

/* The order reaches the supervisor, from whom. */
static void
expect_order(const char *head, const char *const *more, const char *by)
{
	struct answer a;
	struct order o;
	uint64_t id;
	int out;
	pid_t pid = tls_begin("POST /v1/fence", head, more, &out);

	id = rig_order(&rig, &o);
	assert_string_equal(o.by, by);
	rig_accept(&rig, id, "op-1");
	tls_end(pid, out, &a);
	assert_int_equal(a.status, 202);
}

/* What the api says about itself, once it differs from what it was. */
static struct api_facts
facts_after(uint32_t seq)
{
	int64_t until = clock_boot_ms() + RIG_MS;
	struct api_facts f = {0};

	while (board_seq(rig.board, SEC_API) == seq && clock_boot_ms() < until)
		poll(NULL, 0, 5);
	shared_read(rig.board, SEC_API, &f);
	return f;
}

/* ---- fixture ---- */

static int
make_all(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/podgres-api-tls-XXXXXX");
	assert_non_null(mkdtemp(dir));
	write_file("openssl.cnf", "[req]\ndistinguished_name = dn\n[dn]\n");
	make_certificate("ca", NULL, "clientAuth,serverAuth");
	make_certificate("other", NULL, "clientAuth,serverAuth");
	make_certificate("server", NULL, "serverAuth");
	make_certificate("admin", "ca", "clientAuth");
	make_certificate("machine", "ca", "serverAuth");
	make_certificate("stranger", "other", "clientAuth");
	return 0;
}

static int
remove_all(void **state)
{
	static const char *const names[] = {
		"ca", "other", "server", "admin", "machine", "stranger", "new", "tls"};
	char path[160];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(path, sizeof(path), "%s/%s.crt", dir, names[i]);
		unlink(path);
		snprintf(path, sizeof(path), "%s/%s.key", dir, names[i]);
		unlink(path);
	}
	unlink(in_dir("openssl.cnf"));
	unlink(in_dir("token"));
	return rmdir(dir);
}

static void
install(const char *name)
{
	char from[16], line[4096];
	static const char *const ends[] = {"crt", "key"};

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		char to[16], text[8192] = "";
		FILE *f;

		snprintf(from, sizeof(from), "%s.%s", name, ends[i]);
		snprintf(to, sizeof(to), "tls.%s", ends[i]);
		f = fopen(in_dir(from), "r");
		assert_non_null(f);
		while (fgets(line, sizeof(line), f))
			strncat(text, line, sizeof(text) - strlen(text) - 1);
		fclose(f);
		write_file(to, text);
	}
}

static int
setup(void **state)
{
	(void)state;
	memset(&rig, 0, sizeof(rig));
	install("server");
	write_file("token", "let-me-in\n");
	snprintf(rig.opt.tls_cert, PATH_LEN, "%s", in_dir("tls.crt"));
	snprintf(rig.opt.tls_key, PATH_LEN, "%s", in_dir("tls.key"));
	snprintf(rig.opt.tls_client_ca, PATH_LEN, "%s", in_dir("ca.crt"));
	snprintf(rig.opt.token_file, PATH_LEN, "%s", in_dir("token"));
	rig_start(&rig);
	return 0;
}

static int
teardown(void **state)
{
	int status = rig_stop(&rig);

	(void)state;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

/* ---- tests ---- */

static void
with_a_certificate_tcp_speaks_tls_and_nothing_else(void **state)
{
	struct answer a;

	(void)state;
	expect_tls("GET /readyz", "", NULL, 200, "\"ok\":true");
	rig_call(&rig, API_HTTP, "GET /readyz", &a);
	assert_int_equal(a.status, 0);
	rig_call(&rig, API_CONTROL, "GET /readyz", &a);
	assert_int_equal(a.status, 200);
}

static void
old_tls_is_refused(void **state)
{
	static const char *const old[] = {"-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0", NULL};
	static const char *const new12[] = {"-tls1_2", NULL};
	static const char *const new13[] = {"-tls1_3", NULL};

	(void)state;
	expect_tls("GET /readyz", "", old, 0, NULL);
	expect_tls("GET /readyz", "", new12, 200, NULL);
	expect_tls("GET /readyz", "", new13, 200, NULL);
}

static void
a_client_certificate_of_the_ca_may_give_orders(void **state)
{
	const char *cert[] = {"-cert", in_dir("admin.crt"), "-key", in_dir("admin.key"), NULL};

	(void)state;
	expect_order("", cert, "cert:admin");
}

static void
other_certificates_may_not(void **state)
{
	const char *stranger[] = {
		"-cert", in_dir("stranger.crt"), "-key", in_dir("stranger.key"), NULL};
	const char *machine[] = {
		"-cert", in_dir("machine.crt"), "-key", in_dir("machine.key"), NULL};

	(void)state;
	expect_tls("POST /v1/fence", "", NULL, 403, "need a client certificate or the token");
	expect_tls("POST /v1/fence", "", stranger, 403, "DENIED");
	expect_tls("POST /v1/fence", "", machine, 403, "DENIED");
	expect_tls("GET /readyz", "", stranger, 200, NULL);
}

static void
the_token_gives_orders_and_others_do_not(void **state)
{
	(void)state;
	expect_order("Authorization: Bearer let-me-in\r\n", NULL, "token");
	expect_tls("POST /v1/fence", "Authorization: Bearer let-me-i\r\n", NULL, 403,
		"the token is wrong");
	expect_tls("POST /v1/fence", "Authorization: Bearer let-me-inn\r\n", NULL, 403, NULL);
	expect_tls("POST /v1/fence", "Authorization: Bearer \r\n", NULL, 403, NULL);
	expect_tls("POST /v1/fence", "Authorization: Basic let-me-in\r\n", NULL, 403, NULL);
}

static void
a_new_token_replaces_the_old_one(void **state)
{
	int64_t until = clock_boot_ms() + RIG_MS;
	struct answer a = {0};

	(void)state;
	write_file("token", "changed");
	do
		tls_call("POST /v1/promote?mode=x", "Authorization: Bearer changed\r\n", NULL, &a);
	while (a.status == 403 && clock_boot_ms() < until);
	assert_int_equal(a.status, 400);
	expect_tls("POST /v1/fence", "Authorization: Bearer let-me-in\r\n", NULL, 403, NULL);
}

static void
an_empty_token_file_lets_nobody_in(void **state)
{
	int64_t until = clock_boot_ms() + RIG_MS;
	struct answer a = {0};

	(void)state;
	write_file("token", "\n");
	do
		tls_call(
			"POST /v1/promote?mode=x", "Authorization: Bearer let-me-in\r\n", NULL, &a);
	while (a.status != 403 && clock_boot_ms() < until);
	expect_tls("POST /v1/fence", "Authorization: Bearer \r\n", NULL, 403, NULL);
	expect_tls("POST /v1/fence", "Authorization: Bearer let-me-in\r\n", NULL, 403, NULL);
}

static void
a_new_certificate_is_served_without_a_restart(void **state)
{
	int64_t until = clock_boot_ms() + RIG_MS;
	char trusted[160];
	const char *verify[] = {"-CAfile", trusted, "-verify_return_error", NULL};
	struct answer a = {0};

	(void)state;
	make_certificate("new", NULL, "serverAuth");
	snprintf(trusted, sizeof(trusted), "%s/new.crt", dir);
	expect_tls("GET /readyz", "", NULL, 200, NULL);
	expect_tls("GET /readyz", "", verify, 0, NULL);
	install("new");
	while (a.status != 200 && clock_boot_ms() < until)
		tls_call("GET /readyz", "", verify, &a);
	assert_int_equal(a.status, 200);
}

static void
a_broken_certificate_keeps_the_old_one_and_is_told(void **state)
{
	int64_t until = clock_boot_ms() + RIG_MS;
	struct api_facts f = {0};

	(void)state;
	expect_tls("GET /readyz", "", NULL, 200, NULL);
	write_file("tls.crt", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
	while (!*f.tls_error && clock_boot_ms() < until)
		f = facts_after(board_seq(rig.board, SEC_API));
	assert_non_null(strstr(f.tls_error, "tls.crt"));
	expect_tls("GET /pg/status", "", NULL, 200, "\"tlsError\":\"");
	install("server");
	while (*f.tls_error && clock_boot_ms() < until)
		f = facts_after(board_seq(rig.board, SEC_API));
	assert_string_equal(f.tls_error, "");
	assert_true(f.cert_expires_wall_us > clock_wall_us());
}

static void
a_key_that_is_not_the_certificates_is_refused(void **state)
{
	int64_t until = clock_boot_ms() + RIG_MS;
	struct api_facts f = {0};

	(void)state;
	expect_tls("GET /readyz", "", NULL, 200, NULL);
	make_certificate("new", NULL, "serverAuth");
	rename_file("new.key", "tls.key");
	while (!*f.tls_error && clock_boot_ms() < until)
		f = facts_after(board_seq(rig.board, SEC_API));
	assert_true(*f.tls_error);
	expect_tls("GET /readyz", "", NULL, 200, NULL);
}

/* ---- without certificates at first ---- */

static int
setup_without(void **state)
{
	(void)state;
	memset(&rig, 0, sizeof(rig));
	unlink(in_dir("tls.crt"));
	unlink(in_dir("tls.key"));
	snprintf(rig.opt.tls_cert, PATH_LEN, "%s", in_dir("tls.crt"));
	snprintf(rig.opt.tls_key, PATH_LEN, "%s", in_dir("tls.key"));
	rig.opt.status_auth = true;
	rig_start(&rig);
	return 0;
}

static void
missing_certificates_close_tcp_until_they_come_and_never_mean_plain_text(void **state)
{
	int64_t until = clock_boot_ms() + RIG_MS;
	struct answer a;

	(void)state;
	rig_call(&rig, API_HTTP, "GET /readyz", &a);
	assert_int_equal(a.status, 0);
	rig_call(&rig, API_CONTROL, "GET /readyz", &a);
	assert_int_equal(a.status, 200);
	install("server");
	do
		tls_call("GET /readyz", "", NULL, &a);
	while (a.status != 200 && clock_boot_ms() < until);
	assert_int_equal(a.status, 200);
}

static void
status_can_be_closed_while_probes_stay_open(void **state)
{
	struct answer a;

	(void)state;
	install("server");
	do
		tls_call("GET /readyz", "", NULL, &a);
	while (a.status != 200);
	expect_tls("GET /pg/status", "", NULL, 403, "DENIED");
	expect_tls("GET /v1/operations", "", NULL, 403, NULL);
	expect_tls("GET /primary", "", NULL, 200, NULL);
	rig_call(&rig, API_CONTROL, "GET /pg/status", &a);
	assert_int_equal(a.status, 200);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(with_a_certificate_tcp_speaks_tls_and_nothing_else),
		TEST(old_tls_is_refused),
		TEST(a_client_certificate_of_the_ca_may_give_orders),
		TEST(other_certificates_may_not),
		TEST(the_token_gives_orders_and_others_do_not),
		TEST(a_new_token_replaces_the_old_one),
		TEST(an_empty_token_file_lets_nobody_in),
		TEST(a_new_certificate_is_served_without_a_restart),
		TEST(a_broken_certificate_keeps_the_old_one_and_is_told),
		TEST(a_key_that_is_not_the_certificates_is_refused),
		cmocka_unit_test_setup_teardown(
			missing_certificates_close_tcp_until_they_come_and_never_mean_plain_text,
			setup_without, teardown),
		cmocka_unit_test_setup_teardown(
			status_can_be_closed_while_probes_stay_open, setup_without, teardown),
	};

	return cmocka_run_group_tests(tests, make_all, remove_all);
}
