/*
 * fuzz_time - points in time of any bytes; what is known is written and read again.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/defs.h"
#include "core/when.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(free) char *text = malloc(size + 1);
	char written[WHEN_TEXT_SIZE];
	int64_t us, again;
	bool zoned;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (when_parse(text, &us, &zoned) != WHEN_KNOWN || when_civil(us / 1000000).year > 9999 ||
		when_civil(us / 1000000).year < 1)
		return 0;
	must(when_parse(when_text(us, written), &again, &zoned) == WHEN_KNOWN);
	must(us == again && zoned);
	return 0;
}
