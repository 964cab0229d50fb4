/*
 * api_archive - the archive over HTTP: its state, its jobs, the catalogue of backups.
 *
 * Process: api.  State and jobs come from the board; the catalogue is a file that a worker of the
 * archiver wrote into RUN_DIR.  The store itself is never asked, and no probe looks at any of this.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/jsonscan.h"
#include "core/archive_name.h"
#include "service/api.h"
#include "service/archiver.h"
#include "sys/file.h"

#define BACKUPS_MAX ((size_t)16 << 20)

static const char *
state_text(uint32_t state)
{
	static const char *const words[] = {
		[ARCHIVE_STATE_NONE] = "none",
		[ARCHIVE_STATE_STARTING] = "starting",
		[ARCHIVE_STATE_OK] = "ok",
		[ARCHIVE_STATE_FAILING] = "failing",
		[ARCHIVE_STATE_FOREIGN] = "foreign",
		[ARCHIVE_STATE_CONFLICT] = "conflict",
	};

	return state < ARRAY_LEN(words) ? words[state] : "";
}

static void
json_given(struct json *j, const char *key, const char *text)
{
	if (*text)
		json_kstr(j, key, text);
}

/* ---- state ---- */

static void
json_exposure(struct json *j, const struct api_view *v)
{
	const struct archive_facts *f = &v->archive;
	int64_t us = f->exposed_wall_us ? v->now_wall_us - f->exposed_wall_us : 0;

	json_key(j, "exposureSeconds");
	if (f->state == ARCHIVE_STATE_NONE || f->state == ARCHIVE_STATE_STARTING)
		json_null(j);
	else
		json_num(j, us > 0 ? (double)us / 1e6 : 0);
	json_ktime(j, "exposedSince", f->exposed_wall_us);
}

static void
json_trouble(struct json *j, const struct archive_facts *f)
{
	json_key(j, "failing");
	if (!*f->problem) {
		json_null(j);
		return;
	}
	json_obj(j);
	json_kstr(j, "kind", err_name((enum err_kind)f->err_kind));
	if (f->err_code)
		json_kint(j, "code", f->err_code);
	json_kstr(j, "message", f->problem);
	json_given(j, "hint", f->hint);
	json_ktime(j, "since", f->failing_wall_us);
	json_end_obj(j);
}

static void
json_alarm(struct json *j, const struct archive_facts *f)
{
	json_key(j, "conflict");
	if (!*f->conflict) {
		json_null(j);
		return;
	}
	json_obj(j);
	json_kstr(j, "wal", f->conflict);
	json_ktime(j, "at", f->conflict_wall_us);
	json_end_obj(j);
}

static void
json_window(struct json *j, const struct archive_facts *f)
{
	json_key(j, "window");
	if (f->first_point_wall_us == 0) {
		json_null(j);
		return;
	}
	json_obj(j);
	json_ktime(j, "from", f->first_point_wall_us);
	json_ktime(j, "to", f->last_point_wall_us);
	json_kbool(j, "broken", f->broken_window);
	json_end_obj(j);
}

static void
json_queue(struct json *j, const struct archive_facts *f)
{
	json_key(j, "queue");
	if (f->queue < 0)
		json_null(j);
	else
		json_int(j, f->queue);
	json_ktime(j, "oldestReadyAt", f->oldest_ready_wall_us);
	json_given(j, "lastArchivedWal", f->last_archived);
	json_ktime(j, "lastArchivedAt", f->last_archived_wall_us);
	json_given(j, "lastFailedWal", f->last_failed);
	json_ktime(j, "lastFailedAt", f->last_failed_wall_us);
	api_json_lsn(j, "archivedLsn", f->archived_lsn);
}

static void
json_counters(struct json *j, const struct archive_facts *f)
{
	json_kint(j, "archived", (int64_t)f->archived);
	json_kint(j, "failed", (int64_t)f->failed);
	json_kint(j, "conflicts", (int64_t)f->conflicts);
	json_kint(j, "gaps", (int64_t)f->gaps);
	json_kbool(j, "windowBroken", f->broken_window);
	json_kint(j, "bytesRead", (int64_t)f->bytes_read);
	json_kint(j, "bytesStored", (int64_t)f->bytes_stored);
}

