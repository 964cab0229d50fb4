/*
 * suggest - the name somebody probably meant.
 */
#include "base/suggest.h"

#include <limits.h>
#include <string.h>
#include <strings.h>

#include "base/defs.h"

/* ctype without a locale. */
static unsigned char
suggest_lower(char c)
{
	return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

static unsigned
suggest_min(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

unsigned
suggest_cost(const char *a, const char *b)
{
	unsigned row[3][SUGGEST_MAX + 1] = {{0}};
	size_t na = strlen(a), nb = strlen(b);

	if (na > SUGGEST_MAX || nb > SUGGEST_MAX)
		return UINT_MAX;
	for (size_t j = 0; j <= nb; j++)
		row[0][j] = (unsigned)j;
	for (size_t i = 1; i <= na; i++) {
		unsigned *now = row[i % 3], *up = row[(i - 1) % 3], *upper = row[(i + 1) % 3];

		now[0] = (unsigned)i;
		for (size_t j = 1; j <= nb; j++) {
			unsigned char ca = suggest_lower(a[i - 1]), cb = suggest_lower(b[j - 1]);

			now[j] = suggest_min(
				suggest_min(up[j], now[j - 1]) + 1, up[j - 1] + (ca != cb));
			if (i > 1 && j > 1 && ca == suggest_lower(b[j - 2]) &&
				suggest_lower(a[i - 2]) == cb)
				now[j] = suggest_min(now[j], upper[j - 2] + 1);
		}
	}
	return row[na % 3][nb];
}

void
suggest_init(struct suggest *s, const char *word)
{
	*s = (struct suggest){.word = word, .cost = UINT_MAX};
}

static unsigned
suggest_rate(const char *word, const char *name)
{
	size_t n = strlen(word), len = strlen(name);
	unsigned cost = suggest_cost(word, name);
	size_t near = len < 6 ? 1 + (len > 3) : len / 3;

	if (cost <= near && cost < len)
		return cost;
	/* An abbreviation is near, but any slip of the pen is nearer. */
	if (n >= 3 && n < len && strncasecmp(word, name, n) == 0)
		return 100 + (unsigned)(len - n);
	return UINT_MAX;
}

void
suggest_offer(struct suggest *s, const char *name)
{
	unsigned cost = suggest_rate(s->word, name);

	if (cost < s->cost) {
		s->cost = cost;
		s->best = name;
	}
}

const char *
suggest_nearest(const char *word, const char *const *names, size_t n)
{
	struct suggest s;

	suggest_init(&s, word);
	for (size_t i = 0; i < n; i++)
		suggest_offer(&s, names[i]);
	return s.best;
}
