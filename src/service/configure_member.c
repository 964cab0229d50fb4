/*
 * configure_member - whom an instance of a cluster follows, as the Lease says it now.
 *
 * The holder of the Lease is the primary.  A reload that finds another holder changes
 * primary_conninfo, and a running standby turns to the new primary without a restart.
 */
#include <stdio.h>
#include <string.h>

#include "service/configure_files.h"
#include "service/member.h"
#include "sys/file.h"

#define MAX_CONF_BYTES (4 << 20)

static bool
follows(const struct elector_status *el)
{
	return el->role == ELECTOR_FOLLOW && *el->holder_address &&
	       strcmp(el->holder, el->identity) != 0;
}

/* Without TLS nobody could show a certificate, and nobody would get in. */
static int
check_tls(const struct configure *c, const struct member_access *a, struct err *e)
{
	if (!a->cert || (c->in.ssl_cert && c->in.ssl_ca && *c->in.ssl_ca))
		return 0;
	return err_set(e, ERR_CONFIG,
		"%.200s has a certificate for replication, but postgres has no TLS with a CA for "
		"clients: set --tls-cert, --tls-key and --tls-client-ca, or put the key "
		"\"password\" there instead",
		a->secret);
}

/* Before the elector knows anything, what stands there stays. */
static void
keep_names(struct configure *c)
{
	AUTO(conf_settings_deinit) struct conf_settings s = {0};
	char path[FILE_PATH_MAX];
	struct err e;

	if (file_join(path, sizeof(path), c->in.pgdata, CONF_OWNED_FILE, &e) == 0 &&
		conf_load(&s, path, &e) == 0)
		snprintf(c->sync_names, sizeof(c->sync_names), "%s",
			conf_settings_value(&s, "synchronous_standby_names", ""));
}

/* Who acknowledges must be known to who elects. */
static void
warn_alone(struct configure *c)
{
	if (c->spec->sync.number > 0)
		configure_warn(c->plan,
			"synchronous replication is off: it needs the members to know each other, "
			"set --coordination kubernetes");
}

/* The rest of the line says why, and stays as it is. */
static int
replace_names(struct buf *out, const struct buf *text, const char *names, struct err *e)
{
	static const char head[] = "\nsynchronous_standby_names = '";
	const char *at = strstr(buf_str(text), head),
		   *end = at ? strchr(at + strlen(head), '\'') : NULL;

	if (!end)
		return err_set(e, ERR_NOTFOUND, "no synchronous_standby_names in " CONF_OWNED_FILE);
	buf_put(out, buf_str(text), (size_t)(at - buf_str(text)) + strlen(head));
	buf_puts(out, names);
	buf_puts(out, end);
	return buf_check(out, e);
}

int
configure_sync(struct job *j, struct err *e)
{
	AUTO(free) struct elector_status *el = calloc(1, sizeof(*el));
	AUTO(buf_deinit) struct buf was = {0}, now = {0};
	char path[FILE_PATH_MAX];

	if (!el)
		return err_sys(e, "configure");
	shared_read(j->board, SEC_ELECTOR, el);
	if (!member_on(j->opt) || !el->known)
		return 0;
	if (file_join(path, sizeof(path), j->opt->pgdata, CONF_OWNED_FILE, e) < 0 ||
		file_read(&was, path, MAX_CONF_BYTES, e) < 0 ||
		replace_names(&now, &was, el->sync_names, e) < 0)
		return -1;
	if (strcmp(buf_str(&was), buf_str(&now)) == 0)
		return 0;
	return file_write(path, buf_str(&now), now.len, 0600, e);
}

int
configure_member(struct configure *c, struct err *e)
{
	const struct run_options *opt = c->job->opt;
	AUTO(free) struct elector_status *el = NULL;
	struct member_access a;
	struct member_target to = {.access = &a, .application = opt->pod_name};

	el = calloc(1, sizeof(*el));
	if (!el)
		return err_sys(e, "configure");
	if (c->job->board)
		shared_read(c->job->board, SEC_ELECTOR, el);
	if (!member_is(opt, el)) {
		warn_alone(c);
		return 0;
	}
	if (el->driven)
		warn_alone(c);
	if (member_access(&a, opt, c->spec->name, e) < 0 || check_tls(c, &a, e) < 0)
		return -1;
	c->in.coordinated = true;
	c->in.driven = el->driven;
	c->hba.member_role = MEMBER_ROLE;
	c->hba.member_cert = a.cert;
	if (c->in.standby && follows(el)) {
		to.host = el->holder_address;
		to.port = el->holder_port ? el->holder_port : c->in.port;
		member_conninfo(&c->primary, &to);
		member_slot_name(opt->pod_name, c->slot);
	}
	if (el->known)
		snprintf(c->sync_names, sizeof(c->sync_names), "%s", el->sync_names);
	else
		keep_names(c);
	c->in.sync_names = c->sync_names;
	c->in.primary = buf_str(&c->primary);
	c->in.slot = c->slot;
	return buf_check(&c->primary, e);
}
