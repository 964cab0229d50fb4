"""Members of a cluster: what their jobs make of PGDATA, with real servers and a board by hand."""
import json
import os
import shutil
import signal
import subprocess
import time

from podtest import eq, ok, test, until
from podtest.proc import psql

PORT = 5432
MANIFEST = """apiVersion: postgresql.cnpg.io/v1
kind: Cluster
metadata: {name: db}
spec:
  instances: 3
  postgresql:
    parameters: {shared_buffers: 16MB, max_wal_size: 200MB}
"""


def tool():
    here = os.path.dirname(os.path.abspath(__file__))
    for folder in (os.environ.get("PODGRES_TEST_TOOLS"), here + "/../../build/tools"):
        if folder and os.path.exists(folder + "/memberctl"):
            return folder + "/memberctl"
    return ok(False, "memberctl is not built: make tools")


class Member:
    """A member's folders, its jobs, and its postgres by hand at an address of its own."""

    def __init__(self, t, n, manifest=MANIFEST, waldir=False, password="s:e\\cret"):
        self.t, self.n, self.pod, self.address = t, n, f"db-{n}", f"127.0.0.{n + 1}"
        self.top = t.folder(self.pod)
        self.data, self.run, self.child = self.top + "/data", t.folder(self.pod + "/run"), None
        self.waldir = t.folder(self.pod + "/wal") + "/pg_wal" if waldir else ""
        t.folder(self.pod + "/run/log")
        t.file(self.pod + "/cluster.yaml", manifest)
        if password:
            t.file(self.pod + "/secrets/db-replication/password", password + "\n")
        self.tool = t.path("memberctl")
        if not os.path.exists(self.tool):  # where the user postgres gets to it, as it does to podgres
            shutil.copy(tool(), self.tool)
        self.log = open(t.path(self.pod + ".log"), "ab")
        t.servers.append(self)

    # ---- jobs ----

    def command(self, role, *jobs, holder=None, **how):
        args = [f"top={self.top}", f"pod={self.pod}", "cluster=db", f"port={PORT}", f"bindir={self.t.bindir}",
                f"config={self.top}/cluster.yaml", f"role={role}", "members=db-1,db-2,db-3"]
        if self.waldir:
            args.append(f"waldir={self.waldir}")
        if os.path.exists(self.top + "/tls"):
            args += [f"{k}={self.top}/tls/{v}" for k, v in (("cert", "tls.crt"), ("key", "tls.key"), ("ca", "ca.crt"))]
        if holder:
            args += [f"holder={holder.pod}", f"address={holder.address}"]
        args += [f"{k}={v}" for k, v in how.items()]
        return ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--init-groups", self.tool, *args, *jobs]

    def job(self, role, *jobs, holder=None, fails=False, **how):
        out = subprocess.run(self.command(role, *jobs, holder=holder, **how), stdout=subprocess.PIPE,
                             stderr=self.log, text=True, cwd="/", timeout=200, check=False)
        found = json.loads(out.stdout)
        ok((out.returncode != 0) == fails, f"{self.pod} {role} {jobs}: {out.stdout}")
        return found

    # ---- postgres ----

    def start(self, primary=None):
        self.child = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "setpriv", "--reuid", "postgres", "--regid", "postgres",
             "--init-groups", self.t.bindir + "/postgres", "-D", self.data, "-c", f"listen_addresses={self.address}",
             "-c", "logging_collector=off", "-c", "log_destination=stderr"], stdout=self.log, stderr=self.log, cwd="/")
        want = {True: "f", False: "t", None: ""}[primary]
        until(lambda: self.ask("select pg_is_in_recovery()") in ([want] if want else ["t", "f"]), 60,
              f"{self.pod} is up")
        return self

    def ask(self, sql):
        try:
            return psql(self.t, self.run, PORT, sql)
        except Exception:  # not up, or the statement is refused
            return None

    def psql(self, sql):
        return psql(self.t, self.run, PORT, sql)

    def end(self, sig=signal.SIGINT):
        if self.child and self.child.poll() is None:
            if sig == signal.SIGQUIT:
                self.child.send_signal(sig)  # as after a crash: no checkpoint
            else:
                self.child.send_signal(sig)
            self.child.wait(60)
        self.child = None

    def promote(self):
        self.psql("select pg_promote()")
        until(lambda: self.psql("select pg_is_in_recovery()") == "f", 30, "promoted")

    def control(self, field):
        out = self.t.as_postgres(self.t.bindir + "/pg_controldata", "-D", self.data,
                                 env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"}).stdout
        return next(x.split(":", 1)[1].strip() for x in out.splitlines() if x.startswith(field + ":"))

    def log_text(self):
        with open(self.log.name, errors="replace") as f:
            return f.read()

    def close(self):
        try:
            self.end(signal.SIGQUIT)
        except subprocess.TimeoutExpired:
            self.child.kill()
        self.log.close()


def leader(t, **how):
    a = Member(t, 1, **how)
    got = a.job("lead", "prepare")
    eq((got["initialised"], got["standby"], got["timeline"]), (True, False, 1), "a new cluster")
    a.start(primary=True)
    a.job("lead", "members")
    return a, got["system"]


def follower(t, a, system, n=2, **how):
    b = Member(t, n, **how)
    got = b.job("follow", "prepare", holder=a, system=system, timeline=1)
    eq((got["initialised"], got["standby"], got["system"]), (False, True, system), "a clone")
    b.start()
    streams(a, b)
    return b


def streams(a, b, seconds=30):
    until(lambda: a.psql(f"select state from pg_stat_replication where application_name = '{b.pod}'") == "streaming",
          seconds, f"{b.pod} streams from {a.pod}")


def same(a, b, table="t"):
    until(lambda: b.ask(f"select count(*) from {table}") == a.psql(f"select count(*) from {table}"), 20, "same rows")


def fill(m, n=1000):
    m.psql(f"create table if not exists t(n int, x text); "
           f"insert into t select i, repeat('x', 200) from generate_series(1, {n}) i")


def olds(m):
    return sorted(x for x in os.listdir(m.top) if x.startswith("data.podgres-old-"))


def has_rewind(t):
    return os.path.exists(t.bindir + "/pg_rewind")


@test(seconds=120, tags=["versions"])
def test_follower_is_cloned_and_streams_with_a_slot_of_its_own(t):
    a, system = leader(t)
    fill(a)
    b = follower(t, a, system)
    same(a, b)
    eq(a.psql("select slot_name from pg_replication_slots where active"), "_cnpg_db_2", "its slot")
    eq(a.psql("select count(*) from pg_replication_slots where slot_name = '_cnpg_db_3'"), "1", "the third's slot")
    eq(b.psql("show wal_retrieve_retry_interval"), "500ms", "found soon")
    eq(b.psql("select setting ~ 'secret|e.cret' from pg_settings where name = 'primary_conninfo'"), "f", "no password")
    before = os.times()
    for _ in range(10):
        b.job("follow", "members", holder=a, system=system, timeline=1)
    after = os.times()
    print(f"figures: job members, {100 * sum(after[i] - before[i] for i in (2, 3)):.0f} ms of a core each")
    eq(b.psql("select string_agg(slot_name, ',' order by 1) from pg_replication_slots"), "_cnpg_db_1,_cnpg_db_3",
       "slots on the standby")
    log = a.log_text() + b.log_text()
    ok("e\\cret" not in log, "no password in any log")
    # again: nothing changes
    b.end()
    eq(b.job("follow", "prepare", holder=a, system=system, timeline=1)["standby"], True, "a second start")
    b.start()
    streams(a, b)


@test(seconds=60)
def test_without_data_or_without_a_secret_nothing_is_made(t):
    a = Member(t, 1)
    got = a.job("wait", "prepare", fails=True)
    ok("waiting for a primary" in got["error"], got["error"])
    got = a.job("lead", "prepare", fails=True, system=7, timeline=3)
    ok("has the Lease and no data" in got["error"], got["error"])
    ok(not os.path.exists(a.data), "nothing made")
    b = Member(t, 2, password=None)
    got = b.job("lead", "prepare", fails=True)
    eq(got["kind"], "CONFIG", got["error"])
    ok("db-replication/password" in got["error"], got["error"])


@test(seconds=120)
def test_clean_switchover_needs_no_rewind(t):
    a, system = leader(t)
    b = follower(t, a, system)
    fill(a)
    a.end()
    b.promote()
    b.job("lead", "members", system=system, timeline=1)
    got = a.job("follow", "prepare", holder=b, system=system, timeline=2)
    eq((got["standby"], got["warnings"]), (True, []), "no rewind")
    a.start()
    streams(b, a)
    fill(b)
    same(b, a)
    eq(olds(a), [], "nothing set aside")


@test(seconds=180, tags=["versions"])
def test_crashed_primary_that_diverged_comes_back(t):
    a, system = leader(t)
    b = follower(t, a, system)
    fill(a)
    same(a, b)
    b.end()  # what comes now it never sees
    b.start()
    b.end()
    fill(a)
    a.psql("create table only_here as select generate_series(1, 1000) n; checkpoint; insert into only_here values (0)")
    a.end(signal.SIGQUIT)
    b.start()
    b.promote()
    fill(b, 10)
    got = a.job("follow", "prepare", holder=b, system=system, timeline=2)
    eq(got["standby"], True, "a standby")
    ok(any("bytes of WAL that the primary does not have" in w for w in got["warnings"]), f"{got['warnings']}")
    if has_rewind(t):
        eq(olds(a), [], "rewound, not cloned")
    else:
        eq(len(olds(a)), 1, "the old folder is kept")
        ok("-diverged-" in olds(a)[0], olds(a)[0])
    a.start()
    streams(b, a)
    same(b, a)
    eq(a.psql("select to_regclass('only_here') is null"), "t", "what the primary never had is gone")


@test(seconds=180)
def test_former_primary_that_stopped_cleanly_but_alone_is_rewound(t):
    a, system = leader(t)
    b = follower(t, a, system)
    b.end()
    fill(a)
    a.end()
    b.start()
    b.promote()
    fill(b, 10)
    got = a.job("follow", "prepare", holder=b, system=system, timeline=2)
    eq(len(olds(a)), 0 if has_rewind(t) else 1, "set aside")
    ok(got["standby"], "a standby")
    a.start()
    streams(b, a)
    same(b, a)


@test(seconds=180)
def test_crashed_primary_whose_wal_was_all_replicated_only_follows(t):
    a, system = leader(t)
    b = follower(t, a, system)
    fill(a)
    same(a, b)
    a.psql("select pg_switch_wal()")
    at = a.psql("select pg_current_wal_lsn()")
    until(lambda: b.psql(f"select pg_last_wal_replay_lsn() >= '{at}'") == "t", 20, "all is there")
    os.kill(a.child.pid, signal.SIGSTOP)
    b.promote()
    os.kill(a.child.pid, signal.SIGCONT)
    a.end(signal.SIGQUIT)
    got = a.job("follow", "prepare", holder=b, system=system, timeline=2)
    eq(olds(a), [], "nothing set aside")
    a.start()
    streams(b, a)
    fill(b, 10)
    same(b, a)
    ok(got["standby"], "a standby")


@test(seconds=180)
def test_standby_that_received_more_than_the_new_primary_gives_it_up(t):
    a, system = leader(t)
    b = follower(t, a, system, 2)
    c = follower(t, a, system, 3)
    fill(a)
    same(a, b)
    same(a, c)
    b.end()
    c.psql("select pg_wal_replay_pause()")
    at = c.psql("select pg_last_wal_receive_lsn()")
    fill(a, 3000)
    until(lambda: c.psql(f"select pg_last_wal_receive_lsn() > '{at}'::pg_lsn + 100000") == "t", 20, "received")
    c.end(signal.SIGQUIT)
    a.end(signal.SIGQUIT)
    b.start()
    b.promote()
    fill(b, 10)
    b.job("lead", "members", system=system, timeline=1)
    c.job("follow", "prepare", holder=b, system=system, timeline=2)
    eq(olds(c), [], "nothing set aside")
    c.start()
    streams(b, c)
    same(b, c)


@test(seconds=120)
def test_reload_turns_a_running_standby_to_the_new_primary(t):
    a, system = leader(t)
    b = follower(t, a, system, 2)
    c = follower(t, a, system, 3)
    fill(a)
    a.end()
    b.promote()
    b.job("lead", "configure", "members", system=system, timeline=1)
    c.job("follow", "configure", holder=b, system=system, timeline=2)
    c.child.send_signal(signal.SIGHUP)
    begun = time.monotonic()
    streams(b, c)
    print(f"  streams again after {time.monotonic() - begun:.2f} s")
    fill(b, 10)
    same(b, c)
    eq(c.job("follow", "members", holder=b, system=system, timeline=2)["result"], "", "not diverged")


@test(seconds=120)
def test_running_standby_that_diverged_says_so(t):
    a, system = leader(t)
    b = follower(t, a, system, 2)
    c = follower(t, a, system, 3)
    b.end()
    fill(a)
    same(a, c)
    a.end(signal.SIGQUIT)
    b.start()
    b.promote()
    fill(b, 10)
    c.job("follow", "configure", holder=b, system=system, timeline=2)
    c.child.send_signal(signal.SIGHUP)
    until(lambda: c.job("follow", "members", holder=b, system=system, timeline=2)["result"] == "diverged", 20, "said")
    c.end()
    b.job("lead", "members", system=system, timeline=1)
    c.job("follow", "prepare", holder=b, system=system, timeline=2)
    c.start()
    streams(b, c)
    same(b, c)


@test(seconds=60)
def test_primary_goes_on_or_becomes_a_standby_as_the_lease_says(t):
    a, system = leader(t)
    a.end(signal.SIGQUIT)
    got = a.job("lead", "prepare", system=system, timeline=1)
    eq(got["standby"], False, "a crash is no failover")
    a.start(primary=True)
    a.end()
    eq(a.job("lead", "prepare", system=system, timeline=2)["standby"], True, "another timeline was published")
    got = a.job("follow", "prepare", fails=True, system=system + 1, timeline=1)
    ok("not this cluster's" in got["error"], got["error"])
    eq(a.job("wait", "prepare", system=system, timeline=1)["standby"], True, "waits as a standby")
    a.start()
    eq(a.psql("select pg_is_in_recovery()"), "t", "in recovery")


@test(seconds=120)
def test_what_is_half_rewound_is_never_started(t):
    a, system = leader(t)
    b = follower(t, a, system)
    b.end()
    mark = t.file("db-2/.state/rejoin", "rewind\nsomebody\n7\ndiverged\n20260101T000000Z\n", 0o666)
    for role in ("lead", "wait"):
        got = b.job(role, "prepare", fails=True, system=system, timeline=1)
        ok("half rewound" in got["error"], got["error"])
    # Rewound in part to another primary than there is now: it is replaced, and kept.
    b.job("follow", "prepare", holder=a, system=system, timeline=1)
    eq((len(olds(b)), os.path.exists(mark)), (1, False), "set aside, mark")
    ok("-rewind-failed-" in olds(b)[0], olds(b)[0])
    t.file("db-2/.state/rejoin", "clone\n\n0\nby-hand\n20270101T000000Z\n", 0o666)
    b.job("follow", "prepare", holder=a, system=system, timeline=1)
    eq(len(olds(b)), 1, "one is kept")
    ok("by-hand" in olds(b)[0], olds(b)[0])
    # Moved away by hand: the mark was about that.
    t.file("db-2/.state/rejoin", "rewind\nsomebody\n7\ndiverged\n20260101T000000Z\n", 0o666)
    os.rename(b.data, b.top + "/away")
    b.job("follow", "prepare", holder=a, system=system, timeline=1)
    ok(not os.path.exists(mark), "no mark is left")
    b.start()
    streams(a, b)


def certificate(t, folder, name):
    """folder/tls.crt, tls.key and ca.crt; the CA is made once."""
    ca = t.folder("ca")
    run = lambda *a: subprocess.run(["openssl", *a], check=True, capture_output=True)  # noqa: E731
    if not os.path.exists(ca + "/ca.crt"):
        run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", "/CN=ca", "-keyout", ca + "/ca.key", "-out", ca + "/ca.crt")
    where = t.folder(folder)
    run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}",
        "-keyout", where + "/tls.key", "-out", where + "/csr")
    run("x509", "-req", "-days", "2", "-in", where + "/csr", "-CA", ca + "/ca.crt", "-CAkey", ca + "/ca.key",
        "-CAcreateserial", "-out", where + "/tls.crt")
    shutil.copy(ca + "/ca.crt", where + "/ca.crt")
    for name in os.listdir(where):
        os.chmod(f"{where}/{name}", 0o644)  # as mounted secrets are


