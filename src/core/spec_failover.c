/*
 * spec_failover - who acknowledges, and who takes over: spec.postgresql.synchronous,
 * maximumLagOnFailover and failoverPriority.
 */
#include <stdlib.h>
#include <string.h>

#include "base/quantity.h"
#include "core/spec_reader.h"

#define PRIORITY_MAX 1000000

static int
number_at(const struct yaml *n, int otherwise)
{
	int64_t v;

	return yaml_int(n, &v) == 0 && v >= 0 && v <= INT32_MAX ? (int)v : otherwise;
}

static struct spec_sync
read_sync(const struct yaml *spec)
{
	const struct yaml *n = yaml_path(spec, "postgresql.synchronous");
	const char *durability = yaml_text(yaml_get(n, "dataDurability"));
	struct spec_sync s = {0};

	if (!yaml_given(n)) {
		/* The older way: as many as there are up to the one, at least the other. */
		s.number = number_at(yaml_get(spec, "maxSyncReplicas"), 0);
		s.least = number_at(yaml_get(spec, "minSyncReplicas"), 0);
		return s;
	}
	s.first = strcmp(yaml_text(yaml_get(n, "method")), "first") == 0;
	s.number = number_at(yaml_get(n, "number"), 0);
	s.least = strcmp(durability, "preferred") == 0 ? 0 : s.number;
	s.max_names = number_at(yaml_get(n, "maxStandbyNamesFromCluster"), 0);
	return s;
}

void
spec_read_failover(struct spec_reader *r, const struct yaml *doc)
{
	const struct yaml *spec = yaml_get(doc, "spec");
	const char *lag = yaml_text(yaml_get(spec, "maximumLagOnFailover"));
	struct spec *s = r->spec;
	struct err e;

	s->sync = read_sync(spec);
	s->priorities = spec_read_params(r, yaml_get(spec, "failoverPriority"), &s->priority);
	s->failover_lag_bytes = -1;
	if (*lag && quantity_bytes(lag, &s->failover_lag_bytes, &e) < 0)
		s->failover_lag_bytes = -1; /* the check has refused it already */
}

/* ---- what contradicts what ---- */

/* A commit that somebody outside has acknowledged may be on no member that can take over. */
static void
rule_names(struct spec_reader *r, const struct yaml *sync, const char *field)
{
	const struct yaml *n = yaml_get(sync, field);
	size_t was = spec_push(r, "postgresql.synchronous");

	if (yaml_count(n))
		spec_error_at(r, field, n,
			"only members of the cluster may acknowledge commits: no other could take "
			"over with them");
	spec_pop(r, was);
}

static void
rule_most_names(struct spec_reader *r, const struct yaml *sync)
{
	const struct yaml *n = yaml_get(sync, "maxStandbyNamesFromCluster");
	int64_t most, number;

	if (yaml_int(n, &most) == 0 && yaml_int(yaml_get(sync, "number"), &number) == 0 &&
		most < number)
		spec_error_at(r, "postgresql.synchronous.maxStandbyNamesFromCluster", n,
			"%lld is less than number, %lld", (long long)most, (long long)number);
}

void
spec_rules_failover(struct spec_reader *r, const struct yaml *spec)
{
	const struct yaml *map = yaml_get(spec, "failoverPriority"), *n;
	size_t was = spec_push(r, "failoverPriority");
	int64_t v;

	for (n = map && map->kind == YAML_MAP ? map->first : NULL; n; n = n->next)
		if (yaml_int(n, &v) || v < 0 || v > PRIORITY_MAX)
			spec_error_at(r, n->key->text, n,
				"\"%.40s\" is no priority, expected 0 to %d", yaml_text(n),
				PRIORITY_MAX);
	spec_pop(r, was);
}

void
spec_rules_synchronous(struct spec_reader *r, const struct yaml *spec)
{
	const struct yaml *sync = yaml_path(spec, "postgresql.synchronous");
	const struct yaml *durability = yaml_get(sync, "dataDurability");
	const struct yaml *min = yaml_get(spec, "minSyncReplicas"),
			  *max = yaml_get(spec, "maxSyncReplicas");
	int64_t lo = 0, hi = 0, instances = 1, number;

	if (strcmp(yaml_text(durability), "preferred") == 0 &&
		(yaml_count(yaml_get(sync, "standbyNamesPre")) ||
			yaml_count(yaml_get(sync, "standbyNamesPost"))))
		spec_error_at(r, "postgresql.synchronous.dataDurability", durability,
			"preferred contradicts standbyNamesPre and standbyNamesPost");
	rule_names(r, sync, "standbyNamesPre");
	rule_names(r, sync, "standbyNamesPost");
	rule_most_names(r, sync);
	if (strcmp(yaml_text(yaml_get(sync, "failoverQuorum")), "false") == 0)
		spec_info(r, yaml_get(sync, "failoverQuorum"),
			"postgresql.synchronous.failoverQuorum: podgres asks for the quorum all "
			"the same: an acknowledged commit is not "
			"left behind");
	if (yaml_int(min, &lo) || lo < 0)
		lo = 0;
	if (yaml_int(max, &hi) || hi < 0)
		hi = 0;
	if (yaml_int(yaml_get(spec, "instances"), &instances))
		instances = 1;
	if (lo > hi)
		spec_error_at(r, "minSyncReplicas", min, "%lld is more than maxSyncReplicas, %lld",
			(long long)lo, (long long)hi);
	if (hi >= instances && hi > 0)
		spec_error_at(r, "maxSyncReplicas", max,
			"%lld is not less than instances, %lld: the primary is no replica of "
			"itself",
			(long long)hi, (long long)instances);
	if (yaml_int(yaml_get(sync, "number"), &number) == 0 &&
		number >= instances + (int64_t)yaml_count(yaml_get(sync, "standbyNamesPre")) +
				  (int64_t)yaml_count(yaml_get(sync, "standbyNamesPost")))
		spec_error_at(r, "postgresql.synchronous.number", yaml_get(sync, "number"),
			"%lld standbys cannot be had of %lld instances and the names given",
			(long long)number, (long long)instances);
	if (yaml_given(sync) && (lo || hi))
		spec_error_at(r, "postgresql.synchronous", sync->key,
			"contradicts minSyncReplicas and maxSyncReplicas, which it replaces");
}
