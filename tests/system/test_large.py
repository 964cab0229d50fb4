"""large - other segment sizes, and a database that is larger than anybody's buffers."""
import glob
import os
import threading
import time

from podtest import eq, ok, rgw, scale, test, until, walgen
from podtest.store import Target, take_backup
from test_archive_s3 import KEEP, all_out, check_all
from test_campaign import restored

RSS_LIMIT_KB = 40 * 1024


class Watch:
    """Peak memory and bytes written to disk of every process of podgres, while it lives."""

    def __init__(self, *pods):
        self.pods = pods
        self.peak, self.written = {}, {}
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def look(self):
        for pod in self.pods:
            for p in pod.procs():
                if p.comm == "postgres" or " postgres" in p.cmdline or "podgres" not in p.cmdline:
                    continue
                key = (p.pid, " ".join(p.cmdline.split()[1:4]))
                try:
                    with open(f"/proc/{p.pid}/status") as f:
                        for line in f:
                            if line.startswith("VmHWM:"):
                                self.peak[key] = int(line.split()[1])
                    with open(f"/proc/{p.pid}/io") as f:
                        for line in f:
                            if line.startswith("write_bytes:"):
                                self.written[key] = int(line.split()[1])
                except OSError:
                    continue

    def run(self):
        while not self.ending.wait(0.05):
            try:
                self.look()
            except OSError:
                continue

    def stop(self):
        self.ending.set()
        self.thread.join(10)
        return self


def strays():
    """Files in places where temporary ones go; other tests' folders are none."""
    found = glob.glob("/tmp/podgres*") + glob.glob("/var/tmp/*") + glob.glob("/dev/shm/podgres*")
    return {f for f in found if not f.startswith(("/tmp/podgres-test-", "/tmp/podgres-bench-"))}


def segments_of(t, megabytes, count):
    target = Target.folder(t, f"archive-{megabytes}")
    pod = target.pod(f"pod{megabytes}", initdb=f"walSegmentSize: {megabytes}\n", spec=KEEP,
                     data="compression: gzip, immediateCheckpoint: true")
    pod.start()
    pod.wait_ready()
    all_out(pod, walgen.fill(pod, count, megabytes << 20), 120)
    check_all(pod, target.archive(pod.name), megabytes << 20)
    pod.psql("CREATE TABLE here AS SELECT 42 AS n")
    take_backup(pod, 90)
    pod.psql("INSERT INTO here VALUES (1)")
    all_out(pod, walgen.switch(pod), 60)
    pod.kill()
    copy = restored(t, target, pod.name, name=f"copy{megabytes}")
    eq(copy.psql("SELECT sum(n) FROM here"), "43", "the rows")
    eq(copy.psql("SHOW wal_segment_size"), f"{megabytes}MB", "its segments")
    copy.kill()


@test(seconds=150)
def test_segments_of_64_mb_and_of_1_mb(t):
    segments_of(t, 64, 4)
    segments_of(t, 1, 40)


@test(seconds=scale(200, 1800))
def test_a_large_database_goes_out_and_in_with_fixed_memory_and_no_temporary_file(t):
    server = rgw.start(t)
    target = Target.bucket(t, server.bucket(), server.endpoint)
    pod = target.pod(wal="compression: gzip, maxParallel: 2", data="compression: gzip, immediateCheckpoint: true",
                     spec='postgresql:\n  parameters:\n    max_wal_size: "1GB"\n    archive_timeout: "0"\n')
    pod.start()
    pod.wait_ready()
    walgen.pgbench(t, pod, "-i", "-q", "-s", str(scale(12, 340)), seconds=900)
    size = int(pod.psql("SELECT sum(pg_database_size(oid)) FROM pg_database"))
    before = strays()
    watch = Watch(pod)
    began = time.monotonic()
    take_backup(pod, 900)
    took = time.monotonic() - began
    watch.stop()
    report("backup", size, took, watch)
    jobs = {k: v for k, v in watch.written.items() if "backup" in k[1]}
    ok(jobs, f"the job that takes the backup was seen: {list(watch.peak)}")
    eq(sum(jobs.values()), 0, f"bytes written to disk by the backup: {jobs}")
    eq(strays() - before, set(), "temporary files")
    pod.psql("CREATE TABLE tail AS SELECT 7 AS n")
    all_out(pod, walgen.switch(pod), 300)
    pod.stop(60)
    spec_watch = Restoring(t, target)
    copy, watch, took = spec_watch.run()
    report("restore", size, took, watch)
    eq(copy.psql("SELECT n FROM tail"), "7", "the last row")
    eq(copy.psql("SELECT count(*) FROM pgbench_accounts"), str(scale(12, 340) * 100000), "the accounts")
    eq(strays() - before, set(), "temporary files")
    for which in (watch,):
        ok(max(which.peak.values()) < RSS_LIMIT_KB, f"memory of each process: {which.peak}")


def report(what, size, took, watch):
    worst = sorted(watch.peak.items(), key=lambda x: -x[1])[:4]
    print(f"{what} of {size / 1e6:.0f} MB in {took:.1f} s; peak RSS: "
          + ", ".join(f"{k[1]} {v / 1024:.1f} MB" for k, v in worst)
          + f"; written to disk: {({k[1]: v for k, v in watch.written.items() if v})}", flush=True)
    ok(worst[0][1] < RSS_LIMIT_KB, f"RSS of {worst[0][0]} was {worst[0][1]} kB during {what}")


class Restoring:
    """A restore that is watched from its first process on."""

    def __init__(self, t, target):
        self.t, self.target = t, target

    def run(self):
        began = time.monotonic()
        result = {}

        def work():
            try:
                result["pod"] = restored(self.t, self.target, "pod", name="copy")
            except BaseException as e:  # noqa: B902 - told to the waiting thread
                result["error"] = e
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        until(lambda: "error" in result or any(p.name == "copy" and p.ns for p in self.t.pods), 20, "the new pod")
        watch = Watch(*[p for p in self.t.pods if p.name == "copy"])
        thread.join()
        watch.stop()
        if "error" in result:
            raise result["error"]
        return result["pod"], watch, time.monotonic() - began