void
api_json_archive(struct json *j, const struct api_view *v)
{
	const struct archive_facts *f = &v->archive;

	json_kstr(j, "mode",
		*f->destination        ? "store"
		: *v->sup.plan.archive ? v->sup.plan.archive
				       : "none");
	json_kstr(j, "state", state_text(f->state));
	json_given(j, "destination", f->destination);
	json_given(j, "owner", f->owner);
	json_exposure(j, v);
	json_queue(j, f);
	json_trouble(j, f);
	json_alarm(j, f);
	json_window(j, f);
	json_kbool(j, "continuous", f->continuous_lsn != 0);
	api_json_lsn(j, "continuousLsn", f->continuous_lsn);
	json_counters(j, f);
	if (f->drained)
		json_kint(j, "left", f->left);
}

static const struct operation *
running_backup(const struct api_view *v)
{
	for (int i = 0; i < SHARED_OPERATIONS; i++) {
		const struct operation *op = &v->sup.operation[i];

		if (*op->id && op->state == OP_RUNNING && op->kind < ORDER_KINDS &&
			strcmp(order_text((enum order_kind)op->kind), "backup") == 0)
			return op;
	}
	return NULL;
}

static void
json_running(struct json *j, const struct api_view *v)
{
	const struct operation *op = running_backup(v);

	json_key(j, "running");
	if (op)
		api_json_operation(j, op);
	else
		json_null(j);
}

void
api_json_backup(struct json *j, const struct api_view *v)
{
	const struct archive_facts *f = &v->archive;

	json_ktime(j, "catalogReadAt", f->catalog_wall_us);
	json_kint(j, "backups", f->backups);
	json_given(j, "last", f->last_backup);
	json_ktime(j, "lastAt", f->last_backup_wall_us);
	if (*f->last_backup) {
		json_kint(j, "lastBytes", f->last_backup_bytes);
		json_kint(j, "lastStoredBytes", f->last_backup_stored);
		json_knum(j, "lastSeconds", (double)f->last_backup_ms / 1e3);
	}
	json_given(j, "lastFailed", f->last_failed_backup);
	json_ktime(j, "lastFailedAt", f->last_failed_backup_wall_us);
	json_ktime(j, "nextAt", f->next_backup_wall_us);
	json_running(j, v);
}

void
api_json_restored(struct json *j, const struct api_view *v)
{
	const struct archive_facts *f = &v->archive;

	json_kint(j, "walRestored", (int64_t)f->restored);
	json_kint(j, "walHits", (int64_t)f->restore_hits);
	json_kint(j, "walAbsent", (int64_t)f->restore_absent);
	json_kint(j, "walFailed", (int64_t)f->restore_failed);
}

void
api_wal(struct api_call *c)
{
	const struct api_view *v = &c->a->view;
	AUTO(buf_deinit) struct buf b = {0};
	struct json j;

	json_init(&j, &b);
	json_obj(&j);
	json_key(&j, "observedAgeSeconds");
	if (v->stamp_ns[SEC_ARCHIVE])
		json_num(&j, api_view_age(v, v->stamp_ns[SEC_ARCHIVE]));
	else
		json_null(&j);
	api_json_archive(&j, v);
	json_kobj(&j, "restore");
	api_json_restored(&j, v);
	json_end_obj(&j);
	json_end_obj(&j);
	buf_putc(&b, '\n');
	api_reply_json(c, 200, &b);
}

/* ---- jobs ---- */

void
api_json_archive_job(struct json *j, const struct archive_job *job)
{
	static const char *const states[] = {
		[ARCHIVE_JOB_RUNNING] = "running",
		[ARCHIVE_JOB_DONE] = "done",
		[ARCHIVE_JOB_FAILED] = "failed",
		[ARCHIVE_JOB_ABSENT] = "absent",
	};
	int64_t us = job->finished_wall_us - job->started_wall_us;

	json_obj(j);
	json_kint(j, "number", (int64_t)job->number);
	json_kstr(j, "kind", job->restore ? "restore" : "archive");
	json_kstr(j, "name", job->name);
	json_kstr(j, "state", job->state < ARRAY_LEN(states) ? states[job->state] : "");
	json_kbool(j, "ahead", job->ahead);
	json_ktime(j, "startedAt", job->started_wall_us);
	json_ktime(j, "finishedAt", job->finished_wall_us);
	if (job->finished_wall_us)
		json_knum(j, "seconds", us > 0 ? (double)us / 1e6 : 0);
	json_kint(j, "bytes", job->bytes);
	json_kint(j, "storedBytes", job->stored_bytes);
	if (job->state == ARCHIVE_JOB_FAILED) {
		json_kobj(j, "error");
		json_kstr(j, "kind", err_name((enum err_kind)job->err_kind));
		json_kstr(j, "message", job->error);
		json_end_obj(j);
	}
	json_end_obj(j);
}

