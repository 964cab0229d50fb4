"""watch - scrapes while something is wrong: what they took, and what the collector costs meanwhile.

Another process counts the collector's connections, so that counting costs the scrapes nothing.
"""
import os
import re
import signal
import socket
import struct
import subprocess
import time

from .check import Failed, eq, ok, until

LIMIT = 0.005
ROLE = "cnpg_metrics_exporter"
CAP = 3  # the role's CONNECTION LIMIT
SANITIZED = "asan" in os.environ.get("PODGRES_TEST_BUILD", "")  # its times and sizes say nothing
USED = 2  # what the collector itself holds to, as long as the server ends what was closed


class Kept:
    """One kept connection to the port of the metrics, over a bare socket."""

    def __init__(self, pod, gzip=False):
        self.pod, self.gzip, self.sock, self.rest = pod, gzip, None, b""

    def connect(self):
        self.sock = socket.create_connection(("127.0.0.1", self.pod.metrics_port), timeout=10)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest = b""

    def request(self, path):
        return f"GET {path} HTTP/1.1\r\nHost: x\r\n{'Accept-Encoding: gzip' if self.gzip else 'X: y'}\r\n\r\n".encode()

    def ask(self, path="/metrics"):
        """(seconds, body); a connection that was closed between two requests is made anew."""
        for last in (False, True):
            if not self.sock:
                self.connect()
            began = time.perf_counter()
            try:
                self.sock.sendall(self.request(path))
                body = self.answer()
                return time.perf_counter() - began, body
            except ConnectionError:
                self.sock = None
                if last:
                    raise
        return None

    def answer(self):
        data = self.rest
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self.more()
        head = data[:end].lower()
        eq(head[:12], b"http/1.1 200", "status")
        want = end + 4 + int(re.search(rb"content-length: (\d+)", head).group(1))
        parts, have = [data], len(data)
        while have < want:
            parts.append(self.more())
            have += len(parts[-1])
        data = b"".join(parts)
        self.rest = data[want:]
        return data[end + 4:want]

    def more(self):
        data = self.sock.recv(1 << 20)
        if not data:
            raise ConnectionResetError("closed")
        return data

    def close(self):
        if self.sock:
            self.sock.close()
        self.sock = None


def series(body):
    """{series: value} of the text format."""
    out = {}
    for line in body.decode().splitlines():
        if not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            out[name] = float(value)
    return out


def family(values, name):
    return {k: v for k, v in values.items() if k == name or k.startswith(name + "{")}


def percentile(times, part):
    return sorted(times)[min(len(times) - 1, int(len(times) * part))]


# ---- the server's side, without psql ----

class Slot:
    """A session of postgres that only stands there."""

    def __init__(self, pod, user="postgres", database="postgres"):
        self.error = ""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(5)
        body = struct.pack("!i", 196608) + b"".join(x.encode() + b"\0" for x in ("user", user, "database", database)) + b"\0"
        try:
            self.sock.connect(f"{pod.run_dir}/.s.PGSQL.{pod.port}")
            self.sock.sendall(struct.pack("!i", len(body) + 4) + body)
            self.wait()
        except OSError as e:
            self.error = str(e)
        if self.error:
            self.close()

    def take(self, size):
        data = b""
        while len(data) < size:
            piece = self.sock.recv(size - len(data))
            if not piece:
                raise ConnectionResetError("closed")
            data += piece
        return data

    def wait(self):
        while True:
            kind, size = struct.unpack("!ci", self.take(5))
            body = self.take(size - 4)
            if kind == b"E":
                self.error = body.decode(errors="replace").replace("\0", " ")
            if kind in b"ZE":
                return

    def run(self, sql):
        """Sends it and waits for its end; an error raises."""
        body = sql.encode() + b"\0"
        self.sock.sendall(b"Q" + struct.pack("!i", len(body) + 4) + body)
        while True:
            kind, size = struct.unpack("!ci", self.take(5))
            body = self.take(size - 4)
            if kind == b"E":
                raise Failed(body.decode(errors="replace").replace("\0", " "))
            if kind == b"Z":
                return self

    def close(self):
        """Ends it also where a forked process still holds the socket."""
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()


