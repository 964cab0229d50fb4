/*
 * member_archived - a member's data from the newest base backup of the archive.
 *
 * Process: the job `prepare`.  The primary is spared: it only keeps the WAL from now on, by the
 * slot that is made already.  What is restored is a standby, which replays from the archive and
 * then streams.  A backup will do only when the archive reaches to what the slot keeps; on
 * the primary's timeline, without tablespaces and parents.  In any other case the clone is
 * streamed.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "service/prepare_member.h"
#include "service/restore.h"

/* The archive has all that the primary may have removed already. */
static int
archived_reaches(const struct restore *r, struct err *e)
{
	struct holder *primary = &r->in->p->member->holder;
	uint32_t segment = r->catalog.c.segment_bytes;
	char have[LINEAGE_LSN_SIZE];
	uint64_t redo;

	if (holder_query(primary, "SELECT redo_lsn FROM pg_catalog.pg_control_checkpoint()", e) < 0)
		return -1;
	if (!lineage_lsn_parse(replication_field(primary->r, 0), &redo) || segment == 0)
		return err_set(e, ERR_REMOTE, "the primary's last checkpoint is not known");
	if (r->path.end_lsn >= redo - redo % segment)
		return 0;
	return err_set(e, ERR_UNMET,
		"the archive ends at %s, before what the primary keeps for this instance",
		lineage_lsn_text(r->path.end_lsn, have));
}

static int
archived_fits(const struct restore *r, struct err *e)
{
	const struct holder *primary = &r->in->p->member->holder;
	const struct backup_info *b = r->path.backup;

	if (b->system_id != primary->sys.system_id)
		return err_set(e, ERR_UNMET, "backup %s is of system %llu, the cluster of %llu",
			b->id, (unsigned long long)b->system_id,
			(unsigned long long)primary->sys.system_id);
	if (b->version / 10000 != primary->version / 10000)
		return err_set(
			e, ERR_UNMET, "backup %s is of PostgreSQL %d", b->id, b->version / 10000);
	/* A clone that was never started goes on only on the timeline that it was made on. */
	if (b->timeline != primary->sys.timeline)
		return err_set(e, ERR_UNMET, "backup %s is of timeline %u, the primary is on %u",
			b->id, b->timeline, primary->sys.timeline);
	if (b->tablespaces > 0)
		return err_set(e, ERR_UNMET, "backup %s has tablespaces", b->id);
	if (r->chains != 1)
		return err_set(e, ERR_UNMET, "backup %s is incremental", b->id);
	return archived_reaches(r, e);
}

static int
archived_restore(struct restore *r, struct err *e)
{
	struct prepare *p = r->in->p;

	if (!p->spec->backup.store.set)
		return err_set(e, ERR_CONFIG, "the manifest names no archive");
	r->target.timeline = p->member->holder.sys.timeline;
	if (restore_plan(r, e) < 0 || archived_fits(r, e) < 0 || journal_open(r, e) < 0 ||
		restore_base(r, e) < 0)
		return -1;
	return member_same_holder(p, e);
}

int
member_archived(struct init *in, struct err *e)
{
	AUTO(free) struct restore *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return err_sys(e, "restore");
	r->in = in;
	rc = archived_restore(r, e);
	if (rc == 0)
		log_info("cloned from a base backup of the archive",
			F_STR("backup", r->path.backup->id + 0));
	restore_deinit(r);
	return rc;
}
