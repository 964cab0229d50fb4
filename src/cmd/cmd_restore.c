/*
 * cmd_restore - `podgres restore`: a data directory from the archive, without a running manager.
 *
 * The window is looked at first, so that an impossible target costs a second and not an hour.  A
 * killed restore is continued by the same command.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/json.h"
#include "base/log.h"
#include "base/term.h"
#include "cmd/restore_args.h"
#include "cmd/run_options.h"
#include "core/when.h"
#include "service/restore_run.h"
#include "service/spec_file.h"

#define RESTORE_MAPS 64
#define RESTORE_LINE_MS 200

/* ---- what was asked ---- */

int
restore_options(
	struct run_options *opt, const struct cli_args *args, const char *folder, struct err *e)
{
	struct opt_set set = run_options_set();
	char name[] = "restore";
	char *argv[] = {name, NULL};
	struct opt_rest none = {.argc = 1, .argv = argv};

	if (!*folder)
		return err_set(e, ERR_INVALID, "--to DIR is missing: the folder to make");
	/* The environment and the defaults of `podgres run`, which will run the result. */
	if (opts_parse(&set, &none, opt, e) < 0)
		return -1;
	snprintf(opt->pgdata, sizeof(opt->pgdata), "%s", folder);
	opt->state_dir[0] = opt->waldir[0] = '\0';
	if (*args->config)
		snprintf(opt->config, sizeof(opt->config), "%s", args->config);
	if (*args->secrets_dir)
		snprintf(opt->secrets_dir, sizeof(opt->secrets_dir), "%s", args->secrets_dir);
	if (*args->cluster_name)
		snprintf(opt->cluster_name, sizeof(opt->cluster_name), "%s", args->cluster_name);
	if (*args->bindir)
		snprintf(opt->bindir, sizeof(opt->bindir), "%s", args->bindir);
	if (*args->user)
		snprintf(opt->user, sizeof(opt->user), "%s", args->user);
	if (run_options_resolve(opt, e) < 0)
		return -1;
	if (!*opt->config)
		return err_set(e, ERR_CONFIG,
			"no manifest: --config FILE or PODGRES_CONFIG says where the archive is");
	return 0;
}

/* The one external cluster that has an archive, or the one that recovery or the replica names. */
static const char *
restore_guess(const struct spec *spec)
{
	const char *found = NULL;

	if (spec->bootstrap == SPEC_BOOT_RECOVERY && *log_text(spec->recovery.source))
		return spec->recovery.source;
	if (spec->backup.store.set)
		return NULL;
	for (size_t i = 0; i < spec->externals; i++)
		if (spec->external[i].store.set && !found)
			found = spec->external[i].name;
	return found;
}

static int
restore_from(
	const struct cli_args *args, const struct spec *spec, const char **external, struct err *e)
{
	*external = *args->from ? args->from : restore_guess(spec);
	if (*external && strcmp(*external, "own") == 0)
		*external = NULL;
	if (*external && !spec_external_of(spec, *external))
		return err_set(e, ERR_INVALID, "externalClusters of the manifest has no \"%.100s\"",
			*external);
	return 0;
}

/* "NAME=PATH,NAME=PATH" */
static size_t
restore_maps(char *text, struct restore_map map[RESTORE_MAPS], struct err *e)
{
	size_t n = 0;

	while (text && *text) {
		char *next = strchr(text, ','), *to;

		if (next)
			*next++ = '\0';
		to = strchr(text, '=');
		if (!to || to[1] != '/' || n == RESTORE_MAPS) {
			err_set(e, ERR_INVALID,
				"--tablespace \"%.100s\": NAME=/PATH is expected, or OID=/PATH",
				text);
			return SIZE_MAX;
		}
		*to++ = '\0';
		map[n++] = (struct restore_map){.from = text, .to = to};
		text = next;
	}
	return n;
}

/* ---- progress ---- */

struct restore_bar {
	struct term term;
	int64_t last_ms, began_ms;
	int64_t last_bytes;
	double rate; /* bytes a second */
	char phase[64];
	bool quiet;
};

static void
restore_said(const struct job *j, void *arg)
{
	struct restore_bar *b = arg;
	const struct job_report *r = &j->report;
	int64_t now = clock_boot_ms();
	int cells = (int)(r->progress * 20 + 0.5F);

	if (b->quiet)
		return;
	if (!b->term.tty) {
		/* Phases of replay differ in their numbers only. */
		if (strncmp(b->phase, r->phase, 12) != 0)
			fprintf(stderr, "restore: %s\n", r->phase);
		snprintf(b->phase, sizeof(b->phase), "%s", r->phase);
		return;
	}
	if (now - b->last_ms < RESTORE_LINE_MS && strncmp(b->phase, r->phase, 12) == 0)
		return;
	if (b->last_ms && r->done_bytes > b->last_bytes)
		b->rate = (double)(r->done_bytes - b->last_bytes) * 1000.0 /
			  (double)(now - b->last_ms + 1);
	b->last_ms = now;
	b->last_bytes = r->done_bytes;
	snprintf(b->phase, sizeof(b->phase), "%s", r->phase);
	fprintf(stderr, "\r\033[K");
	if (r->progress >= 0)
		fprintf(stderr, "[%.*s%.*s] %3d %%  ", cells, "####################", 20 - cells,
			"....................", (int)(r->progress * 100));
	fprintf(stderr, "%s", r->phase);
	if (r->total_bytes > 0)
		fprintf(stderr, "  %.1f MB/s", b->rate / 1e6);
	fflush(stderr);
}

