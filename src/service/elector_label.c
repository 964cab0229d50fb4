/*
 * elector_label - the labels of our own pod, by which Services find the primary and the replicas.
 *
 * Process: elector.  Labels route clients and fence nobody: a Service that is late sends them to a
 * postgres that refuses to write.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "service/elector.h"

#define LABEL_MS 3000
#define LABEL_AGAIN_MS 2000

enum { LABEL_REPLICA, LABEL_PRIMARY };

static const char *const roles[] = {"replica", "primary"};

static void
label_on_answer(void *arg, const struct kube_answer *a)
{
	struct elector *el = arg;

	el->labelling = false;
	if (a->outcome == KUBE_OK)
		return;
	el->labelled = 0;
	el->label_again_ns = clock_boot_ns() + LABEL_AGAIN_MS * MS_NS;
	elector_problem(el,
		a->outcome == KUBE_FORBIDDEN ? "give the service account patch of pods" : "",
		"cannot label pod %s: %s%s%s", el->s->opt->pod_name,
		kube_outcome_meaning(a->outcome), *a->message ? ": " : "", a->message);
}

static uint32_t
label_role(const struct elector *el)
{
	bool primary = elector_mine(el) && el->sv.state == FSM_PRIMARY &&
		       el->sv.pg_phase == PG_PHASE_ACCEPTING &&
		       el->object.timeline == el->sv.plan.timeline;

	return primary ? LABEL_PRIMARY : LABEL_REPLICA;
}

/* An elector that was started again under a primary: its next write says whether it still is one.
 * If none succeeds, postgres is stopped and this state is left. */
static bool
label_unsure(const struct elector *el)
{
	return el->sv.state == FSM_PRIMARY && !el->held &&
	       (!el->listed || lease_same_pod(el->object.holder, el->me));
}

void
elector_label(struct elector *el)
{
	AUTO(buf_deinit) struct buf path = {0};
	uint32_t role = label_role(el);
	char body[512];
	struct kube_request r = {.method = "PATCH",
		.type = KUBE_MERGE_PATCH,
		.body = body,
		.deadline_ns = clock_boot_ns() + LABEL_MS * MS_NS,
		.done = label_on_answer,
		.arg = el};
	struct kube_call *call;
	struct err e;

	if (el->labelling || el->labelled == role + 1 || label_unsure(el) ||
		clock_boot_ns() < el->label_again_ns)
		return;
	r.len = (size_t)snprintf(body, sizeof(body),
		"{\"metadata\":{\"labels\":{\"role\":\"%s\",\"cnpg.io/instanceRole\":\"%s\","
		"\"cnpg.io/cluster\":\"%s\"}}}",
		roles[role], roles[role], el->cluster);
	if (kube_path_pod(&path, el->place.ns, el->s->opt->pod_name, &e) < 0)
		return;
	r.path = buf_str(&path);
	if (kube_call(el->kube, &r, &call, &e) < 0) {
		el->label_again_ns = clock_boot_ns() + LABEL_AGAIN_MS * MS_NS;
		return;
	}
	el->labelling = true;
	el->labelled = role + 1;
	log_info("labelling the pod", F_STR("role", roles[role]));
}
