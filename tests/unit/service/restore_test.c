/*
 * restore_test - the parts of a restore that need neither a store nor a postgres.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "service/restore.h"

struct rig {
	char top[64];
	struct run_options opt;
	struct job job;
	struct prepare p;
	struct init in;
	struct restore r;
	struct backup_info info;
	struct err e;
};

static struct rig *g;

static const char *
path_of(const char *name)
{
	static char path[4][FILE_PATH_MAX];
	static int turn;
	char *out = path[turn = (turn + 1) % 4];

	snprintf(out, FILE_PATH_MAX, "%s/%s", g->top, name);
	return out;
}

static void
put(const char *name, const char *text)
{
	char parent[FILE_PATH_MAX];

	assert_int_equal(file_parent(parent, sizeof(parent), path_of(name), &g->e), 0);
	assert_int_equal(file_make_dirs(parent, 0700, &g->e), 0);
	assert_int_equal(file_write(path_of(name), text, strlen(text), 0600, &g->e), 0);
}

static bool
there(const char *name)
{
	return file_exists(path_of(name));
}

static int
setup(void **state)
{
	(void)state;
	g = calloc(1, sizeof(*g));
	snprintf(g->top, sizeof(g->top), "/tmp/podgres-restore-XXXXXX");
	assert_non_null(mkdtemp(g->top));
	g->job.opt = g->p.opt = &g->opt;
	g->p.j = &g->job;
	g->in.p = &g->p;
	g->r.in = &g->in;
	g->r.path.backup = &g->info;
	snprintf(g->info.id, sizeof(g->info.id), "20261120T134100");
	snprintf(g->in.place.wrap, sizeof(g->in.place.wrap), "%s", g->top);
	snprintf(g->in.place.data, sizeof(g->in.place.data), "%s/data", g->top);
	snprintf(g->r.journal, sizeof(g->r.journal), "%s/journal", g->top);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	assert_int_equal(file_remove_tree(g->top, &g->e), 0);
	restore_deinit(&g->r);
	free(g);
	return 0;
}

/* ---- the target ---- */

static int
target(struct restore_target *t, const struct spec_recovery *s)
{
	return restore_target_of_spec(t, s, &g->e);
}

static void
a_target_is_read_and_said(void **state)
{
	char lsn[] = "0/3000060", tli[] = "3", text[160];
	struct restore_target t;

	(void)state;
	assert_int_equal(target(&t,
				 &(struct spec_recovery){
					 .target_lsn = lsn, .target_tli = tli, .exclusive = true}),
		0);
	assert_int_equal(t.kind, TARGET_LSN);
	assert_int_equal(t.lsn, 0x3000060);
	restore_target_text(&t, text, sizeof(text));
	assert_string_equal(text, "before LSN 0/3000060, timeline 3");
	restore_target_deinit(&t);
	assert_int_equal(target(&t, &(struct spec_recovery){.set = true}), 0);
	assert_int_equal(t.kind, TARGET_LATEST);
	restore_target_text(&t, text, sizeof(text));
	assert_string_equal(text, "all of the archive");
}

static void
nonsense_as_a_target_is_refused(void **state)
{
	char lsn[] = "0/XYZ", xid[] = "12a", tli[] = "newest", id[] = "yesterday", name[] = "x";
	const struct spec_recovery bad[] = {{.target_lsn = lsn}, {.target_xid = xid},
		{.target_tli = tli}, {.backup_id = id},
		{.target_name = name, .target_immediate = true}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct restore_target t;

		assert_int_equal(target(&t, &bad[i]), -1);
		assert_int_equal(g->e.kind, ERR_CONFIG);
		restore_target_deinit(&t);
	}
}

/* ---- the journal ---- */

