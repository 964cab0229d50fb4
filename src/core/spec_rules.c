/*
 * spec_rules - what contradicts what in a manifest, and what names something that is not there.
 *
 * Each rule is an error only when podgres, or Kubernetes with CloudNativePG, could not tell what
 * was meant.  The sources are CloudNativePG's API reference and PostgreSQL's documentation.
 */
#include "core/spec_reader.h"

#include <ctype.h>
#include <string.h>

#include "core/lease_time.h"

#define MAX_NAME 50 /* CloudNativePG's limit for a Cluster: labels and pods are named after it */

/* At most one of the named fields of a map. */
void
spec_at_most_one(
	struct spec_reader *r, const struct yaml *map, const char *const *names, const char *why)
{
	const char *first = NULL;
	const struct yaml *n;

	for (; *names; names++) {
		n = yaml_get(map, *names);
		if (!yaml_given(n))
			continue;
		if (first)
			spec_error_at(r, *names, n->key, "contradicts %s: %s", first, why);
		else
			first = *names;
	}
}

/* The names of a list of maps must differ. */
static void
names_differ(struct spec_reader *r, const struct yaml *list)
{
	const struct yaml *a, *b;
	size_t i = 0, was;

	if (yaml_count(list) > 1000) {
		spec_error(r, list, "more than 1000 entries");
		return;
	}
	for (a = list ? list->first : NULL; a; a = a->next, i++) {
		for (b = list->first; b != a; b = b->next)
			if (strcmp(yaml_text(yaml_get(a, "name")),
				    yaml_text(yaml_get(b, "name"))) == 0)
				break;
		if (b == a)
			continue;
		was = spec_push_index(r, i);
		spec_error_at(r, "name", yaml_get(a, "name"),
			"\"%.60s\" is given twice, first in line %d",
			yaml_text(yaml_get(a, "name")), b->line);
		spec_pop(r, was);
	}
}

void
spec_names_differ(struct spec_reader *r, const struct yaml *map, const char *field)
{
	size_t was = spec_push(r, field);

	names_differ(r, yaml_get(map, field));
	spec_pop(r, was);
}

/* ---- names that must exist ---- */

static const struct yaml *
find_external(const struct yaml *spec, const char *name)
{
	const struct yaml *list = yaml_get(spec, "externalClusters"), *n;

	for (n = list ? list->first : NULL; n; n = n->next)
		if (strcmp(yaml_text(yaml_get(n, "name")), name) == 0)
			return n;
	return NULL;
}

static void
source_exists(struct spec_reader *r, const struct yaml *spec, const struct yaml *source)
{
	if (!yaml_given(source) || !*yaml_text(source) || find_external(spec, yaml_text(source)))
		return;
	spec_error_at(r, source->key->text, source,
		"no external cluster is named \"%.60s\", expected a name of spec.externalClusters",
		yaml_text(source));
}

static void
rule_replica(struct spec_reader *r, const struct yaml *spec)
{
	const struct yaml *replica = yaml_get(spec, "replica"),
			  *source = yaml_get(replica, "source");
	size_t was = spec_push(r, "replica");

	if (yaml_true(replica, "enabled") && !*yaml_text(source))
		spec_error_at(r, "source", replica->key,
			"missing, expected the external cluster to follow, since enabled is true");
	if (yaml_true(replica, "enabled") && yaml_given(yaml_get(replica, "primary")))
		spec_error_at(r, "enabled", yaml_get(replica, "enabled"),
			"contradicts primary, which says by name who is the replica");
	if (yaml_given(yaml_get(replica, "minApplyDelay")) &&
		yaml_given(yaml_get(replica, "promotionToken")))
		spec_error_at(r, "promotionToken", yaml_get(replica, "promotionToken"),
			"contradicts minApplyDelay: a token promotes only what has replayed all");
	source_exists(r, spec, source);
	spec_pop(r, was);
}

/* ---- bootstrap ---- */

