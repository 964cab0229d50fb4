/*
 * order - what may be asked of a manager, and how it is asked in JSON and in a query.
 */
#include "core/order.h"

#include <stdio.h>
#include <string.h>

#include <cJSON.h>

#include "base/duration.h"
#include "base/quantity.h"
#include "base/suggest.h"

static const struct {
	const char *text, *path;
	enum fsm_event event;
	const char *brings;
} orders[ORDER_KINDS] = {
#define ORDER(name, text, path, event, brings) [ORDER_##name] = {text, path, event, brings},
#include "tbl/orders.h"
#undef ORDER
};

static const char *const modes[] = {
	[ORDER_MODE_DEFAULT] = "default",
	[ORDER_MODE_SMART] = "smart",
	[ORDER_MODE_FAST] = "fast",
	[ORDER_MODE_IMMEDIATE] = "immediate",
};

const char *
order_text(enum order_kind kind)
{
	must(kind < ORDER_KINDS);
	return orders[kind].text;
}

const char *
order_path(enum order_kind kind)
{
	must(kind < ORDER_KINDS);
	return orders[kind].path;
}

enum fsm_event
order_event(enum order_kind kind)
{
	must(kind < ORDER_KINDS);
	return orders[kind].event;
}

const char *
order_brings(enum order_kind kind)
{
	must(kind < ORDER_KINDS);
	return orders[kind].brings;
}

int
order_mode_parse(const char *text, enum order_mode *out)
{
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		if (strcmp(modes[i], text) == 0) {
			*out = (enum order_mode)i;
			return 0;
		}
	}
	return -1;
}

/* ---- parameters ---- */

#define ORDER_HOT_MS INT64_C(3600000)

#define ORDER_WAIT_MAX_MS INT64_C(3600000)
#define ORDER_HOT_MAX_MS INT64_C(86400000)

static int
order_put_text(char *out, size_t size, const char *key, const char *text, struct err *e)
{
	size_t len = strlen(text);

	if (len >= size)
		return err_set(e, ERR_INVALID, "%s is longer than %zu bytes", key, size - 1);
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F)
			return err_set(e, ERR_INVALID, "%s has control characters", key);
	memcpy(out, text, len + 1);
	return 0;
}

static int
order_put_mode(struct order *o, const char *text, struct err *e)
{
	enum order_mode mode;

	if (o->kind != ORDER_FENCE && o->kind != ORDER_RESTART)
		return err_set(
			e, ERR_INVALID, "%s takes no mode", order_text((enum order_kind)o->kind));
	if (order_mode_parse(text, &mode) < 0)
		return err_set(e, ERR_INVALID,
			"mode \"%.32s\" is not known, expected smart, fast or immediate", text);
	o->mode = mode;
	return 0;
}

static int
order_put_wait(int64_t *wait_ms, const char *text, struct err *e)
{
	if (duration_parse(text, wait_ms, e) < 0)
		return err_add(e, "wait");
	if (*wait_ms > ORDER_WAIT_MAX_MS)
		return err_set(e, ERR_INVALID, "wait is longer than an hour");
	return 0;
}

void
order_init(struct order *o, enum order_kind kind)
{
	*o = (struct order){.kind = kind,
		.accept_loss_bytes = -1,
		.backup.immediate = -1,
		.backup.lasts_ms = ORDER_HOT_MS};
}

static int
order_unknown(const char *key, struct err *e)
{
	static const char *const names[] = {"mode", "reason", "wait", "name", "immediate",
		"incremental", "target", "rate", "keep", "slot", "archived", "lasts", "force",
		"acceptDataLoss", "token", "primary"};
	const char *near = suggest_nearest(key, names, ARRAY_LEN(names));

	if (near)
		return err_set(e, ERR_INVALID, "parameter \"%.32s\" is not known, did you mean %s?",
			key, near);
	return err_set(e, ERR_INVALID,
		"parameter \"%.32s\" is not known, expected mode, reason or wait", key);
}

static int
order_put_choice(
	const char *key, const char *value, const char *const *words, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(words[i], value) == 0)
			return (int)i;
	return err_set(e, ERR_INVALID, "%s \"%.32s\" is not known, expected %s or %s", key, value,
		words[n - 2], words[n - 1]);
}

static int
order_put_bool(bool *out, const char *key, const char *value, struct err *e)
{
	static const char *const words[] = {"false", "true"};
	int n = order_put_choice(key, value, words, ARRAY_LEN(words), e);

	if (n >= 0)
		*out = n;
	return n < 0 ? -1 : 0;
}

/* The name goes into the file backup.info and into messages. */
static int
order_put_name(struct order_backup *b, const char *text, struct err *e)
{
	if (order_put_text(b->name, sizeof(b->name), "name", text, e) < 0)
		return -1;
	if (*text && strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
				  "._-") == strlen(text))
		return 0;
	return err_set(e, ERR_INVALID, "a backup's name has letters, digits, \".\", \"_\", \"-\"");
}

