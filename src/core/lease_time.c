/*
 * lease_time - when the holder of the lease must have stopped, and when somebody else may begin.
 */
#include "core/lease_time.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

/* ---- the inequality ---- */

/* Both roundings are to the safe side. */
static int64_t
longest_ms(int64_t ms)
{
	return (ms * 100 + (100 - LEASE_CLOCK_PERCENT) - 1) / (100 - LEASE_CLOCK_PERCENT);
}

static int64_t
shortest_ms(int64_t ms)
{
	return ms * 100 / (100 + LEASE_CLOCK_PERCENT);
}

static bool
fits(int64_t fencer_ms, int64_t lease_ms)
{
	return longest_ms(fencer_ms) + LEASE_KILL_BUDGET_MS < shortest_ms(lease_ms);
}

bool
lease_times_safe(const struct lease_times *t)
{
	return t->stop_ms > 0 && t->stop_ms < t->kill_ms && t->kill_ms < t->fencer_ms &&
	       t->lease_ms <= LEASE_MAX_S * SEC_MS && t->call_ms > 0 &&
	       t->stop_ms >= t->retry_ms + 2 * t->call_ms && fits(t->fencer_ms, t->lease_ms);
}

/* While both are about, somebody may still count the old L and somebody already the new V. */
bool
lease_times_change_safe(const struct lease_times *from, const struct lease_times *to)
{
	return fits(from->fencer_ms, to->lease_ms) && fits(to->fencer_ms, from->lease_ms);
}

