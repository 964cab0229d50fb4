/*
 * cmd_check - `podgres check FILE`: what is wrong with a manifest or a file of metric queries.
 *
 * One line a finding, FILE:LINE:COL: error|warning|note: TEXT, as compilers print them, so that
 * editors can jump there.  Exit 0 with warnings at most, 78 with errors.  When the manifest as such
 * is fine, what would be written for postgres is made and thrown away, as that checks still more.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/term.h"
#include "base/yaml.h"
#include "cmd/check_queries.h"
#include "cmd/cmd.h"
#include "core/spec.h"
#include "pg/conf.h"
#include "pg/hba.h"
#include "sys/file.h"

#define EXIT_CONFIG 78

/* The version that knows most, since a manifest does not say which one will read it. */
#define NEWEST_MAJOR 18
#define MAX_RENDERED 3

struct findings {
	const char *file;
	struct spec_note rendered[MAX_RENDERED]; /* what rendering found, at most one each */
	size_t n_rendered;
	struct spec_notes notes;
	size_t errors, warnings, remarks;
};

/* "-" is standard input. */
static int
read_manifest(const char *path, struct buf *out, struct err *e)
{
	AUTO(close) int fd = -1;
	int from = STDIN_FILENO;

	if (strcmp(path, "-") != 0) {
		from = fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return err_raise(e, errno == ENOENT ? ERR_NOTFOUND : ERR_SYS, errno,
				ERR_HERE, "%s: %s", path, strerror(errno));
	}
	return file_read_fd(from, out, YAML_MAX_BYTES, e) < 0 ? err_add(e, "%s", path) : 0;
}

/* Notes of the reader first, then those of rendering; NULL: no more. */
static const struct spec_note *
finding(const struct findings *f, size_t i)
{
	if (i < f->notes.n)
		return &f->notes.item[i];
	i -= f->notes.n;
	return i < f->n_rendered ? &f->rendered[i] : NULL;
}

/* "FILE:LINE:COL: TEXT" back into its parts. */
static void
take_rendered(struct findings *f, const struct err *e)
{
	struct spec_note *n = &f->rendered[f->n_rendered++];
	size_t len = strlen(f->file);
	const char *text = e->msg;
	int used = 0;

	*n = (struct spec_note){.error = true};
	if (strncmp(text, f->file, len) == 0 && text[len] == ':' &&
		sscanf(text + len, ":%d:%d: %n", &n->at.line, &n->at.col, &used) == 2 && used > 0)
		text += len + (size_t)used;
	snprintf(n->text, sizeof(n->text), "%.*s", (int)sizeof(n->text) - 1, text);
}

static void
check_rendered(struct findings *f, const struct spec *spec)
{
	struct conf_input conf = {
		.major = NEWEST_MAJOR, .spec = spec, .manifest = true, .file = f->file};
	struct hba_input hba = {.major = NEWEST_MAJOR,
		.os_user = "postgres",
		.roles = {"postgres"},
		.host_method = "",
		.spec = spec,
		.file = f->file};
	AUTO(buf_deinit) struct buf out = {0};
	struct err e = {0};

	if (conf_check(&conf, &e) < 0)
		take_rendered(f, &e);
	if (hba_render(&out, &hba, &e) < 0)
		take_rendered(f, &e);
	if (hba_ident_render(&out, &hba, &e) < 0)
		take_rendered(f, &e);
}

static void
count(struct findings *f)
{
	const struct spec_note *n;

	for (size_t i = 0; (n = finding(f, i)); i++) {
		f->errors += n->error;
		f->remarks += n->info;
		f->warnings += !n->error && !n->info;
	}
}

static const char *
severity(const struct spec_note *n)
{
	return n->error ? "error" : n->info ? "note" : "warning";
}

static void
print_text(const struct findings *f, bool verbose, struct buf *out)
{
	const struct spec_note *n;
	struct term term;

	term_init(&term, STDOUT_FILENO);
	for (size_t i = 0; (n = finding(f, i)); i++) {
		enum term_colour colour = n->error ? TERM_RED : n->info ? TERM_DIM : TERM_YELLOW;

		if (n->info && !verbose)
			continue;
		if (n->at.line)
			buf_printf(out, "%s:%d:%d: ", f->file, n->at.line, n->at.col);
		else
			buf_printf(out, "%s: ", f->file);
		term_paint(&term, out, colour, severity(n));
		buf_printf(out, ": %s\n", n->text);
	}
	if (!f->errors)
		buf_printf(out, "%s: fine, %zu warning%s\n", f->file, f->warnings,
			f->warnings == 1 ? "" : "s");
}

static void
print_json(const struct findings *f, struct buf *out)
{
	const struct spec_note *n;
	struct json j;

	json_init(&j, out);
	json_obj(&j);
	json_kstr(&j, "file", f->file);
	json_kbool(&j, "valid", f->errors == 0);
	json_kint(&j, "errors", (int64_t)f->errors);
	json_kint(&j, "warnings", (int64_t)f->warnings);
	json_karr(&j, "findings");
	for (size_t i = 0; (n = finding(f, i)); i++) {
		json_obj(&j);
		json_kstr(&j, "severity", severity(n));
		json_kint(&j, "line", n->at.line);
		json_kint(&j, "column", n->at.col);
		json_kstr(&j, "message", n->text);
		json_end_obj(&j);
	}
	json_end_arr(&j);
	json_end_obj(&j);
	buf_putc(out, '\n');
}

static const char *
check_secrets_dir(void)
{
	const char *given = getenv("PODGRES_SECRETS_DIR");

	return given && *given ? given : "/etc/podgres/secrets";
}

static int
check_file(const char *path, const struct cli_args *args)
{
	struct spec_source source = {.file = path, .checking = true};
	AUTO(buf_deinit) struct buf text;
	AUTO(buf_deinit) struct buf out = {0};
	AUTO(spec_free) struct spec *s = NULL;
	struct findings f = {.file = path};
	struct err e = {0};
	int rc;

	buf_init_max(&text, YAML_MAX_BYTES);
	if (read_manifest(path, &text, &e) < 0)
		return command_fail("check", &e, NULL);
	source.text = buf_str(&text);
	source.len = text.len;
	if (check_is_queries(source.text, source.len))
		check_queries(&f.notes, &text);
	else if (spec_parse_from(&s, &source, &f.notes, &e) < 0 && e.kind != ERR_CONFIG)
		return command_fail("check", &e, NULL);
	if (s) {
		check_rendered(&f, s);
		check_queries_of(&f.notes, s, check_secrets_dir());
	}
	count(&f);
	if (args->json)
		print_json(&f, &out);
	else
		print_text(&f, args->verbose, &out);
	rc = command_print("check", &out);
	if (rc == 0 && f.errors)
		rc = EXIT_CONFIG;
	spec_notes_deinit(&f.notes);
	return rc;
}

int
cmd_check(int argc, char **argv)
{
	struct cli_args args;
	struct opt_rest rest;
	struct err e = {0};
	int rc = 0, one;

	if (command_begin(argc, argv, &args, &rest, &rc) < 0)
		return rc;
	if (rest.n == 0) {
		err_set(&e, ERR_INVALID, "no file given");
		return command_fail("check", &e, "usage: " PROGRAM " check FILE...; - is stdin");
	}
	for (int i = 0; i < rest.n; i++) {
		one = check_file(rest.arg[i], &args);
		if (one > rc)
			rc = one;
	}
	return rc;
}
