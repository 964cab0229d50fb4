/*
 * spec_load - a manifest from a file.
 *
 * The one place of core that touches a file: everybody who needs a spec has a path.
 */
#include "core/spec.h"

#include <fcntl.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/yaml.h"
#include "core/spec_reader.h"

static int
read_file(int fd, struct buf *out, struct err *e)
{
	char chunk[16384];
	ssize_t n;

	for (;;) {
		n = read(fd, chunk, sizeof(chunk));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "read");
		if (n == 0)
			return 0;
		buf_put(out, chunk, (size_t)n);
		if (buf_check(out, e))
			return err_set(e, ERR_CONFIG, "larger than %u bytes", YAML_MAX_BYTES);
	}
}

int
spec_load(struct spec **out, const char *path, struct spec_notes *notes, struct err *e)
{
	struct spec_source source = {.file = path, .cluster = getenv("CLUSTER_NAME")};
	AUTO(buf_deinit) struct buf text;
	AUTO(close) int fd = -1;

	buf_init_max(&text, YAML_MAX_BYTES);
	if (!*path) {
		*out = spec_new(e);
		return *out ? 0 : -1;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "%s", path);
	if (read_file(fd, &text, e))
		return err_add(e, "%s", path);
	source.text = buf_str(&text);
	source.len = text.len;
	return spec_parse_from(out, &source, notes, e);
}
