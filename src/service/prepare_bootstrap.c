/*
 * prepare_bootstrap - roles, databases and SQL of a new cluster.
 *
 * Process: the job `prepare`, with a server only it can reach.  The order is CloudNativePG's: the
 * owner, postInitSQL in postgres, postInitTemplateSQL in template1, the database,
 * postInitApplicationSQL in it; last the scripts of Docker's image.  Of references, Secrets come
 * before ConfigMaps.
 */
#include <stdio.h>
#include <string.h>

#include "service/prepare_init.h"

/* ---- quoting ---- */

/* E'' because standard_conforming_strings may be anything. */
static void
put_literal(struct buf *out, const char *text)
{
	buf_puts(out, "E'");
	for (; *text; text++) {
		if (*text == '\'' || *text == '\\')
			buf_putc(out, *text);
		buf_putc(out, *text);
	}
	buf_putc(out, '\'');
}

/* ---- roles and databases ---- */

/* SCRAM also where md5 is still the default (13); hba's md5 accepts it as well.  A password that is
 * a hash already is stored as it is. */
static void
put_role(struct buf *sql, const char *verb, const char *role, const char *password)
{
	buf_puts(sql, "SET password_encryption = 'scram-sha-256';\n");
	buf_puts(sql, verb);
	buf_put_quoted(sql, role, '"');
	if (strncmp(verb, "CREATE", 6) == 0)
		buf_puts(sql, " LOGIN");
	if (*password) {
		buf_puts(sql, " PASSWORD ");
		put_literal(sql, password);
	}
	buf_puts(sql, ";\n");
}

static int
bootstrap_role(
	struct init *in, const char *verb, const char *role, const char *password, struct err *e)
{
	struct server_sql q = {.database = "postgres", .what = "set up a role", .secret = true};
	AUTO(buf_deinit) struct buf sql = {0};
	int rc;

	put_role(&sql, verb, role, password);
	rc = buf_check(&sql, e);
	if (rc == 0) {
		q.sql = buf_str(&sql);
		rc = server_sql(in, &q, e);
	}
	if (sql.data)
		explicit_bzero(sql.data, sql.len);
	return rc < 0 ? err_add(e, "role \"%s\"", role) : 0;
}

static int
bootstrap_roles(struct init *in, struct err *e)
{
	const struct init_wish *w = &in->wish;

	if (*w->superuser_password &&
		bootstrap_role(in, "ALTER ROLE ", w->superuser, w->superuser_password, e) < 0)
		return -1;
	if (!*w->owner)
		return 0;
	if (strcmp(w->owner, w->superuser) != 0)
		return bootstrap_role(in, "CREATE ROLE ", w->owner, w->owner_password, e);
	if (*w->owner_password)
		return bootstrap_role(in, "ALTER ROLE ", w->owner, w->owner_password, e);
	return 0;
}

static bool
bootstrap_needs_database(const struct init *in)
{
	return *in->wish.database && strcmp(in->wish.database, "postgres") != 0;
}

static int
bootstrap_database(struct init *in, struct err *e)
{
	AUTO(buf_deinit) struct buf sql = {0};
	struct server_sql q = {.database = "postgres", .what = "create the database"};

	if (!*in->wish.database)
		return 0;
	if (!bootstrap_needs_database(in) && !*in->wish.owner)
		return 0;
	buf_puts(&sql, bootstrap_needs_database(in) ? "CREATE DATABASE " : "ALTER DATABASE ");
	buf_put_quoted(&sql, in->wish.database, '"');
	if (*in->wish.owner) {
		buf_puts(&sql, bootstrap_needs_database(in) ? " OWNER " : " OWNER TO ");
		buf_put_quoted(&sql, in->wish.owner, '"');
	}
	buf_puts(&sql, ";\n");
	if (buf_check(&sql, e) < 0)
		return -1;
	q.sql = buf_str(&sql);
	return server_sql(in, &q, e);
}

/* ---- SQL of the manifest ---- */

struct sql_group {
	const char *field, *database;
	const struct spec_list *inline_sql;
	const struct spec_refs *refs;
};

static int
group_inline(struct init *in, const struct sql_group *g, struct err *e)
{
	for (size_t i = 0; i < g->inline_sql->n; i++) {
		const struct spec_text *t = &g->inline_sql->item[i];
		AUTO(buf_deinit) struct buf sql = {0};
		struct server_sql q = {.database = g->database, .what = g->field};

		buf_printf(&sql, "%s\n;\n", t->text);
		if (buf_check(&sql, e) < 0)
			return -1;
		q.sql = buf_str(&sql);
		if (server_sql(in, &q, e) < 0)
			return err_add(e, "%s:%d:%d", in->p->opt->config, t->at.line, t->at.col);
	}
	return 0;
}

