/*
 * metric_yaml - users' queries: CloudNativePG's files and postgres_exporter's queries.yaml.
 */
#include "core/metric_yaml.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/suggest.h"
#include "base/yaml.h"
#include "core/metric_text.h"

#define TIMEOUT_MAX_S 300
#define CACHE_MAX_S 86400

struct item {
	struct metric_query q; /* everything it points to is owned */
	struct metric_column *column;
	char **database;
};

struct metric_set {
	struct item *item;
	size_t n;
};

struct reader {
	struct metric_set *set;
	const char *prefix, *file;
	struct metric_notes *notes;
	const char *query; /* its key, for messages */
	bool wrong;        /* this query has an error */
	bool no_memory;
};

/* ---- notes ---- */

static void note(struct reader *r, bool error, const struct yaml *at, const char *fmt, ...)
	PRINTF(4, 5);
static void
note(struct reader *r, bool error, const struct yaml *at, const char *fmt, ...)
{
	struct metric_note *more, *n;
	char text[200];
	va_list ap;

	r->wrong = r->wrong || error;
	more = realloc(r->notes->item, (r->notes->n + 1) * sizeof(*more));
	if (!more) {
		r->no_memory = true;
		return;
	}
	r->notes->item = more;
	n = &more[r->notes->n++];
	*n = (struct metric_note){
		.error = error, .line = at ? at->line : 0, .col = at ? at->col : 0};
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	snprintf(n->text, sizeof(n->text), "%s%s%s", r->query, *r->query ? ": " : "", text);
}

void
metric_notes_deinit(struct metric_notes *n)
{
	free(n->item);
	*n = (struct metric_notes){0};
}

static const char *
copy(struct reader *r, const char *text)
{
	char *s = strdup(text);

	r->no_memory = r->no_memory || !s;
	return s;
}

/* ---- versions ---- */

/* "13.1.0", "13.1", "13" -> 130001; what follows in *end */
static bool
version_number(const char *text, int *out, const char **end)
{
	int part[3] = {0}, n = 0, used = 0;

	if (*text == 'v')
		text++;
	while (n < 3 && sscanf(text, "%4d%n", &part[n], &used) == 1 && part[n] >= 0) {
		text += used;
		n++;
		if (*text != '.')
			break;
		text++;
	}
	*end = text;
	/* Until 9.6 the second number belonged to the major version. */
	*out = part[0] < 10 ? part[0] * 10000 + part[1] * 100 + part[2] : part[0] * 10000 + part[1];
	return n > 0;
}

static bool
range_one(const char **at, int *min, int *max)
{
	static const char *const ops[] = {">=", "<=", ">", "<", "=="};
	const char *op = "";
	int v;

	for (size_t i = 0; i < ARRAY_LEN(ops) && !*op; i++)
		if (strncmp(*at, ops[i], strlen(ops[i])) == 0)
			op = ops[i];
	*at += strlen(op);
	if (!*op && **at == '=')
		(*at)++;
	*at += strspn(*at, " ");
	if (!version_number(*at, &v, at))
		return false;
	if (strcmp(op, ">=") == 0 || strcmp(op, ">") == 0) {
		v += op[1] ? 0 : 1;
		*min = v > *min ? v : *min;
	} else if (op[0] == '<') {
		v += op[1] ? 1 : 0;
		*max = !*max || v < *max ? v : *max;
	} else {
		*min = v;
		*max = v + 1;
	}
	return true;
}

int
metric_range(const char *text, int *min, int *max, struct err *e)
{
	const char *at = text + strspn(text, " ");

	*min = *max = 0;
	if (strstr(text, "||"))
		return err_set(e, ERR_CONFIG, "\"%s\": only one interval, without ||", text);
	while (*at) {
		if (!range_one(&at, min, max))
			return err_set(e, ERR_CONFIG,
				"\"%s\" is no range of versions, expected such as \">=14.0.0 <17\"",
				text);
		at += strspn(at, " ,");
	}
	return 0;
}

/* ---- columns ---- */

static const char *const usages[] = {
	"DISCARD", "LABEL", "COUNTER", "GAUGE", "HISTOGRAM", "MAPPEDMETRIC", "DURATION"};