def exporter_backends():
    """Backends of the collector's role, by their titles: it works while postgres is frozen, too."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/cmdline", "rb") as f:
                title = f.read()
        except OSError:
            continue
        if title.startswith(b"postgres:") and ROLE.encode() in title:
            found.append(int(name))
    return found


def cpu_s(pid):
    with open(f"/proc/{pid}/schedstat") as f:
        return int(f.read().split()[0]) / 1e9


def peak_mb(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"VmHWM:\s+(\d+)", f.read()).group(1)) / 1024


class Counter:
    """The most connections of the role at once, as another process sees it each 50 ms."""

    def __init__(self):
        self.fd = os.memfd_create("counter")
        self.pid = os.fork()
        if self.pid == 0:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            try:
                self.count(self.fd)
            finally:
                os._exit(1)

    @staticmethod
    def count(fd):
        most = looks = 0
        while True:
            most, looks = max(most, len(exporter_backends())), looks + 1
            os.pwrite(fd, struct.pack("!ii", most, looks), 0)
            time.sleep(0.05)

    def close(self):
        """(most at once, how often it was looked)"""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        data = os.pread(self.fd, 8, 0)
        os.close(self.fd)
        return struct.unpack("!ii", data) if data else (0, 0)


class Activity:
    """The same by pg_stat_activity's own function, which asks no catalogue; ends with the server."""

    def __init__(self, pod, path):
        oid = pod.psql(f"SELECT oid FROM pg_roles WHERE rolname = '{ROLE}'")
        self.path = path
        self.out = open(path, "wb")
        self.child = subprocess.Popen(
            ["psql", "-X", "-A", "-t", "-q", "-h", pod.run_dir, "-p", str(pod.port), "-U", "postgres", "-d", "postgres"],
            stdin=subprocess.PIPE, stdout=self.out, stderr=subprocess.DEVNULL)
        self.child.stdin.write(f"PREPARE n AS SELECT count(*) FROM pg_stat_get_activity(NULL) WHERE usesysid = {oid};\n"
                               "EXECUTE n \\watch 0.2\n".encode())
        self.child.stdin.flush()

    def close(self):
        self.child.kill()
        self.child.wait()
        self.out.close()
        with open(self.path) as f:
            return max([int(line) for line in f if line.strip().isdigit()], default=0)


class Watch:
    def __init__(self, t, pod, activity=True):
        self.pod = pod
        self.kept, self.asking = Kept(pod, gzip=True), Kept(pod)
        until(lambda: pod.service("collector"), 20, "a collector")
        self.api, self.collector = pod.service("api").pid, pod.service("collector").pid
        self.activity = Activity(pod, t.path("activity")) if activity else None
        self.counter = Counter()
        self.began, self.spent = time.monotonic(), cpu_s(self.collector)
        self.api_s, self.pairs = 0.0, 0
        self.scrape, self.floor, self.windows = [], [], 0

    def values(self):
        return series(self.asking.ask()[1])

    def value(self, name):
        return self.values()[name]

    def pair(self):
        self.floor.append(self.kept.ask("/")[0])
        before = cpu_s(self.api)
        took, _ = self.kept.ask()
        self.api_s += cpu_s(self.api) - before
        self.scrape.append(took)
        self.pairs += 1

    def during(self, seconds, pause=0.02):
        """Scrapes for so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.pair()
            time.sleep(pause)
        return self

    def is_fast(self):
        """A trivial path that was late at the same moments tells of others on the machine."""
        late, floor = percentile(self.scrape, 0.99), percentile(self.floor, 0.99)
        return SANITIZED or late < LIMIT or (floor > LIMIT / 2 and late < floor + LIMIT)

    def fast(self):
        """p99 of a scrape; what was late is measured anew while the fault lasts, up to three times."""
        while not self.is_fast() and self.windows < 3:
            print(f"late: {self.figures()}")
            self.windows += 1
            self.scrape, self.floor, self.api_s, self.pairs = [], [], 0.0, 0
            for _ in range(400):
                self.pair()
                time.sleep(0.005)
        ok(self.is_fast(), f"scrapes are late: {self.figures()}")
        return self

    def figures(self):
        n = len(self.scrape)
        return (f"{n} scrapes p50 {percentile(self.scrape, 0.5) * 1e3:.2f} p99 {percentile(self.scrape, 0.99) * 1e3:.2f} max "
                f"{max(self.scrape) * 1e3:.1f} ms (of a trivial path p99 {percentile(self.floor, 0.99) * 1e3:.2f} ms; api "
                f"{self.api_s / self.pairs * 1e6:.0f} us CPU a scrape; measured {self.windows + 1} times)")

    def current(self, seconds=20):
        """Everything is new again: another pass, in which no query fails; how long that took."""
        before = self.values()["cnpg_collector_collections_total"]

        def now():
            v = self.values()
            return (v["cnpg_collector_collections_total"] > before and not family(v, "podgres_metrics_query_failing") and
                    not family(v, "podgres_metrics_query_breaker") and sum(family(v, "cnpg_collector_up").values()) == 1 and
                    family(v, "cnpg_backends_total") and v['podgres_metrics_query_age_seconds{query="backends"}'] < 7)
        began = time.monotonic()
        until(now, seconds, "all is current again")
        return time.monotonic() - began

    def end(self, what, cpu=0.01, rss=13, cap=USED, note=""):
        """Says what was seen, and holds it against the limits: three times what is usual."""
        took = time.monotonic() - self.began
        used = (cpu_s(self.collector) - self.spent) / took
        mb = peak_mb(self.collector)
        most, looks = self.counter.close()
        seen = self.activity.close() if self.activity else most
        print(f"figures: {what}, {took:.0f} s: {self.figures()}; at most {most} connections ({looks} looks; pg_stat_activity {seen}); "
              f"collector {used * 100:.2f} % of a core, {mb:.1f} MB at most{note and '; ' + note}", flush=True)
        self.kept.close()
        self.asking.close()
        ok(max(most, seen) <= cap, f"{most}, {seen} connections")
        if SANITIZED:
            return
        ok(used < cpu, f"the collector used {used * 100:.1f} % of a core")
        ok(mb < rss, f"the collector had {mb:.1f} MB")
