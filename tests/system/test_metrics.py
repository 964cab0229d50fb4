"""metrics - GET /metrics: names, formats, and answers whatever PostgreSQL does."""
import gzip
import http.client
import os
import re
import signal
import subprocess
import sys
import time

from podtest import eq, ok, test, until
from podtest.store import Target, take_backup

LINE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)*\})? (\S+)$')
OPEN = "application/openmetrics-text;version=1.0.0"


class Scraper:
    """One kept connection to the port of the metrics."""

    def __init__(self, pod, port=9187):
        self.pod, self.port, self.kept = pod, port, None

    def get(self, path="/metrics", method="GET", **headers):
        if not self.kept:
            self.kept = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        self.kept.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})
        r = self.kept.getresponse()
        r.body = r.read()
        return r


def parse(text):
    """{family: {"type":, "samples": {labels: value}}} of the text format; strict."""
    out, current = {}, None
    for line in text.splitlines():
        if line.startswith("# HELP "):
            current = line.split(" ")[2]
            ok(current not in out, f"family {current} twice")
            out[current] = {"type": "untyped", "samples": {}, "help": line.split(" ", 3)[3]}
        elif line.startswith("# TYPE "):
            eq(line.split(" ")[2], current, "TYPE follows HELP")
            out[current]["type"] = line.split(" ")[3]
        else:
            m = LINE.match(line)
            ok(m, f"no sample: {line!r}")
            float(m.group(3).replace("Inf", "inf"))
            base = re.sub(r"_(bucket|sum|count)$", "", m.group(1)) if out[current]["type"] == "histogram" else m.group(1)
            eq(base, current, "samples stand below their family")
            key = m.group(1) + (m.group(2) or "")
            ok(key not in out[current]["samples"], f"series {key} twice")
            out[current]["samples"][key] = float(m.group(3))
    return out


def metrics(pod, path="/metrics"):
    return parse(Scraper(pod).get(path).body.decode())


def collected(pod, name="cnpg_pg_replication_lag", seconds=45):
    return until(lambda: (lambda m: m if name in m else None)(metrics(pod)), seconds, f"{name} is collected")


@test(tags=["versions"])
def test_what_a_primary_says(t):
    p = t.started()
    m = collected(p, "cnpg_pg_database_size_bytes")
    with open(t.path("metrics.txt"), "w") as f:
        f.write(Scraper(p).get().body.decode())
    eq([v for v in m["cnpg_collector_up"]["samples"].values()], [1.0], "up")
    eq(m["podgres_is_primary"]["samples"]["podgres_is_primary"], 1.0, "primary")
    eq(m["cnpg_pg_replication_in_recovery"]["samples"]["cnpg_pg_replication_in_recovery"], 0.0, "recovery")
    failing = m.get("podgres_metrics_query_failing", {"samples": {}})["samples"]
    eq(failing, {}, "queries that fail")


