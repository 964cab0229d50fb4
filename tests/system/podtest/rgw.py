"""rgw - a Ceph RADOS Gateway of a test's own, in the test's own network.

Making a new one takes five to eight seconds, starting one that was used three: so the first test of a
run that asks makes a template, and every test gets a copy of it.  What a test does to its server (kill,
freeze, suspend a user) is nobody else's trouble.
"""
import fcntl
import os
import re
import shutil
import signal
import subprocess
import time

from .check import Failed, until
from .s3 import S3, Bucket

PORT, TLS_PORT, MON = 7480, 7443, 7500
KEY, SECRET = "testkey", "testsecret0123456789"
FSID, OSD = "6b7c1a54-2f2c-4d0f-9a53-6f1d2f0a0001", "6b7c1a54-2f2c-4d0f-9a53-6f1d2f0a0100"

# One monitor that asks nobody, one object store in a sparse file, and the gateway.
CONF = """[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{mon},v1:127.0.0.1:{mon1}]
mon initial members = a
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind port min = {bind}
ms bind port max = {bind_end}
auth cluster required = none
auth service required = none
auth client required = none
auth supported = none
ms mon client mode = crc
run dir = {d}
admin socket = {d}/$name.asok
log file = {d}/log/$name.log
mon cluster log file = {d}/log/cluster.log
crash dir = {d}/crash
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
mon data avail crit = 1
mon data avail warn = 2
mon osd full ratio = .97
mon osd nearfull ratio = .95
mon osd backfillfull ratio = .96
osd failsafe full ratio = .98
paxos propose interval = 0.05
paxos min wait = 0.01
mon tick interval = 1
osd objectstore = bluestore
bluestore block create = true
bluestore block size = 17179869184
bluestore block db create = false
bluestore block wal create = false
bluestore fsck on mount = false
bluestore cache autotune = false
bluestore cache size = 134217728
osd memory target = 939524096
osd op num shards = 2
osd op num threads per shard = 1
osd class load list = *
osd class default list = *
[mon.a]
mon data = {d}/mon
[osd.0]
osd data = {d}/osd
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:{port} {tls}
rgw thread pool size = 32
rgw enable usage log = false
rgw init timeout = 60
{extra}
"""

# With it, every refusal is a plain AccessDenied, so only who needs tokens has it.
STS = "rgw s3 auth use sts = true\nrgw sts key = abcdefghijklmnop\n"


def missing():
    return [p for p in ("radosgw", "ceph-mon", "ceph-osd", "radosgw-admin") if not shutil.which(p)]


