/*
 * logrec - write a record of PostgreSQL's log as a line of ours.
 */
#include "core/logrec.h"

#include <string.h>

#include "base/clock.h"
#include "base/json.h"

#define PUT_LIT(out, text) buf_put(out, text, sizeof(text) - 1)

/* ---- severity ---- */

struct logrec_severity {
	const char *text;
	enum log_level level;
};

static const struct logrec_severity severities[] = {
#define LOG_SEVERITY(text, level) {text, level},
#include "tbl/log_severities.h"
#undef LOG_SEVERITY
};

static bool
logrec_text_is(const struct logrec_text *t, const char *s)
{
	return t->len == strlen(s) && memcmp(t->at, s, t->len) == 0;
}

enum log_level
logrec_level(const struct logrec *r)
{
	const struct logrec_text *sev = &r->field[LOGREC_ERROR_SEVERITY];
	const struct logrec_text *state = &r->field[LOGREC_SQL_STATE_CODE];

	for (size_t i = 0; i < ARRAY_LEN(severities); i++)
		if (logrec_text_is(sev, severities[i].text))
			return severities[i].level;
	/* Under another lc_messages the word is translated: the class of the SQLSTATE is not. */
	if (state->len < 2 || memcmp(state->at, "00", 2) == 0)
		return LOG_INFO;
	return memcmp(state->at, "01", 2) == 0 ? LOG_WARNING : LOG_ERROR;
}

/* ---- time ---- */

static bool
logrec_has_shape(const char *p, const char *shape)
{
	for (; *shape; p++, shape++)
		if (*shape == '0' ? *p < '0' || *p > '9' : *p != *shape)
			return false;
	return true;
}

/* PostgreSQL's own time when it is in UTC, else when we got the line. */
static void
logrec_put_time(const struct logrec *r, int64_t wall_us, struct buf *out)
{
	static const char shape[] = "0000-00-00 00:00:00.000 ";
	const struct logrec_text *t = &r->field[LOGREC_LOG_TIME];
	const size_t head = sizeof(shape) - 1;
	char text[CLOCK_RFC3339_SIZE];

	if (t->len == head + 3 && logrec_has_shape(t->at, shape) &&
		(memcmp(t->at + head, "UTC", 3) == 0 || memcmp(t->at + head, "GMT", 3) == 0)) {
		buf_put(out, t->at, 10);
		buf_putc(out, 'T');
		buf_put(out, t->at + 11, 12);
		PUT_LIT(out, "000Z");
		return;
	}
	buf_puts(out, clock_rfc3339(wall_us, text));
}

/* ---- JSON ---- */

struct logrec_key {
	const char *text; /* ,"key":" */
	size_t len;
};

#define KEY(key)                                                 \
	{                                                        \
		",\"" key "\":\"", sizeof(",\"" key "\":\"") - 1 \
	}

static const struct logrec_key record_keys[LOGREC_FIELDS] = {
#define LOG_FIELD(name, key, json) [LOGREC_##name] = KEY(key),
#define LOG_PART(name, json)
#include "tbl/log_fields.h"
#undef LOG_FIELD
#undef LOG_PART
};

static const struct logrec_key audit_keys[LOGREC_AUDIT_FIELDS] = {
	KEY("audit_type"),
	KEY("statement_id"),
	KEY("substatement_id"),
	KEY("class"),
	KEY("command"),
	KEY("object_type"),
	KEY("object_name"),
	KEY("statement"),
	KEY("parameter"),
	KEY("rows"),
};

static size_t
logrec_limit(size_t len, const struct logrec_style *style)
{
	return style->field_max && len > style->field_max ? style->field_max : len;
}

static void
logrec_escaped(const struct logrec_text *t, const struct logrec_style *style, struct buf *out)
{
	json_escape(out, t->at, logrec_limit(t->len, style));
}

