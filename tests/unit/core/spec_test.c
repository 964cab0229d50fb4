#include "spec_rig.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static void
no_manifest_gives_a_working_single_instance(void **state)
{
	struct err e = {0};
	AUTO(spec_free) struct spec *s = spec_new(&e);

	(void)state;
	assert_non_null(s);
	assert_int_equal(s->instances, 1);
	assert_int_equal(s->initdb.data_checksums, SPEC_UNSET);
	assert_false(s->has_initdb);
	assert_string_equal(s->initdb.database, "");
	assert_string_equal(s->log_level, "info");
	assert_int_equal(s->maximum_lag_bytes, -1);
	assert_int_equal(s->stop_delay_ms, 1800000);
	assert_int_equal(s->smart_shutdown_ms, 0);
	assert_int_equal(s->switchover_delay_ms, 3600000);
}

static void
minimal_cluster_has_no_warning(void **state)
{
	AUTO(rig_deinit) struct rig f = {0};

	(void)state;
	rig_ok(&f, HEAD "  storage: {size: 1Gi}\n");
	assert_int_equal(rig_warnings(&f), 0);
	assert_string_equal(f.s->name, "pg");
	assert_int_equal(f.s->instances, 3);
	assert_false(f.s->has_initdb);
	assert_int_equal(f.s->bootstrap, SPEC_BOOT_INITDB);
}

static void
parameters_keep_their_order_and_place(void **state)
{
	AUTO(rig_deinit) struct rig f = {0};

	(void)state;
	rig_ok(&f, HEAD "  postgresql:\n"
			"    parameters:\n"
			"      work_mem: \"8MB\"\n"
			"      log_statement: ddl\n"
			"      max_connections: 100\n"
			"      jit: off\n"
			"    pg_hba: [\"host all all all scram-sha-256\"]\n"
			"    pg_ident: [\"map a b\"]\n"
			"    shared_preload_libraries: [auto_explain]\n"
			"    enableAlterSystem: true\n");
	assert_int_equal(f.s->params, 4);
	assert_string_equal(f.s->param[0].name, "work_mem");
	assert_string_equal(f.s->param[0].value, "8MB");
	assert_int_equal(f.s->param[0].at.line, 9);
	assert_int_equal(f.s->param[0].at.col, 17);
	assert_string_equal(f.s->param[2].value, "100");
	assert_string_equal(f.s->param[3].value, "off");
	assert_int_equal(rig_warnings(&f), 2); /* numbers without quotes: not for Kubernetes */
	assert_string_equal(f.s->pg_hba.item[0].text, "host all all all scram-sha-256");
	assert_string_equal(f.s->pg_ident.item[0].text, "map a b");
	assert_string_equal(f.s->preload.item[0].text, "auto_explain");
	assert_true(f.s->alter_system);
}

static void
initdb_is_read_with_its_defaults(void **state)
{
	AUTO(rig_deinit) struct rig f = {0};
	AUTO(rig_deinit) struct rig g = {0};

	(void)state;
	rig_ok(&f, HEAD "  bootstrap: {initdb: {}}\n");
	assert_true(f.s->has_initdb);
	assert_string_equal(f.s->initdb.database, "app");
	assert_string_equal(f.s->initdb.owner, "app");
	rig_ok(&g, HEAD "  bootstrap:\n"
			"    initdb:\n"
			"      database: shop\n"
			"      dataChecksums: false\n"
			"      walSegmentSize: 64\n"
			"      localeCType: C\n"
			"      secret: {name: shop}\n"
			"      options: [-k]\n"
			"      postInitSQL: [\"select 1\", \"select 2\"]\n"
			"      postInitTemplateSQLRefs:\n"
			"        configMapRefs: [{name: m, key: a.sql}]\n"
			"        secretRefs: [{name: s, key: b.sql}, {name: s, key: c.sql}]\n");
	assert_string_equal(g.s->initdb.owner, "shop");
	assert_string_equal(g.s->initdb.secret, "shop");
	assert_string_equal(g.s->initdb.locale_ctype, "C");
	assert_int_equal(g.s->initdb.data_checksums, SPEC_FALSE);
	assert_int_equal(g.s->initdb.wal_segment_mb, 64);
	assert_int_equal(g.s->initdb.options.n, 1);
	assert_string_equal(g.s->initdb.post_init_sql.item[1].text, "select 2");
	assert_int_equal(g.s->initdb.post_init_template_sql_refs.n, 3);
	assert_true(g.s->initdb.post_init_template_sql_refs.item[0].secret);
	assert_string_equal(g.s->initdb.post_init_template_sql_refs.item[0].key, "b.sql");
	assert_false(g.s->initdb.post_init_template_sql_refs.item[2].secret);
}

