/*
 * exec_postgres - the last step before postgres: become its user, set its OOM score, exec.
 */
#pragma once

/* `podgres service postgres`: returns only on failure, with the exit code. */
int exec_postgres_main(void);
