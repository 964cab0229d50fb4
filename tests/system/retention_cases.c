/*
 * retention_cases - prints random archives and what retention makes of them, as JSON.
 *
 * usage: retention_cases [N [FIRST]]
 *
 * One object a line, the same that tests/unit/core/retention_test.c asks its oracle about:
 * {"seed","now","policy":{"windowSeconds","redundancy","minimum"},"segmentBytes","unreadables",
 *  "timelines":[{"timeline","parent","fork","history","segments":[{"name","storedAt","gone"}]}],
 *  "backups":[{"id","status","timeline","parent","beginWal","endWal","beginLsn","endLsn","beginTime",
 *    "endTime","keep","verdict","gone"}]}
 * To replay one with real restores: make a cluster whose timelines fork where these do, take
 * backups where these were taken, delete what is "gone", and restore each backup that is left to
 * the last segment that it reached before.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../unit/core/retention_world.h"
#include "base/json.h"

static void
put_lsn(struct json *j, const char *key, uint64_t lsn)
{
	char text[LINEAGE_LSN_SIZE];

	json_kstr(j, key, lineage_lsn_text(lsn, text));
}

static void
put_timeline(struct json *j, const struct world *w, const struct retention_plan *p, uint32_t t)
{
	const struct world_line *l = &w->line[t];
	char name[LINEAGE_NAME_SIZE];

	json_obj(j);
	json_kint(j, "timeline", t);
	json_kint(j, "parent", l->parent);
	put_lsn(j, "fork", l->fork);
	json_kbool(j, "history", t > 1 && !l->history_lost);
	json_karr(j, "segments");
	for (uint64_t s = 0; s < WORLD_SEGMENTS; s++) {
		if (!l->there[s])
			continue;
		json_obj(j);
		json_kstr(j, "name", lineage_name(t, s * WORLD_SEG, WORLD_SEG, name));
		json_ktime(j, "storedAt", l->stored_us[s]);
		json_kbool(j, "gone", retention_segment_gone(p, &w->c, t, s));
		json_end_obj(j);
	}
	json_end_arr(j);
	json_end_obj(j);
}

static void
put_backup(struct json *j, const struct world *w, const struct retention_plan *p, size_t i)
{
	static const char *const keep[] = {"no", "full", "standalone"};
	const struct backup_info *b = &w->info[i];

	json_obj(j);
	json_kstr(j, "id", b->id);
	json_kstr(j, "status", backup_status_text(b->status));
	json_kint(j, "timeline", b->timeline);
	json_kstr(j, "parent", b->parent);
	json_kstr(j, "beginWal", b->begin_wal);
	json_kstr(j, "endWal", b->end_wal);
	put_lsn(j, "beginLsn", b->begin_lsn);
	put_lsn(j, "endLsn", b->end_lsn);
	json_ktime(j, "beginTime", b->begin_us);
	json_ktime(j, "endTime", b->end_us);
	json_kstr(j, "keep", keep[w->keep[i]]);
	json_kstr(j, "verdict", retention_text(p->verdict[i]));
	json_kbool(j, "gone", p->verdict[i] == RETAIN_OBSOLETE);
	json_end_obj(j);
}

static void
put_world(struct json *j, const struct world *w, const struct retention_plan *p, uint64_t seed)
{
	json_obj(j);
	json_kint(j, "seed", (int64_t)seed);
	json_ktime(j, "now", w->now_us);
	json_kobj(j, "policy");
	json_kint(j, "windowSeconds", w->policy.window_us / 1000000);
	json_kint(j, "redundancy", w->policy.redundancy);
	json_kint(j, "minimum", w->policy.minimum);
	json_end_obj(j);
	json_kint(j, "segmentBytes", WORLD_SEG);
	json_kint(j, "unreadables", (int64_t)w->unreadables);
	json_karr(j, "timelines");
	for (uint32_t t = 1; t <= w->lines; t++)
		put_timeline(j, w, p, t);
	json_end_arr(j);
	json_karr(j, "backups");
	for (size_t i = 0; i < w->backups; i++)
		put_backup(j, w, p, i);
	json_end_arr(j);
	json_end_obj(j);
}

int
main(int argc, char **argv)
{
	unsigned long n = argc > 1 ? strtoul(argv[1], NULL, 10) : 1;
	unsigned long first = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
	static struct world w;

	for (uint64_t seed = first; seed < first + n; seed++) {
		AUTO(buf_deinit) struct buf out = {0};
		struct retention_plan p;
		struct json j;

		world_make(&w, seed);
		if (retention_plan(&p, &w.c, w.keep, &w.policy, w.now_us))
			return 70;
		json_init(&j, &out);
		put_world(&j, &w, &p, seed);
		puts(buf_str(&out));
		retention_plan_deinit(&p);
	}
	return 0;
}
