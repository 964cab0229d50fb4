/*
 * collector - runs the metric queries and puts what they say on the board.
 *
 * One kept connection to the database postgres, made as soon as it takes connections and never
 * given back while it lives: it works when all others are taken.  The quick queries go over it in
 * one round trip (libpq's pipeline mode) each few seconds; the slower ones follow one by one, and
 * those of other databases on a second, short connection.  There are never more than these two.
 *
 *   collector.c         the service: when what is due
 *   collector_link.c    a connection and its place in the loop
 *   collector_query.c   one query: when it is due, what it said, when it is left alone
 *   collector_fast.c    the quick ones, in one round trip
 *   collector_slow.c    the others, one by one, in one database after the other
 *   collector_role.c    the role it logs in as
 *   collector_files.c   users' queries
 *   collector_put.c     the snapshot and the facts
 *
 * Process: the service collector alone.
 */
#pragma once

#include <sys/types.h>
#include <time.h>

#include "core/metric_row.h"
#include "core/metric_yaml.h"
#include "core/spec.h"
#include "pg/sql.h"
#include "service/metrics.h"
#include "service/service.h"

#define COLLECTOR_ROLE "cnpg_metrics_exporter"
#define COLLECTOR_QUERIES METRICS_GROUPS

#define COLLECTOR_FAST_MS 5000      /* while somebody scrapes */
#define COLLECTOR_IDLE_MS 30000     /* while nobody does */
#define COLLECTOR_SCRAPED_MS 300000 /* that long after the last scrape somebody still does */
#define COLLECTOR_TTL_MS 30000      /* metricsQueriesTTL, if it is not given */
#define COLLECTOR_SIZES_MS 60000
#define COLLECTOR_SETTINGS_MS 300000
#define COLLECTOR_SWEEP_MS 300000
#define COLLECTOR_KEEP_MS 60000 /* rows stay for so long after the first failure */
#define COLLECTOR_CONNECT_MS 2000
#define COLLECTOR_PASS_MS 1000      /* all quick ones together */
#define COLLECTOR_CANCEL_MS 2000    /* from asking the server to end it to giving up */
#define COLLECTOR_STATEMENT_MS 1000 /* statement_timeout of a quick one */
#define COLLECTOR_SLOW_MS 5000      /* of the others, if they do not say */
#define COLLECTOR_LOCK_MS 50        /* lock_timeout */
#define COLLECTOR_AGE_MS 3600000    /* a connection of this age is made anew: backends grow */
#define COLLECTOR_BREAK_MS 15000    /* left alone after a timeout; doubles, unless a lock was it */
#define COLLECTOR_BREAK_MAX_MS 300000
#define COLLECTOR_LEAVE_MS 1000 /* a backend has for its end, before the next is asked for */

struct collector;

/* ---- one query ---- */

struct collector_query {
	const struct metric_query *q;
	struct metric_result *rows; /* what stands; NULL: nothing */
	struct metric_result *next; /* being gathered */
	struct metric_told told;    /* of next */
	struct metrics_group group; /* as published */
	int64_t due_ns, break_until_ns, break_ms;
	int64_t began_ns, spent_ns;  /* of the step under way; of all of this run */
	bool prepared, ask_prepared; /* on the kept connection: query, predicate */
	bool picked;                 /* runs in this pass or round */
	bool failed;                 /* something of it failed in this round */
	bool failing;                /* was said in the log */
	int64_t failing_ns;          /* since when */
	bool locked;                 /* the breaker is open because of a lock */
	char error[256];
};

void query_init(struct collector_query *cq, const struct metric_query *q);
void query_deinit(struct collector_query *cq);
bool query_due(const struct collector_query *cq, int64_t now_ns);
/* A new result is gathered: rows of one or more databases, then the end. */
void query_begin(struct collector_query *cq, int version);
void query_rows(struct collector_query *cq, const struct sql *c, const char *database);
void query_error(struct collector_query *cq, const struct sql *c, const char *database);
/* Kept from work by a lock: one of these is tried in each pass, and lets the others go, too. */
void query_unlock(struct collector_query *cq);
/* every_ms: until it is due again */
void query_end(struct collector_query *cq, int64_t every_ms);
/* Old rows of a query that fails go. */
void query_age(struct collector_query *cq, int64_t now_ns);
void query_forget(struct collector_query *cq); /* another postmaster */

