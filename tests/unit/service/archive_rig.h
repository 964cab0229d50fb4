/* An archive in a folder, made for one test. */
#pragma once

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "core/lineage.h"
#include "service/archive.h"
#include "store/codec.h"
#include "sys/file.h"

#define RIG_SYSTEM UINT64_C(7312345678901234567)
#define RIG_SEGMENT ((uint32_t)1 << 20)

struct rig {
	char dir[64], url[128], dest[128];
	struct archive a;
};

static inline void
rig_make(struct rig *r)
{
	struct store_spec spec = {.url = r->url};
	struct err e = {0};

	memset(r, 0, sizeof(*r));
	snprintf(r->dir, sizeof(r->dir), "/tmp/podgres-archive-XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	snprintf(r->url, sizeof(r->url), "file://%s/store", r->dir);
	snprintf(r->dest, sizeof(r->dest), "%s/store", r->dir);
	assert_int_equal(mkdir(r->dest, 0700), 0);
	snprintf(r->dest, sizeof(r->dest), "%s/RECOVERYXLOG", r->dir);
	if (store_open(&r->a.store, &spec, &e) < 0)
		fail_msg("%s", e.msg);
	snprintf(r->a.server, sizeof(r->a.server), "srv");
}

static inline void
rig_end(struct rig *r)
{
	struct err e;

	archive_rest(&r->a);
	store_close(r->a.store);
	assert_int_equal(file_remove_tree(r->dir, &e), 0);
}

static inline int
rig_sink(void *arg, const void *p, size_t n, struct err *e)
{
	buf_put(arg, p, n);
	return buf_check(arg, e);
}

static inline void
rig_put(struct rig *r, const char *key, const void *p, size_t n)
{
	enum codec codec = codec_of_name(key, NULL);
	AUTO(buf_deinit) struct buf out = {0};
	struct codec_spec spec = {.codec = codec, .sink = rig_sink, .arg = &out};
	AUTO(codec_free) struct codec_stream *c = NULL;
	struct store_put put = {.key = key};
	struct err e = {0};

	if (codec == CODEC_NONE) {
		buf_put(&out, p, n);
	} else if (codec_compress(&c, &spec, &e) < 0 || codec_write(c, p, n, &e) < 0 ||
		   codec_finish(c, &e) < 0) {
		fail_msg("%s", e.msg);
	}
	put.body = out.data;
	put.len = out.len;
	if (store_put(r->a.store, &put, NULL, &e) < 0)
		fail_msg("%s", e.msg);
}

/* A whole segment that says `mark` in its first page. */
static inline void *
rig_segment(const char *name, const char *mark)
{
	const uint16_t magic = 0xD110, info = 2;
	const uint64_t system = RIG_SYSTEM;
	const uint32_t segment = RIG_SEGMENT, block = 8192;
	unsigned char *p = calloc(1, RIG_SEGMENT);
	uint32_t timeline = 0;
	uint64_t lsn = 0;
	char stem[LINEAGE_NAME_SIZE];

	assert_non_null(p);
	snprintf(stem, sizeof(stem), "%.24s", name);
	assert_true(lineage_name_parse(stem, RIG_SEGMENT, &timeline, &lsn));
	memcpy(p, &magic, 2);
	memcpy(p + 2, &info, 2);
	memcpy(p + 4, &timeline, 4);
	memcpy(p + 8, &lsn, 8);
	memcpy(p + 24, &system, 8);
	memcpy(p + 32, &segment, 4);
	memcpy(p + 36, &block, 4);
	memcpy(p + 100, mark, strlen(mark));
	return p;
}

static inline void
rig_put_segment(struct rig *r, const char *name, const char *extension, const char *mark)
{
	AUTO(free) void *p = rig_segment(name, mark);
	char key[ARCHIVE_KEY_SIZE];
	struct err e = {0};

	if (archive_key_wal(key, r->a.server, name, extension, &e) < 0)
		fail_msg("%s", e.msg);
	rig_put(r, key, p, RIG_SEGMENT);
}
