/*
 * fuzz_cron - schedules of any bytes; the next time is later and fits.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/schedule.h"
#include "core/when.h"

#define AFTER_US INT64_C(1774742400000000) /* the day before clocks change in Europe */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
zone(void *arg, const char *name, int64_t at_s, int32_t *offset_s)
{
	(void)arg;
	*offset_s = at_s >= INT64_C(1774746000) ? 7200 : 3600;
	return strcmp(name, "Mars") != 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(free) char *text = malloc(size + 1);
	int64_t next, after = AFTER_US;
	struct schedule s;
	struct err e;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (schedule_parse(&s, text, &e))
		return 0;
	for (int i = 0; i < 4; i++, after = next) {
		next = schedule_next_in(&s, after, zone, NULL);
		if (next == 0)
			return 0;
		must(next > after);
		must(s.every_us || s.named || s.offset_s ||
			(s.second >> when_civil(next / 1000000).second & 1));
	}
	return 0;
}
