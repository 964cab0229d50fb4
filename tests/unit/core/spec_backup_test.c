#include "spec_rig.h"

#define KEYS                                                    \
	"s3Credentials: {accessKeyId: {name: creds, key: ID}, " \
	"secretAccessKey: {name: creds, key: SECRET}}"
#define STORE(more) \
	"  backup: {barmanObjectStore: {destinationPath: s3://bucket/path, " KEYS "}" more "}\n"
#define DIRECTORY "  backup: {barmanObjectStore: {destinationPath: file:///b}}\n"
#define ORIGIN                                                                      \
	"  externalClusters: [{name: origin, barmanObjectStore: {destinationPath: " \
	"s3://bucket/path/, " KEYS "}}, {name: plain}]\n"
#define RECOVERY(what) "  bootstrap: {recovery: {source: origin" what "}}\n" ORIGIN
#define OBJECT(kind, spec)                                                          \
	"---\napiVersion: postgresql.cnpg.io/v1\nkind: " kind "\nmetadata: {name: " \
	"job}\nspec: {cluster: {name: pg}" spec "}\n"

static void
without_a_backup_every_text_is_empty(void **state)
{
	AUTO(rig_deinit) struct rig f = {0};

	(void)state;
	rig_ok(&f, HEAD);
	assert_false(f.s->backup.store.set);
	assert_string_equal(f.s->backup.store.destination, "");
	assert_string_equal(f.s->backup.store.server_name, "");
	assert_string_equal(f.s->backup.store.region.name, "");
	assert_string_equal(f.s->backup.retention, "");
	assert_false(f.s->recovery.set);
	assert_string_equal(f.s->recovery.target_time, "");
	assert_int_equal(f.s->schedules, 0);
}

static void
store_is_read_with_cloudnativepgs_defaults(void **state)
{
	AUTO(rig_deinit) struct rig f = {0};
	const struct spec_store *s;

	(void)state;
	rig_ok(&f, HEAD STORE(""));
	s = &f.s->backup.store;
	assert_true(s->set);
	assert_string_equal(s->destination, "s3://bucket/path");
	assert_string_equal(s->server_name, "pg");
	assert_string_equal(s->access_key.name, "creds");
	assert_string_equal(s->secret_key.key, "SECRET");
	assert_string_equal(s->endpoint_ca.name, "");
	assert_int_equal(s->wal_parallel, 1);
	assert_int_equal(s->data_jobs, 2);
	assert_false(s->immediate_checkpoint);
	assert_true(f.s->backup.prefer_standby);
	assert_int_equal(f.s->backup.when_down, SPEC_DOWN_STOP);
	assert_int_equal(f.s->backup.continuous_ms, 0);
	assert_int_equal(rig_warnings(&f), 0);
}

static void
everything_of_a_store_is_read(void **state)
{
	AUTO(rig_deinit) struct rig f = {0};
	const struct spec_store *s;

	(void)state;
	rig_ok(&f,
		HEAD "  backup:\n"
		     "    retentionPolicy: 30d\n    target: primary\n    continuous: 500ms\n"
		     "    whenStoreFails: drop-with-gap\n    dropAbove: 10Gi\n"
		     "    barmanObjectStore:\n"
		     "      destinationPath: s3://b\n      serverName: other\n"
		     "      endpointURL: https://[::1]:9000/\n"
		     "      endpointCA: {name: ca, key: ca.crt}\n"
		     "      s3Credentials: {inheritFromIAMRole: true, region: {name: r, key: k}}\n"
		     "      wal: {compression: zstd, encryption: AES256, maxParallel: 8}\n"
		     "      data: {compression: gzip, encryption: 'aws:kms', jobs: 4, "
		     "immediateCheckpoint: true}\n"
		     "      tags: {a: b}\n      historyTags: {c: d, e: f}\n");
	s = &f.s->backup.store;
	assert_string_equal(s->server_name, "other");
	assert_string_equal(s->endpoint, "https://[::1]:9000/");
	assert_string_equal(s->endpoint_ca.key, "ca.crt");
	assert_true(s->inherit);
	assert_string_equal(s->region.key, "k");
	assert_string_equal(s->wal_compression, "zstd");
	assert_string_equal(s->wal_encryption, "AES256");
	assert_int_equal(s->wal_parallel, 8);
	assert_string_equal(s->data_compression, "gzip");
	assert_string_equal(s->data_encryption, "aws:kms");
	assert_int_equal(s->data_jobs, 4);
	assert_true(s->immediate_checkpoint);
	assert_int_equal(s->tags, 1);
	assert_string_equal(s->tag[0].value, "b");
	assert_int_equal(s->history_tags, 2);
	assert_string_equal(f.s->backup.retention, "30d");
	assert_false(f.s->backup.prefer_standby);
	assert_int_equal(f.s->backup.continuous_ms, 500);
	assert_int_equal(f.s->backup.when_down, SPEC_DOWN_DROP);
	assert_true(f.s->backup.drop_bytes == INT64_C(10) << 30);
}

