/*
 * spec - the manifest as a struct: documents, notes, memory.
 */
#include "core/spec.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/spec_reader.h"

#define API_GROUP "postgresql.cnpg.io/"
#define API_VERSION API_GROUP "v1"

/* ---- notes ---- */

enum severity { SEVERITY_INFO, SEVERITY_WARNING, SEVERITY_ERROR };

/* Terminals and logs get what we say, not what a manifest tells them to do. */
static void
make_printable(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = '?';
}

static struct spec_note *
new_note(struct spec_reader *r)
{
	struct spec_notes *n = r->notes;
	struct spec_note *grown;

	if (n->n >= SPEC_MAX_NOTES)
		return NULL;
	if (n->n % 32 == 0) {
		grown = reallocarray(n->item, n->n + 32, sizeof(*grown));
		if (!grown) {
			r->no_memory = true;
			return NULL;
		}
		n->item = grown;
	}
	return &n->item[n->n++];
}

static void add_note(struct spec_reader *r, enum severity severity, struct spec_at at,
	const char *fmt, va_list ap) __attribute__((format(printf, 4, 0)));

static void
add_note(struct spec_reader *r, enum severity severity, struct spec_at at, const char *fmt,
	va_list ap)
{
	struct spec_note note = {
		.error = severity == SEVERITY_ERROR, .info = severity == SEVERITY_INFO, .at = at};
	struct spec_note *kept;
	int len = 0;

	if (*r->path)
		len = snprintf(note.text, sizeof(note.text), "%s: ", r->path);
	vsnprintf(note.text + len, sizeof(note.text) - (size_t)len, fmt, ap);
	make_printable(note.text);
	if (note.error && r->errors++ == 0)
		err_set(r->first, ERR_CONFIG, "%s:%d:%d: %s", r->file, at.line, at.col, note.text);
	kept = new_note(r);
	if (kept)
		*kept = note;
}

static struct spec_at
at_of(const struct yaml *n)
{
	return n ? (struct spec_at){n->line, n->col} : (struct spec_at){0, 0};
}

void
spec_error(struct spec_reader *r, const struct yaml *at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_note(r, SEVERITY_ERROR, at_of(at), fmt, ap);
	va_end(ap);
}

void
spec_warn(struct spec_reader *r, const struct yaml *at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_note(r, SEVERITY_WARNING, at_of(at), fmt, ap);
	va_end(ap);
}

void
spec_info(struct spec_reader *r, const struct yaml *at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_note(r, SEVERITY_INFO, at_of(at), fmt, ap);
	va_end(ap);
}

static void not_yaml(struct spec_reader *r, struct yaml_mark at, const char *fmt, ...) PRINTF(3, 4);

static void
not_yaml(struct spec_reader *r, struct yaml_mark at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_note(r, SEVERITY_ERROR, (struct spec_at){at.line, at.col}, fmt, ap);
	va_end(ap);
}

void
spec_notes_deinit(struct spec_notes *n)
{
	free(n->item);
	*n = (struct spec_notes){0};
}

size_t
spec_push(struct spec_reader *r, const char *name)
{
	size_t was = strlen(r->path);

	snprintf(r->path + was, sizeof(r->path) - was, "%s%.80s", was ? "." : "", name);
	return was;
}

size_t
spec_push_index(struct spec_reader *r, size_t index)
{
	size_t was = strlen(r->path);

	snprintf(r->path + was, sizeof(r->path) - was, "[%zu]", index);
	return was;
}

void
spec_pop(struct spec_reader *r, size_t was)
{
	r->path[was] = '\0';
}

/* ---- memory ---- */

char *
spec_dup(struct spec_reader *r, const char *text)
{
	char *p = strdup(text);

	if (!p)
		r->no_memory = true;
	return p;
}

void *
spec_array(struct spec_reader *r, size_t n, size_t size)
{
	void *p = n ? calloc(n, size) : NULL;

	if (n && !p)
		r->no_memory = true;
	return p;
}

static void
free_list(struct spec_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->item[i].text);
	free(l->item);
}

void
spec_ref_deinit(struct spec_ref *r)
{
	free(r->name);
	free(r->key);
}

static void
free_refs(struct spec_refs *l)
{
	for (size_t i = 0; i < l->n; i++)
		spec_ref_deinit(&l->item[i]);
	free(l->item);
}

void
spec_params_free(struct spec_param *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(p[i].name);
		free(p[i].value);
	}
	free(p);
}

static void
free_initdb(struct spec_initdb *i)
{
	char *text[] = {i->database, i->owner, i->secret, i->encoding, i->locale, i->locale_collate,
		i->locale_ctype, i->locale_provider, i->icu_locale, i->icu_rules,
		i->builtin_locale};

	for (size_t n = 0; n < ARRAY_LEN(text); n++)
		free(text[n]);
	free_list(&i->options);
	free_list(&i->post_init_sql);
	free_list(&i->post_init_application_sql);
	free_list(&i->post_init_template_sql);
	free_refs(&i->post_init_sql_refs);
	free_refs(&i->post_init_application_sql_refs);
	free_refs(&i->post_init_template_sql_refs);
}

