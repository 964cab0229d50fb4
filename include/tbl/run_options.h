/*
 * The options of `podgres run`.  On the command line first, then the environment, then the default.
 *
 * RUN_OPTION(name, kind, field, env, default, argument, help)
 *   kind      TEXT; PATH: made absolute; FLAG; NUMBER; SPAN: a duration, kept in milliseconds;
 *             CHOICE: the argument lists the words, the field takes the place in that list
 *   field     of struct run_options
 *   env       variables that mean the same, first one set wins, "|" between them; an empty one is
 *             not set
 *   default   as it would be typed; "" for none
 */
RUN_OPTION("config", PATH, config, "PODGRES_CONFIG", "", "FILE",
	"the manifest; without one podgres runs a single instance with its defaults. "
	"/etc/podgres/cluster.yaml is read when it exists")
RUN_OPTION("pgdata", PATH, pgdata, "PGDATA", "/var/lib/postgresql/data", "DIR",
	"the data directory; made by initdb when it is empty")
RUN_OPTION("pg-waldir", PATH, waldir, "POSTGRES_INITDB_WALDIR", "", "DIR",
	"where initdb puts pg_wal, when not inside the data directory")
RUN_OPTION("bindir", PATH, bindir, "PODGRES_BINDIR", "", "DIR",
	"the folder of postgres and initdb; found by PG_VERSION when not given")
RUN_OPTION("port", NUMBER, port, "PGPORT", "", "PORT",
	"the port of postgres, when the manifest's parameters do not say")
RUN_OPTION("run-dir", PATH, run_dir, "PODGRES_RUN_DIR", "/run/podgres", "DIR",
	"sockets and pipes, mode 0700: control.sock, postgres' socket, log/")
RUN_OPTION("state-dir", PATH, state_dir, "PODGRES_STATE_DIR", "", "DIR",
	"what must outlive the container: the fence flag, the lock of the volume. "
	"Default: .podgres-NAME beside the data directory NAME, or .podgres inside it when it is a "
	"mount point or nothing may be made beside it")
RUN_OPTION("secrets-dir", PATH, secrets_dir, "PODGRES_SECRETS_DIR", "/etc/podgres/secrets", "DIR",
	"the secret reference {name: N, key: K} is the file N/K below it")
RUN_OPTION("initdb-dir", PATH, initdb_dir, "PODGRES_INITDB_DIR", "/docker-entrypoint-initdb.d",
	"DIR", "scripts (*.sql, *.sql.gz, *.sh) for the first start")
RUN_OPTION("user", TEXT, user, "PODGRES_USER", "postgres", "USER[:GROUP]",
	"whom postgres and the jobs run as when podgres is started as root; names or numbers")
RUN_OPTION("pod-name", TEXT, pod_name, "POD_NAME", "", "NAME",
	"the name of this instance; the host name when not given")
RUN_OPTION("pod-namespace", TEXT, pod_namespace, "POD_NAMESPACE|NAMESPACE", "", "NAME",
	"the namespace it lives in")
RUN_OPTION("pod-uid", TEXT, pod_uid, "POD_UID", "", "UID", "the UID of the pod")
RUN_OPTION("pod-ip", TEXT, pod_ip, "POD_IP", "", "ADDRESS", "the address of the pod")
RUN_OPTION("cluster-name", TEXT, cluster_name, "CLUSTER_NAME", "", "NAME",
	"the cluster it belongs to; the manifest's name when not given")
RUN_OPTION("listen", TEXT, listen, "PODGRES_LISTEN", ":8000", "ADDRESS:PORT",
	"where HTTP is served: probes, status, orders. Without an address: every one, IPv6 when the "
	"pod's is. \"off\": the unix socket alone")
RUN_OPTION("metrics-listen", TEXT, metrics_listen, "PODGRES_METRICS_LISTEN", ":9187",
	"ADDRESS:PORT", "where /metrics is served; \"off\" for nowhere")
RUN_OPTION("tls-cert", PATH, tls_cert, "PODGRES_TLS_CERT", "", "FILE",
	"certificate chain of both, PEM; read again when it changes")
RUN_OPTION("tls-key", PATH, tls_key, "PODGRES_TLS_KEY", "", "FILE", "its key, PEM")
RUN_OPTION("tls-client-ca", PATH, tls_client_ca, "PODGRES_TLS_CLIENT_CA", "", "FILE",
	"who has a certificate of this authority may give orders, PEM")
RUN_OPTION("token-file", PATH, token_file, "PODGRES_TOKEN_FILE", "", "FILE",
	"who sends the token in this file (Authorization: Bearer) may give orders")
RUN_OPTION("status-auth", FLAG, status_auth, "PODGRES_STATUS_AUTH", "", "",
	"/pg/status needs what orders need")
RUN_OPTION("coordination", CHOICE, coordination, "PODGRES_COORDINATION", "none", "none|kubernetes",
	"who says which instance is the primary: nobody, the instance is alone; or the Lease of "
	"Kubernetes that is named like the cluster")
RUN_OPTION("clone-from", CHOICE, clone_from, "PODGRES_CLONE_FROM", "auto", "auto|primary|archive",
	"whom an instance of a cluster is cloned from: a replica that streams with little lag, and "
	"the primary when there is none; or always the primary; or the newest base backup in the "
	"archive, and the others when there is none that fits")
RUN_OPTION("keep-diverged", CHOICE, keep_diverged, "PODGRES_KEEP_DIVERGED", "wal", "wal|none",
	"what a former primary keeps of what only it had when it follows another one: a copy of that "
	"WAL, at most 256 MB, in STATE_DIR/diverged, three times; or nothing. The list there is "
	"written in any case")
RUN_OPTION("keep-old", SPAN, keep_old_ms, "PODGRES_KEEP_OLD", "10m", "TIME",
	"how long a data directory that was replaced by a clone is kept as PGDATA.podgres-old-..., "
	"from when the clone streams")
RUN_OPTION("kube-api", TEXT, kube_api, "PODGRES_KUBE_API", "", "URL",
	"the API of Kubernetes; found by itself in a pod")
RUN_OPTION("kube-token-file", PATH, kube_token, "PODGRES_KUBE_TOKEN_FILE", "", "FILE",
	"the token for it; of the pod's service account when not given")
RUN_OPTION("kube-ca-file", PATH, kube_ca, "PODGRES_KUBE_CA_FILE", "", "FILE",
	"the authority of its certificate, likewise")
RUN_OPTION("log-level", CHOICE, log_level, "PODGRES_LOG_LEVEL", "info",
	"error|warning|info|debug|trace", "the least important lines that are written")
RUN_OPTION("log-format", CHOICE, log_text, "PODGRES_LOG_FORMAT", "json", "json|text",
	"one JSON object a line, or text for a terminal")
RUN_OPTION("watchdog", SPAN, watchdog_ms, "PODGRES_WATCHDOG", "10s", "DURATION",
	"postgres is killed when the supervisor is silent for so long; 2s to 1h")
RUN_OPTION("grace", SPAN, grace_ms, "PODGRES_GRACE", "0", "DURATION",
	"what a whole stop may take; 0: the manifest's stopDelay")
