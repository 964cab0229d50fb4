/*
 * What can happen to an instance.  Guards are resolved before the table is asked: an event says
 * which way the guard went.
 *
 * EVENT(name, text, meaning, otherwise)
 *   otherwise  the sentence of the cells that no row of tbl/transitions.h fills
 */
EVENT(READY_PRIMARY, "prepared as primary", "the data directory is fit to run as primary",
	"the preparation came too late")
EVENT(READY_STANDBY, "prepared as standby", "the data directory is fit to run as standby",
	"the preparation came too late")
EVENT(UNFIT, "preparation failed", "the data directory or the configuration allows no start",
	"the preparation came too late")
EVENT(NO_SPACE, "no space", "the volume has no room for the WAL of a start",
	"the preparation came too late")
EVENT(SPACE_BACK, "space is back", "the volume has room again", "nothing waits for space")
EVENT(DIVERGED, "diverged", "the data directory is on another history than the primary's",
	"the preparation came too late")
EVENT(RETRY, "retry", "the time to try again has come", "nothing waits for another try")
EVENT(CONFIG, "configuration changed", "a new configuration was read",
	"the configuration is applied without a change of state")
EVENT(EXIT_RUN, "postgres ended", "no process of postgres is left; it should run",
	"no postgres was running")
EVENT(EXIT_EARLY, "postgres did not start", "postgres ended before it accepted connections",
	"no postgres was running")
EVENT(EXIT_FENCED, "postgres ended, fenced", "no process of postgres is left; it is fenced",
	"no postgres was running")
EVENT(EXIT_STOP, "postgres ended, stop", "no process of postgres is left; podgres is to end",
	"no postgres was running")
EVENT(PROMOTED, "promoted", "a higher timeline and a flushed write were seen",
	"no promotion was under way")
EVENT(PROMOTE_LATE, "promotion too late", "the promotion did not finish in time",
	"no promotion was under way")
EVENT(PROMOTE_FAILED, "promotion not told", "postgres could not be told to promote",
	"no promotion was under way")
EVENT(ELECTED, "elected", "the lease is free and this member goes first",
	"only a running standby can take over")
EVENT(LEASE_MINE, "lease claimed", "the lease is ours and fresh", "the lease was not asked for")
EVENT(LEASE_REFUSED, "lease refused", "the lease went to another or the claim was late",
	"the lease was not asked for")
EVENT(LEASE_LOST, "lease lost", "the lease expired or is another's",
	"postgres is not writable, so that the lease does not matter")
EVENT(UNLEASED, "no lease", "postgres takes writes, and the lease is not ours",
	"postgres is not writable, so that the lease does not matter")
EVENT(WATCHDOG, "watchdog", "the supervisor missed its own deadline",
	"no postgres was running")
EVENT(UNGUARDED, "no fencer", "the fencer could not be started for too long",
	"no postgres was running")
EVENT(DATA_GONE, "data directory damaged", "global/pg_control or PG_VERSION vanished",
	"no postgres was running")
EVENT(FENCE, "fence", "somebody ordered the fence", "already fenced")
EVENT(UNFENCE, "unfence", "somebody lifted the fence", "not fenced")
EVENT(PROMOTE, "promote", "somebody ordered the promotion",
	"only a running standby can be promoted")
EVENT(SWITCHOVER, "switchover", "somebody ordered a switchover",
	"only a running primary can hand over")
EVENT(RESTART, "restart", "somebody ordered a restart of postgres",
	"postgres is being stopped already")
EVENT(REINIT, "reinit", "somebody ordered a new clone",
	"only a standby can be cloned anew")
EVENT(WAL_GONE, "WAL gone", "the primary has no WAL any more that this standby needs",
	"only a running standby is cloned anew by itself")
EVENT(FOLLOW, "follow", "somebody named the primary to follow",
	"the data directory is being prepared: order it again in a moment")
EVENT(STOP, "stop", "podgres was asked to stop", "already stopping: the next rung is taken now")