class Rgw:
    """A server in DIR; ports are its own network's."""

    def __init__(self, folder):
        self.dir = folder
        self.conf = folder + "/ceph.conf"
        self.children = {}
        self.endpoint = f"http://127.0.0.1:{PORT}"
        self.tls_endpoint = f"https://localhost:{TLS_PORT}"
        self.ca = folder + "/ca.pem"

    # ---- making ----

    def write_conf(self, extra=""):
        tls = ""
        if os.path.exists(self.dir + "/server.pem"):
            tls = f"ssl_endpoint=127.0.0.1:{TLS_PORT} ssl_certificate={self.dir}/server.pem"
        with open(self.conf, "w") as f:
            f.write(CONF.format(fsid=FSID, mon=MON, mon1=MON + 1, bind=MON + 2, bind_end=MON + 40,
                                d=self.dir, port=PORT, tls=tls, extra=extra))

    def run(self, *command, seconds=60):
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=seconds,
                              env={**os.environ, "CEPH_CONF": self.conf})

    def certificate(self):
        """A private authority and a certificate of it for localhost."""
        d = self.dir
        self.run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=podgres test CA",
                 "-keyout", d + "/ca.key", "-out", d + "/ca.pem")
        self.run("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-keyout", d + "/server.key",
                 "-out", d + "/server.csr")
        with open(d + "/san", "w") as f:
            f.write("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        self.run("openssl", "x509", "-req", "-in", d + "/server.csr", "-CA", d + "/ca.pem", "-CAkey", d + "/ca.key",
                 "-CAcreateserial", "-days", "30", "-extfile", d + "/san", "-out", d + "/server.crt")
        with open(d + "/server.pem", "w") as out:
            for name in ("server.key", "server.crt"):
                with open(f"{d}/{name}") as f:
                    out.write(f.read())

    def make(self):
        for name in ("mon", "osd", "log", "crash"):
            os.makedirs(f"{self.dir}/{name}", exist_ok=True)
        self.certificate()
        self.write_conf()
        self.run("monmaptool", "--create", "--clobber", "--addv", "a", f"[v2:127.0.0.1:{MON},v1:127.0.0.1:{MON + 1}]",
                 "--fsid", FSID, self.dir + "/monmap")
        self.run("ceph-mon", "-c", self.conf, "--mkfs", "-i", "a", "--monmap", self.dir + "/monmap")
        self.spawn("mon", "ceph-mon", "-c", self.conf, "-i", "a", "-f")
        self.run("ceph", "-c", self.conf, "osd", "new", OSD)
        self.run("ceph-osd", "-c", self.conf, "-i", "0", "--mkfs", "--osd-uuid", OSD)
        self.start()
        self.admin("user", "create", "--uid=test", "--display-name=test", f"--access-key={KEY}", f"--secret={SECRET}",
                   "--caps=roles=*;user-policy=*")
        self.stop()

    def copy_of(self, template):
        subprocess.run(["cp", "-a", "--sparse=always", "--reflink=auto", template, self.dir], check=True)
        return self

    # ---- life ----

    def spawn(self, name, *command):
        with open(f"{self.dir}/log/{name}.out", "ab") as out:
            self.children[name] = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *command], stdout=out, stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL, env={**os.environ, "CEPH_CONF": self.conf}, cwd="/")

    def osd_active(self):
        out = subprocess.run(["ceph", "--admin-daemon", self.dir + "/osd.0.asok", "status"], capture_output=True,
                             text=True, check=False)
        return '"state": "active"' in out.stdout

    def answers(self):
        if self.children["rgw"].poll() is not None:
            raise Failed("radosgw ended")
        return S3(self.endpoint).ask("GET", "/", timeout=2)[0] in (200, 403)

    def start(self):
        if "mon" not in self.children:
            self.spawn("mon", "ceph-mon", "-c", self.conf, "-i", "a", "-f")
        self.spawn("osd", "ceph-osd", "-c", self.conf, "-i", "0", "-f")
        # A gateway that is there before its store waits ten seconds at a time.
        until(self.osd_active, 40, "ceph-osd is active")
        self.start_gateway()
        return self

    def start_gateway(self):
        self.spawn("rgw", "radosgw", "-c", self.conf, "-n", "client.rgw", "-f")
        until(self.answers, 60, "radosgw answers")

    def signal(self, sig, who="rgw"):
        self.children[who].send_signal(sig)

    def kill(self, *who):
        """-9, and gone."""
        for name in who or list(self.children):
            child = self.children.pop(name)
            child.send_signal(signal.SIGCONT)
            child.kill()
            child.wait(10)

    def stop(self):
        # In this order the next start is quick: the osd says that it goes down to a monitor that listens.
        for name in ("rgw", "osd", "mon"):
            child = self.children.pop(name, None)
            if not child:
                continue
            child.send_signal(signal.SIGCONT)
            child.terminate()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait(10)

    close = kill

    # ---- for the tests ----

    def admin(self, *args):
        return self.run("radosgw-admin", "-c", self.conf, *args).stdout

    def s3(self, **how):
        return S3(self.endpoint, KEY, SECRET, **how)

    def bucket(self, name="backups"):
        self.s3().make_bucket(name)
        return Bucket(self.s3(), name)

    def session(self):
        """(access key, secret, token) that end after an hour."""
        s3 = self.s3()
        policy = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["sts:*","s3:*"],"Resource":["*"]}]}'
        s3.must("POST", "/", [("Action", "PutUserPolicy"), ("PolicyDocument", policy), ("PolicyName", "all"),
                              ("UserName", "test")])
        _, body = s3.must("POST", "/", [("Action", "GetSessionToken"), ("DurationSeconds", "3600")], service="sts")
        text = body.decode()
        return tuple(re.search(rf"<{n}>([^<]*)<", text).group(1) for n in ("AccessKeyId", "SecretAccessKey", "SessionToken"))


def template(work):
    """The folder of a server that was made and stopped; made by the first who asks.

    PODGRES_TEST_CACHE keeps it from one run to the next.
    """
    path = os.path.join(work, "rgw-template")
    with open(path + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(path + "/made"):
            if missing():
                raise Failed(f"not installed: {' '.join(missing())}; scripts/setup stores")
            shutil.rmtree(path, ignore_errors=True)
            os.makedirs(path)
            made = Rgw(path)
            try:
                made.make()
            finally:
                made.kill()
            open(path + "/made", "w").close()
    return path


def start(test, extra=""):
    """A running server in the test's network, which test.close() ends."""
    began = time.monotonic()
    rgw = Rgw(test.path("rgw")).copy_of(template(os.environ.get("PODGRES_TEST_CACHE", os.path.dirname(test.dir))))
    rgw.write_conf(extra)
    test.servers.append(rgw)
    rgw.start()
    print(f"radosgw ready after {time.monotonic() - began:.1f} s")
    return rgw
