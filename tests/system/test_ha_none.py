"""ha_none - --coordination none: somebody outside drives several instances, with fencing tokens."""
import signal

from podtest import eq, ok, test, until

MANIFEST = """apiVersion: postgresql.cnpg.io/v1
kind: Cluster
metadata: {name: none}
spec: {instances: 1}
"""


def instances(t, n):
    t.file("secrets/none-replication/password", "sesame-replication")
    env = {"PODGRES_SECRETS_DIR": t.path("secrets"), "CLUSTER_NAME": "none"}
    return [t.started(f"n{i}", manifest=MANIFEST, env=env, port=5432 + i, http_port=8000 + i)
            for i in range(1, n + 1)]


def order(pod, what, status=200, **body):
    a = pod.post(f"/v1/{what}?wait=40s", body, timeout=45)
    eq(a.status, status, f"{what} {body}: {a.text[:500]}")
    return a


def at(pod):
    return f"127.0.0.1:{pod.port}"


def streams(pod, primary, n=1):
    until(lambda: int(primary.psql("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'")) >= n, 40, "it streams")
    until(lambda: pod.status()["isWalReceiverActive"], 20, "the receiver")


@test(seconds=150)
def test_two_instances_are_driven_by_orders_with_tokens(t):
    a, b = instances(t, 2)
    eq(a.post("/v1/follow", {"primary": at(b)}).status, 400, "a follow without a token")
    eq(a.post("/v1/promote", {"token": "x"}).status, 400, "a token that is none")
    order(a, "promote", token=1)
    # Another system: whoever drives must say that its data may go.
    x = order(b, "follow", 500, token=1, primary=at(a))
    ok("reinit" in b.log_text() and "is of system" in x.text, x.text)
    eq(b.order("reinit", 60).status, 200, "a clone of the one it is told to follow")
    streams(b, a)
    a.psql("CREATE TABLE rows AS SELECT 1 AS n")
    until(lambda: b.psql("SELECT count(*) FROM rows") == "1", 10, "the row")
    order(b, "follow", token=1, primary=at(a))
    x = order(b, "follow", 409, token=1, primary="127.0.0.1:1")
    ok("token 1 was seen with another order, follow" in x.text, x.text)
    eq(b.post("/v1/promote", {}).status, 412, "a promotion without a token")
    eq(b.status()["lease"]["token"], 1, "the token")

    # The former primary stops first, then the other one leads.
    order(a, "fence", token=2)
    order(b, "promote", token=3)
    eq(b.psql("INSERT INTO rows VALUES (2) RETURNING n").split()[0], "2", "it takes writes")
    order(b, "promote", token=3)
    x = order(b, "follow", 412, token=2, primary=at(a))
    ok("token 2 is too old: 3 was seen" in x.text, x.text)
    x = order(a, "unfence", 412, token=1)
    order(a, "follow", token=4, primary=at(b))
    order(a, "unfence", token=5)
    streams(a, b)
    eq(a.psql("SELECT pg_is_in_recovery()"), "t", "the former primary follows")
    until(lambda: a.psql("SELECT count(*) FROM rows") == "2", 10, "rows")

    # After a crash each is what the last token said.
    for pod in (a, b):
        pod.kill()
    for pod in (b, a):
        pod.start()
    for pod in (b, a):
        pod.wait_ready()
    eq((a.psql("SELECT pg_is_in_recovery()"), b.psql("SELECT pg_is_in_recovery()")), ("t", "f"), "roles after a crash")
    streams(a, b)
    eq(order(b, "promote", 412, token=2).json()["error"]["kind"], "UNMET", "the token outlives a crash")

    # A primary that is told to follow stops writing first, and what only it has goes.
    order(a, "promote", token=6)
    b.psql("INSERT INTO rows VALUES (3)")
    a.psql("INSERT INTO rows VALUES (4)")
    order(b, "follow", token=7, primary=at(a))
    streams(b, a)
    until(lambda: b.psql("SELECT string_agg(n::text, ',' ORDER BY n) FROM rows") == "1,2,4", 20, "the line of the new primary")
    # Promoted behind our back it is stopped, and follows again.
    b.psql("SELECT pg_promote(false)")
    until(lambda: b.logged("somebody promoted it directly"), 20, "it is seen")
    streams(b, a)
    eq(b.psql("SELECT pg_is_in_recovery()"), "t", "it follows again")
