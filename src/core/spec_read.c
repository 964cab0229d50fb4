/*
 * spec_read - the tree of a Cluster into a struct spec.
 *
 * Runs only on a document without errors: types are known to fit, so what does not is "not given".
 */
#include "core/spec_reader.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/quantity.h"
#include "core/guc.h"
#include "core/lease_time.h"

/* What holds when the manifest, or the whole file, says nothing. */
#define DEFAULT_START_DELAY_S 3600
#define DEFAULT_STOP_DELAY_S 1800
#define DEFAULT_SWITCHOVER_DELAY_S 3600
#define DEFAULT_LOG_LEVEL "info"
#define DEFAULT_DATABASE "app"

/* ---- single values ---- */

struct spec_at
spec_place(const struct yaml *n)
{
	return n ? (struct spec_at){n->line, n->col} : (struct spec_at){0, 0};
}

void
spec_set(struct spec_reader *r, char **slot, const char *text)
{
	free(*slot);
	*slot = spec_dup(r, text);
}

static int64_t
int_at(const struct yaml *doc, const char *path, int64_t otherwise)
{
	int64_t v;

	return yaml_int(yaml_path(doc, path), &v) ? otherwise : v;
}

static bool
bool_at(const struct yaml *doc, const char *path, bool otherwise)
{
	bool v;

	return yaml_bool(yaml_path(doc, path), &v) ? otherwise : v;
}

struct spec_ref
spec_read_ref(struct spec_reader *r, const struct yaml *n, bool secret)
{
	return (struct spec_ref){.name = spec_dup(r, yaml_text(yaml_get(n, "name"))),
		.key = spec_dup(r, yaml_text(yaml_get(n, "key"))),
		.secret = secret,
		.at = spec_place(n)};
}

/* ---- lists ---- */

static struct spec_list
read_list(struct spec_reader *r, const struct yaml *list)
{
	struct spec_list l = {0};
	const struct yaml *n;

	l.item = spec_array(r, yaml_count(list), sizeof(*l.item));
	for (n = l.item ? list->first : NULL; n; n = n->next)
		l.item[l.n++] = (struct spec_text){spec_dup(r, yaml_text(n)), spec_place(n)};
	return l;
}

/* First all Secrets, then all ConfigMaps, each in their order: as CloudNativePG runs them. */
static struct spec_refs
read_sql_refs(struct spec_reader *r, const struct yaml *n)
{
	const struct yaml *secrets = yaml_get(n, "secretRefs"),
			  *maps = yaml_get(n, "configMapRefs");
	struct spec_refs l = {0};
	const struct yaml *c;

	l.item = spec_array(r, yaml_count(secrets) + yaml_count(maps), sizeof(*l.item));
	if (!l.item)
		return l;
	for (c = secrets ? secrets->first : NULL; c; c = c->next)
		l.item[l.n++] = spec_read_ref(r, c, true);
	for (c = maps ? maps->first : NULL; c; c = c->next)
		l.item[l.n++] = spec_read_ref(r, c, false);
	return l;
}

size_t
spec_read_params(struct spec_reader *r, const struct yaml *map, struct spec_param **out)
{
	const struct yaml *n;
	size_t i = 0;

	*out = spec_array(r, yaml_count(map), sizeof(**out));
	for (n = *out ? map->first : NULL; n; n = n->next, i++)
		(*out)[i] = (struct spec_param){
			spec_dup(r, n->key->text), spec_dup(r, yaml_text(n)), spec_place(n)};
	return i;
}

/* ---- parts of the manifest ---- */

