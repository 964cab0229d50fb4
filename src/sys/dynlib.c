/*
 * dynlib - libraries that only one service needs, loaded by that service.
 */
#include "sys/dynlib.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "sys/file.h"

#define MAPS_MAX ((size_t)4 << 20)

int
dynlib_load(const struct dynlib *d, void *table, struct err *e)
{
	void *lib = dlopen(d->soname, RTLD_NOW | RTLD_LOCAL);

	if (!lib)
		return err_set(e, ERR_CONFIG, "cannot load %s (Debian package %s): %s", d->soname,
			d->package, dlerror());
	for (size_t i = 0; i < d->n; i++) {
		void *sym = dlsym(lib, d->symbols[i].name);

		if (!sym)
			return err_set(e, ERR_CONFIG, "%s has no function %s: it is too old",
				d->soname, d->symbols[i].name);
		memcpy((char *)table + d->symbols[i].offset, &sym, sizeof(sym));
	}
	return 0;
}

/* One mapping of /proc/self/smaps. */
struct mapping {
	uintptr_t from, to;
	bool library; /* a library's file, and nobody may write there */
	int64_t own;  /* kB that were written to, before that was so */
};

static bool
mapping_begins(struct mapping *m, const char *line)
{
	uintptr_t from, to;
	char mode[8];
	int path = 0;

	if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %7s %*s %*s %*s %n", &from, &to, mode, &path) !=
		3)
		return false;
	*m = (struct mapping){.from = from, .to = to};
	m->library = path > 0 && line[path] == '/' && strstr(line + path, ".so") &&
		     strcspn(mode, "w") == strlen(mode);
	return true;
}

/* Its lines come in this order, the flags last.  Pages of our own cannot be read again: such are
 * the addresses that the loader has filled in. */
static void
mapping_line(struct mapping *m, const char *line)
{
	int64_t kb;

	if (mapping_begins(m, line))
		return;
	if (sscanf(line, "Anonymous: %" SCNd64, &kb) == 1 ||
		sscanf(line, "Swap: %" SCNd64, &kb) == 1)
		m->own += kb;
	if (strncmp(line, "VmFlags:", 8) == 0 && m->library && m->own == 0)
		(void)madvise((void *)m->from, m->to - m->from, MADV_DONTNEED);
}

void
dynlib_rest(void)
{
	AUTO(buf_deinit) struct buf maps = {0};
	struct mapping m = {0};
	struct err ignored;
	char *next;

	if (file_read(&maps, "/proc/self/smaps", MAPS_MAX, &ignored) < 0)
		return;
	for (char *line = maps.data; line && *line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		mapping_line(&m, line);
	}
}
