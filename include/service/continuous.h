/*
 * continuous - the receiver: new WAL of the segment under way goes out every interval.
 *
 * Process: a child of the archiver, forked without exec; on a primary, when the manifest sets
 * backup.continuous.  It reads WAL by the replication protocol and puts it into the store as parts
 * (core/parts.h) beside the segments, so that a disk that is lost with its node costs about an
 * interval of commits instead of archive_timeout.  The ordinary way of WAL does not know of it:
 * there is no slot that could hold WAL back, it is never taken for a synchronous standby (it does
 * not report a flushed position), and the archiver kills it before postgres is stopped.  Whatever
 * goes wrong ends the child; the archiver starts another one later, whose first part begins at the
 * segment's first byte.
 */
#pragma once

#include "core/spec.h"
#include "service/shared.h"

struct continuous_spec {
	struct board *board;
	const struct run_options *opt;
	const struct spec *spec;
	int news; /* SEQPACKET: struct continuous_news to the archiver */
};

struct continuous_news {
	uint64_t lsn;      /* everything before it is in the store */
	uint32_t err_kind; /* why it ends; ERR_NONE: it goes on */
	char msg[512];
};

/* The life of the child: returns its exit code. */
int continuous_main(const struct continuous_spec *cs);
