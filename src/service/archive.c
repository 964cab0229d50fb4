/*
 * archive - one Barman folder of a store, opened as the manifest says.
 *
 * Process: see archive.h.  What the manifest calls a secret is a file below the secrets folder; the
 * store reads it, here only its name is made.
 */
#include "service/archive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sys/file.h"

/* What the store borrows for its life. */
struct archive_keep {
	char ca[FILE_PATH_MAX], access[FILE_PATH_MAX], secret[FILE_PATH_MAX],
		session[FILE_PATH_MAX], region[FILE_PATH_MAX];
	struct store_tag *tag;
};

/* "" for a reference that is not given. */
static int
secret_path(char out[FILE_PATH_MAX], const struct run_options *opt, const struct spec_ref *ref,
	struct err *e)
{
	out[0] = '\0';
	if (!ref->name || !*ref->name)
		return 0;
	if (snprintf(out, FILE_PATH_MAX, "%s/%s/%s", opt->secrets_dir, ref->name, ref->key) <
		FILE_PATH_MAX)
		return 0;
	return err_set(
		e, ERR_CONFIG, "the path of the secret %s/%s is too long", ref->name, ref->key);
}

static int
keep_paths(struct archive_keep *k, const struct spec_store *s, const struct run_options *opt,
	struct err *e)
{
	return secret_path(k->ca, opt, &s->endpoint_ca, e) ||
			       secret_path(k->access, opt, &s->access_key, e) ||
			       secret_path(k->secret, opt, &s->secret_key, e) ||
			       secret_path(k->session, opt, &s->session_token, e) ||
			       secret_path(k->region, opt, &s->region, e)
		       ? -1
		       : 0;
}

static struct store_tag *
make_tags(const struct spec_param *from, size_t n)
{
	struct store_tag *tag = calloc(n ? n : 1, sizeof(*tag));

	for (size_t i = 0; tag && i < n; i++)
		tag[i] = (struct store_tag){from[i].name, from[i].value};
	return tag;
}

static const struct spec_store *
find_store(const struct spec *spec, const char *external, struct err *e)
{
	const struct spec_external *x;

	if (!external) {
		if (spec->backup.store.set && *spec->backup.store.destination)
			return &spec->backup.store;
		(void)err_set(e, ERR_CONFIG,
			"spec.backup.barmanObjectStore: the manifest names no archive");
		return NULL;
	}
	x = spec_external_of(spec, external);
	if (x && x->store.set && *x->store.destination)
		return &x->store;
	(void)err_set(e, ERR_CONFIG, "externalClusters: %s has no barmanObjectStore", external);
	return NULL;
}

static int
archive_codecs(struct archive *a, struct err *e)
{
	const struct spec_store *s = a->spec;

	if (codec_parse(s->wal_compression, &a->wal_codec) < 0)
		return err_set(e, ERR_CONFIG, "%s: no such compression of WAL: %s", a->label,
			s->wal_compression);
	if (codec_parse(s->data_compression, &a->data_codec) < 0)
		return err_set(e, ERR_CONFIG, "%s: no such compression of data: %s", a->label,
			s->data_compression);
	return 0;
}

static int
archive_store(struct archive *a, const struct run_options *opt,
	const struct archive_patience *patience, struct err *e)
{
	const struct spec_store *s = a->spec;
	struct archive_keep *k = a->keep;
	struct store_spec spec = {.url = s->destination,
		.endpoint = s->endpoint,
		.ca_file = k->ca,
		.access_key_file = k->access,
		.secret_key_file = k->secret,
		.session_token_file = k->session,
		.region_file = k->region,
		.inherit = s->inherit,
		.encryption = s->wal_encryption,
		.tag = k->tag,
		.tags = s->tags};

	if (keep_paths(k, s, opt, e) < 0)
		return -1;
	if (patience) {
		spec.total_ms = patience->total_ms;
		spec.attempts = patience->attempts;
		spec.cancelled = patience->cancelled;
		spec.cancelled_arg = patience->arg;
	}
	return store_open(&a->store, &spec, e);
}

int
archive_open_from(struct archive **out, const struct archive_source *from, struct err *e)
{
	AUTO(archive_close) struct archive *a = calloc(1, sizeof(*a));
	struct archive_keep *k = calloc(1, sizeof(*k));

	if (!a || !k) {
		free(k);
		return err_sys(e, "open an archive");
	}
	a->keep = k;
	a->spec = find_store(from->spec, from->external, e);
	if (!a->spec)
		return -1;
	k->tag = make_tags(a->spec->tag, a->spec->tags);
	a->history_tag = make_tags(a->spec->history_tag, a->spec->history_tags);
	a->history_tags = a->spec->history_tags;
	if (!k->tag || !a->history_tag)
		return err_sys(e, "open an archive");
	snprintf(a->server, sizeof(a->server), "%s", a->spec->server_name);
	snprintf(a->label, sizeof(a->label), "%s", from->external ? from->external : "own");
	a->wal_parallel = a->spec->wal_parallel > 0 ? a->spec->wal_parallel : 1;
	a->data_jobs = a->spec->data_jobs > 0 ? a->spec->data_jobs : 2;
	if (archive_codecs(a, e) < 0 || archive_store(a, from->opt, from->patience, e) < 0)
		return -1;
	*out = take(a);
	return 0;
}

void
archive_rest(struct archive *a)
{
	a->push_codec = codec_free(a->push_codec);
	buf_deinit(&a->push_body);
	free(a->push_block);
	a->push_block = NULL;
}

struct archive *
archive_close(struct archive *a)
{
	struct archive_keep *k = a ? a->keep : NULL;

	if (!a)
		return NULL;
	archive_rest(a);
	store_close(a->store);
	if (k)
		free(k->tag);
	free(k);
	free(a->history_tag);
	free(a);
	return NULL;
}
