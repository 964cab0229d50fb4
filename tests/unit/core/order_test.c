#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/order.h"

static int
read_json(enum order_kind kind, const char *text, struct order *o, int64_t *wait_ms, struct err *e)
{
	*o = (struct order){.kind = kind};
	*wait_ms = 0;
	return order_json(o, wait_ms, text, strlen(text), e);
}

static void
refused(enum order_kind kind, const char *text, const char *says)
{
	struct order o;
	int64_t wait_ms;
	struct err e = {0};

	assert_int_equal(read_json(kind, text, &o, &wait_ms, &e), -1);
	assert_int_equal(e.kind, ERR_INVALID);
	if (!strstr(e.msg, says))
		fail_msg("\"%s\" does not say \"%s\"", e.msg, says);
}

static void
every_order_has_its_words_and_its_path(void **state)
{
	(void)state;
	for (int i = 0; i < ORDER_KINDS; i++) {
		assert_true(strlen(order_text((enum order_kind)i)) > 0);
		assert_memory_equal(order_path((enum order_kind)i), "/v1/", 4);
		assert_true(order_event((enum order_kind)i) <= FSM_EV_NONE);
	}
	assert_null(order_brings(ORDER_PROMOTE));
	assert_null(order_brings(ORDER_REINIT));
}

static void
an_empty_body_is_an_order_without_wishes(void **state)
{
	struct order o;
	int64_t wait_ms;
	struct err e;

	(void)state;
	assert_int_equal(read_json(ORDER_FENCE, "", &o, &wait_ms, &e), 0);
	assert_int_equal(read_json(ORDER_FENCE, " \r\n", &o, &wait_ms, &e), 0);
	assert_int_equal(read_json(ORDER_FENCE, "{}", &o, &wait_ms, &e), 0);
	assert_int_equal(o.mode, ORDER_MODE_DEFAULT);
	assert_int_equal(wait_ms, 0);
}

static void
mode_reason_and_wait_are_read(void **state)
{
	struct order o;
	int64_t wait_ms;
	struct err e;

	(void)state;
	assert_int_equal(read_json(ORDER_FENCE,
				 "{\"mode\":\"immediate\",\"reason\":\"r\\u00e9paration\",\"wait\":"
				 "\"1m30s\"}",
				 &o, &wait_ms, &e),
		0);
	assert_int_equal(o.mode, ORDER_MODE_IMMEDIATE);
	assert_string_equal(o.reason, "r\xc3\xa9paration");
	assert_int_equal(wait_ms, 90000);
}

static void
a_forced_promotion_says_what_may_be_lost(void **state)
{
	struct order o;
	int64_t wait_ms;
	struct err e;

	(void)state;
	order_init(&o, ORDER_PROMOTE);
	assert_int_equal(order_whole(&o, &e), 0);
	assert_int_equal(read_json(ORDER_PROMOTE, "{\"force\":true,\"acceptDataLoss\":\"16Mi\"}",
				 &o, &wait_ms, &e),
		0);
	assert_true(o.force);
	assert_int_equal(o.accept_loss_bytes, 16777216);
	assert_int_equal(order_whole(&o, &e), 0);
	assert_int_equal(read_json(ORDER_PROMOTE, "{\"force\":\"true\",\"acceptDataLoss\":0}", &o,
				 &wait_ms, &e),
		0);
	assert_int_equal(o.accept_loss_bytes, 0);
	assert_int_equal(order_whole(&o, &e), 0);
	assert_int_equal(
		read_json(ORDER_PROMOTE, "{\"acceptDataLoss\":\"any\"}", &o, &wait_ms, &e), 0);
	assert_true(o.accept_loss_bytes == ORDER_ANY_LOSS);
}

