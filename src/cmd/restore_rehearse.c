/*
 * restore_rehearse - `podgres backup verify --restore`: the drill behind it.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cmd/restore_args.h"
#include "sys/file.h"

static void
rehearse_said(const struct job *j, void *arg)
{
	struct archive_cli *x = arg;

	if (j->report.progress >= 0)
		archive_cli_progress(
			x, "%s  %d %%", j->report.phase, (int)(j->report.progress * 100));
	else
		archive_cli_progress(x, "%s", j->report.phase);
}

static int
rehearse_in(struct archive_cli *x, const char *top, const struct archive_drill *drill,
	struct drill_result *out, struct err *e)
{
	AUTO(free) struct run_options *opt = calloc(1, sizeof(*opt));
	struct archive_drill d = *drill;

	if (!opt || restore_options(opt, x->args, d.scratch, e) < 0)
		return opt ? -1 : err_sys(e, "options");
	/* From here on we are the user of postgres. */
	if (*top && chown(top, opt->uid, opt->gid) < 0)
		return err_sys(e, "give %s to user %s", top, opt->user);
	d.opt = opt;
	return archive_drill(&d, out, e);
}

int
restore_rehearse(
	struct archive_cli *x, const char *backup_id, struct drill_result *out, struct err *e)
{
	char top[] = "/var/tmp/podgres-drill-XXXXXX", folder[sizeof(top) + 8];
	struct archive_drill d = {.spec = x->spec,
		.external = x->from,
		.backup_id = backup_id,
		.scratch = x->args->to,
		.said = rehearse_said,
		.said_arg = x};
	struct err ignored;
	int rc;

	log_init(&(struct log_config){
		.logger = "backup", .pod = "", .level = LOG_WARNING, .text = true, .fd = -1});
	if (*d.scratch)
		return rehearse_in(x, "", &d, out, e);
	if (!mkdtemp(top))
		return err_sys(e, "make a folder in /var/tmp");
	snprintf(folder, sizeof(folder), "%s/data", top);
	d.scratch = folder;
	rc = rehearse_in(x, top, &d, out, e);
	if (file_remove_tree(top, &ignored) < 0)
		fprintf(stderr, PROGRAM ": %s\n", ignored.msg);
	return rc;
}