static void
free_external(struct spec_external *x)
{
	free(x->name);
	spec_params_free(x->param, x->params);
	spec_ref_deinit(&x->password);
	spec_ref_deinit(&x->ssl_cert);
	spec_ref_deinit(&x->ssl_key);
	spec_ref_deinit(&x->ssl_root_cert);
	spec_store_deinit(&x->store);
}

struct spec *
spec_free(struct spec *s)
{
	if (!s)
		return NULL;
	free(s->name);
	free(s->name_space);
	free_initdb(&s->initdb);
	spec_params_free(s->param, s->params);
	free_list(&s->pg_hba);
	free_list(&s->pg_ident);
	free_list(&s->preload);
	free(s->superuser_secret);
	free(s->replica_source);
	free(s->replica_conninfo);
	spec_params_free(s->priority, s->priorities);
	free(s->bootstrap_source);
	spec_backup_deinit(s);
	for (size_t i = 0; i < s->externals; i++)
		free_external(&s->external[i]);
	free(s->external);
	free_list(&s->fenced);
	free(s->log_level);
	free_refs(&s->monitoring.queries);
	free(s);
	return NULL;
}

/* ---- documents ---- */

/* A Cluster that came along, and whether it is the one. */
struct reading {
	struct spec_reader r;
	const struct spec_source *source;
	struct spec_docs docs; /* the first Cluster that may be ours, and all backups */
	size_t clusters;
};

/* Which of our kinds this is, FIELD_NONE when it is somebody else's. */
static int
kind_of(struct spec_reader *r, const struct yaml *doc)
{
	const struct yaml *kind = yaml_get(doc, "kind"), *api = yaml_get(doc, "apiVersion");
	int root;

	if (doc->kind != YAML_MAP || !*yaml_text(kind)) {
		spec_error(r, doc, "not an object, expected a map with apiVersion, kind and spec");
		return FIELD_NONE;
	}
	if (!*yaml_text(api)) {
		spec_error(r, kind, "apiVersion is missing, expected " API_VERSION);
		return FIELD_NONE;
	}
	root = *yaml_text(kind) == '@' ? FIELD_NONE : field_root(yaml_text(kind));
	if (strncmp(yaml_text(api), API_GROUP, strlen(API_GROUP)) != 0)
		root = FIELD_NONE;
	else if (strcmp(yaml_text(api), API_VERSION) != 0)
		spec_error(r, api, "apiVersion: \"%.60s\", expected " API_VERSION, yaml_text(api));
	if (root == FIELD_NONE)
		spec_info(r, kind,
			"kind %.60s (%.60s) is left alone: podgres reads Cluster, ScheduledBackup, "
			"Backup and Pooler of " API_VERSION,
			yaml_text(kind), yaml_text(api));
	return root;
}

/* Is this Cluster ours?  One alone always is. */
static bool
wanted(const struct spec_source *source, const struct yaml *doc)
{
	if (!source->cluster || !*source->cluster)
		return true;
	return strcmp(yaml_text(yaml_path(doc, "metadata.name")), source->cluster) == 0;
}

static void
read_cluster(struct reading *rd, const struct yaml *doc)
{
	rd->clusters++;
	if (!rd->docs.cluster || (!wanted(rd->source, rd->docs.cluster) && wanted(rd->source, doc)))
		rd->docs.cluster = doc;
}

static void
keep_backup(struct reading *rd, const struct yaml *doc)
{
	struct spec_docs *docs = &rd->docs;
	const struct yaml **grown;

	if (docs->n % 32 == 0) {
		grown = reallocarray(docs->item, docs->n + 32, sizeof(void *));
		if (!grown) {
			rd->r.no_memory = true;
			return;
		}
		docs->item = grown;
	}
	docs->item[docs->n++] = doc;
}

static void
read_doc(struct reading *rd, const struct yaml *doc)
{
	const char *kind = yaml_text(yaml_get(doc, "kind"));
	const struct yaml *item;
	int root;

	if (strcmp(kind, "List") == 0) {
		for (item = doc->first ? yaml_get(doc, "items") : NULL,
		    item = item ? item->first : NULL;
			item; item = item->next)
			if (strcmp(yaml_text(yaml_get(item, "kind")), "List") != 0)
				read_doc(rd, item);
		return;
	}
	root = kind_of(&rd->r, doc);
	if (root == FIELD_NONE)
		return;
	if (strcmp(kind, "Cluster") == 0) {
		read_cluster(rd, doc);
		if (!rd->source->checking)
			return;
	}
	if (field_class(root) != FIELD_IMPL)
		spec_warn(&rd->r, yaml_get(doc, "kind"), "kind %s: %s: %s", kind,
			field_class_meaning(field_class(root)), field_text(root));
	spec_check_doc(&rd->r, doc, root);
	if (strcmp(kind, "Cluster") == 0)
		spec_rules_cluster(&rd->r, doc);
	else if (strcmp(kind, "Pooler") == 0)
		spec_rules_pooler(&rd->r, doc);
	else {
		spec_rules_backup(&rd->r, doc, kind);
		keep_backup(rd, doc);
	}
}

