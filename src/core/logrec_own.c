/*
 * logrec_own - lines that processes of ours wrote with base/log.h.
 */
#include <string.h>

#include "base/json.h"
#include "base/jsonscan.h"
#include "core/logrec.h"

bool
logrec_own(const char *line, size_t n)
{
	static const char begin[] = "{\"ts\":";

	return n > sizeof(begin) && memcmp(line, begin, sizeof(begin) - 1) == 0 &&
	       jsonscan_valid(line, n);
}

/* "TS LEVEL LOGGER: MSG KEY=VALUE...": the first four have no key, the pod is known. */
static void
logrec_own_pair(const char *key, size_t key_len, const struct logrec_text *value, struct buf *out)
{
	static const struct {
		const char *key, *after;
	} known[] = {{"ts", " "}, {"level", " "}, {"logger", ": "}, {"msg", ""}};

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (strlen(known[i].key) == key_len && memcmp(known[i].key, key, key_len) == 0) {
			logrec_visible(value->at, value->len, out);
			buf_puts(out, known[i].after);
			return;
		}
	}
	if (key_len == 3 && memcmp(key, "pod", 3) == 0)
		return;
	buf_putc(out, ' ');
	logrec_visible(key, key_len, out);
	buf_putc(out, '=');
	logrec_visible(value->at, value->len, out);
}

static void
logrec_own_text(char *line, size_t n, struct buf *out)
{
	struct jsonscan s = {.at = line, .end = line + n};
	struct jsonscan_span key, value;

	jsonscan_take(&s, '{');
	while (jsonscan_string(&s, &key) && jsonscan_take(&s, ':') && jsonscan_value(&s, &value)) {
		struct logrec_text t = {line + (value.at - line), value.len};

		if (value.escaped)
			t.len = jsonscan_unescape(t.at, t.len);
		logrec_own_pair(key.at, key.len, &t, out);
		if (!jsonscan_take(&s, ','))
			break;
	}
}

void
logrec_render_own(char *line, size_t n, const struct logrec_style *style, struct buf *out)
{
	if (style->text)
		logrec_own_text(line, n, out);
	else
		json_repair(out, line, n);
	buf_putc(out, '\n');
}
