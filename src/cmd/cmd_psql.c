/*
 * cmd_psql - `podgres psql`: psql on this instance's socket, whatever state the manager is in.
 *
 * What cannot be asked is found: the port is in the name of postgres' socket, the account that may
 * use it is the owner of the run directory.
 */
#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd/cmd.h"
#include "cmd/reply.h"

#define PSQL_ASK_MS 1000

/* The first ".s.PGSQL.PORT" in dir; "" when there is none. */
static void
psql_port(const char *dir, char out[8])
{
	static const char prefix[] = ".s.PGSQL.";
	DIR *d = opendir(dir);
	struct dirent *de;

	out[0] = '\0';
	while (d && !*out && (de = readdir(d))) {
		const char *port = de->d_name + strlen(prefix);

		if (strncmp(de->d_name, prefix, strlen(prefix)) == 0 && strlen(port) < 6 &&
			strspn(port, "0123456789") == strlen(port))
			snprintf(out, 8, "%.5s", port);
	}
	if (d)
		closedir(d);
}

/* psql gives up a folder it could not come back to, and says so: root's own is closed to others. */
static int
psql_stand(struct err *e)
{
	AUTO(free) char *here = get_current_dir_name();

	if ((!here || chdir(here) < 0) && chdir("/") < 0)
		return err_sys(e, "/");
	return 0;
}

/* The run folder may be a mount of root's; the socket in it is always the server's. */
static int
psql_become(const char *dir, struct err *e)
{
	char control[1100];
	const struct passwd *pw;
	struct stat st;
	gid_t gid;

	snprintf(control, sizeof(control), "%s/control.sock", dir);
	if (stat(control, &st) < 0 && stat(dir, &st) < 0)
		return err_raise(e, errno == EACCES ? ERR_DENIED : ERR_REMOTE, errno, ERR_HERE,
			"%s: %s", dir, strerrordesc_np(errno));
	if (geteuid() != 0 || st.st_uid == 0)
		return 0;
	gid = st.st_gid;
	if (setgroups(1, &gid) < 0 || setgid(gid) < 0 || setuid(st.st_uid) < 0)
		return err_sys(e, "becoming user %u", (unsigned)st.st_uid);
	pw = getpwuid(st.st_uid);
	setenv("HOME", pw ? pw->pw_dir : "/", 1);
	return psql_stand(e);
}

/* The manager knows best, when it can be asked; what the caller has set stays. */
static void
psql_environment(const struct cli_args *args, char path[1024])
{
	struct ctl_call call = {.method = "GET", .target = "/pg/status", .timeout_ms = PSQL_ASK_MS};
	AUTO(reply_deinit) struct reply r = {0};
	struct err e = {0};
	const char *user = "", *bindir = getenv("PODGRES_BINDIR");
	char port[8];

	psql_port(args->run_dir, port);
	if (reply_ask(&call, args, &r, &e) == 0) {
		user = reply_str(r.json, "postgres.superuser");
		if (*reply_str(r.json, "postgres.bindir"))
			bindir = reply_str(r.json, "postgres.bindir");
	}
	setenv("PGHOST", args->run_dir, 0);
	if (*port)
		setenv("PGPORT", port, 0);
	setenv("PGUSER", *user ? user : "postgres", 0);
	setenv("PGDATABASE", "postgres", 0);
	path[0] = '\0';
	if (bindir && *bindir)
		snprintf(path, 1024, "%s/psql", bindir);
	if (!*path || access(path, X_OK) < 0)
		snprintf(path, 1024, "psql");
}

int
cmd_psql(int argc, char **argv)
{
	struct cli_args args;
	struct opt_rest rest;
	struct err e = {0};
	char path[1024], name[] = "psql";
	char **words;
	int rc = 0;

	if (command_begin(argc, argv, &args, &rest, &rc) < 0)
		return rc;
	psql_environment(&args, path);
	if (psql_become(args.run_dir, &e) < 0)
		return command_fail("psql", &e, reply_hint(&e));
	words = calloc((size_t)rest.n + 2, sizeof(*words));
	must(words);
	words[0] = name;
	for (int i = 0; i < rest.n; i++)
		words[i + 1] = rest.arg[i];
	execvp(path, words);
	free(words);
	err_raise(&e, ERR_REMOTE, errno, ERR_HERE, "%s: %s", path, strerrordesc_np(errno));
	return command_fail(
		"psql", &e, "install postgresql-client, or name its folder by PODGRES_BINDIR");
}
