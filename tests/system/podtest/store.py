"""store - what an archive holds, seen without podgres: a folder or a bucket, and Barman's names in it."""
import bz2
import gzip
import hashlib
import lzma
import os
import re
import subprocess

from .check import eq, ok, until

EXTENSIONS = (".gz", ".bz2", ".xz", ".zst", ".lz4", ".snappy")
SEGMENT = re.compile(r"^[0-9A-F]{24}$")


class Folder:
    """A file:// store."""

    def __init__(self, path):
        self.root = path

    def read(self, key):
        with open(os.path.join(self.root, key), "rb") as f:
            return f.read()

    def put(self, key, body):
        path = os.path.join(self.root, key)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(body)

    def delete(self, key):
        os.unlink(os.path.join(self.root, key))

    def objects(self, prefix=""):
        found = {}
        for folder, _, names in os.walk(self.root):
            for name in names:
                path = os.path.join(folder, name)
                key = os.path.relpath(path, self.root)
                if key.startswith(prefix):
                    try:
                        st = os.stat(path)
                    except FileNotFoundError:
                        continue
                    found[key] = (st.st_size, f"{st.st_ino}-{st.st_mtime_ns}", st.st_mtime)
        return found

    def uploads(self):
        """Temporary names that something left behind."""
        return [k for k in self.objects() if "/." in "/" + k or k.endswith(".tmp")]


def unpacked(key, body):
    """The bytes of an object before compression, by the end of its name."""
    if key.endswith(".gz"):
        return gzip.decompress(body)
    if key.endswith(".bz2"):
        return bz2.decompress(body)
    if key.endswith(".xz"):
        return lzma.decompress(body)
    for ext, tool in ((".zst", "zstd"), (".lz4", "lz4")):
        if key.endswith(ext):
            return subprocess.run([tool, "-dc"], input=body, capture_output=True, check=True).stdout
    return body


def stem(key):
    name = key.rsplit("/", 1)[-1]
    for ext in EXTENSIONS:
        if name.endswith(ext):
            return name[:-len(ext)]
    return name


class Archive:
    """SERVER's part of a store (Folder or s3.Bucket), below a path of it."""

    def __init__(self, store, server, path=""):
        self.store, self.server = store, server
        self.prefix = (path.strip("/") + "/" if path else "") + server + "/"

    def wal(self):
        """{name of a file of pg_wal: key}; two objects for one file are a failure."""
        found = {}
        for key in self.store.objects(self.prefix + "wals/"):
            name = stem(key)
            ok(name not in found, f"two objects hold {name}: {found.get(name)} and {key}")
            found[name] = key
        return found

    def segments(self):
        return {n: k for n, k in self.wal().items() if SEGMENT.match(n)}

    def digest(self, key):
        return hashlib.sha256(unpacked(key, self.store.read(key))).hexdigest()

    def backups(self):
        """IDs that have a backup.info."""
        return sorted(k.split("/")[-2] for k in self.store.objects(self.prefix + "base/") if k.endswith("/backup.info"))

    def info(self, backup):
        text = self.store.read(f"{self.prefix}base/{backup}/backup.info").decode()
        return dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))


def next_segment(name, bytes_each):
    timeline, number = name[:8], segment_number(name, bytes_each) + 1
    per = 0x100000000 // bytes_each
    return f"{timeline}{number // per:08X}{number % per:08X}"


