/*
 * spec_rules - what contradicts what in a manifest, and what names something that is not there.
 *
 * Each rule is an error only when podgres, or Kubernetes with CloudNativePG, could not tell what
 * was meant.  The sources are CloudNativePG's API reference and PostgreSQL's documentation.
 */
#include "core/spec_reader.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "core/guc.h"

#define MAX_NAME 50 /* CloudNativePG's limit for a Cluster: labels and pods are named after it */

static const char *
text_of(const struct yaml *n)
{
	return n && n->kind == YAML_TEXT && !yaml_is_null(n) ? n->text : "";
}

static bool
given(const struct yaml *n)
{
	return !yaml_is_null(n);
}

static bool
true_at(const struct yaml *n, const char *key)
{
	bool b;

	return yaml_bool(yaml_get(n, key), &b) == 0 && b;
}

/* An error about the field at a path below r->path. */
#define error_at(r, sub, n, ...)                 \
	do {                                     \
		size_t was_ = spec_push(r, sub); \
		spec_error(r, n, __VA_ARGS__);   \
		spec_pop(r, was_);               \
	} while (0)

/* At most one of the named fields of a map. */
static void
at_most_one(
	struct spec_reader *r, const struct yaml *map, const char *const *names, const char *why)
{
	const char *first = NULL;
	const struct yaml *n;

	for (; *names; names++) {
		n = yaml_get(map, *names);
		if (!given(n))
			continue;
		if (first)
			error_at(r, *names, n->key, "contradicts %s: %s", first, why);
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
			if (strcmp(text_of(yaml_get(a, "name")), text_of(yaml_get(b, "name"))) == 0)
				break;
		if (b == a)
			continue;
		was = spec_push_index(r, i);
		error_at(r, "name", yaml_get(a, "name"),
			"\"%.60s\" is given twice, first in line %d", text_of(yaml_get(a, "name")),
			b->line);
		spec_pop(r, was);
	}
}

static void
names_differ_in(struct spec_reader *r, const struct yaml *map, const char *field)
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
		if (strcmp(text_of(yaml_get(n, "name")), name) == 0)
			return n;
	return NULL;
}

static void
source_exists(struct spec_reader *r, const struct yaml *spec, const struct yaml *source)
{
	if (!given(source) || !*text_of(source) || find_external(spec, text_of(source)))
		return;
	error_at(r, source->key->text, source,
		"no external cluster is named \"%.60s\", expected a name of spec.externalClusters",
		text_of(source));
}

static void
rule_replica(struct spec_reader *r, const struct yaml *spec)
{
	const struct yaml *replica = yaml_get(spec, "replica"),
			  *source = yaml_get(replica, "source");
	size_t was = spec_push(r, "replica");

	if (true_at(replica, "enabled") && !*text_of(source))
		error_at(r, "source", replica->key,
			"missing, expected the external cluster to follow, since enabled is true");
	if (true_at(replica, "enabled") && given(yaml_get(replica, "primary")))
		error_at(r, "enabled", yaml_get(replica, "enabled"),
			"contradicts primary, which says by name who is the replica");
	if (given(yaml_get(replica, "minApplyDelay")) && given(yaml_get(replica, "promotionToken")))
		error_at(r, "promotionToken", yaml_get(replica, "promotionToken"),
			"contradicts minApplyDelay: a token promotes only what has replayed all");
	source_exists(r, spec, source);
	spec_pop(r, was);
}

/* ---- bootstrap ---- */

static void
rule_recovery(struct spec_reader *r, const struct yaml *spec, const struct yaml *n)
{
	static const char *const targets[] = {
		"targetXID", "targetName", "targetLSN", "targetTime", "targetImmediate", NULL};
	static const char *const by_source[] = {"backup", "source", NULL};
	static const char *const by_volume[] = {"backup", "volumeSnapshots", NULL};
	size_t was = spec_push(r, "recovery");
	size_t deeper;

	at_most_one(r, n, by_source, "recovery starts from one base backup");
	at_most_one(r, n, by_volume, "recovery starts from one base backup");
	source_exists(r, spec, yaml_get(n, "source"));
	deeper = spec_push(r, "recoveryTarget");
	at_most_one(r, yaml_get(n, "recoveryTarget"), targets, "recovery has one target");
	spec_pop(r, deeper);
	spec_pop(r, was);
}

