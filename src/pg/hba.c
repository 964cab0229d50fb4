/*
 * hba - render podgres.pg_hba.conf and podgres.pg_ident.conf.
 */
#include "pg/hba.h"

#include <string.h>

#define MAP "podgres"

static bool
given(const char *s)
{
	return s && *s;
}

/* Without blanks and line ends at the end, as a YAML block scalar may have them. */
static char *
trimmed(const char *text, size_t n)
{
	while (n > 0 && strchr(" \t\r\n", text[n - 1]))
		n--;
	return strndup(text, n);
}

typedef int check_fn(const char *line, const struct hba_input *in, bool file_ok, struct buf *why);

static int
check_hba(const char *line, const struct hba_input *in, bool file_ok, struct buf *why)
{
	return hba_check_line(line, in->major, file_ok, why);
}

static int
check_ident(const char *line, const struct hba_input *in, bool file_ok, struct buf *why)
{
	(void)in;
	(void)file_ok;
	return hba_check_ident(line, why);
}

static int
put_list(struct buf *out, const struct hba_input *in, bool ident, struct err *e)
{
	const struct spec_list *list = ident ? &in->spec->pg_ident : &in->spec->pg_hba;
	check_fn *check = ident ? check_ident : check_hba;

	for (size_t i = 0; i < list->n; i++) {
		const struct spec_text *t = &list->item[i];
		AUTO(buf_deinit) struct buf why = {0};
		AUTO(free) char *line = trimmed(t->text, strlen(t->text));

		if (!line)
			return err_sys(e, "pg_hba");
		if (check(line, in, false, &why))
			return err_set(e, ERR_CONFIG, "%s:%d:%d: spec.postgresql.%s[%zu]: %s",
				given(in->file) ? in->file : "manifest", t->at.line, t->at.col,
				ident ? "pg_ident" : "pg_hba", i, buf_str(&why));
		buf_printf(out, "%s\n", line);
	}
	return 0;
}

/* The lines of a file of PGDATA, comments left out. */
static int
put_file(struct buf *out, const struct hba_input *in, const struct conf_text *t, bool ident,
	struct err *e)
{
	check_fn *check = ident ? check_ident : check_hba;
	const char *p = t->text, *end = t->text + t->len, *eol;

	for (int number = 1; p < end; number++, p = eol + 1) {
		AUTO(buf_deinit) struct buf why = {0};
		AUTO(free) char *line = NULL;

		eol = memchr(p, '\n', (size_t)(end - p));
		eol = eol ? eol : end;
		line = trimmed(p, (size_t)(eol - p));
		if (!line)
			return err_sys(e, "%s", t->file);
		if (!*line || *line == '#')
			continue;
		if (check(line, in, true, &why))
			return err_set(e, ERR_CONFIG, "%s:%d: %s", t->file, number, buf_str(&why));
		buf_printf(out, "%s\n", line);
	}
	return 0;
}

static int
put_default(struct buf *out, const struct hba_input *in, struct err *e)
{
	const char *by_version = in->major >= 14 ? "scram-sha-256" : "md5";
	AUTO(buf_deinit) struct buf line = {0}, why = {0};

	buf_printf(&line, "host all all all %s",
		given(in->host_method) ? in->host_method : by_version);
	if (buf_check(&line, e))
		return -1;
	if (hba_check_line(line.data, in->major, false, &why))
		return err_set(e, ERR_CONFIG, "POSTGRES_HOST_AUTH_METHOD: %s", buf_str(&why));
	buf_printf(out, "\n# everybody else by password\n%s\n", line.data);
	buf_printf(out, "host replication all all %s\n", by_version);
	return 0;
}

