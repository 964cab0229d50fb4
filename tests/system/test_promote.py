"""A standby becomes a primary, and nothing else does."""
from podtest import eq, ok, test, until


STREAMING = """apiVersion: postgresql.cnpg.io/v1
kind: Cluster
metadata: {name: b}
spec: {instances: 2, probes: {readiness: {type: streaming}}}
"""


def pair(t):
    a = t.started("a")
    b = t.pod("b", pgdata=t.standby_of(a, "b"), port=5433, http_port=8100, manifest=STREAMING)
    b.start()
    b.wait_state("standby")
    b.wait_ready()
    return a, b


@test(seconds=90, tags=["asan", "versions"])
def test_standby_by_basebackup_follows_and_is_promoted(t):
    a, b = pair(t)
    a2 = b.get("/replica")
    eq(a2.status, 200, f"/replica: {a2.text}")
    eq(b.get("/primary").status, 503, "/primary")
    a.psql("create table moved(n int); insert into moved values (1)")
    until(lambda: b.psql("select count(*) from moved") == "1", 10, "the standby follows")
    before = int(b.status()["timeLineID"])
    b.order("promote", seconds=40)
    s = b.status()
    eq((s["state"], s["isPrimary"]), ("primary", True), "state, isPrimary")
    ok(int(s["timeLineID"]) > before, f"timeline {before} -> {s['timeLineID']}")
    b.psql("insert into moved values (2)")
    eq(b.get("/primary").status, 200, "/primary afterwards")
    until(lambda: b.get("/history").json()[-1][0] == before, 3, "timeline history")
    b.stop()
    b.start()
    b.wait_ready()
    eq(b.psql("select count(*) from moved"), "2", "rows after a restart")
    eq(b.status()["state"], "primary", "still a primary")


@test(seconds=60)
def test_promote_of_a_primary_is_409(t):
    p = t.started()
    a = p.post("/v1/promote?wait=10s")
    eq(a.status, 409, "promote of a primary")
    ok("primary" in a.json()["error"]["message"], f"the reason: {a.text}")


@test(seconds=60)
def test_promote_of_a_fenced_one_is_409(t):
    p = t.started()
    p.order("fence")
    a = p.post("/v1/promote?wait=10s")
    eq(a.status, 409, "promote when fenced")
    ok("fence" in a.json()["error"]["message"], f"the reason: {a.text}")


@test(seconds=60)
def test_what_a_lone_instance_cannot_do_is_409_with_a_sentence(t):
    p = t.started()
    a = p.post("/v1/reinit")
    eq(a.status, 409, "POST /v1/reinit")
    ok("a primary is never cloned anew" in a.json()["error"]["message"], a.text)
    a = p.post("/v1/switchover")
    eq(a.status, 409, "POST /v1/switchover to one that is alone")
    ok("nobody to hand over to" in a.json()["error"]["message"], a.text)


@test(seconds=90)
def test_standby_without_its_primary_stays_alive(t):
    a, b = pair(t)
    a.kill()
    until(lambda: b.get("/readyz").status == 503, 60, "a standby that does not stream is not ready")
    eq(b.get("/livez").status, 200, "livez")
    eq(b.psql("select pg_is_in_recovery()"), "t", "still a standby")
