/*
 * spec_backup - the archive in a manifest: stores, backups by the clock, recovery.
 *
 * As spec_read: runs only on documents without errors.  Defaults are CloudNativePG's.
 */
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "base/quantity.h"
#include "core/spec_reader.h"

#define DEFAULT_WAL_PARALLEL 1
#define DEFAULT_DATA_JOBS 2

static int
count_at(const struct yaml *map, const char *path, int otherwise)
{
	int64_t v;

	return yaml_int(yaml_path(map, path), &v) ? otherwise : (int)v;
}

static void
set_from(struct spec_reader *r, char **slot, const struct yaml *map, const char *path)
{
	spec_set(r, slot, yaml_text(yaml_path(map, path)));
}

/* ---- stores ---- */

void
spec_store_deinit(struct spec_store *s)
{
	char *text[] = {s->destination, s->endpoint, s->server_name, s->wal_compression,
		s->wal_encryption, s->data_compression, s->data_encryption};
	struct spec_ref *ref[] = {
		&s->endpoint_ca, &s->access_key, &s->secret_key, &s->session_token, &s->region};

	for (size_t i = 0; i < ARRAY_LEN(text); i++)
		free(text[i]);
	for (size_t i = 0; i < ARRAY_LEN(ref); i++)
		spec_ref_deinit(ref[i]);
	spec_params_free(s->tag, s->tags);
	spec_params_free(s->history_tag, s->history_tags);
	*s = (struct spec_store){0};
}

static void
read_credentials(struct spec_reader *r, struct spec_store *s, const struct yaml *n)
{
	const struct {
		const char *name;
		struct spec_ref *ref;
	} refs[] = {{"accessKeyId", &s->access_key}, {"secretAccessKey", &s->secret_key},
		{"sessionToken", &s->session_token}, {"region", &s->region}};

	for (size_t i = 0; i < ARRAY_LEN(refs); i++)
		*refs[i].ref = spec_read_ref(r, yaml_get(n, refs[i].name), true);
	s->inherit = yaml_true(n, "inheritFromIAMRole");
}

/* n NULL: there is no such store, all texts are "". */
void
spec_read_store(struct spec_reader *r, struct spec_store *out, const struct yaml *n,
	const char *server_name)
{
	const char *server = yaml_text(yaml_get(n, "serverName"));
	struct spec_store s = {.set = yaml_given(n), .at = spec_place(n)};

	set_from(r, &s.destination, n, "destinationPath");
	set_from(r, &s.endpoint, n, "endpointURL");
	spec_set(r, &s.server_name, *server ? server : s.set ? server_name : "");
	s.endpoint_ca = spec_read_ref(r, yaml_get(n, "endpointCA"), true);
	read_credentials(r, &s, yaml_get(n, "s3Credentials"));
	set_from(r, &s.wal_compression, n, "wal.compression");
	set_from(r, &s.wal_encryption, n, "wal.encryption");
	s.wal_parallel = count_at(n, "wal.maxParallel", DEFAULT_WAL_PARALLEL);
	set_from(r, &s.data_compression, n, "data.compression");
	set_from(r, &s.data_encryption, n, "data.encryption");
	s.data_jobs = count_at(n, "data.jobs", DEFAULT_DATA_JOBS);
	s.immediate_checkpoint = yaml_true(yaml_get(n, "data"), "immediateCheckpoint");
	s.tags = spec_read_params(r, yaml_get(n, "tags"), &s.tag);
	s.history_tags = spec_read_params(r, yaml_get(n, "historyTags"), &s.history_tag);
	spec_store_deinit(out);
	*out = s;
}

/* ---- spec.backup ---- */

void
spec_read_backup(struct spec_reader *r, const struct yaml *doc)
{
	const struct yaml *n = yaml_path(doc, "spec.backup");
	const char *often = yaml_text(yaml_get(n, "continuous")),
		   *above = yaml_text(yaml_get(n, "dropAbove"));
	struct spec_backup *b = &r->spec->backup;
	struct err e = {0};

	spec_read_store(r, &b->store, yaml_get(n, "barmanObjectStore"),
		yaml_text(yaml_path(doc, "metadata.name")));
	set_from(r, &b->retention, n, "retentionPolicy");
	b->prefer_standby = strcmp(yaml_text(yaml_get(n, "target")), "primary") != 0;
	b->when_down = strcmp(yaml_text(yaml_get(n, "whenStoreFails")), "drop-with-gap") == 0
			       ? SPEC_DOWN_DROP
			       : SPEC_DOWN_STOP;
	b->continuous_ms = b->drop_bytes = 0;
	if (*often && duration_parse(often, &b->continuous_ms, &e))
		b->continuous_ms = 0; /* the check has refused it already, here and below */
	if (*above && quantity_bytes(above, &b->drop_bytes, &e))
		b->drop_bytes = 0;
	b->at = spec_place(n);
}

