/*
 * dynlib - libraries that only one service needs, loaded by that service.
 */
#include "sys/dynlib.h"

#include <dlfcn.h>
#include <string.h>

int
dynlib_load(const char *soname, const char *package, const struct dynlib_symbol *symbols, size_t n,
	void *table, struct err *e)
{
	void *lib = dlopen(soname, RTLD_NOW | RTLD_LOCAL);

	if (!lib)
		return err_set(e, ERR_CONFIG, "cannot load %s (Debian package %s): %s", soname,
			package, dlerror());
	for (size_t i = 0; i < n; i++) {
		void *sym = dlsym(lib, symbols[i].name);

		if (!sym)
			return err_set(e, ERR_CONFIG, "%s has no function %s: it is too old",
				soname, symbols[i].name);
		memcpy((char *)table + symbols[i].offset, &sym, sizeof(sym));
	}
	return 0;
}
