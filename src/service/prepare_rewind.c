/*
 * prepare_rewind - pg_rewind, from a primary that can be rewound to.
 *
 * Process: the job `prepare`.  The mark is durable before pg_rewind begins: what it leaves when it
 * is interrupted looks like a cluster and is none.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "pg/conf_read.h"
#include "pg/conf.h"
#include "service/prepare_member.h"

#define CHECKPOINT_WAIT_MS (5 * 60 * SEC_MS)
#define CHECKPOINT_LOOK_MS 500

const char *
rewind_cannot(const struct prepare *p)
{
	const struct control *c = &p->data.control;
	char program[FILE_PATH_MAX];
	struct err ignored;

	if (bindir_program(&p->bin, "pg_rewind", program, &ignored) < 0)
		return "this image has no pg_rewind";
	if (p->member->holder.version / 10000 != p->data.major)
		return "the primary is of another version of PostgreSQL";
	if (!c->wal_log_hints && c->checksum_version == 0)
		return "it has neither data checksums nor wal_log_hints";
	if (c->backup_end_required || c->backup_start_point || c->backup_end_point)
		return "it is a base backup that never became consistent";
	return NULL;
}

/* ---- the primary ---- */

static int
rewind_source_timeline(struct holder *h, uint32_t *timeline, struct err *e)
{
	if (holder_query(h, "SELECT timeline_id FROM pg_catalog.pg_control_checkpoint()", e) < 0)
		return -1;
	*timeline = (uint32_t)strtoul(replication_field(h->r, 0), NULL, 10);
	return 0;
}

/* pg_rewind takes the timeline from the source's pg_control, which has it with the first checkpoint
 * after the promotion.  Before version 15 only the primary itself can ask for one: its job members
 * does. */
static int
rewind_await_checkpoint(struct prepare *p, struct err *e)
{
	struct holder *h = &p->member->holder;
	int64_t until = clock_boot_ms() + CHECKPOINT_WAIT_MS;
	uint32_t timeline;
	bool asked = false;
	struct err ignored;

	for (;;) {
		if (rewind_source_timeline(h, &timeline, e) < 0)
			return -1;
		if (timeline == h->sys.timeline)
			return 0;
		if (clock_boot_ms() > until)
			return err_set(e, ERR_TIMEOUT,
				"the primary has written no checkpoint on timeline %u",
				h->sys.timeline);
		job_phase(p->j, "waiting for a checkpoint of the primary", -1);
		if (!asked && h->version >= 150000)
			(void)!holder_query(h, "CHECKPOINT", &ignored);
		else
			poll(NULL, 0, CHECKPOINT_LOOK_MS);
		asked = true;
		if (member_same_holder(p, e) < 0)
			return -1;
	}
}

/* Still there, and still what it was: then the failure was not its. */
static bool
rewind_source_stands(struct prepare *p)
{
	struct holder again;
	struct err ignored;
	bool stands = member_same_holder(p, &ignored) == 0 &&
		      holder_open(&again, &p->member->target, &ignored) == 0;

	if (!stands)
		return false;
	stands = !again.in_recovery && again.sys.timeline == p->member->holder.sys.timeline;
	holder_close(&again);
	return stands;
}

/* ---- pg_rewind ---- */

/* "  1234/56789 kB (2%) copied" */
static void
rewind_line(const char *name, const char *line, void *arg)
{
	struct init *in = arg;
	struct job_report *report = &in->p->j->report;
	long long done, total;

	if (sscanf(line, " %lld/%lld kB (", &done, &total) != 2) {
		log_info("output while rewinding", F_STR("program", name), F_STR("line", line));
		return;
	}
	if (done * 1024 == report->done_bytes)
		return;
	report->done_bytes = done * 1024;
	report->total_bytes = total * 1024;
	job_phase(in->p->j, "rewinding", total > 0 ? (float)((double)done / (double)total) : -1);
}

/* WAL that was recycled here may be in the archive. */
static bool
rewind_has_archive(const struct prepare *p)
{
	AUTO(conf_settings_deinit) struct conf_settings s = {0};
	char path[FILE_PATH_MAX];
	struct err ignored;

	return file_join(path, sizeof(path), p->data.path, CONF_OWNED_FILE, &ignored) == 0 &&
	       conf_load(&s, path, &ignored) == 0 &&
	       *conf_settings_value(&s, "restore_command", "");
}

