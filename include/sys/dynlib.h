/*
 * dynlib - libraries that only one service needs, loaded by that service.
 *
 * Linked in the ordinary way they would be relocated into every process of the pod.  The functions
 * of a library are a table (include/tbl/dyn_*.h); calls go through struct pointers of the exact
 * type the library's own header declares, so that the compiler checks them all the same.
 */
#pragma once

#include "base/err.h"

struct dynlib_symbol {
	const char *name;
	size_t offset; /* of the function pointer in the caller's struct */
};

struct dynlib {
	const char *soname, *package; /* Debian's package, for the message */
	const struct dynlib_symbol *symbols;
	size_t n;
};

/* Loads it once and fills the pointers of *table.  Fails naming the library and the symbol. */
int dynlib_load(const struct dynlib *d, void *table, struct err *e) MUSTCHECK;

/* What loading and the first calls alone needed of the libraries' files leaves this process: they
 * are clean pages, and what is called again is mapped again from memory. */
void dynlib_rest(void);
