"""wal_restore - WAL comes back: a standby that has the archive alone, timelines, hits, a store out of reach."""
import os
import signal
import statistics
import subprocess
import threading
import time

from podtest import eq, ok, rgw, test, until, walgen
from podtest.proxy import Proxy
from podtest.store import Target, next_segment, segment_number

MB = 1 << 20
KEEP = 'postgresql:\n  parameters:\n    wal_keep_size: "16MB"\n    archive_timeout: "0"\n'


def primary(t, mb, parallel=4):
    target = Target.folder(t)
    pod = target.pod(wal=f"compression: gzip, maxParallel: {parallel}", initdb=f"walSegmentSize: {mb}\n", spec=KEEP)
    pod.start()
    pod.wait_ready()
    return target, pod


def standby(t, target, pod, name="standby", port=5433, parallel=4):
    """A copy of the primary's data that knows the archive and no server."""
    pgdata = t.standby_of(pod, name)
    conf = pgdata + "/postgresql.auto.conf"
    with open(conf) as f:
        lines = [line for line in f if "primary_conninfo" not in line]
    with open(conf, "w") as f:
        f.writelines(lines)
    other = t.pod(name, pgdata=pgdata, port=port, http_port=port + 2667,
                  env={"CLUSTER_NAME": "pod", "PODGRES_SECRETS_DIR": t.path("secrets")},
                  manifest=target.manifest(wal=f"compression: gzip, maxParallel: {parallel}", spec=KEEP))
    return other


def client(t, pod, name, dest, check=None):
    """podgres-wal as postgres runs it; returns its exit code."""
    out = t.as_postgres(os.path.join(os.path.dirname(t.binary), "podgres-wal"), "--socket", pod.run_dir + "/wal.sock",
                        "restore", name, dest, check=False)
    if check is not None:
        eq(out.returncode, check, f"podgres-wal restore {name}: {out.stderr}")
    return out.returncode


def same_rows(other, pod, seconds=90):
    rows = pod.psql("SELECT count(*) FROM filler")
    until(lambda: other.psql("SELECT count(*) FROM filler") == rows, seconds, f"{other.name} has {rows} rows")


def follows(t, mb, segments):
    target, pod = primary(t, mb)
    other = standby(t, target, pod)
    last = walgen.fill(pod, segments, mb * MB)
    until(lambda: last in target.archive("pod").segments(), 90, f"{last} is archived")
    other.start()
    until(lambda: other.get("/livez").status == 200, 30, "the standby lives")
    until(lambda: other.status().get("isPrimary") is False and other.status()["postgres"]["phase"] == "accepting", 60,
          "the standby takes readers")
    same_rows(other, pod)
    return target, pod, other, last


@test(tags=["versions"], seconds=180)
def test_a_standby_follows_the_archive_alone_with_1_mb_segments(t):
    target, pod, other, _ = follows(t, 1, 40)
    told = other.get("/v1/wal").json()["restore"]
    ok(told["walRestored"] >= 40, f"restored: {told}")
    ok(told["walHits"] >= 20, f"fetched before it was asked for: {told}")
    eq(told["walFailed"], 0, "failures")
    more = walgen.fill(pod, 3, MB)
    until(lambda: more in target.archive("pod").segments(), 60, f"{more} is archived")
    same_rows(other, pod)
    jobs = other.get("/v1/wal/jobs").json()["jobs"]
    ok(any(j["kind"] == "restore" and j["state"] == "done" for j in jobs), f"jobs: {jobs[-3:]}")
    other.order("promote")
    until(lambda: not os.listdir(other.pgdata + "/pg_wal/.podgres"), 30, "what was fetched ahead is removed")


@test(seconds=180)
def test_a_standby_follows_the_archive_alone_with_16_mb_segments(t):
    follows(t, 16, 12)


@test(seconds=240)
def test_a_standby_follows_the_archive_alone_with_64_mb_segments(t):
    _, _, other, _ = follows(t, 64, 4)
    held = other.pgdata + "/pg_wal/.podgres"
    ok(len(os.listdir(held)) <= 8, f"held: {os.listdir(held)}")