static void
a_journal_knows_whole_lines_only(void **state)
{
	char value[64];

	(void)state;
	put("journal", "");
	assert_int_equal(journal_add(&g->r, &g->e, "object srv/base/1/data.tar"), 0);
	assert_int_equal(journal_add(&g->r, &g->e, "tablespace 16384 /srv/a b"), 0);
	assert_true(journal_has(&g->r, "object srv/base/1/data.tar"));
	assert_false(journal_has(&g->r, "object srv/base/1/data.ta"));
	assert_false(journal_has(&g->r, "object"));
	assert_string_equal(
		journal_get(&g->r, "tablespace 16384", value, sizeof(value)), "/srv/a b");
	assert_null(journal_get(&g->r, "tablespace 1638", value, sizeof(value)));
	buf_reset(&g->r.done);
	assert_int_equal(file_read(&g->r.done, path_of("journal"), 4096, &g->e), 0);
	assert_true(journal_has(&g->r, "tablespace 16384 /srv/a b"));
}

/* ---- tablespaces ---- */

static void
a_tablespace_goes_home_only_into_an_empty_folder(void **state)
{
	struct backup_tablespace t = {.name = "ts", .oid = 16384};
	struct restore_place place;

	(void)state;
	g->r.map_dir = "/mapped";
	snprintf(t.location, sizeof(t.location), "%s", path_of("space"));
	assert_int_equal(tblspc_place(&g->r, &t, &place, &g->e), 0);
	assert_string_equal(place.path, "/mapped/16384"); /* nobody prepared a folder for it */
	assert_int_equal(mkdir(t.location, 0700), 0);
	assert_int_equal(tblspc_place(&g->r, &t, &place, &g->e), 0);
	assert_string_equal(place.path, t.location);
	put("space/PG_15_202209061", "");
	assert_int_equal(tblspc_place(&g->r, &t, &place, &g->e), 0);
	assert_string_equal(place.path, "/mapped/16384"); /* in use */
}

static void
a_tablespace_goes_where_it_is_told(void **state)
{
	const struct restore_map map[] = {{"other", "/x"}, {"16384", "/by/oid"}};
	struct backup_tablespace t = {.name = "ts", .oid = 16384, .location = "/nowhere"};
	struct restore_place place;

	(void)state;
	g->r.map = map;
	g->r.maps = ARRAY_LEN(map);
	assert_int_equal(tblspc_place(&g->r, &t, &place, &g->e), 0);
	assert_string_equal(place.path, "/by/oid");
}

/* ---- the old cluster's files ---- */

static void
old_configuration_is_kept_beside_and_read_by_nobody(void **state)
{
	AUTO(buf_deinit) struct buf b = {0};

	(void)state;
	put("data/postgresql.conf", "timezone = 'Europe/Berlin'\nport = 1\ninclude 'gone.conf'\n");
	put("data/custom.conf", "max_connections = 7\n");
	put("data/podgres.conf", "");
	put("data/.podgres/manager.state", "fenced");
	put("data/pg_replslot/old/state", "slot");
	put("data/postmaster.pid", "1");
	put("data/standby.signal", "");
	put("data/base/1/112", "table");
	assert_int_equal(restore_files_clean(g->in.place.data, &g->e), 0);
	assert_int_equal(file_read(&b, path_of("data/postgresql.conf"), 4096, &g->e), 0);
	assert_non_null(strstr(buf_str(&b), "timezone = 'Europe/Berlin'"));
	assert_null(strstr(buf_str(&b), "port"));
	assert_true(there("data/custom.conf.from-backup"));
	assert_true(there("data/podgres.conf.from-backup"));
	assert_false(there("data/custom.conf"));
	assert_false(there("data/.podgres"));
	assert_false(there("data/pg_replslot/old"));
	assert_false(there("data/postmaster.pid"));
	assert_false(there("data/standby.signal"));
	assert_true(there("data/base/1/112"));
	assert_true(there("data/pg_wal/archive_status"));
	/* Once more after a kill: what was kept is not lost. */
	assert_int_equal(restore_files_clean(g->in.place.data, &g->e), 0);
	buf_reset(&b);
	assert_int_equal(
		file_read(&b, path_of("data/postgresql.conf.from-backup"), 4096, &g->e), 0);
	assert_non_null(strstr(buf_str(&b), "port = 1"));
}

int
main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_target_is_read_and_said),
		T(nonsense_as_a_target_is_refused),
		T(a_journal_knows_whole_lines_only),
		T(a_tablespace_goes_home_only_into_an_empty_folder),
		T(a_tablespace_goes_where_it_is_told),
		T(old_configuration_is_kept_beside_and_read_by_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
