/*
 * codec - compression of WAL and base backups, as streams with fixed memory.
 *
 * Process: workers of the archiver, jobs, and commands.  Libraries are loaded when first used
 * (sys/dynlib); gzip is written by ISA-L level 1 where it is (RFC 1952, one member), by libdeflate
 * or zlib where asked for or where ISA-L is absent.  Extensions and formats are those that Barman
 * 3.12 and later read and write: .gz .bz2 .snappy (framing format) .xz .zst .lz4 (frame).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum codec {
	CODEC_NONE,
	CODEC_GZIP,
	CODEC_ZSTD,
	CODEC_LZ4,
	CODEC_SNAPPY,
	CODEC_BZIP2,
	CODEC_XZ,
	CODECS
};

const char *codec_text(enum codec c);      /* "gzip", as in the manifest; "none" */
const char *codec_extension(enum codec c); /* ".gz"; "" for none */
/* "gzip" or "" (none); -1: no such compression. */
int codec_parse(const char *text, enum codec *out);
/* By the end of a file's name; CODEC_NONE when it has none of the extensions.  *stem: length of
 * the name without it; may be NULL. */
enum codec codec_of_name(const char *name, size_t *stem);

/* Returns 0, or -1 with the error, which ends the stream. */
typedef int codec_sink_fn(void *arg, const void *p, size_t n, struct err *e);

struct codec_stream;

struct codec_spec {
	enum codec codec;
	int level; /* 0: the default that wal-backup measurements chose: gzip 1 by ISA-L */
	codec_sink_fn *sink; /* gets the result in pieces of at most 256 KiB */
	void *arg;
};

int codec_compress(
	struct codec_stream **out, const struct codec_spec *spec, struct err *e) MUSTCHECK;
int codec_decompress(
	struct codec_stream **out, const struct codec_spec *spec, struct err *e) MUSTCHECK;
int codec_write(struct codec_stream *c, const void *p, size_t n, struct err *e) MUSTCHECK;
/* End of input: flushes; ERR_CORRUPT when a decompressed stream ends in the middle or a checksum
 * of the format is wrong. */
int codec_finish(struct codec_stream *c, struct err *e) MUSTCHECK;
/* For the next file with the same spec, keeping buffers. */
int codec_reset(struct codec_stream *c, void *arg, struct err *e) MUSTCHECK;
struct codec_stream *codec_free(struct codec_stream *c);
DEFINE_AUTO(struct codec_stream *, codec_free)
