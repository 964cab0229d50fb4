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
#include "service/configure_files.h"
#include "service/spec_file.h"

/* Of the former warnings only those stay that a reload does not look for again. */
static void
forget_warnings(struct plan *plan, const char *file)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < plan->warnings; i++) {
		const char *w = plan->warning[i];

		if (strncmp(w, CONFIGURE_WARNING, strlen(CONFIGURE_WARNING)) == 0 ||
			(*file && strncmp(w, file, strlen(file)) == 0))
			continue;
		memmove(plan->warning[kept++], w, sizeof(plan->warning[0]));
	}
	plan->warnings = kept;
}

static void
take_notes(struct plan *plan, const struct spec_notes *notes, const char *file)
{
	for (size_t i = 0; i < notes->n; i++) {
		const struct spec_note *n = &notes->item[i];

		if (!n->error && !n->info)
			configure_note(plan, "%s:%d:%d: %s", file, n->at.line, n->at.col, n->text);
	}
}

static int
render(struct job *j, struct plan *plan, struct err *e)
{
	AUTO(spec_free) struct spec *spec = NULL;
	struct spec_notes notes = {0};
	int rc;

	forget_warnings(plan, j->opt->config);
	rc = spec_file_load(&spec, j->opt, &notes, e);
	take_notes(plan, &notes, j->opt->config);
	spec_notes_deinit(&notes);
	if (rc)
		return -1;
	job_phase(j, "rendering the configuration", -1);
	if (configure_render(j, spec, plan, e))
		return -1;
	if (!plan->config_error[0])
		configure_plan(plan, spec, j->opt->pod_name);
	return 0;
}

int
job_configure_main(struct job *j, struct err *e)
{
	AUTO(free) struct plan *plan = calloc(1, sizeof(*plan));
	struct err ignored;
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
	if (rc && configure_sync(j, &ignored) < 0)
		log_warning("synchronous standbys not written", F_STR("error", ignored.msg));
	plan->generation++;
	shared_write(j->board, SEC_PLAN, plan);
	if (rc)
		snprintf(j->report.hint, sizeof(j->report.hint),
			"the former configuration stays in force; repair the file, it is read "
			"again by itself");
	return rc;
}
