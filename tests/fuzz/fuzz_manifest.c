/*
 * fuzz_manifest - any bytes as a manifest: never a crash, and the notes agree with the answer.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What every reader of a spec relies on: no string is NULL, no list lies. */
static void
read_everything(const struct spec *s)
{
	size_t sum = strlen(s->name) + strlen(s->name_space) + strlen(s->log_level) +
		     strlen(s->superuser_secret) + strlen(s->replica_conninfo) +
		     strlen(s->bootstrap_source) + strlen(s->initdb.database) +
		     strlen(s->initdb.owner) + strlen(s->initdb.secret) +
		     strlen(s->initdb.icu_rules);

	for (size_t i = 0; i < s->params; i++)
		sum += strlen(s->param[i].name) + strlen(s->param[i].value);
	for (size_t i = 0; i < s->pg_hba.n; i++)
		sum += strlen(s->pg_hba.item[i].text);
	for (size_t i = 0; i < s->preload.n; i++)
		sum += strlen(s->preload.item[i].text);
	for (size_t i = 0; i < s->fenced.n; i++)
		sum += strlen(s->fenced.item[i].text);
	for (size_t i = 0; i < s->externals; i++)
		sum += strlen(s->external[i].name) + strlen(s->external[i].password.name);
	must(s->instances >= 1 && sum < SIZE_MAX);
}

static void
read_as(const uint8_t *data, size_t size, bool checking)
{
	struct spec_source source = {.text = (const char *)data,
		.len = size,
		.file = "fuzz.yaml",
		.cluster = checking ? NULL : "pg",
		.checking = checking};
	struct spec_notes notes = {0};
	struct spec *s = NULL;
	struct err e = {0};
	bool error = false;
	int rc = spec_parse_from(&s, &source, &notes, &e);

	for (size_t i = 0; i < notes.n; i++) {
		error = error || notes.item[i].error;
		must(strlen(notes.item[i].text) < sizeof(notes.item[i].text));
	}
	must((rc == 0) == (s != NULL));
	must(rc == 0 || e.kind == ERR_CONFIG);
	must(notes.n >= 1000 || error == (rc != 0));
	if (s)
		read_everything(s);
	spec_free(s);
	spec_notes_deinit(&notes);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	read_as(data, size, false);
	read_as(data, size, true);
	return 0;
}
