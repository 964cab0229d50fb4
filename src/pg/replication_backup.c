/*
 * replication_backup - BASE_BACKUP: the tars of a running server, as they come.
 *
 * Until 14 there is one copy for each tablespace and one for the manifest; from 15 on one copy in
 * which each message begins with its kind.  Either way the sink sees the same.
 */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "pg/replication_impl.h"

#define CHECKPOINT_MS (3600 * SEC_MS)
#define RATE_MIN_KB 32
#define RATE_MAX_KB (INT64_C(1) << 20)
#define CHECKSUM_SQLSTATE "XX001" /* data_corrupted */

/* ---- the command ---- */

static void
text_literal(struct buf *out, const char *s)
{
	buf_putc(out, '\'');
	for (; *s; s++) {
		if (*s == '\'')
			buf_putc(out, '\'');
		buf_putc(out, *s);
	}
	buf_putc(out, '\'');
}

static int64_t
rate_kb(int64_t rate)
{
	int64_t kb = rate / 1024;

	if (rate == 0 || kb > RATE_MAX_KB)
		return 0;
	return kb < RATE_MIN_KB ? RATE_MIN_KB : kb;
}

static void
text_old(const struct replication_backup *b, struct buf *out)
{
	int64_t kb = rate_kb(b->rate);

	buf_puts(out, "BASE_BACKUP LABEL ");
	text_literal(out, b->label);
	buf_puts(out, b->progress ? " PROGRESS" : "");
	buf_puts(out, b->fast ? " FAST" : "");
	buf_puts(out, b->wal ? " WAL" : "");
	buf_puts(out, b->no_wait ? " NOWAIT" : "");
	if (kb)
		buf_printf(out, " MAX_RATE %lld", (long long)kb);
	buf_puts(out, b->tablespace_map ? " TABLESPACE_MAP" : "");
	buf_puts(out, b->no_verify ? " NOVERIFY_CHECKSUMS" : "");
	buf_puts(out, b->manifest ? " MANIFEST 'yes'" : "");
}

static void
text_new(const struct replication_backup *b, struct buf *out)
{
	int64_t kb = rate_kb(b->rate);

	buf_puts(out, "BASE_BACKUP (LABEL ");
	text_literal(out, b->label);
	buf_puts(out, ", TARGET 'client'");
	buf_puts(out, b->progress ? ", PROGRESS" : "");
	buf_printf(out, ", CHECKPOINT '%s'", b->fast ? "fast" : "spread");
	buf_puts(out, b->wal ? ", WAL" : "");
	buf_puts(out, b->no_wait ? ", WAIT false" : "");
	if (kb)
		buf_printf(out, ", MAX_RATE %lld", (long long)kb);
	buf_puts(out, b->tablespace_map ? ", TABLESPACE_MAP" : "");
	buf_puts(out, b->no_verify ? ", VERIFY_CHECKSUMS false" : "");
	buf_puts(out, b->manifest ? ", MANIFEST 'yes'" : "");
	buf_puts(out, b->incremental ? ", INCREMENTAL" : "");
	if (b->compression) {
		buf_puts(out, ", COMPRESSION ");
		text_literal(out, b->compression);
	}
	if (b->compression && b->compression_detail) {
		buf_puts(out, ", COMPRESSION_DETAIL ");
		text_literal(out, b->compression_detail);
	}
	buf_putc(out, ')');
}

void
replication_backup_text(const struct replication_backup *b, int version, struct buf *out)
{
	if (version < 150000)
		text_old(b, out);
	else
		text_new(b, out);
}

/* ---- what comes before the tars ---- */

struct receiving {
	struct replication *r;
	const struct replication_backup *b;
	const struct replication_sink *sink;
	struct replication_start start;
	struct replication_tablespace *ts; /* owned */
	int64_t bytes;                     /* moved so far */
	bool open;                         /* a tar is being sent */
	bool manifest;                     /* the manifest is being sent */
};

static int
receive_start(struct receiving *g, struct err *e)
{
	int64_t ms = g->b->checkpoint_ms ? g->b->checkpoint_ms : CHECKPOINT_MS;
	const struct pq *pq = g->r->pq;
	PGresult *res;
	int rc;

	if (replication_expect(g->r, PGRES_TUPLES_OK, &res, replication_deadline(g->r, ms), e) < 0)
		return -1;
	if (pq->ntuples(res) != 1 || pq->nfields(res) < 2) {
		pq->clear(res);
		return err_set(e, ERR_REMOTE, "unexpected answer about the start of the backup");
	}
	rc = replication_lsn(pq->getvalue(res, 0, 0), &g->start.lsn, e);
	g->start.timeline = (uint32_t)strtoul(pq->getvalue(res, 0, 1), NULL, 10);
	pq->clear(res);
	return rc;
}

