/*
 * dynlib - libraries that only one service needs, loaded by that service.
 */
#include "sys/dynlib.h"

#include <dlfcn.h>
#include <string.h>

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