static int
rewind_argv(struct prepare *p, struct words *w, struct err *e)
{
	AUTO(buf_deinit) struct buf source = {0};
	char program[FILE_PATH_MAX];

	member_conninfo(&source, &p->member->target);
	if (buf_check(&source, e) < 0 || bindir_program(&p->bin, "pg_rewind", program, e) < 0 ||
		words_add(w, program, e) < 0 || words_add(w, "--progress", e) < 0 ||
		words_add(w, "--no-ensure-shutdown", e) < 0 ||
		words_addf(w, e, "--target-pgdata=%s", p->data.path) < 0 ||
		words_addf(w, e, "--source-server=%s", buf_str(&source)) < 0)
		return -1;
	return rewind_has_archive(p) ? words_add(w, "--restore-target-wal", e) : 0;
}

static int
rewind_run(struct prepare *p, struct init *in, struct err *e)
{
	AUTO(words_deinit) struct words w = {0};
	struct spawn_spec spec = {
		.name = "pg_rewind", .on_line = rewind_line, .on_tick = init_tick, .arg = in};

	snprintf(in->place.data, sizeof(in->place.data), "%s", p->data.path);
	if (init_env(in, e) < 0 || init_name_for_uid(in, e) < 0 || rewind_argv(p, &w, e) < 0)
		return -1;
	spec.envp = (const char *const *)in->env.item;
	spec.argv = (const char *const *)w.item;
	job_phase(p->j, "rewinding", -1);
	return member_run(p, &spec, e);
}

/* Files of the source that say something of it alone. */
static int
rewind_clean(const struct prepare *p, struct err *e)
{
	static const char *const theirs[] = {"postmaster.pid", "postmaster.opts", "promote",
		"current_logfiles", "backup_manifest", "podgres.restored"};
	char path[FILE_PATH_MAX];

	for (size_t i = 0; i < ARRAY_LEN(theirs); i++)
		if (file_join(path, sizeof(path), p->data.path, theirs[i], e) < 0 ||
			file_remove(path, e) < 0)
			return -1;
	return 0;
}

static bool
rewind_is_done(const struct prepare *p)
{
	const struct control *c = &p->data.control;

	return p->data.backup_label && c->state == CONTROL_IN_ARCHIVE_RECOVERY &&
	       control_timeline(c) == p->member->holder.sys.timeline;
}

static int
rewind_finish(struct prepare *p, struct err *e)
{
	if (member_look_again(p, e) < 0)
		return -1;
	if (!rewind_is_done(p))
		return err_set(
			e, ERR_FAILED, "pg_rewind ended well and has not rewound %s", p->data.path);
	job_phase(p->j, "writing what was rewound to disk", -1);
	if (rewind_clean(p, e) < 0 || member_standby(p, e) < 0 ||
		file_sync_tree(p->data.path, e) < 0 || file_sync_tree(p->data.wal, e) < 0)
		return -1;
	log_info("rewound", F_STR("pgdata", p->data.path + 0),
		F_STR("primary", p->member->el.holder_name + 0));
	return mark_clear(p->member, e);
}

int
member_rewind(struct prepare *p, struct err *e)
{
	struct init *in;
	int rc;

	/* A former run was killed behind pg_rewind. */
	if (p->member->mark.state == MARK_REWIND && rewind_is_done(p))
		return rewind_finish(p, e);
	if (rewind_await_checkpoint(p, e) < 0)
		return -1;
	if (!control_clean(&p->data.control) && member_settle(p, e) < 0)
		return -1;
	if (mark_write(p->member, MARK_REWIND, "diverged", e) < 0)
		return -1;
	in = member_init_new(p, e);
	if (!in)
		return -1;
	rc = rewind_run(p, in, e);
	member_init_free(in);
	if (rc == 0)
		return rewind_finish(p, e);
	if (!rewind_source_stands(p))
		e->kind = ERR_REMOTE;
	return err_add(e, "rewind");
}
