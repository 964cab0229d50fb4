/*
 * conf - render podgres.conf and podgres.user.conf.
 */
#include "pg/conf.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/quantity.h"
#include "core/guc.h"

enum how { FIXED, MADE, OPEN };

enum owned {
#define OWNED(id, min, max, how, text, reason) OWNED_##id,
#include "tbl/conf_owned.h"
#undef OWNED
	OWNED_SETTINGS
};

static const struct {
	const char *name;
	int min, max;
	enum how how;
	const char *text, *reason;
} owned_row[] = {
#define OWNED(id, min, max, how, text, reason) [OWNED_##id] = {#id, min, max, how, text, reason},
#include "tbl/conf_owned.h"
#undef OWNED
};

static const struct {
	const char *name;
	int min, max;
	const char *text, *why;
	bool member;
} default_row[] = {
#define DEFAULT(id, min, max, text, why) {#id, min, max, text, why, false},
#define MEMBER_DEFAULT(id, min, max, text, why) {#id, min, max, text, why, true},
#include "tbl/conf_defaults.h"
#undef MEMBER_DEFAULT
#undef DEFAULT
};

static bool
given(const char *s)
{
	return s && *s;
}

static bool
known(int major, int min, int max)
{
	return major >= min && (max == 0 || major <= max);
}

const char *
conf_owned_reason(const char *name)
{
	if (strncasecmp(name, "podgres.", 8) == 0)
		return "names that begin so are for podgres itself";
	return guc_refused(name);
}

bool
conf_owned_row(size_t i, const char **name, bool *open)
{
	if (i >= ARRAY_LEN(owned_row))
		return false;
	*name = owned_row[i].name;
	*open = owned_row[i].how == OPEN;
	return true;
}

const struct spec_param *
conf_param(const struct spec *spec, const char *name)
{
	for (size_t i = spec->params; i > 0; i--)
		if (strcasecmp(spec->param[i - 1].name, name) == 0)
			return &spec->param[i - 1];
	return NULL;
}

const char *
conf_wanted(const struct conf_input *in, const char *name)
{
	const struct conf_setting *s = conf_settings_get(in->auto_conf, name);
	const struct spec_param *p = conf_param(in->spec, name);

	if (s)
		return s->value;
	if (p)
		return p->value;
	return conf_settings_value(in->base, name, NULL);
}

int
conf_port(const struct spec *spec, int fallback)
{
	const struct spec_param *p = conf_param(spec, "port");
	long v = p ? strtol(p->value, NULL, 10) : fallback;

	return v > 0 && v <= 65535 ? (int)v : fallback;
}

/* ---- checks ---- */

static int
bad_param(const struct conf_input *in, const struct spec_param *p, const char *why, struct err *e)
{
	return err_set(e, ERR_CONFIG, "%s:%d:%d: spec.postgresql.parameters.%s: %s",
		given(in->file) ? in->file : "manifest", p->at.line, p->at.col, p->name, why);
}

static int
check_param(const struct conf_input *in, const struct spec_param *p, struct err *e)
{
	const char *reason = conf_owned_reason(p->name);
	char why[256];

	if (!conf_name_ok(p->name))
		return bad_param(in, p, "this cannot be the name of a setting", e);
	if (reason) {
		snprintf(why, sizeof(why), "podgres sets this parameter: %s", reason);
		return bad_param(in, p, why, e);
	}
	if (conf_param(in->spec, p->name) != p)
		return bad_param(in, p, "it stands there twice (case does not count)", e);
	if (strcasecmp(p->name, "port") == 0 && conf_port(in->spec, 0) == 0)
		return bad_param(in, p, "expected a port, 1 to 65535", e);
	return 0;
}

int
conf_check(const struct conf_input *in, struct err *e)
{
	for (size_t i = 0; i < in->spec->params; i++)
		if (check_param(in, &in->spec->param[i], e))
			return -1;
	return 0;
}

/* ---- podgres.user.conf ---- */

static void
put_setting(struct buf *out, const char *name, const char *value)
{
	buf_printf(out, "%s = ", name);
	conf_quote(out, value);
}

