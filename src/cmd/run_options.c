/*
 * run_options - how `podgres run` comes to its options.
 *
 * Accounts are looked up in the files first: getpwnam() would load the name services of the host
 * into PID 1, which keeps them for good.
 */
#include "cmd/run_options.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/clock.h"

#define CONFIG_DEFAULT "/etc/podgres/cluster.yaml"
#define RUN_DIR_MAX 91 /* RUN_DIR/.s.PGSQL.65535 must fit into the 107 bytes of a unix socket */
#define WATCHDOG_MIN_MS 2000
#define WATCHDOG_MAX_MS 3600000

static const struct opt run_options[] = {
#define RUN_OPTION(name, kind, field, env, dflt, arg, help)        \
	{name, 0, OPT_##kind, offsetof(struct run_options, field), \
		sizeof(((struct run_options *)NULL)->field), env, dflt, arg, 0, help},
#include "tbl/run_options.h"
#undef RUN_OPTION
};

struct opt_set
run_options_set(void)
{
	return (struct opt_set){.command = "run", .opt = run_options, .n = ARRAY_LEN(run_options)};
}

/* ---- addresses ---- */

static int
run_options_port(const char *text, struct err *e)
{
	size_t n = strspn(text, "0123456789");
	int port = n > 0 && n <= 5 && !text[n] ? (int)strtol(text, NULL, 10) : 0;

	if (port < 1 || port > 65535)
		return err_set(e, ERR_INVALID, "\"%.64s\" is not a port from 1 to 65535", text);
	return 0;
}

int
run_options_listen(char *text, size_t size, bool ipv6, struct err *e)
{
	char full[160], *colon = strrchr(text, ':');
	const char *port = colon ? colon + 1 : text;
	size_t n = colon ? (size_t)(colon - text) : 0;

	if (strcmp(text, "off") == 0 || strcmp(text, "none") == 0)
		text[0] = '\0';
	if (!*text)
		return 0;
	if (run_options_port(port, e) < 0)
		return err_add(e, "\"%.64s\": expected ADDRESS:PORT, :PORT or off", text);
	if (n > 0 && memchr(text, ':', n) && (text[0] != '[' || text[n - 1] != ']'))
		return err_set(
			e, ERR_INVALID, "\"%.64s\": write an IPv6 address as [::1]:8000", text);
	if (n == 0 || (n == 1 && text[0] == '*'))
		snprintf(full, sizeof(full), "%s:%s", ipv6 ? "[::]" : "0.0.0.0", port);
	else
		snprintf(full, sizeof(full), "%s", text);
	if (strlen(full) >= size)
		return err_set(e, ERR_INVALID, "\"%.64s\" is too long", full);
	memcpy(text, full, strlen(full) + 1);
	return 0;
}

/* ---- accounts ---- */

static bool
run_options_id(const char *text, uint32_t *out)
{
	size_t n = strspn(text, "0123456789");
	unsigned long long v = n > 0 && n <= 10 && !text[n] ? strtoull(text, NULL, 10) : UINT_MAX;

	if (v >= UINT_MAX)
		return false;
	*out = (uint32_t)v;
	return true;
}

/* By name, or by number when name is NULL. */
static const struct passwd *
run_options_passwd(const char *name, uint32_t uid)
{
	FILE *f = fopen("/etc/passwd", "re");
	const struct passwd *pw = NULL;

	while (f && (pw = fgetpwent(f)))
		if (name ? strcmp(pw->pw_name, name) == 0 : pw->pw_uid == uid)
			break;
	if (f)
		fclose(f);
	return pw ? pw : name ? getpwnam(name) : NULL;
}

static int
run_options_group(const char *text, uint32_t *gid, struct err *e)
{
	FILE *f;
	const struct group *gr = NULL;

	if (run_options_id(text, gid))
		return 0;
	f = fopen("/etc/group", "re");
	while (f && (gr = fgetgrent(f)))
		if (strcmp(gr->gr_name, text) == 0)
			break;
	if (f)
		fclose(f);
	if (!gr)
		return err_set(e, ERR_CONFIG, "group %.64s does not exist", text);
	*gid = gr->gr_gid;
	return 0;
}

