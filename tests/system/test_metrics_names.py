"""metrics_names - what the metrics are called, on every version of PostgreSQL.

metrics_golden/NN.txt has every family that the default queries give on PostgreSQL NN:
NAME TYPE LABELS WHERE.  compat_names.txt is what others expect.  With PODGRES_GOLDEN=write the
golden files are written (make metrics-golden).
"""
import json
import os
import re
import subprocess
import time

from podtest import eq, ok, test, until
from test_metrics import Scraper, parse

HERE = os.path.dirname(os.path.abspath(__file__))
NUMBER = re.compile(r"^([+-]?[0-9.]+(e[+-]?\d+)?|t|f|NaN|-?Infinity|)$")
ROLE = "cnpg_metrics_exporter"
PREPARE = """
create extension pg_stat_statements;
create role app login valid until '2040-01-01';
create table t(n int primary key, b text);
create table parts(n int) partition by range (n);
create table part partition of parts for values from (0) to (10);
create sequence s;
grant select on sequence s to cnpg_metrics_exporter;
select nextval('s');
insert into t select n, repeat('x', 100) from generate_series(1, 1000) n;
analyze;
begin; insert into t values (0); prepare transaction 'left';
"""
MANIFEST = """
apiVersion: postgresql.cnpg.io/v1
kind: Cluster
metadata: {name: NAME}
spec:
  postgresql:
    parameters: {max_prepared_transactions: "4", pg_stat_statements.max: "1000", max_slot_wal_keep_size: 1GB}
"""


def compat():
    """Rows of compat_names.txt."""
    with open(os.path.join(HERE, "compat_names.txt")) as f:
        rows = [line.split() for line in f if line.strip() and line[0] != "#"]
    return [{"name": n, "type": t, "labels": "" if ls == "-" else ls, "from": int(v.rstrip("-")), "where": w}
            for n, t, ls, v, w in rows]


def queries(t):
    """The table of the default queries, as the tool metric_tables prints it."""
    for folder in (os.environ.get("PODGRES_TEST_TOOLS"), os.path.dirname(t.binary) + "/tools", HERE + "/../../build/tools"):
        if folder and os.path.exists(folder + "/metric_tables"):
            out = subprocess.run([folder + "/metric_tables"], capture_output=True, text=True, check=True).stdout
            return [json.loads(line) for line in out.splitlines()]
    ok(False, "metric_tables is not built: make tools")


def applies(q, version, standby):
    if q["min"] and version < q["min"] or q["max"] and version >= q["max"]:
        return False
    return q["where"] == 0 or (q["where"] == 2) == standby


def table(t, p, sql):
    """Column names and rows, as the collector's role sees them."""
    out = t.as_postgres("psql", "-X", "-A", "-q", "-F", "\x1f", "-v", "ON_ERROR_STOP=1", "-P", "footer=off", "-h", p.run_dir,
                        "-p", str(p.port), "-U", ROLE, "-d", "postgres", "-c",
                        "set search_path = pg_catalog; set default_transaction_read_only = on; set lock_timeout = '100ms'", "-c", sql,
                        check=False, env={"PATH": os.environ["PATH"]})
    eq((out.returncode, out.stderr), (0, ""), sql)
    lines = [line.split("\x1f") for line in out.stdout.splitlines()]
    return lines[0], lines[1:]


def run_all(t, p, version, standby):
    """{family: (type, labels)} of all queries that belong here; their columns are as described."""
    found = {}
    for q in queries(t):
        if not applies(q, version, standby):
            continue
        if q["predicate"]:
            eq(len(table(t, p, q["predicate"])[1]), 1, f"{q['id']}: rows of the predicate")
        columns, rows = table(t, p, q["sql"])
        eq(sorted(columns), sorted(c["column"] for c in q["columns"]), f"{q['id']}: columns")
        labels = [c["column"] for c in q["columns"] if c["usage"] == "label"]
        keys = [tuple(r[columns.index(n)] for n in labels) for r in rows]
        eq(len(keys), len(set(keys)), f"{q['id']}: rows with the same labels")
        for c in q["columns"]:
            if c["usage"] == "label":
                continue
            for row in rows:
                ok(NUMBER.match(row[columns.index(c["column"])]), f"{q['id']}.{c['column']}: {row}")
            ok(c["family"] not in found, f"{c['family']} twice")
            found[c["family"]] = (c["usage"], ",".join(sorted(labels)) or "-")
    return found


