/*
 * storectl - the store by hand, for the system tests: one command a run.
 *
 *	storectl URL [name=value]... COMMAND [ARGUMENT]...
 *
 * Options: endpoint ca region access secret token (files) encryption kms tag=KEY:VALUE connect
 * stall total (ms) attempts rate expected memory; virtual=1 create=1 folders=1 inherit=1.
 * Commands: put KEY FILE | get KEY [FROM [LEN]] | head KEY | list PREFIX [AFTER] |
 * delete KEY... | upload KEY FILE | sweep PREFIX SECONDS | repeat KEY FILE TIMES.
 * The result is on stdout; at the end one JSON object on stderr; exit status by kind of error.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "store/store.h"
#include "sys/file.h"

#define FILE_MAX ((size_t)2 << 30)
#define PIECE ((size_t)256 << 10)

struct options {
	struct store_spec spec;
	struct store_tag tag[8];
	bool create, folders;
	int64_t rate, expected, memory;
};

static bool
set_text(struct options *o, const char *name, const char *value)
{
	const struct {
		const char *name;
		const char **to;
	} row[] = {{"endpoint", &o->spec.endpoint}, {"ca", &o->spec.ca_file},
		{"region", &o->spec.region}, {"access", &o->spec.access_key_file},
		{"secret", &o->spec.secret_key_file}, {"token", &o->spec.session_token_file},
		{"encryption", &o->spec.encryption}, {"kms", &o->spec.kms_key_id}};

	for (size_t i = 0; i < ARRAY_LEN(row); i++)
		if (strcmp(row[i].name, name) == 0) {
			*row[i].to = value;
			return true;
		}
	return false;
}

static bool
set_number(struct options *o, const char *name, int64_t value)
{
	const struct {
		const char *name;
		int64_t *to;
	} row[] = {{"connect", &o->spec.connect_ms}, {"stall", &o->spec.stall_ms},
		{"total", &o->spec.total_ms}, {"rate", &o->rate}, {"expected", &o->expected},
		{"memory", &o->memory}};
	const struct {
		const char *name;
		bool *to;
	} flag[] = {{"virtual", &o->spec.virtual_host}, {"create", &o->create},
		{"folders", &o->folders}, {"inherit", &o->spec.inherit}};

	for (size_t i = 0; i < ARRAY_LEN(row); i++)
		if (strcmp(row[i].name, name) == 0) {
			*row[i].to = value;
			return true;
		}
	for (size_t i = 0; i < ARRAY_LEN(flag); i++)
		if (strcmp(flag[i].name, name) == 0) {
			*flag[i].to = value != 0;
			return true;
		}
	if (strcmp(name, "attempts") != 0)
		return false;
	o->spec.attempts = (int)value;
	return true;
}

static bool
set_option(struct options *o, char *arg)
{
	char *value = strchr(arg, '='), *colon;

	if (!value)
		return false;
	*value++ = '\0';
	if (strcmp(arg, "tag") == 0 && o->spec.tags < ARRAY_LEN(o->tag)) {
		colon = strchr(value, ':');
		if (colon)
			*colon++ = '\0';
		o->tag[o->spec.tags++] = (struct store_tag){value, colon ? colon : ""};
		o->spec.tag = o->tag;
		return true;
	}
	return set_text(o, arg, value) || set_number(o, arg, strtoll(value, NULL, 10));
}

/* ---- commands ---- */

struct command {
	struct options *o;
	struct store *s;
	char **arg;
	int args;
};

static int
run_put(struct command *c, struct err *e)
{
	AUTO(buf_deinit) struct buf b = {0};
	struct store_put put = {.key = c->arg[0], .create = c->o->create};
	int64_t times = c->args > 2 ? strtoll(c->arg[2], NULL, 10) : 1;
	enum store_outcome outcome;

	if (file_read(&b, c->arg[1], FILE_MAX, e))
		return -1;
	put.body = b.data;
	put.len = b.len;
	for (int64_t i = 0; i < times; i++) {
		char key[STORE_KEY_SIZE];

		snprintf(key, sizeof(key), "%s%06lld", c->arg[0], (long long)i);
		if (c->args > 2)
			put.key = key;
		if (store_put(c->s, &put, &outcome, e))
			return -1;
	}
	puts(outcome == STORE_SAME ? "same" : "stored");
	return 0;
}

static int
to_stdout(void *arg, const void *p, size_t n, struct err *e)
{
	(void)arg;
	return file_write_fd(STDOUT_FILENO, p, n, e);
}

static int
run_get(struct command *c, struct err *e)
{
	struct store_get get = {.key = c->arg[0], .sink = to_stdout};

	if (c->args > 1)
		get.from = strtoll(c->arg[1], NULL, 10);
	if (c->args > 2)
		get.len = strtoll(c->arg[2], NULL, 10);
	return store_get(c->s, &get, NULL, e);
}

static int
print_object(void *arg, const struct store_object *o, struct err *e)
{
	char when[CLOCK_RFC3339_SIZE];

	(void)arg, (void)e;
	printf("%s\t%lld\t%s\t%s\t%s\n", o->key, (long long)o->bytes,
		clock_rfc3339(o->modified_us, when), o->etag, o->sha256);
	return 0;
}

