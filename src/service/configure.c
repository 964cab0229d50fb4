/*
 * configure - render PGDATA's configuration, try it, write it.
 *
 * Process: the jobs prepare and configure.  The order is: find out, render into memory, compare
 * with what is there, let postgres read the new files beside the old ones, replace.  Up to the last
 * step nothing of PGDATA has changed, so that a broken manifest leaves a running server alone.
 */
#include "service/configure_files.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/hash.h"
#include "base/log.h"
#include "sys/file.h"

#define MAX_CONF_BYTES (4 << 20)

static const char *const names[CONFIGURE_FILES] = {
	[CONFIGURE_HBA] = "podgres.pg_hba.conf",
	[CONFIGURE_IDENT] = "podgres.pg_ident.conf",
	[CONFIGURE_USER] = CONF_USER_FILE,
	[CONFIGURE_OWNED] = CONF_OWNED_FILE,
	[CONFIGURE_MAIN] = "postgresql.conf",
	[CONFIGURE_AUTO] = "postgresql.auto.conf",
};

const char *
configure_file_name(enum configure_file f)
{
	return names[f];
}

void
configure_deinit(struct configure *c)
{
	conf_settings_deinit(&c->base);
	conf_settings_deinit(&c->auto_conf);
	buf_deinit(&c->old_main);
	buf_deinit(&c->old_auto);
	buf_deinit(&c->own_hba);
	buf_deinit(&c->own_ident);
	buf_deinit(&c->primary);
	buf_deinit(&c->conninfo);
	buf_deinit(&c->archive_command);
	buf_deinit(&c->restore_command);
	for (int i = 0; i < CONFIGURE_FILES; i++)
		buf_deinit(&c->text[i]);
}

static inline void
configure_deinit_auto(struct configure *c)
{
	configure_deinit(c);
}

void
configure_note(struct plan *plan, const char *fmt, ...)
{
	char text[sizeof(plan->warning[0])];
	const char *line = text;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (uint32_t i = 0; i < plan->warnings; i++)
		if (strcmp(plan->warning[i], text) == 0)
			return;
	log_warning("found while configuring", F_STR("warning", line));
	if (plan->warnings < PLAN_WARNINGS)
		memcpy(plan->warning[plan->warnings++], text, sizeof(text));
}

/* ---- the plan ---- */

static bool
is_fenced(const struct spec_list *fenced, const char *pod)
{
	for (size_t i = 0; i < fenced->n; i++)
		if (strcmp(fenced->item[i].text, "*") == 0 ||
			strcmp(fenced->item[i].text, pod) == 0)
			return true;
	return false;
}

void
configure_failover(struct plan_failover *out, const struct spec *spec)
{
	*out = (struct plan_failover){.instances = spec->instances,
		.first = spec->sync.first,
		.number = spec->sync.number,
		.least = spec->sync.least,
		.max_names = spec->sync.max_names,
		.lag_bytes = spec->failover_lag_bytes};
	for (size_t i = 0; i < spec->priorities && i < PLAN_PRIORITIES; i++) {
		struct plan_priority *p = &out->priority[out->priorities++];

		snprintf(p->name, sizeof(p->name), "%.63s", spec->priority[i].name);
		p->priority = atoi(spec->priority[i].value);
	}
}

void
configure_plan(struct plan *plan, const struct spec *spec, const char *pod)
{
	plan->start_delay_ms = spec->start_delay_ms;
	plan->stop_delay_ms = spec->stop_delay_ms;
	plan->smart_ms = spec->smart_shutdown_ms;
	plan->switchover_ms = spec->switchover_delay_ms;
	plan->max_lag_bytes = spec->maximum_lag_bytes;
	plan->ready_needs_streaming = spec->ready_needs_streaming;
	plan->fenced_by_manifest = is_fenced(&spec->fenced, pod);
	configure_failover(&plan->failover, spec);
}

/* ---- render ---- */

