/*
 * status_members - the Lease and the members, as the elector knows them.
 */
#include <stdio.h>
#include <string.h>

#include "cmd/reply.h"
#include "cmd/status.h"
#include "core/lineage.h"

static double
lsn_of(const char *text)
{
	uint64_t lsn;

	return lineage_lsn_parse(text, &lsn) ? (double)lsn : -1;
}

static double
primary_lsn(const cJSON *list)
{
	const cJSON *it;

	for (it = status_first(list); it; it = it->next)
		if (strcmp(reply_str(it, "role"), "primary") == 0)
			return lsn_of(reply_str(it, "receivedLsn"));
	return -1;
}

/* What was received, behind the primary; and what was replayed, behind that. */
static void
member_lag(struct term_table *t, const cJSON *m, double bytes)
{
	double seconds = reply_num(m, "lagSeconds", -1);
	char text[16];

	status_bytes(bytes, text);
	if (seconds < 0)
		term_table_put(t, TERM_PLAIN, text);
	else
		term_table_printf(t, TERM_PLAIN, "%s, %.1f s", text, seconds);
}

static void
member_row(struct term_table *t, const cJSON *m, double end, bool sync)
{
	double at = lsn_of(reply_str(m, "receivedLsn")), age = reply_num(m, "seenAgeSeconds", -1);
	bool primary = strcmp(reply_str(m, "role"), "primary") == 0, silent = age < 0 || age > 10;

	term_table_put(t, TERM_PLAIN, reply_str(m, "name"));
	term_table_put(t, TERM_PLAIN, reply_str(m, "address"));
	term_table_put(t, primary ? TERM_GREEN : TERM_PLAIN, reply_str(m, "role"));
	if (silent)
		term_table_put(t, TERM_RED, "silent");
	else
		term_table_printf(t, TERM_PLAIN, "%s%s", reply_str(m, "state"),
			reply_true(m, "streaming") ? ", streaming" : "");
	if (sync)
		term_table_put(t, TERM_PLAIN, primary ? "-" : reply_str(m, "syncState"));
	term_table_printf(t, TERM_PLAIN, "%.0f", reply_num(m, "timeline", 0));
	term_table_put(t, TERM_PLAIN, reply_str(m, "receivedLsn"));
	if (primary || end < 0 || at < 0)
		term_table_put(t, TERM_PLAIN, "-");
	else
		member_lag(t, m, end > at ? end - at : 0);
}

void
status_members(const struct status_view *v, struct buf *out)
{
	const cJSON *list = status_list(v, "lease.members"), *it;
	AUTO(term_table_deinit) struct term_table t = {0};
	bool sync = *status_s(v, "lease.sync.leader") != '\0';

	if (!list)
		return;
	status_head(v, out, "Members");
	if (sync)
		STATUS_HEADS(&t, "MEMBER", "ADDRESS", "ROLE", "STATE", "SYNC", "TLI", "LSN", "LAG");
	else
		STATUS_HEADS(&t, "MEMBER", "ADDRESS", "ROLE", "STATE", "TLI", "LSN", "LAG");
	for (it = status_first(list); it; it = it->next)
		member_row(&t, it, primary_lsn(list), sync);
	term_table_print(&t, v->term, out, 2);
}

static void
status_change(const struct status_view *v, struct buf *out)
{
	AUTO(buf_deinit) struct buf text = {0};
	double seconds = status_n(v, "lease.lastChange.seconds");

	if (!*status_s(v, "lease.lastChange.from"))
		return;
	buf_printf(&text, "%s to %s, %s: %s", status_s(v, "lease.lastChange.from"),
		status_s(v, "lease.lastChange.to"), status_s(v, "lease.lastChange.at"),
		status_s(v, "lease.lastChange.reason"));
	if (seconds >= 0)
		buf_printf(&text, "; %.1f s without a primary", seconds);
	status_fact(v, out, "Last change", &text);
}

static void
status_lost(const struct status_view *v, struct buf *out)
{
	AUTO(buf_deinit) struct buf text = {0};
	const char *kept = status_s(v, "lease.lastDivergence.keptIn");

	if (!*status_s(v, "lease.lastDivergence.at"))
		return;
	buf_printf(&text, "%.0f bytes from %s on, %s", status_n(v, "lease.lastDivergence.bytes"),
		status_s(v, "lease.lastDivergence.fromLsn"),
		status_s(v, "lease.lastDivergence.at"));
	if (*kept)
		buf_printf(&text, "; kept in %s", kept);
	status_fact(v, out, "WAL given up", &text);
}

void
status_lease(const struct status_view *v, struct buf *out)
{
	AUTO(buf_deinit) struct buf text = {0};
	const char *holder = status_s(v, "lease.holder"), *problem = status_s(v, "lease.problem");

	if (strcmp(status_s(v, "lease.mode"), "kubernetes") != 0)
		return;
	buf_puts(&text, *holder ? holder : "nobody");
	buf_puts(&text, *holder ? " holds it" : " holds it now");
	if (status_b(v, "lease.mine"))
		buf_printf(&text, ", renewed %.1f s ago, deadline in %.1f s",
			status_n(v, "lease.renewedAgeSeconds"),
			status_n(v, "lease.deadlineInSeconds"));
	if (status_n(v, "lease.transitions") > 0)
		buf_printf(&text, ", %.0f changes", status_n(v, "lease.transitions"));
	if (status_b(v, "lease.failsafe.active"))
		buf_puts(&text, "; failsafe: the API does not answer, all members promised");
	if (status_n(v, "lease.failsafe.promisedForSeconds") > 0)
		buf_printf(&text, "; promised not to claim it for %.1f s",
			status_n(v, "lease.failsafe.promisedForSeconds"));
	if (status_b(v, "lease.mine") && *status_s(v, "lease.sync.state"))
		buf_printf(&text, "; synchronous: %s", status_s(v, "lease.sync.state"));
	if (*problem)
		buf_printf(&text, "; %s", problem);
	status_fact(v, out, "Lease", &text);
	status_change(v, out);
	status_lost(v, out);
}
