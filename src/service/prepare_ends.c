/*
 * prepare_ends - where local WAL ends, and where it has to end.
 *
 * Process: the job `prepare`; no postgres runs.  A standby's data is never newer than its minimum
 * recovery point, a cleanly stopped primary's WAL ends with its last checkpoint's record.  Behind
 * that pg_wal may hold more: received but not replayed, and of a primary that is none any more.
 * Recovery would replay it, so what lies behind the point where the histories part is taken out.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "pg/wal_page.h"
#include "service/prepare_member.h"

#define WAL_SHORT_HEAD 24
#define CHECKPOINT_RECORD 114 /* 24 of the record, 2 of its only block, 88 of struct CheckPoint */
#define SETTLE_MS (60 * 60 * SEC_MS)
#define SETTLE_STOP_MS (10 * 60 * SEC_MS)
#define SETTLE_READY_MS (60 * SEC_MS)
#define SETTLE_LOOK_MS 50

/* ---- the end ---- */

/* Where a record of that many bytes ends that begins at lsn: pages have headers between. */
static uint64_t
record_end(uint64_t lsn, uint32_t bytes, const struct control *c)
{
	uint32_t block = c->wal_block_bytes ? c->wal_block_bytes : 8192;
	uint64_t at = lsn;

	while (bytes > 0) {
		uint32_t room;

		if (at % block == 0)
			at += at % c->wal_segment_bytes == 0 ? WAL_PAGE_HEAD : WAL_SHORT_HEAD;
		room = block - (uint32_t)(at % block);
		room = room < bytes ? room : bytes;
		at += room;
		bytes -= room;
	}
	return (at + 7) & ~UINT64_C(7);
}

/* Length of the record at lsn, as its file says; 0: the file is not there. */
static uint32_t
record_bytes(const struct prepare *p, uint64_t lsn)
{
	const struct control *c = &p->data.control;
	char name[LINEAGE_NAME_SIZE], path[FILE_PATH_MAX];
	AUTO(close) int fd = -1;
	uint32_t bytes = 0;
	struct err ignored;

	lineage_name(c->copy.timeline, lsn, c->wal_segment_bytes, name);
	if (file_join(path, sizeof(path), p->data.wal, name, &ignored) < 0)
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || pread(fd, &bytes, sizeof(bytes), (off_t)(lsn % c->wal_segment_bytes)) !=
			      (ssize_t)sizeof(bytes))
		return 0;
	return bytes < 1024 ? bytes : 0;
}

int
member_wal_end(const struct prepare *p, uint64_t *lsn, struct err *e)
{
	const struct control *c = &p->data.control;
	uint32_t bytes;

	if (c->min_recovery_point > c->checkpoint) {
		*lsn = c->min_recovery_point;
		return 0;
	}
	if (c->checkpoint == 0 || c->wal_segment_bytes == 0)
		return err_set(e, ERR_CORRUPT, "%s: pg_control has no checkpoint", p->data.path);
	bytes = record_bytes(p, c->checkpoint);
	*lsn = record_end(c->checkpoint, bytes ? bytes : CHECKPOINT_RECORD, c);
	return 0;
}

/* ---- WAL that must not be replayed ---- */

struct trim {
	const struct prepare *p;
	uint32_t timeline;
	uint64_t lsn;
	unsigned removed;
};

static int
trim_status(const struct trim *t, const char *name, struct err *e)
{
	static const char *const kinds[] = {"ready", "done"};
	char path[FILE_PATH_MAX];

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		int n = snprintf(path, sizeof(path), "%s/archive_status/%s.%s", t->p->data.wal,
			name, kinds[i]);

		if (n < 0 || (size_t)n >= sizeof(path))
			return err_set(e, ERR_CONFIG, "path too long: %.200s", t->p->data.wal);
		if (file_remove(path, e) < 0)
			return -1;
	}
	return 0;
}

/* From lsn to the end of its segment there will be zeros, at which recovery stops. */
static int
trim_tail(const struct trim *t, const char *path, uint32_t segment_bytes, struct err *e)
{
	static const char zeros[65536];
	AUTO(close) int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return file_err(e, "open %s", path);
	for (uint64_t at = t->lsn % segment_bytes; at < segment_bytes;) {
		uint64_t n =
			segment_bytes - at < sizeof(zeros) ? segment_bytes - at : sizeof(zeros);
		ssize_t done = pwrite(fd, zeros, (size_t)n, (off_t)at);

		if (done < 0)
			return file_err(e, "write %s", path);
		at += (uint64_t)done;
	}
	return fsync(fd) < 0 ? file_err(e, "fsync %s", path) : 0;
}

static int
trim_one(const char *name, void *arg, struct err *e)
{
	struct trim *t = arg;
	uint32_t segment_bytes = t->p->data.control.wal_segment_bytes, timeline;
	char path[FILE_PATH_MAX];
	uint64_t from;

	if (!lineage_name_parse(name, segment_bytes, &timeline, &from) || timeline != t->timeline ||
		from + segment_bytes <= t->lsn)
		return 0;
	if (file_join(path, sizeof(path), t->p->data.wal, name, e) < 0)
		return -1;
	if (from < t->lsn)
		return trim_tail(t, path, segment_bytes, e);
	t->removed++;
	return trim_status(t, name, e) < 0 ? -1 : file_remove(path, e);
}

