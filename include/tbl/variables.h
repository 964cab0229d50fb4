/*
 * Environment variables that no option stands for: those of Docker's official postgres image.
 *
 * VARIABLE(name, sentence)
 */
VARIABLE("POSTGRES_USER", "first start: the superuser that initdb makes, default postgres")
VARIABLE("POSTGRES_PASSWORD", "first start: its password; never logged")
VARIABLE("POSTGRES_DB", "first start: a database to create, default the superuser's name")
VARIABLE("POSTGRES_INITDB_ARGS", "first start: further arguments of initdb")
VARIABLE("POSTGRES_HOST_AUTH_METHOD", "first start: how the network logs in, default scram-sha-256")
VARIABLE("POSTGRES_USER_FILE", "a file that holds POSTGRES_USER")
VARIABLE("POSTGRES_PASSWORD_FILE", "a file that holds POSTGRES_PASSWORD")
VARIABLE("POSTGRES_DB_FILE", "a file that holds POSTGRES_DB")
VARIABLE("POSTGRES_INITDB_ARGS_FILE", "a file that holds POSTGRES_INITDB_ARGS")
VARIABLE("NO_COLOR", "set and not empty: no colour, not even on a terminal")
VARIABLE("COLUMNS", "width of the text when stdout is no terminal, default 80")
