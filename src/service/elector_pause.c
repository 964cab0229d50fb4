/*
 * elector_pause - the pause stands in the Lease, so that it holds for every member and every start.
 *
 * Process: elector.  Whoever is asked writes it: the holder with its next renewal, another member
 * as a command, which moves neither seq nor renewTime and so nobody's counting.  A pause keeps
 * people's hands free: nobody claims, nobody rejoins, no postgres is started again.  It never keeps
 * the Lease from being renewed, or postgres from being fenced.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "service/elector.h"

#define PAUSE_MS 20000

bool
elector_pause_take(struct elector *el, const struct elector_order *o)
{
	if (o->what != ELECTOR_ORDER_PAUSE && o->what != ELECTOR_ORDER_RESUME)
		return false;
	el->pause.number = o->number;
	el->pause.on = o->what == ELECTOR_ORDER_PAUSE;
	el->pause.by_ns = clock_boot_ns() + PAUSE_MS * MS_NS;
	return true;
}

bool
elector_pause_wanted(const struct elector *el)
{
	return el->pause.number && el->exists && el->object.paused != el->pause.on;
}

/* A Lease that is made anew goes on where the deleted one was. */
void
elector_pause_wish(struct elector *el)
{
	if (el->pause.number)
		el->wanted.paused = el->pause.on;
	else if (!el->exists)
		el->wanted.paused = el->st.paused;
}

void
elector_pause_ends(struct elector *el)
{
	bool late = clock_boot_ns() > el->pause.by_ns, is = el->exists && !elector_pause_wanted(el);

	if (!el->pause.number || (!is && !late))
		return;
	snprintf(el->st.answer, sizeof(el->st.answer), "%s%.200s",
		is ? "" : "the Lease could not be written in time: ", is ? "" : el->st.problem);
	el->st.answer_kind = is ? ERR_NONE : ERR_TIMEOUT;
	el->st.answered = el->pause.number;
	el->pause.number = 0;
	if (is)
		log_info(el->object.paused ? "the cluster is paused" : "the pause is over");
}
