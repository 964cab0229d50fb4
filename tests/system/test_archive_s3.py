"""archive_s3 - WAL goes out to a folder, Ceph RGW and Swift, whole and unchanged; what stops it and what ends that."""
import hashlib
import os
import re

from podtest import eq, ok, rgw, scale, swift, test, until, walgen
from podtest.proxy import Proxy
from podtest.store import SEGMENT, Target, no_gap, secret

KEEP = 'postgresql:\n  parameters:\n    wal_keep_size: "4GB"\n    archive_timeout: "0"\n'
ONE_MB = "walSegmentSize: 1\n"


def in_pg_wal(pod, done=True):
    """{name: digest} of the segments that PostgreSQL takes for archived (or of all that are complete)."""
    found = {}
    for name in os.listdir(pod.pgdata + "/pg_wal/archive_status"):
        base, _, state = name.rpartition(".")
        if SEGMENT.match(base) and (state == "done" or not done):
            try:
                with open(f"{pod.pgdata}/pg_wal/{base}", "rb") as f:
                    found[base] = hashlib.sha256(f.read()).hexdigest()
            except FileNotFoundError:
                continue
    return found


def ready(pod):
    return [n for n in os.listdir(pod.pgdata + "/pg_wal/archive_status") if n.endswith(".ready")]


def check_all(pod, archive, bytes_each=1 << 20):
    """Everything reported stored is there with the bytes that pg_wal has, and nothing between is missing."""
    done, stored = in_pg_wal(pod), archive.segments()
    for name, digest in done.items():
        ok(name in stored, f"{name} counts as archived and is not in the store: {sorted(stored)}")
        eq(archive.digest(stored[name]), digest, f"digest of {name} in the store")
    no_gap(stored, bytes_each)
    return len(done)


def all_out(pod, last, seconds=60):
    until(lambda: not ready(pod) and last <= max(in_pg_wal(pod), default=""), seconds, f"{last} and all before are archived")


def load(t, target, segments, wal="compression: gzip, maxParallel: 2"):
    pod = target.pod(wal=wal, initdb=ONE_MB, spec=KEEP)
    pod.start()
    pod.wait_ready()
    last = walgen.fill(pod, segments, 1 << 20)
    all_out(pod, last)
    n = check_all(pod, target.archive("pod"))
    ok(n >= segments, f"{n} segments archived of {segments}")
    return pod


@test(tags=["asan", "versions"])
def test_every_segment_of_a_load_reaches_a_folder(t):
    pod = load(t, Target.folder(t), 20)
    eq(Target.folder(t).store.uploads(), [], "temporary names left in the folder")
    pod.stop()
    check_all(pod, Target.folder(t).archive("pod"))


@test()
def test_each_compression_arrives_as_it_went(t):
    for wal, ending in (("", ""), ("compression: zstd", ".zst"), ("compression: lz4, maxParallel: 3", ".lz4")):
        target = Target.folder(t, "archive" + ending)
        name = "pod" + ending.replace(".", "-")
        pod = target.pod(name, wal=wal, initdb=ONE_MB, spec=KEEP)
        pod.start()
        pod.wait_ready()
        all_out(pod, walgen.fill(pod, 3, 1 << 20))
        stored = target.archive(name)
        check_all(pod, stored)
        for segment, key in stored.segments().items():
            ok(key.endswith(segment + ending), f"{key} ends in {ending!r}")
        pod.stop()


@test(seconds=120)
def test_every_segment_of_a_load_reaches_ceph_and_what_is_left_at_the_end_too(t):
    server = rgw.start(t)
    target = Target.bucket(t, server.bucket(), server.endpoint)
    pod = load(t, target, scale(20, 200))
    # The last, unfinished segment leaves the pod when it stops.
    pod.psql("INSERT INTO filler (junk) VALUES ('the last row')")
    pod.stop()
    check_all(pod, target.archive("pod"))
    eq(ready(pod), [], "segments that were left behind")
    eq(target.store.uploads(), [], "uploads that were left open")


@test(seconds=120)
def test_every_segment_of_a_load_reaches_swift(t):
    server = swift.start(t)
    target = Target.bucket(t, server.bucket(), server.endpoint)
    load(t, target, 10)


