/*
 * opts - options from tables: command line, then environment, then default.
 */
#include "cmd/opts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/duration.h"
#include "base/suggest.h"
#include "base/term.h"

bool
opts_in(const struct opt_set *set, const struct opt *o)
{
	return !set->commands || !o->commands || (set->commands & o->commands);
}

/* ---- values ---- */

static int
opts_text(const struct opt *o, const char *value, char *field, struct err *e)
{
	size_t n = strlen(value);

	if (n >= o->size)
		return err_set(e, ERR_INVALID, "longer than %zu bytes", o->size - 1);
	memcpy(field, value, n + 1);
	return 0;
}

static int
opts_path(const struct opt *o, const char *value, char *field, struct err *e)
{
	char cwd[4096];
	size_t n;

	if (value[0] == '/' || value[0] == '\0')
		return opts_text(o, value, field, e);
	if (!getcwd(cwd, sizeof(cwd)))
		return err_sys(e, "working directory");
	while (value[0] == '.' && value[1] == '/')
		value += 2;
	if (strcmp(value, ".") == 0)
		value = "";
	n = strlen(cwd);
	if (n + 1 + strlen(value) >= o->size)
		return err_set(e, ERR_INVALID, "longer than %zu bytes", o->size - 1);
	snprintf(field, o->size, "%s%s%s", cwd, *value && n > 1 ? "/" : "", value);
	return 0;
}

static int
opts_flag(const char *value, bool *field, struct err *e)
{
	static const char *const words[] = {
		"off", "on", "false", "true", "no", "yes", "0", "1", "", ""};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcasecmp(value, words[i]) == 0) {
			*field = i % 2 && *value;
			return 0;
		}
	}
	return err_set(e, ERR_INVALID, "\"%.32s\" is neither on nor off", value);
}

static int
opts_number(const char *value, uint32_t *field, struct err *e)
{
	unsigned long v;
	char *end;

	*field = 0;
	if (!*value)
		return 0;
	errno = 0;
	v = strtoul(value, &end, 10);
	if (value[0] < '0' || value[0] > '9' || *end || errno || v > 65535)
		return err_set(e, ERR_INVALID, "\"%.32s\" is not a number from 0 to 65535", value);
	*field = (uint32_t)v;
	return 0;
}

static int
opts_choice(const struct opt *o, const char *value, void *field, struct err *e)
{
	size_t n = strlen(value);
	const char *p = o->arg;

	for (uint32_t i = 0;; i++) {
		size_t len = strcspn(p, "|");

		if (len == n && strncmp(p, value, n) == 0) {
			if (o->size == sizeof(bool))
				*(bool *)field = i != 0;
			else
				*(uint32_t *)field = i;
			return 0;
		}
		if (!p[len])
			break;
		p += len + 1;
	}
	return err_set(e, ERR_INVALID, "\"%.32s\" is none of %s", value, o->arg);
}

static int
opts_store(const struct opt *o, const char *value, void *target, struct err *e)
{
	void *field = (char *)target + o->offset;

	switch (o->kind) {
	case OPT_TEXT:
		return opts_text(o, value, field, e);
	case OPT_PATH:
		return opts_path(o, value, field, e);
	case OPT_FLAG:
		return opts_flag(value, field, e);
	case OPT_NUMBER:
		return opts_number(value, field, e);
	case OPT_SPAN:
		return duration_parse(value, field, e);
	case OPT_CHOICE:
		return opts_choice(o, value, field, e);
	}
	must(!"an option of unknown kind");
	return -1;
}

/* ---- environment and defaults ---- */

/* The first variable of "A|B" that is set and not empty, and its name. */
static const char *
opts_env(const struct opt *o, char name[64])
{
	const char *p = o->env;

	while (*p) {
		size_t n = strcspn(p, "|");
		const char *value;

		must(n < 64);
		memcpy(name, p, n);
		name[n] = '\0';
		value = getenv(name);
		if (value && *value)
			return value;
		p += n + (p[n] == '|');
	}
	return NULL;
}

static int
opts_defaults(const struct opt_set *set, void *target, struct err *e)
{
	for (size_t i = 0; i < set->n; i++) {
		const struct opt *o = &set->opt[i];
		char name[64];
		const char *value;

		if (opts_store(o, o->dflt, target, e) < 0)
			return err_add(e, "default of --%s", o->name);
		value = opts_in(set, o) ? opts_env(o, name) : NULL;
		if (value && opts_store(o, value, target, e) < 0)
			return err_add(e, "environment variable %s", name);
	}
	return 0;
}

/* ---- the command line ---- */

