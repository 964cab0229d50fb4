/*
 * store_file_walk - what lies below a prefix, in the order of whole keys: list and sweep.
 *
 * Names of one folder are read and sorted before the first is handed out; a folder sorts as if its
 * name ended with a slash, which makes the walk's order that of the keys as bytes.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#include "store/store_file.h"

#define DEPTH_MAX 40

struct walk {
	struct store *s;
	const char *name; /* of the operation, for messages */
	const char *prefix;
	const char *after; /* keys above this one */
	bool folders;      /* are handed out, not entered */
	bool temps;        /* only temporary files are handed out */
	/* key without a slash at its end: a file; st is NULL for a folder */
	int (*each)(struct walk *w, int folder, const struct stat *st, struct err *e);
	void *arg;
	char key[STORE_KEY_SIZE]; /* of what is looked at */
	int depth;
};

struct names {
	char **name; /* owned; folders end with a slash */
	size_t n, room;
};

static void
names_deinit(struct names *a)
{
	for (size_t i = 0; i < a->n; i++)
		free(a->name[i]);
	free(a->name);
	*a = (struct names){0};
}

static void
names_deinit_auto(struct names *a)
{
	names_deinit(a);
}

static int
names_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int
names_add(struct names *a, const char *name, bool folder)
{
	size_t len = strlen(name);
	char *copy;

	if (a->n == a->room) {
		size_t room = a->room ? 2 * a->room : 64;
		char **more = realloc(a->name, room * sizeof(*more));

		if (!more)
			return -1;
		a->name = more;
		a->room = room;
	}
	copy = malloc(len + 2);
	if (!copy)
		return -1;
	memcpy(copy, name, len + 1);
	if (folder)
		memcpy(copy + len, "/", 2);
	a->name[a->n++] = copy;
	return 0;
}

