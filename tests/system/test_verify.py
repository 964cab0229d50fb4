"""verify - podgres backup and wal verify, delete, keep: a real archive, sound and then damaged."""
import json
import os

from podtest import eq, ok, scale, test, until, walgen
from podtest.store import Target
from test_archive_s3 import ONE_MB, all_out


def made(t):
    target = Target.folder(t)
    pod = target.pod(initdb=ONE_MB, wal="compression: gzip", data="compression: gzip, immediateCheckpoint: true",
                     backup='retentionPolicy: "redundancy 2"\n')
    pod.start()
    pod.wait_ready()
    pod.psql("CREATE TABLE rows (n int PRIMARY KEY)")
    pod.psql("INSERT INTO rows SELECT generate_series(1, 1000)")
    pod.cli("backup", "create", seconds=90)
    pod.psql("INSERT INTO rows SELECT generate_series(1001, 2000)")
    walgen.fill(pod, 3, 1 << 20)
    all_out(pod, walgen.switch(pod))
    return target, pod, t.file("cli.yaml", target.manifest("pod"))


def verify(pod, manifest, *args, code):
    out = pod.cli("backup", "verify", "--json", "--config", manifest, *args, check=False, seconds=120)
    eq(out.returncode, code, f"exit code of verify {args}: {out.stdout[-2000:]}{out.stderr}")
    return json.loads(out.stdout)


def flip(path, at):
    with open(path, "r+b") as f:
        f.seek(at)
        byte = f.read(1)
        f.seek(at)
        f.write(bytes([byte[0] ^ 0x40]))


@test(seconds=scale(120, 240))
def test_what_is_sound_is_restored_and_what_is_damaged_is_named(t):
    target, pod, manifest = made(t)
    archive = target.archive("pod")
    backup = archive.backups()[-1]
    told = verify(pod, manifest, code=0)
    eq(told["errors"], 0, "a fresh archive has no errors")
    ok(told["files"] > 900, f"every file was read: {told['files']}")
    told = verify(pod, manifest, backup, "--restore", "--to", t.path("drill"), code=0)
    drill = told["restore"]
    ok(drill["rtoSeconds"] > 0 and drill["rows"] >= 2000, f"it was restored and read: {drill}")
    ok(not os.path.exists(t.path("drill") + "/PG_VERSION"), "nothing is left of the drill")
    for how in (("delete", backup, "--yes"), ("delete", "latest", "--yes")):
        out = pod.cli("backup", *how, "--config", manifest, check=False)
        eq(out.returncode, 75, f"the last backup is not deleted: {out.stderr}")

    where = f"{target.store.root}/pod"
    flip(f"{where}/base/{backup}/data.tar.gz", os.path.getsize(f"{where}/base/{backup}/data.tar.gz") // 2)
    told = verify(pod, manifest, code=65)
    ok(any(f["object"] == "data.tar.gz" and "SHA-256" in f["message"] for f in told["findings"]), f"{told['findings']}")
    folder = f"{where}/wals/0000000100000000"
    segments = sorted(n for n in os.listdir(folder) if len(n) == 27)
    os.unlink(f"{folder}/{segments[-2]}")
    flip(f"{folder}/{segments[-1]}", 2000)
    told = verify(pod, manifest, code=65)
    ok(any(f["object"] == segments[-2][:24] for f in told["findings"]), f"the hole is named: {told['findings']}")
    out = pod.cli("wal", "verify", "--read", "--json", "--config", manifest, check=False)
    eq(out.returncode, 65, "damaged WAL")
    ok(any(f["object"] == segments[-1][:24] for f in json.loads(out.stdout)["findings"]), f"it is named: {out.stdout}")
    out = pod.cli("backup", "delete", backup, "--yes", "--force", "--config", manifest)
    ok(not os.path.exists(f"{where}/base/{backup}/backup.info"), f"by force it goes: {out.stdout}")


@test(seconds=scale(120, 240))
def test_after_each_backup_the_policy_is_applied(t):
    target, pod, _ = made(t)
    archive = target.archive("pod")
    first = archive.backups()[0]
    for n in range(2):
        walgen.fill(pod, 2, 1 << 20)
        pod.cli("backup", "create", seconds=90)
        if n == 0:
            ok(first in archive.backups(), "redundancy 2 keeps two")
    until(lambda: first not in archive.backups(), 30, "the oldest of three is gone")
    left = archive.backups()
    eq(len(left), 2, f"two are left: {left}")
    begin = pod.cli("backup", "show", left[0], "--json", "--config", t.path("cli.yaml"))
    begin = json.loads(begin.stdout)["beginWal"]
    folder = f"{target.store.root}/pod/wals/0000000100000000"
    until(lambda: min(n[:24] for n in os.listdir(folder)) == begin, 30, f"WAL begins with {begin}")
    eq(pod.cli("backup", "verify", "--config", t.path("cli.yaml"), check=False).returncode, 0, "what is left is sound")
