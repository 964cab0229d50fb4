/*
 * fuzz_control - pg_control of any bytes.
 */
#include <stddef.h>
#include <stdint.h>

#include "pg/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(buf_deinit) struct buf out = {0};
	struct control c;
	struct err e;

	if (control_parse(&c, data, size, &e) == 0)
		must(control_state_text(c.state) && control_timeline(&c) >= c.copy.timeline);
	if (control_print_bytes(&out, data, size, &e) == 0)
		must(out.len > 1000);
	return 0;
}
