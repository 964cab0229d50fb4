"""archive - the way out: the archiver is killed, the store goes away, the folder is another's, podgres ends."""
import json
import os
import signal
import socket
import subprocess
import time

from podtest import eq, ok, test, until, walgen
from podtest.store import Target, next_segment, wait_archived
from test_archive_s3 import KEEP, ONE_MB, all_out, check_all, in_pg_wal, ready


def begin(t, target=None, **manifest):
    target = target or Target.folder(t)
    manifest = {"wal": "compression: gzip", "initdb": ONE_MB, "spec": KEEP, **manifest}
    pod = target.pod(**manifest)
    pod.start()
    pod.wait_ready()
    return target, pod


def switches(pod, n):
    """n segments that are nearly empty, in one go."""
    pod.psql("DO $$ BEGIN FOR i IN 2.." + str(n) + " LOOP PERFORM pg_logical_emit_message(false, 'x', 'y');"
             " PERFORM pg_switch_wal(); END LOOP; PERFORM pg_logical_emit_message(false, 'x', 'y'); END $$", seconds=120)
    return walgen.switch(pod)  # a look afterwards may see one that a checkpoint has begun


def shut(target):
    os.chmod(target.store.root, 0)


def reopen(target):
    os.chmod(target.store.root, 0o755)


def logged(pod, words):
    return [line for line in pod.log_text().splitlines() if words in line]


@test()
def test_an_archiver_that_is_killed_again_and_again_loses_and_repeats_nothing(t):
    target, pod = begin(t)
    last = None
    for i in range(8):
        last = walgen.fill(pod, 3, 1 << 20)
        until(lambda: pod.service("archiver"), 30, "there is an archiver again").kill(signal.SIGKILL)
        if i % 3 == 0:
            time.sleep(0.05)
    all_out(pod, last)
    ok(check_all(pod, target.archive("pod")) >= 24, "segments")
    until(lambda: pod.service("archiver"), 30, "there is an archiver again").kill(signal.SIGKILL)
    until(lambda: not target.store.uploads(), 60, "the next archiver removes what the others left")
    eq(logged(pod, "holds other content"), [], "alarms")


@test(tags=["versions"])
def test_the_last_row_is_in_the_archive_after_the_stop(t):
    target, pod = begin(t)
    pod.psql("CREATE TABLE t AS SELECT 'the last row' AS x")
    last = pod.psql("SELECT pg_walfile_name(pg_current_wal_lsn())")
    pod.stop()
    ok(last in target.archive("pod").segments(), f"{last} in {sorted(target.archive('pod').segments())}")
    check_all(pod, target.archive("pod"))
    ok(logged(pod, "nothing is left for the archive"), "the log says so")


@test(tags=["versions"])
def test_what_postgres_did_not_come_to_goes_out_after_it(t):
    target, pod = begin(t)
    archiver = [p for p in pod.postgres_tree() if "archiver" in p.cmdline][0]
    shut(target)
    last = switches(pod, 100)
    ok(len(ready(pod)) >= 90, f"{len(ready(pod))} wait")
    archiver.kill(signal.SIGSTOP)
    reopen(target)
    pod.psql("CHECKPOINT")
    archiver.kill(signal.SIGCONT)
    pod.stop()
    stored = target.archive("pod").segments()
    for name in ready(pod):
        ok(name[:-6] in stored or not name[:-6].isalnum(), f"{name} was left")
    ok(last in stored, f"{last} is in the archive")


@test(seconds=120, tags=["versions"])
def test_a_store_that_is_gone_delays_no_fast_stop_and_what_is_left_is_counted(t):
    target, pod = begin(t)
    shut(target)
    switches(pod, 300)
    until(lambda: logged(pod, "the archive fails"), 20, "the log says that the archive fails")
    began = time.monotonic()
    pod.order("fence")
    took = time.monotonic() - began
    print(f"fast stop with {len(ready(pod))} .ready and no store: {took:.1f} s")
    ok(took < 5, f"the fast stop took {took:.1f} s")
    pod.order("unfence")
    pod.wait_ready()
    began = time.monotonic()
    pod.order("restart")
    ok(time.monotonic() - began < 8, "the restart")
    pod.signal(signal.SIGTERM)
    eq(pod.wait(60), 69, "exit code")
    lines = logged(pod, "WAL is left that is not in the archive")
    eq(len(lines), 1, "the log counts what is left")
    ok(json.loads(lines[0])["files"] >= 300, lines[0])
    reopen(target)
    pod.start()
    pod.wait_ready()
    all_out(pod, switches(pod, 1)[:8])
    check_all(pod, target.archive("pod"))
    pod.stop()


