"""A volume filled to the last byte, and room again."""
import os
import subprocess
import time

from podtest import eq, ok, test


def volume(t, megabytes):
    """A small file system of its own; returns (mount point, image)."""
    image = t.path("volume.img")
    with open(image, "wb") as f:
        f.truncate(megabytes << 20)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", "-F", image], check=True)
    mount = t.path("volume")
    os.makedirs(mount)
    subprocess.run(["mount", "-o", "loop", image, mount], check=True)
    os.chmod(mount, 0o755)
    os.chown(mount, t.user.pw_uid, t.user.pw_gid)
    return mount


def fill(path):
    """Takes every byte that is left."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for size in (1 << 20, 4096, 512, 1):
        block = b"x" * size
        try:
            while True:
                os.write(fd, block)
        except OSError:
            continue
    os.close(fd)


MANIFEST = """apiVersion: postgresql.cnpg.io/v1
kind: Cluster
metadata: {name: pod}
spec:
  instances: 1
  bootstrap: {initdb: {database: app, owner: app, walSegmentSize: 1}}
  postgresql: {parameters: {max_wal_size: 8MB, min_wal_size: 2MB, shared_buffers: 8MB, max_connections: '20'}}
"""


@test(seconds=180)
def test_full_volume_is_waited_out(t):
    mount = volume(t, 64)
    p = t.started(pgdata=mount + "/data", manifest=MANIFEST)
    p.psql("create table big(x text)")
    writer = subprocess.Popen(
        ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--init-groups", "psql", "-X", "-q", "-h", p.run_dir,
         "-p", str(p.port), "-U", "postgres", "-c",
         "do $$ begin loop insert into big select repeat(md5(random()::text), 100) from generate_series(1, 100); "
         "commit; end loop; end $$"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")
    time.sleep(1)
    fill(mount + "/ballast")
    # Either postgres lives with it (relations alone cannot grow) or it is held back; it must not crash again and again.
    end = time.monotonic() + 20
    starts = []
    while time.monotonic() < end:
        eq(p.get("/livez").status, 200, "livez with a full volume")
        s = p.status()
        starts.append(s["postgres"].get("pid"))
        time.sleep(0.25)
    writer.kill()
    writer.wait()
    distinct = len({x for x in starts if x})
    ok(distinct <= 3, f"postgres ran as {distinct} processes within 20 s: a crash loop")
    print(f"full: state {s['state']}, {distinct} processes of postgres in 20 s")
    p.order("fence")  # works with a full disk
    p.order("unfence", status=200)
    os.unlink(mount + "/ballast")
    p.wait_ready(60)
    ok(int(p.psql("select count(*) from big")) >= 0, "the table is readable")
    p.stop()


@test(seconds=120)
def test_start_on_a_full_volume_waits_for_space(t):
    mount = volume(t, 96)
    p = t.started(pgdata=mount + "/data", manifest=MANIFEST)
    p.kill()
    os.unlink(mount + "/data/pg_wal/.podgres.reserve")  # it would be released for crash recovery
    fill(mount + "/ballast")
    p.start()
    p.wait_state("waiting_for_space", 20)
    eq(p.get("/livez").status, 200, "livez")
    eq(p.get("/readyz").status, 503, "readyz")
    eq(p.postgres_tree(), [], "postgres is held back")
    os.unlink(mount + "/ballast")
    p.wait_ready(40)
    p.stop()
