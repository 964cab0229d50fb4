/*
 * fuzz_hba - lines for pg_hba.conf and pg_ident.conf of any bytes; the first one picks the version.
 *
 * What is taken must stay one line and keep its words when it is split again.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "pg/hba.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(const char *line, int major)
{
	AUTO(buf_deinit) struct buf why = {0}, why_split = {0}, why_ident = {0};
	AUTO(hba_line_deinit) struct hba_line l = {0};
	int taken = hba_check_line(line, major, false, &why) == 0;

	must(taken || why.len > 0);
	if (taken) {
		must(!strchr(line, '\n') && !strchr(line, '\r'));
		must(hba_split(&l, line, &why_split) == 0);
		must(l.n == 0 || l.fields >= 4);
	}
	must(hba_check_ident(line, &why_ident) == 0 || why_ident.len > 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(free) char *line = NULL;
	struct conf_text t = {.file = "f"};

	if (size == 0 || size > 20000)
		return 0;
	line = strndup((const char *)data + 1, size - 1);
	if (!line)
		return 0;
	check(line, 13 + data[0] % 6);
	t.text = line;
	t.len = strlen(line);
	must(hba_is_own(&t) || t.len < 20000);
	return 0;
}
