/*
 * kube_json - objects of the Kubernetes API as text: found, not parsed into a tree.
 *
 * Spans point into the text (base/jsonscan.h).  What nobody asks for is never touched, so that an
 * object goes back to the server byte for byte but for what is ours.
 */
#pragma once

#include "base/err.h"
#include "base/jsonscan.h"

/* Calls fn for each member of an object, or element of an array (key NULL); stops and returns -1
 * when fn does.  ERR_CORRUPT: it is no object (array), or not JSON. */
typedef int kube_json_fn(void *arg, const struct jsonscan_span *key,
	const struct jsonscan_span *value, struct err *e);
int kube_json_members(
	struct jsonscan_span text, kube_json_fn *fn, void *arg, struct err *e) MUSTCHECK;
int kube_json_elements(
	struct jsonscan_span text, kube_json_fn *fn, void *arg, struct err *e) MUSTCHECK;

/* The value at "metadata.resourceVersion"; false: it is not there. */
bool kube_json_find(struct jsonscan_span text, const char *path, struct jsonscan_span *out);
struct jsonscan_span kube_json_span(const char *p, size_t n);
/* The value as it stands in the text, quotes included. */
struct jsonscan_span kube_json_raw(const struct jsonscan_span *value);
bool kube_json_is(const struct jsonscan_span *value, const char *text); /* of a key or a string */
/* A string, decoded; false: it is none, is not UTF-8, holds a NUL byte, or does not fit. */
bool kube_json_text(const struct jsonscan_span *value, char *out, size_t size);
