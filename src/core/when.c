/*
 * when - points in time and the calendar.
 */
#include "core/when.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/defs.h"

#define DAY_SECONDS 86400
#define MOST_OFFSET_SECONDS (16 * 3600) /* PostgreSQL: below 16 hours */

/* ---- the calendar ---- */

int64_t
when_days(int64_t year, int month, int day)
{
	int64_t era, of_era, of_year;

	year -= month <= 2;
	era = (year >= 0 ? year : year - 399) / 400;
	of_era = year - era * 400;
	of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

int
when_month_days(int64_t year, int month)
{
	static const int8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
		return 29;
	return days[month - 1];
}

struct when_civil
when_civil(int64_t seconds)
{
	int64_t days = seconds / DAY_SECONDS, rest = seconds % DAY_SECONDS;
	int64_t era, of_era, year, of_year;
	struct when_civil c;
	int month;

	if (rest < 0) {
		rest += DAY_SECONDS;
		days--;
	}
	c.weekday = (int)(((days + 4) % 7 + 7) % 7);
	days += 719468;
	era = (days >= 0 ? days : days - 146096) / 146097;
	of_era = days - era * 146097;
	year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	of_year = of_era - (365 * year + year / 4 - year / 100);
	month = (int)((5 * of_year + 2) / 153);
	c.day = (int)(of_year - (153 * month + 2) / 5) + 1;
	c.month = month < 10 ? month + 3 : month - 9;
	c.year = year + era * 400 + (c.month <= 2);
	c.hour = (int)(rest / 3600);
	c.minute = (int)(rest / 60 % 60);
	c.second = (int)(rest % 60);
	return c;
}

int64_t
when_seconds(const struct when_civil *c)
{
	return when_days(c->year, c->month, c->day) * DAY_SECONDS + c->hour * 3600 +
	       c->minute * 60 + c->second;
}

/* ---- reading ---- */

/* Exactly so many digits; NULL when they are not there. */
static const char *
digits(const char *s, int count, int *out)
{
	int v = 0;

	for (; count; count--, s++) {
		if (*s < '0' || *s > '9')
			return NULL;
		v = v * 10 + (*s - '0');
	}
	*out = v;
	return s;
}

static const char *
read_date(const char *s, struct when_civil *c)
{
	int year;

	s = digits(s, 4, &year);
	if (!s || *s++ != '-')
		return NULL;
	c->year = year;
	s = digits(s, 2, &c->month);
	if (!s || *s++ != '-')
		return NULL;
	return digits(s, 2, &c->day);
}

/* The nearest microsecond, as PostgreSQL has it. */
static const char *
read_fraction(const char *s, int64_t *us)
{
	int64_t v = 0, unit = 100000;

	if (*s < '0' || *s > '9')
		return NULL;
	for (; *s >= '0' && *s <= '9'; s++, unit /= 10) {
		v += unit * (*s - '0');
		if (unit == 0) {
			v += *s >= '5';
			break;
		}
	}
	*us = v;
	return s + strspn(s, "0123456789");
}

static const char *
read_clock(const char *s, struct when_civil *c, int64_t *us)
{
	s = digits(s, 2, &c->hour);
	if (!s || *s++ != ':')
		return NULL;
	s = digits(s, 2, &c->minute);
	if (!s || *s != ':')
		return s;
	s = digits(s + 1, 2, &c->second);
	if (!s || *s != '.')
		return s;
	return read_fraction(s + 1, us);
}

/* "+01", "+0130", "+01:30", "+00:53:28". */
static const char *
read_offset(const char *s, int64_t *offset)
{
	int sign = *s++ == '-' ? -1 : 1, part;
	int64_t unit = 3600;

	*offset = 0;
	for (int i = 0; i < 3; i++, unit /= 60) {
		if (i && *s == ':')
			s++;
		else if (i && (*s < '0' || *s > '9'))
			break;
		s = digits(s, 2, &part);
		if (!s || (i && part > 59))
			return NULL;
		*offset += unit * part;
	}
	*offset *= sign;
	return s;
}

static const char *
read_zone(const char *s, int64_t *offset, bool *zoned)
{
	static const char *const utc[] = {"UTC", "GMT", "Z"};

	s += strspn(s, " ");
	*offset = 0;
	*zoned = *s != '\0';
	if (*s == '+' || *s == '-')
		return read_offset(s, offset);
	for (size_t i = 0; i < ARRAY_LEN(utc); i++)
		if (strcasecmp(s, utc[i]) == 0)
			return s + strlen(utc[i]);
	return s;
}

static bool
civil_ok(const struct when_civil *c, int64_t us)
{
	bool midnight = c->hour == 24 && c->minute == 0 && c->second == 0 && us == 0;

	return c->year >= 1 && c->month >= 1 && c->month <= 12 && c->day >= 1 &&
	       c->day <= when_month_days(c->year, c->month) && (c->hour < 24 || midnight) &&
	       c->minute < 60 && (c->second < 60 || (c->second == 60 && us == 0));
}

/* A shape that is not ours: a date of any spelling has a digit, and is no word for now. */
static enum when
strange(const char *s)
{
	return s[strcspn(s, "0123456789")] ? WHEN_ASK : WHEN_WRONG;
}

enum when
when_parse(const char *text, int64_t *wall_us, bool *zoned)
{
	struct when_civil c = {0};
	int64_t us = 0, offset;
	const char *s = text + strspn(text, " "), *rest;
	bool has_zone;

	rest = read_date(s, &c);
	if (!rest)
		return strange(s);
	if ((*rest == 'T' || *rest == 't' || *rest == ' ') && isdigit((unsigned char)rest[1]))
		rest = read_clock(rest + 1, &c, &us);
	else if (*rest && *rest != ' ')
		return WHEN_ASK;
	rest = rest ? read_zone(rest, &offset, &has_zone) : NULL;
	if (!rest || rest[strspn(rest, " ")])
		return c.month > 12 || c.day > 31 ? WHEN_WRONG : WHEN_ASK;
	if (!civil_ok(&c, us) || offset >= MOST_OFFSET_SECONDS || offset <= -MOST_OFFSET_SECONDS)
		return WHEN_WRONG;
	*wall_us = (when_seconds(&c) - offset) * SEC_US + us;
	if (zoned)
		*zoned = has_zone;
	return WHEN_KNOWN;
}

/* ---- writing ---- */

const char *
when_text(int64_t wall_us, char out[WHEN_TEXT_SIZE])
{
	int64_t seconds = wall_us / SEC_US, us = wall_us % SEC_US;
	char fraction[8] = "";
	struct when_civil c;

	if (us < 0) {
		us += SEC_US;
		seconds--;
	}
	c = when_civil(seconds);
	if (us)
		snprintf(fraction, sizeof(fraction), ".%06d", (int)us);
	snprintf(out, WHEN_TEXT_SIZE, "%04d-%02d-%02d %02d:%02d:%02d%s+00:00", (int)c.year, c.month,
		c.day, c.hour, c.minute, c.second, fraction);
	return out;
}
