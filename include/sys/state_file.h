/*
 * state_file - what a manager must remember though the disk is full: STATE_DIR/manager.state.
 *
 * Two slots of one page each, allocated once.  A write overwrites the older slot in place and
 * fsyncs it, so it needs no new block; a torn write spoils only the slot it was in, and the other
 * one still holds the last state.  The slot with the higher sequence and a right CRC counts.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define STATE_FILE_NAME "manager.state"
#define STATE_REASON 192
#define STATE_BY 64
#define STATE_PRIMARY 192
#define STATE_ORDER 16

struct state_record {
	uint64_t sequence; /* set by the writer: one more than what was there */
	bool fenced;
	char fence_reason[STATE_REASON];
	char fence_by[STATE_BY];
	int64_t fence_wall_us;
	uint64_t incarnation;     /* starts of podgres on this volume */
	int64_t promoted_wall_us; /* an order promoted this instance; 0: never */
	int64_t written_wall_us;
	/* orders with a fencing token; 0: there was none */
	uint64_t token;
	char token_order[STATE_ORDER];     /* what it was: "promote" */
	bool token_leads;                  /* to be the primary, else to follow token_primary */
	char token_primary[STATE_PRIMARY]; /* HOST:PORT; "" for none */
};

/* A file that is not there gives a zeroed record; one whose both slots are damaged is ERR_CORRUPT:
 * whether a fence was wanted is then unknown, so the caller must not start postgres. */
int state_file_read(struct state_record *out, const char *path, struct err *e) MUSTCHECK;
/* Makes the file when missing, with both slots really allocated.  Existing: left alone. */
int state_file_create(const char *path, struct err *e) MUSTCHECK;
/* Whoever reads, changes and writes back holds this meanwhile, so that no two undo each other; it
 * goes with the descriptor.  Creates the file when missing; waits for another holder. */
int state_file_lock(int *fd, const char *path, struct err *e) MUSTCHECK;
/* Returns when it is durable.  Creates the file when missing. */
int state_file_write(const char *path, const struct state_record *rec, struct err *e) MUSTCHECK;
