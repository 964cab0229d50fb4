/*
 * quantity - amounts as Kubernetes and PostgreSQL write them, exactly.
 *
 * A number is read as mantissa times a power of ten in 128 bits; only then does the unit multiply
 * it, so that 0.1Gi is what a person with pencil and paper gets.
 */
#include "base/quantity.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define NANO 1000000000
#define MAX_DIGITS 27 /* of a mantissa: leaves room for a unit in 128 bits */

struct decimal {
	__int128 mantissa;
	int exponent; /* of ten */
};

struct unit {
	const char *text;
	int64_t by; /* 0: exponent instead */
	int exponent;
};

static const struct unit kubernetes_units[] = {
	{"", 1, 0},
	{"n", 1, -9},
	{"u", 1, -6},
	{"m", 1, -3},
	{"k", 1, 3},
	{"M", 1, 6},
	{"G", 1, 9},
	{"T", 1, 12},
	{"P", 1, 15},
	{"E", 1, 18},
	{"Ki", INT64_C(1) << 10, 0},
	{"Mi", INT64_C(1) << 20, 0},
	{"Gi", INT64_C(1) << 30, 0},
	{"Ti", INT64_C(1) << 40, 0},
	{"Pi", INT64_C(1) << 50, 0},
	{"Ei", INT64_C(1) << 60, 0},
};

static const struct unit size_units[] = {
	{"B", 1, 0},
	{"kB", INT64_C(1) << 10, 0},
	{"MB", INT64_C(1) << 20, 0},
	{"GB", INT64_C(1) << 30, 0},
	{"TB", INT64_C(1) << 40, 0},
};

static const struct unit time_units[] = {
	{"us", 1, 0},
	{"ms", 1000, 0},
	{"s", 1000000, 0},
	{"min", 60000000, 0},
	{"h", INT64_C(3600000000), 0},
	{"d", INT64_C(86400000000), 0},
};

static bool
digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Reads [+-]digits[.digits]; returns the bytes read, 0 when there is no number. */
static size_t
read_decimal(const char *text, struct decimal *out)
{
	const char *p = text + (*text == '-' || *text == '+');
	int digits = 0, seen = 0;
	bool point = false;

	*out = (struct decimal){0};
	for (; digit(*p) || (*p == '.' && !point); p++) {
		if (*p == '.') {
			point = true;
			continue;
		}
		seen++;
		if (digits == 0 && *p == '0') {
			out->exponent -= point;
			continue;
		}
		if (++digits > MAX_DIGITS)
			return 0;
		out->mantissa = out->mantissa * 10 + (*p - '0');
		out->exponent -= point;
	}
	if (*text == '-')
		out->mantissa = -out->mantissa;
	return seen ? (size_t)(p - text) : 0;
}

/* Reads [eE][+-]digits; returns the bytes read, 0 when there is none. */
static size_t
read_exponent(const char *text, int *out)
{
	const char *p = text;
	bool minus;
	int v = 0;

	if (*p != 'e' && *p != 'E')
		return 0;
	p++;
	minus = *p == '-';
	p += *p == '-' || *p == '+';
	if (!digit(*p))
		return 0;
	for (; digit(*p); p++)
		v = v > 999 ? v : v * 10 + (*p - '0');
	*out = minus ? -v : v;
	return (size_t)(p - text);
}

enum rounding { AWAY_FROM_ZERO, NEAREST };

static __int128
divide(__int128 a, __int128 by, enum rounding how)
{
	__int128 q = a / by, rest = a % by;
	int sign = a < 0 ? -1 : 1;

	if (rest < 0)
		rest = -rest;
	if (how == AWAY_FROM_ZERO ? rest != 0 : rest * 2 >= by)
		q += sign;
	return q;
}

