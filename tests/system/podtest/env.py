"""env - what a test is given: its folder, the binary, a PostgreSQL, and the pods it makes."""
import glob
import os
import pwd
import subprocess

from .pod import Pod
from .proc import psql


def newest_bindir():
    found = glob.glob("/usr/lib/postgresql/*/bin")
    return max(found, key=lambda p: int(p.split("/")[4]))


class Test:
    def __init__(self, folder, binary, bindir):
        self.dir = folder
        self.binary = binary
        self.given_bindir = bindir
        self.bindir = bindir or newest_bindir()
        self.user = pwd.getpwnam("postgres")
        self.pods = []
        self.servers = []  # what else a test started; each has close()
        out = subprocess.run([self.bindir + "/postgres", "--version"], capture_output=True, text=True, check=True)
        self.major = int(out.stdout.split()[2].split(".")[0].split("r")[0].split("b")[0])

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def folder(self, name, owner=True, mode=0o700):
        """A new folder, the postgres user's unless owner is False."""
        path = self.path(name)
        os.makedirs(path, exist_ok=True)
        os.chmod(path, mode)
        if owner:
            os.chown(path, self.user.pw_uid, self.user.pw_gid)
        return path

    def file(self, name, text, mode=0o644):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def pod(self, name="pod", **how):
        pod = Pod(self, name, **how)
        self.pods.append(pod)
        return pod

    def started(self, name="pod", **how):
        """A pod whose postgres takes clients."""
        pod = self.pod(name, **how)
        pod.start()
        pod.wait_ready()
        return pod

    def as_postgres(self, *command, check=True, **how):
        return subprocess.run(
            ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--init-groups", *command],
            capture_output=True, text=True, check=check, cwd="/", **how)

    def initdb(self, name, *options):
        """A data directory that podgres has not made: PGDATA of a pod called name, before its start."""
        pgdata = self.path(name, "data")
        self.folder(name)
        self.as_postgres(self.bindir + "/initdb", "-D", pgdata, "-N", "-A", "trust",
                         "--encoding=UTF8", "--locale=C.UTF-8", *options)
        return pgdata

    def standby_of(self, primary, name="standby"):
        """A base backup of a running pod, with standby.signal and primary_conninfo, as PGDATA."""
        pgdata = self.path(name, "data")
        self.folder(name)
        self.as_postgres(self.bindir + "/pg_basebackup", "-D", pgdata, "-R", "-X", "stream", "-c", "fast",
                         "-h", primary.run_dir, "-p", str(primary.port), "-U", "postgres")
        if self.tool_major("pg_basebackup") != self.major:
            # A newer pg_basebackup writes options of its own libpq, which the older server refuses.
            with open(pgdata + "/postgresql.auto.conf", "a") as f:
                f.write(f"primary_conninfo = 'host={primary.run_dir} port={primary.port} user=postgres'\n")
        return pgdata

    def tool_major(self, tool):
        out = subprocess.run([f"{self.bindir}/{tool}", "--version"], capture_output=True, text=True, check=True)
        return int(out.stdout.split()[2].split(".")[0])

    def psql(self, pod, sql, **how):
        return psql(self, pod.run_dir, pod.port, sql, **how)

    def copy(self, source, name):
        subprocess.run(["cp", "-a", source, self.path(name)], check=True)
        return self.path(name)

    def close(self):
        for pod in self.pods:
            pod.close()
        for server in self.servers:
            server.close()
