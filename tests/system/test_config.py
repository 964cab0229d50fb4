"""The manifest: reload by symlink swap, pending restart, broken files."""
import os
import signal
import time

from podtest import eq, ok, test, until

MANIFEST = """apiVersion: postgresql.cnpg.io/v1
kind: Cluster
metadata: {name: pod}
spec:
  instances: 1
  postgresql:
    parameters: {work_mem: "%s", max_connections: "%s"}
    pg_hba: ["host all all 10.11.12.0/24 scram-sha-256"]
"""


def mounted(t, text, version):
    """A ConfigMap as kubelet mounts it: cluster.yaml -> ..data/cluster.yaml, ..data -> ..VERSION."""
    folder = t.folder("mounted", owner=False, mode=0o755)
    t.file(f"mounted/..{version}/cluster.yaml", text)
    os.symlink(f"..{version}", folder + "/..tmp")
    os.rename(folder + "/..tmp", folder + "/..data")
    if not os.path.lexists(folder + "/cluster.yaml"):
        os.symlink("..data/cluster.yaml", folder + "/cluster.yaml")
    return folder + "/cluster.yaml"


@test(seconds=90, tags=["asan"])
def test_change_by_symlink_swap_is_picked_up(t):
    p = t.started(args=["--config", mounted(t, MANIFEST % ("5MB", 80), 1)])
    eq(p.psql("show work_mem"), "5MB", "work_mem")
    ok("10.11.12.0" in p.psql("select address from pg_hba_file_rules"), "pg_hba of the manifest")
    mounted(t, MANIFEST % ("6MB", 80), 2)
    until(lambda: p.psql("show work_mem") == "6MB", 15, "the new work_mem")
    eq(p.status()["pendingRestart"], False, "pendingRestart")


@test(seconds=90)
def test_pending_restart_is_shown_and_ends_with_a_restart(t):
    p = t.started(args=["--config", mounted(t, MANIFEST % ("5MB", 80), 1)])
    mounted(t, MANIFEST % ("5MB", 90), 2)
    until(lambda: p.status()["pendingRestart"], 15, "pendingRestart")
    text = p.cli("status", "-v").stdout
    ok("max_connections" in text and "80" in text and "90" in text, f"old and new value are shown: {text}")
    p.order("restart")
    p.wait_ready()
    eq(p.psql("show max_connections"), "90", "max_connections")
    until(lambda: not p.status()["pendingRestart"], 5, "pendingRestart is over")


@test(seconds=90)
def test_broken_file_keeps_the_old_configuration(t):
    p = t.started(args=["--config", mounted(t, MANIFEST % ("5MB", 80), 1)])
    mounted(t, "kind: Cluster\nspec: [this is: wrong\n", 2)
    until(lambda: p.logged("cluster.yaml:"), 15, "the log names the place")
    eq(p.psql("show work_mem"), "5MB", "work_mem")
    eq(p.get("/readyz").status, 200, "readyz")
    ok("cluster.yaml:" in p.get("/pg/status").text, "the status names the place")
    mounted(t, MANIFEST % ("7MB", 80), 3)
    until(lambda: p.psql("show work_mem") == "7MB", 15, "a repaired file")
    until(lambda: "cluster.yaml:" not in p.get("/pg/status").text, 10, "the complaint is over")


def test_reload_by_order_and_by_sighup(t):
    config = t.file("c/cluster.yaml", MANIFEST % ("5MB", 80))
    p = t.started(args=["--config", config])
    t.file("c/cluster.yaml", MANIFEST % ("8MB", 80))
    p.order("reload")
    until(lambda: p.psql("show work_mem") == "8MB", 10, "work_mem after reload")
    t.file("c/cluster.yaml", MANIFEST % ("9MB", 80))
    p.signal(signal.SIGHUP)
    until(lambda: p.psql("show work_mem") == "9MB", 10, "work_mem after SIGHUP")


def test_a_parameter_of_ours_is_refused(t):
    text = (MANIFEST % ("5MB", 80)).replace("parameters: {", "parameters: {archive_command: \"false\", ")
    p = t.pod(manifest=text)
    p.start()
    eq(p.wait(20), 78, "exit code")
    ok(p.logged("archive_command"), "the parameter is named")


def test_pause_leaves_a_dead_postgres_alone(t):
    p = t.started()
    p.order("pause")
    eq(p.status()["paused"], True, "paused")
    p.postmaster().kill(signal.SIGKILL)
    time.sleep(3)
    eq(p.postmaster(), None, "postgres while paused")
    p.order("resume")
    p.wait_ready()
