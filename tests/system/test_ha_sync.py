"""ha_sync - synchronous replication in step with the Lease: what was acknowledged is on whoever leads next.

PODGRES_TEST_SCALE=full: random faults as well.
"""
import json
import signal
import time

from podtest import eq, ok, test, until
from podtest.cluster import MANIFEST, Cluster
from podtest.writer import Writer, overlaps


def manifest(n=3, **synchronous):
    fields = ", ".join(f"{k}: {v}" for k, v in {"method": "any", "number": 1, **synchronous}.items())
    return MANIFEST.replace("NAME", "ha").replace("instances: 3", f"instances: {n}").replace(
        "  postgresql:\n", f"  postgresql:\n    synchronous: {{{fields}}}\n")


def sync_set(c):
    text = c.lease()["metadata"]["annotations"].get("podgres.dev/sync", "")
    return json.loads(text) if text else {}


def voters(c):
    return sorted(sync_set(c).get("voters", []))


def names(p):
    return p.psql("SHOW synchronous_standby_names")


def three(t, n=3, **synchronous):
    c = Cluster(t, manifest=manifest(n, **synchronous))
    c.start(n)
    c.wait_streaming(n - 1)
    p = c.wait_primary()
    until(lambda: sync_set(c).get("acks", 0) >= 1, 30, "the Lease has voters")
    p.psql(Writer.TABLE)
    w = Writer(c).start()
    until(lambda: len(w.acked) > 50, 20, "rows")
    return c, p, w


def nothing_lost(c, writers):
    p = c.wait_primary()
    for w in writers:
        w.stop()
    eq(overlaps(writers), [], "two members acknowledged in turns")
    for w in writers:
        eq(sorted({a[0] for a in w.acked} - w.rows_of(p)), [], "acknowledged rows that are gone")


@test(seconds=200)
def test_what_was_acknowledged_survives_the_primary(t):
    c, p, w = three(t)
    print("lease", sync_set(c), "names", names(p), flush=True)
    began = time.monotonic()
    p.kill()
    n = c.wait_primary(40, but=p)
    until(lambda: w.acked[-1][3] > began and w.acked[-1][1] == n.address, 30, "rows through the next one")
    print("figures: gap of a lost node", round(w.gap(began - 1), 3))
    p.replace()
    c.wait_streaming(2)
    until(lambda: len(voters(c)) == 2, 30, "both vote again")
    nothing_lost(c, [w])
