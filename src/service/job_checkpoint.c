/*
 * job_checkpoint - writes a checkpoint before a switchover stops postgres.
 *
 * Process: the job `checkpoint`.  Clients go on meanwhile; the checkpoint of the shutdown, during
 * which nobody can write, then finds little left to do.  One that takes too long is no reason to
 * stop postgres and let everybody wait for the rest of it: the switchover is refused, and what was
 * written makes the next try shorter.
 */
#include "base/clock.h"
#include "pg/sql.h"
#include "service/service.h"

#define CONNECT_MS 5000
#define WRITE_MS 30000

int
job_checkpoint_main(struct job *j, struct err *e)
{
	AUTO(free) struct plan *plan = calloc(1, sizeof(*plan));
	AUTO(sql_close) struct sql *sql = NULL;
	struct pq pq = {0};
	struct sql_spec spec = {.database = "postgres",
		.application = "podgres",
		.settings = "-c statement_timeout=31s"};
	int64_t now = clock_boot_ns();
	int rc;

	if (!plan)
		return err_sys(e, "checkpoint");
	shared_read(j->board, SEC_PLAN, plan);
	spec.host = plan->socket_dir;
	spec.port = plan->port;
	spec.user = plan->superuser;
	rc = pq_load(&pq, e);
	if (rc == 0)
		rc = sql_open(&sql, &pq, &spec, now + CONNECT_MS * MS_NS, e);
	if (rc == 0)
		rc = sql_wait(sql, e);
	if (rc == 0)
		rc = sql_ask(sql, "CHECKPOINT", now + WRITE_MS * MS_NS, e);
	return rc < 0 ? err_add(e,
				"the checkpoint before a switchover, for which nothing was stopped")
		      : 0;
}