/* Whole megabytes of WAL, at least min_segments segments. */
static const char *
megabytes(char *text, size_t size, const struct conf_input *in, int64_t bytes, int min_segments)
{
	int64_t segment = in->wal_segment_bytes ? in->wal_segment_bytes : 16 << 20;

	if (bytes < min_segments * segment)
		bytes = min_segments * segment;
	snprintf(text, size, "%lldMB", (long long)((bytes + (1 << 20) - 1) >> 20));
	return text;
}

/* PostgreSQL's own default is for segments of 16 MB, and refused with much larger ones; initdb
 * takes as many segments as here. */
static const char *
for_segments(char *text, size_t size, const struct conf_input *in, int64_t usual, int segments)
{
	if (INT64_C(2) * in->wal_segment_bytes <= usual)
		return NULL;
	return megabytes(text, size, in, 0, segments);
}

/* Sizes that follow the WAL volume; NULL: PostgreSQL's own default is right.  wal_keep_size alone
 * is chosen on large volumes, too: it is what a standby without a slot can count on. */
static const char *
sized(char *text, size_t size, const struct conf_input *in, const char *name)
{
	int64_t volume = in->wal_volume_bytes;
	bool small = volume > 0 && volume < INT64_C(3) << 30;

	if (strcmp(name, "wal_keep_size") == 0)
		return volume == 0 || volume >= INT64_C(8) << 30 ? "512MB"
		       : volume < INT64_C(512) << 20             ? "0"
						     : megabytes(text, size, in, volume / 16, 0);
	if (strcmp(name, "recovery_init_sync_method") == 0)
		return in->syncfs ? "syncfs" : NULL;
	if (strcmp(name, "max_slot_wal_keep_size") == 0)
		return volume > 0 ? megabytes(text, size, in, volume / 3, 4) : NULL;
	if (strcmp(name, "max_wal_size") == 0)
		return small ? megabytes(text, size, in, volume / 3, 2)
			     : for_segments(text, size, in, INT64_C(1) << 30, 64);
	if (small && volume < INT64_C(512) << 20)
		return megabytes(text, size, in, 0, 2);
	return for_segments(text, size, in, INT64_C(80) << 20, small ? 2 : 5);
}

/* initdb writes these two into every postgresql.conf; nobody chose them. */
static bool
by_initdb(const struct conf_setting *s)
{
	return (strcasecmp(s->name, "max_wal_size") == 0 && strcmp(s->value, "1GB") == 0) ||
	       (strcasecmp(s->name, "min_wal_size") == 0 && strcmp(s->value, "80MB") == 0);
}

static bool
chosen(const struct conf_input *in, const char *name)
{
	const struct conf_setting *s = conf_settings_get(in->base, name);

	return conf_param(in->spec, name) || (s && !by_initdb(s));
}

static void
put_defaults(struct buf *out, const struct conf_input *in)
{
	char text[32];

	for (size_t i = 0; i < ARRAY_LEN(default_row); i++) {
		const char *name = default_row[i].name, *value = default_row[i].text;

		if (!known(in->major, default_row[i].min, default_row[i].max) || chosen(in, name) ||
			(default_row[i].member && !in->coordinated))
			continue;
		/* Without an archive it would switch segments for nobody. */
		if (strcmp(name, "archive_timeout") == 0 && !given(in->archive_command))
			continue;
		if (!*value)
			value = sized(text, sizeof(text), in, name);
		if (!value)
			continue;
		put_setting(out, name, value);
		buf_printf(out, " # %s\n", default_row[i].why);
	}
}

int
conf_render_user(struct buf *out, const struct conf_input *in, struct err *e)
{
	buf_puts(out, "# podgres.user.conf - written by podgres; changes made here are lost.\n"
		      "# Change postgresql.parameters of the manifest instead.\n");
	buf_puts(out, "\n# what podgres chooses where nobody else has\n");
	put_defaults(out, in);
	buf_puts(out, "\n# parameters of the manifest\n");
	for (size_t i = 0; i < in->spec->params; i++) {
		const struct spec_param *p = &in->spec->param[i];

		if (conf_owned_reason(p->name) || strcasecmp(p->name, "port") == 0)
			continue;
		put_setting(out, p->name, p->value);
		buf_putc(out, '\n');
	}
	return buf_check(out, e);
}

