"""haload - what runs against a cluster while tests/bench/failover measures: one client that writes, and pgbench."""
import os
import subprocess
import threading
import time

from podtest import until

TABLE = "CREATE TABLE IF NOT EXISTS acked (n bigint, client int, at timestamptz DEFAULT clock_timestamp())"


class Client:
    """haclient: knows all addresses, retries every 10 ms, writes down each acknowledgement."""

    def __init__(self, binary, cluster):
        hosts = ",".join(m.address for m in cluster.members)
        self.acked = []  # (seconds of the monotonic clock, address)
        self.child = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", binary, hosts, "port=5432 user=postgres dbname=postgres",
             "acked"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()
        until(lambda: len(self.acked) > 20, 30, "rows")

    def read(self):
        for line in self.child.stdout:
            at, address, _ = line.split()
            self.acked.append((int(at) / 1e9, address.decode()))

    def gap(self, since):
        """The longest time between two acknowledgements, and when it ended."""
        times = [at for at, _ in self.acked if at >= since - 0.1]
        return max(((b - a, b) for a, b in zip(times, times[1:])), default=(0, since))

    def settled(self, since, rest, changed=True):
        """Rows come again, of another member if it has changed, without a break for rest seconds."""
        before = [a for at, a in self.acked if at < since][-1]
        now = time.monotonic()
        last, address = self.acked[-1]
        size, end = self.gap(since)
        return now - last < 0.3 and now - end > rest and now - since > rest and (not changed or address != before)

    def close(self):
        self.child.stdin.close()
        self.child.wait(10)
        self.thread.join(10)


class Load:
    """pgbench at a rate that leaves a processor free; it begins anew wherever the primary is."""

    def __init__(self, cluster, rate=100, scale=5):
        p = cluster.wait_primary()
        self.uri = "host=" + ",".join(m.address for m in cluster.members) + \
            " port=5432 user=postgres dbname=postgres target_session_attrs=read-write connect_timeout=2"
        self.rate, self.done, self.child = rate, False, None
        subprocess.run(["pgbench", "-q", "-i", "-s", str(scale), self.uri], check=True, capture_output=True, timeout=120)
        p.psql(TABLE)
        p.psql("CHECKPOINT", seconds=60)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.done:
            self.child = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "pgbench", "-n", "-c", "2", "-R", str(self.rate), "-T", "3600", self.uri],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.child.wait()
            time.sleep(0.2)

    def close(self):
        self.done = True
        if self.child:
            self.child.kill()
        self.thread.join(10)
