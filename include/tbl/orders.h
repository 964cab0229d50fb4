/*
 * What may be asked of a manager, by HTTP and by command line.
 *
 * ORDER(name, text, path, event, brings)
 *   event   the event of the state table, or NONE for orders that change no state
 *   brings  NULL, or what is missing in this version: the order then answers 501 with that sentence
 */
ORDER(PROMOTE, "promote", "/v1/promote", FSM_EV_PROMOTE, NULL)
ORDER(SWITCHOVER, "switchover", "/v1/switchover", FSM_EV_SWITCHOVER, NULL)
ORDER(FOLLOW, "follow", "/v1/follow", FSM_EV_FOLLOW, NULL)
ORDER(FENCE, "fence", "/v1/fence", FSM_EV_FENCE, NULL)
ORDER(UNFENCE, "unfence", "/v1/unfence", FSM_EV_UNFENCE, NULL)
ORDER(RESTART, "restart", "/v1/restart", FSM_EV_RESTART, NULL)
ORDER(RELOAD, "reload", "/v1/reload", FSM_EV_NONE, NULL)
ORDER(PAUSE, "pause", "/v1/pause", FSM_EV_NONE, NULL)
ORDER(RESUME, "resume", "/v1/resume", FSM_EV_NONE, NULL)
ORDER(BACKUP, "backup", "/v1/backups", FSM_EV_NONE, NULL)
ORDER(BACKUP_DELETE, "backup-delete", "/v1/backups/{id}", FSM_EV_NONE, NULL)
ORDER(HOT_START, "hot-backup", "/v1/hot-backup", FSM_EV_NONE, NULL)
ORDER(HOT_STOP, "hot-backup-stop", "/v1/hot-backup/stop", FSM_EV_NONE, NULL)
ORDER(HOT_ABORT, "hot-backup-abort", "/v1/hot-backup/abort", FSM_EV_NONE, NULL)
ORDER(REINIT, "reinit", "/v1/reinit", FSM_EV_REINIT, NULL)
