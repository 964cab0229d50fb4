/*
 * elector_change - the last change of primary, as the Lease tells of it to whoever asks later.
 *
 * Process: elector.  The new primary writes it with its timeline: from whom, to whom, when, why,
 * and how long there was nobody: from the last that was seen of the former holder (a renewal, or
 * that it gave the Lease back) to the moment when writes are taken again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "net/kube_json.h"
#include "service/elector.h"

static const char *
change_reason(const struct elector *el)
{
	if (el->order.number && el->order.force)
		return "forced";
	if (!el->exists)
		return "the Lease was deleted";
	if (!el->watch.last.released)
		return "the Lease ran out";
	return el->object.command[0] ? "switchover" : "the primary was stopped";
}

void
elector_change_begins(struct elector *el)
{
	struct elector_change *c = &el->change;

	memcpy(c->from, el->last_holder, sizeof(c->from));
	snprintf(c->reason, sizeof(c->reason), "%s", change_reason(el));
	c->since_ns = el->watch.seen_ns;
	c->ms = -1;
}

void
elector_change_wish(struct elector *el)
{
	AUTO(buf_deinit) struct buf b = {0};
	struct elector_change *c = &el->change;
	struct json j;

	if (!c->since_ns || !*c->from)
		return;
	if (c->ms < 0) {
		c->ms = (clock_boot_ns() - c->since_ns) / MS_NS;
		log_info("primary changed", F_STR("from", c->from), F_STR("reason", c->reason),
			F_INT("ms", c->ms));
	}
	json_init(&j, &b);
	json_obj(&j);
	json_kstr(&j, "from", c->from);
	json_kstr(&j, "to", el->s->opt->pod_name);
	json_ktime(&j, "at", clock_wall_us());
	json_knum(&j, "seconds", (double)c->ms / 1e3);
	json_kstr(&j, "reason", c->reason);
	json_end_obj(&j);
	if (!b.failed && b.len < sizeof(el->wanted.change))
		snprintf(el->wanted.change, sizeof(el->wanted.change), "%s", buf_str(&b));
}

static void
change_text(const struct elector *el, const char *field, char *out, size_t size)
{
	const char *text = el->object.change;
	struct jsonscan_span v;

	out[0] = '\0';
	if (kube_json_find(kube_json_span(text, strlen(text)), field, &v))
		(void)kube_json_text(&v, out, size);
}

void
elector_change_publish(struct elector *el)
{
	struct elector_change_seen *c = &el->st.change;
	const char *text = el->object.change;
	struct jsonscan_span v;
	char word[32] = "";

	*c = (struct elector_change_seen){.seconds = -1};
	if (!*text)
		return;
	change_text(el, "from", c->from, sizeof(c->from));
	change_text(el, "to", c->to, sizeof(c->to));
	change_text(el, "at", c->at, sizeof(c->at));
	change_text(el, "reason", c->reason, sizeof(c->reason));
	if (kube_json_find(kube_json_span(text, strlen(text)), "seconds", &v) &&
		v.len < sizeof(word)) {
		memcpy(word, v.at, v.len);
		c->seconds = strtod(word, NULL);
	}
}
