/*
 * fuzz_metric_yaml - files of users' queries of any bytes; what is taken makes sense.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/metric_row.h"
#include "core/metric_yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
look(const struct metric_query *q)
{
	AUTO(metric_result_free) struct metric_result *r = metric_result_new(q, 150000);

	must(q->sql[0] && q->columns > 0 && metric_name_ok(q->name, true));
	must(q->every_ms >= 0 && q->timeout_ms >= 0);
	for (size_t i = 0; r && i < metric_result_families(r); i++)
		must(metric_name_ok(metric_result_family(r, i)->name, true));
	for (size_t i = 0; i < q->database_count; i++)
		(void)metric_pattern(q->databases[i], "postgres");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct metric_source source = {"fuzz", "cnpg_"};
	AUTO(metric_set_free) struct metric_set *set = metric_set_new();
	AUTO(buf_deinit) struct buf text = {0};
	struct metric_notes notes = {0};
	struct err e;

	buf_put(&text, data, size);
	if (set && metric_set_read(set, &text, &source, &notes, &e) < 0)
		must(notes.n > 0);
	for (size_t i = 0; set && i < metric_set_count(set); i++)
		look(metric_set_at(set, i));
	for (size_t i = 0; i < notes.n; i++)
		must(notes.item[i].text[0]);
	metric_notes_deinit(&notes);
	return 0;
}
