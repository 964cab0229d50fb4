/*
 * api_hot_backup - /pg/mode/backup: a backup held open while volumes are copied.
 *
 * Process: api.  GET says how it stands, POST starts, PUT stops and answers with label and
 * tablespace map, DELETE gives it up.  What is said is the file of the job, wrapped as
 * CloudNativePG wraps it: {"data":{...}}.
 */
#include <stdio.h>

#include "base/json.h"
#include "service/api.h"
#include "service/hot_backup.h"
#include "sys/file.h"

int
api_hot_backup_data(struct api *a, struct buf *out)
{
	char path[PATH_LEN + 32];
	struct err e;

	snprintf(path, sizeof(path), "%s/" HOT_BACKUP_FILE, a->opt->run_dir);
	if (file_read(out, path, HOT_BACKUP_FILE_MAX, &e) == 0)
		return 0;
	buf_puts(out, "{}");
	return -1;
}

static void
hot_status(struct api_call *c)
{
	AUTO(buf_deinit) struct buf b = {0};

	buf_puts(&b, "{\"data\":");
	(void)!api_hot_backup_data(c->a, &b);
	buf_puts(&b, "}\n");
	api_reply_json(c, 200, &b);
}

void
api_hot_backup(struct api_call *c)
{
	switch (httpd_method(c->req)) {
	case HTTPD_GET:
	case HTTPD_HEAD:
		hot_status(c);
		return;
	case HTTPD_POST:
		api_order_of(c, ORDER_HOT_START);
		return;
	case HTTPD_PUT:
		api_order_of(c, ORDER_HOT_STOP);
		return;
	default:
		api_order_of(c, ORDER_HOT_ABORT);
	}
}
