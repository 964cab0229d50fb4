/*
 * cmd_order - promote, switchover, fence, restart, reload, pause, reinit: what was asked, as an
 * order.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "cmd/cmd.h"
#include "cmd/order_watch.h"
#include "core/order.h"

#define ORDER_TIMEOUT_MS (300 * SEC_MS)
#define REINIT_TIMEOUT_MS (7 * 86400 * SEC_MS) /* as long as there is something to copy */

/* ---- what was asked ---- */

/* "on" or "off" for those that take it.  Returns the kind of the order, -1 with *e. */
static int
order_kind(const char *name, const struct opt_rest *rest, struct err *e)
{
	static const struct {
		const char *name, *word;
		enum order_kind kind;
	} orders[] = {
		{"promote", NULL, ORDER_PROMOTE},
		{"reinit", NULL, ORDER_REINIT},
		{"restart", NULL, ORDER_RESTART},
		{"reload", NULL, ORDER_RELOAD},
		{"fence", "on", ORDER_FENCE},
		{"fence", "off", ORDER_UNFENCE},
		{"pause", "on", ORDER_PAUSE},
		{"pause", "off", ORDER_RESUME},
	};
	bool takes_word = false;

	if (strcmp(name, "switchover") == 0 && rest->n <= 1)
		return ORDER_SWITCHOVER;
	if (strcmp(name, "follow") == 0 && rest->n == 1)
		return ORDER_FOLLOW;

	for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
		if (strcmp(orders[i].name, name) != 0)
			continue;
		takes_word = orders[i].word;
		if (rest->n == takes_word &&
			(!takes_word || strcmp(orders[i].word, rest->arg[0]) == 0))
			return (int)orders[i].kind;
	}
	if (takes_word)
		return err_set(e, ERR_INVALID, "expected \"%s on\" or \"%s off\"", name, name);
	return err_set(e, ERR_INVALID, "unexpected argument %.64s", rest->arg[0]);
}

static int
order_body(const struct cli_args *args, enum order_kind kind, const char *member, char **out,
	struct err *e)
{
	static const char *const modes[] = {NULL, "smart", "fast", "immediate"};
	AUTO(buf_deinit) struct buf b = {0};
	struct json j;

	if (kind == ORDER_FENCE && args->mode == ORDER_MODE_SMART)
		return err_set(e, ERR_INVALID,
			"a fence does not wait for clients: --mode fast or immediate");
	if (args->force != (*args->accept_loss != '\0'))
		return err_set(e, ERR_INVALID,
			"--force and --accept-data-loss=BYTES go together, or not at all");
	json_init(&j, &b);
	json_obj(&j);
	if (args->force) {
		json_kbool(&j, "force", true);
		json_kstr(&j, "acceptDataLoss", args->accept_loss);
	}
	if (modes[args->mode])
		json_kstr(&j, "mode", modes[args->mode]);
	if (*args->reason)
		json_kstr(&j, "reason", args->reason);
	if (kind == ORDER_SWITCHOVER && *member)
		json_kstr(&j, "target", member);
	if (kind == ORDER_FOLLOW)
		json_kstr(&j, "primary", member);
	if (*args->token)
		json_kstr(&j, "token", args->token);
	json_end_obj(&j);
	if (buf_check(&b, e) < 0)
		return -1;
	*out = buf_take(&b);
	return 0;
}

/* ---- the command ---- */

int
cmd_order(int argc, char **argv)
{
	AUTO(free) char *body = NULL;
	struct cli_args args;
	struct opt_rest rest;
	struct err e = {0};
	struct order_watch w = {.args = &args, .name = argv[0], .timeout_ms = ORDER_TIMEOUT_MS};
	int rc = 0, kind;

	if (command_begin(argc, argv, &args, &rest, &rc) < 0)
		return rc;
	kind = order_kind(argv[0], &rest, &e);
	w.word = rest.n ? rest.arg[0] : "";
	if (kind < 0 || order_body(&args, (enum order_kind)kind, w.word, &body, &e) < 0) {
		char hint[96];

		snprintf(hint, sizeof(hint), PROGRAM " %s --help says how", argv[0]);
		return command_fail(argv[0], &e, hint);
	}
	if (kind == ORDER_REINIT)
		w.timeout_ms = REINIT_TIMEOUT_MS;
	w.path = order_path((enum order_kind)kind);
	w.body = body;
	return order_watch_run(&w);
}