/* The name of a pod goes into the Lease. */
static int
order_put_member(struct order *o, const char *text, struct err *e)
{
	if (order_put_text(o->member, sizeof(o->member), "target", text, e) < 0)
		return -1;
	if (strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789.-") == strlen(text))
		return 0;
	return err_set(e, ERR_INVALID, "\"%.40s\" is no name of a pod", text);
}

/* 1: no parameter of a promotion. */
static int
order_put_promote(struct order *o, const char *key, const char *value, struct err *e)
{
	if (strcmp(key, "force") == 0)
		return order_put_bool(&o->force, key, value, e);
	if (strcmp(key, "acceptDataLoss") != 0)
		return 1;
	if (strcmp(value, "any") == 0) {
		o->accept_loss_bytes = ORDER_ANY_LOSS;
		return 0;
	}
	if (quantity_bytes(value, &o->accept_loss_bytes, e) == 0)
		return 0;
	e->kind = ERR_INVALID;
	return err_add(e, "%s, expected bytes such as 16777216 or 16Mi, or any", key);
}

/* 1: no parameter of a backup. */
static int
order_put_backup(struct order_backup *b, const char *key, const char *value, struct err *e)
{
	static const char *const keeps[] = {"no", "full", "standalone"};
	static const char *const targets[] = {"any", "primary", "prefer-standby"};
	bool on = false;
	int n;

	if (strcmp(key, "name") == 0)
		return order_put_name(b, value, e);
	if (strcmp(key, "incremental") == 0)
		return order_put_bool(&b->incremental, key, value, e);
	if (strcmp(key, "rate") == 0)
		return order_lag_parse(value, &b->rate, e) < 0 ? err_add(e, "rate") : 0;
	if (strcmp(key, "immediate") == 0) {
		n = order_put_bool(&on, key, value, e);
		b->immediate = on;
	} else if (strcmp(key, "keep") == 0) {
		n = order_put_choice(key, value, keeps, ARRAY_LEN(keeps), e);
		b->keep = (uint32_t)n;
	} else if (strcmp(key, "target") == 0) {
		n = order_put_choice(key, value, targets, ARRAY_LEN(targets), e);
		b->target = n == 1 ? ORDER_TARGET_PRIMARY : ORDER_TARGET_ANY;
	} else {
		return 1;
	}
	return n < 0 ? -1 : 0;
}

/* 1: no parameter of a hot backup. */
static int
order_put_hot(struct order_backup *b, const char *key, const char *value, struct err *e)
{
	bool on = true;

	if (strcmp(key, "name") == 0 || strcmp(key, "immediate") == 0)
		return order_put_backup(b, key, value, e);
	if (strcmp(key, "slot") == 0) {
		if (strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(value))
			return err_set(e, ERR_INVALID,
				"a slot's name has lower case letters, digits and \"_\"");
		return order_put_text(b->slot, sizeof(b->slot), key, value, e);
	}
	if (strcmp(key, "archived") == 0) {
		if (order_put_bool(&on, key, value, e) < 0)
			return -1;
		b->no_archive = !on;
		return 0;
	}
	if (strcmp(key, "lasts") != 0)
		return 1;
	if (duration_parse(value, &b->lasts_ms, e) < 0)
		return err_add(e, "lasts");
	if (b->lasts_ms < 1000 || b->lasts_ms > ORDER_HOT_MAX_MS)
		return err_set(e, ERR_INVALID, "lasts is at least 1s and at most a day");
	return 0;
}

static bool
order_takes_token(const struct order *o)
{
	return o->kind == ORDER_PROMOTE || o->kind == ORDER_FOLLOW || o->kind == ORDER_FENCE ||
	       o->kind == ORDER_UNFENCE;
}

static int
order_put_token(struct order *o, const char *text, struct err *e)
{
	size_t n = strspn(text, "0123456789");

	o->token = 0;
	for (size_t i = 0; i < n && n <= 18; i++)
		o->token = o->token * 10 + (uint64_t)(text[i] - '0');
	if (!text[n] && o->token > 0)
		return 0;
	return err_set(e, ERR_INVALID,
		"token \"%.32s\" is no whole number from 1 of at most 18 digits", text);
}

/* HOST:PORT, an address of IPv6 in brackets. */
static int
order_put_primary(struct order *o, const char *text, struct err *e)
{
	const char *colon = strrchr(text, ':');
	size_t digits = colon ? strspn(colon + 1, "0123456789") : 0;
	bool brackets = text[0] == '[' && colon && colon > text + 2 && colon[-1] == ']';

	if (order_put_text(o->primary, sizeof(o->primary), "primary", text, e) < 0)
		return -1;
	if (colon && colon > text && digits > 0 && digits < 6 && !colon[1 + digits] &&
		!strpbrk(text, " '\"\\/,@") &&
		(brackets || !memchr(text, ':', (size_t)(colon - text))))
		return 0;
	return err_set(e, ERR_INVALID, "primary \"%.64s\" is not HOST:PORT", text);
}

int
order_param(struct order *o, int64_t *wait_ms, const char *key, const char *value, struct err *e)
{
	if (strcmp(key, "mode") == 0)
		return order_put_mode(o, value, e);
	if (strcmp(key, "reason") == 0)
		return order_put_text(o->reason, sizeof(o->reason), key, value, e);
	if (strcmp(key, "wait") == 0)
		return order_put_wait(wait_ms, value, e);
	if (o->kind == ORDER_BACKUP || o->kind == ORDER_HOT_START) {
		int rc = o->kind == ORDER_BACKUP ? order_put_backup(&o->backup, key, value, e)
						 : order_put_hot(&o->backup, key, value, e);

		if (rc <= 0)
			return rc;
	}
	if (o->kind == ORDER_SWITCHOVER && strcmp(key, "target") == 0)
		return order_put_member(o, value, e);
	if (order_takes_token(o) && strcmp(key, "token") == 0)
		return order_put_token(o, value, e);
	if (o->kind == ORDER_FOLLOW && strcmp(key, "primary") == 0)
		return order_put_primary(o, value, e);
	if (o->kind == ORDER_PROMOTE) {
		int rc = order_put_promote(o, key, value, e);

		if (rc <= 0)
			return rc;
	}
	return order_unknown(key, e);
}

#define ORDER_NUMBER_MAX 9007199254740992.0 /* beyond it a double skips numbers */

/* What a value of JSON is as a parameter; NULL: nothing. */
static const char *
order_json_text(const cJSON *item, char number[32])
{
	double n = item->valuedouble;

	if (cJSON_IsString(item))
		return item->valuestring;
	if (cJSON_IsBool(item))
		return cJSON_IsTrue(item) ? "true" : "false";
	if (!cJSON_IsNumber(item) || n < 0 || n >= ORDER_NUMBER_MAX || n != (double)(int64_t)n)
		return NULL;
	snprintf(number, 32, "%lld", (long long)n);
	return number;
}

static int
order_json_members(struct order *o, int64_t *wait_ms, const cJSON *root, struct err *e)
{
	const cJSON *item;
	char number[32];

	cJSON_ArrayForEach(item, root)
	{
		const char *text = order_json_text(item, number);

		if (!text)
			return err_set(e, ERR_INVALID,
				"\"%.32s\" in the body must be a string, a whole number, true or "
				"false",
				item->string);
		if (order_param(o, wait_ms, item->string, text, e) < 0)
			return -1;
	}
	return 0;
}

static bool
order_blank(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!memchr(" \t\r\n", text[i], 4))
			return false;
	return true;
}

