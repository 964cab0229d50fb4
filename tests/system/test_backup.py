"""base backups: made, complete, ended in the middle, swept, scheduled, taken from a standby."""
import base64
import hashlib
import json
import os
import shutil
import signal
import subprocess
import tarfile

from podtest import eq, http, ok, test, until
from podtest.plain import Plain, conf_of_a_plain_server, own
from podtest.store import Target, unpacked

GZIP = "compression: gzip, immediateCheckpoint: true"
SLOW = {"rate": "32kB"}  # the slowest that a server knows: a backup that lasts


def started(t, name="pod", **how):
    target = Target.folder(t)
    pod = target.pod(name, **{"data": GZIP, **how})
    pod.start()
    pod.wait_ready()
    until(lambda: pod.status()["state"] == "primary", 20, "it is a primary")
    return pod, target


def create(pod, seconds=60, status=200, **body):
    """Orders a backup and waits; the operation."""
    def tried():
        a = pod.post(f"/v1/backups?wait={seconds}s", body or None, timeout=seconds + 5)
        # The archive was not looked at yet, or dead backups are being cleared away.
        return a if a.status not in (412, 503) or "operation" in a.json() else None
    a = until(tried, seconds, "the order is taken")
    eq(a.status, status, f"POST /v1/backups: {a.text[:400]}")
    return a.json()["operation"] if "operation" in a.json() else a.json()


def begun(pod, **body):
    """Orders one that lasts; returns when it copies."""
    op = create(pod, seconds=1, status=504, **{**SLOW, **body})
    return until(lambda: operation(pod, op["id"]) if operation(pod, op["id"])["phase"] == "copying" else None, 20,
                 "it copies")


def operation(pod, op_id):
    return pod.get(f"/v1/operations/{op_id}").json()


def folder(target, backup, below=""):
    return target.store.path(f"pod/{below}base/{backup}") if hasattr(target.store, "path") else \
        os.path.join(target.destination[len("file://"):], "pod", f"{below}base", backup)


def unpack(t, where, into):
    """A backup by hand, as any tool would; returns PGDATA."""
    data = t.folder(into)
    for name in sorted(os.listdir(where)):
        if ".tar" not in name:
            continue
        dest = data if name.startswith("data") else t.folder(f"{into}-{name.split('.')[0]}")
        subprocess.run(["tar", "-C", dest, "-xf", f"{where}/{name}"], check=True)
        if dest != data:
            own(t, dest)
            os.makedirs(data + "/pg_tblspc", exist_ok=True)
            os.symlink(dest, f"{data}/pg_tblspc/{name.split('.')[0]}")
    for name in os.listdir(where):
        if name.startswith("backup_manifest"):
            with open(f"{where}/{name}", "rb") as f, open(data + "/backup_manifest", "wb") as to:
                to.write(unpacked(name, f.read()))
    return own(t, data)


def verified(t, where, data):
    """PostgreSQL's own check of the files, and ours of files and objects."""
    tool = t.bindir + "/pg_verifybackup"
    if not os.path.exists(tool):  # any version reads the manifests of 13 to 16
        tool = shutil.which("pg_verifybackup") or "/usr/lib/postgresql/15/bin/pg_verifybackup"
    out = subprocess.run([tool, "-n", data], capture_output=True, text=True, check=False)
    eq(out.returncode, 0, f"pg_verifybackup: {out.stdout}{out.stderr}")
    with open(f"{where}/manifest.json") as f:
        manifest = json.load(f)
    for obj in manifest["objects"]:
        with open(f"{where}/{obj['name']}", "rb") as f:
            body = f.read()
        eq((hashlib.sha256(body).hexdigest(), len(body)), (obj["sha256"], obj["bytes"]), f"object {obj['name']}")
    for file in manifest["files"]:
        base = data if file["tar"].startswith("data") else f"{data}-{file['tar'].split('.')[0].split('_')[0]}"
        with open(f"{base}/{file['path']}", "rb") as f:
            body = f.read()
        eq((hashlib.sha256(body).hexdigest(), len(body)), (file["sha256"], file["bytes"]), f"file {file['path']}")
    eq(manifest["fileCount"], len(manifest["files"]), "the number of files")
    return manifest


def restore_command(target):
    wals = os.path.join(target.destination[len("file://"):], "pod", "wals")
    return f"restore_command=f=$(ls {wals}/*/%f.gz {wals}/%f.gz 2>/dev/null | head -n 1); test -n \"$f\" && zcat $f > %p"


