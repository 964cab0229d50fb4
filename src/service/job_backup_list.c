/*
 * job_backup_list - manifest.json, written into the store while the tars are.
 *
 * Process: the job `backup`.
 */
#include <string.h>

#include "service/job_backup.h"

#define LIST_FLUSH (64 << 10)
#define LIST_MEMORY (INT64_C(10) << 20) /* two parts of the smallest size that S3 takes */

static int
list_flush(struct backup_list *l, struct err *e)
{
	if (buf_check(&l->text, e) < 0 ||
		store_upload_write(l->upload, l->text.data, l->text.len, e) < 0)
		return err_add(e, "manifest.json");
	buf_reset(&l->text);
	return 0;
}

int
backup_list_open(struct backup_list *l, struct err *e)
{
	char key[ARCHIVE_KEY_SIZE];
	const struct store_upload_spec upload = {.key = key, .max_bytes = LIST_MEMORY};

	if (backup_archive_open(l->b, &l->archive, e) < 0 ||
		backup_key(l->b, key, "manifest.json", e) < 0 ||
		store_upload_open(l->archive->store, &upload, &l->upload, e) < 0)
		return err_add(e, "manifest.json");
	backup_manifest_begin(&l->text, l->b->info.id, l->b->info.system_id);
	return 0;
}

int
backup_list_file(struct backup_list *l, const struct backup_file *f, struct err *e)
{
	backup_manifest_file(&l->text, f, l->files == 0);
	l->files++;
	l->bytes += f->bytes;
	return l->text.len < LIST_FLUSH ? 0 : list_flush(l, e);
}

int
backup_list_close(struct backup_list *l, struct err *e)
{
	const struct backup_out *o = &l->b->out;
	struct backup_totals t = {
		.files = l->files, .plain_bytes = l->bytes, .stored_bytes = o->stored_bytes};
	struct store_upload_result r;

	memcpy(t.parent, l->b->info.parent, sizeof(t.parent));
	backup_manifest_objects(&l->text);
	for (size_t i = 0; i < o->objects; i++)
		backup_manifest_object(&l->text, &o->object[i], i == 0);
	backup_manifest_end(&l->text, &t);
	if (list_flush(l, e) < 0 || store_upload_finish(l->upload, &r, e) < 0)
		return err_add(e, "manifest.json");
	l->upload = store_upload_close(l->upload);
	return 0;
}

void
backup_list_deinit(struct backup_list *l)
{
	l->upload = store_upload_close(l->upload);
	l->archive = archive_close(l->archive);
	buf_deinit(&l->text);
}