static void
rule_locale(struct spec_reader *r, const struct yaml *n)
{
	static const struct {
		const char *field, *provider;
	} needs[] = {{"icuLocale", "icu"}, {"icuRules", "icu"}, {"builtinLocale", "builtin"}};
	const struct yaml *provider = yaml_get(n, "localeProvider"), *f;

	for (size_t i = 0; i < ARRAY_LEN(needs); i++) {
		f = yaml_get(n, needs[i].field);
		if (yaml_given(f) && strcmp(yaml_text(provider), needs[i].provider) != 0)
			spec_error_at(r, needs[i].field, f,
				"contradicts localeProvider \"%.20s\", expected %s",
				yaml_text(provider), needs[i].provider);
	}
}

static void
rule_initdb(struct spec_reader *r, const struct yaml *spec, const struct yaml *n)
{
	static const char *const explicit_fields[] = {"dataChecksums", "encoding", "locale",
		"localeCollate", "localeCType", "localeProvider", "walSegmentSize"};
	const struct yaml *size = yaml_get(n, "walSegmentSize"),
			  *database = yaml_get(n, "database");
	const struct yaml *options = yaml_get(n, "options");
	size_t was = spec_push(r, "initdb"), deeper;
	int64_t mb;

	rule_locale(r, n);
	if (yaml_int(size, &mb) == 0 && mb > 0 && (mb & (mb - 1)))
		spec_error_at(r, "walSegmentSize", size,
			"%lld is no power of two, expected 1, 2, 4, ... 1024", (long long)mb);
	if (strcmp(yaml_text(database), "template0") == 0 ||
		strcmp(yaml_text(database), "template1") == 0)
		spec_error_at(r, "database", database, "\"%s\" is reserved, expected another name",
			yaml_text(database));
	for (size_t i = 0; yaml_given(options) && i < ARRAY_LEN(explicit_fields); i++)
		if (yaml_given(yaml_get(n, explicit_fields[i])))
			spec_warn(r, options->key, "options replace the field %s",
				explicit_fields[i]);
	deeper = spec_push(r, "import.source");
	source_exists(r, spec, yaml_path(n, "import.source.externalCluster"));
	spec_pop(r, deeper);
	spec_pop(r, was);
}

static void
rule_bootstrap(struct spec_reader *r, const struct yaml *spec)
{
	static const char *const methods[] = {"initdb", "recovery", "pg_basebackup", NULL};
	const struct yaml *bootstrap = yaml_get(spec, "bootstrap");
	size_t was = spec_push(r, "bootstrap"), deeper;

	spec_at_most_one(r, bootstrap, methods, "a cluster is made in one way");
	if (yaml_given(yaml_get(bootstrap, "initdb")))
		rule_initdb(r, spec, yaml_get(bootstrap, "initdb"));
	deeper = spec_push(r, "pg_basebackup");
	source_exists(r, spec, yaml_path(bootstrap, "pg_basebackup.source"));
	spec_pop(r, deeper);
	spec_pop(r, was);
}

/* ---- the rest ---- */

/* A Kubernetes name: it becomes part of file names and of other objects' names. */
static void
rule_name(struct spec_reader *r, const struct yaml *doc)
{
	const struct yaml *n = yaml_path(doc, "metadata.name");
	const char *s = yaml_text(n);
	size_t len = strlen(s);

	if (!len)
		return;
	if (strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") != len ||
		!isalnum((unsigned char)s[0]) || !isalnum((unsigned char)s[len - 1]))
		spec_error_at(r, "metadata.name", n,
			"\"%.60s\" is no name, expected lower case letters, digits and -", s);
	else if (len > MAX_NAME)
		spec_error_at(r, "metadata.name", n, "%zu characters, expected at most %d", len,
			MAX_NAME);
}

static void
rule_fenced(struct spec_reader *r, const struct yaml *doc)
{
	AUTO(yaml_tree_free) struct yaml_tree *tree = NULL;
	const struct yaml *map = yaml_path(doc, "metadata.annotations");
	const struct yaml *n = yaml_get(map, "cnpg.io/fencedInstances");
	struct yaml *list = NULL, *item;
	struct err e = {0};
	bool ok = true;

	if (!n || n->kind != YAML_TEXT)
		return;
	if (*n->text)
		ok = yaml_parse(&tree, n->text, strlen(n->text), NULL, &e) == 0;
	list = ok && tree ? yaml_docs(tree) : NULL;
	if (*n->text)
		ok = list && list->kind == YAML_LIST && !list->next;
	for (item = ok && list ? list->first : NULL; item; item = item->next)
		ok = ok && item->kind == YAML_TEXT && *item->text;
	if (!ok)
		spec_error(r, n,
			"metadata.annotations: cnpg.io/fencedInstances is \"%.60s\", expected a "
			"list like '[\"pod-1\"]' or '[\"*\"]'",
			n->text);
}

