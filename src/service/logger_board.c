/*
 * logger_board - what the logger knows, for status: counts, and postgres' last lines.
 *
 * Process: logger.
 */
#include "service/logger.h"

#include <string.h>

#define PUBLISH_MS 100 /* after the first change */

void
logger_board_load(struct logger *l)
{
	struct log_facts *f = &l->facts;

	if (shared_read(l->s->board, SEC_LOG, f) == 0)
		return;
	l->records = f->records;
	l->truncated = f->truncated;
	l->out.lines = f->lines;
	l->out.dropped = f->dropped;
	l->out.dropped_bytes = f->dropped_bytes;
	for (l->last = 0; l->last < f->count && l->last < LOG_LAST_LINES; l->last++)
		memcpy(l->last_line[l->last], f->line[l->last], LOG_LAST_BYTES);
}

void
logger_board_record(struct logger *l)
{
	const struct logrec_text *severity = &l->rec.field[LOGREC_ERROR_SEVERITY];

	l->records++;
	/* Maybe its last word: who sees it die looks at the board at once. */
	if (severity->len == 5 &&
		(memcmp(severity->at, "FATAL", 5) == 0 || memcmp(severity->at, "PANIC", 5) == 0))
		l->urgent = true;
	if (!l->rec.audited)
		logrec_summary(&l->rec, l->last_line[l->last++ % LOG_LAST_LINES], LOG_LAST_BYTES);
}

void
logger_board_touch(struct logger *l)
{
	if (l->urgent)
		logger_board_publish(l);
	else if (!l->publish.linked)
		loop_timer_in(l->s->loop, &l->publish, PUBLISH_MS);
}

void
logger_board_publish(struct logger *l)
{
	struct log_facts *f = &l->facts;
	uint64_t first = l->last > LOG_LAST_LINES ? l->last - LOG_LAST_LINES : 0;

	f->lines = l->out.lines;
	f->dropped = l->out.dropped;
	f->dropped_bytes = l->out.dropped_bytes;
	f->truncated = l->truncated;
	f->records = l->records;
	f->stdout_blocked_ns = l->out.blocked_ns;
	f->count = (uint32_t)(l->last - first);
	for (uint32_t i = 0; i < f->count; i++)
		memcpy(f->line[i], l->last_line[(first + i) % LOG_LAST_LINES], LOG_LAST_BYTES);
	shared_write(l->s->board, SEC_LOG, f);
	l->urgent = false;
}