static void
rule_locale(struct spec_reader *r, const struct yaml *n)
{
	static const struct {
		const char *field, *provider;
	} needs[] = {{"icuLocale", "icu"}, {"icuRules", "icu"}, {"builtinLocale", "builtin"}};
	const struct yaml *provider = yaml_get(n, "localeProvider"), *f;

	for (size_t i = 0; i < ARRAY_LEN(needs); i++) {
		f = yaml_get(n, needs[i].field);
		if (given(f) && strcmp(text_of(provider), needs[i].provider) != 0)
			error_at(r, needs[i].field, f,
				"contradicts localeProvider \"%.20s\", expected %s",
				text_of(provider), needs[i].provider);
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
		error_at(r, "walSegmentSize", size,
			"%lld is no power of two, expected 1, 2, 4, ... 1024", (long long)mb);
	if (strcmp(text_of(database), "template0") == 0 ||
		strcmp(text_of(database), "template1") == 0)
		error_at(r, "database", database, "\"%s\" is reserved, expected another name",
			text_of(database));
	for (size_t i = 0; given(options) && i < ARRAY_LEN(explicit_fields); i++)
		if (given(yaml_get(n, explicit_fields[i])))
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

	at_most_one(r, bootstrap, methods, "a cluster is made in one way");
	if (given(yaml_get(bootstrap, "initdb")))
		rule_initdb(r, spec, yaml_get(bootstrap, "initdb"));
	if (given(yaml_get(bootstrap, "recovery")))
		rule_recovery(r, spec, yaml_get(bootstrap, "recovery"));
	deeper = spec_push(r, "pg_basebackup");
	source_exists(r, spec, yaml_path(bootstrap, "pg_basebackup.source"));
	spec_pop(r, deeper);
	spec_pop(r, was);
}

/* ---- postgresql ---- */

static void
rule_parameter(struct spec_reader *r, const struct yaml *n)
{
	const char *refused = guc_refused(n->key->text);
	struct err e = {0};
	struct suggest s;

	if (!guc_name_ok(n->key->text)) {
		spec_error(r, n->key, "not a name of a parameter");
		return;
	}
	if (refused) {
		spec_error(r, n->key, "podgres sets this parameter: %s", refused);
		return;
	}
	if (n->kind == YAML_TEXT && guc_check(n->key->text, text_of(n), &e))
		spec_error(r, n, "%s", e.msg);
	suggest_init(&s, n->key->text);
	if (!strchr(n->key->text, '.') && !guc_known(n->key->text))
		guc_offer(&s);
	if (s.best && s.cost == 1)
		spec_warn(r, n->key, "is this a slip of the pen for %s?", s.best);
}

void
spec_rules_parameters(struct spec_reader *r, const struct yaml *map)
{
	const struct yaml *n, *other;
	size_t was;

	for (n = map && map->kind == YAML_MAP ? map->first : NULL; n; n = n->next) {
		was = spec_push(r, n->key->text);
		rule_parameter(r, n);
		for (other = map->first; other != n; other = other->next)
			if (strcmp(other->key->text, n->key->text) != 0 &&
				strcasecmp(other->key->text, n->key->text) == 0)
				spec_error(r, n->key, "is the same parameter as in line %d",
					other->key->line);
		spec_pop(r, was);
	}
}

static bool
hba_first_word_ok(const char *line)
{
	static const char *const words[] = {"local", "host", "hostssl", "hostnossl", "hostgssenc",
		"hostnogssenc", "include", "include_if_exists", "include_dir"};
	size_t n;

	line += strspn(line, " \t");
	n = strcspn(line, " \t\n");
	if (n == 0 || *line == '#')
		return true;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strlen(words[i]) == n && strncasecmp(words[i], line, n) == 0)
			return true;
	return false;
}

static void
rule_hba(struct spec_reader *r, const struct yaml *list)
{
	const struct yaml *n;
	const char *line;
	size_t was, i = 0;

	for (n = list && list->kind == YAML_LIST ? list->first : NULL; n; n = n->next, i++) {
		was = spec_push_index(r, i);
		for (line = text_of(n); line; line = strchr(line, '\n')) {
			line += *line == '\n';
			if (!hba_first_word_ok(line))
				spec_error(r, n,
					"\"%.40s\" is no rule, expected local, host, hostssl, "
					"hostnossl, hostgssenc or hostnogssenc first",
					line);
		}
		if (strstr(text_of(n), "${podselector:"))
			spec_warn(r, n,
				"podSelectorRefs are not in this version: the rule allows nobody");
		spec_pop(r, was);
	}
}

