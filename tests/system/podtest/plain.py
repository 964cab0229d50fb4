"""plain - postgres without podgres: what others start, and what a restore is checked with."""
import os
import signal
import subprocess

from .check import until
from .pod import Ended
from .proc import psql


def own(t, path, mode=0o700):
    os.makedirs(path, exist_ok=True)
    subprocess.run(["chown", "-R", "postgres:postgres", path], check=True)
    os.chmod(path, mode)
    return path


class Plain:
    """postgres without podgres; settings are texts NAME=VALUE."""

    def __init__(self, t, pgdata, port, settings=()):
        self.t, self.pgdata, self.port = t, pgdata, port
        self.run_dir = t.folder(f"socket-{port}", mode=0o755)
        # On its command line, so that the data directory stays what it was.
        self.settings = [f"port={port}", f"unix_socket_directories={self.run_dir}", "listen_addresses=",
                         "logging_collector=off", *settings]
        self.log = open(t.path(f"plain-{port}.log"), "ab")
        self.child = None

    def start(self, seconds=60):
        self.child = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "setpriv", "--reuid", "postgres", "--regid", "postgres", "--init-groups",
             self.t.bindir + "/postgres", "-D", self.pgdata,
             *(x for one in self.settings for x in ("-c", one))], stdout=self.log, stderr=self.log,
            stdin=subprocess.DEVNULL, cwd="/", env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"})
        self.t.servers.append(self)
        until(self.up, seconds, f"postgres in {self.pgdata} is up")
        return self

    def up(self):
        """Out of recovery; when it has ended instead, what it said last."""
        if self.child.poll() is not None:
            with open(self.log.name, errors="replace") as f:
                raise Ended("".join(x for x in f.readlines()[-40:] if "is starting up" not in x))
        return self.psql("SELECT pg_is_in_recovery()") == "f"

    def psql(self, sql, **how):
        return psql(self.t, self.run_dir, self.port, sql, **how)

    def close(self):
        if self.child and self.child.poll() is None:
            self.child.send_signal(signal.SIGINT)
            try:
                self.child.wait(20)
            except subprocess.TimeoutExpired:
                self.child.kill()


def conf_of_a_plain_server(pgdata):
    """What podgres wrote there refers to its own files; a server by hand has its own configuration."""
    for name in ("postgresql.conf", "postgresql.auto.conf"):
        open(f"{pgdata}/{name}", "w").close()
    with open(pgdata + "/pg_hba.conf", "w") as f:
        f.write("local all all trust\n")
    open(pgdata + "/pg_ident.conf", "w").close()
