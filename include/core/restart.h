/*
 * restart - how long to wait before starting again what ended by itself.
 *
 * Pure.  Up to RESTART_MAX ends in RESTART_WINDOW_MS are answered at once; after that the pause
 * grows from RESTART_FIRST_MS, doubling to RESTART_LAST_MS, and shrinks to nothing when a window
 * has passed without an end.
 */
#pragma once

#include <stdint.h>

#define RESTART_MAX 5
#define RESTART_WINDOW_MS 60000
#define RESTART_FIRST_MS 1000
#define RESTART_LAST_MS 60000

struct restart {
	int64_t ended_ms[RESTART_MAX]; /* boot time; a ring */
	uint32_t count;                /* ends ever */
	int64_t pause_ms;
};

/* Something ended at now_ms; returns the pause before its next start, 0: at once. */
int64_t restart_after(struct restart *r, int64_t now_ms);
/* It has worked for a while: the next end is the first again. */
void restart_forget(struct restart *r);
