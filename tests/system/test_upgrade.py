"""The program is replaced under a running postgres: nobody is disconnected, nothing is forgotten."""
import os
import shutil
import signal
import subprocess
import time

from podtest import eq, ok, scale, test, until


def upgrade(p):
    """One SIGUSR2, awaited: a new session stands in the status."""
    before = p.status()["sessionID"]
    p.signal(signal.SIGUSR2)

    def done():
        try:
            return p.status()["sessionID"] != before
        except OSError:
            return False
    until(done, 15, "the new program answers")


@test(seconds=300)
def test_upgrades_under_load_disconnect_nobody(t):
    rounds = scale(10, 100)
    p = t.started()
    p.psql("create table n(i int); insert into n values (0)")
    master, pid1 = p.postmaster().pid, p.init.pid
    script = t.file("add.sql", "update n set i = i + 1;\n")
    os.chmod(script, 0o644)
    load = subprocess.Popen(
        ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--init-groups", t.bindir + "/pgbench", "-n",
         "-c", "2", "-T", str(rounds * 3 // 2), "-f", script, "-h", p.run_dir, "-p", str(p.port), "-U", "postgres",
         "postgres"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    for _ in range(rounds):
        upgrade(p)
        eq(p.postmaster().pid, master, "the postmaster")
    out = load.communicate(timeout=rounds * 2 + 30)[0]
    ok("aborted" not in out and "error" not in out.lower(), f"pgbench: {out[-500:]}")
    eq(p.init.pid, pid1, "PID 1")
    eq(p.status()["postgres"]["lastExit"], None, "exits of postgres")
    until(lambda: not p.zombies(), 3, "no zombies")
    p.wait_ready()
    p.stop()


@test(seconds=60)
def test_what_was_ordered_is_remembered(t):
    p = t.started()
    p.order("pause")
    upgrade(p)
    eq(p.status()["paused"], True, "paused")
    p.order("resume")
    p.order("reload")  # a job that needs the plan of before
    eq(p.status()["configError"], None, "what is wrong with the manifest")
    p.order("fence")
    eq(p.postgres_tree(), [], "postgres is fenced")
    before = p.status()["sessionID"]
    p.signal(signal.SIGUSR2)
    until(lambda: p.logged("upgrade refused"), 10, "there is nothing to take over")
    eq(p.status()["sessionID"], before, "the session")
    p.order("unfence")
    p.wait_ready()


@test(seconds=60)
def test_a_program_that_does_not_run_is_refused(t):
    own = t.path("podgres-copy")
    shutil.copy(t.binary, own)
    os.chmod(own, 0o755)
    t.binary = own
    p = t.started()
    master = p.postmaster().pid
    with open(own + ".new", "w") as f:
        f.write("#!/bin/sh\nexit 1\n")
    os.chmod(own + ".new", 0o755)
    os.rename(own + ".new", own)
    p.signal(signal.SIGUSR2)
    until(lambda: p.logged("upgrade refused by the new program"), 10, "the refusal is in the log")
    eq(p.postmaster().pid, master, "the postmaster")
    eq(p.get("/readyz").status, 200, "readyz")
    time.sleep(0.5)
    eq(p.get("/livez").status, 200, "livez")
