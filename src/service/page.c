/*
 * page - the frame of the page, and what its sections are made with.
 *
 * Process: api.
 */
#include "service/page.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/html.h"

static const char *const mood_class[] = {
	[PAGE_PLAIN] = "",
	[PAGE_GOOD] = " class=\"good\"",
	[PAGE_WARN] = " class=\"warn\"",
	[PAGE_BAD] = " class=\"bad\"",
};

/* ---- text ---- */

void
page_text(struct buf *out, const char *s, size_t size)
{
	html_putn(out, s, strnlen(s, size));
}

static void PRINTF(2, 0) page_vtext(struct buf *out, const char *fmt, va_list ap)
{
	char text[1024];

	vsnprintf(text, sizeof(text), fmt, ap);
	html_put(out, text);
}

int64_t
page_since_ms(const struct page_in *in, int64_t wall_us)
{
	int64_t us;

	return __builtin_sub_overflow(in->v->now_wall_us, wall_us, &us) ? 0 : us / 1000;
}

const char *
page_when(const struct page_in *in, int64_t wall_us, char out[PAGE_WHEN_SIZE])
{
	int64_t ms = page_since_ms(in, wall_us);
	char span[DURATION_SIZE];

	if (wall_us == 0)
		snprintf(out, PAGE_WHEN_SIZE, "never");
	else if (ms < 0)
		snprintf(out, PAGE_WHEN_SIZE, "in %s", duration_text(-ms, span));
	else
		snprintf(out, PAGE_WHEN_SIZE, "%s ago", duration_text(ms, span));
	return out;
}

const char *
page_lsn(uint64_t lsn, char out[PAGE_LSN_SIZE])
{
	if (lsn)
		snprintf(out, PAGE_LSN_SIZE, "%X/%X", (unsigned)(lsn >> 32), (unsigned)lsn);
	else
		snprintf(out, PAGE_LSN_SIZE, "-");
	return out;
}

/* ---- sections ---- */

void
page_open(struct buf *out, const char *id, const char *title)
{
	buf_printf(out, "<section id=\"%s\" aria-labelledby=\"%s-h\">\n<h2 id=\"%s-h\">%s</h2>\n",
		id, id, id, title);
}

void
page_close(struct buf *out)
{
	buf_puts(out, "</section>\n");
}

void
page_facts_open(struct buf *out)
{
	buf_puts(out, "<dl>\n");
}

void
page_facts_close(struct buf *out)
{
	buf_puts(out, "</dl>\n");
}

void
page_fact(struct buf *out, const char *term, enum page_mood mood, const char *fmt, ...)
{
	va_list ap;

	buf_printf(out, "<div><dt>%s</dt><dd%s>", term, mood_class[mood]);
	va_start(ap, fmt);
	page_vtext(out, fmt, ap);
	va_end(ap);
	buf_puts(out, "</dd></div>\n");
}

void
page_fact_time(const struct page_in *in, struct buf *out, const char *term, int64_t wall_us)
{
	char at[CLOCK_RFC3339_SIZE], when[PAGE_WHEN_SIZE];

	buf_printf(out, "<div><dt>%s</dt><dd>", term);
	if (wall_us)
		buf_printf(out, "%s <small><time>%s</time></small>", page_when(in, wall_us, when),
			clock_rfc3339_sec(wall_us, at));
	else
		buf_puts(out, "never");
	buf_puts(out, "</dd></div>\n");
}

/* ---- tables ---- */

void
page_table_open(struct buf *out, const char *caption, const char *const *columns)
{
	buf_printf(out,
		"<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"%s\">\n<table>\n"
		"<caption>%s</caption>\n<thead><tr>",
		caption, caption);
	for (; *columns; columns++)
		buf_printf(out, "<th scope=\"col\">%s</th>", *columns);
	buf_puts(out, "</tr></thead>\n<tbody>\n");
}

void
page_table_close(struct buf *out)
{
	buf_puts(out, "</tbody>\n</table>\n</div>\n");
}

