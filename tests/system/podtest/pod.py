"""pod - one podgres, PID 1 of a PID namespace, as a container would have it."""
import json
import os
import signal
import subprocess
import time

from . import http
from .check import eq, ok, until
from .proc import Proc, children_of, in_namespace, namespace_of, psql


class Ended(Exception):
    """podgres ended while the test waited for something of it."""


class Pod:
    """Paths: DIR/NAME/data is PGDATA, DIR/NAME/run the run folder, DIR/NAME/log what it wrote."""

    def __init__(self, test, name, pgdata=None, env=None, args=(), manifest=None, port=5432, http_port=8000):
        self.test = test
        self.name = name
        self.pgdata = pgdata or test.path(name, "data")
        self.run_dir = test.path(name, "run")
        self.port = port
        self.http_port = http_port
        self.metrics_port = http_port + 1187
        self.args = list(args)
        self.extra_env = dict(env or {})
        self.manifest = test.file(f"{name}-config/cluster.yaml", manifest) if manifest else None
        self.stdout = test.path(name + ".log")
        self.child = None
        self.init = None
        self.ns = None
        test.folder(name)
        open(self.stdout, "ab").close()

    # ---- life ----

    def environment(self):
        env = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "PGDATA": self.pgdata, "PGPORT": str(self.port),
               "PODGRES_RUN_DIR": self.run_dir, "POD_NAME": self.name + "-1", "CLUSTER_NAME": self.name,
               "POD_NAMESPACE": "default",
               "ASAN_OPTIONS": f"log_path={self.test.dir}/sanitizer:abort_on_error=0:detect_leaks=0",
               "UBSAN_OPTIONS": f"log_path={self.test.dir}/sanitizer:halt_on_error=1:print_stacktrace=1"}
        if self.test.given_bindir:
            env["PODGRES_BINDIR"] = self.test.given_bindir
        if self.manifest:
            env["PODGRES_CONFIG"] = self.manifest
        return {**env, **self.extra_env}

    def command(self):
        return [self.test.binary, "run", "--listen", f"127.0.0.1:{self.http_port}",
                "--metrics-listen", f"127.0.0.1:{self.metrics_port}", *self.args]

    def start(self, stdout=None):
        """Starts it and returns when PID 1 of the namespace is there.  stdout: a descriptor instead of the log."""
        out = stdout if stdout is not None else os.open(self.stdout, os.O_WRONLY | os.O_APPEND)
        self.started_at = time.monotonic()
        self.child = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--pid", "--fork", "--mount-proc", "--kill-child",
             *self.command()],
            stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=self.environment(), cwd="/")
        if stdout is None:
            os.close(out)
        self.init = until(self._find_init, 10, "PID 1 of the namespace")
        self.ns = namespace_of(self.init.pid)
        return self

    def _find_init(self):
        if self.child.poll() is not None:
            return Proc(os.getpid())  # it ended at once; wait() will tell
        found = [p for p in children_of(self.child.pid) if p.nspid == 1]
        return found[0] if found else None

    def wait_ready(self, seconds=40):
        def ready():
            ended = self.child.poll()
            if ended is not None:
                raise Ended(f"{self.name} ended with {ended} instead of getting ready")
            return self.get("/readyz").status == 200
        return until(ready, seconds, f"{self.name} is ready")

    def wait_state(self, state, seconds=30):
        until(lambda: self.status()["state"] == state, seconds, f"{self.name} is in state {state}")
        return self.status()

    def signal(self, sig):
        self.init.kill(sig)

    def wait(self, seconds=40):
        """The exit code, or -N when signal N ended it."""
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            ok(False, f"{self.name} did not end within {seconds} s")

    def stop(self, seconds=40, code=0):
        """An orderly end, which has to be clean."""
        self.signal(signal.SIGTERM)
        eq(self.wait(seconds), code, "exit code after SIGTERM")
        eq(self.procs(), [], "processes left behind")

    def kill(self):
        """As when the node loses power: everything in the pod ends at once."""
        self.signal(signal.SIGKILL)
        self.child.wait(10)

    def close(self):
        if self.child and self.child.poll() is None:
            try:
                self.init.kill(signal.SIGCONT)
                self.init.kill(signal.SIGKILL)
            except OSError:
                pass
            self.child.kill()
            self.child.wait(10)

    # ---- what it is made of ----

    def procs(self):
        """Everything that lives in the pod, zombies too."""
        return in_namespace(self.ns) if self.ns else []

    def zombies(self):
        return [p for p in self.procs() if p.state == "Z"]

    def postmaster(self):
        """The postmaster, or None."""
        for p in self.procs():
            if p.comm == "postgres" and p.ppid == self.init.pid and p.state != "Z" and " -D " in p.cmdline:
                return p
        return None

    def postgres_tree(self):
        return [p for p in self.procs() if p.comm == "postgres" and p.state != "Z"]

    def service(self, name):
        """The process of a service by the name it was started with, or None."""
        for p in self.procs():
            # Its forked children have the same command line.
            if f"service {name}" in p.cmdline and p.state != "Z" and p.ppid == self.init.pid:
                return p
        return None

    def archiver(self):
        """The archiver and its workers; empty while there is none."""
        service = self.service("archiver")
        return [service] + [p for p in self.procs() if p.ppid == service.pid and p.state != "Z"] if service else []

    def inside(self, *command, **how):
        """Like docker exec: a process in the pod that PID 1 did not start."""
        return subprocess.Popen(["nsenter", "-t", str(self.init.pid), "--pid", "--mount", *command],
                                stdin=subprocess.DEVNULL, **how)

    # ---- asking it ----

    @property
    def socket(self):
        return self.run_dir + "/control.sock"

    @property
    def tcp(self):
        return ("127.0.0.1", self.http_port)

    def get(self, path, **how):
        return http.request(self.tcp, "GET", path, **how)

    def post(self, path, body=None, **how):
        return http.request(self.socket, "POST", path, body, **how)

    def order(self, what, seconds=30, status=200, body=None):
        """An order that is waited for; returns the answer."""
        a = self.post(f"/v1/{what}?wait={seconds}s", body, timeout=seconds + 5)
        eq(a.status, status, f"POST /v1/{what}: {a.text[:300]}")
        return a

    def status(self):
        a = self.get("/pg/status")
        eq(a.status, 200, "GET /pg/status")
        return a.json()

    def psql(self, sql, **how):
        return psql(self.test, self.run_dir, self.port, sql, **how)

    def cli(self, *args, check=True, seconds=60):
        """podgres ARGS against this pod, as root outside of it."""
        out = subprocess.run([self.test.binary, *args], capture_output=True, text=True, timeout=seconds,
                             env=self.environment(), cwd="/")
        if check:
            eq(out.returncode, 0, f"podgres {' '.join(args)}: {out.stdout}{out.stderr}")
        return out

    def control(self, field):
        """A line of pg_controldata."""
        out = subprocess.run([self.test.bindir + "/pg_controldata", self.pgdata], capture_output=True, text=True,
                             env={"LC_ALL": "C", "PATH": os.environ["PATH"]}, check=False)
        for line in out.stdout.splitlines():
            if line.startswith(field + ":"):
                return line.split(":", 1)[1].strip()
        return None

    # ---- what it wrote ----

    def log_text(self):
        with open(self.stdout, errors="replace") as f:
            return f.read()

    def log(self):
        """Its log lines as dictionaries; what is not JSON comes as {"raw": line}."""
        lines = []
        for line in self.log_text().splitlines():
            try:
                lines.append(json.loads(line))
            except ValueError:
                lines.append({"raw": line})
        return lines

    def logged(self, text):
        return text in self.log_text()
