"""The Kubernetes client of podgres while the API is slow, late, silent, wrong, down or changes its papers.

kubecli is that client, with a watch open and calls in flight in one thread.  The stand-in does what no
real server can be asked to do; what one can (down, frozen) is asked of the real one where it is here.
"""
import json
import random
import time

from podtest import eq, kube, ok, test, until
from podtest.kube import ADMIN, LEASES, POD, POD_RIGHTS


def lease(name="pg", holder="h0"):
    return {"metadata": {"name": name}, "spec": {"holderIdentity": holder, "leaseDurationSeconds": 15}}


def started(t, **how):
    """A stand-in with one Lease, and a client that watches it."""
    k = kube.start(t, real=False, **how)
    k.allow(POD, *POD_RIGHTS)
    k.request("POST", LEASES, lease())
    c = kube.Client(t, k)
    c.watch(LEASES + "?fieldSelector=metadata.name%3Dpg", 1000, 3000)
    c.event(lambda e: e["event"] == "SYNCED", what="the list")
    return k, c


def change(k, holder):
    r = k.request("PATCH", LEASES + "/pg", {"spec": {"holderIdentity": holder}}, kind=kube.MERGE)
    eq(r.status, 200, f"a change by another: {r}")


def seen(c, holder, seconds=20):
    return c.event(lambda e: f'"{holder}"' in e.get("object", ""), seconds, f"the change to {holder}")


def took_ms(r):
    return (r["done_ns"] - r["begun_ns"]) / 1e6


def test_two_connections_are_kept(t):
    """For longer than a watch may be silent, since it is not."""
    k, c = started(t)
    for i in range(20):
        eq(c.wait(c.renew("pg", f"r{i}"))["outcome"], "OK", f"renewal {i}")
        seen(c, f"r{i}")
        time.sleep(0.25)
    eq(c.events("LOST"), [], "breaks of the watch")
    eq(k.count("^watch"), 1, "watches")
    with k.lock:
        eq(len(k.open), 2, "open connections")


def test_silence_ends_a_call_at_its_deadline_and_disturbs_no_other(t):
    k, c = started(t)
    k.fault("hang", "^update", times=2)
    one, two = c.renew("pg", "x", ms=700), c.renew("pg", "y", ms=1200)
    for i in range(5):
        change(k, f"during{i}")
        seen(c, f"during{i}")
        eq(c.call("GET", LEASES + "/pg", ms=500)["outcome"], "OK", "a call beside the silent ones")
    for n, ms in ((one, 700), (two, 1200)):
        r = c.wait(n)
        eq(r["outcome"], "MAYBE", f"a call that nobody answers: {r}")
        ok(ms - 5 <= took_ms(r) < ms + 150, f"it ended after {took_ms(r):.0f} ms of {ms}")
    k.clear()
    eq(c.wait(c.renew("pg", "z"))["outcome"], "OK", "the next renewal")


def test_an_answer_that_comes_late_or_never_may_have_been_a_write(t):
    k, c = started(t)
    for kind in ("late", "lost"):
        k.fault(kind, "^update", times=1, seconds=2)
        r = c.wait(c.renew("pg", kind, ms=800))
        # When the connection just ends, curl asks again on another one: the version is stale by then.
        ok(r["outcome"] == "MAYBE" or (kind == "lost" and r["outcome"] == "CONFLICT"), f"{kind}: {r}")
        eq(k.lease("pg").body["spec"]["holderIdentity"], kind, "the write was done all the same")
        seen(c, kind)


def test_slow_answers_within_the_deadline_are_answers(t):
    k, c = started(t)
    k.fault("slow", "^(get|update)", seconds=1)
    began = time.monotonic()
    calls = [c.begin("GET", LEASES + "/pg", ms=3000) for _ in range(3)]
    for n in calls:
        r = c.wait(n)
        eq(r["outcome"], "OK", "a slow call")
        ok(r["done_ns"] - r["send_ns"] >= 1e9, "its time of sending is before the wait")
    ok(time.monotonic() - began < 2.5, "they ran side by side")
    n = [c.begin("GET", LEASES + "/pg", ms=3000) for _ in range(5)]
    eq(c.wait(n[-1])["outcome"], "ERROR", "one more than may be in flight")


