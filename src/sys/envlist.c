/*
 * envlist - the environment of a program about to be started.
 */
#include "sys/envlist.h"

#include <stdio.h>
#include <string.h>

static int
envlist_add(struct envlist *l, char *item, struct err *e)
{
	char **more = item ? realloc(l->item, (l->n + 2) * sizeof(*more)) : NULL;

	if (!more) {
		free(item);
		return err_sys(e, "environment");
	}
	more[l->n++] = item;
	more[l->n] = NULL;
	l->item = more;
	return 0;
}

static int
envlist_take(struct envlist *l, char *const *from, struct err *e)
{
	*l = (struct envlist){0};
	for (; from && *from; from++)
		if (envlist_add(l, strdup(*from), e) < 0) {
			envlist_deinit(l);
			return -1;
		}
	return 0;
}

int
envlist_init(struct envlist *l, struct err *e)
{
	return envlist_take(l, environ, e);
}

int
envlist_copy(struct envlist *to, const struct envlist *from, struct err *e)
{
	return envlist_take(to, from->item, e);
}

void
envlist_deinit(struct envlist *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->item[i]);
	free(l->item);
	*l = (struct envlist){0};
}

static bool
envlist_is(const char *item, const char *name)
{
	size_t n = strlen(name);

	return strncmp(item, name, n) == 0 && item[n] == '=';
}

void
envlist_drop(struct envlist *l, const char *name)
{
	size_t to = 0;

	for (size_t i = 0; i < l->n; i++) {
		if (envlist_is(l->item[i], name))
			free(l->item[i]);
		else
			l->item[to++] = l->item[i];
	}
	l->n = to;
	if (l->item)
		l->item[to] = NULL;
}

int
envlist_set(struct envlist *l, const char *name, const char *value, struct err *e)
{
	char *item;

	envlist_drop(l, name);
	if (asprintf(&item, "%s=%s", name, value) < 0)
		item = NULL;
	return envlist_add(l, item, e);
}

const char *
envlist_get(const struct envlist *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (envlist_is(l->item[i], name))
			return l->item[i] + strlen(name) + 1;
	return NULL;
}