/* Exactly one Cluster, or the one that CLUSTER_NAME says. */
static void
choose_cluster(struct reading *rd)
{
	const struct spec_source *source = rd->source;
	struct spec_reader *r = &rd->r;
	const struct yaml *name = yaml_path(rd->docs.cluster, "metadata.name");

	if (rd->clusters == 0) {
		if (!source->checking)
			spec_error(r, NULL, "no document of kind Cluster (" API_VERSION ")");
		return;
	}
	if (wanted(source, rd->docs.cluster)) {
		if (rd->clusters > 1 && (!source->cluster || !*source->cluster)) {
			if (source->checking)
				spec_warn(r, rd->docs.cluster,
					"%zu documents of kind Cluster: podgres run needs "
					"CLUSTER_NAME",
					rd->clusters);
			else
				spec_error(r, rd->docs.cluster,
					"%zu documents of kind Cluster, expected one, or "
					"CLUSTER_NAME",
					rd->clusters);
		}
		return;
	}
	if (rd->clusters > 1 && !source->checking)
		spec_error(r, rd->docs.cluster,
			"none of %zu Clusters is named \"%.60s\" (CLUSTER_NAME)", rd->clusters,
			source->cluster);
	else
		spec_warn(r, name ? name : rd->docs.cluster,
			"metadata.name: \"%.60s\" is not CLUSTER_NAME, \"%.60s\"", yaml_text(name),
			source->cluster);
}

static void
read_documents(struct reading *rd, const struct yaml *docs)
{
	const struct yaml *doc;

	for (doc = docs; doc; doc = doc->next)
		read_doc(rd, doc);
	choose_cluster(rd);
	if (!rd->docs.cluster)
		return;
	if (!rd->source->checking) {
		spec_check_doc(&rd->r, rd->docs.cluster, field_root("Cluster"));
		spec_rules_cluster(&rd->r, rd->docs.cluster);
	}
	spec_rules_schedules(&rd->r, &rd->docs);
	if (rd->r.errors)
		return;
	spec_read_cluster(&rd->r, rd->docs.cluster);
	spec_read_schedules(&rd->r, &rd->docs);
}

/* The order of the file, whatever looked at it first. */
static int
by_place(const void *a, const void *b)
{
	const struct spec_note *x = a, *y = b;

	if (!x->at.line != !y->at.line)
		return x->at.line ? -1 : 1; /* without a place: last */
	if (x->at.line != y->at.line)
		return x->at.line < y->at.line ? -1 : 1;
	if (x->at.col != y->at.col)
		return x->at.col < y->at.col ? -1 : 1;
	return strcmp(x->text, y->text);
}

static void
sort_notes(struct spec_reader *r)
{
	const struct spec_note *n = r->notes->item, *end = n + r->notes->n;

	if (n == end)
		return;
	qsort(r->notes->item, r->notes->n, sizeof(*n), by_place);
	while (n < end && !n->error)
		n++;
	if (n < end)
		err_set(r->first, ERR_CONFIG, "%s:%d:%d: %s", r->file, n->at.line, n->at.col,
			n->text);
}

int
spec_parse_from(struct spec **out, const struct spec_source *source, struct spec_notes *notes,
	struct err *e)
{
	AUTO(yaml_tree_free) struct yaml_tree *tree = NULL;
	AUTO(spec_free) struct spec *s = spec_new(e);
	struct spec_notes own = {0};
	struct yaml_mark at = {0};
	struct reading rd = {.source = source,
		.r = {.spec = s, .notes = notes ? notes : &own, .file = source->file, .first = e}};
	struct err parse = {0};

	if (!s)
		return -1;
	if (yaml_parse(&tree, source->text, source->len, &at, &parse)) {
		if (parse.kind != ERR_CONFIG) {
			*e = parse;
			return -1;
		}
		not_yaml(&rd.r, at, "%s", parse.msg);
	} else {
		read_documents(&rd, yaml_docs(tree));
	}
	sort_notes(&rd.r);
	spec_notes_deinit(&own);
	free(rd.docs.item);
	if (rd.r.no_memory) {
		errno = ENOMEM;
		return err_sys(e, "%s", source->file);
	}
	if (rd.r.errors)
		return -1;
	*out = take(s);
	return 0;
}

const struct spec_external *
spec_external_of(const struct spec *s, const char *name)
{
	for (size_t i = 0; i < s->externals; i++)
		if (strcmp(s->external[i].name, name) == 0)
			return &s->external[i];
	return NULL;
}