static bool
is_dots(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

/* DT_REG, DT_DIR, or another type, which is no object. */
static int
type_of(int folder, const struct dirent *d)
{
	struct stat st;

	if (d->d_type != DT_UNKNOWN)
		return d->d_type;
	if (fstatat(folder, d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return DT_UNKNOWN;
	return S_ISDIR(st.st_mode) ? DT_DIR : S_ISREG(st.st_mode) ? DT_REG : DT_UNKNOWN;
}

/* Is the object or folder of this name, at the end of w->key, asked for? */
static bool
walk_wants(const struct walk *w, size_t at, const char *name, bool folder)
{
	size_t prefix = strlen(w->prefix);
	const char *rest = prefix > at ? w->prefix + at : "";
	size_t len = strlen(name), left = strlen(rest);

	if (!folder && store_file_is_temp(name) != w->temps)
		return false;
	if (len >= left)
		return strncmp(name, rest, left) == 0;
	return folder && strncmp(name, rest, len) == 0 && rest[len] == '/';
}

static int
walk_read(struct walk *w, int folder, size_t at, struct names *out, struct err *e)
{
	const struct store_file_op op = {w->s, w->name, w->prefix};
	int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
	const struct dirent *entry;
	int rc = 0;

	if (!d) {
		if (copy >= 0)
			close(copy);
		return store_file_err(e, &op, "read a folder");
	}
	while (rc == 0 && (errno = 0, entry = readdir(d))) {
		int type = is_dots(entry->d_name) ? DT_UNKNOWN : type_of(folder, entry);

		if ((type == DT_REG || type == DT_DIR) &&
			walk_wants(w, at, entry->d_name, type == DT_DIR))
			rc = names_add(out, entry->d_name, type == DT_DIR);
	}
	if (rc < 0 || errno != 0)
		rc = store_file_err(e, &op, "read a folder");
	closedir(d);
	if (rc == 0 && out->n > 1)
		qsort(out->name, out->n, sizeof(*out->name), names_compare);
	return rc;
}

static int walk_folder(struct walk *w, int folder, struct err *e);

/* w->key ends with a slash.  What is gone by now has no keys. */
static int
walk_enter(struct walk *w, int folder, const char *name, struct err *e)
{
	const struct store_file_op op = {w->s, w->name, w->key};
	char plain[NAME_MAX + 1];
	AUTO(close) int next = -1;
	int rc;

	snprintf(plain, sizeof(plain), "%.*s", (int)strlen(name) - 1, name);
	next = openat(folder, plain, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (next < 0)
		return errno == ENOENT ? 0 : store_file_err(e, &op, "read a folder");
	if (++w->depth > DEPTH_MAX)
		return err_set(
			e, ERR_INVALID, "%s %s: too many folders in each other", w->name, w->key);
	rc = walk_folder(w, next, e);
	w->depth--;
	return rc;
}

static int
found_any(struct walk *w, int folder, const struct stat *st, struct err *e)
{
	(void)folder;
	(void)st;
	*(bool *)w->arg = true;
	return err_set(e, ERR_BUSY, "enough");
}

/* A folder that holds no object does not exist for who lists. */
static int
walk_hand_out(struct walk *w, int folder, const char *name, struct err *e)
{
	bool any = false;
	struct walk look = {.s = w->s,
		.name = w->name,
		.prefix = "",
		.after = "",
		.each = found_any,
		.arg = &any,
		.depth = w->depth};
	struct err why = {0};

	memcpy(look.key, w->key, sizeof(look.key));
	if (walk_enter(&look, folder, name, &why) < 0 && !any) {
		*e = why;
		return -1;
	}
	return any ? w->each(w, folder, NULL, e) : 0;
}

static int
walk_one(struct walk *w, int folder, const char *name, struct err *e)
{
	const struct store_file_op op = {w->s, w->name, w->key};
	bool is_folder = name[strlen(name) - 1] == '/';
	size_t len = strlen(w->key), prefix = strlen(w->prefix);
	struct stat st;

	if (is_folder && !(w->folders && len > prefix)) {
		if (strcmp(w->key, w->after) < 0 && strncmp(w->key, w->after, len) != 0)
			return 0;
		return walk_enter(w, folder, name, e);
	}
	if (strcmp(w->key, w->after) <= 0 && *w->after)
		return 0;
	if (is_folder)
		return walk_hand_out(w, folder, name, e);
	if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : store_file_err(e, &op, "look");
	return S_ISREG(st.st_mode) ? w->each(w, folder, &st, e) : 0;
}

/* w->key is the folder's, with the slash at its end, or "". */
static int
walk_folder(struct walk *w, int folder, struct err *e)
{
	const struct store_file_op op = {w->s, w->name, w->prefix};
	__attribute__((cleanup(names_deinit_auto))) struct names names = {0};
	size_t at = strlen(w->key);

	if (store_file_cancelled(&op, e) < 0 || walk_read(w, folder, at, &names, e) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		int rc = 0;

		/* What is longer than a key may be is none. */
		if (at + strlen(names.name[i]) < sizeof(w->key)) {
			memcpy(w->key + at, names.name[i], strlen(names.name[i]) + 1);
			rc = walk_one(w, folder, names.name[i], e);
		}
		w->key[at] = '\0';
		if (rc < 0)
			return -1;
	}
	return 0;
}

/* Begins at the folder that the prefix names, so that a long prefix costs no reading above it. */
static int
walk_run(struct walk *w, struct err *e)
{
	size_t at = (size_t)(store_file_base(w->prefix) - w->prefix);
	char probe[STORE_KEY_SIZE + 1];
	const struct store_file_op op = {w->s, w->name, at > 0 ? probe : w->prefix};
	AUTO(close) int folder = -1;

	w->s->stats.requests++;
	snprintf(probe, sizeof(probe), "%.*s.", (int)at, w->prefix);
	folder = at > 0 ? store_file_folder(&op, false, e) : store_file_root(&op, e);
	if (folder < 0)
		return e->kind == ERR_NOTFOUND ? 0 : -1;
	memcpy(w->key, w->prefix, at);
	w->key[at] = '\0';
	return walk_folder(w, folder, e);
}

/* ---- list ---- */

static int
list_each(struct walk *w, int folder, const struct stat *st, struct err *e)
{
	const struct store_list *list = w->arg;
	struct store_object o;

	(void)folder;
	if (st) {
		store_file_object(&o, w->key, st);
	} else {
		memset(&o, 0, sizeof(o));
		snprintf(o.key, sizeof(o.key), "%s", w->key);
		o.bytes = -1;
	}
	return list->each(list->arg, &o, e);
}

int
store_file_list(struct store *s, const struct store_list *list, struct err *e)
{
	struct store_list own = *list;
	struct walk w = {.s = s,
		.name = "list",
		.prefix = list->prefix,
		.after = list->after,
		.folders = list->folders,
		.each = list_each,
		.arg = &own};

	return walk_run(&w, e);
}

/* ---- sweep ---- */

struct sweep {
	int64_t before_us;
	int *count;
};

/* A writer that lives holds the lock; where there are no locks, one that wrote lately is spared. */
static int
sweep_each(struct walk *w, int folder, const struct stat *st, struct err *e)
{
	const struct store_file_op op = {w->s, w->name, w->key};
	const char *name = store_file_base(w->key);
	struct sweep *sweep = w->arg;
	AUTO(close) int fd = -1;

	if ((int64_t)st->st_mtim.tv_sec * 1000000 + st->st_mtim.tv_nsec / 1000 >= sweep->before_us)
		return 0;
	fd = openat(folder, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || (flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK))
		return 0;
	if (unlinkat(folder, name, 0) < 0 && errno != ENOENT)
		return store_file_err(e, &op, "remove");
	++*sweep->count;
	store_file_prune(w->s, w->key);
	return 0;
}

int
store_file_sweep(struct store *s, const char *prefix, int64_t before_us, int *count, struct err *e)
{
	struct sweep sweep = {before_us, count};
	struct walk w = {.s = s,
		.name = "sweep",
		.prefix = prefix,
		.after = "",
		.temps = true,
		.each = sweep_each,
		.arg = &sweep};

	return walk_run(&w, e);
}
