/*
 * member_lost - what a deposed primary had that nobody else will ever have.
 *
 * Process: the job `prepare`, before a rewind or a clone removes it.  STATE_DIR/diverged/list has a
 * line for each time: when, timeline, from, to, the primary that went on without it, and the folder
 * that the WAL was copied to, for pg_waldump and people (--keep-diverged).  The folders lie beside
 * the list, the newest three are kept, and any of them may be removed at any time.  Nothing here
 * holds up the way back into the cluster: what fails is said.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "service/prepare_member.h"

#define LOST_DIR "diverged"
#define LOST_LIST "list"
#define LOST_BYTES (64 << 10)
#define LOST_LINES 50
#define LOST_FOLDERS 3
#define LOST_WAL_BYTES (INT64_C(256) << 20)
#define LOST_BLOCK (64 << 10)

/* ---- the list ---- */

static int
list_path(const struct run_options *opt, char dir[FILE_PATH_MAX], char list[FILE_PATH_MAX],
	struct err *e)
{
	return file_join(dir, FILE_PATH_MAX, opt->state_dir, LOST_DIR, e) < 0
		       ? -1
		       : file_join(list, FILE_PATH_MAX, dir, LOST_LIST, e);
}

static const char *
last_line(const struct buf *text)
{
	const char *line = buf_str(text), *end = line + text->len;

	if (text->len == 0)
		return "";
	for (const char *p = line; p < end - 1; p++)
		if (*p == '\n')
			line = p + 1;
	return line;
}

/* Exactly what list_add() writes. */
static bool
line_parse(const char *line, struct plan_lost *out)
{
	char from[LINEAGE_LSN_SIZE], to[LINEAGE_LSN_SIZE], kept[PATH_LEN];

	*out = (struct plan_lost){0};
	if (sscanf(line, "%39s %" SCNu32 " %17s %17s %63s %511[^\n]", out->at, &out->timeline, from,
		    to, out->primary, kept) != 6 ||
		!lineage_lsn_parse(from, &out->from) || !lineage_lsn_parse(to, &out->to))
		return false;
	snprintf(out->kept, sizeof(out->kept), "%s", strcmp(kept, "-") == 0 ? "" : kept);
	return true;
}

void
lost_last(const struct run_options *opt, struct plan_lost *out)
{
	AUTO(buf_deinit) struct buf text = {0};
	char dir[FILE_PATH_MAX], list[FILE_PATH_MAX];
	struct err ignored;

	*out = (struct plan_lost){0};
	if (list_path(opt, dir, list, &ignored) == 0 &&
		file_read(&text, list, LOST_BYTES, &ignored) == 0 &&
		!line_parse(last_line(&text), out))
		*out = (struct plan_lost){0};
}

/* The newest lines stay. */
static int
list_add(const char *list, const struct plan_lost *l, struct err *e)
{
	AUTO(buf_deinit) struct buf text = {0};
	char from[LINEAGE_LSN_SIZE], to[LINEAGE_LSN_SIZE];
	const char *begin;
	unsigned lines = 0;

	if (file_read(&text, list, LOST_BYTES, e) < 0 && e->kind != ERR_NOTFOUND)
		buf_reset(&text);
	buf_printf(&text, "%s %" PRIu32 " %s %s %s %s\n", l->at, l->timeline,
		lineage_lsn_text(l->from, from), lineage_lsn_text(l->to, to), l->primary,
		*l->kept ? l->kept : "-");
	if (buf_check(&text, e) < 0)
		return -1;
	for (begin = text.data + text.len; begin > text.data && lines <= LOST_LINES; begin--)
		lines += begin[-1] == '\n';
	if (lines > LOST_LINES)
		begin++;
	return file_write(list, begin, (size_t)(text.data + text.len - begin), 0600, e);
}

/* ---- the WAL ---- */

static int
copy_segment(const char *from, const char *to, struct err *e)
{
	AUTO(close) int in = open(from, O_RDONLY | O_CLOEXEC), out = -1;
	AUTO(free) char *block = malloc(LOST_BLOCK);
	ssize_t n;

	if (in < 0)
		return errno == ENOENT ? 0 : file_err(e, "open %s", from);
	out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (out < 0 || !block)
		return file_err(e, "make %s", to);
	while ((n = read(in, block, LOST_BLOCK)) > 0)
		if (file_write_fd(out, block, (size_t)n, e) < 0)
			return -1;
	if (n < 0 || fsync(out) < 0)
		return file_err(e, "copy %s", from);
	return 1;
}

