/*
 * archiver_store - the store's health: what is said when it fails, and when it is tried again.
 *
 * Process: archiver.
 */
#include "service/archiver_impl.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"

#define STORE_HOLD_MS 1000
#define STORE_HOLD_MAX_MS 30000
#define STORE_HOLD_DRAIN_MS 2000
#define STORE_SAY_MS 60000 /* and each time twice as long */
#define STORE_SAY_MAX_MS (60 * 60 * SEC_MS)

static const char *
store_hint(const struct archiver_done *done)
{
	switch (done->err_kind) {
	case ERR_DENIED:
		return "the store refuses the credentials: check the Secret that spec.backup "
		       "names, "
		       "and what it may do";
	case ERR_CONFIG:
		return "correct spec.backup of the manifest, or the mounted secrets: it is tried "
		       "again by itself";
	case ERR_SPACE:
		return "the store is full: free or add room there";
	default:
		return "WAL is kept in pg_wal meanwhile: see to the store or the network before "
		       "the "
		       "volume is full";
	}
}

void
archiver_store_failed(struct archiver *a, const char *what, const struct archiver_done *done)
{
	struct archiver_health *h = &a->health;
	struct archive_facts *f = &a->facts;
	int64_t now = clock_boot_ns(), pause_ms = STORE_HOLD_MS << (h->fails < 6 ? h->fails : 6);
	/* Also of one that comes and goes the log hears no more than that. */
	int64_t quiet_ms = h->told ? h->say_ms : STORE_SAY_MS;
	bool say = h->said_ns == 0 || now - h->said_ns > quiet_ms * MS_NS;

	if (pause_ms > (a->drain.on ? STORE_HOLD_DRAIN_MS : STORE_HOLD_MAX_MS))
		pause_ms = a->drain.on ? STORE_HOLD_DRAIN_MS : STORE_HOLD_MAX_MS;
	h->fails++;
	h->learnt = 0; /* perhaps it is another one that answers now */
	h->hold_ns = now + pause_ms * MS_NS;
	if (!f->failing_wall_us)
		f->failing_wall_us = clock_wall_us();
	snprintf(f->problem, sizeof(f->problem), "%s", done->msg);
	snprintf(f->hint, sizeof(f->hint), "%s", store_hint(done));
	f->err_kind = done->err_kind;
	f->err_code = done->code;
	a->dirty = true;
	if (!say)
		return;
	h->said_ns = now;
	h->say_ms = h->told ? 2 * h->say_ms : STORE_SAY_MS;
	h->told = true;
	h->say_ms = h->say_ms < STORE_SAY_MAX_MS ? h->say_ms : STORE_SAY_MAX_MS;
	log_error("the archive fails", F_STR("what", what), F_STR("error", done->msg),
		F_STR("kind", err_name((enum err_kind)done->err_kind)), F_INT("tries", h->fails),
		F_STR("hint", f->hint));
}

void
archiver_store_worked(struct archiver *a)
{
	struct archiver_health *h = &a->health;

	if (h->fails && h->told)
		log_info("the archive works again", F_INT("failed_tries", h->fails),
			F_INT("after_s", (clock_wall_us() - a->facts.failing_wall_us) / SEC_US));
	h->fails = 0;
	h->told = false;
	h->hold_ns = 0;
	a->facts.failing_wall_us = 0;
	if (!a->facts.owner[0] && !a->facts.conflict[0] && !a->pending) {
		a->facts.problem[0] = a->facts.hint[0] = '\0';
		a->facts.err_kind = 0;
		a->facts.err_code = 0;
	}
	a->dirty = true;
}
