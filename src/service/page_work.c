/*
 * page_work - the page: who may write, what is being done, who does it, and what was said.
 *
 * Process: api.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/html.h"
#include "base/quantity.h"
#include "service/page.h"

/* ---- lease ---- */

static void
page_holder(const struct page_in *in, struct buf *out)
{
	const struct elector_status *el = &in->v->elector;
	int64_t left_ms = (el->sent_ns + el->fast_ns - in->v->now_ns) / MS_NS;
	char span[DURATION_SIZE];

	if (!el->identity[0]) {
		page_fact(out, "Lease", PAGE_PLAIN,
			"none: standalone, nobody else may become primary");
		return;
	}
	page_fact(out, "Lease", *el->holder ? PAGE_PLAIN : PAGE_BAD, "%s",
		*el->holder_name ? el->holder_name : "nobody holds it");
	if (el->role == ELECTOR_LEAD)
		page_fact(out, "Renewed until", left_ms > 0 ? PAGE_PLAIN : PAGE_BAD,
			left_ms > 0 ? "in %s" : "%s ago",
			duration_text(left_ms > 0 ? left_ms : -left_ms, span));
	page_fact(out, "Changes", PAGE_PLAIN, "%lld", (long long)el->transitions);
	if (*el->problem)
		page_fact(out, "Kubernetes", PAGE_BAD, "%s", el->problem);
}

/* Without Kubernetes the lease is always ours. */
void
page_lease(const struct page_in *in, struct buf *out)
{
	int64_t deadline_ns = in->v->board ? board_deadline_ns(in->v->board) : 0;
	int64_t left_ms = (deadline_ns - in->v->now_ns) / MS_NS;
	char span[DURATION_SIZE];

	page_facts_open(out);
	page_holder(in, out);
	if (deadline_ns == 0)
		page_fact(out, "Deadline", PAGE_PLAIN, "none");
	else
		page_fact(out, "Deadline", left_ms > 0 ? PAGE_PLAIN : PAGE_BAD,
			left_ms > 0 ? "the fencer ends PostgreSQL in %s unless it is told "
				      "otherwise"
				    : "passed %s ago: the fencer ends PostgreSQL",
			duration_text(left_ms > 0 ? left_ms : -left_ms, span));
	if (in->v->sup.watchdog_fired_wall_us)
		page_fact_time(in, out, "The watchdog killed PostgreSQL",
			in->v->sup.watchdog_fired_wall_us);
	page_facts_close(out);
}

/* ---- operations ---- */

static void
work_job(const struct page_in *in, struct buf *out)
{
	const struct job_report *r = in->v->job.job ? &in->v->job : &in->v->sup.job;
	bool failed = r->outcome == JOB_OUT_FAILED || r->outcome == JOB_OUT_NO_SPACE;
	bool running = *in->v->sup.job_name && r->outcome == JOB_OUT_NONE;

	if (r->job == JOB_NONE || r->job >= JOBS || (!running && !failed))
		return;
	buf_printf(out, "<p%s>Job %s: ", failed ? " class=\"bad\"" : "",
		job_text((enum job_id)r->job));
	if (failed)
		PAGE_TEXT(out, r->error);
	else
		PAGE_TEXT(out, r->phase);
	if (failed && *r->hint) {
		buf_puts(out, ": ");
		PAGE_TEXT(out, r->hint);
	}
	if (running && r->progress >= 0)
		buf_printf(out, " <progress max=\"100\" value=\"%.0f\">%.0f %%</progress>",
			(double)r->progress * 100, (double)r->progress * 100);
	buf_puts(out, "</p>\n");
}

static void
operation_state(const struct operation *op, struct buf *out)
{
	if (op->state == OP_FAILED)
		page_cell(out, PAGE_BAD, "failed: %s", op->error);
	else if (op->state == OP_DONE)
		page_cell(out, PAGE_GOOD, "done%s%s", *op->result ? ": " : "", op->result);
	else if (op->progress >= 0)
		page_cell(out, PAGE_WARN, "running: %s, %.0f %%", op->phase,
			(double)op->progress * 100);
	else
		page_cell(out, PAGE_WARN, "running: %s", op->phase);
}

