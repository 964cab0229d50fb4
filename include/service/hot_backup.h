/*
 * hot_backup - a backup held open for snapshots of volumes: what job, supervisor and API share.
 */
#pragma once

/* In RUN_DIR: {"backupName","phase","beginLSN","endLSN","labelFile","spcmapFile"}, the files in
 * base64.  phase: starting, started, closing, completed, failed. */
#define HOT_BACKUP_FILE "hot-backup.json"
#define HOT_BACKUP_FILE_MAX (256 << 10)
#define HOT_STARTED "started"