static int64_t
lesser(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

struct lease_times
lease_times_between(const struct lease_times *a, const struct lease_times *b)
{
	return (struct lease_times){
		.lease_ms = a->lease_ms > b->lease_ms ? a->lease_ms : b->lease_ms,
		.retry_ms = lesser(a->retry_ms, b->retry_ms),
		.call_ms = lesser(a->call_ms, b->call_ms),
		.stop_ms = lesser(a->stop_ms, b->stop_ms),
		.kill_ms = lesser(a->kill_ms, b->kill_ms),
		.fencer_ms = lesser(a->fencer_ms, b->fencer_ms),
		.released_ms = b->released_ms,
	};
}

static int64_t
at_least(int64_t v, int64_t least)
{
	return v < least ? least : v;
}

/* Spreads V2 and V3 over the room above V1: as wished, or closer together in proportion. */
static void
spread(struct lease_times *t, int64_t fast_ms, int64_t tree_ms)
{
	int64_t latest_ms = shortest_ms(t->lease_ms) - LEASE_KILL_BUDGET_MS - 1;
	int64_t last_ms = t->stop_ms + fast_ms + tree_ms, room_ms;

	latest_ms = latest_ms * (100 - LEASE_CLOCK_PERCENT) / 100;
	if (last_ms > latest_ms)
		last_ms = at_least(latest_ms, t->stop_ms);
	room_ms = last_ms - t->stop_ms;
	t->kill_ms = t->stop_ms +
		     at_least(room_ms * fast_ms / (fast_ms + tree_ms), LEASE_FAST_STOP_MIN_MS);
	t->fencer_ms = at_least(last_ms, t->kill_ms + LEASE_TREE_MIN_MS);
}

static int
refuse_range(const struct lease_request *in, struct err *e)
{
	const struct {
		const char *name;
		int64_t s;
	} fields[] = {{"leaseDurationSeconds", in->duration_s},
		{"renewDeadlineSeconds", in->renew_s}, {"retryPeriodSeconds", in->retry_s},
		{"releasedLeaseDurationSeconds", in->released_s}};

	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (fields[i].s < 1 || fields[i].s > LEASE_MAX_S)
			return err_set(e, ERR_CONFIG, "%s: %" PRId64 " s, expected 1 to %d s",
				fields[i].name, fields[i].s, LEASE_MAX_S);
	if (in->fast_stop_ms < 0 || in->fast_stop_ms > LEASE_MAX_S * SEC_MS || in->tree_ms < 0 ||
		in->tree_ms > LEASE_MAX_S * SEC_MS)
		return err_set(
			e, ERR_CONFIG, "stop times of the lease: expected 0 to %d s", LEASE_MAX_S);
	if (in->released_s > in->duration_s)
		return err_set(e, ERR_CONFIG,
			"releasedLeaseDurationSeconds %" PRId64
			" s is longer than leaseDurationSeconds %" PRId64 " s",
			in->released_s, in->duration_s);
	return 0;
}

#define S_(ms) (double)(ms) / (double)SEC_MS

static int
refuse_unsafe(const struct lease_times *t, struct err *e)
{
	return err_set(e, ERR_CONFIG,
		"V3/(1-rho) + J < L/(1+rho) does not hold: %.2f/0.%02d + %.0f = %.2f, and "
		"%.0f/1.%02d "
		"= %.2f s (V1 renewDeadlineSeconds %.0f, V2 %.2f, V3 %.2f, L "
		"leaseDurationSeconds): raise L or lower V1",
		S_(t->fencer_ms), 100 - LEASE_CLOCK_PERCENT, S_(LEASE_KILL_BUDGET_MS),
		S_(longest_ms(t->fencer_ms) + LEASE_KILL_BUDGET_MS), S_(t->lease_ms),
		LEASE_CLOCK_PERCENT, S_(shortest_ms(t->lease_ms)), S_(t->stop_ms), S_(t->kill_ms),
		S_(t->fencer_ms));
}

int
lease_times_make(struct lease_times *out, const struct lease_request *in, struct err *e)
{
	int64_t fast_ms = in->fast_stop_ms ? in->fast_stop_ms : LEASE_FAST_STOP_MS;
	int64_t tree_ms = in->tree_ms ? in->tree_ms : LEASE_TREE_MS;
	struct lease_times t;

	if (refuse_range(in, e))
		return -1;
	t = (struct lease_times){.lease_ms = in->duration_s * SEC_MS,
		.stop_ms = in->renew_s * SEC_MS,
		.retry_ms = in->retry_s * SEC_MS,
		.released_ms = in->released_s * SEC_MS};
	spread(&t, at_least(fast_ms, LEASE_FAST_STOP_MIN_MS), at_least(tree_ms, LEASE_TREE_MIN_MS));
	t.call_ms = (t.stop_ms - t.retry_ms) / 2;
	if (t.call_ms < LEASE_CALL_MIN_MS)
		return err_set(e, ERR_CONFIG,
			"V1 >= R + 2H does not hold: renewDeadlineSeconds %.0f is less than "
			"retryPeriodSeconds %.0f + 2 calls of %.1f s = %.1f s",
			S_(t.stop_ms), S_(t.retry_ms), S_(LEASE_CALL_MIN_MS),
			S_(t.retry_ms + 2 * LEASE_CALL_MIN_MS));
	t.call_ms = t.call_ms < LEASE_CALL_MS ? t.call_ms : LEASE_CALL_MS;
	if (!lease_times_safe(&t))
		return refuse_unsafe(&t, e);
	*out = t;
	return 0;
}

/* ---- names ---- */

bool
lease_holder_name(char out[LEASE_HOLDER_SIZE], const char *pod, const char *uid, const char *nonce)
{
	int n = snprintf(out, LEASE_HOLDER_SIZE, "%s/%s/%s", pod, uid, nonce);

	return n > 0 && n < LEASE_HOLDER_SIZE;
}

bool
lease_same_pod(const char *a, const char *b)
{
	const char *end_a = strrchr(a, '/'), *end_b = strrchr(b, '/');

	return end_a && end_b && end_a - a == end_b - b && end_a != strchr(a, '/') &&
	       end_a[-1] != '/' && /* without a UID it may be another pod of that name */
	       strncmp(a, b, (size_t)(end_a - a)) == 0;
}

/* ---- the holder ---- */

static int64_t
phase_ms(const struct lease_times *t, enum lease_phase p)
{
	switch (p) {
	case LEASE_STOP:
		return t->stop_ms;
	case LEASE_KILL:
		return t->kill_ms;
	case LEASE_DEAD:
		return t->fencer_ms;
	default:
		return 0;
	}
}

/* Another that is seen brings the stop forward, by as much for every rung. */
int64_t
lease_holder_deadline_ns(
	const struct lease_holder *h, const struct lease_times *t, enum lease_phase p)
{
	int64_t counted_ns = h->sent_ns + phase_ms(t, p) * MS_NS, seen_ns;

	seen_ns = h->lost_ns + (phase_ms(t, p) - t->stop_ms) * MS_NS;
	return h->lost_ns && seen_ns < counted_ns ? seen_ns : counted_ns;
}

enum lease_phase
lease_holder_phase(struct lease_holder *h, const struct lease_times *t, int64_t now_ns)
{
	while (h->worst >= LEASE_FRESH && h->worst < LEASE_DEAD &&
		now_ns >= lease_holder_deadline_ns(h, t, h->worst + 1))
		h->worst++;
	return h->worst;
}

bool
lease_holder_claimed(
	struct lease_holder *h, const struct lease_times *t, int64_t sent_ns, int64_t now_ns)
{
	struct lease_holder claim = {
		.worst = LEASE_FRESH, .sent_ns = sent_ns, .next_ns = sent_ns + t->retry_ms * MS_NS};

	if (h->worst != LEASE_NONE || sent_ns > now_ns ||
		lease_holder_phase(&claim, t, now_ns) != LEASE_FRESH)
		return false;
	*h = claim;
	return true;
}

bool
lease_holder_renewed(
	struct lease_holder *h, const struct lease_times *t, int64_t sent_ns, int64_t now_ns)
{
	if (lease_holder_phase(h, t, now_ns) != LEASE_FRESH || sent_ns > now_ns)
		return false;
	h->doubt = false;
	if (sent_ns <= h->sent_ns)
		return false;
	h->sent_ns = sent_ns;
	h->next_ns = sent_ns + t->retry_ms * MS_NS;
	return true;
}

bool
lease_holder_promised(
	struct lease_holder *h, const struct lease_times *t, int64_t sent_ns, int64_t now_ns)
{
	if (lease_holder_phase(h, t, now_ns) != LEASE_FRESH || sent_ns > now_ns ||
		sent_ns <= h->sent_ns)
		return false;
	h->sent_ns = sent_ns;
	return true;
}

void
lease_holder_doubts(
	struct lease_holder *h, const struct lease_times *t, int64_t now_ns, int64_t retry_ms)
{
	int64_t wait_ms = at_least(retry_ms, h->doubt ? t->retry_ms / 4 : 0);

	wait_ms = wait_ms > t->retry_ms ? t->retry_ms : wait_ms;
	h->doubt = true;
	h->next_ns = now_ns + wait_ms * MS_NS;
}

void
lease_holder_sees(struct lease_holder *h, enum lease_sight sight, int64_t now_ns)
{
	h->doubt = false;
	h->next_ns = now_ns;
	if (h->worst == LEASE_NONE || sight == LEASE_SIGHT_MINE || sight == LEASE_SIGHT_ABSENT)
		return;
	if (h->worst == LEASE_FRESH) {
		h->worst = LEASE_STOP;
		h->lost_ns = now_ns;
	}
}

void
lease_holder_paced(struct lease_holder *h, const struct lease_times *t)
{
	h->next_ns = lesser(h->next_ns, h->sent_ns + t->retry_ms * MS_NS);
}

enum lease_do
lease_holder_next(const struct lease_holder *h, const struct lease_times *t, int64_t now_ns)
{
	struct lease_holder seen = *h;

	if (now_ns < h->next_ns || lease_holder_phase(&seen, t, now_ns) != LEASE_FRESH)
		return LEASE_DO_WAIT;
	return h->doubt ? LEASE_DO_GET : LEASE_DO_PUT;
}

int64_t
lease_holder_call_ms(const struct lease_holder *h, const struct lease_times *t, int64_t now_ns)
{
	int64_t left_ms = (lease_holder_deadline_ns(h, t, LEASE_STOP) - now_ns) / MS_NS;

	return left_ms < 1 ? 1 : left_ms < t->call_ms ? left_ms : t->call_ms;
}

bool
lease_may_release(bool postgres_reaped)
{
	return postgres_reaped;
}

void
lease_holder_done(struct lease_holder *h)
{
	*h = (struct lease_holder){0};
}

/* ---- the candidate ---- */

/* T1: only what the holder alone writes. */
static bool
same_claim(const struct lease_record *a, const struct lease_record *b)
{
	return a->exists == b->exists && a->seq == b->seq && a->released == b->released &&
	       strcmp(a->holder, b->holder) == 0 && strcmp(a->renewed, b->renewed) == 0;
}

bool
lease_watch_saw(struct lease_watch *w, const struct lease_record *r, int64_t now_ns)
{
	bool changed = !w->known || !same_claim(&w->last, r);

	if (r->consistent && strcmp(r->version, w->asked) != 0)
		w->asked[0] = '\0';
	/* A renewal that is seen says more than what was promised before it. */
	if (changed && r->exists && r->holder[0] && strcmp(w->last.holder, r->holder) == 0)
		w->promise_ns = 0;
	if (changed)
		w->seen_ns = now_ns;
	if (r->exists && r->holder[0])
		w->kept_ms = r->duration_ms;
	w->last = *r;
	w->known = true;
	return changed;
}

/* T3: the larger of our L and the record's, and a deleted or emptied one keeps what it said; what
 * no holder of ours would write is cut. */
static int64_t
full_ns(const struct lease_watch *w, const struct lease_times *t)
{
	int64_t ms = at_least(w->kept_ms, t->lease_ms);

	if (ms > LEASE_MAX_S * SEC_MS)
		ms = LEASE_MAX_S * SEC_MS;
	return (ms + LEASE_MARGIN_MS) * MS_NS;
}

int64_t
lease_watch_claim_ns(
	const struct lease_watch *w, const struct lease_times *t, const char *me, bool preferred)
{
	int64_t at_ns;

	if (!w->known)
		return CLOCK_NEVER;
	if (w->last.exists && lease_same_pod(w->last.holder, me))
		return w->seen_ns;
	if (w->last.exists && !w->last.holder[0] && w->last.released)
		return w->seen_ns + (preferred ? 0 : t->released_ms * MS_NS);
	at_ns = w->seen_ns + full_ns(w, t);
	return at_ns < w->promise_ns ? w->promise_ns : at_ns;
}

void
lease_watch_claims(struct lease_watch *w)
{
	must(w->known && w->last.consistent);
	snprintf(w->asked, sizeof(w->asked), "%s", w->last.exists ? w->last.version : "none");
}

void
lease_watch_claim_ends(struct lease_watch *w, bool answered)
{
	if (answered)
		w->asked[0] = '\0';
}

bool
lease_watch_promise(
	struct lease_watch *w, const struct lease_times *t, const char *holder, int64_t received_ns)
{
	if (!w->known || !w->last.exists || !*holder || strcmp(w->last.holder, holder) != 0 ||
		w->asked[0])
		return false;
	w->promise_ns = received_ns + full_ns(w, t);
	return true;
}
