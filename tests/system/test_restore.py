"""Recovery: from base backups and WAL of an archive to any point of it, or an exact reason why not."""
import json
import os
import subprocess
import time

from podtest import eq, ok, test, until
from podtest.plain import Plain, conf_of_a_plain_server
from podtest.source import Source

PORT = 5498


def restore(t, source, name, *options, check=True, manifest=None, seconds=50):
    """podgres restore --to DIR/NAME; returns what it printed as JSON, or the failed process."""
    path = t.file(f"{name}.yaml", manifest or source.manifest(name))
    out = subprocess.run([t.binary, "restore", "--config", path, "--to", t.path(name), "--json",
                          *(["--bindir", t.given_bindir] if t.given_bindir else []), *options],
                         capture_output=True, text=True, timeout=seconds, cwd="/",
                         env={"PATH": os.environ["PATH"], "LC_ALL": "C"})
    if not check:
        return out
    eq(out.returncode, 0, f"podgres restore {' '.join(options)}: {out.stdout}{out.stderr}")
    return json.loads(out.stdout)


class Restored:
    """The folder under a postgres of its own, to look at it."""

    def __init__(self, t, name):
        conf_of_a_plain_server(t.path(name))
        self.server = Plain(t, t.path(name), PORT, ["fsync=off"]).start()

    def __enter__(self):
        return self.server

    def __exit__(self, *_):
        self.server.close()


def rows(t, name, sql="SELECT string_agg(x::text, ',' ORDER BY x) FROM t"):
    with Restored(t, name) as server:
        return server.psql(sql)


def history(t, **how):
    """Rows 1 to 5, each a commit with its time, LSN and XID; a backup before them; restore point after 3."""
    s = Source(t, **how).start()
    s.psql("CREATE TABLE t(x int)")
    s.backup()
    s.at = {}
    for x in range(1, 6):
        xid = s.psql(f"BEGIN; INSERT INTO t VALUES ({x}); SELECT txid_current(); COMMIT").strip()
        s.at[x] = {"xid": xid, "lsn": s.psql("SELECT pg_current_wal_lsn()"), "time": s.now()}
        if x == 3:
            s.psql("SELECT pg_create_restore_point('three')")
            s.psql("INSERT INTO t VALUES (33)")
        time.sleep(0.02)
    s.switch()
    return s


# ---- every kind of target ----

@test(tags=["versions"])
def test_latest_has_every_row_of_the_archive(t):
    s = history(t)
    before = s.snapshot()
    r = restore(t, s, "a")
    eq(rows(t, "a"), "1,2,3,4,5,33", "rows")
    eq(r["timeline"], 2, "a timeline of its own")
    eq(r["backupId"], s.ids[0], "backup")
    eq(s.snapshot(), before, "the source's archive is only read")


@test(seconds=90, tags=["versions"])
def test_time_xid_name_lsn_and_immediate_stop_where_they_say(t):
    s = history(t)
    for name, options, wanted in (
            ("time", ["--target-time", s.at[3]["time"]], "1,2,3"),
            ("zone", ["--target-time", s.psql(f"SELECT timestamptz '{s.at[2]['time']}' AT TIME ZONE 'Asia/Tokyo'")
                      + " Asia/Tokyo"], "1,2"),
            ("xid", ["--target-xid", s.at[4]["xid"]], "1,2,3,4,33"),
            ("xidx", ["--target-xid", s.at[4]["xid"], "--exclusive"], "1,2,3,33"),
            ("name", ["--target-name", "three"], "1,2,3"),
            ("lsn", ["--target-lsn", s.at[2]["lsn"]], "1,2"),
            ("imm", ["--target-immediate"], "")):
        restore(t, s, name, *options)
        eq(rows(t, name), wanted, f"rows with {options}")


