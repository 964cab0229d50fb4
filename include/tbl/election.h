/*
 * Why a member may not claim the lease: the first row that holds is the answer, so the order is the
 * order in which people are told.
 *
 * REASON(name, text, force, sentence)
 *   text   what status and log call it
 *   force  whether promote --force --accept-data-loss passes it
 */
REASON(OK, "eligible", true, "may claim the lease")
/* ---- about the member itself: no force passes these ---- */
REASON(NO_SYSTEM, "system unknown", false, "the system identifier of its data is not known")
REASON(OTHER_SYSTEM, "other system", false, "its data is of another database system")
REASON(FENCED, "fenced", false, "it is fenced: unfence it first")
REASON(PAUSED, "paused", false, "the cluster is paused: resume it, nobody takes over meanwhile")
REASON(NOFAILOVER, "nofailover", false, "it is marked never to become primary")
REASON(NO_MEMBER, "no member", false, "the holder of the lease did not list it as a member")
REASON(CLONING, "cloning", false, "its data is being cloned and not whole yet")
REASON(REWINDING, "rewinding", false, "its data is being rewound and not whole yet")
REASON(NOT_RUNNING, "not replaying", false, "postgres does not replay there: only a running standby can be promoted")
REASON(OTHER_LINEAGE, "other lineage", false, "its history left the cluster's: it must be rewound or cloned first")
REASON(STALE, "facts too old", false, "what is known of it is older than the end of the lease")
/* ---- guards: what may be lost ---- */
REASON(TIMELINE, "timeline behind", true, "it has not reached the timeline of the last primary")
REASON(NO_LSN, "WAL position unknown", true, "how much WAL it has received is not known")
REASON(LAG, "too far behind", true, "it lacks more WAL than maximumLagOnFailover allows")
REASON(NOT_SYNC, "not synchronous", true, "it is not among the synchronous standbys, so that acknowledged commits may be missing")
REASON(NO_QUORUM, "no quorum", true, "too few synchronous standbys answer to know that one has every acknowledged commit")
/* ---- in favour of another ---- */
REASON(TARGET, "another is named", true, "the switchover names another member")
REASON(BETTER, "another is better", true, "another member has more WAL or goes first")
/* ---- about a force ---- */
REASON(LOSS_UNKNOWN, "loss unknown", false, "how much would be lost cannot be said, and a bound was given")
REASON(LOSS, "loss too large", false, "more would be lost than was accepted")
