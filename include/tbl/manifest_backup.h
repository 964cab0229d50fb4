/*
 * Every field of CloudNativePG's Backup and ScheduledBackup.  See manifest_cluster.h for the columns.
 */
/* clang-format off */
FIELD(0, "Backup", OBJ, LATER, "", "one base backup")
FIELD(1, "apiVersion", STR, LATER, "*", "postgresql.cnpg.io/v1")
FIELD(1, "kind", STR, LATER, "*", "Backup")
FIELD(1, "metadata", OBJ, LATER, "*@metadata", "name, namespace, labels and annotations")
FIELD(1, "status", ANY, LATER, "", "written by the operator")
FIELD(1, "spec", OBJ, LATER, "*", "what is wanted")
FIELD(2, "cluster", LOCAL, LATER, "*", "the cluster to back up")
FIELD(2, "target", STR, LATER, "primary|prefer-standby", "which instance takes it")
FIELD(2, "method", STR, LATER, "barmanObjectStore|volumeSnapshot|plugin", "how it is taken")
FIELD(2, "pluginConfiguration", OBJ, LATER, "@plugin", "the plugin that takes it")
FIELD(2, "online", BOOL, LATER, "", "whether postgres keeps running")
FIELD(2, "onlineConfiguration", OBJ, LATER, "@onlineConfiguration", "how an online snapshot is taken")

FIELD(0, "ScheduledBackup", OBJ, LATER, "", "base backups by the clock")
FIELD(1, "apiVersion", STR, LATER, "*", "postgresql.cnpg.io/v1")
FIELD(1, "kind", STR, LATER, "*", "ScheduledBackup")
FIELD(1, "metadata", OBJ, LATER, "*@metadata", "name, namespace, labels and annotations")
FIELD(1, "status", ANY, LATER, "", "written by the operator")
FIELD(1, "spec", OBJ, LATER, "*", "what is wanted")
FIELD(2, "suspend", BOOL, LATER, "", "whether it is suspended")
FIELD(2, "immediate", BOOL, LATER, "", "whether the first is taken at once")
FIELD(2, "schedule", STR, LATER, "*", "when, in six fields of cron, seconds first")
FIELD(2, "cluster", LOCAL, LATER, "*", "the cluster to back up")
FIELD(2, "backupOwnerReference", STR, LATER, "none|self|cluster", "who owns the Backups")
FIELD(2, "target", STR, LATER, "primary|prefer-standby", "which instance takes it")
FIELD(2, "method", STR, LATER, "barmanObjectStore|volumeSnapshot|plugin", "how it is taken")
FIELD(2, "pluginConfiguration", OBJ, LATER, "@plugin", "the plugin that takes it")
FIELD(2, "online", BOOL, LATER, "", "whether postgres keeps running")
FIELD(2, "onlineConfiguration", OBJ, LATER, "@onlineConfiguration", "how an online snapshot is taken")
/* clang-format on */
