/*
 * replication_impl - what the files of replication share.  Nothing else includes this.
 */
#pragma once

#include "pg/replication.h"

struct replication {
	const struct pq *pq;
	PGconn *conn;
	PGresult *row;  /* of the last command that had rows */
	PGresult *next; /* looked at already; see replication_copy_ended() */
	char *copy;     /* libpq's: the last message of a copy */
	int64_t answer_ms;
	bool streaming;
	bool (*cancelled)(void *arg);
	void (*notice)(void *arg, const char *text);
	void *arg;
	char sqlstate[6];
};

/* Until when an answer may take that is asked for now. */
int64_t replication_deadline(const struct replication *r, int64_t ms);
/* Returns 1 when there is something to read (or write, for POLLOUT), 0 when the time is over. */
int replication_poll(
	struct replication *r, short events, int64_t deadline_ns, struct err *e) MUSTCHECK;
/* The connection is broken, or refused what was asked: says so in the server's words.  -1. */
int replication_broken(struct replication *r, struct err *e);
int replication_refused(struct replication *r, const PGresult *res, struct err *e);
/* Sends a command.  All results of the former one must have been taken. */
int replication_send(struct replication *r, const char *text, struct err *e) MUSTCHECK;
/* The next result, which the caller clears; *out NULL: there is none. */
int replication_result(
	struct replication *r, PGresult **out, int64_t deadline_ns, struct err *e) MUSTCHECK;
/* The same; anything but a result of that status is an error. */
int replication_expect(struct replication *r, ExecStatusType status, PGresult **out,
	int64_t deadline_ns, struct err *e) MUSTCHECK;
/* Takes what is left of the results; the first refusal among them is the error. */
int replication_drain(struct replication *r, struct err *e) MUSTCHECK;
/* The next message of a copy, valid until the next call: 1; 0: the copy ended. */
int replication_copy(struct replication *r, const char **p, size_t *n, struct err *e) MUSTCHECK;
/* After its end: -1 when the server broke it off.  The result that follows is kept for the next
 * call. */
int replication_copy_ended(struct replication *r, int64_t deadline_ns, struct err *e) MUSTCHECK;
/* Sends n bytes as a message of a copy, waiting for room. */
int replication_copy_put(struct replication *r, const void *p, size_t n, struct err *e) MUSTCHECK;
int replication_flush(struct replication *r, struct err *e) MUSTCHECK;

uint64_t replication_u64(const char *p); /* as it stands in messages: big endian */
/* "X/X"; 0 with *e when it is none. */
int replication_lsn(const char *text, uint64_t *out, struct err *e) MUSTCHECK;
