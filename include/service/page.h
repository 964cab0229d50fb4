/*
 * page - the HTML page about this instance, for people: rendered whole from what is on the board.
 *
 * Pure: it asks nobody and waits for nobody.  All of it reads without JavaScript; with it, the same
 * page is fetched again now and then and what differs is put in place.  Style and script stand in
 * the page and are named by their digests in the Content-Security-Policy, which allows nothing
 * else.  Text that comes from elsewhere (names, log lines, errors) is escaped here and nowhere
 * else: by page_text() and what is built on it.
 *
 *   page.c           the frame, and what the sections are made with
 *   page_state.c     state, members
 *   page_plots.c     the last 15 minutes
 *   page_archive.c   archive, backups
 *   page_work.c      lease, operations, processes, log
 *   page_asset.c     style and script: page.css, page.js
 */
#pragma once

#include "core/health.h"
#include "service/api.h"
#include "service/plot.h"

/* All borrowed. */
struct page_in {
	const struct api_view *v;
	const struct run_options *opt;
	const struct api_facts *api;
	const struct plot *plot;
	struct health ready, live;
};

void page_render(const struct page_in *in, struct buf *out);

/* ---- style and script ---- */

struct page_asset {
	const char *at;
	size_t len;
};

struct page_asset page_style(void);
struct page_asset page_script(void);

/* The value of Content-Security-Policy. */
#define PAGE_POLICY_SIZE 512
const char *page_policy(char out[PAGE_POLICY_SIZE]);

/* ---- sections ---- */

void page_state(const struct page_in *in, struct buf *out);
void page_members(const struct page_in *in, struct buf *out);
void page_plots(const struct page_in *in, struct buf *out);
void page_archive(const struct page_in *in, struct buf *out);
void page_backups(const struct page_in *in, struct buf *out);
void page_lease(const struct page_in *in, struct buf *out);
void page_operations(const struct page_in *in, struct buf *out);
void page_processes(const struct page_in *in, struct buf *out);
void page_log(const struct page_in *in, struct buf *out);

/* ---- what they are made with ---- */

enum page_mood { PAGE_PLAIN, PAGE_GOOD, PAGE_WARN, PAGE_BAD };

void page_open(struct buf *out, const char *id, const char *title);
void page_close(struct buf *out);

/* A list of terms with what is to say about them. */
void page_facts_open(struct buf *out);
void page_facts_close(struct buf *out);
void page_fact(struct buf *out, const char *term, enum page_mood mood, const char *fmt, ...)
	PRINTF(4, 5);
/* A time and how long ago or ahead it is; "never" for 0. */
void page_fact_time(const struct page_in *in, struct buf *out, const char *term, int64_t wall_us);

/* A table that scrolls by itself when it is too wide.  Columns end with NULL. */
void page_table_open(struct buf *out, const char *caption, const char *const *columns);
void page_table_close(struct buf *out);
void page_row_open(struct buf *out, const char *head); /* the first cell, a header */
void page_row_close(struct buf *out);
void page_cell(struct buf *out, enum page_mood mood, const char *fmt, ...) PRINTF(3, 4);

/* Escaped: at most size bytes, up to a NUL. */
void page_text(struct buf *out, const char *s, size_t size);
#define PAGE_TEXT(out, array) page_text(out, array, sizeof(array))
/* Since a wall time; negative: it lies ahead. */
int64_t page_since_ms(const struct page_in *in, int64_t wall_us);
/* "12 s ago", "in 3 min 20 s". */
#define PAGE_WHEN_SIZE 48
const char *page_when(const struct page_in *in, int64_t wall_us, char out[PAGE_WHEN_SIZE]);
#define PAGE_LSN_SIZE 24
const char *page_lsn(uint64_t lsn, char out[PAGE_LSN_SIZE]); /* "-" for 0 */