static const struct opt *
opts_find(const struct opt_set *set, const char *name, size_t n)
{
	for (size_t i = 0; i < set->n; i++) {
		const struct opt *o = &set->opt[i];

		if (opts_in(set, o) && strlen(o->name) == n && strncmp(o->name, name, n) == 0)
			return o;
	}
	return NULL;
}

static const struct opt *
opts_find_letter(const struct opt_set *set, char letter)
{
	for (size_t i = 0; i < set->n; i++)
		if (opts_in(set, &set->opt[i]) && set->opt[i].letter == letter)
			return &set->opt[i];
	return NULL;
}

static int
opts_unknown(const struct opt_set *set, const char *word, size_t n, struct err *e)
{
	char name[SUGGEST_MAX + 1];
	struct suggest s;

	snprintf(name, sizeof(name), "%.*s", (int)n, word);
	suggest_init(&s, name + strspn(name, "-"));
	for (size_t i = 0; i < set->n; i++)
		if (opts_in(set, &set->opt[i]))
			suggest_offer(&s, set->opt[i].name);
	suggest_offer(&s, "help");
	if (s.best)
		return err_set(
			e, ERR_INVALID, "unknown option %s; did you mean --%s?", name, s.best);
	return err_set(e, ERR_INVALID, "unknown option %s", name);
}

static bool
opts_is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* One word that begins with "-".  Returns how many words were used; 0: not ours, -1 with *e. */
static int
opts_word(const struct opt_set *set, char **argv, void *target, struct err *e)
{
	const char *word = argv[0], *value = NULL;
	size_t n = strcspn(word, "=");
	const struct opt *o;
	int used = 1;

	if (word[1] == '-')
		o = opts_find(set, word + 2, n - 2);
	else
		o = n == 2 ? opts_find_letter(set, word[1]) : NULL;
	if (!o)
		return set->pass_through ? 0 : opts_unknown(set, word, n, e);
	if (word[n] == '=')
		value = word + n + 1;
	else if (o->kind == OPT_FLAG)
		value = "on";
	else if (argv[1])
		value = argv[used++];
	else
		return err_set(e, ERR_INVALID, "--%s needs a value: %s", o->name, o->arg);
	if (opts_store(o, value, target, e) < 0)
		return err_add(e, "--%s", o->name);
	return used;
}

static bool
opts_wants_help(const struct opt_set *set, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (opts_is_help(argv[i]))
			return true;
		if (strcmp(argv[i], "--") == 0 || (set->pass_through && argv[i][0] != '-'))
			return false;
	}
	return false;
}

int
opts_parse(const struct opt_set *set, struct opt_rest *rest, void *target, struct err *e)
{
	char **argv = rest->argv;
	bool ended = false;

	rest->arg = argv + 1;
	rest->n = 0;
	rest->help = opts_wants_help(set, rest->argc, argv);
	if (rest->help)
		return 0;
	if (opts_defaults(set, target, e) < 0)
		return -1;
	for (int i = 1, used; i < rest->argc; i += used) {
		bool option = !ended && argv[i][0] == '-' && argv[i][1];

		used = 1;
		if (option && strcmp(argv[i], "--") == 0) {
			ended = true;
			continue;
		}
		used = option ? opts_word(set, argv + i, target, e) : 0;
		if (used < 0)
			return -1;
		if (used == 0) {
			used = 1;
			ended = ended || set->pass_through;
			rest->arg[rest->n++] = argv[i];
		}
	}
	return 0;
}

/* ---- help ---- */

static const char *
opts_arg(const struct opt *o)
{
	return o->kind == OPT_FLAG ? NULL : o->arg;
}

static void
opts_help_one(const struct opt *o, struct buf *out, int columns)
{
	AUTO(buf_deinit) struct buf text = {0};

	buf_puts(out, "  ");
	if (o->letter)
		buf_printf(out, "-%c, ", o->letter);
	buf_printf(out, "--%s", o->name);
	if (opts_arg(o))
		buf_printf(out, " %s", opts_arg(o));
	buf_putc(out, '\n');
	buf_puts(&text, o->help);
	if (*o->env)
		buf_printf(&text, " [$%s]", o->env);
	if (*o->dflt && o->kind != OPT_FLAG && strcmp(o->dflt, "default") != 0)
		buf_printf(&text, " (default: %s)", o->dflt);
	term_wrap(out, buf_str(&text), 8, columns);
}

void
opts_help(const struct opt_set *set, struct buf *out, int columns)
{
	for (size_t i = 0; i < set->n; i++)
		if (opts_in(set, &set->opt[i]))
			opts_help_one(&set->opt[i], out, columns);
	buf_puts(out, "  -h, --help\n");
	term_wrap(out, "this text", 8, columns);
}
