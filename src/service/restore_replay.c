/*
 * restore_replay - a private postgres replays WAL up to the target and becomes a primary.
 *
 * Process: whoever restores.  No TCP, no archive, a configuration of its own outside of the data
 * directory.  hot_standby is off: then no setting of the old cluster (max_connections and its kin)
 * can keep recovery from starting, and how far it is we know as the one who feeds it.  How it ended
 * is in postgres' own lines; where, in the history file of the new timeline.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "core/when.h"
#include "pg/control.h"
#include "service/restore.h"

#define REPLAY_LOOK_MS 20
#define REPLAY_ALONE_MS (20 * SEC_MS)
#define HISTORY_MAX (1U << 20)

/* ---- settings ---- */

static int
replay_file(
	struct restore *r, const char *name, struct words *w, const char *setting, struct err *e)
{
	char path[FILE_PATH_MAX];

	if (file_join(path, sizeof(path), r->in->socket_dir, name, e) < 0 ||
		file_write(path, "", 0, 0600, e) < 0)
		return -1;
	return server_set(w, setting, path, e);
}

static int
replay_target(const struct restore_target *t, struct words *w, struct err *e)
{
	static const char *const names[] = {[TARGET_TIME] = "recovery_target_time",
		[TARGET_XID] = "recovery_target_xid",
		[TARGET_NAME] = "recovery_target_name",
		[TARGET_LSN] = "recovery_target_lsn",
		[TARGET_IMMEDIATE] = "recovery_target"};
	char text[WHEN_TEXT_SIZE];
	const char *value = t->text;

	if (t->kind == TARGET_LATEST)
		return 0;
	if (t->kind == TARGET_TIME)
		value = when_text(t->time_us, text); /* abbreviations, Z too, are not read here */
	if (t->kind == TARGET_IMMEDIATE)
		value = "immediate";
	if (server_set(w, "recovery_target_inclusive", t->exclusive ? "off" : "on", e) < 0)
		return -1;
	return server_set(w, names[t->kind], value, e);
}

static int
replay_recovery(struct restore *r, struct words *w, struct err *e)
{
	static const char *const fixed[][2] = {{"hot_standby", "off"}, {"lc_messages", "C"},
		{"log_line_prefix", ""}, {"log_min_messages", "warning"},
		{"log_error_verbosity", "default"}, {"log_checkpoints", "off"},
		{"recovery_target_action", "promote"}, {"recovery_min_apply_delay", "0"},
		{"primary_conninfo", ""}, {"primary_slot_name", ""},
		{"archive_cleanup_command", ""}, {"recovery_end_command", ""},
		{"full_page_writes", "on"}};
	AUTO(buf_deinit) struct buf command = {0};
	char timeline[16] = "current";

	if (!r->local)
		snprintf(timeline, sizeof(timeline), "%u", r->path.timeline);
	for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
		if (server_set(w, fixed[i][0], fixed[i][1], e) < 0)
			return -1;
	if (r->local)
		buf_puts(&command, "false");
	else if (restore_wal_command(r, &command, e) < 0)
		return -1;
	if (buf_check(&command, e) < 0 ||
		server_set(w, "restore_command", buf_str(&command), e) < 0 ||
		server_set(w, "recovery_target_timeline", timeline, e) < 0)
		return -1;
	return replay_target(&r->target, w, e);
}

/* Prepared transactions of the old cluster need their room, whatever the manifest says. */
static int
replay_limits(const struct restore *r, struct words *w, struct err *e)
{
	struct control c;
	char text[16];
	uint32_t twice;

	if (control_read(&c, r->in->place.data, e) < 0)
		return -1;
	/* initdb wrote these for large segments into a file that is not read here. */
	twice = c.wal_segment_bytes / 1048576 * 2;
	snprintf(text, sizeof(text), "%uMB", twice > 80 ? twice : 80);
	if (server_set(w, "min_wal_size", text, e) < 0)
		return -1;
	snprintf(text, sizeof(text), "%uMB", twice > 1024 ? twice : 1024);
	if (server_set(w, "max_wal_size", text, e) < 0)
		return -1;
	snprintf(text, sizeof(text), "%d", c.max_prepared_xacts);
	if (server_set(w, "max_prepared_transactions", text, e) < 0)
		return -1;
	snprintf(text, sizeof(text), "%d", c.max_locks_per_xact < 64 ? 64 : c.max_locks_per_xact);
	return server_set(w, "max_locks_per_transaction", text, e);
}

static int
replay_argv(struct restore *r, struct words *w, struct err *e)
{
	struct init *in = r->in;

	if (words_add(w, in->bin.postgres, e) < 0 || words_add(w, "-D", e) < 0 ||
		words_add(w, in->place.data, e) < 0)
		return -1;
	if (replay_file(r, "postgresql.conf", w, "config_file", e) < 0 ||
		replay_file(r, "pg_ident.conf", w, "ident_file", e) < 0)
		return -1;
	if (server_user_settings(w, in->p->spec, e) < 0 || server_own_settings(w, in, e) < 0)
		return -1;
	return replay_limits(r, w, e) < 0 || replay_recovery(r, w, e) < 0 ? -1 : 0;
}

