"""cluster - several pods, each with a network namespace and an address of its own, and an API of Kubernetes.

The test's namespace is the node: a bridge, the API server, the clients.  A member that is cut off keeps its own
loopback and sockets, as a pod does whose node lost the network.
"""
import os
import subprocess

from . import kube
from .check import eq, until
from .pod import Pod

MANIFEST = """apiVersion: postgresql.cnpg.io/v1
kind: Cluster
metadata: {name: NAME}
spec:
  instances: 3
  primaryLease: {leaseDurationSeconds: 6, renewDeadlineSeconds: 3, retryPeriodSeconds: 1}
  postgresql:
    pg_hba: [host all all 10.77.0.0/24 trust]
"""

def synchronous(name="ha", instances=3, more="", **fields):
    """The same with synchronous replication: method any, number 1, durability required."""
    given = ", ".join(f"{k}: {v}" for k, v in {"method": "any", "number": 1, **fields}.items())
    return MANIFEST.replace("NAME", name).replace("instances: 3\n", f"instances: {instances}\n{more}").replace(
        "  postgresql:\n", f"  postgresql:\n    synchronous: {{{given}}}\n")


BRIDGE, NODE, API, NET = "podgres0", "10.77.0.1", "10.77.0.2", "10.77.0."
NOBODY = "02:00:00:00:00:01"  # an address of no network card: what is sent there is lost


def ip(*words, check=True):
    subprocess.run(["ip", *words], check=check, capture_output=not check)


def network():
    """The node: a bridge with an address, and another for the API."""
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run/netns"], check=False, capture_output=True)
    os.makedirs("/run/netns", exist_ok=True)
    # Of its own, or it takes that of a member that is attached later, and nobody finds it for a while.
    ip("link", "add", BRIDGE, "address", "02:00:00:00:00:02", "type", "bridge")
    for address in (NODE, API):
        ip("addr", "add", address + "/24", "dev", BRIDGE)
    ip("link", "set", BRIDGE, "up")


def attach(netns, link, address):
    """A network namespace with an address on the bridge, unless it is there."""
    if os.path.exists(f"/run/netns/{netns}"):
        return
    ip("netns", "add", netns)
    ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", netns)
    ip("link", "set", link, "master", BRIDGE, "up")
    for words in (("addr", "add", address + "/24", "dev", "eth0"), ("link", "set", "eth0", "up"), ("link", "set", "lo", "up")):
        ip("-n", netns, *words)


class Member(Pod):
    def __init__(self, test, cluster, number, **how):
        super().__init__(test, f"{cluster.name}-{number}", port=5432, http_port=8000, **how)
        self.cluster, self.number = cluster, number
        self.address, self.link, self.netns = f"{NET}{10 + number}", f"veth{number}", f"{cluster.name}-{number}"
        self.uid = self.token_file = None
        self.binds = []  # (folder, where it is mounted): volumes of this pod alone

    def environment(self):
        return {**super().environment(), "POD_NAME": self.name, "CLUSTER_NAME": self.cluster.name, "POD_UID": self.uid,
                "POD_IP": self.address, "PODGRES_COORDINATION": "kubernetes", "PODGRES_KUBE_API": self.cluster.api.url,
                "PODGRES_KUBE_TOKEN_FILE": self.token_file or self.cluster.token_file, "PODGRES_KUBE_CA_FILE": self.cluster.api.ca_file,
                **self.cluster.env, **self.extra_env}

    def command(self):
        mounts = "".join(f"mount --bind {of} {at} && " for of, at in self.binds)
        return ["nsenter", f"--net=/run/netns/{self.netns}", "sh", "-c", mounts + 'exec "$@"', "sh",
                self.test.binary, "run", "--listen", ":8000", "--metrics-listen", ":9187", *self.args]

    @property
    def tcp(self):
        return (self.address, 8000)

    def start(self, stdout=None):
        attach(self.netns, self.link, self.address)
        if not self.uid:
            self.uid = self.cluster.new_pod(self.name, self.address)
        return super().start(stdout)

    def replace(self):
        """Another pod of that name on the same volume, as a StatefulSet makes it."""
        self.uid = None
        return self.start()

    def labels(self):
        return self.cluster.api.request("GET", f"{kube.PODS}/{self.name}").body["metadata"].get("labels", {})

    def cut(self):
        """The node lost its network."""
        ip("link", "set", self.link, "down")

    def join(self):
        ip("link", "set", self.link, "up")

    def mute(self, *addresses, on=True):
        """What this member sends there is lost without a word; what comes from there still comes."""
        for a in addresses:
            words = ("lladdr", NOBODY, "nud", "permanent") if on else ()
            ip("-n", self.netns, "neigh", "replace" if on else "del", a, *words, "dev", "eth0", check=on)

    def deaf(self, on=True):
        """What the node (API, clients) sends to this member is lost; what the member sends arrives."""
        words = ("lladdr", NOBODY, "nud", "permanent") if on else ()
        ip("neigh", "replace" if on else "del", self.address, *words, "dev", BRIDGE, check=on)

    def leads(self):
        try:
            return self.get("/primary", timeout=2).status == 200
        except OSError:
            return False

    def state(self):
        try:
            return self.status()["state"]
        except OSError:
            return "silent"