/* Both the timeline that was left and those that only this instance was on. */
static int
copy_at(const struct prepare *p, const char *dir, uint32_t first, uint64_t lsn, struct err *e)
{
	const struct control *c = &p->data.control;
	char name[LINEAGE_NAME_SIZE], from[FILE_PATH_MAX], to[FILE_PATH_MAX];
	int copied = 0;

	for (uint32_t t = first; t <= control_timeline(c); t++) {
		int n;

		lineage_name(t, lsn, c->wal_segment_bytes, name);
		if (file_join(from, sizeof(from), p->data.wal, name, e) < 0 ||
			file_join(to, sizeof(to), dir, name, e) < 0)
			return -1;
		n = copy_segment(from, to, e);
		if (n < 0)
			return -1;
		copied += n;
	}
	return copied;
}

static int
copy_all(struct prepare *p, const char *dir, const struct plan_lost *l, struct err *e)
{
	uint32_t segment = p->data.control.wal_segment_bytes;
	int64_t bytes = 0;

	if (file_make_dirs(dir, 0700, e) < 0)
		return -1;
	for (uint64_t at = l->from - l->from % segment; at < l->to; at += segment) {
		int n = copy_at(p, dir, l->timeline, at, e);

		if (n < 0)
			return -1;
		bytes += n * (int64_t)segment;
		if (bytes >= LOST_WAL_BYTES && at + segment < l->to) {
			prepare_warn(p, "the first %lld MB of it are kept, the rest is not",
				(long long)(bytes >> 20));
			break;
		}
	}
	return file_sync(dir, e);
}

/* ---- old folders ---- */

struct lost_names {
	char name[64][24]; /* stamps */
	size_t n;
};

static int
name_one(const char *name, void *arg, struct err *e)
{
	struct lost_names *l = arg;

	(void)e;
	if (strcmp(name, LOST_LIST) != 0 && strlen(name) < sizeof(l->name[0]) &&
		l->n < ARRAY_LEN(l->name))
		snprintf(l->name[l->n++], sizeof(l->name[0]), "%s", name);
	return 0;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

static int
prune(const char *dir, struct err *e)
{
	struct lost_names l = {0};
	char path[FILE_PATH_MAX];

	if (file_each(dir, name_one, &l, e) < 0)
		return -1;
	qsort(l.name, l.n, sizeof(l.name[0]), by_name);
	for (size_t i = 0; i + LOST_FOLDERS < l.n; i++)
		if (file_join(path, sizeof(path), dir, l.name[i], e) < 0 ||
			file_remove_tree(path, e) < 0)
			return -1;
	return 0;
}

/* ---- all of it ---- */

static int
lost_keep(struct prepare *p, struct plan_lost *l, struct err *e)
{
	char dir[FILE_PATH_MAX], list[FILE_PATH_MAX], folder[FILE_PATH_MAX];
	char stamp[24];

	if (list_path(p->opt, dir, list, e) < 0 || file_make_dirs(dir, 0700, e) < 0)
		return -1;
	mark_stamp(stamp);
	if (p->opt->keep_diverged == KEEP_DIVERGED_WAL && p->data.control.wal_segment_bytes) {
		job_phase(p->j, "keeping WAL that the primary does not have", -1);
		if (file_join(folder, sizeof(folder), dir, stamp, e) < 0 ||
			copy_all(p, folder, l, e) < 0) {
			log_warning("WAL of a lost line is not kept", F_STR("error", e->msg));
			(void)!file_remove_tree(folder, e);
		} else {
			snprintf(
				l->kept, sizeof(l->kept), "%.*s", (int)sizeof(l->kept) - 1, folder);
		}
	}
	if (list_add(list, l, e) < 0)
		return -1;
	return prune(dir, e);
}

void
lost_record(struct prepare *p, uint32_t timeline, uint64_t from, uint64_t to)
{
	struct plan_lost l = {.timeline = timeline, .from = from, .to = to}, last;
	struct err e = {0};

	lost_last(p->opt, &last);
	if (last.timeline == timeline && last.from == from && last.to == to)
		return; /* a run that was interrupted has said it */
	clock_rfc3339_sec(clock_wall_us(), l.at);
	snprintf(l.primary, sizeof(l.primary), "%s", p->member->el.holder_name);
	if (lost_keep(p, &l, &e) < 0)
		log_warning("what was given up could not be noted", F_STR("error", e.msg));
	p->plan.lost = l;
	log_warning("WAL of a lost line is given up", F_INT("timeline", timeline),
		F_INT("bytes", to - from), F_STR("kept", l.kept + 0));
}
