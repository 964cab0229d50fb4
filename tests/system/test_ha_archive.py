"""ha_archive - the WAL archive of several pods: whoever leads sends, nobody else does, and nothing is missing afterwards."""
import os
import signal
import subprocess
import time

from podtest import eq, ok, scale, test, until
from podtest.cluster import Cluster
from podtest.store import SEGMENT, Target, no_gap, segment_number, take_backup
from podtest.writer import Writer
from test_archive import logged, reopen, shut, switches
from test_restore import Restored

MB = 1 << 20
LEASE = ("primaryLease: {leaseDurationSeconds: 6, renewDeadlineSeconds: 3, retryPeriodSeconds: 1}\n"
         "postgresql:\n  pg_hba: [host all all 10.77.0.0/24 trust]\n"
         "  parameters: {archive_timeout: '0', wal_keep_size: '4GB'}\n")


def begin(t, n=3):
    target = Target.folder(t)
    manifest = target.manifest("ha", initdb="walSegmentSize: 1\n", spec=LEASE, wal="compression: gzip, maxParallel: 4")
    c = Cluster(t, manifest=manifest.replace("instances: 1", f"instances: {n}"))
    c.start(n)
    c.wait_streaming(n - 1)
    return c, target, target.archive("ha")


def waiting(m, timeline=1):
    """Segments that wait for the archive on that member."""
    names = os.listdir(m.pgdata + "/pg_wal/archive_status")
    return sorted(n[:24] for n in names if n.endswith(".ready") and SEGMENT.match(n[:24]) and int(n[:8], 16) == timeline)


def fork(m, timeline):
    """Number of the segment where that timeline was left, as the new primary tells."""
    with open(f"{m.pgdata}/pg_wal/{timeline + 1:08X}.history") as f:
        lsn = [line.split()[1] for line in f if line.split() and line.split()[0] == str(timeline)][0]
    high, low = lsn.split("/")
    return ((int(high, 16) << 32) + int(low, 16)) // MB


def all_out(m, archive, seconds=60):
    last = m.psql("SELECT pg_walfile_name(pg_current_wal_lsn())")
    m.psql("SELECT pg_logical_emit_message(true, 'x', 'y'); SELECT pg_switch_wal()")
    return until(lambda: last in archive.segments(), seconds, f"{last} is in the archive")


def restored(t, target, sql):
    out = t.file("restore.yaml", target.manifest("ha"))
    done = subprocess.run([t.binary, "restore", "--config", out, "--to", t.path("again"), "--bindir", t.bindir],
                          capture_output=True, text=True, timeout=90, cwd="/", env={"PATH": os.environ["PATH"]}, check=False)
    eq(done.returncode, 0, done.stdout + done.stderr)
    with Restored(t, "again") as server:
        return server.psql(sql)


@test(seconds=200)
def test_the_archive_is_whole_across_three_timelines_and_has_nothing_of_a_line_that_was_lost(t):
    c, target, archive = begin(t)
    p = c.wait_primary()
    p.psql("CREATE TABLE kept (x int)")
    take_backup(p)
    eq(p.psql("SHOW archive_mode"), "always", "archive_mode")
    others = [m for m in c.members if m is not p]

    # The store is down; what waits on the primary waits on the standbys too.
    shut(target)
    p.psql("INSERT INTO kept VALUES (1)")
    switches(p, 8)
    for m in others:
        until(lambda m=m: len(waiting(m)) >= 7, 30, f"segments wait on {m.name}")
    # Cut off, and its PID 1 frozen, it writes on until the fencer strikes: a line that nobody else has.
    p.cut()
    p.signal(signal.SIGSTOP)
    p.psql("CREATE TABLE lost AS SELECT 1 AS x")
    p.psql("DO $$ BEGIN FOR i IN 1..6 LOOP PERFORM pg_logical_emit_message(false, 'x', 'y'); PERFORM pg_switch_wal();"
           " END LOOP; END $$")
    mine = waiting(p)
    n = c.wait_primary(40, but=p)
    reopen(target)
    all_out(n, archive)
    at = fork(n, 1)
    beyond = [s for s in mine if segment_number(s, MB) >= at]
    ok(len(beyond) >= 4, f"the deposed one has segments of its own: {mine}, left at {at}")
    print("figures: of the archiver of the deposed one", len(p.archiver()), "processes live")
    time.sleep(10)  # longer than its pause after the store had failed
    eq([s for s in archive.segments() if s in beyond], [], "segments of the lost line in the archive")
    ok(set(s for s in mine if s not in beyond) <= set(archive.segments()), "the common line is whole")
    no_gap(archive.segments(), MB)

    # It follows, rewound; and leads again, on a third timeline.
    p.kill()
    p.join()
    p.replace()
    c.wait_streaming(2)
    n.psql("INSERT INTO kept VALUES (2)")
    until(lambda: n.cli("switchover", p.name, check=False).returncode == 0, 20, "a switchover")
    until(lambda: c.primary() is p, 40, "the former primary leads again")
    c.wait_streaming(2)
    p.psql("INSERT INTO kept VALUES (3)")
    all_out(p, archive)
    for m in others:
        until(lambda m=m: not waiting(m, 1) and not waiting(m, 2), 30, f"nothing of the past waits on {m.name}")
    eq([s for s in archive.segments() if s in beyond], [], "segments of the lost line in the archive")
    no_gap(archive.segments(), MB)
    eq(sorted({s[:8] for s in archive.segments()}), ["00000001", "00000002", "00000003"], "timelines")
    for m in c.members:
        eq(logged(m, "holds other content"), [], f"alarms of {m.name}")
    eq(restored(t, target, "SELECT string_agg(x::text, ',' ORDER BY x), to_regclass('lost') FROM kept"), "1,2,3|",
       "restored to the end of the third timeline")


def failover(t, segments):
    c, target, archive = begin(t, 2)
    p = c.wait_primary()
    p.psql(Writer.TABLE)
    if segments:
        shut(target)
        switches(p, segments)
        until(lambda: len(waiting(p)) >= segments - 2, 60, "the backlog")
    w = Writer(c).start()
    until(lambda: len(w.acked) > 50, 20, "rows")
    began = time.monotonic()
    p.kill()
    n = c.wait_primary(40, but=p)
    until(lambda: w.acked[-1][3] > began and w.acked[-1][1] == n.address, 30, "rows through the next one")
    gap = w.gap(began - 1)
    w.stop()
    print("figures: gap of a lost node", round(gap, 2), "s with", segments, "segments that the archive does not take")
    ok(gap < 6 + 2 + 2, gap)
    if segments:
        reopen(target)
        all_out(n, archive, 200)
        until(lambda: len(archive.segments()) >= segments - 1 and not waiting(n), 60 + segments / 2, "the backlog is archived")
        no_gap(archive.segments(), MB)


@test(seconds=scale(120, 600))
def test_a_backlog_of_the_archive_does_not_hold_up_a_failover(t):
    failover(t, scale(60, 1000))


if scale(False, True):
    @test(seconds=200)
    def test_a_failover_without_a_backlog_for_comparison(t):
        failover(t, 0)