static enum metric_usage
read_usage(struct reader *r, const struct yaml *map, const struct yaml *at)
{
	const struct yaml *n = yaml_get(map, "usage");
	const char *text = yaml_text(n), *near;

	for (size_t i = 0; i < ARRAY_LEN(usages); i++)
		if (strcasecmp(text, usages[i]) == 0)
			return (enum metric_usage)i;
	near = suggest_nearest(text, usages, ARRAY_LEN(usages));
	note(r, true, n ? n : at,
		"usage is \"%s\", expected LABEL, COUNTER, GAUGE, HISTOGRAM, MAPPEDMETRIC, "
		"DURATION "
		"or DISCARD%s%s",
		text, near ? "; did you mean " : "", near ? near : "");
	return METRIC_USE_DISCARD;
}

static void
read_map(struct reader *r, struct metric_column *c, const struct yaml *map)
{
	const struct yaml *n = yaml_get(map, "metric_mapping");
	struct metric_map *m;

	n = n ? n : yaml_get(map, "metrics_mapping");
	if (!n || n->kind != YAML_MAP || !n->first) {
		note(r, true, n ? n : map,
			"MAPPEDMETRIC needs metric_mapping: words and their numbers");
		return;
	}
	m = calloc(yaml_count(n), sizeof(*m));
	r->no_memory = r->no_memory || !m;
	for (const struct yaml *v = n->first; m && v; v = v->next) {
		char number[64];

		if (!metric_text_number(number, sizeof(number), yaml_text(v)))
			note(r, true, v, "metric_mapping.%s is \"%s\", expected a number",
				yaml_text(v->key), yaml_text(v));
		m[c->maps].text = copy(r, yaml_text(v->key));
		m[c->maps++].value = strtod(yaml_text(v), NULL);
	}
	c->map = m;
}

static const char *const column_keys[] = {
	"usage", "description", "name", "metric_mapping", "metrics_mapping", "pg_version"};

static void
check_keys(struct reader *r, const struct yaml *map, const char *const *keys, size_t n)
{
	for (const struct yaml *v = map->first; v; v = v->next) {
		const char *key = yaml_text(v->key), *near;
		bool known = false;

		for (size_t i = 0; i < n; i++)
			known = known || strcmp(keys[i], key) == 0;
		near = known ? NULL : suggest_nearest(key, keys, n);
		if (!known)
			note(r, false, v->key, "unknown key \"%s\"%s%s", key,
				near ? "; did you mean " : "", near ? near : "");
		if (yaml_twin(v))
			note(r, true, v->key, "the key \"%s\" is there twice", key);
	}
}

/* A label stands alone, a metric's name behind that of its query. */
static void
check_name(struct reader *r, const struct metric_column *c, const struct yaml *at)
{
	char whole[160];

	if (!c->name || c->usage == METRIC_USE_DISCARD)
		return;
	if (c->usage == METRIC_USE_LABEL && !metric_name_ok(c->name, false))
		note(r, true, at, "\"%s\" is no name of a label", c->name);
	snprintf(whole, sizeof(whole), "_%.150s", c->name);
	if (c->usage != METRIC_USE_LABEL && !metric_name_ok(whole, true))
		note(r, true, at, "\"%s\" is no name of a metric", c->name);
}

static void
read_column(struct reader *r, struct item *it, const struct yaml *one)
{
	struct metric_column *c = &it->column[it->q.columns];
	const struct yaml *map = one->kind == YAML_MAP ? one->first : NULL;
	const char *name = map ? yaml_text(yaml_get(map, "name")) : "";
	struct err e;

	if (!map || map->next || map->kind != YAML_MAP) {
		note(r, true, one, "expected a map of one column: \"- COLUMN: {usage: ..., ...}\"");
		return;
	}
	check_keys(r, map, column_keys, ARRAY_LEN(column_keys));
	c->column = copy(r, yaml_text(map->key));
	c->name = copy(r, *name ? name : yaml_text(map->key));
	c->help = copy(r, yaml_text(yaml_get(map, "description")));
	c->usage = read_usage(r, map, map->key);
	if (c->usage == METRIC_USE_MAPPED)
		read_map(r, c, map);
	if (yaml_given(yaml_get(map, "pg_version")) &&
		metric_range(yaml_text(yaml_get(map, "pg_version")), &c->min_version,
			&c->max_version, &e) < 0)
		note(r, true, yaml_get(map, "pg_version"), "pg_version: %.120s", e.msg);
	check_name(r, c, map->key);
	for (size_t i = 0; i < it->q.columns; i++)
		if (c->column && it->column[i].column &&
			strcmp(it->column[i].column, c->column) == 0)
			note(r, true, map->key, "the column \"%s\" is there twice", c->column);
	it->q.columns++;
}