/* csvlog says "host:port" and "function, file:line" where jsonlog has several keys. */
static void
logrec_parts(const struct logrec *r, int field, const struct logrec_style *style, struct buf *out)
{
	if (field == LOGREC_CONNECTION_FROM && r->field[LOGREC_REMOTE_PORT].len > 0) {
		buf_putc(out, ':');
		logrec_escaped(&r->field[LOGREC_REMOTE_PORT], style, out);
	}
	if (field == LOGREC_LOCATION && r->field[LOGREC_FILE_NAME].len > 0) {
		if (r->field[LOGREC_LOCATION].len > 0)
			PUT_LIT(out, ", ");
		logrec_escaped(&r->field[LOGREC_FILE_NAME], style, out);
		buf_putc(out, ':');
		logrec_escaped(&r->field[LOGREC_FILE_LINE_NUM], style, out);
	}
}

/* "key":"value" pairs of an object; the first has no comma. */
static bool
logrec_put_key(const struct logrec_key *key, bool first, struct buf *out)
{
	buf_put(out, key->text + first, key->len - first);
	return false;
}

static void
logrec_record(const struct logrec *r, const struct logrec_style *style, struct buf *out)
{
	bool first = true;

	for (int i = 0; i < LOGREC_FIELDS; i++) {
		bool parts = i == LOGREC_LOCATION && r->field[LOGREC_FILE_NAME].len > 0;

		if (r->field[i].len == 0 && !parts)
			continue;
		first = logrec_put_key(&record_keys[i], first, out);
		logrec_escaped(&r->field[i], style, out);
		logrec_parts(r, i, style, out);
		buf_putc(out, '"');
	}
	if (!r->audited)
		return;
	buf_puts(out, first ? "\"audit\":{" : ",\"audit\":{");
	first = true;
	for (int i = 0; i < LOGREC_AUDIT_FIELDS; i++) {
		if (r->audit[i].len == 0)
			continue;
		first = logrec_put_key(&audit_keys[i], first, out);
		logrec_escaped(&r->audit[i], style, out);
		buf_putc(out, '"');
	}
	buf_putc(out, '}');
}

static void
logrec_put_pod(const struct logrec_style *style, struct buf *out)
{
	PUT_LIT(out, "\",\"pod\":\"");
	buf_puts(out, style->pod);
	buf_putc(out, '"');
}

static void
logrec_put_level(enum log_level level, const char *logger, struct buf *out)
{
	PUT_LIT(out, "\",\"level\":\"");
	buf_puts(out, log_level_name(level));
	PUT_LIT(out, "\",\"logger\":\"");
	buf_puts(out, logger);
	PUT_LIT(out, "\",\"msg\":\"");
}

static void
logrec_render_json(const struct logrec *r, const struct logrec_style *style, struct buf *out)
{
	PUT_LIT(out, "{\"ts\":\"");
	logrec_put_time(r, style->wall_us, out);
	logrec_put_level(logrec_level(r), r->audited ? "pgaudit" : "postgres", out);
	PUT_LIT(out, "record");
	logrec_put_pod(style, out);
	if (r->cut || style->field_max)
		PUT_LIT(out, ",\"truncated\":true");
	PUT_LIT(out, ",\"record\":{");
	logrec_record(r, style, out);
	PUT_LIT(out, "}}\n");
}

/* ---- for a terminal ---- */

void
logrec_visible(const char *p, size_t n, struct buf *out)
{
	for (size_t i = 0; i < n;) {
		unsigned char c = (unsigned char)p[i];
		size_t len = json_utf8_len(p + i, n - i);

		if (len == 0) {
			PUT_LIT(out, "\xEF\xBF\xBD");
			len = 1;
		} else if (c == '\n') {
			PUT_LIT(out, "\n\t");
		} else if ((c < 0x20 && c != '\t') || c == 0x7F) {
			buf_printf(out, "\\x%02x", c);
		} else if (c == 0xC2 && (unsigned char)p[i + 1] < 0xA0) {
			buf_printf(out, "\\x%02x", (unsigned char)p[i + 1]);
		} else {
			buf_put(out, p + i, len);
		}
		i += len;
	}
}

static void
logrec_text_part(const struct logrec *r, const struct logrec_style *style, int field,
	const char *label, struct buf *out)
{
	const struct logrec_text *t = &r->field[field];

	if (t->len == 0)
		return;
	buf_puts(out, label);
	logrec_visible(t->at, logrec_limit(t->len, style), out);
}

