/*
 * spec_monitoring - metrics in a manifest: spec.monitoring.
 */
#include "base/duration.h"
#include "core/spec_reader.h"

#define DEFAULT_TTL_MS 30000

static void
add_refs(struct spec_reader *r, struct spec_refs *l, const struct yaml *list, bool secret)
{
	for (const struct yaml *n = list ? list->first : NULL; n; n = n->next)
		l->item[l->n++] = spec_read_ref(r, n, secret);
}

/* doc NULL: the defaults. */
void
spec_read_monitoring(struct spec_reader *r, const struct yaml *doc)
{
	const struct yaml *n = yaml_path(doc, "spec.monitoring");
	const struct yaml *maps = yaml_get(n, "customQueriesConfigMap"),
			  *secrets = yaml_get(n, "customQueriesSecret");
	const char *ttl = yaml_text(yaml_get(n, "metricsQueriesTTL"));
	struct spec_monitoring *m = &r->spec->monitoring;
	struct err e;

	m->queries.n = 0;
	m->queries.item =
		spec_array(r, yaml_count(maps) + yaml_count(secrets), sizeof(*m->queries.item));
	if (m->queries.item) {
		add_refs(r, &m->queries, maps, false);
		add_refs(r, &m->queries, secrets, true);
	}
	m->disable_default = yaml_true(n, "disableDefaultQueries");
	m->ttl_ms = DEFAULT_TTL_MS;
	if (*ttl && duration_parse(ttl, &m->ttl_ms, &e) < 0)
		m->ttl_ms = DEFAULT_TTL_MS; /* the check has refused it already */
}
