"""SIGTERM at any moment, and with clients connected."""
import random
import signal
import subprocess
import time

from podtest import eq, ok, scale, test, until


@test(seconds=scale(200, 3600))
def test_sigterm_at_random_moments_of_the_first_five_seconds(t):
    count = scale(20, 200)
    rnd = random.Random(2)
    slowest = 0.0
    for i in range(count):
        if i % 5 == 0:  # every fifth begins with an empty volume
            p = t.pod(f"p{i}")
        p.start()
        # Most of what happens happens in the first second.
        delay = rnd.random() * (1 if i % 2 else 5)
        time.sleep(delay)
        began = time.monotonic()
        p.signal(signal.SIGTERM)
        code = p.wait(30)
        slowest = max(slowest, time.monotonic() - began)
        ok(code in (0, 1), f"stop {i} after {delay:.3f} s: exit code {code}")
        eq(p.procs(), [], f"stop {i}: processes left")
        if i % 5 == 4:
            p.start()
            p.wait_ready()
            p.stop()
    print(f"{count} stops, the slowest took {slowest:.2f} s")


def test_idle_clients_do_not_delay_the_stop(t):
    p = t.started(manifest="apiVersion: postgresql.cnpg.io/v1\nkind: Cluster\nmetadata: {name: pod}\n"
                           "spec: {instances: 1, postgresql: {parameters: {max_connections: '150'}}}\n")
    clients = [subprocess.Popen(["setpriv", "--reuid", "postgres", "--regid", "postgres", "--init-groups",
                                 "psql", "-X", "-q", "-h", p.run_dir, "-p", str(p.port), "-U", "postgres"],
                                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
               for _ in range(100)]
    until(lambda: int(p.psql("select count(*) from pg_stat_activity where application_name = 'psql'")) > 100, 30,
          "100 clients are connected")
    began = time.monotonic()
    p.signal(signal.SIGTERM)
    eq(p.wait(20), 0, "exit code")
    took = time.monotonic() - began
    eq(p.control("Database cluster state"), "shut down", "control file")
    ok(took < 5, f"took {took:.1f} s")
    for c in clients:
        c.kill()
        c.wait()
    print(f"stopped in {took:.2f} s")


def test_second_sigterm_goes_one_rung_further(t):
    p = t.started()
    p.postmaster().kill(signal.SIGSTOP)  # no rung below SIGKILL can work now
    began = time.monotonic()
    for _ in range(4):
        if p.child.poll() is None:
            p.signal(signal.SIGTERM)
            time.sleep(0.3)
    p.wait(20)
    ok(time.monotonic() - began < 10, "four signals end the ladder at once")
    p.start()
    p.wait_ready()


@test(seconds=90)
def test_a_frozen_postgres_is_killed_within_the_grace_period(t):
    p = t.started(args=["--grace", "10s"])
    p.postmaster().kill(signal.SIGSTOP)
    began = time.monotonic()
    p.signal(signal.SIGTERM)
    code = p.wait(15)
    took = time.monotonic() - began
    ok(took < 10.5, f"took {took:.1f} s")
    ok(code != 0, "a killed postgres is no clean stop")
    eq(p.procs(), [], "processes left")
    p.start()
    p.wait_ready()