/* pg_rewind reads through the database postgres; nothing else is theirs. */
static void
put_members(struct buf *out, const struct hba_input *in)
{
	const char *type = in->member_cert ? "hostssl" : "host";
	const char *method = in->member_cert ? "cert" : "scram-sha-256";

	if (!in->member_role)
		return;
	buf_puts(out, "\n# the other members of the cluster\n");
	buf_printf(out, "%s replication %s all %s\n", type, in->member_role, method);
	buf_printf(out, "%s postgres %s all %s\n", type, in->member_role, method);
	buf_printf(out, "host all,replication %s all reject\n", in->member_role);
}

int
hba_render(struct buf *out, const struct hba_input *in, struct err *e)
{
	buf_puts(
		out, "# podgres.pg_hba.conf - written by podgres; changes made here are lost.\n\n");
	buf_puts(out,
		"# through the socket, which only root and the user postgres runs as can reach\n");
	buf_printf(out, "local all all %s\n", given(in->os_user) ? "peer map=" MAP : "trust");
	buf_printf(
		out, "local replication all %s\n", given(in->os_user) ? "peer map=" MAP : "trust");
	put_members(out, in);
	buf_puts(
		out, in->own_hba ? "\n# the lines of pg_hba.conf\n" : "\n# the manifest's lines\n");
	if (in->own_hba ? put_file(out, in, in->own_hba, false, e) : put_list(out, in, false, e))
		return -1;
	if ((!in->own_hba || given(in->host_method)) && put_default(out, in, e))
		return -1;
	return buf_check(out, e);
}

static void
put_map(struct buf *out, const char *system, const char *role)
{
	/* Double quotes take away every special meaning. */
	buf_puts(out, MAP " ");
	buf_put_quoted(out, system, '"');
	buf_putc(out, ' ');
	if (role)
		buf_put_quoted(out, role, '"');
	else
		buf_puts(out, "all");
	buf_putc(out, '\n');
}

static void
put_maps(struct buf *out, const struct hba_input *in, const char *system)
{
	if (in->major >= 16)
		put_map(out, system, NULL);
	for (size_t i = 0; in->major < 16 && i < ARRAY_LEN(in->roles) && in->roles[i]; i++)
		if (given(in->roles[i]))
			put_map(out, system, in->roles[i]);
}

int
hba_ident_render(struct buf *out, const struct hba_input *in, struct err *e)
{
	buf_puts(out,
		"# podgres.pg_ident.conf - written by podgres; changes made here are lost.\n\n");
	if (given(in->os_user))
		put_maps(out, in, in->os_user);
	if (given(in->os_user) && strcmp(in->os_user, "root") != 0)
		put_maps(out, in, "root");
	buf_puts(out,
		in->own_ident ? "\n# the lines of pg_ident.conf\n" : "\n# the manifest's lines\n");
	if (in->own_ident ? put_file(out, in, in->own_ident, true, e) : put_list(out, in, true, e))
		return -1;
	return buf_check(out, e);
}

/* A record that initdb writes: local, or from this machine only. */
static bool
by_initdb(const struct hba_line *l)
{
	int count;
	const struct hba_token *from = hba_field(l, 3, &count);

	if (l->n == 0 || strcmp(l->token[0].text, "local") == 0)
		return true;
	return strcmp(l->token[0].text, "host") == 0 && from && l->fields == 5 &&
	       (strcmp(from->text, "127.0.0.1/32") == 0 || strcmp(from->text, "::1/128") == 0);
}

bool
hba_is_own(const struct conf_text *hba)
{
	const char *p = hba->text, *end = hba->text + hba->len, *eol;

	for (; p < end; p = eol + 1) {
		AUTO(buf_deinit) struct buf why = {0};
		AUTO(hba_line_deinit) struct hba_line l = {0};
		AUTO(free) char *line = NULL;

		eol = memchr(p, '\n', (size_t)(end - p));
		eol = eol ? eol : end;
		line = trimmed(p, (size_t)(eol - p));
		if (line && (hba_split(&l, line, &why) || !by_initdb(&l)))
			return true;
	}
	return false;
}
