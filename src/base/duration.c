/*
 * duration - a span of time as people write it.
 */
#include "base/duration.h"

#include <stdio.h>
#include <string.h>

#define DURATION_MAX_MS (INT64_C(100) * 366 * 86400 * 1000)

static const struct {
	const char *text;
	int64_t ms;
} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"min", 60000}, {"h", 3600000}, {"d", 86400000}};

/* The unit at p, whole: "m" is not read out of "min".  Returns its length, 0 for none. */
static size_t
duration_unit(const char *p, int64_t *ms)
{
	size_t n = strspn(p, "abcdefghijklmnopqrstuvwxyz");

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (strlen(units[i].text) == n && strncmp(units[i].text, p, n) == 0) {
			*ms = units[i].ms;
			return n;
		}
	}
	return 0;
}

/* "1.5" as thousandths.  Returns its length, 0 when it is no number. */
static size_t
duration_number(const char *p, int64_t *milli)
{
	size_t whole = strspn(p, "0123456789"), frac = 0;
	int64_t v = 0;

	if (whole == 0 || whole > 12)
		return 0;
	for (size_t i = 0; i < whole; i++)
		v = v * 10 + (p[i] - '0');
	if (p[whole] == '.') {
		frac = strspn(p + whole + 1, "0123456789");
		if (frac == 0)
			return 0;
	}
	for (size_t i = 0; i < 3; i++)
		v = v * 10 + (i < frac ? p[whole + 1 + i] - '0' : 0);
	*milli = v;
	return whole + (frac ? frac + 1 : 0);
}

static int
duration_bad(const char *text, struct err *e)
{
	return err_set(e, ERR_INVALID,
		"\"%.64s\" is not a duration, expected one like 10s, 500ms or 2m", text);
}

int
duration_parse(const char *text, int64_t *out_ms, struct err *e)
{
	const char *p = text;
	int64_t sum = 0;

	do {
		int64_t milli = 0, unit = 1000, part;
		size_t n = duration_number(p, &milli), u;

		if (n == 0)
			return duration_bad(text, e);
		u = duration_unit(p + n, &unit);
		p += n + u;
		/* Only a lone number may go without its unit. */
		if (u == 0 && (*p || p - n != text))
			return duration_bad(text, e);
		if (__builtin_mul_overflow(milli, unit, &part) || part / 1000 > DURATION_MAX_MS)
			return err_set(e, ERR_INVALID, "\"%.64s\" is longer than 100 years", text);
		sum += part / 1000;
	} while (*p && sum <= DURATION_MAX_MS);
	if (sum > DURATION_MAX_MS)
		return err_set(e, ERR_INVALID, "\"%.64s\" is longer than 100 years", text);
	*out_ms = sum;
	return 0;
}

const char *
duration_text(int64_t ms, char out[DURATION_SIZE])
{
	static const struct {
		int64_t big_ms, small_ms;
		const char *big, *small;
	} steps[] = {
		{86400000, 3600000, "d", "h"},
		{3600000, 60000, "h", "min"},
		{60000, 1000, "min", "s"},
	};

	if (ms < 0)
		ms = 0;
	if (ms > DURATION_MAX_MS)
		ms = DURATION_MAX_MS;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		int big = (int)(ms / steps[i].big_ms);
		int rest = (int)(ms % steps[i].big_ms / steps[i].small_ms);

		if (big == 0)
			continue;
		if (rest)
			snprintf(out, DURATION_SIZE, "%d %s %d %s", big, steps[i].big, rest,
				steps[i].small);
		else
			snprintf(out, DURATION_SIZE, "%d %s", big, steps[i].big);
		return out;
	}
	if (ms < 1000)
		snprintf(out, DURATION_SIZE, "%d ms", (int)ms);
	else
		snprintf(out, DURATION_SIZE, "%d s", (int)(ms / 1000));
	return out;
}