def test_what_the_server_says_about_itself_is_told(t):
    k, c = started(t)
    k.fault("throttle", "^get", times=1, retry_after=3)
    r = c.call("GET", LEASES + "/pg")
    eq((r["outcome"], r["retry_after_ms"]), ("THROTTLED", 3000), "429")
    k.fault("error", "^get", times=1, status=503, retry_after=7)
    r = c.call("GET", LEASES + "/pg")
    eq((r["outcome"], r["status"], r["retry_after_ms"]), ("SERVER_ERROR", 503, 7000), "503")
    k.fault("error", "", percent=50)
    random.seed(5)
    outcomes = [c.wait(c.renew("pg", f"half{i}"))["outcome"] for i in range(40)]
    ok(set(outcomes) <= {"OK", "SERVER_ERROR"}, f"outcomes: {set(outcomes)}")
    ok(min(outcomes.count("OK"), outcomes.count("SERVER_ERROR")) > 2, f"both came: {outcomes}")
    k.clear()
    seen(c, "half" + str(max(i for i, o in enumerate(outcomes) if o == "OK")))


def test_a_watch_that_is_cut_loses_nothing(t):
    k, c = started(t)
    c.forget()
    for i in range(60):
        change(k, f"n{i}")
        if i % 7 == 0:
            k.cut_watches()
        if i % 20 == 3:
            k.drop()
    seen(c, "n59")
    order = [json.loads(e["object"])["spec"]["holderIdentity"] for e in c.events("MODIFIED")]
    eq(order, [f"n{i}" for i in range(60)], "the changes in their order")
    eq(c.events("LIST", "LISTED"), [], "nothing was listed anew")
    ok(c.events("LOST"), "it was cut indeed")


def test_long_events_and_many_at_once(t):
    k, c = started(t)
    big = "x" * 150000
    k.request("PATCH", LEASES + "/pg", {"metadata": {"annotations": {"their.org/big": big}}}, kind=kube.MERGE)
    ok(big in c.event(lambda e: e["event"] == "MODIFIED" and big in e["object"])["object"], "a long event comes whole")
    small = "y" * 2000
    k.request("PATCH", LEASES + "/pg", {"metadata": {"annotations": {"their.org/big": small}}}, kind=kube.MERGE)
    c.event(lambda e: e["event"] == "MODIFIED" and small in e["object"], what="the last change before the cut")
    k.fault("cut", "^watch")
    k.cut_watches()
    with k.db.lock:
        for i in range(1000):
            k.db.patch("leases", "default", "pg", kube.MERGE, {"spec": {"holderIdentity": f"burst{i}"}})
    c.forget()
    k.clear()
    seen(c, "burst999")
    order = [json.loads(e["object"])["spec"]["holderIdentity"] for e in c.events("MODIFIED")]
    eq(order, [f"burst{i}" for i in range(1000)], "two megabytes of changes in their order")


def test_a_silent_watch_is_begun_again_from_where_it_was(t):
    k, c = started(t)
    change(k, "before")
    seen(c, "before")
    k.stall_watches()
    change(k, "unseen")
    began = time.monotonic()
    e = c.event(lambda e: e["event"] == "LOST", what="the end of the silent watch")
    ok("silent" in e["message"] and 2.5 < time.monotonic() - began < 4.5, f"after {time.monotonic() - began:.1f} s: {e}")
    k.stall_watches(False)
    seen(c, "unseen", 5)
    c.forget()
    k.fault("hang", "^watch")
    k.cut_watches()
    change(k, "head")
    e = c.event(lambda e: e["event"] == "LOST" and "silent" in e["message"], 4, "no head of the answer within a second")
    k.clear()
    seen(c, "head", 8)


def test_an_old_version_is_listed_anew(t):
    k, c = started(t)
    c.forget()
    k.fault("error", "^watch", status=503)
    k.cut_watches()
    change(k, "while away")
    k.compact()
    k.clear()
    seen(c, "while away")
    kinds = [e["event"] for e in c.events() if e["event"] not in ("LOST", "ALIVE")]
    eq(kinds, ["LIST", "LISTED", "SYNCED"], "what was told")


