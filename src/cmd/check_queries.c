/*
 * check_queries - the part of `podgres check` that looks at files of metric queries.
 */
#include "cmd/check_queries.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/yaml.h"
#include "core/metric_yaml.h"
#include "sys/file.h"

static bool
looks_like_query(const struct yaml *n)
{
	return n->kind == YAML_MAP && (yaml_get(n, "query") || yaml_get(n, "metrics"));
}

bool
check_is_queries(const char *text, size_t len)
{
	AUTO(yaml_tree_free) struct yaml_tree *tree = NULL;
	const struct yaml *doc;
	struct err e;

	if (yaml_parse(&tree, text, len, NULL, &e) < 0)
		return false;
	doc = yaml_docs(tree);
	if (!doc || doc->kind != YAML_MAP || yaml_get(doc, "kind") || yaml_get(doc, "apiVersion"))
		return false;
	for (const struct yaml *n = doc->first; n; n = n->next)
		if (looks_like_query(n))
			return true;
	return false;
}

static void
take_note(struct spec_notes *out, const struct metric_note *n, const char *in)
{
	struct spec_note *more = realloc(out->item, (out->n + 1) * sizeof(*more));

	if (!more)
		return;
	out->item = more;
	more[out->n] = (struct spec_note){.error = n->error};
	if (*in) {
		snprintf(more[out->n].text, sizeof(more[0].text), "%.120s:%d:%d: %.180s", in,
			n->line, n->col, n->text);
	} else {
		snprintf(more[out->n].text, sizeof(more[0].text), "%s", n->text);
		more[out->n].at.line = n->line;
		more[out->n].at.col = n->col;
	}
	out->n++;
}

/* in: the file that the manifest names; "": the notes are about the file itself. */
static void
read_queries(struct spec_notes *out, const struct buf *text, const char *in)
{
	const struct metric_source source = {"queries", "cnpg_"};
	AUTO(metric_set_free) struct metric_set *set = metric_set_new();
	struct metric_notes notes = {0};
	struct err e;

	if (set && metric_set_read(set, text, &source, &notes, &e) < 0 && !notes.n)
		take_note(out, &(struct metric_note){.error = true, .text = "out of memory"}, in);
	for (size_t i = 0; i < notes.n; i++)
		take_note(out, &notes.item[i], in);
	metric_notes_deinit(&notes);
}

void
check_queries(struct spec_notes *out, const struct buf *text)
{
	read_queries(out, text, "");
}

void
check_queries_of(struct spec_notes *out, const struct spec *spec, const char *secrets_dir)
{
	for (size_t i = 0; i < spec->monitoring.queries.n; i++) {
		const struct spec_ref *ref = &spec->monitoring.queries.item[i];
		AUTO(buf_deinit) struct buf text = {0};
		struct metric_note absent = {.error = false};
		char path[1024];
		struct err e;

		snprintf(path, sizeof(path), "%s/%s/%s", secrets_dir, ref->name, ref->key);
		if (file_read(&text, path, YAML_MAX_BYTES, &e) == 0) {
			read_queries(out, &text, path);
			continue;
		}
		snprintf(absent.text, sizeof(absent.text),
			"spec.monitoring: the queries of %.60s/%.60s cannot be read here",
			ref->name, ref->key);
		take_note(out, &absent, "");
		out->item[out->n - 1].at = ref->at;
		out->item[out->n - 1].info = true;
	}
}