int
run_options_user(const char *text, struct run_options *opt, struct err *e)
{
	char name[64];
	const char *group = strchr(text, ':');
	const struct passwd *pw;
	bool number;

	snprintf(name, sizeof(name), "%.*s", group ? (int)(group - text) : 63, text);
	number = run_options_id(name, &opt->uid);
	pw = run_options_passwd(number ? NULL : name, opt->uid);
	if (!pw && !number)
		return err_set(e, ERR_CONFIG,
			"user %s does not exist; --user names another, numbers (UID:GID) are "
			"welcome",
			name);
	if (!pw && !group)
		return err_set(e, ERR_CONFIG,
			"user %s has no entry in /etc/passwd; give its group too, as UID:GID",
			name);
	if (pw) {
		opt->uid = pw->pw_uid;
		opt->gid = pw->pw_gid;
	}
	snprintf(opt->user, sizeof(opt->user), "%.63s", pw ? pw->pw_name : name);
	if (group && run_options_group(group + 1, &opt->gid, e) < 0)
		return -1;
	if (opt->uid == 0)
		return err_set(
			e, ERR_CONFIG, "postgres does not run as root; --user names another");
	return 0;
}

static int
run_options_self(struct run_options *opt)
{
	const struct passwd *pw = run_options_passwd(NULL, geteuid());

	opt->uid = geteuid();
	opt->gid = getegid();
	if (pw)
		snprintf(opt->user, sizeof(opt->user), "%.63s", pw->pw_name);
	else
		snprintf(opt->user, sizeof(opt->user), "%u", opt->uid);
	return 0;
}

/* ---- the state directory ---- */

static bool
run_options_mount_point(const char *dir)
{
	char parent[PATH_LEN + 4];
	struct stat a, b;
	struct statx st;

	if (statx(AT_FDCWD, dir, 0, 0, &st) == 0 &&
		(st.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT))
		return st.stx_attributes & STATX_ATTR_MOUNT_ROOT;
	snprintf(parent, sizeof(parent), "%s/..", dir);
	return stat(dir, &a) == 0 && stat(parent, &b) == 0 && a.st_dev != b.st_dev;
}

/* The real folder of pgdata's parent, whether pgdata is there or not, and pgdata's name in it. */
static int
run_options_split(const char *pgdata, char parent[PATH_MAX], char name[NAME_MAX + 1], struct err *e)
{
	char path[PATH_MAX], *slash;

	if (!realpath(pgdata, path)) {
		snprintf(path, sizeof(path), "%s", pgdata);
		slash = strrchr(path, '/');
		snprintf(name, NAME_MAX + 1, "%s", slash + 1);
		*slash = '\0';
		/* A parent that is not there yet has no links to follow. */
		if (!realpath(*path ? path : "/", parent))
			snprintf(parent, PATH_MAX, "%s", path);
		return 0;
	}
	slash = strrchr(path, '/');
	if (!slash[1])
		return err_set(
			e, ERR_CONFIG, "%s: the root folder cannot be a data directory", pgdata);
	snprintf(name, NAME_MAX + 1, "%s", slash + 1);
	*slash = '\0';
	snprintf(parent, PATH_MAX, "%s", path);
	return 0;
}

int
run_options_state_dir(const char *pgdata, char *out, size_t size, struct err *e)
{
	char parent[PATH_MAX], name[NAME_MAX + 1], inside[PATH_MAX + 16], beside[PATH_MAX + 300];
	const char *choice;

	must(pgdata && pgdata[0] == '/');
	if (run_options_split(pgdata, parent, name, e) < 0)
		return -1;
	snprintf(inside, sizeof(inside), "%s/.podgres", pgdata);
	snprintf(beside, sizeof(beside), "%s/.podgres-%s", parent, name);
	if (run_options_mount_point(pgdata) || access(inside, F_OK) == 0)
		choice = inside;
	else if (access(beside, F_OK) == 0 || access(*parent ? parent : "/", W_OK) == 0 ||
		 access(pgdata, F_OK) != 0)
		choice = beside;
	else
		choice = inside;
	if (strlen(choice) >= size)
		return err_set(e, ERR_CONFIG, "state directory: %.200s... is too long", choice);
	memcpy(out, choice, strlen(choice) + 1);
	return 0;
}

