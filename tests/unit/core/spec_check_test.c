#include "spec_rig.h"

#include <glob.h>

#include "base/yaml.h"

/* What is added to HEAD, and how the first error begins. */
struct row {
	const char *text, *message;
};

static void
expect_errors(const struct row *rows, size_t n)
{
	AUTO(buf_deinit) struct buf text = {0};
	AUTO(buf_deinit) struct buf message = {0};

	for (size_t i = 0; i < n; i++) {
		buf_reset(&text);
		buf_reset(&message);
		buf_printf(&text, HEAD "%s", rows[i].text);
		buf_printf(&message, "c.yaml:%s", rows[i].message);
		expect_error(buf_str(&text), buf_str(&message));
	}
}

/* ---- the place and the words ---- */

static void
unknown_field_is_a_warning_that_names_the_nearest(void **state)
{
	(void)state;
	expect_warning(HEAD "  stopDelai: 30\n",
		"7:3: spec.stopDelai: unknown field, did you mean stopDelay?");
	expect_warning(HEAD "  bootstrap:\n    initdb:\n      postinitSQL: [x]\n",
		"9:7: spec.bootstrap.initdb.postinitSQL: unknown field, did you mean postInitSQL?");
	expect_warning(HEAD "  zzzzzzzz: 30\n", "7:3: spec.zzzzzzzz: unknown field");
	expect_warning(HEAD "  externalClusters: [{name: a, passwort: {name: x, key: y}}]\n",
		"7:32: spec.externalClusters[0].passwort: unknown field, did you mean password?");
}

static void
known_field_that_is_not_implemented_is_one_warning_for_its_tree(void **state)
{
	AUTO(rig_deinit) struct rig f = {0};

	(void)state;
	rig_ok(&f, HEAD "  managed:\n    roles:\n    - name: a\n      login: true\n");
	assert_int_equal(rig_warnings(&f), 1);
	expect_warning(HEAD "  managed:\n    roles: []\n",
		"7:3: spec.managed: known, but not in this version");
	expect_warning(
		HEAD "  plugins: [{name: x}]\n", "7:3: spec.plugins: has no effect: plugins");
}

static void
field_for_kubernetes_only_is_no_warning(void **state)
{
	AUTO(rig_deinit) struct rig f = {0};

	(void)state;
	rig_ok(&f, HEAD "  resources: {limits: {memory: 1Gi}}\n  affinity: {topologyKey: x}\n");
	assert_int_equal(rig_warnings(&f), 0);
	assert_int_equal(f.notes.n, 2);
	assert_true(f.notes.item[0].info);
}

