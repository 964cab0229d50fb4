/*
 * board - the pod's shared memory: what each process wants the others to know.
 *
 * A memfd of fixed sections.  A section has one writer at a time and two copies; the writer fills
 * the copy nobody is told to read, then moves the sequence number, so a writer killed halfway
 * leaves the last complete copy in place.  Readers copy and look again; the age of what they got is
 * theirs to judge.  No pointers on the board: every process maps it where it likes.
 *
 * What the sections hold is defined above this layer, in service/shared.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define BOARD_MAX_SECTIONS 32

struct board;

/* sizes[i]: bytes of section i, 0 for unused.  The memfd is sealed against resizing. */
int board_create(struct board **out, const size_t *sizes, size_t n, struct err *e) MUSTCHECK;
/* Maps the board behind fd; fails with ERR_CORRUPT if its layout is another version's. */
int board_attach(
	struct board **out, int fd, const size_t *sizes, size_t n, struct err *e) MUSTCHECK;
struct board *board_free(struct board *b); /* unmaps; returns NULL */
DEFINE_AUTO(struct board *, board_free)
int board_fd(const struct board *b);

/* Publishes size bytes, stamped with CLOCK_BOOTTIME now.  Never waits, never fails. */
void board_write(struct board *b, int section, const void *data, size_t size);
/* Copies the section.  Returns the stamp in nanoseconds, 0 when nothing was ever written (then
 * *data is zeroed).  Never waits: bounded retries, then the copy is zeroed and 0 returned. */
int64_t board_read(const struct board *b, int section, void *data, size_t size);
/* A section of which a part is used, too big to be copied as a whole.  The pieces follow one
 * another; all of them together fit into the section. */
struct board_piece {
	const void *data;
	size_t size;
};
void board_write_pieces(struct board *b, int section, const struct board_piece *piece, size_t n);
/* Copies to->size bytes from offset on of the publication seq (board_seq()); false when that one is
 * no longer there or never was.  Never waits. */
struct board_part {
	void *data;
	size_t offset, size;
};
bool board_read_at(const struct board *b, int section, uint32_t seq, const struct board_part *to);
/* Sequence number of the last publication, to see cheaply whether something changed. */
uint32_t board_seq(const struct board *b, int section);

/* Heartbeats, one atomic slot each: CLOCK_BOOTTIME nanoseconds of the last beat. */
#define BOARD_MAX_BEATS 16
void board_beat(struct board *b, int slot);
int64_t board_beat_ns(const struct board *b, int slot); /* 0: never */

/* The fencer's deadline, CLOCK_BOOTTIME nanoseconds; 0: disarmed.  Only the supervisor moves it,
 * and board_deadline_move() refuses (returns -1) once it has passed: a passed deadline is sticky.
 */
int board_deadline_move(struct board *b, int64_t deadline_ns) MUSTCHECK;
void board_deadline_disarm(struct board *b);
int64_t board_deadline_ns(const struct board *b);
/* Set by the fencer before its first kill; cleared by the supervisor when it has seen it. */
void board_fired_set(struct board *b, int64_t at_ns);
int64_t board_fired_ns(const struct board *b);
