/*
 * fuzz_http_query - parameters of orders and role checks: KEY=VALUE&KEY=VALUE, of any bytes.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/order.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
take_one(char *pair)
{
	struct order o = {.kind = ORDER_RESTART};
	char *value = strchr(pair, '=');
	int64_t wait_ms = 0, lag = 0;
	struct err e = {0};

	if (value)
		*value++ = '\0';
	value = value ? value : pair + strlen(pair);
	if (order_param(&o, &wait_ms, pair, value, &e) == 0)
		must(wait_ms >= 0 && wait_ms <= 3600000);
	if (order_lag_parse(value, &lag, &e) == 0)
		must(lag >= 0);
	if (order_idem_key(&o, value, &e) == 0)
		must(strlen(o.idem_key) > 0 && strlen(o.idem_key) < sizeof(o.idem_key));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *pair, *rest;

	must(text);
	memcpy(text, data, size);
	text[size] = '\0';
	rest = text;
	while ((pair = strsep(&rest, "&")))
		take_one(pair);
	free(text);
	return 0;
}
