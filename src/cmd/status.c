/*
 * status - what /pg/status says, for a person.
 *
 * First line: who, what, ready or not.  Then the sentence of the state table.  Then facts, one a
 * line, those that nobody needs today left out; -v shows them all.  80 columns are enough.
 */
#include "cmd/status.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/quantity.h"
#include "cmd/reply.h"

/* ---- small things ---- */

int64_t
status_time(const char *rfc3339)
{
	struct tm tm = {0};
	const char *rest = strptime(rfc3339, "%Y-%m-%dT%H:%M:%S", &tm);
	int64_t us = 0, unit = 100000;

	if (!rest)
		return 0;
	if (*rest == '.')
		for (rest++; *rest >= '0' && *rest <= '9'; rest++, unit /= 10)
			us += (*rest - '0') * unit;
	return *rest == 'Z' ? (int64_t)timegm(&tm) * SEC_US + us : 0;
}

const char *
status_bytes(double bytes, char out[QUANTITY_SIZE])
{
	return quantity_text(bytes, out);
}

const char *
status_since(const struct status_view *v, const char *rfc3339, char out[32])
{
	int64_t at = status_time(rfc3339);

	if (at == 0)
		snprintf(out, 32, "-");
	else
		duration_text((v->now_us - at) / 1000, out);
	return out;
}

const cJSON *
status_list(const struct status_view *v, const char *path)
{
	const cJSON *list = reply_at(v->json, path);

	return cJSON_IsArray(list) && list->child ? list : NULL;
}

void
status_head(const struct status_view *v, struct buf *out, const char *title)
{
	buf_putc(out, '\n');
	term_paint(v->term, out, TERM_BOLD, title);
	buf_putc(out, '\n');
}

/* ---- the first lines ---- */

static void
status_title(const struct status_view *v, struct buf *out)
{
	const char *state = status_s(v, "state"), *name = status_s(v, "pod.metadata.name");
	bool ready = status_b(v, "ready"), failed = strcmp(state, "failed") == 0;
	char since[32];

	if (!*name)
		name = status_s(v, "pod.name");
	term_paint(v->term, out, TERM_BOLD, *name ? name : "this instance");
	buf_puts(out, "  ");
	term_paint(v->term, out, failed ? TERM_RED : ready ? TERM_GREEN : TERM_YELLOW, state);
	buf_puts(out, "  ");
	term_paint(v->term, out, ready ? TERM_GREEN : TERM_YELLOW, ready ? "ready" : "not ready");
	if (reply_at(v->json, "live") && !status_b(v, "live")) {
		buf_puts(out, "  ");
		term_paint(v->term, out, TERM_RED, "not live");
	}
	if (status_b(v, "fenced")) {
		buf_puts(out, "  ");
		term_paint(v->term, out, TERM_YELLOW, "fenced");
	}
	if (status_b(v, "paused")) {
		buf_puts(out, "  ");
		term_paint(v->term, out, TERM_YELLOW, "paused");
	}
	if (status_time(status_s(v, "since")))
		buf_printf(out, "  for %s", status_since(v, status_s(v, "since"), since));
	buf_putc(out, '\n');
	term_wrap(out, status_s(v, "reason"), 2, v->term->columns);
}

static void
status_problems(const struct status_view *v, struct buf *out)
{
	static const struct {
		const char *path, *label;
		enum term_colour colour;
	} lines[] = {
		{"postgres.problem", "", TERM_RED},
		{"readyReason", "not ready: ", TERM_YELLOW},
		{"liveReason", "not live: ", TERM_RED},
		{"configError", "configuration kept, the new one is broken: ", TERM_RED},
		{"manager.tlsError", "TLS: ", TERM_RED},
		{"postgres.hint", "hint: ", TERM_PLAIN},
	};

	const char *last = "";

	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		const char *text = status_s(v, lines[i].path);
		AUTO(buf_deinit) struct buf line = {0}, wrapped = {0};

		/* The same trouble is told once. */
		if (!*text || strcmp(text, status_s(v, "reason")) == 0 || strcmp(text, last) == 0)
			continue;
		last = text;
		buf_printf(&line, "%s%s", lines[i].label, text);
		term_wrap(&wrapped, buf_str(&line), 2, v->term->columns);
		if (wrapped.len > 0)
			wrapped.data[--wrapped.len] = '\0';
		term_paint(v->term, out, lines[i].colour, buf_str(&wrapped));
		buf_putc(out, '\n');
	}
}

void
status_render(const struct status_view *v, struct buf *out)
{
	status_title(v, out);
	status_problems(v, out);
	buf_putc(out, '\n');
	status_facts(v, out);
	status_members(v, out);
	status_replication(v, out);
	status_slots(v, out);
	status_collations(v, out);
	status_operations(v, out);
	status_services(v, out);
	status_log(v, out);
}
