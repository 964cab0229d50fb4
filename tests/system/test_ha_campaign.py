"""ha_campaign - three pods under random faults, and clients that write down every acknowledgement.

Afterwards: no timeline had two owners, no row was acknowledged on an older timeline after a newer one had acknowledged,
none after its primary's fence deadline; what is missing is the end of a timeline.  With synchronous replication that is
required nothing is missing.  podtest/chaos.py has the faults and what is judged.

PODGRES_TEST_SCALE=full: 200 partitions, 100 kills and the others, of both kinds of clusters.  PODGRES_TEST_FAULTS=N: N
faults drawn from them.  PODGRES_TEST_SEED repeats a run's choices.
"""
import os
import random
import time
from concurrent.futures import ThreadPoolExecutor

from podtest import eq, ok, scale, test, until
from podtest.chaos import Chaos, Verdict, WallClock
from podtest.cluster import Cluster
from podtest.writer import Writer

LEASE, RENEW = 6, 3
FENCE = LEASE / 1.01 - 2 + 0.05  # what V3 is below, and what the clients' clock may read too late

MANIFEST = """apiVersion: postgresql.cnpg.io/v1
kind: Cluster
metadata: {name: ha}
spec:
  instances: 3
  primaryLease: {leaseDurationSeconds: 6, renewDeadlineSeconds: 3, retryPeriodSeconds: 1}
  probes:
    liveness:
      isolationCheck: {enabled: false}
  postgresql:
    pg_hba: [host all all 10.77.0.0/24 trust]
SYNC"""
REQUIRED = "    synchronous: {method: any, number: 1, dataDurability: required}\n"

# How often each happens at full scale.
PARTITIONS = {"cut_all": 34, "cut_api": 34, "cut_pods": 33, "cut_one_way_out": 33, "cut_one_way_in": 33, "cut_flapping": 33}
KILLS = {"kill_pod": 16, "kill_manager": 16, "kill_postgres": 16, "kill_backend": 24, "kill_service": 28}
OTHERS = {"freeze_manager": 8, "freeze_pod": 8, "end_orderly": 6, "switchover": 8, "api_down": 5, "api_slow": 5, "api_late": 5,
          "api_lost": 4, "api_errors": 5, "api_hangs": 4, "api_silent_watch": 4, "lease_deleted": 6, "lease_edited": 16,
          "token_rotated": 5, "twin": 5, "clock_steps": 8}
# At the default scale, one of each second group.
SMALL = (("cut_all", "cut_one_way_out", "cut_api", "cut_one_way_in"), ("kill_pod", "kill_manager"), ("kill_backend", "kill_service"),
         ("freeze_pod", "freeze_manager"), ("lease_edited", "lease_deleted", "token_rotated"), ("api_late", "api_slow", "api_lost"))




def shared(name):
    """Befalls what all members have in common."""
    return name.startswith(("api_", "lease_", "token_", "twin"))


