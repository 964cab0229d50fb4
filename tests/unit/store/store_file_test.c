#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "store/store.h"
#include "sys/file.h"

struct rig {
	char root[64], url[80];
	struct store *s;
	struct buf seen;
	bool cancel;
};

static bool
rig_cancelled(void *arg)
{
	return ((struct rig *)arg)->cancel;
}

static int
setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct store_spec spec = {.cancelled = rig_cancelled, .cancelled_arg = r};
	struct err e = {0};

	snprintf(r->root, sizeof(r->root), "/tmp/store_file_test.XXXXXX");
	assert_non_null(mkdtemp(r->root));
	snprintf(r->url, sizeof(r->url), "file://%s", r->root);
	spec.url = r->url;
	assert_int_equal(store_open(&r->s, &spec, &e), 0);
	*state = r;
	return 0;
}

static int
teardown(void **state)
{
	struct rig *r = *state;
	struct err e = {0};

	store_close(r->s);
	assert_int_equal(file_remove_tree(r->root, &e), 0);
	buf_deinit(&r->seen);
	free(r);
	return 0;
}

static void
path_of(const struct rig *r, const char *key, char *out, size_t size)
{
	snprintf(out, size, "%s/%s", r->root, key);
}

static void
put(struct rig *r, const char *key, const char *text)
{
	struct store_put p = {.key = key, .body = text, .len = strlen(text), .create = true};
	struct err e = {0};

	if (store_put(r->s, &p, NULL, &e) < 0)
		fail_msg("%s", e.msg);
}

static int
gather(void *arg, const void *p, size_t n, struct err *e)
{
	struct buf *b = arg;

	buf_put(b, p, n);
	return buf_check(b, e);
}

static int
note(void *arg, const struct store_object *o, struct err *e)
{
	struct rig *r = arg;

	buf_printf(&r->seen, "%s:%d ", o->key, (int)o->bytes);
	return buf_check(&r->seen, e);
}

static const char *
list(struct rig *r, const char *prefix, const char *after, bool folders)
{
	struct store_list l = {prefix, after, folders, note, r};
	struct err e = {0};

	buf_reset(&r->seen);
	if (store_list(r->s, &l, &e) < 0)
		fail_msg("%s", e.msg);
	return buf_str(&r->seen);
}

static void
what_was_put_is_read_back_whole_and_in_ranges(void **state)
{
	struct rig *r = *state;
	struct store_object o = {0};
	struct store_get get = {.key = "srv/wals/0001/000A", .sink = gather, .arg = &r->seen};
	struct err e = {0};

	put(r, get.key, "0123456789");
	assert_int_equal(store_get(r->s, &get, &o, &e), 0);
	assert_string_equal(buf_str(&r->seen), "0123456789");
	assert_int_equal(o.bytes, 10);
	assert_true(o.modified_us > 0);
	buf_reset(&r->seen);
	get.from = 3;
	get.len = 4;
	assert_int_equal(store_get(r->s, &get, &o, &e), 0);
	assert_string_equal(buf_str(&r->seen), "3456");
	get.from = 11;
	assert_int_equal(store_get(r->s, &get, &o, &e), -1);
	assert_int_equal(e.kind, ERR_INVALID);
	assert_int_equal(store_head(r->s, get.key, &o, &e), 0);
	assert_int_equal(o.bytes, 10);
	assert_string_equal(o.key, get.key);
}

static void
the_same_bytes_again_are_the_same_and_others_a_conflict_that_changes_nothing(void **state)
{
	struct rig *r = *state;
	struct store_put p = {.key = "a/b", .body = "one", .len = 3, .create = true};
	enum store_outcome outcome;
	struct err e = {0};

	assert_int_equal(store_put(r->s, &p, &outcome, &e), 0);
	assert_int_equal(outcome, STORE_STORED);
	assert_int_equal(store_put(r->s, &p, &outcome, &e), 0);
	assert_int_equal(outcome, STORE_SAME);
	p.body = "two";
	assert_int_equal(store_put(r->s, &p, &outcome, &e), -1);
	assert_int_equal(e.kind, ERR_CONFLICT);
	p.len = 2;
	assert_int_equal(store_put(r->s, &p, &outcome, &e), -1);
	assert_int_equal(e.kind, ERR_CONFLICT);
	assert_string_equal(list(r, "", "", false), "a/b:3 ");
	p.create = false;
	assert_int_equal(store_put(r->s, &p, &outcome, &e), 0);
	assert_string_equal(list(r, "", "", false), "a/b:2 ");
}