@test(seconds=120, tags=["versions"])
def test_a_backup_with_a_tablespace_is_whole_and_postgres_starts_from_it(t):
    pod, target = started(t)
    space = t.folder("space")
    pod.psql(f"CREATE TABLESPACE ts1 LOCATION '{space}'")
    pod.psql("CREATE TABLE a AS SELECT generate_series(1, 1000) n; "
             "CREATE TABLE b TABLESPACE ts1 AS SELECT generate_series(1, 2000) n")
    op = create(pod, name="first")
    eq(op["state"], "done", "the operation")
    backup = op["result"]
    info = target.archive("pod").info(backup)
    eq((info["status"], info["backup_name"], info["timeline"]), ("DONE", "first", "1"), "backup.info")
    ok(f"'ts1', " in info["tablespaces"] and space in info["tablespaces"], f"tablespaces: {info['tablespaces']}")
    ok(info["end_wal"] in target.archive("pod").segments(), "its last WAL is in the archive")
    where = folder(target, backup)
    ok(os.path.exists(f"{where}/data.tar.gz"), f"data.tar.gz in {os.listdir(where)}")
    data = unpack(t, where, "back")
    manifest = verified(t, where, data)
    names = {f["path"] for f in manifest["files"]}
    for name in ("standby.signal", "postmaster.pid", "tablespace_map"):
        ok(name not in names, f"{name} is not in it")
    ok(not [n for n in names if n.startswith((".podgres", "pg_wal/"))], "neither podgres' own files nor WAL")
    pod.kill()
    conf_of_a_plain_server(data)
    open(data + "/recovery.signal", "w").close()
    own(t, data)
    plain = Plain(t, data, 5560, [restore_command(target), "max_worker_processes=32"]).start(60)
    eq(plain.psql("SELECT (SELECT count(*) FROM a), (SELECT count(*) FROM b)"), "1000|2000", "the rows")


def test_a_second_backup_is_refused_while_one_runs(t):
    pod, _ = started(t)
    op = begun(pod)
    a = pod.post("/v1/backups")
    eq(a.status, 409, f"a second one: {a.text}")
    ok("running" in a.json()["error"]["message"], a.text)
    running = operation(pod, op["id"])
    ok(running["totalBytes"] > running["doneBytes"] >= 0, f"progress: {running}")


@test(seconds=90, tags=["asan"])
def test_a_stop_in_the_middle_takes_the_backup_back_and_is_not_held_up(t):
    pod, target = started(t)
    begun(pod)
    pod.stop(seconds=15)
    [backup] = target.archive("pod").backups()
    until(lambda: target.archive("pod").info(backup)["status"] != "DONE", 1, "it is not done")


@test(seconds=90)
def test_a_fence_in_the_middle_fails_the_backup_and_leaves_its_reason(t):
    pod, target = started(t)
    op = begun(pod)
    pod.order("fence")
    until(lambda: operation(pod, op["id"])["state"] == "failed", 20, "the operation has failed")
    [backup] = target.archive("pod").backups()
    eq(target.archive("pod").info(backup)["status"], "FAILED", "its status")
    eq(os.listdir(folder(target, backup)), ["backup.info"], "what is left of it")
    pod.order("unfence")
    pod.wait_ready()
    eq(create(pod)["state"], "done", "the next one")


@test(seconds=120, tags=["versions"])
def test_after_kill_9_the_next_start_clears_the_dead_backup_away(t):
    pod, target = started(t)
    begun(pod)
    [backup] = target.archive("pod").backups()
    eq(target.archive("pod").info(backup)["status"], "STARTED", "while it runs")
    pod.kill()
    pod.start()
    pod.wait_ready()
    until(lambda: target.archive("pod").info(backup)["status"] == "FAILED", 40, "it is marked as failed")
    eq(os.listdir(folder(target, backup)), ["backup.info"], "what is left of it")
    done = create(pod)
    eq(sorted(target.archive("pod").backups()), sorted([backup, done["result"]]), "backups")


@test(seconds=90)
def test_a_killed_job_is_cleared_away_without_a_restart(t):
    pod, target = started(t)
    op = begun(pod)
    job = [p for p in pod.procs() if "job backup" in p.cmdline and p.state != "Z"]
    eq(len(job), 1, f"jobs: {[p.cmdline for p in job]}")
    job[0].kill(signal.SIGKILL)
    until(lambda: operation(pod, op["id"])["state"] == "failed", 10, "the operation has failed")
    [backup] = target.archive("pod").backups()
    until(lambda: target.archive("pod").info(backup)["status"] == "FAILED", 30, "it is marked as failed")
    eq(os.listdir(folder(target, backup)), ["backup.info"], "what is left of it")


@test(seconds=90)
def test_a_broken_page_is_reported_and_the_backup_kept(t):
    pod, target = started(t, initdb="dataChecksums: true")
    pod.psql("CREATE TABLE broken AS SELECT generate_series(1, 10000) n; CHECKPOINT")
    path = pod.pgdata + "/" + pod.psql("SELECT pg_relation_filepath('broken')")
    pod.order("restart")
    pod.wait_ready()
    with open(path, "r+b") as f:
        f.seek(5000)
        f.write(b"\xff" * 16)
    op = create(pod, status=500)
    backup = op["result"]
    ok("checksum" in op["error"]["message"], f"the error: {op['error']}")
    eq(target.archive("pod").info(backup)["status"], "DONE", "it is kept")
    with open(folder(target, backup) + "/backup.info") as f:
        ok("checksum_failures" in f.read(), "and marked")