/* The parts are separated, so that a byte cannot move from one file to the next unseen. */
static void
hash_files(struct configure *c, char out[SHA256_HEX_SIZE])
{
	struct sha256 s;

	sha256_init(&s);
	for (int i = CONFIGURE_HBA; i <= CONFIGURE_OWNED; i++)
		sha256_put(&s, buf_str(&c->text[i]), c->text[i].len + 1);
	sha256_end_hex(&s, out);
}

static int
render_generated(struct configure *c, struct err *e)
{
	char hash[SHA256_HEX_SIZE];

	if (conf_check(&c->in, e) || hba_render(&c->text[CONFIGURE_HBA], &c->hba, e) ||
		hba_ident_render(&c->text[CONFIGURE_IDENT], &c->hba, e) ||
		conf_render_user(&c->text[CONFIGURE_USER], &c->in, e) ||
		conf_render_owned(&c->text[CONFIGURE_OWNED], &c->in, "", e))
		return -1;
	hash_files(c, hash);
	buf_reset(&c->text[CONFIGURE_OWNED]);
	if (conf_render_owned(&c->text[CONFIGURE_OWNED], &c->in, hash, e))
		return -1;
	memcpy(c->plan->config_hash, hash, sizeof(hash));
	return 0;
}

/* Values that may hold a password. */
static bool
is_secret(const char *name)
{
	return strcasecmp(name, "primary_conninfo") == 0 ||
	       strcasecmp(name, "restore_command") == 0;
}

static void
warn_dropped(
	struct configure *c, const struct conf_settings *owned, const struct conf_settings *dropped)
{
	for (size_t i = 0; i < dropped->n; i++) {
		const struct conf_setting *was = &dropped->item[i];
		const char *now = conf_settings_value(owned, was->name, "");

		if (strcmp(was->value, now) == 0)
			continue;
		if (is_secret(was->name))
			configure_warn(c->plan,
				"%s is taken out of postgresql.auto.conf: podgres sets it",
				was->name);
		else
			configure_warn(c->plan,
				"%s, \"%.80s\" by ALTER SYSTEM, is taken out of "
				"postgresql.auto.conf: podgres sets it, to \"%.80s\"",
				was->name, was->value, now);
	}
}

/* A parameter of the manifest that ALTER SYSTEM overrides does nothing; somebody should know. */
static void
warn_hidden(struct configure *c)
{
	for (size_t i = 0; i < c->spec->params; i++) {
		const struct spec_param *p = &c->spec->param[i];
		const struct conf_setting *s = conf_settings_get(&c->auto_conf, p->name);

		if (s && strcmp(s->value, p->value) != 0)
			configure_warn(c->plan,
				"%s is \"%.60s\" by ALTER SYSTEM, which wins over \"%.60s\" of the "
				"manifest: ALTER SYSTEM RESET %s ends that",
				p->name, s->value, p->value, p->name);
	}
}

static int
render_edited(struct configure *c, struct err *e)
{
	AUTO(conf_settings_deinit) struct conf_settings owned = {0}, dropped = {0};
	const struct buf *made = &c->text[CONFIGURE_OWNED];
	const struct conf_text owned_text = {buf_str(made), made->len, CONF_OWNED_FILE};
	const struct conf_text main_text = {buf_str(&c->old_main), c->old_main.len, c->main_file};
	const struct conf_text auto_text = {
		buf_str(&c->old_auto), c->old_auto.len, "postgresql.auto.conf"};

	if (conf_parse(&owned, &owned_text, NULL, NULL, e))
		return -1;
	if (conf_main_render(
		    &c->text[CONFIGURE_MAIN], &main_text, CONF_USER_FILE, CONF_OWNED_FILE, e))
		return -1;
	if (conf_auto_render(&c->text[CONFIGURE_AUTO], &auto_text, &owned, &dropped, e))
		return -1;
	warn_dropped(c, &owned, &dropped);
	warn_hidden(c);
	return 0;
}

