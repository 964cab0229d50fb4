/*
 * monitor - looks at postgres and puts what it saw on the board.
 *
 * Everything hangs on one kept connection, made the moment postgres takes connections and given
 * back when it stops: it keeps answering when every other slot is taken.  A second, short one is
 * tried now and then, because an old connection says nothing about new ones.  What needs no
 * connection comes from files and /proc, so that a postgres that hangs, starts or is gone is
 * described too.  Nothing in here waits: the loop turns between any two steps.
 *
 *   monitor.c          the service: turns, news from the supervisor, publishing
 *   monitor_kept.c     the kept connection and when it asks what
 *   monitor_probe.c    the short connections, and the visits to each database
 *   monitor_rows.c     rows of answers into struct pg_facts
 *   monitor_files.c    PGDATA, disks, memory
 *   monitor_redo.c     recovery before connections are possible
 *   monitor_plot.c     the last 15 minutes, for the page
 *   monitor_problem.c  what is wrong, in one line
 *
 * Process: the service monitor alone.
 */
#pragma once

#include "pg/observe.h"
#include "pg/pidfile.h"
#include "pg/sql.h"
#include "service/plot.h"
#include "service/service.h"
#include "sys/procfs.h"

#define MONITOR_VISITS 256

struct monitor;

/* One connection, its place in the loop, and its deadline or next attempt. */
struct monitor_link {
	struct monitor *m;
	struct sql *sql; /* NULL: none */
	struct loop_fd src;
	uint32_t events; /* watched */
	struct loop_timer timer;
	void (*on_turn)(struct monitor_link *l); /* the connection moved */
	void (*on_timer)(struct monitor_link *l);
};

struct monitor_kept {
	struct monitor_link link;
	bool up;                  /* connected */
	int64_t due_ns[OBSERVES]; /* when to ask next */
	int asking;               /* enum observe; -1: nothing */
	bool preparing;           /* the statement, before it is asked for the first time */
	uint32_t prepared;        /* bit per enum observe */
	int64_t backoff_ms;       /* of the next attempt to connect */
	int64_t abandon_ms;       /* how long to wait for an overdue answer; doubles */
	int64_t asked_ns;         /* when the present question was sent */
	bool overdue;             /* the present question or attempt is past its deadline */
	int64_t silent_ns;        /* when the first question without an answer was sent; 0: none */
	char database[64];        /* connected to */
	char reload_mark[64];     /* POSITION_RELOADED_AT as last seen */
	int32_t senders;
	struct loop_timer pace; /* quick looks during a promotion */
};

struct monitor_probe {
	struct monitor_link link;
	int64_t due_ns;
	bool visiting; /* the present one asks OBSERVE_INSIDE */
	bool asked;
	char (*visit)[64]; /* names of databases to visit, owned; NULL: none */
	uint32_t visits, visited;
	/* what this round found, until it is complete */
	uint32_t collations;
	struct pg_collation collation[PG_COLLATIONS];
	/* what the last one said */
	bool failed;
	char error[256];
	char sqlstate[6];
};

/* What is watched of PGDATA while one postmaster runs. */
struct monitor_files {
	int inotify; /* -1: none */
	struct loop_fd src;
	bool watching;
	uint64_t control_dev, control_ino, version_dev, version_ino; /* 0: not seen yet */
	char gone[160];                                              /* why data_gone, "" */
	struct pidfile pidfile;
	char state;      /* of the postmaster, procfs_stat */
	int32_t blocked; /* looks in a row that found it in state D */
	int64_t disk_due_ns, wal_due_ns, memory_due_ns;
	uint32_t history_timeline; /* whose history stands in the facts */
};

struct monitor_redo {
	uint64_t first_lsn, last_lsn; /* segments */
	uint64_t cpu_ticks;           /* of the startup process when it moved last */
};