void
api_wal_jobs(struct api_call *c)
{
	const struct archive_facts *f = &c->a->view.archive;
	const char *follow = httpd_query(c->req, "follow");
	AUTO(buf_deinit) struct buf b = {0};
	struct json j;

	if (follow && strcmp(follow, "0") != 0 && strcmp(follow, "false") != 0) {
		api_follow_start(c);
		return;
	}
	json_init(&j, &b);
	json_obj(&j);
	json_karr(&j, "jobs");
	for (uint64_t n = f->jobs > ARCHIVE_JOBS ? f->jobs - ARCHIVE_JOBS + 1 : 1; n <= f->jobs;
		n++)
		if (f->job[n % ARCHIVE_JOBS].number == n)
			api_json_archive_job(&j, &f->job[n % ARCHIVE_JOBS]);
	json_end_arr(&j);
	json_end_obj(&j);
	buf_putc(&b, '\n');
	api_reply_json(c, 200, &b);
}

/* ---- the catalogue ---- */

/* Returns 0; 1: it was not read yet, or there is no archive. */
static int
backups_text(struct api_call *c, struct buf *out, struct err *e)
{
	char path[PATH_LEN + 32];

	if (file_join(path, sizeof(path), c->a->opt->run_dir, CATALOG_FILE, e) < 0)
		return -1;
	if (file_read(out, path, BACKUPS_MAX, e) < 0)
		return e->kind == ERR_NOTFOUND ? 1 : -1;
	while (out->len > 0 && out->data[out->len - 1] != '}')
		out->data[--out->len] = '\0';
	return out->len > 1 ? 0 : err_set(e, ERR_CORRUPT, "%s is no catalogue", path);
}

void
api_backups(struct api_call *c)
{
	const struct api_view *v = &c->a->view;
	AUTO(buf_deinit) struct buf b = {0}, more = {0};
	struct err e = {0};
	struct json j;
	int rc = backups_text(c, &b, &e);

	if (rc < 0) {
		api_reply_error(c, &e, NULL);
		return;
	}
	if (rc > 0)
		buf_puts(&b, "{\"readAt\":null,\"backups\":[],\"window\":null}");
	json_init(&j, &more);
	json_obj(&j);
	json_kstr(&j, "archive", state_text(v->archive.state));
	json_ktime(&j, "nextAt", v->archive.next_backup_wall_us);
	json_running(&j, v);
	json_end_obj(&j);
	b.data[--b.len] = ',';
	b.len++;
	buf_put(&b, more.data + 1, more.len - 1);
	buf_putc(&b, '\n');
	api_reply_json(c, 200, &b);
}

/* The object of one backup in the catalogue, which our own writer begins with its ID. */
static bool
backup_find(const struct buf *text, const char *id, struct jsonscan_span *out)
{
	char begin[64];
	const char *at;
	struct jsonscan s;

	if (!backup_id_ok(id))
		return false;
	snprintf(begin, sizeof(begin), "{\"id\":\"%s\",", id);
	at = strstr(buf_str(text), begin);
	s = (struct jsonscan){.at = at, .end = text->data + text->len};
	return at && jsonscan_value(&s, out);
}

void
api_backup(struct api_call *c)
{
	AUTO(buf_deinit) struct buf text = {0}, b = {0};
	struct jsonscan_span span;
	struct err e = {0};
	int rc = backups_text(c, &text, &e);

	if (rc > 0)
		err_set(&e, ERR_BUSY, "the archive's catalogue was not read yet");
	if (rc == 0 && !backup_find(&text, c->id, &span))
		rc = err_set(&e, ERR_NOTFOUND, "there is no backup %.40s", c->id);
	if (rc != 0) {
		api_reply_error(c, &e, NULL);
		return;
	}
	buf_put(&b, span.at, span.len);
	buf_putc(&b, '\n');
	api_reply_json(c, 200, &b);
}
