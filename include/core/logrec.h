/*
 * logrec - a record of PostgreSQL's log, from whichever form it came in to a line of ours.
 *
 * Parsing takes a line whole and decodes it where it lies: the fields point into the line and live
 * as long as it.  A line that does not parse is left as it was, for logrec_render_raw().  Whatever
 * bytes come in, what goes out is one line of valid JSON, in UTF-8.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/log.h"

enum logrec_field {
#define LOG_FIELD(name, key, json) LOGREC_##name,
#define LOG_PART(name, json)
#include "tbl/log_fields.h"
#undef LOG_FIELD
#undef LOG_PART
	LOGREC_FIELDS,
	LOGREC_LAST_FIELD = LOGREC_FIELDS - 1,
#define LOG_FIELD(name, key, json)
#define LOG_PART(name, json) LOGREC_##name,
#include "tbl/log_fields.h"
#undef LOG_FIELD
#undef LOG_PART
	LOGREC_KEYS
};

#define LOGREC_AUDIT_FIELDS 10

struct logrec_text {
	char *at;   /* in the line; not terminated */
	size_t len; /* 0: absent */
};

struct logrec {
	struct logrec_text field[LOGREC_KEYS];
	struct logrec_text audit[LOGREC_AUDIT_FIELDS]; /* of pgaudit; then message is empty */
	bool audited;
	bool cut; /* the line was longer than what is here */
};

/* jsonlog, one line.  cut: its end is missing, take what is there. */
bool logrec_json(struct logrec *r, char *line, size_t n, bool cut);
/* csvlog: 23 to 26 fields, newlines inside quotes. */
bool logrec_csv(struct logrec *r, char *line, size_t n, bool cut);
/* Takes the message of pgaudit apart; false: it is not pgaudit's.  Both parsers have called it. */
bool logrec_audit(struct logrec *r);
/* Text as PostgreSQL writes it to stderr: anything that has "FATAL:  " or the like near its start.
 */
bool logrec_plain(struct logrec *r, char *line, size_t n, bool cut);
/* One of our own lines, by log.h: a JSON object that begins with "ts". */
bool logrec_own(const char *line, size_t n);

enum log_level logrec_level(const struct logrec *r);

struct logrec_style {
	const char *pod;  /* escaped for JSON */
	bool text;        /* for a terminal */
	int64_t wall_us;  /* now */
	size_t field_max; /* bytes of a field before escaping; 0: all */
};

/* Each appends one line with its newline. */
void logrec_render(const struct logrec *r, const struct logrec_style *style, struct buf *out);
/* What is no record: text of an unknown program, or a record that does not parse. */
struct logrec_raw {
	const char *logger;
	const char *at;
	size_t len;
	bool cut;
};
void logrec_render_raw(
	const struct logrec_raw *raw, const struct logrec_style *style, struct buf *out);
/* A line of ours goes on as it is but for bytes that are not UTF-8; to a terminal, as text. */
void logrec_render_own(char *line, size_t n, const struct logrec_style *style, struct buf *out);

/* Appends text for a terminal: what could move the cursor is shown, a new line is indented. */
void logrec_visible(const char *p, size_t n, struct buf *out);

/* "FATAL:  message" on one line, shortened to size - 1 bytes; returns the length. */
size_t logrec_summary(const struct logrec *r, char *out, size_t size);