def test_three_timelines_lead_to_the_newest_rows(t):
    s = history(t)
    s.stop()
    # Twice over: recovered in place, as an operator would, into the same archive.
    for timeline in (2, 3):
        with open(s.pgdata + "/recovery.signal", "w"):
            pass
        subprocess.run(["chown", "postgres:", s.pgdata + "/recovery.signal"], check=True)
        s.start("restore_command=false")
        eq(s.psql("SELECT timeline_id FROM pg_control_checkpoint()"), str(timeline), "timeline of the source")
        s.psql(f"INSERT INTO t VALUES ({timeline * 100})")
        s.psql("CHECKPOINT")
        s.switch()
        until(lambda: f"{timeline:08X}.history" in s.wal(), 10, "history archived")
        if timeline == 2:
            s.stop()
    r = restore(t, s, "latest")
    eq(rows(t, "latest"), "1,2,3,4,5,33,200,300", "rows of three timelines")
    eq(r["timeline"], 4, "timeline")
    r = restore(t, s, "two", "--target-timeline", "2")
    eq(rows(t, "two"), "1,2,3,4,5,33,200", "rows of the dead branch, asked for by name")
    eq(r["timeline"], 4, "no timeline is given twice")


# ---- what cannot be ----

def refused(t, s, name, *options, kind=None):
    out = restore(t, s, name, *options, check=False)
    ok(out.returncode != 0, f"refused: {out.stdout}")
    if kind is not None:
        eq(out.returncode, kind, f"exit code of {out.stderr}")
    ok(not os.path.exists(t.path(name, "PG_VERSION")), "nothing was made")
    return out.stderr


def test_targets_outside_the_window_are_refused_with_the_window(t):
    began = Source(t).start()
    before = began.now()
    began.psql("CREATE TABLE t(x int)")
    s = began
    s.backup()
    s.psql("INSERT INTO t VALUES (1)")
    commit, lsn = s.now(), s.psql("SELECT pg_current_wal_lsn()")
    s.switch()
    text = refused(t, s, "early", "--target-time", before, kind=75)
    ok(s.ids[0] in text or "window" in text or "first" in text, text)
    print(text)
    text = refused(t, s, "late", "--target-time", "2199-01-01 00:00:00+00", kind=75)
    print(text)
    ok("2199" in text, text)
    text = refused(t, s, "lsn", "--target-lsn", "FF/0", kind=75)
    ok("FF/0" in text, text)
    print(text)
    text = refused(t, s, "xid", "--target-xid", "99999999", kind=75)
    print(text)
    ok("was not reached" in text and commit[:16] in text, f"names the last commit: {text}")
    text = refused(t, s, "name", "--target-name", "nobody", kind=75)
    ok("was not reached" in text and "nobody" in text, text)
    text = refused(t, s, "tli", "--target-timeline", "7", kind=75)
    print(text)
    ok(lsn, "LSN")


def test_a_folder_that_is_not_empty_is_left_alone(t):
    s = history(t)
    t.folder("full")
    t.file("full/mine", "data")
    out = restore(t, s, "full", check=False)
    eq(out.returncode, 75, out.stderr)
    ok("mine" in out.stderr, out.stderr)
    eq(os.listdir(t.path("full")), ["mine"], "what is in it")


def test_a_hole_in_the_wal_is_an_error_and_not_the_end(t):
    s = history(t)
    for x in range(3):
        s.psql(f"INSERT INTO t VALUES ({1000 + x})")
        last = s.switch()
    segments = [n for n in s.wal() if len(n) == 24]
    victim = segments[segments.index(last) - 1]
    with open(f"{s.prefix}/wals/{victim[:16]}/{victim}", "r+b") as f:
        f.seek(0)
        f.write(b"\\0" * 8192)
    out = restore(t, s, "hole", check=False)
    ok(out.returncode != 0, f"a damaged segment is no end of the archive: {out.stdout}")
    print(out.stderr)


# ---- damage, poison, leftovers ----