static void
rule_synchronous(struct spec_reader *r, const struct yaml *spec)
{
	const struct yaml *sync = yaml_path(spec, "postgresql.synchronous");
	const struct yaml *durability = yaml_get(sync, "dataDurability");
	const struct yaml *min = yaml_get(spec, "minSyncReplicas"),
			  *max = yaml_get(spec, "maxSyncReplicas");
	int64_t lo = 0, hi = 0, instances = 1;

	if (strcmp(text_of(durability), "preferred") == 0 &&
		(yaml_count(yaml_get(sync, "standbyNamesPre")) ||
			yaml_count(yaml_get(sync, "standbyNamesPost"))))
		error_at(r, "postgresql.synchronous.dataDurability", durability,
			"preferred contradicts standbyNamesPre and standbyNamesPost");
	if (yaml_int(min, &lo) || lo < 0)
		lo = 0;
	if (yaml_int(max, &hi) || hi < 0)
		hi = 0;
	if (yaml_int(yaml_get(spec, "instances"), &instances))
		instances = 1;
	if (lo > hi)
		error_at(r, "minSyncReplicas", min, "%lld is more than maxSyncReplicas, %lld",
			(long long)lo, (long long)hi);
	if (hi >= instances && hi > 0)
		error_at(r, "maxSyncReplicas", max,
			"%lld is not less than instances, %lld: the primary is no replica of "
			"itself",
			(long long)hi, (long long)instances);
	if (given(sync) && (lo || hi))
		error_at(r, "postgresql.synchronous", sync->key,
			"contradicts minSyncReplicas and maxSyncReplicas, which it replaces");
}

static void
rule_postgresql(struct spec_reader *r, const struct yaml *spec)
{
	static const char *const auth[] = {"bindAsAuth", "bindSearchAuth", NULL};
	const struct yaml *n = yaml_get(spec, "postgresql");
	size_t was = spec_push(r, "postgresql"), deeper;

	deeper = spec_push(r, "parameters");
	spec_rules_parameters(r, yaml_get(n, "parameters"));
	spec_pop(r, deeper);
	deeper = spec_push(r, "pg_hba");
	rule_hba(r, yaml_get(n, "pg_hba"));
	spec_pop(r, deeper);
	deeper = spec_push(r, "ldap");
	at_most_one(r, yaml_get(n, "ldap"), auth, "LDAP binds in one way");
	spec_pop(r, deeper);
	spec_pop(r, was);
}

/* ---- the rest ---- */

