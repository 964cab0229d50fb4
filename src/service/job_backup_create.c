/*
 * job_backup_create - the course of one base backup.
 *
 * Process: the job `backup`.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "service/job_backup.h"

#define TELL_MS 500
#define ID_TRIES 5
#define LABEL "podgres backup "

/* ---- progress ---- */

static void
backup_tell(struct backup_job *b)
{
	struct job_report *r = &b->j->report;
	int64_t at = clock_boot_ns();

	if (at - b->told_ns < TELL_MS * MS_NS)
		return;
	b->told_ns = at;
	(void)backup_cancelled(b); /* data that flow keep us from waiting, and from asking */
	r->progress = r->total_bytes > 0 ? (float)r->done_bytes / (float)r->total_bytes : -1;
	if (r->progress > 1)
		r->progress = 1;
	job_publish(b->j);
}

/* ---- the sink of BASE_BACKUP ---- */

/* Names are known from before the backup; what was dropped meanwhile is not in it. */
static void
backup_drop_tablespaces(struct backup_info *info, const struct replication_start *s)
{
	for (size_t i = 0; i < info->tablespaces;) {
		size_t k = 0;

		while (k < s->tablespaces && s->tablespace[k].oid != info->tablespace[i].oid)
			k++;
		if (k < s->tablespaces)
			i++;
		else
			info->tablespace[i] = info->tablespace[--info->tablespaces];
	}
}

static void
backup_add_tablespace(struct backup_job *b, const struct replication_tablespace *t)
{
	struct backup_info *info = &b->info;
	struct backup_tablespace *to = info->tablespace;

	if (t->oid == 0)
		return;
	while (to < info->tablespace + info->tablespaces && to->oid != t->oid)
		to++;
	if (to == info->tablespace + info->tablespaces) { /* made since we asked for names */
		if (info->tablespaces == BACKUP_TABLESPACES)
			return;
		info->tablespaces++;
		to->oid = t->oid;
		snprintf(to->name, sizeof(to->name), "%u", t->oid);
	}
	snprintf(to->location, sizeof(to->location), "%.511s", t->location);
}

static int
sink_start(void *arg, const struct replication_start *s, struct err *e)
{
	struct backup_job *b = arg;
	struct backup_info *info = &b->info;

	if (s->tablespaces > BACKUP_TABLESPACES + 1)
		return err_set(e, ERR_CONFIG, "more than %d tablespaces cannot be backed up",
			BACKUP_TABLESPACES);
	info->begin_lsn = s->lsn;
	info->begin_offset = (uint32_t)(s->lsn % info->segment_bytes);
	info->timeline = s->timeline;
	lineage_name(s->timeline, s->lsn, info->segment_bytes, info->begin_wal);
	backup_drop_tablespaces(info, s);
	for (size_t i = 0; i < s->tablespaces; i++)
		backup_add_tablespace(b, &s->tablespace[i]);
	b->j->report.total_bytes = s->bytes > 0 ? s->bytes : 0;
	job_phase(b->j, "copying", 0);
	return 0;
}

static int
sink_archive(void *arg, const struct replication_tablespace *t, struct err *e)
{
	struct backup_job *b = arg;

	return backup_tar_archive(&b->tar, t, e);
}

static int
sink_data(void *arg, const void *p, size_t n, struct err *e)
{
	struct backup_job *b = arg;

	if (backup_tar_data(&b->tar, p, n, e) < 0)
		return -1;
	b->j->report.done_bytes += (int64_t)n;
	backup_tell(b);
	return b->stopped ? err_set(e, ERR_STATE, "the backup was asked to end") : 0;
}

static int
sink_archive_end(void *arg, struct err *e)
{
	struct backup_job *b = arg;

	return backup_tar_end(&b->tar, e);
}

/* PostgreSQL's own manifest: an incremental backup and pg_verifybackup need it. */
static int
sink_manifest(void *arg, const void *p, size_t n, struct err *e)
{
	struct backup_job *b = arg;

	if (!b->manifest_open && backup_out_open(&b->out, "backup_manifest", 0, e) < 0)
		return -1;
	b->manifest_open = true;
	return backup_out_write(&b->out, p, n, e);
}

/* ---- steps ---- */

