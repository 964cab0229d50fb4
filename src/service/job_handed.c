/*
 * job_handed - has the next primary all WAL of the one that was stopped for it?
 *
 * Process: the job `handed`, from the begin of a hand-over.  It connects while postgres is still
 * being stopped, so that asking costs nothing then.  Once pg_control says "shut down", its last
 * record must arrive over there; else nobody has to lose anything: the Lease is still ours, and
 * postgres starts again as the primary (reference "HA", section 7, HANDOVER).
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "pg/control.h"
#include "service/member.h"
#include "service/spec_file.h"

#define LOOK_MS 10
#define RECEIVE_MS 3000 /* after the end of postgres */
#define ASK                                                                       \
	"SELECT GREATEST(COALESCE(pg_catalog.pg_last_wal_receive_lsn(), '0/0'), " \
	"COALESCE(pg_catalog.pg_last_wal_replay_lsn(), '0/0'))"

struct handed {
	struct job *j;
	struct member_access access;
	struct member_target to;
	struct holder heir;
	bool open;
	int64_t again_ns;
	struct supervisor_status sv;
};

static int
handed_access(struct handed *h, struct err *e)
{
	AUTO(spec_free) struct spec *spec = NULL;
	struct spec_notes notes = {0};
	int rc = 0;

	if (!*h->j->opt->cluster_name)
		rc = spec_file_load(&spec, h->j->opt, &notes, e);
	spec_notes_deinit(&notes);
	return rc < 0 ? -1 : member_access(&h->access, h->j->opt, spec ? spec->name : NULL, e);
}

static int
handed_open(struct handed *h, struct err *e)
{
	if (h->open)
		return 0;
	if (clock_boot_ns() < h->again_ns)
		return err_set(e, ERR_REMOTE, "%s does not answer", h->to.host);
	h->open = holder_open(&h->heir, &h->to, e) == 0;
	if (h->open)
		return 0;
	holder_close(&h->heir);
	h->again_ns = clock_boot_ns() + 200 * MS_NS;
	return -1;
}

/* Postgres is gone: where does its WAL end?  1: it is not gone yet. */
static int
handed_end(struct handed *h, uint64_t *lsn, struct err *e)
{
	struct control c;

	shared_read(h->j->board, SEC_SUPERVISOR, &h->sv);
	if (h->sv.pg_pid != 0 || !h->sv.tree_gone) {
		if (h->sv.state == FSM_HANDOVER || h->sv.state == FSM_PRIMARY)
			return 1;
		return err_set(e, ERR_STATE, "the hand-over was broken off");
	}
	if (control_read(&c, h->j->opt->pgdata, e) < 0)
		return -1;
	*lsn = c.checkpoint;
	if (c.state == CONTROL_SHUT_DOWN)
		return 0;
	return err_set(e, ERR_STATE,
		"postgres did not end in an orderly way: pg_control says \"%s\"",
		control_state_text(c.state));
}

/* 1: not yet. */
static int
handed_received(struct handed *h, uint64_t lsn, struct err *e)
{
	uint64_t there = 0;

	if (handed_open(h, e) < 0)
		return 1;
	if (holder_query(&h->heir, ASK, e) < 0) {
		holder_close(&h->heir);
		h->open = false;
		return 1;
	}
	(void)!lineage_lsn_parse(replication_field(h->heir.r, 0), &there);
	return there > lsn ? 0 : 1;
}

static int
handed_all(struct handed *h, struct err *e)
{
	uint64_t lsn = 0;
	int64_t until;
	int rc;

	while ((rc = handed_end(h, &lsn, e)) == 1) {
		struct err not_yet;

		if (handed_open(h, &not_yet) < 0)
			log_debug("the next primary", F_STR("error", not_yet.msg));
		poll(NULL, 0, LOOK_MS);
	}
	if (rc < 0)
		return -1;
	until = clock_boot_ns() + RECEIVE_MS * MS_NS;
	while ((rc = handed_received(h, lsn, e)) == 1 && clock_boot_ns() < until)
		poll(NULL, 0, LOOK_MS);
	return rc == 0 ? 0
		       : err_set(e, ERR_TIMEOUT, "%.100s has not received all WAL in time",
				 h->to.host);
}

int
job_handed_main(struct job *j, struct err *e)
{
	AUTO(free) struct handed *h = calloc(1, sizeof(*h));
	int rc;

	if (!h)
		return err_sys(e, "handed");
	if (j->argc < 2)
		return err_set(e, ERR_INVALID, "address and name of a member are missing");
	h->j = j;
	shared_read(j->board, SEC_SUPERVISOR, &h->sv);
	h->to = (struct member_target){.access = &h->access,
		.host = j->argv[0],
		.port = h->sv.plan.port,
		.application = "podgres"};
	rc = handed_access(h, e);
	if (rc == 0)
		rc = handed_all(h, e);
	holder_close(&h->heir);
	return rc < 0 ? err_add(e, "%s", j->argv[1]) : 0;
}
