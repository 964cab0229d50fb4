/*
 * job_token - the fencing token of an order is durable before the order is carried out.
 *
 * Process: the job `token`.
 */
#include <stdio.h>
#include <string.h>

#include "service/member.h"
#include "service/spec_file.h"
#include "sys/file.h"
#include "sys/state_file.h"

/* Without the secret nobody could follow or be followed: better said now than at the next start. */
static int
token_check_secret(const struct job *j, struct err *e)
{
	AUTO(spec_free) struct spec *spec = NULL;
	struct spec_notes notes = {0};
	struct member_access access;
	int rc = spec_file_load(&spec, j->opt, &notes, e);

	spec_notes_deinit(&notes);
	return rc < 0 ? -1 : member_access(&access, j->opt, spec->name, e);
}

static int
token_write(const struct job *j, const char *path, struct err *e)
{
	uint64_t token = strtoull(j->argv[0], NULL, 10);
	AUTO(close) int lock = -1;
	struct state_record rec;

	if (state_file_lock(&lock, path, e) < 0 || state_file_read(&rec, path, e) < 0)
		return -1;
	if (rec.token >= token)
		return err_set(e, ERR_UNMET, "token %llu is not above %llu, which was seen",
			(unsigned long long)token, (unsigned long long)rec.token);
	rec.token = token;
	rec.token_leads = strcmp(j->argv[2], "lead") == 0;
	snprintf(rec.token_order, sizeof(rec.token_order), "%s", j->argv[1]);
	snprintf(rec.token_primary, sizeof(rec.token_primary), "%s", j->argv[3]);
	return state_file_write(path, &rec, e);
}

int
job_token_main(struct job *j, struct err *e)
{
	char path[FILE_PATH_MAX];

	if (j->argc < 4)
		return err_set(e, ERR_INVALID, "token, order, role and primary are missing");
	if (token_check_secret(j, e) < 0 ||
		file_join(path, sizeof(path), j->opt->state_dir, STATE_FILE_NAME, e) < 0)
		return -1;
	return token_write(j, path, e) < 0 ? err_add(e, "fencing token") : 0;
}
