"""retention - what `podgres backup prune` leaves can still be restored: real archives, real postgres.

An archive of six base backups on three timelines is made once.  Each case is a copy of it with other
ages, keeps and a policy; after the pruning every backup that is left has to reach consistency and,
from there, the end of the newest timeline that its own leads to.
"""
import os
import random
import subprocess
import tarfile
import time

from podtest import eq, ok, scale, test, until, walgen
from podtest.check import Failed
from podtest.pod import Ended
from podtest.plain import Plain, conf_of_a_plain_server, own
from podtest.store import Target, take_backup
from test_archive_s3 import ONE_MB, all_out

DAY = 86400


def on_a_new_timeline(pod):
    """As after a failover back: the same cluster goes on on the next timeline."""
    pod.stop()
    open(pod.pgdata + "/standby.signal", "w").close()
    subprocess.run(["chown", "postgres:postgres", pod.pgdata + "/standby.signal"], check=True)
    pod.start()
    until(lambda: "recovery" in pod.control("Database cluster state"), 60, "a standby that replays")
    pod.order("promote", seconds=40)
    pod.wait_ready()


def make(t):
    """The archive's folder, the IDs of its backups with the rows each has to have, and those at the end."""
    target = Target.folder(t)
    pod = target.pod(initdb=ONE_MB, wal="compression: gzip, maxParallel: 2", data="compression: gzip, immediateCheckpoint: true")
    pod.start()
    pod.wait_ready()
    pod.psql("CREATE TABLE steps (n int)")
    archive, rows, n = target.archive("pod"), {}, 0
    for timeline in range(3):
        for _ in range(2):
            n += 1
            pod.psql(f"INSERT INTO steps VALUES ({n})")
            before = set(archive.backups())
            take_backup(pod, 60)
            made = set(archive.backups()) - before
            eq(len(made), 1, "one more backup")
            rows[made.pop()] = n
            walgen.fill(pod, 3, 1 << 20)
        all_out(pod, walgen.switch(pod))
        if timeline < 2:
            on_a_new_timeline(pod)
    n += 1
    pod.psql(f"INSERT INTO steps VALUES ({n})")
    all_out(pod, walgen.switch(pod))
    pod.stop()
    return target, rows, n


def aged(path, dice, ids):
    """Other ages for the same backups: the times in backup.info, oldest first."""
    ages = sorted((dice.uniform(0, 60) for _ in ids), reverse=True)
    for backup, age in zip(sorted(ids), ages):
        info = f"{path}/pod/base/{backup}/backup.info"
        with open(info) as f:
            lines = f.read().splitlines()
        when = time.time() - age * DAY
        for i, line in enumerate(lines):
            for key, later in (("begin_time=", 0), ("end_time=", 5)):
                if line.startswith(key):
                    lines[i] = key + time.strftime("%Y-%m-%d %H:%M:%S.000000+00:00", time.gmtime(when + later))
        os.unlink(info)
        with open(info, "w") as f:
            f.write("\n".join(lines) + "\n")
    return ages


def restore(t, path, backup, name, recovery):
    """The rows that plain postgres has after recovery of one backup, with nothing but tar and gzip."""
    pgdata = t.path(name, "data")
    own(t, pgdata)
    for key in os.listdir(f"{path}/pod/base/{backup}"):
        if key.startswith("data"):
            with tarfile.open(f"{path}/pod/base/{backup}/{key}") as tar:
                tar.extractall(pgdata)
    os.makedirs(pgdata + "/pg_wal/archive_status", exist_ok=True)
    conf_of_a_plain_server(pgdata)
    open(pgdata + "/recovery.signal", "w").close()
    own(t, pgdata)
    script = t.file(name + "-fetch", f"""#!/bin/sh
case $1 in
*.history) f={path}/pod/wals/$1 ;;
*) f={path}/pod/wals/$(expr substr "$1" 1 16)/$1 ;;
esac
if [ -e "$f.gz" ]; then gzip -dc "$f.gz" >"$2"; elif [ -e "$f" ]; then cp "$f" "$2"; else exit 1; fi
""", 0o755)
    plain = Plain(t, pgdata, 5600, [f"restore_command={script} %f %p", "fsync=off", "max_worker_processes=32", *recovery])
    try:
        plain.start(60)
        return int(plain.psql("SELECT coalesce(max(n), 0) FROM steps"))
    except (Failed, Ended) as e:
        raise Failed(f"{backup} ({recovery}): {e}") from e
    finally:
        plain.close()
        t.servers.remove(plain)
        subprocess.run(["rm", "-rf", t.path(name), plain.log.name], check=True)


def case(t, number, dice, target, rows, end):
    path = t.path(f"case-{number}")
    subprocess.run(["cp", "-al", target.store.root, path], check=True)
    ages = aged(path, dice, rows)
    policy = dice.choice(["1d", "7d", "30d", "2w", "1m", "redundancy 1", "redundancy 2", "redundancy 4", "90d"])
    kept = {b: dice.choice(["full", "standalone"]) for b in rows if dice.random() < 0.2}
    if number == 0:  # few cases, all of them mild, would prove nothing
        policy, kept = "redundancy 1", {}
    for backup, how in kept.items():
        os.makedirs(f"{path}/pod/base/{backup}/annotations", exist_ok=True)
        with open(f"{path}/pod/base/{backup}/annotations/keep", "w") as f:
            f.write(how)
    subprocess.run(["chown", "-R", "postgres:postgres", path], check=True)
    manifest = t.file(f"case-{number}.yaml", Target.manifest(
        Target(t, None, f"file://{path}"), "pod", backup=f'retentionPolicy: "{policy}"\n'))
    pod = t.pod(f"cli-{number}")
    told = pod.cli("backup", "prune", "--dry-run", "--json", "--config", manifest)
    before = set(os.listdir(f"{path}/pod/base"))
    eq(before, set(rows), f"a dry run deletes nothing: {told.stdout}")
    out = pod.cli("backup", "prune", "--yes", "--config", manifest)
    left = sorted(b for b in os.listdir(f"{path}/pod/base") if os.path.exists(f"{path}/pod/base/{b}/backup.info"))
    story = f"case {number}: {policy}, ages {[round(a, 1) for a in ages]}, keeps {kept}, left {left}: {out.stdout}"
    ok(left, f"something is left; {story}")
    ok(set(kept) <= set(left), f"kept backups are there; {story}")
    newest = sorted(rows)[-1]
    ok(newest in left, f"the newest backup is there; {story}")
    for backup in left:
        seen = restore(t, path, backup, f"r{number}", ["recovery_target=immediate", "recovery_target_action=promote"])
        ok(seen >= rows[backup], f"{backup} at its consistent point has rows to {seen}, not {rows[backup]}; {story}")
        if kept.get(backup) == "standalone":
            continue
        seen = restore(t, path, backup, f"r{number}", ["recovery_target_timeline=latest"])
        eq(seen, end, f"rows of {backup} followed to the end; {story}")
    subprocess.run(["rm", "-rf", path], check=True)
    return len(rows) - len(left), len(left)


@test(seconds=scale(240, 3600))
def test_what_pruning_leaves_can_be_restored(t):
    seed = int(os.environ.get("PODGRES_TEST_SEED", time.time_ns() % 1000000))
    print(f"seed {seed}")
    dice = random.Random(seed)
    target, rows, end = make(t)
    gone = left = 0
    for number in range(scale(5, 50)):
        g, l = case(t, number, dice, target, rows, end)
        gone, left = gone + g, left + l
    print(f"{scale(5, 50)} cases: {gone} backups pruned, {left} left and each restored")
    ok(gone > 0, "some case pruned something")