/* ---- what came of it ---- */

static void
restore_json(const struct restore_run *run, const struct restore_run_result *x, struct buf *out)
{
	char lsn[LINEAGE_LSN_SIZE];
	struct json j;

	json_init(&j, out);
	json_obj(&j);
	json_kstr(&j, "folder", run->opt->pgdata);
	json_kstr(&j, "from", x->from);
	json_kstr(&j, "backupId", x->backup_id);
	json_kbool(&j, "replayed", !run->no_replay);
	json_kint(&j, "timeline", x->r.timeline);
	json_kstr(&j, "recoveredLsn", lineage_lsn_text(x->r.lsn, lsn));
	json_kstr(&j, "lastCommit", x->r.last_time);
	json_kstr(&j, "stopped", x->r.stopped);
	json_kint(&j, "segments", (int64_t)x->r.segments);
	json_kint(&j, "bytes", x->r.bytes);
	json_kint(&j, "storedBytes", x->r.stored_bytes);
	json_knum(&j, "baseSeconds", (double)x->r.base_ms / 1000);
	json_knum(&j, "replaySeconds", (double)x->r.replay_ms / 1000);
	json_knum(&j, "seconds", (double)x->ms / 1000);
	json_end_obj(&j);
	buf_putc(out, '\n');
}

static void
restore_text(const struct restore_run *run, const struct restore_run_result *x, struct buf *out)
{
	char lsn[LINEAGE_LSN_SIZE], took[DURATION_SIZE];

	buf_printf(
		out, "restored %s from %s, backup %s\n", run->opt->pgdata, x->from, x->backup_id);
	if (run->no_replay) {
		buf_printf(out, "WAL was not replayed: recovery.signal is there, a restore_command "
				"has to be set\n");
		return;
	}
	if (*x->r.stopped)
		buf_printf(out, "%s\n", x->r.stopped);
	buf_printf(out, "recovered to %s, last commit of %s, now on timeline %u\n",
		lineage_lsn_text(x->r.lsn, lsn), *x->r.last_time ? x->r.last_time : "the backup",
		x->r.timeline);
	buf_printf(out, "took %s: base backup %.1f s, %llu segments of WAL %.1f s\n",
		duration_text(x->ms, took), (double)x->r.base_ms / 1000,
		(unsigned long long)x->r.segments, (double)x->r.replay_ms / 1000);
}

static int
restore_tell(const struct cli_args *args, const struct restore_run *run,
	const struct restore_run_result *x)
{
	AUTO(buf_deinit) struct buf out = {0};

	if (args->json)
		restore_json(run, x, &out);
	else
		restore_text(run, x, &out);
	return command_print("restore", &out);
}

/* ---- the command ---- */

static int
restore_go(const struct cli_args *args, const struct run_options *opt, const struct spec *spec,
	struct err *e)
{
	struct restore_bar bar = {.quiet = args->json};
	struct cli_args text = *args;
	struct restore_map map[RESTORE_MAPS];
	struct spec_recovery target = {.backup_id = text.backup,
		.target_tli = text.target_timeline,
		.target_xid = text.target_xid,
		.target_name = text.target_name,
		.target_lsn = text.target_lsn,
		.target_time = text.target_time,
		.target_immediate = args->target_immediate,
		.exclusive = args->exclusive};
	struct restore_run run = {.spec = spec,
		.opt = opt,
		.target = &target,
		.map = map,
		.no_replay = args->no_replay,
		.said = restore_said,
		.said_arg = &bar};
	struct restore_run_result result = {0};
	char empty[1] = "";
	int rc;

	if (*args->backup && !backup_id_ok(args->backup)) {
		target.backup_id = empty;
		run.backup_name = args->backup;
	}
	run.maps = restore_maps(text.tablespace, map, e);
	if (run.maps == SIZE_MAX || restore_from(args, spec, &run.external, e) < 0)
		return command_fail("restore", e, "podgres restore --help says how");
	term_init(&bar.term, STDERR_FILENO);
	rc = restore_run(&run, &result, e);
	if (bar.term.tty && !bar.quiet)
		fprintf(stderr, "\r\033[K");
	return rc < 0 ? command_fail("restore", e, result.hint) : restore_tell(args, &run, &result);
}

int
cmd_restore(int argc, char **argv)
{
	AUTO(free) struct run_options *opt = calloc(1, sizeof(*opt));
	AUTO(spec_free) struct spec *spec = NULL;
	struct cli_args args;
	struct opt_rest rest;
	struct err e = {0};
	int rc = 0;

	if (!opt || command_begin(argc, argv, &args, &rest, &rc) < 0)
		return rc;
	log_init(&(struct log_config){.logger = "restore",
		.pod = "",
		.level = args.verbose ? LOG_INFO : LOG_WARNING,
		.text = true,
		.fd = -1});
	if (rest.n > 0) {
		err_set(&e, ERR_INVALID, "unexpected argument %.64s", rest.arg[0]);
		return command_fail("restore", &e, "podgres restore --help says how");
	}
	if (restore_options(opt, &args, args.to, &e) < 0 ||
		spec_file_load(&spec, opt, NULL, &e) < 0)
		return command_fail("restore", &e, NULL);
	return restore_go(&args, opt, spec, &e);
}
