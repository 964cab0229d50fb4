/*
 * member_holder - asks the primary who it is and where it came from.
 *
 * Process: the jobs prepare and members.  One connection of the replication protocol to the
 * database postgres, which takes both its commands and SQL.
 */
#include <stdio.h>
#include <string.h>

#include "pg/wal_dir.h"
#include "service/member.h"
#include "sys/file.h"

#define HOLDER_CONNECT_MS 5000
#define HOLDER_ANSWER_MS 20000
#define HISTORY_BYTES (1 << 20)

static int
history_alloc(struct lineage_history *h, struct err *e)
{
	if (!h->entry)
		h->entry = calloc(MEMBER_HISTORY + 1, sizeof(*h->entry));
	if (!h->entry)
		return err_sys(e, "history");
	h->max = MEMBER_HISTORY;
	h->n = 0;
	return 0;
}

static void
history_close(struct lineage_history *h, uint32_t timeline)
{
	h->entry[h->n++] = (struct lineage_entry){.timeline = timeline, .lsn = LINEAGE_OPEN};
}

static int
holder_history(struct holder *h, struct err *e)
{
	char command[64];

	buf_reset(&h->history_text);
	if (history_alloc(&h->history, e) < 0)
		return -1;
	if (h->sys.timeline > 1) {
		snprintf(command, sizeof(command), "TIMELINE_HISTORY %u", h->sys.timeline);
		if (replication_command(h->r, command, e) < 0)
			return err_add(e, "%s", command);
		buf_puts(&h->history_text, replication_field(h->r, 1));
		if (buf_check(&h->history_text, e) < 0 ||
			lineage_history_parse(
				buf_str(&h->history_text), h->history_text.len, &h->history, e) < 0)
			return err_add(e, "history of timeline %u", h->sys.timeline);
	}
	history_close(&h->history, h->sys.timeline);
	return 0;
}

int
holder_query(struct holder *h, const char *sql, struct err *e)
{
	return replication_command(h->r, sql, e);
}

int
holder_ask(struct holder *h, struct err *e)
{
	if (holder_query(h, "SELECT pg_catalog.pg_is_in_recovery()", e) < 0)
		return -1;
	h->in_recovery = strcmp(replication_field(h->r, 0), "f") != 0;
	if (replication_identify(h->r, &h->sys, e) < 0)
		return -1;
	return holder_history(h, e);
}

int
holder_open(struct holder *h, const struct member_target *t, struct err *e)
{
	struct member_params p;
	struct replication_spec spec = {.key = p.key,
		.value = p.value,
		.application = "podgres",
		.database = true,
		.connect_ms = HOLDER_CONNECT_MS,
		.answer_ms = HOLDER_ANSWER_MS};

	*h = (struct holder){0};
	member_params(&p, t);
	if (pq_load(&h->pq, e) < 0)
		return -1;
	if (replication_open(&h->r, &h->pq, &spec, e) < 0) {
		h->r = NULL;
		return err_add(e, "primary at %s", t->host);
	}
	h->version = replication_server_version(h->r);
	return holder_ask(h, e) < 0 ? err_add(e, "primary at %s", t->host) : 0;
}

int
holder_slot(struct holder *h, const char *slot, struct err *e)
{
	char text[128];

	snprintf(text, sizeof(text), "CREATE_REPLICATION_SLOT %s PHYSICAL RESERVE_WAL", slot);
	if (replication_command(h->r, text, e) == 0 ||
		strcmp(replication_sqlstate(h->r), "42710") == 0)
		return 0;
	return err_add(e, "slot %s", slot);
}

void
holder_close(struct holder *h)
{
	h->r = replication_close(h->r);
	free(h->history.entry);
	h->history = (struct lineage_history){0};
	buf_deinit(&h->history_text);
}

/* ---- ours ---- */

static void
history_as_other(
	struct lineage_history *out, uint32_t timeline, const struct lineage_history *other)
{
	for (size_t i = 0; other && i < other->n && other->entry[i].timeline < timeline; i++)
		out->entry[out->n++] = other->entry[i];
}

int
member_history(struct lineage_history *out, const char *waldir, uint32_t timeline,
	const struct lineage_history *other, struct err *e)
{
	AUTO(buf_deinit) struct buf text = {0};
	char path[FILE_PATH_MAX], name[24];

	if (history_alloc(out, e) < 0)
		return -1;
	snprintf(name, sizeof(name), "%08X.history", timeline);
	if (file_join(path, sizeof(path), waldir, name, e) < 0)
		return -1;
	if (timeline > 1 && file_read(&text, path, HISTORY_BYTES, e) < 0) {
		if (e->kind != ERR_NOTFOUND)
			return -1;
		history_as_other(out, timeline, other);
	} else if (timeline > 1 && lineage_history_parse(buf_str(&text), text.len, out, e) < 0) {
		return err_add(e, "%s", path);
	}
	history_close(out, timeline);
	return 0;
}
