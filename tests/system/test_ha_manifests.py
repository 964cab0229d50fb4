"""ha_manifests - docker/kubernetes/cluster.yaml makes a cluster of three, and its Role gives what is needed and no more."""
import os
import signal
import time

from podtest import Failed, eq, kube, ok, test, until
from podtest.cluster import Cluster
from podtest.manifest import ManifestCluster, Objects
from podtest.proc import PsqlError

FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docker/kubernetes/cluster.yaml")
NAME, APP = "my-postgres", "my-postgres-app"
SECRETS = {NAME + "-replication": {"password": "sesame-replication"}, APP: {"username": "app", "password": "sesame-app"}}


def test_what_is_too_new_for_the_server_of_the_tests(t):
    """And what depends on one another in the file."""
    o = Objects(FILE)
    spec, pod = o.of("StatefulSet")["spec"], o.template["spec"]
    eq(spec["ordinals"], {"start": 1}, "ordinals: apps/v1 since Kubernetes 1.27")
    eq(o.of("PodDisruptionBudget")["apiVersion"], "policy/v1", "since Kubernetes 1.21")
    eq(spec["selector"]["matchLabels"], o.template["metadata"]["labels"], "labels")
    eq(o.of("PodDisruptionBudget")["spec"]["selector"], spec["selector"], "what is not disrupted")
    names = {f"{NAME}-{n}" for n in range(1, 1 + spec["replicas"])}
    eq({n for r in o.of("Role")["rules"] if r["verbs"] == ["patch"] for n in r["resourceNames"]}, names, "pods that may be labelled")
    manifest = o.of("ConfigMap")["data"]["cluster.yaml"]
    stop = int(manifest.split("stopDelay:")[1].split()[0])
    ok(stop < pod["terminationGracePeriodSeconds"], "a stop fits into the grace period")
    ok("preStop" not in str(pod), "nothing delays SIGTERM")
    secrets = {v["secret"]["secretName"] for v in pod["volumes"] if "secret" in v}
    eq(secrets, set(SECRETS), "Secrets that the reader is told to create")
    with open(FILE) as f:
        head = f.read().split("apiVersion:")[0]
    ok(all(f"create secret generic {s} " in head for s in secrets), "how to create them")
    eq([d for d in o.all if d["kind"] == "Secret"], [], "no password in the file")


@test(seconds=120)
def test_the_manifests_make_a_cluster_of_three(t):
    c = ManifestCluster(t, FILE, SECRETS)
    began = time.monotonic()
    c.start_all()
    rw, ro, r = (f"{NAME}-{x}" for x in ("rw", "ro", "r"))
    until(lambda: [len(c.endpoints(s)) for s in (rw, ro, r)] == [1, 2, 3], 60, "one primary, two replicas, three instances")
    print("figures: seconds until the Services have 1, 2 and 3 instances", round(time.monotonic() - began, 1))
    eq(c.endpoints(rw)[0][0].name, f"{NAME}-1", "the first one leads")
    for m in c.members:
        eq([m.probe(p) for p in ("startupProbe", "livenessProbe", "readinessProbe")], [200] * 3, f"probes of {m.name}")
    c.query(rw, APP, "CREATE TABLE t (n int); INSERT INTO t VALUES (1)")
    until(lambda: c.query(ro, APP, "SELECT n FROM t") == "1", 20, "the row on a replica")
    try:
        c.query(ro, APP, "INSERT INTO t VALUES (2)")
        raise Failed("a replica took a write")
    except PsqlError as e:
        ok("read-only" in str(e), e)
    p = c.endpoints(rw)[0][0]
    p.signal(signal.SIGTERM)  # kubectl delete pod
    until(lambda: c.endpoints(rw) and c.endpoints(rw)[0][0] is not p, 20, "another primary")
    c.query(rw, APP, "INSERT INTO t VALUES (3)")
    eq(p.wait(), 0, "exit code of the pod")
    p.replace()
    until(lambda: [len(c.endpoints(s)) for s in (rw, ro, r)] == [1, 2, 3], 60, "three again")
    until(lambda: c.query(ro, APP, "SELECT count(*) FROM t") == "2", 20, "the rows on a replica")
    until(lambda: all(m.name in p.run("podgres", "status") for m in c.members), 20, "all members in the status")
    # As the reader is told: ordered at the replica that is to lead.
    until(lambda: p.run("podgres", "promote"), 20, "the switchover")
    until(lambda: c.endpoints(rw) and c.endpoints(rw)[0][0] is p, 20, "it leads again")
    c.query(rw, APP, "INSERT INTO t VALUES (4)")


def forbid(c, verb, resource):
    """All rights of the file but this one."""
    rights = [x for x in Objects(FILE).rights() if x != f"{verb} {resource}"]
    if not c.api.real:
        c.api.allow(kube.POD, *rights)
        return
    groups = {"leases": "coordination.k8s.io", "pods": ""}
    rules = [{"apiGroups": [groups[r.split()[1]]], "resources": [r.split()[1]], "verbs": [r.split()[0]]} for r in rights]
    base = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles/pod"
    eq(c.api.request("PUT", base, {"metadata": {"name": "pod"}, "rules": rules}).status, 200, "role")
    asked = {"spec": {"user": "pod", "resourceAttributes": {"namespace": "default", "verb": verb, "resource": resource,
                                                            "group": groups[resource]}}}
    until(lambda: not c.api.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", asked).body["status"]["allowed"],
          10, "the right is gone")


@test(seconds=120)
def test_each_right_of_the_role_is_needed_and_missed_by_its_name(t):
    c = Cluster(t)
    m = c.member(1)
    for right in Objects(FILE).rights():
        verb, resource = right.split()
        forbid(c, verb, resource)
        m.uid = None
        m.start()

        def told():
            lines = [r for r in m.log() if r.get("logger") == "elector" and "problem" in r]
            return [r for r in lines if f'{verb} resource "{resource}"' in r["problem"] and verb in r["hint"] and resource in r["hint"]]
        until(told, 20, f"the missing right to {right} is named")
        m.kill()
        with open(m.stdout, "w"):
            pass
        c.api.request("DELETE", f"{kube.LEASES}/{c.name}")
        t.as_postgres("find", os.path.dirname(m.pgdata), "-mindepth", "1", "-delete")