static void
read_columns(struct reader *r, struct item *it, const struct yaml *n, const struct yaml *at)
{
	size_t values = 0;

	if (!n || n->kind != YAML_LIST || !n->first) {
		note(r, true, n ? n : at, "metrics is missing, expected a list of columns");
		return;
	}
	it->column = calloc(yaml_count(n), sizeof(*it->column));
	it->q.column = it->column;
	r->no_memory = r->no_memory || !it->column;
	for (const struct yaml *one = n->first; it->column && one; one = one->next)
		read_column(r, it, one);
	for (size_t i = 0; i < it->q.columns; i++)
		values += it->column[i].usage > METRIC_USE_LABEL;
	if (!values && !r->wrong)
		note(r, true, n, "no column is a metric: all are labels or discarded");
}

/* ---- queries ---- */

static int64_t
read_seconds(struct reader *r, const struct yaml *map, const char *key, int64_t max)
{
	const struct yaml *n = yaml_get(map, key);
	int64_t v = 0;

	if (!yaml_given(n))
		return 0;
	if (yaml_int(n, &v) < 0 || v < 0 || v > max)
		note(r, true, n, "%s is \"%s\", expected whole seconds from 0 to %lld", key,
			yaml_text(n), (long long)max);
	return v * 1000;
}

static bool
read_bool(struct reader *r, const struct yaml *map, const char *key)
{
	const struct yaml *n = yaml_get(map, key);
	bool v = false;

	if (yaml_given(n) && yaml_bool(n, &v) < 0)
		note(r, true, n, "%s is \"%s\", expected true or false", key, yaml_text(n));
	return v;
}

static void
read_databases(struct reader *r, struct item *it, const struct yaml *n)
{
	if (!yaml_given(n))
		return;
	if (n->kind != YAML_LIST) {
		note(r, true, n, "target_databases: expected a list of names and patterns");
		return;
	}
	it->database = calloc(yaml_count(n) + 1, sizeof(*it->database));
	r->no_memory = r->no_memory || !it->database;
	it->q.databases = (const char *const *)it->database;
	for (const struct yaml *one = n->first; it->database && one; one = one->next) {
		if (one->kind != YAML_TEXT || !*one->text)
			note(r, true, one, "target_databases: expected a name or a pattern");
		it->database[it->q.database_count++] = strdup(yaml_text(one));
	}
}

static const char *const query_keys[] = {"query", "metrics", "name", "primary", "master",
	"runonserver", "predicate_query", "target_databases", "cache_seconds", "timeout_seconds"};

static void
read_query(struct reader *r, struct item *it, const struct yaml *map)
{
	const char *name = yaml_text(yaml_get(map, "name"));
	const struct yaml *range = yaml_get(map, "runonserver");
	struct metric_query *q = &it->q;
	bool primary;
	struct err e;

	check_keys(r, map, query_keys, ARRAY_LEN(query_keys));
	q->id = copy(r, r->query);
	q->prefix = copy(r, r->prefix);
	q->name = copy(r, *name ? name : r->query);
	q->sql = copy(r, yaml_text(yaml_get(map, "query")));
	q->predicate = copy(r, yaml_text(yaml_get(map, "predicate_query")));
	q->tier = METRIC_TTL;
	q->line = map->key ? map->key->line : 0;
	primary = read_bool(r, map, "primary");
	primary = read_bool(r, map, "master") || primary;
	q->where = primary ? METRIC_ON_PRIMARY : METRIC_ANYWHERE;
	q->every_ms = read_seconds(r, map, "cache_seconds", CACHE_MAX_S);
	q->timeout_ms = read_seconds(r, map, "timeout_seconds", TIMEOUT_MAX_S);
	if (q->sql && !q->sql[strspn(q->sql, " \t\r\n")])
		note(r, true, map->key, "query is missing");
	if (q->name && !metric_name_ok(q->name, true))
		note(r, true, map->key,
			"\"%s\" is no name for metrics, expected letters, digits and _", q->name);
	if (yaml_given(range) &&
		metric_range(yaml_text(range), &q->min_version, &q->max_version, &e) < 0)
		note(r, true, range, "runonserver: %.120s", e.msg);
	read_databases(r, it, yaml_get(map, "target_databases"));
	read_columns(r, it, yaml_get(map, "metrics"), map->key);
}

