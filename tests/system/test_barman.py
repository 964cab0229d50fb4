"""barman - Debian's barman-cloud programs read what podgres wrote, and podgres reads what they wrote."""
import json
import os
import shutil
import subprocess

from podtest import eq, ok, rgw, scale, test, until, walgen
from podtest.plain import Plain, conf_of_a_plain_server, own
from podtest.store import Target, take_backup
from test_archive_s3 import ONE_MB, all_out
from test_campaign import restored

URL = "s3://backups/barman"


def barman(server, program, *args, check=True, seconds=120, user=None):
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC", "HOME": "/nonexistent",
           "AWS_ACCESS_KEY_ID": rgw.KEY, "AWS_SECRET_ACCESS_KEY": rgw.SECRET, "AWS_DEFAULT_REGION": "us-east-1"}
    command = [f"/usr/bin/barman-cloud-{program}", "--endpoint-url", server.endpoint, *args]
    if user:
        command = ["setpriv", "--reuid", user, "--regid", user, "--init-groups", *command]
    out = subprocess.run(command, capture_output=True, text=True, env=env, timeout=seconds, check=False, cwd="/")
    if check:
        eq(out.returncode, 0, f"barman-cloud-{program} {args}: {out.stdout}{out.stderr}")
    return out


def barman_reads_ours(t, wal, data, with_tablespace):
    server = rgw.start(t)
    target = Target.bucket(t, server.bucket(), server.endpoint)
    pod = target.pod(wal=wal, data=data, initdb=ONE_MB, spec='postgresql:\n  parameters:\n    wal_keep_size: "1GB"\n')
    pod.start()
    pod.wait_ready()
    space = t.folder("space")
    where = ""
    if with_tablespace:
        pod.psql(f"CREATE TABLESPACE ts1 LOCATION '{space}'")
        where = "TABLESPACE ts1"
    pod.psql(f"CREATE TABLE before (n int) {where}; INSERT INTO before SELECT generate_series(1, 5000)")
    take_backup(pod, 90)
    pod.psql(f"CREATE TABLE after (n int) {where}; INSERT INTO after SELECT generate_series(1, 7000)")
    all_out(pod, walgen.switch(pod))
    listed = json.loads(barman(server, "backup-list", "--format", "json", URL, "pod").stdout)["backups_list"]
    eq(len(listed), 1, f"backups that Barman lists: {listed}")
    backup = listed[0]["backup_id"]
    eq([backup], target.archive("pod").backups(), "the backup's ID")
    eq(listed[0]["status"], "DONE", "its status")
    shown = json.loads(barman(server, "backup-show", "--format", "json", URL, "pod", backup).stdout)["cloud"]
    eq(shown["systemid"], pod.control("Database system identifier"), "its system identifier")
    eq(shown["timeline"], 1, "its timeline")
    pod.kill()
    back = t.path("back", "data")
    own(t, t.path("back"))
    args = []
    if with_tablespace:
        args = ["--tablespace", f"ts1:{t.path('back', 'ts1')}"]
    barman(server, "restore", *args, URL, "pod", backup, back, user="postgres")
    own(t, t.path("back"))
    conf_of_a_plain_server(back)
    open(back + "/recovery.signal", "w").close()
    plain = Plain(t, back, 5555, [
        "max_worker_processes=32",
        "restore_command=AWS_ACCESS_KEY_ID=%s AWS_SECRET_ACCESS_KEY=%s /usr/bin/barman-cloud-wal-restore "
        "--endpoint-url %s %s pod %%f %%p" % (rgw.KEY, rgw.SECRET, server.endpoint, URL)])
    plain.start(60)
    eq(plain.psql("SELECT (SELECT sum(n) FROM before), (SELECT sum(n) FROM after)"), "12502500|24503500", "the rows")
    if with_tablespace:
        eq(os.path.realpath(back + "/pg_tblspc/" + os.listdir(back + "/pg_tblspc")[0]), t.path("back", "ts1"),
           "where the tablespace is")


@test(seconds=180)
def test_barman_lists_shows_and_restores_our_gzip_backup_with_a_tablespace(t):
    barman_reads_ours(t, "compression: gzip, maxParallel: 2", "compression: gzip, immediateCheckpoint: true", True)


@test(seconds=180)
def test_barman_restores_our_uncompressed_backup(t):
    barman_reads_ours(t, "", "immediateCheckpoint: true", scale(False, True))


def we_read_barmans(t, flags, with_tablespace):
    server = rgw.start(t)
    target = Target.bucket(t, server.bucket(), server.endpoint)
    pgdata = t.initdb("theirs", "--wal-segsize=1", "--data-checksums")
    zipped = " ".join(flags)
    plain = Plain(t, pgdata, 5556, [
        "archive_mode=on",
        "archive_command=AWS_ACCESS_KEY_ID=%s AWS_SECRET_ACCESS_KEY=%s /usr/bin/barman-cloud-wal-archive "
        "--endpoint-url %s %s %s theirs %%p" % (rgw.KEY, rgw.SECRET, server.endpoint, zipped, URL)]).start()
    space = t.folder("space")
    where = ""
    if with_tablespace:
        plain.psql(f"CREATE TABLESPACE ts1 LOCATION '{space}'")
        where = "TABLESPACE ts1"
    plain.psql(f"CREATE TABLE before (n int) {where}; INSERT INTO before SELECT generate_series(1, 5000)")
    barman(server, "backup", "--immediate-checkpoint", *flags, "-h", plain.run_dir, "-p", "5556", "-U", "postgres", URL,
           "theirs", user="postgres")
    plain.psql("INSERT INTO before SELECT 1")
    last = plain.psql("SELECT pg_walfile_name(pg_switch_wal())")
    theirs = target.archive("theirs")
    until(lambda: last in theirs.segments(), 60, "Barman has archived the last segment")
    system = plain.psql("SELECT system_identifier FROM pg_control_system()")
    plain.close()
    shutil.rmtree(space)
    t.folder("space")
    before = target.store.objects()
    pod = restored(t, target, "theirs")
    eq(pod.psql("SELECT sum(n) FROM before"), "12502501", "the rows")
    eq(pod.control("Database system identifier"), system, "the system identifier")
    eq(target.store.objects("barman/theirs/"), before, "what stands in the source's folder")
    # The list of what they wrote, by our command.
    reader = t.file("reader.yaml", target.manifest("theirs"))
    out = pod.cli("backup", "list", "--json", "--config", reader)
    listed = json.loads(out.stdout)["backups"]
    eq([b["id"] for b in listed], theirs.backups(), f"what we list of theirs: {out.stdout}")


@test(seconds=180)
def test_we_restore_a_gzip_backup_that_barman_made_with_a_tablespace(t):
    we_read_barmans(t, ["--gzip"], True)


@test(seconds=180)
def test_we_restore_an_uncompressed_backup_that_barman_made(t):
    we_read_barmans(t, [], scale(False, True))
