"""ha_orders - what people ask of a cluster: reinit, a forced promotion, a switchover, two of them at once."""
import os
import signal
import threading
import time

from podtest import eq, ok, test, until
from podtest.cluster import Cluster
from podtest.writer import Writer


def pair(t, n=2, **how):
    c = Cluster(t, **how)
    c.start(n)
    c.wait_streaming(n - 1)
    return c, c.primary()


def old_folders(pod):
    parent, name = os.path.split(pod.pgdata)
    return [x for x in os.listdir(parent) if x.startswith(name + ".podgres-old-reinit-")]


@test(seconds=120)
def test_a_standby_is_cloned_anew_and_goes_on_after_a_kill(t):
    c, p = pair(t)
    s = next(m for m in c.members if m is not p)
    a = p.post("/v1/reinit?wait=5s")
    eq(a.status, 409, "reinit of the primary")
    ok("never cloned anew" in a.text, a.text)
    p.psql("CREATE TABLE kept AS SELECT g, repeat('x', 500) AS t FROM generate_series(1, 20000) g")
    with open(s.pgdata + "/mine", "w") as f:
        f.write("of the former copy")
    out = s.cli("reinit")
    eq(len(old_folders(s)), 1, out.stdout + out.stderr)
    ok(not os.path.exists(s.pgdata + "/mine"), "it is another folder")
    c.wait_streaming(1)
    eq(s.psql("SELECT count(*) FROM kept"), "20000", "rows of the clone")
    mark = os.path.join(os.path.dirname(s.pgdata), ".podgres-" + os.path.basename(s.pgdata), "rejoin")
    for killed in ("in the middle", "as a whole"):
        eq(s.post("/v1/reinit").status, 202, "reinit again")
        until(lambda: os.path.exists(mark), 30, "the mark")
        if killed == "in the middle":
            for job in [x for x in s.procs() if "job prepare" in x.cmdline]:
                job.kill(signal.SIGKILL)
        else:
            s.kill()
            s.start()
        until(lambda: not os.path.exists(mark), 60, "the clone is made all the same")
        c.wait_streaming(1)
        eq(s.psql("SELECT count(*) FROM kept"), "20000", "rows")
        eq(len(old_folders(s)), 1, "one former copy is kept")
    p.kill()
    a = s.post("/v1/reinit?wait=5s")
    ok(a.status in (409, 502, 504), a.text)
    c.wait_primary(60)
    eq(c.primary().name, s.name, "a standby whose primary is gone takes over, whatever was ordered")


@test(seconds=120)
def test_a_promotion_says_why_not_and_force_needs_a_bound(t):
    c, p = pair(t)
    s = next(m for m in c.members if m is not p)
    for body, text in (({"force": True}, "force needs acceptDataLoss"), ({"acceptDataLoss": 5}, "without force"),
                       ({"force": True, "acceptDataLoss": "much"}, "16Mi")):
        a = s.post("/v1/promote", body)
        eq(a.status, 400, a.text)
        ok(text in a.text, a.text)
    out = s.cli("promote", "--force", check=False)
    eq(out.returncode, 64, out.stderr)
    ok("--accept-data-loss" in out.stderr, out.stderr)
    a = s.order("promote", 60)
    eq(c.wait_primary().name, s.name, "a promotion of a standby is a switchover to it")
    c.wait_streaming(1)


