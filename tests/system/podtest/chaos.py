"""chaos - faults for a cluster of pods, each of which is over when it returns, and what they may never lead to.

A fault takes the member it befalls.  Two of different members may run at a time.
"""
import mmap
import os
import signal
import struct
import subprocess
import threading
import time

from . import kube

from .cluster import API, NODE

SERVICES = ("elector", "fencer", "monitor", "api", "logger", "archiver", "collector")
BACKENDS = ("checkpointer", "walsender", "client", "walwriter")
THAW = 0.2  # a pod that was frozen as a whole may answer for so long before its fencer runs


class WallClock:
    """A wall clock for each member that can be stepped (podtest/wallclock.c)."""

    def __init__(self, test):
        self.test, self.maps = test, {}
        self.lib = test.path("wallclock.so")
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "wallclock.c")
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", self.lib, source], check=True)

    def environment(self, name):
        path = self.test.path(f"{name}.wallclock")
        with open(path, "wb") as f:
            f.write(bytes(4096))
        os.chmod(path, 0o644)
        with open(path, "r+b") as f:
            self.maps[name] = mmap.mmap(f.fileno(), 4096)
        return {"LD_PRELOAD": self.lib, "WALLCLOCK_FILE": path}

    def step(self, name, seconds):
        self.maps[name][0:8] = struct.pack("q", seconds)


class Chaos:
    """Faults of a Cluster on the stand-in of the API.  term: seconds of its Lease."""

    def __init__(self, cluster, term, rnd, clock=None):
        self.c, self.term, self.random, self.clock = cluster, term, rnd, clock
        self.count, self.thaws, self.api_free = {}, [], threading.Lock()

    def pause(self, least, most):
        time.sleep(self.random.uniform(least, most))

    def note(self, what):
        self.count[what] = self.count.get(what, 0) + 1

    def some(self):
        """Longer than a lease in a third of the cases."""
        self.pause(*((0.2, 0.7 * self.term) if self.random.random() < 0.67 else (self.term, 2 * self.term)))

    # ---- the network ----

    def cut_all(self, m):
        m.cut()
        self.some()
        m.join()

    def cut_api(self, m):
        m.mute(API)
        self.some()
        m.mute(API, on=False)

    def cut_pods(self, m):
        others = [o.address for o in self.c.members if o is not m]
        m.mute(*others)
        self.some()
        m.mute(*others, on=False)

    def cut_one_way_out(self, m):
        everybody = [NODE, API] + [o.address for o in self.c.members if o is not m]
        m.mute(*everybody)
        self.some()
        m.mute(*everybody, on=False)

    def cut_one_way_in(self, m):
        m.deaf()
        for o in self.c.members:
            if o is not m:
                o.mute(m.address)
        self.some()
        m.deaf(False)
        for o in self.c.members:
            if o is not m:
                o.mute(m.address, on=False)

    def cut_flapping(self, m):
        for _ in range(self.random.randrange(3, 8)):
            m.cut()
            self.pause(0.05, 0.3 * self.term)
            m.join()
            self.pause(0.05, 0.2 * self.term)

    # ---- kill -9 ----

    def kill_pod(self, m):
        m.kill()
        self.some()
        m.replace()

    def kill_manager(self, m):
        """PID 1: all of its namespace goes with it, and the kubelet starts the container again."""
        m.init.kill(signal.SIGKILL)
        m.child.wait(10)
        self.pause(0, 1)
        m.start()

    def kill_one(self, m, proc, what):
        if not proc:
            return
        try:
            proc.kill(signal.SIGKILL)
            self.note("kill " + what)
        except OSError:
            pass  # it was faster

    def kill_postgres(self, m):
        self.kill_one(m, m.postmaster(), "postmaster")

    def kill_backend(self, m):
        """One that has a job: its end makes postgres start anew inside."""
        found = [p for p in m.postgres_tree() if p.nspid != 1 and " -D " not in p.cmdline]
        kinds = {"checkpointer": ": checkpointer", "walsender": ": walsender", "client": "postgres: postgres postgres",
                 "walwriter": ": walwriter"}
        kind = self.random.choice(BACKENDS)
        self.kill_one(m, next((p for p in found if kinds[kind] in p.cmdline), found[0] if found else None), kind)

    def kill_service(self, m):
        alive = [s for s in SERVICES if m.service(s)]
        if alive:
            name = self.random.choice(alive)
            self.kill_one(m, m.service(name), name)

    # ---- kill -STOP ----

    def freeze_manager(self, m):
        m.signal(signal.SIGSTOP)
        self.pause(0.3, 2 * self.term)
        m.signal(signal.SIGCONT)

    def freeze_pod(self, m):
        procs = m.procs()
        for p in procs:
            self.signalled(p, signal.SIGSTOP)
        self.pause(0.3, 2 * self.term)
        self.random.shuffle(procs)
        self.thaws.append((time.monotonic(), m.address))
        for p in procs:
            self.signalled(p, signal.SIGCONT)

    def signalled(self, p, sig):
        try:
            p.kill(sig)
        except OSError:
            pass

    # ---- orders ----

    def end_orderly(self, m):
        m.signal(signal.SIGTERM)
        m.wait(90)
        m.replace()

    def switchover(self, m):
        p = self.c.primary()
        if p:
            p.cli("switchover", "" if p is m else m.name, check=False)

    # ---- the API ----

    def api_down(self, m):
        self.c.api.down()
        self.some()
        self.c.api.up()

    def api_fault(self, *what, **how):
        self.c.api.fault(*what, **how)
        self.pause(1, 2 * self.term)
        self.c.api.clear()

    def api_slow(self, m):
        self.api_fault("slow", seconds=self.random.uniform(1, 12))

    def api_late(self, m):
        self.api_fault("late", "^(update|create)", seconds=self.random.uniform(1, 12), percent=50)

    def api_lost(self, m):
        self.api_fault("lost", "^(update|create)", percent=50)

    def api_errors(self, m):
        self.api_fault("error", percent=50, status=self.random.choice((500, 503, 504)))

    def api_hangs(self, m):
        self.api_fault("hang", percent=50)

    def api_silent_watch(self, m):
        self.c.api.stall_watches()
        self.pause(1, 2 * self.term)
        self.c.api.stall_watches(False)

    # ---- the Lease by hand ----

    def edit(self, change):
        path = f"{kube.LEASES}/{self.c.name}"
        for _ in range(20):  # somebody may write in between
            r = self.c.api.lease(self.c.name)
            if r.status != 200:
                return
            body = r.body
            change(body["spec"], body["metadata"].setdefault("annotations", {}))
            if self.c.api.request("PUT", path, body).status == 200:
                return

    def lease_deleted(self, m):
        self.c.api.request("DELETE", f"{kube.LEASES}/{self.c.name}")

    def lease_edited(self, m):
        kinds = {"emptied": lambda s, a: s.update(holderIdentity=""),
                 "nobody": lambda s, a: s.update(holderIdentity="nonsense"),
                 "another": lambda s, a: s.update(holderIdentity=f"{m.name}/{m.uid}/0000000000000000"),
                 "seq": lambda s, a: a.update({"podgres.dev/seq": str(self.random.randrange(1 << 40))}),
                 "bare": lambda s, a: a.clear(),
                 "duration": lambda s, a: s.update(leaseDurationSeconds=self.random.choice((1, 20))),
                 "broken": lambda s, a: a.update({"podgres.dev/timeline": "x", "podgres.dev/members": "[[", "podgres.dev/seq": "-"})}
        for _ in range(self.random.choice((1, 1, 2))):
            name = self.random.choice(sorted(kinds))
            self.note("lease " + name)
            self.edit(kinds[name])
            self.pause(0, 0.5)

    # ---- who one is ----

    def put_token(self, token):
        with open(self.c.token_file + ".new", "w") as f:
            f.write(token)
        os.rename(self.c.token_file + ".new", self.c.token_file)

    def token_rotated(self, m):
        with open(self.c.token_file) as f:
            old = f.read()
        new = f"podtoken{self.random.randrange(1 << 40)}"
        self.c.api.allow(new, *kube.POD_RIGHTS)
        late = self.random.random() < 0.5
        if late:
            self.c.api.expire(old)
            self.pause(0.5, self.term)
        self.put_token(new)
        if not late:
            self.pause(0.5, self.term)
            self.c.api.expire(old)

    def twin(self, m):
        """Kubernetes made another pod of that name and the old one still runs."""
        m.uid = self.c.new_pod(m.name, m.address)
        self.pause(0.5, 2 * self.term)
        m.kill()
        m.start()

    def clock_steps(self, m):
        if not self.clock:
            return
        self.clock.step(m.name, self.random.choice((-3600, 3600)))
        self.some()
        self.clock.step(m.name, 0)


