/*
 * job_prune - deletes from the own archive what the manifest's retentionPolicy lets go.
 *
 * Process: the job `prune`, in the lane of base backups, on a primary: after each backup, and every
 * half hour.  With `delete ID`: one backup, as ordered.  Ended in the middle it leaves nothing that
 * the next one does not take away.
 */
#include <string.h>

#include "service/archive_prune.h"
#include "service/service.h"
#include "service/spec_file.h"

int
job_prune_main(struct job *j, struct err *e)
{
	AUTO(spec_free) struct spec *spec = NULL;

	if (spec_file_load(&spec, j->opt, NULL, e) < 0)
		return -1;
	if (j->argc == 2 && strcmp(j->argv[0], "delete") == 0)
		return archive_delete_backup(spec, j->opt, j->argv[1], e);
	return archive_prune_by_policy(spec, j->opt, e);
}