static void
recovery_is_read_with_its_target_and_store(void **state)
{
	AUTO(rig_deinit) struct rig f = {0};
	const struct spec_external *x;

	(void)state;
	rig_ok(&f, HEAD RECOVERY(", database: db, owner: me, secret: {name: s}, recoveryTarget: "
				 "{targetTLI: '3', targetTime: '2026-11-20 13:41:00+01', "
				 "exclusive: true, backupID: 20261120T153805}"));
	assert_true(f.s->recovery.set);
	assert_int_equal(f.s->bootstrap, SPEC_BOOT_RECOVERY);
	assert_string_equal(f.s->recovery.source, "origin");
	assert_string_equal(f.s->recovery.backup_id, "20261120T153805");
	assert_string_equal(f.s->recovery.target_tli, "3");
	assert_string_equal(f.s->recovery.target_time, "2026-11-20 13:41:00+01");
	assert_true(f.s->recovery.exclusive);
	assert_string_equal(f.s->recovery.database, "db");
	assert_string_equal(f.s->recovery.owner, "me");
	assert_string_equal(f.s->recovery.secret, "s");
	x = spec_external_of(f.s, "origin");
	assert_true(x && x->store.set);
	assert_string_equal(x->store.server_name, "origin");
	assert_false(spec_external_of(f.s, "plain")->store.set);
	assert_int_equal(rig_warnings(&f), 0);
}

static void
backups_of_this_cluster_are_read_in_their_order(void **state)
{
	AUTO(rig_deinit) struct rig f = {0};
	const struct spec_schedule *s;

	(void)state;
	rig_ok(&f, HEAD DIRECTORY OBJECT("ScheduledBackup",
			   ", schedule: '0 0 3 * * *', immediate: true, target: primary, "
			   "onlineConfiguration: {immediateCheckpoint: true}") OBJECT("Backup",
			   "") OBJECT("Backup",
			   ", method: volumeSnapshot") "---\napiVersion: "
						       "postgresql.cnpg.io/v1\nkind: Backup\n"
						       "metadata: {name: b}\nspec: {cluster: "
						       "{name: other}}\n");
	assert_int_equal(f.s->schedules, 2);
	s = f.s->schedule;
	assert_string_equal(s[0].name, "job");
	assert_string_equal(s[0].schedule, "0 0 3 * * *");
	assert_true(s[0].immediate && s[0].target_set && !s[0].once && !s[0].suspend);
	assert_false(s[0].prefer_standby);
	assert_int_equal(s[0].immediate_checkpoint, SPEC_TRUE);
	assert_true(s[1].once);
	assert_false(s[1].target_set);
	assert_string_equal(s[1].schedule, "");
	assert_int_equal(s[1].immediate_checkpoint, SPEC_UNSET);
}

