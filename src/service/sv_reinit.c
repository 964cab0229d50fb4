/*
 * sv_reinit - a clone anew that was ordered: stop, clone beside, change places, stream.
 *
 * Process: supervisor.  Here it is only wanted, and watched: the job prepare does the work, and its
 * mark in STATE_DIR lets it go on after a kill of whatever runs (service/prepare_member.h).
 */
#include <stdio.h>
#include <string.h>

#include "service/sv.h"

#define NO_SOURCE                                                                                 \
	"without coordination nobody says whom to clone: stop podgres and move PGDATA away, and " \
	"bootstrap.pg_basebackup of the manifest clones the server that it names"

bool
sv_reinit_allowed(const struct sv *sv, struct order_reply *r)
{
	const struct elector_status *el = &sv->lease.el;

	if (sv->st.state == FSM_PRIMARY || (sv_lease_on(sv) && el->role == ELECTOR_LEAD)) {
		sv_refuse(r, ERR_STATE, fsm_step(FSM_PRIMARY, FSM_EV_REINIT).sentence);
		return false;
	}
	if (!sv_lease_on(sv) && !sv_driven_follows(sv)) {
		sv_refuse(r, ERR_STATE, NO_SOURCE);
		return false;
	}
	if (sv->reinit == SV_REINIT_WANTED) {
		sv_refuse(r, ERR_STATE, "it is being cloned anew already");
		return false;
	}
	if (el->role == ELECTOR_FOLLOW && *el->holder_address)
		return true;
	sv_refuse(r, ERR_STATE, "no primary is known that it could be cloned from");
	return false;
}

void
sv_reinit_start(struct sv *sv)
{
	sv->reinit = SV_REINIT_WANTED;
	restart_forget(&sv->pg_restart); /* somebody looks after it */
	sv_event(sv, FSM_EV_REINIT, NULL);
}

/* The preparation says "cloned", "kept" when the former copy stays, or nothing: it tries again. */
void
sv_reinit_prepared(struct sv *sv, const struct job_report *r)
{
	if (sv->reinit != SV_REINIT_WANTED)
		return;
	if (strcmp(r->result, "cloned") == 0) {
		sv->reinit = SV_REINIT_CLONED;
	} else if (strcmp(r->result, "kept") == 0) {
		sv->reinit = SV_REINIT_NONE;
		sv_op_finish(sv, ORDER_REINIT, (enum err_kind)r->err_kind, r->error);
	}
}

static void
reinit_show(struct sv *sv, struct operation *op)
{
	static struct job_report r;

	if (sv->job[SV_MAIN].id != JOB_PREPARE || !shared_read(sv->board, SEC_JOB_MAIN, &r) ||
		r.run != sv->job[SV_MAIN].run) {
		sv_op_phase(sv, op,
			sv->st.pg_phase == PG_PHASE_STOPPING ? "stopping"
							     : "waiting for the primary");
		return;
	}
	if (op->done_bytes != r.done_bytes)
		sv_publish(sv);
	op->progress = r.progress;
	op->done_bytes = r.done_bytes;
	op->total_bytes = r.total_bytes;
	sv_op_phase(sv, op, r.phase);
}

void
sv_op_reinit(struct sv *sv, struct operation *op)
{
	static struct pg_facts f;

	if (sv_fenced(sv)) {
		sv->reinit = SV_REINIT_NONE;
		sv_op_end(sv, op, ERR_STATE,
			"fenced meanwhile; what was begun goes on when unfenced");
		return;
	}
	if (sv->reinit == SV_REINIT_WANTED) {
		reinit_show(sv, op);
		return;
	}
	shared_read(sv->board, SEC_POSTGRES, &f);
	if (sv->pg && f.pid == proc_pid(sv->pg) && f.known && f.receiver_active) {
		sv->reinit = SV_REINIT_NONE;
		sv_op_end(sv, op, ERR_NONE, NULL);
	} else {
		sv_op_phase(sv, op, "waiting until it streams");
	}
}
