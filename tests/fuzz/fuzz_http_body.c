/*
 * fuzz_http_body - the JSON body of an order, of any bytes.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/order.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct order o = {.kind = ORDER_FENCE};
	int64_t wait_ms = 0;
	struct err e = {0};

	if (order_json(&o, &wait_ms, (const char *)data, size, &e) < 0) {
		must(e.kind == ERR_INVALID && *e.msg);
		return 0;
	}
	must(o.mode <= ORDER_MODE_IMMEDIATE && wait_ms >= 0 && wait_ms <= 3600000);
	must(memchr(o.reason, '\0', sizeof(o.reason)));
	return 0;
}
