"""Data directories that podgres has not made."""
import os
import shutil

from podtest import eq, ok, test, until


def refused(t, p, *words):
    """One clear line, exit 78, nothing touched."""
    before = snapshot(p.pgdata)
    p.start()
    eq(p.wait(20), 78, f"exit code; log: {p.log_text()[-600:]}")
    eq(snapshot(p.pgdata), before, "PGDATA afterwards")
    errors = [line.get("msg", "") + str(line.get("error", "")) + str(line.get("hint", "")) for line in p.log()
              if line.get("level") == "error"]
    ok(any(all(w in e for w in words) for e in errors), f"no error with {words}: {errors}")


def snapshot(path):
    seen = []
    for folder, names, files in os.walk(path):
        for n in names + files:
            st = os.lstat(os.path.join(folder, n))
            seen.append((os.path.join(folder, n), st.st_mode, st.st_uid, st.st_size, st.st_mtime_ns))
    return sorted(seen)


@test(tags=["versions"])
def test_plain_initdb(t):
    p = t.started(pgdata=t.initdb("pod"))
    eq(p.psql("select 1"), "1", "a query")
    eq(p.status()["state"], "primary", "state")
    p.stop()
    with open(p.pgdata + "/postgresql.conf") as f:
        text = f.read()
    ok(text.rstrip().endswith("include 'podgres.conf'"), "podgres.conf is included last")


def test_settings_of_the_adopted_are_kept(t):
    pgdata = t.initdb("pod")
    with open(pgdata + "/postgresql.conf", "a") as f:
        f.write("work_mem = '7MB'\nport = 7777\n")
    p = t.started(pgdata=pgdata)
    eq(p.psql("show work_mem"), "7MB", "work_mem of postgresql.conf")
    eq(p.psql("show port"), "5432", "podgres' port wins")


def test_debian_layout_without_postgresql_conf(t):
    pgdata = t.initdb("pod")
    for name in ("postgresql.conf", "pg_hba.conf", "pg_ident.conf"):
        os.unlink(os.path.join(pgdata, name))
    p = t.started(pgdata=pgdata)
    eq(p.psql("select 1"), "1", "a query")


def test_layout_of_cloudnativepg(t):
    """PGDATA is pgdata inside of the mount, its pg_wal a link to another volume."""
    pgdata = t.initdb("pod")
    wal = t.folder("wal")
    shutil.move(pgdata + "/pg_wal", wal + "/pg_wal")
    os.symlink(wal + "/pg_wal", pgdata + "/pg_wal")
    with open(pgdata + "/custom.conf", "w") as f:
        f.write("work_mem = '9MB'\nport = '5432'\nunix_socket_directories = '/controller/run'\n"
                "archive_command = '/controller/manager wal-archive %p'\narchive_mode = on\n")
    with open(pgdata + "/override.conf", "w") as f:
        f.write("restore_command = '/controller/manager wal-restore %f %p'\n")
    with open(pgdata + "/postgresql.conf", "a") as f:
        f.write("include 'custom.conf'\ninclude 'override.conf'\n")
    p = t.started(pgdata=pgdata)
    eq(p.psql("show work_mem"), "9MB", "its settings")
    eq(p.psql("show archive_mode"), "off", "archive_mode is ours")


def test_wrong_permissions(t):
    pgdata = t.initdb("pod")
    os.chmod(pgdata, 0o777)
    refused(t, t.pod(pgdata=pgdata), "permissions")


def test_foreign_owner(t):
    pgdata = t.initdb("pod")
    os.chown(pgdata, 12345, 12345)
    refused(t, t.pod(pgdata=pgdata), "12345")


def test_lost_and_found_on_a_mount_point(t):
    pgdata = t.folder("pod/data")
    os.makedirs(pgdata + "/lost+found")
    refused(t, t.pod(pgdata=pgdata), "lost+found")


def test_half_made_folder(t):
    pgdata = t.initdb("pod")
    os.unlink(pgdata + "/global/pg_control")
    refused(t, t.pod(pgdata=pgdata), "pg_control")


def test_a_folder_of_something_else(t):
    pgdata = t.folder("pod/data")
    t.file("pod/data/holiday.jpg", "x")
    refused(t, t.pod(pgdata=pgdata), "holiday.jpg")


def test_other_major_version(t):
    pgdata = t.initdb("pod")
    with open(pgdata + "/PG_VERSION", "w") as f:
        f.write("12\n")
    refused(t, t.pod(pgdata=pgdata), "12")


def test_newer_major_version(t):
    pgdata = t.initdb("pod")
    with open(pgdata + "/PG_VERSION", "w") as f:
        f.write("99\n")
    refused(t, t.pod(pgdata=pgdata), "99")


def test_crashed_cluster_recovers(t):
    p = t.started(pgdata=t.initdb("pod"))
    p.psql("create table kept as select generate_series(1, 1000) n")
    p.kill()
    p.start()
    p.wait_ready()
    eq(p.psql("select count(*) from kept"), "1000", "rows after crash recovery")
    until(lambda: p.control("Database cluster state") == "in production", 5, "control file")
