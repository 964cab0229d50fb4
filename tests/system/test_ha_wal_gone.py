"""ha_wal_gone - a standby whose WAL the primary has removed is cloned anew by itself, and only when that is safe."""
import os
import time

from podtest import eq, ok, scale, test, until
from podtest.cluster import MANIFEST, Cluster
from test_archive import logged
from test_ha_data import old_folders

SMALL = ("  bootstrap: {initdb: {walSegmentSize: 1}}\n  postgresql:\n"
         "    parameters: {wal_keep_size: '0', max_slot_wal_keep_size: '2MB', min_wal_size: '2MB', max_wal_size: '4MB'}\n")
LOOKS = 35  # seconds in which it would have been cloned anew


def lose_wal(p, name):
    """Until the primary has that segment no more, whatever its slots say."""
    def gone():
        p.psql("INSERT INTO t SELECT i, repeat('x', 500) FROM generate_series(1, 2000) i")
        p.psql("SELECT pg_switch_wal()")
        p.psql("CHECKPOINT")
        return not os.path.exists(f"{p.pgdata}/pg_wal/{name}")
    until(gone, 60, f"{name} is removed on the primary")


def inode(m):
    return os.stat(m.pgdata).st_ino


def untouched(s, was, seconds, what):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        eq((inode(s), old_folders(s), os.path.exists(s.pgdata + "/PG_VERSION")), (was, [], True), what)
        time.sleep(0.5)


@test(seconds=300)
def test_a_standby_without_its_wal_is_cloned_anew_but_not_when_paused_or_without_the_primary(t):
    c = Cluster(t, manifest=MANIFEST.replace("NAME", "ha").replace("instances: 3", "instances: 2").replace("  postgresql:\n", SMALL))
    p, s = c.start(2, args=["--keep-old", "1s"])
    c.wait_streaming(1)
    p.psql("CREATE TABLE t (n int, x text)")
    was = inode(s)
    s.stop()
    name = p.psql("SELECT pg_walfile_name(pg_current_wal_lsn())")
    lose_wal(p, name)

    p.order("pause")
    began = time.monotonic()
    s.start()
    s.wait_ready(60)
    until(lambda: "paused: it is not cloned anew" in s.status()["reason"], 60, "status says what it waits for")
    ok("has no WAL from" in s.cli("status").stdout, "podgres status, too")
    print("figures: a standby whose WAL is gone says so after", round(time.monotonic() - began, 1), "s")
    untouched(s, was, scale(1, LOOKS), "paused: nothing is cloned")

    # It does not hear the primary, which keeps the Lease.
    p.mute(s.address)
    until(lambda: "paused" not in s.status()["reason"], 60, "nothing is known of the primary")
    p.order("resume")
    untouched(s, was, scale(5, LOOKS), "the primary does not answer: nothing is cloned")
    eq(c.primary().name, p.name, "the primary")
    p.mute(s.address, on=False)

    began = time.monotonic()
    until(lambda: old_folders(s) or inode(s) != was, 120, "it is cloned anew")
    c.wait_streaming(1, 120)
    print("figures: it streams again after", round(time.monotonic() - began, 1), "s")
    ok(inode(s) != was, "it is another data directory")
    sql = "SELECT count(*), sum(hashtext(t::text)) FROM t"
    until(lambda: s.psql(sql) == p.psql(sql), 30, "the same data")
    ok(logged(s, "the primary has no WAL for this standby any more"), "the reason is in the log")
    ok(any("it is cloned anew" in w for w in s.status()["warnings"]), s.status()["warnings"])
    until(lambda: not old_folders(s), 40, "the former copy goes when the clone has streamed")
    p.psql("INSERT INTO t VALUES (0, 'after')")
    until(lambda: s.psql("SELECT count(*) FROM t WHERE n = 0") == "1", 30, "it follows")
    eq(s.status()["state"], "standby", "state")
