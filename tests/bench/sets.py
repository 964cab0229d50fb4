"""sets - the WAL and the database that every program is measured with, and how CPU time is counted."""
import os
import shutil
import statistics
import subprocess
import time

from podtest import walgen
from podtest.plain import Plain
from podtest.store import SEGMENT

ORDERS = r"""
\set id random(1, 2000000)
INSERT INTO orders (id, customer, note, body) VALUES (gen_random_uuid(), md5(random()::text), md5(:id::text) || md5(random()::text),
  jsonb_build_object('sku', md5(random()::text), 'qty', :id % 17, 'price', random(), 'tags', jsonb_build_array(md5(random()::text), :id)))
  RETURNING n \gset
UPDATE orders SET note = md5(random()::text) WHERE n = greatest(:n - :id % 5000, 1);
SELECT count(*) FROM orders WHERE n BETWEEN :n - 50 AND :n;
"""


class Sets:
    """A cluster in DIR/pod/data of about 1 GB, set A (TPC-B) and set B (orders) as folders of segments."""

    def __init__(self, t, scale, a, b):
        self.t = t
        made = t.path(f"sets-{scale}-{a}-{b}")
        if os.path.exists(made):
            self.pgdata, self.a, self.b = t.path("pod", "data"), t.path("set-a"), t.path("set-b")
            with open(made) as f:
                self.gigabytes = float(f.read())
            return
        self.make(t, scale, a, b)
        t.file(made, str(self.gigabytes))

    def make(self, t, scale, a, b):
        self.pgdata = t.initdb("pod", "--data-checksums")
        self.server = Plain(t, self.pgdata, 5432, ["wal_keep_size=8GB", "max_wal_size=8GB", "checkpoint_timeout=1h",
                                                   "shared_buffers=512MB", "fsync=off"])
        self.server.start()
        walgen.pgbench(t, self.server, "-i", "-q", "-s", str(scale), seconds=900)
        self.a = self.collect("set-a", a, "-c", "4", "-j", "2")
        self.server.psql("CREATE TABLE orders (n bigserial PRIMARY KEY, id uuid, customer text, note text, body jsonb)")
        self.server.psql("INSERT INTO orders (id, customer, note, body) SELECT gen_random_uuid(), md5(i::text), md5(random()::text), "
                         "jsonb_build_object('sku', md5(i::text)) FROM generate_series(1, 200000) i", seconds=120)
        script = t.file("orders.sql", ORDERS)
        self.b = self.collect("set-b", b, "-c", "4", "-j", "2", "-f", script)
        self.gigabytes = int(self.server.psql("SELECT sum(pg_database_size(oid)) FROM pg_database")) / 1e9
        self.server.close()
        t.servers.remove(self.server)

    def collect(self, name, count, *load):
        s = self.server
        s.psql("CHECKPOINT", seconds=300)
        s.psql("SELECT pg_switch_wal()")
        first = s.psql("SELECT pg_walfile_name(pg_current_wal_lsn())")
        folder = self.t.folder(name)
        # In slices, so that no more is written than is wanted.
        while len(self.between(first)) <= count:
            walgen.pgbench(self.t, s, "-n", "-T", "2", *load, seconds=60)
        for segment in self.between(first)[1:count + 1]:
            shutil.copy(f"{self.pgdata}/pg_wal/{segment}", folder)
        subprocess.run(["chown", "-R", "postgres:postgres", folder], check=True)
        return folder

    def between(self, first):
        now = self.server.psql("SELECT pg_walfile_name(pg_current_wal_lsn())")
        return sorted(n for n in os.listdir(self.pgdata + "/pg_wal") if SEGMENT.match(n) and first <= n < now)

    def plain(self, *settings):
        """The same cluster under plain postgres, for the peers."""
        return Plain(self.t, self.pgdata, 5432, settings).start()


def segments(folder):
    return sorted(n for n in os.listdir(folder) if SEGMENT.match(n))


class Figures:
    """What a number of calls cost."""

    def __init__(self):
        self.cpu, self.wall, self.rss, self.total = [], [], 0, 0.0
        self.besides = 0.0  # CPU seconds of processes that no call waits for

    @property
    def n(self):
        return len(self.cpu)

    @property
    def client(self):
        """Milliseconds of CPU of one call, on average."""
        return sum(self.cpu) / self.n * 1000

    @property
    def daemon(self):
        return self.besides / self.n * 1000

    @property
    def all_in(self):
        return self.client + self.daemon

    @property
    def wall_ms(self):
        return statistics.median(self.wall) * 1000

    @property
    def rate(self):
        return self.n / self.total


def call(command, figures, env=None, fail=True):
    """One command as PostgreSQL's archiver runs it; user and system time of all that it waited for."""
    began = time.monotonic()
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", command], env or os.environ,
                         setsigmask=[], file_actions=[(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0)])
    _, status, usage = os.wait4(pid, 0)
    figures.wall.append(time.monotonic() - began)
    figures.cpu.append(usage.ru_utime + usage.ru_stime)
    figures.rss = max(figures.rss, usage.ru_maxrss)
    if status and fail:
        raise RuntimeError(f"{command}: exit status {os.waitstatus_to_exitcode(status)}")
    return status


TICK = os.sysconf("SC_CLK_TCK")


def cpu_of(procs):
    """CPU seconds of these processes and of the children that they have reaped."""
    total = 0
    for p in procs:
        try:
            with open(f"/proc/{p.pid}/stat") as f:
                rest = f.read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        total += sum(int(x) for x in rest[11:15])
    return total / TICK
