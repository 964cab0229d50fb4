/*
 * hugepage - does the kernel grant the huge pages it promises?
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct hugepage_facts {
	int64_t page_bytes;
	int64_t total_bytes; /* configured on this node; 0: none, and nobody will try */
	bool mapped;         /* mmap(MAP_HUGETLB) succeeded in a child */
	bool granted;        /* and touching the page did not end in SIGBUS */
};

/* Reads /proc/meminfo and, when there are huge pages, touches one in a child of a moment. */
void hugepage_look(struct hugepage_facts *out);
