/*
 * kube_answer - what an answer of the API means.
 */
#include "net/kube_impl.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "net/kube_json.h"

#define RETRY_AFTER_MAX_S 3600

static const struct {
	const char *name, *meaning;
	enum kube_applied applied;
} outcomes[] = {
#define OUTCOME(name, applied, meaning) [KUBE_##name] = {#name, meaning, KUBE_APPLIED_##applied},
#include "tbl/kube_outcomes.h"
#undef OUTCOME
};

const char *
kube_outcome_name(enum kube_outcome o)
{
	return outcomes[o].name;
}

const char *
kube_outcome_meaning(enum kube_outcome o)
{
	return outcomes[o].meaning;
}

enum kube_applied
kube_outcome_applied(enum kube_outcome o)
{
	return outcomes[o].applied;
}

enum kube_outcome
kube_outcome_of(int status, const char *reason)
{
	switch (status) {
	case 401:
		return KUBE_UNAUTHORIZED;
	case 403:
		return KUBE_FORBIDDEN;
	case 404:
		return KUBE_NOT_FOUND;
	case 409:
		return strcmp(reason, "AlreadyExists") == 0 ? KUBE_EXISTS : KUBE_CONFLICT;
	case 410:
		return KUBE_GONE;
	case 429:
		return KUBE_THROTTLED;
	default:
		break;
	}
	if (status / 100 == 2)
		return KUBE_OK;
	return status / 100 == 4 ? KUBE_REFUSED : KUBE_SERVER_ERROR;
}

/* What goes into logs and status is one line of plain text. */
static void
plain(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			*s = ' ';
}

void
kube_read_status(struct kube_answer *a, const char *text, size_t n)
{
	struct jsonscan_span all = kube_json_span(text, n), v;
	char message[2048];

	if (!kube_json_find(all, "kind", &v) || !kube_json_is(&v, "Status"))
		return;
	if (kube_json_find(all, "reason", &v) && !kube_json_text(&v, a->reason, sizeof(a->reason)))
		a->reason[0] = '\0';
	if (kube_json_find(all, "message", &v) && kube_json_text(&v, message, sizeof(message)))
		snprintf(a->message, sizeof(a->message), "%.*s", (int)sizeof(a->message) - 1,
			message);
	plain(a->reason);
	plain(a->message);
}

/* Seconds, or a date. */
int64_t
kube_retry_after_ms(const char *field)
{
	size_t n = strspn(field, "0123456789");
	int64_t s = 0, at;

	if (n > 0 && field[n] == '\0') {
		for (size_t i = 0; i < n && s < RETRY_AFTER_MAX_S; i++)
			s = s * 10 + (field[i] - '0');
		return (s < RETRY_AFTER_MAX_S ? s : RETRY_AFTER_MAX_S) * SEC_MS;
	}
	at = http_date(field);
	if (at == 0)
		return -1;
	s = (at - clock_wall_us()) / SEC_US;
	return (s < 0 ? 0 : s < RETRY_AFTER_MAX_S ? s : RETRY_AFTER_MAX_S) * SEC_MS;
}