static void
operation_row(const struct page_in *in, const struct operation *op, struct buf *out)
{
	int64_t ms = page_since_ms(in, op->started_wall_us) -
		     (op->finished_wall_us ? page_since_ms(in, op->finished_wall_us) : 0);
	char when[PAGE_WHEN_SIZE], span[DURATION_SIZE];

	page_row_open(out, op->kind < ORDER_KINDS ? order_text((enum order_kind)op->kind) : "?");
	operation_state(op, out);
	page_cell(out, PAGE_PLAIN, "%s", page_when(in, op->started_wall_us, when));
	page_cell(out, PAGE_PLAIN, "%s", duration_text(ms > 0 ? ms : 0, span));
	page_cell(out, PAGE_PLAIN, "%s", op->by);
	page_row_close(out);
}

void
page_operations(const struct page_in *in, struct buf *out)
{
	static const char *const columns[] = {
		"Operation", "State", "Started", "Took", "Asked by", NULL};
	const struct supervisor_status *s = &in->v->sup;
	uint32_t n = s->operations < SHARED_OPERATIONS ? s->operations : SHARED_OPERATIONS;

	work_job(in, out);
	if (n == 0) {
		buf_puts(out, "<p>Nothing was asked for since podgres started.</p>\n");
		return;
	}
	page_table_open(out, "What was asked for, newest first", columns);
	for (uint32_t i = 1; i <= n; i++) {
		const struct operation *op = &s->operation[(s->operations - i) % SHARED_OPERATIONS];

		if (*op->id)
			operation_row(in, op, out);
	}
	page_table_close(out);
}

/* ---- processes ---- */

static void
process_row(const struct page_in *in, int i, struct buf *out)
{
	const struct service_status *s = &in->v->sup.service[i];
	double beat = in->v->board ? api_view_age(in->v, board_beat_ns(in->v->board, i)) : -1;
	char size[QUANTITY_SIZE];

	page_row_open(out, service_text((enum service_id)i));
	if (s->pid)
		page_cell(out, PAGE_GOOD, "running, pid %" PRId32, s->pid);
	else
		page_cell(out, PAGE_BAD, "not running");
	if (beat < 0)
		page_cell(out, PAGE_PLAIN, "never");
	else
		page_cell(out, beat > 5 ? PAGE_BAD : PAGE_PLAIN, "%.0f s ago", beat);
	page_cell(out, PAGE_PLAIN, "%s",
		in->v->stamp_ns[SEC_POSTGRES] && in->v->pg.rss_bytes[i] >= 0
			? quantity_text((double)in->v->pg.rss_bytes[i], size)
			: "-");
	page_cell(
		out, PAGE_PLAIN, "%" PRIu32 "%s%s", s->restarts, *s->reason ? ": " : "", s->reason);
	page_row_close(out);
}

void
page_processes(const struct page_in *in, struct buf *out)
{
	static const char *const columns[] = {
		"Process", "State", "Heartbeat", "Memory", "Restarts", NULL};

	page_table_open(out, "The processes of podgres", columns);
	for (int i = 0; i < SERVICES; i++)
		process_row(in, i, out);
	page_table_close(out);
}

/* ---- log ---- */

void
page_log(const struct page_in *in, struct buf *out)
{
	const struct log_facts *f = &in->v->log;

	if (f->count == 0) {
		buf_puts(out, "<p>PostgreSQL has said nothing yet.</p>\n");
		return;
	}
	buf_puts(out, "<p>The last lines of PostgreSQL, newest last.</p>\n"
		      "<div class=\"lines\" role=\"region\" tabindex=\"0\" "
		      "aria-label=\"Last lines of the log\">\n<ol>\n");
	for (uint32_t i = 0; i < f->count && i < LOG_LAST_LINES; i++) {
		buf_puts(out, "<li>");
		page_text(out, f->line[i], LOG_LAST_BYTES);
		buf_puts(out, "</li>\n");
	}
	buf_puts(out, "</ol>\n</div>\n");
}