def test_configuration_of_the_old_cluster_stays_out(t):
    pgdata = t.initdb("source", "--wal-segsize=1")
    for name in ("postgresql.conf", "postgresql.auto.conf"):
        with open(f"{pgdata}/{name}", "a") as f:
            f.write("max_connections = 333\n")
    s = Source(t, pgdata=pgdata).start()
    with open(f"{pgdata}/postgresql.conf", "a") as f:
        f.write("shared_preload_libraries = 'nowhere_to_be_found'\nssl = on\ninclude = 'custom.conf'\n"
                "default_text_search_config = 'pg_catalog.german'\n")
    for name, text in (("custom.conf", "port = 1\n"), ("podgres.conf", "port = 2\n"), ("standby.signal", "")):
        t.file(f"source/data/{name}", text)
    subprocess.run(["chown", "-R", "postgres:", pgdata], check=True)
    s.psql("CREATE TABLE t(x int); INSERT INTO t VALUES (1)")
    s.backup()
    s.switch()
    p = t.started(manifest=s.manifest(spec="postgresql:\n  parameters: {max_connections: \"20\"}"))
    eq(p.psql("SELECT x FROM t"), "1", "rows")
    eq(p.psql("SHOW max_connections"), "20", "the manifest's own setting")
    eq(p.psql("SHOW default_text_search_config"), "pg_catalog.german", "what initdb chose is kept")
    for name in ("postgresql.conf", "custom.conf", "podgres.conf"):
        ok(os.path.exists(f"{p.pgdata}/{name}.from-backup"), f"{name} is kept beside")
    eq(p.psql("SELECT pg_is_in_recovery()"), "f", "a primary")


def test_tablespaces_come_back(t):
    s = Source(t).start()
    for name in ("ts_moved", "ts_mapped"):
        t.folder(name)
        s.psql(f"CREATE TABLESPACE {name} LOCATION '{t.path(name)}'")
    s.psql("CREATE TABLE t(x int) TABLESPACE ts_moved; INSERT INTO t VALUES (1)")
    s.psql("CREATE TABLE u(x int) TABLESPACE ts_mapped; INSERT INTO u VALUES (2)")
    s.backup()
    s.switch()
    restore(t, s, "a", "--tablespace", f"ts_mapped={t.path('elsewhere')}")
    ok(os.listdir(t.path("elsewhere")), "the mapped one went where it was told")
    eq(rows(t, "a", "SELECT (SELECT x FROM t), (SELECT x FROM u)"), "1|2", "rows of both")
    ok(os.listdir(t.path(".podgres-a/tablespaces")), "the other one went beside the data directory")


def test_without_backup_label_postgres_refuses_to_start(t):
    s = history(t)
    restore(t, s, "raw", "--no-replay")
    os.unlink(t.path("raw", "recovery.signal"))
    os.rename(t.path("raw", "backup_label"), t.path("label"))
    conf_of_a_plain_server(t.path("raw"))
    out = t.as_postgres(t.bindir + "/postgres", "-D", t.path("raw"), "-c", f"unix_socket_directories={t.folder('sock')}",
                        "-c", "listen_addresses=", "-p", "5497", check=False)
    ok(out.returncode != 0 and "checkpoint record" in out.stderr, f"refuses: {out.stderr}")


# ---- in a pod ----

def app_password(t, p, user, password, db):
    from podtest.proc import psql
    return psql(t, "127.0.0.1", p.port, "SELECT current_user", db=db, user=user, env={"PGPASSWORD": password})


