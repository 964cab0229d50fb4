"""ha_failsafe - a primary without the API goes on as long as every member promises not to follow, and not a moment longer."""
import json
import time

from podtest import eq, ok, test, until
from podtest.cluster import MANIFEST, Cluster
from podtest.writer import Writer, overlaps

V1, LEASE = 3, 6
OFF = "  probes: {liveness: {isolationCheck: {enabled: false}}}\n"


def failsafe(m):
    return m.status()["lease"]["failsafe"]


def grew(w, n=20, seconds=20):
    had = len(w.acked)
    until(lambda: len(w.acked) > had + n, seconds, "rows")


def three(t, n=3, **how):
    c = Cluster(t, real=False, **how)
    c.start(n)
    c.wait_streaming(n - 1)
    p = c.wait_primary()
    p.psql(Writer.TABLE)
    w = Writer(c, pace=0.005).start()
    grew(w)
    return c, p, w


def judged(c, w, p):
    w.stop()
    eq(overlaps([w]), [], "two members acknowledged in turns")
    have = w.rows_of(p)
    return sorted({a[0] for a in w.acked} - have)


def writable(c):
    found = []
    for m in c.members:
        try:
            if m.psql("SELECT pg_is_in_recovery()") == "f":
                found.append(m.name)
        except Exception:
            pass
    return found


@test(seconds=150)
def test_a_primary_without_the_api_goes_on_as_long_as_all_promise(t):
    """Three pods; all reachable: it stays.  One cut off: it stops by V1, and nobody else leads without the API."""
    c, p, w = three(t)
    began = time.monotonic()
    c.api.down()
    until(lambda: failsafe(p)["active"], 20, "failsafe")
    time.sleep(2 * LEASE)
    eq(c.primary().name, p.name, "the primary stays")
    eq(failsafe(p)["active"], True, "failsafe")
    others = [m for m in c.members if m is not p]
    ok(all(failsafe(m)["promised"] for m in others), "both promised")
    grew(w)
    print("figures: longest gap over the loss of the API", round(w.gap(began - 1), 3))
    ok(w.gap(began - 1) < 1.5, w.gap(began - 1))
    c.api.up()
    until(lambda: not failsafe(p)["active"], 20, "the API is back")
    eq(c.primary().name, p.name, "the primary stays")
    time.sleep(1)
    c.api.down()
    until(lambda: failsafe(p)["active"], 20, "failsafe")
    cut = time.monotonic()
    others[0].cut()
    until(lambda: not c.primary(), 20, "it steps down")
    until(lambda: not writable(c), 20, "nothing takes writes")
    last = w.acked[-1][3]
    print("figures: written after one member was cut off, s", round(last - cut, 2))
    ok(last - cut < LEASE, last - cut)
    time.sleep(LEASE)
    eq(writable(c), [], "without the API nobody leads")
    others[0].join()
    c.api.up()
    n = c.wait_primary(60)
    until(lambda: w.acked[-1][3] > last, 30, "rows again")
    eq(judged(c, w, n), [], "acknowledged rows that are gone")