int
member_trim_wal(const struct prepare *p, uint32_t timeline, uint64_t lsn, struct err *e)
{
	struct trim t = {.p = p, .timeline = timeline, .lsn = lsn};

	if (file_each(p->data.wal, trim_one, &t, e) < 0 || file_sync(p->data.wal, e) < 0)
		return err_add(e, "take out WAL that the primary does not have");
	if (t.removed)
		log_info("WAL of the former primary taken out", F_INT("segments", t.removed));
	return 0;
}

int
member_put_history(const struct prepare *p, struct err *e)
{
	const struct holder *h = &p->member->holder;
	char path[FILE_PATH_MAX], name[24];

	if (h->history_text.len == 0)
		return 0;
	snprintf(name, sizeof(name), "%08X.history", h->sys.timeline);
	if (file_join(path, sizeof(path), p->data.wal, name, e) < 0)
		return -1;
	return file_write(path, h->history_text.data, h->history_text.len, 0600, e);
}

/* ---- a crashed server ---- */

static int
settle_limits(struct words *w, const struct control *c, struct err *e)
{
	const struct {
		const char *name;
		int value;
	} limits[] = {{"max_connections", c->max_connections},
		{"max_worker_processes", c->max_worker_processes},
		{"max_wal_senders", c->max_wal_senders},
		{"max_prepared_transactions", c->max_prepared_xacts},
		{"max_locks_per_transaction", c->max_locks_per_xact}};
	char value[16];

	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		snprintf(value, sizeof(value), "%d", limits[i].value);
		if (server_set(w, limits[i].name, value, e) < 0)
			return -1;
	}
	return 0;
}

/* As a standby of nobody: it replays what is in pg_wal and then waits. */
static int
settle_start(struct init *in, struct words *w, struct err *e)
{
	static const char *const own[][2] = {{"fsync", "on"}, {"hot_standby", "on"},
		{"primary_conninfo", ""}, {"primary_slot_name", ""}, {"restore_command", ""},
		{"recovery_target_timeline", "current"}};
	struct spawn_spec spec = {.name = "postgres",
		.envp = (const char *const *)in->env.item,
		.no_huge_pages = true,
		.on_line = init_line,
		.on_tick = init_tick,
		.arg = in};

	if (server_folder(in, e) < 0 || words_add(w, in->bin.postgres, e) < 0 ||
		words_add(w, "-D", e) < 0 || words_add(w, in->place.data, e) < 0 ||
		server_user_settings(w, in->p->spec, e) < 0 || server_own_settings(w, in, e) < 0 ||
		settle_limits(w, &in->p->data.control, e) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		if (server_set(w, own[i][0], own[i][1], e) < 0)
			return -1;
	spec.argv = (const char *const *)w->item;
	if (spawn_start(&in->server, &spec, e) < 0)
		return -1;
	in->server.spec.argv = NULL;
	return 0;
}

/* pg_control says "in archive recovery" when a crashed primary has come to the end of its WAL; a
 * standby says so all the time, and is given a while to come to where it takes connections. */
static int
settle_await(struct init *in, bool standby, struct err *e)
{
	int64_t begun = clock_boot_ms(), ms = 0;
	struct control c;

	for (; ms < SETTLE_MS; ms = clock_boot_ms() - begun) {
		if (in->server.ended)
			return spawn_check(&in->server, e) < 0
				       ? -1
				       : err_set(e, ERR_FAILED, "postgres ended at once");
		if (standby && (server_ready(in) || ms > SETTLE_READY_MS))
			return 0;
		if (!standby && control_read(&c, in->place.data, e) == 0 &&
			c.state == CONTROL_IN_ARCHIVE_RECOVERY)
			return 0;
		spawn_pump(&in->server, NULL, SETTLE_LOOK_MS);
	}
	return err_set(
		e, ERR_FAILED, "its WAL was not replayed within %d s", (int)(SETTLE_MS / SEC_MS));
}

static int
settle_stop(struct init *in, struct err *e)
{
	struct control c;

	if (server_end(in, SETTLE_STOP_MS, &c, e) < 0)
		return -1;
	return control_clean(&c) ? 0
				 : err_set(e, ERR_FAILED, "pg_control says \"%s\"",
					   control_state_text(c.state));
}

static int
settle_all(struct init *in, struct err *e)
{
	AUTO(words_deinit) struct words w = {0};
	struct prepare *p = in->p;
	bool standby = p->data.control.state == CONTROL_IN_ARCHIVE_RECOVERY;

	snprintf(in->place.target, sizeof(in->place.target), "%s", p->data.path);
	snprintf(in->place.data, sizeof(in->place.data), "%s", p->data.path);
	in->bin = p->bin;
	if (member_standby(p, e) < 0 || init_env(in, e) < 0 || init_name_for_uid(in, e) < 0)
		return -1;
	job_phase(p->j, "replaying what was written before the crash", -1);
	if (settle_start(in, &w, e) < 0 || settle_await(in, standby, e) < 0 ||
		settle_stop(in, e) < 0) {
		server_kill(in);
		return -1;
	}
	server_kill(in); /* it has ended: removes its folder */
	return 0;
}

int
member_settle(struct prepare *p, struct err *e)
{
	struct init *in = member_init_new(p, e);
	int rc = in ? settle_all(in, e) : -1;

	member_init_free(in);
	if (rc < 0)
		return err_add(e, "bring a crashed server to a stop");
	return member_look_again(p, e);
}