/* ---- what it says ---- */

static const char *
replay_after(const char *line, const char *what)
{
	const char *at = strstr(line, what);

	return at ? at + strlen(what) : NULL;
}

static void
replay_line(const char *name, const char *line, void *arg)
{
	struct restore *r = arg;
	struct restore_result *x = &r->result;
	const char *at;

	log_info("output while restoring", F_STR("program", name), F_STR("line", line));
	if (strstr(line, "LOG:  recovery stopping "))
		snprintf(x->stopped, sizeof(x->stopped), "%s", strstr(line, "recovery stopping "));
	if ((at = replay_after(line, "last completed transaction was at log time ")) != NULL)
		snprintf(x->last_time, sizeof(x->last_time), "%.*s", 60, at);
	if ((at = replay_after(line, "LOG:  redo done at ")) != NULL) {
		char lsn[LINEAGE_LSN_SIZE];

		snprintf(lsn, sizeof(lsn), "%.*s", (int)strcspn(at, " "), at);
		lineage_lsn_parse(lsn, &x->lsn);
	}
	if ((at = replay_after(line, "FATAL:  ")) != NULL ||
		(at = replay_after(line, "PANIC:  ")) != NULL)
		snprintf(r->fatal, sizeof(r->fatal), "%s", at);
}

/* Only what moves is said: /startupz takes a report for progress. */
static void
replay_tick(void *arg)
{
	struct restore *r = arg;
	struct job_report *report = &r->in->p->j->report;
	uint64_t from, to, at;
	char phase[sizeof(report->phase)], now[LINEAGE_LSN_SIZE], end[LINEAGE_LSN_SIZE];

	if (r->local)
		return;
	from = r->path.backup->begin_lsn;
	at = r->shared->wal.asked_lsn > from ? r->shared->wal.asked_lsn : from;
	to = r->target.kind == TARGET_LSN ? r->target.lsn : r->path.end_lsn;
	snprintf(phase, sizeof(phase), "replaying WAL, %s of %s", lineage_lsn_text(at, now),
		lineage_lsn_text(to, end));
	if (strcmp(phase, report->phase) == 0)
		return;
	report->done_bytes = (int64_t)(at - from);
	report->total_bytes = to > from ? (int64_t)(to - from) : 0;
	job_phase(r->in->p->j, phase,
		at >= to ? 1.0F : (float)((double)(at - from) / (double)(to - from)));
}

/* ---- how it ended ---- */

static int
replay_too_far(const struct restore *r, struct err *e)
{
	const struct restore_result *x = &r->result;
	char target[160], lsn[LINEAGE_LSN_SIZE], end[LINEAGE_LSN_SIZE];

	restore_target_text(&r->target, target, sizeof(target));
	return err_set(e, ERR_UNMET,
		"the target (%s) was not reached: the archive ends before it.  The last commit "
		"replayed from backup %s along timeline %u is of %s, at %s; WAL is there up to %s",
		target, r->path.backup->id, r->path.timeline,
		*x->last_time ? x->last_time : "no time (there was none)",
		lineage_lsn_text(x->lsn, lsn), lineage_lsn_text(r->path.end_lsn, end));
}

static int
replay_failed(const struct restore *r, struct err *e)
{
	const char *failed = r->local ? "" : r->shared->wal.failed;

	if (strstr(r->fatal, "recovery ended before configured recovery target was reached"))
		return replay_too_far(r, e);
	if (*failed && strstr(r->fatal, "could not restore file"))
		return err_set(e, ERR_REMOTE, "WAL could not be fetched: %s", failed);
	if (strstr(r->fatal, "requested timeline"))
		return err_set(e, ERR_UNMET,
			"%s: the chosen backup %s does not lead to timeline %u", r->fatal,
			r->path.backup->id, r->path.timeline);
	if (*r->fatal)
		return err_set(e, ERR_FAILED, "recovery: %s", r->fatal);
	if (spawn_check(&r->in->server, e) < 0)
		return err_add(e, "recovery");
	return err_set(e, ERR_FAILED, "recovery: postgres ended by itself");
}

static int
replay_await(struct restore *r, struct err *e)
{
	while (!server_ready(r->in)) {
		if (r->in->server.ended)
			return replay_failed(r, e);
		spawn_pump(&r->in->server, NULL, REPLAY_LOOK_MS);
	}
	return 0;
}

/* The last line of the new timeline's history says where it left the old one. */
static int
replay_history(struct restore *r, struct err *e)
{
	AUTO(buf_deinit) struct buf b = {0};
	struct lineage_entry entry[256];
	struct lineage_history h = {.entry = entry, .max = ARRAY_LEN(entry)};
	char path[FILE_PATH_MAX + 32];
	struct control c;

	if (control_read(&c, r->in->place.data, e) < 0)
		return -1;
	r->result.timeline = control_timeline(&c);
	snprintf(path, sizeof(path), "%s/pg_wal/%08X.history", r->in->place.data,
		r->result.timeline);
	if (file_read(&b, path, HISTORY_MAX, e) < 0)
		return err_add(e, "recovery made no new timeline");
	if (lineage_history_parse(buf_str(&b), b.len, &h, e) < 0)
		return -1;
	if (h.n == 0)
		return err_set(e, ERR_CORRUPT, "%s is empty", path);
	r->result.lsn = entry[h.n - 1].lsn;
	return 0;
}