def test_a_pod_recovers_and_archives_into_its_own_prefix(t):
    s = history(t)
    before = s.snapshot()
    t.folder("own")
    t.file("secrets/app/username", "keeper")
    t.file("secrets/app/password", "k33p")
    p = t.started(manifest=s.manifest(
        target=f'targetTime: "{s.at[3]["time"]}"', own=f"file://{t.path('own')}",
        recovery="database: shop\nowner: keeper\nsecret: {name: app}"),
        env={"PODGRES_SECRETS_DIR": t.path("secrets")})
    eq(p.psql("SELECT string_agg(x::text, ',' ORDER BY x) FROM t"), "1,2,3", "rows up to the target")
    eq(p.psql("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'shop'"), "keeper", "the owner")
    eq(app_password(t, p, "keeper", "k33p", "shop"), "keeper", "the owner's password")
    eq(p.psql("SELECT timeline_id FROM pg_control_checkpoint()"), "2", "timeline")
    p.psql("INSERT INTO t VALUES (77)")
    name = p.psql("SELECT pg_walfile_name(pg_switch_wal())")

    def own():
        return [n for _, _, names in os.walk(t.path("own")) for n in names]
    until(lambda: any(n.startswith(name) for n in own()), 30, f"{name} is in the own archive: {own()}")
    until(lambda: any(n.startswith("00000002.history") for n in own()), 10, "the history is in the own archive")
    eq(s.snapshot(), before, "the source's archive is only read")
    ok("k33p" not in p.log_text(), "the password is in the log")
    p.stop()
    p.start()
    p.wait_ready()
    eq(p.psql("SELECT count(*) FROM t"), "4", "it is recovered once")


def test_a_pod_says_why_it_cannot_recover(t):
    s = history(t)
    p = t.pod(manifest=s.manifest(target='targetTime: "1999-01-01 00:00:00+00"'))
    p.start()
    state = p.wait_state("failed")
    ok(s.ids[0] in state["reason"] or "window" in state["reason"] or "1999" in state["reason"], state["reason"])
    print(state["reason"])
    ok(not os.path.exists(p.pgdata + "/PG_VERSION"), "nothing was made")


def test_a_foreign_prefix_is_found_out_before_the_download(t):
    s = history(t)
    t.folder("own")
    t.file("own/pod/podgres/owner.json", json.dumps({
        "systemId": "1234567890123456789", "cluster": "somebody", "namespace": "else", "createdAt": "2026-01-01T00:00:00Z",
        "createdBy": "podgres"}))
    p = t.pod(manifest=s.manifest(own=f"file://{t.path('own')}"))
    p.start()
    state = p.wait_state("failed")
    ok("somebody" in state["reason"], state["reason"])
    ok(not os.path.exists(p.pgdata + ".podgres-init/data"), "nothing was downloaded")


# ---- killed at any time ----

def test_a_killed_restore_goes_on_where_it_was(t):
    s = Source(t).start()
    s.psql("CREATE TABLE t(x int)")
    s.psql("CREATE TABLE big AS SELECT i, md5(i::text) FROM generate_series(1, 300000) i")
    s.backup()
    for x in range(40):
        s.psql(f"INSERT INTO t VALUES ({x}); INSERT INTO big SELECT i, md5(i::text) FROM generate_series(1, 8000) i")
        s.psql("SELECT pg_switch_wal()")
    s.switch()
    path = t.file("a.yaml", s.manifest("a"))
    command = [t.binary, "restore", "--config", path, "--to", t.path("a"), "-v"]
    journal = t.path("a", ".podgres/init/journal")
    killed = 0
    for line in ("target", "restored", "replaying"):
        child = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *command], stdout=subprocess.DEVNULL,
                                 stderr=open(t.path("killed.log"), "ab"), cwd="/")
        try:
            until(lambda: child.poll() is not None or line in open(journal).read(), 20, f"journal says {line}")
        finally:
            child.kill()
        killed += child.wait() == -9
    eq(killed, 3, "times killed in the middle")
    out = subprocess.run(command, capture_output=True, text=True, cwd="/")
    eq(out.returncode, 0, out.stderr)
    ok("continued" in out.stderr, out.stderr)
    ok("object restored" not in out.stderr, "what was downloaded is not downloaded again")
    eq(rows(t, "a", "SELECT count(*) FROM t"), "40", "rows")