/* A Kubernetes name: it becomes part of file names and of other objects' names. */
static void
rule_name(struct spec_reader *r, const struct yaml *doc)
{
	const struct yaml *n = yaml_path(doc, "metadata.name");
	const char *s = text_of(n);
	size_t len = strlen(s);

	if (!len)
		return;
	if (strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") != len ||
		!isalnum((unsigned char)s[0]) || !isalnum((unsigned char)s[len - 1]))
		error_at(r, "metadata.name", n,
			"\"%.60s\" is no name, expected lower case letters, digits and -", s);
	else if (len > MAX_NAME)
		error_at(r, "metadata.name", n, "%zu characters, expected at most %d", len,
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
		ok = yaml_parse(&tree, &list, n->text, strlen(n->text), NULL, &e) == 0 && list &&
		     list->kind == YAML_LIST && !list->next;
	for (item = ok && list ? list->first : NULL; item; item = item->next)
		ok = ok && item->kind == YAML_TEXT && *item->text;
	if (!ok)
		spec_error(r, n,
			"metadata.annotations: cnpg.io/fencedInstances is \"%.60s\", expected a "
			"list like '[\"pod-1\"]' or '[\"*\"]'",
			n->text);
}

static void
rule_stop(struct spec_reader *r, const struct yaml *spec)
{
	const struct yaml *smart = yaml_get(spec, "smartShutdownTimeout");
	int64_t smart_s, stop_s;

	if (yaml_int(smart, &smart_s) || yaml_int(yaml_get(spec, "stopDelay"), &stop_s))
		return;
	if (smart_s >= stop_s)
		error_at(r, "smartShutdownTimeout", smart,
			"%lld leaves nothing of stopDelay, %lld, for the fast shutdown",
			(long long)smart_s, (long long)stop_s);
}

static void
rule_retention(struct spec_reader *r, const struct yaml *spec)
{
	const struct yaml *n = yaml_path(spec, "backup.retentionPolicy");
	const char *s = text_of(n);
	size_t digits = strspn(s, "0123456789");

	if (!given(n) || !*s)
		return;
	if (!digits || *s == '0' || !s[digits] || !strchr("dwm", s[digits]) || s[digits + 1])
		error_at(r, "backup.retentionPolicy", n,
			"\"%.60s\" is no span, expected a number and d, w or m, like 30d", s);
}

static void
rule_archivers(struct spec_reader *r, const struct yaml *spec)
{
	const struct yaml *list = yaml_get(spec, "plugins"), *n, *first = NULL;
	size_t was = spec_push(r, "plugins"), deeper, i = 0;

	for (n = list && list->kind == YAML_LIST ? list->first : NULL; n; n = n->next, i++) {
		if (!true_at(n, "isWALArchiver"))
			continue;
		deeper = spec_push_index(r, i);
		if (first)
			error_at(r, "isWALArchiver", yaml_get(n, "isWALArchiver"),
				"contradicts line %d: one plugin archives", first->line);
		else if (given(yaml_path(spec, "backup.barmanObjectStore")))
			error_at(r, "isWALArchiver", yaml_get(n, "isWALArchiver"),
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
		if (true_at(n, "disablePassword") && given(yaml_get(n, "passwordSecret")))
			error_at(r, "disablePassword", yaml_get(n, "disablePassword"),
				"contradicts passwordSecret");
		spec_pop(r, deeper);
	}
	spec_pop(r, was);
}

static void
rule_slots(struct spec_reader *r, const struct yaml *spec)
{
	const struct yaml *n = yaml_path(spec, "replicationSlots.highAvailability.slotPrefix");
	const char *s = text_of(n);

	if (s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_")])
		error_at(r, "replicationSlots.highAvailability.slotPrefix", n,
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

	if (given(name) && given(key) &&
		!(path_part_ok(text_of(name)) && path_part_ok(text_of(key))))
		spec_error(r, name,
			"\"%.60s\" and \"%.60s\" are no file name, expected no / and not ..",
			text_of(name), text_of(key));
	for (c = n->first; c; c = c->next, i++) {
		was = c->key ? spec_push(r, c->key->text) : spec_push_index(r, i);
		rule_references(r, c);
		spec_pop(r, was);
	}
}

void
spec_rules_cluster(struct spec_reader *r, const struct yaml *doc)
{
	static const char *const images[] = {"imageName", "imageCatalogRef", NULL};
	const struct yaml *spec = yaml_get(doc, "spec");
	size_t was;

	rule_name(r, doc);
	rule_fenced(r, doc);
	if (!spec || spec->kind != YAML_MAP)
		return;
	was = spec_push(r, "spec");
	at_most_one(r, spec, images, "an image is chosen in one way");
	rule_bootstrap(r, spec);
	rule_replica(r, spec);
	rule_postgresql(r, spec);
	rule_synchronous(r, spec);
	rule_stop(r, spec);
	rule_retention(r, spec);
	rule_archivers(r, spec);
	rule_roles(r, spec);
	rule_slots(r, spec);
	names_differ_in(r, spec, "externalClusters");
	names_differ_in(r, spec, "tablespaces");
	rule_references(r, spec);
	spec_pop(r, was);
}

/* Six fields, seconds first (github.com/robfig/cron); five are Unix cron's, and probably a slip. */
static void
rule_schedule(struct spec_reader *r, const struct yaml *n)
{
	const char *s = text_of(n);
	size_t words = 0;

	if (*s == '@' || !*s)
		return;
	for (; *s; words++) {
		s += strspn(s, " \t");
		s += strcspn(s, " \t");
	}
	if (words == 5)
		spec_warn(r, n,
			"five fields, so the seconds are missing, expected six like "
			"\"0 0 3 * * *\"");
	else if (words != 6)
		spec_error(r, n, "%zu fields, expected six like \"0 0 3 * * *\", seconds first",
			words);
}

void
spec_rules_backup(struct spec_reader *r, const struct yaml *doc, const char *kind)
{
	const struct yaml *schedule = yaml_path(doc, "spec.schedule");
	size_t was = spec_push(r, "spec.schedule");

	if (strcmp(kind, "ScheduledBackup") == 0 && given(schedule))
		rule_schedule(r, schedule);
	spec_pop(r, was);
}

void
spec_rules_pooler(struct spec_reader *r, const struct yaml *doc)
{
	const struct yaml *n = yaml_path(doc, "spec.pgbouncer");
	bool query = *text_of(yaml_get(n, "authQuery")),
	     secret = given(yaml_get(n, "authQuerySecret"));
	size_t was = spec_push(r, "spec.pgbouncer");

	if (query != secret)
		error_at(r, query ? "authQuery" : "authQuerySecret", n->key,
			"%s is missing: the query and who asks it come together",
			query ? "authQuerySecret" : "authQuery");
	spec_pop(r, was);
}
