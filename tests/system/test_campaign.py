"""campaign - a load with acknowledged rows while postgres, archiver, pod and store are killed and frozen.

Afterwards every segment is in the store with the bytes that pg_wal had, none was overwritten, none is
missing, and a cluster made from the store alone has every row acknowledged before the end of its WAL.
PODGRES_TEST_SCALE=full: 1,000 segments.  PODGRES_TEST_SEED repeats a run's choices.
"""
import os
import random
import signal
import time

from podtest import eq, ok, rgw, scale, test, until, walgen
from podtest.check import Failed
from podtest.store import Target, no_gap, take_backup
from test_archive_s3 import ONE_MB, in_pg_wal, ready

SPEC = ('postgresql:\n  parameters:\n    wal_keep_size: "6GB"\n    archive_timeout: "0"\n    max_wal_size: "1GB"\n')


class Campaign:
    def __init__(self, t, pod, server, target):
        self.t, self.pod, self.server, self.target = t, pod, server, target
        self.seed = int(os.environ.get("PODGRES_TEST_SEED", time.time_ns() % 1000000))
        self.dice = random.Random(self.seed)
        self.seen = {}  # key: (etag, when stored) as first seen
        self.faults = {}
        print(f"seed {self.seed}", flush=True)

    # ---- faults ----

    def freeze(self, proc, seconds):
        proc.kill(signal.SIGSTOP)
        time.sleep(seconds)
        try:
            proc.kill(signal.SIGCONT)
        except OSError:
            pass  # what it froze was killed for it

    def kill_archiver(self):
        for p in self.pod.archiver()[:1]:
            p.kill(signal.SIGKILL)

    def kill_worker(self):
        workers = self.pod.archiver()[1:]
        if workers:
            self.dice.choice(workers).kill(signal.SIGKILL)

    def freeze_archiver(self):
        for p in self.pod.archiver()[:1]:
            self.freeze(p, self.dice.uniform(0.2, 3))

    def freeze_worker(self):
        for p in self.pod.archiver()[1:2]:
            self.freeze(p, self.dice.uniform(0.2, 3))

    def kill_postgres(self):
        postmaster = self.pod.postmaster()
        if postmaster:
            postmaster.kill(signal.SIGKILL)

    def kill_backend(self):
        tree = self.pod.postgres_tree()
        if tree:
            self.dice.choice(tree).kill(signal.SIGKILL)

    def freeze_postgres(self):
        postmaster = self.pod.postmaster()
        if postmaster:
            self.freeze(postmaster, self.dice.uniform(0.2, 2))

    def kill_pod(self):
        self.pod.kill()
        self.pod.start()

    def stop_pod(self):
        self.pod.signal(signal.SIGTERM)
        self.pod.wait(60)
        self.pod.start()

    def freeze_pod(self):
        procs = []
        for p in self.pod.procs():
            try:
                p.kill(signal.SIGSTOP)
                procs.append(p)
            except OSError:
                continue
        time.sleep(self.dice.uniform(0.2, 3))
        for p in procs:
            try:
                p.kill(signal.SIGCONT)
            except OSError:
                pass

    def freeze_store(self):
        who = self.dice.choice(["rgw", "osd"])
        self.server.signal(signal.SIGSTOP, who)
        time.sleep(self.dice.uniform(0.2, 5))
        self.server.signal(signal.SIGCONT, who)

    def kill_gateway(self):
        self.server.kill("rgw")
        time.sleep(self.dice.uniform(0, 2))
        self.server.start_gateway()

    def kill_store(self):
        self.server.kill()
        self.server.start()

    FAULTS = ("kill_archiver", "kill_worker", "freeze_archiver", "freeze_worker", "kill_postgres", "kill_backend",
              "freeze_postgres", "kill_pod", "stop_pod", "freeze_pod", "freeze_store", "kill_gateway", "kill_store")

    def fault(self, name):
        self.faults[name] = self.faults.get(name, 0) + 1
        try:
            getattr(self, name)()
        except ProcessLookupError:
            pass  # it ended by itself just then

    # ---- watching ----

    def look(self):
        """No object of the archive ever changes."""
        try:
            now = self.target.store.objects(self.target.archive("pod").prefix + "wals/")
        except OSError:
            return 0
        for key, (size, etag, when) in now.items():
            before = self.seen.setdefault(key, (size, etag, when))
            eq((size, etag, when), before, f"{key} was written a second time")
        for key in self.seen:
            ok(key in now, f"{key} has vanished from the store")
        return len(now)

    def run(self, segments, seconds):
        """Faults until so many segments are stored; every kind at least once."""
        end = time.monotonic() + seconds
        todo = list(self.FAULTS)
        self.dice.shuffle(todo)
        while self.look() < segments or todo:
            if time.monotonic() > end:
                raise Failed(f"{len(self.seen)} of {segments} segments within {seconds} s; faults {self.faults}")
            time.sleep(self.dice.uniform(0.3, 2.5))
            self.fault(todo.pop() if todo else self.dice.choice(self.FAULTS))
            if self.dice.random() < 0.3:
                until(lambda: self.pod.get("/readyz").status == 200, 90, "the pod is back")


