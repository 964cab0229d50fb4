/*
 * api - the service that answers HTTP: what its files share.
 *
 * A handler copies nothing but the board and waits for nobody: no SQL, no disk, no other process.
 * Only orders wait, as held requests, for the supervisor's word.
 */
#pragma once

#include <sys/queue.h>

#include "base/buf.h"
#include "core/health.h"
#include "net/httpd.h"
#include "service/service.h"

/* ---- the board, copied when it changed ---- */

struct api_view {
	struct board *board;
	uint32_t seq[SECTIONS];
	int64_t stamp_ns[SECTIONS]; /* 0: never written */
	struct supervisor_status sup;
	struct pg_facts pg;
	struct log_facts log;
	struct job_report job; /* SEC_JOB_MAIN */
	struct archive_facts archive;
	struct collector_facts collector;
	struct elector_status elector; /* all zero without a Lease */
	int64_t now_ns, now_wall_us;   /* of the last refresh */
};

void api_view_refresh(struct api_view *v);
/* Seconds since a boot time; negative when that is 0. */
double api_view_age(const struct api_view *v, int64_t at_ns);
bool api_view_seen(const struct api_view *v);    /* the facts are about the postmaster that runs */
int64_t api_view_lag(const struct api_view *v);  /* bytes not replayed; negative: unknown */
double api_view_lag_s(const struct api_view *v); /* the same in seconds */
const struct operation *api_view_operation(const struct api_view *v, const char *id);
void api_health_in(const struct api_view *v, const struct run_options *opt, struct health_in *in);

/* ---- the service ---- */

enum api_listener { API_HTTP, API_METRICS, API_CONTROL, API_LISTENERS };

struct api;

struct api_port {
	struct api *api;
	enum api_listener which;
	struct httpd *server; /* NULL: off */
};

#define API_PROMISES 4 /* questions that wait for the elector */

/* A member asks for a promise: api_failsafe.c. */
struct api_promise {
	struct httpd_req *req; /* NULL: free */
	uint64_t id;           /* of the message */
	int64_t by_ns;
};

struct metrics_view;
struct api_wait;   /* a held request */
struct api_follow; /* a reader of /v1/wal/jobs?follow=1 */

struct api {
	struct service *s;
	const struct run_options *opt;
	struct api_port port[API_LISTENERS];
	struct httpd_tls *tls; /* NULL: none */
	struct api_view view;
	struct api_facts facts, published;
	char token[256]; /* "" when there is none */
	int64_t token_stamp[4];
	char executable_hash[65];
	uint32_t ticks;
	char arch[16];
	uint64_t next_id; /* of messages */
	LIST_HEAD(, api_wait) waits;
	LIST_HEAD(, api_follow) follows;
	struct api_promise promise[API_PROMISES];
	int64_t promised_ns; /* when we were asked last, and how often in that second */
	unsigned promised;
	struct loop_timer promise_timer;
	struct loop_timer follow_timer;
	struct loop_timer wait_timer;
	struct buf scratch; /* for small answers */
	struct metrics_view *metrics;
	int metrics_format; /* of the scrape under way: enum metric_format */
	bool metrics_gzip, metrics_holds;
};

struct api_spec {
	struct service *s;
	int listen_fd[API_LISTENERS]; /* -1: off */
};

int api_new(struct api **out, const struct api_spec *spec, struct err *e) MUSTCHECK;
struct api *api_free(struct api *a);
DEFINE_AUTO(struct api *, api_free)
void api_on_msg(struct api *a, const struct channel_msg *msg);
void api_on_tick(struct api *a);     /* once a second */
const char *api_hash(struct api *a); /* SHA-256 of our program, hex; "" when it cannot be read */

/* ---- requests ---- */

/* What a handler gets. */
struct api_call {
	struct api *a;
	struct httpd_req *req;
	enum api_listener port;
	const char *id; /* what {id} stood for, else NULL */
	char by[64];    /* who may give this order */
};

typedef void api_handler_fn(struct api_call *c);

#define ROUTE(path, methods, handler, auth, on, sentence) api_handler_fn api_##handler;
#include "tbl/routes.h"
#undef ROUTE

void api_head(struct httpd_req *req, void *arg);
void api_request(struct httpd_req *req, void *arg);
void api_gone(struct httpd_req *req, void *arg);

/* 200 or another status with what stands in body, which is emptied. */
void api_reply_json(struct api_call *c, int status, struct buf *body);
void api_reply_error(struct api_call *c, const struct err *e, const char *hint);

/* May this request give orders?  If not, *why says what is missing.  by: for log and operation. */
bool api_may_order(struct api_call *c, char *why, size_t size);
void api_token_refresh(struct api *a);

/* ---- pieces of JSON ---- */

struct json;
void api_json_operation(struct json *j, const struct operation *op);
void api_json_operations(struct json *j, const struct api_view *v);
void api_json_patroni(struct json *j, struct api_call *c);
void api_json_lsn(struct json *j, const char *key, uint64_t lsn); /* nothing when 0 */
/* Seconds since a boot time; null for 0. */
void api_json_age(struct json *j, const char *key, const struct api_view *v, int64_t at_ns);
void api_json_lease(struct json *j, struct api_call *c);
void api_json_failsafe(struct json *j, const struct api_view *v);

/* The fields of the archive, of backups and of what came back, into an open object. */
void api_json_archive(struct json *j, const struct api_view *v);
void api_json_backup(struct json *j, const struct api_view *v);
void api_json_restored(struct json *j, const struct api_view *v);
void api_json_archive_job(struct json *j, const struct archive_job *job);

/* ---- followers ---- */

void api_follow_init(struct api *a);
void api_follow_start(struct api_call *c);
/* The request is over.  False: it is no follower's. */
bool api_follow_gone(struct api *a, struct httpd_req *req);

/* ---- promises ---- */

void api_failsafe_init(struct api *a);
void api_failsafe_on_msg(struct api *a, const struct channel_msg *msg);
/* The request is over.  False: it is no question for a promise. */
bool api_failsafe_gone(struct api *a, struct httpd_req *req);

/* ---- held orders ---- */

void api_order_of(struct api_call *c, enum order_kind kind);
/* The job's word about the hot backup, appended; "{}" and -1 when there is none. */
int api_hot_backup_data(struct api *a, struct buf *out);

void api_waits_check(struct api *a); /* the board may hold news for them */
