/*
 * json - write JSON into a buf, and the few questions asked of cJSON trees.
 *
 * The writer keeps commas and nesting; text that is not UTF-8 becomes U+FFFD, so that the output is
 * always valid (RFC 8259).  Depth is at most JSON_MAX_DEPTH.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

#define JSON_MAX_DEPTH 32

struct json {
	struct buf *out; /* borrowed */
	int depth;
	bool first[JSON_MAX_DEPTH + 1];
	bool after_key;
};

void json_init(struct json *j, struct buf *out);

void json_obj(struct json *j); /* { */
void json_arr(struct json *j); /* [ */
void json_end_obj(struct json *j);
void json_end_arr(struct json *j);
void json_key(struct json *j, const char *key);

void json_str(struct json *j, const char *s); /* NULL writes null */
void json_strn(struct json *j, const char *s, size_t n);
void json_int(struct json *j, int64_t v);
void json_uint(struct json *j, uint64_t v);
void json_num(struct json *j, double v); /* not finite: null; at most 3 decimals */
void json_bool(struct json *j, bool v);
void json_null(struct json *j);

/* A key and its value in one call. */
void json_kstr(struct json *j, const char *key, const char *s);
void json_kint(struct json *j, const char *key, int64_t v);
void json_knum(struct json *j, const char *key, double v);
void json_kbool(struct json *j, const char *key, bool v);
void json_kobj(struct json *j, const char *key);
void json_karr(struct json *j, const char *key);
/* Key and RFC 3339 time with microseconds; nothing at all when wall_us is 0. */
void json_ktime(struct json *j, const char *key, int64_t wall_us);

/* The escaped text without quotes, appended to out. */
void json_escape(struct buf *out, const char *s, size_t n);
/* Length of the UTF-8 sequence at s, which has n > 0 bytes; 0: what stands there is not UTF-8. */
size_t json_utf8_len(const char *s, size_t n);
/* Appends text as it is but for what is not UTF-8, which becomes U+FFFD. */
void json_repair(struct buf *out, const char *s, size_t n);
