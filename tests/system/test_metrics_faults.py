"""metrics_faults - scrapes while something is wrong: never late, connections below the cap, ages shown.

PODGRES_TEST_SCALE=full: ten minutes of a lock, 10,000 tables, 200 databases.
"""
import os
import select
import signal
import socket
import threading
import time

from podtest import eq, ok, scale, test, until
from podtest.watch import CAP, SANITIZED, Kept, Slot, Watch, exporter_backends, family, percentile

FEW = "apiVersion: postgresql.cnpg.io/v1\nkind: Cluster\nmetadata: {name: pod}\nspec:\n"
AGE = 'podgres_metrics_query_age_seconds{{query="{}"}}'
FAST = AGE.format("backends")


def collected(t, name="cnpg_pg_replication_lag", **how):
    """A pod whose metrics are there."""
    p = t.started(**how)
    kept = Kept(p)
    until(lambda: f"\n{name}".encode() in kept.ask()[1], 20, f"{name} is collected")
    kept.close()
    return p


def manifest(**parameters):
    return FEW + "  postgresql:\n    parameters:\n" + "".join(f"      {k}: '{v}'\n" for k, v in parameters.items())


def anew(p):
    """Another collector, which visits all databases at once."""
    old = until(lambda: p.service("collector"), 10, "a collector")
    until(exporter_backends, 20, "it is connected")
    old.kill(signal.SIGKILL)
    until(lambda: (p.service("collector") or old).pid != old.pid and exporter_backends(), 20, "another collector")


def ages(w, name, seconds, most):
    """The age of a query's rows grows while something lasts; after most seconds they are gone."""
    first = w.value(name)
    w.during(seconds, scale(0.02, 1))
    last = w.values()
    ok(last[name] > first + seconds - 7 or last[name] > most, f"{name}: {first} then {last[name]}")
    return last


# ---- locks ----

@test(seconds=scale(60, 1500), tags=["alone"])
def test_locks_on_catalogues_held(t):
    """First those that a query may ask for by name, then the one that no query can do without."""
    p = collected(t)
    w = Watch(t, p, activity=False)
    hold = Slot(p)
    hold.run("BEGIN; LOCK TABLE pg_database, pg_authid, pg_tablespace, pg_db_role_setting IN ACCESS EXCLUSIVE MODE")
    until(lambda: 'podgres_metrics_query_failing{query="pg_database",sqlstate="55P03"}' in w.values(), 15, "pg_database fails")
    v = ages(w, AGE.format("pg_database"), scale(7, 600), 60)
    ok(v['podgres_metrics_query_age_seconds{query="pg_postmaster"}'] < 7, "what needs none of them goes on")
    if scale(0, 1):
        ok(not family(v, "cnpg_pg_database_xid_age"), "rows of ten minutes ago")
    w.fast()
    hold.run("ROLLBACK")
    named = w.current()
    hold.run("BEGIN; LOCK TABLE pg_class, pg_proc, pg_stat_activity IN ACCESS EXCLUSIVE MODE")
    w.during(scale(5, 600), scale(0.02, 1))
    v = w.values()
    if scale(0, 1):
        ok(not family(v, "cnpg_backends_total"), "rows of ten minutes ago")
    w.fast()
    hold.run("ROLLBACK")
    whole = w.current(30)
    hold.close()
    w.end("locks", note=f"current again after {named:.1f} s, and {whole:.1f} s for pg_class")


# ---- postgres does not run, or does not answer ----

@test(seconds=scale(60, 900), tags=["alone"])
def test_postgres_stopped_by_the_fence(t):
    p = collected(t)
    w = Watch(t, p, activity=False)
    p.cli("fence", "on", "--reason", "test")
    v = w.values()
    eq(sum(family(v, "cnpg_collector_up").values()), 0, "up")
    ok(not family(v, "cnpg_backends_total") and not family(v, "cnpg_pg_postmaster_start_time"), "rows of a server that is gone")
    first = v["podgres_metrics_age_seconds"]
    w.during(scale(4, 600), scale(0.02, 1)).fast()
    ok(w.value("podgres_metrics_age_seconds") > first + 3, "its age shows")
    eq(exporter_backends(), [], "connections")
    p.cli("fence", "off")
    again = w.current()
    w.end("fenced", note=f"current again after {again:.1f} s")


