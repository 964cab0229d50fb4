/*
 * drill_record - what came of the last restore drill: SERVER/podgres/drill.json beside the backups.
 *
 * It stands in the store, since a drill may run anywhere, and its age is a metric and an alert.
 */
#pragma once

#include "service/archive.h"

struct drill_record {
	int64_t good_wall_us; /* end of the last that went well; 0: none did */
	int64_t good_ms;      /* until PostgreSQL took connections: the recovery time */
	bool failed;          /* the last one did not go well */
	char backup[32];      /* of the last one */
};

/* ERR_NOTFOUND: there was none.  What cannot be read is as none. */
int drill_record_read(struct archive *a, struct drill_record *out, struct err *e) MUSTCHECK;
int drill_record_write(struct archive *a, const struct drill_record *r, struct err *e) MUSTCHECK;
