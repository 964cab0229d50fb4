/*
 * tar_impl - the header block, for the reader and the writer.
 */
#pragma once

#include "store/tar.h"

struct tar_block {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8];
	char type;
	char link[100];
	char magic[6], version[2];
	char user[32], group[32], major[8], minor[8];
	char prefix[155], rest[12];
};

/* Types beside those of entries. */
enum { TAR_PAX = 'x', TAR_PAX_GLOBAL = 'g', TAR_LONG_NAME = 'L', TAR_LONG_LINK = 'K' };

unsigned tar_checksum(const struct tar_block *b);
/* Octal, or base-256 of GNU.  -1: neither. */
int tar_number(const char *field, size_t size, int64_t *out);

/* What an extended header says of the next entry. */
struct tar_pax {
	bool has_size, has_mtime, has_uid, has_gid;
	int64_t size, mtime, uid, gid;
	char name[TAR_NAME_MAX + 1], link[TAR_NAME_MAX + 1]; /* "": not said */
};

int tar_pax_parse(struct tar_pax *pax, const char *p, size_t n, struct err *e) MUSTCHECK;
/* The plain form of a name; ERR_CORRUPT when it is absolute or leaves the folder. */
int tar_name_clean(char out[TAR_NAME_MAX + 1], const char *name, struct err *e) MUSTCHECK;