/* ---- all of it ---- */

/* A random UUID, version 4 (RFC 9562). */
static int
run_options_uuid(char out[40], struct err *e)
{
	unsigned char b[16];

	if (getrandom(b, sizeof(b), 0) != (ssize_t)sizeof(b))
		return err_sys(e, "random bytes");
	b[6] = (unsigned char)((b[6] & 0x0F) | 0x40);
	b[8] = (unsigned char)((b[8] & 0x3F) | 0x80);
	snprintf(out, 40, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12],
		b[13], b[14], b[15]);
	return 0;
}

static void
run_options_trim(char *path)
{
	size_t n = strlen(path);

	while (n > 1 && path[n - 1] == '/')
		path[--n] = '\0';
}

static int
run_options_check(const struct run_options *opt, struct err *e)
{
	if (strcmp(opt->pgdata, "/") == 0)
		return err_set(
			e, ERR_CONFIG, "--pgdata: the root folder cannot be a data directory");
	if (strlen(opt->run_dir) > RUN_DIR_MAX)
		return err_set(e, ERR_CONFIG,
			"--run-dir: longer than %d bytes, too long for sockets in it", RUN_DIR_MAX);
	if (opt->watchdog_ms < WATCHDOG_MIN_MS || opt->watchdog_ms > WATCHDOG_MAX_MS)
		return err_set(e, ERR_INVALID, "--watchdog: expected 2s to 1h");
	if (!*opt->tls_cert != !*opt->tls_key)
		return err_set(e, ERR_CONFIG, "--tls-cert and --tls-key need each other");
	if (*opt->tls_client_ca && !*opt->tls_cert)
		return err_set(e, ERR_CONFIG, "--tls-client-ca needs --tls-cert and --tls-key");
	return 0;
}

static int
run_options_addresses(struct run_options *opt, struct err *e)
{
	bool ipv6 = strchr(opt->pod_ip, ':');

	if (run_options_listen(opt->listen, sizeof(opt->listen), ipv6, e) < 0)
		return err_add(e, "--listen");
	if (run_options_listen(opt->metrics_listen, sizeof(opt->metrics_listen), ipv6, e) < 0)
		return err_add(e, "--metrics-listen");
	return 0;
}

int
run_options_resolve(struct run_options *opt, struct err *e)
{
	run_options_trim(opt->pgdata);
	run_options_trim(opt->run_dir);
	run_options_trim(opt->state_dir);
	if (run_options_check(opt, e) < 0 || run_options_addresses(opt, e) < 0 ||
		run_options_uuid(opt->session_id, e) < 0)
		return -1;
	if (!*opt->config && access(CONFIG_DEFAULT, F_OK) == 0)
		snprintf(opt->config, sizeof(opt->config), CONFIG_DEFAULT);
	if (!*opt->pod_name && gethostname(opt->pod_name, sizeof(opt->pod_name) - 1) < 0)
		return err_sys(e, "host name");
	if (!*opt->state_dir &&
		run_options_state_dir(opt->pgdata, opt->state_dir, sizeof(opt->state_dir), e) < 0)
		return -1;
	opt->is_init = getpid() == 1;
	snprintf(opt->started_by, sizeof(opt->started_by), "%s %d of parent %d",
		opt->is_init ? "init, pid" : "pid", (int)getpid(), (int)getppid());
	opt->started_wall_us = clock_wall_us();
	opt->started_boot_ns = clock_boot_ns();
	if (geteuid() != 0)
		return run_options_self(opt);
	return run_options_user(opt->user, opt, e);
}
