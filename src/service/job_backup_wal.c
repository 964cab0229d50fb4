/*
 * job_backup_wal - a backup is worth nothing without its WAL: the archive is seen to take it.
 *
 * Process: the job `backup`.  What the archiver knows stands on the board; only a standby, whose
 * WAL another instance archives, has to look into the store.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "service/job_backup.h"

#define WAL_LOOK_MS 200
#define STANDBY_MS INT64_C(60000)
#define WAL_STALL_MS (3 * 60 * SEC_MS) /* nothing was archived for so long */
#define WAL_FAILING_MS (60 * SEC_MS)   /* the archive fails for so long */
#define WAL_STANDBY_MS                                                            \
	(15 * 60 * SEC_MS) /* until the primary fills its segment and archives it \
			    */
#define WAL_STANDBY_LOOK_MS 5000
#define SQL_MS (30 * SEC_MS)

int
backup_sql(struct backup_job *b, struct sql **out, struct err *e)
{
	const struct sql_spec spec = {.host = b->plan.socket_dir,
		.port = b->plan.port,
		.user = b->plan.superuser,
		.database = "postgres",
		.application = "podgres backup",
		.settings = "-c statement_timeout=30s -c search_path=pg_catalog"};

	if (sql_open(out, &b->pq, &spec, clock_boot_ns() + SQL_MS * MS_NS, e) < 0)
		return -1;
	if (sql_wait(*out, e) < 0) {
		*out = sql_close(*out);
		return err_add(e, "connect");
	}
	return 0;
}

/* ---- waiting ---- */

/* What can never become right again by waiting is an error at once. */
static int
archive_sound(const struct archive_facts *f, struct err *e)
{
	switch ((enum archive_state)f->state) {
	case ARCHIVE_STATE_NONE:
		return err_set(e, ERR_CONFIG, "the manifest names no archive");
	case ARCHIVE_STATE_FOREIGN:
	case ARCHIVE_STATE_CONFLICT:
		return err_set(e, ERR_CONFLICT, "the archive takes no WAL: %.300s", f->problem);
	case ARCHIVE_STATE_FAILING:
		if (f->failing_wall_us &&
			clock_wall_us() - f->failing_wall_us > WAL_FAILING_MS * 1000)
			return err_set(e, ERR_REMOTE, "the archive fails: %.300s", f->problem);
		return 0;
	case ARCHIVE_STATE_STARTING:
	case ARCHIVE_STATE_OK:
		break;
	}
	return 0;
}

struct wal_wait {
	uint64_t lsn;   /* until this is in the archive */
	bool any;       /* or any segment that was archived meanwhile */
	uint64_t count; /* archived so far */
	int64_t moved_ns;
};

/* 1: it is there; 0: not yet. */
static int
wal_look(struct backup_job *b, struct wal_wait *w, struct err *e)
{
	static struct archive_facts f;

	if (shared_read(b->j->board, SEC_ARCHIVE, &f) == 0)
		memset(&f, 0, sizeof(f)), f.state = ARCHIVE_STATE_STARTING;
	if (f.archived_lsn >= w->lsn)
		return 1;
	if (archive_sound(&f, e) < 0)
		return -1;
	if (w->moved_ns == 0 || f.archived != w->count) {
		if (w->any && w->moved_ns != 0 && f.archived > w->count)
			return 1;
		w->moved_ns = clock_boot_ns();
		w->count = f.archived;
	}
	if (clock_boot_ns() - w->moved_ns < WAL_STALL_MS * MS_NS)
		return 0;
	return err_set(e, ERR_TIMEOUT,
		"nothing reached the archive for %d s, %lld files wait: archive_mode or "
		"archive_command may be wrong",
		(int)(WAL_STALL_MS / SEC_MS), (long long)f.queue);
}

static int
wal_await(struct backup_job *b, struct wal_wait *w, struct err *e)
{
	int rc;

	while ((rc = wal_look(b, w, e)) == 0)
		if (backup_pause(b, WAL_LOOK_MS, e) < 0)
			return -1;
	return rc < 0 ? -1 : 0;
}

/* ---- before ---- */

static void
preflight_tablespaces(struct backup_job *b, const struct sql *c)
{
	struct backup_info *info = &b->info;

	for (int i = 0; i < sql_rows(c) && info->tablespaces < BACKUP_TABLESPACES; i++) {
		struct backup_tablespace *t = &info->tablespace[info->tablespaces++];

		t->oid = (uint32_t)sql_int(c, i, 0, 0);
		sql_copy(c, i, 1, t->name, sizeof(t->name));
	}
}

/* Ends the current segment, so that one has to go out now.  What was switched just before has none
 * to end: then a record is written first. */
static int
preflight_switch(struct sql *c, uint32_t segment_bytes, uint64_t *lsn, struct err *e)
{
	static const char *const texts[] = {"SELECT pg_switch_wal()",
		"SELECT pg_create_restore_point('podgres backup')", "SELECT pg_switch_wal()"};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		if (sql_ask(c, texts[i], clock_boot_ns() + SQL_MS * MS_NS, e) < 0)
			return err_add(e, "switch to a new segment");
		if (!lineage_lsn_parse(sql_text(c, 0, 0), lsn))
			return err_set(e, ERR_REMOTE, "switch to a new segment: strange answer");
		if (i != 1 && *lsn % segment_bytes != 0)
			break;
	}
	*lsn = (*lsn + segment_bytes - 1) / segment_bytes * segment_bytes;
	return 0;
}

