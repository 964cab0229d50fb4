"""writer - clients that append numbered rows through whoever is the primary, and write down each acknowledgement.

Times are of one clock, the node's, for all members: two of them must never acknowledge in turns.
"""
import os
import select
import subprocess
import threading
import time

RETRY = 0.01
WHERE = "SELECT 'at ' || host(inet_server_addr()) || ' ' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8);"


class Writer:
    """One client.  A row that was sent and not answered is nobody's promise."""

    TABLE = "CREATE TABLE IF NOT EXISTS acked (n bigint, client int, at timestamptz DEFAULT clock_timestamp())"

    def __init__(self, cluster, number=0, pace=0.0):
        self.cluster, self.number, self.pace = cluster, number, pace
        self.acked = []  # (n, address, when it was sent, when the answer came, timeline)
        self.failed = []  # (when, what was said)
        self.n = 0
        self.child, self.stopping = None, threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def conninfo(self):
        hosts = ",".join(m.address for m in self.cluster.members)
        return f"host={hosts} port=5432 user=postgres dbname=postgres target_session_attrs=read-write connect_timeout=2"

    def start(self):
        self.thread.start()
        return self

    def stop(self):
        self.stopping.set()
        self.thread.join(30)
        self.drop()

    def drop(self):
        if self.child:
            self.child.kill()
            self.child.wait()
        self.child = None

    def connect(self):
        self.child = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", self.conninfo()],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0,
            env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"})
        _, self.address, self.timeline = self.ask(WHERE, "at ", 4).split()

    def ask(self, sql, expect, seconds):
        self.child.stdin.write(sql.encode() + b"\n")
        line = b""
        until = time.monotonic() + seconds
        while not line.endswith(b"\n"):
            left = until - time.monotonic()
            if left <= 0 or not select.select([self.child.stdout], [], [], left)[0]:
                raise OSError(f"no answer within {seconds} s")
            got = os.read(self.child.stdout.fileno(), 4096)
            if not got:
                raise OSError("the connection ended")
            line += got
        text = line.decode(errors="replace").strip()
        if not text.startswith(expect):
            raise OSError(text[:200])
        return text

    def once(self):
        if not self.child:
            self.connect()
        self.n += 1
        sent = time.monotonic()
        self.ask(f"INSERT INTO acked (n, client) VALUES ({self.n}, {self.number}) RETURNING 'row ' || n;", f"row {self.n}", 3)
        self.acked.append((self.n, self.address, sent, time.monotonic(), self.timeline))

    def run(self):
        while not self.stopping.is_set():
            try:
                self.once()
                if self.pace:
                    time.sleep(self.pace)
            except (OSError, ValueError) as e:
                self.failed.append((time.monotonic(), str(e)))
                self.drop()
                time.sleep(RETRY)

    # ---- what it shows ----

    def gap(self, since=0.0):
        """The longest time between two acknowledgements, the last until now."""
        times = [a[3] for a in self.acked if a[3] >= since]
        return max((b - a for a, b in zip(times, times[1:])), default=float("inf"))

    def rows_of(self, pod):
        out = pod.psql(f"SELECT n FROM acked WHERE client = {self.number}")
        return {int(x) for x in out.split()}


def overlaps(writers):
    """Pairs of acknowledgements of two members of which neither member had ended before the other began."""
    spans = {}
    for w in writers:
        at = None
        for _, address, _, done, _ in w.acked:
            if at and at[0] == address:
                at[2] = done
            else:
                at = [address, done, done]
                spans.setdefault(address, []).append(at)
    flat = sorted((a[1], a[2], a[0]) for list_ in spans.values() for a in list_)
    return [(x, y) for i, x in enumerate(flat) for y in flat[i + 1:] if y[0] < x[1] and x[2] != y[2]]
