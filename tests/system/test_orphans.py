"""Strangers that PID 1 inherits."""
import time

from podtest import eq, ok, scale, test, until


def orphan(p, script):
    """Like docker exec sh -c: what it leaves behind becomes PID 1's."""
    c = p.inside("sh", "-c", script)
    eq(c.wait(), 0, "the shell that leaves an orphan")


def test_an_orphan_that_exits_2_does_not_disturb_postgres(t):
    p = t.started()
    master = p.postmaster().pid
    orphan(p, "(sleep 0.3; exit 2) & exit 0")
    time.sleep(0.6)
    until(lambda: not p.zombies(), 1, "the orphan is collected")
    eq(p.postmaster().pid, master, "the postmaster")
    ok(not p.logged("all server processes terminated"), "postgres went through crash recovery")
    ok(not p.logged("was terminated by"), "postgres blames a process")
    eq(p.get("/readyz").status, 200, "readyz")


@test(seconds=scale(60, 120))
def test_ten_thousand_short_orphans_leave_no_zombie(t):
    p = t.started()
    master = p.postmaster().pid
    # Each inner shell leaves 100 orphans; none of them lives for long.
    orphan(p, "for i in $(seq 100); do sh -c 'for j in $(seq 100); do (exit 2) & done' & done; wait")
    until(lambda: len(p.zombies()) == 0, 1, "no zombies after a second")
    eq(p.postmaster().pid, master, "the postmaster")
    eq(p.psql("select 1"), "1", "a query")
    ok(not p.logged("all server processes terminated"), "postgres went through crash recovery")
    p.order("restart")  # statuses of its own children are still seen
    p.stop()
