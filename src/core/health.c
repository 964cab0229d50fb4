/*
 * health - what the probes say, decided from what is known; and why.
 *
 * Each check is a list of objections, the gravest first; the first that holds is the answer.
 */
#include "core/health.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/duration.h"

/* Always true, so that an objection is one statement. */
static bool PRINTF(2, 3) object(struct health *out, const char *fmt, ...)
{
	va_list ap;

	out->ok = false;
	va_start(ap, fmt);
	vsnprintf(out->reason, sizeof(out->reason), fmt, ap);
	va_end(ap);
	return true;
}

static void PRINTF(2, 3) agree(struct health *out, const char *fmt, ...)
{
	va_list ap;

	out->ok = true;
	va_start(ap, fmt);
	vsnprintf(out->reason, sizeof(out->reason), fmt, ap);
	va_end(ap);
}

static bool
given(const char *text)
{
	return text && *text;
}

static const char *
state_reason(const struct health_in *in)
{
	return given(in->reason) ? in->reason : fsm_state_sentence(in->state);
}

/* ---- objections ---- */

static int64_t
beat_limit_ms(const struct health_in *in)
{
	int64_t half = in->watchdog_ms / 2;

	return half > 5000 ? half : 5000;
}

static bool
supervisor_silent(const struct health_in *in, struct health *out)
{
	char age[DURATION_SIZE];

	if (in->beat_age_ms < 0)
		return object(out, "the supervisor has not begun yet");
	if (in->beat_age_ms <= beat_limit_ms(in))
		return false;
	return object(
		out, "the supervisor has been silent for %s", duration_text(in->beat_age_ms, age));
}

/* The supervisor ends a hung service long before this; it did not. */
static bool
service_hung(const struct health_in *in, struct health *out)
{
	char age[DURATION_SIZE];

	for (int i = 0; i < in->services; i++) {
		const struct health_service *s = &in->service[i];

		if (s->running && s->silent_ms > HEALTH_HUNG_FACTOR * s->hung_ms)
			return object(out, "the %s has been silent for %s and was not restarted",
				s->name, duration_text(s->silent_ms, age));
	}
	return false;
}

/* The younger of two ages, and no older than the postmaster. */
static int64_t
younger_ms(const struct health_in *in, int64_t a, int64_t b)
{
	if (a < 0 || (b >= 0 && b < a))
		a = b;
	return a < 0 || a > in->up_ms ? in->up_ms : a;
}

static int64_t
answer_age_ms(const struct health_in *in)
{
	return younger_ms(
		in, in->query_age_ms, younger_ms(in, in->connect_age_ms, in->heard_age_ms));
}

/* Only what a monitor that works has seen counts against postgres. */
static bool
postgres_wedged(const struct health_in *in, struct health *out)
{
	bool watched =
		in->seen && in->observed_age_ms >= 0 && in->observed_age_ms < HEALTH_OBSERVED_MS;
	char age[DURATION_SIZE];

	if (in->postgres != HEALTH_PG_ACCEPTING || in->paused || !watched)
		return false;
	if (answer_age_ms(in) < HEALTH_WEDGED_MS)
		return false;
	return object(out, "postgres has answered nothing for %s: %s",
		duration_text(answer_age_ms(in), age),
		given(in->problem) ? in->problem : "no connection and no query");
}

static bool
not_for_clients(const struct health_in *in, struct health *out)
{
	if (in->stopping)
		return object(out, "podgres is stopping");
	if (in->fenced && given(in->fence_reason))
		return object(out, "fenced: %s", in->fence_reason);
	if (in->fenced)
		return object(out, "fenced");
	return false;
}

static bool
postgres_down(const struct health_in *in, struct health *out)
{
	enum fsm_postgres may = fsm_state_postgres(in->state);

	if (may == FSM_PG_NONE || may == FSM_PG_STOPPING)
		return object(out, "%s", state_reason(in));
	if (in->postgres == HEALTH_PG_ACCEPTING)
		return false;
	if (given(in->problem) && in->seen)
		return object(out, "%s", in->problem);
	if (in->postgres == HEALTH_PG_STARTING)
		return object(out, "postgres is starting");
	if (in->postgres == HEALTH_PG_STOPPING)
		return object(out, "postgres is stopping");
	return object(out, "postgres does not run: %s", state_reason(in));
}

