/*
 * elector_sync_set - the sync set as text: in the Lease, in synchronous_standby_names, as bits.
 *
 * Process: elector.  In the Lease:
 * {"leader":"pg-1","term":"...","voters":["pg-2","pg-3"],"acks":1}. The leader has whatever was
 * acknowledged, because it was the primary that did it.  Its data is known by the term that stands
 * in a file which no base backup copies: a copy of somebody else under the leader's name has it
 * not.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "net/kube_json.h"
#include "service/elector.h"
#include "sys/file.h"

#define TOKEN_FILE "pg_stat_tmp/podgres.leader" /* BASE_BACKUP leaves out what is in there */

/* ---- the annotation ---- */

static int
set_voter(void *arg, const struct jsonscan_span *key, const struct jsonscan_span *v, struct err *e)
{
	struct elector_set *set = arg;

	(void)key;
	if (set->voters == ELECTOR_MEMBERS ||
		!kube_json_text(v, set->voter[set->voters], sizeof(set->voter[0])))
		return err_set(e, ERR_CORRUPT, "voters of the sync set");
	set->voters++;
	return 0;
}

static bool
set_text(const char *text, const char *field, char *out, size_t size)
{
	struct jsonscan_span v;

	return kube_json_find(kube_json_span(text, strlen(text)), field, &v) &&
	       kube_json_text(&v, out, size);
}

/* What cannot be understood lets nobody take over. */
void
elector_set_read(struct elector_set *out, const char *text)
{
	struct jsonscan_span v;
	char number[12] = "";
	struct err e;

	*out = (struct elector_set){.on = *text != '\0'};
	if (!out->on)
		return;
	(void)set_text(text, "leader", out->leader, sizeof(out->leader));
	(void)set_text(text, "term", out->term, sizeof(out->term));
	if (kube_json_find(kube_json_span(text, strlen(text)), "acks", &v) &&
		v.len < sizeof(number))
		memcpy(number, v.at, v.len);
	out->acks = atoi(number);
	if (kube_json_find(kube_json_span(text, strlen(text)), "voters", &v) &&
		kube_json_elements(v, set_voter, out, &e) == 0 && out->acks > 0 &&
		(size_t)out->acks <= out->voters)
		return;
	out->voters = 0;
	out->acks = 0;
}

/* One acknowledgement each is the least that there was, so all have to be asked; of some that are
 * not known nobody can say anything. */
void
elector_set_everybody(const struct elector *el, struct elector_set *out)
{
	bool all = el->peers >= (size_t)el->failover.instances;

	*out = (struct elector_set){.on = true, .acks = all};
	for (size_t i = 0; all && i < el->peers; i++)
		snprintf(out->voter[out->voters++], sizeof(out->voter[0]), "%s", el->peer[i].name);
}

bool
elector_set_has(const struct elector_set *set, const char *name)
{
	for (size_t i = 0; i < set->voters; i++)
		if (strcmp(set->voter[i], name) == 0)
			return true;
	return false;
}

void
elector_set_text(const struct elector *el, struct syncset set, char *out, size_t size)
{
	size_t at = (size_t)snprintf(out, size, "{\"leader\":\"%s\",\"term\":\"%s\",\"voters\":[",
		el->s->opt->pod_name, el->sync.term);
	const char *comma = "";

	for (size_t i = 0; i < SYNCSET_MEMBERS; i++) {
		if (!(set.voters & UINT32_C(1) << i))
			continue;
		at += (size_t)snprintf(out + at, size - at, "%s\"%s\"", comma, el->sync.name[i]);
		comma = ",";
	}
	snprintf(out + at, size - at, "],\"acks\":%d}", set.acks);
}

/* ---- bits ---- */

uint32_t
elector_set_bit(struct elector_sync *s, const char *name)
{
	uint32_t used = s->guc.voters | s->lease.voters | s->target.voters | s->sent.voters;
	size_t at = SYNCSET_MEMBERS;

	for (size_t i = 0; i < SYNCSET_MEMBERS; i++)
		if (strcmp(s->name[i], name) == 0)
			return UINT32_C(1) << i;
	for (size_t i = 0; i < SYNCSET_MEMBERS && at == SYNCSET_MEMBERS; i++)
		if (!s->name[i][0])
			at = i;
	/* Names of members that are gone: nothing says anything of them any more. */
	for (size_t i = 0; i < SYNCSET_MEMBERS && at == SYNCSET_MEMBERS; i++)
		if (!(used & UINT32_C(1) << i) && !s->stream[i].on)
			at = i;
	if (at == SYNCSET_MEMBERS || !*name)
		return 0;
	snprintf(s->name[at], sizeof(s->name[at]), "%s", name);
	s->stream[at] = (struct elector_stream){0};
	return UINT32_C(1) << at;
}

struct syncset
elector_set_of(struct elector_sync *s, const struct elector_set *set)
{
	struct syncset out = {.acks = set->acks};

	for (size_t i = 0; i < set->voters; i++)
		out.voters |= elector_set_bit(s, set->voter[i]);
	return out;
}

/* Of our own text: ANY 1 ("pg-2", "pg-3").  The name of nobody is no member's. */
struct syncset
elector_set_names(struct elector_sync *s, const char *names)
{
	const char *p = strpbrk(names, "123456789");
	struct syncset out = {.acks = p ? atoi(p) : 0};
	char name[64];

	while (p && (p = strchr(p, '"'))) {
		size_t n = strcspn(p + 1, "\"");

		if (n > 0 && n < sizeof(name) && !memchr(p + 1, ' ', n)) {
			snprintf(name, sizeof(name), "%.*s", (int)n, p + 1);
			out.voters |= elector_set_bit(s, name);
		}
		p += n + (p[1 + n] ? 2 : 1);
	}
	return out;
}

/* ---- the leader's own data ---- */

static bool
token_path(const struct elector *el, char path[FILE_PATH_MAX])
{
	struct err e;

	return file_join(path, FILE_PATH_MAX, el->s->opt->pgdata, TOKEN_FILE, &e) == 0;
}

bool
elector_set_ours(const struct elector *el, const struct elector_set *set)
{
	char path[FILE_PATH_MAX], token[64];
	struct err e;

	return *set->term && strcmp(set->leader, el->s->opt->pod_name) == 0 &&
	       token_path(el, path) && file_read_line(path, token, sizeof(token), &e) == 0 &&
	       strcmp(token, set->term) == 0;
}

void
elector_set_own(struct elector *el)
{
	struct elector_sync *s = &el->sync;
	char path[FILE_PATH_MAX];
	struct err e;

	if (!*s->term || strcmp(s->term, s->token) == 0 || !token_path(el, path))
		return;
	if (file_write(path, s->term, strlen(s->term), 0600, &e) < 0)
		log_debug("no mark of the leader yet", F_STR("error", e.msg));
	else
		snprintf(s->token, sizeof(s->token), "%s", s->term);
}

int
elector_priority(const struct elector *el, const char *name)
{
	const struct plan_failover *f = &el->failover;

	for (uint32_t i = 0; i < f->priorities && i < PLAN_PRIORITIES; i++)
		if (strcmp(f->priority[i].name, name) == 0)
			return f->priority[i].priority;
	return ELECTION_PRIORITY;
}