def pair(t):
    """A primary with a bit of everything, its replica, and the version."""
    p = t.started("a", manifest=MANIFEST.replace("NAME", "a"))
    until(lambda: p.psql(f"select 1 from pg_roles where rolname = '{ROLE}'") == "1", 20, "the role of the collector")
    for statement in PREPARE.strip().split(";\n"):
        p.psql(statement)
    p.psql("create database closed allow_connections false")
    p.psql("select pg_create_physical_replication_slot('kept', true)")
    b = t.pod("b", pgdata=t.standby_of(p, "b"), port=5433, http_port=8100, manifest=MANIFEST.replace("NAME", "b"))
    b.start()
    b.wait_state("standby")
    b.wait_ready()
    until(lambda: p.psql("select count(*) from pg_stat_replication where state = 'streaming'") == "1", 20, "the replica streams")
    return p, b, int(p.psql("show server_version_num"))


def scraped(p, want, seconds=60):
    """/metrics, as text and as families, once want are all there."""
    end = time.monotonic() + seconds
    while True:
        text = Scraper(p, p.metrics_port).get().body.decode()
        got = parse(text)
        missing = [n for n in want if n not in got]
        if not missing:
            return text, got
        ok(time.monotonic() < end, f"{p.name}: missing: {missing}")
        time.sleep(0.3)


def labels_of(family):
    """The label names of its samples; None when it has no sample."""
    sets = {tuple(sorted(re.findall(r'([a-zA-Z_][a-zA-Z0-9_]*)="(?:[^"\\]|\\.)*"', s))) for s in family["samples"]}
    ok(len(sets) <= 1, f"samples of one family with other labels: {sets}")
    return ",".join(sets.pop()) if sets else None


def golden_lines(primary, standby):
    lines = []
    for name in sorted(set(primary) | set(standby)):
        where = "any" if name in primary and name in standby else "primary" if name in primary else "standby"
        lines.append(" ".join((name, *(primary.get(name) or standby[name]), where)))
    return lines


@test(seconds=120, tags=["versions"])
def test_the_same_families_as_ever(t):
    a, b, version = pair(t)
    lines = golden_lines(run_all(t, a, version, False), run_all(t, b, version, True))
    path = os.path.join(HERE, "metrics_golden", f"{t.major}.txt")
    if os.environ.get("PODGRES_GOLDEN") == "write":
        with open(path, "w") as f:
            f.write("\n".join(lines) + "\n")
        return
    with open(path) as f:
        was = f.read().splitlines()
    eq((sorted(set(was) - set(lines)), sorted(set(lines) - set(was))), ([], []), f"gone from {path}, new there")


@test(seconds=120, tags=["versions"])
def test_every_name_that_dashboards_and_guides_ask_for(t):
    a, b, version = pair(t)
    for p, places in ((a, ("any", "primary", "replica", "slot")), (b, ("any",))):
        want = [r for r in compat() if version // 10000 >= r["from"] and r["where"] in places]
        text, got = scraped(p, [r["name"] for r in want])
        with open(t.path(p.name + "-metrics.txt"), "w") as f:
            f.write(text)
        for r in want:
            eq(got[r["name"]]["type"], r["type"], r["name"])
            eq(labels_of(got[r["name"]]), r["labels"], r["name"])
        with open(os.path.join(HERE, "metrics_golden", f"{t.major}.txt")) as f:
            golden = {line.split()[0]: line.split() for line in f}
        for name, family in got.items():
            if name in golden:
                eq([family["type"], labels_of(family) or "-"], golden[name][1:3], name)
        findings(t, text)


def findings(t, text):
    """promtool finds what promtool_findings.txt has of these families, no more and no less."""
    out = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
    got = set((out.stdout + out.stderr).strip().splitlines())
    path = os.path.join(HERE, "promtool_findings.txt")
    with open(path) as f:
        lines = f.read().splitlines()
    known = {line for line in lines if line and line[0] != "#"}
    if os.environ.get("PODGRES_GOLDEN") == "write":
        with open(path, "w") as f:
            f.write("\n".join([line for line in lines if line.startswith("#")] + sorted(known | got)) + "\n")
        return
    here = parse(text)
    want = {line for line in known if line.split()[0] in here}
    eq((sorted(got - want), sorted(want - got)), ([], []), "promtool: more than is known, less")
    eq([line for line in got if line.startswith("podgres_")], [], "promtool: names of our own")
