"""continuous - backup.continuous: WAL of the segment under way is in the store within the interval."""
import os
import re
import time

from podtest import eq, ok, test, until, walgen
from podtest.store import Target, unpacked

PART = re.compile(r"^([0-9A-F]{12})-([0-9A-F]{8})-([0-9A-F]{8})(\.\w+)?$")
QUIET = 'postgresql:\n  parameters:\n    archive_timeout: "0"\n    checkpoint_timeout: "1h"\n'


def start(t, interval="300ms", spec=QUIET):
    target = Target.folder(t)
    pod = target.pod(backup=f"continuous: {interval}\n", initdb="walSegmentSize: 1\n", spec=spec)
    pod.start()
    pod.wait_ready()
    return target, pod


def parts(target, segment):
    """[(run, from, to, key)] of one segment, in order."""
    prefix = target.archive("pod").prefix + f"podgres/continuous/{segment}/"
    found = []
    for key in target.store.objects(prefix):
        m = PART.match(key[len(prefix):])
        if m and ".podgres-tmp" not in key:
            found.append((int(m[1], 16), int(m[2], 16), int(m[3], 16), key))
    return sorted(found)


def newest_run(target, segment):
    """The bytes that the newest run of this segment holds; b"" when there is none."""
    found = parts(target, segment)
    runs = sorted({p[0] for p in found if p[1] == 0}, reverse=True)
    body = b""
    for run, begin, end, key in found:
        if runs and run == runs[0] and begin == len(body):
            body += unpacked(key, target.store.read(key))
            eq(len(body), end, f"length of {key}")
    return body


def insert(pod):
    """A committed row; returns (segment, offset behind its commit)."""
    pod.psql("CREATE TABLE IF NOT EXISTS c (t text)")
    pod.psql("INSERT INTO c VALUES ('x')")
    name, offset = pod.psql("SELECT (pg_walfile_name_offset(pg_current_wal_flush_lsn())).*").split("|")
    return name, int(offset)


def arrives(pod, target, seconds):
    segment, offset = insert(pod)
    until(lambda: len(newest_run(target, segment)) >= offset, seconds, f"byte {offset} of {segment} is in the store")
    return segment


@test(tags=["versions"])
def test_what_was_committed_is_in_the_store_within_the_interval(t):
    target, pod = start(t)
    arrives(pod, target, 10)
    for _ in range(5):
        segment = arrives(pod, target, 3)
    body = newest_run(target, segment)
    with open(f"{pod.pgdata}/pg_wal/{segment}", "rb") as f:
        eq(body, f.read(len(body)), "parts and the segment's file")
    exposed = pod.get("/v1/wal").json()["exposureSeconds"]
    ok(exposed < 5, f"exposed for {exposed} s")
    pod.stop()


@test()
def test_parts_go_once_their_segment_is_whole(t):
    target, pod = start(t)
    segment = arrives(pod, target, 10)
    walgen.fill(pod, 2, 1 << 20)
    until(lambda: segment in target.archive("pod").segments(), 20, f"{segment} is archived")
    until(lambda: not parts(target, segment), 40, f"the parts of {segment} are removed")
    arrives(pod, target, 5)


@test()
def test_a_quiet_segment_does_not_grow_into_thousands_of_objects(t):
    target, pod = start(t, "100ms")
    arrives(pod, target, 10)
    end = time.monotonic() + 22
    segment, most = None, 0
    while time.monotonic() < end:
        segment, offset = insert(pod)
        most = max(most, len(parts(target, segment)))
        time.sleep(0.05)
    ok(40 < most < 300, f"{most} parts of one segment at once")
    until(lambda: len(newest_run(target, segment)) >= offset, 5, "all of it is there")


@test()
def test_the_receiver_holds_up_neither_a_commit_nor_a_stop(t):
    target, pod = start(t, spec='postgresql:\n  parameters:\n    archive_timeout: "0"\n')
    arrives(pod, target, 10)
    kept = pod.psql("SELECT count(*) FROM pg_replication_slots")
    eq(kept, "0", "slots of the receiver")
    row = pod.psql("SELECT sync_state, flush_lsn IS NULL FROM pg_stat_replication "
                   "WHERE application_name = 'podgres continuous'")
    eq(row, "async|t", "the receiver is nobody a commit waits for")
    os.rename(target.destination[7:], target.destination[7:] + ".away")  # the store is gone
    began = time.monotonic()
    for _ in range(20):
        insert(pod)
    ok(time.monotonic() - began < 10, "commits go on without the store")
    os.rename(target.destination[7:] + ".away", target.destination[7:])
    arrives(pod, target, 60)
    began = time.monotonic()
    pod.stop()
    ok(time.monotonic() - began < 10, "the stop does not wait for the receiver")


@test(seconds=90)
def test_a_killed_receiver_and_a_crash_begin_a_new_run(t):
    target, pod = start(t)
    arrives(pod, target, 10)
    for _ in range(3):
        for p in pod.procs():
            if p.comm == "archiver-contin":
                p.kill(9)
        arrives(pod, target, 20)
    was = pod.postmaster().pid
    pod.postmaster().kill(9)
    until(lambda: getattr(pod.postmaster(), "pid", was) != was, 20, "postgres is started again")
    pod.wait_ready()
    segment = arrives(pod, target, 30)
    ok(len({p[0] for p in parts(target, segment)}) >= 1, "runs")


def recovery(target, name, source="pod"):
    """A manifest of a new cluster that is recovered from the archive of another."""
    return ("apiVersion: postgresql.cnpg.io/v1\nkind: Cluster\n"
            f"metadata:\n  name: {name}\nspec:\n  instances: 1\n  bootstrap:\n    recovery:\n      source: {source}\n"
            "  externalClusters:\n  - name: " + source + "\n" + target.object_store(4, "compression: gzip, maxParallel: 2"))


@test(seconds=120, tags=["versions"])
def test_a_disk_that_is_lost_costs_no_more_than_the_interval(t):
    target, pod = start(t)
    until(lambda: pod.cli("backup", "create", "--immediate", seconds=60, check=False).returncode == 0, 60, "a base backup")
    pod.psql("CREATE TABLE IF NOT EXISTS c (t text)")
    for _ in range(3):
        walgen.fill(pod, 1, 1 << 20)
    for n in range(7):
        pod.psql(f"INSERT INTO c VALUES ('row {n}')")
    segment = arrives(pod, target, 10)
    pod.kill()
    ok(segment not in target.archive("pod").segments(), "the last segment is in the archive in parts only")
    again = t.pod("again", manifest=recovery(target, "again"))
    again.start()
    again.wait_ready(60)
    eq(again.psql("SELECT count(*) FROM c WHERE t LIKE 'row %'"), "7", "rows of the segment that was never whole")
    ok(again.logged("the end of WAL was put together from its parts"), "said in the log")
