/*
 * schedule - cron: reading the fields and finding the next time.
 *
 * Sources: github.com/robfig/cron, which CloudNativePG uses, and crontab(5).  The search runs in
 * the zone's own clock, day by day, and only the time found is turned into UTC.
 */
#include "core/schedule.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/duration.h"
#include "core/when.h"

#define DAY_S 86400
#define SEARCH_DAYS (366 * 9) /* February 29 may be eight years away */

/* ---- reading ---- */

static const char months[] = "janfebmaraprmayjunjulaugsepoctnovdec";
static const char weekdays[] = "sunmontuewedthufrisat";

struct field {
	const char *what;
	int min, max;
	const char *names; /* three letters each, the first is min */
};

enum { SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY, FIELDS };

static const struct field fields[FIELDS] = {
	[SECOND] = {"second", 0, 59, NULL},
	[MINUTE] = {"minute", 0, 59, NULL},
	[HOUR] = {"hour", 0, 23, NULL},
	[DAY] = {"day of the month", 1, 31, NULL},
	[MONTH] = {"month", 1, 12, months},
	[WEEKDAY] = {"day of the week", 0, 7, weekdays},
};

/* A number or a name; NULL: neither, or out of range. */
static const char *
read_value(const struct field *f, const char *s, int *out)
{
	size_t n = strspn(s, "0123456789");
	int v = 0;

	if (n == 0 && f->names && isalpha((unsigned char)*s)) {
		for (size_t i = 0; f->names[i]; i += 3)
			if (strncasecmp(s, f->names + i, 3) == 0) {
				*out = f->min + (int)(i / 3);
				return isalpha((unsigned char)s[3]) ? NULL : s + 3;
			}
		return NULL;
	}
	if (n == 0 || n > 2)
		return NULL;
	for (; n; n--)
		v = v * 10 + (*s++ - '0');
	*out = v;
	return v >= f->min && v <= f->max ? s : NULL;
}

/* "*", "?", "a", "a-b", each perhaps with "/step"; "a/step" goes on to the end. */
static const char *
read_range(const struct field *f, const char *s, uint64_t *bits, bool *any)
{
	static const struct field step_field = {"step", 1, 59, NULL};
	int from = f->min, to = f->max == 7 ? 6 : f->max, step = 1, last = to;
	bool star = *s == '*' || *s == '?';

	if (star)
		s++;
	else if ((s = read_value(f, s, &from)) != NULL)
		to = from;
	if (s && !star && *s == '-')
		s = read_value(f, s + 1, &to);
	else if (s && !star && *s == '/')
		to = last;
	if (s && *s == '/')
		s = read_value(&step_field, s + 1, &step);
	if (!s || from > to)
		return NULL;
	*any = *any || (star && step == 1);
	for (; from <= to; from += step)
		*bits |= UINT64_C(1) << (f->max == 7 ? from % 7 : from);
	return s;
}

/* What one field says. */
struct said {
	uint64_t bits;
	bool any;
};

static int
read_field(const struct field *f, const char *s, size_t len, struct said *out, struct err *e)
{
	char word[256];
	const char *at = word;

	*out = (struct said){0};
	snprintf(word, sizeof(word), "%.*s", (int)len, s);
	do
		at = read_range(f, at, &out->bits, &out->any);
	while (at && *at == ',' && at++);
	if (!at || *at || len >= sizeof(word))
		return err_set(e, ERR_CONFIG, "%s: \"%.60s\" is not %d to %d, *, or a list of them",
			f->what, word, f->min, f->max);
	return 0;
}

