/*
 * parts - the WAL of a segment that is not whole yet, as numbered objects: pure.
 *
 * Objects SERVER/podgres/continuous/SEGMENT/RUN-FROM-TO[.gz]: bytes FROM (included) to TO (not
 * included) of the segment, both as 8 hexadecimal digits; RUN, 12 of them, is when the receiver
 * that wrote them began (milliseconds since 1970).  Each run begins at the first byte of a segment
 * and leaves no hole; its first part holds all that the server had flushed by then.  So the newest
 * run that has a part from byte 0 knows best: after a crash a server may write other bytes where an
 * unfinished record stood.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PART_NAME_SIZE 31 /* "RRRRRRRRRRRR-FFFFFFFF-TTTTTTTT" and its NUL */

struct part {
	uint64_t run;
	uint32_t from, to;
	const char *extension; /* ".gz", "": of part_parse(), points into the name */
};

const char *part_name(const struct part *p, char out[PART_NAME_SIZE]); /* returns out */
/* The last component of a key; false when it is no part's name.  Everything after the digits is
 * the extension. */
bool part_parse(const char *name, struct part *out);

/*
 * Brings the parts that make up the beginning of the segment to the front, in order, and returns
 * how many there are; 0: no run has the first byte.  Of two parts from one byte the longer counts.
 */
size_t parts_chain(struct part *part, size_t n);
