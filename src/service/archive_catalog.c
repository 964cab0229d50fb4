/*
 * archive_catalog - what an archive holds: backups, segments, timelines, gaps.
 *
 * Process: workers of the archiver, jobs and commands.  One LIST shows everything below base/; each
 * backup.info is read.  One that cannot be parsed is named as unreadable; one that cannot be had
 * ends the reading, since a catalogue with a hole would let somebody delete too much.
 */
#include "service/archive_catalog.h"

#include <stdio.h>
#include <string.h>

#include "core/retention.h"

#define CATALOG_INFO_MAX ((size_t)1 << 20)
#define CATALOG_HISTORY_MAX ((size_t)1 << 20)

/* What stands below base/ID/. */
struct catalog_seen {
	char id[BACKUP_ID_SIZE];
	int64_t bytes;
	bool info, keep;
};

struct catalog_list {
	struct catalog_seen *seen;
	size_t n, room;
	size_t skip; /* length of SERVER/base/ */
	int64_t bytes;
};

struct catalog_priv {
	struct archive_wal wal;
	const struct backup_info **backup;
	struct catalog_history *history;
	size_t histories;
	uint64_t *gap;
	size_t gaps, gap_room;
	struct catalog_tail *tail;
	size_t tails;
};

/* ---- base/ ---- */

static struct catalog_seen *
list_seen(struct catalog_list *l, const char *id)
{
	struct catalog_seen *more;

	if (l->n > 0 && strcmp(l->seen[l->n - 1].id, id) == 0)
		return &l->seen[l->n - 1];
	if (l->n == l->room) {
		l->room = l->room ? l->room * 2 : 16;
		more = realloc(l->seen, l->room * sizeof(*more));
		if (!more)
			return NULL;
		l->seen = more;
	}
	l->seen[l->n] = (struct catalog_seen){.bytes = 0};
	snprintf(l->seen[l->n].id, sizeof(l->seen[l->n].id), "%s", id);
	return &l->seen[l->n++];
}

static int
list_each(void *arg, const struct store_object *o, struct err *e)
{
	struct catalog_list *l = arg;
	const char *rest = strlen(o->key) > l->skip ? o->key + l->skip : "";
	const char *slash = strchr(rest, '/');
	char id[BACKUP_ID_SIZE];
	struct catalog_seen *seen;

	l->bytes += o->bytes > 0 ? o->bytes : 0;
	if (!slash || slash - rest != BACKUP_ID_SIZE - 1)
		return 0;
	snprintf(id, sizeof(id), "%s", rest);
	if (!backup_id_ok(id))
		return 0;
	seen = list_seen(l, id);
	if (!seen)
		return err_sys(e, "remember backup %s", id);
	seen->bytes += o->bytes > 0 ? o->bytes : 0;
	seen->info = seen->info || strcmp(slash, "/backup.info") == 0;
	seen->keep = seen->keep || strcmp(slash, "/annotations/keep") == 0;
	return 0;
}

static int
text_sink(void *arg, const void *p, size_t n, struct err *e)
{
	struct buf *b = arg;

	buf_put(b, p, n);
	return buf_check(b, e);
}

static int
catalog_text(struct archive *a, struct buf *out, struct err *e, const char *id, const char *what)
{
	char key[ARCHIVE_KEY_SIZE];
	struct store_get get = {.key = key, .sink = text_sink, .arg = out};

	buf_init_max(out, CATALOG_INFO_MAX);
	if (archive_key(key, e, "%s/base/%s/%s", a->server, id, what) < 0)
		return -1;
	return store_get(a->store, &get, NULL, e);
}

/* One that went away meanwhile is kept no more. */
static int
catalog_keep(struct archive *a, const char *id, int *keep, struct err *e)
{
	AUTO(buf_deinit) struct buf text = {0};

	*keep = KEEP_NO;
	if (catalog_text(a, &text, e, id, "annotations/keep") < 0)
		return e->kind == ERR_NOTFOUND ? 0 : -1;
	*keep = strncmp(buf_str(&text), "standalone", 10) == 0 ? KEEP_STANDALONE : KEEP_FULL;
	return 0;
}

/* Returns 1 with a backup, 0 when there is none to show (any more). */
static int
catalog_backup(struct archive *a, const struct catalog_seen *seen, struct archive_catalog *out,
	struct err *e)
{
	struct backup_info *info = &out->info[out->infos];
	AUTO(buf_deinit) struct buf text = {0};

