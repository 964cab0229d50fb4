/*
 * http_impl - what http.c and http_loop.c share.
 */
#pragma once

#include <curl/curl.h>

/* Macros of the header that check types; calls here go through pointers. */
#undef curl_easy_setopt
#undef curl_easy_getinfo
#undef curl_multi_setopt

#include "net/http.h"

#define HTTP_CALLS 8
#define HTTP_SPARES 2
#define HTTP_SOCKS 32

struct curl_api {
#define DYN(name) __typeof__(&name) name;
#include "tbl/dyn_curl.h"
#undef DYN
};

struct http_sock {
	struct loop_fd src; /* fd -1: free */
	struct http *http;
};

struct http {
	struct curl_api lib;
	struct http_config config;
	CURLM *multi;
	CURL *spare[HTTP_SPARES];
	struct http_call *call[HTTP_CALLS];
	bool global;
	struct loop *loop;       /* NULL: driven by http_wait() */
	struct loop_timer timer; /* when curl wants to be called */
	struct http_sock sock[HTTP_SOCKS];
};

struct http_call {
	struct http *http;
	CURL *easy;
	struct curl_slist *lines;
	struct http_request request;
	struct http_answer answer;
	size_t at;  /* of the body to send */
	bool head;  /* it is being received: no empty line came yet */
	bool over;  /* code says how it ended */
	bool ended; /* by us: err says why */
	bool told;  /* done() was called */
	CURLcode code;
	int64_t deadline_ms;
	struct loop_timer deadline;
	int64_t window_ms, moved; /* waited and bytes moved since it was last fast enough */
	struct err err;
	char text[CURL_ERROR_SIZE];
};

/* Cuts the call: its connection cannot be used again. */
void http_cut(struct http_call *c, enum err_kind kind, const char *why);
/* Notes which calls are over. */
void http_reap(struct http *h);
void http_loop_begin(struct http_call *c);
void http_loop_end(struct http_call *c);
void http_loop_close(struct http *h);