/* d times 10^more times by, as a whole number.  -1: does not fit 128 bits. */
static int
scale(struct decimal d, int more, int64_t by, enum rounding how, __int128 *out)
{
	__int128 v = d.mantissa, divisor = 1;
	int exponent = d.exponent + more;

	if (__builtin_mul_overflow(v, (__int128)by, &v))
		return -1;
	for (; exponent > 0 && v; exponent--)
		if (__builtin_mul_overflow(v, (__int128)10, &v))
			return -1;
	for (; exponent < 0; exponent++) {
		if (divisor > ((__int128)1 << 120)) {
			*out = how == AWAY_FROM_ZERO ? (v > 0) - (v < 0) : 0;
			return 0;
		}
		divisor *= 10;
	}
	*out = divide(v, divisor, how);
	return 0;
}

static const struct unit *
find_unit(const struct unit *units, size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(units[i].text, text) == 0)
			return &units[i];
	return NULL;
}

int
quantity_parse(const char *text, struct quantity *out, struct err *e)
{
	struct decimal d;
	const struct unit *u;
	const __int128 max = (__int128)INT64_MAX * NANO;
	size_t n = read_decimal(text, &d);
	int exponent = 0;

	if (!n)
		return err_set(e, ERR_CONFIG,
			"\"%.60s\" is no quantity, expected one like 16Mi, 1.5Gi or 500m", text);
	n += read_exponent(text + n, &exponent);
	u = find_unit(kubernetes_units, ARRAY_LEN(kubernetes_units), text + n);
	if (!u || (exponent && *u->text))
		return err_set(e, ERR_CONFIG,
			"\"%.60s\" has no known unit, expected n u m k M G T P E or Ki Mi Gi Ti Pi "
			"Ei",
			text);
	if (scale(d, exponent + u->exponent + 9, u->by, AWAY_FROM_ZERO, &out->nano) ||
		out->nano > max || out->nano < -max)
		return err_set(
			e, ERR_CONFIG, "\"%.60s\" is too large, expected at most 2^63-1", text);
	return 0;
}

int64_t
quantity_value(struct quantity q)
{
	return (int64_t)divide(q.nano, NANO, AWAY_FROM_ZERO);
}

int64_t
quantity_milli(struct quantity q)
{
	__int128 v = divide(q.nano, NANO / 1000, AWAY_FROM_ZERO);

	if (v > INT64_MAX)
		return INT64_MAX;
	return v < INT64_MIN ? INT64_MIN : (int64_t)v;
}

int
quantity_cmp(struct quantity a, struct quantity b)
{
	return (a.nano > b.nano) - (a.nano < b.nano);
}

int
quantity_bytes(const char *text, int64_t *out, struct err *e)
{
	struct quantity q;

	if (quantity_parse(text, &q, e))
		return -1;
	if (q.nano < 0)
		return err_set(e, ERR_CONFIG, "\"%.60s\" is negative, expected 0 or more", text);
	*out = quantity_value(q);
	return 0;
}

/* ---- PostgreSQL ---- */

static const char *
skip_space(const char *p)
{
	return p + strspn(p, " \t\n\v\f\r");
}

static size_t
read_radix(const char *text, struct decimal *out)
{
	const char *p = text + (*text == '-' || *text == '+');
	const char *digits = "01234567";
	int base = 8, seen = 0;
	const char *at;

	*out = (struct decimal){0};
	if (p[0] != '0' || p[1] == '.' || p[1] == 'e' || p[1] == 'E')
		return 0;
	if (p[1] == 'x' || p[1] == 'X') {
		digits = "0123456789abcdef";
		base = 16;
		p += 2;
	}
	for (; *p && (at = strchr(digits, *p | (base == 16 && !digit(*p) ? 0x20 : 0))); p++) {
		if (++seen > 20)
			return 0;
		out->mantissa = out->mantissa * base + (at - digits);
	}
	if (*text == '-')
		out->mantissa = -out->mantissa;
	return seen && !digit(*p) && *p != '.' ? (size_t)(p - text) : 0;
}