static void
backup_on_notice(void *arg, const char *text)
{
	(void)arg;
	log_warning("base backup", F_STR("server", text));
}

static int
backup_connect(struct backup_job *b, struct err *e)
{
	char port[12];
	const char *const key[] = {"host", "port", "user", "passfile", "gssencmode", NULL};
	const char *const value[] = {
		b->plan.socket_dir, port, b->plan.superuser, "/nonexistent", "disable", NULL};
	const struct replication_spec spec = {.key = key,
		.value = value,
		.application = "podgres backup",
		.cancelled = backup_cancelled,
		.notice = backup_on_notice,
		.arg = b};
	struct replication_system sys;

	snprintf(port, sizeof(port), "%d", b->plan.port);
	if (replication_open(&b->repl, &b->pq, &spec, e) < 0 ||
		replication_identify(b->repl, &sys, e) < 0 ||
		replication_segment_bytes(b->repl, &b->info.segment_bytes, e) < 0)
		return err_add(e, "connect for a backup");
	b->info.system_id = sys.system_id;
	b->info.version = replication_server_version(b->repl);
	return 0;
}

/* Whole and incremental backups lie in two folders and have one row of IDs.  1: it is free. */
static int
backup_id_free(struct backup_job *b, struct err *e)
{
	struct store_object o;
	char key[ARCHIVE_KEY_SIZE];

	if (archive_key(key, e, "%s/%sbase/%s/backup.info", b->archive->server,
		    b->wish.incremental ? "" : "podgres/", b->info.id) < 0)
		return -1;
	if (store_head(b->archive->store, key, &o, e) == 0)
		return 0;
	return e->kind == ERR_NOTFOUND ? 1 : -1;
}

/* Two backups cannot have one ID: whoever comes second takes a later second. */
static int
backup_claim(struct backup_job *b, struct err *e)
{
	const struct run_options *opt = b->j->opt;
	struct backup_info *info = &b->info;
	bool taken;
	int rc;

	for (int i = 0;; i++) {
		info->begin_us = clock_wall_us();
		backup_id_make(info->id, info->begin_us);
		if (archive_key(b->folder, e, "%s/%sbase/%s/", b->archive->server,
			    b->wish.incremental ? "podgres/" : "", info->id) < 0)
			return -1;
		rc = backup_id_free(b, e);
		if (rc < 0)
			return -1;
		taken = rc == 0;
		info->status = BACKUP_STARTED;
		snprintf(info->running_pod, sizeof(info->running_pod), "%s", opt->pod_name);
		snprintf(info->running_session, sizeof(info->running_session), "%s",
			opt->session_id);
		b->stored = !taken; /* perhaps, whatever the answer is */
		if (!taken && backup_info_store(b, b->archive, true, e) == 0)
			break;
		if (!taken && e->kind != ERR_CONFLICT)
			return -1;
		if (i >= ID_TRIES)
			return err_set(e, ERR_BUSY, "other backups take every ID");
		b->stored = false;
		if (backup_pause(b, 1100, e) < 0)
			return -1;
	}
	snprintf(b->j->report.result, sizeof(b->j->report.result), "%s", info->id);
	return 0;
}

static void
backup_describe(struct backup_job *b)
{
	struct backup_info *info = &b->info;

	snprintf(info->name, sizeof(info->name), "%s", b->wish.name);
	snprintf(info->pgdata, sizeof(info->pgdata), "%s", b->j->opt->pgdata);
	snprintf(info->server_name, sizeof(info->server_name), "cloud");
	snprintf(info->writer, sizeof(info->writer), "podgres " PODGRES_VERSION);
	info->standby = b->standby;
}

