/*
 * cgroup - limits the container runtime set for us, version 1, 2 and both at once.
 */
#pragma once

#include <stdint.h>

#define CGROUP_NO_LIMIT INT64_C(-1)

/* Where to look; NULL for the real places. */
struct cgroup_where {
	const char *sysfs; /* /sys/fs/cgroup */
	const char *proc;  /* /proc/self/cgroup */
};

/* Memory in bytes: the lowest limit from our group up to the root that can be seen. */
int64_t cgroup_memory_limit(const struct cgroup_where *where);
/* What our group uses of it, bytes; CGROUP_NO_LIMIT: unknown. */
int64_t cgroup_memory_used(const struct cgroup_where *where);
/* Huge pages of page_bytes each, in bytes. */
int64_t cgroup_hugetlb_limit(const struct cgroup_where *where, int64_t page_bytes);