@test(seconds=scale(60, 900), tags=["alone"])
def test_postmaster_and_backends_frozen(t):
    p = collected(t)
    w = Watch(t, p, activity=False)
    frozen = p.postgres_tree()
    for proc in frozen:
        proc.kill(signal.SIGSTOP)
    began = time.monotonic()
    up = "cnpg_collector_up"
    until(lambda: sum(family(w.values(), up).values()) == 0, 20, "up is 0")
    down = time.monotonic() - began
    v = ages(w, "podgres_metrics_age_seconds", scale(3, 600), 1e9)
    if scale(0, 1):
        ok(not family(v, "cnpg_backends_total"), "rows of ten minutes ago")
    w.fast()
    tries = family(w.values(), "cnpg_collector_collection_errors_total")
    w.during(scale(8, 60), 0.1)
    eq(family(w.values(), "cnpg_collector_collection_errors_total"), tries, "nobody is dialled who does not answer")
    for proc in frozen:
        if proc.alive():
            proc.kill(signal.SIGCONT)
    again = w.current(30)
    w.end("postgres frozen", cap=CAP, note=f"up was 0 after {down:.1f} s, current again after {again:.1f} s")


@test(seconds=scale(60, 900), tags=["asan", "alone"])
def test_its_own_backend_frozen(t):
    p = collected(t)
    w = Watch(t, p)
    pids = exporter_backends()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    before, began, age = w.value("podgres_metrics_reconnects_total"), time.monotonic(), 0

    def another():
        nonlocal age
        v = w.values()
        age = max(age, v["podgres_metrics_age_seconds"])
        return v["podgres_metrics_reconnects_total"] > before
    until(another, 20, "another connection")
    until(lambda: w.value(FAST) < 5, 10, "a new pass")
    again = time.monotonic() - began
    ok(age > 6, f"its age shows: {age}")
    w.during(scale(3, 600), scale(0.02, 1)).fast()
    ok(set(exporter_backends()) > set(pids), f"{pids} is frozen, another serves: {exporter_backends()}")
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    until(lambda: not set(exporter_backends()) & set(pids), 20, "the frozen one ends when it can")
    w.end("its own backend frozen", cap=CAP, note=f"another one serves after {again:.1f} s, the age was {age:.1f} s at most")


# ---- connections ----

EACH = """
each:
  query: "SELECT current_database() AS d, 1 AS x"
  target_databases: ["*"]
  cache_seconds: 3600
  metrics: [{d: {usage: LABEL}}, {x: {usage: GAUGE}}]
"""


class Takers:
    """Sessions that take every slot, and every one that becomes free."""

    def __init__(self, p):
        self.p, self.slots, self.ending = p, [], threading.Event()
        self.fill()

    def fill(self):
        while not (slot := Slot(self.p)).error:
            self.slots.append(slot)
        ok("53300" in slot.error, slot.error)

    def refill(self, free):
        """Takes what free() leaves before anybody else can."""
        free()
        end = time.monotonic() + 5
        have = len(self.slots)
        while len(self.slots) == have and time.monotonic() < end:
            slot = Slot(self.p)
            if not slot.error:
                self.slots.append(slot)

    def close(self):
        for slot in self.slots:
            slot.close()


@test(seconds=scale(60, 900), tags=["alone"])
def test_all_connections_taken_after_it_has_connected(t):
    secrets = t.folder("secrets", owner=False, mode=0o755)
    os.makedirs(secrets + "/mine")
    p = collected(t, env={"PODGRES_SECRETS_DIR": secrets}, manifest=manifest(max_connections=20) +
                  "  monitoring: {customQueriesConfigMap: [{name: mine, key: custom}]}\n")
    w = Watch(t, p)
    takers = Takers(p)
    t.file("secrets/mine/custom", EACH)
    w.during(scale(7, 600), scale(0.02, 1)).fast()
    until(lambda: 'query="each",sqlstate="53300"' in str(family(w.values(), "podgres_metrics_query_failing")), 10,
          "what needs a connection of its own fails")
    ok(len(takers.slots) >= 15, f"{len(takers.slots)} sessions")
    v = w.values()
    ok(v["podgres_metrics_age_seconds"] < 7 and v[FAST] < 7, "passes go on")
    takers.close()
    again = w.current(30)
    until(lambda: family(w.values(), "cnpg_each_x"), 30, "it is made up for, although it is due once an hour")
    w.end("connections taken after", note=f"{len(takers.slots)} sessions; passes went on; current after {again:.1f} s")


