/*
 * memberctl - the jobs of a member of a cluster by hand, with a board that says what it is told.
 *
 *	memberctl top=FOLDER pod=NAME role=lead|follow|wait [name=value]... JOB...
 *
 * FOLDER has data, run, .state and secrets.  Further: bindir config waldir cert key ca port
 * cluster holder address system timeline members=A,B.  Jobs, in that order, on one board that
 *FOLDER/plan keeps for the next run: prepare, configure, members.  At the end one JSON object on
 *stdout; exit status by kind of error.
 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "service/service.h"
#include "service/shared.h"
#include "sys/file.h"

struct control_of {
	struct run_options opt;
	struct elector_status el;
	struct plan plan;
	struct job job;
	char plan_file[PATH_LEN + 8];
};

static void
place(struct control_of *c, const char *top)
{
	const struct {
		char *to;
		const char *name;
	} row[] = {{c->opt.pgdata, "data"}, {c->opt.run_dir, "run"}, {c->opt.state_dir, ".state"},
		{c->opt.secrets_dir, "secrets"}};

	for (size_t i = 0; i < ARRAY_LEN(row); i++)
		snprintf(row[i].to, PATH_LEN, "%s/%s", top, row[i].name);
	snprintf(c->plan_file, sizeof(c->plan_file), "%s/plan", top);
}

static void
add_members(struct elector_status *el, const char *names)
{
	for (const char *at = names; *at && el->members < ELECTOR_MEMBERS;) {
		size_t n = strcspn(at, ",");

		snprintf(el->member[el->members++].name, sizeof(el->member[0].name), "%.*s", (int)n,
			at);
		at += n + (at[n] == ',');
	}
}

static bool
set_text(struct control_of *c, const char *name, const char *value)
{
	const struct {
		const char *name;
		char *to;
		size_t size;
	} row[] = {{"bindir", c->opt.bindir, PATH_LEN}, {"config", c->opt.config, PATH_LEN},
		{"waldir", c->opt.waldir, PATH_LEN}, {"cert", c->opt.tls_cert, PATH_LEN},
		{"key", c->opt.tls_key, PATH_LEN}, {"ca", c->opt.tls_client_ca, PATH_LEN},
		{"pod", c->opt.pod_name, sizeof(c->opt.pod_name)},
		{"cluster", c->opt.cluster_name, sizeof(c->opt.cluster_name)},
		{"holder", c->el.holder_name, sizeof(c->el.holder_name)},
		{"address", c->el.holder_address, sizeof(c->el.holder_address)}};

	for (size_t i = 0; i < ARRAY_LEN(row); i++)
		if (strcmp(row[i].name, name) == 0) {
			snprintf(row[i].to, row[i].size, "%s", value);
			return true;
		}
	return false;
}

static void
set_role(struct elector_status *el, const char *role)
{
	el->role = strcmp(role, "lead") == 0     ? ELECTOR_LEAD
		   : strcmp(role, "follow") == 0 ? ELECTOR_FOLLOW
						 : ELECTOR_WAIT;
	el->known = true;
}

static bool
set_option(struct control_of *c, const char *arg)
{
	const char *value = strchr(arg, '=');
	char name[32];

	if (!value)
		return false;
	snprintf(name, sizeof(name), "%.*s", (int)(value - arg), arg);
	value++;
	if (set_text(c, name, value))
		return true;
	if (strcmp(name, "top") == 0)
		place(c, value);
	else if (strcmp(name, "role") == 0)
		set_role(&c->el, value);
	else if (strcmp(name, "members") == 0)
		add_members(&c->el, value);
	else if (strcmp(name, "port") == 0)
		c->opt.port = (uint32_t)strtoul(value, NULL, 10);
	else if (strcmp(name, "system") == 0)
		c->el.system_id = strtoull(value, NULL, 10);
	else if (strcmp(name, "timeline") == 0)
		c->el.timeline = (uint32_t)strtoul(value, NULL, 10);
	else
		return false;
	return true;
}

static int
board_fill(struct control_of *c, struct err *e)
{
	AUTO(buf_deinit) struct buf old = {0};

	if (board_create(&c->job.board, shared_sizes, SECTIONS, e) < 0)
		return -1;
	snprintf(c->el.holder, sizeof(c->el.holder), "%.60s/uid/1", c->el.holder_name);
	snprintf(c->el.identity, sizeof(c->el.identity), "%.60s/uid/1", c->opt.pod_name);
	shared_write(c->job.board, SEC_ELECTOR, &c->el);
	if (file_read(&old, c->plan_file, sizeof(c->plan), e) == 0 && old.len == sizeof(c->plan))
		board_write(c->job.board, SEC_PLAN, old.data, old.len);
	return 0;
}

static int
run_one(struct control_of *c, const char *name, struct err *e)
{
	static const struct {
		const char *name;
		enum job_id id;
		int (*run)(struct job *j, struct err *e);
	} jobs[] = {{"prepare", JOB_PREPARE, job_prepare_main},
		{"configure", JOB_CONFIGURE, job_configure_main},
		{"members", JOB_MEMBERS, job_members_main}};

	c->job.opt = &c->opt;
	c->job.report = (struct job_report){0};
	for (size_t i = 0; i < ARRAY_LEN(jobs); i++)
		if (strcmp(jobs[i].name, name) == 0) {
			c->job.id = jobs[i].id;
			return jobs[i].run(&c->job, e);
		}
	return err_set(e, ERR_INVALID, "no job \"%s\"", name);
}

static void
report(struct control_of *c, const struct err *e)
{
	AUTO(buf_deinit) struct buf out = {0};
	struct json j;

	json_init(&j, &out);
	json_obj(&j);
	json_kstr(&j, "kind", err_name(e->kind));
	json_kstr(&j, "error", e->kind ? e->msg : "");
	json_kstr(&j, "hint", c->job.report.hint);
	json_kstr(&j, "result", c->job.report.result);
	json_kbool(&j, "standby", c->plan.standby);
	json_kbool(&j, "initialised", c->plan.initialised);
	json_kint(&j, "timeline", c->plan.timeline);
	json_key(&j, "system");
	json_uint(&j, c->plan.system_id);
	json_kstr(&j, "config_error", c->plan.config_error);
	json_karr(&j, "warnings");
	for (uint32_t i = 0; i < c->plan.warnings && i < PLAN_WARNINGS; i++)
		json_str(&j, c->plan.warning[i]);
	json_end_arr(&j);
	json_end_obj(&j);
	puts(buf_str(&out));
}

int
main(int argc, char **argv)
{
	AUTO(free) struct control_of *c = calloc(1, sizeof(*c));
	struct err e = {0};
	int at = 1, rc;

	if (!c)
		return 70;
	c->opt.coordination = COORDINATION_KUBERNETES;
	c->opt.keep_old_ms = 600000;
	while (at < argc && set_option(c, argv[at]))
		at++;
	rc = board_fill(c, &e);
	for (; rc == 0 && at < argc; at++)
		rc = run_one(c, argv[at], &e);
	shared_read(c->job.board, SEC_PLAN, &c->plan);
	if (rc == 0)
		e.kind = ERR_NONE;
	if (rc == 0 && file_write(c->plan_file, &c->plan, sizeof(c->plan), 0600, &e) < 0)
		rc = -1;
	report(c, &e);
	board_free(c->job.board);
	return rc ? err_exit(&e) : 0;
}