static void
logrec_text_head(const struct logrec *r, const struct logrec_style *style, struct buf *out)
{
	logrec_put_time(r, style->wall_us, out);
	buf_putc(out, ' ');
	buf_puts(out, log_level_name(logrec_level(r)));
	buf_puts(out, r->audited ? " pgaudit" : " postgres");
	if (r->field[LOGREC_PROCESS_ID].len > 0) {
		logrec_text_part(r, style, LOGREC_PROCESS_ID, "[", out);
		buf_putc(out, ']');
	}
	PUT_LIT(out, ":");
	logrec_text_part(r, style, LOGREC_USER_NAME, " ", out);
	logrec_text_part(r, style, LOGREC_DATABASE_NAME, "@", out);
	logrec_text_part(r, style, LOGREC_ERROR_SEVERITY, " ", out);
	PUT_LIT(out, ":  ");
}

static void
logrec_render_terminal(const struct logrec *r, const struct logrec_style *style, struct buf *out)
{
	logrec_text_head(r, style, out);
	logrec_text_part(r, style, LOGREC_MESSAGE, "", out);
	for (int i = 0; r->audited && i < LOGREC_AUDIT_FIELDS; i++) {
		if (i > 0)
			buf_putc(out, ',');
		logrec_visible(r->audit[i].at, logrec_limit(r->audit[i].len, style), out);
	}
	logrec_text_part(r, style, LOGREC_DETAIL, "\n\tDETAIL:  ", out);
	logrec_text_part(r, style, LOGREC_HINT, "\n\tHINT:  ", out);
	logrec_text_part(r, style, LOGREC_INTERNAL_QUERY, "\n\tQUERY:  ", out);
	logrec_text_part(r, style, LOGREC_CONTEXT, "\n\tCONTEXT:  ", out);
	logrec_text_part(r, style, LOGREC_QUERY, "\n\tSTATEMENT:  ", out);
	if (r->cut || style->field_max)
		PUT_LIT(out, " [truncated]");
	buf_putc(out, '\n');
}

void
logrec_render(const struct logrec *r, const struct logrec_style *style, struct buf *out)
{
	if (style->text)
		logrec_render_terminal(r, style, out);
	else
		logrec_render_json(r, style, out);
}

/* ---- what is no record ---- */

void
logrec_render_raw(const struct logrec_raw *raw, const struct logrec_style *style, struct buf *out)
{
	size_t len = logrec_limit(raw->len, style);
	bool cut = raw->cut || len < raw->len;
	char ts[CLOCK_RFC3339_SIZE];

	clock_rfc3339(style->wall_us, ts);
	if (style->text) {
		buf_puts(out, ts);
		PUT_LIT(out, " info ");
		buf_puts(out, raw->logger);
		PUT_LIT(out, ": ");
		logrec_visible(raw->at, len, out);
		buf_puts(out, cut ? " [truncated]\n" : "\n");
		return;
	}
	PUT_LIT(out, "{\"ts\":\"");
	buf_puts(out, ts);
	logrec_put_level(LOG_INFO, raw->logger, out);
	json_escape(out, raw->at, len);
	logrec_put_pod(style, out);
	buf_puts(out, cut ? ",\"truncated\":true}\n" : "}\n");
}

/* ---- for status ---- */

struct logrec_line {
	char *out;
	size_t len, size;
};

/* Whole characters only; what could break the line becomes a space. */
static void
logrec_line_put(struct logrec_line *l, const char *p, size_t n)
{
	for (size_t i = 0; i < n;) {
		size_t len = json_utf8_len(p + i, n - i);
		bool odd = len == 0 || (unsigned char)p[i] < 0x20 || p[i] == 0x7F;

		len = len ? len : 1;
		if (l->len + len >= l->size)
			return;
		memcpy(l->out + l->len, odd ? " " : p + i, len);
		l->len += len;
		i += len;
	}
}

size_t
logrec_summary(const struct logrec *r, char *out, size_t size)
{
	const struct logrec_text *severity = &r->field[LOGREC_ERROR_SEVERITY];
	const struct logrec_text *message = &r->field[LOGREC_MESSAGE];
	struct logrec_line l = {.out = out, .size = size};

	logrec_line_put(&l, severity->at, severity->len);
	logrec_line_put(&l, ":  ", 3);
	logrec_line_put(&l, message->at, message->len);
	out[l.len] = '\0';
	return l.len;
}
