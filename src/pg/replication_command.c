/*
 * replication_command - the small commands of the replication protocol and their single rows.
 */
#include <stdio.h>
#include <string.h>

#include "core/lineage.h"
#include "pg/replication_impl.h"

uint64_t
replication_u64(const char *p)
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v = v << 8 | (unsigned char)p[i];
	return v;
}

int
replication_lsn(const char *text, uint64_t *out, struct err *e)
{
	if (lineage_lsn_parse(text, out))
		return 0;
	return err_set(
		e, ERR_REMOTE, "the server sent \"%.32s\" where a WAL position belongs", text);
}

int
replication_command(struct replication *r, const char *text, struct err *e)
{
	int64_t deadline_ns = replication_deadline(r, 0);
	PGresult *res;

	if (replication_send(r, text, e) < 0 || replication_result(r, &res, deadline_ns, e) < 0)
		return -1;
	if (!res)
		return err_set(e, ERR_REMOTE, "the server's answer ended early");
	switch (r->pq->resultStatus(res)) {
	case PGRES_TUPLES_OK:
		r->row = res;
		break;
	case PGRES_COMMAND_OK:
		r->pq->clear(res);
		break;
	default:
		replication_refused(r, res, e);
		r->pq->clear(res);
		if (r->pq->status(r->conn) != CONNECTION_BAD) {
			struct err after;

			(void)!replication_drain(r, &after);
		}
		return -1;
	}
	return replication_drain(r, e);
}

const char *
replication_field(const struct replication *r, int col)
{
	if (!r->row || r->pq->ntuples(r->row) < 1 || col >= r->pq->nfields(r->row) ||
		r->pq->getisnull(r->row, 0, col))
		return "";
	return r->pq->getvalue(r->row, 0, col);
}

int
replication_identify(struct replication *r, struct replication_system *out, struct err *e)
{
	if (replication_command(r, "IDENTIFY_SYSTEM", e) < 0)
		return err_add(e, "IDENTIFY_SYSTEM");
	out->system_id = strtoull(replication_field(r, 0), NULL, 10);
	out->timeline = (uint32_t)strtoul(replication_field(r, 1), NULL, 10);
	if (out->system_id == 0 || out->timeline == 0)
		return err_set(e, ERR_REMOTE, "IDENTIFY_SYSTEM: unexpected answer of the server");
	return replication_lsn(replication_field(r, 2), &out->lsn, e);
}

int
replication_show(struct replication *r, const char *name, char *out, size_t size, struct err *e)
{
	char text[128];

	must(strspn(name, "abcdefghijklmnopqrstuvwxyz_.") == strlen(name));
	snprintf(text, sizeof(text), "SHOW %s", name);
	if (replication_command(r, text, e) < 0)
		return err_add(e, "%s", text);
	snprintf(out, size, "%s", replication_field(r, 0));
	return 0;
}

int
replication_segment_bytes(struct replication *r, uint32_t *out, struct err *e)
{
	static const struct {
		const char *unit;
		int shift;
	} units[] = {{"B", 0}, {"kB", 10}, {"MB", 20}, {"GB", 30}};
	char text[32], *unit;
	unsigned long n;

	if (replication_show(r, "wal_segment_size", text, sizeof(text), e) < 0)
		return -1;
	n = strtoul(text, &unit, 10);
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (strcmp(unit, units[i].unit) != 0 || n == 0 || n > 1UL << (30 - units[i].shift))
			continue;
		*out = (uint32_t)(n << units[i].shift);
		return 0;
	}
	return err_set(e, ERR_REMOTE, "SHOW wal_segment_size: unexpected answer \"%s\"", text);
}
