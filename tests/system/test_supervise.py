"""The supervisor itself: what may never hold it up, end it, or leave it in a state without a way out."""
import os
import random
import signal
import subprocess
import time

from podtest import eq, ok, scale, test, until
from podtest.proc import all_procs


def frozen_disk(t, name):
    """A folder on a file system of its own, which fsfreeze can make hang."""
    image = t.path(name + ".img")
    with open(image, "wb") as f:
        f.truncate(32 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True)
    where = t.folder(name)
    subprocess.run(["mount", "-o", "loop", image, where], check=True)
    os.chown(where, t.user.pw_uid, t.user.pw_gid)
    return where


def freeze(where, on):
    subprocess.run(["fsfreeze", "-f" if on else "-u", where], check=True)


@test(seconds=90)
def test_fence_on_a_hung_disk(t):
    disk = frozen_disk(t, "state")
    p = t.started(env={"PODGRES_STATE_DIR": disk + "/podgres"})
    freeze(disk, True)
    try:
        began = time.monotonic()
        eq(p.post("/v1/fence").status, 202, "the fence is accepted")
        until(lambda: not p.postgres_tree(), 6, "postgres is stopped though the flag cannot be written")
        took = time.monotonic() - began
        s = p.wait_state("fenced", 5)
        eq(s["fenced"], True, "fenced")
        # Nobody who asks for the opposite meanwhile may start it before the disk knows.
        eq(p.post("/v1/unfence").status, 202, "unfence is accepted")
        eq(p.post("/v1/fence").status, 202, "fence again is accepted")
    finally:
        freeze(disk, False)
    p.order("fence")
    p.kill()
    p.start()
    p.wait_state("fenced")
    print(f"postgres was gone {took:.2f} s after the order")


@test(seconds=90)
def test_unfence_on_a_hung_disk(t):
    disk = frozen_disk(t, "state")
    p = t.started(env={"PODGRES_STATE_DIR": disk + "/podgres"})
    freeze(disk, True)
    try:
        eq(p.post("/v1/fence").status, 202, "the fence is accepted")
        p.wait_state("fenced", 6)
        eq(p.post("/v1/unfence").status, 202, "unfence is accepted")
        time.sleep(10)  # the job that writes the flag is given up
        eq((p.status()["state"], p.postgres_tree()), ("fenced", []), "nothing starts before the disk knows")
    finally:
        freeze(disk, False)
    p.wait_ready(20)
    p.kill()
    p.start()
    p.wait_ready()


@test(seconds=60)
def test_end_on_a_hung_disk(t):
    disk = frozen_disk(t, "state")
    p = t.started(env={"PODGRES_STATE_DIR": disk + "/podgres"}, args=["--grace", "6s"])
    freeze(disk, True)
    try:
        p.post("/v1/fence")
        began = time.monotonic()
        p.signal(signal.SIGTERM)
        until(lambda: p.logged('"msg":"stopped"'), 7, "podgres ends")
        ok(time.monotonic() - began < 6.5, "within the grace period")
    finally:
        freeze(disk, False)
    p.wait(10)


@test(seconds=60)
def test_sigterm_while_a_fence_is_polite_keeps_the_grace_period(t):
    p = t.started(args=["--grace", "6s"])
    p.postmaster().kill(signal.SIGSTOP)
    eq(p.post("/v1/fence").status, 202, "the fence is accepted")
    p.wait_state("kill", 5)
    began = time.monotonic()
    p.signal(signal.SIGTERM)
    code = p.wait(10)
    ok(time.monotonic() - began < 6.5, f"took {time.monotonic() - began:.1f} s")
    ok(code != 0, "a killed postgres is no clean stop")


@test(seconds=60)
def test_fence_and_unfence_before_postgres_was_started(t):
    p = t.pod()
    p.start()
    until(lambda: p.post("/v1/fence").status == 202, 10, "the fence is accepted")
    p.post("/v1/unfence")
    p.wait_ready(30)
    for _ in range(5):
        until(p.postmaster, 20, "a postmaster").kill(signal.SIGKILL)
        p.post("/v1/fence")
        p.post("/v1/unfence")
        p.wait_ready(30)


def test_restart_before_postgres_was_started_prepares_once(t):
    p = t.pod(args=["--log-level", "debug"])
    p.start()
    until(lambda: p.post("/v1/restart").status == 202, 10, "the restart is accepted")
    p.wait_ready()
    time.sleep(1)
    eq(sum("the preparation came too late" in line for line in p.log_text().splitlines()), 0, "late preparations")


