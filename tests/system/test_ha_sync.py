"""ha_sync - synchronous replication in step with the Lease: what was acknowledged is on whoever leads next.

A writer appends rows through all of it, and at the end each row that was acknowledged must be there.
"""
import json
import os
import time

from podtest import eq, ok, scale, test, until
from podtest.cluster import Cluster, synchronous
from podtest.writer import Writer, overlaps


def sync_set(c):
    text = c.lease()["metadata"]["annotations"].get("podgres.dev/sync", "")
    return json.loads(text) if text else {}


def voters(c):
    return sorted(sync_set(c).get("voters", []))


def names(p):
    return p.psql("SHOW synchronous_standby_names")


def agree(c, p, who, acks=1, seconds=30):
    """Lease and postgres say the same."""
    want = sorted(m.name for m in who)
    until(lambda: voters(c) == want and sync_set(c)["acks"] == acks, seconds, f"the Lease has {acks} of {want}")
    until(lambda: all(f'"{n}"' in names(p) for n in want) and names(p).count('"') == 2 * len(want) and f" {acks} (" in names(p),
          seconds, f"postgres waits for {acks} of {want}")


def cluster(t, n=3, settled=2, **fields):
    c = Cluster(t, manifest=synchronous(instances=n, **fields))
    c.start(n)
    c.wait_streaming(n - 1)
    p = c.wait_primary()
    until(lambda: len(voters(c)) == settled, 30, "the Lease has voters")
    p.psql(Writer.TABLE)
    w = Writer(c).start()
    until(lambda: len(w.acked) > 50, 20, "rows")
    return c, p, w


def standbys(c, p):
    return [m for m in c.members if m is not p]


def goes_on(w, seconds=30, since=None):
    before = since or time.monotonic()
    until(lambda: w.acked[-1][3] > before, seconds, "rows again")


def nothing_lost(c, *writers):
    p = c.wait_primary()
    for w in writers:
        w.stop()
    eq(overlaps(writers), [], "two members acknowledged in turns")
    for w in writers:
        eq(sorted({a[0] for a in w.acked} - w.rows_of(p)), [], "acknowledged rows that are gone")


def manifest(c, text):
    """A change of the manifest reaches all pods, as a ConfigMap does."""
    for m in c.members:
        with open(m.manifest + ".new", "w") as f:
            f.write(text)
        os.chmod(m.manifest + ".new", 0o644)
        os.replace(m.manifest + ".new", m.manifest)


@test(seconds=200)
def test_each_acknowledged_row_survives_the_primary(t):
    """kill -9 of the pod; PODGRES_TEST_SCALE=full: then a cut of the network."""
    c, p, w = cluster(t)
    agree(c, p, standbys(c, p))
    eq(sorted(m.get("/sync").status for m in standbys(c, p)), [200, 200], "/sync")
    eq([m.get("/async").status for m in standbys(c, p)], [503, 503], "/async")
    eq(p.get("/sync").status, 503, "/sync of the primary")
    shown = p.cli("status").stdout
    ok("SYNC" in shown and "quorum" in shown, shown)
    began = time.monotonic()
    p.kill()
    n = c.wait_primary(40, but=p)
    until(lambda: w.acked[-1][3] > began and w.acked[-1][1] == n.address, 30, "rows through the next one")
    print("figures: gap of a lost node", round(w.gap(began - 1), 3))
    p.replace()
    c.wait_streaming(2)
    agree(c, n, standbys(c, n), seconds=60)
    if scale(True, False):
        return nothing_lost(c, w)
    began = time.monotonic()
    n.cut()
    last = c.wait_primary(40, but=n)
    until(lambda: w.acked[-1][3] > began and w.acked[-1][1] == last.address, 30, "rows through the next one")
    print("figures: gap of a cut primary", round(w.gap(began - 1), 3))
    n.join()
    c.wait_streaming(2)
    nothing_lost(c, w)


@test(seconds=200)
def test_a_standby_that_stops_is_replaced_and_two_that_are_gone_stop_the_writes(t):
    """P3, P6, F8: method first names one, a stop of it brings the next, nobody left blocks; no voter leads only by force."""
    c, p, w = cluster(t, settled=1, method="first")
    one = c.members[[m.name for m in c.members].index(voters(c)[0])]
    other = next(m for m in standbys(c, p) if m is not one)
    agree(c, p, [one])
    eq([one.get("/sync").status, other.get("/sync").status, other.get("/async").status], [200, 503, 200], "/sync, /async")
    began = time.monotonic()
    one.stop()
    agree(c, p, [other])
    goes_on(w)
    print("figures: stall when the synchronous standby stops", round(w.gap(began - 1), 3))
    other.kill()
    until(lambda: time.monotonic() - w.acked[-1][3] > 4, 60, "writes wait when nobody is there")
    eq(voters(c), [other.name], "the last voter stays")
    one.start()
    agree(c, p, [one], seconds=60)
    goes_on(w)
    other.start()
    c.wait_streaming(2)
    nothing_lost(c, w)
    # F8: the other is no voter; primary and voter die.
    one.kill()
    p.kill()
    until(lambda: "not a candidate" in other.status()["lease"]["problem"], 30, "the survivor says why it does not lead")
    time.sleep(3)
    eq((other.state(), c.primary()), ("standby", None), "the survivor does not lead")
    other.cli("promote", "--force", "--accept-data-loss=1Mi")
    eq(c.wait_primary(30).name, other.name, "forced")


@test(seconds=200)
def test_preferred_goes_on_alone_and_the_number_follows_the_manifest(t):
    """P5: 1, 2, 1, another method; P6: preferred goes on."""
    c, p, w = cluster(t, dataDurability="preferred")
    a, b = standbys(c, p)
    agree(c, p, [a, b])
    manifest(c, synchronous(dataDurability="preferred", number=2))
    agree(c, p, [a, b], acks=2)
    manifest(c, synchronous(dataDurability="preferred", number=1, method="first"))
    until(lambda: len(voters(c)) == 1 and names(p).startswith("FIRST 1"), 30, "one of two")
    goes_on(w)
    began = time.monotonic()
    manifest(c, "spec: [nonsense")  # a manifest that cannot be read holds nothing up
    a.kill()
    b.kill()
    until(lambda: names(p) == "" and voters(c) == [], 30, "nobody is waited for")
    goes_on(w)
    print("figures: stall when both standbys die", round(w.gap(began - 1), 3))
    manifest(c, synchronous(dataDurability="preferred", number=1, method="first"))
    a.start()
    b.start()
    until(lambda: len(voters(c)) == 1 and names(p).startswith("FIRST 1"), 60, "one again")
    nothing_lost(c, w)