static void
rule_annotations(struct spec_reader *r, const struct yaml *doc)
{
	static const char *const later[] = {"cnpg.io/hibernation", "cnpg.io/coredumpFilter",
		"cnpg.io/skipWalArchiving", "cnpg.io/skipEmptyWalArchiveCheck",
		"cnpg.io/forceLegacyBackup", "cnpg.io/reconciliationLoop"};
	const struct yaml *map = yaml_path(doc, "metadata.annotations"), *n;

	for (size_t i = 0; i < ARRAY_LEN(later); i++) {
		n = yaml_get(map, later[i]);
		if (yaml_given(n))
			spec_warn(r, n->key,
				"metadata.annotations: %s is known, but not in this version",
				later[i]);
	}
}

static void
rule_stop(struct spec_reader *r, const struct yaml *spec)
{
	const struct yaml *smart = yaml_get(spec, "smartShutdownTimeout");
	int64_t smart_s, stop_s;

	if (yaml_int(smart, &smart_s) || yaml_int(yaml_get(spec, "stopDelay"), &stop_s))
		return;
	if (smart_s >= stop_s)
		spec_error_at(r, "smartShutdownTimeout", smart,
			"%lld leaves nothing of stopDelay, %lld, for the fast shutdown",
			(long long)smart_s, (long long)stop_s);
}

static void
rule_archivers(struct spec_reader *r, const struct yaml *spec)
{
	const struct yaml *list = yaml_get(spec, "plugins"), *n, *first = NULL;
	size_t was = spec_push(r, "plugins"), deeper, i = 0;

	for (n = list && list->kind == YAML_LIST ? list->first : NULL; n; n = n->next, i++) {
		if (!yaml_true(n, "isWALArchiver"))
			continue;
		deeper = spec_push_index(r, i);
		if (first)
			spec_error_at(r, "isWALArchiver", yaml_get(n, "isWALArchiver"),
				"contradicts line %d: one plugin archives", first->line);
		else if (yaml_given(yaml_path(spec, "backup.barmanObjectStore")))
			spec_error_at(r, "isWALArchiver", yaml_get(n, "isWALArchiver"),
				"contradicts spec.backup.barmanObjectStore: one archives");
		first = n;
		spec_pop(r, deeper);
	}
	spec_pop(r, was);
}

static void
rule_roles(struct spec_reader *r, const struct yaml *spec)
{
	const struct yaml *list = yaml_path(spec, "managed.roles"), *n;
	size_t was = spec_push(r, "managed.roles"), deeper, i = 0;

	names_differ(r, list);
	for (n = list && list->kind == YAML_LIST ? list->first : NULL; n; n = n->next, i++) {
		deeper = spec_push_index(r, i);
		if (yaml_true(n, "disablePassword") && yaml_given(yaml_get(n, "passwordSecret")))
			spec_error_at(r, "disablePassword", yaml_get(n, "disablePassword"),
				"contradicts passwordSecret");
		spec_pop(r, deeper);
	}
	spec_pop(r, was);
}