def test_unfence_that_cannot_be_written_stays_fenced(t):
    disk = frozen_disk(t, "state")
    p = t.started(env={"PODGRES_STATE_DIR": disk + "/podgres"})
    p.order("fence")
    flag = disk + "/podgres/manager.state"
    subprocess.run(["chattr", "+i", flag], check=True)
    a = p.post("/v1/unfence?wait=10s", timeout=15)
    ok(a.status >= 400, f"unfence without a writable flag: {a}")
    eq((p.status()["state"], p.postgres_tree()), ("fenced", []), "state, postgres")
    subprocess.run(["chattr", "-i", flag], check=True)
    p.order("unfence")
    p.wait_ready()
    subprocess.run(["chattr", "+i", flag], check=True)
    a = p.post("/v1/fence?wait=10s", timeout=15)
    ok(a.status >= 400, f"fence without a writable flag says that it is not durable: {a}")
    eq((p.status()["state"], p.postgres_tree()), ("fenced", []), "it is fenced all the same")
    a = p.post("/v1/unfence?wait=10s", timeout=15)
    eq(a.status, 200, f"unfence, of which the disk never knew: {a}")
    p.wait_ready()
    subprocess.run(["chattr", "-i", flag], check=True)


@test(seconds=90)
def test_promotion_behind_our_back_is_noticed_and_settles(t):
    primary = t.started("primary")
    t.standby_of(primary, "standby")
    p = t.started("standby", port=5433, http_port=8100)
    p.wait_state("standby")
    eq(p.psql("select pg_promote()"), "t", "pg_promote")
    p.wait_state("primary", 15)
    time.sleep(3)
    moves = [line for line in p.log() if line.get("msg") == "state"]
    ok(len(moves) < 8, f"{len(moves)} changes of state")
    eq(p.status()["state"], "primary", "state")
    # And back, by hand: standby.signal and a restart.
    p.psql("checkpoint")
    open(p.pgdata + "/standby.signal", "w").close()
    p.order("restart", seconds=30)
    p.wait_state("standby", 10)


def test_an_immediate_stop_is_no_clean_one(t):
    p = t.started()
    p.signal(signal.SIGQUIT)
    code = p.wait(10)
    ok(p.control("Database cluster state") != "shut down", "not a clean shutdown")
    eq(code, 1, "exit code")
    p.start()
    p.wait_ready()
    p.stop()


@test(seconds=90)
def test_reload_at_every_moment_of_a_start_ends_nothing(t):
    p = t.started()
    for i in range(8):
        p.postmaster().kill(signal.SIGKILL)
        end = time.monotonic() + 1.0
        while time.monotonic() < end:
            p.signal(signal.SIGHUP)
            time.sleep(0.002)
        p.wait_ready(30)
    for line in p.log():
        if line.get("msg") == "postgres ended":
            eq(line["signal"], 9, "what ended postgres")


@test(seconds=90)
def test_a_frozen_pod_thaws_without_killing_its_services(t):
    p = t.started(args=["--watchdog", "60s"])
    before = {n: p.service(n).pid for n in ("logger", "fencer", "monitor", "api")}
    everybody = sorted(p.procs(), key=lambda q: q.nspid)
    for q in everybody:
        q.kill(signal.SIGSTOP)
    time.sleep(17)
    for q in everybody:  # PID 1 first: it sees beats of long ago
        q.kill(signal.SIGCONT)
        if q.nspid == 1:
            time.sleep(1.5)
    time.sleep(1.5)
    after = {n: p.service(n).pid for n in before}
    eq(after, before, "services")
    eq(p.psql("select 1"), "1", "a query")


def test_a_hung_service_is_replaced(t):
    p = t.started()
    was = p.service("fencer")
    was.kill(signal.SIGSTOP)
    until(lambda: (p.service("fencer") or was).pid != was.pid, 12, "a new fencer")
    eq(p.psql("select 1"), "1", "a query")


def fds(pid):
    found = {}
    for n in os.listdir(f"/proc/{pid}/fd"):
        try:
            found[int(n)] = os.readlink(f"/proc/{pid}/fd/{n}")
        except OSError:
            continue
    return found


def test_each_process_has_only_its_own_descriptors(t):
    stray = t.file("stray", "x")
    fd = os.open(stray, os.O_RDONLY)
    os.dup2(fd, 9)
    os.set_inheritable(9, True)
    p = t.pod()
    real = subprocess.Popen
    subprocess.Popen = lambda *a, **k: real(*a, **{**k, "close_fds": False})
    try:
        p.start()
    finally:
        subprocess.Popen = real
        os.set_inheritable(9, False)
    p.wait_ready()
    ok(stray in fds(p.init.pid).values(), "the supervisor was given a stray descriptor")
    for q in p.procs():
        if q.pid == p.init.pid:
            continue
        have = fds(q.pid)
        ok(stray not in have.values(), f"{q} has the stray descriptor: {have}")
        if q.comm == "postgres":
            ok(not any("podgres-board" in x for x in have.values()), f"{q} sees the board: {have}")
            ok(not any("control.sock" in x for x in have.values()), f"{q}: {have}")


