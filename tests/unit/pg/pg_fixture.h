/*
 * pg_fixture - a real PostgreSQL for a unit test, made in a folder of its own and removed with it.
 *
 * PODGRES_TEST_PG names another bin folder than the newest installed one.  Without PostgreSQL the
 * test fails: it does not pretend.
 */
#pragma once

#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/defs.h"

struct pg {
	char bin[256];
	char dir[64];
	char data[96];
	int major;
	pid_t pid;
};

static inline void
pg_fail(const char *what)
{
	fail_msg("%s", what);
	abort();
}

static inline void
pg_find(struct pg *pg)
{
	const char *given = getenv("PODGRES_TEST_PG");
	glob_t g = {0};
	char path[300], line[128] = "";
	FILE *f;

	if (given)
		snprintf(pg->bin, sizeof(pg->bin), "%s", given);
	else if (glob("/usr/lib/postgresql/*/bin", 0, NULL, &g) == 0)
		snprintf(pg->bin, sizeof(pg->bin), "%s", g.gl_pathv[g.gl_pathc - 1]);
	globfree(&g);
	snprintf(path, sizeof(path), "%s/postgres", pg->bin);
	if (access(path, X_OK) != 0)
		pg_fail("no PostgreSQL here: install it or set PODGRES_TEST_PG");
	snprintf(path, sizeof(path), "%s/PG_VERSION", pg->data);
	f = fopen(path, "re");
	if (f && fgets(line, sizeof(line), f))
		pg->major = (int)strtol(line, NULL, 10);
	if (f)
		fclose(f);
}

/* Runs argv as the user of PostgreSQL when we are root; output to log. */
static inline pid_t
pg_spawn(const struct pg *pg, const char *const *argv)
{
	const char *full[32] = {"setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups",
		"--pdeathsig=KILL"};
	size_t n = getuid() == 0 ? 5 : 0;
	char log[96];
	pid_t pid;

	for (size_t i = 0; argv[i] && n < ARRAY_LEN(full) - 1; i++)
		full[n++] = argv[i];
	full[n] = NULL;
	snprintf(log, sizeof(log), "%s/log", pg->dir);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		if (!freopen("/dev/null", "r", stdin) || !freopen(log, "a", stdout) ||
			dup2(1, 2) < 0 || chdir(pg->dir) < 0)
			_exit(126);
		execvp(full[0], (char *const *)(uintptr_t)full);
		_exit(127);
	}
	return pid;
}

static inline int
pg_run(const struct pg *pg, const char *const *argv)
{
	int status = -1;
	pid_t pid = pg_spawn(pg, argv);

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static inline void
pg_conf(const struct pg *pg, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/postgresql.conf", pg->data);
	f = fopen(path, "ae");
	if (!f || fputs(text, f) < 0 || fclose(f) != 0)
		pg_fail("cannot write postgresql.conf");
}

static inline void
pg_init(struct pg *pg)
{
	char initdb[300], conf[300];

	memset(pg, 0, sizeof(*pg));
	pg_find(pg);
	snprintf(pg->dir, sizeof(pg->dir), "/tmp/podgres-unit-XXXXXX");
	if (!mkdtemp(pg->dir) || chmod(pg->dir, 0777) < 0)
		pg_fail("cannot make a folder");
	snprintf(pg->data, sizeof(pg->data), "%s/data", pg->dir);
	snprintf(initdb, sizeof(initdb), "%s/initdb", pg->bin);
	if (pg_run(pg, (const char *const[]){initdb, "-D", pg->data, "-U", "postgres", "-A",
			       "trust", "--no-sync", "--no-locale", "-E", "UTF8", NULL}) != 0)
		pg_fail("initdb failed");
	pg_find(pg);
	snprintf(conf, sizeof(conf),
		"listen_addresses=''\nport=5432\nunix_socket_directories='%s'\nfsync=off\n"
		"shared_buffers=1MB\nmax_connections=12\nautovacuum=off\n",
		pg->dir);
	pg_conf(pg, conf);
}

static inline void
pg_start(struct pg *pg)
{
	char postgres[300];

	snprintf(postgres, sizeof(postgres), "%s/postgres", pg->bin);
	pg->pid = pg_spawn(pg, (const char *const[]){postgres, "-D", pg->data, NULL});
	if (pg->pid <= 0)
		pg_fail("postgres was not started");
}

static inline void
pg_stop(struct pg *pg, int sig)
{
	if (pg->pid <= 0)
		return;
	kill(pg->pid, sig);
	waitpid(pg->pid, NULL, 0);
	pg->pid = 0;
}

static inline void
pg_remove(struct pg *pg)
{
	pg_stop(pg, SIGQUIT);
	if (pg->dir[0])
		pg_run(pg, (const char *const[]){"rm", "-rf", pg->dir, NULL});
	rmdir(pg->dir); /* ours, not the other user's */
	pg->dir[0] = '\0';
}
