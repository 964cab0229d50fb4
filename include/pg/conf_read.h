/*
 * conf_read - PostgreSQL's configuration file format: read, quoted, edited as text.
 *
 * The format is the PostgreSQL manual's, section 20.1.2, as guc-file.l reads it: names without
 * regard to case, an optional "=", values bare or in single quotes with '' and backslash escapes,
 * the last setting of a name wins.  Pure but for conf_load().
 */
#pragma once

#include "base/buf.h"

#define CONF_USER_FILE "podgres.user.conf"
#define CONF_OWNED_FILE "podgres.conf"

struct conf_setting {
	char *name;
	char *value;
	char *file; /* where it stands, as given */
	int line;
};

struct conf_settings { /* in the order read; owns its strings */
	struct conf_setting *item;
	size_t n, cap;
};

void conf_settings_deinit(struct conf_settings *s); /* idempotent */
static inline void
conf_settings_deinit_auto(struct conf_settings *s)
{
	conf_settings_deinit(s);
}
int conf_settings_add(
	struct conf_settings *s, const struct conf_setting *copied, struct err *e) MUSTCHECK;
/* The one in force, or NULL.  s may be NULL. */
const struct conf_setting *conf_settings_get(const struct conf_settings *s, const char *name);
/* Its value, or fallback. */
const char *conf_settings_value(
	const struct conf_settings *s, const char *name, const char *fallback);

struct conf_text {
	const char *text;
	size_t len;
	const char *file; /* for messages and for relative includes */
};

/* Called for include, include_if_exists and include_dir: at->name is the directive. */
typedef int conf_include_fn(void *arg, const struct conf_setting *at, struct err *e);

/* Appends what t sets.  include NULL: those directives are passed over.
 * A line PostgreSQL would not take is ERR_CONFIG "FILE:LINE: ...". */
int conf_parse(struct conf_settings *s, const struct conf_text *t, conf_include_fn *include,
	void *arg, struct err *e) MUSTCHECK;
/* Reads path and what it includes, but for podgres' own two files.  ERR_NOTFOUND: no such file. */
int conf_load(struct conf_settings *s, const char *path, struct err *e) MUSTCHECK;

/* 'value', so that PostgreSQL reads the very same bytes. */
void conf_quote(struct buf *out, const char *value);
/* True for what the file format takes as a name: letters first, at most one dot. */
bool conf_name_ok(const char *name);

/* postgresql.conf with the two include lines at its end, exactly once, everything else as it was.
 * user_file and owned_file are what the lines name. */
int conf_main_render(struct buf *out, const struct conf_text *t, const char *user_file,
	const char *owned_file, struct err *e) MUSTCHECK;
/* postgresql.auto.conf without the settings `owned` has: it is read after everything else and
 * would win.  What was left out goes to dropped. */
int conf_auto_render(struct buf *out, const struct conf_text *t, const struct conf_settings *owned,
	struct conf_settings *dropped, struct err *e) MUSTCHECK;
