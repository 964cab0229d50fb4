/*
 * kube_impl - what the files of the Kubernetes client share.
 */
#pragma once

#include <sys/queue.h>
#include <sys/stat.h>

#include "net/http.h"
#include "net/kube.h"

#define KUBE_CALLS 4 /* at once; http has eight, the others are for watches */

struct kube_file {
	char path[KUBE_FILE_SIZE]; /* "": none */
	struct stat seen;          /* as it was when it was read */
	int64_t read_ns;           /* boot time; 0: never */
};

/* Whether the file changed, or was last read more than a minute ago; notes that it is read now. */
bool kube_file_due(struct kube_file *f, int64_t now_ns, bool *changed);

struct kube_token {
	struct kube_file file;
	struct buf text; /* wiped before it is freed */
	uint64_t serial; /* another one: another token */
};

/* Reads it again if that is due, or now.  Keeps the one it has when the file cannot be read. */
int kube_token_refresh(struct kube_token *t, bool now, struct err *e) MUSTCHECK;
void kube_token_wipe(struct kube_token *t);

struct kube {
	struct kube_place place;
	struct loop *loop;
	struct http *http;
	struct kube_token token;
	struct kube_file ca;
	bool ca_changed;                    /* the next request takes a connection of its own */
	LIST_HEAD(, kube_call) calls, over; /* over: done() runs */
	LIST_HEAD(, kube_watch) watches;
};

/* One HTTP request with the token of now: calls have one or two of them, watches one a time. */
struct kube_ask {
	struct http_call *http;
	struct buf url, lines, text;
	int64_t send_ns;
	uint64_t serial; /* of its token */
};

struct kube_ask_spec {
	struct http_request request; /* without url, lines, text */
	const char *path;
	const char *type; /* of the body */
	size_t text_max;
};

/* -1: nothing was begun, and nothing sent. */
int kube_ask(struct kube *k, struct kube_ask *a, const struct kube_ask_spec *spec,
	struct err *e) MUSTCHECK;
void kube_ask_end(struct kube_ask *a); /* idempotent; wipes what held the token */
/* What came of it. */
void kube_ask_read(const struct kube_ask *a, struct kube_answer *out);

enum kube_outcome kube_outcome_of(int status, const char *reason);
/* Fills reason and message from the body, if it is a Status object. */
void kube_read_status(struct kube_answer *a, const char *text, size_t n);
int64_t kube_retry_after_ms(const char *field); /* -1: none */