@test(seconds=90)
def test_without_an_archive_a_backup_is_refused_with_the_reason(t):
    pod = t.started()
    a = until(lambda: (lambda r: r if r.status != 412 else None)(pod.post("/v1/backups")), 20, "an answer")
    eq(a.status, 422, a.text)
    ok("barmanObjectStore" in a.json()["error"]["message"], a.text)


@test(seconds=120)
def test_schedules_of_the_manifest_run_once_each_and_again_when_due(t):
    target = Target.folder(t)
    text = target.manifest("pod", data=GZIP)
    for kind, name, spec in (("ScheduledBackup", "often", "schedule: '*/20 * * * * *'\n  immediate: true"),
                             ("ScheduledBackup", "asleep", "schedule: '* * * * * *'\n  suspend: true"),
                             ("Backup", "once", "method: barmanObjectStore")):
        text += (f"---\napiVersion: postgresql.cnpg.io/v1\nkind: {kind}\nmetadata:\n  name: {name}\n"
                 f"  namespace: default\nspec:\n  cluster:\n    name: pod\n  {spec}\n")
    pod = t.pod("pod", manifest=text)
    pod.start()
    pod.wait_ready()

    def names():
        a = target.archive("pod")
        infos = [a.info(b) for b in a.backups()]
        return [i["backup_name"] for i in infos if i["status"] == "DONE"]
    until(lambda: len([n for n in names() if n.startswith("often-")]) >= 2 and "once" in names(), 70, "they ran")
    pod.kill()
    had = names()
    pod.start()
    pod.wait_ready()
    until(lambda: len(names()) > len(had), 60, "the schedule goes on")
    eq(names().count("once"), 1, "the document ran once")
    ok(not [n for n in names() if n.startswith("asleep")], "what is suspended does not run")
    eq(len(set(names())), len(names()), f"each due time once: {names()}")


@test(seconds=120)
def test_incremental_backups_build_a_chain_that_combines(t):
    if t.major < 17:
        return
    pod, target = started(t, spec='postgresql:\n  parameters:\n    summarize_wal: "on"\n')
    pod.psql("CREATE TABLE a AS SELECT generate_series(1, 100000) n")
    a = create(pod, status=412, incremental="true")
    ok("whole" in json.dumps(a), f"without a parent: {a}")
    full = create(pod)["result"]
    chain = [folder(target, full)]
    parent = full
    for n in range(2):
        pod.psql(f"INSERT INTO a SELECT {n}")
        op = create(pod, incremental="true")
        chain.append(folder(target, op["result"], "podgres/"))
        with open(chain[-1] + "/backup.info") as f:
            ok(f"parent={parent}" in f.read().replace(" ", ""), "its parent")
        parent = op["result"]
    eq(target.archive("pod").backups(), [full], "what Barman sees")
    pod.kill()
    parts = [unpack(t, where, f"part{i}") for i, where in enumerate(chain)]
    out = t.folder("combined") + "/data"
    t.as_postgres(t.bindir + "/pg_combinebackup", *parts, "-o", out)
    conf_of_a_plain_server(out)
    open(out + "/recovery.signal", "w").close()
    own(t, out)
    plain = Plain(t, out, 5561, [restore_command(target), "max_worker_processes=32"]).start(60)
    eq(plain.psql("SELECT count(*) FROM a"), "100002", "the rows")


@test(seconds=120)
def test_kept_named_and_compressed_in_other_ways(t):
    pod, target = started(t, data="immediateCheckpoint: true")
    op = create(pod, keep="full", name="kept")
    where = folder(target, op["result"])
    with open(where + "/annotations/keep") as f:
        eq(f.read(), "full", "the annotation")
    with tarfile.open(where + "/data.tar") as tar:
        ok("global/pg_control" in tar.getnames() and "backup_label" in tar.getnames(), "pg_control and the label")
    verified(t, where, unpack(t, where, "back"))
    a = pod.post("/v1/backups", {"name": "with space"})
    eq(a.status, 400, a.text)


