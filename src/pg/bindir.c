/*
 * bindir - where the programs of PostgreSQL lie.
 *
 * Process: jobs, since it may run `postgres --version`.
 */
#include "pg/bindir.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "sys/spawn.h"

#define VERSION_DEADLINE_MS 30000

/* "NN" goes between the two. */
static const char *const by_major[][2] = {{"/usr/lib/postgresql/", "/bin"}, {"/usr/pgsql-", "/bin"},
	{"/usr/local/pgsql-", "/bin"}, {"/opt/postgresql/", "/bin"}};
static const char *const usual[] = {"/usr/local/bin", "/usr/lib/postgresql/bin",
	"/usr/local/pgsql/bin", "/opt/bitnami/postgresql/bin", "/usr/bin"};

int
bindir_parse_version(const char *text, char version[64], int *major)
{
	static const char mark[] = "(PostgreSQL) ";
	const char *at = strstr(text, mark);
	size_t n;

	if (!at)
		return -1;
	at += sizeof(mark) - 1;
	n = strcspn(at, " \r\n");
	if (n == 0 || n >= 64)
		return -1;
	memcpy(version, at, n);
	version[n] = '\0';
	*major = (int)strtol(version, NULL, 10);
	return *major > 0 ? 0 : -1;
}

/* What `postgres --version` would print is a constant of the program: reading it takes a fraction
 * of the time that starting so large a program does, and every start of ours waits for it. */
static bool
bindir_read_version(struct bindir *b)
{
	static const char mark[] = "postgres (PostgreSQL) ";
	AUTO(close) int fd = open(b->postgres, O_RDONLY | O_CLOEXEC);
	char text[80];
	struct stat st;
	const char *map, *at;
	size_t left;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size <= 0)
		return false;
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	if (map == MAP_FAILED)
		return false;
	at = memmem(map, (size_t)st.st_size, mark, sizeof(mark) - 1);
	text[0] = '\0';
	if (at) {
		left = (size_t)(map + st.st_size - at);
		snprintf(text, sizeof(text), "%.*s",
			(int)(left < sizeof(text) ? left : sizeof(text) - 1), at);
	}
	munmap((void *)(uintptr_t)map, (size_t)st.st_size);
	return bindir_parse_version(text, b->version, &b->major) == 0;
}

static int
bindir_ask_version(struct bindir *b, struct err *e)
{
	AUTO(buf_deinit) struct buf out = {0};
	const char *argv[] = {b->postgres, "--version", NULL};
	struct spawn_spec spec = {.name = "postgres --version",
		.argv = argv,
		.deadline_ms = VERSION_DEADLINE_MS,
		.out = &out};

	buf_init_max(&out, 4096);
	if (spawn_run(&spec, NULL, e) < 0)
		return err_add(e, "%s", b->postgres);
	if (bindir_parse_version(buf_str(&out), b->version, &b->major) < 0)
		return err_set(e, ERR_CONFIG, "%s is not PostgreSQL", b->postgres);
	return 0;
}

/* 1: a postgres was found there; 0: none. */
static int
bindir_try(struct bindir *b, const char *dir, struct err *e)
{
	char found[FILE_PATH_MAX];

	*b = (struct bindir){0};
	if (file_join(found, sizeof(found), dir, "postgres", e) < 0)
		return -1;
	/* A link in PATH has none of the other programs beside it. */
	if (access(found, X_OK) < 0 || !realpath(found, b->postgres))
		return 0;
	if (!bindir_read_version(b) && bindir_ask_version(b, e) < 0)
		return -1;
	return file_parent(b->dir, sizeof(b->dir), b->postgres, e) < 0 ? -1 : 1;
}

static bool
bindir_fits(const struct bindir *b, int major)
{
	if (major)
		return b->major == major;
	return b->major >= PG_MAJOR_MIN && b->major <= PG_MAJOR_MAX;
}

/* A folder among several: trouble there is no reason to stop looking. */
static bool
bindir_accept(struct bindir *b, const char *dir, int major)
{
	struct err e;

	return bindir_try(b, dir, &e) > 0 && bindir_fits(b, major);
}

