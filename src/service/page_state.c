/*
 * page_state - the page: in what state this instance is, and who else is there.
 *
 * Process: api.
 */
#include <inttypes.h>
#include <string.h>

#include "base/quantity.h"
#include "service/page.h"

static bool
knows(const struct page_in *in)
{
	return api_view_seen(in->v) && in->v->pg.known;
}

static const char *
role(const struct page_in *in)
{
	if (knows(in))
		return in->v->pg.in_recovery ? "standby" : "primary";
	if (!in->v->sup.plan.system_id)
		return "unknown";
	return in->v->sup.plan.standby ? "standby, when it runs" : "primary, when it runs";
}

static enum page_mood
state_mood(const struct page_in *in)
{
	const struct supervisor_status *s = &in->v->sup;

	if (!in->live.ok || s->state == FSM_FAILED || s->state == FSM_SPACE)
		return PAGE_BAD;
	return in->ready.ok ? PAGE_GOOD : PAGE_WARN;
}

static void
state_sentence(const struct page_in *in, struct buf *out)
{
	static const char *const mood[] = {"", "good", "warn", "bad"};
	const struct supervisor_status *s = &in->v->sup;

	buf_printf(out, "<p class=\"say %s\" role=\"status\">", mood[state_mood(in)]);
	if (in->v->stamp_ns[SEC_SUPERVISOR] == 0 || s->state >= FSM_STATES)
		buf_puts(out, "Nothing is known yet: the supervisor has said nothing");
	else if (*s->reason)
		PAGE_TEXT(out, s->reason);
	else
		buf_puts(out, fsm_state_sentence((enum fsm_state)s->state));
	buf_puts(out, "</p>\n");
}

static void
state_health(const struct page_in *in, struct buf *out)
{
	const struct supervisor_status *s = &in->v->sup;

	page_fact(out, "State", PAGE_PLAIN, "%s",
		s->state < FSM_STATES ? fsm_state_text((enum fsm_state)s->state) : "unknown");
	page_fact(out, "Role", PAGE_PLAIN, "%s", role(in));
	page_fact(out, "Ready", in->ready.ok ? PAGE_GOOD : PAGE_WARN, "%s: %s",
		in->ready.ok ? "yes" : "no", in->ready.reason);
	page_fact(out, "Live", in->live.ok ? PAGE_GOOD : PAGE_BAD, "%s: %s",
		in->live.ok ? "yes" : "no", in->live.reason);
	page_fact_time(in, out, "Since", s->since_wall_us);
	if (s->fenced) {
		page_fact(out, "Fenced", PAGE_WARN, "%s%s",
			*s->fence_reason ? s->fence_reason : "yes",
			s->fence_durable ? "" : " (not on disk yet)");
		page_fact_time(in, out, "Fenced at", s->fence_wall_us);
	}
	if (s->paused)
		page_fact(out, "Paused", PAGE_WARN, "podgres does not act by itself");
	if (*s->ladder)
		page_fact(out, "Stopping", PAGE_WARN, "%s", s->ladder);
}

static void
state_postgres(const struct page_in *in, struct buf *out)
{
	static const char *const phase[] = {"down", "starting", "accepting", "stopping"};
	const struct supervisor_status *s = &in->v->sup;
	const struct pg_facts *pg = &in->v->pg;

	page_fact(out, "PostgreSQL", PAGE_PLAIN, "%s, %s%s",
		*s->plan.version ? s->plan.version : "-",
		s->pg_phase < ARRAY_LEN(phase) ? phase[s->pg_phase] : "unknown",
		s->pg_phase == PG_PHASE_ACCEPTING && !api_view_seen(in->v) ? ", not looked at yet"
									   : "");
	if (s->pg_pid)
		page_fact_time(in, out, "Started", s->pg_started_wall_us);
	if (s->pg_exit.set && s->pg_exit.sig)
		page_fact(out, "Last exit", PAGE_WARN, "signal %" PRId32, s->pg_exit.sig);
	else if (s->pg_exit.set)
		page_fact(out, "Last exit", s->pg_exit.code ? PAGE_WARN : PAGE_PLAIN,
			"code %" PRId32, s->pg_exit.code);
	if (api_view_seen(in->v) && *pg->problem)
		page_fact(out, "Trouble", PAGE_BAD, "%s%s%s", pg->problem, *pg->hint ? ": " : "",
			pg->hint);
	if (api_view_seen(in->v) && pg->redo)
		page_fact(out, "Replay", PAGE_WARN, "at %s, %.0f %%", pg->redo_wal,
			pg->redo_progress < 0 ? 0.0 : (double)pg->redo_progress * 100);
	if (knows(in))
		page_fact(out, "Connections", PAGE_PLAIN, "%" PRId32 " of %" PRId32,
			pg->connections, pg->max_connections);
}

static void
state_disk(const struct page_in *in, struct buf *out)
{
	const struct pg_facts *pg = &in->v->pg;
	char free[QUANTITY_SIZE], total[QUANTITY_SIZE], wal[QUANTITY_SIZE];

	if (in->v->stamp_ns[SEC_POSTGRES] == 0)
		return;
	if (pg->data_gone)
		page_fact(out, "Data", PAGE_BAD, "the data directory is gone");
	if (pg->disk_data_total > 0)
		page_fact(out, "Disk of the data",
			pg->disk_data_free < pg->disk_data_total / 20 ? PAGE_BAD : PAGE_PLAIN,
			"%s free of %s", quantity_text((double)pg->disk_data_free, free),
			quantity_text((double)pg->disk_data_total, total));
	if (pg->disk_wal_total > 0 && pg->wal_bytes >= 0)
		page_fact(out, "Disk of the WAL",
			pg->disk_wal_free < pg->disk_wal_total / 20 ? PAGE_BAD : PAGE_PLAIN,
			"%s free of %s, pg_wal %s", quantity_text((double)pg->disk_wal_free, free),
			quantity_text((double)pg->disk_wal_total, total),
			quantity_text((double)pg->wal_bytes, wal));
}