/* ---- compare and write ---- */

static int
path_of(char *out, size_t size, const struct configure *c, enum configure_file f, struct err *e)
{
	return file_join(out, size, c->in.pgdata, names[f], e);
}

static int
compare(struct configure *c, enum configure_file f, struct err *e)
{
	AUTO(buf_deinit) struct buf old = {0};
	char path[FILE_PATH_MAX];
	bool missing = false;

	if (path_of(path, sizeof(path), c, f, e))
		return -1;
	if (file_read(&old, path, MAX_CONF_BYTES, e)) {
		if (e->kind != ERR_NOTFOUND)
			return -1;
		missing = true;
	}
	c->changed[f] = missing ? f != CONFIGURE_AUTO
				: old.len != c->text[f].len ||
					  memcmp(buf_str(&old), buf_str(&c->text[f]), old.len) != 0;
	return 0;
}

static int
compare_all(struct configure *c, bool *any, struct err *e)
{
	*any = false;
	for (int f = 0; f < CONFIGURE_FILES; f++) {
		if (compare(c, (enum configure_file)f, e))
			return -1;
		*any = *any || c->changed[f];
	}
	return 0;
}

/* What is included comes before what includes it; postgresql.auto.conf loses its lines last. */
static int
write_all(struct configure *c, struct err *e)
{
	char path[FILE_PATH_MAX];

	for (int f = 0; f < CONFIGURE_FILES; f++) {
		const struct buf *b = &c->text[f];

		if (!c->changed[f])
			continue;
		if (path_of(path, sizeof(path), c, (enum configure_file)f, e) ||
			file_write(path, buf_str(b), b->len, 0600, e))
			return err_add(e, "write the configuration");
		log_info("configuration written", F_STR("file", names[f]));
	}
	return 0;
}

static int
render_and_write(struct configure *c, struct err *e)
{
	bool any;

	if (configure_gather(c, e) || configure_archive(c, e) || configure_adopt(c, e) ||
		configure_member(c, e) || configure_replica(c, e) || render_generated(c, e) ||
		render_edited(c, e) || compare_all(c, &any, e))
		return -1;
	if (!any)
		return 0;
	return configure_try(c, e) || write_all(c, e) ? -1 : 0;
}

/* The files of an earlier run, if they belong to this run folder; then *plan follows them. */
static bool
former_stands(const struct job *j, struct plan *plan)
{
	AUTO(conf_settings_deinit) struct conf_settings s = {0};
	char path[FILE_PATH_MAX];
	struct err ignored = {0};
	const char *hash;

	if (file_join(path, sizeof(path), j->opt->pgdata, CONF_OWNED_FILE, &ignored) ||
		conf_load(&s, path, &ignored))
		return false;
	hash = conf_settings_value(&s, "podgres.config_hash", "");
	if (strcmp(conf_settings_value(&s, "unix_socket_directories", ""), j->opt->run_dir) != 0 ||
		strlen(hash) != sizeof(plan->config_hash) - 1)
		return false;
	plan->port = atoi(conf_settings_value(&s, "port", "5432"));
	memcpy(plan->config_hash, hash, sizeof(plan->config_hash));
	return true;
}

int
configure_render(struct job *j, const struct spec *spec, struct plan *plan, struct err *e)
{
	AUTO(configure_deinit) struct configure c = {.job = j, .plan = plan, .spec = spec};

	plan->config_error[0] = '\0';
	snprintf(plan->socket_dir, sizeof(plan->socket_dir), "%s", j->opt->run_dir);
	configure_archive_plan(plan, spec);
	if (render_and_write(&c, e) == 0)
		return 0;
	if (e->kind == ERR_SPACE || !former_stands(j, plan))
		return -1;
	snprintf(plan->config_error, sizeof(plan->config_error), "%s", e->msg);
	log_error("configuration refused, the former one stays", F_STR("error", e->msg));
	*e = (struct err){0};
	return 0;
}
