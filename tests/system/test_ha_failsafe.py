"""ha_failsafe - a primary without the API goes on as long as every member promises not to follow, and not a moment longer."""
import json
import os
import time

from podtest import eq, ok, scale, test, until
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
    slot = "SELECT restart_lsn FROM pg_replication_slots WHERE slot_name = '_cnpg_ha_3'"
    at = until(lambda: c.members[1].psql(slot), 30, "a slot on a standby")
    began = time.monotonic()
    c.api.down()
    until(lambda: failsafe(p)["active"], 20, "failsafe")
    ok("failsafe" in p.cli("status").stdout, "status says so")
    time.sleep(LEASE + 1)
    until(lambda: c.members[1].psql(slot) != at, 20, "slots advance on a standby")
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
    time.sleep(scale(2, LEASE))
    eq(writable(c), [], "without the API nobody leads")
    others[0].join()
    c.api.up()
    n = c.wait_primary(60)
    until(lambda: w.acked[-1][3] > last, 30, "rows again")
    eq(judged(c, w, n), [], "acknowledged rows that are gone")


@test(seconds=150)
def test_a_pause_is_of_the_whole_cluster_and_keeps_everything_as_it_is(t):
    """A killed replica stays down, nobody takes over, a switchover needs a target; it survives the start of everybody."""
    c, p, w = three(t)
    a, b = [m for m in c.members if m is not p]
    seq = c.lease()["metadata"]["annotations"]["podgres.dev/seq"]
    a.cli("pause", "on")
    eq(c.lease()["metadata"]["annotations"]["podgres.dev/paused"], "true", "the Lease")
    until(lambda: all(m.status()["paused"] for m in c.members), 10, "everybody knows")
    ok("paused" in b.cli("status").stdout, "status says so")
    refused = p.cli("switchover", check=False)
    ok(refused.returncode == 75 and "target" in refused.stderr + refused.stdout, f"{refused}")
    b.postmaster().kill(9)
    until(lambda: not b.postgres_tree(), 10, "its postgres is gone")
    time.sleep(3)
    eq(b.postgres_tree(), [], "nobody starts it")
    began = time.monotonic()
    p.cli("switchover", a.name)
    n = c.wait_primary(30, but=p)
    eq(n.name, a.name, "the target leads")
    until(lambda: w.acked[-1][3] > began and w.acked[-1][1] == n.address, 20, "rows through it")
    n.kill()
    time.sleep(LEASE + 3)
    eq(writable(c), [], "nobody takes over")
    p.kill()
    b.kill()
    for m in c.members:
        m.start()
    c.wait_primary(30)
    eq(c.primary().name, n.name, "the holder goes on, the pause with it")
    until(lambda: all(m.status()["paused"] for m in c.members), 20, "everybody still knows")
    ok(int(c.lease()["metadata"]["annotations"]["podgres.dev/seq"]) > int(seq), "renewed all the time")
    p.cli("pause", "off")
    until(lambda: not any(m.status()["paused"] for m in c.members), 10, "everybody knows")
    c.wait_streaming(2)
    eq(judged(c, w, n), [], "acknowledged rows that are gone")


@test(seconds=150)
def test_the_times_of_the_lease_change_while_it_is_held(t):
    """Longer, shorter, with and without the API: the fence follows, and the Lease never says less than the holder counts."""
    c, p, w = three(t)

    def times(**lease):
        text = MANIFEST.replace("NAME", "ha").replace("{leaseDurationSeconds: 6, renewDeadlineSeconds: 3, retryPeriodSeconds: 1}",
                                                      json.dumps(lease))
        for m in c.members:
            with open(m.manifest + ".new", "w") as f:
                f.write(text)
            os.rename(m.manifest + ".new", m.manifest)

    def fence():
        s = p.status()["lease"]
        return s["deadlineInSeconds"] + s["renewedAgeSeconds"]
    eq(round(fence()), 3, "V1")
    times(leaseDurationSeconds=12, renewDeadlineSeconds=6, retryPeriodSeconds=2)
    until(lambda: round(fence()) == 6, 20, "V1 is longer")
    eq(c.lease()["spec"]["leaseDurationSeconds"], 12, "L stood there before")
    times(leaseDurationSeconds=5, renewDeadlineSeconds=2, retryPeriodSeconds=1)
    until(lambda: c.lease()["spec"]["leaseDurationSeconds"] == 5, 20, "L is shorter")
    eq(round(fence()), 2, "V1 was before")
    began = time.monotonic()
    p.cut()
    n = c.wait_primary(20, but=p)
    until(lambda: w.acked[-1][3] > began and w.acked[-1][1] == n.address, 30, "rows through the next one")
    gap = w.gap(began - 1)
    print("figures: gap of a cut primary at a Lease of 5 s", round(gap, 2))
    p.join()
    c.wait_streaming(2)
    judged(c, w, n)
