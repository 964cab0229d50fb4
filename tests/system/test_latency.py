"""Whatever postgres does, every GET answers at once and the status says what is wrong."""
import os
import signal
import subprocess
import time

from podtest import eq, ok, scale, test, until

PATHS = ["/livez", "/readyz", "/startupz", "/pg/status", "/pg/controldata", "/cluster", "/history", "/primary",
         "/replica", "/health"]
LIMIT = 0.050


def p99_of_gets(p, count=1000):
    """The slowest p99 of all paths, in seconds, over count requests."""
    slow = {}
    for path in PATHS:
        times = sorted(p.get(path).seconds for _ in range(count // len(PATHS)))
        slow[path] = times[int(len(times) * 0.99) - 1]
    return max(slow.values()), slow


def expect_fast(p, what):
    worst, slow = p99_of_gets(p)
    ok(worst < LIMIT, f"{what}: {slow}")
    print(f"{what}: p99 of 1,000 GETs {worst * 1000:.1f} ms")


def says(p, *words):
    """The status as text names the trouble with one of these words."""
    s = p.status()
    text = f"{s['state']} {s['reason']} {s.get('problem', '')} {s.get('postgres')}".lower()
    return any(w in text for w in words)


@test(seconds=90, tags=["alone"])
def test_postgres_frozen(t):
    p = t.started()
    for q in p.postgres_tree():
        q.kill(signal.SIGSTOP)
    until(lambda: says(p, "answer", "respond", "stopped", "hang", "hung"), 3, "the status says that postgres is silent")
    expect_fast(p, "frozen")
    for q in p.postgres_tree():
        q.kill(signal.SIGCONT)
    until(lambda: p.get("/readyz").status == 200, 20, "ready again")


@test(seconds=90, tags=["alone"])
def test_postgres_out_of_connections(t):
    p = t.started(manifest="apiVersion: postgresql.cnpg.io/v1\nkind: Cluster\nmetadata: {name: pod}\n"
                           "spec: {instances: 1, postgresql: {parameters: {max_connections: '12'}}}\n")
    clients = take_all_connections(p, 20)
    until(lambda: says(p, "connection"), 3, "the status says that connections are used up")
    expect_fast(p, "out of connections")
    eq(p.get("/livez").status, 200, "livez")
    for c in clients:
        c.kill()
        c.wait()


def take_all_connections(p, count):
    clients = [subprocess.Popen(["setpriv", "--reuid", "postgres", "--regid", "postgres", "--init-groups",
                                 "psql", "-X", "-q", "-h", p.run_dir, "-p", str(p.port), "-U", "postgres"],
                                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
               for _ in range(count)]

    def full():
        try:
            p.psql("select 1")
        except OSError as e:
            return "too many" in str(e) or "remaining connection slots" in str(e)
        return False
    until(full, 20, "every connection is taken")
    return clients


@test(seconds=90, tags=["alone"])
def test_postgres_starting(t):
    """A base backup without the WAL it needs, and nobody to fetch it from: it is starting for ever."""
    a = t.started("a")
    p = t.pod(pgdata=t.path("pod", "data"), port=5433, http_port=8100)
    t.as_postgres(t.bindir + "/pg_basebackup", "-D", p.pgdata, "-X", "none", "-c", "fast", "-h", a.run_dir,
                  "-U", "postgres")
    t.as_postgres("touch", p.pgdata + "/standby.signal")
    p.start()
    until(lambda: p.get("/pg/status").status == 200 and p.postmaster(), 20, "postgres is starting")
    expect_fast(p, "starting")
    eq(p.get("/livez").status, 200, "livez")
    eq(p.get("/readyz").status, 503, "readyz")


@test(seconds=90, tags=["alone"])
def test_postgres_dead(t):
    p = t.started()
    # It dies as often as it is started: back-off.
    with open(p.pgdata + "/postgresql.auto.conf", "a") as f:
        f.write("shared_buffers = '-5MB'\n")
    p.postmaster().kill(signal.SIGKILL)
    until(lambda: says(p, "exit", "ended", "crash", "died", "start"), 3, "the status says that postgres is dead")
    expect_fast(p, "dead")
    ok(any("shared_buffers" in line for line in until(
        lambda: p.status()["postgres"]["lastLogLines"], 10, "the last log lines")), "the log says why")


@test(seconds=90, tags=["alone"])
def test_pg_control_removed(t):
    p = t.started()
    os.rename(p.pgdata + "/global/pg_control", p.pgdata + "/global/pg_control.gone")
    until(lambda: says(p, "pg_control", "damaged"), 3, "the status says what is missing")
    expect_fast(p, "pg_control removed")
    eq(p.get("/readyz").status, 503, "readyz")


@test(seconds=scale(90, 240), tags=["alone"])
def test_livez_stays_200_under_load_with_all_connections_taken(t):
    seconds = scale(20, 120)
    p = t.started()
    t.as_postgres(pgbench(t), "-i", "-q", "-s", "5", "-h", p.run_dir, "-p", str(p.port), "postgres")
    cores = os.cpu_count() or 1
    load = subprocess.Popen(["setpriv", "--reuid", "postgres", "--regid", "postgres", "--init-groups", pgbench(t),
                             "-c", str(4 * cores), "-j", str(cores), "-T", str(seconds), "-n", "-h", p.run_dir,
                             "-p", str(p.port), "postgres"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                            cwd="/")
    until(lambda: int(p.psql("select count(*) from pg_stat_activity where application_name = 'pgbench'")) >= 4 * cores,
          10, "pgbench is connected")
    clients = take_all_connections(p, 110)
    count, slowest = 0, 0.0
    while load.poll() is None:
        a = p.get("/livez")
        eq(a.status, 200, f"livez under load: {a.text[:200]}")
        slowest = max(slowest, a.seconds)
        count += 1
        time.sleep(0.02)
    for c in clients:
        c.kill()
        c.wait()
    ok(count > seconds * 10, f"only {count} answers")
    print(f"{count} /livez under load, the slowest {slowest * 1000:.0f} ms")


def pgbench(t):
    own = t.bindir + "/pgbench"
    return own if os.path.exists(own) else "pgbench"