@test(seconds=120)
def test_tls_with_a_private_authority_and_no_other(t):
    server = rgw.start(t)
    target = Target.bucket(t, server.bucket(), server.tls_endpoint, ca=server.ca)
    load(t, target, 5).stop()
    other = rgw.Rgw(t.folder("other", owner=False))
    other.certificate()
    bad = Target.bucket(t, target.store, server.tls_endpoint, ca=other.ca, path="other")
    pod = bad.pod("mallory", initdb=ONE_MB)
    pod.start()
    pod.wait_ready()
    walgen.fill(pod, 1, 1 << 20)
    until(lambda: re.search("certificate|SSL|TLS", str(pod.status()["archive"])), 30, "the status names the certificate")
    eq(bad.archive("mallory").segments(), {}, "segments behind an unknown certificate")


@test(seconds=150)
def test_a_wrong_secret_a_rotated_one_and_a_suspended_user(t):
    server = rgw.start(t)
    target = Target.bucket(t, server.bucket(), server.endpoint, keys=("testkey", "wrong"))
    pod = target.pod(initdb=ONE_MB, spec=KEEP)
    pod.start()
    pod.wait_ready()
    last = walgen.fill(pod, 2, 1 << 20)
    until(lambda: re.search("SignatureDoesNotMatch", str(pod.status()["archive"])), 40, "the status says why")
    eq(in_pg_wal(pod), {}, "segments that count as archived with a wrong secret")
    # The Secret is put right; nobody restarts anything.
    secret(t, "store", "SECRET_KEY", rgw.SECRET)
    all_out(pod, last, 90)
    check_all(pod, target.archive("pod"))
    # Rotated: the old key is gone before the new one is mounted.
    server.admin("key", "create", "--uid=test", "--access-key=second", "--secret=secondsecret0123")
    server.admin("key", "rm", "--uid=test", "--access-key=testkey")
    target.store.s3.key, target.store.s3.secret = "second", "secondsecret0123"
    last = walgen.fill(pod, 2, 1 << 20)
    until(lambda: "InvalidAccessKeyId" in str(pod.status()["archive"]), 40, "the status says why")
    secret(t, "store", "ACCESS_KEY_ID", "second")
    secret(t, "store", "SECRET_KEY", "secondsecret0123")
    all_out(pod, last, 90)
    check_all(pod, target.archive("pod"))
    server.admin("user", "suspend", "--uid=test")
    last = walgen.fill(pod, 2, 1 << 20)
    until(lambda: re.search("UserSuspended", str(pod.status()["archive"])), 40, "the status says why")
    server.admin("user", "enable", "--uid=test")
    all_out(pod, last, 90)
    check_all(pod, target.archive("pod"))
    ok("secondsecret0123" not in pod.log_text() and rgw.SECRET not in pod.log_text(), "no secret in the log")


@test(seconds=90)
def test_credentials_with_a_session_token(t):
    server = rgw.start(t, rgw.STS)
    bucket = server.bucket()
    load(t, Target.bucket(t, bucket, server.endpoint, keys=server.session()), 3)


@test(seconds=90)
def test_a_clock_that_is_wrong_is_named(t):
    server = rgw.start(t)
    proxy = Proxy(("127.0.0.1", rgw.PORT))
    t.servers.append(proxy)
    target = Target.bucket(t, server.bucket(), proxy.endpoint)
    skewed = (b"<?xml version=\"1.0\"?><Error><Code>RequestTimeTooSkewed</Code><Message>The difference between the "
              b"request time and the current time is too large.</Message></Error>")
    proxy.fault("answer", status=403, body=skewed)
    pod = target.pod(initdb=ONE_MB, spec=KEEP)
    pod.start()
    pod.wait_ready()
    last = walgen.fill(pod, 1, 1 << 20)
    until(lambda: re.search("clock|RequestTimeTooSkewed", str(pod.status()["archive"])), 40, "the status names the clock")
    proxy.clear()
    all_out(pod, last, 90)
    check_all(pod, target.archive("pod"))