struct monitor {
	struct service *s;
	struct pq pq;
	bool pq_ok;
	bool dirty;                            /* facts not published yet */
	struct supervisor_status sup, sup_new; /* as last seen; room to read the next */
	uint32_t sup_seq;
	struct pg_facts facts;
	int64_t inherited_ns; /* age of facts that a former monitor left on the board; 0: none */
	struct monitor_kept kept;
	struct monitor_probe probe;
	struct monitor_files files;
	struct monitor_redo redo;
	struct plot plot; /* as on the board */
	int64_t plot_due_ns;
	char refused[256]; /* why the kept connection cannot be made */
	char refused_sqlstate[6];
	char query_error[256];   /* a question that the server refused */
	uint64_t flush_wait_lsn; /* inserted at an earlier look */
	int32_t reserved;        /* slots that ordinary clients cannot have */
	struct {                 /* what was published last, to see a change in kind */
		uint32_t accept, timeline, written_timeline;
		int32_t pid;
		bool known, in_recovery, data_gone, problem;
	} told;
};

/* For the service and for tests, which drive the loop themselves. */
int monitor_new(struct monitor **out, struct service *s, struct err *e) MUSTCHECK;
struct monitor *monitor_free(struct monitor *m);
DEFINE_AUTO(struct monitor *, monitor_free)
void monitor_tick(struct monitor *m);    /* each second */
void monitor_news(struct monitor *m);    /* the supervisor has published */
void monitor_publish(struct monitor *m); /* facts to the board; pokes when they changed in kind */
void monitor_publish_if_new(struct monitor *m);
void monitor_accept(struct monitor *m, enum pg_accept accept);

/* ---- links ---- */

void monitor_link_init(struct monitor_link *l, struct monitor *m);
/* Begins to connect; on_turn, or on_timer at the deadline, tells what became of it. */
int monitor_link_open(struct monitor_link *l, const char *database, const char *application,
	struct err *e) MUSTCHECK;
void monitor_link_close(struct monitor_link *l);
/* After each sql_ call: the loop watches what the connection waits for, and its deadline. */
void monitor_link_watch(struct monitor_link *l);
#define MONITOR_ANSWER_MS 1500 /* how long a connection or an answer may take */

/* ---- the parts ---- */

void monitor_kept_init(struct monitor *m);
void monitor_kept_go(struct monitor *m);    /* connect or ask when something is due */
void monitor_kept_ready(struct monitor *m); /* postgres has just said that it takes connections */
void monitor_kept_close(struct monitor *m);
void monitor_kept_ask_soon(struct monitor *m, enum observe q);

void monitor_probe_init(struct monitor *m);
void monitor_probe_go(struct monitor *m);
void monitor_probe_close(struct monitor *m);
void monitor_probe_visits(struct monitor *m, const struct sql *rows);

void monitor_rows(struct monitor *m, enum observe q, const struct sql *rows);
/* A round of looking at collations begins, finds a database, ends. */
void monitor_collation_begin(struct monitor *m);
void monitor_collation_found(struct monitor *m, const struct sql *rows, int row);
void monitor_collation_end(struct monitor *m);

int monitor_files_init(struct monitor *m, struct err *e) MUSTCHECK;
void monitor_files_deinit(struct monitor *m);
void monitor_files_new_postmaster(struct monitor *m);
void monitor_files_look(struct monitor *m);
void monitor_files_pidfile(struct monitor *m);

void monitor_redo_look(struct monitor *m);

void monitor_plot_init(struct monitor *m); /* goes on with what is on the board */
void monitor_plot_look(struct monitor *m);

/* ---- what is wrong ---- */

struct monitor_signs {
	const char *gone; /* why the data directory is gone; "" */
	int32_t pid;
	char state;      /* of the postmaster */
	int32_t blocked; /* seconds in state D */
	enum pg_accept accept;
	enum pidfile_status pidfile;
	bool redo;
	const char *redo_wal;
	float redo_progress;
	int64_t overdue_ms; /* how long the present question waits; 0: none is overdue */
	const char *refused, *refused_sqlstate; /* the kept connection cannot be made */
	const char *probe, *probe_sqlstate;     /* the last new connection failed */
	const char *query_error;
	bool known;
	int32_t connections, max_connections, reserved;
	int64_t flush_age_ms;
	int64_t wal_free_bytes; /* -1: unknown */
};

/* "" in both when nothing is wrong. */
void monitor_problem(const struct monitor_signs *s, char *problem, size_t problem_size, char *hint,
	size_t hint_size);
