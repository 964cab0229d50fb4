/*
 * http_answer - the head of an answer: a status line and the few fields that matter here.
 */
#include "net/http.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"

static const struct {
	const char *name;
	size_t offset;
} fields[] = {
	{"etag", offsetof(struct http_answer, etag)},
	{"content-range", offsetof(struct http_answer, content_range)},
	{"content-type", offsetof(struct http_answer, content_type)},
	{"retry-after", offsetof(struct http_answer, retry_after)},
	{"last-modified", offsetof(struct http_answer, last_modified)},
	{"location", offsetof(struct http_answer, location)},
	{"date", offsetof(struct http_answer, date)},
	{"x-amz-request-id", offsetof(struct http_answer, amz_request_id)},
	{"x-amz-bucket-region", offsetof(struct http_answer, amz_bucket_region)},
	{"x-amz-meta-podgres-sha256", offsetof(struct http_answer, meta_sha256)},
};

/* A 100 or 103 may precede the answer: each status line begins anew. */
static void
begin_answer(struct http_answer *a, const char *p, size_t n)
{
	const char *space = memchr(p, ' ', n);
	int status = 0;

	for (const char *d = space ? space + 1 : p + n; d < p + n && *d >= '0' && *d <= '9'; d++)
		status = status < 1000 ? status * 10 + (*d - '0') : status;
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		((char *)a)[fields[i].offset] = '\0';
	a->status = status;
	a->content_length = -1;
}

/* Not printable or too long: as if it had not come, since half a value would be another one. */
static void
keep(char out[HTTP_FIELD_SIZE], const char *p, size_t n)
{
	if (n >= HTTP_FIELD_SIZE)
		n = 0;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)p[i] < 0x20 || (unsigned char)p[i] > 0x7e)
			n = 0;
	memcpy(out, p, n);
	out[n] = '\0';
}

static void
length(struct http_answer *a, const char *p, size_t n)
{
	int64_t v = 0;

	for (size_t i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9' || v > INT64_MAX / 10 - 1)
			return;
		v = v * 10 + (p[i] - '0');
	}
	if (n > 0)
		a->content_length = v;
}

void
http_answer_line(struct http_answer *a, const char *p, size_t n)
{
	const char *colon;
	size_t name;

	while (n > 0 && (p[n - 1] == '\n' || p[n - 1] == '\r' || p[n - 1] == ' '))
		n--;
	if (n >= 5 && memcmp(p, "HTTP/", 5) == 0) {
		begin_answer(a, p, n);
		return;
	}
	colon = memchr(p, ':', n);
	if (!colon)
		return;
	name = (size_t)(colon - p);
	for (colon++; colon < p + n && (*colon == ' ' || *colon == '\t');)
		colon++;
	n -= (size_t)(colon - p);
	if (name == 14 && strncasecmp(p, "content-length", 14) == 0)
		length(a, colon, n);
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (strlen(fields[i].name) == name && strncasecmp(p, fields[i].name, name) == 0)
			keep((char *)a + fields[i].offset, colon, n);
}

/* ---- dates ---- */

static int
two_digits(const char *p)
{
	return p[0] >= '0' && p[0] <= '9' && p[1] >= '0' && p[1] <= '9'
		       ? (p[0] - '0') * 10 + (p[1] - '0')
		       : -1;
}

static int
month_of(const char *p)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	for (int m = 0; m < 12; m++)
		if (strncmp(p, names + 3 * m, 3) == 0)
			return m + 1;
	return -1;
}

/* Days since 1970-01-01, counted in years that begin in March. */
static int64_t
days_of(int64_t y, int m, int d)
{
	int64_t era, in_year;

	y -= m <= 2;
	era = y / 400;
	in_year = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return era * 146097 + (y % 400) * 365 + (y % 400) / 4 - (y % 400) / 100 + in_year - 719468;
}

static int64_t
micros(int year, int month, int day, const char *clock)
{
	int h = two_digits(clock), m = two_digits(clock + 3), s = two_digits(clock + 6);

	if (year < 1970 || month < 1 || month > 12 || day < 1 || day > 31 || h < 0 || m < 0 ||
		s < 0)
		return 0;
	return (((days_of(year, month, day) * 24 + h) * 60 + m) * 60 + s) * SEC_US;
}

int64_t
http_date(const char *text)
{
	/* "Wed, 21 Oct 2015 07:28:00 GMT" */
	if (strlen(text) != 29 || strcmp(text + 25, " GMT") != 0 || two_digits(text + 12) < 0)
		return 0;
	return micros(two_digits(text + 12) * 100 + two_digits(text + 14), month_of(text + 8),
		two_digits(text + 5), text + 17);
}

int64_t
http_iso_date(const char *text)
{
	int64_t us;
	int micro = 0, scale = 100000;

	/* "2015-10-21T07:28:00.000Z" */
	if (strlen(text) < 20 || text[10] != 'T' || two_digits(text) < 0)
		return 0;
	us = micros(two_digits(text) * 100 + two_digits(text + 2), two_digits(text + 5),
		two_digits(text + 8), text + 11);
	if (text[19] == '.')
		for (const char *p = text + 20; *p >= '0' && *p <= '9'; p++, scale /= 10)
			micro += (*p - '0') * scale;
	return us ? us + micro : 0;
}
