/*
 * member_role - the role that members replicate and rewind as, on the primary.
 *
 * Process: the job members.  Looks first and changes only what is not as it should be.
 */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/log.h"
#include "pg/sql.h"
#include "service/member.h"

#define ROLE_MS 8000

static const char look_sql[] =
	"SELECT r.rolcanlogin AND r.rolreplication AND NOT r.rolsuper, "
	"COALESCE(r.rolpassword, ''), r.rolvaliduntil IS NULL OR r.rolvaliduntil = 'infinity', "
	"(SELECT pg_catalog.bool_and(pg_catalog.has_function_privilege(r.oid, f, 'EXECUTE')) "
	"FROM pg_catalog.unnest(ARRAY["
	"'pg_catalog.pg_ls_dir(text,boolean,boolean)',"
	"'pg_catalog.pg_stat_file(text,boolean)',"
	"'pg_catalog.pg_read_binary_file(text)',"
	"'pg_catalog.pg_read_binary_file(text,bigint,bigint,boolean)']) AS f) AND "
	"(SELECT COALESCE(pg_catalog.bool_and(pg_catalog.pg_has_role(r.oid, c.oid, 'MEMBER')), "
	"true) "
	"FROM pg_catalog.pg_authid AS c WHERE c.rolname IN "
	"('pg_checkpoint', 'pg_use_reserved_connections')) "
	"FROM pg_catalog.pg_authid AS r WHERE r.rolname = '" MEMBER_ROLE "'";

/* Commits without waiting for replicas: without this role there are none. */
static const char before_sql[] =
	"SET synchronous_commit = local; SET lock_timeout = '1s'; SET statement_timeout = '3s';"
	"SET default_transaction_read_only = off; SET search_path = pg_catalog;"
	"SET log_statement = 'none'; SET log_min_error_statement = 'panic';"
	"SET log_min_duration_statement = -1;";

static const char make_sql[] =
	"DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '" MEMBER_ROLE "') THEN "
	"CREATE ROLE " MEMBER_ROLE "; END IF; END $$;"
	"ALTER ROLE " MEMBER_ROLE " LOGIN REPLICATION NOSUPERUSER VALID UNTIL 'infinity';"
	"GRANT EXECUTE ON FUNCTION pg_ls_dir(text, boolean, boolean), "
	"pg_stat_file(text, boolean), pg_read_binary_file(text), "
	"pg_read_binary_file(text, bigint, bigint, boolean) TO " MEMBER_ROLE ";"
	"DO $$ DECLARE r name; BEGIN FOR r IN SELECT rolname FROM pg_roles WHERE rolname IN "
	"('pg_checkpoint', 'pg_use_reserved_connections') LOOP "
	"EXECUTE format('GRANT %I TO " MEMBER_ROLE "', r); END LOOP; END $$;";

static bool
role_is_right(const struct sql *sql, const char *password)
{
	return sql_rows(sql) == 1 && sql_bool(sql, 0, 0) && sql_bool(sql, 0, 2) &&
	       sql_bool(sql, 0, 3) && (!password || member_scram_is(sql_text(sql, 0, 1), password));
}

static int
role_make(struct sql *sql, const char *password, int64_t deadline_ns, struct err *e)
{
	AUTO(buf_deinit) struct buf text = {0};
	unsigned char salt[16];

	buf_puts(&text, before_sql);
	buf_puts(&text, make_sql);
	if (password) {
		if (getrandom(salt, sizeof(salt), 0) != (ssize_t)sizeof(salt))
			return err_sys(e, "random bytes");
		buf_puts(&text, "ALTER ROLE " MEMBER_ROLE " PASSWORD '");
		if (member_scram(&text, password, salt, e) < 0)
			return -1;
		buf_puts(&text, "';");
	}
	if (buf_check(&text, e) < 0)
		return -1;
	return sql_ask(sql, buf_str(&text), deadline_ns, e);
}

static int
role_see_to(struct sql *sql, const char *password, struct err *e)
{
	int64_t deadline_ns = clock_boot_ns() + ROLE_MS * MS_NS;

	if (sql_ask(sql, look_sql, deadline_ns, e) < 0)
		return -1;
	if (role_is_right(sql, password))
		return 0;
	if (role_make(sql, password, deadline_ns, e) < 0)
		return -1;
	log_info("the role that members replicate as is in place", F_STR("role", MEMBER_ROLE));
	return 0;
}

int
member_role(struct sql *sql, const struct member_access *a, struct err *e)
{
	struct buf password = {0};
	int rc = a->cert ? 0 : member_password(a, &password, e);

	if (rc == 0)
		rc = role_see_to(sql, a->cert ? NULL : buf_str(&password), e);
	if (password.data)
		explicit_bzero(password.data, password.len);
	buf_deinit(&password);
	return rc < 0 ? err_add(e, "role " MEMBER_ROLE) : 0;
}
