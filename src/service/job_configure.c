/*
 * job_configure - a reload: read the manifest again, bring the files in line, tell the supervisor.
 *
 * Process: the job configure.  The supervisor sends SIGHUP to postgres when the job has succeeded.
 * A manifest or a configuration that is refused leaves every file as it was and stands in the plan
 * as config_error.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "service/configure.h"

static int
render(struct job *j, struct plan *plan, struct err *e)
{
	AUTO(spec_free) struct spec *spec = NULL;
	struct spec_notes notes = {0};
	int rc;

	plan->warnings = 0;
	rc = spec_load(&spec, j->opt->config, &notes, e);
	spec_notes_deinit(&notes);
	if (rc)
		return -1;
	job_phase(j, "rendering the configuration", -1);
	return configure_render(j, spec, plan, e);
}

int
job_configure_main(struct job *j, struct err *e)
{
	AUTO(free) struct plan *plan = calloc(1, sizeof(*plan));
	int rc;

	if (!plan)
		return err_sys(e, "reload");
	if (shared_read(j->board, SEC_PLAN, plan) == 0)
		return err_set(e, ERR_STATE, "nothing has been prepared yet");
	job_phase(j, "reading the manifest", -1);
	rc = render(j, plan, e);
	if (rc == 0 && plan->config_error[0])
		rc = err_set(e, ERR_CONFIG, "%s", plan->config_error);
	else if (rc && e->kind == ERR_CONFIG)
		snprintf(plan->config_error, sizeof(plan->config_error), "%s", e->msg);
	plan->generation++;
	shared_write(j->board, SEC_PLAN, plan);
	if (rc)
		snprintf(j->report.hint, sizeof(j->report.hint),
			"the former configuration stays in force; repair the file, it is read "
			"again by itself");
	return rc;
}
