/*
 * cgroup - limits the container runtime set for us.
 *
 * /proc/self/cgroup names our group; seen from inside a container it may be the host's name for
 * it, which does not exist below our mount: then the mount's root is our group.
 */
#include "sys/cgroup.h"

#include <stdio.h>
#include <string.h>

#include "sys/file.h"

#define CGROUP_HUGE (INT64_C(1) << 60) /* version 1 says "no limit" with a number of about 2^63 */

struct limit_file {
	const char *controller; /* of version 1 */
	const char *v1, *v2;
};

static int64_t
cgroup_read(const char *path)
{
	char text[64], *end;
	struct err e;
	long long v;

	if (file_read_line(path, text, sizeof(text), &e) < 0)
		return CGROUP_NO_LIMIT;
	v = strtoll(text, &end, 10);
	return end == text || v < 0 || v >= CGROUP_HUGE ? CGROUP_NO_LIMIT : v;
}

static int64_t
cgroup_lower(int64_t a, int64_t b)
{
	if (a == CGROUP_NO_LIMIT)
		return b;
	return b != CGROUP_NO_LIMIT && b < a ? b : a;
}

/* The group and all above it, up to and including root. */
static int64_t
cgroup_walk(const char *root, const char *group, const char *file)
{
	char path[FILE_PATH_MAX], rest[FILE_PATH_MAX];
	int64_t limit = CGROUP_NO_LIMIT;
	char *slash;

	snprintf(rest, sizeof(rest), "%s", group);
	for (;;) {
		size_t n = strlen(rest);

		while (n > 0 && rest[n - 1] == '/')
			rest[--n] = '\0';
		if (snprintf(path, sizeof(path), "%s%s/%s", root, rest, file) < (int)sizeof(path))
			limit = cgroup_lower(limit, cgroup_read(path));
		slash = strrchr(rest, '/');
		if (!slash)
			return limit;
		*slash = '\0';
	}
}

static bool
cgroup_has(const char *list, const char *controller)
{
	size_t n = strlen(controller);

	for (const char *at = list; *at; at += strcspn(at, ","), at += *at == ',')
		if (strncmp(at, controller, n) == 0 && (at[n] == ',' || at[n] == '\0'))
			return true;
	return false;
}

/* One line of /proc/self/cgroup: "ID:CONTROLLERS:PATH"; no controllers: version 2. */
static int64_t
cgroup_line(char *line, const char *sysfs, const struct limit_file *f)
{
	char root[FILE_PATH_MAX];
	char *list = strchr(line, ':'), *group = list ? strchr(list + 1, ':') : NULL;
	int64_t limit;

	if (!group)
		return CGROUP_NO_LIMIT;
	*group++ = '\0';
	list++;
	if (*list) {
		if (!cgroup_has(list, f->controller))
			return CGROUP_NO_LIMIT;
		snprintf(root, sizeof(root), "%s/%s", sysfs, f->controller);
		return cgroup_walk(root, group, f->v1);
	}
	limit = cgroup_walk(sysfs, group, f->v2);
	snprintf(root, sizeof(root), "%s/unified", sysfs);
	return cgroup_lower(limit, cgroup_walk(root, group, f->v2));
}

static int64_t
cgroup_limit(const struct cgroup_where *where, const struct limit_file *f)
{
	const char *sysfs = where && where->sysfs ? where->sysfs : "/sys/fs/cgroup";
	const char *proc = where && where->proc ? where->proc : "/proc/self/cgroup";
	AUTO(buf_deinit) struct buf text = {0};
	int64_t limit = CGROUP_NO_LIMIT;
	struct err e;
	char *at;

	if (file_read(&text, proc, 65536, &e) < 0 || !text.data)
		return CGROUP_NO_LIMIT;
	for (at = text.data; *at;) {
		size_t n = strcspn(at, "\n");
		bool more = at[n] == '\n';

		at[n] = '\0';
		limit = cgroup_lower(limit, cgroup_line(at, sysfs, f));
		at += n + more;
	}
	return limit;
}

int64_t
cgroup_memory_limit(const struct cgroup_where *where)
{
	const struct limit_file f = {"memory", "memory.limit_in_bytes", "memory.max"};

	return cgroup_limit(where, &f);
}

/* Our own group's: those above hold more. */
int64_t
cgroup_memory_used(const struct cgroup_where *where)
{
	const struct limit_file f = {"memory", "memory.usage_in_bytes", "memory.current"};

	return cgroup_limit(where, &f);
}

static void
cgroup_page_name(int64_t bytes, char out[24])
{
	static const char *const units[] = {"KB", "MB", "GB"};
	size_t u = 0;
	int64_t v = bytes >> 10;

	while (v >= 1024 && u + 1 < ARRAY_LEN(units)) {
		v >>= 10;
		u++;
	}
	snprintf(out, 24, "%lld%s", (long long)v, units[u]);
}

int64_t
cgroup_hugetlb_limit(const struct cgroup_where *where, int64_t page_bytes)
{
	char page[24], v1[64], v2[64];
	struct limit_file f = {"hugetlb", v1, v2};
	int64_t limit;

	cgroup_page_name(page_bytes, page);
	snprintf(v1, sizeof(v1), "hugetlb.%s.limit_in_bytes", page);
	snprintf(v2, sizeof(v2), "hugetlb.%s.max", page);
	limit = cgroup_limit(where, &f);
	snprintf(v1, sizeof(v1), "hugetlb.%s.rsvd.limit_in_bytes", page);
	snprintf(v2, sizeof(v2), "hugetlb.%s.rsvd.max", page);
	return cgroup_lower(limit, cgroup_limit(where, &f));
}
