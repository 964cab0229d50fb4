/*
 * restore_time - a recovery target's time, as PostgreSQL would read it.
 *
 * Process: whoever restores.  core/when reads what is common.  All else ("20 Nov 2026 13:41
 * Europe/Berlin", "PST", names of the tz database with their daylight saving) is given to
 * PostgreSQL's own parser: a throw-away cluster and `postgres --single`, about a second, before
 * anything is downloaded.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "core/when.h"
#include "service/restore.h"

#define TIME_SETUP_MS (120 * SEC_MS)

/* ---- whatever else PostgreSQL takes ---- */

static int
time_cluster(struct init *in, const char *dir, struct err *e)
{
	char initdb[FILE_PATH_MAX];
	const char *argv[] = {initdb, "-D", dir, "-N", "-A", "trust", "-U", "postgres",
		"--no-locale", "-E", "UTF8", "--no-instructions", NULL};
	struct spawn_spec spec = {.name = "initdb",
		.argv = argv,
		.envp = (const char *const *)in->env.item,
		.deadline_ms = TIME_SETUP_MS,
		.no_huge_pages = true,
		.on_tick = init_tick,
		.arg = in};

	if (in->bin.major < 14)
		argv[ARRAY_LEN(argv) - 2] = NULL;
	if (bindir_program(&in->bin, "initdb", initdb, e) < 0)
		return -1;
	return spawn_run(&spec, NULL, e);
}

/* The backend prints "\t 1: us = \"1795178460000000\"\t(typeid...". */
static int
time_answer(const struct buf *out, const char *text, int64_t *us, struct err *e)
{
	const char *at = strstr(buf_str(out), "us = \"");

	if (!at)
		return err_set(e, ERR_CONFIG,
			"targetTime \"%.100s\": PostgreSQL does not take it for a time", text);
	*us = strtoll(at + 6, NULL, 10);
	return 0;
}

static int
time_ask(struct init *in, const char *dir, const char *text, int64_t *us, struct err *e)
{
	AUTO(buf_deinit) struct buf sql = {0}, out = {0};
	const char *argv[] = {in->bin.postgres, "--single", "-D", dir, "-c", "timezone=UTC", "-c",
		"log_min_messages=panic", "-j", "template1", NULL};
	struct spawn_spec spec = {.name = "postgres --single",
		.argv = argv,
		.envp = (const char *const *)in->env.item,
		.deadline_ms = TIME_SETUP_MS,
		.no_huge_pages = true,
		.out = &out,
		.on_tick = init_tick,
		.arg = in};

	buf_puts(&sql, "select (extract(epoch from timestamptz E'");
	for (const char *at = text; *at; at++) {
		if (*at == '\'' || *at == '\\')
			buf_putc(&sql, *at);
		buf_putc(&sql, *at == '\n' || *at == ';' ? ' ' : *at);
	}
	buf_puts(&sql, "') * 1000000)::numeric(30,0) as us;\n\n");
	if (buf_check(&sql, e) < 0)
		return -1;
	spec.in = sql.data;
	spec.in_len = sql.len;
	if (spawn_run(&spec, NULL, e) < 0)
		return -1;
	return time_answer(&out, text, us, e);
}

int
restore_time_parse(struct init *in, const char *text, int64_t *us, struct err *e)
{
	char dir[FILE_PATH_MAX];
	struct err ignored;
	int rc;

	switch (when_parse(text, us, NULL)) {
	case WHEN_KNOWN:
		return 0;
	case WHEN_WRONG:
		return err_set(e, ERR_CONFIG, "targetTime \"%.100s\" is no point in time", text);
	case WHEN_ASK:
		break;
	}
	if (file_join(dir, sizeof(dir), in->place.wrap, "clock", e) < 0 ||
		file_remove_tree(dir, e) < 0)
		return -1;
	rc = time_cluster(in, dir, e);
	if (rc == 0)
		rc = time_ask(in, dir, text, us, e);
	if (file_remove_tree(dir, rc < 0 ? &ignored : e) < 0)
		return -1;
	return rc;
}