@test(seconds=120)
def test_a_hit_takes_3_ms_and_an_absent_file_is_exit_1(t):
    target, pod = primary(t, 1)
    first = walgen.fill(pod, 60, MB)
    until(lambda: first in target.archive("pod").segments(), 60, f"{first} is archived")
    names = sorted(target.archive("pod").segments())[:50]
    place = t.folder("place")
    dest = place + "/RECOVERYXLOG"
    client(t, pod, names[0], dest, 0)
    walls = []
    program = os.path.join(os.path.dirname(t.binary), "podgres-wal")
    socket = pod.run_dir + "/wal.sock"
    for name in names[1:]:
        until(lambda: any(n.startswith(name) and not n.endswith("tmp") for n in os.listdir(place + "/.podgres")), 20,
              f"{name} is fetched ahead")
        time.sleep(0.02)
        began = time.monotonic()
        pid = os.posix_spawn(program, [program, "--socket", socket, "restore", name, dest], {})
        status = os.waitpid(pid, 0)[1]
        walls.append((time.monotonic() - began) * 1000)
        eq(status, 0, f"exit of {name}")
        with open(dest, "rb") as f:
            body = f.read()
        ok(body == target_bytes(target, name), f"bytes of {name}")
    median, best = statistics.median(walls), min(walls)
    print(f"restore of a segment fetched ahead, exec included: median {median:.2f} ms, best {best:.2f} ms, "
          f"worst {max(walls):.2f} ms")
    ok(best <= 3, f"best {best:.2f} ms")
    absent = next_segment(max(target.archive("pod").segments()), MB)
    client(t, pod, next_segment(absent, MB), dest, 1)
    client(t, pod, "00000009.history", dest, 1)


def target_bytes(target, name):
    from podtest.store import unpacked
    key = target.archive("pod").wal()[name]
    return unpacked(key, target.store.read(key))


@test(seconds=120)
def test_an_unreachable_store_is_not_the_end_of_the_archive(t):
    target, pod = primary(t, 1)
    last = walgen.fill(pod, 2, MB)
    until(lambda: last in target.archive("pod").segments(), 60, f"{last} is archived")
    dest = t.folder("place") + "/RECOVERYXLOG"
    os.chmod(target.store.root, 0)
    codes = []
    waiter = threading.Thread(target=lambda: codes.append(client(t, pod, last, dest)))
    waiter.start()
    time.sleep(4)
    eq(codes, [], "an answer while the store is out of reach")
    os.chmod(target.store.root, 0o755)
    waiter.join(40)
    eq(codes, [0], "exit code once it is back")


