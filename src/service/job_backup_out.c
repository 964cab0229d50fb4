/*
 * job_backup_out - one object after the other: compressed, uploaded, remembered.
 *
 * Process: the job `backup`.
 */
#include <stdio.h>
#include <string.h>

#include "service/job_backup.h"

static int
out_sink(void *arg, const void *p, size_t n, struct err *e)
{
	struct backup_out *o = arg;

	return store_upload_write(o->upload, p, n, e);
}

int
backup_out_open(struct backup_out *o, const char *stem, int64_t expected, struct err *e)
{
	struct archive *a = o->b->archive;
	const struct codec_spec codec = {.codec = a->data_codec, .sink = out_sink, .arg = o};
	char key[ARCHIVE_KEY_SIZE];
	const struct store_upload_spec upload = {.key = key, .expected_bytes = expected};

	must(!o->upload);
	snprintf(o->name, sizeof(o->name), "%s%s", stem, codec_extension(a->data_codec));
	o->plain_bytes = 0;
	if (backup_key(o->b, key, o->name, e) < 0 ||
		store_upload_open(a->store, &upload, &o->upload, e) < 0)
		return err_add(e, "%s", o->name);
	return codec_compress(&o->codec, &codec, e);
}

int
backup_out_write(void *out, const void *p, size_t n, struct err *e)
{
	struct backup_out *o = out;

	o->plain_bytes += (int64_t)n;
	return codec_write(o->codec, p, n, e) < 0 ? err_add(e, "%s", o->name) : 0;
}

static int
out_remember(struct backup_out *o, const struct store_upload_result *r, struct err *e)
{
	struct backup_object *more = realloc(o->object, (o->objects + 1) * sizeof(*more)), *to;

	if (!more)
		return err_sys(e, "remember %s", o->name);
	o->object = more;
	to = &more[o->objects++];
	*to = (struct backup_object){.bytes = r->bytes, .plain_bytes = o->plain_bytes};
	snprintf(to->name, sizeof(to->name), "%s", o->name);
	snprintf(to->sha256, sizeof(to->sha256), "%s", r->sha256);
	o->stored_bytes += r->bytes;
	return 0;
}

int
backup_out_close(struct backup_out *o, struct err *e)
{
	struct store_upload_result r;

	if (codec_finish(o->codec, e) < 0 || store_upload_finish(o->upload, &r, e) < 0)
		return err_add(e, "%s", o->name);
	o->codec = codec_free(o->codec);
	o->upload = store_upload_close(o->upload);
	return out_remember(o, &r, e);
}

void
backup_out_deinit(struct backup_out *o)
{
	o->codec = codec_free(o->codec);
	o->upload = store_upload_close(o->upload);
	free(o->object);
	o->object = NULL;
}
