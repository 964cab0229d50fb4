/*
 * configure_try - let postgres itself read the new configuration, beside a server that may run.
 *
 * `postgres -C NAME` reads everything it would read at a start and ends.  From version 15 on the
 * name of a value it computes makes it go further: it checks settings against each other and loads
 * the libraries.  For that it wants a data directory to lock, so it gets a scratch one in the run
 * folder with a copy of pg_control.  The candidate of postgresql.conf lies in PGDATA, because
 * relative includes count from there.
 */
#include "service/configure_files.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "sys/file.h"
#include "sys/spawn.h"

#define TRY_MS 20000
#define CANDIDATE "podgres.candidate.conf"

struct attempt {
	char scratch[FILE_PATH_MAX], candidate[FILE_PATH_MAX];
	char user[FILE_PATH_MAX], owned[FILE_PATH_MAX];
	char complaint[400]; /* first line that says what is wrong */
	char hint[200];
};

/* ---- the scratch folder ---- */

/* Nothing here has to survive a power cut. */
static int
write_plain(const char *path, const struct buf *b, struct err *e)
{
	AUTO(close)
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return file_err(e, "create %s", path);
	return file_write_fd(fd, buf_str(b), b->len, e) ? err_add(e, "%s", path) : 0;
}

static int
put(const struct attempt *t, const char *name, const struct buf *b, struct err *e)
{
	char path[FILE_PATH_MAX];

	return file_join(path, sizeof(path), t->scratch, name, e) || write_plain(path, b, e) ? -1
											     : 0;
}

static int
copy(const struct attempt *t, const struct configure *c, const char *name, struct err *e)
{
	AUTO(buf_deinit) struct buf b = {0};
	char path[FILE_PATH_MAX];

	if (file_join(path, sizeof(path), c->in.pgdata, name, e) || file_read(&b, path, 1 << 16, e))
		return -1;
	return put(t, name, &b, e);
}

static int
lay_out(struct attempt *t, struct configure *c, struct err *e)
{
	AUTO(buf_deinit) struct buf candidate = {0};
	const struct conf_text now = {buf_str(&c->old_main), c->old_main.len, c->main_file};
	char global[FILE_PATH_MAX];

	if (file_join(t->scratch, sizeof(t->scratch), c->job->opt->run_dir, "conf-trial", e) ||
		file_join(global, sizeof(global), t->scratch, "global", e) ||
		file_join(t->candidate, sizeof(t->candidate), c->in.pgdata, CANDIDATE, e) ||
		file_join(t->user, sizeof(t->user), t->scratch, CONF_USER_FILE, e) ||
		file_join(t->owned, sizeof(t->owned), t->scratch, CONF_OWNED_FILE, e))
		return -1;
	if (file_remove_tree(t->scratch, e) || file_make_dirs(global, 0700, e) ||
		copy(t, c, "PG_VERSION", e) || copy(t, c, "global/pg_control", e) ||
		put(t, CONF_USER_FILE, &c->text[CONFIGURE_USER], e) ||
		put(t, CONF_OWNED_FILE, &c->text[CONFIGURE_OWNED], e) ||
		put(t, "postgresql.auto.conf", &c->text[CONFIGURE_AUTO], e))
		return -1;
	if (conf_main_render(&candidate, &now, t->user, t->owned, e))
		return -1;
	return write_plain(t->candidate, &candidate, e);
}

static void
clear(const struct attempt *t)
{
	struct err ignored = {0};

	if (t->scratch[0] && file_remove_tree(t->scratch, &ignored))
		return;
	if (t->candidate[0] && file_remove(t->candidate, &ignored))
		return;
}

/* ---- what postgres says ---- */

static const char *
after(const char *line, const char *word)
{
	const char *p = strncmp(line, word, strlen(word)) == 0 ? line + strlen(word) : NULL;

	while (p && *p == ' ')
		p++;
	return p;
}

