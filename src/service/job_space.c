/*
 * job_space - looks whether the volume has room for WAL again.
 *
 * Process: the job `space`, while postgres is held back or runs without its reserve.
 */
#include <stdio.h>

#include "base/log.h"
#include "pg/control.h"
#include "pg/pgdata.h"
#include "service/service.h"
#include "service/space.h"

static int
job_space_where(
	const struct job *j, char wal[FILE_PATH_MAX], uint32_t *segment_bytes, struct err *e)
{
	struct pgdata d;

	if (pgdata_inspect(&d, j->opt->pgdata, e) < 0)
		return -1;
	if (!d.wal[0])
		return err_set(e, ERR_CONFIG, "%s has no pg_wal: %s", j->opt->pgdata, d.what);
	snprintf(wal, FILE_PATH_MAX, "%s", d.wal);
	*segment_bytes = d.control_ok ? d.control.wal_segment_bytes : 16U << 20;
	return 0;
}

int
job_space_main(struct job *j, struct err *e)
{
	char wal[FILE_PATH_MAX];
	uint32_t segment_bytes;
	bool released;

	if (job_space_where(j, wal, &segment_bytes, e) < 0)
		return -1;
	if (space_check_data(j->opt->pgdata, wal, e) < 0 ||
		space_prepare(wal, segment_bytes, &released, e) < 0)
		return e->kind == ERR_SPACE ? err_add(e, "no room for a start") : -1;
	if (released)
		log_warning(
			"the reserve was released for recovery", F_STR("pgdata", j->opt->pgdata));
	return 0;
}
