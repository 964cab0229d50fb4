/*
 * monitor_redo - recovery before connections are possible, by the title of the startup process.
 *
 * Progress is counted in segments, from the first one seen in the title to the last one in pg_wal
 * that was really written before the crash.  Between two segments the processor time of the startup
 * process tells that it moves.
 */
#include "service/monitor.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "core/lineage.h"
#include "pg/wal_dir.h"

#define SEGMENT_BYTES (UINT32_C(16) << 20)
#define MOVED_TICKS 5 /* of a hundredth of a second each */

static uint32_t
redo_segment_bytes(const struct monitor *m)
{
	return m->sup.plan.wal_segment_bytes ? m->sup.plan.wal_segment_bytes : SEGMENT_BYTES;
}

static void
redo_progress(struct monitor *m, const char *wal)
{
	struct monitor_redo *r = &m->redo;
	uint32_t bytes = redo_segment_bytes(m), timeline;
	const char *dir = m->sup.plan.waldir;
	char inside[PATH_LEN + 16];
	uint64_t lsn;

	snprintf(inside, sizeof(inside), "%s/pg_wal", m->s->opt->pgdata);
	if (!lineage_name_parse(wal, bytes, &timeline, &lsn))
		return;
	if (!r->last_lsn) {
		r->first_lsn = lsn;
		r->last_lsn = wal_dir_end(dir[0] ? dir : inside, timeline, lsn, bytes);
	}
	m->facts.redo_progress =
		lsn < r->first_lsn || lsn > r->last_lsn
			? -1
			: (float)(lsn - r->first_lsn) / (float)(r->last_lsn - r->first_lsn + bytes);
}

static void
redo_moved(struct monitor *m, const struct procfs_startup *s)
{
	struct pg_facts *f = &m->facts;
	struct procfs_stat st = {0};
	bool worked;

	procfs_stat(s->pid, &st);
	worked = !s->waiting && st.cpu_ticks >= m->redo.cpu_ticks + MOVED_TICKS;
	if (strcmp(f->redo_wal, s->wal) == 0 && !worked)
		return;
	memcpy(f->redo_wal, s->wal, sizeof(f->redo_wal));
	f->redo_moved_ns = clock_boot_ns();
	m->redo.cpu_ticks = st.cpu_ticks;
}

void
monitor_redo_look(struct monitor *m)
{
	struct procfs_startup s;

	if (!m->sup.pg_pid || m->kept.up || m->facts.accept == PG_ACCEPT_STOPPING ||
		!procfs_startup(m->sup.pg_pid, &s)) {
		m->facts.redo = false;
		return;
	}
	redo_moved(m, &s);
	m->facts.redo = s.wal[0] != '\0';
	if (m->facts.redo)
		redo_progress(m, s.wal);
	m->dirty = true;
}
