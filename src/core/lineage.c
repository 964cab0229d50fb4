/*
 * lineage - timelines, WAL positions and the names of WAL files.
 */
#include "core/lineage.h"

#include <stdio.h>
#include <string.h>

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* Reads 1 to 8 digits; returns the first character after them, NULL when there is none or a ninth.
 */
static const char *
hex_read(const char *s, const char *end, uint32_t *out)
{
	uint32_t v = 0;
	int n = 0;

	while (s < end && hex_digit(*s) >= 0) {
		if (++n > 8)
			return NULL;
		v = v << 4 | (uint32_t)hex_digit(*s++);
	}
	*out = v;
	return n > 0 ? s : NULL;
}

static const char *
lsn_read(const char *s, const char *end, uint64_t *lsn)
{
	uint32_t high, low;

	s = hex_read(s, end, &high);
	if (!s || s == end || *s != '/')
		return NULL;
	s = hex_read(s + 1, end, &low);
	if (s)
		*lsn = (uint64_t)high << 32 | low;
	return s;
}

bool
lineage_lsn_parse(const char *text, uint64_t *lsn)
{
	const char *end = text + strlen(text);
	uint64_t v;

	if (lsn_read(text, end, &v) != end)
		return false;
	*lsn = v;
	return true;
}

const char *
lineage_lsn_text(uint64_t lsn, char out[LINEAGE_LSN_SIZE])
{
	out[0] = '\0';
	if (lsn)
		snprintf(out, LINEAGE_LSN_SIZE, "%X/%X", (uint32_t)(lsn >> 32), (uint32_t)lsn);
	return out;
}

/* ---- names of WAL files ---- */

bool
lineage_name_ok(const char *name)
{
	return strspn(name, "0123456789ABCDEF") == 24 && name[24] == '\0';
}

const char *
lineage_name(uint32_t timeline, uint64_t lsn, uint32_t segment_bytes, char out[LINEAGE_NAME_SIZE])
{
	uint64_t per_id = (UINT64_C(1) << 32) / segment_bytes;
	uint64_t segment = lsn / segment_bytes;

	snprintf(out, LINEAGE_NAME_SIZE, "%08X%08X%08X", timeline, (uint32_t)(segment / per_id),
		(uint32_t)(segment % per_id));
	return out;
}

bool
lineage_name_parse(const char *name, uint32_t segment_bytes, uint32_t *timeline, uint64_t *lsn)
{
	uint64_t per_id = (UINT64_C(1) << 32) / segment_bytes;
	uint32_t part[3];

	if (!lineage_name_ok(name))
		return false;
	for (int i = 0; i < 3; i++)
		if (!hex_read(name + 8 * i, name + 8 * i + 8, &part[i]))
			return false;
	if (part[0] == 0 || part[2] >= per_id)
		return false;
	*timeline = part[0];
	*lsn = (part[1] * per_id + part[2]) * segment_bytes;
	return true;
}

/* ---- history files ---- */

static const char *
skip_space(const char *s, const char *end)
{
	while (s < end && (*s == ' ' || *s == '\t' || *s == '\r'))
		s++;
	return s;
}

static const char *
number_read(const char *s, const char *end, uint32_t *out)
{
	uint64_t v = 0;
	const char *from = s;

	while (s < end && *s >= '0' && *s <= '9' && v <= UINT32_MAX)
		v = v * 10 + (uint64_t)(*s++ - '0');
	if (s == from || v > UINT32_MAX)
		return NULL;
	*out = (uint32_t)v;
	return s;
}

/* Reads one line from s to end, its newline excluded. */
static bool
history_line(const char *s, const char *end, struct lineage_entry *out)
{
	size_t n;

	s = number_read(s, end, &out->timeline);
	if (!s || skip_space(s, end) == s)
		return false;
	s = skip_space(s, end);
	s = lsn_read(s, end, &out->lsn);
	if (!s)
		return false;
	s = skip_space(s, end);
	n = (size_t)(end - s) < sizeof(out->reason) ? (size_t)(end - s) : sizeof(out->reason) - 1;
	memcpy(out->reason, s, n);
	out->reason[n] = '\0';
	return true;
}

int
lineage_history_parse(const char *text, size_t len, struct lineage_history *out, struct err *e)
{
	const char *s = text, *end = text + len;
	uint32_t last = 0;

	out->n = 0;
	for (int line = 1; s < end; line++) {
		const char *eol = memchr(s, '\n', (size_t)(end - s));
		const char *from = skip_space(s, eol ? eol : end);
		struct lineage_entry entry;

		eol = eol ? eol : end;
		s = eol < end ? eol + 1 : end;
		if (from == eol || *from == '#')
			continue;
		if (!history_line(from, eol, &entry))
			return err_set(
				e, ERR_CORRUPT, "line %d is not an entry of a history file", line);
		if (entry.timeline <= last)
			return err_set(e, ERR_CORRUPT,
				"line %d: timelines must grow in a history file", line);
		last = entry.timeline;
		if (out->n == out->max) {
			memmove(out->entry, out->entry + 1, (out->max - 1) * sizeof(entry));
			out->n--;
		}
		out->entry[out->n++] = entry;
	}
	return 0;
}

bool
lineage_fork(const struct lineage_history *a, const struct lineage_history *b, uint32_t *timeline,
	uint64_t *lsn)
{
	uint64_t begin_a = 0, begin_b = 0;
	size_t i;

	for (i = 0; i < a->n && i < b->n; i++) {
		const struct lineage_entry *x = &a->entry[i], *y = &b->entry[i];

		if (x->timeline != y->timeline || begin_a != begin_b)
			break;
		begin_a = x->lsn;
		begin_b = y->lsn;
		*timeline = x->timeline;
		*lsn = begin_a < begin_b ? begin_a : begin_b;
	}
	return i > 0;
}
