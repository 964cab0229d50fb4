/*
 * What podgres chooses where nobody else has: written to podgres.user.conf before the manifest's
 * parameters, and only for settings that neither postgresql.conf nor the manifest has.
 *
 * DEFAULT(id, min, max, text, why)   text "": worked out from the size of the WAL volume, or
 *                                     whether the kernel can be trusted with it
 * MEMBER_DEFAULT(...)                 the same, for an instance of a cluster with several
 */
DEFAULT(wal_level, 13, 0, "logical", "logical replication can begin without a restart")
DEFAULT(archive_timeout, 13, 0, "5min", "with an archive: how long a segment may wait to be full")
DEFAULT(wal_log_hints, 13, 0, "on", "pg_rewind works without data checksums, too")
DEFAULT(max_replication_slots, 13, 0, "32", "changing it needs a restart")
DEFAULT(max_worker_processes, 13, 0, "32", "changing it needs a restart")
DEFAULT(max_parallel_workers, 13, 0, "32", "as many as there may be workers")
DEFAULT(wal_keep_size, 13, 0, "", "a standby may be away for a while")
DEFAULT(max_wal_size, 13, 0, "", "checkpoints must come before the volume is full")
DEFAULT(min_wal_size, 13, 0, "", "checkpoints must come before the volume is full")
DEFAULT(dynamic_shared_memory_type, 13, 0, "posix", "what every container has")
DEFAULT(log_checkpoints, 13, 14, "on", "the default since version 15")
DEFAULT(log_startup_progress_interval, 15, 0, "10s", "a long replay says how far it is")
DEFAULT(recovery_init_sync_method, 14, 0, "",
	"crash recovery does not open each file of the data directory first")
DEFAULT(log_timezone, 13, 0, "UTC", "log lines of all members compare")
MEMBER_DEFAULT(wal_retrieve_retry_interval, 13, 0, "500ms", "a standby finds a new primary at once")
MEMBER_DEFAULT(wal_receiver_timeout, 13, 0, "5s", "a primary that is gone is noticed")
MEMBER_DEFAULT(wal_sender_timeout, 13, 0, "5s", "a standby that is gone is noticed")
MEMBER_DEFAULT(max_slot_wal_keep_size, 13, 0, "",
	"a member that is away must not fill the volume of the primary")
