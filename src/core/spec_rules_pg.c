/*
 * spec_rules_pg - what contradicts what in spec.postgresql: parameters, pg_hba
 * replication.
 */
#include <string.h>
#include <strings.h>

#include "core/guc.h"
#include "core/spec_reader.h"

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
	if (refused && guc_harmless(n->key->text, yaml_text(n))) {
		spec_info(r, n->key, "passed over, CloudNativePG writes it: %s", refused);
		return;
	}
	if (refused) {
		spec_error(r, n->key, "podgres sets this parameter: %s", refused);
		return;
	}
	if (n->kind == YAML_TEXT && guc_check(n->key->text, yaml_text(n), &e))
		spec_error(r, n, "%s", e.msg);
	suggest_init(&s, n->key->text);
	if (!strchr(n->key->text, '.') && !guc_known(n->key->text))
		guc_offer(&s);
	if (s.best && s.cost == 1)
		spec_warn(r, n->key, "is this a slip of the pen for %s?", s.best);
}

static void
rule_parameters(struct spec_reader *r, const struct yaml *map)
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
		for (line = yaml_text(n); line; line = strchr(line, '\n')) {
			line += *line == '\n';
			if (!hba_first_word_ok(line))
				spec_error(r, n,
					"\"%.40s\" is no rule, expected local, host, hostssl, "
					"hostnossl, hostgssenc or hostnogssenc first",
					line);
		}
		if (strstr(yaml_text(n), "${podselector:"))
			spec_warn(r, n,
				"podSelectorRefs are not in this version: the rule allows nobody");
		spec_pop(r, was);
	}
}

void
spec_rules_postgresql(struct spec_reader *r, const struct yaml *spec)
{
	static const char *const auth[] = {"bindAsAuth", "bindSearchAuth", NULL};
	const struct yaml *n = yaml_get(spec, "postgresql");
	size_t was = spec_push(r, "postgresql"), deeper;

	deeper = spec_push(r, "parameters");
	rule_parameters(r, yaml_get(n, "parameters"));
	spec_pop(r, deeper);
	deeper = spec_push(r, "pg_hba");
	rule_hba(r, yaml_get(n, "pg_hba"));
	spec_pop(r, deeper);
	deeper = spec_push(r, "ldap");
	spec_at_most_one(r, yaml_get(n, "ldap"), auth, "LDAP binds in one way");
	spec_pop(r, deeper);
	spec_pop(r, was);
}
