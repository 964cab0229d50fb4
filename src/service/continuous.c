/*
 * continuous - the receiver: new WAL of the segment under way goes out every interval.
 *
 * Plain sequential code.  A run begins with one part from the segment's file, up to what the server
 * had flushed; the stream goes on from there.  While a part is being stored nothing is read: the
 * server keeps the WAL on its disk meanwhile, so memory stays at one piece.
 */
#include "service/continuous.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "pg/replication.h"
#include "service/archive_parts.h"
#include "sys/file.h"

#define PIECE_BYTES (UINT32_C(8) << 20) /* goes out at once, whatever the interval */
#define PARTS_OF_A_RUN 128 /* then they are written as one, that a quiet segment stays small */
#define CARE_MS 15000
#define STORE_MS 20000
#define ANSWER_MS 15000

struct receiver {
	const struct continuous_spec *cs;
	struct archive *a;
	struct pq pq;
	struct replication *r;
	struct supervisor_status sup;
	struct pg_facts pg;
	uint32_t timeline, segment_bytes;
	uint64_t run;
	uint64_t begin;     /* of the segment under way */
	uint64_t got, sent; /* received; in the store */
	struct buf piece;   /* sent up to got */
	int parts;          /* of this run in this segment */
	int64_t care_ns;
};

static uint64_t
receiver_run_number(const struct receiver *c)
{
	uint64_t now = (uint64_t)(clock_wall_us() / 1000);

	return now > c->run ? now : c->run + 1;
}

