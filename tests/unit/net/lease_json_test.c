#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "net/kube_json.h"
#include "net/lease_json.h"

static const char full[] =
	"{\"kind\":\"Lease\",\"apiVersion\":\"coordination.k8s.io/"
	"v1\",\"metadata\":{\"name\":\"pg\","
	"\"namespace\":\"db\",\"uid\":\"u-1\",\"resourceVersion\":\"42\",\"generation\":"
	"123456789012345678901,"
	"\"labels\":{\"a\":\"\\u00e9\"},\"annotations\":{\"their.org/x\":\"{\\\"k\\\": 1.50}\","
	"\"podgres.dev/seq\":\"7\",\"podgres.dev/systemId\":\"18446744073709551615\","
	"\"podgres.dev/timeline\":\"3\",\"podgres.dev/switchLSN\":\"1/15D68A8\","
	"\"podgres.dev/paused\":\"true\",\"podgres.dev/members\":\"[{\\\"name\\\":\\\"pg-1\\\"}]\","
	"\"podgres.dev/"
	"later\":\"kept\"},\"ownerReferences\":[{\"kind\":\"Cluster\",\"name\":\"pg\"}],"
	"\"managedFields\":[{\"manager\":\"x\"}]},\"spec\":{\"holderIdentity\":\"pg-1/u/n\","
	"\"leaseDurationSeconds\":15,\"acquireTime\":\"2026-11-20T08:15:30.000000Z\","
	"\"renewTime\":\"2026-11-20T08:15:31.250000Z\",\"leaseTransitions\":4,\"strategy\":\"S\"}}";

/* full, with one piece of it replaced */
static const char *
edited(const char *piece, const char *by)
{
	static char text[4096];
	const char *at = strstr(full, piece);

	assert_non_null(at);
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - full), full, by, at + strlen(piece));
	return text;
}

static void
a_lease_is_read(void **state)
{
	struct lease_object l;
	struct err e;

	(void)state;
	assert_int_equal(lease_json_read(&l, full, strlen(full), &e), 0);
	assert_string_equal(l.name, "pg");
	assert_string_equal(l.ns, "db");
	assert_string_equal(l.uid, "u-1");
	assert_string_equal(l.version, "42");
	assert_string_equal(l.holder, "pg-1/u/n");
	assert_string_equal(l.renewed, "2026-11-20T08:15:31.250000Z");
	assert_int_equal(l.renew_us - l.acquire_us, 1250000);
	assert_int_equal(l.acquire_us, INT64_C(1795162530000000));
	assert_int_equal(l.duration_s, 15);
	assert_int_equal(l.transitions, 4);
	assert_int_equal(l.seq, 7);
	assert_true(l.system_id == UINT64_MAX);
	assert_int_equal(l.timeline, 3);
	assert_true(l.switch_lsn == UINT64_C(0x1015D68A8));
	assert_true(l.paused);
	assert_string_equal(l.members, "[{\"name\":\"pg-1\"}]");
	assert_string_equal(l.sync, "");
}

static void
garbage_is_named_and_the_rest_is_read(void **state)
{
	static const struct {
		const char *piece, *by, *names;
	} rows[] = {
		{"\"3\"", "\"three\"", "podgres.dev/timeline"},
		{"\"3\"", "\"4294967296\"", "podgres.dev/timeline"},
		{"\"3\"", "3", "podgres.dev/timeline"},
		{"\"18446744073709551615\"", "\"18446744073709551616\"", "podgres.dev/systemId"},
		{"\"1/15D68A8\"", "\"15D68A8\"", "podgres.dev/switchLSN"},
		{"\"true\"", "\"yes\"", "podgres.dev/paused"},
		{"\"[{\\\"name", "\"[[{\\\"name", "podgres.dev/members"},
		{"\"2026-11-20T08:15:31.250000Z\"", "\"yesterday\"", "spec.renewTime"},
		{":15,", ":-1,", "spec.leaseDurationSeconds"},
		{":15,", ":1e1,", "spec.leaseDurationSeconds"},
		{":4,", ":\"4\",", "spec.leaseTransitions"},
		{"\"42\"", "42", "metadata.resourceVersion"},
		{"\"pg-1/u/n\"", "[]", "spec.holderIdentity"},
	};
	struct lease_object l;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *text = edited(rows[i].piece, rows[i].by);

		assert_int_equal(lease_json_read(&l, text, strlen(text), &e), -1);
		assert_int_equal(e.kind, ERR_CORRUPT);
		assert_non_null(strstr(e.msg, rows[i].names));
		assert_string_equal(l.uid, "u-1");
		assert_int_equal(l.seq, 7);
	}
	assert_int_equal(lease_json_read(&l, "{}", 2, &e), -1);
	assert_int_equal(lease_json_read(&l, "[1", 2, &e), -1);
}