static void
read_initdb(struct spec_reader *r, const struct yaml *n)
{
	struct spec_initdb *i = &r->spec->initdb;
	const struct {
		const char *name;
		char **slot;
	} texts[] = {
		{"encoding", &i->encoding},
		{"locale", &i->locale},
		{"localeCollate", &i->locale_collate},
		{"localeCType", &i->locale_ctype},
		{"localeProvider", &i->locale_provider},
		{"icuLocale", &i->icu_locale},
		{"icuRules", &i->icu_rules},
		{"builtinLocale", &i->builtin_locale},
	};
	const char *database = yaml_text(yaml_get(n, "database")),
		   *owner = yaml_text(yaml_get(n, "owner"));
	bool b;

	r->spec->has_initdb = true;
	spec_set(r, &i->database, *database ? database : DEFAULT_DATABASE);
	spec_set(r, &i->owner, *owner ? owner : *database ? database : DEFAULT_DATABASE);
	spec_set(r, &i->secret, yaml_text(yaml_path(n, "secret.name")));
	for (size_t t = 0; t < ARRAY_LEN(texts); t++)
		spec_set(r, texts[t].slot, yaml_text(yaml_get(n, texts[t].name)));
	if (yaml_bool(yaml_get(n, "dataChecksums"), &b) == 0)
		i->data_checksums = b ? SPEC_TRUE : SPEC_FALSE;
	i->wal_segment_mb = (int)int_at(n, "walSegmentSize", 0);
	i->options = read_list(r, yaml_get(n, "options"));
	i->post_init_sql = read_list(r, yaml_get(n, "postInitSQL"));
	i->post_init_application_sql = read_list(r, yaml_get(n, "postInitApplicationSQL"));
	i->post_init_template_sql = read_list(r, yaml_get(n, "postInitTemplateSQL"));
	i->post_init_sql_refs = read_sql_refs(r, yaml_get(n, "postInitSQLRefs"));
	i->post_init_application_sql_refs =
		read_sql_refs(r, yaml_get(n, "postInitApplicationSQLRefs"));
	i->post_init_template_sql_refs = read_sql_refs(r, yaml_get(n, "postInitTemplateSQLRefs"));
}

static void
read_bootstrap(struct spec_reader *r, const struct yaml *doc)
{
	static const struct {
		const char *name;
		enum spec_bootstrap is;
	} methods[] = {{"initdb", SPEC_BOOT_INITDB}, {"recovery", SPEC_BOOT_RECOVERY},
		{"pg_basebackup", SPEC_BOOT_PG_BASEBACKUP}};
	const struct yaml *bootstrap = yaml_path(doc, "spec.bootstrap"), *n;

	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		n = yaml_get(bootstrap, methods[i].name);
		if (yaml_is_null(n))
			continue;
		r->spec->bootstrap = methods[i].is;
		r->spec->bootstrap_at = spec_place(n->key);
		if (methods[i].is == SPEC_BOOT_INITDB)
			read_initdb(r, n);
		else
			spec_set(r, &r->spec->bootstrap_source, yaml_text(yaml_get(n, "source")));
	}
	spec_read_recovery(r, bootstrap);
}

static struct spec_external
read_external(struct spec_reader *r, const struct yaml *n)
{
	struct spec_external x = {.at = spec_place(n)};

	x.name = spec_dup(r, yaml_text(yaml_get(n, "name")));
	x.params = spec_read_params(r, yaml_get(n, "connectionParameters"), &x.param);
	x.password = spec_read_ref(r, yaml_get(n, "password"), true);
	x.ssl_cert = spec_read_ref(r, yaml_get(n, "sslCert"), true);
	x.ssl_key = spec_read_ref(r, yaml_get(n, "sslKey"), true);
	x.ssl_root_cert = spec_read_ref(r, yaml_get(n, "sslRootCert"), true);
	spec_read_store(
		r, &x.store, yaml_get(n, "barmanObjectStore"), yaml_text(yaml_get(n, "name")));
	return x;
}

static void
read_externals(struct spec_reader *r, const struct yaml *list)
{
	struct spec *s = r->spec;
	const struct yaml *n;

	s->external = spec_array(r, yaml_count(list), sizeof(*s->external));
	for (n = s->external ? list->first : NULL; n; n = n->next)
		s->external[s->externals++] = read_external(r, n);
}

/* libpq, "Connection Strings": a value in single quotes, with \ before ' and \. */
static void
put_conninfo(struct buf *out, const struct spec_param *p)
{
	const char *c;

	buf_printf(out, "%s%s='", out->len ? " " : "", p->name);
	for (c = p->value; *c; c++) {
		if (*c == '\'' || *c == '\\')
			buf_putc(out, '\\');
		buf_putc(out, *c);
	}
	buf_putc(out, '\'');
}

