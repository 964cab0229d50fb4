"""ha_times - what makes a change of primary quick, looked at where it once was slow.

The times themselves are the business of tests/bench/failover, on a machine that does nothing else.
"""
import signal
import time

from podtest import eq, ok, test, until
from podtest.cluster import Cluster
from podtest.writer import Writer


@test(seconds=120)
def test_one_change_of_primary_right_after_another(t):
    """A standby knows the timeline that it received, though pg_control learns of it with the next restart point."""
    c = Cluster(t)
    c.start(3)
    c.wait_streaming(2)
    p = c.wait_primary()
    p.psql(Writer.TABLE)
    w = Writer(c).start()
    for _ in range(3):
        until(lambda: w.acked and w.acked[-1][1] == p.address, 20, "rows")
        # It is refused until the others are known to stream.
        until(lambda: p.cli("switchover", check=False).returncode == 0, 10, "the switchover")
        began = time.monotonic() - 3
        p = c.wait_primary(20, but=p)
        until(lambda: w.acked[-1][1] == p.address, 20, "rows through the next one")
        gap = w.gap(began)
        ok(gap < 10, f"a gap of {gap:.1f} s")
        print("figures: gap of a switchover", round(gap, 3))
        c.wait_streaming(2)
        # What a later one compares its own history with.
        timeline = p.status()["timeLineID"]
        began_at = p.psql(f"SELECT pg_read_file('pg_wal/{timeline:08X}.history')").strip().splitlines()[-1].split("\t")[1]
        notes = until(lambda t=timeline: (lambda a: a if a.get("podgres.dev/timeline") == str(t) else None)(
            c.lease()["metadata"]["annotations"]), 10, "the timeline in the Lease")
        eq(notes["podgres.dev/switchLSN"], began_at, f"where timeline {timeline} began")
    eq(p.psql("SHOW recovery_init_sync_method"), "syncfs", "how files are synced before crash recovery")
    # A postgres that was killed comes back in its place, and nobody else becomes the primary.
    began = time.monotonic()
    p.postmaster().kill(signal.SIGKILL)
    until(lambda: w.acked[-1][3] > began + 0.5, 30, "rows again")
    eq(c.primary().name, p.name, "the primary stays")
    w.stop()
    print("figures: gap of a postgres that was killed", round(w.gap(began - 1), 3))
    have = w.rows_of(p)
    ok(not {a[0] for a in w.acked} - have, "acknowledged rows are there")