/* ---- podgres.conf ---- */

struct limit {
	enum owned id;
	int32_t demand;
	int32_t initial; /* PostgreSQL's default */
};

static bool
limit_of(enum owned id, const struct conf_input *in, struct limit *out)
{
	const struct conf_control_limits *d = &in->demand;
	const struct limit all[] = {
		{OWNED_max_connections, d->max_connections, 100},
		{OWNED_max_worker_processes, d->max_worker_processes, 32},
		{OWNED_max_wal_senders, d->max_wal_senders, 10},
		{OWNED_max_prepared_transactions, d->max_prepared_transactions, 0},
		{OWNED_max_locks_per_transaction, d->max_locks_per_transaction, 64},
	};

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (all[i].id == id) {
			*out = all[i];
			return true;
		}
	return false;
}

/* Writes the demand when what is configured falls short of it. */
static bool
made_limit(struct buf *v, const struct conf_input *in, const struct limit *l)
{
	const char *wanted = conf_wanted(in, owned_row[l->id].name);
	int64_t have = l->initial;
	struct err ignored = {0};

	if (wanted && quantity_pg_int(wanted, &have, &ignored))
		have = l->initial;
	if (!in->recovery || have >= l->demand)
		return false;
	buf_printf(v, "%d", l->demand);
	return true;
}

static bool
put_if(struct buf *v, bool when, const char *text)
{
	if (when)
		buf_puts(v, text);
	return when;
}

/* At most 63 bytes of printable ASCII, as PostgreSQL would make of it. */
static bool
made_name(struct buf *v, const char *name)
{
	for (size_t i = 0; given(name) && name[i] && i < 63; i++)
		buf_putc(v, name[i] >= 0x20 && name[i] < 0x7f ? name[i] : '?');
	return given(name);
}

void
conf_conninfo_put(struct buf *out, const char *option, const char *value)
{
	buf_printf(out, " %s='", option);
	for (const char *p = value; *p; p++) {
		if (*p == '\'' || *p == '\\')
			buf_putc(out, '\\');
		buf_putc(out, *p);
	}
	buf_putc(out, '\'');
}

static bool
made_conninfo(struct buf *v, const struct conf_input *in)
{
	const char *info = in->spec->replica_conninfo;

	if (in->coordinated && (given(in->primary) || !given(info)))
		return put_if(v, true, given(in->primary) ? in->primary : "");
	if (!in->standby || !given(info))
		return false;
	buf_puts(v, info);
	if (given(in->conninfo_files))
		buf_puts(v, in->conninfo_files);
	if (given(in->member) && !strstr(info, "application_name"))
		conf_conninfo_put(v, "application_name", in->member);
	return true;
}

static bool
made_tls(enum owned id, struct buf *v, const struct conf_input *in)
{
	bool on = given(in->ssl_cert) && given(in->ssl_key);

	switch (id) {
	case OWNED_ssl:
		return put_if(v, on || in->ssl_off, on ? "on" : "off");
	case OWNED_ssl_cert_file:
		return put_if(v, on, in->ssl_cert);
	case OWNED_ssl_key_file:
		return put_if(v, on, in->ssl_key);
	default:
		return put_if(v, on, given(in->ssl_ca) ? in->ssl_ca : "");
	}
}

/* A data_directory in postgresql.conf that names another folder would send postgres there. */
static bool
made_data_directory(struct buf *v, const struct conf_input *in)
{
	const char *there = conf_settings_value(in->base, "data_directory", NULL);

	return put_if(v, there && strcmp(there, in->pgdata) != 0, in->pgdata);
}

/* PostgreSQL complains about an empty name, so the file is written where there is a folder. */
static bool
made_pid_file(struct buf *v, const struct conf_input *in)
{
	if (!conf_wanted(in, "external_pid_file"))
		return false;
	buf_printf(v, "%s/postgres.pid", in->socket_dir);
	return true;
}

/* Without a manifest the files of the data directory decide, and stay in force as they are. */
static bool
made_preload(struct buf *v, const struct conf_input *in)
{
	static const char name[] = "shared_preload_libraries";

	return in->manifest && (conf_preload(v, in) > 0 || conf_settings_get(in->auto_conf, name) ||
				       conf_settings_get(in->base, name));
}

