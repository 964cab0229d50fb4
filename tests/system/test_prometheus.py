"""prometheus - a real Prometheus scrapes a pod; its rules, and the names that rules and dashboard ask for."""
import json
import os
import re
import signal
import subprocess
import threading
import time
import urllib.parse
import urllib.request

from podtest import eq, ok, scale, test, until
from test_latency import pgbench

HERE = os.path.dirname(os.path.abspath(__file__))
FILES = os.path.join(os.path.dirname(os.path.dirname(HERE)), "docker", "prometheus")
PORT = 19090
NOT_HERE = {  # of the facts that this pod cannot have
    "podgres_slot_info", "podgres_collation_mismatch", "podgres_metrics_query_failing", "podgres_replica_lag_bytes",
    "cnpg_pg_replication_slots_pg_wal_lsn_diff", "podgres_table_size_bytes_", "podgres_wait_events_backends",
}
NAME = re.compile(r"\b(?:cnpg|podgres|barman)_[a-z0-9_]+")


def asked():
    """Every metric that rules, alerts and dashboard name."""
    names = set()
    with open(f"{FILES}/dashboard.json") as f:
        board = json.load(f)
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            names.update(NAME.findall(target["expr"]))
    for file in ("rules.yaml", "alerts.yaml"):
        with open(f"{FILES}/{file}") as f:
            for line in f:
                if line.strip().startswith("expr:"):
                    names.update(NAME.findall(line))
    return names, board


@test(seconds=120)
def test_rules_fire_when_they_should_and_are_quiet_when_they_should(t):
    out = subprocess.run(["promtool", "test", "rules", "alerts_test.yaml", "alerts_month_test.yaml"], cwd=FILES, capture_output=True, text=True)
    eq(out.returncode, 0, out.stdout + out.stderr)
    with open(f"{FILES}/alerts.yaml") as f:
        alerts = re.findall(r"- alert: (\w+)", f.read())
    cases = ""
    for file in ("alerts_test.yaml", "alerts_month_test.yaml"):
        with open(f"{FILES}/{file}") as f:
            cases += f.read()
    for alert in alerts:
        for word in ("fires", "is quiet"):
            ok(f"name: {alert} {word}\n" in cases, f"no case: {alert} {word}")
    ok(len(alerts) >= 16, alerts)


class Prometheus:
    def __init__(self, t, target):
        folder = t.folder("prometheus", owner=False, mode=0o755)
        for name in ("rules.yaml", "alerts.yaml"):
            with open(f"{FILES}/{name}") as f, open(f"{folder}/{name}", "w") as to:
                to.write(re.sub(r"for: \d+[ms]", "for: 0s", f.read()))
        with open(f"{FILES}/prometheus.yaml") as f:
            text = f.read().replace("15s", "1s").replace("127.0.0.1:9187", target)
        with open(f"{folder}/prometheus.yaml", "w") as f:
            f.write(text)
        self.log = open(f"{folder}/log", "w")
        self.child = subprocess.Popen(
            ["prometheus", f"--config.file={folder}/prometheus.yaml", f"--storage.tsdb.path={folder}/data",
             f"--web.listen-address=127.0.0.1:{PORT}"], stdout=self.log, stderr=self.log, cwd=folder)

    def ask(self, path, **query):
        url = f"http://127.0.0.1:{PORT}/api/v1/{path}?" + urllib.parse.urlencode(query)
        try:
            with urllib.request.urlopen(url, timeout=10) as r:
                return json.load(r)["data"]
        except OSError:
            return None

    def value(self, expr):
        data = self.ask("query", query=expr)
        return data["result"] if data else []

    def close(self):
        self.child.terminate()
        self.child.wait(20)
        self.log.close()


@test(seconds=scale(180, 900))
def test_a_real_prometheus_gets_every_name(t):
    p = t.started()
    p.psql("create table t as select n, repeat('x', 100) as pad from generate_series(1, 20000) n; create index on t(n)")
    p.psql("analyze t; create role ends login password 'x' valid until '2040-01-01'")
    p.service("collector").kill(signal.SIGKILL)  # the next round over all tables is five minutes away
    prom = Prometheus(t, f"127.0.0.1:{p.metrics_port}")
    ending = threading.Event()

    t.as_postgres(pgbench(t), "-i", "-q", "-s", "5", "-h", p.run_dir, "-p", str(p.port), "postgres")

    def load():
        while not ending.is_set():
            p.psql("update t set n = n + 1 where n % 100 = 7; select count(*) from t")
            t.as_postgres(pgbench(t), "-n", "-c", "4", "-T", "5", "-h", p.run_dir, "-p", str(p.port), "postgres", check=False)

    worker = threading.Thread(target=load, daemon=True)
    worker.start()
    try:
        until(lambda: prom.value("up == 1"), 60, "Prometheus has scraped the pod")
        time.sleep(scale(20, 600))
        eq(len(prom.value("count_over_time(up[10m]) - sum_over_time(up[10m]) > 2")), 0, "scrapes that failed")
        names, board = asked()
        missing = sorted(n for n in names if not prom.value(f"last_over_time({n}[5m])") and n not in NOT_HERE)
        eq(missing, [], "names that rules or dashboard ask for and nobody emits")
        for panel in board["panels"]:
            for target in panel.get("targets", []):
                expr = re.sub(r"\$(namespace|cluster|instance)", ".*", target["expr"])
                ok(prom.ask("query", query=expr) is not None, f"{panel['title']}: {expr}")
        with open(f"{HERE}/compat_names.txt") as f:
            rows = [line.split() for line in f if line.startswith(("cnpg_", "barman_"))]
        wanted = {r[0] for r in rows if r[4] in ("any", "primary") and int(r[3].split("-")[0]) <= t.major}
        ok(len(wanted) > 40, f"{len(wanted)} names")

        def without():
            return sorted(n for n in wanted if not prom.value(f"last_over_time({n}[5m])"))
        until(lambda: without() == [], 40, "every compatibility name has data")
        scrapes = prom.value("sum(count_over_time(up[10m]))")[0]["value"][1]
        print(f"figures: {scrapes} scrapes in the last 10 minutes; data for {len(wanted)} compatibility names and {len(names)} of rules and "
              "dashboard")
        p.cli("fence", "on", "--reason", "test")
        until(lambda: prom.value('ALERTS{alertname="PodgresFenced", alertstate="firing"}'), 30, "the alert about the fence fires")
        until(lambda: prom.value('ALERTS{alertname="PodgresNoPrimary", alertstate="firing"}'), 30, "so does that about the primary")
        eq(prom.value('ALERTS{alertname="PodgresInstanceDown"}'), [], "a fenced instance is not down")
    finally:
        ending.set()
        worker.join(30)
        prom.close()