def test_nobody_there_is_tried_again_with_pauses(t):
    k, c = started(t)
    k.down()
    r = c.call("GET", LEASES + "/pg", ms=1000)
    eq((r["outcome"], r["send_ns"]), ("NOT_SENT", 0), "a call to nobody")
    until(lambda: len(c.events("LOST")) >= 3, 10, "three tries of the watch")
    k.up()
    change(k, "back")
    seen(c, "back", 8)
    k.fault("error", "^(watch|list)")
    k.cut_watches()
    before = k.count("^(watch|list)")
    time.sleep(4)
    tries = k.count("^(watch|list)") - before
    ok(3 <= tries <= 9, f"{tries} tries in four seconds")


def test_a_token_that_expires_is_read_again(t):
    k, c = started(t)
    k.tokens["second"] = k.tokens[POD]
    k.expire(POD)
    k.cut_watches()
    eq(c.call("GET", LEASES + "/pg")["outcome"], "UNAUTHORIZED", "with the old token")
    c.event(lambda e: e["event"] == "LOST" and e["outcome"] == "UNAUTHORIZED", what="the watch is refused")
    c.set_token("second")
    eq(c.call("GET", LEASES + "/pg")["outcome"], "OK", "with the new one")
    change(k, "renewed")
    seen(c, "renewed", 8)
    with open(f"/proc/{c.process.pid}/cmdline", "rb") as f:
        line = f.read()
    told = json.dumps(c.lines) + open(t.path("client.stderr")).read() + line.decode()
    ok(POD not in told.replace("client.token", "") and "second" not in told, "no token was told")


def test_a_certificate_of_another_authority_is_refused_until_the_file_says_so(t):
    k, c = started(t)
    eq(c.call("GET", LEASES + "/pg")["outcome"], "OK", "with the first authority")
    k.rotate_ca(trusted=False)
    eq(c.call("GET", LEASES + "/pg")["outcome"], "OK", "on the kept connection")
    k.drop()
    k.cut_watches()
    r = c.call("PUT", LEASES + "/pg", "{}")
    eq(r["outcome"], "NOT_SENT", f"on a new one: {r}")
    ok("certificate" in r["message"] or "SSL" in r["message"], r["message"])
    k.publish_ca()
    eq(c.call("GET", LEASES + "/pg")["outcome"], "OK", "with the new authority")
    with open(k.ca_file) as f:
        ok("BEGIN" in f.read(), "the file is there")
    k.ca_file = k.new_ca
    change(k, "trusted")
    seen(c, "trusted", 8)


def test_plain_http_and_ipv6(t):
    k, c = started(t, tls=False, port=8001)
    eq(c.wait(c.renew("pg", "plain"))["outcome"], "OK", "over HTTP")
    k6 = kube.StandIn(t, host="::1", port=6444)
    t.servers.append(k6)
    c6 = kube.Client(t, k6, token=ADMIN, name="six")
    eq(c6.wait(c6.renew("pg", "six"))["outcome"], "OK", "over IPv6")


if kube.apiserver():
    @test(seconds=120)
    def test_the_real_server_frozen_and_killed(t):
        k = kube.start(t, real=True)
        k.allow(POD, *POD_RIGHTS)
        c = kube.Client(t, k)
        eq(c.wait(c.renew("pg", "first"))["outcome"], "OK", "a renewal")
        c.watch(LEASES + "?fieldSelector=metadata.name%3Dpg", 1000, 3000)
        c.event(lambda e: e["event"] == "SYNCED", what="the list")
        eq(c.wait(c.renew("pg", "second"))["outcome"], "OK", "a renewal on a connection that is kept")
        k.freeze()
        r = c.wait(c.renew("pg", "frozen", ms=800))
        ok(r["outcome"] == "MAYBE" and took_ms(r) < 950, f"frozen: {r}")
        c.event(lambda e: e["event"] == "LOST", 6, "the watch of a frozen server")
        k.thaw()
        until(lambda: c.wait(c.renew("pg", "thawed", ms=2000))["outcome"] == "OK", 10, "a renewal after it")
        seen(c, "thawed", 15)
        k.down()
        c.forget()
        eq(c.call("GET", LEASES + "/pg", ms=500)["outcome"], "NOT_SENT", "killed")
        k.up()
        eq(c.wait(c.renew("pg", "again"))["outcome"], "OK", "a renewal after its start")
        seen(c, "again", 15)