@test(seconds=120)
def test_of_two_that_ask_at_once_one_wins(t):
    c, p = pair(t, 3)
    others = [m for m in c.members if m is not p]
    p.psql(Writer.TABLE)
    w = Writer(c).start()
    until(lambda: len(w.acked) > 20, 20, "rows")
    answers = {}

    def ask(key, pod, what, body, headers=None):
        answers[key] = pod.post(f"/v1/{what}?wait=60s", body, timeout=70, headers=headers or {})

    def at_once(*calls):
        threads = [threading.Thread(target=ask, args=x) for x in calls]
        for x in threads:
            x.start()
        for x in threads:
            x.join()

    at_once(("a", p, "switchover", {"target": others[0].name}), ("b", p, "switchover", {"target": others[1].name}))
    eq(sorted(x.status for x in answers.values()), [200, 409], str({k: v.text for k, v in answers.items()}))
    won = others[0] if answers["a"].status == 200 else others[1]
    eq(c.wait_primary().name, won.name, "the one that was answered 200")
    c.wait_streaming(2)
    # The same key twice is one order.
    target = next(m for m in c.members if m is not won)
    answers.clear()
    key = {"Idempotency-Key": "once"}
    at_once(("a", won, "switchover", {"target": target.name}, key), ("b", won, "switchover", {"target": target.name}, key))
    eq([x.status for x in answers.values()], [200, 200], str({k: v.text for k, v in answers.items()}))
    eq(len({x.json()["operation"]["id"] for x in answers.values()}), 1, "one operation")
    eq(c.wait_primary().name, target.name, "the target")
    won.service("api").kill(signal.SIGKILL)
    until(lambda: won.get("/livez").status == 200, 20, "the API is back")
    a = won.post("/v1/switchover?wait=5s", {"target": target.name}, headers=key)
    eq((a.status, a.json()["operation"]["id"]), (200, answers["a"].json()["operation"]["id"]), "also of another API")
    c.wait_streaming(2)
    # Two standbys that both want to be it.
    left = [m for m in c.members if m is not target]
    answers.clear()
    at_once(("a", left[0], "promote", None), ("b", left[1], "promote", None))
    eq(sorted(x.status for x in answers.values()), [200, 409], str({k: v.text for k, v in answers.items()}))
    eq(c.wait_primary().name, left[0 if answers["a"].status == 200 else 1].name, "the one that was answered 200")
    c.wait_streaming(2)
    w.stop()
    eq(sorted({a[0] for a in w.acked} - w.rows_of(c.primary())), [], "acknowledged rows that are gone")


@test(seconds=150)
def test_a_switchover_is_refused_before_anything_stops_and_undone_when_the_target_falls_away(t):
    c, p = pair(t)
    s = next(m for m in c.members if m is not p)
    p.psql(Writer.TABLE)
    w = Writer(c).start()
    until(lambda: len(w.acked) > 20, 20, "rows")
    began = time.monotonic()
    s.psql("SELECT pg_wal_replay_pause()")
    until(lambda: s.status()["replayPaused"], 10, "paused")
    a = p.post("/v1/switchover?wait=30s", {"target": s.name}, timeout=40)
    eq(a.status, 409, a.text)
    ok("replay is paused" in a.text, a.text)
    s.psql("SELECT pg_wal_replay_resume()")
    a = p.post("/v1/switchover?wait=30s", {"target": "nobody"}, timeout=40)
    eq(a.status, 409, a.text)
    ok("no such member" in a.text, a.text)
    ok(w.gap(began) < 3, "clients noticed nothing")
    until(lambda: not s.status()["replayPaused"], 10, "it replays")
    # Its postgres stands still, and nothing there has noticed it yet.
    frozen = s.postgres_tree() + [s.service("monitor")]
    for x in frozen:
        x.kill(signal.SIGSTOP)
    a = p.post("/v1/switchover?wait=60s", {"target": s.name}, timeout=70)
    for x in frozen:
        x.kill(signal.SIGCONT)
    now = c.wait_primary(60)
    eq((a.status, now.name), (409, p.name), "the former primary goes on")
    ok("goes on" in a.text, a.text)
    eq(p.control("Latest checkpoint's TimeLineID"), "1", "no other timeline")
    c.wait_streaming(1)
    rows = len(w.acked)
    until(lambda: len(w.acked) > rows, 30, "rows again")
    print("figures: gap of a switchover that is undone", round(w.gap(began), 2))
    w.stop()
    eq(sorted({x[0] for x in w.acked} - w.rows_of(c.primary())), [], "acknowledged rows that are gone")