	if (seen->info && catalog_text(a, &text, e, seen->id, "backup.info") < 0)
		return e->kind == ERR_NOTFOUND ? 0 : -1;
	if (seen->info && backup_info_parse(info, buf_str(&text), text.len, e) < 0) {
		backup_info_deinit(info);
		memset(info, 0, sizeof(*info));
		memcpy(out->unreadable[out->unreadables++], seen->id, sizeof(seen->id));
		return 0;
	}
	/* Without one: of a backup that runs, or that was killed. */
	memcpy(info->id, seen->id, sizeof(info->id));
	if (info->stored_bytes == 0)
		info->stored_bytes = seen->bytes;
	if (seen->keep && catalog_keep(a, seen->id, &out->keep[out->infos], e) < 0)
		return -1;
	return 1;
}

static int
catalog_backups(
	struct archive *a, const struct catalog_list *l, struct archive_catalog *out, struct err *e)
{
	struct catalog_priv *p = out->priv;
	size_t room = l->n ? l->n : 1;

	out->info = calloc(room, sizeof(*out->info));
	out->keep = calloc(room, sizeof(*out->keep));
	out->unreadable = calloc(room, sizeof(*out->unreadable));
	p->backup = calloc(room, sizeof(void *));
	if (!out->info || !out->keep || !out->unreadable || !p->backup)
		return err_sys(e, "remember %zu backups", l->n);
	for (size_t i = 0; i < l->n; i++) {
		int rc = catalog_backup(a, &l->seen[i], out, e);

		if (rc < 0)
			return -1;
		if (rc > 0)
			p->backup[out->infos] = &out->info[out->infos];
		out->infos += (size_t)rc;
	}
	out->c.backup = p->backup;
	out->c.backups = out->infos;
	out->c.unreadables = out->unreadables;
	return 0;
}

static int
catalog_base(struct archive *a, struct archive_catalog *out, struct err *e)
{
	char prefix[ARCHIVE_KEY_SIZE];
	struct catalog_list l = {.n = 0};
	struct store_list list = {.prefix = prefix, .each = list_each, .arg = &l};
	AUTO(free) struct catalog_seen *owned = NULL;
	int rc;

	if (archive_key(prefix, e, "%s/base/", a->server) < 0)
		return -1;
	l.skip = strlen(prefix);
	rc = store_list(a->store, &list, e);
	owned = l.seen;
	out->bytes += l.bytes;
	return rc < 0 ? -1 : catalog_backups(a, &l, out, e);
}

/* ---- wals/, timelines, gaps ---- */

static int
catalog_history(struct archive *a, uint32_t timeline, struct catalog_history *h, struct err *e)
{
	char name[ARCHIVE_NAME_SIZE];
	AUTO(buf_deinit) struct buf text = {0};
	size_t lines = 1;

	snprintf(name, sizeof(name), "%08X.history", timeline);
	if (archive_fetch_text(a, name, CATALOG_HISTORY_MAX, &text, e) < 0)
		return -1;
	for (size_t i = 0; i < text.len; i++)
		lines += text.data[i] == '\n';
	h->timeline = timeline;
	h->line.max = lines;
	h->line.entry = calloc(lines, sizeof(*h->line.entry));
	if (!h->line.entry)
		return err_sys(e, "remember timeline %u", timeline);
	if (lineage_history_parse(buf_str(&text), text.len, &h->line, e) < 0)
		return err_add(e, "%s", name);
	return 0;
}