@test(seconds=120)
def test_the_supervisor_leaks_neither_descriptors_nor_memory(t):
    p = t.started()
    for _ in range(3):
        p.order("restart")
    p.wait_ready()

    def size():
        with open(f"/proc/{p.init.pid}/smaps_rollup") as f:
            return int([x for x in f if x.startswith("Private_Dirty")][0].split()[1])
    before, was = size(), fds(p.init.pid)
    for _ in range(25):
        p.order("restart")
    for name in ("logger", "monitor", "api", "fencer"):
        victim = p.service(name)
        victim.kill(signal.SIGKILL)
        until(lambda: (p.service(name) or victim).pid != victim.pid, 20, f"a new {name}")
    p.wait_ready()
    ok(abs(len(fds(p.init.pid)) - len(was)) <= 1, f"descriptors: {len(was)}, then {fds(p.init.pid)}")
    with open(t.binary, "rb") as f:  # AddressSanitizer keeps what was freed for a while
        allowed = 4096 if b"__asan_init" in f.read() else 64
    ok(size() - before <= allowed, f"private memory: {before} kB, then {size()} kB")


@test(seconds=60)
def test_the_supervisor_survives_that_no_memory_is_left(t):
    p = t.started()
    with open(f"/proc/{p.init.pid}/status") as f:
        used = int([x for x in f if x.startswith("VmSize")][0].split()[1])
    subprocess.run(["prlimit", "--pid", str(p.init.pid), f"--as={used * 1024}:unlimited"], check=True)
    p.service("monitor").kill(signal.SIGKILL)
    for _ in range(3):
        p.signal(signal.SIGHUP)
        time.sleep(0.5)
    ok(p.init.alive(), "PID 1 lives")
    subprocess.run(["prlimit", "--pid", str(p.init.pid), "--as=unlimited:unlimited"], check=True)
    until(lambda: p.service("monitor"), 30, "the monitor is back")
    p.order("restart")
    p.wait_ready()


@test(seconds=60)
def test_end_with_a_blocked_stdout(t):
    r, w = os.pipe()
    p = t.pod()
    p.start(stdout=w)
    p.wait_ready()
    block = b"x" * 4096
    os.set_blocking(w, False)
    try:
        while True:
            os.write(w, block)
    except BlockingIOError:
        pass
    os.set_blocking(w, True)
    began = time.monotonic()
    p.signal(signal.SIGTERM)
    eq(p.wait(10), 0, "exit code")
    ok(time.monotonic() - began < 6, f"took {time.monotonic() - began:.1f} s")
    os.close(r)
    os.close(w)


def test_the_last_lines_reach_stdout(t):
    p = t.started()
    p.stop()
    eq(p.log()[-1].get("msg"), "stopped", "the last line")


@test(seconds=60)
def test_a_first_start_that_fails_does_not_wait_for_stderr(t):
    r, w = os.pipe()
    os.set_blocking(w, False)
    try:
        while True:
            os.write(w, b"x" * 4096)
    except BlockingIOError:
        pass
    os.set_blocking(w, True)
    p = t.pod(manifest="apiVersion: postgresql.cnpg.io/v1\nkind: Cluster\nmetadata: {name: c}\n"
                       "spec: {instances: none}\n")
    p.start(stdout=w)
    eq(p.wait(10), 78, "exit code")
    os.close(r)
    os.close(w)