static void
what_is_not_there_is_not_found_and_a_missing_destination_is_something_else(void **state)
{
	struct rig *r = *state;
	struct store_spec spec = {.url = "file:///nonexistent/archive"};
	struct store_put p = {.key = "a", .body = "", .create = true};
	AUTO(store_close) struct store *s = NULL;
	struct store_object o;
	struct err e = {0};

	assert_int_equal(store_head(r->s, "no/such", &o, &e), -1);
	assert_int_equal(e.kind, ERR_NOTFOUND);
	assert_int_equal(store_open(&s, &spec, &e), 0);
	assert_int_equal(store_head(s, "a", &o, &e), -1);
	assert_int_equal(e.kind, ERR_CONFIG);
	assert_int_equal(store_put(s, &p, NULL, &e), -1);
	assert_int_equal(e.kind, ERR_CONFIG);
	assert_non_null(strstr(e.msg, "/nonexistent/archive"));
}

static void
urls_that_name_no_folder_are_refused(void **state)
{
	static const char *const urls[] = {"file://", "file:///", "file://host/x", "file:/x"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
		struct store_spec spec = {.url = urls[i]};
		struct store *s = NULL;
		struct err e = {0};

		assert_int_equal(store_open(&s, &spec, &e), -1);
		assert_int_equal(e.kind, ERR_CONFIG);
	}
}

static void
lists_are_in_the_order_of_whole_keys(void **state)
{
	struct rig *r = *state;

	put(r, "a/x", "1");
	put(r, "a-b", "12");
	put(r, "a0", "123");
	put(r, "a/b/c", "");
	put(r, "b", "1");
	put(r, "\xc3\xa9", "1");
	assert_string_equal(list(r, "", "", false), "a-b:2 a/b/c:0 a/x:1 a0:3 b:1 \xc3\xa9:1 ");
	assert_string_equal(list(r, "a", "", false), "a-b:2 a/b/c:0 a/x:1 a0:3 ");
	assert_string_equal(list(r, "a/", "", false), "a/b/c:0 a/x:1 ");
	assert_string_equal(list(r, "a/b", "", false), "a/b/c:0 ");
	assert_string_equal(list(r, "", "a/b/c", false), "a/x:1 a0:3 b:1 \xc3\xa9:1 ");
	assert_string_equal(list(r, "", "a/c", false), "a/x:1 a0:3 b:1 \xc3\xa9:1 ");
	assert_string_equal(list(r, "no/such", "", false), "");
	assert_string_equal(list(r, "", "", true), "a-b:2 a/:-1 a0:3 b:1 \xc3\xa9:1 ");
	assert_string_equal(list(r, "a", "", true), "a-b:2 a/:-1 a0:3 ");
	assert_string_equal(list(r, "a/", "", true), "a/b/:-1 a/x:1 ");
	assert_string_equal(list(r, "a/", "a/b/", true), "a/x:1 ");
}

static void
links_and_temporary_files_and_empty_folders_are_no_objects(void **state)
{
	struct rig *r = *state;
	struct store_put p = {.key = "out/x", .body = "", .create = true};
	struct store_object o;
	char path[256];
	struct err e = {0};

	put(r, "a", "1");
	path_of(r, "out", path, sizeof(path));
	assert_int_equal(symlink("/etc", path), 0);
	path_of(r, "hosts", path, sizeof(path));
	assert_int_equal(symlink("/etc/hosts", path), 0);
	path_of(r, "empty", path, sizeof(path));
	assert_int_equal(mkdir(path, 0700), 0);
	path_of(r, "empty/.podgres-tmp.1.0", path, sizeof(path));
	assert_int_equal(file_write(path, "x", 1, 0600, &e), 0);
	assert_string_equal(list(r, "", "", false), "a:1 ");
	assert_string_equal(list(r, "", "", true), "a:1 ");
	assert_int_equal(store_head(r->s, "out/hosts", &o, &e), -1);
	assert_int_not_equal(e.kind, ERR_NOTFOUND);
	assert_int_equal(store_head(r->s, "hosts", &o, &e), -1);
	assert_int_not_equal(e.kind, ERR_NOTFOUND);
	assert_int_equal(store_put(r->s, &p, NULL, &e), -1);
	p.key = "hosts";
	assert_int_equal(store_put(r->s, &p, NULL, &e), -1);
	assert_int_equal(e.kind, ERR_CONFLICT);
	p.key = ".podgres-tmp.1.1";
	assert_int_equal(store_put(r->s, &p, NULL, &e), -1);
	assert_int_equal(e.kind, ERR_INVALID);
}

