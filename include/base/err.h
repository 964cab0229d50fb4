/*
 * err - what went wrong, as a value.
 *
 * Functions that can fail return 0, or -1 with *e filled in.  The kind is for the program to
 * decide on; the message is for people and grows from the inside out: "push 0000..1A: put: ...".
 * A struct err lives on the caller's stack and owns nothing, so it works when memory does not.
 */
#pragma once

#include <stdbool.h>
#include <errno.h>

#include "base/defs.h"

enum err_kind {
	ERR_NONE = 0,
#define KIND(name, retry, http, exit, meaning) ERR_##name,
#include "tbl/err_kinds.h"
#undef KIND
};

struct err {
	enum err_kind kind;
	int code;       /* errno, HTTP status, or 0 */
	const char *at; /* where it was raised, "file:line" */
	char msg[512];
};

#define ERR_STR_(x) #x
#define ERR_STR(x) ERR_STR_(x)
#define ERR_HERE __FILE__ ":" ERR_STR(__LINE__)

/* Both are always -1, for compilers and analysers to see, so that `return err_set(...)` is the
 * whole failure path. */
#define err_set(e, kind, ...)                                 \
	(__extension__({                                      \
		err_raise(e, kind, 0, ERR_HERE, __VA_ARGS__); \
		-1;                                           \
	}))
#define err_sys(e, ...)                                              \
	(__extension__({                                             \
		err_raise(e, ERR_SYS, errno, ERR_HERE, __VA_ARGS__); \
		-1;                                                  \
	}))
int err_raise(struct err *e, enum err_kind kind, int code, const char *at, const char *fmt, ...)
	PRINTF(5, 6);

/* Put "<text>: " in front of the message.  Returns -1. */
int err_add(struct err *e, const char *fmt, ...) PRINTF(2, 3);

const char *err_name(enum err_kind kind);
bool err_retryable(const struct err *e);
int err_http(const struct err *e);
int err_exit(const struct err *e);
