/*
 * monitor_plot - a point for the page each five seconds, into the ring on the board.
 *
 * The ring belongs to the board, not to this process: a monitor that was started again goes on
 * behind the former one's last point, and an upgrade of the program hands the ring on.
 */
#include <stddef.h>

#include "base/clock.h"
#include "service/monitor.h"

void
monitor_plot_init(struct monitor *m)
{
	const struct plot_point *last;
	int64_t ago_us;

	m->plot_due_ns = clock_boot_ns();
	if (shared_read(m->s->board, SEC_PLOT, &m->plot) == 0 || m->plot.count == 0)
		return;
	last = &m->plot.point[(m->plot.count - 1) % PLOT_POINTS];
	ago_us = clock_wall_us() - last->wall_us;
	if (ago_us >= 0 && ago_us < PLOT_STEP_MS * 1000)
		m->plot_due_ns += PLOT_STEP_MS * MS_NS - ago_us * 1000;
}

/* What is known to exist but is not replayed. */
static int64_t
plot_behind(uint64_t end, uint64_t replayed)
{
	if (end == 0 || replayed == 0)
		return -1;
	return end > replayed ? (int64_t)(end - replayed) : 0;
}

static void
plot_standby(const struct pg_facts *f, struct plot_point *p)
{
	uint64_t end = f->latest_end_lsn > f->received_lsn ? f->latest_end_lsn : f->received_lsn;

	p->wal_lsn = f->received_lsn > f->replay_lsn ? f->received_lsn : f->replay_lsn;
	p->replay_lsn = f->replay_lsn;
	p->lag_bytes = plot_behind(end, f->replay_lsn);
	/* A primary that writes nothing makes the last transaction old, not the standby late. */
	if (p->lag_bytes == 0)
		p->lag_s = 0;
	else if (p->lag_bytes > 0 && f->replay_wall_us && p->wall_us > f->replay_wall_us)
		p->lag_s = (float)((double)(p->wall_us - f->replay_wall_us) / SEC_US);
}

static void
plot_primary(const struct pg_facts *f, struct plot_point *p)
{
	p->wal_lsn = f->current_lsn;
	for (uint32_t i = 0; i < f->replicas && i < PG_REPLICAS; i++) {
		int64_t behind = plot_behind(f->current_lsn, f->replica[i].replay_lsn);
		double seconds = behind == 0 ? 0 : plot_interval_s(f->replica[i].replay_lag);

		if (i < PLOT_REPLICAS)
			p->replica_lag[i] = behind;
		if (behind > p->lag_bytes)
			p->lag_bytes = behind;
		if (seconds > (double)p->lag_s)
			p->lag_s = (float)seconds;
	}
}

static void
plot_archive(struct monitor *m, struct plot_point *p)
{
	struct archive_facts f;

	if (shared_read(m->s->board, SEC_ARCHIVE, &f) == 0 || f.state == ARCHIVE_STATE_NONE ||
		f.state == ARCHIVE_STATE_STARTING)
		return;
	p->queue = f.queue;
	p->exposed_s = 0;
	if (f.exposed_wall_us && p->wall_us > f.exposed_wall_us)
		p->exposed_s = (float)((double)(p->wall_us - f.exposed_wall_us) / SEC_US);
}

static void
plot_fill(struct monitor *m, struct plot_point *p)
{
	const struct pg_facts *f = &m->facts;

	*p = (struct plot_point){
		.wall_us = clock_wall_us(),
		.lag_bytes = -1,
		.lag_s = -1,
		.exposed_s = -1,
		.connections = f->known ? f->connections : -1,
		.queue = -1,
		.disk_free = f->disk_data_free,
		.state = m->sup.state,
	};
	for (int i = 0; i < PLOT_REPLICAS; i++)
		p->replica_lag[i] = -1;
	if (f->known && f->in_recovery)
		plot_standby(f, p);
	else if (f->known)
		plot_primary(f, p);
	plot_archive(m, p);
}

void
monitor_plot_look(struct monitor *m)
{
	int64_t now = clock_boot_ns(), step = PLOT_STEP_MS * MS_NS;
	struct plot_point p;

	if (now < m->plot_due_ns)
		return;
	m->plot_due_ns += step;
	if (m->plot_due_ns <= now)
		m->plot_due_ns = now + step;
	plot_fill(m, &p);
	plot_add(&m->plot, &p);
	shared_write(m->s->board, SEC_PLOT, &m->plot);
}
