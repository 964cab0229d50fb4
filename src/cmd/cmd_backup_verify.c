/*
 * cmd_backup_verify - `podgres backup verify` and `podgres wal verify`.
 *
 * Findings are a table, or an array of JSON; exit 65 when one of them is an error.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/json.h"
#include "cmd/restore_args.h"
#include "service/archive_verify.h"
#include "service/drill_record.h"

#define EXIT_CORRUPT 65
#define PROGRESS_NS (200 * MS_NS)

struct run {
	struct archive_cli x;
	struct archive_verify v;
	struct buf out;
	struct json json;
	int64_t started_ns, said_ns;
	struct drill_result drill; /* of --restore */
	bool drilled;
};

static void
run_deinit_auto(struct run *r)
{
	buf_deinit(&r->out);
	archive_cli_close(&r->x);
}

static void
found(void *arg, const struct verify_finding *f)
{
	struct run *r = arg;

	if (r->x.args->json) {
		json_obj(&r->json);
		json_kstr(&r->json, "severity", f->warning ? "warning" : "error");
		json_kstr(&r->json, "backup", *f->of ? f->of : NULL);
		json_kstr(&r->json, "object", f->object);
		json_kstr(&r->json, "message", f->text);
		json_end_obj(&r->json);
		return;
	}
	term_paint(&r->x.out, &r->out, f->warning ? TERM_YELLOW : TERM_RED,
		f->warning ? "warning" : "error  ");
	buf_printf(&r->out, "  %s%s%s\n", f->of, *f->of && *f->object ? "  " : "", f->object);
	term_wrap(&r->out, f->text, 9, r->x.out.columns);
}

static void
progress(void *arg, const char *what, int64_t bytes)
{
	struct run *r = arg;
	int64_t now = clock_boot_ns(), ms = (now - r->started_ns) / MS_NS;
	char size[ARCHIVE_CLI_BYTES], rate[ARCHIVE_CLI_BYTES];

	if (now - r->said_ns < PROGRESS_NS)
		return;
	r->said_ns = now;
	archive_cli_progress(&r->x, "%s  %s, %s/s, %zu found", what, archive_cli_bytes(bytes, size),
		archive_cli_bytes(ms > 0 ? bytes * 1000 / ms : 0, rate),
		r->v.errors + r->v.warnings);
}

static int
begin(struct run *r, const char *name, const struct cli_args *args, struct err *e)
{
	r->started_ns = clock_boot_ns();
	if (archive_cli_open(&r->x, name, args, e) < 0)
		return -1;
	r->v = (struct archive_verify){.archive = r->x.archive,
		.catalog = &r->x.catalog,
		.found = found,
		.progress = progress,
		.arg = r};
	if (args->json) {
		json_init(&r->json, &r->out);
		json_obj(&r->json);
		json_karr(&r->json, "findings");
	}
	for (size_t i = 0; i < r->x.catalog.unreadables; i++) {
		struct verify_finding f = {.object = "backup.info", .text = "cannot be read"};

		memcpy(f.of, r->x.catalog.unreadable[i], sizeof(f.of));
		archive_verify_found(&r->v, &f);
	}
	return 0;
}

static int
fail(struct run *r, const struct err *e)
{
	archive_cli_progress_end(&r->x);
	return command_fail(r->x.name, e, NULL);
}

/* ---- --restore ---- */

/* In the own store alone: nothing is written into somebody else's. */
static void
rehearsed_record(struct run *r)
{
	struct drill_record d;
	struct err e;

	if (r->x.from && *r->x.from)
		return;
	if (drill_record_read(r->x.archive, &d, &e) < 0)
		d = (struct drill_record){0};
	d.failed = !r->drilled;
	snprintf(d.backup, sizeof(d.backup), "%s", r->drill.run.backup_id);
	if (r->drilled) {
		d.good_wall_us = clock_wall_us();
		d.good_ms = r->drill.rto_ms;
	}
	if (drill_record_write(r->x.archive, &d, &e) < 0)
		fprintf(stderr,
			PROGRAM ": what came of the drill is not noted in the archive: %s\n",
			e.msg);
}

static int
rehearse(struct run *r, const char *id, struct err *e)
{
	struct verify_finding f = {.object = "restore"};

	r->drilled = restore_rehearse(&r->x, id, &r->drill, e) == 0;
	if (r->drilled || e->kind == ERR_CORRUPT || e->kind == ERR_FAILED || e->kind == ERR_UNMET)
		rehearsed_record(r);
	if (r->drilled)
		return 0;
	/* What the data are to blame for is a finding like any other. */
	if (e->kind != ERR_CORRUPT && e->kind != ERR_FAILED && e->kind != ERR_UNMET)
		return -1;
	snprintf(f.of, sizeof(f.of), "%s", *r->drill.run.backup_id ? r->drill.run.backup_id : id);
	snprintf(f.text, sizeof(f.text), "%.399s", e->msg);
	archive_verify_found(&r->v, &f);
	return 0;
}

