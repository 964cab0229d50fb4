/*
 * envlist - the environment of a program about to be started.
 */
#pragma once

#include <stddef.h>

#include "base/err.h"

struct envlist {
	char **item; /* "NAME=value", NULL at the end; owned */
	size_t n;
};

int envlist_init(struct envlist *l, struct err *e) MUSTCHECK; /* a copy of ours */
void envlist_deinit(struct envlist *l);                       /* idempotent */
static inline void
envlist_deinit_auto(struct envlist *l)
{
	envlist_deinit(l);
}
int envlist_copy(struct envlist *to, const struct envlist *from, struct err *e) MUSTCHECK;
int envlist_set(struct envlist *l, const char *name, const char *value, struct err *e) MUSTCHECK;
void envlist_drop(struct envlist *l, const char *name);
const char *envlist_get(const struct envlist *l, const char *name); /* NULL: not set */
