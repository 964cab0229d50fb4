"""kube - a Kubernetes API for a test: the real kube-apiserver with etcd, or the stand-in (kubefake).

Both give the same: url, ca_file, tokens ADMIN (may all), POD (what allow() gave), NOBODY (nothing), and
request()/watch() as an observer.  The real one's binary is built by scripts/kube-apiserver; it is looked
for in PODGRES_KUBE_APISERVER and in the cache folder that script writes to.
"""
import http.client
import json
import os
import shutil
import signal
import ssl
import subprocess
import urllib.parse

from .check import Failed, until
from .kubefake import KubeFake, make_ca

PORT, ETCD = 6443, 2379
ADMIN, POD, NOBODY = "admintoken", "podtoken", "nobodytoken"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
PODS = "/api/v1/namespaces/default/pods"
MERGE, JSON_PATCH = "application/merge-patch+json", "application/json-patch+json"
# What a pod of podgres asks for.
POD_RIGHTS = ("get leases", "list leases", "watch leases", "create leases", "update leases",
              "list pods", "patch pods")


def apiserver():
    """The path of the real server, or ""."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    for path in (os.environ.get("PODGRES_KUBE_APISERVER", ""), cache + "/podgres/kube-apiserver"):
        if path and os.access(path, os.X_OK) and shutil.which("etcd"):
            return path
    return ""


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers = status, headers
        self.text = body.decode("utf-8", "replace")
        try:
            self.body = json.loads(body)
        except ValueError:
            self.body = {}

    @property
    def reason(self):
        return self.body.get("reason")

    @property
    def version(self):
        return self.body["metadata"]["resourceVersion"]

    def __repr__(self):
        return f"<{self.status} {self.text[:300]!r}>"


class Observer:
    """Requests of the test itself; both servers have them."""

    url = ca_file = ""

    def connection(self, timeout):
        url = urllib.parse.urlsplit(self.url)
        if url.scheme == "http":
            return http.client.HTTPConnection(url.hostname, url.port, timeout=timeout)
        return http.client.HTTPSConnection(url.hostname, url.port, timeout=timeout,
                                           context=ssl.create_default_context(cafile=self.ca_file))

    def send(self, c, method, path, body, token, kind):
        data = body if body is None or isinstance(body, str) else json.dumps(body)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        c.request(method, path, data, {**headers, **({"Content-Type": kind} if data is not None else {})})
        return c.getresponse()

    def request(self, method, path, body=None, token=ADMIN, kind="application/json", timeout=20):
        c = self.connection(timeout)
        try:
            r = self.send(c, method, path, body, token, kind)
            return Reply(r.status, r.headers, r.read())
        except http.client.HTTPException as e:
            raise OSError(f"{method} {path}: {e!r}") from e
        finally:
            c.close()

    def watch(self, path, seconds=10, token=ADMIN):
        """Events, as they come, until the server ends the watch or nothing comes for so long."""
        c = self.connection(seconds)
        try:
            r = self.send(c, "GET", path, None, token, "")
            if r.status != 200:
                yield {"type": "HTTP", "object": {"code": r.status}}
                return
            for line in r:
                yield json.loads(line)
        except TimeoutError:
            return
        finally:
            c.close()

    def lease(self, name):
        return self.request("GET", f"{LEASES}/{name}")


class StandIn(Observer, KubeFake):
    real = False

    def __init__(self, test, **how):
        KubeFake.__init__(self, test.path("kubefake"), **how)
        self.tokens[NOBODY] = set()


class Real(Observer):
    """etcd and kube-apiserver as two processes; down(), up(), freeze() and thaw() as faults."""

    real = True

    def __init__(self, test, host="127.0.0.1"):
        self.folder, self.host, self.binary = test.path("kube"), host, apiserver()
        os.makedirs(self.folder, exist_ok=True)
        self.url = f"https://{host}:{PORT}"
        self.ca_file, self.cert, self.key = make_ca(self.folder + "/certs", 1, [host])
        self.etcd = self.api = None
        with open(self.folder + "/tokens.csv", "w") as f:
            f.write(f'{ADMIN},admin,1,"system:masters"\n{POD},pod,2,""\n{NOBODY},nobody,3,""\n')
        key = self.folder + "/account"
        subprocess.run(["openssl", "genrsa", "-out", key + ".key", "2048"], check=True, capture_output=True)
        subprocess.run(["openssl", "rsa", "-in", key + ".key", "-pubout", "-out", key + ".pub"], check=True, capture_output=True)
        self.etcd = self.spawn("etcd", "etcd", "--data-dir", self.folder + "/etcd",
                               "--listen-client-urls", f"http://127.0.0.1:{ETCD}",
                               "--advertise-client-urls", f"http://127.0.0.1:{ETCD}",
                               "--listen-peer-urls", f"http://127.0.0.1:{ETCD + 1}", "--unsafe-no-fsync")
        self.up()

    def spawn(self, name, *command):
        with open(f"{self.folder}/{name}.log", "ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def up(self):
        self.api = self.spawn(
            "apiserver", self.binary, f"--etcd-servers=http://127.0.0.1:{ETCD}", f"--secure-port={PORT}",
            f"--bind-address={self.host}", "--advertise-address=192.0.2.1",
            f"--tls-cert-file={self.cert}", f"--tls-private-key-file={self.key}", f"--token-auth-file={self.folder}/tokens.csv",
            "--authorization-mode=RBAC", f"--service-account-issuer={self.url}",
            f"--service-account-key-file={self.folder}/account.pub",
            f"--service-account-signing-key-file={self.folder}/account.key", "--service-cluster-ip-range=10.96.0.0/24",
            "--disable-admission-plugins=ServiceAccount", "--enable-priority-and-fairness=false",
            "--endpoint-reconciler-type=none")
        try:
            until(self.ready, 60, "kube-apiserver is ready")
        except Failed as e:
            with open(self.folder + "/apiserver.log", errors="replace") as f:
                raise Failed(f"{e}\n{f.read()[-3000:]}") from e

    def ready(self):
        return self.request("GET", "/readyz").text == "ok" and self.request("GET", "/api/v1/namespaces/default").status == 200

    def down(self):
        self.end(self.api)
        self.api = None

    def end(self, process):
        if process:
            process.send_signal(signal.SIGKILL)
            process.wait()

    def freeze(self):
        self.api.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.api.send_signal(signal.SIGCONT)

    def allow(self, token, *rights):
        """Rights for token's user, in force when this returns."""
        user = {POD: "pod", NOBODY: "nobody"}[token]
        groups = {"leases": "coordination.k8s.io", "pods": ""}
        rules = [{"apiGroups": [groups[r.split()[1]]], "resources": [r.split()[1]], "verbs": [r.split()[0]]} for r in rights]
        base = "/apis/rbac.authorization.k8s.io/v1/namespaces/default"
        self.request("POST", base + "/roles", {"metadata": {"name": user}, "rules": rules})
        self.request("POST", base + "/rolebindings", {
            "metadata": {"name": user}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": user},
            "subjects": [{"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}]})
        until(lambda: self.request("GET", LEASES + "/none", token=token).status == 404, 10, "the rights are in force")

    def compact(self):
        """Forgets all versions but the newest, in etcd and in the server's cache."""
        self.down()
        env = {**os.environ, "ETCDCTL_API": "3"}
        out = subprocess.run(["etcdctl", f"--endpoints=http://127.0.0.1:{ETCD}", "endpoint", "status", "-w", "json"],
                             env=env, capture_output=True, check=True, text=True).stdout
        revision = json.loads(out)[0]["Status"]["header"]["revision"]
        subprocess.run(["etcdctl", f"--endpoints=http://127.0.0.1:{ETCD}", "compact", str(revision)],
                       env=env, capture_output=True, check=True)
        self.up()

    def close(self):
        self.end(self.api)
        self.end(self.etcd)


def start(test, real=None, **how):
    """The real server where it is here, else the stand-in; it is closed with the test."""
    server = Real(test, **how) if (bool(apiserver()) if real is None else real) else StandIn(test, **how)
    test.servers.append(server)
    return server


def tool(test):
    here = os.path.dirname(os.path.abspath(__file__))
    for folder in (os.environ.get("PODGRES_TEST_TOOLS"), os.path.dirname(test.binary) + "/tools", here + "/../../../build/tools"):
        if folder and os.path.exists(folder + "/kubecli"):
            return folder + "/kubecli"
    raise Failed("kubecli is not built: make tools")


class Client:
    """tests/system/kubecli: the Kubernetes client of podgres, driven line by line."""

    def __init__(self, test, kube, token=POD, url=None, name="client"):
        self.token_file = test.path(f"{name}.token")
        self.set_token(token)
        self.errors = open(test.path(f"{name}.stderr"), "wb")
        self.process = subprocess.Popen(
            [tool(test), url or kube.url, self.token_file, kube.ca_file if kube.url.startswith("https") else "", "default"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.held, self.lines, self.n = b"", [], 0
        test.servers.append(self)

    def set_token(self, token):
        with open(self.token_file + ".new", "w") as f:
            f.write(token)
        os.rename(self.token_file + ".new", self.token_file)

    def tell(self, *words):
        self.process.stdin.write((" ".join(str(w) for w in words) + "\n").encode())
        self.process.stdin.flush()

    def read(self):
        data = self.process.stdout.read()
        if data == b"":
            raise Failed(f"kubecli ended: {self.process.wait()}")
        *whole, self.held = (self.held + (data or b"")).split(b"\n")
        self.lines += [json.loads(line) for line in whole]
        return self.lines

    def begin(self, method, path, body=None, ms=5000, kind="-"):
        self.n += 1
        text = "" if body is None else body if isinstance(body, str) else json.dumps(body)
        self.tell("call", self.n, method, ms, path, kind, *([text] if text else []))
        return self.n

    def renew(self, name, holder, ms=5000):
        """GET, change what is ours, PUT; or create it."""
        self.n += 1
        self.tell("renew", self.n, name, holder, ms)
        return self.n

    def wait(self, n, seconds=20):
        return until(lambda: next((x for x in self.read() if x.get("id") == n), None), seconds, f"answer {n} of kubecli")

    def call(self, method, path, body=None, **how):
        return self.wait(self.begin(method, path, body, **how))

    def watch(self, path, call_ms=2000, silence_ms=5000):
        self.tell("watch", call_ms, silence_ms, path)

    def events(self, *kinds):
        return [x for x in self.read() if "event" in x and (not kinds or x["event"] in kinds)]

    def event(self, check, seconds=20, what="an event"):
        return until(lambda: next((x for x in self.events() if check(x)), None), seconds, what)

    def forget(self):
        self.read()
        self.lines = []

    def close(self):
        self.process.stdin.close()
        try:
            status = self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        self.errors.close()
        if status:
            with open(self.errors.name, errors="replace") as f:
                raise Failed(f"kubecli ended with {status}: {f.read()[-4000:]}")