class Cluster:
    """Members 1 ... n of one manifest, and the API: the stand-in with its faults, or the real one."""

    def __init__(self, test, name="ha", manifest=None, env=None, real=None):
        self.test, self.name, self.env = test, name, dict(env or {})
        self.manifest = manifest or MANIFEST.replace("NAME", name)
        self.members = []
        network()
        test.servers.append(self)
        self.api = kube.start(test, real=real, host=API)
        self.api.allow(kube.POD, *kube.POD_RIGHTS)
        self.token_file = test.file("kube.token", kube.POD)
        os.chmod(self.api.ca_file, 0o644)
        test.file(f"secrets/{name}-replication/password", "sesame-replication")
        self.env["PODGRES_SECRETS_DIR"] = test.path("secrets")

    def new_pod(self, name, address):
        """What the StatefulSet and the kubelet do; returns the UID."""
        self.api.request("DELETE", f"{kube.PODS}/{name}?gracePeriodSeconds=0")
        pod = {"metadata": {"name": name, "labels": {"cnpg.io/cluster": self.name}},
               "spec": {"automountServiceAccountToken": False, "containers": [{"name": "postgres", "image": "postgres"}]}}
        r = self.api.request("POST", kube.PODS, pod)
        eq(r.status, 201, f"create pod {name}: {r}")
        r2 = self.api.request("PATCH", f"{kube.PODS}/{name}" + ("/status" if self.api.real else ""),
                              {"status": {"podIP": address}}, kind=kube.MERGE)
        eq(r2.status, 200, f"address of pod {name}: {r2}")
        return r.body["metadata"]["uid"]

    def lease(self):
        return self.api.lease(self.name).body

    def holder(self):
        return (self.lease().get("spec", {}).get("holderIdentity") or "").split("/")[0]

    def member(self, number, **how):
        m = Member(self.test, self, number, manifest=self.manifest, **how)
        self.test.pods.append(m)
        self.members.append(m)
        return m

    def start(self, n=3, **how):
        first = self.member(1, **how)
        first.start()
        first.wait_ready()
        for i in range(2, n + 1):
            self.member(i, **how).start()
        for m in self.members[1:]:
            m.wait_ready(90)
        return self.members

    def primary(self):
        found = [m for m in self.members if m.leads()]
        return found[0] if len(found) == 1 else None

    def wait_primary(self, seconds=60, but=None):
        return until(lambda: (lambda p: p if p and p is not but else None)(self.primary()), seconds, "one primary")

    def wait_streaming(self, n, seconds=90):
        def enough():
            p = self.primary()
            if not p:
                return False
            try:
                return int(p.psql("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' "
                                  "AND application_name !~ 'basebackup'")) >= n
            except Exception:
                return False
        until(enough, seconds, f"{n} standbys stream")
        until(lambda: self.lease()["metadata"]["annotations"].get("podgres.dev/members", "").count('"') == 2 * len(self.members),
              20, "the Lease lists the members")

    def close(self):
        for m in self.members:
            m.close()
            ip("link", "del", m.link, check=False)  # a namespace takes its time
            ip("netns", "del", m.netns, check=False)
        ip("link", "del", BRIDGE, check=False)
