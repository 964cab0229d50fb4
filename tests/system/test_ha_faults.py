"""ha_faults - what must not disturb a cluster of several pods, and what must stop it: one fault after the other.

test_ha_campaign.py does the same at random; HA_CHECKLIST.md says which behaviour is shown where.
"""
import os
import signal
import time

from podtest import eq, ok, scale, test, until
from podtest.chaos import Chaos, Verdict, WallClock
from podtest.cluster import Cluster
from podtest.writer import Writer

FENCE = 6 / 1.01 - 2 + 0.05


def three(t, real=False, env=None):
    c = Cluster(t, real=real)
    for i in (1, 2, 3):
        m = c.member(i, env=env(f"ha-{i}") if env else None)
        m.start()
        if i == 1:
            m.wait_ready()
    for m in c.members:
        m.wait_ready(90)
    c.wait_streaming(2)
    c.wait_primary().psql(Writer.TABLE)
    w = Writer(c, pace=0.002).start()
    until(lambda: len(w.acked) > 50, 20, "rows")
    return c, w


def rows_again(w, since=None, seconds=60):
    at = since or time.monotonic()
    until(lambda: w.acked[-1][2] > at, seconds, "rows again")
    return w.acked[-1]


def judged(c, chaos, writers):
    """Ends the writers; what may never be, was not."""
    c.wait_streaming(len(c.members) - 1, 120)
    for w in writers:
        w.stop()
    v = Verdict(chaos, writers, FENCE)
    eq((v.turns[:3], v.owners, v.late[:3]), ([], {}, []), "in turns, owners of a timeline, after the deadline")
    gone, torn = v.lost(c.wait_primary())
    eq(torn[:3], [], "lost from the middle of a timeline")
    return gone


# ---- one member ----


@test(seconds=200, tags=["asan"])
def test_a_new_pod_on_the_volume_of_the_last_primary_leads_again(t):
    """Another UID, so that it waits for the lease; and it does not follow its former self."""
    c = Cluster(t, real=False)
    m = c.member(1)
    m.start()
    m.wait_ready()
    began = time.monotonic()
    m.kill()
    m.replace()
    until(m.leads, 40, "it leads")
    ok(time.monotonic() - began > 5, "it did not wait for the lease of another pod")
    system = m.control("Database system identifier")

    # A holder that is no pod of the cluster: its time is waited for, and then it is nobody.
    Chaos(c, 6, None).edit(lambda spec, notes: spec.update(holderIdentity="nonsense"))
    until(lambda: not m.leads(), 10, "it stops")
    until(m.leads, 40, "it leads again")

    # A volume of another cluster: nothing is made of it, whatever happens to the primary.
    t.initdb("ha-2")
    other = c.member(2)
    other.start()
    eq(other.wait(30), 78, "it refuses")
    ok(other.logged("it is not this cluster's"), "it says why")
    m.kill()
    time.sleep(7)  # the lease is free
    other.start()
    eq(other.wait(30), 78, "it refuses")
    ok(other.control("Database system identifier") != system, "its data were left alone")
    m.start()
    until(m.leads, 30, "the first leads")
    eq(c.lease()["metadata"]["annotations"]["podgres.dev/systemId"], system, "system identifier in the Lease")

    # Fenced is fenced: another container, another pod, and no API to ask.
    m.order("fence")
    eq(m.postgres_tree(), [], "postgres of a fenced one")
    m.kill()
    c.api.down()
    m.start()
    m.wait_state("fenced")
    m.kill()
    c.api.up()
    m.uid = c.new_pod(m.name, m.address)
    c.api.down()
    m.start()
    m.wait_state("fenced")
    c.api.up()
    time.sleep(7)
    eq((m.state(), m.postgres_tree()), ("fenced", []), "with the API back and the lease free")
    m.order("unfence")
    until(m.leads, 40, "it leads")


def resources(p):
    with open(f"/proc/{p.pid}/status") as f:
        rss = next(int(line.split()[1]) for line in f if line.startswith("VmRSS:"))
    return rss, len(os.listdir(f"/proc/{p.pid}/fd"))


@test(seconds=200)
def test_changes_of_the_lease_cost_no_memory_and_no_descriptors(t):
    """PODGRES_TEST_SCALE=full: ten thousand.  Each is an event of the watch; renewals between them meet 409, read again, write again."""
    c = Cluster(t, real=False)
    m = c.member(1)
    m.start()
    m.wait_ready()
    done = 0

    def change(n):
        nonlocal done
        for _ in range(n):
            done += 1
            with c.api.db.lock:
                c.api.db.patch("leases", "default", c.name, "merge", {"metadata": {"annotations": {"example.com/n": str(done)}}})
            time.sleep(0.0005)

    change(scale(300, 2000))
    time.sleep(2)
    e = m.service("elector")
    before, asked = resources(e), len(c.api.requests)
    change(scale(1000, 10000))
    time.sleep(2)
    eq(m.service("elector").pid, e.pid, "the same elector")
    after = resources(e)
    print(f"figures: elector before (kB, descriptors) {before}, after {scale(1000, 10000)} changes of the Lease {after}, "
          f"requests meanwhile {len(c.api.requests) - asked}")
    ok(m.leads(), "it leads")
    ok(after[0] < before[0] + 300, f"memory grew from {before[0]} to {after[0]} kB")
    ok(after[1] <= before[1] + 2, f"descriptors grew from {before[1]} to {after[1]}")