static void
rehearsed_json(struct run *r)
{
	const struct drill_result *d = &r->drill;

	json_kobj(&r->json, "restore");
	json_kstr(&r->json, "backup", d->run.backup_id);
	json_knum(&r->json, "rtoSeconds", (double)d->rto_ms / 1000);
	json_knum(&r->json, "baseSeconds", (double)d->run.r.base_ms / 1000);
	json_knum(&r->json, "replaySeconds", (double)d->run.r.replay_ms / 1000);
	json_knum(&r->json, "checkSeconds", (double)d->check_ms / 1000);
	json_kint(&r->json, "databases", d->databases);
	json_kint(&r->json, "relations", d->relations);
	json_kint(&r->json, "rows", d->rows);
	json_kbool(&r->json, "amcheck", d->amcheck);
	json_kbool(&r->json, "checksums", d->checksums);
	json_end_obj(&r->json);
}

static void
rehearsed_text(struct run *r)
{
	const struct drill_result *d = &r->drill;
	char rto[DURATION_SIZE], size[ARCHIVE_CLI_BYTES];

	term_paint(&r->x.out, &r->out, TERM_GREEN, "restored");
	buf_printf(&r->out,
		"  %s in %s (base backup %.1f s, %llu segments of WAL %.1f s), last commit of %s; "
		"%lld databases, %lld relations, %lld rows, %s read%s%s\n",
		d->run.backup_id, duration_text(d->rto_ms, rto), (double)d->run.r.base_ms / 1000,
		(unsigned long long)d->run.r.segments, (double)d->run.r.replay_ms / 1000,
		*d->run.r.last_time ? d->run.r.last_time : "the backup", (long long)d->databases,
		(long long)d->relations, (long long)d->rows,
		archive_cli_bytes(d->pages_bytes, size), d->amcheck ? ", amcheck" : "",
		d->checksums ? ", page checksums" : ", no page checksums");
}

static void
sum_json(struct run *r)
{
	const struct archive_verify *v = &r->v;

	json_end_arr(&r->json);
	if (r->drilled)
		rehearsed_json(r);
	json_kint(&r->json, "errors", (int64_t)v->errors);
	json_kint(&r->json, "warnings", (int64_t)v->warnings);
	json_kint(&r->json, "backups", (int64_t)v->backups);
	json_kint(&r->json, "objects", v->objects);
	json_kint(&r->json, "files", v->files);
	json_kint(&r->json, "segments", v->segments);
	json_kint(&r->json, "bytes", v->bytes);
	json_end_obj(&r->json);
	buf_putc(&r->out, '\n');
}

static int
finish(struct run *r)
{
	const struct archive_verify *v = &r->v;
	char size[ARCHIVE_CLI_BYTES], took[DURATION_SIZE];
	int rc;

	archive_cli_progress_end(&r->x);
	if (r->x.args->json) {
		sum_json(r);
	} else {
		if (r->drilled)
			rehearsed_text(r);
		term_paint(&r->x.out, &r->out, v->errors ? TERM_RED : TERM_GREEN,
			v->errors ? "NOT SOUND" : "sound");
		buf_printf(&r->out,
			"  %zu backups, %lld objects, %lld files, %lld segments; %s read in %s; "
			"%zu errors, %zu warnings\n",
			v->backups, (long long)v->objects, (long long)v->files,
			(long long)v->segments, archive_cli_bytes(v->bytes, size),
			duration_text((clock_boot_ns() - r->started_ns) / MS_NS, took), v->errors,
			v->warnings);
	}
	rc = command_print(r->x.name, &r->out);
	return rc ? rc : v->errors ? EXIT_CORRUPT : 0;
}

int
cmd_backup_verify(const struct cli_args *args, const struct opt_rest *rest)
{
	AUTO(run_deinit) struct run r = {0};
	struct err e = {0};
	size_t at = 0;
	int rc;

	rc = begin(&r, "backup verify", args, &e);
	for (int i = 1; rc == 0 && i < rest->n; i++) {
		rc = archive_cli_find(&r.x, rest->arg[i], &at, &e);
		if (rc == 0)
			rc = archive_verify_backup(&r.v, &r.x.catalog.info[at], &e);
	}
	for (size_t i = 0; rc == 0 && rest->n == 1 && i < r.x.catalog.infos; i++)
		if (r.x.catalog.info[i].status == BACKUP_DONE)
			rc = archive_verify_backup(&r.v, &r.x.catalog.info[i], &e);
	if (rc == 0)
		rc = archive_verify_wal(&r.v, false, &e);
	if (rc == 0 && args->rehearse)
		rc = rehearse(&r, rest->n > 1 ? r.x.catalog.info[at].id : "", &e);
	return rc < 0 ? fail(&r, &e) : finish(&r);
}

int
cmd_wal_verify(const struct cli_args *args, const struct opt_rest *rest)
{
	AUTO(run_deinit) struct run r = {0};
	struct err e = {0};

	(void)rest;
	if (begin(&r, "wal verify", args, &e) < 0 || archive_verify_wal(&r.v, args->read, &e) < 0)
		return fail(&r, &e);
	return finish(&r);
}
