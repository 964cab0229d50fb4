/*
 * Every field of CloudNativePG's Backup and ScheduledBackup.  See manifest_cluster.h for the columns.
 */
/* clang-format off */
FIELD(0, "Backup", OBJ, IMPL, "", "one base backup")
FIELD(1, "apiVersion", STR, IMPL, "*", "postgresql.cnpg.io/v1")
FIELD(1, "kind", STR, IMPL, "*", "Backup")
FIELD(1, "metadata", OBJ, IMPL, "*@metadata", "name, namespace, labels and annotations")
FIELD(1, "status", ANY, KUBE, "", "written by the operator")
FIELD(1, "spec", OBJ, IMPL, "*", "what is wanted")
FIELD(2, "cluster", LOCAL, IMPL, "*", "the cluster to back up")
FIELD(2, "target", STR, IMPL, "primary|prefer-standby", "which instance takes it")
FIELD(2, "method", STR, IMPL, "barmanObjectStore|volumeSnapshot|plugin", "how it is taken")
FIELD(2, "pluginConfiguration", OBJ, NA, "@plugin", "the plugin that takes it; podgres takes it itself")
FIELD(2, "online", BOOL, NA, "", "whether postgres keeps running; it always does")
FIELD(2, "onlineConfiguration", OBJ, IMPL, "@onlineConfiguration", "how it is taken while postgres runs")

FIELD(0, "ScheduledBackup", OBJ, IMPL, "", "base backups by the clock")
FIELD(1, "apiVersion", STR, IMPL, "*", "postgresql.cnpg.io/v1")
FIELD(1, "kind", STR, IMPL, "*", "ScheduledBackup")
FIELD(1, "metadata", OBJ, IMPL, "*@metadata", "name, namespace, labels and annotations")
FIELD(1, "status", ANY, KUBE, "", "written by the operator")
FIELD(1, "spec", OBJ, IMPL, "*", "what is wanted")
FIELD(2, "suspend", BOOL, IMPL, "", "whether it is suspended")
FIELD(2, "immediate", BOOL, IMPL, "", "whether the first is taken at once")
FIELD(2, "schedule", STR, IMPL, "*", "when, in six fields of cron, seconds first")
FIELD(2, "cluster", LOCAL, IMPL, "*", "the cluster to back up")
FIELD(2, "backupOwnerReference", STR, KUBE, "none|self|cluster", "who owns the Backups")
FIELD(2, "target", STR, IMPL, "primary|prefer-standby", "which instance takes it")
FIELD(2, "method", STR, IMPL, "barmanObjectStore|volumeSnapshot|plugin", "how it is taken")
FIELD(2, "pluginConfiguration", OBJ, NA, "@plugin", "the plugin that takes it; podgres takes it itself")
FIELD(2, "online", BOOL, NA, "", "whether postgres keeps running; it always does")
FIELD(2, "onlineConfiguration", OBJ, IMPL, "@onlineConfiguration", "how it is taken while postgres runs")
/* clang-format on */
