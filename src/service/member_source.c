/*
 * member_source - whom a clone is copied from: a replica that streams, else the primary.
 *
 * Process: the job `prepare`.  A base backup reads all of a server's data, which a replica can
 * better afford.  It has to have replayed what the primary's slot for the clone keeps, so that the
 * clone finds all WAL there when it begins to stream from the primary.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "service/prepare_member.h"

#define SOURCE_LAG_BYTES (INT64_C(64) << 20)
#define SOURCE_SEEN_MS 15000
#define SOURCE_WAIT_MS 3000
#define SOURCE_LOOK_MS 100

static bool
source_fits(const struct prepare *p, const struct elector_member *m)
{
	const struct elector_status *el = &p->member->el;

	return *m->name && *m->address && strcmp(m->name, p->opt->pod_name) != 0 &&
	       strcmp(m->name, el->holder_name) != 0 && !m->primary && m->ready && m->streaming &&
	       m->timeline == el->timeline && clock_boot_ns() - m->seen_ns < SOURCE_SEEN_MS * MS_NS;
}

/* Who has replayed most; *asked: there is one that has not answered yet. */
static const struct elector_member *
source_best(const struct prepare *p, const struct elector_status *el, bool *asked)
{
	const struct elector_member *best = NULL;

	for (uint32_t i = 0; i < el->members && i < ELECTOR_MEMBERS; i++) {
		const struct elector_member *m = &el->member[i];

		*asked = *asked || (m->seen_ns == 0 && strcmp(m->name, p->opt->pod_name) != 0);
		if (source_fits(p, m) && (!best || m->replay_lsn > best->replay_lsn))
			best = m;
	}
	return best;
}

static int
source_lsn(struct holder *h, const char *sql, uint64_t *lsn, struct err *e)
{
	if (holder_query(h, sql, e) < 0)
		return -1;
	return lineage_lsn_parse(replication_field(h->r, 0), lsn)
		       ? 0
		       : err_set(e, ERR_REMOTE, "no position: %.40s", replication_field(h->r, 0));
}

static int
source_check(struct prepare *p, struct holder *replica, struct err *e)
{
	struct holder *primary = &p->member->holder;
	uint64_t redo, now, replayed;

	if (!replica->in_recovery || replica->sys.system_id != primary->sys.system_id ||
		replica->sys.timeline != primary->sys.timeline ||
		replica->version / 10000 != primary->version / 10000)
		return err_set(e, ERR_STATE, "it does not follow the primary");
	if (source_lsn(primary, "SELECT redo_lsn FROM pg_catalog.pg_control_checkpoint()", &redo,
		    e) < 0 ||
		source_lsn(primary, "SELECT pg_catalog.pg_current_wal_lsn()", &now, e) < 0 ||
		source_lsn(replica, "SELECT pg_catalog.pg_last_wal_replay_lsn()", &replayed, e) < 0)
		return -1;
	if (replayed < redo || now > replayed + SOURCE_LAG_BYTES)
		return err_set(e, ERR_STATE, "it is too far behind the primary");
	return 0;
}

/* A member that has just begun has heard of nobody yet. */
static const struct elector_member *
source_await(const struct prepare *p, struct elector_status *el)
{
	int64_t until = clock_boot_ms() + SOURCE_WAIT_MS;

	for (;;) {
		const struct elector_member *m;
		bool asked = false;

		shared_read(p->j->board, SEC_ELECTOR, el);
		m = source_best(p, el, &asked);
		if (m || !asked || clock_boot_ms() > until)
			return m;
		poll(NULL, 0, SOURCE_LOOK_MS);
	}
}

bool
source_replica(struct prepare *p, struct member_target *target, struct holder *h)
{
	AUTO(free) struct elector_status *el = calloc(1, sizeof(*el));
	const struct elector_member *m;
	struct err e;

	if (!el || p->opt->clone_from == CLONE_FROM_PRIMARY)
		return false;
	m = source_await(p, el);
	if (!m)
		return false;
	snprintf(p->member->source, sizeof(p->member->source), "%s", m->address);
	*target = p->member->target;
	target->host = p->member->source;
	if (holder_open(h, target, &e) == 0 && source_check(p, h, &e) == 0) {
		log_info("the clone is copied from a replica", F_STR("replica", m->name + 0));
		return true;
	}
	log_info("the clone is not copied from a replica", F_STR("replica", m->name + 0),
		F_STR("why", e.msg));
	holder_close(h);
	return false;
}
