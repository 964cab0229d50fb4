/*
 * suggest - the name somebody probably meant.
 *
 * Offer every known name, then ask for the best.  Letters of another case cost nothing, a letter
 * too few, too many, wrong or swapped with its neighbour costs one (optimal string alignment).  A
 * name is near when it costs at most a third of its length; one that the word begins counts too.
 */
#pragma once

#include <stddef.h>

#define SUGGEST_MAX 96 /* longer words and names are never near */

struct suggest {
	const char *word; /* borrowed */
	const char *best; /* of those offered, borrowed; NULL: none is near */
	unsigned cost;
};

void suggest_init(struct suggest *s, const char *word);
void suggest_offer(struct suggest *s, const char *name);
/* The nearest of n names, NULL when none is near. */
const char *suggest_nearest(const char *word, const char *const *names, size_t n);
/* Letters to change to get from a to b; UINT_MAX when one is longer than SUGGEST_MAX. */
unsigned suggest_cost(const char *a, const char *b);
