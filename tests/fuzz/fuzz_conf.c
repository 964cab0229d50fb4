/*
 * fuzz_conf - postgresql.conf of any bytes: read, edited, and read again.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "pg/conf_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every value survives being quoted and read. */
static void
round_trip(const struct conf_settings *s)
{
	for (size_t i = 0; i < s->n; i++) {
		AUTO(conf_settings_deinit) struct conf_settings again = {0};
		AUTO(buf_deinit) struct buf b = {0};
		struct conf_text t = {.file = "g"};
		struct err e;

		buf_puts(&b, "a = ");
		conf_quote(&b, s->item[i].value);
		t.text = buf_str(&b);
		t.len = b.len;
		must(conf_parse(&again, &t, NULL, NULL, &e) == 0 && again.n == 1);
		must(strcmp(again.item[0].value, s->item[i].value) == 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(conf_settings_deinit) struct conf_settings s = {0}, dropped = {0};
	AUTO(buf_deinit) struct buf once = {0}, twice = {0}, edited = {0};
	struct conf_text t = {(const char *)data, size, "f"};
	struct err e;

	if (size == 0 || size > 20000)
		return 0;
	if (conf_parse(&s, &t, NULL, NULL, &e) == 0)
		round_trip(&s);
	must(conf_auto_render(&edited, &t, &s, &dropped, &e) == 0);
	must(conf_main_render(&once, &t, CONF_USER_FILE, CONF_OWNED_FILE, &e) == 0);
	t = (struct conf_text){once.data, once.len, "f"};
	must(conf_main_render(&twice, &t, CONF_USER_FILE, CONF_OWNED_FILE, &e) == 0);
	must(once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0);
	return 0;
}
