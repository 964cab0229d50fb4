/*
 * replication_stream - WAL as it is written: START_REPLICATION and its messages.
 *
 * Process: the receiver of the archiver, and clones.  The receiver decides when to write a status;
 * nothing is sent by itself.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "core/lineage.h"
#include "pg/replication_impl.h"

#define WAL_HEAD 25        /* 'w', begin, end, time */
#define KEEPALIVE_BYTES 18 /* 'k', end, time, reply */
#define STATUS_BYTES 34
#define EPOCH_2000_US INT64_C(946684800000000)

int
replication_start_streaming(
	struct replication *r, const struct replication_stream *s, struct err *e)
{
	char text[256], lsn[LINEAGE_LSN_SIZE];
	bool slot = s->slot && *s->slot;
	PGresult *res;

	must(!slot || strspn(s->slot, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(s->slot));
	snprintf(text, sizeof(text), "START_REPLICATION %s%.63s PHYSICAL %s TIMELINE %u",
		slot ? "SLOT " : "", slot ? s->slot : "", lineage_lsn_text(s->lsn, lsn),
		s->timeline);
	if (replication_send(r, text, e) < 0 ||
		replication_expect(r, PGRES_COPY_BOTH, &res, replication_deadline(r, 0), e) < 0)
		return err_add(e, "stream WAL from %s on timeline %u", lsn, s->timeline);
	r->pq->clear(res);
	r->streaming = true;
	return 0;
}

static int
message_parse(const char *p, size_t n, struct replication_message *m, struct err *e)
{
	if (n >= WAL_HEAD && *p == 'w') {
		*m = (struct replication_message){.kind = REPLICATION_WAL,
			.lsn = replication_u64(p + 1),
			.end_lsn = replication_u64(p + 9),
			.data = p + WAL_HEAD,
			.len = n - WAL_HEAD};
		return 0;
	}
	if (n >= KEEPALIVE_BYTES && *p == 'k') {
		*m = (struct replication_message){.kind = REPLICATION_KEEPALIVE,
			.end_lsn = replication_u64(p + 1),
			.reply = p[17] != 0};
		return 0;
	}
	return err_set(
		e, ERR_REMOTE, "unknown message '%c' of %zu bytes in a stream of WAL", *p, n);
}

/* After the server's CopyDone: ours, then a row with the next timeline, unless we ended it.  After
 * an error there is nothing to end, and the error is what comes. */
static int
stream_end(struct replication *r, struct replication_message *m, struct err *e)
{
	int64_t deadline_ns = replication_deadline(r, 0);
	bool ours = r->pq->putCopyEnd(r->conn, NULL) >= 0;
	PGresult *res;

	r->streaming = false;
	*m = (struct replication_message){.kind = REPLICATION_ENDED};
	if (replication_flush(r, e) < 0 || replication_result(r, &res, deadline_ns, e) < 0)
		return -1;
	if (res && r->pq->resultStatus(res) == PGRES_TUPLES_OK && r->pq->ntuples(res) == 1) {
		m->timeline = (uint32_t)strtoul(r->pq->getvalue(res, 0, 0), NULL, 10);
		(void)!lineage_lsn_parse(r->pq->getvalue(res, 0, 1), &m->timeline_at);
	}
	if (res && r->pq->resultStatus(res) == PGRES_FATAL_ERROR) {
		replication_refused(r, res, e);
		r->pq->clear(res);
		return -1;
	}
	r->pq->clear(res);
	if (!ours)
		return replication_broken(r, e);
	return res ? replication_drain(r, e) : 0;
}

int
replication_read(
	struct replication *r, struct replication_message *m, int64_t wait_ms, struct err *e)
{
	int64_t deadline_ns = clock_boot_ns() + wait_ms * MS_NS;

	must(r->streaming);
	if (r->copy)
		r->pq->freemem(r->copy);
	r->copy = NULL;
	*m = (struct replication_message){.kind = REPLICATION_NONE};
	for (;;) {
		int n = r->pq->getCopyData(r->conn, &r->copy, 1), rc;

		if (n > 0)
			return message_parse(r->copy, (size_t)n, m, e);
		if (n == -1)
			return stream_end(r, m, e);
		if (n < 0)
			return replication_broken(r, e);
		rc = replication_poll(r, POLLIN, deadline_ns, e);
		if (rc <= 0)
			return rc;
		if (!r->pq->consumeInput(r->conn))
			return replication_broken(r, e);
	}
}

static void
put_u64(char *p, uint64_t v)
{
	for (int i = 0; i < 8; i++)
		p[i] = (char)(v >> (56 - 8 * i));
}

int
replication_send_status(struct replication *r, const struct replication_status *s, struct err *e)
{
	char m[STATUS_BYTES] = {'r'};

	must(r->streaming);
	put_u64(m + 1, s->written);
	put_u64(m + 9, s->flushed);
	put_u64(m + 17, s->applied);
	put_u64(m + 25, (uint64_t)(clock_wall_us() - EPOCH_2000_US));
	m[33] = (char)s->reply;
	return replication_copy_put(r, m, sizeof(m), e);
}

int
replication_stop_streaming(struct replication *r, struct err *e)
{
	const char *p;
	size_t n;
	int rc;

	must(r->streaming);
	r->streaming = false;
	if (r->pq->putCopyEnd(r->conn, NULL) < 0)
		return replication_broken(r, e);
	if (replication_flush(r, e) < 0)
		return -1;
	while ((rc = replication_copy(r, &p, &n, e)) > 0)
		;
	return rc < 0 ? -1 : replication_drain(r, e);
}