static void
other_ways_to_bootstrap_are_told_apart(void **state)
{
	AUTO(rig_deinit) struct rig f = {0};
	AUTO(rig_deinit) struct rig g = {0};

	(void)state;
	rig_ok(&f, HEAD "  bootstrap: {recovery: {backup: {name: b}}}\n"
			"  backup: {barmanObjectStore: {destinationPath: file:///b}}\n");
	assert_int_equal(f.s->bootstrap, SPEC_BOOT_RECOVERY);
	assert_int_equal(f.s->bootstrap_at.line, 7);
	assert_int_equal(rig_warnings(&f), 0);
	rig_ok(&g, HEAD "  bootstrap: {pg_basebackup: {source: x}}\n"
			"  externalClusters: [{name: x}]\n");
	assert_int_equal(g.s->bootstrap, SPEC_BOOT_PG_BASEBACKUP);
	assert_string_equal(g.s->bootstrap_source, "x");
}

static void
replica_follows_its_source_with_quoted_parameters(void **state)
{
	AUTO(rig_deinit) struct rig f = {0};
	const struct spec_external *x;

	(void)state;
	rig_ok(&f,
		HEAD "  replica: {enabled: true, source: b}\n"
		     "  externalClusters:\n"
		     "  - name: a\n"
		     "  - name: b\n"
		     "    connectionParameters: {host: h, user: \"o'neil \\\\\", port: \"5433\"}\n"
		     "    password: {name: s, key: password}\n"
		     "    sslKey: {name: t, key: tls.key}\n");
	assert_true(f.s->replica_enabled);
	assert_string_equal(f.s->replica_source, "b");
	assert_string_equal(f.s->replica_conninfo, "host='h' user='o\\'neil \\\\' port='5433'");
	x = spec_external_of(f.s, "b");
	assert_string_equal(x->password.name, "s");
	assert_string_equal(x->ssl_key.key, "tls.key");
	assert_string_equal(x->ssl_cert.name, "");
	assert_int_equal(x->params, 3);
	assert_null(spec_external_of(f.s, "c"));
}

static void
times_lag_and_probe_are_read_exactly(void **state)
{
	AUTO(rig_deinit) struct rig f = {0};

	(void)state;
	rig_ok(&f, HEAD "  startDelay: 60\n  stopDelay: 30\n  smartShutdownTimeout: 5\n"
			"  switchoverDelay: 10\n  failoverDelay: 2\n  logLevel: debug\n"
			"  probes: {readiness: {type: streaming, maximumLag: 16M}}\n");
	assert_int_equal(f.s->start_delay_ms, 60000);
	assert_int_equal(f.s->stop_delay_ms, 30000);
	assert_int_equal(f.s->smart_shutdown_ms, 5000);
	assert_int_equal(f.s->switchover_delay_ms, 10000);
	assert_int_equal(f.s->failover_delay_ms, 2000);
	assert_true(f.s->ready_needs_streaming);
	assert_int_equal(f.s->maximum_lag_bytes, 16000000);
	assert_string_equal(f.s->log_level, "debug");
}

static void
a_replica_has_to_stream_unless_the_probe_says_otherwise(void **state)
{
	AUTO(rig_deinit) struct rig f = {0}, g = {0};

	(void)state;
	rig_ok(&f, HEAD);
	assert_true(f.s->ready_needs_streaming);
	rig_ok(&g, HEAD "  probes: {readiness: {type: pg_isready}}\n");
	assert_false(g.s->ready_needs_streaming);
}

