/*
 * cmd_docs - `podgres docs`: the parts of the manual that come from tables.
 *
 * man1 is roff for podgres(1): commands, options, environment, exit codes, errors, states, routes;
 * man5 for podgres.yaml(5): the fields of a manifest; man7 for podgres-metrics(7).
 * names is one name a line, with its kind, for scripts/check-docs.
 */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "cmd/cmd.h"
#include "cmd/docs_metrics.h"
#include "cmd/help_manifest.h"
#include "cmd/roff.h"
#include "core/fsm.h"

static void
roff_option(struct buf *out, const struct opt *o)
{
	char name[80];

	if (o->letter)
		snprintf(name, sizeof(name), "-%c, --%s", o->letter, o->name);
	else
		snprintf(name, sizeof(name), "--%s", o->name);
	roff_term(out, name, o->arg);
	roff_sentence(out, o->help);
	if (*o->env) {
		buf_puts(out, "Environment: \\fB");
		roff_text(out, o->env);
		buf_puts(out, "\\fR.\n");
	}
	if (*o->dflt && o->kind != OPT_FLAG && strcmp(o->dflt, "default") != 0) {
		buf_puts(out, "Default: ");
		roff_text(out, o->dflt);
		buf_puts(out, ".\n");
	}
}

static void
man_commands(struct buf *out)
{
	roff_head(out, "COMMANDS");
	for (size_t i = 0; i < COMMANDS; i++) {
		const struct command *c = &commands[i];

		if (c->group == GROUP_HIDDEN)
			continue;
		roff_term(out, c->name, c->usage);
		roff_sentence(out, c->summary);
		if (c->missing)
			buf_puts(out, "Not in this version: it exits 69.\n");
	}
	buf_puts(out, ".PP\nEvery command has \\fB\\-\\-help\\fR.\n");
}

/* Who takes an option: "status, promote". */
static void
man_takers(struct buf *out, const struct opt *o)
{
	const char *comma = "";

	buf_puts(out, "Of");
	for (size_t i = 0; i < COMMANDS; i++) {
		if (!(o->commands & (UINT64_C(1) << i)))
			continue;
		buf_printf(out, "%s \\fB%s\\fR", comma, commands[i].name);
		comma = ",";
	}
	buf_puts(out, ".\n");
}

static void
man_options(struct buf *out)
{
	struct opt_set set = command_options(CMD_STATUS);

	roff_head(out, "OPTIONS OF OTHER COMMANDS");
	for (size_t i = 0; i < set.n; i++) {
		roff_option(out, &set.opt[i]);
		man_takers(out, &set.opt[i]);
	}
}

static void
man_run(struct buf *out)
{
	struct opt_set set = command_options(CMD_RUN);

	roff_head(out, "OPTIONS OF RUN");
	for (size_t i = 0; i < set.n; i++)
		roff_option(out, &set.opt[i]);
}

static void
man_environment(struct buf *out)
{
	struct opt_set set = command_options(CMD_RUN);
	char name[80];

	roff_head(out, "ENVIRONMENT");
	for (size_t i = 0; i < set.n; i++) {
		const struct opt *o = &set.opt[i];

		if (!*o->env)
			continue;
		roff_term(out, o->env, NULL);
		snprintf(name, sizeof(name), "--%s", o->name);
		buf_puts(out, "as \\fB");
		roff_text(out, name);
		buf_puts(out, "\\fR\n");
	}
#define VARIABLE(name, sentence)    \
	roff_term(out, name, NULL); \
	roff_line(out, sentence);
#include "tbl/variables.h"
#undef VARIABLE
}

static void
man_exit_codes(struct buf *out)
{
	static const struct {
		int code;
		const char *text;
	} codes[] = {
#define EXIT_CODE(code, sentence) {code, sentence},
#include "tbl/exit_codes.h"
#undef EXIT_CODE
	};
	char code[8];

	roff_head(out, "EXIT STATUS");
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		snprintf(code, sizeof(code), "%d", codes[i].code);
		roff_term(out, code, NULL);
		roff_line(out, codes[i].text);
	}
}

