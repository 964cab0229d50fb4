"""proc - processes as /proc shows them, and psql."""
import os
import subprocess


class Proc:
    """One process.  pid is ours, nspid the one inside the pod."""

    def __init__(self, pid):
        self.pid = pid
        with open(f"/proc/{pid}/stat") as f:
            stat = f.read()
        rest = stat[stat.rindex(")") + 2:].split()
        self.comm = stat[stat.index("(") + 1:stat.rindex(")")]
        self.state = rest[0]
        self.ppid = int(rest[1])
        self.started = int(rest[19])
        with open(f"/proc/{pid}/cmdline") as f:
            self.cmdline = f.read().replace("\0", " ").strip()
        self.nspid = pid
        with open(f"/proc/{pid}/status") as f:
            for line in f:
                if line.startswith("NSpid:"):
                    self.nspid = int(line.split()[-1])

    def kill(self, sig):
        os.kill(self.pid, sig)

    def alive(self):
        try:
            return Proc(self.pid).started == self.started and Proc(self.pid).state != "Z"
        except OSError:
            return False

    def __repr__(self):
        return f"<{self.pid}/{self.nspid} {self.state} {self.cmdline[:60]}>"


def all_procs():
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                found.append(Proc(int(name)))
            except (OSError, ValueError):
                continue  # it ended meanwhile
    return found


def namespace_of(pid):
    return os.readlink(f"/proc/{pid}/ns/pid")


def children_of(pid):
    return [p for p in all_procs() if p.ppid == pid]


def in_namespace(ns):
    found = []
    for p in all_procs():
        try:
            # A zombie's namespace link is unreadable; its parent tells.
            same = namespace_of(p.pid) == ns
        except OSError:
            try:
                same = namespace_of(p.ppid) == ns
            except OSError:
                same = False
        if same:
            found.append(p)
    return found


class PsqlError(OSError):
    """psql failed; an OSError, so that until() tries again."""


def psql(test, host, port, sql, db="postgres", user="postgres", seconds=20, env=None):
    """Rows as text, one line each, fields separated by |."""
    full = {"PATH": os.environ["PATH"], "PGCONNECT_TIMEOUT": "5", "LC_ALL": "C", **(env or {})}
    command = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--init-groups", "psql", "-X",
               "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-h", host, "-p", str(port), "-U", user, "-d", db, "-c", sql]
    try:
        out = subprocess.run(command, capture_output=True, text=True, timeout=seconds, env=full, cwd="/")
    except subprocess.TimeoutExpired as e:
        raise PsqlError(f"psql {sql!r}: no answer in {seconds} s") from e
    if out.returncode:
        raise PsqlError(f"psql {sql!r}: {out.stderr.strip()}")
    return out.stdout.strip()