@test(tags=["asan"])
def test_both_formats_are_what_prometheus_reads(t):
    """Held against the parsers of Prometheus' own client for Python."""
    sys.path.append("/usr/lib/python3/dist-packages")  # Debian's, whichever Python this is
    from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_open
    from prometheus_client.parser import text_string_to_metric_families as read_text
    p = t.started()
    collected(p)
    s = Scraper(p)
    plain = s.get()
    eq(plain.getheader("Content-Type"), "text/plain; version=0.0.4; charset=utf-8", "type")
    ok(len(list(read_text(plain.body.decode()))) > 100, "families")
    opened = s.get(Accept=OPEN)
    eq(opened.getheader("Content-Type"), "application/openmetrics-text; version=1.0.0; charset=utf-8", "type")
    ok(opened.body.endswith(b"# EOF\n"), "the end")
    families = {f.name: f for f in read_open(opened.body.decode())}
    eq(families["cnpg_pg_stat_archiver_archived_count"].type, "unknown", "a counter without _total")
    eq(families["podgres_http_requests"].type, "counter", "a counter")
    for accept in ("text/plain", OPEN):
        r = s.get(Accept=accept, Accept_Encoding="gzip")
        eq(r.getheader("Content-Encoding"), "gzip", "encoding")
        text = gzip.decompress(r.body).decode()
        ok("cnpg_backends_total{" in text and "podgres_build_info{" in text, "both parts")
        ok(len(r.body) < len(text) / 4, f"{len(r.body)} of {len(text)} bytes")
    eq(s.get(Accept_Encoding="gzip;q=0").getheader("Content-Encoding"), None, "encoding that was not wanted")
    head = s.get(method="HEAD")
    eq((head.status, head.body), (200, b""), "HEAD")
    some = parse(s.get("/metrics?collect[]=backends&collect[]=podgres").body.decode())
    ok("cnpg_backends_total" in some and "podgres_state" in some and "cnpg_collector_up" not in some, list(some))
    eq(s.get("/metrics?collect[]=nonsense").status, 400, "an unknown group")
    ok(b'href="/metrics"' in s.get("/").body, "the way to the metrics")


@test(seconds=90)
def test_an_answer_at_once_whatever_postgres_does(t):
    p = t.started()
    collected(p)
    s = Scraper(p)

    def up():
        began = time.monotonic()
        m = parse(s.get().body.decode())
        ok(time.monotonic() - began < 0.5, "at once")
        return list(m["cnpg_collector_up"]["samples"].values())[0], m

    postmaster = p.postmaster()
    for proc in p.postgres_tree():
        proc.kill(signal.SIGSTOP)
    until(lambda: up()[0] == 0, 30, "up is 0 while postgres is frozen")
    ok(up()[1]["podgres_metrics_age_seconds"]["samples"]["podgres_metrics_age_seconds"] > 1, "its age shows")
    for proc in p.postgres_tree():
        proc.kill(signal.SIGCONT)
    until(lambda: up()[0] == 1, 20, "up is 1 again")
    postmaster.kill(signal.SIGKILL)
    until(lambda: getattr(p.postmaster(), "pid", postmaster.pid) != postmaster.pid, 20, "another postmaster")
    collected(p)
    p.cli("fence", "on", "--reason", "test")
    value, m = up()
    eq((value, m["podgres_fenced"]["samples"]["podgres_fenced"]), (0, 1), "fenced")
    ok("cnpg_backends_total" not in m, "what a former postmaster said is gone")
    p.cli("fence", "off")
    collected(p)
    collector = [x for x in p.procs() if "service collector" in x.cmdline][0]
    pid = p.postmaster().pid
    collector.kill(signal.SIGKILL)
    until(lambda: up()[1]["podgres_service_restarts_total"]["samples"].get('podgres_service_restarts_total{service="collector"}'),
          20, "the collector was started again")
    collected(p)
    eq(p.postmaster().pid, pid, "postgres did not notice")