def test_a_pod_killed_during_recovery_goes_on(t):
    s = history(t)
    p = t.pod(manifest=s.manifest())
    p.start()
    until(lambda: "downloading" in p.log_text() or os.path.exists(p.pgdata + ".podgres-init/journal"), 20, "it began")
    p.kill()
    p.start()
    until(lambda: "output while restoring" in p.log_text(), 30, "it replays")
    p.kill()
    p.start()
    p.wait_ready()
    eq(p.psql("SELECT string_agg(x::text, ',' ORDER BY x) FROM t"), "1,2,3,4,5,33", "rows")
    ok(not os.path.exists(p.pgdata + ".podgres-init"), "nothing is left beside")


# ---- from a running server ----

def test_pg_basebackup_makes_an_independent_primary(t):
    s = Source(t).start("listen_addresses=127.0.0.1")
    s.psql("CREATE TABLE t(x int); INSERT INTO t VALUES (1)")
    s.psql("SET password_encryption = 'scram-sha-256'; CREATE ROLE copier REPLICATION LOGIN PASSWORD 's3cret'")
    with open(s.pgdata + "/pg_hba.conf", "w") as f:
        f.write("local all all trust\nlocal replication all trust\n"
                "host replication copier 127.0.0.1/32 scram-sha-256\nhost all copier 127.0.0.1/32 scram-sha-256\n")
    s.psql("SELECT pg_reload_conf()")
    t.folder("space")
    s.psql(f"CREATE TABLESPACE ts LOCATION '{t.path('space')}'")
    s.psql("CREATE TABLE u TABLESPACE ts AS SELECT 2 AS x")
    t.file("secrets/copy/password", "s3cret")
    manifest = f"""apiVersion: postgresql.cnpg.io/v1
kind: Cluster
metadata: {{name: pod, namespace: default}}
spec:
  instances: 1
  bootstrap:
    pg_basebackup: {{source: src, database: shop, owner: keeper}}
  externalClusters:
    - name: src
      connectionParameters: {{host: 127.0.0.1, port: "{s.port}", user: copier, dbname: postgres}}
      password: {{name: copy, key: password}}
"""
    p = t.started(manifest=manifest, env={"PODGRES_SECRETS_DIR": t.path("secrets")})
    eq(p.psql("SELECT (SELECT x FROM t), (SELECT x FROM u), pg_is_in_recovery()"), "1|2|f", "rows of both tablespaces")
    eq(p.psql("SELECT timeline_id FROM pg_control_checkpoint()"), "2", "a timeline of its own")
    eq(p.psql("SELECT count(*) FROM pg_database WHERE datname = 'shop'"), "1", "the database")
    ok("s3cret" not in p.log_text(), "the password is in the log")
    p.psql("INSERT INTO t VALUES (2)")
    eq(s.psql("SELECT count(*) FROM t"), "1", "independent")


def test_one_large_object_comes_over_several_connections(t):
    s = Source(t).start()
    s.psql("CREATE TABLE big AS SELECT i AS x, repeat(md5(i::text), 8) AS y FROM generate_series(1, 150000) i")
    s.backup(compress=False)
    s.switch()
    m = s.manifest("a").replace("wal: {maxParallel: 2}", "wal: {maxParallel: 2}\n        data: {jobs: 4}")
    ok("jobs: 4" in m, "the manifest asks for it")
    r = restore(t, s, "a", manifest=m)
    ok(r["storedBytes"] > 16 << 20, f"large enough to be fetched in pieces: {r['storedBytes']}")
    eq(rows(t, "a", "SELECT count(*), sum(length(y)) FROM big"), "150000|38400000", "rows")


