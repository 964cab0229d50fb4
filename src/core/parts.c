/*
 * parts - the WAL of a segment that is not whole yet, as numbered objects: pure.
 */
#include "core/parts.h"

#include <stdio.h>
#include <stdlib.h>

const char *
part_name(const struct part *p, char out[PART_NAME_SIZE])
{
	snprintf(out, PART_NAME_SIZE, "%012llX-%08X-%08X", (unsigned long long)p->run, p->from,
		p->to);
	return out;
}

/* Exactly n upper case digits; NULL when there are fewer. */
static const char *
hex_at(const char *s, int n, uint64_t *out)
{
	uint64_t v = 0;

	for (int i = 0; i < n; i++, s++) {
		if (*s >= '0' && *s <= '9')
			v = v << 4 | (uint64_t)(*s - '0');
		else if (*s >= 'A' && *s <= 'F')
			v = v << 4 | (uint64_t)(*s - 'A' + 10);
		else
			return NULL;
	}
	*out = v;
	return s;
}

bool
part_parse(const char *name, struct part *out)
{
	uint64_t run, from, to;
	const char *s = hex_at(name, 12, &run);

	s = s && *s == '-' ? hex_at(s + 1, 8, &from) : NULL;
	s = s && *s == '-' ? hex_at(s + 1, 8, &to) : NULL;
	if (!s || (*s && *s != '.') || from >= to)
		return false;
	*out = (struct part){
		.run = run, .from = (uint32_t)from, .to = (uint32_t)to, .extension = s};
	return true;
}

/* Newest run first; within it by position, the longer first. */
static int
by_run(const void *a, const void *b)
{
	const struct part *x = a, *y = b;

	if (x->run != y->run)
		return x->run > y->run ? -1 : 1;
	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	return x->to == y->to ? 0 : x->to > y->to ? -1 : 1;
}

size_t
parts_chain(struct part *part, size_t n)
{
	size_t first, count = 0;
	uint32_t at = 0;

	qsort(part, n, sizeof(*part), by_run);
	for (first = 0; first < n && part[first].from != 0; first++)
		;
	for (size_t i = first; i < n && part[i].run == part[first].run; i++) {
		if (part[i].from != at)
			continue;
		at = part[i].to;
		part[count++] = part[i];
	}
	return count;
}
