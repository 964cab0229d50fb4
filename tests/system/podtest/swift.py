"""swift - OpenStack Swift with s3api in a test's own network: a second, independent S3 server.

It differs from RGW where clients tend to assume: 501 for If-None-Match, a strict region, Content-MD5
required for DeleteObjects, access keys with a colon, connections that it closes after an error without
saying so.
"""
import os
import shutil
import subprocess
import time

from .check import Failed, until
from .s3 import S3, Bucket

PORT = 7600
KEY, SECRET, REGION = "test:tester", "testing", "eu-test-1"
PARTS = ("account", "container", "object")

COMMON = """[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
user = root
swift_dir = {d}/etc
devices = {d}/node
mount_check = false
disable_fallocate = true
log_address = {d}/log/none
eventlet_debug = false
fallocate_reserve = 0
"""
PROXY = """[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck cache listing_formats bulk s3api tempauth copy slo dlo versioned_writes symlink proxy-server
[app:proxy-server]
use = egg:swift#proxy
allow_account_management = true
account_autocreate = true
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:{memcached}
[filter:s3api]
use = egg:swift#s3api
location = {region}
s3_acl = false
check_bucket_owner = false
allow_multipart_uploads = true
min_segment_size = 5242880
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = {secret} .admin
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_versioned_writes = true
allow_object_versioning = true
"""
PLAIN_FILTERS = ("catch_errors", "gatekeeper", "healthcheck", "listing_formats", "bulk", "copy", "slo", "dlo", "symlink")


def missing():
    return [p for p in ("swift-proxy-server", "swift-ring-builder", "memcached") if not shutil.which(p)]


class Swift:
    def __init__(self, folder):
        self.dir = folder
        self.children = []
        self.endpoint = f"http://127.0.0.1:{PORT}"

    def write(self, name, text):
        with open(f"{self.dir}/etc/{name}", "w") as f:
            f.write(text)

    def ring(self, *args):
        # Its exit code 1 is a warning.
        out = subprocess.run(["swift-ring-builder", *args], cwd=self.dir + "/etc", capture_output=True, text=True,
                             check=False)
        if out.returncode > 1:
            raise Failed(f"swift-ring-builder {args}: {out.stdout}{out.stderr}")

    def make(self):
        for name in ("etc", "node/sdb1", "log", "cache"):
            os.makedirs(f"{self.dir}/{name}", exist_ok=True)
        self.write("swift.conf", "[swift-hash]\nswift_hash_path_suffix = s\nswift_hash_path_prefix = p\n"
                                 "[storage-policy:0]\nname = gold\ndefault = yes\n")
        for i, name in enumerate(PARTS, 1):
            self.write(name + ".conf", COMMON.format(port=PORT + i, d=self.dir)
                       + f"[pipeline:main]\npipeline = {name}-server\n[app:{name}-server]\nuse = egg:swift#{name}\n")
            self.ring(name + ".builder", "create", "4", "1", "1")
            self.ring(name + ".builder", "add", f"r1z1-127.0.0.1:{PORT + i}/sdb1", "1")
            self.ring(name + ".builder", "rebalance")
        self.write("proxy.conf", COMMON.format(port=PORT, d=self.dir)
                   + PROXY.format(memcached=PORT + 4, region=REGION, secret=SECRET)
                   + "".join(f"[filter:{x}]\nuse = egg:swift#{x}\n" for x in PLAIN_FILTERS))

    def spawn(self, *command):
        with open(f"{self.dir}/log/{os.path.basename(command[0])}.out", "ab") as out:
            self.children.append(subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *command], stdout=out, stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL, env={**os.environ, "SWIFT_DIR": self.dir + "/etc"}, cwd="/"))

    def start(self):
        self.spawn("memcached", "-u", "root", "-l", "127.0.0.1", "-p", str(PORT + 4), "-m", "32")
        for name in PARTS:
            self.spawn(f"swift-{name}-server", f"{self.dir}/etc/{name}.conf", "-v")
        self.spawn("swift-proxy-server", self.dir + "/etc/proxy.conf", "-v")
        until(lambda: self.s3().ask("GET", "/", timeout=2)[0] == 200, 60, "swift answers")

    def s3(self):
        return S3(self.endpoint, KEY, SECRET, REGION)

    def bucket(self, name="backups"):
        self.s3().make_bucket(name)
        return Bucket(self.s3(), name)

    def close(self):
        for child in self.children:
            child.kill()
            child.wait(10)


def start(test):
    if missing():
        raise Failed(f"not installed: {' '.join(missing())}; scripts/setup stores")
    began = time.monotonic()
    swift = Swift(test.path("swift"))
    test.servers.append(swift)
    swift.make()
    swift.start()
    print(f"swift ready after {time.monotonic() - began:.1f} s")
    return swift