@test(tags=["versions"])
def test_a_chain_of_incremental_backups_is_combined(t):
    if t.major < 17:
        return  # PostgreSQL has none before
    own, space = t.folder("own"), t.folder("space")
    manifest = (f"apiVersion: postgresql.cnpg.io/v1\nkind: Cluster\nmetadata: {{name: pod, namespace: default}}\n"
                "spec:\n  instances: 1\n  postgresql:\n    parameters: {summarize_wal: \"on\"}\n"
                f"  backup:\n    barmanObjectStore:\n      destinationPath: file://{own}\n      serverName: pod\n")
    p = t.started(manifest=manifest)
    p.psql(f"CREATE TABLESPACE ts LOCATION '{space}'")
    p.psql("CREATE TABLE t AS SELECT i AS x FROM generate_series(1, 100000) i")
    p.psql("CREATE TABLE u TABLESPACE ts AS SELECT 1 AS x")

    def backup(*options):
        until(lambda: p.cli("backup", "create", "--immediate", *options, check=False).returncode == 0, 30, "a backup")
    backup()
    p.psql("UPDATE t SET x = -x WHERE x <= 10; INSERT INTO u VALUES (2)")
    backup("--incremental")
    p.psql("DELETE FROM t WHERE x > 99990; INSERT INTO u VALUES (3)")
    backup("--incremental")
    p.psql("INSERT INTO t VALUES (0)")
    p.stop()
    before = p.log_text()
    out = p.cli("restore", "--to", t.path("a"), "--json", "--bindir", t.bindir)
    ok("restored" not in before, "another process")
    eq(json.loads(out.stdout)["timeline"], 2, out.stdout)
    eq(rows(t, "a", "SELECT count(*), sum(x) FROM t"), "99991|4999049935", "rows of all three and the WAL")
    eq(rows(t, "a", "SELECT string_agg(x::text, ',') FROM u"), "1,2,3", "rows of the tablespace")


def test_a_replica_cluster_stays_in_recovery(t):
    s = history(t)
    p = t.pod(manifest=s.manifest(spec=f"replica: {{enabled: true, source: {s.server}}}"))
    p.start()
    until(lambda: p.psql("SELECT string_agg(x::text, ',' ORDER BY x) FROM t") == "1,2,3,4,5,33", 40, "rows")
    eq(p.psql("SELECT pg_is_in_recovery()"), "t", "a standby")
    s.psql("INSERT INTO t VALUES (6)")
    s.switch()
    until(lambda: "6" in p.psql("SELECT string_agg(x::text, ',' ORDER BY x) FROM t"), 30, "it follows the archive")


# ---- the rehearsal ----

def test_verify_restore_rehearses_and_leaves_nothing(t):
    s = history(t)
    path = t.file("v.yaml", s.manifest("v"))
    before = set(os.listdir("/var/tmp"))

    def verify(*options):
        return subprocess.run([t.binary, "backup", "verify", "--restore", "--config", path, "--json", *options],
                              capture_output=True, text=True, cwd="/", env={"PATH": os.environ["PATH"], "LC_ALL": "C"})
    out = verify(s.ids[0])
    eq(out.returncode, 0, out.stdout + out.stderr)
    r = json.loads(out.stdout)["restore"]
    ok(r["rtoSeconds"] > 0 and r["rows"] > 6 and r["databases"] >= 2, f"what was measured: {r}")
    eq(set(os.listdir("/var/tmp")) - before, set(), "nothing is left in /var/tmp")
    # A page whose checksum does not matter (there are none) but whose content does.
    import gzip
    key = f"{s.prefix}/base/{s.ids[0]}/data.tar.gz"
    with gzip.open(key) as f:
        data = bytearray(f.read())
    filenode = s.psql("SELECT relfilenode FROM pg_class WHERE relname = 'pg_class'")
    ok(filenode is not None, "a table")
    at = data.find(b"PG_VERSION")
    data[at + 512:at + 515] = b"99\n"
    with gzip.open(key, "wb", 1) as f:
        f.write(data)
    out = verify(s.ids[0])
    ok(out.returncode != 0, f"a damaged backup is found out: {out.stdout}{out.stderr}")
    print(out.stdout, out.stderr)