static void
read_replica(struct spec_reader *r, const struct yaml *doc)
{
	AUTO(buf_deinit) struct buf conninfo = {0};
	const struct spec_external *x;
	struct spec *s = r->spec;

	s->replica_enabled = bool_at(doc, "spec.replica.enabled", false);
	spec_set(r, &s->replica_source, yaml_text(yaml_path(doc, "spec.replica.source")));
	if (r->no_memory || !s->replica_enabled)
		return;
	x = spec_external_of(s, s->replica_source);
	for (size_t i = 0; x && i < x->params; i++)
		put_conninfo(&conninfo, &x->param[i]);
	if (conninfo.failed)
		r->no_memory = true;
	spec_set(r, &s->replica_conninfo, buf_str(&conninfo));
}

/* The annotation is JSON text, '["pod-1"]', and JSON is YAML. */
static void
read_fenced(struct spec_reader *r, const struct yaml *doc)
{
	AUTO(yaml_tree_free) struct yaml_tree *tree = NULL;
	const struct yaml *n =
		yaml_get(yaml_path(doc, "metadata.annotations"), "cnpg.io/fencedInstances");
	struct err e = {0};

	if (!n || yaml_parse(&tree, n->text, strlen(n->text), NULL, &e))
		return;
	r->spec->fenced = read_list(r, yaml_docs(tree));
	for (size_t i = 0; i < r->spec->fenced.n; i++)
		r->spec->fenced.item[i].at = spec_place(n);
}

static void
read_times(struct spec_reader *r, const struct yaml *doc)
{
	struct spec *s = r->spec;
	const struct {
		const char *path;
		int64_t *ms;
	} times[] = {
		{"spec.startDelay", &s->start_delay_ms},
		{"spec.stopDelay", &s->stop_delay_ms},
		{"spec.smartShutdownTimeout", &s->smart_shutdown_ms},
		{"spec.switchoverDelay", &s->switchover_delay_ms},
		{"spec.failoverDelay", &s->failover_delay_ms},
	};

	for (size_t i = 0; i < ARRAY_LEN(times); i++)
		*times[i].ms = int_at(doc, times[i].path, *times[i].ms / 1000) * 1000;
}

static void
read_lease(struct spec_reader *r, const struct yaml *doc)
{
	const struct yaml *n = yaml_path(doc, "spec.primaryLease");
	struct spec_lease *l = &r->spec->lease;

	l->duration_s = int_at(n, "leaseDurationSeconds", LEASE_DURATION_S);
	l->renew_s = int_at(n, "renewDeadlineSeconds", LEASE_RENEW_S);
	l->retry_s = int_at(n, "retryPeriodSeconds", LEASE_RETRY_S);
	l->released_s = int_at(n, "releasedLeaseDurationSeconds", LEASE_RELEASED_S);
	n = yaml_path(doc, "spec.probes.liveness.isolationCheck");
	l->failsafe = bool_at(n, "enabled", true);
	l->failsafe_ask_ms = int_at(n, "requestTimeout", LEASE_ASK_MS);
}

static void
read_readiness(struct spec_reader *r, const struct yaml *doc)
{
	const struct yaml *n = yaml_path(doc, "spec.probes.readiness");
	const char *type = yaml_text(yaml_get(n, "type"));
	struct err e = {0};

	/* pg_isready and query are the policy that a replica may follow the archive, or nobody. */
	r->spec->ready_needs_streaming = !*type || strcmp(type, "streaming") == 0;
	if (*yaml_text(yaml_get(n, "maximumLag")) &&
		quantity_bytes(
			yaml_text(yaml_get(n, "maximumLag")), &r->spec->maximum_lag_bytes, &e))
		r->spec->maximum_lag_bytes = -1; /* the check has refused it already */
}

/* What CloudNativePG writes into every Cluster and podgres sets itself is passed over. */
static void
drop_harmless(struct spec *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->params; i++) {
		if (!guc_refused(s->param[i].name)) {
			s->param[kept++] = s->param[i];
			continue;
		}
		free(s->param[i].name);
		free(s->param[i].value);
	}
	s->params = kept;
}