static const struct row wrong_types[] = {
	{"  stopDelay: soon\n",
		"7:14: spec.stopDelay: soon is text, expected a whole number of seconds"},
	{"  stopDelay: \"30\"\n", "7:14: spec.stopDelay: \"30\" is text, expected a whole"},
	{"  stopDelay: 1.5\n", "7:14: spec.stopDelay: 1.5 is a number, expected a whole"},
	{"  stopDelay: -1\n", "7:14: spec.stopDelay: -1 is too small"},
	{"  stopDelay: 99999999999\n", "7:14: spec.stopDelay: 99999999999 is too large"},
	{"  enableSuperuserAccess: \"true\"\n", "7:26: spec.enableSuperuserAccess: "
						"\"true\" is text, expected true or false"},
	{"  enableSuperuserAccess: 1\n", "7:26: spec.enableSuperuserAccess: 1 is a whole"},
	{"  bootstrap: {initdb: {database: 5}}\n",
		"7:34: spec.bootstrap.initdb.database: 5 is a whole number, expected text: "
		"write \"5\" in quotes"},
	{"  bootstrap: {initdb: {database: [a]}}\n",
		"7:34: spec.bootstrap.initdb.database: this is a list, expected text"},
	{"  bootstrap: initdb\n", "7:14: spec.bootstrap: initdb is text, expected a map"},
	{"  externalClusters: {name: x}\n",
		"7:21: spec.externalClusters: this is a map, expected a list of maps"},
	{"  externalClusters: [x]\n", "7:22: spec.externalClusters[0]: x is text, expected"},
	{"  postgresql: {pg_hba: host all}\n", "7:24: spec.postgresql.pg_hba: host all is text"},
	{"  postgresql: {parameters: [a]}\n", "7:28: spec.postgresql.parameters: this is a list"},
	{"  postgresql: {parameters: {work_mem: }}\n",
		"7:29: spec.postgresql.parameters.work_mem: no value, expected text"},
	{"  postgresql: {parameters: {work_mem: [1]}}\n",
		"7:39: spec.postgresql.parameters.work_mem: this is a list, expected text"},
	{"  storage: {size: 1 Gi}\n", "7:19: spec.storage.size: \"1 Gi\" has no known unit"},
	{"  probes: {readiness: {maximumLag: 16MB}}\n",
		"7:36: spec.probes.readiness.maximumLag: \"16MB\" has no known unit"},
	{"  replica: {minApplyDelay: 5 parsecs}\n", "7:28: spec.replica.minApplyDelay: "},
	{"  logLevel: verbose\n", "7:13: spec.logLevel: \"verbose\" is not known, expected "
				  "error|warning|info|debug|trace"},
	{"  managed: {services: {disabledDefaultServices: [x]}}\n",
		"7:50: spec.managed.services.disabledDefaultServices[0]: \"x\" is not "
		"known"},
	{"  managed: {roles: [{name: a, validUntil: tomorrow}]}\n",
		"7:43: spec.managed.roles[0].validUntil: tomorrow is text, expected a "
		"time"},
	{"  superuserSecret: {nam: x}\n", "7:3: spec.superuserSecret.name: missing, expected text"},
	{"  externalClusters: [{name: ''}]\n", "7:29: spec.externalClusters[0].name: empty"},
	{"  instances: 2\n", "7:3: spec.instances: given twice, first in line 6"},
};

static void
wrong_type_is_an_error_with_its_place(void **state)
{
	(void)state;
	expect_errors(wrong_types, ARRAY_LEN(wrong_types));
}

static void
documents_must_say_what_they_are(void **state)
{
	(void)state;
	expect_error("a: 1\n", "c.yaml:1:1: not an object");
	expect_error("- 1\n", "c.yaml:1:1: not an object");
	expect_error("just text\n", "c.yaml:1:1: not an object");
	expect_error("kind: Cluster\n", "c.yaml:1:7: apiVersion is missing");
	expect_error(
		"apiVersion: postgresql.cnpg.io/v2\nkind: Cluster\nmetadata: {name: a}\nspec: {}\n",
		"c.yaml:1:13: apiVersion: \"postgresql.cnpg.io/v2\", expected "
		"postgresql.cnpg.io/v1");
	expect_error("apiVersion: postgresql.cnpg.io/v1\nkind: Cluster\nspec: {}\n",
		"c.yaml:1:1: metadata: missing");
	expect_error("apiVersion: postgresql.cnpg.io/v1\nkind: Cluster\nmetadata: {}\nspec: {}\n",
		"c.yaml:3:1: metadata.name: missing");
	expect_error("apiVersion: postgresql.cnpg.io/v1\nkind: Cluster\nmetadata: {name: "
		     "My_DB}\nspec: {}\n",
		"c.yaml:3:18: metadata.name: \"My_DB\" is no name");
	expect_error("a: [\n", "c.yaml:2:1: not YAML");
	expect_error(
		"apiVersion: postgresql.cnpg.io/v1\nkind: \"@key\"\n", "c.yaml:0:0: no document");
}

/* ---- contradictions ---- */

#define DIRECTORY "  backup: {barmanObjectStore: {destinationPath: file:///b}}\n"

