/*
 * hba_line - split a line of pg_hba.conf or pg_ident.conf into its words.
 *
 * The rules are those of next_token() in PostgreSQL's hba.c: blanks end a field, commas join words
 * within one, double quotes take away every special meaning, "" inside them is one quote.
 */
#include "pg/hba.h"

#include <string.h>

struct cursor {
	const char *p;
	char *out;
};

static bool
blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Copies one word.  Returns 1 when a comma follows it at once, 0 when not, -1: no closing quote. */
static int
word(struct cursor *c, bool *quoted)
{
	bool in_quote = false, was_quote = false;
	char *start = c->out;

	*quoted = false;
	for (; *c->p && (in_quote || !blank(*c->p)); c->p++) {
		if (!in_quote && *c->p == '#')
			break;
		if (!in_quote && *c->p == ',')
			return 1;
		if (*c->p != '"' || was_quote)
			*c->out++ = *c->p;
		was_quote = in_quote && *c->p == '"' && !was_quote;
		if (*c->p == '"') {
			in_quote = !in_quote;
			*quoted = *quoted || c->out == start;
		}
	}
	return in_quote ? -1 : 0;
}

static int
bad_byte(const char *line, struct buf *why)
{
	for (const char *p = line; *p; p++)
		if ((unsigned char)*p < 0x20 && *p != '\t') {
			buf_printf(why,
				"byte %zu is a control character, expected one line of text",
				(size_t)(p - line) + 1);
			return -1;
		}
	return 0;
}

static int
add_word(struct hba_line *l, struct cursor *c, bool *more, struct buf *why)
{
	struct hba_token *t = &l->token[l->n];
	int rc;

	if (l->n == HBA_TOKENS) {
		buf_printf(why, "more than %d words", HBA_TOKENS);
		return -1;
	}
	t->text = c->out;
	t->field = l->fields;
	rc = word(c, &t->quoted);
	if (rc < 0) {
		buf_puts(why, "a double quote is not closed");
		return -1;
	}
	*c->out++ = '\0';
	l->n++;
	*more = rc == 1;
	return 0;
}

int
hba_split(struct hba_line *out, const char *line, struct buf *why)
{
	struct cursor c = {.p = line};
	bool more = false;

	*out = (struct hba_line){.store = malloc(2 * strlen(line) + 2)};
	c.out = out->store;
	if (!c.out) {
		buf_puts(why, "out of memory");
		return -1;
	}
	if (bad_byte(line, why))
		return -1;
	for (;;) {
		while (blank(*c.p) || *c.p == ',')
			c.p++;
		if (!*c.p || *c.p == '#')
			break;
		if (add_word(out, &c, &more, why))
			return -1;
		out->fields += !more;
	}
	out->fields += more;
	return 0;
}

void
hba_line_deinit(struct hba_line *l)
{
	free(l->store);
	l->store = NULL;
	l->n = l->fields = 0;
}

const struct hba_token *
hba_field(const struct hba_line *l, int field, int *count)
{
	const struct hba_token *first = NULL;

	*count = 0;
	for (int i = 0; i < l->n; i++)
		if (l->token[i].field == field) {
			first = first ? first : &l->token[i];
			++*count;
		}
	return first;
}
