/*
 * metric_pattern - names of databases by pattern, as Go's path.Match reads them.
 */
#include <string.h>

#include "core/metric_yaml.h"

/* One class "[a-z]"; *p stands behind '['.  Returns what follows it, NULL: it never ends. */
static const char *
match_class(const char *p, unsigned char c, bool *in)
{
	bool no = *p == '^', first = true;

	*in = false;
	p += no;
	for (; *p && (*p != ']' || first); first = false) {
		unsigned char low, high;

		p += *p == '\\' && p[1];
		low = high = (unsigned char)*p++;
		if (*p == '-' && p[1] && p[1] != ']') {
			p++;
			p += *p == '\\' && p[1];
			high = (unsigned char)*p++;
		}
		*in = *in || (low <= c && c <= high);
	}
	*in = *in != no;
	return *p ? p + 1 : NULL;
}

/* One element of the pattern that is no star against one character. */
static const char *
match_one(const char *p, char c)
{
	bool in;

	if (*p == '?')
		return p + 1;
	if (*p == '[') {
		p = match_class(p + 1, (unsigned char)c, &in);
		return in ? p : NULL;
	}
	p += *p == '\\' && p[1];
	return *p == c ? p + 1 : NULL;
}

/* Back to the last star, one character further, whenever nothing else fits: never worse than the
 * product of both lengths. */
bool
metric_pattern(const char *pattern, const char *name)
{
	const char *star = NULL, *from = NULL, *next;

	while (*name) {
		if (*pattern == '*') {
			star = ++pattern;
			from = name;
			continue;
		}
		next = *pattern ? match_one(pattern, *name) : NULL;
		if (next) {
			pattern = next;
			name++;
		} else if (star) {
			pattern = star;
			name = ++from;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}