# ---- what may never be ----


class Verdict:
    """Of all acknowledgements of some writers.  Each list is of what should not be there."""

    def __init__(self, chaos, writers, fence_s):
        self.chaos, self.writers, self.leaks = chaos, writers, []
        rows = sorted((a for w in writers for a in w.acked), key=lambda a: a[3])
        self.turns, self.owners, self.late = self.in_turns(rows), self.two_owners(rows), []
        if fence_s:
            self.late = self.too_late(rows, fence_s)

    def thawed(self, row):
        """Such an answer was on its way before the fencer of a pod ran that had stood still as a whole."""
        if any(address == row[1] and -0.05 <= row[3] - at <= THAW for at, address in self.chaos.thaws):
            self.leaks.append(row)
            return True
        return False

    def in_turns(self, rows):
        """Rows that were sent after a later timeline had acknowledged."""
        found, first = [], {}
        for r in rows:
            first.setdefault(r[4], r)
        for r in rows:
            after = next((f for t, f in first.items() if t > r[4] and f[3] < r[2]), None)
            if after and not self.thawed(r):
                found.append((r, after))
        return found

    def two_owners(self, rows):
        owner = {}
        for r in rows:
            owner.setdefault(r[4], set()).add(r[1])
        return {t: sorted(o) for t, o in owner.items() if len(o) > 1}

    def too_late(self, rows, fence_s):
        """Rows that were sent after the fence deadline of who acknowledged them."""
        names = {m.name: m.address for m in self.chaos.c.members}
        grants = {a: [] for a in names.values()}
        for came, holder in self.chaos.c.api.written:
            if holder.split("/")[0] in names:
                grants[names[holder.split("/")[0]]].append(came)
        found = []
        for address, times in grants.items():
            times.sort()
            at = 0
            for r in (r for r in rows if r[1] == address):
                while at < len(times) and times[at] <= r[2]:
                    at += 1
                if (at == 0 or r[2] > times[at - 1] + fence_s) and not self.thawed(r):
                    found.append((r, r[2] - times[at - 1] if at else None))
        return found

    def lost(self, primary):
        """(rows that are gone, those of them after which their timeline acknowledged rows that are there)"""
        gone, kept = [], {}
        for w in self.writers:
            have = w.rows_of(primary)
            for a in w.acked:
                if a[0] not in have:
                    gone.append(a)
                elif a[4] not in kept or a[2] > kept[a[4]]:
                    kept[a[4]] = a[2]
        return gone, [g for g in gone if kept.get(g[4], 0) > g[3]]