@test(seconds=scale(60, 900), tags=["alone"])
def test_all_connections_taken_before_it_has_connected(t):
    p = collected(t, manifest=manifest(max_connections=20))
    first = p.service("collector")
    takers = Takers(p)
    first.kill(signal.SIGSTOP)  # it does not come back at once
    takers.refill(lambda: [os.kill(pid, signal.SIGTERM) for pid in exporter_backends()])
    first.kill(signal.SIGCONT)
    w = Watch(t, p, activity=False)
    until(lambda: w.value("cnpg_collector_last_collection_error") == 1, 15, "it says that it cannot collect")
    w.during(scale(7, 600), scale(0.02, 1)).fast()
    v = w.values()
    eq(exporter_backends(), [], "connections")
    ok(v["podgres_metrics_age_seconds"] > 5, "its age shows")
    takers.close()
    again = w.current()
    w.end("connections taken before", note=f"current {again:.1f} s after they were free")


@test(seconds=60, tags=["asan", "alone"])
def test_databases_that_let_nobody_in(t):
    p = t.started()
    p.psql("CREATE DATABASE closed")
    p.psql("ALTER DATABASE closed ALLOW_CONNECTIONS false")
    p.psql("CREATE DATABASE none CONNECTION LIMIT 0")
    p.psql("CREATE DATABASE other")
    p.psql("CREATE TABLE here(n int)", db="other")
    anew(p)
    w = Watch(t, p)
    until(lambda: family(w.values(), "podgres_table_size_bytes"), 20, "the databases were visited")
    w.during(3).fast()
    v = w.values()
    ok('datname="other"' in str(family(v, "podgres_table_size_bytes")), "the open one was visited")
    eq(family(v, "podgres_metrics_query_failing"), {}, "nobody can be let in there: that is no failure")
    eq(v["cnpg_collector_last_collection_error"], 0, "last_collection_error")
    w.end("closed databases")


# ---- many of them ----

def slow_reader(p):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    s.connect(("127.0.0.1", p.metrics_port))
    s.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    return s


@test(seconds=scale(60, 300), tags=["asan", "alone"])
def test_fifty_scrapers_at_once(t):
    """Half of them never read; the others come over kept connections and over new ones."""
    p = collected(t, "cnpg_pg_database_size_bytes")
    w = Watch(t, p)
    rss = lambda: int([x for x in open(f"/proc/{w.api}/status") if x.startswith("VmRSS")][0].split()[1]) / 1024
    before = rss()
    stuck = [slow_reader(p) for _ in range(25)]
    kept = [Kept(p, gzip=n % 2 == 0) for n in range(20)]
    fresh, times = 0, []
    end = time.monotonic() + scale(5, 60)
    while time.monotonic() < end:
        for k in kept:  # one after the other: the client is one thread, so that its own queue is not measured
            times.append(k.ask()[0])
        for _ in range(5):
            k = Kept(p)
            times.append(k.ask()[0])
            k.close()
            fresh += 1
        w.pair()
        time.sleep(0.02)
    burst = min(together(p, 50) for _ in range(3))
    ok(burst < 0.1 or SANITIZED, f"50 in one instant took {burst:.3f} s")
    with_them = rss()
    w.scrape += times
    w.fast()
    eq(sum(1 for s in stuck if closed(s)), 0, "slow readers that were thrown out")
    for k in kept:
        k.close()
    for s in stuck:
        s.close()
    w.current()
    w.end("50 scrapers", note=f"{fresh} of them new; 50 in one instant: all within {burst * 1e3:.1f} ms; api {before:.1f} then "
          f"{with_them:.1f} MB")


def together(p, count):
    """All requests are sent before the first answer is read; the seconds until the last one."""
    all_of_them = [Kept(p) for _ in range(count)]
    for k in all_of_them:
        k.connect()
    began = time.perf_counter()
    for k in all_of_them:
        k.sock.sendall(k.request("/metrics"))
    for k in all_of_them:
        ok(len(k.answer()) > 10000, "an answer")
        k.close()
    return time.perf_counter() - began


def closed(s):
    """Did the server end it?  What it sent before is there first."""
    poll = select.poll()
    poll.register(s, select.POLLRDHUP)
    return bool(poll.poll(0))


