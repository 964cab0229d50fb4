/*
 * The states of an instance (architecture, section 4).
 *
 * STATE(name, text, postgres, sentence)
 *   text      what status, log and API call it
 *   postgres  what postgres may be meanwhile: none, recovery, writable, stopping
 *   sentence  what a person reads when no event explains it better
 */
STATE(BOOT, "boot", NONE, "looking at the data directory before postgres may start")
STATE(FENCED, "fenced", NONE, "fenced: postgres is kept stopped until somebody unfences it")
STATE(REJOIN, "rejoin", NONE, "the data directory is being made to follow the primary again")
STATE(STANDBY, "standby", RECOVERY, "following: postgres replays WAL and takes no writes")
STATE(CLAIM, "claim", RECOVERY, "asking for the lease before promoting")
STATE(PROMOTE, "promote", WRITABLE, "postgres is being promoted to primary")
STATE(PRIMARY, "primary", WRITABLE, "primary: postgres takes writes")
STATE(HANDOVER, "handover", STOPPING, "postgres is being stopped in an orderly way")
STATE(KILL, "kill", STOPPING, "postgres is being stopped as fast as is safe")
STATE(SPACE, "waiting_for_space", NONE, "the volume is full: postgres starts when there is space again")
STATE(FAILED, "failed", NONE, "postgres cannot run; waiting for a repair or the next attempt")
