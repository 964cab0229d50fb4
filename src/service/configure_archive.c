/*
 * configure_archive - the commands by which postgres reaches the archiver.
 *
 * podgres-wal stands beside podgres, else on PATH.  PostgreSQL hands the command to a shell, after
 * it has replaced %p and %f, so that quotes and percent signs of paths are written for both.
 */
#include "service/configure_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sys/file.h"

#define PROGRAM "podgres-wal"

static bool
has_store(const struct spec_store *s)
{
	return s->set && s->destination && *s->destination;
}

static bool
any_store(const struct spec *spec)
{
	for (size_t i = 0; i < spec->externals; i++)
		if (has_store(&spec->external[i].store))
			return true;
	return has_store(&spec->backup.store);
}

void
configure_archive_plan(struct plan *plan, const struct spec *spec)
{
	const struct spec_store *s = &spec->backup.store;

	if (has_store(s))
		snprintf(plan->archive, sizeof(plan->archive), "%.40s/%.20s", s->destination,
			s->server_name);
	else
		snprintf(plan->archive, sizeof(plan->archive), "none");
}

/* ---- the program ---- */

static bool
beside_us(char out[FILE_PATH_MAX])
{
	char self[FILE_PATH_MAX], dir[FILE_PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	struct err ignored;

	if (n < 0)
		return false;
	self[n] = '\0';
	return file_parent(dir, sizeof(dir), self, &ignored) == 0 &&
	       file_join(out, FILE_PATH_MAX, dir, PROGRAM, &ignored) == 0 && access(out, X_OK) == 0;
}

static bool
on_path(char out[FILE_PATH_MAX])
{
	const char *at = getenv("PATH"); // NOLINT(concurrency-mt-unsafe): one thread

	while (at && *at) {
		int n = (int)strcspn(at, ":");

		if (n > 0 && snprintf(out, FILE_PATH_MAX, "%.*s/" PROGRAM, n, at) < FILE_PATH_MAX &&
			access(out, X_OK) == 0)
			return true;
		at += n + (at[n] == ':');
	}
	return false;
}

/* ---- the commands ---- */

static void
put_quoted(struct buf *out, const char *text)
{
	buf_putc(out, '\'');
	for (const char *p = text; *p; p++)
		if (*p == '\'')
			buf_puts(out, "'\\''");
		else if (*p == '%')
			buf_puts(out, "%%");
		else
			buf_putc(out, *p);
	buf_putc(out, '\'');
}

static void
put_command(struct buf *out, const char *program, const char *run_dir, const char *what)
{
	char socket[PATH_LEN + 16];

	snprintf(socket, sizeof(socket), "%s/wal.sock", run_dir);
	put_quoted(out, program);
	buf_puts(out, " --socket ");
	put_quoted(out, socket);
	buf_puts(out, what);
}

int
configure_archive(struct configure *c, struct err *e)
{
	const char *run_dir = c->job->opt->run_dir;
	char program[FILE_PATH_MAX];

	c->in.archive_command = c->in.restore_command = "";
	if (!any_store(c->spec))
		return 0;
	if (!beside_us(program) && !on_path(program))
		return err_set(e, ERR_CONFIG,
			"the manifest names an archive, and " PROGRAM
			" is neither beside podgres nor on PATH, or the user of postgres cannot "
			"get there");
	if (has_store(&c->spec->backup.store))
		put_command(&c->archive_command, program, run_dir, " archive %p");
	put_command(&c->restore_command, program, run_dir, " restore %f %p");
	if (buf_check(&c->archive_command, e) < 0 || buf_check(&c->restore_command, e) < 0)
		return -1;
	c->in.archive_command = buf_str(&c->archive_command);
	c->in.restore_command = buf_str(&c->restore_command);
	return 0;
}