static int
by_timeline(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static int
catalog_histories(struct archive *a, struct archive_catalog *out, struct err *e)
{
	struct catalog_priv *p = out->priv;

	if (p->wal.histories == 0)
		return 0;
	qsort(p->wal.history, p->wal.histories, sizeof(*p->wal.history), by_timeline);
	p->history = calloc(p->wal.histories, sizeof(*p->history));
	if (!p->history)
		return err_sys(e, "remember the timelines");
	for (size_t i = 0; i < p->wal.histories; i++)
		if (catalog_history(a, p->wal.history[i], &p->history[p->histories++], e) < 0)
			return -1;
	out->c.history = p->history;
	out->c.histories = p->histories;
	return 0;
}

struct gap_list {
	struct catalog_priv *p;
	uint32_t segment_bytes;
};

static int
gap_each(void *arg, const struct store_object *o, struct err *e)
{
	struct gap_list *l = arg;
	struct catalog_priv *p = l->p;
	const char *slash = strrchr(o->key, '/');
	uint32_t timeline;
	uint64_t lsn, *more;

	if (!slash || !lineage_name_parse(slash + 1, l->segment_bytes, &timeline, &lsn))
		return 0;
	if (p->gaps == p->gap_room) {
		p->gap_room = p->gap_room ? p->gap_room * 2 : 16;
		more = realloc(p->gap, p->gap_room * sizeof(*more));
		if (!more)
			return err_sys(e, "remember a gap");
		p->gap = more;
	}
	p->gap[p->gaps++] = lsn;
	return 0;
}

static int
catalog_gaps(struct archive *a, struct archive_catalog *out, struct err *e)
{
	struct catalog_priv *p = out->priv;
	char prefix[ARCHIVE_KEY_SIZE];
	struct gap_list l = {.p = p, .segment_bytes = out->c.segment_bytes};
	struct store_list list = {.prefix = prefix, .each = gap_each, .arg = &l};

	if (archive_key(prefix, e, "%s/podgres/gaps/", a->server) < 0 ||
		store_list(a->store, &list, e) < 0)
		return -1;
	out->c.gap = p->gap;
	out->c.gaps = p->gaps;
	return 0;
}

static uint32_t
catalog_segment_bytes(const struct archive_catalog *c)
{
	for (size_t i = c->infos; i > 0; i--)
		if (c->info[i - 1].segment_bytes)
			return c->info[i - 1].segment_bytes;
	return 0;
}

static int
catalog_read(struct archive *a, struct archive_catalog *out, struct err *e)
{
	struct catalog_priv *p = out->priv;

	if (catalog_base(a, out, e) < 0)
		return -1;
	if (p->wal.segment_bytes == 0)
		p->wal.segment_bytes = out->c.segment_bytes;
	if (p->wal.segment_bytes == 0)
		p->wal.segment_bytes = catalog_segment_bytes(out);
	if (archive_wal_read(a, &p->wal, e) < 0 || catalog_histories(a, out, e) < 0)
		return -1;
	out->c.segment_bytes = p->wal.segment_bytes;
	out->c.run = p->wal.run;
	out->c.runs = p->wal.runs;
	out->bytes += p->wal.bytes;
	if (catalog_gaps(a, out, e) < 0 ||
		archive_catalog_tails(a, out->c.segment_bytes, &p->tail, &p->tails, e) < 0)
		return -1;
	out->c.tail = p->tail;
	out->c.tails = p->tails;
	return 0;
}

int
archive_catalog_read_on(
	struct archive *a, struct archive_wal *w, struct archive_catalog *out, struct err *e)
{
	uint32_t segment_bytes = out->c.segment_bytes;
	struct catalog_priv *p = calloc(1, sizeof(*p));

	*out = (struct archive_catalog){.priv = p, .c.segment_bytes = segment_bytes};
	if (!p)
		return err_sys(e, "read the catalogue");
	p->wal = *w;
	*w = (struct archive_wal){0};
	if (catalog_read(a, out, e) == 0)
		return 0;
	archive_catalog_deinit(out);
	return err_add(e, "read the catalogue of %s/%s", store_where(a->store), a->server);
}

int
archive_catalog_read(struct archive *a, struct archive_catalog *out, struct err *e)
{
	struct archive_wal fresh = {0};

	return archive_catalog_read_on(a, &fresh, out, e);
}

const struct archive_wal *
archive_catalog_wal(const struct archive_catalog *c)
{
	const struct catalog_priv *p = c->priv;

	return &p->wal;
}

void
archive_catalog_deinit(struct archive_catalog *c)
{
	struct catalog_priv *p = c->priv;

	for (size_t i = 0; i < c->infos; i++)
		backup_info_deinit(&c->info[i]);
	free(c->info);
	free(c->keep);
	free(c->unreadable);
	if (p) {
		for (size_t i = 0; i < p->histories; i++)
			free(p->history[i].line.entry);
		archive_wal_deinit(&p->wal);
		free(p->backup);
		free(p->history);
		free(p->gap);
		free(p->tail);
	}
	free(p);
	*c = (struct archive_catalog){0};
}
