"""Fencing: durable, idempotent, in every state."""
import signal

from podtest import eq, ok, test, until


@test(tags=["asan", "versions"])
def test_fence_stops_postgres_and_unfence_starts_it(t):
    p = t.started()
    p.order("fence")
    s = p.status()
    eq((s["state"], s["fenced"], s["ready"]), ("fenced", True, False), "state, fenced, ready")
    eq(p.postgres_tree(), [], "processes of postgres")
    eq(p.control("Database cluster state"), "shut down", "control file")
    eq(p.get("/livez").status, 200, "livez")
    eq(p.get("/readyz").status, 503, "readyz")
    p.order("unfence")
    p.wait_ready()
    eq(p.psql("select 1"), "1", "a query")
    p.stop()


def test_fence_twice_and_unfence_twice_are_fine(t):
    p = t.started()
    for _ in range(2):
        p.order("fence")
    for _ in range(2):
        p.order("unfence")
    p.wait_ready()


def test_fence_survives_the_death_of_the_pod(t):
    p = t.started()
    p.order("fence", body={"reason": "disk is being moved"})
    p.kill()
    p.start()
    p.wait_state("fenced")
    s = p.status()
    ok("disk is being moved" in s["fenceReason"], f"reason: {s['fenceReason']!r}")
    eq(p.postgres_tree(), [], "postgres after a restart while fenced")
    eq(p.get("/livez").status, 200, "livez")
    p.order("unfence")
    p.wait_ready()


def test_fence_of_a_stopped_postmaster_still_ends_it(t):
    p = t.started()
    p.postmaster().kill(signal.SIGSTOP)
    p.order("fence", seconds=60, body={"mode": "immediate"})
    eq(p.postgres_tree(), [], "processes of postgres")


def test_fence_while_postgres_will_not_start(t):
    p = t.started()
    with open(p.pgdata + "/postgresql.auto.conf", "a") as f:
        f.write("shared_buffers = '-5MB'\n")
    p.postmaster().kill(signal.SIGKILL)
    until(lambda: p.status()["postgres"]["lastExit"] and not p.postmaster(), 10, "the end of postgres is in the status")
    p.order("fence")
    eq(p.status()["fenced"], True, "fenced")
    p.order("unfence", status=202, seconds=0)
    p.order("fence")
    with open(p.pgdata + "/postgresql.auto.conf", "w") as f:
        f.write("")
    p.order("unfence")
    p.wait_ready()


def test_fence_during_initdb_holds(t):
    p = t.pod()
    p.start()
    until(lambda: p.post("/v1/fence").status == 202, 10, "the fence is accepted")
    p.wait_state("fenced", 40)
    eq(p.postgres_tree(), [], "processes of postgres")
    p.order("unfence")
    p.wait_ready()


def test_the_same_idempotency_key_is_the_same_operation(t):
    p = t.started()
    a = p.post("/v1/fence", headers={"Idempotency-Key": "k1"})
    b = p.post("/v1/fence", headers={"Idempotency-Key": "k1"})
    eq(a.json()["operation"]["id"], b.json()["operation"]["id"], "operation")
    where = a.headers["Location"]
    done = until(lambda: p.get(where).json().get("finishedAt"), 20, "the operation ends")
    ok(done, "finishedAt")


FENCED_BY = """apiVersion: postgresql.cnpg.io/v1
kind: Cluster
metadata:
  name: %s
  annotations:
    cnpg.io/fencedInstances: '%s'
spec:
  instances: 1
"""


def test_the_annotation_of_the_manifest_fences_and_lets_go(t):
    p = t.pod(manifest=FENCED_BY % ("pod", "[]"))
    p.start()
    p.wait_ready()
    t.file("pod-config/cluster.yaml", FENCED_BY % ("pod", '["*"]'))
    p.wait_state("fenced", 15)
    eq(p.postgres_tree(), [], "processes of postgres")
    p.kill()
    p.start()
    p.wait_state("fenced", 20)
    eq(p.postgres_tree(), [], "processes of postgres after a restart")
    p.kill()
    t.file("pod-config/cluster.yaml", FENCED_BY % ("pod", "[]"))
    p.start()
    p.wait_ready()
    t.file("pod-config/cluster.yaml", FENCED_BY % ("pod", '["pod-1"]'))
    p.wait_state("fenced", 15)
    t.file("pod-config/cluster.yaml", FENCED_BY % ("pod", "[]"))
    p.wait_ready()
