/*
 * member_slots - a physical slot for each other member, on every member.
 *
 * Process: the job members.  The primary makes them and drops those of members that are gone for
 * half an hour.  A standby has the same ones and moves them up to where the primary has them, never
 * past what it has replayed itself, so that whoever becomes primary still has the WAL that the
 * others need.  For the primary itself, which may come back as a standby, it keeps what follows its
 * own last restart point: pg_rewind begins there.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "pg/sql.h"
#include "service/member.h"
#include "sys/file.h"

#define SLOTS 64
#define SLOT_MS 5000
#define GONE_MS (30 * 60 * SEC_MS)
#define GONE_FILE "slots.gone"
#define GONE_BYTES 65536

struct slot {
	char name[MEMBER_SLOT_SIZE];
	bool active, lost;
	uint64_t lsn;
};

struct slot_list {
	size_t n;
	struct slot item[SLOTS];
};

static const char slots_sql[] =
	"SELECT slot_name, active, COALESCE(restart_lsn, '0/0'), "
	"COALESCE(wal_status = 'lost', false) OR restart_lsn IS NULL "
	"FROM pg_catalog.pg_replication_slots WHERE slot_type = 'physical' AND NOT temporary "
	"AND pg_catalog.starts_with(slot_name::text, '" MEMBER_SLOT_PREFIX "') ORDER BY 1";

static const char primary_sql[] =
	"SELECT COALESCE(pg_catalog.string_agg(slot_name || ' ' || restart_lsn, ' '), '') "
	"FROM pg_catalog.pg_replication_slots WHERE slot_type = 'physical' AND NOT temporary "
	"AND restart_lsn IS NOT NULL "
	"AND pg_catalog.starts_with(slot_name::text, '" MEMBER_SLOT_PREFIX "')";

static int
ask(struct member_slots *s, const char *text, struct err *e)
{
	return sql_ask(s->sql, text, clock_boot_ns() + SLOT_MS * MS_NS, e);
}

static struct slot *
slot_of(struct slot_list *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->item[i].name, name) == 0)
			return &l->item[i];
	return NULL;
}

static int
read_own(struct member_slots *s, struct slot_list *out, struct err *e)
{
	out->n = 0;
	if (ask(s, slots_sql, e) < 0)
		return -1;
	for (int i = 0; i < sql_rows(s->sql) && out->n < SLOTS; i++) {
		struct slot *slot = &out->item[out->n++];

		*slot = (struct slot){
			.active = sql_bool(s->sql, i, 1), .lost = sql_bool(s->sql, i, 3)};
		sql_copy(s->sql, i, 0, slot->name, sizeof(slot->name));
		(void)!lineage_lsn_parse(sql_text(s->sql, i, 2), &slot->lsn);
	}
	return 0;
}

/* "NAME LSN NAME LSN" */
static int
read_primary(struct member_slots *s, struct slot_list *out, struct err *e)
{
	AUTO(free) char *text = NULL;
	char *rest, *name, *lsn;

	out->n = 0;
	if (!s->holder || s->holder->in_recovery)
		return 0;
	if (holder_query(s->holder, primary_sql, e) < 0)
		return -1;
	text = strdup(replication_field(s->holder->r, 0));
	if (!text)
		return err_sys(e, "slots");
	for (name = strtok_r(text, " ", &rest); name && out->n < SLOTS;
		name = strtok_r(NULL, " ", &rest)) {
		struct slot *slot = &out->item[out->n];

		lsn = strtok_r(NULL, " ", &rest);
		if (!lsn || !lineage_lsn_parse(lsn, &slot->lsn))
			break;
		snprintf(slot->name, sizeof(slot->name), "%s", name);
		out->n++;
	}
	return 0;
}

/* ---- one slot ---- */

static int
slot_make(struct member_slots *s, const char *name, struct err *e)
{
	char text[200];

	snprintf(text, sizeof(text),
		"SELECT pg_catalog.pg_create_physical_replication_slot('%s', true)", name);
	if (ask(s, text, e) < 0)
		return err_add(e, "make the slot %s", name);
	log_info("replication slot made", F_STR("slot", name));
	return 0;
}

static int
slot_drop(struct member_slots *s, const char *name, const char *why, struct err *e)
{
	char text[200];

	snprintf(text, sizeof(text), "SELECT pg_catalog.pg_drop_replication_slot('%s')", name);
	if (ask(s, text, e) < 0)
		return err_add(e, "drop the slot %s", name);
	log_info("replication slot dropped", F_STR("slot", name), F_STR("reason", why));
	return 0;
}

static int
slot_advance(struct member_slots *s, const struct slot *slot, uint64_t to, struct err *e)
{
	char text[200], lsn[LINEAGE_LSN_SIZE];

	if (slot->active || to <= slot->lsn)
		return 0;
	snprintf(text, sizeof(text), "SELECT pg_catalog.pg_replication_slot_advance('%s', '%s')",
		slot->name, lineage_lsn_text(to, lsn));
	return ask(s, text, e) < 0 ? err_add(e, "advance the slot %s", slot->name) : 0;
}

/* ---- members that are gone ---- */

struct gone {
	char text[GONE_BYTES]; /* "NAME MS\n", as found */
	struct buf now;
};

static bool
is_member(const struct member_slots *s, const char *slot)
{
	char name[MEMBER_SLOT_SIZE];

	for (uint32_t i = 0; i < s->el->members && i < ELECTOR_MEMBERS; i++)
		if (strcmp(member_slot_name(s->el->member[i].name, name), slot) == 0)
			return true;
	return false;
}