int
order_json(struct order *o, int64_t *wait_ms, const char *text, size_t len, struct err *e)
{
	const char *end = NULL;
	cJSON *root;
	int rc;

	if (order_blank(text, len))
		return 0;
	root = cJSON_ParseWithLengthOpts(text, len, &end, false);
	if (!root || !order_blank(end, (size_t)(text + len - end))) {
		cJSON_Delete(root);
		return err_set(e, ERR_INVALID, "the body is no JSON: error at byte %zu",
			end ? (size_t)(end - text) : 0);
	}
	if (cJSON_IsObject(root))
		rc = order_json_members(o, wait_ms, root, e);
	else
		rc = err_set(e, ERR_INVALID, "the body must be a JSON object");
	cJSON_Delete(root);
	return rc;
}

int
order_whole(const struct order *o, struct err *e)
{
	if (o->kind == ORDER_FOLLOW && (!o->token || !*o->primary))
		return err_set(e, ERR_INVALID, "follow needs primary (HOST:PORT) and token");
	if (o->force == (o->accept_loss_bytes >= 0))
		return 0;
	return err_set(e, ERR_INVALID,
		o->force ? "force needs acceptDataLoss too: how many bytes of WAL may be lost"
			 : "acceptDataLoss without force changes nothing: give both or neither");
}

int
order_idem_key(struct order *o, const char *text, struct err *e)
{
	if (!*text)
		return err_set(e, ERR_INVALID, "Idempotency-Key is empty");
	return order_put_text(o->idem_key, sizeof(o->idem_key), "Idempotency-Key", text, e);
}

/* ---- sizes ---- */

int
order_lag_parse(const char *text, int64_t *out_bytes, struct err *e)
{
	static const struct {
		const char *text;
		int shift;
	} units[] = {{"", 0}, {"B", 0}, {"kB", 10}, {"MB", 20}, {"GB", 30}, {"TB", 40}};
	size_t digits = strspn(text, "0123456789");
	int64_t v = 0;

	if (digits == 0 || digits > 18)
		return err_set(e, ERR_INVALID,
			"lag \"%.32s\" is no size, expected one like 10MB or bytes", text);
	for (size_t i = 0; i < digits; i++)
		v = v * 10 + (text[i] - '0');
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (strcmp(units[i].text, text + digits) != 0)
			continue;
		if (v > INT64_MAX >> units[i].shift)
			return err_set(e, ERR_INVALID, "lag \"%.32s\" is too large", text);
		*out_bytes = v << units[i].shift;
		return 0;
	}
	return err_set(e, ERR_INVALID,
		"lag \"%.32s\" has an unknown unit, expected B, kB, MB, GB or TB", text);
}