class Campaign:
    def __init__(self, t, sync=False):
        self.seed = int(os.environ.get("PODGRES_TEST_SEED", scale(11, random.randrange(1 << 20))))
        print(f"seed {self.seed}", flush=True)
        self.random, self.sync, self.slowest, self.rounds = random.Random(self.seed), sync, (0.0, ""), 0
        self.hands = ThreadPoolExecutor(2)  # pods die with the thread that started them
        # A preloaded library and the sanitizer's are no friends.
        clock = None if "asan" in os.environ.get("PODGRES_TEST_BUILD", "") else WallClock(t)
        self.c = Cluster(t, real=False, manifest=MANIFEST.replace("SYNC", REQUIRED if sync else ""))
        self.chaos = Chaos(self.c, LEASE, self.random, clock)
        for i in (1, 2, 3):
            m = self.c.member(i, env=clock.environment(f"ha-{i}") if clock else None)
            m.start()
            if i == 1:
                m.wait_ready()
        for m in self.c.members:
            m.wait_ready(90)
        self.c.wait_streaming(2)
        self.c.wait_primary().psql(Writer.TABLE)
        self.writers = [Writer(self.c, n, pace=0.005).start() for n in range(3)]

    # ---- which ----

    def plan(self):
        n = os.environ.get("PODGRES_TEST_FAULTS")
        every = [k for kinds in (PARTITIONS, KILLS, OTHERS) for k, times in kinds.items() for _ in range(times)]
        if n:
            return self.random.sample(every, min(int(n), len(every)))
        if scale(True, False):
            return [self.random.choice(group) for group in SMALL[self.sync::2]]
        self.random.shuffle(every)
        return every

    def rounds_of(self, plan):
        """A quarter of them two at a time, which may not both be of the API."""
        while plan:
            one = [plan.pop()]
            if plan and self.random.random() < 0.25 and not (shared(one[0]) and shared(plan[-1])):
                one.append(plan.pop())
            yield one

    def whom(self):
        """Members in the order in which they are hit: the primary first half of the time."""
        order, p = self.random.sample(self.c.members, len(self.c.members)), self.c.primary()
        if p and self.random.random() < 0.55:
            order.remove(p)
            order.insert(0, p)
        return order

    # ---- one after the other ----

    def one(self, name, m):
        getattr(self.chaos, name)(m)
        self.chaos.note(name)

    def round(self, names):
        order = self.whom()
        said = ", ".join(f"{n} {m.name}" for n, m in zip(names, order))
        print(f"{time.monotonic():.1f} {self.rounds} {said}", flush=True)
        self.rounds += 1
        began, before = time.monotonic(), [len(w.acked) for w in self.writers]
        running = []
        for n, m in zip(names, order):
            if running:
                time.sleep(self.random.uniform(0, 1.5))
            running.append(self.hands.submit(self.one, n, m))
        for r in running:
            r.result()
        self.settled(said, began, before)

    def settled(self, said, began, before):
        """Rows again; and often somebody who could take over."""
        over = time.monotonic()
        until(lambda: self.writers[0].acked and self.writers[0].acked[-1][2] > over, 120, f"rows again after {said}")
        if self.random.random() < 0.5:
            self.c.wait_streaming(1, 120)
        times = [began] + sorted(a[3] for w, n in zip(self.writers, before) for a in w.acked[n:])
        gap = max(b - a for a, b in zip(times, times[1:]))
        self.slowest = max(self.slowest, (gap, said))

    def run(self):
        for names in self.rounds_of(self.plan()):
            self.round(names)

    # ---- the end ----

    def judge(self):
        self.c.wait_streaming(2, 180)
        for w in self.writers:
            w.stop()
        p = self.c.wait_primary()
        v = Verdict(self.chaos, self.writers, FENCE)
        gone, torn = v.lost(p)
        total = sum(len(w.acked) for w in self.writers)
        timelines = len({a[4] for w in self.writers for a in w.acked})
        faults = ", ".join(f"{k} {n}" for k, n in sorted(self.chaos.count.items()))
        print(f"figures: {'sync' if self.sync else 'async'}, seed {self.seed}: {total} rows acknowledged on {timelines} timelines, "
              f"{len(gone)} lost, {len(v.leaks)} answers of thawed pods, longest outage {self.slowest[0]:.1f} s ({self.slowest[1]}); "
              f"{self.rounds} rounds: {faults}", flush=True)
        eq(v.owners, {}, "timelines of two members")
        eq(v.turns[:3], [], "acknowledged after a later timeline had")
        eq(v.late[:3], [], "acknowledged after the fence deadline (row, seconds after the last grant)")
        eq(torn[:3], [], "lost from the middle of a timeline")
        if self.sync:
            eq(gone[:3], [], "acknowledged and lost")
        self.same()

    def same(self):
        """Each member has what the primary has."""
        count = "SELECT count(*), coalesce(sum(n), 0) FROM acked"
        want = self.c.wait_primary().psql(count)
        for m in self.c.members:
            until(lambda m=m: m.psql(count) == want, 30, f"{m.name} has all of it")


class Told:
    """As a campaign leaves it behind, for the judge alone: one member's lease was granted at these times."""

    def __init__(self, rows, grants=((0.0, "a/u/n"),), thaws=()):
        member = type("Member", (), {})
        self.c, self.thaws = self, list(thaws)
        self.members = [member() for _ in range(2)]
        for m, name in zip(self.members, "ab"):
            m.name = m.address = name
        self.api, self.written = self, list(grants)
        self.acked, self.have = rows, set()

    def rows_of(self, _):
        return self.have


@test(seconds=20)
def test_the_judge_sees_what_may_never_be(t):
    def of(rows, **how):
        told = Told(rows, **how)
        told.have = {r[0] for r in rows} - {2}
        v = Verdict(told, [told], FENCE)
        return [len(v.turns), len(v.owners), len(v.late), *map(len, v.lost(None))]

    both = ((0.0, "a/u/n"), (2.0, "b/u/n"))
    good = [(1, "a", 1.0, 1.1, "01"), (3, "b", 2.1, 2.2, "02")]
    eq(of(good, grants=both), [0, 0, 0, 0, 0], "nothing wrong")
    eq(of([*good, (4, "a", 2.3, 2.4, "01")], grants=both)[0], 1, "acknowledged after a later timeline had")
    eq(of([*good, (4, "a", 2.3, 2.4, "01")], grants=both, thaws=[(2.35, "a")])[0], 0, "on its way when the pod was thawed")
    eq(of([*good, (4, "a", 2.3, 2.4, "02")], grants=both)[1], 1, "a timeline of two")
    eq(of([(1, "a", FENCE + 0.1, FENCE + 0.2, "01")])[2], 1, "after the deadline")
    eq(of([(1, "b", 1.0, 1.1, "01")])[2], 1, "without a grant")
    eq(of([*good, (2, "a", 1.2, 1.3, "01")], grants=both)[3:], [1, 0], "lost at the end of its timeline")
    eq(of([(2, "a", 0.5, 0.6, "01"), *good], grants=both)[3:], [1, 1], "lost from the middle")


@test(seconds=scale(400, 6000))
def test_no_two_acknowledge_whatever_happens(t):
    campaign = Campaign(t)
    campaign.run()
    campaign.judge()


@test(seconds=scale(400, 6000))
def test_nothing_acknowledged_is_lost_with_synchronous_replication(t):
    campaign = Campaign(t, sync=True)
    campaign.run()
    campaign.judge()