static void
man_errors(struct buf *out)
{
	char rest[64];

	roff_head(out, "ERRORS");
	buf_puts(out,
		"An error over HTTP is {\"error\":{\"kind\",\"message\",\"hint\"}}; the kind says "
		"what may be done about it.\n");
#define KIND(name, retry, http, exit, meaning)                                                     \
	snprintf(                                                                                  \
		rest, sizeof(rest), "HTTP %d, exit %d%s", http, exit, retry ? ", try again" : ""); \
	roff_term(out, #name, rest);                                                               \
	roff_line(out, meaning);
#include "tbl/err_kinds.h"
#undef KIND
}

static void
man_states(struct buf *out)
{
	roff_head(out, "STATES");
	buf_puts(out, "The whole table of states and events: \\fBpodgres help states\\fR.\n");
	for (int i = 0; i < FSM_STATES; i++) {
		roff_term(out, fsm_state_text((enum fsm_state)i), NULL);
		roff_line(out, fsm_state_sentence((enum fsm_state)i));
	}
}

static void
man_routes(struct buf *out)
{
	roff_head(out, "HTTP");
	buf_puts(out,
		"Served on \\fB\\-\\-listen\\fR and on the unix socket \\fIcontrol.sock\\fR of the "
		"run "
		"directory; /metrics on \\fB\\-\\-metrics\\-listen\\fR.  POST and DELETE need the "
		"unix socket (root or the user that postgres runs as), a certificate of "
		"\\fB\\-\\-tls\\-client\\-ca\\fR or the token of \\fB\\-\\-token\\-file\\fR.\n");
#define ROUTE(path, methods, handler, auth, on, sentence) \
	roff_term(out, path, #methods);                   \
	roff_line(out, sentence);
#include "tbl/routes.h"
#undef ROUTE
}

static void
docs_man1(struct buf *out)
{
	man_commands(out);
	man_run(out);
	man_options(out);
	man_environment(out);
	man_exit_codes(out);
	man_errors(out);
	man_states(out);
	man_routes(out);
}

/* ---- names ---- */

static void
names_of_environment(struct buf *out, const char *env)
{
	while (*env) {
		size_t n = strcspn(env, "|");

		buf_printf(out, "variable %.*s\n", (int)n, env);
		env += n + (env[n] == '|');
	}
}

static void
docs_names(struct buf *out)
{
	for (size_t i = 0; i < COMMANDS; i++) {
		struct opt_set set = command_options((enum command_id)i);

		if (commands[i].group == GROUP_HIDDEN)
			continue;
		buf_printf(out, "command %s\n", commands[i].name);
		for (size_t k = 0; k < set.n; k++) {
			if (!opts_in(&set, &set.opt[k]) || commands[i].missing)
				continue;
			buf_printf(out, "option --%s\n", set.opt[k].name);
			names_of_environment(out, set.opt[k].env);
		}
	}
#define VARIABLE(name, sentence) buf_puts(out, "variable " name "\n");
#include "tbl/variables.h"
#undef VARIABLE
#define EXIT_CODE(code, sentence) buf_puts(out, "exit " #code "\n");
#include "tbl/exit_codes.h"
#undef EXIT_CODE
#define KIND(name, retry, http, exit, meaning) buf_puts(out, "kind " #name "\n");
#include "tbl/err_kinds.h"
#undef KIND
#define ROUTE(path, methods, handler, auth, on, sentence) buf_puts(out, "route " path "\n");
#include "tbl/routes.h"
#undef ROUTE
	for (int i = 0; i < FSM_STATES; i++)
		buf_printf(out, "state %s\n", fsm_state_text((enum fsm_state)i));
}

int
cmd_docs(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*print)(struct buf *out);
	} sections[] = {{"man1", docs_man1}, {"man5", help_manifest_man},
		{"man7", docs_metrics_man}, {"names", docs_names}};
	AUTO(buf_deinit) struct buf out = {0};
	struct err e = {0};

	for (size_t i = 0; argc == 2 && i < ARRAY_LEN(sections); i++) {
		if (strcmp(argv[1], sections[i].name) == 0) {
			sections[i].print(&out);
			return command_print("docs", &out);
		}
	}
	err_set(&e, ERR_INVALID, "expected man1, man5, man7 or names");
	return command_fail("docs", &e, NULL);
}
