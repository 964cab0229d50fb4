/*
 * logrec_parse - read jsonlog and plain stderr lines.
 */
#include "core/logrec.h"

#include <string.h>

#include "base/jsonscan.h"

static const char *const json_keys[LOGREC_KEYS] = {
#define LOG_FIELD(name, key, json) [LOGREC_##name] = json,
#define LOG_PART(name, json) [LOGREC_##name] = json,
#include "tbl/log_fields.h"
#undef LOG_FIELD
#undef LOG_PART
};

/* ---- jsonlog ---- */

/* The keys come in one order, some left out: look from where the last one was. */
static int
logrec_key(const struct jsonscan_span *key, int from)
{
	for (int i = 0; i < LOGREC_KEYS; i++) {
		int k = (from + i) % LOGREC_KEYS;

		if (strlen(json_keys[k]) == key->len &&
			memcmp(json_keys[k], key->at, key->len) == 0)
			return k;
	}
	return -1;
}

struct logrec_walk {
	struct jsonscan scan;
	struct jsonscan_span value[LOGREC_KEYS];
	int next; /* the key to expect */
};

static bool
logrec_pair(struct logrec_walk *w)
{
	struct jsonscan_span key, value;
	int k;

	if (!jsonscan_string(&w->scan, &key))
		return false;
	if (!jsonscan_take(&w->scan, ':') || !jsonscan_value(&w->scan, &value))
		return w->scan.cut && jsonscan_end(&w->scan);
	k = logrec_key(&key, w->next);
	if (k < 0)
		return true;
	w->next = k + 1;
	if (value.string || (value.len > 0 && value.at[0] != 'n'))
		w->value[k] = value;
	return true;
}

static bool
logrec_walk(struct logrec_walk *w)
{
	bool cut = w->scan.cut;

	if (!jsonscan_take(&w->scan, '{'))
		return false;
	do {
		if (cut && jsonscan_end(&w->scan))
			return true;
		if (!logrec_pair(w))
			return false;
	} while (jsonscan_take(&w->scan, ','));
	if (cut && jsonscan_end(&w->scan))
		return true;
	return jsonscan_take(&w->scan, '}') && jsonscan_end(&w->scan);
}

bool
logrec_json(struct logrec *r, char *line, size_t n, bool cut)
{
	struct logrec_walk w = {.scan = {.at = line, .end = line + n, .cut = cut}};

	if (!logrec_walk(&w) || w.value[LOGREC_ERROR_SEVERITY].len == 0)
		return false;
	*r = (struct logrec){.cut = cut};
	for (int k = 0; k < LOGREC_KEYS; k++) {
		struct jsonscan_span *v = &w.value[k];

		if (v->len == 0)
			continue;
		r->field[k] = (struct logrec_text){line + (v->at - line), v->len};
		if (v->escaped)
			r->field[k].len = jsonscan_unescape(r->field[k].at, v->len);
	}
	r->audited = logrec_audit(r);
	return true;
}

/* ---- plain text ---- */

#define LOGREC_PREFIX_MAX 256 /* bytes of log_line_prefix looked at */

static const char *const severities[] = {
#define LOG_SEVERITY(text, level) text,
#include "tbl/log_severities.h"
#undef LOG_SEVERITY
};

static bool
logrec_is_severity(const char *p, size_t n)
{
	for (size_t i = 0; i < ARRAY_LEN(severities); i++)
		if (strlen(severities[i]) == n && memcmp(severities[i], p, n) == 0)
			return true;
	return false;
}

static bool
logrec_is_upper(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Finds WORD in "...WORD:  rest" where WORD is a severity. */
static bool
logrec_find_severity(char *line, size_t n, struct logrec_text *word)
{
	size_t limit = n < LOGREC_PREFIX_MAX ? n : LOGREC_PREFIX_MAX;

	for (size_t i = 0; i + 2 < limit; i++) {
		size_t from = i;

		if (memcmp(line + i, ":  ", 3) != 0)
			continue;
		while (from > 0 && logrec_is_upper(line[from - 1]))
			from--;
		if (logrec_is_severity(line + from, i - from)) {
			*word = (struct logrec_text){line + from, i - from};
			return true;
		}
	}
	return false;
}

/* "2026-11-20 08:15:30" at the start, with a fraction and a zone perhaps; returns its length. */
static size_t
logrec_time_len(const char *p, size_t n)
{
	static const char shape[] = "0000-00-00 00:00:00";
	size_t i;

	for (i = 0; i < sizeof(shape) - 1; i++) {
		bool digit = i < n && p[i] >= '0' && p[i] <= '9';

		if (i >= n || (shape[i] == '0' ? !digit : p[i] != shape[i]))
			return 0;
	}
	while (i < n && (p[i] == '.' || (p[i] >= '0' && p[i] <= '9')))
		i++;
	if (i < n && p[i] == ' ')
		i++;
	while (i < n && p[i] != ' ' && p[i] != '[' && p[i] != ':' && p[i] != ',')
		i++;
	return i;
}

/* The default log_line_prefix is '%m [%p] '; of any other only a leading %m or %t is understood. */
static void
logrec_prefix(struct logrec *r, char *line, size_t n)
{
	size_t len = logrec_time_len(line, n), i = len;

	r->field[LOGREC_LOG_TIME] = (struct logrec_text){line, len};
	if (len == 0 || n - len < 4 || memcmp(line + len, " [", 2) != 0)
		return;
	for (i += 2; i < n && line[i] >= '0' && line[i] <= '9'; i++)
		;
	if (i < n && line[i] == ']')
		r->field[LOGREC_PROCESS_ID] = (struct logrec_text){line + len + 2, i - len - 2};
}

bool
logrec_plain(struct logrec *r, char *line, size_t n, bool cut)
{
	struct logrec_text word;
	char *message;

	if (!logrec_find_severity(line, n, &word))
		return false;
	*r = (struct logrec){.cut = cut};
	logrec_prefix(r, line, (size_t)(word.at - line));
	message = word.at + word.len + 3;
	r->field[LOGREC_ERROR_SEVERITY] = word;
	r->field[LOGREC_MESSAGE] = (struct logrec_text){message, (size_t)(line + n - message)};
	return true;
}