static void
rule_slots(struct spec_reader *r, const struct yaml *spec)
{
	const struct yaml *n = yaml_path(spec, "replicationSlots.highAvailability.slotPrefix");
	const char *s = yaml_text(n);

	if (s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_")])
		spec_error_at(r, "replicationSlots.highAvailability.slotPrefix", n,
			"\"%.60s\" fits no slot name, expected lower case letters, digits and _",
			s);
}

/* name and key of a reference become a path below the secrets folder: no way out of it. */
static bool
path_part_ok(const char *s)
{
	return !strchr(s, '/') && strcmp(s, ".") != 0 && strcmp(s, "..") != 0;
}

static void
rule_references(struct spec_reader *r, const struct yaml *n)
{
	const struct yaml *name = yaml_get(n, "name"), *key = yaml_get(n, "key"), *c;
	size_t was, i = 0;

	if (yaml_given(name) && yaml_given(key) &&
		!(path_part_ok(yaml_text(name)) && path_part_ok(yaml_text(key))))
		spec_error(r, name,
			"\"%.60s\" and \"%.60s\" are no file name, expected no / and not ..",
			yaml_text(name), yaml_text(key));
	for (c = n->first; c; c = c->next, i++) {
		was = c->key ? spec_push(r, c->key->text) : spec_push_index(r, i);
		rule_references(r, c);
		spec_pop(r, was);
	}
}

static void
rule_secrets(struct spec_reader *r, const struct yaml *spec)
{
	static const char *const paths[] = {"superuserSecret", "bootstrap.initdb.secret"};
	const struct yaml *name;

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		name = yaml_get(yaml_path(spec, paths[i]), "name");
		if (!path_part_ok(yaml_text(name)))
			spec_error_at(r, paths[i], name,
				"\"%.60s\" is no name, expected no / and not ..", yaml_text(name));
	}
}

/* Two that write at once are what a lease is there to prevent: numbers that cannot do it are none.
 */
static void
rule_lease(struct spec_reader *r, const struct yaml *spec)
{
	const struct yaml *n = yaml_get(spec, "primaryLease");
	struct lease_request in = LEASE_REQUEST_DEFAULT;
	struct lease_times times;
	struct err e = {0};
	int64_t v;

	if (!n || n->kind != YAML_MAP)
		return;
	in.duration_s = yaml_int(yaml_get(n, "leaseDurationSeconds"), &v) ? in.duration_s : v;
	in.renew_s = yaml_int(yaml_get(n, "renewDeadlineSeconds"), &v) ? in.renew_s : v;
	in.retry_s = yaml_int(yaml_get(n, "retryPeriodSeconds"), &v) ? in.retry_s : v;
	in.released_s =
		yaml_int(yaml_get(n, "releasedLeaseDurationSeconds"), &v) ? in.released_s : v;
	if (lease_times_make(&times, &in, &e))
		spec_error_at(r, "primaryLease", n->key, "%s", e.msg);
}

void
spec_rules_cluster(struct spec_reader *r, const struct yaml *doc)
{
	static const char *const images[] = {"imageName", "imageCatalogRef", NULL};
	const struct yaml *spec = yaml_get(doc, "spec");
	size_t was;

	rule_name(r, doc);
	rule_fenced(r, doc);
	rule_annotations(r, doc);
	if (!spec || spec->kind != YAML_MAP)
		return;
	was = spec_push(r, "spec");
	spec_at_most_one(r, spec, images, "an image is chosen in one way");
	rule_bootstrap(r, spec);
	rule_replica(r, spec);
	spec_rules_postgresql(r, spec);
	spec_rules_synchronous(r, spec);
	spec_rules_failover(r, spec);
	rule_stop(r, spec);
	rule_lease(r, spec);
	spec_rules_retrieval(r, doc);
	rule_archivers(r, spec);
	rule_roles(r, spec);
	rule_slots(r, spec);
	spec_names_differ(r, spec, "externalClusters");
	spec_names_differ(r, spec, "tablespaces");
	rule_references(r, spec);
	rule_secrets(r, spec);
	spec_pop(r, was);
}

void
spec_rules_pooler(struct spec_reader *r, const struct yaml *doc)
{
	const struct yaml *n = yaml_path(doc, "spec.pgbouncer");
	bool query = *yaml_text(yaml_get(n, "authQuery")),
	     secret = yaml_given(yaml_get(n, "authQuerySecret"));
	size_t was = spec_push(r, "spec.pgbouncer");

	if (query != secret)
		spec_error_at(r, query ? "authQuery" : "authQuerySecret", n->key,
			"%s is missing: the query and who asks it come together",
			query ? "authQuerySecret" : "authQuery");
	spec_pop(r, was);
}
