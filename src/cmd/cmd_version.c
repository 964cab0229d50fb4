/*
 * cmd_version - `podgres version`.
 */
#include <stdio.h>
#include <sys/utsname.h>

#include "base/json.h"
#include "cmd/cmd.h"

int
cmd_version(int argc, char **argv)
{
	char name[] = "version", *as_version[] = {name, NULL};
	AUTO(buf_deinit) struct buf out = {0};
	struct utsname host = {0};
	struct cli_args args;
	struct opt_rest rest;
	struct json j;
	int rc = 0;

	/* Also called as --version. */
	if (argv[0][0] == '-') {
		argv = as_version;
		argc = 1;
	}
	if (command_begin(argc, argv, &args, &rest, &rc) < 0)
		return rc;
	uname(&host);
	if (args.json) {
		json_init(&j, &out);
		json_obj(&j);
		json_kstr(&j, "version", PODGRES_VERSION);
		json_kstr(&j, "arch", host.machine);
		json_kstr(&j, "compiler", __VERSION__);
		json_end_obj(&j);
		buf_putc(&out, '\n');
	} else {
		buf_printf(&out, PROGRAM " %s (%s)\n", PODGRES_VERSION, host.machine);
	}
	return command_print(argv[0], &out);
}