@test(seconds=scale(60, 400), tags=["alone"])
def test_many_tables(t):
    count = scale(1000, 10000)
    p = t.started(manifest=manifest(max_locks_per_transaction=256))
    for first in range(0, count, 1000):
        p.psql(f"DO $$ BEGIN FOR i IN {first + 1}..{first + 1000} LOOP EXECUTE format('CREATE TABLE t%s(n int primary key)', i);"
               " END LOOP; END $$", seconds=120)
    anew(p)
    w = Watch(t, p)
    until(lambda: family(w.values(), "podgres_table_size_bytes"), 30, "the tables were looked at")
    w.during(scale(5, 60)).fast()
    v = w.values()
    w.current()
    w.end(f"{count} tables", note=f"{len(v)} series, {len(w.kept.ask()[1])} bytes, of tables "
          f"{len(family(v, 'podgres_table_size_bytes'))}; the round took {v[DURATION.format('tables')]:.2f} s")


DURATION = 'podgres_metrics_query_duration_seconds{{query="{}"}}'


@test(seconds=scale(60, 600), tags=["alone"])
def test_many_databases(t):
    count = scale(30, 200)
    p = t.started(manifest=manifest(fsync="off"))
    p.psql("CREATE TABLE kept(n int)", db="template1")
    for n in range(count):
        p.psql(f"CREATE DATABASE db{n}", seconds=60)
    anew(p)
    w = Watch(t, p)

    def visited():
        v = w.during(0.2).values()
        return sum(1 for k in family(v, "podgres_table_size_bytes") if 'datname="db' in k) >= count
    began = time.monotonic()
    until(visited, scale(30, 120), "every database was visited")
    sweep = time.monotonic() - began
    w.during(scale(3, 60)).fast()
    v = w.values()
    w.current()
    w.end(f"{count} databases", cpu=0.03, rss=scale(13, 24), note=f"{len(v)} series; every database visited within {sweep:.1f} s")


# ---- queries of users ----

BAD = """
sleeps: {query: "SELECT 1 AS x, pg_sleep(1000)::text AS y", metrics: [{x: {usage: GAUGE}}, {y: {usage: DISCARD}}]}
wrong: {query: "SELECT 1/0 AS x", metrics: [{x: {usage: GAUGE}}]}
many:
  query: "SELECT n, n AS x FROM generate_series(1, 1000000) n"
  cache_seconds: 1
  metrics: [{n: {usage: LABEL}}, {x: {usage: GAUGE}}]
good: {query: "SELECT 7 AS x", cache_seconds: 1, metrics: [{x: {usage: GAUGE}}]}
"""


@test(seconds=scale(60, 900), tags=["alone"])
def test_bad_queries_of_users(t):
    secrets = t.folder("secrets", owner=False, mode=0o755)
    os.makedirs(secrets + "/mine")
    t.file("secrets/mine/custom", BAD)
    p = collected(t, "cnpg_many_x", env={"PODGRES_SECRETS_DIR": secrets}, manifest=FEW +
                  "  monitoring: {customQueriesConfigMap: [{name: mine, key: custom}], metricsQueriesTTL: '2s'}\n")
    w = Watch(t, p)
    w.during(scale(3, 600), scale(0.02, 1)).fast()
    failing = until(lambda: (lambda f: f if "sleeps" in str(f) else None)(family(w.values(), "podgres_metrics_query_failing")),
                    20, "the one that sleeps was ended")
    ok('query="sleeps",sqlstate="57014"' in str(failing) and 'query="wrong",sqlstate="22012"' in str(failing), failing)
    until(lambda: w.value(FAST) < 7, 10, "the others go on")
    v = w.values()
    eq(v["cnpg_good_x"], 7, "a good one beside them")
    eq(len(family(v, "cnpg_many_x")), 10000, "rows up to the cap")
    ok(v['podgres_metrics_series_dropped_total{query="many"}'] > 0, "what is over it is counted")
    ok(p.service("collector").pid == w.collector, "the same collector")
    said = [x["msg"] for x in p.log() if x.get("query") == "wrong"]
    eq(said, ["a metric query fails"], "one line of log, however often it fails")
    loud = [x for x in p.log() if x.get("record", {}).get("user_name") == "cnpg_metrics_exporter"]
    eq(loud, [], "and none of the server")
    t.file("secrets/mine/new", 'good: {query: "SELECT 8 AS x", metrics: [{x: {usage: GAUGE}}]}\n')
    os.rename(secrets + "/mine/new", secrets + "/mine/custom")
    again = w.current(30)
    until(lambda: w.value("cnpg_good_x") == 8, 20, "the new file")
    w.end("bad queries", cpu=0.02, rss=24, note=f"current {again:.1f} s after they were taken away")