static int
backup_copy(struct backup_job *b, struct err *e)
{
	const struct replication_sink sink = {.start = sink_start,
		.archive = sink_archive,
		.data = sink_data,
		.archive_end = sink_archive_end,
		.manifest = sink_manifest,
		.arg = b};
	char label[64];
	const struct replication_backup wish = {.label = label,
		.fast = b->wish.immediate < 0 ? b->archive->spec->immediate_checkpoint
					      : b->wish.immediate > 0,
		.progress = true,
		.manifest = true,
		.no_wait = true,
		.incremental = b->wish.incremental,
		.rate = b->wish.rate,
		.sink = &sink};
	struct backup_info *info = &b->info;
	struct replication_end end;

	snprintf(label, sizeof(label), LABEL "%s", info->id);
	job_phase(b->j, wish.fast ? "checkpoint" : "checkpoint, spread over time", -1);
	if (replication_base_backup(b->repl, &wish, &end, e) < 0)
		return err_add(e, "base backup");
	info->end_us = clock_wall_us();
	info->end_lsn = end.lsn;
	info->end_offset = (uint32_t)(end.lsn % info->segment_bytes);
	info->checksum_failures = end.checksum_failures;
	lineage_name(end.timeline, end.lsn - 1, info->segment_bytes, info->end_wal);
	if (end.timeline != info->timeline)
		return err_set(e, ERR_FAILED, "the timeline changed during the backup");
	return b->manifest_open ? backup_out_close(&b->out, e) : 0;
}

static int
backup_keep(struct backup_job *b, struct err *e)
{
	static const char *const words[] = {"", "full", "standalone"};
	char key[ARCHIVE_KEY_SIZE];
	struct store_put put = {.key = key};

	if (b->wish.keep == ORDER_KEEP_NO || b->wish.keep > ORDER_KEEP_STANDALONE)
		return 0;
	if (backup_key(b, key, "annotations/keep", e) < 0)
		return -1;
	put.body = words[b->wish.keep];
	put.len = strlen(words[b->wish.keep]);
	return store_put(b->archive->store, &put, NULL, e);
}

/* From here on the backup exists. */
static int
backup_complete(struct backup_job *b, struct err *e)
{
	struct backup_info *info = &b->info;

	info->label = buf_take(&b->tar.label_text);
	if (!info->label)
		return err_set(e, ERR_REMOTE, "the server sent no backup_label");
	info->bytes = b->list.bytes;
	info->stored_bytes = b->out.stored_bytes;
	if (backup_list_close(&b->list, e) < 0 || backup_keep(b, e) < 0)
		return -1;
	info->status = BACKUP_DONE;
	info->running_pod[0] = info->running_session[0] = '\0';
	return backup_info_store(b, b->archive, false, e);
}

static void
backup_said(const struct backup_job *b, int64_t started_ns)
{
	const struct backup_info *info = &b->info;
	int64_t ms = (clock_boot_ns() - started_ns) / MS_NS;

	log_info("backup done", F_STR("backup", info->id), F_STR("name", info->name),
		F_INT("bytes", info->bytes), F_INT("stored_bytes", info->stored_bytes),
		F_INT("took_ms", ms), F_STR("begin_wal", info->begin_wal),
		F_STR("end_wal", info->end_wal), F_STR("parent", info->parent));
	if (info->checksum_failures)
		log_error("the backup has pages with a wrong checksum", F_STR("backup", info->id),
			F_STR("hint", "the server's log names them; keep older backups until this "
				      "is understood"));
}

int
backup_create(struct backup_job *b, struct err *e)
{
	int64_t started_ns = clock_boot_ns();

	if (pq_load(&b->pq, e) < 0 || backup_connect(b, e) < 0 || backup_preflight(b, e) < 0)
		return -1;
	backup_describe(b);
	if (b->wish.incremental && backup_parent_send(b, e) < 0)
		return err_add(e, "incremental backup");
	if (backup_claim(b, e) < 0)
		return err_add(e, "begin in the archive");
	log_info("backup begun", F_STR("backup", b->info.id), F_STR("name", b->wish.name),
		F_STR("folder", b->folder));
	if (backup_list_open(&b->list, e) < 0 || backup_copy(b, e) < 0)
		return -1;
	b->repl = replication_close(b->repl);
	if (backup_last_wal(b, e) < 0)
		return err_add(e, "wait for the last WAL of the backup");
	if (backup_complete(b, e) < 0)
		return err_add(e, "end in the archive");
	backup_said(b, started_ns);
	if (b->info.checksum_failures) {
		snprintf(b->j->report.hint, sizeof(b->j->report.hint),
			"the server's log names the pages; keep older backups until this is "
			"understood");
		return err_set(e, ERR_CORRUPT,
			"backup %s is stored, but the server found pages with a wrong checksum",
			b->info.id);
	}
	job_phase(b->j, "done", 1);
	return 0;
}