@test(seconds=180)
def test_members_with_certificates_need_no_password(t):
    for n in (1, 2):
        certificate(t, f"db-{n}/tls", f"db-{n}")
        t.folder(f"db-{n}/secrets")
        certificate(t, f"db-{n}/secrets/db-replication", "streaming_replica")
    a, system = leader(t, password=None)
    fill(a)
    b = follower(t, a, system, password=None)
    same(a, b)
    eq(a.psql("select ssl from pg_stat_ssl join pg_stat_replication using (pid)"), "t", "encrypted")
    b.end()
    fill(a)
    a.end()
    b.start()
    b.promote()
    fill(b, 10)
    a.job("follow", "prepare", holder=b, system=system, timeline=2)
    a.start()
    streams(b, a)
    same(b, a)


@test(seconds=180)
def test_change_of_folders_is_finished_from_each_of_its_steps(t):
    a, system = leader(t)
    b = follower(t, a, system)
    b.end()
    mark = "swap\ndb-1/uid/1\n1\ndiverged\n20260101T000000Z\n"
    wrap = b.data + ".podgres-init"

    def step(aside):
        t.folder("db-2/data.podgres-init")
        t.file("db-2/.state/rejoin", mark, 0o666)
        t.file("db-2/data.podgres-init/state", "complete\n\n", 0o666)
        shutil.rmtree(b.data + ".podgres-old-diverged-20260101T000000Z", ignore_errors=True)
        t.as_postgres("cp", "-a", b.data, wrap + "/data")
        if aside:
            os.rename(b.data, b.data + ".podgres-old-diverged-20260101T000000Z")

    for aside in (False, True):
        step(aside)
        b.job("follow", "prepare", holder=a, system=system, timeline=1)
        eq((len(olds(b)), os.path.exists(wrap), os.path.exists(b.top + "/.state/rejoin")), (1, False, False),
           f"aside {aside}")
    # All is done but the mark's removal.
    t.file("db-2/.state/rejoin", mark, 0o666)
    inode = os.stat(b.data).st_ino
    b.job("follow", "prepare", holder=a, system=system, timeline=1)
    eq((os.stat(b.data).st_ino, os.path.exists(b.top + "/.state/rejoin")), (inode, False), "the same folder")
    b.start()
    streams(a, b)


