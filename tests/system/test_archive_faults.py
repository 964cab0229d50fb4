"""archive_faults - a fault proxy between podgres and the store: late is allowed, wrong is not."""
import signal
import time

from podtest import eq, ok, rgw, scale, test, until, walgen
from podtest.proxy import INTERNAL, Proxy
from podtest.store import Target, next_segment
from test_archive_s3 import KEEP, ONE_MB, all_out, check_all, in_pg_wal, ready

PUT = r"^PUT .*/wals/"


def behind_proxy(t, wal="compression: gzip, maxParallel: 2", initdb=ONE_MB, tls=False):
    server = rgw.start(t)
    proxy = Proxy(("127.0.0.1", rgw.PORT), tls=server.dir + "/server.pem" if tls else None)
    t.servers.append(proxy)
    target = Target.bucket(t, server.bucket(), proxy.endpoint, ca=server.ca if tls else None)
    pod = target.pod(wal=wal, initdb=initdb, spec=KEEP)
    pod.start()
    pod.wait_ready()
    all_out(pod, walgen.fill(pod, 1, 1 << 20))
    return server, proxy, target, pod


def through(pod, proxy, target, segments, seconds, **fault):
    """A load under one fault: afterwards all is there, and nothing was said to be there that is not."""
    rule = proxy.fault(**fault)
    began = time.monotonic()
    last = walgen.fill(pod, segments, 1 << 20)
    all_out(pod, last, seconds)
    n = check_all(pod, target.archive("pod"))
    ok(rule.done > 0, f"the fault {fault} happened")
    print(f"{fault}: happened {rule.done} times, {n} segments right after {time.monotonic() - began:.1f} s")
    proxy.clear()
    eq(target.store.uploads(), [], f"open uploads after {fault}")


@test(seconds=240)
def test_cuts_wrong_bytes_and_errors_are_overcome(t):
    _, proxy, target, pod = behind_proxy(t)
    for fault in (
            {"kind": "cut-request", "at": 0, "times": 3},
            {"kind": "cut-request", "at": 10000, "times": 3},
            {"kind": "cut-answer", "at": 0, "times": 3},         # stored, and nobody knows
            {"kind": "hang-up", "times": None},                  # every connection is used once, unannounced
            {"kind": "flip-request", "at": 5000, "times": 3},
            {"kind": "lie", "times": 3},                         # 200 and an ETag, and nothing stored
            {"kind": "answer", "status": 200, "body": INTERNAL, "times": 3},
            {"kind": "answer", "status": 500, "body": INTERNAL, "times": 3},
            {"kind": "answer", "status": 404, "body": b"<html>not found</html>", "times": 2},
            {"kind": "answer", "status": 503, "every": 3, "times": None}):  # SlowDown
        through(pod, proxy, target, scale(3, 20), 100, match=PUT, **fault)


@test(seconds=180)
def test_a_stall_at_any_stage_ends_by_itself(t):
    _, proxy, target, pod = behind_proxy(t, wal="maxParallel: 4")
    rules = [proxy.fault(kind, PUT, times=1, at=at) for kind, at in
             (("stall-head", 0), ("stall-body", 0), ("stall-body", 500000), ("stall-answer", 0))]
    last = walgen.fill(pod, 8, 1 << 20)
    until(lambda: pod.get("/livez").status == 200, 5, "alive meanwhile")
    all_out(pod, last, 150)
    check_all(pod, target.archive("pod"))
    eq([r.done for r in rules], [1, 1, 1, 1], "each stall happened")


@test(seconds=120)
def test_a_store_that_freezes_and_one_that_is_gone(t):
    server, proxy, target, pod = behind_proxy(t)
    server.signal(signal.SIGSTOP)
    last = walgen.fill(pod, 3, 1 << 20)
    eq(pod.get("/readyz").status, 200, "readiness does not depend on the archive")
    ok(last not in in_pg_wal(pod), "nothing is archived by a frozen store")
    server.signal(signal.SIGCONT)
    all_out(pod, last, 90)
    server.kill()
    last = walgen.fill(pod, 3, 1 << 20)
    until(lambda: len(ready(pod)) >= 3, 10, "segments wait")
    server.start()
    all_out(pod, last, 90)
    check_all(pod, target.archive("pod"))


@test(seconds=120)
def test_twenty_milliseconds_of_delay_do_not_slow_it_down(t):
    _, proxy, target, pod = behind_proxy(t, wal="compression: gzip, maxParallel: 8")
    postgres = [p for p in pod.postgres_tree() if "archiver" in p.cmdline][0]
    postgres.kill(signal.SIGSTOP)  # what follows waits in a queue of which the length is known
    last = walgen.fill(pod, 60, 1 << 20)
    proxy.fault("delay", seconds=0.02)
    waiting, began = len(ready(pod)), time.monotonic()
    postgres.kill(signal.SIGCONT)
    all_out(pod, last, 60)
    rate = waiting / (time.monotonic() - began)
    print(f"{waiting} segments of 1 MB with 20 ms of delay: {rate:.0f} a second")
    check_all(pod, target.archive("pod"))
    ok(rate > scale(15, 50), f"{rate:.0f} segments a second")


@test(seconds=120)
def test_other_bytes_under_the_name_are_an_alarm_and_stay_what_they_are(t):
    target = Target.folder(t)
    pod = target.pod(wal="maxParallel: 2", initdb=ONE_MB, spec=KEEP)
    pod.start()
    pod.wait_ready()
    last = walgen.fill(pod, 1, 1 << 20)
    all_out(pod, last)
    name = last
    for _ in range(2):
        name = next_segment(name, 1 << 20)
    key = f"pod/wals/{name[:16]}/{name}"
    target.store.put(key, b"x" * (1 << 20))
    walgen.fill(pod, 4, 1 << 20)
    until(lambda: name in str(pod.status()["archive"]), 40, "the status names the segment")
    ok(name not in in_pg_wal(pod), "it does not count as archived")
    eq(target.store.read(key), b"x" * (1 << 20), "what was there first")
