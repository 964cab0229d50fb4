/*
 * spec_file - the manifest of this instance, read from its file.
 *
 * Process: the jobs prepare and configure.
 */
#include "service/spec_file.h"

#include "base/yaml.h"
#include "sys/file.h"

int
spec_file_load(
	struct spec **out, const struct run_options *opt, struct spec_notes *notes, struct err *e)
{
	struct spec_source source = {.file = opt->config, .cluster = opt->cluster_name};
	AUTO(buf_deinit) struct buf text = {0};

	if (!*opt->config) {
		*out = spec_new(e);
		return *out ? 0 : -1;
	}
	if (file_read(&text, opt->config, YAML_MAX_BYTES, e) < 0) {
		e->kind = ERR_CONFIG; /* whatever is wrong with it, a person has to mend it */
		return -1;
	}
	source.text = buf_str(&text);
	source.len = text.len;
	return spec_parse_from(out, &source, notes, e);
}
