/*
 * spec_reader - what the parts of the manifest reader share.  For src/core/spec*.c only.
 *
 * One reader reads one file: it knows the path of the field at hand, collects the notes, remembers
 * the first error and that memory ran out.  Three passes look at a document: spec_check (every
 * field against the table), spec_read (the tree into a struct spec), spec_rules (what contradicts
 * what).
 */
#pragma once

#include "base/yaml.h"
#include "core/field.h"
#include "core/spec.h"

#define SPEC_MAX_NOTES 1000
#define SPEC_PATH_SIZE 200

struct spec_reader {
	struct spec *spec;        /* being filled */
	struct spec_notes *notes; /* borrowed, never NULL */
	const char *file;
	struct err *first; /* takes the first error */
	size_t errors;
	bool no_memory;
	char path[SPEC_PATH_SIZE]; /* "spec.bootstrap.initdb" */
};

/* Notes about the field at r->path; at says where.  NULL: no place. */
void spec_error(struct spec_reader *r, const struct yaml *at, const char *fmt, ...) PRINTF(3, 4);
void spec_warn(struct spec_reader *r, const struct yaml *at, const char *fmt, ...) PRINTF(3, 4);
void spec_info(struct spec_reader *r, const struct yaml *at, const char *fmt, ...) PRINTF(3, 4);

/* Go one step deeper and back: size_t was = spec_push(r, "name"); ...; spec_pop(r, was); */
size_t spec_push(struct spec_reader *r, const char *name);
size_t spec_push_index(struct spec_reader *r, size_t index);
void spec_pop(struct spec_reader *r, size_t was);

/* Memory for the spec.  NULL sets r->no_memory, and the reading fails as a whole at its end. */
char *spec_dup(struct spec_reader *r, const char *text);
void *spec_array(struct spec_reader *r, size_t n, size_t size); /* NULL without a note for n == 0 */

void spec_check_doc(struct spec_reader *r, const struct yaml *doc, int root);
void spec_read_cluster(struct spec_reader *r, const struct yaml *doc);
void spec_rules_cluster(struct spec_reader *r, const struct yaml *doc);
void spec_rules_postgresql(struct spec_reader *r, const struct yaml *spec);
void spec_rules_retrieval(struct spec_reader *r, const struct yaml *doc);
void spec_rules_backup(struct spec_reader *r, const struct yaml *doc, const char *kind);
void spec_rules_pooler(struct spec_reader *r, const struct yaml *doc);

/* Documents of kind ScheduledBackup and Backup, and the Cluster that was chosen. */
struct spec_docs {
	const struct yaml **item; /* owned */
	size_t n;
	const struct yaml *cluster;
};
void spec_rules_schedules(struct spec_reader *r, const struct spec_docs *docs);

/* spec_failover: doc NULL: the defaults. */
void spec_read_failover(struct spec_reader *r, const struct yaml *doc);
void spec_rules_synchronous(struct spec_reader *r, const struct yaml *spec);
void spec_rules_failover(struct spec_reader *r, const struct yaml *spec);

/* spec_monitoring: doc NULL: the defaults. */
void spec_read_monitoring(struct spec_reader *r, const struct yaml *doc);

/* spec_backup: the archive's part of the spec.  doc NULL: the defaults. */
void spec_read_backup(struct spec_reader *r, const struct yaml *doc);
void spec_read_recovery(struct spec_reader *r, const struct yaml *bootstrap);
void spec_read_schedules(struct spec_reader *r, const struct spec_docs *docs);
void spec_read_store(struct spec_reader *r, struct spec_store *out, const struct yaml *n,
	const char *server_name);
void spec_store_deinit(struct spec_store *s);
void spec_backup_deinit(struct spec *s);
/* Whether a Backup or ScheduledBackup asks for what podgres does: its data in the store. */
bool spec_backup_is_ours(const struct yaml *doc);

/* Parts of spec_read that spec_backup uses as well. */
struct spec_at spec_place(const struct yaml *n);
void spec_set(struct spec_reader *r, char **slot, const char *text);
struct spec_ref spec_read_ref(struct spec_reader *r, const struct yaml *n, bool secret);
size_t spec_read_params(struct spec_reader *r, const struct yaml *map, struct spec_param **out);
void spec_ref_deinit(struct spec_ref *ref);
void spec_params_free(struct spec_param *p, size_t n);

/* At most one of the named fields of a map is given; why says it in a few words. */
void spec_at_most_one(
	struct spec_reader *r, const struct yaml *map, const char *const *names, const char *why);
/* The names in a list of maps differ. */
void spec_names_differ(struct spec_reader *r, const struct yaml *map, const char *field);

/* An error about the field at a path below r->path. */
#define spec_error_at(r, sub, n, ...)            \
	do {                                     \
		size_t was_ = spec_push(r, sub); \
		spec_error(r, n, __VA_ARGS__);   \
		spec_pop(r, was_);               \
	} while (0)
