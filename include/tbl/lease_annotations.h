/*
 * What one compare-and-swap of the Lease covers beside its spec: annotations podgres.dev/NAME.
 * All are text; kind says how it is read.  A zero, false or empty one is not there.
 *
 * ANNOTATION(field, name, kind)  kind: U64, U32, LSN ("0/15D68A8"), BOOL, JSON (kept as it stands)
 */
ANNOTATION(seq, "seq", U64)
ANNOTATION(released, "released", U64)
ANNOTATION(system_id, "systemId", U64)
ANNOTATION(timeline, "timeline", U32)
ANNOTATION(switch_lsn, "switchLSN", LSN)
ANNOTATION(promoting, "promoting", BOOL)
ANNOTATION(paused, "paused", BOOL)
ANNOTATION(members, "members", JSON)
ANNOTATION(primary_lsn, "primaryLSN", LSN)
ANNOTATION(sync, "sync", JSON)
ANNOTATION(command, "command", JSON)
ANNOTATION(change, "lastChange", JSON)
ANNOTATION(fenced, "fenced", JSON)