def test_a_hot_backup_is_held_open_and_gives_label_and_map(t):
    pod = t.started()

    def mode(method, body=None, path="/pg/mode/backup?wait=20s"):
        return http.request(pod.socket, method, path, body, timeout=25)
    eq(mode("GET").json(), {"data": {}}, "before")
    eq(mode("PUT").status, 409, "nothing to stop")
    a = mode("POST", {"name": "snap", "immediate": "true", "slot": "snap", "archived": "false"})
    eq(a.status, 200, a.text)
    eq(mode("GET").json()["data"]["phase"], "started", "open")
    eq(pod.psql("SELECT slot_name FROM pg_replication_slots WHERE temporary"), "snap", "its slot")
    eq(mode("POST").status, 409, "a second one")
    eq(pod.post("/v1/backups").status, 409, "a base backup meanwhile")
    a = mode("PUT")
    eq(a.status, 200, a.text)
    data = a.json()["data"]
    eq((data["phase"], data["backupName"]), ("completed", "snap"), "its end")
    label = base64.b64decode(data["labelFile"]).decode()
    ok(f"START WAL LOCATION: {data['beginLSN']} " in label and "LABEL: snap" in label, label)
    eq(base64.b64decode(data["spcmapFile"]), b"", "the tablespace map")
    eq(mode("GET").json()["data"], data, "and afterwards")
    a = mode("POST", {"immediate": "true"})
    eq(a.status, 200, a.text)
    eq(mode("DELETE").status, 200, "given up")
    eq(mode("GET").json()["data"]["phase"], "failed", "its phase")
    a = mode("POST", {"immediate": "true", "lasts": "2s"})
    eq(a.status, 200, a.text)
    until(lambda: mode("GET").json()["data"]["phase"] == "failed", 15, "it gives itself up")
    a = mode("POST", {"immediate": "true"})
    eq(a.status, 200, a.text)
    pod.stop()


@test(seconds=150, tags=["versions"])
def test_a_backup_from_a_standby_waits_for_the_primarys_wal(t):
    pod, target = started(t)
    pod.psql("CREATE TABLE a AS SELECT generate_series(1, 1000) n")
    standby = t.pod("standby", pgdata=t.standby_of(pod), port=5434, http_port=8100,
                    env={"CLUSTER_NAME": "pod", "PODGRES_SECRETS_DIR": t.path("secrets")},
                    manifest=target.manifest("pod", data=GZIP))
    standby.start()
    standby.wait_ready()
    eq(standby.status()["state"], "standby", "its state")
    a = standby.post("/v1/backups", {"target": "primary"})
    ok(a.status in (409, 412, 503), f"a backup of the primary: {a.text}")
    pod.psql("CREATE TABLE b AS SELECT generate_series(1, 10) n; CHECKPOINT")
    lsn = pod.psql("SELECT pg_current_wal_lsn()")
    until(lambda: standby.psql(f"SELECT pg_last_wal_replay_lsn() >= '{lsn}'") == "t", 20, "the standby follows")
    op = create(standby, seconds=2, status=504)
    until(lambda: "last WAL" in operation(standby, op["id"])["phase"], 20, "it says what it waits for")
    pod.psql("SELECT pg_switch_wal()")
    until(lambda: operation(standby, op["id"])["state"] == "done", 60, "it is done")
    backup = operation(standby, op["id"])["result"]
    where = folder(target, backup)
    with open(where + "/backup.info") as f:
        ok("standby=true" in f.read().replace(" ", ""), "it says where it comes from")
    data = unpack(t, where, "back")
    verified(t, where, data)
    pod.kill()
    standby.kill()
    conf_of_a_plain_server(data)
    open(data + "/recovery.signal", "w").close()
    own(t, data)
    plain = Plain(t, data, 5562, [restore_command(target), "max_worker_processes=32"]).start(60)
    eq(plain.psql("SELECT count(*) FROM a"), "1000", "the rows")


@test(seconds=90)
def test_a_backup_is_deleted_over_http_unless_it_is_needed(t):
    target = Target.folder(t)
    pod = target.pod(initdb="walSegmentSize: 1\n")
    pod.start()
    pod.wait_ready()
    ids = []
    for _ in range(2):  # the first waits its turn while podgres clears away what dead backups left
        until(lambda: pod.post("/v1/backups?immediate=true&wait=40s", timeout=45).status == 200, 60, "a backup")
        ids.append(target.archive("pod").backups()[-1])
    eq(len(set(ids)), 2, "two backups")

    def delete(backup):
        return http.request(pod.socket, "DELETE", f"/v1/backups/{backup}?wait=30s", timeout=35)

    eq(delete("nonsense").status, 404, "no ID")
    eq(delete("20200101T000000").status, 404, "no such backup")
    out = delete(ids[0])
    eq(out.status, 200, out.text)
    eq(target.archive("pod").backups(), ids[1:], "backups after the deletion")
    eq([k for k in target.store.objects() if ids[0] in k], [], "objects left of it")
    out = delete(ids[1])
    ok(out.status != 200 and "last finished" in out.text, f"the last one stays: {out.status} {out.text}")
    eq(target.archive("pod").backups(), ids[1:], "the last backup")
