/*
 * archiver_queue - which file of pg_wal goes out next: pure, but for one question to the caller.
 *
 * PostgreSQL asks for one file after the other and waits for each.  The queue runs ahead of it: the
 * name of the next segment is computed, and whether it waits (NAME.ready is there) is asked for
 * this one name alone, so that the work for a segment does not grow with the number of those that
 * wait.  What is stored is remembered until PostgreSQL asks for it.  Files that cannot be computed
 * (history, backup and partial files) come when PostgreSQL asks, or from a look at the folder.
 */
#pragma once

#include "core/archive_name.h"
#include "service/shared.h"

#define QUEUE_ITEMS 160
#define QUEUE_AHEAD 64 /* segments sent before PostgreSQL asked for them */

enum queue_state { QUEUE_FREE, QUEUE_WAITING, QUEUE_RUNNING, QUEUE_STORED, QUEUE_FAILED };

struct queue_item {
	char name[ARCHIVE_NAME_SIZE];
	enum queue_state state;
	struct archive_name parsed;
	uint64_t number;  /* of a segment: LSN / segment_bytes */
	bool asked;       /* PostgreSQL waits for it */
	bool scanned;     /* came from a look at the folder */
	bool conflict;    /* other bytes stand under its name */
	unsigned fails;   /* attempts that failed */
	uint64_t task;    /* while it runs */
	int64_t since_ns; /* of the state, boot time */
	int64_t hold_ns;  /* while it waits: not before, boot time */
	unsigned looks;   /* so often it was not there yet */
	/* of the file when its upload began, so that a memory is never of another file */
	int64_t bytes, mtime_ns;
	enum err_kind err_kind; /* QUEUE_FAILED: for good, until it is asked for again */
	char msg[256];
};

struct queue {
	struct queue_item item[QUEUE_ITEMS];
	uint32_t segment_bytes;
	bool anchored; /* everything of the timeline before the cursor is here or in the archive */
	uint32_t timeline;
	uint64_t cursor; /* number of the segment to look for next */
	bool ahead;      /* may look ahead */
	/* Does NAME wait in pg_wal?  Called at most once for each segment found, and once a turn.
	 */
	bool (*ready)(void *arg, const char *name);
	void *arg;
};

void queue_init(struct queue *q, bool (*ready)(void *arg, const char *name), void *arg);
/* Another cluster or another number of bytes: forgets all. */
void queue_clear(struct queue *q, uint32_t segment_bytes);

struct queue_item *queue_find(struct queue *q, const char *name); /* NULL: none */
/* PostgreSQL asks.  NULL: not a name, or no room; the item is waiting unless it was known. */
struct queue_item *queue_ask(struct queue *q, const char *name, int64_t now_ns);
/* A look at the folder found it; the cursor goes to the oldest segment of the newest timeline that
 * waits. */
void queue_found(struct queue *q, const char *name, int64_t now_ns);
/* Nothing waits: the segment that PostgreSQL writes now comes next. */
void queue_anchor(struct queue *q, uint32_t timeline, uint64_t lsn);
void queue_forget(struct queue_item *it);
/* The next to send, first what PostgreSQL waits for; NULL: nothing. */
struct queue_item *queue_next(struct queue *q, int64_t now_ns);
bool queue_has_work(const struct queue *q); /* something waits or runs */
size_t queue_count(const struct queue *q, enum queue_state state);
/* Everything of the timeline before it is in the archive; 0: unknown. */
uint64_t queue_archived_lsn(const struct queue *q);
/* Sets the state. */
void queue_set(struct queue_item *it, enum queue_state state, int64_t now_ns);