static const struct {
	const char *inside, *message;
} wrong[] = {
	{"  backup: {barmanObjectStore: {destinationPath: /b}}\n",
		"7:49: spec.backup.barmanObjectStore.destinationPath: \"/b\" is no destination, "
		"expected s3://BUCKET[/PATH] or file:///PATH"},
	{"  backup: {barmanObjectStore: {destinationPath: file://b}}\n",
		"7:49: spec.backup.barmanObjectStore.destinationPath: \"file://b\" is no"},
	{"  backup: {barmanObjectStore: {destinationPath: file:///}}\n",
		"7:49: spec.backup.barmanObjectStore.destinationPath: \"file:///\" is no"},
	{"  backup: {barmanObjectStore: {destinationPath: file:///a/../b}}\n",
		"7:49: spec.backup.barmanObjectStore.destinationPath: \"file:///a/../b\" is no"},
	{"  backup: {barmanObjectStore: {destinationPath: s3://}}\n",
		"7:49: spec.backup.barmanObjectStore.destinationPath: \"s3://\" is no"},
	{"  backup: {barmanObjectStore: {destinationPath: 's3://b/', s3Credentials: "
	 "{accessKeyId: {name: a, key: b}}}}\n",
		"7:60: spec.backup.barmanObjectStore.s3Credentials: secretAccessKey is missing"},
	{"  backup: {barmanObjectStore: {destinationPath: file:///b, endpointURL: 'h:9'}}\n",
		"7:73: spec.backup.barmanObjectStore.endpointURL: \"h:9\" is no endpoint"},
	{"  backup: {barmanObjectStore: {destinationPath: 's3://KEY:secret@b/p'}}\n",
		"7:49: spec.backup.barmanObjectStore.destinationPath: \"(a URL with "
		"credentials)\" is no destination"},
	{"  backup: {barmanObjectStore: {destinationPath: file:///b, endpointURL: "
	 "'https://KEY:secret@h:9'}}\n",
		"7:73: spec.backup.barmanObjectStore.endpointURL: \"(a URL with credentials)\" is "
		"no endpoint"},
	{"  backup: {barmanObjectStore: {destinationPath: file:///b, endpointURL: "
	 "'http://h:70000'}}\n",
		"7:73: spec.backup.barmanObjectStore.endpointURL: \"http://h:70000\" is no"},
	{"  backup: {barmanObjectStore: {destinationPath: file:///b, endpointURL: "
	 "'http://h/path'}}\n",
		"7:73: spec.backup.barmanObjectStore.endpointURL: \"http://h/path\" is no"},
	{"  backup: {barmanObjectStore: {destinationPath: file:///b, serverName: a/b}}\n",
		"7:72: spec.backup.barmanObjectStore.serverName: \"a/b\" is no name"},
	{"  backup: {barmanObjectStore: {destinationPath: 'https://a.b/c', azureCredentials: "
	 "{inheritFromAzureAD: true}}}\n",
		"7:66: spec.backup.barmanObjectStore.azureCredentials: podgres stores to S3 or a "
		"directory"},
	{"  externalClusters: [{name: x, barmanObjectStore: {destinationPath: 'gs://a', "
	 "googleCredentials: {gkeEnvironment: true}}}]\n",
		"7:79: spec.externalClusters[0].barmanObjectStore.googleCredentials: podgres "
		"stores to S3"},
	{"  backup: {retentionPolicy: 30d}\n",
		"7:29: spec.backup.retentionPolicy: needs a destination, but spec.backup"},
	{STORE(", retentionPolicy: redundancy"),
		"7:184: spec.backup.retentionPolicy: \"redundancy\" is no span"},
	{"  backup: {continuous: 99ms, barmanObjectStore: {destinationPath: file:///b}}\n",
		"7:24: spec.backup.continuous: 99ms is too often, expected at least 100 ms"},
	{"  backup: {dropAbove: 1Gi, barmanObjectStore: {destinationPath: file:///b}}\n",
		"7:23: spec.backup.dropAbove: contradicts whenStoreFails"},
	{"  backup: {whenStoreFails: drop, barmanObjectStore: {destinationPath: file:///b}}\n",
		"7:28: spec.backup.whenStoreFails: \"drop\" is not known, expected "
		"stop|drop-with-gap"},
	{"  bootstrap: {recovery: {}}\n",
		"7:15: spec.bootstrap.recovery: neither source nor backup"},
	{"  bootstrap: {recovery: {source: plain}}\n" ORIGIN,
		"7:34: spec.bootstrap.recovery.source: external cluster \"plain\" has no "
		"barmanObjectStore"},
	{"  bootstrap: {recovery: {backup: {name: b}}}\n",
		"7:26: spec.bootstrap.recovery.backup: a Backup is looked for in spec.backup"},
	{"  bootstrap: {recovery: {source: origin}}\n" ORIGIN
	 "  backup: {barmanObjectStore: {destinationPath: 's3://bucket//path', serverName: "
	 "origin, " KEYS "}}\n",
		"7:34: spec.bootstrap.recovery.source: spec.backup writes into this cluster's own "
		"archive (s3://bucket//path, serverName origin), expected another serverName"},
	{RECOVERY(", recoveryTarget: {targetTLI: '0'}"),
		"7:70: spec.bootstrap.recovery.recoveryTarget.targetTLI: \"0\" is no timeline"},
	{RECOVERY(", recoveryTarget: {targetXID: 1x}"),
		"7:70: spec.bootstrap.recovery.recoveryTarget.targetXID: \"1x\" is no"},
	{RECOVERY(", recoveryTarget: {targetLSN: '12'}"),
		"7:70: spec.bootstrap.recovery.recoveryTarget.targetLSN: \"12\" is no"},
	{RECOVERY(", recoveryTarget: {targetTime: '2026-02-30'}"),
		"7:71: spec.bootstrap.recovery.recoveryTarget.targetTime: \"2026-02-30\" is no "
		"point in time"},
	{RECOVERY(", recoveryTarget: {targetTime: today}"),
		"7:71: spec.bootstrap.recovery.recoveryTarget.targetTime: \"today\" is no"},
	{RECOVERY(", recoveryTarget: {backupID: x}"),
		"7:69: spec.bootstrap.recovery.recoveryTarget.backupID: \"x\" is no"},
	{OBJECT("Backup", ""), "11:24: spec.cluster.name: Cluster pg has no spec.backup"},
};