/* The number and what follows it; -1: no number. */
static int
read_pg(const char *text, struct decimal *d, const char **unit)
{
	const char *p = skip_space(text);
	size_t n = read_radix(p, d);
	int exponent = 0;

	if (!n) {
		n = read_decimal(p, d);
		if (!n)
			return -1;
		n += read_exponent(p + n, &exponent);
		d->exponent += exponent;
	}
	*unit = skip_space(p + n);
	return 0;
}

struct pg_kind {
	const struct unit *units;
	size_t n;
	const char *expected;
};

static int
read_pg_amount(
	const char *text, const struct pg_kind *kind, int64_t own, int64_t *out, struct err *e)
{
	char word[8] = "";
	const struct unit *u = NULL;
	const char *unit;
	struct decimal d;
	__int128 v;
	size_t len;

	if (read_pg(text, &d, &unit))
		return err_set(
			e, ERR_CONFIG, "\"%.60s\" is no number, expected %s", text, kind->expected);
	len = strcspn(unit, " \t\n\v\f\r");
	if (len < sizeof(word) && !*skip_space(unit + len)) {
		memcpy(word, unit, len);
		u = find_unit(kind->units, kind->n, word);
	}
	if (*unit && !u)
		return err_set(e, ERR_CONFIG, "\"%.60s\" has no unit of PostgreSQL, expected %s",
			text, kind->expected);
	if (scale(d, 0, u ? u->by : own, NEAREST, &v))
		return err_set(e, ERR_CONFIG, "\"%.60s\" is too large", text);
	v = divide(v, own, NEAREST) * own;
	if (v > INT64_MAX || v < INT64_MIN)
		return err_set(e, ERR_CONFIG, "\"%.60s\" is too large", text);
	*out = (int64_t)v;
	return 0;
}

int
quantity_pg_bytes(const char *text, int64_t unit_bytes, int64_t *out, struct err *e)
{
	static const struct pg_kind kind = {
		size_units, ARRAY_LEN(size_units), "a size like 128MB (B kB MB GB TB)"};

	return read_pg_amount(text, &kind, unit_bytes, out, e);
}

int
quantity_pg_us(const char *text, int64_t unit_us, int64_t *out, struct err *e)
{
	static const struct pg_kind kind = {
		time_units, ARRAY_LEN(time_units), "a time like 5min (us ms s min h d)"};

	return read_pg_amount(text, &kind, unit_us, out, e);
}

int
quantity_pg_int(const char *text, int64_t *out, struct err *e)
{
	static const struct pg_kind kind = {NULL, 0, "a number without a unit"};

	return read_pg_amount(text, &kind, 1, out, e);
}

/* PostgreSQL takes any beginning of a word; "o" alone could be both on and off. */
int
quantity_pg_bool(const char *text, int *out, struct err *e)
{
	static const struct {
		const char *word;
		size_t shortest;
		int value;
	} words[] = {{"true", 1, 1}, {"false", 1, 0}, {"yes", 1, 1}, {"no", 1, 0}, {"on", 2, 1},
		{"off", 2, 0}, {"1", 1, 1}, {"0", 1, 0}};
	size_t len = strlen(text);

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (len < words[i].shortest || strncasecmp(text, words[i].word, len) != 0)
			continue;
		*out = words[i].value;
		return 0;
	}
	return err_set(e, ERR_CONFIG, "\"%.60s\" is neither on nor off", text);
}

/* ---- for people ---- */

const char *
quantity_text(double bytes, char out[QUANTITY_SIZE])
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
	size_t i = 0;

	while (bytes >= 999.5 && i < ARRAY_LEN(units) - 1) {
		bytes /= 1000;
		i++;
	}
	snprintf(
		out, QUANTITY_SIZE, i > 0 && bytes < 9.95 ? "%.1f %s" : "%.0f %s", bytes, units[i]);
	return out;
}
