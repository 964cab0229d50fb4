/*
 * tar - archives read and written as streams, in fixed memory.
 *
 * Process: jobs and commands.  File data is never copied here: what is pushed into a reader goes to
 * its callback by pointer, what is given to a writer goes to its sink by pointer.
 *
 * Formats: POSIX.1-2017 pax ("pax Interchange Format", "ustar Interchange Format"), GNU tar's long
 * names ('L', 'K') and base-256 numbers.  What is written is what PostgreSQL and Barman (Python's
 * tarfile, in stream mode) read.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define TAR_NAME_MAX 4095 /* bytes of a name or of a link's target */
#define TAR_PAX_MAX 65536 /* bytes of one extended header */
#define TAR_BLOCK ((size_t)512)

enum tar_kind { TAR_FILE, TAR_DIR, TAR_SYMLINK, TAR_HARDLINK };

struct tar_entry {
	enum tar_kind kind;
	/* Relative, without "./" in front, empty components or a slash at the end; "." is the root
	 * itself.  Never absolute, never with "..". */
	const char *name;
	const char *link; /* target of a link, as it stands there (absolute ones too); else "" */
	int64_t bytes;    /* of data that follow; 0 for all but files */
	unsigned mode;    /* permission bits, 07777 */
	int64_t uid, gid;
	int64_t mtime; /* s since 1970; a fraction is dropped */
};

/* ---- reading ---- */

/*
 * Callbacks return 0, or -1 with the error, which ends the reading.  begin: strings of the entry
 * are valid until end.  data: pieces in order, as many bytes in all as the entry said; a file
 * without bytes gets none.  end is called once for each begin.  Any may be NULL.
 */
struct tar_reader_spec {
	int (*begin)(void *arg, const struct tar_entry *t, struct err *e);
	int (*data)(void *arg, const void *p, size_t n, struct err *e);
	int (*end)(void *arg, struct err *e);
	void *arg;
	bool hardlinks; /* else ERR_CORRUPT: PostgreSQL's folders have none */
	bool open_end;  /* the two blocks of zeros at the end may be missing: BASE_BACKUP before 15
			 */
};

struct tar_reader;

int tar_reader_new(
	struct tar_reader **out, const struct tar_reader_spec *spec, struct err *e) MUSTCHECK;
/*
 * Input in pieces of any size.  ERR_CORRUPT, naming the entry, for a wrong checksum, a name that
 * leaves the folder, a kind of entry that PostgreSQL does not have (device, FIFO, sparse file),
 * or limits that are passed.
 *
 * The names are checked as text: who unpacks must not follow links that an earlier entry made.
 */
int tar_reader_write(struct tar_reader *r, const void *p, size_t n, struct err *e) MUSTCHECK;
/* End of input: ERR_CORRUPT when it ends in the middle. */
int tar_reader_finish(struct tar_reader *r, struct err *e) MUSTCHECK;
struct tar_reader *tar_reader_free(struct tar_reader *r); /* returns NULL */
DEFINE_AUTO(struct tar_reader *, tar_reader_free)

/* ---- writing ---- */

typedef int tar_sink_fn(void *arg, const void *p, size_t n, struct err *e);

struct tar_writer;

int tar_writer_new(struct tar_writer **out, tar_sink_fn *sink, void *arg, struct err *e) MUSTCHECK;
/* Header of the next entry; ustar, with a pax header before it only for what ustar cannot say. */
int tar_writer_begin(struct tar_writer *w, const struct tar_entry *t, struct err *e) MUSTCHECK;
/* More than the entry has room for: ERR_INVALID. */
int tar_writer_data(struct tar_writer *w, const void *p, size_t n, struct err *e) MUSTCHECK;
/* Fills with zeros what is missing of a file that shrank; *missing: how many, may be NULL. */
int tar_writer_end(struct tar_writer *w, int64_t *missing, struct err *e) MUSTCHECK;
/* A whole file from memory. */
int tar_writer_file(
	struct tar_writer *w, const struct tar_entry *t, const void *data, struct err *e) MUSTCHECK;
/* The two blocks of zeros. */
int tar_writer_finish(struct tar_writer *w, struct err *e) MUSTCHECK;
int64_t tar_writer_bytes(const struct tar_writer *w);     /* written so far */
struct tar_writer *tar_writer_free(struct tar_writer *w); /* returns NULL */
DEFINE_AUTO(struct tar_writer *, tar_writer_free)
