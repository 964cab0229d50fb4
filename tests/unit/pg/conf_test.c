#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/guc.h"
#include "pg/conf.h"

struct fixture {
	struct spec spec;
	struct spec_param param[8];
	struct conf_settings base, auto_conf;
	struct conf_input in;
	struct err e;
};

static char empty[] = "";

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	must(f);
	f->spec.param = f->param;
	f->spec.replica_conninfo = empty;
	f->in = (struct conf_input){
		.major = 15,
		.spec = &f->spec,
		.manifest = true,
		.file = "c.yaml",
		.pgdata = "/data",
		.socket_dir = "/run/podgres",
		.log_dir = "/run/podgres/log",
		.hba_file = "/data/podgres.pg_hba.conf",
		.ident_file = "/data/podgres.pg_ident.conf",
		.cluster_name = "pod-1",
		.member = "pod-1",
		.port = 5432,
		.wal_segment_bytes = 16 << 20,
		.base = &f->base,
		.auto_conf = &f->auto_conf,
	};
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	conf_settings_deinit(&f->base);
	conf_settings_deinit(&f->auto_conf);
	free(f);
	return 0;
}

static void
param(struct fixture *f, const char *name, const char *value)
{
	f->param[f->spec.params].name = (char *)(uintptr_t)name;
	f->param[f->spec.params].value = (char *)(uintptr_t)value;
	f->param[f->spec.params].at = (struct spec_at){4, 7};
	f->spec.params++;
}

static void
files_say(struct fixture *f, struct conf_settings *s, const char *text)
{
	const struct conf_text t = {text, strlen(text), "postgresql.conf"};

	if (conf_parse(s, &t, NULL, NULL, &f->e))
		fail_msg("%s", f->e.msg);
}

/* The value podgres.conf (owned) or podgres.user.conf gives; "(none)" when it has no such line. */
static void
expect(struct fixture *f, bool owned, const char *name, const char *value)
{
	AUTO(buf_deinit) struct buf out = {0};
	AUTO(conf_settings_deinit) struct conf_settings s = {0};
	struct conf_text t = {.file = "rendered"};

	if (owned ? conf_render_owned(&out, &f->in, "", &f->e)
		  : conf_render_user(&out, &f->in, &f->e))
		fail_msg("%s", f->e.msg);
	t.text = out.data;
	t.len = out.len;
	if (conf_parse(&s, &t, NULL, NULL, &f->e))
		fail_msg("%s", f->e.msg);
	assert_string_equal(conf_settings_value(&s, name, "(none)"), value);
}

#define OWNED_IS(name, value) expect(f, true, name, value)
#define USER_IS(name, value) expect(f, false, name, value)

static void
manifest_may_set_no_row_of_the_table_but_the_open_ones(void **state)
{
	const char *name;
	bool open;
	size_t i;

	(void)state;
	for (i = 0; conf_owned_row(i, &name, &open); i++)
		if (open)
			assert_null(conf_owned_reason(name));
		else if (!conf_owned_reason(name))
			fail_msg(
				"%s is written by podgres, but guc.h lets a manifest set it", name);
	assert_true(i > 30);
}

static void
parameters_of_the_manifest_come_after_the_defaults(void **state)
{
	struct fixture *f = *state;

	USER_IS("wal_level", "logical");
	param(f, "wal_level", "replica");
	param(f, "work_mem", "it's");
	USER_IS("wal_level", "replica");
	USER_IS("work_mem", "it's");
}

static void
default_gives_way_to_what_postgresql_conf_has(void **state)
{
	struct fixture *f = *state;

	files_say(f, &f->base, "wal_level = replica\nmax_wal_size = 1GB\nlog_timezone = 'CET'\n");
	USER_IS("wal_level", "(none)");
	USER_IS("log_timezone", "(none)");
	USER_IS("max_replication_slots", "32");
}

static void
sizes_follow_a_small_wal_volume(void **state)
{
	struct fixture *f = *state;

	USER_IS("wal_keep_size", "512MB");
	USER_IS("max_wal_size", "(none)");
	files_say(f, &f->base, "max_wal_size = 1GB\nmin_wal_size = 80MB\n");
	f->in.wal_volume_bytes = 64 << 20;
	USER_IS("wal_keep_size", "0");
	USER_IS("max_wal_size", "32MB");
	USER_IS("min_wal_size", "32MB");
	f->in.wal_volume_bytes = 1 << 30;
	USER_IS("wal_keep_size", "64MB");
	USER_IS("max_wal_size", "342MB");
	USER_IS("min_wal_size", "(none)");
	f->in.wal_volume_bytes = INT64_C(100) << 30;
	USER_IS("wal_keep_size", "512MB");
	USER_IS("max_wal_size", "(none)");
	f->in.wal_segment_bytes = 64 << 20;
	USER_IS("max_wal_size", "(none)");
	USER_IS("min_wal_size", "320MB");
	f->in.wal_segment_bytes = 1 << 30;
	USER_IS("max_wal_size", "65536MB");
	USER_IS("min_wal_size", "5120MB");
	f->in.wal_segment_bytes = 16 << 20;
	f->in.wal_volume_bytes = 64 << 20;
	param(f, "max_wal_size", "48MB");
	USER_IS("max_wal_size", "48MB");
}