static const struct row contradictions[] = {
	{"  bootstrap: {initdb: {}, recovery: {backup: {name: b}}}\n",
		"7:27: spec.bootstrap.recovery: contradicts initdb"},
	{"  imageName: a:16\n  imageCatalogRef: {apiGroup: g, kind: ImageCatalog, name: n, "
	 "major: 16}\n",
		"8:3: spec.imageCatalogRef: contradicts imageName"},
	{"  replica: {enabled: true}\n", "7:3: spec.replica.source: missing"},
	{"  replica: {enabled: true, source: x}\n",
		"7:36: spec.replica.source: no external cluster is named \"x\""},
	{"  replica: {enabled: true, primary: a, source: x}\n  externalClusters: [{name: "
	 "x}]\n",
		"7:22: spec.replica.enabled: contradicts primary"},
	{"  bootstrap: {pg_basebackup: {source: x}}\n",
		"7:39: spec.bootstrap.pg_basebackup.source: no external cluster"},
	{"  bootstrap: {recovery: {source: x}}\n",
		"7:34: spec.bootstrap.recovery.source: no external cluster"},
	{"  bootstrap: {initdb: {import: {type: monolith, databases: ['*'], source: "
	 "{externalCluster: x}}}}\n",
		"7:93: spec.bootstrap.initdb.import.source.externalCluster: no external "
		"cluster"},
	{"  externalClusters: [{name: x}, {name: x}]\n",
		"7:40: spec.externalClusters[1].name: \"x\" is given twice"},
	{"  bootstrap: {recovery: {backup: {name: b}, recoveryTarget: {targetXID: '1', "
	 "targetLSN: 0/1}}}\n" DIRECTORY,
		"7:78: spec.bootstrap.recovery.recoveryTarget.targetLSN: contradicts "
		"targetXID"},
	{"  bootstrap: {initdb: {icuLocale: en}}\n",
		"7:35: spec.bootstrap.initdb.icuLocale: contradicts localeProvider \"\", "
		"expected icu"},
	{"  bootstrap: {initdb: {localeProvider: icu, builtinLocale: C}}\n",
		"7:60: spec.bootstrap.initdb.builtinLocale: contradicts localeProvider "
		"\"icu\""},
	{"  bootstrap: {initdb: {walSegmentSize: 20}}\n",
		"7:40: spec.bootstrap.initdb.walSegmentSize: 20 is no power of two"},
	{"  bootstrap: {initdb: {database: template1}}\n",
		"7:34: spec.bootstrap.initdb.database: \"template1\" is reserved"},
	{"  minSyncReplicas: 2\n  maxSyncReplicas: 1\n", "7:20: spec.minSyncReplicas: 2 is more"},
	{"  maxSyncReplicas: 3\n", "7:20: spec.maxSyncReplicas: 3 is not less than instances, 3"},
	{"  maxSyncReplicas: 1\n  postgresql: {synchronous: {method: any, number: 1}}\n",
		"8:16: spec.postgresql.synchronous: contradicts minSyncReplicas"},
	{"  postgresql: {synchronous: {method: any, number: 3}}\n",
		"7:51: spec.postgresql.synchronous.number: 3 standbys cannot be had"},
	{"  postgresql: {synchronous: {method: any, number: 1, dataDurability: preferred, "
	 "standbyNamesPre: [a]}}\n",
		"7:70: spec.postgresql.synchronous.dataDurability: preferred contradicts"},
	{"  postgresql: {ldap: {bindAsAuth: {}, bindSearchAuth: {}}}\n",
		"7:39: spec.postgresql.ldap.bindSearchAuth: contradicts bindAsAuth"},
	{"  stopDelay: 30\n  smartShutdownTimeout: 30\n",
		"8:25: spec.smartShutdownTimeout: 30 leaves nothing of stopDelay, 30"},
	{"  backup: {retentionPolicy: 30}\n", "7:29: spec.backup.retentionPolicy: 30 is"},
	{"  backup: {retentionPolicy: 30y}\n",
		"7:29: spec.backup.retentionPolicy: \"30y\" is no span"},
	{"  plugins: [{name: a, isWALArchiver: true}, {name: b, isWALArchiver: true}]\n",
		"7:70: spec.plugins[1].isWALArchiver: contradicts line 7"},
	{"  managed: {roles: [{name: a, disablePassword: true, passwordSecret: {name: "
	 "x}}]}\n",
		"7:48: spec.managed.roles[0].disablePassword: contradicts passwordSecret"},
	{"  replicationSlots: {highAvailability: {slotPrefix: A-}}\n",
		"7:53: spec.replicationSlots.highAvailability.slotPrefix: \"A-\" fits no "
		"slot"},
	{"  bootstrap: {initdb: {postInitSQLRefs: {secretRefs: [{name: .., key: "
	 "shadow}]}}}\n",
		"7:62: spec.bootstrap.initdb.postInitSQLRefs.secretRefs[0]: \"..\" and "
		"\"shadow\""},
	{"  externalClusters: [{name: x, password: {name: a/b, key: k}}]\n",
		"7:49: spec.externalClusters[0].password: \"a/b\""},
	{"  superuserSecret: {name: ../x}\n", "7:27: spec.superuserSecret: \"../x\""},
};