@test(seconds=120)
def test_a_store_that_comes_back_gets_everything(t):
    target, pod = begin(t)
    shut(target)
    last = walgen.fill(pod, 10, 1 << 20)
    until(lambda: logged(pod, "the archive fails"), 20, "the log says that the archive fails")
    eq(pod.get("/readyz").status, 200, "readiness does not depend on the archive")
    reopen(target)
    wait_archived(pod, target.archive("pod"), last, 40)
    ok(logged(pod, "the archive works again"), "the log says that it works again")
    all_out(pod, last, 90)
    check_all(pod, target.archive("pod"))


OTHER = '{"systemId":"42","cluster":"other","namespace":"elsewhere"}'


@test()
def test_a_folder_of_another_cluster_is_refused_and_its_owner_named(t):
    target = Target.folder(t)
    target.store.put("pod/podgres/owner.json", OTHER.encode())
    before = target.store.objects()
    _, pod = begin(t, target)
    last = switches(pod, 3)
    until(lambda: logged(pod, "belongs to another cluster"), 20, "the log says whose the folder is")
    time.sleep(1)
    eq(target.store.objects(), before, "objects of the folder")
    ok(any("elsewhere/other" in line for line in logged(pod, "belongs to cluster")), "the owner's name")
    ok(len(ready(pod)) >= 3, "WAL is kept")
    eq(pod.psql("SELECT archived_count FROM pg_stat_archiver"), "0", "PostgreSQL's count")
    t.file("pod-config/cluster.yaml", target.manifest("pod", wal="", initdb=ONE_MB, spec=KEEP).replace(
        "    barmanObjectStore:\n", "    barmanObjectStore:\n      serverName: own\n"))
    all_out(pod, last[:8], 90)
    check_all(pod, target.archive("own"))
    eq(target.store.objects("pod/"), {k: v for k, v in before.items() if k.startswith("pod/")}, "the other's objects")


@test()
def test_a_folder_that_barman_wrote_for_another_system_is_refused_too(t):
    target = Target.folder(t)
    target.store.put("pod/base/20261101T000000/backup.info",
                     b"backup_label=None\nbegin_time=2026-11-01 00:00:00+00:00\nbegin_wal=000000010000000000000002\n"
                     b"begin_xlog=0/2000028\nend_time=2026-11-01 00:00:09+00:00\nend_wal=000000010000000000000002\n"
                     b"end_xlog=0/2000100\nstatus=DONE\nsystemid=7710269545778229819\ntimeline=1\nversion=150020\n")
    before = target.store.objects()
    _, pod = begin(t, target)
    switches(pod, 2)
    until(lambda: logged(pod, "belongs to another cluster"), 20, "the log says whose the folder is")
    ok(any("7710269545778229819" in line for line in logged(pod, "belongs to cluster")), "the system identifier")
    time.sleep(1)
    eq(target.store.objects(), before, "objects of the folder")


@test()
def test_no_destination_is_loud_and_archives_nothing(t):
    pod = t.started()
    eq(pod.psql("SHOW archive_mode"), "off", "archive_mode")
    ok(logged(pod, "nothing is archived"), "the log says so")
    out = subprocess.run([os.path.join(os.path.dirname(t.binary), "podgres-wal"), "--socket", pod.run_dir + "/wal.sock",
                          "archive", pod.pgdata + "/pg_wal/000000010000000000000001"],
                         capture_output=True, text=True, timeout=30, check=False)
    eq(out.returncode, 1, "exit code of podgres-wal")
    ok("names no archive" in out.stderr, out.stderr)
    pod.stop()


@test()
def test_a_destination_that_comes_later_waits_for_a_restart_and_says_so(t):
    plain = "apiVersion: postgresql.cnpg.io/v1\nkind: Cluster\nmetadata:\n  name: pod\n  namespace: default\n" \
            "spec:\n  instances: 1\n"
    target = Target.folder(t)
    pod = t.pod("pod", manifest=plain)
    pod.start()
    pod.wait_ready()
    t.file("pod-config/cluster.yaml", target.manifest("pod", wal=""))
    until(lambda: logged(pod, "archive_mode is off in the running postgres"), 30, "the log says that a restart is needed")
    pod.order("restart")
    pod.wait_ready()
    eq(pod.psql("SHOW archive_mode"), "on", "archive_mode")
    wait_archived(pod, target.archive("pod"), walgen.switch(pod))
    pod.stop()