static void
fenced_instances_come_from_the_annotation(void **state)
{
	AUTO(rig_deinit) struct rig f = {0};

	(void)state;
	rig_ok(&f, "apiVersion: postgresql.cnpg.io/v1\nkind: Cluster\n"
		   "metadata:\n  name: pg\n  annotations:\n"
		   "    cnpg.io/fencedInstances: '[\"pg-1\", \"*\"]'\n"
		   "spec: {instances: 1}\n");
	assert_int_equal(f.s->fenced.n, 2);
	assert_string_equal(f.s->fenced.item[1].text, "*");
	assert_int_equal(f.s->fenced.item[0].at.line, 6);
}

static void
what_cloudnativepg_writes_is_passed_over(void **state)
{
	AUTO(rig_deinit) struct rig f = {0};

	(void)state;
	rig_ok(&f, HEAD "  postgresql:\n    parameters:\n"
			"      archive_mode: \"on\"\n"
			"      work_mem: 1MB\n"
			"      log_destination: csvlog\n");
	assert_int_equal(f.s->params, 1);
	assert_string_equal(f.s->param[0].name, "work_mem");
	assert_int_equal(rig_warnings(&f), 0);
}

static void
rule_for_pods_that_cannot_be_found_fails_closed(void **state)
{
	AUTO(rig_deinit) struct rig f = {0};

	(void)state;
	rig_ok(&f, HEAD "  postgresql:\n    pg_hba:\n"
			"    - host all all ${podselector:app} trust\n"
			"    - host all bob ${podselector:app} reject\n"
			"    - host all all all md5\n");
	assert_int_equal(f.s->pg_hba.n, 2);
	assert_string_equal(f.s->pg_hba.item[0].text, "host all bob all reject");
	assert_string_equal(f.s->pg_hba.item[1].text, "host all all all md5");
}

static void
notes_stand_in_the_order_of_the_file(void **state)
{
	AUTO(rig_deinit) struct rig f = {0};
	int last = 0;

	(void)state;
	rig_read(&f, HEAD "  stopDelay: x\n  nonsense: 1\n  storage: {size: 1}\n"
			  "  postgresql: {parameters: {port: \"0\"}}\n  instances: 4\n");
	assert_int_equal(f.rc, -1);
	assert_true(f.notes.n >= 5);
	for (size_t i = 0; i < f.notes.n; i++) {
		assert_true(f.notes.item[i].at.line >= last);
		last = f.notes.item[i].at.line;
	}
}

static void
notes_are_limited_but_errors_are_not_missed(void **state)
{
	AUTO(rig_deinit) struct rig f = {0};
	AUTO(buf_deinit) struct buf b = {0};

	(void)state;
	buf_puts(&b, HEAD);
	for (int i = 0; i < 1500; i++)
		buf_printf(&b, "  unknown%d: 1\n", i);
	buf_puts(&b, "  stopDelay: x\n");
	rig_read(&f, buf_str(&b));
	assert_int_equal(f.rc, -1);
	assert_int_equal(f.notes.n, 1000);
	assert_non_null(strstr(f.e.msg, "spec.stopDelay"));
}

static void
control_characters_do_not_reach_the_terminal(void **state)
{
	AUTO(rig_deinit) struct rig f = {0};

	(void)state;
	rig_ok(&f, HEAD "  \"a\\e[31m\\n\": 1\n");
	for (size_t i = 0; i < f.notes.n; i++)
		for (const char *p = f.notes.item[i].text; *p; p++)
			assert_true((unsigned char)*p >= 0x20);
}

/* ---- which document ---- */

static int
parse_named(struct rig *f, const char *text, const char *cluster, bool checking)
{
	struct spec_source source = {.text = text,
		.len = strlen(text),
		.file = "c.yaml",
		.cluster = cluster,
		.checking = checking};

	f->rc = spec_parse_from(&f->s, &source, &f->notes, &f->e);
	return f->rc;
}

#define TWO                                                                                     \
	HEAD "---\napiVersion: postgresql.cnpg.io/v1\nkind: Cluster\nmetadata: {name: other}\n" \
	     "spec: {instances: 7}\n"

static void
two_clusters_need_a_name(void **state)
{
	AUTO(rig_deinit) struct rig f = {0};
	AUTO(rig_deinit) struct rig g = {0};
	AUTO(rig_deinit) struct rig h = {0};
	AUTO(rig_deinit) struct rig i = {0};

	(void)state;
	assert_int_equal(parse_named(&f, TWO, NULL, false), -1);
	assert_non_null(strstr(f.e.msg, "2 documents of kind Cluster"));
	assert_int_equal(parse_named(&g, TWO, "other", false), 0);
	assert_int_equal(g.s->instances, 7);
	assert_int_equal(parse_named(&h, TWO, "third", false), -1);
	assert_non_null(strstr(h.e.msg, "none of 2 Clusters is named \"third\""));
	assert_int_equal(parse_named(&i, TWO, NULL, true), 0);
}

