/*
 * election_rig - three standbys that differ by nothing but their names.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/defs.h"
#include "core/election.h"

#define MAX 6
#define SYSTEM 77
#define MB (UINT64_C(1) << 20)

static const char *const names[MAX] = {"pg-1", "pg-2", "pg-3", "pg-4", "pg-5", "pg-6"};

struct world {
	struct election_member m[MAX];
	struct election e;
};

static inline struct election_member
standby(const char *name)
{
	struct election_member m = {.reachable = true,
		.asked_ns = 100,
		.system_id = SYSTEM,
		.timeline = 3,
		.lineage_ok = true,
		.lsn_known = true,
		.received_lsn = 100 * MB,
		.replayed_lsn = 100 * MB,
		.failover_priority = ELECTION_PRIORITY,
		.replaying = true};

	snprintf(m.name, sizeof(m.name), "%s", name);
	return m;
}

static inline void
world_init(struct world *w)
{
	*w = (struct world){.e = {.system_id = SYSTEM,
				    .timeline = 3,
				    .primary_lsn = 100 * MB,
				    .member_names = names,
				    .member_count = MAX,
				    .voters = names,
				    .maximum_lag_bytes = 16 * (int64_t)MB,
				    .lease_ended_ns = 90,
				    .member = w->m,
				    .members = 3}};
	for (size_t i = 0; i < MAX; i++)
		w->m[i] = standby(names[i]);
}