static void
deleting_removes_folders_that_became_empty_but_never_the_root(void **state)
{
	struct rig *r = *state;
	static const char *const keys[] = {"b/1/x", "b/1/y", "b/2/z", "gone/x", "b/1"};
	static const char *const rest[] = {"keep"};
	char path[256];
	struct err e = {0};

	put(r, "b/1/x", "1");
	put(r, "b/1/y", "1");
	put(r, "b/2/z", "1");
	put(r, "keep", "1");
	if (store_delete(r->s, keys, ARRAY_LEN(keys), &e) < 0)
		fail_msg("%s", e.msg);
	assert_string_equal(list(r, "", "", false), "keep:1 ");
	path_of(r, "b", path, sizeof(path));
	assert_false(file_exists(path));
	assert_int_equal(store_delete(r->s, rest, 1, &e), 0);
	assert_true(file_is_dir(r->root));
	put(r, "b/again", "1");
}

static void
an_upload_is_seen_when_it_is_finished_and_leaves_nothing_when_it_is_not(void **state)
{
	struct rig *r = *state;
	struct store_upload_spec spec = {.key = "base/1/data.tar"};
	struct store_upload_result result;
	struct store_upload *u = NULL;
	char path[256];
	struct err e = {0};

	assert_int_equal(store_upload_open(r->s, &spec, &u, &e), 0);
	assert_int_equal(store_upload_write(u, "abc", 3, &e), 0);
	assert_string_equal(list(r, "", "", false), "");
	u = store_upload_close(u);
	path_of(r, "base", path, sizeof(path));
	assert_false(file_exists(path));
	assert_int_equal(store_upload_open(r->s, &spec, &u, &e), 0);
	assert_int_equal(store_upload_write(u, "ab", 2, &e), 0);
	assert_int_equal(store_upload_write(u, "c", 1, &e), 0);
	assert_int_equal(store_upload_finish(u, &result, &e), 0);
	u = store_upload_close(u);
	assert_int_equal(result.bytes, 3);
	assert_string_equal(
		result.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_string_equal(list(r, "", "", false), "base/1/data.tar:3 ");
}

static int
upload_text(struct rig *r, const char *key, const char *text, struct err *e)
{
	struct store_upload_spec spec = {.key = key, .create = true};
	AUTO(store_upload_close) struct store_upload *u = NULL;

	return store_upload_open(r->s, &spec, &u, e) == 0 &&
			       store_upload_write(u, text, strlen(text), e) == 0 &&
			       store_upload_finish(u, NULL, e) == 0
		       ? 0
		       : -1;
}

static void
an_upload_that_must_create_accepts_the_same_and_refuses_another(void **state)
{
	struct rig *r = *state;
	struct err e = {0};

	assert_int_equal(upload_text(r, "k", "abc", &e), 0);
	assert_int_equal(upload_text(r, "k", "abc", &e), 0);
	assert_int_equal(upload_text(r, "k", "abd", &e), -1);
	assert_int_equal(e.kind, ERR_CONFLICT);
	assert_string_equal(list(r, "", "", false), "k:3 ");
}

static int64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void
a_sweep_removes_what_dead_writers_left_and_spares_those_that_live(void **state)
{
	struct rig *r = *state;
	struct store_upload_spec spec = {.key = "srv/base/1/data.tar"};
	struct store_upload *u = NULL;
	struct err e = {0};
	char path[256];
	int count = -1;

	assert_int_equal(store_upload_open(r->s, &spec, &u, &e), 0);
	put(r, "srv/base/2/x", "1");
	path_of(r, "srv/base/2/.podgres-tmp.1.0", path, sizeof(path));
	assert_int_equal(file_write(path, "x", 1, 0600, &e), 0);
	assert_int_equal(store_upload_sweep(r->s, "srv/", now_us() - 3600000000, &count, &e), 0);
	assert_int_equal(count, 0);
	assert_int_equal(store_upload_sweep(r->s, "srv/", now_us() + 1000000, &count, &e), 0);
	assert_int_equal(count, 1);
	assert_false(file_exists(path));
	assert_int_equal(store_upload_write(u, "abc", 3, &e), 0);
	assert_int_equal(store_upload_finish(u, NULL, &e), 0);
	u = store_upload_close(u);
	assert_string_equal(list(r, "", "", false), "srv/base/1/data.tar:3 srv/base/2/x:1 ");
}

static void
a_writer_that_was_killed_leaves_nothing_in_sight_and_its_file_is_swept(void **state)
{
	struct rig *r = *state;
	struct store_upload_spec spec = {.key = "base/1/data.tar"};
	struct err e = {0};
	int count = -1, status;
	pid_t pid = fork();

	if (pid == 0) {
		struct store_upload *u = NULL;

		if (store_upload_open(r->s, &spec, &u, &e) == 0 &&
			store_upload_write(u, "abc", 3, &e) == 0)
			kill(getpid(), SIGKILL);
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_string_equal(list(r, "", "", false), "");
	assert_int_equal(store_upload_sweep(r->s, "", now_us() + 1000000, &count, &e), 0);
	assert_int_equal(count, 1);
	assert_int_equal(upload_text(r, "base/1/data.tar", "abc", &e), 0);
}

static void
who_gives_up_gets_a_timeout_and_leaves_nothing(void **state)
{
	struct rig *r = *state;
	struct store_put p = {.key = "a/x", .body = "abc", .len = 3};
	struct err e = {0};

	r->cancel = true;
	assert_int_equal(store_put(r->s, &p, NULL, &e), -1);
	assert_int_equal(e.kind, ERR_TIMEOUT);
	r->cancel = false;
	assert_string_equal(list(r, "", "", false), "");
	assert_int_equal(rmdir(r->root), 0);
	assert_int_equal(mkdir(r->root, 0700), 0);
}

static void
a_rate_is_kept(void **state)
{
	struct rig *r = *state;
	struct store_upload_spec spec = {.key = "x", .rate = 1000000};
	struct store_upload *u = NULL;
	AUTO(free) char *body = calloc(1, 250000);
	int64_t begun = clock_boot_ns();
	struct err e = {0};

	assert_int_equal(store_upload_open(r->s, &spec, &u, &e), 0);
	assert_int_equal(store_upload_write(u, body, 250000, &e), 0);
	assert_true(clock_boot_ns() - begun >= 250000000);
	u = store_upload_close(u);
}

static void
a_failure_names_operation_key_and_folder(void **state)
{
	struct store_spec spec = {.url = "file:///proc/self"};
	struct store_put p = {.key = "a/b", .body = "", .create = true};
	AUTO(store_close) struct store *s = NULL;
	struct err e = {0};

	(void)state;
	assert_int_equal(store_open(&s, &spec, &e), 0);
	assert_int_equal(store_put(s, &p, NULL, &e), -1);
	assert_int_equal(e.kind, ERR_REMOTE);
	assert_string_equal(
		e.msg, "put a/b: make the folder in /proc/self: No such file or directory");
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(what_was_put_is_read_back_whole_and_in_ranges),
		T(the_same_bytes_again_are_the_same_and_others_a_conflict_that_changes_nothing),
		T(what_is_not_there_is_not_found_and_a_missing_destination_is_something_else),
		T(urls_that_name_no_folder_are_refused),
		T(lists_are_in_the_order_of_whole_keys),
		T(links_and_temporary_files_and_empty_folders_are_no_objects),
		T(deleting_removes_folders_that_became_empty_but_never_the_root),
		T(an_upload_is_seen_when_it_is_finished_and_leaves_nothing_when_it_is_not),
		T(an_upload_that_must_create_accepts_the_same_and_refuses_another),
		T(a_sweep_removes_what_dead_writers_left_and_spares_those_that_live),
		T(a_writer_that_was_killed_leaves_nothing_in_sight_and_its_file_is_swept),
		T(who_gives_up_gets_a_timeout_and_leaves_nothing),
		T(a_rate_is_kept),
		T(a_failure_names_operation_key_and_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
