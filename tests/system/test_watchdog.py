"""A frozen supervisor leaves no writable postgres behind it."""
import os
import signal
import subprocess
import time

from podtest import eq, ok, test, until
from podtest.proc import all_procs

WATCHDOG = 4


@test(seconds=90)
def test_no_commit_is_acknowledged_after_the_watchdog(t):
    p = t.started(args=["--watchdog", f"{WATCHDOG}s"])
    p.psql("create table beat(at timestamptz)")
    # One writer, whose every line of output is an acknowledged commit.
    writer = subprocess.Popen(
        ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--init-groups", "psql", "-X", "-A", "-t",
         "-h", p.run_dir, "-p", str(p.port), "-U", "postgres"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    stopped_at = time.time()
    p.signal(signal.SIGSTOP)
    last = 0.0
    while time.time() < stopped_at + WATCHDOG + 6:
        try:
            writer.stdin.write("insert into beat values (clock_timestamp());\n")
            writer.stdin.flush()
            if not writer.stdout.readline().startswith("INSERT"):
                break
            last = time.time()
        except OSError:
            break
        time.sleep(0.01)
    writer.kill()
    writer.wait()
    ok(last, "commits were acknowledged before the watchdog")
    ok(last - stopped_at < WATCHDOG + 2, f"last commit {last - stopped_at:.1f} s after the stop")
    until(lambda: not [q for q in p.postgres_tree() if q.state != "Z"], 2, "postgres is gone")
    p.signal(signal.SIGCONT)
    p.wait_ready(40)
    said = p.psql("select extract(epoch from max(at)) from beat")
    ok(float(said) - stopped_at < WATCHDOG + 2, f"last row {float(said) - stopped_at:.1f} s after the stop")
    print(f"last commit {last - stopped_at:.2f} s after SIGSTOP, watchdog {WATCHDOG} s")


@test(seconds=60)
def test_a_short_freeze_does_nothing(t):
    p = t.started(args=["--watchdog", "10s"])
    master = p.postmaster().pid
    p.signal(signal.SIGSTOP)
    time.sleep(2)
    p.signal(signal.SIGCONT)
    time.sleep(1)
    ok(p.postmaster() and p.postmaster().pid == master, "the postmaster is the same")


@test(seconds=60)
def test_not_as_pid_1_nothing_else_is_killed(t):
    """Without a PID namespace of its own the fencer has to kill its tree, and its tree only."""
    p = t.pod()
    bystander = subprocess.Popen(["sleep", "60"])
    child = subprocess.Popen(p.command() + ["--watchdog", "3s"], env=p.environment(), cwd="/",
                             stdout=open(p.stdout, "ab"), stderr=subprocess.STDOUT)
    until(lambda: p.get("/readyz").status == 200, 40, "ready")
    os.kill(child.pid, signal.SIGSTOP)
    until(lambda: not [q for q in all_procs() if q.comm == "postgres" and q.state not in "Z"], 8, "postgres is gone")
    ok(bystander.poll() is None, "a process that is not ours lives")
    os.kill(child.pid, signal.SIGCONT)
    until(lambda: p.get("/readyz").status == 200, 40, "ready again")
    child.send_signal(signal.SIGTERM)
    ok(child.wait(20) == 0, "exit code")
    ok(bystander.poll() is None, "a process that is not ours lives after the stop")
    bystander.kill()
    bystander.wait()


@test(seconds=90)
def test_without_a_fencer_for_long_postgres_does_not_run(t):
    p = t.started(args=["--watchdog", "3s"])
    master = p.postmaster().pid
    p.service("fencer").kill(signal.SIGKILL)
    until(lambda: p.service("fencer"), 5, "a new fencer")
    time.sleep(1.5)
    eq(p.postmaster().pid, master, "one end of the fencer is nothing to postgres")

    def kill_it():
        f = p.service("fencer")
        if f:
            try:
                f.kill(signal.SIGKILL)
            except OSError:
                pass
        return not p.postgres_tree()
    until(kill_it, 15, "postgres is stopped when no fencer stays")
    p.wait_ready(40)