@test(seconds=120)
def test_a_new_destination_helps_against_an_attempt_that_is_stuck(t):
    hole = socket.create_server(("127.0.0.1", 18999))  # takes connections and says nothing
    t.file("secrets/s/k", "x", 0o644)
    for folder in ("secrets", "secrets/s"):
        os.chmod(t.path(folder), 0o755)
    target = Target.folder(t)
    creds = ("      endpointURL: http://127.0.0.1:18999\n"
             "      s3Credentials: {accessKeyId: {name: s, key: k}, secretAccessKey: {name: s, key: k}}\n")
    stuck = target.manifest("pod", wal="", initdb=ONE_MB, spec=KEEP).replace(target.destination, "s3://bucket/p").replace(
        "barmanObjectStore:\n", "barmanObjectStore:\n" + creds, 1)
    pod = t.pod("pod", manifest=stuck, env={"PODGRES_SECRETS_DIR": t.path("secrets")})
    pod.start()
    pod.wait_ready()
    last = switches(pod, 3)
    hole.settimeout(20)
    hole.accept()
    t.file("pod-config/cluster.yaml", target.manifest("pod", wal="", initdb=ONE_MB, spec=KEEP))
    began = time.monotonic()
    all_out(pod, last[:8], 40)
    print(f"archived {time.monotonic() - began:.1f} s after the manifest was changed")
    check_all(pod, target.archive("pod"))


@test(seconds=180)
def test_dropping_with_a_gap_keeps_the_database_and_says_so(t):
    policy = "whenStoreFails: drop-with-gap\ndropAbove: 24Mi\n"
    spec = KEEP.replace('"4GB"', '"0"') + '    max_wal_size: "8MB"\n    min_wal_size: "2MB"\n'
    target, pod = begin(t, backup=policy, spec=spec)
    first = switches(pod, 2)
    all_out(pod, first[:8])
    shut(target)
    switches(pod, 60)
    until(lambda: logged(pod, "WAL is dropped without being archived"), 90, "the log says that WAL is dropped")
    until(lambda: len(ready(pod)) < 30, 60, "room is made")
    reopen(target)
    gaps = until(lambda: target.store.objects("pod/podgres/gaps/"), 60, "the gaps are told to the archive")
    dropped = {json.loads(line)["file"] for line in logged(pod, "WAL is dropped without")}
    until(lambda: {k.rsplit("/", 1)[1] for k in target.store.objects("pod/podgres/gaps/")} == dropped, 30,
          f"one object for each of {len(dropped)} dropped segments, {len(gaps)} so far")
    stored = target.archive("pod").segments()
    eq([n for n in dropped if n in stored], [], "dropped segments in the store")
    all_out(pod, switches(pod, 1)[:8], 90)
    until(lambda: target.archive("pod").backups(), 90, "a new base backup follows by itself")


@test(seconds=180)
def test_two_hundred_thousand_waiting_files_cost_nothing_for_each_segment(t):
    target, pod = begin(t)
    walgen.fill(pod, 2, 1 << 20)
    status = pod.pgdata + "/pg_wal/archive_status"
    owner = os.stat(status)
    # Far behind what PostgreSQL writes here: it comes to them last.
    name, names = "000000010000000A00000000", []
    for _ in range(200000):
        names.append(name)
        name = next_segment(name, 1 << 20)
    # A file that PostgreSQL cannot have archived: it stays at it instead of finding out about all the others.
    with open(f"{pod.pgdata}/pg_wal/{names[0]}", "w") as f:
        os.fchown(f.fileno(), owner.st_uid, owner.st_gid)
    for name in names:
        os.close(os.open(f"{status}/{name}.ready", os.O_CREAT | os.O_WRONLY, 0o600))
        os.chown(f"{status}/{name}.ready", owner.st_uid, owner.st_gid)
    archiver = pod.service("archiver")
    trace = subprocess.Popen(["strace", "-f", "-qq", "-e", "trace=openat,getdents64,access,newfstatat", "-o", t.path("trace"),
                              "-p", str(archiver.pid)])
    time.sleep(1)
    last = walgen.fill(pod, 20, 1 << 20)
    wait_archived(pod, target.archive("pod"), last)
    trace.send_signal(signal.SIGINT)
    trace.wait(10)
    with open(t.path("trace")) as f:
        lines = f.readlines()
    calls = [line.split("(", 1)[0].split()[-1] for line in lines if "(" in line]
    looks = [line for line in lines if 'archive_status", ' in line and "O_DIRECTORY" in line]
    print({c: calls.count(c) for c in set(calls)}, "for 20 segments with 200,000 .ready")
    ok(len(looks) <= 1, f"{len(looks)} looks at the whole folder")
    ok(len(calls) - calls.count("getdents64") < 1000, f"{len(calls)} calls")
    for name in names:
        try:
            os.unlink(f"{status}/{name}.ready")
        except FileNotFoundError:  # PostgreSQL clears away what has no file
            pass