/* ---- connections ---- */

struct collector_link {
	struct collector *c;
	struct sql *sql; /* NULL: none */
	struct loop_fd src;
	uint32_t events;
	struct loop_timer timer; /* deadline */
	bool cancelled;          /* the deadline passed once: the server was asked */
	int64_t opened_ns;
	int left_fd; /* the socket of the last one while its backend ends; -1 */
	void (*on_turn)(struct collector_link *l); /* idle, broken, or gone */
};

void collector_link_init(struct collector_link *l, struct collector *c);
int collector_link_open(
	struct collector_link *l, const char *user, const char *database, struct err *e) MUSTCHECK;
void collector_link_close(struct collector_link *l);
/* Closes it, and waits for the end of its backend, which counts until then: on_turn follows. */
void collector_link_leave(struct collector_link *l);
bool collector_link_held(const struct collector_link *l); /* open, or leaving */
void collector_link_watch(struct collector_link *l);      /* after each step */

/* ---- the slow ones ---- */

enum slow_step {
	SLOW_OFF,
	SLOW_CONNECT,
	SLOW_BEGIN,
	SLOW_ASK_PREPARE,
	SLOW_ASK,
	SLOW_PREPARE,
	SLOW_DECLARE,
	SLOW_FETCH,
	SLOW_END,
	SLOW_LEAVE,
};

struct collector_slow {
	struct collector_link *link;
	enum slow_step step;
	size_t at;            /* query */
	char (*database)[64]; /* side only, owned */
	uint32_t databases, database_at;
	int64_t began_ns;
	bool side;
};

/* Begins a round of what is picked; false: there is nothing. */
bool collector_slow_start(struct collector_slow *s, struct collector_link *l, bool side);
void collector_slow_stop(struct collector_slow *s);
void collector_slow_turn(struct collector_slow *s);

/* ---- the service ---- */

struct collector {
	struct service *s;
	struct pq pq;
	struct collector_link kept, side;
	struct collector_slow slow, sweep;
	struct collector_query query[COLLECTOR_QUERIES];
	size_t queries;
	struct metric_set *users; /* owned */
	struct spec *spec;        /* the manifest, owned; NULL: not read yet */
	ino_t spec_ino;
	struct timespec spec_time;
	char files_hash[65]; /* of the files of queries, as taken over */
	int64_t files_due_ns;
	int64_t ttl_ms;
	struct supervisor_status sup;
	struct pg_facts pg;
	int32_t pid; /* of the postmaster whose facts stand */
	bool in_recovery;
	int version;
	int64_t fast_due_ns, connect_due_ns, backoff_ms;
	bool changed;       /* something is to be published */
	bool locked;        /* a lock was in the way in the last pass: wait less */
	bool unlocked;      /* that lock is gone: another pass at once */
	int64_t failing_ns; /* no connection since; 0: there is one */
	bool role_tried;
	bool facts_prepared; /* on the kept connection */
	struct collector_facts facts;
	struct metrics_build *build;
	struct loop_timer timer;
};

void collector_hang_up(struct collector *c); /* both connections, and what is under way */
int collector_fast(struct collector *c, struct err *e) MUSTCHECK;
/* The role is there and may see; -1: *e says what is missing. */
int collector_role_make(struct collector *c, struct err *e) MUSTCHECK;
void collector_files_look(struct collector *c);
const char *collector_prefix(const char *file); /* of metrics in a file of this name */
void collector_put(struct collector *c);
const char *collector_settings(const struct collector *c);
int64_t collector_every_ms(const struct collector *c, const struct metric_query *q);
bool collector_fits(const struct collector *c, const struct collector_query *cq, bool side);