static void
what_cannot_work_is_an_error_with_its_place(void **state)
{
	char text[2048], message[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		snprintf(text, sizeof(text), HEAD "%s", wrong[i].inside);
		snprintf(message, sizeof(message), "c.yaml:%s", wrong[i].message);
		expect_error(text, message);
	}
}

static void
another_server_name_or_endpoint_is_another_archive(void **state)
{
	AUTO(rig_deinit) struct rig f = {0};
	AUTO(rig_deinit) struct rig g = {0};

	(void)state;
	rig_ok(&f, HEAD RECOVERY("") STORE(""));
	rig_ok(&g, HEAD RECOVERY("") "  backup: {barmanObjectStore: {destinationPath: "
				     "s3://bucket/path, serverName: origin, endpointURL: "
				     "http://else, " KEYS "}}\n");
}

static void
a_method_that_is_not_ours_is_warned_of_and_left_out(void **state)
{
	(void)state;
	expect_warning(HEAD OBJECT("Backup", ", method: plugin"),
		"11:37: spec.method: plugin: podgres does not take such backups");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_backup_every_text_is_empty),
		cmocka_unit_test(store_is_read_with_cloudnativepgs_defaults),
		cmocka_unit_test(everything_of_a_store_is_read),
		cmocka_unit_test(recovery_is_read_with_its_target_and_store),
		cmocka_unit_test(backups_of_this_cluster_are_read_in_their_order),
		cmocka_unit_test(what_cannot_work_is_an_error_with_its_place),
		cmocka_unit_test(another_server_name_or_endpoint_is_another_archive),
		cmocka_unit_test(a_method_that_is_not_ours_is_warned_of_and_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
