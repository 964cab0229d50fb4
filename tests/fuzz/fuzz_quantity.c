/*
 * fuzz_quantity - any text as a quantity, a value of PostgreSQL, a name or value of a parameter.
 */
#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/duration.h"
#include "base/quantity.h"
#include "core/guc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
try_kubernetes(const char *text)
{
	struct quantity q;
	struct err e = {0};
	int64_t v;

	if (quantity_parse(text, &q, &e) == 0) {
		v = quantity_value(q);
		must((__int128)v * 1000000000 >= q.nano || q.nano < 0);
		must(quantity_cmp(q, q) == 0);
		(void)quantity_milli(q);
	}
	if (quantity_bytes(text, &v, &e) == 0)
		must(v >= 0);
}

static void
try_postgres(const char *text)
{
	struct err e = {0};
	int64_t v;
	int b;

	if (quantity_pg_bytes(text, 8192, &v, &e) == 0)
		must(v % 8192 == 0);
	if (quantity_pg_us(text, 1000, &v, &e) == 0)
		must(v % 1000 == 0);
	(void)!quantity_pg_int(text, &v, &e);
	if (quantity_pg_bool(text, &b, &e) == 0)
		must(b == 0 || b == 1);
	(void)!duration_parse(text, &v, &e);
}

static void
try_parameter(char *text)
{
	char *equals = strchr(text, '=');
	struct err e = {0};

	if (guc_name_ok(text))
		must(*text && !strpbrk(text, " \n='"));
	if (!equals)
		return;
	*equals = '\0';
	(void)!guc_check(text, equals + 1, &e);
	(void)guc_refused(text);
	(void)guc_harmless(text, equals + 1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[256];

	if (size >= sizeof(text))
		return 0;
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	try_kubernetes(text);
	try_postgres(text);
	try_parameter(text);
	return 0;
}