static void
the_kernel_decides_how_files_are_synced_before_crash_recovery(void **state)
{
	struct fixture *f = *state;

	f->in.major = 15;
	USER_IS("recovery_init_sync_method", "(none)");
	f->in.syncfs = true;
	USER_IS("recovery_init_sync_method", "syncfs");
	param(f, "recovery_init_sync_method", "fsync");
	USER_IS("recovery_init_sync_method", "fsync");
}

static void
settings_come_and_go_with_the_version(void **state)
{
	struct fixture *f = *state;

	OWNED_IS("promote_trigger_file", "");
	OWNED_IS("allow_alter_system", "(none)");
	OWNED_IS("log_destination", "jsonlog");
	OWNED_IS("stats_temp_directory", "(none)");
	USER_IS("log_checkpoints", "(none)");
	f->in.major = 13;
	OWNED_IS("log_destination", "csvlog");
	OWNED_IS("stats_temp_directory", "pg_stat_tmp");
	USER_IS("log_startup_progress_interval", "(none)");
	f->in.major = 17;
	OWNED_IS("promote_trigger_file", "(none)");
	OWNED_IS("allow_alter_system", "off");
	f->in.manifest = false;
	OWNED_IS("allow_alter_system", "(none)");
}

static void
limits_are_raised_in_recovery_only(void **state)
{
	struct fixture *f = *state;

	files_say(f, &f->base, "max_connections = 50\n");
	f->in.demand = (struct conf_control_limits){.max_connections = 200,
		.max_worker_processes = 8,
		.max_wal_senders = 10,
		.max_prepared_transactions = 5,
		.max_locks_per_transaction = 64};
	OWNED_IS("max_connections", "(none)");
	f->in.recovery = true;
	OWNED_IS("max_connections", "200");
	OWNED_IS("max_worker_processes", "(none)");
	OWNED_IS("max_wal_senders", "(none)");
	OWNED_IS("max_prepared_transactions", "5");
	OWNED_IS("max_locks_per_transaction", "(none)");
	param(f, "max_connections", "300");
	OWNED_IS("max_connections", "(none)");
	files_say(f, &f->auto_conf, "max_connections = 20\n");
	OWNED_IS("max_connections", "200");
}

static void
conninfo_of_an_adopted_standby_is_left_alone(void **state)
{
	struct fixture *f = *state;
	char info[] = "host=primary user=streaming_replica";

	f->in.standby = f->in.recovery = true;
	files_say(f, &f->auto_conf, "primary_conninfo = 'host=old'\n");
	OWNED_IS("primary_conninfo", "(none)");
	OWNED_IS("restore_command", "(none)");
	OWNED_IS("recovery_target_timeline", "latest");
	f->spec.replica_conninfo = info;
	OWNED_IS(
		"primary_conninfo", "host=primary user=streaming_replica application_name='pod-1'");
	f->in.member = "it's \\";
	f->in.conninfo_files = " passfile='/x'";
	OWNED_IS("primary_conninfo", "host=primary user=streaming_replica passfile='/x' "
				     "application_name='it\\'s \\\\'");
	f->in.standby = false;
	OWNED_IS("primary_conninfo", "(none)");
	OWNED_IS("recovery_target_timeline", "(none)");
}

static void
an_archive_turns_its_settings_on_and_none_turns_the_mode_off(void **state)
{
	struct fixture *f = *state;

	OWNED_IS("archive_mode", "off");
	OWNED_IS("archive_command", "(none)");
	USER_IS("archive_timeout", "(none)");
	files_say(f, &f->base, "wal_level = minimal\narchive_library = 'basic_archive'\n");
	OWNED_IS("wal_level", "(none)");
	f->in.archive_command = "'/usr/bin/podgres-wal' archive %p";
	f->in.restore_command = "'/usr/bin/podgres-wal' restore %f %p";
	OWNED_IS("archive_mode", "on");
	OWNED_IS("archive_command", "'/usr/bin/podgres-wal' archive %p");
	OWNED_IS("restore_command", "'/usr/bin/podgres-wal' restore %f %p");
	OWNED_IS("archive_library", "");
	OWNED_IS("wal_level", "replica");
	USER_IS("archive_timeout", "5min");
	param(f, "archive_timeout", "30s");
	USER_IS("archive_timeout", "30s");
}

static void
tls_is_left_alone_turned_on_or_turned_off(void **state)
{
	struct fixture *f = *state;

	OWNED_IS("ssl", "(none)");
	f->in.ssl_off = true;
	OWNED_IS("ssl", "off");
	f->in.ssl_off = false;
	f->in.ssl_cert = "/tls/tls.crt";
	f->in.ssl_key = "/tls/tls.key";
	OWNED_IS("ssl", "on");
	OWNED_IS("ssl_key_file", "/tls/tls.key");
	OWNED_IS("ssl_ca_file", "");
}