static bool
bindir_in_path(struct bindir *b, int major)
{
	const char *path = getenv("PATH"); // NOLINT(concurrency-mt-unsafe): one thread
	char dir[FILE_PATH_MAX];

	while (path && *path) {
		size_t n = strcspn(path, ":");

		if (n > 0 && n < sizeof(dir) && path[0] == '/') {
			memcpy(dir, path, n);
			dir[n] = '\0';
			if (bindir_accept(b, dir, major))
				return true;
		}
		path += n + (path[n] == ':');
	}
	return false;
}

static bool
bindir_by_major(struct bindir *b, int major)
{
	char dir[256];

	for (size_t i = 0; i < ARRAY_LEN(by_major); i++) {
		snprintf(dir, sizeof(dir), "%s%d%s", by_major[i][0], major, by_major[i][1]);
		if (bindir_accept(b, dir, major))
			return true;
	}
	return false;
}

static bool
bindir_anywhere(struct bindir *b, int major)
{
	if (bindir_in_path(b, major))
		return true;
	for (int m = major ? major : PG_MAJOR_MAX; m >= (major ? major : PG_MAJOR_MIN); m--)
		if (bindir_by_major(b, m))
			return true;
	for (size_t i = 0; i < ARRAY_LEN(usual); i++)
		if (bindir_accept(b, usual[i], major))
			return true;
	return false;
}

static int
bindir_given(struct bindir *b, int major, const char *dir, struct err *e)
{
	int rc = bindir_try(b, dir, e);

	if (rc < 0)
		return -1;
	if (rc == 0)
		return err_set(e, ERR_CONFIG, "there is no postgres in the given folder %s", dir);
	if (bindir_fits(b, major))
		return 0;
	if (major)
		return err_set(e, ERR_CONFIG,
			"the data directory is of PostgreSQL %d, but %s has PostgreSQL %s", major,
			dir, b->version);
	return err_set(e, ERR_CONFIG, "%s has PostgreSQL %s; podgres runs %d to %d", dir,
		b->version, PG_MAJOR_MIN, PG_MAJOR_MAX);
}

int
bindir_find(struct bindir *out, int major, const char *given, struct err *e)
{
	if (*given)
		return bindir_given(out, major, given, e);
	if (bindir_anywhere(out, major))
		return 0;
	*out = (struct bindir){0};
	if (major)
		return err_set(e, ERR_CONFIG,
			"the data directory is of PostgreSQL %d, and no PostgreSQL %d was found in "
			"PATH, /usr/lib/postgresql/%d/bin, /usr/pgsql-%d/bin and the like",
			major, major, major, major);
	return err_set(e, ERR_CONFIG,
		"no PostgreSQL %d to %d was found in PATH, /usr/lib/postgresql/NN/bin, "
		"/usr/pgsql-NN/bin and the like",
		PG_MAJOR_MIN, PG_MAJOR_MAX);
}

static bool
bindir_program_in_path(const char *name, char out[FILE_PATH_MAX])
{
	const char *path = getenv("PATH"); // NOLINT(concurrency-mt-unsafe): one thread

	while (path && *path) {
		size_t n = strcspn(path, ":");
		int len = snprintf(out, FILE_PATH_MAX, "%.*s/%s", (int)n, path, name);

		if (path[0] == '/' && len > 0 && len < FILE_PATH_MAX && access(out, X_OK) == 0)
			return true;
		path += n + (path[n] == ':');
	}
	return false;
}

int
bindir_client(const struct bindir *b, const char *name, char out[FILE_PATH_MAX], struct err *e)
{
	if (bindir_program(b, name, out, e) == 0 || bindir_program_in_path(name, out))
		return 0;
	return err_set(e, ERR_CONFIG, "there is no %s in %s, nor in PATH", name, b->dir);
}

int
bindir_program(const struct bindir *b, const char *name, char out[FILE_PATH_MAX], struct err *e)
{
	if (file_join(out, FILE_PATH_MAX, b->dir, name, e) < 0)
		return -1;
	if (access(out, X_OK) < 0)
		return err_set(e, ERR_CONFIG, "there is no %s in %s", name, b->dir);
	return 0;
}
