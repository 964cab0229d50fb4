/*
 * metric_tables - the default metric queries as JSON lines, for tests that run them elsewhere.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "core/metric_row.h"

static const char *const usages[] = {
	"discard", "label", "counter", "gauge", "histogram", "mapped", "duration"};

static void
put_columns(struct json *j, const struct metric_query *q)
{
	json_karr(j, "columns");
	for (size_t i = 0; i < q->columns; i++) {
		AUTO(free) char *family = metric_family_name(q, &q->column[i]);

		json_obj(j);
		json_kstr(j, "column", q->column[i].column);
		json_kstr(j, "usage", usages[q->column[i].usage]);
		json_kstr(j, "family", family ? family : "");
		json_kstr(j, "help", q->column[i].help);
		json_end_obj(j);
	}
	json_end_arr(j);
}

int
main(void)
{
	for (size_t i = 0; i < metric_builtin_count; i++) {
		const struct metric_query *q = &metric_builtin[i];
		AUTO(buf_deinit) struct buf out = {0};
		struct json j;

		json_init(&j, &out);
		json_obj(&j);
		json_kstr(&j, "id", q->id);
		json_kstr(&j, "sql", q->sql);
		json_kstr(&j, "predicate", q->predicate);
		json_kint(&j, "min", q->min_version);
		json_kint(&j, "max", q->max_version);
		json_kint(&j, "where", q->where);
		json_kint(&j, "tier", q->tier);
		json_kbool(&j, "all", q->database_count > 0);
		put_columns(&j, q);
		json_end_obj(&j);
		puts(buf_str(&out));
	}
	return 0;
}