static void
contradictions_are_errors(void **state)
{
	(void)state;
	expect_errors(contradictions, ARRAY_LEN(contradictions));
}

static void
parameters_are_checked_by_name_and_value(void **state)
{
#define P(name_and_value) HEAD "  postgresql: {parameters: {" name_and_value "}}\n"
#define AT "c.yaml:7:29: spec.postgresql.parameters."
	(void)state;
	expect_error(P("archive_command: cp"),
		AT "archive_command: podgres sets this parameter: podgres archives WAL itself");
	expect_error(P("Restore_Command: cp"), AT "Restore_Command: podgres sets this parameter");
	expect_error(P("archive_mode: 'off'"), AT "archive_mode: podgres sets this parameter");
	expect_error(P("\"a b\": '1'"), AT "a b: not a name of a parameter");
	expect_error(P("\"x\\n\": '1'"), AT "x?: not a name of a parameter");
	expect_error(P("work_mem: 64Mi"), "c.yaml:7:39: spec.postgresql.parameters.work_mem: "
					  "\"64Mi\" is a unit of Kubernetes");
	expect_error(P("work_mem: 4MB, Work_Mem: 5MB"),
		"c.yaml:7:44: spec.postgresql.parameters.Work_Mem: is the same parameter as in "
		"line 7");
	expect_warning(P("work_men: 4MB"), "7:29: spec.postgresql.parameters.work_men: is this a "
					   "slip of the pen for work_mem?");
	expect_warning(P("max_connections: 100"),
		"7:46: spec.postgresql.parameters.max_connections: 100 is a whole number; "
		"Kubernetes takes only text here");
#undef P
#undef AT
}

static void
lines_of_pg_hba_must_begin_as_rules_do(void **state)
{
	AUTO(rig_deinit) struct rig f = {0};

	(void)state;
	expect_error(HEAD
		"  postgresql: {pg_hba: ['host all all all md5', 'hst all all all md5']}\n",
		"c.yaml:7:49: spec.postgresql.pg_hba[1]: \"hst all all all md5\" is no rule");
	rig_ok(&f, HEAD "  postgresql:\n    pg_hba:\n    - |\n      # office\n      hostssl all "
			"all all md5\n"
			"    - local all all peer\n    - include_dir x\n");
	assert_int_equal(f.s->pg_hba.n, 3);
	expect_warning(HEAD "  postgresql: {pg_hba: ['host all all ${podselector:x} md5']}\n",
		"7:25: spec.postgresql.pg_hba[0]: podSelectorRefs are not in this version");
}

static void
options_of_initdb_replace_fields(void **state)
{
	(void)state;
	expect_warning(HEAD "  bootstrap: {initdb: {options: [-k], encoding: UTF8}}\n",
		"7:24: spec.bootstrap.initdb: options replace the field encoding");
}

static void
fence_annotation_must_be_a_list(void **state)
{
#define F(value)                                                                   \
	"apiVersion: postgresql.cnpg.io/v1\nkind: Cluster\nmetadata:\n  name: a\n" \
	"  annotations: {cnpg.io/fencedInstances: '" value "'}\nspec: {instances: 1}\n"
	AUTO(rig_deinit) struct rig f = {0};

	(void)state;
	expect_error(F("pg-1"),
		"c.yaml:5:42: metadata.annotations: cnpg.io/fencedInstances is \"pg-1\"");
	expect_error(F("[1,"), "c.yaml:5:42: metadata.annotations: cnpg.io/fencedInstances");
	expect_error(F("[{}]"), "c.yaml:5:42: metadata.annotations: cnpg.io/fencedInstances");
	rig_ok(&f, F("[]"));
	assert_int_equal(f.s->fenced.n, 0);
#undef F
}

