/*
 * collector_role - the role that the metric queries run as.
 *
 * It may see all statistics and nothing else, and it logs in by itself: were it a superuser that
 * only says SET ROLE, any query of a user could become the superuser again.
 */
#include "base/clock.h"
#include "base/log.h"
#include "service/collector.h"

#define ROLE_MS 5000

/* Commits without waiting for replicas: on a primary whose synchronous ones are away it would hang.
 */
static const char role_sql[] =
	"SET synchronous_commit = local; SET lock_timeout = '1s'; SET statement_timeout = '3s';"
	"SET default_transaction_read_only = off; SET search_path = pg_catalog;"
	"DO $$ BEGIN "
	"IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '" COLLECTOR_ROLE "') THEN "
	"CREATE ROLE " COLLECTOR_ROLE " LOGIN CONNECTION LIMIT 3;"
	"ALTER ROLE " COLLECTOR_ROLE " SET log_min_duration_statement = -1;"
	"ALTER ROLE " COLLECTOR_ROLE " SET log_statement = 'none';"
	/* What fails is said in our own log, once, and not by the server at each attempt. */
	"ALTER ROLE " COLLECTOR_ROLE " SET log_min_messages = 'fatal'; END IF;"
	"IF NOT pg_has_role('" COLLECTOR_ROLE "', 'pg_monitor', 'MEMBER') THEN "
	"GRANT pg_monitor TO " COLLECTOR_ROLE "; END IF;"
	"IF current_setting('server_version_num')::int >= 160000 AND "
	"NOT pg_has_role('" COLLECTOR_ROLE "', 'pg_use_reserved_connections', 'MEMBER') THEN "
	"GRANT pg_use_reserved_connections TO " COLLECTOR_ROLE "; END IF;"
	"END $$";

int
collector_role_make(struct collector *c, struct err *e)
{
	const struct plan *plan = &c->sup.plan;
	const struct sql_spec spec = {
		.host = plan->socket_dir,
		.port = plan->port,
		.user = plan->superuser,
		.database = "postgres",
		.application = "podgres",
		.settings = "",
	};
	int64_t deadline = clock_boot_ns() + ROLE_MS * MS_NS;
	AUTO(sql_close) struct sql *sql = NULL;

	board_beat(c->s->board, SERVICE_COLLECTOR);
	if (c->in_recovery)
		return err_set(e, ERR_STATE,
			"the role " COLLECTOR_ROLE " is not there, and a standby cannot make it");
	if (sql_open(&sql, &c->pq, &spec, deadline, e) < 0 || sql_wait(sql, e) < 0 ||
		sql_ask(sql, role_sql, deadline, e) < 0)
		return err_add(e, "make the role " COLLECTOR_ROLE);
	log_info("the role of the metric queries is there", F_STR("role", COLLECTOR_ROLE));
	return 0;
}