static int
read_fields(struct schedule *out, const char *text, struct err *e)
{
	struct said said[FIELDS] = {{.bits = 1}}; /* second 0, unless given */
	const char *word[FIELDS + 1], *s = text;
	size_t len[FIELDS + 1], n = 0, skip;

	for (s += strspn(s, " \t"); *s; s += strspn(s, " \t")) {
		if (n > FIELDS)
			break;
		word[n] = s;
		len[n++] = strcspn(s, " \t");
		s += len[n - 1];
	}
	if (n != 5 && n != 6)
		return err_set(e, ERR_CONFIG,
			"%zu fields, expected six like \"0 0 3 * * *\", seconds first", n);
	skip = FIELDS - n;
	for (size_t i = skip; i < FIELDS; i++)
		if (read_field(&fields[i], word[i - skip], len[i - skip], &said[i], e))
			return -1;
	out->second = said[SECOND].bits;
	out->minute = said[MINUTE].bits;
	out->hour = (uint32_t)said[HOUR].bits;
	out->day = (uint32_t)said[DAY].bits;
	out->month = (uint32_t)said[MONTH].bits;
	out->weekday = (uint8_t)said[WEEKDAY].bits;
	out->any_day = said[DAY].any;
	out->any_weekday = said[WEEKDAY].any;
	return 0;
}

static int
read_every(struct schedule *out, const char *text, struct err *e)
{
	struct err why;
	int64_t ms;

	if (duration_parse(text, &ms, &why))
		return err_set(e, ERR_CONFIG, "@every: %s", why.msg);
	if (ms < 1000)
		return err_set(
			e, ERR_CONFIG, "@every %.40s is too often, expected at least 1s", text);
	out->every_us = ms / 1000 * SEC_US;
	return 0;
}

static int
read_descriptor(struct schedule *out, const char *text, struct err *e)
{
	static const struct {
		const char *name, *means;
	} rows[] = {
		{"@yearly", "0 0 0 1 1 *"},
		{"@annually", "0 0 0 1 1 *"},
		{"@monthly", "0 0 0 1 * *"},
		{"@weekly", "0 0 0 * * 0"},
		{"@daily", "0 0 0 * * *"},
		{"@midnight", "0 0 0 * * *"},
		{"@hourly", "0 0 * * * *"},
	};

	if (strncmp(text, "@every ", 7) == 0)
		return read_every(out, text + 7 + strspn(text + 7, " "), e);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(text, rows[i].name) == 0)
			return read_fields(out, rows[i].means, e);
	return err_set(e, ERR_CONFIG,
		"\"%.60s\" is not known, expected @hourly, @daily, @weekly, @monthly, @yearly or "
		"@every and a duration",
		text);
}

/* "+01:00", "-0330". */
static bool
read_offset(const char *s, int32_t *out)
{
	int sign = *s == '-' ? -1 : 1, hour = 0, minute = 0, used = 0;

	if ((*s != '+' && *s != '-') || !isdigit((unsigned char)s[1]))
		return false;
	if (sscanf(s + 1, "%2d:%2d%n", &hour, &minute, &used) < 2 || s[1 + used]) {
		minute = used = 0;
		if (sscanf(s + 1, "%2d%n%2d%n", &hour, &used, &minute, &used) < 1 || s[1 + used])
			return false;
	}
	if (hour > 15 || minute < 0 || minute > 59)
		return false;
	*out = sign * (hour * 3600 + minute * 60);
	return true;
}

static int
read_zone(struct schedule *out, const char *s, size_t len, struct err *e)
{
	static const char *const utc[] = {"UTC", "Etc/UTC", "GMT", "Z"};
	size_t good = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
				"_+-/:");

	if (!len || good < len || len >= sizeof(out->zone) || *s == '/' || *s == ':')
		return err_set(
			e, ERR_CONFIG, "\"%.*s\" is no time zone", (int)(len > 60 ? 60 : len), s);
	snprintf(out->zone, sizeof(out->zone), "%.*s", (int)len, s);
	for (size_t i = 0; i < ARRAY_LEN(utc); i++)
		if (strcmp(out->zone, utc[i]) == 0)
			return 0;
	out->named = !read_offset(out->zone, &out->offset_s);
	return 0;
}

int
schedule_parse(struct schedule *out, const char *text, struct err *e)
{
	static const char *const prefixes[] = {"CRON_TZ=", "TZ="};
	size_t n;

	*out = (struct schedule){0};
	text += strspn(text, " \t");
	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
		if (strncmp(text, prefixes[i], strlen(prefixes[i])) != 0)
			continue;
		text += strlen(prefixes[i]);
		n = strcspn(text, " \t");
		if (read_zone(out, text, n, e))
			return -1;
		text += n + strspn(text + n, " \t");
		break;
	}
	return *text == '@' ? read_descriptor(out, text, e) : read_fields(out, text, e);
}

