"""ours - podgres doing what the peers do: a pod on the same cluster, its archiver, podgres-wal, its backups."""
import os
import re
import shutil
import signal
import subprocess
import threading
import time

from podtest import until
from podtest.store import Target
from sets import Figures, call, cpu_of, segments


class Memory:
    """Peak RSS of each, and peak PSS of all, processes of the archiver, sampled while they work."""

    def __init__(self, procs):
        self.procs, self.rss, self.pss = procs, 0, 0
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.ending.wait(0.05):
            pss = 0
            for p in self.procs():
                try:
                    with open(f"/proc/{p.pid}/smaps_rollup") as f:
                        text = f.read()
                except OSError:
                    continue
                pss += int(re.search(r"Pss:\s+(\d+)", text).group(1))
                self.rss = max(self.rss, int(re.search(r"Rss:\s+(\d+)", text).group(1)))
            self.pss = max(self.pss, pss)

    def stop(self):
        self.ending.set()
        self.thread.join(5)
        return self


class Ours:
    """One pod, archiving to its own prefix.  PostgreSQL's archiver is frozen: the bench calls podgres-wal itself,
    with .ready files as PostgreSQL would have left them, so that every program is measured by one clock."""

    passes = 0

    def __init__(self, t, sets, bucket, endpoint, wal, parallel=1, data="compression: gzip", ca=None):
        Ours.passes += 1
        self.t, self.sets, self.server = t, sets, f"ours{Ours.passes}"
        target = Target.bucket(t, bucket, endpoint, path="podgres", ca=ca)
        self.archive = target.archive(self.server)
        compression = f"compression: {wal}, " if wal else ""
        manifest = target.manifest("pod", wal=f"{compression}maxParallel: {parallel}",
                                   data=data + ", immediateCheckpoint: true",
                                   spec='postgresql:\n  parameters:\n    wal_keep_size: "8GB"\n    max_wal_size: "8GB"\n'
                                        '    shared_buffers: "512MB"\n    archive_timeout: "0"\n')
        manifest = manifest.replace("destinationPath:", f"serverName: {self.server}\n      destinationPath:")
        self.pod = t.pod("pod", pgdata=sets.pgdata, manifest=manifest, env={"PODGRES_SECRETS_DIR": t.path("secrets")})
        self.pod.start()
        self.pod.wait_ready(90)
        self.client = os.path.join(os.path.dirname(t.binary), "podgres-wal")
        self.options = f"--socket {self.pod.run_dir}/wal.sock"

    def freeze_postgres(self):
        found = until(lambda: [p for p in self.pod.postgres_tree() if "archiver" in p.cmdline], 20, "PostgreSQL's archiver")
        found[0].kill(signal.SIGSTOP)

    def push(self, folder, count=None, ready=True):
        """Each segment as PostgreSQL's archiver would: in order, one call each, .ready then .done."""
        self.freeze_postgres()
        names = segments(folder)[:count]
        wal = self.sets.pgdata + "/pg_wal/"
        for name in names:
            shutil.copy(f"{folder}/{name}", wal + name)
            subprocess.run(["chown", "postgres:postgres", wal + name], check=True)
            done = f"{wal}archive_status/{name}.done"
            if os.path.exists(done):
                os.unlink(done)
            if ready:
                open(f"{wal}archive_status/{name}.ready", "w").close()
        figures, before = Figures(), cpu_of(self.pod.archiver())
        memory = Memory(self.pod.archiver)
        began = time.monotonic()
        for name in names:
            call(f"{self.client} {self.options} archive {wal}{name}", figures)
            if ready:
                os.rename(f"{wal}archive_status/{name}.ready", f"{wal}archive_status/{name}.done")
        figures.total = time.monotonic() - began
        figures.besides = cpu_of(self.pod.archiver()) - before
        figures.memory = memory.stop()
        stored = self.archive.segments()
        missing = [n for n in names if n not in stored]
        if missing:
            raise RuntimeError(f"not in the store: {missing}")
        return figures

    def get(self, folder, count):
        figures, before = Figures(), cpu_of(self.pod.archiver())
        target = self.sets.pgdata + "/pg_wal/RECOVERYXLOG"
        memory = Memory(self.pod.archiver)
        began = time.monotonic()
        for name in segments(folder)[:count]:
            call(f"{self.client} {self.options} restore {name} {target}", figures)
            os.rename(target, f"{target}.done")  # as the startup process does at once
            time.sleep(0.05)  # as replay would take
            os.unlink(f"{target}.done")
        figures.total = time.monotonic() - began
        figures.besides = cpu_of(self.pod.archiver()) - before
        figures.memory = memory.stop()
        return figures

    def backup(self):
        figures, before = Figures(), cpu_of(self.pod.procs())
        memory = Memory(lambda: [p for p in self.pod.procs() if "job" in p.cmdline and "backup" in p.cmdline])
        began = time.monotonic()
        env = self.pod.environment()
        call(f"{self.t.binary} backup create >/dev/null", figures, env)
        figures.total = time.monotonic() - began
        figures.besides = cpu_of(self.pod.procs()) - before
        figures.memory = memory.stop()
        return figures

    def close(self):
        self.pod.kill()
        self.t.pods.remove(self.pod)
        for name in ("postmaster.pid",):
            try:
                os.unlink(f"{self.sets.pgdata}/{name}")
            except FileNotFoundError:
                pass