/* ---- sets ---- */

static void
item_deinit(struct item *it)
{
	const char *text[] = {it->q.id, it->q.prefix, it->q.name, it->q.sql, it->q.predicate};

	for (size_t i = 0; i < ARRAY_LEN(text); i++)
		free((char *)(uintptr_t)text[i]);
	for (size_t i = 0; i < it->q.columns; i++) {
		struct metric_column *c = &it->column[i];

		for (size_t k = 0; k < c->maps; k++)
			free((char *)(uintptr_t)c->map[k].text);
		free((struct metric_map *)(uintptr_t)c->map);
		free((char *)(uintptr_t)c->column);
		free((char *)(uintptr_t)c->name);
		free((char *)(uintptr_t)c->help);
	}
	for (size_t i = 0; i < it->q.database_count; i++)
		free(it->database[i]);
	free(it->column);
	free(it->database);
}

struct metric_set *
metric_set_new(void)
{
	return calloc(1, sizeof(struct metric_set));
}

struct metric_set *
metric_set_free(struct metric_set *s)
{
	if (!s)
		return NULL;
	for (size_t i = 0; i < s->n; i++)
		item_deinit(&s->item[i]);
	free(s->item);
	free(s);
	return NULL;
}

size_t
metric_set_count(const struct metric_set *s)
{
	return s->n;
}

const struct metric_query *
metric_set_at(const struct metric_set *s, size_t i)
{
	return &s->item[i].q;
}

static void
set_add(struct reader *r, const struct yaml *map)
{
	struct metric_set *s = r->set;
	struct item *more, it = {0};

	r->query = yaml_text(map->key);
	r->wrong = false;
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->item[i].q.id, r->query) == 0)
			note(r, true, map->key, "another query has this name already");
	if (map->kind != YAML_MAP)
		note(r, true, map, "expected a map with query and metrics");
	else
		read_query(r, &it, map);
	more = r->wrong || r->no_memory ? NULL : realloc(s->item, (s->n + 1) * sizeof(*more));
	if (!more) {
		item_deinit(&it);
		return;
	}
	s->item = more;
	s->item[s->n++] = it;
}

int
metric_set_read(struct metric_set *s, const struct buf *text, const struct metric_source *source,
	struct metric_notes *notes, struct err *e)
{
	AUTO(yaml_tree_free) struct yaml_tree *tree = NULL;
	struct reader r = {.set = s,
		.prefix = source->prefix,
		.file = source->file,
		.notes = notes,
		.query = ""};
	struct yaml_mark at = {0};
	const struct yaml *doc;

	if (yaml_parse(&tree, buf_str(text), text->len, &at, e) < 0) {
		note(&r, true, &(struct yaml){.line = at.line, .col = at.col}, "%.180s", e->msg);
		return err_set(e, ERR_CONFIG, "%s:%d:%d: %s", source->file, at.line, at.col,
			notes->n ? notes->item[notes->n - 1].text : "no YAML");
	}
	doc = yaml_docs(tree);
	if (doc && doc->kind != YAML_MAP) {
		note(&r, true, doc, "expected a map of queries by their names");
		return err_set(e, ERR_CONFIG, "%s:%d:%d: expected a map of queries by their names",
			source->file, doc->line, doc->col);
	}
	for (const struct yaml *q = doc ? doc->first : NULL; q; q = q->next)
		set_add(&r, q);
	return r.no_memory ? err_sys(e, "%s", source->file) : 0;
}
