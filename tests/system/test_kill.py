"""kill -9 of everything, at random moments."""
import os
import random
import signal
import time

from podtest import eq, ok, scale, test, until


def wait_healed(p, what):
    """Postgres that keeps being killed is held back longer and longer: then somebody orders a start."""
    def healed():
        if p.get("/readyz").status == 200:
            return p.psql("select 1") == "1"
        said = p.status()
        if said["state"] == "boot" and "ended by itself" in said["reason"]:
            p.post("/v1/restart")
        return False
    until(healed, 40, f"{what}: ready again")


def write_rows(p, n):
    p.psql(f"create table if not exists kept(n int); insert into kept values ({n})")


@test(seconds=scale(150, 1800))
def test_postmaster_killed_at_random_moments(t):
    count = scale(10, 100)
    p = t.started()
    rnd = random.Random(1)
    for i in range(count):
        write_rows(p, i)
        time.sleep(rnd.random() * 0.5)
        until(p.postmaster, 20, "a postmaster").kill(signal.SIGKILL)
        wait_healed(p, f"kill {i}")
        eq(p.psql("select count(*) from kept"), str(i + 1), "acknowledged rows")
    until(lambda: not p.zombies(), 1, "no zombies")
    p.stop()
    print(f"{count} kills of the postmaster")


@test(seconds=scale(150, 1800))
def test_each_service_killed_at_random_moments(t):
    count = scale(3, 25)
    p = t.started()
    rnd = random.Random(2)
    master = p.postmaster().pid
    for i in range(count):
        for name in ("logger", "fencer", "monitor", "api"):
            victim = until(lambda: p.service(name), 20, f"a {name}")
            time.sleep(rnd.random() * 0.2)
            try:
                victim.kill(signal.SIGKILL)
            except ProcessLookupError:
                continue
            # Restart intensity is 5 in 60 s; a campaign meets the back-off and has to outlast it.
            until(lambda: (p.service(name) or victim).pid != victim.pid, scale(20, 90), f"round {i}: a new {name}")
            wait_healed(p, f"kill of {name}")
        if scale(False, True):
            time.sleep(15)
    ok(p.postmaster(), "postgres runs")
    restarts = {s["name"]: s["restarts"] for s in p.status()["services"]}
    for name in ("logger", "fencer", "monitor", "api"):
        ok(restarts[name] >= 1, f"status counts the restarts of {name}: {restarts}")
    same = p.postmaster().pid == master
    p.stop()
    print(f"{4 * count} kills of services, postgres {'was never' if same else 'was'} restarted")


@test(seconds=60)
def test_killing_logger_monitor_and_api_leaves_postgres_alone(t):
    p = t.started()
    master = p.postmaster().pid
    for name in ("logger", "monitor", "api"):
        victim = p.service(name)
        victim.kill(signal.SIGKILL)
        until(lambda: (p.service(name) or victim).pid != victim.pid, 20, f"a new {name}")
    wait_healed(p, "after the kills")
    eq(p.postmaster().pid, master, "the postmaster")


@test(seconds=scale(150, 1800))
def test_whole_pod_killed_at_random_moments(t):
    count = scale(10, 100)
    p = t.started()
    rnd = random.Random(3)
    write_rows(p, 0)
    kept = 1
    for i in range(count):
        time.sleep(rnd.random() * 0.5)
        p.kill()
        p.start()
        if rnd.random() < 0.5:  # or before it has recovered
            wait_healed(p, f"kill {i}")
            eq(p.psql("select count(*) from kept"), str(kept), "acknowledged rows")
            write_rows(p, i)
            kept += 1
    wait_healed(p, "at the end")
    eq(p.psql("select count(*) from kept"), str(kept), "acknowledged rows")
    p.stop()
    print(f"{count} kills of the pod, {kept} rows kept")


@test(seconds=scale(150, 1800))
def test_whole_pod_killed_during_initdb_converges(t):
    count = scale(8, 60)
    rnd = random.Random(4)
    p = t.pod()
    complete = None
    for i in range(count):
        p.start()
        time.sleep(rnd.random() * 1.5)
        p.kill()
        found = p.control("Database system identifier") if os.path.exists(p.pgdata + "/global/pg_control") else None
        ok(complete in (None, found), f"kill {i}: the cluster {complete} was replaced by {found}")
        complete = found or complete
    p.start()
    p.wait_ready()
    ok(complete in (None, p.control("Database system identifier")), "the complete cluster is still the one")
    left = [n for n in os.listdir(os.path.dirname(p.pgdata)) if n not in ("data", "run", ".podgres-data")]
    eq(left, [], "half-made folders left beside PGDATA")
    p.stop()
    print(f"{count} kills during initdb")


def test_after_a_killed_backend_postgres_recovers(t):
    p = t.started()
    master = p.postmaster()
    victim = [q for q in p.postgres_tree() if q.ppid == master.pid and "checkpointer" in q.cmdline][0]
    victim.kill(signal.SIGKILL)
    until(lambda: not victim.alive() and p.logged("was terminated by signal 9"), 5, "postgres notices")
    wait_healed(p, "after the kill")