/* ---- bootstrap.recovery ---- */

static void
recovery_deinit(struct spec_recovery *v)
{
	char *text[] = {v->source, v->backup_name, v->backup_id, v->target_tli, v->target_xid,
		v->target_name, v->target_lsn, v->target_time, v->database, v->owner, v->secret};

	for (size_t i = 0; i < ARRAY_LEN(text); i++)
		free(text[i]);
	*v = (struct spec_recovery){0};
}

/* database, owner and secret mean the same in pg_basebackup. */
void
spec_read_recovery(struct spec_reader *r, const struct yaml *bootstrap)
{
	const struct yaml *n = yaml_get(bootstrap, "recovery"),
			  *target = yaml_get(n, "recoveryTarget"),
			  *of = yaml_given(n) ? n : yaml_get(bootstrap, "pg_basebackup");
	struct spec_recovery v = {
		.set = yaml_given(n), .at = spec_place(n), .target_at = spec_place(target)};

	set_from(r, &v.source, n, "source");
	set_from(r, &v.backup_name, n, "backup.name");
	set_from(r, &v.backup_id, target, "backupID");
	set_from(r, &v.target_tli, target, "targetTLI");
	set_from(r, &v.target_xid, target, "targetXID");
	set_from(r, &v.target_name, target, "targetName");
	set_from(r, &v.target_lsn, target, "targetLSN");
	set_from(r, &v.target_time, target, "targetTime");
	v.target_immediate = yaml_true(target, "targetImmediate");
	v.exclusive = yaml_true(target, "exclusive");
	set_from(r, &v.database, of, "database");
	set_from(r, &v.owner, of, "owner");
	set_from(r, &v.secret, of, "secret.name");
	recovery_deinit(&r->spec->recovery);
	r->spec->recovery = v;
}

/* ---- kind: ScheduledBackup, kind: Backup ---- */

bool
spec_backup_is_ours(const struct yaml *doc)
{
	const char *method = yaml_text(yaml_path(doc, "spec.method"));

	return !*method || strcmp(method, "barmanObjectStore") == 0;
}

static struct spec_schedule
read_schedule(struct spec_reader *r, const struct yaml *doc)
{
	const struct yaml *n = yaml_get(doc, "spec"), *target = yaml_get(n, "target");
	struct spec_schedule s = {.at = spec_place(n)};
	bool b;

	set_from(r, &s.name, doc, "metadata.name");
	set_from(r, &s.schedule, n, "schedule");
	s.once = strcmp(yaml_text(yaml_get(doc, "kind")), "Backup") == 0;
	s.suspend = yaml_true(n, "suspend");
	s.immediate = yaml_true(n, "immediate");
	s.target_set = yaml_given(target);
	s.prefer_standby = strcmp(yaml_text(target), "primary") != 0;
	s.immediate_checkpoint = SPEC_UNSET;
	if (yaml_bool(yaml_path(n, "onlineConfiguration.immediateCheckpoint"), &b) == 0)
		s.immediate_checkpoint = b ? SPEC_TRUE : SPEC_FALSE;
	return s;
}

void
spec_read_schedules(struct spec_reader *r, const struct spec_docs *docs)
{
	struct spec *s = r->spec;
	const struct yaml *doc;

	s->schedule = spec_array(r, docs->n, sizeof(*s->schedule));
	for (size_t i = 0; s->schedule && i < docs->n; i++) {
		doc = docs->item[i];
		if (strcmp(yaml_text(yaml_path(doc, "spec.cluster.name")), s->name) == 0 &&
			spec_backup_is_ours(doc))
			s->schedule[s->schedules++] = read_schedule(r, doc);
	}
}

void
spec_backup_deinit(struct spec *s)
{
	spec_store_deinit(&s->backup.store);
	free(s->backup.retention);
	recovery_deinit(&s->recovery);
	for (size_t i = 0; i < s->schedules; i++) {
		free(s->schedule[i].name);
		free(s->schedule[i].schedule);
	}
	free(s->schedule);
}