@test(seconds=90)
def test_all_connections_taken_and_never_more_than_two(t):
    p = t.started(manifest=None)
    collected(p)
    hold = []
    try:
        for _ in range(200):
            child = subprocess.Popen(["psql", "-X", "-q", "-h", p.run_dir, "-U", "postgres", "-d", "postgres"],
                                     stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            hold.append(child)
            try:
                child.stdin.write("select pg_sleep(0);\n")
                child.stdin.flush()
            except BrokenPipeError:  # it was refused already, and that is all that it was for
                pass
            if len(hold) % 25 == 0:
                time.sleep(0.3)
        time.sleep(1)
        m = metrics(p)
        age = m["podgres_metrics_age_seconds"]["samples"]["podgres_metrics_age_seconds"]
        time.sleep(7)
        m = metrics(p)
        later = m["podgres_metrics_age_seconds"]["samples"]["podgres_metrics_age_seconds"]
        ok(later < 7, f"passes go on: {age} {later}")
        ok(m["podgres_metrics_connections"]["samples"]["podgres_metrics_connections"] <= 2, "connections")
        eq(m["podgres_metrics_query_failing"]["samples"] if "podgres_metrics_query_failing" in m else {}, {}, "queries that fail")
    finally:
        for child in hold:
            child.kill()
            child.wait()


@test(seconds=90, tags=["versions"])
def test_locks_on_catalogues_cost_the_queries_that_need_them(t):
    p = t.started()
    p.psql("create table t(n int)")
    p.service("collector").kill(signal.SIGKILL)  # the next round over all tables is five minutes away
    collected(p, "podgres_table_size_bytes")
    hold = subprocess.Popen(["psql", "-X", "-q", "-h", p.run_dir, "-U", "postgres", "-d", "postgres"], stdin=subprocess.PIPE,
                            stdout=subprocess.DEVNULL, text=True)
    hold.stdin.write("begin; lock table t in access exclusive mode; lock table pg_database in access exclusive mode;\n")
    hold.stdin.flush()
    try:
        m = until(lambda: (lambda m: m if "podgres_metrics_query_failing" in m else None)(metrics(p)), 30, "a query fails")
        failing = m["podgres_metrics_query_failing"]["samples"]
        ok(any('query="pg_database"' in k and '"55P03"' in k for k in failing), failing)
        ok("podgres_metrics_query_breaker" in m, "and is left alone for a while")
        ok(not any('query="pg_postmaster"' in k for k in failing), failing)
        ok("cnpg_pg_database_xid_age" in m, "its last rows stay for a minute")
        ours = [x for x in p.postgres_tree() if "cnpg_metrics_exporter" in x.cmdline]
        ok(len(ours) <= 2, ours)
    finally:
        hold.kill()
        hold.wait()
    until(lambda: "podgres_metrics_query_failing" not in metrics(p), 60, "all queries work again")


CUSTOM = """
good:
  query: "SELECT 'a' AS which, 1.5 AS value, now() AS at, clock_timestamp()::text AS drop_me"
  metrics:
    - which: {usage: LABEL}
    - value: {usage: GAUGE, description: "A value"}
    - at: {usage: COUNTER}
    - drop_me: {usage: DISCARD}
cached:
  query: "SELECT extract(epoch FROM clock_timestamp()) AS taken"
  cache_seconds: 3600
  metrics: [{taken: {usage: GAUGE}}]
each:
  query: "SELECT current_database() AS datname, 1 AS here"
  target_databases: ["app", "db_?"]
  metrics: [{datname: {usage: LABEL}}, {here: {usage: GAUGE}}]
never:
  query: "SELECT 1 AS x"
  predicate_query: "SELECT false"
  metrics: [{x: {usage: GAUGE}}]
future:
  query: "SELECT no_such_function() AS x"
  runonserver: ">=99"
  metrics: [{x: {usage: GAUGE}}]
wrong:
  query: "SELECT no_such_column AS x"
  metrics: [{x: {usage: GAUGE}}]
fewer:
  query: "SELECT 1 AS x"
  metrics: [{x: {usage: GAUGE}}, {y: {usage: GAUGE}}]
two:
  query: "SELECT 1 AS x; SELECT 2"
  metrics: [{x: {usage: GAUGE}}]
writes:
  query: "SELECT set_config('transaction_read_only', 'off', true) AS x"
  metrics: [{x: {usage: GAUGE}}]
slow:
  query: "SELECT pg_sleep(20)::text AS x"
  timeout_seconds: 1
  metrics: [{x: {usage: GAUGE}}]
many:
  query: "SELECT n, n AS x FROM generate_series(1, 1000000) n"
  metrics: [{n: {usage: LABEL}}, {x: {usage: GAUGE}}]
same:
  query: "SELECT 'a' AS l, n AS x FROM generate_series(1, 3) n"
  metrics: [{l: {usage: LABEL}}, {x: {usage: GAUGE}}]
escape:
  query: "SELECT set_config('session_authorization', 'postgres', false) AS x"
  metrics: [{x: {usage: LABEL}}, {y: {usage: GAUGE}}]
backends:
  query: "SELECT 5 AS total"
  metrics: [{total: {usage: GAUGE}}]
broken:
  query: "SELECT 1 AS x"
  metrics: [{x: {usage: GUAGE}}]
"""


@test(seconds=120, tags=["versions", "asan"])
def test_queries_of_users_and_what_a_bad_one_costs(t):
    secrets = t.folder("secrets", owner=False, mode=0o755)
    os.makedirs(secrets + "/mine", exist_ok=True)
    with open(secrets + "/mine/custom", "w") as f:
        f.write(CUSTOM)
    manifest = """
apiVersion: postgresql.cnpg.io/v1
kind: Cluster
metadata: {name: pod}
spec:
  bootstrap: {initdb: {database: app, owner: app}}
  monitoring:
    customQueriesConfigMap: [{name: mine, key: custom}]
    metricsQueriesTTL: "2s"
"""
    p = t.pod(manifest=manifest, env={"PODGRES_SECRETS_DIR": secrets})
    p.start()
    p.wait_ready()
    p.psql("create database db_1")
    m = until(lambda: (lambda m: m if "cnpg_good_value" in m and "cnpg_many_x" in m else None)(metrics(p)), 40, "they are there")
    eq(m["cnpg_good_value"]["samples"], {'cnpg_good_value{which="a"}': 1.5}, "a gauge")
    eq(m["cnpg_good_value"]["help"], "A value", "help")
    eq(m["cnpg_good_at"]["type"], "counter", "type")
    ok(abs(m["cnpg_good_at"]["samples"]['cnpg_good_at{which="a"}'] - time.time()) < 30, "a time")
    for absent in ("cnpg_never_x", "cnpg_future_x", "cnpg_wrong_x", "cnpg_two_x", "cnpg_writes_x", "cnpg_slow_x", "cnpg_broken_x",
                   "cnpg_fewer_x"):
        ok(absent not in m, absent)
    eq(len(m["cnpg_many_x"]["samples"]), 10000, "rows up to the cap")
    eq(m["cnpg_same_x"]["samples"], {'cnpg_same_x{l="a"}': 1.0}, "a series that is there already")
    ok(len(m["cnpg_backends_total"]["samples"]) >= 1 and 5 not in m["cnpg_backends_total"]["samples"].values(), "default ones win")
    failing = until(lambda: (lambda f: f if 'query="slow"' in str(f) else None)(
        metrics(p)["podgres_metrics_query_failing"]["samples"]), 40, "the slow one")
    for name, state in (("wrong", "42703"), ("two", "42601"), ("writes", "25001"), ("slow", "57014"), ("fewer", "42P10")):
        ok(any(f'query="{name}"' in k and f'"{state}"' in k for k in failing), f"{name} {state}: {failing}")
    ok(not any('query="good"' in k for k in failing), failing)
    eq(sum(1 for x in p.log() if x.get("msg") == "a metric query fails" and x.get("query") == "wrong"), 1, "one line of log")
    ok(p.logged("queries of users are left out"), "what the file has wrong is in the log")
    first = m["cnpg_cached_taken"]["samples"]["cnpg_cached_taken"]
    until(lambda: 'datname="db_1"' in str(metrics(p).get("cnpg_each_here")), 20, "another database by pattern")
    eq(set(metrics(p)["cnpg_each_here"]["samples"]), {'cnpg_each_here{datname="app"}', 'cnpg_each_here{datname="db_1"}'}, "databases")
    eq(metrics(p)["cnpg_cached_taken"]["samples"]["cnpg_cached_taken"], first, "cache_seconds")
    for name in ("cnpg_cache_hits", "cnpg_cache_miss"):
        until(lambda n=name: metrics(p)[n]["samples"][n] > 0, 15, f"{name} counts")
    with open(secrets + "/mine/new", "w") as f:
        f.write('more: {query: "SELECT 7 AS x", metrics: [{x: {usage: GAUGE}}]}\n')
    os.rename(secrets + "/mine/new", secrets + "/mine/custom")
    m = until(lambda: (lambda m: m if "cnpg_more_x" in m else None)(metrics(p)), 20, "the new file")
    ok("cnpg_good_value" not in m and "podgres_metrics_query_failing" not in m, "the old one is gone")
    p.stop()


@test(seconds=120)
def test_backups_the_window_and_the_last_drill_show(t):
    target = Target.folder(t)
    p = target.pod(wal="compression: gzip", data="compression: gzip, immediateCheckpoint: true")
    p.start()
    p.wait_ready()
    take_backup(p)
    name = "podgres_restore_drill_timestamp_seconds"
    m = until(lambda: (lambda m: m if m["podgres_backups"]["samples"]["podgres_backups"] == 1 else None)(metrics(p)), 30, "the backup")
    eq(m[name]["samples"][name], 0, "no drill yet")
    ok(m["cnpg_collector_first_recoverability_point"]["samples"]["cnpg_collector_first_recoverability_point"] > 1.7e9, "window")
    out = p.cli("backup", "verify", "latest", "--restore", "--config", p.manifest, seconds=60)
    eq(out.returncode, 0, out.stdout + out.stderr)
    take_backup(p)  # the catalogue is read again after it
    m = until(lambda: (lambda m: m if m[name]["samples"][name] else None)(metrics(p)), 30, "the drill")
    ok(abs(m[name]["samples"][name] - time.time()) < 120, m[name])
    ok(m["podgres_restore_drill_duration_seconds"]["samples"]["podgres_restore_drill_duration_seconds"] > 0.01, "its time")
    eq(m["podgres_restore_drill_failed"]["samples"]["podgres_restore_drill_failed"], 0, "it went well")
    p.stop()


@test(seconds=90)
def test_a_backend_that_freezes_in_a_slow_query_is_given_up(t):
    secrets = t.folder("secrets", owner=False, mode=0o755)
    os.makedirs(secrets + "/mine", exist_ok=True)
    with open(secrets + "/mine/custom", "w") as f:
        f.write('nap: {query: "SELECT pg_sleep(2)::text AS n, 1 AS x", timeout_seconds: 3, metrics: [{n: {usage: DISCARD}}, {x: {usage: GAUGE}}]}\n')
    manifest = ("apiVersion: postgresql.cnpg.io/v1\nkind: Cluster\nmetadata: {name: pod}\nspec:\n  monitoring:\n"
                "    customQueriesConfigMap: [{name: mine, key: custom}]\n    metricsQueriesTTL: 1s\n")
    p = t.pod(manifest=manifest, env={"PODGRES_SECRETS_DIR": secrets})
    p.start()
    p.wait_ready()
    collected(p, "cnpg_nap_x", 30)
    backend = [x for x in p.postgres_tree() if "cnpg_metrics_exporter" in x.cmdline][0]
    backend.kill(signal.SIGSTOP)
    others = until(lambda: [x for x in p.postgres_tree() if "cnpg_metrics_exporter" in x.cmdline and x.pid != backend.pid], 30, "another connection")
    ok(len(others) <= 2, others)
    m = until(lambda: (lambda m: m if m["podgres_metrics_age_seconds"]["samples"]["podgres_metrics_age_seconds"] < 3 else None)(metrics(p)), 30, "passes go on")
    failing = m.get("podgres_metrics_query_failing", {"samples": {}})["samples"]
    ok(not any("26000" in k for k in failing), failing)
    ok("cnpg_backends_total" in m, "queries are answered")
    backend.kill(signal.SIGCONT)
    p.stop()
