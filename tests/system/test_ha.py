"""ha - several pods, one Lease: they begin, one leads, another takes over."""
import time

from podtest import eq, ok, test, until
from podtest.cluster import Cluster
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


@test(seconds=200)
def test_three_pods_and_an_orderly_end_of_the_primary(t):
    c = Cluster(t)
    c.start(3)
    c.wait_streaming(2)
    p = c.wait_primary()
    p.psql(Writer.TABLE)
    w = Writer(c).start()
    until(lambda: len(w.acked) > 50, 20, "rows")
    began = time.monotonic()
    p.stop()
    n = c.wait_primary(but=p)
    until(lambda: w.acked[-1][3] > began and w.acked[-1][1] == n.address, 30, "rows through the next one")
    print("gap of an orderly end", round(w.gap(began - 1), 3))
    p.replace()
    c.wait_streaming(2)
    for one, missing in written(c, [w]):
        eq(missing, [], "acknowledged rows that are gone")


@test(seconds=200)
def test_a_node_that_is_gone_without_a_word(t):
    c = Cluster(t)
    c.start(3)
    c.wait_streaming(2)
    p = c.wait_primary()
    p.psql(Writer.TABLE)
    w = Writer(c).start()
    until(lambda: len(w.acked) > 50, 20, "rows")
    began = time.monotonic()
    p.kill()
    n = c.wait_primary(but=p)
    until(lambda: w.acked[-1][1] == n.address, 30, "rows through the next one")
    gap = w.gap(began - 1)
    print("gap of a lost node", round(gap, 3))
    ok(gap < 6 + 2, gap)
    p.replace()
    c.wait_streaming(2)
    for one, missing in written(c, [w]):
        print("rows that only the lost node had", len(missing))


@test(seconds=200)
def test_a_primary_that_is_cut_off_stops_before_another_leads(t):
    c = Cluster(t)
    c.start(3)
    c.wait_streaming(2)
    p = c.wait_primary()
    p.psql(Writer.TABLE)
    w = Writer(c).start()
    until(lambda: len(w.acked) > 50, 20, "rows")
    p.cut()
    n = c.wait_primary(but=p)
    until(lambda: w.acked[-1][1] == n.address, 30, "rows through the next one")
    p.join()
    c.wait_streaming(2)
    for one, missing in written(c, [w]):
        print("rows that only the cut one had", len(missing))


@test(seconds=200)
def test_a_switchover(t):
    c = Cluster(t)
    c.start(3)
    c.wait_streaming(2)
    p = c.wait_primary()
    p.psql(Writer.TABLE)
    w = Writer(c).start()
    until(lambda: len(w.acked) > 50, 20, "rows")
    began = time.monotonic()
    p.cli("switchover", "ha-3")
    n = c.wait_primary(but=p)
    eq(n.name, "ha-3", "the new primary")
    until(lambda: w.acked[-1][1] == n.address, 30, "rows through the next one")
    print("gap of a switchover", round(w.gap(began - 1), 3))
    c.wait_streaming(2)
    for one, missing in written(c, [w]):
        eq(missing, [], "acknowledged rows that are gone")
