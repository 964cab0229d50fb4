/*
 * archiver_schedule - ScheduledBackup and Backup documents of the manifest: when the next is due.
 *
 * Process: archiver.
 */
#include "service/archiver_schedule.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "service/zone.h"
#include "sys/file.h"

#define MARKS_MAX (64 << 10)
#define AGAIN_US (10 * SEC_US)   /* after a refusal */
#define SILENCE_US (30 * SEC_US) /* after an order that nobody answered */
#define ID_BASE (UINT64_C(1) << 62)

/* ---- what was done: lines "NAME MICROSECONDS" ---- */

/* A Backup and a ScheduledBackup may have the same name. */
static const char *
mark_kind(const struct archiver_schedule_item *i)
{
	return i->once ? "backup" : "schedule";
}

static int64_t
mark_find(const char *text, const struct archiver_schedule_item *item)
{
	char want[96];
	size_t n;

	snprintf(want, sizeof(want), "%s/%s ", mark_kind(item), item->name);
	n = strlen(want);
	while (*text) {
		if (strncmp(text, want, n) == 0)
			return strtoll(text + n, NULL, 10);
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
	return 0;
}

static void
marks_write(const struct archiver_schedule *a)
{
	AUTO(buf_deinit) struct buf text = {0};
	struct err e;

	for (size_t i = 0; i < a->n; i++)
		if (a->item[i].last_us)
			buf_printf(&text, "%s/%s %lld\n", mark_kind(&a->item[i]), a->item[i].name,
				(long long)a->item[i].last_us);
	if (buf_check(&text, &e) < 0 || file_write(a->path, buf_str(&text), text.len, 0600, &e) < 0)
		log_warning("the last run of a schedule could not be noted", F_STR("error", e.msg),
			F_STR("hint", "after a restart it may run again"));
}

/* ---- the manifest ---- */

static void
item_set(struct archiver_schedule_item *to, const struct spec_schedule *s, const char *marks,
	int64_t wall_us)
{
	struct err e;

	*to = (struct archiver_schedule_item){.once = s->once,
		.suspend = s->suspend,
		.prefer_standby = s->prefer_standby,
		.immediate_checkpoint = (int32_t)s->immediate_checkpoint};
	snprintf(to->name, sizeof(to->name), "%s", s->name);
	to->last_us = mark_find(marks, to);
	if (to->once) {
		to->due_us = to->last_us ? 0 : wall_us;
		return;
	}
	if (schedule_parse(&to->when, s->schedule, &e) < 0) {
		log_error("schedule", F_STR("name", to->name), F_STR("error", e.msg));
		to->wrong = true;
		return;
	}
	if (!to->last_us && s->immediate && !s->suspend) {
		to->due_us = wall_us;
		return;
	}
	if (!to->last_us)
		to->last_us = wall_us;
	to->due_us = schedule_next_in(&to->when, to->last_us, zone_offset, NULL);
	if (!to->due_us)
		log_error("a schedule never comes: no such day, or no such time zone here",
			F_STR("name", to->name), F_STR("schedule", s->schedule));
}

/* What is being asked just now goes on being asked. */
static void
item_keep(struct archiver_schedule_item *to, const struct archiver_schedule *old)
{
	for (size_t i = 0; i < old->n; i++) {
		const struct archiver_schedule_item *was = &old->item[i];

		if (was->once != to->once || strcmp(was->name, to->name) != 0)
			continue;
		to->asked = was->asked;
		to->again_us = was->again_us;
		return;
	}
}

void
archiver_schedule_init(struct archiver_schedule *a, const char *state_dir)
{
	memset(a, 0, sizeof(*a));
	snprintf(a->path, sizeof(a->path), "%.511s/%s", state_dir, SCHEDULE_FILE);
	a->ids = ID_BASE;
}

void
archiver_schedule_set(struct archiver_schedule *a, const struct spec *spec, int64_t wall_us)
{
	AUTO(free) struct archiver_schedule *old = malloc(sizeof(*old));
	AUTO(buf_deinit) struct buf marks = {0};
	bool fresh = false;
	struct err e;

	if (file_read(&marks, a->path, MARKS_MAX, &e) < 0 && e.kind != ERR_NOTFOUND)
		log_warning("the last runs of the schedules are not known", F_STR("error", e.msg));
	if (old)
		*old = *a;
	a->n = 0;
	for (size_t i = 0; i < spec->schedules && a->n < SCHEDULES_MAX; i++) {
		struct archiver_schedule_item *to = &a->item[a->n++];

		item_set(to, &spec->schedule[i], buf_str(&marks), wall_us);
		if (old)
			item_keep(to, old);
		fresh = fresh || (to->last_us && !mark_find(buf_str(&marks), to));
	}
	if (spec->schedules > SCHEDULES_MAX)
		log_error(
			"too many schedules: the last are ignored", F_INT("taken", SCHEDULES_MAX));
	if (fresh)
		marks_write(a); /* from when on a new schedule counts */
}

/* ---- due ---- */

static void
item_order(const struct archiver_schedule_item *i, struct order *o)
{
	char when[BACKUP_ID_SIZE];

	order_init(o, ORDER_BACKUP);
	o->backup.immediate = i->immediate_checkpoint;
	snprintf(o->by, sizeof(o->by), "%s %.48s", mark_kind(i), i->name);
	snprintf(o->idem_key, sizeof(o->idem_key), "%.3s-%016llx-%.40s", mark_kind(i),
		(unsigned long long)i->due_us, i->name);
	if (i->once) {
		snprintf(o->backup.name, sizeof(o->backup.name), "%s", i->name);
		return;
	}
	backup_id_make(when, i->due_us); /* as CloudNativePG: NAME-YYYYMMDDHHMMSS */
	snprintf(o->backup.name, sizeof(o->backup.name), "%.48s-%.8s%.6s", i->name, when, when + 9);
}

static void
item_ask(struct archiver_schedule *a, struct archiver_schedule_item *i, int64_t wall_us)
{
	struct order o;
	struct err e;

	item_order(i, &o);
	i->asked = ++a->ids;
	i->again_us = wall_us + SILENCE_US;
	if (a->send(a->arg, i->asked, &o, &e) == 0)
		return;
	log_warning("a scheduled backup could not be ordered", F_STR("name", i->name),
		F_STR("error", e.msg));
	i->asked = 0;
	i->again_us = wall_us + AGAIN_US;
}

static bool
item_is_ours(const struct archiver_schedule_item *i, const struct archiver_schedule_now *now)
{
	if (now->standby)
		return i->prefer_standby;
	return !i->prefer_standby || !now->standby_elsewhere;
}

void
archiver_schedule_tick(struct archiver_schedule *a, const struct archiver_schedule_now *now)
{
	for (size_t k = 0; k < a->n; k++) {
		struct archiver_schedule_item *i = &a->item[k];

		if (i->wrong || !i->due_us || i->due_us > now->wall_us)
			continue;
		if (i->suspend || !item_is_ours(i, now)) {
			/* Not made up for when that ends. */
			if (!i->once)
				i->due_us =
					schedule_next_in(&i->when, now->wall_us, zone_offset, NULL);
			continue;
		}
		if (now->ready && i->again_us <= now->wall_us)
			item_ask(a, i, now->wall_us);
	}
}

bool
archiver_schedule_reply(
	struct archiver_schedule *a, uint64_t id, const struct order_reply *r, int64_t wall_us)
{
	for (size_t k = 0; k < a->n; k++) {
		struct archiver_schedule_item *i = &a->item[k];

		if (!id || i->asked != id)
			continue;
		i->asked = 0;
		if (r->err_kind != ERR_NONE) {
			log_info("a scheduled backup has to wait", F_STR("name", i->name),
				F_STR("reason", r->reason));
			i->again_us = wall_us + AGAIN_US;
			return true;
		}
		i->again_us = 0;
		i->last_us = wall_us;
		i->due_us = i->once ? 0 : schedule_next_in(&i->when, wall_us, zone_offset, NULL);
		marks_write(a);
		return true;
	}
	return id > ID_BASE;
}

int64_t
archiver_schedule_next(const struct archiver_schedule *a)
{
	int64_t next = 0;

	for (size_t i = 0; i < a->n; i++)
		if (a->item[i].due_us && !a->item[i].suspend && !a->item[i].wrong &&
			(!next || a->item[i].due_us < next))
			next = a->item[i].due_us;
	return next;
}