static int
group_ref(struct init *in, const struct sql_group *g, const struct spec_ref *r, struct err *e)
{
	AUTO(buf_deinit) struct buf sql = {0};
	struct server_sql q = {.database = g->database, .what = g->field};

	if (wish_secret(in->p, r->name, r->key, &sql, e) < 0)
		return err_add(
			e, "%s:%d:%d: %s", in->p->opt->config, r->at.line, r->at.col, g->field);
	q.sql = buf_str(&sql);
	q.secret = r->secret;
	if (server_sql(in, &q, e) < 0)
		return err_add(e, "%s/%s", r->name, r->key);
	return 0;
}

static int
group_run(struct init *in, const struct sql_group *g, struct err *e)
{
	if (group_inline(in, g, e) < 0)
		return -1;
	for (int secret = 1; secret >= 0; secret--)
		for (size_t i = 0; i < g->refs->n; i++)
			if (g->refs->item[i].secret == secret &&
				group_ref(in, g, &g->refs->item[i], e) < 0)
				return -1;
	return 0;
}

static int
bootstrap_sql(struct init *in, struct err *e)
{
	const struct spec_initdb *i = &in->p->spec->initdb;
	const char *app = *in->wish.database ? in->wish.database : "postgres";
	const struct sql_group groups[] = {
		{"postInitSQL", "postgres", &i->post_init_sql, &i->post_init_sql_refs},
		{"postInitTemplateSQL", "template1", &i->post_init_template_sql,
			&i->post_init_template_sql_refs},
		{"postInitApplicationSQL", app, &i->post_init_application_sql,
			&i->post_init_application_sql_refs},
	};

	if (group_run(in, &groups[0], e) < 0 || group_run(in, &groups[1], e) < 0)
		return -1;
	if (bootstrap_database(in, e) < 0)
		return -1;
	return group_run(in, &groups[2], e);
}

/* ---- a cluster that came from elsewhere ---- */

/* psql runs what the query answers (gexec): CREATE DATABASE cannot stand in a block of code. */
static int
adopt_database(struct init *in, struct err *e)
{
	AUTO(buf_deinit) struct buf sql = {0};
	struct server_sql q = {.database = "postgres", .what = "create the database"};

	if (!bootstrap_needs_database(in))
		return 0;
	buf_puts(&sql, "SELECT pg_catalog.format('CREATE DATABASE %I OWNER %I', ");
	put_literal(&sql, in->wish.database);
	buf_puts(&sql, ", ");
	put_literal(&sql, in->wish.owner);
	buf_puts(&sql, ") WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = ");
	put_literal(&sql, in->wish.database);
	buf_puts(&sql, ")\\gexec\n");
	if (buf_check(&sql, e) < 0)
		return -1;
	q.sql = buf_str(&sql);
	return server_sql(in, &q, e);
}

static int
adopt_owner(struct init *in, struct err *e)
{
	AUTO(buf_deinit) struct buf sql = {0};
	struct server_sql q = {.database = "postgres", .what = "create the owner"};

	if (!*in->wish.owner)
		return 0;
	buf_puts(&sql, "SELECT pg_catalog.format('CREATE ROLE %I LOGIN', ");
	put_literal(&sql, in->wish.owner);
	buf_puts(&sql, ") WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = ");
	put_literal(&sql, in->wish.owner);
	buf_puts(&sql, ")\\gexec\n");
	if (buf_check(&sql, e) < 0)
		return -1;
	q.sql = buf_str(&sql);
	if (server_sql(in, &q, e) < 0)
		return -1;
	if (!*in->wish.owner_password)
		return 0;
	return bootstrap_role(in, "ALTER ROLE ", in->wish.owner, in->wish.owner_password, e);
}

int
bootstrap_adopt(struct init *in, struct err *e)
{
	const struct init_wish *w = &in->wish;

	if (*w->superuser_password &&
		bootstrap_role(in, "ALTER ROLE ", w->superuser, w->superuser_password, e) < 0)
		return -1;
	return adopt_owner(in, e) < 0 || adopt_database(in, e) < 0 ? -1 : 0;
}

/* ---- all of it ---- */

static bool
bootstrap_needed(const struct init *in)
{
	const struct init_wish *w = &in->wish;
	const struct spec_initdb *i = &in->p->spec->initdb;

	return *w->superuser_password || *w->owner || bootstrap_needs_database(in) ||
	       i->post_init_sql.n || i->post_init_template_sql.n ||
	       i->post_init_application_sql.n || i->post_init_sql_refs.n ||
	       i->post_init_template_sql_refs.n || i->post_init_application_sql_refs.n ||
	       scripts_any(in);
}

int
bootstrap_run(struct init *in, struct err *e)
{
	if (!bootstrap_needed(in))
		return 0;
	job_phase(in->p->j, "bootstrap", -1);
	if (server_start(in, e) < 0)
		return err_add(e, "start of the server for the bootstrap");
	if (bootstrap_roles(in, e) < 0 || bootstrap_sql(in, e) < 0)
		return -1;
	if (scripts_run(in, e) < 0)
		return -1;
	return server_stop(in, e);
}
