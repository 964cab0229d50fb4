"""The first start: what Docker's environment and the manifest ask for."""
import gzip
import os
import signal
import subprocess

from podtest import eq, ok, test, until
from podtest.proc import psql


def tcp_psql(t, p, sql, user, password, db="postgres"):
    return psql(t, "127.0.0.1", p.port, sql, db=db, user=user, env={"PGPASSWORD": password})


@test(tags=["versions"])
def test_environment_of_dockers_image(t):
    scripts = t.folder("init", owner=False, mode=0o755)
    t.file("init/10-table.sql", "create table from_sql(x int); insert into from_sql values (1);")
    with gzip.open(t.path("init/20-more.sql.gz"), "wt") as f:
        f.write("insert into from_sql values (2);")
    t.file("init/30-script.sh", '#!/bin/sh\nset -e\npsql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" '
           '--dbname "$POSTGRES_DB" -c "insert into from_sql values (3)"\n', mode=0o755)
    t.file("secret", "tops3cret\n")
    p = t.started(args=["--initdb-dir", scripts],
                  env={"POSTGRES_USER": "boss", "POSTGRES_PASSWORD_FILE": t.path("secret"), "POSTGRES_DB": "shop",
                       "POSTGRES_INITDB_ARGS": "--encoding=UTF8 --lc-collate=C"})
    eq(tcp_psql(t, p, "select count(*) from from_sql", "boss", "tops3cret", "shop"), "3", "rows of the three scripts")
    eq(tcp_psql(t, p, "select datcollate from pg_database where datname = 'shop'", "boss", "tops3cret", "shop"), "C",
       "POSTGRES_INITDB_ARGS")
    try:
        tcp_psql(t, p, "select 1", "boss", "wrong", "shop")
        ok(False, "a wrong password was taken")
    except OSError as e:
        ok("password authentication failed" in str(e), str(e))
    p.stop()
    p.start()
    p.wait_ready()
    eq(tcp_psql(t, p, "select count(*) from from_sql", "boss", "tops3cret", "shop"), "3", "scripts ran once")


MANIFEST = """apiVersion: postgresql.cnpg.io/v1
kind: Cluster
metadata: {name: pod}
spec:
  instances: 1
  bootstrap:
    initdb:
      database: shop
      owner: keeper
      secret: {name: shop-keeper}
      dataChecksums: true
      walSegmentSize: 32
      localeCollate: C
      localeCType: C
      postInitSQL: ["create role made_by_sql"]
      postInitTemplateSQL: ["create table in_template(x int)"]
      postInitApplicationSQL: ["create table in_app(x int)"]
      postInitApplicationSQLRefs:
        configMapRefs: [{name: more, key: app.sql}]
"""


def test_bootstrap_of_the_manifest(t):
    t.file("secrets/shop-keeper/username", "keeper")
    t.file("secrets/shop-keeper/password", "k33p")
    t.file("secrets/more/app.sql", "create table from_ref(x int);")
    p = t.started(manifest=MANIFEST, args=["--secrets-dir", t.path("secrets")])
    eq(p.psql("show wal_segment_size"), "32MB", "walSegmentSize")
    eq(p.psql("select pg_get_userbyid(datdba), datcollate from pg_database where datname = 'shop'"), "keeper|C",
       "owner and collation")
    eq(p.psql("select count(*) from pg_roles where rolname = 'made_by_sql'"), "1", "postInitSQL")
    eq(p.psql("select count(*) from pg_class where relname in ('in_template', 'in_app', 'from_ref')", db="shop"), "3",
       "tables of the SQL fields")
    eq(tcp_psql(t, p, "select current_user", "keeper", "k33p", "shop"), "keeper", "the owner's password")
    ok("k33p" not in p.log_text(), "the password is in the log")


def test_failing_sql_leaves_no_half_made_cluster(t):
    bad = MANIFEST.replace("create role made_by_sql", "this is no sql")
    t.file("secrets/shop-keeper/username", "keeper")
    t.file("secrets/shop-keeper/password", "k33p")
    t.file("secrets/more/app.sql", "select 1;")
    p = t.pod(manifest=bad, args=["--secrets-dir", t.path("secrets")])
    p.start()
    until(lambda: p.logged("syntax error"), 40, "the log says what is wrong")
    ok(not os.path.exists(p.pgdata + "/PG_VERSION"), "PGDATA stays empty")


def test_ordinary_user_without_a_passwd_entry(t):
    """An arbitrary UID, as OpenShift gives it."""
    p = t.pod("any")
    os.chown(t.path("any"), 54321, 0)
    child = subprocess.Popen(["setpriv", "--reuid", "54321", "--regid", "0", "--clear-groups", *p.command()],
                             env=p.environment(), stdout=open(p.stdout, "ab"), stderr=subprocess.STDOUT, cwd="/")
    until(lambda: p.get("/readyz").status == 200, 40, "ready")
    owner = os.stat(p.pgdata).st_uid
    eq(owner, 54321, "owner of PGDATA")
    child.send_signal(signal.SIGTERM)
    eq(child.wait(20), 0, "exit code")


def test_run_folder_of_root_that_lets_everybody_in(t):
    """An emptyDir or a tmpfs of Docker for the sockets: it cannot be made ours, and need not be."""
    p = t.pod("any")
    os.chown(t.path("any"), 54321, 0)
    os.mkdir(p.run_dir)
    os.chmod(p.run_dir, 0o1777)
    child = subprocess.Popen(["setpriv", "--reuid", "54321", "--regid", "0", "--clear-groups", *p.command()],
                             env=p.environment(), stdout=open(p.stdout, "ab"), stderr=subprocess.STDOUT, cwd="/")
    until(lambda: p.get("/readyz").status == 200, 40, "ready")
    eq(p.cli("psql", "-Atc", "select 'in'").stdout.strip(), "in", "root gets in by the socket's owner")
    for name in os.listdir(p.run_dir):
        eq(os.stat(os.path.join(p.run_dir, name)).st_mode & 0o077, 0, f"mode of {name} for others")
    out = subprocess.run(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", t.binary, "psql"],
                         env=p.environment(), capture_output=True, text=True, cwd="/")
    ok("ermission denied" in out.stderr, f"a stranger is kept out: {out.stderr}")
    child.send_signal(signal.SIGTERM)
    eq(child.wait(20), 0, "exit code")