static int
preflight_primary(struct backup_job *b, struct sql *c, struct err *e)
{
	struct wal_wait w = {.any = true};

	job_phase(b->j, "archiving one segment first", -1);
	/* The count of before the switch. */
	w.lsn = UINT64_MAX;
	if (wal_look(b, &w, e) < 0 || preflight_switch(c, b->info.segment_bytes, &w.lsn, e) < 0)
		return -1;
	return wal_await(b, &w, e);
}

/* 1: in order; 0: nobody has asked the store yet. */
static int
standby_look(struct backup_job *b, struct err *e)
{
	static struct archive_facts f;

	if (shared_read(b->j->board, SEC_ARCHIVE, &f) == 0 || f.state == ARCHIVE_STATE_STARTING)
		return 0;
	if (f.state == ARCHIVE_STATE_OK)
		return 1;
	return archive_sound(&f, e) < 0
		       ? -1
		       : err_set(e, ERR_UNMET, "the archive is not in order: %.300s", f.problem);
}

static int
preflight_standby(struct backup_job *b, struct err *e)
{
	int64_t until = clock_boot_ns() + STANDBY_MS * MS_NS;
	int rc;

	job_phase(b->j, "looking at the archive", -1);
	while ((rc = standby_look(b, e)) == 0) {
		if (clock_boot_ns() > until)
			return err_set(e, ERR_TIMEOUT, "the store has not answered for %d s",
				(int)(STANDBY_MS / SEC_MS));
		if (backup_pause(b, WAL_LOOK_MS, e) < 0)
			return -1;
	}
	return rc < 0 ? -1 : 0;
}

int
backup_preflight(struct backup_job *b, struct err *e)
{
	static const char text[] = "SELECT pg_is_in_recovery(), current_setting('archive_mode')";
	static const char tablespaces[] =
		"SELECT oid, spcname FROM pg_tablespace WHERE spcname !~ '^pg_' ORDER BY oid";
	AUTO(sql_close) struct sql *c = NULL;

	if (backup_sql(b, &c, e) < 0 || sql_ask(c, text, clock_boot_ns() + SQL_MS * MS_NS, e) < 0)
		return err_add(e, "check the server");
	b->standby = sql_bool(c, 0, 0);
	if (!b->standby && strcmp(sql_text(c, 0, 1), "off") == 0)
		return err_set(e, ERR_CONFIG,
			"archive_mode is off: the WAL of a backup would not be archived");
	if (sql_ask(c, tablespaces, clock_boot_ns() + SQL_MS * MS_NS, e) < 0)
		return err_add(e, "look for tablespaces");
	preflight_tablespaces(b, c);
	if ((b->standby ? preflight_standby(b, e) : preflight_primary(b, c, e)) < 0)
		return err_add(e, "before the backup");
	return 0;
}

/* ---- after ---- */

static int
count_object(void *arg, const struct store_object *o, struct err *e)
{
	const char *extension;
	char name[ARCHIVE_NAME_SIZE];
	struct archive_name parsed;

	(void)e;
	if (archive_key_parse(o->key, name, &extension) &&
		archive_name_parse(name, &parsed) == ARCHIVE_SEGMENT)
		++*(int *)arg;
	return 0;
}

static int
wal_in_store(struct backup_job *b, int *found, struct err *e)
{
	char key[ARCHIVE_KEY_SIZE];
	const struct store_list list = {.prefix = key, .each = count_object, .arg = found};

	*found = 0;
	if (archive_key_wal(key, b->archive->server, b->info.end_wal, "", e) < 0)
		return -1;
	return store_list(b->archive->store, &list, e);
}

static int
last_wal_standby(struct backup_job *b, uint64_t end, struct err *e)
{
	int64_t until_ns = clock_boot_ns() + WAL_STANDBY_MS * MS_NS;
	static struct archive_facts f;
	int found = 0;

	for (;;) {
		if (shared_read(b->j->board, SEC_ARCHIVE, &f) && f.archived_lsn >= end)
			return 0;
		if (wal_in_store(b, &found, e) < 0)
			return -1;
		if (found)
			return 0;
		if (clock_boot_ns() >= until_ns)
			return err_set(e, ERR_TIMEOUT,
				"%s is not in the archive after %d s: the primary has not filled "
				"it, or does not archive",
				b->info.end_wal, (int)(WAL_STANDBY_MS / SEC_MS));
		if (backup_pause(b, WAL_STANDBY_LOOK_MS, e) < 0)
			return -1;
	}
}

int
backup_last_wal(struct backup_job *b, struct err *e)
{
	uint32_t segment = b->info.segment_bytes;
	struct wal_wait w = {.lsn = (b->info.end_lsn + segment - 1) / segment * segment};

	job_phase(b->j, "waiting for the last WAL in the archive", 1);
	return b->standby ? last_wal_standby(b, w.lsn, e) : wal_await(b, &w, e);
}