static void
a_follow_names_a_primary_and_a_token(void **state)
{
	static const char *const good[] = {"db-1:5432", "10.0.0.7:5433", "[fd00::1]:5432"};
	static const char *const bad[] = {
		"db-1", "db-1:", ":5432", "fd00::1:5432", "a b:5432", "db-1:543210", "db'1:5432"};
	char text[128];
	struct order o;
	int64_t wait_ms;
	struct err e;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		snprintf(text, sizeof(text), "{\"primary\":\"%s\",\"token\":7}", good[i]);
		order_init(&o, ORDER_FOLLOW);
		assert_int_equal(read_json(ORDER_FOLLOW, text, &o, &wait_ms, &e), 0);
		assert_int_equal(o.token, 7);
		assert_string_equal(o.primary, good[i]);
	}
	for (size_t i = 0; i < 7; i++) {
		snprintf(text, sizeof(text), "{\"primary\":\"%s\"}", bad[i]);
		refused(ORDER_FOLLOW, text, "is not HOST:PORT");
	}
	order_init(&o, ORDER_FOLLOW);
	assert_int_equal(order_whole(&o, &e), -1);
	refused(ORDER_PROMOTE, "{\"token\":0}", "whole number from 1");
	refused(ORDER_FENCE, "{\"token\":\"7x\"}", "whole number from 1");
	refused(ORDER_RESTART, "{\"token\":7}", "token");
}

static void
force_and_what_may_be_lost_go_together(void **state)
{
	struct order o;
	struct err e = {0};

	(void)state;
	order_init(&o, ORDER_PROMOTE);
	o.force = true;
	assert_int_equal(order_whole(&o, &e), -1);
	assert_non_null(strstr(e.msg, "force needs acceptDataLoss"));
	order_init(&o, ORDER_PROMOTE);
	o.accept_loss_bytes = 5;
	assert_int_equal(order_whole(&o, &e), -1);
	assert_non_null(strstr(e.msg, "without force"));
	refused(ORDER_PROMOTE, "{\"acceptDataLoss\":\"much\"}", "16Mi, or any");
	refused(ORDER_PROMOTE, "{\"acceptDataLoss\":-1}", "whole number");
	refused(ORDER_RESTART, "{\"force\":true}", "force");
}

static void
anything_else_in_the_body_is_refused_by_name(void **state)
{
	(void)state;
	refused(ORDER_FENCE, "{\"modus\":\"fast\"}", "modus");
	refused(ORDER_FENCE, "{\"mod\":\"fast\"}", "did you mean mode");
	refused(ORDER_FENCE, "{\"mode\":\"quick\"}", "smart, fast or immediate");
	refused(ORDER_FENCE, "{\"mode\":1}", "mode \"1\" is not known");
	refused(ORDER_FENCE, "{\"mode\":1.5}", "must be a string, a whole number");
	refused(ORDER_FENCE, "{\"mode\":null}", "must be a string, a whole number");
	refused(ORDER_PROMOTE, "{\"mode\":\"fast\"}", "promote takes no mode");
	refused(ORDER_FENCE, "{\"wait\":\"soon\"}", "wait: ");
	refused(ORDER_FENCE, "{\"wait\":\"2h\"}", "longer than an hour");
	refused(ORDER_FENCE, "[1]", "must be a JSON object");
	refused(ORDER_FENCE, "{\"mode\":\"fast\"} x", "no JSON");
	refused(ORDER_FENCE, "{\"mode\"", "no JSON");
	refused(ORDER_FENCE, "{\"reason\":\"a\\nb\"}", "control characters");
}

static void
texts_that_do_not_fit_are_refused_not_cut(void **state)
{
	struct order o = {0};
	struct err e;
	char reason[sizeof(o.reason) + 1];
	int64_t wait_ms;

	(void)state;
	memset(reason, 'x', sizeof(reason));
	reason[sizeof(o.reason) - 1] = '\0';
	assert_int_equal(order_param(&o, &wait_ms, "reason", reason, &e), 0);
	reason[sizeof(o.reason) - 1] = 'x';
	reason[sizeof(o.reason)] = '\0';
	assert_int_equal(order_param(&o, &wait_ms, "reason", reason, &e), -1);
	assert_int_equal(order_idem_key(&o, reason, &e), -1);
	assert_int_equal(order_idem_key(&o, "", &e), -1);
	assert_int_equal(order_idem_key(&o, "0f8f-1", &e), 0);
	assert_string_equal(o.idem_key, "0f8f-1");
}

