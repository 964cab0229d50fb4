/*
 * cmd_wal_file - `podgres wal fetch` and `push`: one file of WAL by hand, straight from and to the
 * store, in a pod or outside of one.
 *
 * As restore_command for people: what comes is checked as the archiver checks it.  What goes out
 * goes only into a folder that belongs to the segment's own system.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "cmd/archive_args.h"
#include "pg/wal_page.h"
#include "sys/file.h"

static int
file_done(const struct cli_args *args, const char *name, int64_t stored, const char *what)
{
	AUTO(buf_deinit) struct buf out = {0};
	struct json j;

	if (args->json) {
		json_init(&j, &out);
		json_obj(&j);
		json_kstr(&j, "name", name);
		json_kstr(&j, "outcome", what);
		json_kint(&j, "storedBytes", stored);
		json_end_obj(&j);
		buf_putc(&out, '\n');
	} else {
		buf_printf(
			&out, "%s: %s, %lld bytes in the store\n", name, what, (long long)stored);
	}
	return command_print("wal", &out);
}

int
cmd_wal_fetch(const struct cli_args *args, const struct opt_rest *rest)
{
	struct archive_fetch fetch = {.name = rest->arg[1], .path = rest->arg[2], .partial = true};
	AUTO(archive_args_close) struct archive_args a;
	int64_t stored = 0;
	struct err e = {0};

	if (archive_args_open(&a, args, &e) < 0 ||
		archive_fetch(a.archive, &fetch, &stored, &e) < 0)
		return command_fail("wal fetch", &e, NULL);
	return file_done(args, fetch.name, stored, "fetched");
}

/* Whose segment is it, and is the folder theirs? */
static int
push_owner(const struct archive_args *a, const char *path, struct err *e)
{
	struct archive_self self = {.cluster = a->spec->name, .name_space = a->spec->name_space};
	struct wal_page_want want = {.name = file_base(path)};
	unsigned char head[WAL_PAGE_HEAD];
	struct archive_name name;
	struct wal_page page;
	size_t n;

	switch (archive_name_parse(want.name, &name)) {
	case ARCHIVE_OTHER:
		return err_set(
			e, ERR_INVALID, "\"%s\" is no file that PostgreSQL archives", want.name);
	case ARCHIVE_SEGMENT:
	case ARCHIVE_PARTIAL:
		break;
	default:
		return 0;
	}
	if (file_read_some(path, head, sizeof(head), &n, e) < 0)
		return -1;
	if (wal_page_check(&page, head, n, &want, e) < 0)
		return err_add(e, "%s", path);
	self.system_id = page.system_id;
	return archive_owner_check(a->archive, &self, false, e);
}

int
cmd_wal_push(const struct cli_args *args, const struct opt_rest *rest)
{
	struct archive_push push = {
		.path = rest->arg[1], .name = file_base(rest->arg[1]), .look = true};
	struct archive_push_result result = {.bytes = 0};
	AUTO(archive_args_close) struct archive_args a;
	struct err e = {0};

	if (archive_args_open(&a, args, &e) < 0 || push_owner(&a, push.path, &e) < 0 ||
		archive_push(a.archive, &push, &result, &e) < 0)
		return command_fail("wal push", &e, NULL);
	return file_done(args, push.name, result.stored_bytes,
		result.same ? "was there already, the same" : "stored");
}
