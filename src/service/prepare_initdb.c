/*
 * prepare_initdb - the run of initdb.
 *
 * Process: the job `prepare`.  Ours comes first, the manifest's options and POSTGRES_INITDB_ARGS
 * after it, so that with initdb's own rule (the last one counts) the user's wins.
 */
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "service/prepare_init.h"

/* ---- words ---- */

static int
words_take(struct words *w, char *word, struct err *e)
{
	char **more = word ? realloc(w->item, (w->n + 2) * sizeof(*more)) : NULL;

	if (!more) {
		free(word);
		return err_sys(e, "arguments");
	}
	more[w->n++] = word;
	more[w->n] = NULL;
	w->item = more;
	return 0;
}

int
words_add(struct words *w, const char *word, struct err *e)
{
	return words_take(w, strdup(word), e);
}

int
words_addf(struct words *w, struct err *e, const char *fmt, ...)
{
	va_list ap;
	char *word;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&word, fmt, ap);
	va_end(ap);
	return words_take(w, n < 0 ? NULL : word, e);
}

void
words_deinit(struct words *w)
{
	for (size_t i = 0; i < w->n; i++)
		free(w->item[i]);
	free(w->item);
	*w = (struct words){0};
}

/* One character of a word; *quote is the quote we are in, 0 for none.  Returns what was used up. */
static size_t
words_char(const char *at, char *quote, struct buf *word)
{
	if (*quote == '\'' && *at != '\'') {
		buf_putc(word, *at);
		return 1;
	}
	if (*at == '\\' && at[1]) {
		if (*quote == '"' && at[1] != '"' && at[1] != '\\')
			buf_putc(word, '\\');
		buf_putc(word, at[1]);
		return 2;
	}
	if (*quote ? *at == *quote : (*at == '\'' || *at == '"')) {
		*quote = *quote ? 0 : *at;
		return 1;
	}
	buf_putc(word, *at);
	return 1;
}

int
words_split(struct words *w, const char *text, struct err *e)
{
	const char *at = text;

	for (;;) {
		AUTO(buf_deinit) struct buf word = {0};
		char quote = 0;

		at += strspn(at, " \t\r\n");
		if (!*at)
			return 0;
		buf_puts(&word, "");
		while (*at && (quote || !strchr(" \t\r\n", *at)))
			at += words_char(at, &quote, &word);
		if (quote)
			return err_set(e, ERR_CONFIG, "a quote is not closed in: %.200s", text);
		if (buf_check(&word, e) < 0 || words_add(w, buf_str(&word), e) < 0)
			return -1;
	}
}

/* ---- arguments ---- */

/* Without any locale in the environment initdb takes C and then SQL_ASCII, which nobody wants. */
static bool
initdb_env_has_locale(void)
{
	static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *v = getenv(names[i]); // NOLINT(concurrency-mt-unsafe): one thread

		if (v && *v)
			return strcmp(v, "C") != 0 && strcmp(v, "POSIX") != 0;
	}
	return false;
}

static bool
initdb_locale_exists(const char *name)
{
	locale_t l = newlocale(LC_ALL_MASK, name, (locale_t)0);

	if (l == (locale_t)0)
		return false;
	freelocale(l);
	return true;
}

static int
initdb_optional(struct words *w, const char *option, const char *value, struct err *e)
{
	return *value ? words_addf(w, e, "--%s=%s", option, value) : 0;
}

/* CloudNativePG: UTF8 and C unless the manifest says otherwise. */
static int
initdb_manifest_locale(struct words *w, const struct spec_initdb *i, struct err *e)
{
	bool said = *i->locale || *i->locale_provider;
	const char *fallback = said ? "" : "C";

	if (initdb_optional(w, "encoding", *i->encoding ? i->encoding : "UTF8", e) < 0 ||
		initdb_optional(w, "locale", i->locale, e) < 0 ||
		initdb_optional(w, "lc-collate", *i->locale_collate ? i->locale_collate : fallback,
			e) < 0 ||
		initdb_optional(w, "lc-ctype", *i->locale_ctype ? i->locale_ctype : fallback, e) <
			0)
		return -1;
	if (initdb_optional(w, "locale-provider", i->locale_provider, e) < 0 ||
		initdb_optional(w, "icu-locale", i->icu_locale, e) < 0 ||
		initdb_optional(w, "icu-rules", i->icu_rules, e) < 0)
		return -1;
	return initdb_optional(w, "builtin-locale", i->builtin_locale, e);
}

static int
initdb_locale(struct words *w, const struct init *in, struct err *e)
{
	if (in->wish.by_manifest)
		return initdb_manifest_locale(w, &in->p->spec->initdb, e);
	if (initdb_env_has_locale())
		return 0;
	return words_add(w, "--encoding=UTF8", e) < 0 ||
			       words_addf(w, e, "--locale=%s",
				       initdb_locale_exists("C.UTF-8") ? "C.UTF-8" : "C") < 0
		       ? -1
		       : 0;
}

static int
initdb_checksums(struct words *w, const struct init *in, struct err *e)
{
	if (in->p->spec->initdb.data_checksums != SPEC_FALSE)
		return words_add(w, "--data-checksums", e);
	return in->bin.major >= 18 ? words_add(w, "--no-data-checksums", e) : 0;
}

static int
initdb_ours(struct words *w, const struct init *in, struct err *e)
{
	char program[FILE_PATH_MAX];

	if (bindir_program(&in->bin, "initdb", program, e) < 0 || words_add(w, program, e) < 0)
		return -1;
	if (words_addf(w, e, "--pgdata=%s", in->place.data) < 0 ||
		words_addf(w, e, "--username=%s", in->wish.superuser) < 0 ||
		words_add(w, "--auth-local=peer", e) < 0 ||
		words_add(w, "--auth-host=scram-sha-256", e) < 0 ||
		words_add(w, "--no-sync", e) < 0)
		return -1;
	return initdb_checksums(w, in, e) < 0 || initdb_locale(w, in, e) < 0 ? -1 : 0;
}

static int
initdb_arguments(struct words *w, const struct init *in, struct err *e)
{
	const struct spec_initdb *i = &in->p->spec->initdb;

	if (initdb_ours(w, in, e) < 0)
		return -1;
	if (i->wal_segment_mb && words_addf(w, e, "--wal-segsize=%d", i->wal_segment_mb) < 0)
		return -1;
	if (*in->p->opt->waldir &&
		words_addf(w, e, "--waldir=%s/" PGDATA_OURS, in->p->opt->waldir) < 0)
		return -1;
	for (size_t n = 0; n < i->options.n; n++)
		if (words_add(w, i->options.item[n].text, e) < 0)
			return -1;
	return words_split(w, in->wish.initdb_args, e);
}

int
initdb_run(struct init *in, struct err *e)
{
	AUTO(words_deinit) struct words w = {0};
	struct spawn_spec spec = {.name = "initdb",
		.envp = (const char *const *)in->env.item,
		.no_huge_pages = true,
		.on_line = init_line,
		.on_tick = init_tick,
		.arg = in};

	if (initdb_arguments(&w, in, e) < 0)
		return -1;
	spec.argv = (const char *const *)w.item;
	job_phase(in->p->j, "initdb", -1);
	if (spawn_run(&spec, NULL, e) == 0)
		return 0;
	if (e->kind == ERR_FAILED && strstr(e->msg, "No space left"))
		e->kind = ERR_SPACE;
	return -1;
}
