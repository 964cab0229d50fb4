/*
 * What is served over HTTP.
 *
 * ROUTE(path, methods, handler, auth, on, sentence)
 *   path      "{id}" at its end stands for one segment
 *   methods   GET brings HEAD; a handler sees them all
 *   handler   api_HANDLER
 *   auth      OPEN; STATUS: open unless --status-auth; ORDER: unix socket, client certificate, token
 *   on        HTTP (8000), METRICS (9187), CONTROL (the unix socket)
 */
ROUTE("/", GET, page, STATUS, HTTP | CONTROL, "a page about this instance, for people")
ROUTE("/", OPTIONS, primary, OPEN, HTTP | CONTROL, "as /primary")
ROUTE("/livez", GET, livez, OPEN, HTTP | CONTROL, "200 while a restart of the container is no remedy")
ROUTE("/healthz", GET, livez, OPEN, HTTP | CONTROL, "the same as /livez")
ROUTE("/readyz", GET, readyz, OPEN, HTTP | CONTROL, "200 if clients may be sent here")
ROUTE("/startupz", GET, startupz, OPEN, HTTP | CONTROL, "200 once started or while the start gets on")
/* Patroni's role checks: 200 or 503 */
ROUTE("/primary", GET | OPTIONS, primary, OPEN, HTTP | CONTROL, "200 on the primary")
ROUTE("/read-write", GET | OPTIONS, primary, OPEN, HTTP | CONTROL, "200 on the primary")
ROUTE("/master", GET | OPTIONS, primary, OPEN, HTTP | CONTROL, "200 on the primary")
ROUTE("/leader", GET | OPTIONS, primary, OPEN, HTTP | CONTROL, "200 on the primary")
ROUTE("/standby-leader", GET | OPTIONS, standby_leader, OPEN, HTTP | CONTROL, "200 on a standby leader")
ROUTE("/replica", GET | OPTIONS, replica, OPEN, HTTP | CONTROL, "200 on a standby; ?lag= ?replication_state=")
ROUTE("/read-only", GET | OPTIONS, read_only, OPEN, HTTP | CONTROL, "200 on the primary or a standby")
ROUTE("/sync", GET | OPTIONS, sync, OPEN, HTTP | CONTROL, "200 on a synchronous standby")
ROUTE("/synchronous", GET | OPTIONS, sync, OPEN, HTTP | CONTROL, "200 on a synchronous standby")
ROUTE("/async", GET | OPTIONS, async, OPEN, HTTP | CONTROL, "200 on an asynchronous standby")
ROUTE("/asynchronous", GET | OPTIONS, async, OPEN, HTTP | CONTROL, "200 on an asynchronous standby")
ROUTE("/health", GET | OPTIONS, running, OPEN, HTTP | CONTROL, "200 while postgres takes connections")
ROUTE("/liveness", GET | OPTIONS, livez, OPEN, HTTP | CONTROL, "the same as /livez")
ROUTE("/readiness", GET | OPTIONS, readyz, OPEN, HTTP | CONTROL, "the same as /readyz")
/* what is known */
ROUTE("/patroni", GET, patroni, STATUS, HTTP | CONTROL, "this member in Patroni's words; always 200")
ROUTE("/cluster", GET, cluster, STATUS, HTTP | CONTROL, "the members")
ROUTE("/history", GET, history, STATUS, HTTP | CONTROL, "the timelines")
ROUTE("/pg/status", GET, status, STATUS, HTTP | CONTROL, "everything known about this instance")
ROUTE("/pg/controldata", GET, controldata, STATUS, HTTP | CONTROL, "pg_controldata as text in JSON")
ROUTE("/v1", GET, index, OPEN, HTTP | CONTROL, "this list")
ROUTE("/v1/plots", GET, plots, STATUS, HTTP | CONTROL, "the last 15 minutes, a point each 5 s: WAL, lag, exposure, connections")
/* orders and their operations */
ROUTE("/v1/promote", POST, order, ORDER, HTTP | CONTROL, "make this standby the primary; force, acceptDataLoss")
ROUTE("/v1/switchover", POST, order, ORDER, HTTP | CONTROL, "hand over to another member")
ROUTE("/v1/follow", POST, order, ORDER, HTTP | CONTROL, "follow that primary, with --coordination none: primary, token")
ROUTE("/v1/fence", POST, order, ORDER, HTTP | CONTROL, "stop postgres and keep it stopped")
ROUTE("/v1/unfence", POST, order, ORDER, HTTP | CONTROL, "lift the fence")
ROUTE("/v1/restart", POST, order, ORDER, HTTP | CONTROL, "restart postgres")
ROUTE("/v1/reload", POST, order, ORDER, HTTP | CONTROL, "read the configuration again")
ROUTE("/v1/pause", POST, order, ORDER, HTTP | CONTROL, "leave postgres alone until resumed")
ROUTE("/v1/resume", POST, order, ORDER, HTTP | CONTROL, "end the pause")
ROUTE("/v1/reinit", POST, order, ORDER, HTTP | CONTROL, "clone this standby anew from the primary")
/* a backup held open for snapshots of volumes */
ROUTE("/pg/mode/backup", GET, hot_backup, STATUS, HTTP | CONTROL, "the hot backup: phase, positions, label, tablespace map")
ROUTE("/pg/mode/backup", POST | PUT | DELETE, hot_backup, ORDER, HTTP | CONTROL, "POST starts, PUT stops, DELETE gives it up; name, slot, immediate, archived, lasts")
ROUTE("/v1/hot-backup", POST, order, ORDER, HTTP | CONTROL, "start a hot backup")
ROUTE("/v1/hot-backup/stop", POST, order, ORDER, HTTP | CONTROL, "stop it; the answer has label and map")
ROUTE("/v1/hot-backup/abort", POST, order, ORDER, HTTP | CONTROL, "give it up")
ROUTE("/v1/operations", GET, operations, STATUS, HTTP | CONTROL, "the operations of late")
ROUTE("/v1/operations/{id}", GET, operation, STATUS, HTTP | CONTROL, "one operation")
/* the archive */
ROUTE("/v1/backups", GET, backups, STATUS, HTTP | CONTROL, "the catalogue of backups, and what runs now")
ROUTE("/v1/backups", POST, order, ORDER, HTTP | CONTROL, "start a backup: name, target, immediate, incremental, rate, keep")
ROUTE("/v1/backups/{id}", GET, backup, STATUS, HTTP | CONTROL, "one backup")
ROUTE("/v1/backups/{id}", DELETE, backup_delete, ORDER, HTTP | CONTROL, "delete a backup that nothing needs")
ROUTE("/v1/wal", GET, wal, STATUS, HTTP | CONTROL, "state of the archive: exposure, queue, window, what fails")
ROUTE("/v1/wal/jobs", GET, wal_jobs, STATUS, HTTP | CONTROL, "archive and restore jobs, newest last; ?follow=1 streams them")
/* among members, and metrics */
ROUTE("/failsafe", GET | POST, failsafe, OPEN, HTTP, "for members only: POST asks not to claim the Lease")
ROUTE("/metrics", GET, metrics, OPEN, METRICS | CONTROL, "metrics for Prometheus; ?collect[]= chooses")
ROUTE("/", GET, metrics_index, OPEN, METRICS, "where the metrics are")