@test(seconds=60)
def test_backends_outlive_no_postmaster(t):
    p = t.started()
    subprocess.Popen(["setpriv", "--reuid", "postgres", "--regid", "postgres", "--init-groups", "psql", "-X", "-h",
                      p.run_dir, "-p", str(p.port), "-U", "postgres", "-c",
                      "select count(*) from generate_series(1, 1e10::bigint)"],
                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    busy = until(lambda: [q for q in p.postgres_tree() if "SELECT" in q.cmdline], 10, "a busy backend")[0]
    p.postmaster().kill(signal.SIGKILL)
    until(lambda: not busy.alive(), 2, "the backend is gone")
    p.wait_ready()


@test(seconds=60)
def test_end_with_a_stopped_backend(t):
    p = t.started(args=["--grace", "6s"])
    victim = [q for q in p.postgres_tree() if "walwriter" in q.cmdline][0]
    victim.kill(signal.SIGSTOP)
    began = time.monotonic()
    p.signal(signal.SIGTERM)
    code = p.wait(10)
    ok(time.monotonic() - began < 6.5, f"took {time.monotonic() - began:.1f} s")
    ok(code != 0, "a killed backend is no clean stop")


@test(seconds=90)
def test_sigterm_in_every_state(t):
    p = t.started(args=["--grace", "10s"])
    p.order("fence")
    p.stop(10)
    p.start()
    p.wait_state("fenced")
    p.stop(10)
    p.start()
    p.wait_state("fenced")
    p.order("unfence")
    p.wait_ready()
    with open(p.pgdata + "/postgresql.auto.conf", "a") as f:
        f.write("shared_buffers = '-5MB'\n")
    p.postmaster().kill(signal.SIGKILL)
    p.wait_state("failed", 20)
    p.stop(10, code=1)
    p.start()
    p.wait_state("failed", 20)
    with open(p.pgdata + "/postgresql.auto.conf", "w") as f:
        f.write("")
    p.order("restart")
    p.wait_ready()
    p.post("/v1/restart")
    p.stop(10)
    eq(p.control("Database cluster state"), "shut down", "control file")


def operations(p):
    return p.status().get("operations") or p.get("/v1/operations").json()


@test(seconds=scale(150, 1200))
def test_any_order_after_any_other_settles(t):
    p = t.started()
    for seed in range(scale(4, 60)):
        rnd = random.Random(seed)
        said, accepted = [], []
        for _ in range(40):
            what = rnd.choice(["fence", "unfence", "restart", "reload", "pause", "resume", "promote", "kill", "hup",
                               "fence-now", "restart-now", "backend"])
            said.append(what)
            try:
                if what == "kill":
                    p.postmaster().kill(signal.SIGKILL)
                elif what == "backend":
                    p.postgres_tree()[-1].kill(signal.SIGKILL)
                elif what == "hup":
                    p.signal(signal.SIGHUP)
                else:
                    body = {"mode": "immediate"} if what.endswith("-now") else None
                    a = p.post("/v1/" + what.split("-")[0], body)
                    ok(a.status in (200, 202, 409), f"{what}: {a}")
                    if a.status == 202:
                        accepted.append(a.headers["Location"])
            except (AttributeError, IndexError, ProcessLookupError):
                pass
            time.sleep(rnd.choice([0, 0, 0.01, 0.1, 0.4]))
        fenced = rnd.random() < 0.5
        p.post("/v1/resume")
        p.post("/v1/fence" if fenced else "/v1/unfence")
        if fenced:
            p.wait_state("fenced", 20)
            eq(p.postgres_tree(), [], f"seed {seed}: postgres while fenced after {said}")
            p.order("unfence")
        else:
            # Kills in a row lead to a pause; restart ends it.
            until(lambda: p.post("/v1/restart").status == 202, 20, f"seed {seed}: restart after {said}")
        p.wait_ready(40)
        for where in accepted[-12:]:
            until(lambda: p.get(where).json().get("finishedAt") or p.get(where).status == 404, 20,
                  f"seed {seed}: {where} ends; {said}")
    eq(p.zombies(), [], "zombies")
    p.stop()


@test(seconds=60)
def test_a_supervisor_that_is_not_pid_1_takes_its_own_along(t):
    p = t.pod()
    bystander = subprocess.Popen(["sleep", "60"])
    child = subprocess.Popen(p.command(), env=p.environment(), cwd="/", stdout=open(p.stdout, "ab"),
                             stderr=subprocess.STDOUT)
    until(lambda: p.get("/readyz").status == 200, 40, "ready")
    mine = [q for q in all_procs() if "podgres service" in q.cmdline or q.comm == "postgres"]
    ok(len(mine) > 8, f"processes: {mine}")
    child.kill()
    child.wait()
    until(lambda: not [q for q in mine if q.alive()], 8, "nothing of it is left")
    eq(bystander.poll(), None, "the bystander lives")
    bystander.kill()
    bystander.wait()
    p.start()
    p.wait_ready()


@test(seconds=120)
def test_postgres_that_keeps_dying_is_held_back_and_says_so(t):
    p = t.started()
    paused = 0.0
    for _ in range(9):
        p.wait_ready()
        old = p.postmaster()
        old.kill(signal.SIGKILL)
        began = time.monotonic()
        until(lambda: (lambda new: new if new and new.pid != old.pid else None)(p.postmaster()), 20, "another start")
        paused = max(paused, time.monotonic() - began)
    ok(paused > 0.9, f"the longest pause was {paused:.2f} s")
    p.wait_ready()


@test(seconds=60)
def test_a_short_watchdog_does_not_bark_under_load(t):
    p = t.started(args=["--watchdog", "2s"])
    master = p.postmaster().pid
    hogs = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(12)]
    try:
        time.sleep(12)
    finally:
        for h in hogs:
            h.kill()
            h.wait()
    eq((p.postmaster() or p.init).pid, master, "the postmaster")