static void
receiver_news(const struct receiver *c, const struct err *e)
{
	struct continuous_news n = {.lsn = c->sent};

	if (e) {
		n.err_kind = e->kind;
		snprintf(n.msg, sizeof(n.msg), "%s", e->msg);
	}
	(void)!send(c->cs->news, &n, sizeof(n), MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* ---- out ---- */

static int
receiver_put(struct receiver *c, struct archive_part *p, struct err *e)
{
	char segment[LINEAGE_NAME_SIZE];

	p->segment = lineage_name(c->timeline, c->begin, c->segment_bytes, segment);
	p->part.run = c->run;
	if (archive_part_put(c->a, p, e) < 0)
		return -1;
	c->parts++;
	c->sent = c->begin + p->part.to;
	receiver_news(c, NULL);
	return 0;
}

/* A new run: the segment's beginning as one part, from its file. */
static int
receiver_begin_run(struct receiver *c, uint64_t to, struct err *e)
{
	char segment[LINEAGE_NAME_SIZE], path[FILE_PATH_MAX];
	struct archive_part p = {.part = {.to = (uint32_t)(to - c->begin)}};
	int n = snprintf(path, sizeof(path), "%s/%s", c->sup.plan.waldir,
		lineage_name(c->timeline, c->begin, c->segment_bytes, segment));
	AUTO(close)
	int fd = -1;

	c->run = receiver_run_number(c);
	c->parts = 0;
	if (to == c->begin)
		return 0;
	if (n < 0 || (size_t)n >= sizeof(path))
		return err_set(e, ERR_CONFIG, "the path of pg_wal is too long");
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return file_err(e, "open %s", path);
	p.fd = fd;
	if (receiver_put(c, &p, e) < 0)
		return -1;
	return archive_parts_drop_runs(c->a, segment, c->run, e);
}

static int
receiver_flush(struct receiver *c, struct err *e)
{
	struct archive_part p = {.fd = -1,
		.p = buf_str(&c->piece),
		.part = {.from = (uint32_t)(c->sent - c->begin),
			.to = (uint32_t)(c->got - c->begin)}};

	if (c->piece.len == 0)
		return 0;
	if (c->parts >= PARTS_OF_A_RUN) {
		buf_reset(&c->piece);
		return receiver_begin_run(c, c->got, e);
	}
	if (receiver_put(c, &p, e) < 0)
		return -1;
	buf_reset(&c->piece);
	return 0;
}

/* ---- in ---- */

static int
receiver_take(struct receiver *c, const char *p, size_t n, struct err *e)
{
	while (n > 0) {
		uint64_t room = c->begin + c->segment_bytes - c->got;
		size_t k = n < room ? n : (size_t)room;

		buf_put(&c->piece, p, k);
		if (buf_check(&c->piece, e) < 0)
			return -1;
		c->got += k;
		p += k;
		n -= k;
		if ((k == room || c->piece.len >= PIECE_BYTES) && receiver_flush(c, e) < 0)
			return -1;
		if (k == room) {
			c->begin = c->got;
			c->parts = 0;
		}
	}
	return 0;
}

/* Written is what we received, so that a shutdown does not wait for us; flushed is never said, so
 * that no commit does. */
static int
receiver_status(struct receiver *c, struct err *e)
{
	return replication_send_status(c->r, &(struct replication_status){.written = c->got}, e);
}

static int
receiver_message(struct receiver *c, const struct replication_message *m, struct err *e)
{
	switch (m->kind) {
	case REPLICATION_WAL:
		if (m->lsn != c->got)
			return err_set(e, ERR_REMOTE, "the stream jumped");
		return receiver_take(c, m->data, m->len, e);
	case REPLICATION_KEEPALIVE:
		return m->reply ? receiver_status(c, e) : 0;
	case REPLICATION_ENDED:
		return err_set(e, ERR_STATE, "the timeline ended");
	case REPLICATION_NONE:
		break;
	}
	return 0;
}

/* Until the interval is over. */
static int
receiver_read(struct receiver *c, struct err *e)
{
	const int64_t until = clock_boot_ns() + c->cs->spec->backup.continuous_ms * MS_NS;
	int64_t left_ms;

	while ((left_ms = (until - clock_boot_ns()) / MS_NS) > 0) {
		struct replication_message m;

		if (replication_read(c->r, &m, left_ms, e) < 0 || receiver_message(c, &m, e) < 0)
			return -1;
	}
	return 0;
}

/* ---- care ---- */

/* Parts of segments that are in the archive whole are not needed any more. */
static int
receiver_care(struct receiver *c, struct err *e)
{
	static struct archive_facts f;
	struct archive_parts_old old = {.timeline = c->timeline, .segment_bytes = c->segment_bytes};
	int n = 0;

	if (clock_boot_ns() < c->care_ns)
		return 0;
	c->care_ns = clock_boot_ns() + CARE_MS * MS_NS;
	if (shared_read(c->cs->board, SEC_ARCHIVE, &f) == 0 || f.archived_lsn == 0)
		return 0;
	old.lsn = f.archived_lsn;
	if (archive_parts_drop(c->a, &old, &n, e) < 0)
		return -1;
	if (n > 0)
		log_debug("parts of segments that are whole now were removed", F_INT("parts", n));
	return 0;
}

/* ---- life ---- */

static int
receiver_look(struct receiver *c, struct err *e)
{
	shared_read(c->cs->board, SEC_SUPERVISOR, &c->sup);
	shared_read(c->cs->board, SEC_POSTGRES, &c->pg);
	if (c->sup.stopping || c->sup.pg_phase != PG_PHASE_ACCEPTING || !c->pg.known ||
		c->pg.in_recovery)
		return err_set(e, ERR_STATE, "postgres is no running primary");
	return 0;
}

static int
receiver_connect(struct receiver *c, struct err *e)
{
	char port[16];
	/* While a part is being stored nothing is said to the server, which must not mind. */
	const char *const key[] = {"host", "port", "user", "options", NULL};
	const char *const value[] = {c->sup.plan.socket_dir, port, c->sup.plan.superuser,
		"-c wal_sender_timeout=60s", NULL};
	const struct replication_spec spec = {.key = key,
		.value = value,
		.application = "podgres continuous",
		.answer_ms = ANSWER_MS};

	snprintf(port, sizeof(port), "%d", c->sup.plan.port);
	if (pq_load(&c->pq, e) < 0)
		return -1;
	return replication_open(&c->r, &c->pq, &spec, e);
}

static int
receiver_start(struct receiver *c, struct err *e)
{
	const struct archive_patience patience = {.total_ms = STORE_MS};
	struct replication_system sys;

	if (receiver_look(c, e) < 0 || receiver_connect(c, e) < 0)
		return -1;
	if (replication_identify(c->r, &sys, e) < 0 ||
		replication_segment_bytes(c->r, &c->segment_bytes, e) < 0 ||
		archive_open(&c->a, c->cs->spec, NULL, c->cs->opt, &patience, e) < 0)
		return -1;
	c->timeline = sys.timeline;
	c->begin = sys.lsn - sys.lsn % c->segment_bytes;
	c->sent = c->got = sys.lsn;
	if (receiver_begin_run(c, sys.lsn, e) < 0)
		return -1;
	return replication_start_streaming(
		c->r, &(struct replication_stream){.lsn = sys.lsn, .timeline = sys.timeline}, e);
}

static int
receiver_turn(struct receiver *c, struct err *e)
{
	if (receiver_look(c, e) < 0 || receiver_read(c, e) < 0 || receiver_flush(c, e) < 0 ||
		receiver_status(c, e) < 0)
		return -1;
	receiver_news(c, NULL);
	return receiver_care(c, e);
}

int
continuous_main(const struct continuous_spec *cs)
{
	static struct receiver c;
	struct err e = {0};
	int rc;

	c.cs = cs;
	buf_init_max(&c.piece, (size_t)PIECE_BYTES * 2);
	rc = receiver_start(&c, &e);
	while (rc == 0)
		rc = receiver_turn(&c, &e);
	receiver_news(&c, &e);
	c.r = replication_close(c.r);
	c.a = archive_close(c.a);
	buf_deinit(&c.piece);
	return err_exit(&e);
}