static void
how_a_backup_is_wanted_is_read_strictly(void **state)
{
	static const struct {
		enum order_kind kind;
		const char *key, *value;
	} bad[] = {{ORDER_BACKUP, "name", "a b"}, {ORDER_BACKUP, "name", "../x"},
		{ORDER_BACKUP, "name", ""}, {ORDER_BACKUP, "immediate", "yes"},
		{ORDER_BACKUP, "keep", "all"}, {ORDER_BACKUP, "rate", "fast"},
		{ORDER_BACKUP, "target", "moon"}, {ORDER_BACKUP, "slot", "x"},
		{ORDER_FENCE, "name", "x"}, {ORDER_HOT_START, "slot", "a'b"},
		{ORDER_HOT_START, "lasts", "2d"}, {ORDER_HOT_START, "keep", "full"}};
	static const char text[] =
		"{\"name\":\"a-1\",\"immediate\":\"false\",\"keep\":\"full\","
		"\"incremental\":\"true\",\"rate\":\"2MB\",\"target\":\"primary\"}";
	struct order o;
	int64_t wait_ms;
	struct err e;

	(void)state;
	order_init(&o, ORDER_BACKUP);
	assert_int_equal(o.backup.immediate, -1);
	assert_int_equal(order_json(&o, &wait_ms, text, sizeof(text) - 1, &e), 0);
	assert_string_equal(o.backup.name, "a-1");
	assert_int_equal(o.backup.immediate, 0);
	assert_int_equal(o.backup.keep, ORDER_KEEP_FULL);
	assert_true(o.backup.incremental);
	assert_int_equal(o.backup.rate, 2 << 20);
	assert_int_equal(o.backup.target, ORDER_TARGET_PRIMARY);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		order_init(&o, bad[i].kind);
		assert_int_equal(order_param(&o, &wait_ms, bad[i].key, bad[i].value, &e), -1);
		assert_int_equal(e.kind, ERR_INVALID);
	}
}

static void
lag_is_read_as_patroni_reads_it(void **state)
{
	static const struct {
		const char *text;
		int64_t bytes; /* negative: an error */
	} cases[] = {{"0", 0}, {"1024", 1024}, {"16kB", 16384}, {"10MB", 10485760},
		{"1GB", 1 << 30}, {"2TB", INT64_C(2) << 40}, {"", -1}, {"MB", -1}, {"10mb", -1},
		{"-1", -1}, {"1.5MB", -1}, {"99999999999999999999", -1}, {"999999999999999TB", -1}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t bytes = -7;
		struct err e;
		int rc = order_lag_parse(cases[i].text, &bytes, &e);

		assert_int_equal(rc, cases[i].bytes < 0 ? -1 : 0);
		if (rc == 0)
			assert_int_equal(bytes, cases[i].bytes);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_order_has_its_words_and_its_path),
		cmocka_unit_test(an_empty_body_is_an_order_without_wishes),
		cmocka_unit_test(mode_reason_and_wait_are_read),
		cmocka_unit_test(a_forced_promotion_says_what_may_be_lost),
		cmocka_unit_test(a_follow_names_a_primary_and_a_token),
		cmocka_unit_test(force_and_what_may_be_lost_go_together),
		cmocka_unit_test(anything_else_in_the_body_is_refused_by_name),
		cmocka_unit_test(texts_that_do_not_fit_are_refused_not_cut),
		cmocka_unit_test(how_a_backup_is_wanted_is_read_strictly),
		cmocka_unit_test(lag_is_read_as_patroni_reads_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