static void
libraries_are_joined_once_each(void **state)
{
	struct fixture *f = *state;
	struct spec_text items[] = {
		{.text = (char[]){"timescaledb"}}, {.text = (char[]){"pgaudit"}}};

	OWNED_IS("shared_preload_libraries", "(none)");
	param(f, "pg_stat_statements.max", "1000");
	param(f, "pgaudit.log", "all");
	f->spec.preload = (struct spec_list){items, 2};
	files_say(f, &f->base, "shared_preload_libraries = '\"citus\", timescaledb'\n");
	OWNED_IS("shared_preload_libraries", "citus, timescaledb, pgaudit, pg_stat_statements");
	f->in.manifest = false;
	OWNED_IS("shared_preload_libraries", "(none)");
}

static void
data_directory_elsewhere_is_called_back(void **state)
{
	struct fixture *f = *state;

	OWNED_IS("data_directory", "(none)");
	files_say(f, &f->base, "data_directory = '/var/lib/postgresql/15/main'\n");
	OWNED_IS("data_directory", "/data");
}

static void
huge_pages_are_turned_off_where_they_kill(void **state)
{
	struct fixture *f = *state;

	OWNED_IS("huge_pages", "(none)");
	f->in.huge_pages_off = true;
	OWNED_IS("huge_pages", "off");
}

static void
refuses(const char *name, const char *value, const char *why)
{
	struct fixture *f;
	void *state;

	setup(&state);
	f = state;
	param(f, name, value);
	assert_int_equal(conf_check(&f->in, &f->e), -1);
	assert_int_equal(f->e.kind, ERR_CONFIG);
	assert_int_equal(strncmp(f->e.msg, "c.yaml:4:7: spec.postgresql.parameters.", 39), 0);
	assert_non_null(strstr(f->e.msg, why));
	teardown(&state);
}

static void
manifest_is_refused_with_place_and_reason(void **state)
{
	struct fixture *f = *state;

	refuses("archive_command", "true", "podgres sets this parameter");
	refuses("Listen_Addresses", "*", "podgres sets this parameter");
	refuses("podgres.config_hash", "x", "for podgres itself");
	refuses("a b", "x", "cannot be the name");
	refuses("a.b.c", "x", "cannot be the name");
	refuses("x\nport", "1", "cannot be the name");
	refuses("port", "99999", "expected a port");
	param(f, "work_mem", "1MB");
	param(f, "WORK_MEM", "2MB");
	assert_int_equal(conf_check(&f->in, &f->e), -1);
	assert_non_null(strstr(f->e.msg, "twice"));
}

static void
port_is_written_once_and_by_podgres(void **state)
{
	struct fixture *f = *state;

	param(f, "port", "6000");
	USER_IS("port", "(none)");
	assert_int_equal(conf_port(&f->spec, 5432), 6000);
	assert_int_equal(conf_check(&f->in, &f->e), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static void
member_follows_with_a_slot_and_whoever_is_alone_has_neither_line(void **state)
{
	struct fixture *f = *state;

	OWNED_IS("primary_slot_name", "(none)");
	OWNED_IS("wal_log_hints", "(none)");
	USER_IS("wal_retrieve_retry_interval", "(none)");
	f->in.coordinated = f->in.standby = true;
	f->in.primary = "host='10.0.0.7'";
	f->in.slot = "_cnpg_db_2";
	f->in.wal_volume_bytes = INT64_C(30) << 30;
	OWNED_IS("primary_conninfo", "host='10.0.0.7'");
	OWNED_IS("primary_slot_name", "_cnpg_db_2");
	OWNED_IS("wal_log_hints", "on");
	USER_IS("wal_retrieve_retry_interval", "500ms");
	USER_IS("max_slot_wal_keep_size", "10240MB");
	param(f, "max_slot_wal_keep_size", "1GB");
	USER_IS("max_slot_wal_keep_size", "1GB");
	/* Of a former primary nothing stays. */
	f->in.primary = f->in.slot = "";
	OWNED_IS("primary_conninfo", "");
	OWNED_IS("primary_slot_name", "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(manifest_may_set_no_row_of_the_table_but_the_open_ones),
		CASE(parameters_of_the_manifest_come_after_the_defaults),
		CASE(default_gives_way_to_what_postgresql_conf_has),
		CASE(sizes_follow_a_small_wal_volume),
		CASE(the_kernel_decides_how_files_are_synced_before_crash_recovery),
		CASE(settings_come_and_go_with_the_version),
		CASE(limits_are_raised_in_recovery_only),
		CASE(conninfo_of_an_adopted_standby_is_left_alone),
		CASE(an_archive_turns_its_settings_on_and_none_turns_the_mode_off),
		CASE(tls_is_left_alone_turned_on_or_turned_off),
		CASE(member_follows_with_a_slot_and_whoever_is_alone_has_neither_line),
		CASE(libraries_are_joined_once_each),
		CASE(data_directory_elsewhere_is_called_back),
		CASE(huge_pages_are_turned_off_where_they_kill),
		CASE(manifest_is_refused_with_place_and_reason),
		CASE(port_is_written_once_and_by_podgres),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