static int
run_head(struct command *c, struct err *e)
{
	struct store_object o;

	return store_head(c->s, c->arg[0], &o, e) || print_object(NULL, &o, e) ? -1 : 0;
}

static int
run_list(struct command *c, struct err *e)
{
	struct store_list list = {.prefix = c->arg[0], .each = print_object};

	list.after = c->args > 1 ? c->arg[1] : "";
	list.folders = c->o->folders;
	return store_list(c->s, &list, e);
}

static int
run_delete(struct command *c, struct err *e)
{
	return store_delete(c->s, (const char *const *)c->arg, (size_t)c->args, e);
}

static int
upload_file(struct store_upload *u, int fd, struct err *e)
{
	static char piece[PIECE];

	for (;;) {
		ssize_t n = read(fd, piece, sizeof(piece));

		if (n < 0)
			return err_sys(e, "read");
		if (n == 0)
			return 0;
		if (store_upload_write(u, piece, (size_t)n, e))
			return -1;
	}
}

static int
run_upload(struct command *c, struct err *e)
{
	AUTO(store_upload_close) struct store_upload *u = NULL;
	AUTO(close) int fd = open(c->arg[1], O_RDONLY | O_CLOEXEC);
	struct store_upload_spec spec = {
		.key = c->arg[0],
		.expected_bytes = c->o->expected,
		.create = c->o->create,
		.rate = c->o->rate,
		.max_bytes = c->o->memory,
	};
	struct store_upload_result r;

	if (fd < 0)
		return err_sys(e, "%s", c->arg[1]);
	if (store_upload_open(c->s, &spec, &u, e) || upload_file(u, fd, e) ||
		store_upload_finish(u, &r, e))
		return -1;
	printf("%lld\t%s\t%d\n", (long long)r.bytes, r.sha256, r.parts);
	return 0;
}

static int
run_sweep(struct command *c, struct err *e)
{
	int64_t before = clock_wall_us() - strtoll(c->arg[1], NULL, 10) * SEC_US;
	int count = 0;

	if (store_upload_sweep(c->s, c->arg[0], before, &count, e))
		return -1;
	printf("%d\n", count);
	return 0;
}

static const struct {
	const char *name;
	int args; /* at least */
	int (*run)(struct command *c, struct err *e);
} commands[] = {
	{"put", 2, run_put},
	{"repeat", 3, run_put},
	{"get", 1, run_get},
	{"head", 1, run_head},
	{"list", 1, run_list},
	{"delete", 1, run_delete},
	{"upload", 2, run_upload},
	{"sweep", 2, run_sweep},
};

/* ---- the end ---- */

static void
report(const struct store *s, const struct err *e, int64_t begun_ns)
{
	AUTO(buf_deinit) struct buf b = {0};
	struct rusage u;
	struct json j;

	getrusage(RUSAGE_SELF, &u);
	json_init(&j, &b);
	json_obj(&j);
	json_kstr(&j, "error", e->kind ? err_name(e->kind) : "");
	json_kstr(&j, "message", e->kind ? e->msg : "");
	json_kint(&j, "code", e->code);
	if (s) {
		const struct store_stats *st = store_stats(s);

		json_kint(&j, "requests", (int64_t)st->requests);
		json_kint(&j, "connections", (int64_t)st->connections);
		json_kint(&j, "retries", (int64_t)st->retries);
		json_kint(&j, "throttled", (int64_t)st->throttled);
		json_kint(&j, "bytes_out", (int64_t)st->bytes_out);
		json_kint(&j, "bytes_in", (int64_t)st->bytes_in);
		json_kint(&j, "last_status", st->last_status);
	}
	json_kint(&j, "wall_ms", (clock_boot_ns() - begun_ns) / MS_NS);
	json_kint(&j, "cpu_ms",
		(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000 +
			(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1000);
	json_kint(&j, "max_rss_kb", u.ru_maxrss);
	json_end_obj(&j);
	fprintf(stderr, "%s\n", buf_str(&b));
}

static int
dispatch(struct command *c, const char *name, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (strcmp(commands[i].name, name) == 0 && c->args >= commands[i].args)
			return commands[i].run(c, e);
	return err_set(e, ERR_INVALID, "no such command, or too few arguments: %s", name);
}

int
main(int argc, char **argv)
{
	AUTO(store_close) struct store *s = NULL;
	struct options o = {.create = false};
	struct err e = {.kind = ERR_NONE};
	int64_t begun = clock_boot_ns();
	int at = 2, rc;

	if (argc < 3) {
		fputs("usage: storectl URL [name=value]... COMMAND [ARGUMENT]...\n", stderr);
		return 64;
	}
	o.spec.url = argv[1];
	while (at < argc && set_option(&o, argv[at]))
		at++;
	rc = store_open(&s, &o.spec, &e);
	if (rc == 0 && at < argc) {
		struct command c = {&o, s, argv + at + 1, argc - at - 1};

		rc = dispatch(&c, argv[at], &e);
	}
	if (fflush(stdout))
		rc = err_sys(&e, "stdout");
	if (!rc)
		e.kind = ERR_NONE;
	report(s, &e, begun);
	return rc ? err_exit(&e) : 0;
}