/* A rule for pods that cannot be found allows nobody; one that rejects them rejects everybody. */
static void
close_podselectors(struct spec_reader *r, struct spec_list *hba)
{
	const char *rule, *from, *to;
	size_t kept = 0;
	char *all = NULL;

	for (size_t i = 0; i < hba->n; i++) {
		rule = hba->item[i].text;
		from = strstr(rule, "${podselector:");
		to = from ? strchr(from, '}') : NULL;
		if (!from) {
			hba->item[kept++] = hba->item[i];
			continue;
		}
		if (to && strstr(to, "reject")) {
			if (asprintf(&all, "%.*sall%s", (int)(from - rule), rule, to + 1) < 0)
				r->no_memory = true;
			else
				hba->item[kept++] = (struct spec_text){all, hba->item[i].at};
		}
		free(hba->item[i].text);
	}
	hba->n = kept;
}

/* As given: what parameters imply, like libraries to preload, is the renderer's business. */
static void
read_postgresql(struct spec_reader *r, const struct yaml *doc)
{
	const struct yaml *n = yaml_path(doc, "spec.postgresql");
	struct spec *s = r->spec;

	s->params = spec_read_params(r, yaml_get(n, "parameters"), &s->param);
	s->pg_hba = read_list(r, yaml_get(n, "pg_hba"));
	if (!r->no_memory) {
		drop_harmless(s);
		close_podselectors(r, &s->pg_hba);
	}
	s->pg_ident = read_list(r, yaml_get(n, "pg_ident"));
	s->preload = read_list(r, yaml_get(n, "shared_preload_libraries"));
	s->alter_system = bool_at(n, "enableAlterSystem", false);
}

void
spec_read_cluster(struct spec_reader *r, const struct yaml *doc)
{
	struct spec *s = r->spec;
	const char *level = yaml_text(yaml_path(doc, "spec.logLevel"));

	spec_set(r, &s->name, yaml_text(yaml_path(doc, "metadata.name")));
	spec_set(r, &s->name_space, yaml_text(yaml_path(doc, "metadata.namespace")));
	s->instances = (int)int_at(doc, "spec.instances", 1);
	read_bootstrap(r, doc);
	read_postgresql(r, doc);
	s->superuser_access = bool_at(doc, "spec.enableSuperuserAccess", false);
	spec_set(r, &s->superuser_secret, yaml_text(yaml_path(doc, "spec.superuserSecret.name")));
	read_externals(r, yaml_path(doc, "spec.externalClusters"));
	read_replica(r, doc);
	read_fenced(r, doc);
	read_times(r, doc);
	read_lease(r, doc);
	spec_read_failover(r, doc);
	read_readiness(r, doc);
	spec_read_backup(r, doc);
	spec_read_monitoring(r, doc);
	spec_set(r, &s->log_level, *level ? level : DEFAULT_LOG_LEVEL);
}

/* ---- defaults ---- */

static void
default_texts(struct spec_reader *r)
{
	struct spec *s = r->spec;
	struct spec_initdb *i = &s->initdb;
	char **slot[] = {&s->name, &s->name_space, &s->superuser_secret, &s->replica_source,
		&s->replica_conninfo, &s->bootstrap_source, &i->database, &i->owner, &i->secret,
		&i->encoding, &i->locale, &i->locale_collate, &i->locale_ctype, &i->locale_provider,
		&i->icu_locale, &i->icu_rules, &i->builtin_locale};

	for (size_t n = 0; n < ARRAY_LEN(slot); n++)
		spec_set(r, slot[n], "");
	spec_set(r, &s->log_level, DEFAULT_LOG_LEVEL);
	read_lease(r, NULL);
	spec_read_failover(r, NULL);
	spec_read_backup(r, NULL);
	spec_read_monitoring(r, NULL);
	spec_read_recovery(r, NULL);
}

struct spec *
spec_new(struct err *e)
{
	AUTO(spec_free) struct spec *s = calloc(1, sizeof(*s));
	struct spec_reader r = {.spec = s};

	if (s) {
		s->instances = 1;
		s->initdb.data_checksums = SPEC_UNSET;
		s->start_delay_ms = DEFAULT_START_DELAY_S * 1000;
		s->stop_delay_ms = DEFAULT_STOP_DELAY_S * 1000;
		s->switchover_delay_ms = DEFAULT_SWITCHOVER_DELAY_S * 1000;
		s->maximum_lag_bytes = -1;
		s->ready_needs_streaming = true;
		default_texts(&r);
	}
	if (!s || r.no_memory) {
		err_sys(e, "out of memory");
		return NULL;
	}
	return take(s);
}
