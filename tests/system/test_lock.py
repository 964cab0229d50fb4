"""One manager per volume."""
import os

from podtest import eq, ok, test, until


def tree_of(path):
    seen = {}
    for folder, _, files in os.walk(path):
        for f in files:
            full = os.path.join(folder, f)
            try:
                st = os.stat(full)
            except FileNotFoundError:
                continue
            seen[full] = (st.st_ino, st.st_size)
    return seen


@test(seconds=60)
def test_second_manager_exits_without_touching_a_file(t):
    a = t.started("a")
    a.psql("checkpoint")
    before = tree_of(a.pgdata)
    b = t.pod("b", pgdata=a.pgdata, port=5433, http_port=8100)
    b.start()
    code = b.wait(15)
    ok(code in (75, 78), f"exit code of the second manager: {code}")
    gone = set(before) - set(tree_of(a.pgdata))
    eq({g for g in gone if "pg_wal" not in g and "pg_stat" not in g and "xact" not in g}, set(), "files gone")
    ok(b.logged("is locked by another podgres") and b.logged(t.path("a")), "the second manager says why")
    eq(a.psql("select 1"), "1", "the first goes on")
    eq(a.get("/readyz").status, 200, "readyz of the first")
    a.stop()
    b.start()
    b.wait_ready()


@test(seconds=60)
def test_lock_holds_while_only_postgres_is_left(t):
    """A postgres that outlived its manager holds the volume, too."""
    a = t.started("a")
    lock = [n for n in os.listdir(t.path("a")) if n.startswith(".podgres-")]
    ok(lock, "the state folder is beside PGDATA")
    path = t.path("a", lock[0], "lock")
    fds = f"/proc/{a.postmaster().pid}/fd"
    held = []
    for fd in os.listdir(fds):
        try:
            held.append(os.stat(os.path.join(fds, fd)).st_ino)
        except OSError:
            continue  # closed meanwhile
    ok(os.stat(path).st_ino in held, f"the postmaster holds {path}")


def test_stale_postmaster_pid_never_blocks_a_start(t):
    p = t.started()
    p.kill()
    pid_file = p.pgdata + "/postmaster.pid"
    ok(os.path.exists(pid_file), "postmaster.pid is left by the kill")
    with open(pid_file) as f:
        lines = f.read().splitlines()
    lines[0] = "1"  # a pid that certainly lives, and is not ours
    with open(pid_file, "w") as f:
        f.write("\n".join(lines) + "\n")
    p.start()
    p.wait_ready()
    until(lambda: p.psql("select 1") == "1", 5, "a query")
