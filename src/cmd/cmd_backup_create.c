/*
 * cmd_backup_create - `podgres backup create`: orders a base backup and watches it.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/json.h"
#include "cmd/cmd.h"
#include "cmd/order_watch.h"
#include "core/order.h"

#define CREATE_TIMEOUT_MS (7 * 24 * 3600 * SEC_MS)

int
cmd_backup_create(const struct cli_args *args, const struct opt_rest *rest)
{
	static const char *const keeps[] = {"", "full", "standalone"};
	AUTO(buf_deinit) struct buf body = {0};
	struct order_watch w = {.args = args,
		.name = "backup",
		.word = "create",
		.path = order_path(ORDER_BACKUP),
		.timeout_ms = CREATE_TIMEOUT_MS};
	struct err e = {0};
	struct json j;

	if (rest->n > 1) {
		err_set(&e, ERR_INVALID, "unexpected argument %.64s", rest->arg[1]);
		return command_fail("backup create", &e, PROGRAM " backup --help says how");
	}
	json_init(&j, &body);
	json_obj(&j);
	if (*args->name)
		json_kstr(&j, "name", args->name);
	if (args->immediate)
		json_kstr(&j, "immediate", "true");
	if (args->incremental)
		json_kstr(&j, "incremental", "true");
	if (*args->rate)
		json_kstr(&j, "rate", args->rate);
	if (args->keep < ARRAY_LEN(keeps) && *keeps[args->keep])
		json_kstr(&j, "keep", keeps[args->keep]);
	json_end_obj(&j);
	if (buf_check(&body, &e) < 0)
		return command_fail("backup create", &e, NULL);
	w.body = body.data;
	return order_watch_run(&w);
}
