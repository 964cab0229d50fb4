/*
 * shared - what stands on the board, section by section.
 */
#include "service/shared.h"

#include "service/metrics.h"

const size_t shared_sizes[SECTIONS] = {
	[SEC_OPTIONS] = sizeof(struct run_options),
	[SEC_SUPERVISOR] = sizeof(struct supervisor_status),
	[SEC_PLAN] = sizeof(struct plan),
	[SEC_JOB_MAIN] = sizeof(struct job_report),
	[SEC_JOB_SIDE] = sizeof(struct job_report),
	[SEC_JOB_FLAG] = sizeof(struct job_report),
	[SEC_JOB_CARE] = sizeof(struct job_report),
	[SEC_POSTGRES] = sizeof(struct pg_facts),
	[SEC_LOG] = sizeof(struct log_facts),
	[SEC_JOB_BACKUP] = sizeof(struct job_report),
	[SEC_API] = sizeof(struct api_facts),
	[SEC_ARCHIVE] = sizeof(struct archive_facts),
	[SEC_COLLECTOR] = sizeof(struct collector_facts),
	[SEC_METRICS] = METRICS_MAX_BYTES,
	[SEC_PLOT] = sizeof(struct plot),
	[SEC_ELECTOR] = sizeof(struct elector_status),
};

static const char *const service_names[SERVICES] = {
	[SERVICE_SUPERVISOR] = "supervisor",
#define SERVICE(name, text, user, hung_ms, does) [SERVICE_##name] = text,
#include "tbl/services.h"
#undef SERVICE
};

static const char *const job_names[JOBS] = {
	[JOB_NONE] = "",
#define JOB(name, text, lane, deadline_s, does) [JOB_##name] = text,
#include "tbl/jobs.h"
#undef JOB
};

const char *
service_text(enum service_id id)
{
	return service_names[id];
}

const char *
job_text(enum job_id id)
{
	return job_names[id];
}
