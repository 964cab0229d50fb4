/*
 * The processes that podgres starts of itself and keeps running.
 *
 * SERVICE(name, text, user, hung_ms, does)
 *   user     RUN: gives up root for the user of postgres; KEEP: stays as the supervisor is
 *   hung_ms  without a heartbeat for this long it is killed and started again
 */
SERVICE(LOGGER, "logger", RUN, 10000, "drains the output of postgres and of everybody here")
SERVICE(FENCER, "fencer", KEEP, 5000, "kills postgres when the deadline on the board passes")
SERVICE(MONITOR, "monitor", RUN, 15000, "looks at postgres each second over one kept connection")
SERVICE(API, "api", RUN, 10000, "answers HTTP on 8000, 9187 and the unix socket")
SERVICE(COLLECTOR, "collector", RUN, 15000, "runs the metric queries and renders what they say")
SERVICE(ELECTOR, "elector", RUN, 15000, "asks Kubernetes for the Lease and knows the members")
SERVICE(ARCHIVER, "archiver", RUN, 15000, "sends WAL to the archive and fetches it from there")