/* Without an archive the mode is off, so that no command can pretend to have stored something. */
static bool
made_archive(enum owned id, struct buf *v, const struct conf_input *in)
{
	const char *level = conf_wanted(in, "wal_level");
	bool on = given(in->archive_command);

	switch (id) {
	case OWNED_archive_mode:
		/* A standby keeps and marks what the primary has not archived yet. */
		return put_if(v, true,
			!on                              ? "off"
			: in->coordinated && !in->driven ? "always"
							 : "on");
	case OWNED_archive_command:
		return put_if(v, on, in->archive_command);
	case OWNED_archive_library:
		return put_if(v, on && conf_wanted(in, "archive_library"), "");
	case OWNED_wal_level:
		return put_if(v, on && level && strcasecmp(level, "minimal") == 0, "replica");
	default:
		if (given(in->restore_command))
			return put_if(v, true, in->restore_command);
		return in->restore_command_gone;
	}
}

static bool
made(enum owned id, struct buf *v, const struct conf_input *in)
{
	struct limit l;

	if (limit_of(id, in, &l))
		return made_limit(v, in, &l);
	switch (id) {
	case OWNED_port:
		buf_printf(v, "%d", in->port);
		return true;
	case OWNED_unix_socket_directories:
		return put_if(v, true, in->socket_dir);
	case OWNED_hba_file:
		return put_if(v, true, in->hba_file);
	case OWNED_ident_file:
		return put_if(v, true, in->ident_file);
	case OWNED_data_directory:
		return made_data_directory(v, in);
	case OWNED_external_pid_file:
		return made_pid_file(v, in);
	case OWNED_cluster_name:
		return made_name(v, in->cluster_name);
	case OWNED_allow_alter_system:
		return put_if(v, in->manifest, in->spec->alter_system ? "on" : "off");
	case OWNED_huge_pages:
		return put_if(v, in->huge_pages_off, "off");
	case OWNED_shared_preload_libraries:
		return made_preload(v, in);
	case OWNED_log_destination:
		return put_if(v, true, in->major >= 15 ? "jsonlog" : "csvlog");
	case OWNED_log_directory:
		return put_if(v, true, in->log_dir);
	case OWNED_archive_mode:
	case OWNED_archive_command:
	case OWNED_archive_library:
	case OWNED_wal_level:
	case OWNED_restore_command:
		return made_archive(id, v, in);
	case OWNED_primary_conninfo:
		return made_conninfo(v, in);
	case OWNED_primary_slot_name:
		return put_if(v, in->coordinated, given(in->slot) ? in->slot : "");
	case OWNED_synchronous_standby_names:
		return put_if(v, in->coordinated, given(in->sync_names) ? in->sync_names : "");
	case OWNED_wal_log_hints:
		return put_if(v, in->coordinated, "on");
	case OWNED_recovery_target_timeline:
		return put_if(v, in->standby, "latest");
	default:
		return made_tls(id, v, in);
	}
}

static int
put_owned(struct buf *out, enum owned id, const struct conf_input *in, struct err *e)
{
	AUTO(buf_deinit) struct buf v = {0};

	if (!known(in->major, owned_row[id].min, owned_row[id].max))
		return 0;
	if (owned_row[id].how == FIXED)
		buf_puts(&v, owned_row[id].text);
	else if (!made(id, &v, in))
		return 0;
	if (buf_check(&v, e))
		return -1;
	put_setting(out, owned_row[id].name, buf_str(&v));
	buf_printf(out, " # %s\n", owned_row[id].reason);
	return 0;
}

int
conf_render_owned(struct buf *out, const struct conf_input *in, const char *hash, struct err *e)
{
	buf_puts(out,
		"# podgres.conf - what podgres owns; written by podgres, changes are lost.\n\n");
	for (int id = 0; id < OWNED_SETTINGS; id++)
		if (put_owned(out, (enum owned)id, in, e))
			return -1;
	if (given(hash)) {
		put_setting(out, "podgres.config_hash", hash);
		buf_putc(out, '\n');
	}
	return buf_check(out, e);
}