# ---- three members ----


def upgraded(m):
    before = m.status()["sessionID"]
    master = m.postmaster().pid
    m.signal(signal.SIGUSR2)
    until(lambda: m.status()["sessionID"] != before, 20, f"{m.name} runs the new program")
    eq(m.postmaster().pid, master, "the postmaster")


@test(seconds=250)
def test_upgrades_clock_steps_and_crashes_do_not_move_the_primary(t):
    clock = WallClock(t)
    c, w = three(t, env=clock.environment)
    p = c.primary()
    began, holder = time.monotonic(), c.lease()["spec"]["holderIdentity"]
    failed, asked = len(w.failed), len(c.api.requests)

    # Another program under the postmaster, everywhere.
    for m in c.members:
        upgraded(m)
        time.sleep(1)
    eq([r for r in c.api.requests[asked:] if r == f"patch /api/v1/namespaces/default/pods/{p.name}"][1:], [],
       "labels of the primary that changed for a moment")
    eq(c.lease()["spec"]["holderIdentity"].split("/")[:2], holder.split("/")[:2], "who holds the Lease")
    eq(len(w.failed) - failed, 0, f"interrupted clients: {w.failed[failed:]}")
    ok(w.gap(began) < 2, f"nothing was written for {w.gap(began):.1f} s")

    moved = c.lease()["spec"]["leaseTransitions"]

    # The wall clock of each, an hour to and fro.
    before = p.psql("SELECT now() AT TIME ZONE 'UTC'")
    for m in (p, next(m for m in c.members if m is not p)):
        for seconds in (3600, -3600, 0):
            clock.step(m.name, seconds)
            if m is p and seconds:
                ok(p.psql("SELECT now() AT TIME ZONE 'UTC'")[11:13] != before[11:13], "the clock of postgres was stepped")
            time.sleep(2.5)
    eq(c.primary(), p, "the primary")
    eq(len(w.failed) - failed, 0, f"interrupted clients: {w.failed[failed:]}")
    print("figures: longest gap of three upgrades and four steps of the clock", round(w.gap(began), 3))

    # Postgres stopped behind its back on a standby; and killed on the primary: the same timeline.
    s = next(m for m in c.members if m is not p)
    s.postmaster().kill(signal.SIGINT)
    c.wait_streaming(2, 30)
    p.postmaster().kill(signal.SIGKILL)
    row = rows_again(w)
    eq((row[1], int(row[4], 16)), (p.address, 1), "who writes, and on which timeline")
    lease = c.lease()["spec"]
    eq(lease["leaseTransitions"], moved, "transitions of the Lease")

    # A postgres that cannot come up again: another takes over at once.
    began = time.monotonic()
    os.rename(p.pgdata + "/global/pg_control", p.pgdata + "/global/pg_control.off")
    until(lambda: not p.postmaster(), 20, "postgres is stopped")
    n = c.wait_primary(40, but=p)
    rows_again(w)
    print("figures: gap when postgres of the primary cannot start again", round(w.gap(began - 1), 3))
    os.rename(p.pgdata + "/global/pg_control.off", p.pgdata + "/global/pg_control")
    c.wait_streaming(2, 90)
    eq(c.primary(), n, "the primary stays")
    judged(c, Chaos(c, 6, None), [w])


@test(seconds=300)
def test_failures_of_three_in_every_order(t):
    """The primary ends, then its heir, while the first is not back: who has the newest timeline leads."""
    c, w = three(t)
    chaos = Chaos(c, 6, None)
    for both in scale((True,), (False, True)):
        a = c.primary()
        a.kill()
        b = c.wait_primary(40, but=a)
        rows_again(w)
        last = next(m for m in c.members if m not in (a, b))
        # Until then only b has the newest timeline, and nobody could take over without losing it.
        until(lambda: b.psql("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'") == "1", 60, "it streams")
        if both:
            b.kill()
            eq(c.wait_primary(40), last, "the last one")
            rows_again(w)
            a.start()
            b.replace()
        else:  # the first comes back while the second goes
            b.kill()
            a.start()
            n = c.wait_primary(60)
            ok(n in (a, last), n.name)
            rows_again(w)
            b.start()
        c.wait_streaming(2, 120)

    # A cut, and a second one while the other standby is fenced: nobody leads twice, and nothing hangs.
    p = c.primary()
    p.cut()
    n = c.wait_primary(40, but=p)
    p.join()
    c.wait_streaming(2, 90)
    idle = next(m for m in c.members if m not in (p, n))
    idle.order("fence")
    n.cut()
    eq(c.wait_primary(40, but=n), p, "the one that is left")
    n.join()
    idle.order("unfence")
    rows_again(w)
    gone = judged(c, chaos, [w])
    print(f"figures: {len(w.acked)} rows acknowledged, {len(gone)} of them by primaries that were lost")


