"""source - a cluster that archives into a folder by cp, with base backups laid out as Barman does."""
import gzip
import json
import os
import shutil
import subprocess
import time

from .check import until
from .plain import Plain

ARCHIVE = """#!/bin/sh
set -e
case $2 in
*.history) to=$3/wals ;;
*) to=$3/wals/$(echo "$2" | cut -c 1-16) ;;
esac
mkdir -p "$to"
cp "$1" "$to/.$2" && mv "$to/.$2" "$to/$2"
"""


class Source:
    """A plain postgres; its archive is DIR/archive/src.  Segments have 1 MB."""

    def __init__(self, t, port=5499, server="src", options=("--wal-segsize=1",), pgdata=None):
        self.t, self.server, self.port = t, server, port
        self.folder = t.folder("archive")
        self.prefix = f"{self.folder}/{server}"
        self.script = t.file("archive.sh", ARCHIVE, 0o755)
        self.pgdata = pgdata or t.initdb("source", *options)
        self.ids = []
        self.server_process = None

    def start(self, *settings):
        self.server_process = Plain(self.t, self.pgdata, self.port, [
            "archive_mode=on", f"archive_command={self.script} %p %f {self.prefix}", "fsync=off", "wal_level=replica",
            "max_wal_size=200MB", *settings]).start()
        return self

    def stop(self):
        self.server_process.close()

    def psql(self, sql, **how):
        return self.server_process.psql(sql, **how)

    @property
    def destination(self):
        return f"file://{self.folder}"

    # ---- WAL ----

    def wal(self):
        found = []
        for _, _, names in os.walk(self.prefix + "/wals"):
            found += [n for n in names if not n.startswith(".")]
        return sorted(found)

    def switch(self):
        """Ends the segment and waits until it is in the archive."""
        self.psql("SELECT pg_create_restore_point('something to switch away from')")
        name = self.psql("SELECT pg_walfile_name(pg_switch_wal())")
        until(lambda: name in self.wal(), 20, f"{name} is archived")
        return name

    def now(self):
        return self.psql("SELECT clock_timestamp()")

    def snapshot(self):
        """Everything that is there, with size, time and inode."""
        found = {}
        for folder, _, names in os.walk(self.prefix):
            for name in names:
                st = os.stat(os.path.join(folder, name))
                found[os.path.join(folder, name)] = (st.st_size, st.st_mtime_ns, st.st_ino)
        return found

    # ---- base backups ----

    def backup(self, compress=True):
        """As barman-cloud-backup leaves it; returns the ID."""
        t = self.t
        begin = time.time()
        temp = t.folder(f"backup-{len(self.ids)}")
        t.as_postgres(t.bindir + "/pg_basebackup", "-D", temp + "/b", "-Ft", "-X", "none", "-c", "fast",
                      "-h", self.server_process.run_dir, "-p", str(self.port), "-U", "postgres", env={
                          "PATH": os.environ["PATH"], "LC_ALL": "C"})
        with open(temp + "/b/backup_manifest") as f:
            ranges = json.load(f)["WAL-Ranges"]
        end = time.time()
        while not self.ids or self.ids[-1] >= self.id_of(begin):
            if not self.ids:
                break
            begin += 1
        backup = self.id_of(begin)
        self.ids.append(backup)
        target = f"{self.prefix}/base/{backup}"
        os.makedirs(target)
        spaces = []
        for name in os.listdir(temp + "/b"):
            if not name.endswith(".tar"):
                continue
            to = "data.tar" if name == "base.tar" else name
            if compress:
                with open(f"{temp}/b/{name}", "rb") as i, gzip.open(f"{target}/{to}.gz", "wb", 1) as o:
                    shutil.copyfileobj(i, o)
            else:
                shutil.copy(f"{temp}/b/{name}", f"{target}/{to}")
        for row in self.psql("SELECT spcname, oid, pg_tablespace_location(oid) FROM pg_tablespace "
                             "WHERE oid NOT IN (1663, 1664)").splitlines():
            name, oid, location = row.split("|")
            spaces.append((name, int(oid), location))
        self.info(target, ranges, begin, end, spaces)
        subprocess.run(["chown", "-R", "postgres:", self.prefix], check=True)
        return backup

    @staticmethod
    def id_of(seconds):
        return time.strftime("%Y%m%dT%H%M%S", time.gmtime(seconds))

    def info(self, target, ranges, begin, end, spaces):
        def when(s):
            return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(s)) + f".{int(s * 1e6) % 1000000:06d}+00:00"

        def segment(lsn, last):
            number = int(lsn.split("/")[0], 16) << 32 | int(lsn.split("/")[1], 16)
            number = (number - (1 if last else 0)) // size
            per = 0x100000000 // size
            return f"{timeline:08X}{number // per:08X}{number % per:08X}"

        size = int(self.psql("SELECT setting FROM pg_settings WHERE name = 'wal_segment_size'"))
        timeline = ranges[-1]["Timeline"]
        first, last = ranges[0]["Start-LSN"], ranges[-1]["End-LSN"]
        fields = {
            "backup_label": "None", "begin_offset": int(first.split("/")[1], 16) % size, "begin_time": when(begin),
            "begin_wal": segment(first, False), "begin_xlog": first, "compression": "None", "config_file": "None",
            "copy_stats": "None", "deduplicated_size": "None", "end_offset": int(last.split("/")[1], 16) % size,
            "end_time": when(end), "end_wal": segment(last, True), "end_xlog": last, "error": "None",
            "hba_file": "None", "ident_file": "None", "included_files": "None", "mode": "None",
            "pgdata": self.pgdata, "server_name": "cloud", "size": "None", "status": "DONE",
            "systemid": self.psql("SELECT system_identifier FROM pg_control_system()"),
            "tablespaces": repr(spaces) if spaces else "None", "timeline": timeline,
            "version": self.psql("SHOW server_version_num"), "xlog_segment_size": size}
        with open(target + "/backup.info", "w") as f:
            f.write("".join(f"{k}={v}\n" for k, v in sorted(fields.items())))

    # ---- what a manifest says of it ----

    def external(self, indent=4):
        lines = [f"- name: {self.server}", "  barmanObjectStore:", f"    destinationPath: {self.destination}",
                 f"    serverName: {self.server}", "    wal: {maxParallel: 2}"]
        return "".join(" " * indent + line + "\n" for line in lines)

    def manifest(self, name="pod", target="", recovery="", spec="", own=""):
        """A Cluster that is restored from here.  target: lines of recoveryTarget."""
        def part(text, indent):
            return "".join(" " * indent + line + "\n" for line in text.splitlines())
        return ("apiVersion: postgresql.cnpg.io/v1\nkind: Cluster\n"
                f"metadata:\n  name: {name}\n  namespace: default\nspec:\n  instances: 1\n"
                f"  bootstrap:\n    recovery:\n      source: {self.server}\n" + part(recovery, 6)
                + ("      recoveryTarget:\n" + part(target, 8) if target else "") + part(spec, 2)
                + (f"  backup:\n    barmanObjectStore:\n      destinationPath: {own}\n" if own else "")
                + "  externalClusters:\n" + self.external())
