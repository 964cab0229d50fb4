"""ha_data - clones, tablespaces, lost histories and slots of several pods."""
import glob
import os

from podtest import eq, ok, test, until
from podtest.cluster import Cluster
from test_archive import logged


def spaces(c, t, n, **how):
    """n members that each have a volume of their own at the same path."""
    at = t.folder("spaces", mode=0o755)
    for i in range(1, n + 1):
        m = c.member(i, **how)
        m.binds = [(t.folder(f"volume-{i}"), at)]
        os.makedirs(f"{t.path(f'volume-{i}')}/one", exist_ok=True)
        os.chown(f"{t.path(f'volume-{i}')}/one", t.user.pw_uid, t.user.pw_gid)
    return at


def begin(m):
    m.start()
    m.wait_ready(90)


def volume(t, m):
    return sorted(os.listdir(f"{t.path(f'volume-{m.number}')}/one"))


def old_folders(m):
    return glob.glob(m.pgdata + ".podgres-old-*")


@test(seconds=200)
def test_a_clone_comes_from_a_replica_and_tablespaces_go_along(t):
    c = Cluster(t)
    at = spaces(c, t, 3, args=["--keep-old", "1s"])
    one, two, three = c.members
    begin(one)
    one.psql(f"CREATE TABLESPACE one LOCATION '{at}/one'")
    one.psql("CREATE TABLE far (x int) TABLESPACE one; INSERT INTO far SELECT generate_series(1, 1000)")
    begin(two)
    until(lambda: any(x["name"] == two.name and x["streaming"] for x in one.status()["lease"]["members"]), 30, "it streams")
    begin(three)
    c.wait_streaming(2)
    ok(logged(three, "the clone is copied from a replica"), "the third was cloned from the second")
    eq(logged(two, "the clone is copied from a replica"), [], "the second had nobody but the primary")
    for m in (two, three):
        eq(m.psql("SELECT count(*), pg_tablespace_location(oid) FROM far, pg_tablespace WHERE spcname = 'one' GROUP BY 2"),
           f"1000|{at}/one", f"tablespace of {m.name}")

    # Cut off, the primary writes what nobody else has: it is rewound, tablespace and all.
    one.cut()
    one.psql("CREATE TABLE lost TABLESPACE one AS SELECT 1 AS x; DELETE FROM far WHERE x > 10")
    n = c.wait_primary(40, but=one)
    n.psql("INSERT INTO far SELECT generate_series(1001, 2000)")
    one.join()
    c.wait_streaming(2)
    until(lambda: one.psql("SELECT count(*), to_regclass('lost') FROM far") == "2000|", 30, "rewound")
    ok(logged(one, '"msg":"rewound"'), "by pg_rewind")
    lost = one.status()["lease"]["lastDivergence"]
    eq((lost["timeline"], lost["primary"]), (1, n.name), lost)
    ok(lost["bytes"] > 0 and lost["keptIn"], lost)
    ok(os.listdir(lost["keptIn"])[0].startswith("00000001"), "its WAL is kept")
    with open(os.path.dirname(lost["keptIn"]) + "/list") as f:
        eq(len(f.read().splitlines()), 1, "noted once")
    ok("WAL given up" in one.cli("status").stdout, "podgres status says so")

    # And one that cannot be rewound is cloned anew, into the same places.
    other = [m for m in (two, three) if m is not n][0]
    other.kill()
    os.unlink(other.pgdata + "/global/pg_control")
    t.file(f"{other.name}/.podgres-data/rejoin", "clone\n\n0\ntest\n20260101T000000Z\n")
    other.replace()
    other.wait_ready(60)
    c.wait_streaming(2)
    until(lambda: other.psql("SELECT count(*), to_regclass('lost') FROM far") == "2000|", 30, "cloned anew")
    eq(other.psql("SELECT pg_tablespace_location(oid) FROM pg_tablespace WHERE spcname = 'one'"), f"{at}/one", "its place")
    ok(any(x.startswith("PG_") for x in volume(t, other)), volume(t, other))
    until(lambda: not old_folders(other), 30, "the former data directory goes when the next one streams")
    eq([x for x in volume(t, other) if not x.startswith("PG_")], [], "and what was set aside of its tablespace")


def setting(m, value):
    """Another max_connections, on that member alone, and a restart."""
    with open(m.manifest) as f:
        text = f.read()
    lines = [x for x in text.splitlines() if "max_connections" not in x]
    lines.insert(lines.index("  postgresql:") + 1, f"    parameters: {{max_connections: '{value}'}}")
    with open(m.manifest, "w") as f:
        f.write("\n".join(lines) + "\n")
    until(lambda: m.psql("SELECT setting FROM pg_file_settings WHERE name = 'max_connections' ORDER BY seqno DESC LIMIT 1")
          .isdigit(), 20, "a setting")
    m.cli("reload")
    m.cli("restart")
    m.wait_ready(60)


@test(seconds=150)
def test_a_standby_that_somebody_promotes_is_rewound_and_settings_in_any_order_stop_none(t):
    c = Cluster(t)
    p, s = c.start(2)
    c.wait_streaming(1)
    p.psql("CREATE TABLE kept (x int)")
    try:
        s.psql("INSERT INTO kept VALUES (0)")
        ok(False, "a standby took a write")
    except Exception as e:
        ok("read-only transaction" in str(e), e)

    # Promoted behind our back: it is stopped at once, never leads, and comes back without what it wrote.
    s.psql("SELECT pg_promote(false)")
    until(lambda: "postgres took writes without the Lease" in s.log_text(), 20, "it is noticed")
    eq(c.primary().name, p.name, "the primary stays")
    p.psql("INSERT INTO kept VALUES (1)")
    c.wait_streaming(1)
    until(lambda: s.psql("SELECT count(*) FROM kept") == "1", 20, "it follows")
    eq(c.primary().name, p.name, "the primary stays")

    # The primary allows more than the standby is told to: the standby takes what it needs, by itself.
    setting(p, 150)
    p.psql("INSERT INTO kept VALUES (2)")
    until(lambda: s.psql("SHOW max_connections") == "150", 40, "what the primary needs")
    until(lambda: s.psql("SELECT count(*) FROM kept") == "2", 20, "it follows")
    setting(s, 20)
    eq(s.psql("SHOW max_connections"), "150", "not less than the primary")
    p.psql("INSERT INTO kept VALUES (3)")
    until(lambda: s.psql("SELECT count(*) FROM kept") == "3", 20, "it follows")
