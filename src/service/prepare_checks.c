/*
 * prepare_checks - does the machine grant what the configuration asks for?
 *
 * Process: the job `prepare`.  Each finding is one sentence with its remedy; only what would end in
 * a kill by the kernel is refused.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "pg/conf_read.h"
#include "service/prepare.h"
#include "sys/cgroup.h"
#include "sys/hugepage.h"
#include "sys/mount.h"

#define MB (INT64_C(1) << 20)
#define SHM_OTHER (16 * MB) /* what the main segments and statistics take of /dev/shm */

/* ---- settings ---- */

struct checks {
	struct prepare *p;
	struct conf_settings files;
};

/* The manifest, then the files, then PostgreSQL's default. */
static const char *
checks_setting(const struct checks *c, const char *name, const char *fallback)
{
	const struct spec *s = c->p->spec;

	for (size_t i = s->params; i > 0; i--)
		if (strcasecmp(s->param[i - 1].name, name) == 0)
			return s->param[i - 1].value;
	return conf_settings_value(&c->files, name, fallback);
}

/* Memory as PostgreSQL writes it: a number, then B, kB, MB, GB, TB or the setting's own unit. */
int64_t
prepare_memory_value(const char *text, int64_t unit_bytes)
{
	static const struct {
		const char *name;
		int64_t bytes;
	} units[] = {{"kB", 1 << 10}, {"MB", 1 << 20}, {"GB", 1 << 30}, {"TB", INT64_C(1) << 40},
		{"B", 1}};
	char *end;
	double v = strtod(text, &end);

	if (end == text || v < 0 || v > 1e15)
		return -1;
	end += strspn(end, " \t");
	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (strcmp(end, units[i].name) == 0)
			return (int64_t)(v * (double)units[i].bytes);
	return *end ? -1 : (int64_t)(v * (double)unit_bytes);
}

static int64_t
checks_memory(const struct checks *c, const char *name, const char *fallback, int64_t unit_bytes)
{
	int64_t v = prepare_memory_value(checks_setting(c, name, fallback), unit_bytes);

	return v >= 0 ? v : prepare_memory_value(fallback, unit_bytes);
}

static double
checks_number(const struct checks *c, const char *name, const char *fallback)
{
	return strtod(checks_setting(c, name, fallback), NULL);
}

/* ---- /dev/shm ---- */

/* Parallel queries keep their hash tables in dynamic shared memory: work_mem (times
 * hash_mem_multiplier since 15) for each worker (manual, "Resource Consumption"). */
static void
check_shm(struct checks *c)
{
	const char *type = checks_setting(c, "dynamic_shared_memory_type", "posix");
	double workers = checks_number(c, "max_parallel_workers", "8");
	double hash =
		checks_number(c, "hash_mem_multiplier", c->p->plan.major >= 15 ? "2.0" : "1.0");
	int64_t work_mem = checks_memory(c, "work_mem", "4MB", 1 << 10);
	struct mount_room room;
	int64_t need;
	struct err e;

	if (strcmp(type, "posix") != 0 || workers < 1 || mount_room("/dev/shm", &room, &e) < 0)
		return;
	need = (int64_t)(workers * hash * (double)work_mem) + SHM_OTHER;
	if (room.total_bytes >= need)
		return;
	prepare_warn(c->p,
		"/dev/shm has %lld MB, parallel queries may want %lld MB: mount a larger one "
		"(--shm-size, an emptyDir of medium Memory on /dev/shm), lower work_mem or "
		"max_parallel_workers, or set dynamic_shared_memory_type = mmap",
		(long long)(room.total_bytes / MB), (long long)(need / MB));
}

/* ---- huge pages ---- */

static void
check_huge_pages(struct checks *c)
{
	const char *want = checks_setting(c, "huge_pages", "try");
	int64_t buffers = checks_memory(c, "shared_buffers", "128MB", 8192);
	struct hugepage_facts f;
	int64_t limit;

	if (strcasecmp(want, "off") == 0 || strcasecmp(want, "false") == 0)
		return;
	hugepage_look(&f);
	if (!f.mapped)
		return; /* none: "try" goes without, "on" is refused by postgres in plain words */
	limit = cgroup_hugetlb_limit(NULL, f.page_bytes);
	if (f.granted && (limit == CGROUP_NO_LIMIT || limit >= buffers))
		return;
	c->p->plan.huge_pages_off = true;
	prepare_warn(c->p,
		"the node has huge pages but this container is granted %s: postgres would die of "
		"SIGBUS, so huge_pages is off; give the container hugepages-%lldMi in its limits "
		"to use them",
		f.granted ? "fewer than shared_buffers" : "none", (long long)(f.page_bytes / MB));
}

/* ---- memory ---- */

static bool
checks_in_manifest(const struct checks *c, const char *name)
{
	const struct spec *s = c->p->spec;

	for (size_t i = 0; i < s->params; i++)
		if (strcasecmp(s->param[i].name, name) == 0)
			return true;
	return false;
}

/* Refused is only what somebody asked for: a small database lives well with initdb's default, of
 * which it touches little. */
static int
check_memory(struct checks *c, struct err *e)
{
	int64_t limit = cgroup_memory_limit(NULL);
	int64_t buffers = checks_memory(c, "shared_buffers", "128MB", 8192);

	if (limit == CGROUP_NO_LIMIT || buffers * 4 <= limit * 3)
		return 0;
	if (buffers >= limit && checks_in_manifest(c, "shared_buffers")) {
		prepare_hint(c->p,
			"lower shared_buffers to about %lld MB or raise the memory "
			"limit of the container",
			(long long)(limit / 4 / MB));
		return err_set(e, ERR_CONFIG,
			"shared_buffers of %lld MB does not fit into the memory limit of %lld MB",
			(long long)(buffers / MB), (long long)(limit / MB));
	}
	prepare_warn(c->p,
		"shared_buffers of %lld MB takes more than three quarters of the memory limit of "
		"%lld MB: lower it to about %lld MB or raise the limit",
		(long long)(buffers / MB), (long long)(limit / MB), (long long)(limit / 4 / MB));
	return 0;
}

int
prepare_checks(struct prepare *p, struct err *e)
{
	struct checks c = {.p = p};
	char path[FILE_PATH_MAX];
	struct err ignored;
	int rc;

	/* What cannot be read here is the business of the configuration, which says it better. */
	if (file_join(path, sizeof(path), p->data.path, "postgresql.conf", e) < 0)
		return -1;
	if (conf_load(&c.files, path, &ignored) < 0)
		log_debug("settings not read", F_STR("error", ignored.msg));
	check_shm(&c);
	check_huge_pages(&c);
	rc = check_memory(&c, e);
	conf_settings_deinit(&c.files);
	return rc;
}
