"""peers - pgbackrest and barman-cloud from Debian, doing the same to the same server."""
import os
import time

from podtest import rgw
from podtest.proc import all_procs
from sets import Figures, call, cpu_of, segments

BARMAN_ENV = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC",
              "AWS_ACCESS_KEY_ID": rgw.KEY, "AWS_SECRET_ACCESS_KEY": rgw.SECRET, "AWS_DEFAULT_REGION": "us-east-1"}


def postgres_of(pgdata):
    """The postmaster and everything below it."""
    every = all_procs()
    top = [p for p in every if p.comm == "postgres" and f"-D {pgdata}" in p.cmdline]
    found = list(top)
    for parent in found:
        found += [p for p in every if p.ppid == parent.pid]
    return found


class Pgbackrest:
    """It speaks https only, so it gets the TLS port without verification."""

    def __init__(self, t, sets, server, compression):
        self.t, self.sets, self.name = t, sets, f"pgbackrest {compression}"
        folder = t.folder(f"pgbackrest-{compression}")
        self.env = {**BARMAN_ENV, "HOME": folder}
        self.conf = t.file(f"pgbackrest-{compression}.conf", f"""[global]
repo1-type=s3
repo1-s3-bucket=backups
repo1-s3-endpoint=localhost
repo1-storage-port={server.tls_port}
repo1-storage-verify-tls=n
repo1-s3-uri-style=path
repo1-s3-region=us-east-1
repo1-s3-key={rgw.KEY}
repo1-s3-key-secret={rgw.SECRET}
repo1-path=/pgbackrest-{compression}
compress-type={compression}
log-level-file=off
log-level-console=warn
lock-path={folder}
spool-path={folder}
process-max=2
start-fast=y
archive-check=n
[m]
pg1-path={sets.pgdata}
pg1-socket-path={t.path('socket-5432')}
pg1-user=postgres
""")
        self.base = f"pgbackrest --config={self.conf} --stanza=m"

    def prepare(self):
        call(f"{self.base} stanza-create", Figures(), self.env)

    def push(self, folder, count=None):
        figures, began = Figures(), time.monotonic()
        for name in segments(folder)[:count]:
            call(f"{self.base} archive-push {folder}/{name}", figures, self.env)
        figures.total = time.monotonic() - began
        return figures

    def get(self, folder, count):
        figures, began = Figures(), time.monotonic()
        for name in segments(folder)[:count]:
            call(f"{self.base} archive-get {name} {self.t.path('fetched')}", figures, self.env)
        figures.total = time.monotonic() - began
        return figures

    def backup(self):
        return base_backup(self.sets, f"{self.base} --type=full backup", self.env)


class Barman:
    def __init__(self, t, sets, endpoint, flags):
        self.t, self.sets = t, sets
        self.name = "barman-cloud " + (flags.lstrip("-") or "none")
        self.flags, self.server = flags, "barman" + (flags.replace("-", "") or "none")
        self.options = f"--endpoint-url {endpoint}"

    def prepare(self):
        pass

    def push(self, folder, count=None):
        figures, began = Figures(), time.monotonic()
        for name in segments(folder)[:count]:
            call(f"barman-cloud-wal-archive {self.options} {self.flags} s3://backups/barman {self.server} {folder}/{name}",
                 figures, BARMAN_ENV)
        figures.total = time.monotonic() - began
        return figures

    def get(self, folder, count):
        figures, began = Figures(), time.monotonic()
        for name in segments(folder)[:count]:
            call(f"barman-cloud-wal-restore {self.options} s3://backups/barman {self.server} {name} {self.t.path('fetched')}",
                 figures, BARMAN_ENV)
        figures.total = time.monotonic() - began
        return figures

    def backup(self):
        return base_backup(self.sets, f"barman-cloud-backup --immediate-checkpoint -J 2 {self.options} {self.flags} -h {self.t.path('socket-5432')} "
                           f"-U postgres s3://backups/barman {self.server}", BARMAN_ENV)


def base_backup(sets, command, env):
    """One call, with what it cost the server in figures.besides."""
    figures = Figures()
    before = cpu_of(postgres_of(sets.pgdata))
    began = time.monotonic()
    call(command, figures, {**env, "TMPDIR": os.environ.get("TMPDIR", "/tmp")})
    figures.total = time.monotonic() - began
    figures.besides = cpu_of(postgres_of(sets.pgdata)) - before
    return figures


def pg_basebackup(t, sets):
    out = t.folder("pg_basebackup-out")
    return base_backup(sets, f"{t.bindir}/pg_basebackup -h "
                       f"{t.path('socket-5432')} -U postgres -D {out} -Ft -z -X none -c fast --no-sync", BARMAN_ENV)