def restored(t, target, source, name="restored", recovery=""):
    """A pod made from the store of source alone."""
    spec = ("bootstrap:\n  recovery:\n    source: origin\n" + recovery
            + "externalClusters:\n  - name: origin\n"
            + target.object_store(4, wal="compression: gzip, maxParallel: 4", server=source))
    manifest = (f"apiVersion: postgresql.cnpg.io/v1\nkind: Cluster\nmetadata:\n  name: {name}\nspec:\n  instances: 1\n"
                + "".join("  " + line + "\n" for line in spec.splitlines()))
    pod = t.pod(name, env={"PODGRES_SECRETS_DIR": t.path("secrets")}, manifest=manifest, port=5433, http_port=8100)
    pod.start()
    pod.wait_ready(seconds=scale(120, 900))
    return pod


@test(seconds=scale(300, 5400))
def test_nothing_is_lost_overwritten_or_missing_whatever_is_killed_or_frozen(t):
    server = rgw.start(t)
    target = Target.bucket(t, server.bucket(), server.endpoint)
    pod = target.pod(wal="compression: gzip, maxParallel: 4", initdb=ONE_MB, spec=SPEC,
                     data="compression: gzip, immediateCheckpoint: true")
    pod.start()
    pod.wait_ready()
    archive = target.archive("pod")
    pod.psql(walgen.SETUP)
    take_backup(pod, 120)
    writer = walgen.Writer(t, pod, junk=60).start()
    campaign = Campaign(t, pod, server, target)
    began = time.monotonic()
    campaign.run(scale(40, 1000), scale(170, 4800))
    acked = writer.stop()
    until(lambda: pod.get("/readyz").status == 200, 90, "the pod is back")
    last = walgen.switch(pod)
    until(lambda: not ready(pod) and last in archive.segments(), 120, "the tail is archived")
    campaign.look()
    done, stored = in_pg_wal(pod), archive.segments()
    for name, digest in done.items():
        ok(name in stored, f"{name} counts as archived and is not in the store")
        eq(archive.digest(stored[name]), digest, f"digest of {name}")
    no_gap(stored, 1 << 20)
    eq(target.store.uploads(), [], "open uploads")
    end = walgen.lsn_number(pod.psql("SELECT pg_current_wal_lsn()"))
    pod.kill()
    took = time.monotonic() - began
    copy = restored(t, target, "pod")
    have = walgen.rows(t, copy.run_dir, copy.port)
    promised = writer.promised_before(end)
    lost = promised - have
    eq(sorted(lost)[:10], [], f"acknowledged rows that the restored cluster lacks, of {len(promised)}")
    print(f"{len(stored)} segments, {len(done)} digests compared, {len(acked)} rows acknowledged, {len(promised)} promised, "
          f"{len(have)} restored, {took:.0f} s; faults: {campaign.faults}")