def segment_number(name, bytes_each):
    return int(name[8:16], 16) * (0x100000000 // bytes_each) + int(name[16:24], 16)


def no_gap(names, bytes_each=16 << 20):
    """Fails when a segment between the first and the last of a timeline is missing."""
    by_timeline = {}
    for name in names:
        by_timeline.setdefault(name[:8], []).append(segment_number(name, bytes_each))
    for timeline, numbers in by_timeline.items():
        numbers.sort()
        missing = sorted(set(range(numbers[0], numbers[-1] + 1)) - set(numbers))
        eq(missing, [], f"missing segments of timeline {timeline} between {numbers[0]} and {numbers[-1]}")


# ---- manifests ----

def secret(test, name, key, text):
    """Writes a Secret's key; returns what a manifest says to name it."""
    path = test.file(f"secrets/{name}/{key}", text, 0o644)
    for folder in (os.path.dirname(path), os.path.dirname(os.path.dirname(path))):
        os.chmod(folder, 0o755)
    return f"{{name: {name}, key: {key}}}"


class Target:
    """Where an archive goes: what a manifest says of it, and how a test looks at it."""

    def __init__(self, test, store, destination, lines=()):
        self.test, self.store, self.destination, self.lines = test, store, destination, list(lines)

    @classmethod
    def folder(cls, test, name="archive"):
        path = test.folder(name)
        return cls(test, Folder(path), f"file://{path}")

    @classmethod
    def bucket(cls, test, bucket, endpoint, keys=None, ca=None, path="barman"):
        """keys: (access key, secret[, session token]); ca: a PEM file."""
        keys = keys or (bucket.s3.key, bucket.s3.secret)
        lines = [f"endpointURL: {endpoint}", "s3Credentials:",
                 "  accessKeyId: " + secret(test, "store", "ACCESS_KEY_ID", keys[0]),
                 "  secretAccessKey: " + secret(test, "store", "SECRET_KEY", keys[1])]
        if len(keys) > 2:
            lines.append("  sessionToken: " + secret(test, "store", "TOKEN", keys[2]))
        if bucket.s3.region != "us-east-1":
            lines.append("  region: " + secret(test, "store", "REGION", bucket.s3.region))
        if ca:
            with open(ca) as f:
                lines.append("endpointCA: " + secret(test, "store-ca", "ca.crt", f.read()))
        return cls(test, bucket, f"s3://{bucket.name}/{path}", lines)

    @property
    def path(self):
        return self.destination.split("/", 3)[3] if self.destination.startswith("s3://") else ""

    def archive(self, server):
        return Archive(self.store, server, self.path)

    def object_store(self, indent, wal="", data="", server=""):
        lines = [f"destinationPath: {self.destination}", *self.lines]
        if server:
            lines.append(f"serverName: {server}")
        if wal:
            lines.append(f"wal: {{{wal}}}")
        if data:
            lines.append(f"data: {{{data}}}")
        return "".join(" " * indent + line + "\n" for line in ["barmanObjectStore:", *("  " + x for x in lines)])

    def manifest(self, name="pod", wal="compression: gzip, maxParallel: 2", data="", initdb="", backup="", spec=""):
        """A Cluster that archives here.  initdb, backup, spec: lines of those parts, without indentation."""
        def part(text, indent):
            return "".join(" " * indent + line + "\n" for line in text.splitlines())
        return ("apiVersion: postgresql.cnpg.io/v1\nkind: Cluster\n"
                f"metadata:\n  name: {name}\n  namespace: default\nspec:\n  instances: 1\n"
                + ("  bootstrap:\n    initdb:\n" + part(initdb, 6) if initdb else "")
                + part(spec, 2) + "  backup:\n" + part(backup, 4) + self.object_store(4, wal, data))

    def pod(self, name="pod", env=None, how=None, **manifest):
        """A pod that archives here; its server name is the cluster's, name."""
        env = {"PODGRES_SECRETS_DIR": self.test.path("secrets"), **(env or {})}
        self.test.folder("secrets", owner=False, mode=0o755)
        return self.test.pod(name, env=env, manifest=self.manifest(name, **manifest), **(how or {}))


def wait_archived(pod, archive, name, seconds=60):
    """Waits until the archive holds this file of pg_wal."""
    return until(lambda: archive.wal().get(name), seconds, f"{name} is in the archive of {pod.name}")


def take_backup(pod, seconds=120):
    """Takes a base backup, also right after the start."""
    out = pod.cli("backup", "create", check=False, seconds=seconds)
    eq(out.returncode, 0, f"podgres backup create: {out.stdout}{out.stderr}")