static void
one_cluster_of_another_name_is_taken_with_a_warning(void **state)
{
	AUTO(rig_deinit) struct rig f = {0};

	(void)state;
	assert_int_equal(parse_named(&f, HEAD, "other", false), 0);
	assert_string_equal(f.s->name, "pg");
	assert_int_equal(rig_warnings(&f), 1);
}

static void
without_a_cluster_nothing_runs_but_checking_is_fine(void **state)
{
	static const char pooler[] = "apiVersion: postgresql.cnpg.io/v1\nkind: Pooler\n"
				     "metadata: {name: p}\n"
				     "spec: {cluster: {name: c}, pgbouncer: {}}\n";
	AUTO(rig_deinit) struct rig f = {0};
	AUTO(rig_deinit) struct rig g = {0};

	(void)state;
	expect_error("", "c.yaml:0:0: no document of kind Cluster");
	assert_int_equal(parse_named(&f, pooler, NULL, false), -1);
	assert_int_equal(parse_named(&g, pooler, NULL, true), 0);
	assert_int_equal(rig_warnings(&g), 1); /* not in this version */
}

static void
errors_of_clusters_that_are_not_ours_do_not_count_but_in_a_check(void **state)
{
	AUTO(rig_deinit) struct rig f = {0};
	AUTO(rig_deinit) struct rig g = {0};

	(void)state;
	assert_int_equal(parse_named(&f, TWO "  bad: [\n]\n", "pg", false), -1);
	assert_int_equal(parse_named(&g,
				 HEAD "---\napiVersion: postgresql.cnpg.io/v1\nkind: Cluster\n"
				      "metadata: {name: other}\nspec: {instances: x}\n",
				 "pg", false),
		0);
	assert_int_equal(g.s->instances, 3);
}

static void
other_kinds_and_other_groups_are_left_alone(void **state)
{
	AUTO(rig_deinit) struct rig f = {0};

	(void)state;
	rig_ok(&f, HEAD "---\napiVersion: v1\nkind: Secret\nwhatever: {a: [1]}\n"
			"---\napiVersion: cluster.x-k8s.io/v1\nkind: Cluster\nspec: 5\n"
			"---\napiVersion: postgresql.cnpg.io/v1\nkind: Database\nspec: {x: 1}\n");
	assert_int_equal(rig_warnings(&f), 0);
	assert_int_equal(f.notes.n, 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_manifest_gives_a_working_single_instance),
		cmocka_unit_test(minimal_cluster_has_no_warning),
		cmocka_unit_test(parameters_keep_their_order_and_place),
		cmocka_unit_test(initdb_is_read_with_its_defaults),
		cmocka_unit_test(other_ways_to_bootstrap_are_told_apart),
		cmocka_unit_test(replica_follows_its_source_with_quoted_parameters),
		cmocka_unit_test(times_lag_and_probe_are_read_exactly),
		cmocka_unit_test(a_replica_has_to_stream_unless_the_probe_says_otherwise),
		cmocka_unit_test(fenced_instances_come_from_the_annotation),
		cmocka_unit_test(what_cloudnativepg_writes_is_passed_over),
		cmocka_unit_test(rule_for_pods_that_cannot_be_found_fails_closed),
		cmocka_unit_test(notes_stand_in_the_order_of_the_file),
		cmocka_unit_test(notes_are_limited_but_errors_are_not_missed),
		cmocka_unit_test(control_characters_do_not_reach_the_terminal),
		cmocka_unit_test(two_clusters_need_a_name),
		cmocka_unit_test(one_cluster_of_another_name_is_taken_with_a_warning),
		cmocka_unit_test(without_a_cluster_nothing_runs_but_checking_is_fine),
		cmocka_unit_test(errors_of_clusters_that_are_not_ours_do_not_count_but_in_a_check),
		cmocka_unit_test(other_kinds_and_other_groups_are_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
