/*
 * cmd_run - `podgres run`: options in, supervisor on.
 */
#include "cmd/cmd.h"
#include "cmd/run_options.h"
#include "service/supervisor.h"

/* Zeroed, because all of it goes on the board. */
static struct run_options *
cmd_run_options_new(void)
{
	struct run_options *opt = calloc(1, sizeof(*opt));

	must(opt);
	return opt;
}

int
cmd_run(int argc, char **argv)
{
	AUTO(free) struct run_options *opt = cmd_run_options_new();
	struct opt_set set = run_options_set();
	struct opt_rest rest = {.argc = argc, .argv = argv};
	struct err e = {0};

	if (opts_parse(&set, &rest, opt, &e) < 0)
		return command_fail("run", &e, "podgres run --help lists the options");
	if (rest.help)
		return command_print_help(CMD_RUN);
	if (rest.n > 0) {
		err_set(&e, ERR_INVALID, "unexpected argument %.64s", rest.arg[0]);
		return command_fail("run", &e, "podgres run --help lists the options");
	}
	if (run_options_resolve(opt, &e) < 0)
		return command_fail("run", &e, NULL);
	return supervisor_main(opt);
}