/* Boot time in ms since which it is seen to be gone. */
static int64_t
gone_since(const struct gone *g, const char *slot, int64_t now_ms)
{
	size_t n = strlen(slot);

	for (const char *at = strstr(g->text, slot); at; at = strstr(at + 1, slot)) {
		int64_t ms = at[n] == ' ' ? strtoll(at + n, NULL, 10) : 0;

		if ((at == g->text || at[-1] == '\n') && ms > 0 && ms <= now_ms)
			return ms;
	}
	return now_ms;
}

static int
drop_gone(struct member_slots *s, struct gone *g, const struct slot_list *own, struct err *e)
{
	char mine[MEMBER_SLOT_SIZE];
	int64_t now_ms = s->now_ns / MS_NS;
	int rc = 0;

	member_slot_name(s->opt->pod_name, mine);
	for (size_t i = 0; i < own->n; i++) {
		const struct slot *slot = &own->item[i];
		int64_t since;

		if (slot->active)
			continue;
		/* Nobody reads our own; it would only keep WAL. */
		if (strcmp(slot->name, mine) == 0) {
			rc |= slot_drop(s, slot->name, "it is this instance's own", e);
			continue;
		}
		if (is_member(s, slot->name))
			continue;
		since = gone_since(g, slot->name, now_ms);
		if (now_ms - since >= GONE_MS)
			rc |= slot_drop(s, slot->name, "the member is gone", e);
		else
			buf_printf(&g->now, "%s %lld\n", slot->name, (long long)since);
	}
	return rc;
}

/* Nobody is gone while the members are not known. */
static int
see_to_gone(struct member_slots *s, const struct slot_list *own, struct err *e)
{
	AUTO(free) struct gone *g = calloc(1, sizeof(*g));
	char path[FILE_PATH_MAX];
	size_t n = 0;
	int rc;

	if (!g)
		return err_sys(e, "slots");
	if (!s->el->known || s->el->members == 0)
		return 0;
	if (file_join(path, sizeof(path), s->opt->run_dir, GONE_FILE, e) < 0)
		return -1;
	if (file_read_some(path, g->text, sizeof(g->text) - 1, &n, e) < 0 &&
		e->kind != ERR_NOTFOUND)
		return -1;
	rc = drop_gone(s, g, own, e);
	if (strcmp(buf_str(&g->now), g->text) != 0)
		rc |= file_write(path, buf_str(&g->now), g->now.len, 0600, e);
	buf_deinit(&g->now);
	return rc;
}

/* ---- those that must be ---- */

/* Up to where the WAL may go; 0: nothing is known, so nothing is done. */
static uint64_t
target_of(struct slot_list *primary, const struct elector_member *m, const char *slot,
	const struct member_slots *s, const uint64_t at[2])
{
	const struct slot *there = slot_of(primary, slot);
	uint64_t to = 0;

	if (strcmp(m->name, s->el->holder_name) == 0)
		to = at[1];
	else if (there)
		to = there->lsn;
	return to < at[0] ? to : at[0];
}

/* at: what we have replayed, and where the last restart point begins. */
static int
positions(struct member_slots *s, uint64_t at[2], struct err *e)
{
	at[0] = at[1] = 0;
	if (!s->in_recovery)
		return 0;
	if (ask(s,
		    "SELECT COALESCE(pg_catalog.pg_last_wal_replay_lsn(), '0/0'), redo_lsn "
		    "FROM pg_catalog.pg_control_checkpoint()",
		    e) < 0)
		return -1;
	(void)!lineage_lsn_parse(sql_text(s->sql, 0, 0), &at[0]);
	(void)!lineage_lsn_parse(sql_text(s->sql, 0, 1), &at[1]);
	return 0;
}

static int
see_to(struct member_slots *s, const char *name, struct slot *slot, uint64_t to, struct err *e)
{
	if (slot && slot->lost && !slot->active) {
		if (slot_drop(s, name, "its WAL is gone", e) < 0)
			return -1;
		slot = NULL;
	}
	if (!slot)
		return s->in_recovery && to == 0 ? 0 : slot_make(s, name, e);
	return s->in_recovery ? slot_advance(s, slot, to, e) : 0;
}

static int
see_to_all(struct member_slots *s, struct slot_list lists[2], struct err *e)
{
	char name[MEMBER_SLOT_SIZE];
	uint64_t at[2];
	int rc = 0;

	if (positions(s, at, e) < 0)
		return -1;
	for (uint32_t i = 0; i < s->el->members && i < ELECTOR_MEMBERS; i++) {
		const struct elector_member *m = &s->el->member[i];

		if (!*m->name || strcmp(m->name, s->opt->pod_name) == 0)
			continue;
		member_slot_name(m->name, name);
		rc |= see_to(
			s, name, slot_of(&lists[0], name), target_of(&lists[1], m, name, s, at), e);
	}
	return rc;
}

int
member_slots(struct member_slots *s, struct err *e)
{
	AUTO(free) struct slot_list *lists = calloc(2, sizeof(*lists));

	if (!lists)
		return err_sys(e, "slots");
	if (read_own(s, &lists[0], e) < 0 || read_primary(s, &lists[1], e) < 0)
		return -1;
	return see_to_gone(s, &lists[0], e) < 0 || see_to_all(s, lists, e) < 0 ? -1 : 0;
}
