/*
 * logrec_csv - read csvlog, and what pgaudit writes into a message.
 *
 * Both are RFC 4180: commas, double quotes that are doubled inside quotes.  A line is looked
 * through to its end before the first byte of it is changed.
 */
#include "core/logrec.h"

#include <string.h>

#define LOGREC_CSV_MIN 23     /* before backend_type came */
#define LOGREC_CSV_CUT_MIN 14 /* a cut line must reach its message */

struct logrec_csv {
	char *at;
	char *end;
	bool cut;
	struct logrec_text *out; /* still quoted inside; max of them */
	bool quoted[LOGREC_KEYS];
	size_t n, max;
};

/* A field in quotes; at stands behind the first one. */
static bool
logrec_csv_quoted(struct logrec_csv *c)
{
	char *from = c->at;

	for (;;) {
		char *q = memchr(c->at, '"', (size_t)(c->end - c->at));

		if (!q && !c->cut)
			return false;
		if (q && q + 1 < c->end && q[1] == '"') {
			c->at = q + 2;
			continue;
		}
		c->out[c->n] = (struct logrec_text){from, (size_t)((q ? q : c->end) - from)};
		c->quoted[c->n] = true;
		c->at = q ? q + 1 : c->end;
		return c->at == c->end || *c->at == ',';
	}
}

static bool
logrec_csv_field(struct logrec_csv *c)
{
	char *comma;

	if (c->n == c->max)
		return false;
	if (c->at < c->end && *c->at == '"') {
		c->at++;
		if (!logrec_csv_quoted(c))
			return false;
	} else {
		comma = memchr(c->at, ',', (size_t)(c->end - c->at));
		comma = comma ? comma : c->end;
		c->out[c->n] = (struct logrec_text){c->at, (size_t)(comma - c->at)};
		c->quoted[c->n] = false;
		c->at = comma;
	}
	c->n++;
	return true;
}

/* Splits all of it; false when it is not CSV or has more than max fields. */
static bool
logrec_csv_split(struct logrec_csv *c)
{
	for (;;) {
		if (!logrec_csv_field(c))
			return false;
		if (c->at == c->end)
			return true;
		c->at++; /* the comma */
	}
}

/* Doubled quotes become one, in place. */
static void
logrec_csv_unquote(struct logrec_text *t)
{
	char *p = t->at, *end = t->at + t->len, *to = t->at;

	for (;;) {
		char *q = memchr(p, '"', (size_t)(end - p));
		size_t run = (size_t)((q ? q + 1 : end) - p);

		memmove(to, p, run);
		to += run;
		if (!q || q + 2 > end)
			break;
		p = q + 2;
	}
	t->len = (size_t)(to - t->at);
}

static void
logrec_csv_decode(struct logrec_csv *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->quoted[i])
			logrec_csv_unquote(&c->out[i]);
}

/* "AUDIT: SESSION,1,1,READ,SELECT,TABLE,public.t,select 1,<not logged>[,rows]" */
bool
logrec_audit(struct logrec *r)
{
	static const char begin[] = "AUDIT: ";
	struct logrec_text *m = &r->field[LOGREC_MESSAGE];
	struct logrec_csv c = {.out = r->audit, .max = LOGREC_AUDIT_FIELDS, .cut = r->cut};

	if (m->len < sizeof(begin) - 1 || memcmp(m->at, begin, sizeof(begin) - 1) != 0)
		return false;
	c.at = m->at + sizeof(begin) - 1;
	c.end = m->at + m->len;
	if (!logrec_csv_split(&c) || (c.n < LOGREC_AUDIT_FIELDS - 1 && !r->cut)) {
		memset(r->audit, 0, sizeof(r->audit));
		return false;
	}
	logrec_csv_decode(&c);
	*m = (struct logrec_text){0};
	return true;
}

bool
logrec_csv(struct logrec *r, char *line, size_t n, bool cut)
{
	struct logrec_csv c = {.at = line, .end = line + n, .cut = cut, .max = LOGREC_FIELDS};

	*r = (struct logrec){.cut = cut};
	c.out = r->field;
	if (n == 0 || line[0] < '0' || line[0] > '9' || !logrec_csv_split(&c))
		return false;
	if (c.n < (cut ? LOGREC_CSV_CUT_MIN : LOGREC_CSV_MIN))
		return false;
	if (r->field[LOGREC_ERROR_SEVERITY].len == 0)
		return false;
	logrec_csv_decode(&c);
	r->audited = logrec_audit(r);
	return true;
}
