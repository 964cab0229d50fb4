/*
 * conf_load - a configuration file with everything it includes.
 *
 * Order, depth and the choice of files in a folder are those of PostgreSQL's guc-file.l.
 */
#include "pg/conf_read.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define MAX_DEPTH 10
#define MAX_FILE_BYTES (4 << 20)
#define MAX_PATH 4096

struct load {
	struct conf_settings *out;
	int depth;
};

static int load_file(struct load *l, const char *path, struct err *e);

static int
read_text(struct buf *out, const char *path, struct err *e)
{
	AUTO(close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	char piece[8192];
	ssize_t n;

	if (fd < 0 && errno == ENOENT)
		return err_set(e, ERR_NOTFOUND, "%s does not exist", path);
	if (fd < 0)
		return err_sys(e, "%s", path);
	buf_init_max(out, MAX_FILE_BYTES);
	while ((n = read(fd, piece, sizeof(piece))) > 0)
		buf_put(out, piece, (size_t)n);
	if (n < 0)
		return err_sys(e, "%s", path);
	if (buf_check(out, e))
		return err_add(e, "%s", path);
	return 0;
}

/* Relative names are relative to the file that includes. */
static int
include_path(char out[MAX_PATH], const struct conf_setting *at, struct err *e)
{
	const char *slash = strrchr(at->file, '/');
	int dir = at->value[0] == '/' || !slash ? 0 : (int)(slash - at->file) + 1;
	int n = snprintf(out, MAX_PATH, "%.*s%s", dir, at->file, at->value);

	if (n < 0 || n >= MAX_PATH)
		return err_set(e, ERR_CONFIG, "%s:%d: the name is too long", at->file, at->line);
	return 0;
}

static int
is_conf(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return d->d_name[0] != '.' && n > 5 && strcmp(d->d_name + n - 5, ".conf") == 0;
}

static int
by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int
load_folder(struct load *l, const char *path, struct err *e)
{
	struct dirent **found = NULL;
	int n = scandir(path, &found, is_conf, by_bytes), rc = 0;
	char file[MAX_PATH];

	if (n < 0)
		return err_sys(e, "include_dir %s", path);
	for (int i = 0; i < n; i++) {
		int len = snprintf(file, sizeof(file), "%s/%s", path, found[i]->d_name);

		if (rc == 0 && len > 0 && len < (int)sizeof(file))
			rc = load_file(l, file, e);
		free(found[i]);
	}
	free(found);
	return rc;
}

static bool
ours(const char *value)
{
	return strcmp(value, CONF_USER_FILE) == 0 || strcmp(value, CONF_OWNED_FILE) == 0;
}

static int
on_include(void *arg, const struct conf_setting *at, struct err *e)
{
	struct load *l = arg;
	char path[MAX_PATH];
	int rc;

	if (ours(at->value))
		return 0;
	if (include_path(path, at, e))
		return -1;
	if (l->depth >= MAX_DEPTH)
		return err_set(e, ERR_CONFIG, "%s:%d: includes are nested deeper than %d", at->file,
			at->line, MAX_DEPTH);
	l->depth++;
	rc = strcasecmp(at->name, "include_dir") == 0 ? load_folder(l, path, e)
						      : load_file(l, path, e);
	l->depth--;
	if (rc && e->kind == ERR_NOTFOUND && strcasecmp(at->name, "include_if_exists") == 0)
		return 0;
	if (rc && e->kind == ERR_NOTFOUND)
		return err_set(e, ERR_CONFIG, "%s:%d: the included file %s does not exist",
			at->file, at->line, path);
	return rc;
}

static int
load_file(struct load *l, const char *path, struct err *e)
{
	AUTO(buf_deinit) struct buf text = {0};
	struct conf_text t = {.file = path};

	if (read_text(&text, path, e))
		return -1;
	t.text = buf_str(&text);
	t.len = text.len;
	return conf_parse(l->out, &t, on_include, l, e);
}

int
conf_load(struct conf_settings *s, const char *path, struct err *e)
{
	struct load l = {.out = s};

	return load_file(&l, path, e);
}