static bool
postgres_refuses(const struct health_in *in, struct health *out)
{
	static const char *const words[] = {
		[HEALTH_ACCEPT_UNKNOWN] = "postgres has not been reached yet",
		[HEALTH_ACCEPT_NO] = "postgres does not accept connections",
		[HEALTH_ACCEPT_STARTING] = "postgres is starting and rejects connections",
		[HEALTH_ACCEPT_STOPPING] = "postgres is shutting down and rejects connections",
	};

	if (in->accept == HEALTH_ACCEPT_YES)
		return false;
	if (given(in->problem))
		return object(out, "%s", in->problem);
	return object(out, "%s",
		in->accept < HEALTH_ACCEPT_YES ? words[in->accept] : words[HEALTH_ACCEPT_STOPPING]);
}

static bool
postgres_unseen(const struct health_in *in, struct health *out)
{
	char age[DURATION_SIZE];

	if (!in->seen || in->observed_age_ms < 0)
		return object(out, "nobody has looked at this postgres yet");
	if (postgres_refuses(in, out))
		return true;
	/* A standby must not pass for a primary in the moment before it is asked. */
	if (!in->known)
		return object(out, "postgres takes connections, but has not been asked yet");
	if (in->observed_age_ms > HEALTH_OBSERVED_MS)
		return object(out, "nobody has looked at postgres for %s",
			duration_text(in->observed_age_ms, age));
	if (younger_ms(in, in->heard_age_ms, -1) <= HEALTH_HEARD_MS)
		return false;
	if (given(in->problem))
		return object(out, "%s", in->problem);
	return object(out, "postgres has answered no new connection for %s",
		duration_text(younger_ms(in, in->heard_age_ms, -1), age));
}

static bool
behind(const struct health_in *in, int64_t max, bool streaming, struct health *out)
{
	if (streaming && in->has_primary && !in->receiver_active)
		return object(out, "not streaming from the primary");
	if (max < 0)
		return false;
	if (in->lag_bytes < 0)
		return object(out, "the replication lag is unknown");
	if (in->lag_bytes <= max)
		return false;
	return object(out, "%lld bytes behind the primary, %lld are allowed",
		(long long)in->lag_bytes, (long long)max);
}

/* ---- answers ---- */

void
health_live(const struct health_in *in, struct health *out)
{
	if (supervisor_silent(in, out) || service_hung(in, out) || postgres_wedged(in, out))
		return;
	agree(out, "%s", state_reason(in));
}

void
health_running(const struct health_in *in, struct health *out)
{
	if (supervisor_silent(in, out) || not_for_clients(in, out) || postgres_down(in, out) ||
		postgres_unseen(in, out))
		return;
	agree(out, "%s", state_reason(in));
}

void
health_ready(const struct health_in *in, struct health *out)
{
	health_running(in, out);
	if (out->ok && in->in_recovery)
		behind(in, in->max_lag_bytes, in->needs_streaming, out);
}

void
health_primary(const struct health_in *in, struct health *out)
{
	health_running(in, out);
	if (!out->ok)
		return;
	if (in->in_recovery)
		object(out, "a standby");
	else if (in->state != FSM_PRIMARY)
		object(out, "%s", state_reason(in));
}

void
health_replica(
	const struct health_in *in, int64_t max_lag_bytes, bool streaming, struct health *out)
{
	health_running(in, out);
	if (!out->ok)
		return;
	if (!in->in_recovery)
		object(out, "the primary");
	else if (streaming && !in->receiver_active)
		object(out, "not streaming from the primary");
	else
		behind(in, max_lag_bytes, false, out);
}

/* Nothing is being started that the probe could wait for: live and ready say the rest. */
static bool
start_is_over(const struct health_in *in)
{
	return in->postgres == HEALTH_PG_ACCEPTING || in->postgres == HEALTH_PG_STOPPING ||
	       in->fenced || in->paused || in->stopping || in->state == FSM_FENCED ||
	       in->state == FSM_SPACE;
}

void
health_startup(const struct health_in *in, struct health *out)
{
	char age[DURATION_SIZE];

	if (supervisor_silent(in, out))
		return;
	if (!start_is_over(in) && in->start_delay_ms > 0 && in->moved_age_ms > in->start_delay_ms) {
		object(out, "the start has not moved for %s: %s",
			duration_text(in->moved_age_ms, age), state_reason(in));
		return;
	}
	agree(out, "%s", state_reason(in));
}