@test(seconds=120)
def test_damaged_objects_are_never_served(t):
    target, pod = primary(t, 1)
    last = walgen.fill(pod, 3, MB)
    until(lambda: last in target.archive("pod").segments(), 60, f"{last} is archived")
    archive = target.archive("pod")
    dest = t.folder("place") + "/RECOVERYXLOG"
    names = sorted(archive.segments())
    key = archive.wal()[names[0]]
    body = target.store.read(key)
    target.store.put(key, body[:len(body) // 2])
    eq(client(t, pod, names[0], dest), 255, "exit code for half an object")
    target.store.put(key, target.store.read(archive.wal()[names[1]]))
    eq(client(t, pod, names[0], dest), 255, "exit code for another segment's bytes")
    ok(not os.path.exists(dest), "nothing was handed over")
    target.store.put(key, body)
    client(t, pod, names[0], dest, 0)


@test(tags=["versions"], seconds=180)
def test_a_standby_goes_over_to_the_new_timeline_and_takes_nothing_of_the_old(t):
    target, pod, other, _ = follows(t, 1, 6)
    third = standby(t, target, pod, "third", port=5434)
    old = walgen.fill(pod, 1, MB)
    until(lambda: old in target.archive("pod").segments(), 60, f"{old} is archived")
    same_rows(other, pod)
    pod.kill()
    other.order("promote")
    other.psql("CREATE TABLE after AS SELECT 'timeline 2' AS x")
    new = walgen.fill(other, 3, MB)
    until(lambda: new in target.archive("pod").segments(), 60, f"{new} is archived")
    # The old primary had written on: its segments stand beside those of timeline 2.
    beyond = "00000001" + new[8:]
    place = t.folder("place")
    source = target.archive("pod").wal()[new]
    target.store.put(source.replace(new, beyond).replace("/" + new[:16] + "/", "/" + beyond[:16] + "/"),
                     target.store.read(source))
    client(t, other, "00000002.history", place + "/RECOVERYHISTORY", 0)
    client(t, other, beyond, place + "/RECOVERYXLOG", 1)
    third.start()
    until(lambda: third.status()["postgres"]["phase"] == "accepting", 60, "the third takes readers")
    same_rows(third, other)
    eq(third.psql("SELECT x FROM after"), "timeline 2", "what was written after the promotion")


@test(seconds=120)
def test_a_killed_archiver_delays_and_does_not_lie(t):
    target, pod = primary(t, 1)
    last = walgen.fill(pod, 12, MB)
    until(lambda: last in target.archive("pod").segments(), 60, f"{last} is archived")
    dest = t.folder("place") + "/RECOVERYXLOG"
    for i, name in enumerate(sorted(target.archive("pod").segments())):
        if i % 4 == 1:
            pod.service("archiver").kill(signal.SIGKILL)
        client(t, pod, name, dest, 0)
        with open(dest, "rb") as f:
            ok(f.read() == target_bytes(target, name), f"bytes of {name}")


@test(seconds=120)
def test_wal_by_hand(t):
    target, pod = primary(t, 1)
    last = walgen.fill(pod, 3, MB)
    until(lambda: last in target.archive("pod").segments(), 60, f"{last} is archived")
    dest = t.path("one")
    pod.cli("wal", "fetch", last, dest)
    with open(dest, "rb") as f:
        ok(f.read() == target_bytes(target, last), "bytes")
    out = pod.cli("wal", "fetch", next_segment(next_segment(last, MB), MB), dest + "2", check=False)
    eq(out.returncode, 66, f"exit code of a segment that is not there: {out.stderr}")
    os.rename(dest, t.path(last))
    ok("already" in pod.cli("wal", "push", t.path(last)).stdout, "the same again is no error")
    with open(t.path(last), "r+b") as f:
        f.seek(5000)
        f.write(b"other")
    out = pod.cli("wal", "push", t.path(last), check=False)
    eq(out.returncode, 65, f"other bytes under the name: {out.stdout}{out.stderr}")
    status = pod.cli("wal", "status").stdout
    ok("Archive" in status and "file://" in status, status)
    ok("in the archive" in status, status)
    ok(last in pod.cli("wal", "jobs").stdout, "jobs")
    ok(segment_number(last, MB) > 0, last)


@test(seconds=60)
def test_jobs_can_be_followed(t):
    target, pod = primary(t, 1)
    follow = subprocess.Popen([t.binary, "wal", "jobs", "--follow"], stdout=subprocess.PIPE, text=True,
                              env=pod.environment())
    try:
        last = walgen.fill(pod, 2, MB)
        seen = ""
        while not ("archive" in seen and last in seen and "done" in seen):
            line = follow.stdout.readline()
            ok(line != "", f"the stream ended: {seen}")
            seen = line
    finally:
        follow.kill()
        follow.wait(10)
    until(lambda: last in target.archive("pod").segments(), 30, f"{last} is archived")


@test(seconds=180)
def test_a_bad_road_to_s3_is_neither_absence_nor_another_segment(t):
    server = rgw.start(t)
    proxy = Proxy(("127.0.0.1", rgw.PORT))
    t.servers.append(proxy)
    target = Target.bucket(t, server.bucket(), proxy.endpoint)
    pod = target.pod(wal="compression: gzip, maxParallel: 2", initdb="walSegmentSize: 1\n", spec=KEEP)
    pod.start()
    pod.wait_ready()
    last = walgen.fill(pod, 8, MB)
    until(lambda: last in target.archive("pod").segments(), 60, f"{last} is archived")
    names = sorted(target.archive("pod").segments())
    dest = t.folder("place") + "/RECOVERYXLOG"
    page = b"<html><body>404 Not Found</body></html>"
    faults = [dict(kind="answer", status=503), dict(kind="answer", status=404, body=page),
              dict(kind="answer", status=200, body=page), dict(kind="cut-answer", at=3000),
              dict(kind="flip-answer", at=6000), dict(kind="answer", status=403, body=page)]
    for name, fault in zip(reversed(names), faults):  # backwards, so that none was fetched ahead
        kind = fault.pop("kind")
        proxy.fault(kind, match="GET .*" + name, times=3, **fault)
        began = time.monotonic()
        client(t, pod, name, dest, 0)
        proxy.clear()
        print(f"{kind} {fault.get('status', '')}: {time.monotonic() - began:.1f} s")
        with open(dest, "rb") as f:
            ok(f.read() == target_bytes(target, name), f"bytes of {name} after {kind}")
    absent = next_segment(next_segment(max(names), MB), MB)
    client(t, pod, absent, dest, 1)
    proxy.fault("answer", match="GET ", status=404, body=page)
    codes = []
    waiter = threading.Thread(target=lambda: codes.append(client(t, pod, next_segment(absent, MB), dest)))
    waiter.start()
    time.sleep(5)
    eq(codes, [], "a proxy's page is no word of the store's")
    proxy.clear()
    waiter.join(60)
    eq(codes, [1], "exit code once the store itself says so")
