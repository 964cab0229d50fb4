/*
 * The exit codes of every command; each kind of error (err_kinds.h) ends with one of them.
 *
 * EXIT_CODE(code, sentence)
 */
EXIT_CODE(0, "done; of run: stopped on request, and postgres shut down cleanly")
EXIT_CODE(1, "postgres or a job failed")
EXIT_CODE(64, "usage: an unknown command or option, a value that cannot be")
EXIT_CODE(65, "data failed a check")
EXIT_CODE(66, "the named thing does not exist")
EXIT_CODE(69, "the other side is not there, or this version does not do it yet; of run: postgres stopped cleanly, and WAL is left that did not reach the archive")
EXIT_CODE(70, "the operating system refused, or a bug of podgres")
EXIT_CODE(75, "not allowed in the present state, or not now: try again")
EXIT_CODE(77, "refused: no right to do so")
EXIT_CODE(78, "the configuration or the data directory does not allow it")
