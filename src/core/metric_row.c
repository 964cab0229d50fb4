/*
 * metric_row - from the rows of a query to the samples of its families.
 */
#include "core/metric_row.h"

#include <stdlib.h>
#include <string.h>

#include "core/metric_value.h"

#define ROW_HISTOGRAM_PARTS 4 /* X, X_bucket, X_sum, X_count */

struct family {
	struct metric_family is; /* name is owned */
	const struct metric_column *column;
	struct buf lines;
	int col[ROW_HISTOGRAM_PARTS]; /* of the rows being added; -1: not there */
};

struct metric_result {
	const struct metric_query *q;
	int version;
	struct family *family;
	size_t families;
	uint64_t *seen; /* hashes of label sets, open addressing; 0: free */
	size_t seen_cap, seen_n;
	uint32_t rows;
};

/* ---- families ---- */

static bool
column_applies(const struct metric_column *c, int version)
{
	return (!c->min_version || version >= c->min_version) &&
	       (!c->max_version || version < c->max_version);
}

static bool
column_is_value(const struct metric_column *c)
{
	return c->usage != METRIC_USE_DISCARD && c->usage != METRIC_USE_LABEL;
}

static enum metric_type
column_type(const struct metric_column *c)
{
	switch (c->usage) {
	case METRIC_USE_COUNTER:
		return METRIC_COUNTER;
	case METRIC_USE_HISTOGRAM:
		return METRIC_HISTOGRAM;
	case METRIC_USE_GAUGE:
	case METRIC_USE_MAPPED:
	case METRIC_USE_DURATION:
		return METRIC_GAUGE;
	case METRIC_USE_DISCARD:
	case METRIC_USE_LABEL:
		break;
	}
	return METRIC_UNTYPED;
}

char *
metric_family_name(const struct metric_query *q, const struct metric_column *c)
{
	AUTO(buf_deinit) struct buf name = {0};

	if (c->complete)
		return strdup(c->complete);
	buf_printf(&name, "%s%s_%s%s", q->prefix, q->name, c->name,
		c->usage == METRIC_USE_DURATION ? "_milliseconds" : "");
	return buf_take(&name);
}

/* What OpenMetrics may call the unit: the name's own ending. */
static const char *
unit_of(const char *name)
{
	static const char *const units[] = {"seconds", "bytes", "ratio", "milliseconds"};
	size_t n = strlen(name);

	if (n > 6 && strcmp(name + n - 6, "_total") == 0)
		n -= 6;
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		size_t u = strlen(units[i]);

		if (n > u + 1 && name[n - u - 1] == '_' && strncmp(name + n - u, units[i], u) == 0)
			return units[i];
	}
	return "";
}

static bool
family_add(struct metric_result *r, const struct metric_column *c)
{
	struct family *f = &r->family[r->families];

	f->is.name = metric_family_name(r->q, c);
	if (!f->is.name)
		return false;
	f->is.type = column_type(c);
	f->is.unit = unit_of(f->is.name);
	f->is.help = c->help ? c->help : "";
	f->column = c;
	r->families++;
	return true;
}

struct metric_result *
metric_result_new(const struct metric_query *q, int version)
{
	AUTO(metric_result_free) struct metric_result *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->q = q;
	r->version = version;
	r->family = calloc(q->columns + 1, sizeof(*r->family));
	if (!r->family)
		return NULL;
	for (size_t i = 0; i < q->columns; i++)
		if (column_is_value(&q->column[i]) && column_applies(&q->column[i], version) &&
			!family_add(r, &q->column[i]))
			return NULL;
	return take(r);
}

struct metric_result *
metric_result_free(struct metric_result *r)
{
	if (!r)
		return NULL;
	for (size_t i = 0; i < r->families; i++) {
		free((char *)(uintptr_t)r->family[i].is.name);
		buf_deinit(&r->family[i].lines);
	}
	free(r->family);
	free(r->seen);
	free(r);
	return NULL;
}

size_t
metric_result_families(const struct metric_result *r)
{
	return r->families;
}

const struct metric_family *
metric_result_family(const struct metric_result *r, size_t i)
{
	return &r->family[i].is;
}

const struct buf *
metric_result_lines(const struct metric_result *r, size_t i)
{
	return &r->family[i].lines;
}

/* ---- series that are there already ---- */

/* FNV-1a, 64 bit (Fowler, Noll, Vo). */
static uint64_t
hash_of(const char *text)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return h ? h : 1;
}

static bool
seen_put(uint64_t *table, size_t cap, uint64_t h)
{
	size_t at = (size_t)h & (cap - 1);

	for (; table[at]; at = (at + 1) & (cap - 1))
		if (table[at] == h)
			return false;
	table[at] = h;
	return true;
}

static bool
seen_grow(struct metric_result *r)
{
	size_t cap = r->seen_cap ? 2 * r->seen_cap : 64;
	uint64_t *table = calloc(cap, sizeof(*table));

	if (!table)
		return false;
	for (size_t i = 0; i < r->seen_cap; i++)
		if (r->seen[i])
			seen_put(table, cap, r->seen[i]);
	free(r->seen);
	r->seen = table;
	r->seen_cap = cap;
	return true;
}

/* False: this label set was there, or memory is gone. */
static bool
seen_new(struct metric_result *r, const char *labels)
{
	if (2 * (r->seen_n + 1) > r->seen_cap && !seen_grow(r))
		return false;
	if (!seen_put(r->seen, r->seen_cap, hash_of(labels)))
		return false;
	r->seen_n++;
	return true;
}

/* ---- columns of the rows ---- */

struct labels_of {
	int col[METRIC_MAX_LABELS];
	const char *name[METRIC_MAX_LABELS];
	size_t n;
};

