"""wal_doubts - what must not pass for "stored" or "not there", and what must not be said too often."""
import json
import os
import subprocess
import time

from podtest import eq, ok, rgw, test, until, walgen
from podtest.proxy import Proxy
from podtest.store import Target
from test_archive import switches
from test_archive_s3 import KEEP, ONE_MB, all_out, check_all, ready
from test_upgrade import upgrade
from test_wal_restore import client

NAME = "000000010000000000000050"


def begin(t, target=None, **manifest):
    target = target or Target.folder(t)
    pod = target.pod(**{"wal": "compression: gzip", "initdb": ONE_MB, "spec": KEEP, **manifest})
    pod.start()
    pod.wait_ready()
    return target, pod


@test(seconds=90)
def test_an_empty_mount_point_is_not_the_end_of_the_archive(t):
    target, pod = begin(t)
    all_out(pod, walgen.fill(pod, 2, 1 << 20))
    dest = pod.pgdata + "/pg_wal/RECOVERYXLOG"
    client(t, pod, NAME, dest, check=1)
    root = target.store.root
    os.rename(root, root + ".away")
    os.mkdir(root, 0o755)
    os.chown(root, os.stat(root + ".away").st_uid, os.stat(root + ".away").st_gid)
    time.sleep(2.5)  # what is known to be absent is known for two seconds
    last = walgen.fill(pod, 1, 1 << 20)
    asked = subprocess.Popen([os.path.join(os.path.dirname(t.binary), "podgres-wal"), "--socket",
                              pod.run_dir + "/wal.sock", "restore", NAME, dest])
    time.sleep(8)
    eq(asked.poll(), None, "an answer while the volume is away")
    ok("is the volume mounted" in json.dumps(pod.status()["archive"]), f"{pod.status()['archive']}")
    os.rmdir(root)  # it is empty
    os.rename(root + ".away", root)
    eq(asked.wait(30), 1, "the answer once it is back")
    all_out(pod, last)
    check_all(pod, target.archive("pod"))
    pod.stop()


@test(seconds=90)
def test_more_transfers_than_there_are_workers_are_no_trouble(t):
    target, pod = begin(t, wal="maxParallel: 64")
    os.chmod(target.store.root, 0)
    last = switches(pod, 120)
    os.chmod(target.store.root, 0o755)
    until(lambda: last in target.archive("pod").segments() or not ready(pod), 60, "all is archived")
    eq([x for x in pod.log_text().splitlines() if "was not started" in x], [], "transfers that were not started")
    pod.stop()


def slow(t, **how):
    """A pod whose way to the store takes its time."""
    server = rgw.start(t)
    proxy = Proxy(("127.0.0.1", rgw.PORT))
    target = Target.bucket(t, server.bucket(), proxy.endpoint)
    return proxy, *begin(t, target, how=how)


@test(seconds=150)
def test_the_last_segment_may_take_longer_than_a_moment(t):
    proxy, target, pod = slow(t, args=["--grace", "60s"])
    all_out(pod, walgen.fill(pod, 2, 1 << 20))
    pod.psql("CREATE TABLE t AS SELECT 1 AS x")
    last = pod.psql("SELECT pg_walfile_name(pg_current_wal_lsn())")
    proxy.fault("delay", match="PUT", seconds=19)
    pod.stop(seconds=70)
    ok(last in target.archive("pod").segments(), f"{last} is in the archive")


@test(seconds=120)
def test_keys_are_in_nobodys_arguments_environment_or_words(t):
    _, target, pod = slow(t)
    all_out(pod, walgen.fill(pod, 3, 1 << 20))
    seen = pod.log_text() + json.dumps(pod.status()) + str(pod.get("/v1/wal").json())
    for proc in pod.procs():
        for what in ("cmdline", "environ"):
            try:
                with open(f"/proc/{proc.pid}/{what}", "rb") as f:
                    seen += f.read().decode(errors="replace")
            except (FileNotFoundError, ProcessLookupError):  # a worker that has ended
                pass
    ok(rgw.SECRET not in seen, "the secret key")
    pod.stop()


@test(seconds=60)
def test_keys_of_the_environment_do_not_reach_postgres(t):
    """A role that may read files would find them in /proc/self/environ."""
    target = Target.folder(t)
    pod = target.pod(env={"AWS_ACCESS_KEY_ID": "anybody", "AWS_SECRET_ACCESS_KEY": "nobodyshallsee", "AWS_SESSION_TOKEN": "this"})
    pod.start()
    pod.wait_ready()
    for proc in pod.postgres_tree():
        with open(f"/proc/{proc.pid}/environ", "rb") as f:
            ok(b"AWS_" not in f.read(), proc.cmdline)
    pod.stop()


@test(seconds=120)
def test_upgrades_lose_no_segment_that_is_on_its_way(t):
    target, pod = begin(t, wal="compression: gzip, maxParallel: 4")
    for _ in range(5):
        last = switches(pod, 40)
        upgrade(pod)
    all_out(pod, last)
    ok(check_all(pod, target.archive("pod")) >= 200, "segments")
    eq([x for x in pod.log_text().splitlines() if "other content" in x], [], "alarms")
    pod.stop()
