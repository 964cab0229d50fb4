"""ha - several pods, one Lease: they begin, one leads, another takes over."""
import signal
import time

from podtest import eq, ok, test, until
from podtest.cluster import MANIFEST, Cluster
from podtest.writer import Writer, overlaps


@test(seconds=120)
def test_one_pod_makes_the_cluster_and_leads_it(t):
    c = Cluster(t)
    m = c.member(1)
    m.start()
    m.wait_ready()
    s = m.status()
    eq(s["lease"]["mine"], True, s["lease"])
    until(lambda: m.labels().get("role") == "primary", 10, "the label")
    m.stop()
    eq(c.holder(), "", "given back")


def written(c, writers):
    p = c.wait_primary()
    for w in writers:
        w.stop()
    eq(overlaps(writers), [], "two members acknowledged in turns")
    for w in writers:
        have = w.rows_of(p)
        yield w, sorted({a[0] for a in w.acked} - have)


def three(t, manifest=None, **how):
    """Three that stream, and a client that writes through whoever leads."""
    c = Cluster(t, manifest=manifest)
    c.start(3, **how)
    c.wait_streaming(2)
    p = c.wait_primary()
    p.psql(Writer.TABLE)
    w = Writer(c).start()
    until(lambda: len(w.acked) > 50, 20, "rows")
    return c, p, w


def taken_over(c, w, p, began, seconds=40):
    n = c.wait_primary(seconds, but=p)
    until(lambda: w.acked[-1][3] > began and w.acked[-1][1] == n.address, 30, "rows through the next one")
    return n


@test(seconds=200)
def test_three_pods_and_an_orderly_end_of_the_primary(t):
    c, p, w = three(t)
    began = time.monotonic()
    p.stop()
    taken_over(c, w, p, began)
    print("figures: gap of an orderly end", round(w.gap(began - 1), 3))
    said = [r.get("msg") for r in p.log()]
    ok("stop requested: a checkpoint first, while clients go on" in said, "what is dirty was written before the stop")
    ok("stop requested" in said, "then came the stop")
    p.replace()
    c.wait_streaming(2)
    for one, missing in written(c, [w]):
        eq(missing, [], "acknowledged rows that are gone")


@test(seconds=200)
def test_a_node_that_is_gone_without_a_word(t):
    c, p, w = three(t)
    began = time.monotonic()
    p.kill()
    taken_over(c, w, p, began)
    gap = w.gap(began - 1)
    print("figures: gap of a lost node", round(gap, 3))
    ok(gap < 6 + 2, gap)
    p.replace()
    c.wait_streaming(2)
    for one, missing in written(c, [w]):
        print("figures: rows that only the lost node had", len(missing))


@test(seconds=200)
def test_a_primary_that_is_cut_off_stops_before_another_leads(t):
    c, p, w = three(t)
    began = time.monotonic()
    p.cut()
    taken_over(c, w, p, began)
    p.join()
    c.wait_streaming(2)
    for one, missing in written(c, [w]):
        print("figures: rows that only the cut one had", len(missing))


def everybody_tells_of_the_change(c, old, new, reason):
    """The Lease keeps who led before, since when, why, and how long there was nobody."""
    for m in c.members:
        until(lambda m=m: m.status()["lease"].get("lastChange", {}).get("to") == new, 15, f"{m.name} knows of the change")
        change = m.status()["lease"]["lastChange"]
        eq((change["from"], change["reason"]), (old, reason), f"the change, by {m.name}")
        ok(0 < change["seconds"] < 30, f"seconds without a primary: {change}")
        ok(f"{old} to {new}" in m.cli("status").stdout, f"the change is shown: {m.cli('status').stdout}")
        roles = {one.name: "leader" if one.name == new else "replica" for one in c.members}
        until(lambda m=m: {one["name"]: one["role"] for one in m.get("/cluster").json()["members"]} == roles, 15,
              f"/cluster of {m.name} says {roles}")


@test(seconds=200)
def test_a_switchover(t):
    c, p, w = three(t)
    began = time.monotonic()
    p.cli("switchover", "ha-3")
    eq(taken_over(c, w, p, began).name, "ha-3", "the new primary")
    print("figures: gap of a switchover", round(w.gap(began - 1), 3))
    c.wait_streaming(2)
    for one, missing in written(c, [w]):
        eq(missing, [], "acknowledged rows that are gone")
    everybody_tells_of_the_change(c, p.name, "ha-3", "switchover")


@test(seconds=200)
def test_a_manager_that_is_frozen_is_fenced_before_another_leads(t):
    """The watchdog alone would let it go on for a minute: the deadline of the Lease does not."""
    c, p, w = three(t, args=["--watchdog", "60s"])
    began = time.monotonic()
    p.signal(signal.SIGSTOP)
    n = taken_over(c, w, p, began)
    eq(p.postgres_tree(), [], "postgres of the frozen one")
    print("figures: gap of a frozen manager", round(w.gap(began - 1), 3))
    p.signal(signal.SIGCONT)
    c.wait_streaming(2)
    eq(c.primary().name, n.name, "the primary stays")
    for one, missing in written(c, [w]):
        print("figures: rows that only the frozen one had", len(missing))


@test(seconds=200)
def test_postgres_and_container_come_back_in_place(t):
    c, p, w = three(t)
    began = time.monotonic()
    p.postmaster().kill(signal.SIGKILL)
    until(lambda: w.acked[-1][3] > began + 0.5, 30, "rows again")
    eq(c.primary().name, p.name, "postgres died: no failover")
    print("figures: gap of a postgres that was killed", round(w.gap(began - 1), 3))
    time.sleep(1)
    began = time.monotonic()
    p.kill()
    p.start()
    until(lambda: w.acked[-1][3] > began + 0.5, 30, "rows again")
    eq(c.wait_primary().name, p.name, "the container was restarted: no failover")
    eq(p.control("Latest checkpoint's TimeLineID"), "1", "timeline")
    print("figures: gap of a container that was killed", round(w.gap(began - 1), 3))
    for one, missing in written(c, [w]):
        eq(missing, [], "acknowledged rows that are gone")


@test(seconds=200)
def test_an_api_that_is_gone_stops_a_primary_without_failsafe_and_the_same_one_comes_back(t):
    c, p, w = three(t, manifest=MANIFEST.replace("NAME", "ha") + "  probes: {liveness: {isolationCheck: {enabled: false}}}\n")
    began = time.monotonic()
    c.api.down()
    until(lambda: p.state() not in ("primary", "silent"), 20, "the primary stops")
    until(lambda: not p.postgres_tree() or p.psql("SELECT pg_is_in_recovery()") == "t", 20, "nothing takes writes")
    last = w.acked[-1][3]
    ok(last - began < 6, f"written until {last - began:.1f} s after the API was gone")
    c.api.up()
    c.wait_primary(60)
    until(lambda: w.acked[-1][3] > last, 30, "rows again")
    for one, missing in written(c, [w]):
        eq(missing, [], "acknowledged rows that are gone")


@test(seconds=200)
def test_a_lease_that_is_deleted_is_made_again_by_its_holder(t):
    c, p, w = three(t)
    began = time.monotonic()
    eq(c.api.request("DELETE", f"/apis/coordination.k8s.io/v1/namespaces/default/leases/{c.name}").status, 200, "deleted")
    until(lambda: c.holder() == p.name, 10, "it holds it again")
    time.sleep(8)
    eq(c.primary().name, p.name, "the primary stays")
    ok(w.gap(began - 1) < 1, w.gap(began - 1))
    for one, missing in written(c, [w]):
        eq(missing, [], "acknowledged rows that are gone")