static void
tablespace_fill(const struct pq *pq, const PGresult *res, int row, struct replication_tablespace *t)
{
	bool base = pq->getisnull(res, row, 0);
	const char *where = pq->getisnull(res, row, 1) ? "" : pq->getvalue(res, row, 1);

	t->oid = base ? 0 : (uint32_t)strtoul(pq->getvalue(res, row, 0), NULL, 10);
	snprintf(t->location, sizeof(t->location), "%s", where);
	t->bytes = pq->getisnull(res, row, 2) ? -1
					      : strtoll(pq->getvalue(res, row, 2), NULL, 10) * 1024;
}

static int
receive_tablespaces(struct receiving *g, struct err *e)
{
	const struct pq *pq = g->r->pq;
	PGresult *res;
	int n;

	/* Their sizes are estimated before this answer: that walks all files. */
	if (replication_expect(
		    g->r, PGRES_TUPLES_OK, &res, replication_deadline(g->r, CHECKPOINT_MS), e) < 0)
		return -1;
	n = pq->ntuples(res);
	if (n < 1 || n > REPLICATION_TABLESPACES || pq->nfields(res) < 3) {
		pq->clear(res);
		return err_set(e, ERR_REMOTE, "a backup of %d tablespaces is not possible", n);
	}
	g->ts = calloc((size_t)n, sizeof(*g->ts));
	if (!g->ts) {
		pq->clear(res);
		return err_sys(e, "remember the tablespaces");
	}
	for (int i = 0; i < n; i++) {
		tablespace_fill(pq, res, i, &g->ts[i]);
		if (g->ts[i].bytes < 0)
			g->start.bytes = -1;
		else if (g->start.bytes >= 0)
			g->start.bytes += g->ts[i].bytes;
	}
	pq->clear(res);
	g->start.tablespaces = (size_t)n;
	g->start.tablespace = g->ts;
	return g->sink->start ? g->sink->start(g->sink->arg, &g->start, e) : 0;
}

/* ---- the tars ---- */

static int
receive_data(struct receiving *g, const char *p, size_t n, struct err *e)
{
	if (g->manifest)
		return g->sink->manifest ? g->sink->manifest(g->sink->arg, p, n, e) : 0;
	if (!g->open)
		return err_set(e, ERR_REMOTE, "data came before the tar it belongs to");
	return g->sink->data(g->sink->arg, p, n, e);
}

static int
receive_close(struct receiving *g, struct err *e)
{
	if (!g->open)
		return 0;
	g->open = false;
	return g->sink->archive_end ? g->sink->archive_end(g->sink->arg, e) : 0;
}

static int
receive_open(struct receiving *g, const struct replication_tablespace *t, struct err *e)
{
	g->open = true;
	return g->sink->archive(g->sink->arg, t, e);
}

/* "base.tar", "16384.tar", perhaps with a compression's extension. */
static int
receive_named(struct receiving *g, const char *name, struct err *e)
{
	uint32_t oid = (uint32_t)strtoul(name, NULL, 10);

	if (receive_close(g, e) < 0)
		return -1;
	for (size_t i = 0; i < g->start.tablespaces; i++)
		if (g->ts[i].oid == oid && (oid || strncmp(name, "base.", 5) == 0))
			return receive_open(g, &g->ts[i], e);
	return err_set(e, ERR_REMOTE, "the server sent an archive \"%.64s\" nobody knows", name);
}

static int
receive_message(struct receiving *g, const char *p, size_t n, struct err *e)
{
	switch (*p) {
	case 'd':
		return receive_data(g, p + 1, n - 1, e);
	case 'n':
		if (!memchr(p, '\0', n))
			break;
		return receive_named(g, p + 1, e);
	case 'm':
		g->manifest = true;
		return receive_close(g, e);
	case 'p':
		if (n != 9)
			break;
		if (g->sink->moved)
			g->sink->moved(g->sink->arg, (int64_t)replication_u64(p + 1));
		return 0;
	default:
		break;
	}
	return err_set(e, ERR_REMOTE, "unknown message '%c' of %zu bytes in a backup", *p, n);
}

/* Only what the server ended in an orderly way is closed.  What follows the last copy may take: the
 * server writes its last WAL, and may wait for it to be archived. */
static int
receive_ended(struct receiving *g, struct err *e)
{
	if (replication_copy_ended(g->r, replication_deadline(g->r, CHECKPOINT_MS), e) < 0)
		return -1;
	return receive_close(g, e);
}

