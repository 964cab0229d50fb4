/*
 * restart - how long to wait before starting again what ended by itself.
 */
#include "core/restart.h"

#include <stdbool.h>

int64_t
restart_after(struct restart *r, int64_t now_ms)
{
	uint32_t slot = r->count % RESTART_MAX;
	int64_t oldest = r->ended_ms[slot];
	int64_t newest = r->ended_ms[(r->count + RESTART_MAX - 1) % RESTART_MAX];
	bool full = r->count >= RESTART_MAX && now_ms - oldest < RESTART_WINDOW_MS;
	/* Once in back-off, only a window of good work leads out of it. */
	bool still = r->pause_ms > 0 && now_ms - newest < r->pause_ms + RESTART_WINDOW_MS;

	r->ended_ms[slot] = now_ms;
	r->count++;
	if (!full && !still) {
		r->pause_ms = 0;
		return 0;
	}
	r->pause_ms = r->pause_ms ? r->pause_ms * 2 : RESTART_FIRST_MS;
	if (r->pause_ms > RESTART_LAST_MS)
		r->pause_ms = RESTART_LAST_MS;
	return r->pause_ms;
}

void
restart_forget(struct restart *r)
{
	*r = (struct restart){0};
}