/* ---- the next time by the zone's own clock ---- */

static bool
day_ok(const struct schedule *s, const struct when_civil *c)
{
	bool day = s->day >> c->day & 1, weekday = s->weekday >> c->weekday & 1;

	if (!(s->month >> c->month & 1))
		return false;
	return s->any_day || s->any_weekday ? day && weekday : day || weekday;
}

/* The first bit from this one on; -1: there is none. */
static int
bit_from(uint64_t bits, int from, int max)
{
	for (; from <= max; from++)
		if (bits >> from & 1)
			return from;
	return -1;
}

/* The first second of the day, from this one on, that fits; -1: none. */
static int
second_from(const struct schedule *s, int hour, int minute, int second)
{
	int h = bit_from(s->hour, hour, 23), m, n;

	for (; h >= 0; h = bit_from(s->hour, h + 1, 23)) {
		if (h > hour)
			minute = second = 0;
		for (m = bit_from(s->minute, minute, 59); m >= 0;
			m = bit_from(s->minute, m + 1, 59)) {
			n = bit_from(s->second, h == hour && m == minute ? second : 0, 59);
			if (n >= 0)
				return h * 3600 + m * 60 + n;
		}
	}
	return -1;
}

/* From this second of the zone's clock on, itself included; -1: never. */
static int64_t
next_local(const struct schedule *s, int64_t local)
{
	struct when_civil c = when_civil(local);
	int64_t midnight = local - (c.hour * 3600 + c.minute * 60 + c.second);
	int second;

	for (int i = 0; i < SEARCH_DAYS; i++, midnight += DAY_S) {
		if (i)
			c = when_civil(midnight);
		if (!day_ok(s, &c))
			continue;
		second = second_from(s, c.hour, c.minute, c.second);
		if (second >= 0)
			return midnight + second;
	}
	return -1;
}

/* ---- zones ---- */

struct zone {
	const struct schedule *s;
	schedule_zone_fn *fn;
	void *arg;
	bool unknown;
};

static int64_t
offset_at(struct zone *z, int64_t at_s)
{
	int32_t offset = z->s->offset_s;

	if (z->s->named && (!z->fn || !z->fn(z->arg, z->s->zone, at_s, &offset)))
		z->unknown = true;
	return offset;
}

/* The moment in (low, high] at which the offset is no longer that of low. */
static int64_t
change_between(struct zone *z, int64_t low, int64_t high)
{
	int64_t before = offset_at(z, low), mid;

	while (high - low > 1) {
		mid = low + (high - low) / 2;
		if (offset_at(z, mid) == before)
			low = mid;
		else
			high = mid;
	}
	return high;
}

/* Of a time that comes twice the first; of one that does not come the change. */
static int64_t
to_utc(struct zone *z, int64_t local)
{
	int64_t before = offset_at(z, local - DAY_S), after = offset_at(z, local + DAY_S);

	if (before == after || offset_at(z, local - before) == before)
		return local - before;
	if (offset_at(z, local - after) == after)
		return local - after;
	return change_between(z, local - DAY_S, local + DAY_S);
}

int64_t
schedule_next_in(const struct schedule *s, int64_t after_us, schedule_zone_fn *fn, void *arg)
{
	struct zone z = {.s = s, .fn = fn, .arg = arg};
	int64_t after = after_us / SEC_US, local, at;

	if (s->every_us)
		return (after_us + s->every_us) / SEC_US * SEC_US;
	local = after + offset_at(&z, after);
	do {
		local = next_local(s, local + 1);
		if (local < 0 || z.unknown)
			return 0;
		at = to_utc(&z, local);
	} while (at <= after && !z.unknown);
	return z.unknown ? 0 : at * SEC_US;
}

int64_t
schedule_next(const struct schedule *s, int64_t after_us)
{
	return schedule_next_in(s, after_us, NULL, NULL);
}
