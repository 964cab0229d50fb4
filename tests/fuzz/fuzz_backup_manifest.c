/*
 * fuzz_backup_manifest - manifest.json of any bytes, line by line; what is understood is written
 * and understood again as the same.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/json.h"
#include "core/backup_manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
again(const struct buf *text, enum backup_line kind, const struct backup_line_value *was)
{
	static struct backup_line_value now;
	enum backup_line what;
	struct err e;
	size_t n = text->len;

	while (n > 0 && text->data[n - 1] == '\n')
		n--;
	must(backup_manifest_line(text->data, n, &what, &now, &e) == 0);
	must(what == kind);
	if (kind == BACKUP_LINE_FILE)
		must(strcmp(now.file.path, was->file.path) == 0 &&
			now.file.bytes == was->file.bytes &&
			strcmp(now.file.sha256, was->file.sha256) == 0);
	else
		must(strcmp(now.object.name, was->object.name) == 0 &&
			now.object.bytes == was->object.bytes &&
			now.object.plain_bytes == was->object.plain_bytes);
}

/* What is written is always UTF-8: other bytes do not come back as they were. */
static bool
is_utf8(const char *text, size_t len)
{
	size_t n;

	for (; len > 0; text += n, len -= n) {
		n = json_utf8_len(text, len);
		if (n == 0)
			return false;
	}
	return true;
}

static void
line(const char *text, size_t len)
{
	static struct backup_line_value v;
	AUTO(buf_deinit) struct buf out = {0};
	enum backup_line kind;
	struct err e;

	if (!is_utf8(text, len) || backup_manifest_line(text, len, &kind, &v, &e) < 0)
		return;
	if (kind == BACKUP_LINE_FILE)
		backup_manifest_file(&out, &v.file, true);
	else if (kind == BACKUP_LINE_OBJECT)
		backup_manifest_object(&out, &v.object, true);
	else
		return;
	again(&out, kind, &v);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *at = (const char *)data, *end = at + size, *eol;

	for (; at < end; at = eol + 1) {
		eol = memchr(at, '\n', (size_t)(end - at));
		eol = eol ? eol : end;
		line(at, (size_t)(eol - at));
	}
	return 0;
}