static int
receive_one_copy(struct receiving *g, struct err *e)
{
	const char *p;
	PGresult *res;
	size_t n;
	int rc;

	if (replication_expect(g->r, PGRES_COPY_OUT, &res, replication_deadline(g->r, 0), e) < 0)
		return -1;
	g->r->pq->clear(res);
	while ((rc = replication_copy(g->r, &p, &n, e)) > 0)
		if (receive_message(g, p, n, e) < 0)
			return -1;
	return rc < 0 ? -1 : receive_ended(g, e);
}

static int
receive_old_copy(struct receiving *g, const struct replication_tablespace *t, struct err *e)
{
	const char *p;
	PGresult *res;
	size_t n;
	int rc;

	if (replication_expect(g->r, PGRES_COPY_OUT, &res, replication_deadline(g->r, 0), e) < 0)
		return -1;
	g->r->pq->clear(res);
	if (t && receive_open(g, t, e) < 0)
		return -1;
	g->manifest = !t;
	while ((rc = replication_copy(g->r, &p, &n, e)) > 0) {
		if (receive_data(g, p, n, e) < 0)
			return -1;
		g->bytes += (int64_t)n;
		if (t && g->sink->moved)
			g->sink->moved(g->sink->arg, g->bytes);
	}
	return rc < 0 ? -1 : receive_ended(g, e);
}

static int
receive_old_copies(struct receiving *g, struct err *e)
{
	for (size_t i = 0; i < g->start.tablespaces; i++)
		if (receive_old_copy(g, &g->ts[i], e) < 0)
			return -1;
	return g->b->manifest ? receive_old_copy(g, NULL, e) : 0;
}

/* ---- the end ---- */

static int
receive_end(struct receiving *g, struct replication_end *out, struct err *e)
{
	const struct pq *pq = g->r->pq;
	PGresult *res;
	int rc;

	/* The server may have to write its last WAL, and wait for it to be archived. */
	if (replication_expect(
		    g->r, PGRES_TUPLES_OK, &res, replication_deadline(g->r, CHECKPOINT_MS), e) < 0)
		return -1;
	if (pq->ntuples(res) != 1 || pq->nfields(res) < 2) {
		pq->clear(res);
		return err_set(e, ERR_REMOTE, "unexpected answer about the end of the backup");
	}
	rc = replication_lsn(pq->getvalue(res, 0, 0), &out->lsn, e);
	out->timeline = (uint32_t)strtoul(pq->getvalue(res, 0, 1), NULL, 10);
	pq->clear(res);
	if (rc < 0)
		return -1;
	/* Wrong checksums are said only now, as an error, when all is sent. */
	if (replication_drain(g->r, e) < 0) {
		out->checksum_failures = strcmp(g->r->sqlstate, CHECKSUM_SQLSTATE) == 0;
		return out->checksum_failures ? 0 : -1;
	}
	return 0;
}

static int
receive(struct receiving *g, struct replication_end *out, struct err *e)
{
	int rc;

	if (receive_start(g, e) < 0 || receive_tablespaces(g, e) < 0)
		return -1;
	if (replication_server_version(g->r) < 150000)
		rc = receive_old_copies(g, e);
	else
		rc = receive_one_copy(g, e);
	return rc < 0 ? -1 : receive_end(g, out, e);
}

int
replication_base_backup(struct replication *r, const struct replication_backup *b,
	struct replication_end *out, struct err *e)
{
	struct receiving g = {.r = r, .b = b, .sink = b->sink};
	AUTO(buf_deinit) struct buf text = {0};
	int rc;

	*out = (struct replication_end){0};
	replication_backup_text(b, replication_server_version(r), &text);
	if (buf_check(&text, e) < 0 || replication_send(r, buf_str(&text), e) < 0)
		return -1;
	rc = receive(&g, out, e);
	free(g.ts);
	return rc;
}

/* ---- the parent of an incremental backup ---- */

int
replication_manifest_begin(struct replication *r, struct err *e)
{
	PGresult *res;

	if (replication_send(r, "UPLOAD_MANIFEST", e) < 0 ||
		replication_expect(r, PGRES_COPY_IN, &res, replication_deadline(r, 0), e) < 0)
		return err_add(e, "UPLOAD_MANIFEST");
	r->pq->clear(res);
	return 0;
}

int
replication_manifest_write(struct replication *r, const void *p, size_t n, struct err *e)
{
	return replication_copy_put(r, p, n, e) < 0 ? err_add(e, "UPLOAD_MANIFEST") : 0;
}

int
replication_manifest_end(struct replication *r, struct err *e)
{
	if (r->pq->putCopyEnd(r->conn, NULL) < 0)
		return replication_broken(r, e);
	if (replication_flush(r, e) < 0 || replication_drain(r, e) < 0)
		return err_add(e, "UPLOAD_MANIFEST");
	return 0;
}
