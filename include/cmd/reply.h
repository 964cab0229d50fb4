/*
 * reply - what the manager answered, for the commands that ask it.
 */
#pragma once

#include <cJSON.h>

#include "cmd/cmd.h"
#include "net/ctl.h"

DEFINE_AUTO(cJSON *, cJSON_Delete)

struct reply {
	int status;  /* HTTP */
	cJSON *json; /* NULL when the body is empty or not JSON */
	struct buf body;
	ctl_piece_fn *fn; /* of reply_follow() */
	void *arg;
};

void reply_deinit(struct reply *r);
static inline void
reply_deinit_auto(struct reply *r)
{
	reply_deinit(r);
}

/* METHOD TARGET on args->run_dir/control.sock.  A status of 400 and above is a success here. */
int reply_ask(const struct ctl_call *call, const struct cli_args *args, struct reply *out,
	struct err *e) MUSTCHECK;
/* The same for an answer that goes on (ctl_stream): out->fn gets the body of a success with
 * out->arg. */
int reply_follow(const struct ctl_call *call, const struct cli_args *args, struct reply *out,
	struct err *e) MUSTCHECK;
/* An error of the API, {"kind","message","hint"}, as a value.  NULL: something went wrong.  Returns
 * -1.  *hint points into error or is "". */
int reply_error(const cJSON *error, struct err *e, const char **hint);
/* "RUN_DIR is not ..." what to do when the manager cannot be asked. */
const char *reply_hint(const struct err *e);

/* Members of objects; what is not there or of another type is "", 0 or false. */
const cJSON *reply_at(const cJSON *obj, const char *path); /* "postgres.lastExit"; NULL for none */
const char *reply_str(const cJSON *obj, const char *path);
double reply_num(const cJSON *obj, const char *path, double otherwise);
bool reply_true(const cJSON *obj, const char *path);
