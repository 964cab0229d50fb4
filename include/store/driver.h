/*
 * driver - what stands behind store.h for one scheme of URL.
 *
 * store.c checks what every driver would have to check (keys, a spec without NULL, defaults),
 * counts nothing itself and adds nothing to messages: the driver names operation, key and answer.
 * Meaning, kinds of failure and ownership of each function are those of store.h.
 */
#pragma once

#include "store/store.h"

struct store_driver {
	const char *scheme; /* "s3", "file" */
	/* Reads s->root, s->spec; sets s->state, which close frees.  After a failure close is
	 * called too, with whatever state was set. */
	int (*open)(struct store *s, struct err *e);
	void (*close)(struct store *s);
	/* NULL: there is nothing to learn. */
	uint32_t (*learnt)(const struct store *s);
	void (*teach)(struct store *s, uint32_t learnt);
	int (*put)(struct store *s, const struct store_put *put, enum store_outcome *outcome,
		struct err *e); /* outcome is never NULL */
	int (*get)(struct store *s, const struct store_get *get, struct store_object *object,
		struct err *e); /* object is never NULL and zeroed */
	int (*head)(struct store *s, const char *key, struct store_object *object, struct err *e);
	int (*list)(struct store *s, const struct store_list *list, struct err *e);
	int (*remove)(struct store *s, const char *const *keys, size_t n, struct err *e);
	/* Sets u->state, which upload_close frees; that aborts unless u->finished. */
	int (*upload_open)(struct store_upload *u, struct err *e);
	int (*upload_write)(struct store_upload *u, const void *p, size_t n, struct err *e);
	int (*upload_finish)(struct store_upload *u, struct store_upload_result *r, struct err *e);
	void (*upload_close)(struct store_upload *u);
	int (*upload_sweep)(struct store *s, const char *prefix, int64_t before_us, int *count,
		struct err *e); /* count is never NULL and 0 */
};

extern const struct store_driver store_driver_s3;
extern const struct store_driver store_driver_file;

struct store {
	const struct store_driver *driver;
	struct store_spec spec; /* no string is NULL; times and limits have their defaults */
	char *root;  /* URL without "scheme://" and trailing slashes: "bucket/path", or the
			absolute folder "/srv/archive" */
	char *where; /* "s3://bucket/path" */
	void *state; /* the driver's */
	struct store_stats stats;
};

struct store_upload {
	struct store *store;
	struct store_upload_spec spec; /* spec.key is key */
	char *key;
	void *state;
	bool finished; /* set by store.c once upload_finish succeeded */
	bool failed;   /* a write failed: later ones and finish fail with ERR_STATE */
};

/* true: the caller of the store wants it to end. */
static inline bool
store_cancelled(const struct store *s)
{
	return s->spec.cancelled && s->spec.cancelled(s->spec.cancelled_arg);
}