static void
state_settings(const struct page_in *in, struct buf *out)
{
	const struct plan *plan = &in->v->sup.plan;
	const struct pg_facts *pg = &in->v->pg;

	if (*plan->config_error)
		page_fact(out, "Manifest", PAGE_BAD, "%s; the one before stays in force",
			plan->config_error);
	for (uint32_t i = 0; i < plan->warnings && i < PLAN_WARNINGS; i++)
		page_fact(out, "Warning", PAGE_WARN, "%s", plan->warning[i]);
	for (uint32_t i = 0; i < pg->pending_count && i < PG_PENDING; i++)
		page_fact(out, "Waits for a restart", PAGE_WARN, "%s: %s, now %s",
			pg->pending[i].name, pg->pending[i].new_value, pg->pending[i].old_value);
	for (uint32_t i = 0; i < pg->collations && i < PG_COLLATIONS; i++)
		page_fact(out, "Collation", PAGE_WARN,
			"database %s was made with version %s, the library has %s",
			pg->collation[i].database, pg->collation[i].recorded,
			pg->collation[i].actual);
	if (*in->api->tls_error)
		page_fact(out, "Certificate", PAGE_BAD, "%s", in->api->tls_error);
	if (in->api->cert_expires_wall_us)
		page_fact_time(in, out, "Certificate ends", in->api->cert_expires_wall_us);
}

void
page_state(const struct page_in *in, struct buf *out)
{
	state_sentence(in, out);
	page_facts_open(out);
	state_health(in, out);
	state_postgres(in, out);
	state_disk(in, out);
	state_settings(in, out);
	page_facts_close(out);
}

/* ---- members ---- */

static void
members_lag(struct buf *out, int64_t behind, const char *span)
{
	char text[QUANTITY_SIZE];

	if (behind < 0)
		page_cell(out, PAGE_PLAIN, "unknown");
	else
		page_cell(out, PAGE_PLAIN, "%s", quantity_text((double)behind, text));
	page_cell(out, PAGE_PLAIN, "%s", *span ? span : "-");
}

static void
members_self(const struct page_in *in, struct buf *out)
{
	const struct pg_facts *pg = &in->v->pg;
	bool known = knows(in);
	bool follows = known && pg->in_recovery;
	char lsn[PAGE_LSN_SIZE];

	page_row_open(out, in->opt->pod_name);
	page_cell(out, PAGE_PLAIN, "%s", role(in));
	page_cell(out, in->ready.ok ? PAGE_GOOD : PAGE_WARN, "%s%s",
		in->ready.ok ? "ready" : "not ready",
		follows && pg->receiver_active ? ", streaming" : "");
	page_cell(out, PAGE_PLAIN, "-");
	page_cell(out, PAGE_PLAIN, "%s",
		page_lsn(!known    ? 0
			 : follows ? pg->replay_lsn
				   : pg->current_lsn,
			lsn));
	if (follows)
		members_lag(out, api_view_lag(in->v), "");
	else
		page_cell(out, PAGE_PLAIN, "-"), page_cell(out, PAGE_PLAIN, "-");
	page_row_close(out);
}

static void
members_standby(const struct pg_facts *pg, const struct pg_replica *r, struct buf *out)
{
	int64_t behind = !r->replay_lsn || !pg->current_lsn ? -1
			 : pg->current_lsn > r->replay_lsn
				 ? (int64_t)(pg->current_lsn - r->replay_lsn)
				 : 0;
	char lsn[PAGE_LSN_SIZE];

	page_row_open(out, r->application_name);
	page_cell(out, PAGE_PLAIN, "standby");
	page_cell(out, strcmp(r->state, "streaming") == 0 ? PAGE_GOOD : PAGE_WARN, "%s%s%s",
		r->state, *r->client_addr ? ", from " : "", r->client_addr);
	page_cell(out, PAGE_PLAIN, "%s", r->sync_state);
	page_cell(out, PAGE_PLAIN, "%s", page_lsn(r->replay_lsn, lsn));
	members_lag(out, behind, r->replay_lag);
	page_row_close(out);
}

void
page_members(const struct page_in *in, struct buf *out)
{
	static const char *const columns[] = {
		"Member", "Role", "State", "Sync", "Position", "Behind", "Late by", NULL};
	const struct pg_facts *pg = &in->v->pg;

	page_table_open(out, "This instance and the standbys that stream from it", columns);
	members_self(in, out);
	for (uint32_t i = 0; knows(in) && i < pg->replicas && i < PG_REPLICAS; i++)
		members_standby(pg, &pg->replica[i], out);
	page_table_close(out);
	if (knows(in) && pg->replicas > PG_REPLICAS)
		buf_printf(out, "<p>%" PRIu32 " more are not listed.</p>\n",
			pg->replicas - PG_REPLICAS);
	if (knows(in) && pg->timeline)
		buf_printf(out, "<p>Timeline %" PRIu32 ", system %" PRIu64 ".</p>\n", pg->timeline,
			pg->system_id);
}
