/*
 * logger_main - the logger as a service of the supervisor.
 *
 * Process: logger.
 */
#include <malloc.h>

#include "base/log.h"
#include "service/logger.h"

#define BIG_BYTES (64 << 10)

int
service_logger_main(struct service *s)
{
	AUTO(logger_free) struct logger *l = NULL;
	struct err e;

	/* Memory of a long line goes back to the kernel at once, and does not raise the threshold.
	 */
	mallopt(M_MMAP_THRESHOLD, BIG_BYTES);
	mallopt(M_TRIM_THRESHOLD, BIG_BYTES);
	if (logger_new(&l, s, &e) < 0 || service_run(s, &e) < 0) {
		log_error("the logger cannot go on", F_STR("error", e.msg));
		return err_exit(&e);
	}
	return 0;
}