static void
annotations_that_would_matter_are_warned_of(void **state)
{
	(void)state;
	expect_warning(
		"apiVersion: postgresql.cnpg.io/v1\nkind: Cluster\nmetadata:\n  name: a\n"
		"  annotations: {cnpg.io/hibernation: 'on', mine: x}\nspec: {instances: 1}\n",
		"5:17: metadata.annotations: cnpg.io/hibernation is known, but not");
}

static void
other_kinds_have_rules_of_their_own(void **state)
{
#define S(schedule)                                                                                \
	HEAD DIRECTORY                                                                             \
		"---\napiVersion: postgresql.cnpg.io/v1\nkind: ScheduledBackup\nmetadata: {name: " \
		"s}\n"                                                                             \
		"spec: {cluster: {name: pg}, schedule: \"" schedule "\"}\n"
#define POOLER(what)                                                                       \
	HEAD "---\napiVersion: postgresql.cnpg.io/v1\nkind: Pooler\nmetadata: {name: s}\n" \
	     "spec: {cluster: {name: pg}, pgbouncer: {" what "}}\n"
	AUTO(rig_deinit) struct rig f = {0};
	AUTO(rig_deinit) struct rig g = {0};

	(void)state;
	rig_ok(&f, S("0 0 3 * * *"));
	rig_ok(&g, S("@every 1h"));
	expect_warning(S("0 3 * * *"), "12:39: spec.schedule: five fields");
	expect_error(S("daily"), "c.yaml:12:39: spec.schedule: 1 fields");
	expect_error(POOLER("authQuery: SELECT 1"),
		"c.yaml:11:29: spec.pgbouncer.authQuery: authQuerySecret is missing");
	expect_error(POOLER("poolMode: statement"),
		"c.yaml:11:51: spec.pgbouncer.poolMode: \"statement\" is not known");
#undef S
#undef POOLER
}

/* ---- manifests as CloudNativePG's documentation has them ---- */

static void
manifests_of_the_documentation_pass_with_warnings_at_most(void **state)
{
	glob_t g = {0};
	size_t read = 0;

	(void)state;
	assert_int_equal(glob("tests/unit/core/samples/*.yaml", 0, NULL, &g), 0);
	for (size_t i = 0; i < g.gl_pathc; i++) {
		AUTO(rig_deinit) struct rig f = {0};
		FILE *in = fopen(g.gl_pathv[i], "re");
		char text[16384];
		struct spec_source source = {.text = text, .file = g.gl_pathv[i], .checking = true};

		assert_non_null(in);
		source.len = fread(text, 1, sizeof(text), in);
		fclose(in);
		if (spec_parse_from(&f.s, &source, &f.notes, &f.e))
			fail_msg("%s", f.e.msg);
		for (size_t n = 0; n < f.notes.n; n++)
			if (strstr(f.notes.item[n].text, "unknown field"))
				fail_msg("%s:%d: %s", source.file, f.notes.item[n].at.line,
					f.notes.item[n].text);
		read++;
	}
	globfree(&g);
	assert_true(read >= 20);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unknown_field_is_a_warning_that_names_the_nearest),
		cmocka_unit_test(known_field_that_is_not_implemented_is_one_warning_for_its_tree),
		cmocka_unit_test(field_for_kubernetes_only_is_no_warning),
		cmocka_unit_test(wrong_type_is_an_error_with_its_place),
		cmocka_unit_test(documents_must_say_what_they_are),
		cmocka_unit_test(contradictions_are_errors),
		cmocka_unit_test(parameters_are_checked_by_name_and_value),
		cmocka_unit_test(lines_of_pg_hba_must_begin_as_rules_do),
		cmocka_unit_test(options_of_initdb_replace_fields),
		cmocka_unit_test(fence_annotation_must_be_a_list),
		cmocka_unit_test(annotations_that_would_matter_are_warned_of),
		cmocka_unit_test(other_kinds_have_rules_of_their_own),
		cmocka_unit_test(manifests_of_the_documentation_pass_with_warnings_at_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