/* Without a target, all that the archive has must have been replayed; the last segment may hold
 * nothing but the rest of a record whose beginning was not the last one. */
static int
replay_check(struct restore *r, struct err *e)
{
	char lsn[LINEAGE_LSN_SIZE], end[LINEAGE_LSN_SIZE];
	uint64_t last;

	if (r->local || r->target.kind != TARGET_LATEST || r->shared->wal.end_asked ||
		!r->path.end_lsn)
		return 0;
	last = r->path.end_lsn - r->catalog.c.segment_bytes;
	if (r->result.lsn >= last)
		return 0;
	return err_set(e, ERR_CORRUPT,
		"recovery ended at %s, but the archive has WAL of timeline %u up to %s: what "
		"follows "
		"%s is damaged",
		lineage_lsn_text(r->result.lsn, lsn), r->path.timeline,
		lineage_lsn_text(r->path.end_lsn, end), lsn);
}

/* ---- start ---- */

static int
replay_boot_line(struct restore *r, struct err *e)
{
	char boot[64];

	if (file_read_line("/proc/sys/kernel/random/boot_id", boot, sizeof(boot), e) < 0)
		return -1;
	return journal_get(r, "replaying", boot, sizeof(boot))
		       ? 0
		       : journal_add(r, e, "replaying %s", boot);
}

static int
replay_spawn(struct restore *r, struct err *e)
{
	AUTO(words_deinit) struct words w = {0};
	struct init *in = r->in;
	struct spawn_spec spec = {.name = "postgres",
		.envp = (const char *const *)in->env.item,
		.no_huge_pages = true,
		.on_line = replay_line,
		.on_tick = replay_tick,
		.arg = r};

	if (replay_argv(r, &w, e) < 0)
		return -1;
	spec.argv = (const char *const *)w.item;
	if (spawn_start(&in->server, &spec, e) < 0)
		return -1;
	in->server.spec.argv = NULL; /* exec has it; ours goes with this function */
	return 0;
}

/* The postmaster of a killed run died with it; its children notice that only by and by.  Whoever
 * works in this folder is ours, and nobody needs it any more. */
static int
replay_alone(const struct restore *r, struct err *e)
{
	int64_t until = clock_boot_ms() + REPLAY_ALONE_MS;
	pid_t other;

	for (;;) {
		if (pgdata_find_process(r->in->place.data, &other, e) < 0)
			return -1;
		if (!other)
			return 0;
		if (clock_boot_ms() > until)
			return err_set(e, ERR_BUSY, "process %ld still works in %s", (long)other,
				r->in->place.data);
		kill(other, SIGKILL);
		poll(NULL, 0, REPLAY_LOOK_MS);
	}
}

/* Recovery had ended and its result is on disk.  Postgres removes recovery.signal some time before,
 * so that its absence alone proves nothing: without it, recovery just goes on. */
static int
replay_ended(const struct restore *r, bool *ended, struct err *e)
{
	char boot[64];
	struct control c;

	*ended = false;
	if (r->local || !journal_get(r, "replaying", boot, sizeof(boot)))
		return 0;
	if (control_read(&c, r->in->place.data, e) < 0)
		return -1;
	*ended = c.copy.timeline > r->path.timeline;
	return 0;
}

static int
replay_clear(struct restore *r, bool *ended, struct err *e)
{
	static const char *const gone[] = {"postmaster.pid", "standby.signal", "recovery.signal"};
	char path[FILE_PATH_MAX] = "";

	if (replay_alone(r, e) < 0 || replay_ended(r, ended, e) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(gone); i++)
		if (file_join(path, sizeof(path), r->in->place.data, gone[i], e) < 0 ||
			file_remove(path, e) < 0)
			return -1;
	return *ended ? 0 : file_write(path, "", 0, 0600, e);
}

int
restore_replay(struct restore *r, struct err *e)
{
	int64_t began = clock_boot_ms();
	bool ended;

	*r->fatal = '\0';
	if (replay_clear(r, &ended, e) < 0 || server_folder(r->in, e) < 0)
		return -1;
	if (!r->local && (restore_wal_start(r, e) < 0 || replay_boot_line(r, e) < 0))
		return -1;
	if (ended)
		log_info("an interrupted recovery had ended already");
	replay_tick(r);
	if (replay_spawn(r, e) < 0 || replay_await(r, e) < 0)
		return -1;
	r->result.segments = r->local ? 0 : r->shared->wal.served;
	if (replay_history(r, e) < 0 || replay_check(r, e) < 0)
		return -1;
	r->result.replay_ms = clock_boot_ms() - began;
	restore_wal_stop(r);
	log_info("recovery has ended", F_STR("stopped", r->result.stopped + 0),
		F_STR("last_commit", r->result.last_time + 0),
		F_INT("timeline", r->result.timeline), F_INT("ms", r->result.replay_ms));
	return 0;
}
