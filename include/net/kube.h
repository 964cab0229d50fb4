/*
 * kube - a client of the Kubernetes API: calls with a deadline, and watches, from one sys/loop.
 *
 * Process: elector.  One thread; nothing blocks but reads of small local files.  Calls share kept
 * connections over HTTP/1.1, a watch has one of its own.  No proxy is used.  The token is read
 * again when its file changed, at least each minute, and when it was refused: then the call is
 * repeated once, if the file holds another one.  The CA file is read for each new connection. The
 * token appears in no error, log line or argument.
 *
 * The proof of a lease rests on send_ns: it is taken before the first byte of the request leaves
 * (of the repeated one, after a 401), so that whatever the server did it did later.
 *
 * A request whose kept connection turns out to be dead is sent again by libcurl, so that it may
 * arrive twice: what must not happen twice names a resourceVersion.
 *
 * Callbacks run from the loop, never from the function that began the call or watch.  They may
 * begin and end calls and watches, but not close the client.  A call is gone when its callback
 * runs.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "sys/loop.h"

#define KUBE_URL_SIZE 320
#define KUBE_FILE_SIZE 256
#define KUBE_NAME_SIZE 254 /* RFC 1123: 253 */
#define KUBE_TEXT_SIZE 256
#define KUBE_OBJECT_MAX ((size_t)2 << 20) /* etcd's limit is 1.5 MiB */

/* ---- where the API is ---- */

struct kube_place {
	char url[KUBE_URL_SIZE];         /* "https://10.0.0.1:443", no slash at its end */
	char token_file[KUBE_FILE_SIZE]; /* "": no token */
	char ca_file[KUBE_FILE_SIZE];    /* "": the system's authorities */
	char ns[KUBE_NAME_SIZE];
};

/* NULL or "": found as in a pod.  A given url with neither token_file nor ca_file uses neither. */
struct kube_given {
	const char *url, *token_file, *ca_file, *ns;
	const char *account_dir; /* the service account's folder, else its usual place */
	const char *host, *port; /* KUBERNETES_SERVICE_HOST and _PORT, else of the environment */
};

/* ERR_NOTFOUND: no URL was given, and this is no pod of Kubernetes.  ERR_CONFIG: half of it. */
int kube_find(struct kube_place *out, const struct kube_given *given, struct err *e) MUSTCHECK;

struct kube;
int kube_open(struct kube **out, const struct kube_place *place, struct loop *loop,
	struct err *e) MUSTCHECK;
/* Ends its calls and watches without a word to them; NULL is fine; returns NULL. */
struct kube *kube_close(struct kube *k);
DEFINE_AUTO(struct kube *, kube_close)

/* ---- paths, appended to out ---- */

/* name NULL: the collection.  ERR_INVALID: a name that RFC 1123 does not allow. */
int kube_path_lease(struct buf *out, const char *ns, const char *name, struct err *e) MUSTCHECK;
int kube_path_pod(struct buf *out, const char *ns, const char *name, struct err *e) MUSTCHECK;
/* "?key=value" or "&key=value", the value encoded: labelSelector, fieldSelector ... */
void kube_path_query(struct buf *out, const char *key, const char *value);

/* ---- calls ---- */

enum kube_outcome {
#define OUTCOME(name, applied, meaning) KUBE_##name,
#include "tbl/kube_outcomes.h"
#undef OUTCOME
};

enum kube_applied { KUBE_APPLIED_NO, KUBE_APPLIED_YES, KUBE_APPLIED_MAYBE };

const char *kube_outcome_name(enum kube_outcome o); /* "CONFLICT" */
const char *kube_outcome_meaning(enum kube_outcome o);
enum kube_applied kube_outcome_applied(enum kube_outcome o);

struct kube_answer {
	enum kube_outcome outcome;
	int status;             /* HTTP; 0: none came */
	int64_t send_ns;        /* boot time before the request left; 0: NOT_SENT */
	int64_t done_ns;        /* boot time of the answer or of giving up */
	int64_t retry_after_ms; /* -1: not said */
	const char *text;       /* the body of a 200 or 201, NUL-terminated; "" else */
	size_t len;
	char reason[64];              /* of a Status object: "Conflict", "AlreadyExists" ... */
	char message[KUBE_TEXT_SIZE]; /* for people */
};

typedef void kube_done_fn(void *arg, const struct kube_answer *a);

struct kube_request {
	const char *method; /* GET PUT POST PATCH DELETE */
	const char *path;
	const char *body; /* NULL: none */
	size_t len;
	const char *type; /* of the body; NULL: application/json */
	int64_t deadline_ns;
	kube_done_fn *done;
	void *arg;
};

#define KUBE_MERGE_PATCH "application/merge-patch+json"

struct kube_call;
/* All is copied.  -1: nothing was begun and done() is not called: ERR_BUSY (too many at once) or no
 * memory.  *out is gone when done() is called. */
int kube_call(struct kube *k, const struct kube_request *r, struct kube_call **out,
	struct err *e) MUSTCHECK;
/* Without calling done(); returns NULL.  Whether it was applied is not known then. */
struct kube_call *kube_cancel(struct kube_call *c);

/* ---- watches ---- */

enum kube_event_kind {
	KUBE_LIST,   /* a list begins: what was known before may be gone */
	KUBE_LISTED, /* an object of it */
	KUBE_SYNCED, /* the list is complete */
	KUBE_ADDED,  /* changes since */
	KUBE_MODIFIED,
	KUBE_DELETED, /* object: its last state */
	KUBE_ALIVE,   /* a bookmark: nothing changed up to now */
	KUBE_LOST,    /* message says why; it is tried again */
};

struct kube_event {
	enum kube_event_kind kind;
	const char *object; /* raw JSON, not NUL-terminated; NULL but for the four with an object */
	size_t len;
	int64_t seen_ns;           /* boot time when it was read here */
	const char *message;       /* of LOST */
	enum kube_outcome outcome; /* of LOST */
	int64_t retry_ms;          /* of LOST: when it is tried again */
};

typedef void kube_event_fn(void *arg, const struct kube_event *event);

struct kube_watch_spec {
	const char *path;   /* of the collection, with its selectors */
	int64_t call_ms;    /* for the list, and for the head of the watch to come */
	int64_t silence_ms; /* without a byte for so long it is cut and begun again */
	size_t object_max;  /* bytes of one event, and of the list; 0: KUBE_OBJECT_MAX */
	kube_event_fn *fn;
	void *arg;
};

struct kube_watch;
/* Lists, watches from there, resumes from the last version seen, and lists again after a 410. */
int kube_watch(struct kube *k, const struct kube_watch_spec *spec, struct kube_watch **out,
	struct err *e) MUSTCHECK;
struct kube_watch *kube_unwatch(struct kube_watch *w); /* returns NULL */