# ---- each persisted step ----

STEPS = (("claimed, not promoted", '"msg":"the Lease is ours"', "kill"),
         ("promoting", '"to":"promote"', "kill"),
         ("promoted, its timeline not published", '"to":"primary"', "kill"),
         ("stopping for a hand-over", '"to":"handover"', "switchover"),
         ("stopped, the Lease not given back", '"msg":"postgres ended"', "switchover"),
         ("given back", '"msg":"the Lease was given back"', "switchover"))


def crash_at(c, text, begin):
    """begin(), and PID 1 of whoever writes text from now on is killed that moment; returns it."""
    at = {m: os.path.getsize(m.stdout) for m in c.members}
    begin()
    end = time.monotonic() + 40
    while time.monotonic() < end:
        for m, offset in at.items():
            with open(m.stdout, errors="replace") as f:
                f.seek(offset)
                if m.child.poll() is None and text in f.read():
                    m.kill()
                    return m
        time.sleep(0.002)
    ok(False, f"nobody wrote {text}")


def steps(c, w):
    for name, text, how in scale(STEPS[2::2], STEPS):
        p = c.primary()
        began = time.monotonic()
        if how == "kill":
            m = crash_at(c, text, p.kill)
            p.start()
        else:
            m = crash_at(c, text, lambda p=p: p.post("/v1/switchover", {}))
        m.start()
        rows_again(w)
        c.wait_streaming(2, 120)
        print(f"figures: crash of {m.name} when it was {name}: gap {w.gap(began - 0.5):.1f} s, primary {c.primary().name}, "
              f"timeline {w.acked[-1][4]}")


def written_since(m, offset, text):
    with open(m.stdout, errors="replace") as f:
        f.seek(offset)
        return text in f.read()


def unpublished(c, w):
    """Promoted, the API hangs, a standby has its rows, and it ends: nobody may begin the same timeline once more."""
    p, old = c.primary(), int(w.acked[-1][4], 16)
    eq(c.lease()["metadata"]["annotations"]["podgres.dev/timeline"], str(old), "published")
    at = {m: os.path.getsize(m.stdout) for m in c.members if m is not p}
    p.kill()
    n = until(lambda: next((m for m in at if written_since(m, at[m], '"msg":"the Lease is ours"')), None), 30, "a claim")
    c.api.fault("hang", "^update")
    heir = next(m for m in at if m is not n)
    until(lambda: int(w.acked[-1][4], 16) == old + 1, 20, "rows on the new timeline")
    until(lambda: heir.psql("SELECT received_tli FROM pg_stat_wal_receiver WHERE status = 'streaming'") == str(old + 1), 20,
          "it streams")
    time.sleep(0.5)
    n.kill()
    c.api.clear()
    eq(c.lease()["metadata"]["annotations"]["podgres.dev/timeline"], str(old), "published")
    p.start()  # it has not seen the new timeline, and is not to make it a second time
    until(heir.leads, 60, "who has it leads")
    eq(int(rows_again(w)[4], 16), old + 2, "timeline")
    n.start()
    c.wait_streaming(2, 120)


def former(c, w):
    """The node is thought dead and the pod deleted by force: the new one has the name, the old one still runs."""
    p = c.primary()
    old = p.uid
    c.new_pod(p.name, p.address)
    began = time.monotonic()
    n = c.wait_primary(40, but=p)
    rows_again(w)
    until(lambda: p.state() not in ("primary", "silent") or not p.postgres_tree(), 10, "the old one leads no more")
    time.sleep(7)
    eq(c.primary(), n, "the primary stays")
    ok(f"/{old}/" not in c.lease()["spec"]["holderIdentity"], c.lease()["spec"])
    print("figures: gap when Kubernetes made another pod of the primary's name", round(w.gap(began), 3))
    p.kill()
    p.replace()


@test(seconds=400)
def test_a_crash_of_the_manager_at_each_step_and_two_pods_of_one_name(t):
    c, w = three(t)
    steps(c, w)
    unpublished(c, w)
    former(c, w)
    judged(c, Chaos(c, 6, None), [w])
