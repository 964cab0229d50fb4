/*
 * reply - what the manager answered, for the commands that ask it.
 */
#include "cmd/reply.h"

#include <stdio.h>
#include <string.h>

static const char *const kinds[] = {
#define KIND(name, retry, http, exit, meaning) [ERR_##name] = #name,
#include "tbl/err_kinds.h"
#undef KIND
};

void
reply_deinit(struct reply *r)
{
	cJSON_Delete(r->json);
	r->json = NULL;
	buf_deinit(&r->body);
}

int
reply_ask(
	const struct ctl_call *call, const struct cli_args *args, struct reply *out, struct err *e)
{
	char path[sizeof(args->run_dir) + 16];
	struct ctl_call full = *call;
	struct ctl_answer a;

	*out = (struct reply){0};
	snprintf(path, sizeof(path), "%s/control.sock", args->run_dir);
	full.socket = path;
	if (ctl_call(&full, &a, e) < 0) {
		ctl_answer_deinit(&a);
		return -1;
	}
	out->status = a.status;
	out->body = a.body;
	out->json = cJSON_ParseWithLength(buf_str(&a.body), a.body.len);
	if (!out->json && out->status < 300) {
		err_set(e, ERR_REMOTE, "%s %s: the manager's answer is not JSON", call->method,
			call->target);
		return -1;
	}
	return 0;
}

int
reply_follow(
	const struct ctl_call *call, const struct cli_args *args, struct reply *out, struct err *e)
{
	char path[sizeof(args->run_dir) + 16];
	struct ctl_call full = *call;
	struct ctl_answer a;
	int rc;

	snprintf(path, sizeof(path), "%s/control.sock", args->run_dir);
	full.socket = path;
	rc = ctl_stream(&full, out->fn, out->arg, &a, e);
	out->status = a.status;
	out->body = a.body;
	out->json = cJSON_ParseWithLength(buf_str(&a.body), a.body.len);
	return rc;
}

int
reply_error(const cJSON *error, struct err *e, const char **hint)
{
	const char *kind = reply_str(error, "kind"), *message = reply_str(error, "message");
	enum err_kind found = ERR_REMOTE;

	for (size_t i = 1; i < ARRAY_LEN(kinds); i++)
		if (strcmp(kind, kinds[i]) == 0)
			found = (enum err_kind)i;
	*hint = reply_str(error, "hint");
	return err_set(e, found, "%s", *message ? message : "the manager did not say why");
}

const char *
reply_hint(const struct err *e)
{
	switch (e->kind) {
	case ERR_REMOTE:
		return "is podgres running here? --run-dir or PODGRES_RUN_DIR names its run "
		       "directory";
	case ERR_DENIED:
		return "only root and the user that postgres runs as may talk to the manager";
	case ERR_TIMEOUT:
		return "--timeout gives it longer; the log says what it is doing";
	default:
		return "";
	}
}

const cJSON *
reply_at(const cJSON *obj, const char *path)
{
	char name[64];

	while (obj) {
		size_t n = strcspn(path, ".");

		must(n < sizeof(name));
		memcpy(name, path, n);
		name[n] = '\0';
		obj = cJSON_GetObjectItemCaseSensitive(obj, name);
		if (!path[n])
			break;
		path += n + 1;
	}
	return obj;
}

const char *
reply_str(const cJSON *obj, const char *path)
{
	const cJSON *v = reply_at(obj, path);

	return cJSON_IsString(v) ? v->valuestring : "";
}

double
reply_num(const cJSON *obj, const char *path, double otherwise)
{
	const cJSON *v = reply_at(obj, path);

	return cJSON_IsNumber(v) ? v->valuedouble : otherwise;
}

bool
reply_true(const cJSON *obj, const char *path)
{
	return cJSON_IsTrue(reply_at(obj, path));
}
