/*
 * status - what /pg/status says, for a person.
 */
#pragma once

#include <cJSON.h>

#include "base/term.h"
#include "cmd/reply.h"

struct status_view {
	const cJSON *json; /* the answer */
	const struct term *term;
	bool verbose;
	int64_t now_us; /* wall time, for ages */
};

/* Never fails on what it does not find: an older or newer manager is shown as far as understood. */
void status_render(const struct status_view *v, struct buf *out);
/* Microseconds since 1970 of an RFC 3339 time in UTC; 0 when it is none. */
int64_t status_time(const char *rfc3339);
/* "1.5 GB": decimal prefixes, two to three digits. */
const char *status_bytes(double bytes, char out[16]);

void status_facts(const struct status_view *v, struct buf *out); /* src/cmd/status_facts.c */
/* src/cmd/status_members.c: nothing without a Lease. */
void status_lease(const struct status_view *v, struct buf *out);
void status_members(const struct status_view *v, struct buf *out);
/* src/cmd/status_tables.c: the lists, each with its head or nothing at all. */
void status_replication(const struct status_view *v, struct buf *out);
void status_slots(const struct status_view *v, struct buf *out);
void status_operations(const struct status_view *v, struct buf *out);
void status_services(const struct status_view *v, struct buf *out);
void status_collations(const struct status_view *v, struct buf *out);
void status_log(const struct status_view *v, struct buf *out);

void status_heads(struct term_table *t, const char *const *heads, int n);
#define STATUS_HEADS(t, ...)                                       \
	do {                                                       \
		static const char *const heads_[] = {__VA_ARGS__}; \
		status_heads(t, heads_, (int)ARRAY_LEN(heads_));   \
	} while (0)

/* One fact, wrapped under its label; nothing when the text is empty. */
void status_fact(
	const struct status_view *v, struct buf *out, const char *label, const struct buf *text);
/* The objects "archive" and "backup" of a status. */
void status_archive_of(const struct status_view *v, const cJSON *a, struct buf *out);
void status_backup_of(const struct status_view *v, const cJSON *b, struct buf *out);

void status_head(const struct status_view *v, struct buf *out, const char *title);
/* "12 s" since a time; "-" when it is none. */
const char *status_since(const struct status_view *v, const char *rfc3339, char out[32]);
const cJSON *status_list(const struct status_view *v, const char *path); /* NULL when empty */
/* For walking: it = it->next. */
static inline const cJSON *
status_first(const cJSON *list)
{
	return list ? list->child : NULL;
}

static inline const char *
status_s(const struct status_view *v, const char *path)
{
	return reply_str(v->json, path);
}

static inline double
status_n(const struct status_view *v, const char *path)
{
	return reply_num(v->json, path, -1);
}

static inline bool
status_b(const struct status_view *v, const char *path)
{
	return reply_true(v->json, path);
}
