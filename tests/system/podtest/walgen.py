"""walgen - makes WAL: pgbench, big writes, and rows whose acknowledgement is written down."""
import os
import subprocess
import threading
import time

from .proc import PsqlError, psql

SETUP = "CREATE TABLE IF NOT EXISTS filler (id bigserial PRIMARY KEY, junk text)"


def switch(pod):
    """Ends the current segment; returns the name of the one that ended."""
    return pod.psql("SELECT pg_walfile_name(pg_switch_wal())")


def fill(pod, segments, bytes_each=16 << 20):
    """Whole segments of WAL, one after the other; returns the name of the last that ended."""
    pod.psql(SETUP)
    rows = max(bytes_each // 2 // 8000, 1)
    for _ in range(segments):
        pod.psql("INSERT INTO filler (junk) SELECT (SELECT string_agg(md5(random()::text || i || g), '') FROM "
                 f"generate_series(1, 240) g) FROM generate_series(1, {rows}) i", seconds=120)
        last = switch(pod)
    return last


def pgbench(test, pod, *options, check=True, seconds=300):
    return subprocess.run(
        ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--init-groups", test.bindir + "/pgbench",
         "-h", pod.run_dir, "-p", str(pod.port), "-U", "postgres", *options, "postgres"],
        capture_output=True, text=True, timeout=seconds, check=check, cwd="/")


def pgbench_loop(test, pod, *options):
    """pgbench that is not waited for."""
    return subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", "setpriv", "--reuid", "postgres", "--regid", "postgres", "--init-groups",
         test.bindir + "/pgbench", "-n", "-h", pod.run_dir, "-p", str(pod.port), "-U", "postgres", *options, "postgres"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, cwd="/")


class Writer:
    """Commits numbered rows, one after the other, and keeps what the server acknowledged with its LSN.

    Goes on over every crash; a row that was sent but not answered is nobody's promise.
    """

    TABLE = "CREATE TABLE IF NOT EXISTS acked (n bigint PRIMARY KEY, at timestamptz DEFAULT clock_timestamp())"

    def __init__(self, test, pod, junk=0):
        self.test, self.pod, self.junk = test, pod, junk
        self.acked = []  # (n, LSN after the commit)
        self.next = 1
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def start(self):
        self.pod.psql(self.TABLE)
        self.pod.psql(SETUP)
        self.thread.start()
        return self

    def once(self):
        # A batch a connection: each row its own commit, told as it is acknowledged.
        first, count = self.next, 25
        self.next += count
        sql = []
        for n in range(first, first + count):
            sql.append(f"INSERT INTO acked (n) VALUES ({n})")
            sql.append(f"SELECT {n}, pg_current_wal_lsn()")
        if self.junk:
            sql.append("INSERT INTO filler (junk) SELECT (SELECT string_agg(md5(random()::text || i || g), '') "
                       f"FROM generate_series(1, 240) g) FROM generate_series(1, {self.junk}) i")
        full = {"PATH": os.environ["PATH"], "PGCONNECT_TIMEOUT": "3", "LC_ALL": "C"}
        command = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--init-groups", "psql", "-X", "-A", "-t",
                   "-q", "-v", "ON_ERROR_STOP=1", "-h", self.pod.run_dir, "-p", str(self.pod.port), "-U", "postgres",
                   "-d", "postgres"]
        for one in sql:
            command += ["-c", one]
        try:
            out = subprocess.run(command, capture_output=True, text=True, timeout=30, env=full, cwd="/")
            text, good = out.stdout, out.returncode == 0
        except subprocess.TimeoutExpired as e:
            text, good = (e.stdout or b"").decode(), False
        for line in text.splitlines():
            n, sep, lsn = line.partition("|")
            if sep and "/" in lsn:
                self.acked.append((int(n), lsn_number(lsn)))
        return good

    def run(self):
        while not self.stopping.is_set():
            if not self.once():
                time.sleep(0.1)

    def stop(self):
        self.stopping.set()
        self.thread.join(40)
        return self.acked

    def promised_before(self, lsn):
        """The numbers of rows whose acknowledgement is older than this place in WAL."""
        return {n for n, at in self.acked if at <= lsn}


def lsn_number(text):
    high, low = text.split("/")
    return (int(high, 16) << 32) + int(low, 16)


def rows(test, run_dir, port):
    """The numbers that are in the table."""
    try:
        return {int(x) for x in psql(test, run_dir, port, "SELECT n FROM acked", seconds=60).split()}
    except PsqlError as e:
        if "does not exist" in str(e):
            return set()
        raise