static int
find_col(const struct metric_rows *rows, const char *name, const char *suffix)
{
	size_t n = strlen(name);

	for (int i = 0; i < rows->cols; i++) {
		const char *is = rows->column(rows->arg, i);

		if (strncmp(is, name, n) == 0 && strcmp(is + n, suffix) == 0)
			return i;
	}
	return -1;
}

static const char *const parts[ROW_HISTOGRAM_PARTS] = {"", "_bucket", "_sum", "_count"};

static int
find_value(struct family *f, const struct metric_rows *rows, struct err *e)
{
	size_t n = f->column->usage == METRIC_USE_HISTOGRAM ? ROW_HISTOGRAM_PARTS : 1;

	for (size_t i = 0; i < n; i++) {
		f->col[i] = find_col(rows, f->column->column, parts[i]);
		if (f->col[i] < 0)
			return err_set(e, ERR_CONFIG, "the query gives no column \"%s%s\"",
				f->column->column, parts[i]);
	}
	return 0;
}

static int
find_labels(const struct metric_result *r, struct labels_of *l, const struct metric_rows *rows,
	struct err *e)
{
	l->n = 0;
	for (size_t i = 0; i < r->q->columns; i++) {
		const struct metric_column *c = &r->q->column[i];
		int col = find_col(rows, c->column, "");

		if (c->usage != METRIC_USE_LABEL || !column_applies(c, r->version))
			continue;
		if (col < 0)
			return err_set(
				e, ERR_CONFIG, "the query gives no column \"%s\"", c->column);
		if (l->n == METRIC_MAX_LABELS)
			return err_set(e, ERR_CONFIG, "more than %d labels", METRIC_MAX_LABELS);
		l->col[l->n] = col;
		l->name[l->n++] = c->name;
	}
	return 0;
}

static bool
column_known(const struct metric_result *r, const char *name)
{
	for (size_t i = 0; i < r->q->columns; i++) {
		const struct metric_column *c = &r->q->column[i];
		size_t n = strlen(c->column);

		if (strcmp(c->column, name) == 0)
			return true;
		if (c->usage != METRIC_USE_HISTOGRAM || strncmp(name, c->column, n) != 0)
			continue;
		for (int k = 1; k < ROW_HISTOGRAM_PARTS; k++)
			if (strcmp(name + n, parts[k]) == 0)
				return true;
	}
	return false;
}

static int
find_columns(struct metric_result *r, struct labels_of *labels, const struct metric_rows *rows,
	struct err *e)
{
	for (int i = 0; i < rows->cols; i++)
		if (!column_known(r, rows->column(rows->arg, i)))
			return err_set(e, ERR_CONFIG,
				"the query gives a column \"%s\" that metrics does not describe",
				rows->column(rows->arg, i));
	for (size_t i = 0; i < r->families; i++)
		if (find_value(&r->family[i], rows, e) < 0)
			return -1;
	return find_labels(r, labels, rows, e);
}

/* ---- rows ---- */

static void
row_labels(struct buf *out, const struct labels_of *l, const struct metric_rows *rows, int row)
{
	struct metric_label label[METRIC_MAX_LABELS];

	for (size_t i = 0; i < l->n; i++) {
		const char *text = rows->value(rows->arg, row, l->col[i]);
		uint32_t type = rows->type(rows->arg, l->col[i]);

		label[i].name = l->name[i];
		label[i].value = metric_value_label(text, type);
	}
	buf_reset(out);
	metric_text_labels(out, label, l->n);
}

static bool
row_value(struct family *f, const struct metric_rows *rows, int row, const char *labels)
{
	const char *text = rows->value(rows->arg, row, f->col[0]);
	char number[64];

	if (!metric_value(
		    number, sizeof(number), f->column, text, rows->type(rows->arg, f->col[0])))
		return false;
	metric_text_line(&f->lines, f->is.name, "", labels, number);
	return true;
}

static bool
row_histogram(struct family *f, const struct metric_rows *rows, int row, const char *labels)
{
	struct metric_histogram h;

	for (int i = 0; i < ROW_HISTOGRAM_PARTS; i++)
		h.part[i] = rows->value(rows->arg, row, f->col[i]);
	return metric_value_histogram(&f->lines, f->is.name, labels, &h);
}

static void
row_add(struct metric_result *r, const struct metric_rows *rows, int row, const char *labels,
	struct metric_told *told)
{
	for (size_t i = 0; i < r->families; i++) {
		struct family *f = &r->family[i];
		bool histogram = f->column->usage == METRIC_USE_HISTOGRAM;

		if (histogram ? row_histogram(f, rows, row, labels)
			      : row_value(f, rows, row, labels))
			told->samples++;
		else
			told->dropped++;
	}
}

int
metric_result_add(struct metric_result *r, const struct metric_rows *rows, struct metric_told *told,
	struct err *e)
{
	uint32_t cap = r->q->max_series ? r->q->max_series : METRIC_MAX_SERIES;
	AUTO(buf_deinit) struct buf labels = {0};
	struct labels_of l;

	if (find_columns(r, &l, rows, e) < 0)
		return -1;
	for (int row = 0; row < rows->rows; row++) {
		row_labels(&labels, &l, rows, row);
		if (r->rows >= cap || !seen_new(r, buf_str(&labels))) {
			told->dropped += (uint32_t)r->families;
			continue;
		}
		r->rows++;
		row_add(r, rows, row, buf_str(&labels), told);
	}
	for (size_t i = 0; i < r->families; i++)
		if (buf_check(&r->family[i].lines, e) < 0)
			return -1;
	return buf_check(&labels, e);
}