static void
on_line(const char *name, const char *line, void *arg)
{
	struct attempt *t = arg;
	const char *hint = after(line, "HINT:");
	const char *text = after(line, "LOG:");

	(void)name;
	text = text ? text : after(line, "FATAL:");
	text = text ? text : after(line, "ERROR:");
	text = text ? text : after(line, "postgres:");
	if (hint && !t->hint[0])
		snprintf(t->hint, sizeof(t->hint), "%s", hint);
	if (!text || strstr(text, " contains errors") || t->complaint[0])
		return;
	snprintf(t->complaint, sizeof(t->complaint), "%s", text);
}

/* The setting a complaint is about: parameter "NAME". */
static bool
named(const char *complaint, char *out, size_t size)
{
	static const char lead[] = "parameter \"";
	const char *p = strstr(complaint, lead);
	size_t n;

	if (!p)
		return false;
	p += strlen(lead);
	n = strcspn(p, "\"");
	if (n == 0 || n >= size)
		return false;
	memcpy(out, p, n);
	out[n] = '\0';
	return true;
}

/* Say where a person has to look: postgres knows only the files it was given. */
static int
explain(const struct configure *c, struct attempt *t, struct err *e)
{
	char name[128] = "", *in_file = strstr(t->complaint, " in file \"");
	const struct spec_param *p;
	const struct conf_setting *s;

	if (!named(t->complaint, name, sizeof(name)))
		return err_set(e, ERR_CONFIG, "postgres refuses the configuration: %s%s%s",
			t->complaint, t->hint[0] ? "; " : "", t->hint);
	if (in_file)
		*in_file = '\0';
	p = conf_param(c->spec, name);
	if (p)
		return err_set(e, ERR_CONFIG, "%s:%d:%d: spec.postgresql.parameters.%s: %s%s%s",
			c->in.file, p->at.line, p->at.col, name, t->complaint,
			t->hint[0] ? "; " : "", t->hint);
	s = conf_settings_get(&c->auto_conf, name);
	s = s ? s : conf_settings_get(&c->base, name);
	if (s)
		return err_set(e, ERR_CONFIG, "%s:%d: %s", s->file, s->line, t->complaint);
	return err_set(e, ERR_CONFIG, "postgres refuses the configuration: %s", t->complaint);
}

static int
ask(struct configure *c, struct attempt *t, struct err *e)
{
	AUTO(free) char *data = NULL, *config = NULL;
	const char *argv[] = {c->plan->postgres, "-C",
		c->in.major >= 15 ? "shared_memory_size" : "shared_buffers", "-D", t->scratch, "-c",
		NULL, "-c", NULL, "-c", "lc_messages=C", "-c", "log_min_messages=warning", "-c",
		"log_destination=stderr", "-c", "logging_collector=off", "-c",
		"log_error_verbosity=default", "-c", "log_line_prefix=", "-c",
		"external_pid_file=", NULL};
	AUTO(buf_deinit) struct buf answer = {0};
	const struct spawn_spec spec = {
		.name = "postgres -C",
		.argv = argv,
		.deadline_ms = TRY_MS,
		.out = &answer,
		.on_line = on_line,
		.arg = t,
	};

	if (asprintf(&data, "data_directory=%s", t->scratch) < 0)
		data = NULL;
	if (asprintf(&config, "config_file=%s", t->candidate) < 0)
		config = NULL;
	if (!data || !config)
		return err_sys(e, "try the configuration");
	argv[6] = data;
	argv[8] = config;
	if (spawn_run(&spec, NULL, e) == 0)
		return 0;
	if (e->kind == ERR_FAILED && t->complaint[0])
		return explain(c, t, e);
	return err_add(e, "try the configuration");
}

int
configure_try(struct configure *c, struct err *e)
{
	AUTO(free) struct attempt *t = calloc(1, sizeof(*t));
	int rc;

	if (!t)
		return err_sys(e, "try the configuration");
	rc = lay_out(t, c, e) || ask(c, t, e) ? -1 : 0;
	clear(t);
	return rc;
}
