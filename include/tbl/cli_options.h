/*
 * The options of every other command.
 *
 * CLI_OPTION(name, letter, kind, field, env, default, argument, commands, help)
 *   letter    of the short form, 0 for none
 *   field     of struct cli_args
 *   commands  who takes it: ON(name) | ON(name), see include/cmd/cmd.h
 * The rest as in run_options.h.
 */
CLI_OPTION("run-dir", 0, PATH, run_dir, "PODGRES_RUN_DIR", "/run/podgres", "DIR",
	ON(STATUS) | ON(PSQL) | ON_ORDERS, "the run directory of the manager to ask")
CLI_OPTION("json", 0, FLAG, json, "", "", "", ON(STATUS) | ON(VERSION) | ON(CHECK) | ON_ORDERS,
	"print JSON instead of text")
CLI_OPTION("verbose", 'v', FLAG, verbose, "", "", "", ON(STATUS) | ON(CHECK),
	"everything there is: services, settings, slots, log lines; of check: notes as well")
CLI_OPTION("no-wait", 0, FLAG, no_wait, "", "", "", ON_ORDERS,
	"print the id of the operation and return at once")
CLI_OPTION("timeout", 0, SPAN, timeout_ms, "", "0", "DURATION", ON(STATUS) | ON_ORDERS,
	"how long to wait; 0: 5s for status, 5m for orders")
CLI_OPTION("mode", 0, CHOICE, mode, "", "default", "default|smart|fast|immediate",
	ON(FENCE) | ON(RESTART), "how postgres is stopped; a fence knows fast and immediate")
CLI_OPTION("reason", 0, TEXT, reason, "", "", "TEXT", ON(FENCE),
	"why, for whoever reads the status")
