"""ha_campaign - three pods under random faults, and clients that write down every acknowledgement.

Afterwards no two members have acknowledged in turns, and what is missing was acknowledged by a primary that lost its
Lease.  PODGRES_TEST_SCALE=full: 200 faults, or PODGRES_TEST_FAULTS of them.  PODGRES_TEST_SEED repeats a run's choices.
"""
import os
import random
import signal
import time

from podtest import eq, ok, scale, test, until
from podtest.cluster import Cluster
from podtest.writer import Writer, overlaps

LEASE = 6


class Campaign:
    def __init__(self, t):
        self.seed = int(os.environ.get("PODGRES_TEST_SEED", scale(11, random.randrange(1 << 20))))
        print(f"seed {self.seed}", flush=True)
        self.random, self.count, self.slowest = random.Random(self.seed), {}, 0.0
        self.c = Cluster(t, real=False)
        self.c.start(3)
        self.c.wait_streaming(2)
        self.c.wait_primary().psql(Writer.TABLE)
        self.writers = [Writer(self.c, n, pace=0.005).start() for n in range(3)]

    def any(self):
        """The primary half of the time."""
        p = self.c.primary()
        return p if p and self.random.random() < 0.5 else self.random.choice(self.c.members)

    def pause(self, most):
        time.sleep(self.random.uniform(0.1, most))

    # ---- faults: each is over when it returns ----

    def cut(self):
        m = self.any()
        m.cut()
        self.pause(2 * LEASE)
        m.join()

    def pod(self):
        m = self.any()
        m.kill()
        self.pause(2 * LEASE)
        if self.random.random() < 0.5:
            m.start()
        else:
            m.replace()

    def postgres(self):
        p = self.any().postmaster()
        if p:
            p.kill(signal.SIGKILL)

    def service(self):
        s = self.any().service(self.random.choice(("elector", "fencer", "monitor", "api", "logger")))
        if s:
            s.kill(signal.SIGKILL)

    def manager(self):
        m = self.any()
        m.signal(signal.SIGSTOP)
        self.pause(2 * LEASE)
        m.signal(signal.SIGCONT)

    def freeze(self):
        m = self.any()
        procs = m.procs()
        for p in procs:
            p.kill(signal.SIGSTOP)
        self.pause(2 * LEASE)
        for p in procs:
            p.kill(signal.SIGCONT)

    def stop(self):
        m = self.any()
        m.signal(signal.SIGTERM)
        m.wait()
        m.replace()

    def api(self):
        self.c.api.down()
        self.pause(2 * LEASE)
        self.c.api.up()

    def fault(self, *what, **how):
        self.c.api.fault(*what, **how)
        self.pause(2 * LEASE)
        self.c.api.clear()

    def slow(self):
        self.fault("slow", seconds=self.random.uniform(1, LEASE))

    def late(self):
        self.fault("late", "^(update|create)", seconds=self.random.uniform(1, LEASE), percent=50)

    def errors(self):
        self.fault("error", percent=50, status=503)

    def hang(self):
        self.fault("hang", percent=50)

    # ---- one after the other ----

    def settled(self):
        """One primary that takes writes, and somebody who could take over."""
        began = time.monotonic()
        p = self.c.wait_primary(120)
        before = len(self.writers[0].acked)
        until(lambda: len(self.writers[0].acked) > before + 5, 60, "rows again")
        until(lambda: sum(m.status()["isWalReceiverActive"] for m in self.c.members if m is not p and m.state() == "standby") >= 1,
              120, "a standby streams again")
        self.slowest = max(self.slowest, time.monotonic() - began)

    def run(self, n):
        kinds = [self.cut, self.pod, self.postgres, self.service, self.manager, self.freeze, self.stop, self.api, self.slow,
                 self.late, self.errors, self.hang]
        for i in range(n):
            fault = kinds[i] if i < len(kinds) and n >= len(kinds) else self.random.choice(kinds)
            print(f"{time.monotonic():.1f} {i} {fault.__name__}", flush=True)
            fault()
            self.count[fault.__name__] = self.count.get(fault.__name__, 0) + 1
            self.settled()

    def judge(self):
        p = self.c.wait_primary()
        for w in self.writers:
            w.stop()
        eq(overlaps(self.writers), [], "two members acknowledged in turns")
        gone = total = 0
        for w in self.writers:
            have, at = w.rows_of(p), {a[0]: a for a in w.acked}
            missing = sorted(set(at) - have)
            total, gone = total + len(at), gone + len(missing)
            for n in missing:
                after = next((a for a in w.acked if a[2] > at[n][3] and a[0] in have), None)
                ok(after is None or after[1] != at[n][1],
                   f"row {n} was acknowledged by {at[n][1]}, which went on to acknowledge row {after[0] if after else ''}")
        faults = ", ".join(f"{k} {v}" for k, v in sorted(self.count.items()))
        print(f"figures: {total} rows acknowledged, {gone} of them by a primary that lost its Lease and gone with it; "
              f"longest until all was well again {self.slowest:.1f} s; faults: {faults}", flush=True)


@test(seconds=scale(400, 10000))
def test_no_two_acknowledge_whatever_happens(t):
    campaign = Campaign(t)
    campaign.run(int(os.environ.get("PODGRES_TEST_FAULTS", scale(6, 200))))
    campaign.judge()