void
page_row_open(struct buf *out, const char *head)
{
	buf_puts(out, "<tr><th scope=\"row\">");
	html_put(out, head);
	buf_puts(out, "</th>");
}

void
page_row_close(struct buf *out)
{
	buf_puts(out, "</tr>\n");
}

void
page_cell(struct buf *out, enum page_mood mood, const char *fmt, ...)
{
	va_list ap;

	buf_printf(out, "<td%s>", mood_class[mood]);
	va_start(ap, fmt);
	page_vtext(out, fmt, ap);
	va_end(ap);
	buf_puts(out, "</td>");
}

/* ---- the frame ---- */

static const struct {
	const char *id, *title;
	void (*render)(const struct page_in *in, struct buf *out);
} sections[] = {
	{"state", "State", page_state},
	{"members", "Members", page_members},
	{"plots", "Last 15 minutes", page_plots},
	{"archive", "Archive", page_archive},
	{"backups", "Backups", page_backups},
	{"lease", "Lease", page_lease},
	{"operations", "Operations", page_operations},
	{"processes", "Processes", page_processes},
	{"log", "Log", page_log},
};

static void
page_head(const struct page_in *in, struct buf *out)
{
	buf_puts(out, "<!DOCTYPE html>\n<html lang=\"en\" data-version=\"" PODGRES_VERSION
		      "\">\n<head>\n<meta charset=\"utf-8\">\n"
		      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		      "<meta name=\"color-scheme\" content=\"light dark\">\n"
		      "<link rel=\"icon\" href=\"data:,\">\n<title>");
	PAGE_TEXT(out, in->opt->pod_name);
	buf_printf(out, " %s - podgres</title>\n<style>",
		in->v->sup.state < FSM_STATES ? fsm_state_text((enum fsm_state)in->v->sup.state)
					      : "");
	buf_put(out, page_style().at, page_style().len);
	buf_puts(out, "</style>\n</head>\n");
}

static void
page_banner(const struct page_in *in, struct buf *out)
{
	char at[CLOCK_RFC3339_SIZE];

	buf_puts(
		out, "<body>\n<a class=\"skip\" href=\"#main\">To the content</a>\n<header>\n<h1>");
	PAGE_TEXT(out, in->opt->pod_name);
	if (*in->opt->cluster_name) {
		buf_puts(out, " <small>of ");
		PAGE_TEXT(out, in->opt->cluster_name);
		buf_puts(out, "</small>");
	}
	buf_printf(out,
		"</h1>\n<p><span id=\"live\" role=\"status\">Reload the page for newer figures."
		"</span> As of <time>%s</time>. <button id=\"pause\" type=\"button\" "
		"hidden>Pause</button></p>\n<nav aria-label=\"Sections\"><ul>\n",
		clock_rfc3339_sec(in->v->now_wall_us, at));
	for (size_t i = 0; i < ARRAY_LEN(sections); i++)
		buf_printf(out, "<li><a href=\"#%s\">%s</a></li>\n", sections[i].id,
			sections[i].title);
	buf_puts(out, "</ul></nav>\n</header>\n<main id=\"main\" tabindex=\"-1\">\n");
}

static void
page_foot(struct buf *out)
{
	buf_puts(out,
		"</main>\n<footer>\n<p>podgres " PODGRES_VERSION
		". The same as JSON: <a href=\"/pg/status\">/pg/status</a>, "
		"<a href=\"/v1/plots\">/v1/plots</a>, <a href=\"/v1/backups\">/v1/backups</a>, "
		"<a href=\"/v1/wal/jobs\">/v1/wal/jobs</a>; "
		"<a href=\"/v1\">all paths</a>.</p>\n</footer>\n<script>");
	buf_put(out, page_script().at, page_script().len);
	buf_puts(out, "</script>\n</body>\n</html>\n");
}

void
page_render(const struct page_in *in, struct buf *out)
{
	page_head(in, out);
	page_banner(in, out);
	for (size_t i = 0; i < ARRAY_LEN(sections); i++) {
		page_open(out, sections[i].id, sections[i].title);
		sections[i].render(in, out);
		page_close(out);
	}
	page_foot(out);
}