static void
has(const char *text, const char *piece)
{
	if (!strstr(text, piece))
		fail_msg("%s is not in %s", piece, text);
}

static void
an_update_keeps_what_is_not_ours_byte_for_byte(void **state)
{
	static const char *const kept[] = {"\"generation\":123456789012345678901",
		"\"labels\":{\"a\":\"\\u00e9\"}", "\"their.org/x\":\"{\\\"k\\\": 1.50}\"",
		"\"podgres.dev/later\":\"kept\"",
		"\"ownerReferences\":[{\"kind\":\"Cluster\",\"name\":\"pg\"}]",
		"\"managedFields\":[{\"manager\":\"x\"}]", "\"strategy\":\"S\"",
		"\"resourceVersion\":\"42\"", "\"kind\":\"Lease\""};
	struct buf out = {0};
	struct lease_object l, again;
	struct err e;

	(void)state;
	assert_int_equal(lease_json_read(&l, full, strlen(full), &e), 0);
	l.seq = 8;
	l.paused = false;
	l.holder[0] = '\0';
	l.renew_us += 1;
	snprintf(l.sync, sizeof(l.sync), "{\"voters\":[\"a\"]}");
	assert_int_equal(lease_json_update(&out, &l, full, strlen(full), &e), 0);
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		has(out.data, kept[i]);
	has(out.data, "\"renewTime\":\"2026-11-20T08:15:31.250001Z\"");
	assert_null(strstr(out.data, "podgres.dev/paused"));
	assert_int_equal(lease_json_read(&again, out.data, out.len, &e), 0);
	assert_int_equal(again.seq, 8);
	assert_false(again.paused);
	assert_string_equal(again.holder, "");
	assert_string_equal(again.sync, l.sync);
	assert_string_equal(again.members, l.members);
	assert_true(again.switch_lsn == l.switch_lsn && again.system_id == l.system_id);
	buf_deinit(&out);
}

static void
an_update_without_a_version_is_refused(void **state)
{
	struct buf out = {0};
	struct lease_object l = {.name = "pg"};
	const char *text = edited("\"42\"", "\"\"");
	struct err e;

	(void)state;
	assert_int_equal(lease_json_update(&out, &l, text, strlen(text), &e), -1);
	assert_int_equal(e.kind, ERR_INVALID);
	has(e.msg, "resourceVersion");
	buf_deinit(&out);
}

static void
an_object_without_annotations_and_spec_gets_them(void **state)
{
	static const char bare[] = "{\"metadata\":{\"name\":\"pg\",\"resourceVersion\":\"1\"}}";
	struct buf out = {0};
	struct lease_object l = {.name = "pg", .holder = "a\"b", .seq = 1, .duration_s = 15}, again;
	struct err e;

	(void)state;
	assert_int_equal(lease_json_update(&out, &l, bare, strlen(bare), &e), 0);
	assert_int_equal(lease_json_read(&again, out.data, out.len, &e), 0);
	assert_string_equal(again.holder, "a\"b");
	assert_int_equal(again.seq, 1);
	assert_int_equal(again.duration_s, 15);
	buf_deinit(&out);
}

static void
a_new_lease_reads_as_it_was_written(void **state)
{
	struct lease_object l = {.name = "pg",
				    .ns = "db",
				    .holder = "pg-1/u/n",
				    .duration_s = 15,
				    .acquire_us = INT64_C(1795162530000001),
				    .timeline = 1,
				    .switch_lsn = 5,
				    .paused = true,
				    .members = "[]"},
			    again;
	struct buf out = {0};
	struct err e;

	(void)state;
	assert_int_equal(lease_json_new(&out, &l, &e), 0);
	assert_true(jsonscan_valid(out.data, out.len));
	assert_int_equal(lease_json_read(&again, out.data, out.len, &e), 0);
	memset(again.renewed, 0, sizeof(again.renewed));
	assert_memory_equal(&l.ns, &again.ns, 0);
	assert_string_equal(again.ns, "db");
	assert_int_equal(again.acquire_us, l.acquire_us);
	assert_int_equal(again.renew_us, 0);
	assert_true(again.paused && again.switch_lsn == 5 && again.timeline == 1);
	assert_string_equal(again.members, "[]");
	buf_deinit(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lease_is_read),
		cmocka_unit_test(garbage_is_named_and_the_rest_is_read),
		cmocka_unit_test(an_update_keeps_what_is_not_ours_byte_for_byte),
		cmocka_unit_test(an_update_without_a_version_is_refused),
		cmocka_unit_test(an_object_without_annotations_and_spec_gets_them),
		cmocka_unit_test(a_new_lease_reads_as_it_was_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