@test(seconds=180)
def test_wal_on_a_volume_of_its_own_is_cloned_anew_too(t):
    a, system = leader(t)
    b = follower(t, a, system)
    c = follower(t, a, system, 3, waldir=True)
    eq(os.path.realpath(c.data + "/pg_wal"), c.waldir, "where its WAL is")
    b.end()
    fill(a)
    same(a, c)
    c.end()
    a.end(signal.SIGQUIT)
    b.start()
    b.promote()
    fill(b, 10)
    with open(c.top + "/.state/rejoin", "w") as f:
        f.write("clone\n\n0\nby-hand\n20260101T000000Z\n")
    os.chown(c.top + "/.state/rejoin", t.user.pw_uid, t.user.pw_gid)
    b.job("lead", "members", system=system, timeline=1)
    c.job("follow", "prepare", holder=b, system=system, timeline=2)
    eq(len(olds(c)), 1, "set aside")
    eq(os.path.realpath(c.data + "/pg_wal"), c.waldir, "where its WAL is")
    c.start()
    streams(b, c)
    same(b, c)


@test(seconds=300, tags=["slow"])
def test_rejoin_killed_at_any_point_converges(t):
    a, system = leader(t)
    b = follower(t, a, system)
    b.end()
    fill(a, 20000)
    a.psql("create table only_here(n int); checkpoint")
    fill(a, 5000)
    a.end(signal.SIGQUIT)
    b.start()
    b.promote()
    fill(b, 10)
    b.job("lead", "members", system=system, timeline=1)
    mark, seen = a.top + "/.state/rejoin", set()
    for i in range(16):
        child = subprocess.Popen(a.command("follow", "prepare", holder=b, system=system, timeline=2),
                                 stdout=subprocess.DEVNULL, stderr=a.log, cwd="/", start_new_session=True)
        while i % 2 and child.poll() is None and not os.path.exists(mark):
            time.sleep(0.005)
        time.sleep(0.04 * (i + 1))
        if child.poll() is not None:
            break
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        if os.path.exists(mark):
            with open(mark) as f:
                seen.add(f.readline().strip())
    print(f"figures: killed {i} times, marks seen: {sorted(seen)}")
    a.job("follow", "prepare", holder=b, system=system, timeline=2)
    ok(not os.path.exists(a.top + "/.state/rejoin"), "no mark is left")
    a.start()
    streams(b, a)
    same(b, a)
    eq(a.psql("select to_regclass('only_here') is null"), "t", "what the primary never had is gone")
    fill(b, 100)
    same(b, a)
