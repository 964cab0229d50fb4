/*
 * collector_files - users' queries: the files that the manifest names.
 *
 * The manifest and the files are read every few seconds and held against what was read before: a
 * ConfigMap changes by a symlink that points elsewhere.  What did not change keeps its rows.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "service/collector.h"
#include "service/spec_file.h"
#include "sys/file.h"

#define FILES_MS 3000
#define FILE_MAX ((size_t)1 << 20)

struct load {
	struct collector *c;
	struct metric_set *set;
	struct metric_notes notes;
	struct sha256 hash;
	char first[320]; /* the first error: FILE:LINE:COL: ... */
	uint32_t files, warnings;
};

/* As CloudNativePG names them, but for the file that postgres_exporter calls queries.yaml: the
 * names in there are whole. */
const char *
collector_prefix(const char *file)
{
	return strcmp(file, "queries.yaml") == 0 || strcmp(file, "queries.yml") == 0 ? "" : "cnpg_";
}

static void
load_note(struct load *l, const char *file, const char *fmt_text)
{
	l->warnings++;
	if (!l->first[0])
		snprintf(l->first, sizeof(l->first), "%s: %s", file, fmt_text);
}

static void
load_notes(struct load *l, const char *file, size_t from)
{
	for (size_t i = from; i < l->notes.n; i++) {
		const struct metric_note *n = &l->notes.item[i];
		char text[320];

		snprintf(text, sizeof(text), "%d:%d: %s", n->line, n->col, n->text);
		load_note(l, file, text);
	}
}

static void
load_file(struct load *l, const struct spec_ref *ref)
{
	const struct metric_source source = {ref->key, collector_prefix(ref->key)};
	AUTO(buf_deinit) struct buf text = {0};
	char path[2 * PATH_LEN];
	size_t from = l->notes.n;
	struct err e;

	snprintf(path, sizeof(path), "%s/%.255s/%.255s", l->c->s->opt->secrets_dir, ref->name,
		ref->key);
	l->files++;
	if (file_read(&text, path, FILE_MAX, &e) < 0) {
		sha256_put(&l->hash, e.msg, strlen(e.msg));
		load_note(l, path, e.msg);
		return;
	}
	sha256_put(&l->hash, path, strlen(path));
	sha256_put(&l->hash, buf_str(&text), text.len);
	if (metric_set_read(l->set, &text, &source, &l->notes, &e) < 0 && l->notes.n == from)
		load_note(l, path, e.msg);
	load_notes(l, path, from);
}

/* ---- taking over ---- */

static void
drop_users(struct collector *c)
{
	size_t n = 0;

	if (c->slow.step != SLOW_OFF || c->sweep.step != SLOW_OFF)
		collector_hang_up(c);
	for (size_t i = 0; i < c->queries; i++)
		if (c->query[i].q->builtin)
			c->query[n++] = c->query[i];
		else
			query_deinit(&c->query[i]);
	c->queries = n;
}

static void
drop_builtin(struct collector *c)
{
	for (size_t i = 0; i < c->queries; i++)
		query_deinit(&c->query[i]);
	c->queries = 0;
}

static bool
has_builtin(const struct collector *c)
{
	return c->queries > 0 && c->query[0].q->builtin;
}

/* A query of a user may have the name of a default one: its metrics lose then, its group is
 * called otherwise. */
static void
name_apart(struct collector *c)
{
	struct metrics_group *last = &c->query[c->queries - 1].group;

	for (size_t i = 0; i + 1 < c->queries; i++)
		if (strcmp(c->query[i].group.name, last->name) == 0)
			snprintf(last->name, sizeof(last->name), "%.55s/user",
				c->query[c->queries - 1].q->id);
}

/* The names of prepared statements are places in the list: they begin anew. */
static void
take_set(struct collector *c, struct load *l, bool defaults)
{
	drop_users(c);
	if (has_builtin(c) != defaults) {
		drop_builtin(c);
		collector_hang_up(c);
		for (size_t i = 0; defaults && i < metric_builtin_count; i++)
			query_init(&c->query[c->queries++], &metric_builtin[i]);
	}
	metric_set_free(c->users);
	c->users = l->set;
	l->set = NULL;
	for (size_t i = 0; i < metric_set_count(c->users); i++) {
		if (c->queries == COLLECTOR_QUERIES) {
			load_note(l, "users' queries", "there are too many of them");
			break;
		}
		query_init(&c->query[c->queries++], metric_set_at(c->users, i));
		name_apart(c);
	}
	c->changed = true;
}

static void
take_load(struct collector *c, struct load *l, bool defaults)
{
	take_set(c, l, defaults);
	c->facts.files = l->files;
	c->facts.warnings = l->warnings;
	snprintf(c->facts.file_error, sizeof(c->facts.file_error), "%s", l->first);
	if (l->first[0])
		log_warning("queries of users are left out", F_STR("error", l->first),
			F_INT("findings", l->warnings),
			F_STR("hint", "podgres check FILE shows all"));
	if (l->files)
		log_info("queries of users are read", F_INT("files", l->files),
			F_INT("queries", (int64_t)metric_set_count(c->users)));
}

/* The manifest is parsed again only when it is another file or was written to. */
static const struct spec *
files_spec(struct collector *c)
{
	struct spec *spec = NULL;
	struct stat st = {0};
	struct err e;

	if (*c->s->opt->config && stat(c->s->opt->config, &st) < 0)
		return c->spec;
	if (c->spec && st.st_ino == c->spec_ino && st.st_mtim.tv_sec == c->spec_time.tv_sec &&
		st.st_mtim.tv_nsec == c->spec_time.tv_nsec)
		return c->spec;
	/* A broken one keeps what there is; everybody says so already. */
	if (spec_file_load(&spec, c->s->opt, NULL, &e) < 0)
		return c->spec;
	spec_free(c->spec);
	c->spec = spec;
	c->spec_ino = st.st_ino;
	c->spec_time = st.st_mtim;
	return spec;
}

void
collector_files_look(struct collector *c)
{
	struct load l = {.c = c};
	const struct spec *spec;
	char hash[SHA256_HEX_SIZE];
	bool defaults;

	if (clock_boot_ns() < c->files_due_ns)
		return;
	c->files_due_ns = clock_boot_ns() + FILES_MS * MS_NS;
	spec = files_spec(c);
	if (!spec)
		return;
	l.set = metric_set_new();
	defaults = !spec->monitoring.disable_default;
	sha256_init(&l.hash);
	sha256_put(&l.hash, defaults ? "1" : "0", 1);
	for (size_t i = 0; l.set && i < spec->monitoring.queries.n; i++)
		load_file(&l, &spec->monitoring.queries.item[i]);
	sha256_end_hex(&l.hash, hash);
	c->ttl_ms = spec->monitoring.ttl_ms;
	if (l.set && strcmp(hash, c->files_hash) != 0) {
		take_load(c, &l, defaults);
		snprintf(c->files_hash, sizeof(c->files_hash), "%s", hash);
	}
	metric_set_free(l.set);
	metric_notes_deinit(&l.notes);
}
