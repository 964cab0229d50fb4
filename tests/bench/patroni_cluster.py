"""patroni_cluster - Patroni with etcd in the same network namespaces as podtest.cluster, for tests/bench/failover."""
import json
import os
import re
import signal
import subprocess

from podtest import http, until
from podtest.cluster import BRIDGE, NET, NODE, attach, ip, network
from podtest.pod import Ended
from podtest.proc import PsqlError, children_of, in_namespace, namespace_of, psql

HERE = os.path.dirname(os.path.abspath(__file__))
ETCD = 12379
AS_POSTGRES = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--init-groups"]


def settings(which):
    with open(f"{HERE}/patroni/{which}.yaml") as f:
        return dict(re.findall(r"^(\w+): (\d+)$", f.read(), re.M))


class PatroniMember:
    """One Patroni as PID 1 of a PID namespace, as in a container."""

    def __init__(self, cluster, number):
        t = cluster.test
        self.test, self.cluster, self.name = t, cluster, f"{cluster.name}-{number}"
        self.address, self.link, self.netns = f"{NET}{10 + number}", f"veth{number}", self.name
        self.run_dir, self.port, self.stdout = t.folder(self.name), 5432, t.path(self.name + ".log")
        self.child = self.init = self.ns = None
        with open(HERE + "/patroni/patroni.yaml") as f:
            text = f.read()
        words = {"NAME": self.name, "NODE": NODE, "ETCD": str(ETCD), "ADDRESS": self.address, "DATA": self.run_dir + "/data",
                 "BINDIR": t.bindir, "FOLDER": self.run_dir, **{k.upper(): v for k, v in settings(cluster.which).items()}}
        self.config = t.file(self.name + ".yaml", re.sub(r"\b(" + "|".join(words) + r")\b", lambda m: words[m[1]], text))

    def start(self):
        attach(self.netns, self.link, self.address)
        with open(self.stdout, "ab") as out:
            self.child = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "nsenter",
                 f"--net=/run/netns/{self.netns}", *AS_POSTGRES, "/usr/bin/patroni", self.config],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd="/", env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"})
        self.init = until(self.find_init, 10, "PID 1 of the namespace")
        self.ns = namespace_of(self.init.pid)

    replace = start

    def find_init(self):
        if self.child.poll() is not None:
            raise Ended(f"{self.name} ended with {self.child.returncode}")
        return next((p for p in children_of(self.child.pid) if p.nspid == 1), None)

    def signal(self, sig):
        self.init.kill(sig)

    def wait(self, seconds=90):
        return self.child.wait(seconds)

    def kill(self):
        self.init.kill(signal.SIGKILL)
        self.child.wait(10)

    def close(self):
        if self.child and self.child.poll() is None:
            self.kill()

    def procs(self):
        return in_namespace(self.ns)

    def postmaster(self):
        return next((p for p in self.procs() if p.comm == "postgres" and " -D " in p.cmdline), None)

    def manager(self):
        """Patroni itself; PID 1 only waits for it."""
        return [p for p in self.procs() if "/usr/bin/patroni" in p.cmdline]

    def cut(self):
        ip("link", "set", self.link, "down")

    def join(self):
        ip("link", "set", self.link, "up")

    def leads(self):
        try:
            return http.request((self.address, 8008), "GET", "/leader", timeout=2).status == 200
        except OSError:
            return False

    def psql(self, sql, **how):
        return psql(self.test, self.run_dir, self.port, sql, **how)


class PatroniCluster:
    def __init__(self, test, which):
        self.test, self.which, self.name = test, which, f"patroni-{which}"
        network()
        test.servers.append(self)
        with open(test.path("etcd.log"), "ab") as log:
            self.etcd = subprocess.Popen(
                ["etcd", "--data-dir", test.path("etcd-" + which), "--listen-client-urls", f"http://{NODE}:{ETCD}",
                 "--advertise-client-urls", f"http://{NODE}:{ETCD}", "--listen-peer-urls", f"http://{NODE}:{ETCD + 1}",
                 "--unsafe-no-fsync"], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.members = [PatroniMember(self, n) for n in (1, 2, 3)]

    def start(self):
        self.members[0].start()
        self.wait_primary(60)
        for m in self.members[1:]:
            m.start()

    def primary(self):
        found = [m for m in self.members if m.leads()]
        return found[0] if len(found) == 1 else None

    def wait_primary(self, seconds=60, but=None):
        return until(lambda: (lambda p: p if p and p is not but else None)(self.primary()), seconds, "one leader")

    def wait_streaming(self, n, seconds=120):
        def enough():
            p = self.primary()
            try:
                return p and int(p.psql("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'")) >= n
            except PsqlError:
                return False
        until(enough, seconds, f"{n} standbys stream")

    def switchover(self, old, new):
        """Returns when Patroni says that it is done."""
        body = {"leader": old.name, "candidate": new.name}
        r = http.request((old.address, 8008), "POST", "/switchover", json.dumps(body), timeout=60)
        if r.status != 200:
            raise RuntimeError(f"switchover: {r.status} {r.text}")

    def close(self):
        for m in self.members:
            m.close()
        self.etcd.kill()
        self.etcd.wait()
        for m in self.members:
            ip("link", "del", m.link, check=False)  # a namespace takes its time
            ip("netns", "del", m.netns, check=False)
        ip("link", "del", BRIDGE, check=False)
