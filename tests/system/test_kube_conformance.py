"""What podgres relies on in the Kubernetes API: the same cases for the real server and the stand-in.

Where the real one is not here (scripts/kube-apiserver builds it), the stand-in alone is asked.
"""
import sys
import time

from podtest import Failed, eq, kube, ok, test, until
from podtest.kube import ADMIN, JSON_PATCH, LEASES, MERGE, NOBODY, POD, POD_RIGHTS, PODS

if not kube.apiserver():
    print("no kube-apiserver here (scripts/kube-apiserver builds it): the stand-in alone is tested", file=sys.stderr)


def lease(name="pg", **spec):
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name},
            "spec": {"holderIdentity": "a", "leaseDurationSeconds": 15, **spec}}


def pod(name, **labels):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels},
            "spec": {"containers": [{"name": "c", "image": "i"}]}}


def creating(k):
    """Create, create again, get, and what is not there."""
    r = k.request("POST", LEASES, lease("create", renewTime="2026-11-20T08:15:30.123456Z"))
    eq(r.status, 201, f"status of a create: {r}")
    ok(r.version and r.body["metadata"]["uid"], "it got a version and a uid")
    again = k.request("POST", LEASES, lease("create"))
    eq((again.status, again.reason), (409, "AlreadyExists"), "a second create")
    eq(again.body["kind"], "Status", "its body")
    seen = k.lease("create")
    eq(seen.body["spec"], r.body["spec"], "the spec that is read")
    eq(seen.body["spec"]["renewTime"], "2026-11-20T08:15:30.123456Z", "MicroTime")
    none = k.lease("none")
    eq((none.status, none.reason), (404, "NotFound"), "get of nothing")


def replacing(k):
    """The version decides; an empty one is refused for a Lease; no change spends no version."""
    first = k.request("POST", LEASES, lease("replace")).body
    first["spec"]["holderIdentity"] = "b"
    second = k.request("PUT", LEASES + "/replace", first)
    eq(second.status, 200, f"an update: {second}")
    ok(second.version != first["metadata"]["resourceVersion"], "it has another version")
    stale = k.request("PUT", LEASES + "/replace", first)
    eq((stale.status, stale.reason), (409, "Conflict"), "an update of an old version")
    eq(k.lease("replace").version, second.version, "the version after it")
    free = dict(second.body, metadata={**second.body["metadata"], "resourceVersion": ""})
    r = k.request("PUT", LEASES + "/replace", free)
    eq((r.status, r.reason), (422, "Invalid"), "an update that names no version")
    same = k.request("PUT", LEASES + "/replace", second.body)
    eq((same.status, same.version), (200, second.version), "an update that changes nothing")


def deleted_meanwhile(k):
    """An update of a Lease that was deleted: with its uid it is refused, without it makes a new one."""
    old = k.request("POST", LEASES, lease("gone")).body
    eq(k.request("DELETE", LEASES + "/gone").status, 200, "a delete")
    r = k.request("PUT", LEASES + "/gone", old)
    eq((r.status, r.reason), (409, "Conflict"), "an update with the uid of the deleted one")
    eq(k.lease("gone").status, 404, "it is not there")
    made = k.request("POST", LEASES, lease("gone")).body
    r = k.request("PUT", LEASES + "/gone", old)
    eq((r.status, r.reason), (409, "Conflict"), "an update of another one of that name")
    eq(k.lease("gone").body["metadata"]["uid"], made["metadata"]["uid"], "the new one is as it was")
    k.request("DELETE", LEASES + "/gone")
    bare = {**old, "metadata": {"name": "gone"}}
    eq(k.request("PUT", LEASES + "/gone", bare).status, 201, "an update without uid and version")


def refusing(k):
    """What the validation does not take."""
    for field, value, status in (("leaseDurationSeconds", 0, 422), ("leaseTransitions", -1, 422),
                                 ("renewTime", "yesterday", 400), ("renewTime", "2026-11-20T08:15:30Z", 400)):
        r = k.request("POST", LEASES, lease("bad", **{field: value}))
        eq(r.status, status, f"{field}: {value}: {r}")
    bad = lease("bad")
    bad["metadata"]["labels"] = {"role": "\u00e9"}
    eq(k.request("POST", LEASES, bad).status, 422, "a label that is none")
    eq(k.request("POST", LEASES, "{no json").status, 400, "no JSON")
    eq(k.request("POST", LEASES, lease("empty", holderIdentity="")).status, 201, "a holder of no name")


def patching(k):
    """Labels of a pod by merge patch: added, changed, removed; guarded by a version if one is named."""
    made = k.request("POST", PODS, pod("p1", app="x"))
    eq(made.status, 201, f"a pod: {made}")
    r = k.request("PATCH", PODS + "/p1", {"metadata": {"labels": {"role": "primary", "app": None}}}, kind=MERGE)
    eq((r.status, r.body["metadata"]["labels"]), (200, {"role": "primary"}), "labels after a patch")
    guarded = {"metadata": {"resourceVersion": made.version, "labels": {"role": "replica"}}}
    r = k.request("PATCH", PODS + "/p1", guarded, kind=MERGE)
    eq((r.status, r.reason), (409, "Conflict"), "a patch of an old version")
    test_op = [{"op": "test", "path": "/metadata/labels/role", "value": "other"},
               {"op": "replace", "path": "/metadata/labels/role", "value": "x"}]
    eq(k.request("PATCH", PODS + "/p1", test_op, kind=JSON_PATCH).status, 422, "a JSON patch whose test fails")
    test_op[0]["value"] = "primary"
    eq(k.request("PATCH", PODS + "/p1", test_op, kind=JSON_PATCH).body["metadata"]["labels"], {"role": "x"}, "one that holds")
    eq(k.request("PATCH", PODS + "/none", {}, kind=MERGE).status, 404, "a patch of nothing")


def listing(k):
    for name in ("l1", "l2", "l3"):
        k.request("POST", PODS, pod(name, set="a" if name != "l3" else "b"))
    r = k.request("GET", PODS + "?labelSelector=set%3Da")
    eq([i["metadata"]["name"] for i in r.body["items"]], ["l1", "l2"], "pods of a label")
    ok("kind" not in r.body["items"][0], "an item of a list names no kind")
    r = k.request("GET", PODS + "?fieldSelector=metadata.name%3Dl3")
    eq([i["metadata"]["name"] for i in r.body["items"]], ["l3"], "pods of a name")
    r = k.request("GET", PODS + "?labelSelector=set%3Dnone")
    eq(r.body["items"] or [], [], "a list of nothing")
    ok(int(r.version) > 0, "it has a version all the same")


def watching(k):
    """From a version on, each change by anybody, in order; a bookmark; the end after timeoutSeconds."""
    made = k.request("POST", LEASES, lease("watched"))
    one = k.request("PUT", LEASES + "/watched", {**made.body, "spec": {"holderIdentity": "b"}})
    k.request("POST", LEASES, lease("other"))
    k.request("PUT", LEASES + "/watched", {**one.body, "spec": {"holderIdentity": "c"}})
    k.request("DELETE", LEASES + "/watched")
    began, seen = time.monotonic(), []
    for e in k.watch(f"{LEASES}?watch=1&allowWatchBookmarks=true&timeoutSeconds=8&fieldSelector=metadata.name%3Dwatched"
                     f"&resourceVersion={made.version}"):
        seen.append(e)
        if e["type"] == "DELETED":  # bookmarks come only when something, anything of the kind, has changed
            k.request("POST", LEASES, lease("elsewhere"))
    took = time.monotonic() - began
    kinds = [(e["type"], e["object"].get("spec", {}).get("holderIdentity")) for e in seen]
    eq([x for x in kinds if x[0] != "BOOKMARK"], [("MODIFIED", "b"), ("MODIFIED", "c"), ("DELETED", "c")], "what was seen")
    ok(7 < took < 12, f"it ended after {took:.1f} s")
    marks = [e for e in seen if e["type"] == "BOOKMARK"]
    ok(marks and int(marks[-1]["object"]["metadata"]["resourceVersion"]) >= int(made.version), f"a bookmark came: {kinds}")


def watching_nothing_known(k):
    """Without a version a watch begins with what is there."""
    k.request("POST", LEASES, lease("there"))
    seen = next(k.watch(f"{LEASES}?watch=1&timeoutSeconds=5&fieldSelector=metadata.name%3Dthere"))
    eq((seen["type"], seen["object"]["metadata"]["name"]), ("ADDED", "there"), "the first event")


def old_versions(k):
    """A version that was compacted away is 410, as an event or as a status."""
    old = k.request("POST", LEASES, lease("compacted")).version
    k.request("PATCH", LEASES + "/compacted", {"spec": {"holderIdentity": "b"}}, kind=MERGE)
    k.compact()
    seen = next(k.watch(f"{LEASES}?watch=1&resourceVersion={old}"))
    ok(seen["type"] in ("ERROR", "HTTP") and seen["object"]["code"] == 410, f"saw {seen}")


def refusing_people(k):
    none = k.request("GET", LEASES + "/x", token="wrong")
    eq((none.status, none.reason), (401, "Unauthorized"), "a wrong token")
    r = k.request("GET", LEASES + "/x", token=NOBODY)
    eq((r.status, r.reason), (403, "Forbidden"), "a token without rights")
    ok("nobody" in r.body["message"] or "pod" in r.body["message"], "the message says who")
    k.allow(POD, *POD_RIGHTS)
    eq(k.request("GET", LEASES + "/x", token=POD).status, 404, "with the rights of a pod")
    eq(k.request("DELETE", LEASES + "/x", token=POD).status, 403, "a delete, which it has no right to")


def keeping_foreign_fields(k):
    """Through the client of podgres: what others wrote into the Lease is there after a renewal."""
    theirs = {"metadata": {"name": "foreign", "labels": {"a": "x_y"}, "annotations": {"their.org/x": "{\"é\": 1.0}",
              "podgres.dev/later": "x", "podgres.dev/seq": "41"},
              "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "n", "uid": "11111111-2222-3333-4444-555555555555"}]},
              "spec": {"holderIdentity": "b", "leaseTransitions": 3, "acquireTime": "2026-11-20T08:15:30.000000Z"}}
    before = k.request("POST", LEASES, theirs).body
    k.allow(POD, *POD_RIGHTS)
    client = kube.Client(k.test, k)
    for _ in range(2):
        r = client.wait(client.renew("foreign", "pg-1/uid/nonce"))
        eq(r["outcome"], "OK", f"a renewal: {r}")
        ok(r["begun_ns"] <= r["send_ns"] <= r["done_ns"], "the time of sending is between")
    after = k.lease("foreign").body
    for field in ("labels", "ownerReferences", "uid", "creationTimestamp"):
        eq(after["metadata"][field], before["metadata"][field], field)
    notes = after["metadata"]["annotations"]
    eq((notes["their.org/x"], notes["podgres.dev/later"], notes["podgres.dev/seq"]), ("{\"é\": 1.0}", "x", "43"), "annotations")
    spec = after["spec"]
    eq((spec["holderIdentity"], spec["leaseTransitions"], spec["leaseDurationSeconds"]), ("pg-1/uid/nonce", 4, 15), "the spec")
    ok(spec["renewTime"] > "2026-11-20", "renewTime was set")
    r = client.wait(client.renew("fresh", "pg-1/uid/nonce"))
    eq((r["outcome"], r["status"]), ("OK", 201), "a Lease that was not there is created")


def client_outcomes(k):
    """The client of podgres tells the answers of this server apart."""
    k.allow(POD, *POD_RIGHTS)
    c = kube.Client(k.test, k, name="outcomes")
    eq(c.call("GET", LEASES + "/nothing")["outcome"], "NOT_FOUND", "get of nothing")
    made = c.call("POST", LEASES, lease("outcome"))
    eq(made["outcome"], "OK", "a create")
    eq(c.call("POST", LEASES, lease("outcome"))["outcome"], "EXISTS", "a second create")
    r = c.call("PUT", LEASES + "/outcome", made["text"].replace('"a"', '"b"').strip())
    eq(r["outcome"], "OK", "an update")
    r = c.call("PUT", LEASES + "/outcome", made["text"].replace('"a"', '"c"').strip())
    eq((r["outcome"], r["reason"]), ("CONFLICT", "Conflict"), "an update of the old version")
    eq(c.call("DELETE", LEASES + "/outcome")["outcome"], "FORBIDDEN", "a delete")
    eq(c.call("POST", LEASES, "{")["outcome"], "REFUSED", "no JSON")
    c.set_token("wrong")
    eq(c.call("GET", LEASES + "/outcome")["outcome"], "UNAUTHORIZED", "a wrong token")
    c.set_token(POD)
    eq(c.call("GET", LEASES + "/outcome")["outcome"], "OK", "the right one again")
    k.request("POST", PODS, pod("mine", role="replica"))
    r = c.call("PATCH", PODS + "/mine", {"metadata": {"labels": {"role": "primary"}}}, kind=MERGE)
    eq(r["outcome"], "OK", f"a patch of labels: {r}")
    eq(k.request("GET", PODS + "/mine").body["metadata"]["labels"], {"role": "primary"}, "the labels")


def client_pods(k):
    """Pods as they are in life: deep objects, with who manages which field."""
    k.allow(POD, *POD_RIGHTS)
    deep = pod("deep", **{"cnpg.io/cluster": "pg"})
    term = {"labelSelector": {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}, "topologyKey": "zone"}
    deep["spec"]["affinity"] = {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "podAffinityTerm": term}]}}
    deep["spec"]["containers"][0]["env"] = [{"name": "N", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]
    deep["spec"]["volumes"] = [{"name": "v", "projected": {"sources": [{"configMap": {"name": "t"}}]}}]
    r = k.request("POST", PODS, deep)
    eq(r.status, 201, f"a pod: {r}")
    c = kube.Client(k.test, k, token=kube.ADMIN, name="pods")
    c.watch(PODS + "?labelSelector=cnpg.io%2Fcluster%3Dpg")
    c.event(lambda e: e["event"] == "LISTED" and '"deep"' in e["object"], what="the pod")
    r = c.call("PATCH", PODS + "/deep", {"metadata": {"labels": {"cnpg.io/instanceRole": "primary"}}}, kind=MERGE)
    eq(r["outcome"], "OK", f"a label: {r['message']}")
    c.event(lambda e: e["event"] == "MODIFIED" and '"primary"' in e["object"], what="the label")
    k.request("DELETE", PODS + "/deep?gracePeriodSeconds=0")
    c.event(lambda e: e["event"] == "DELETED", what="its end")


def client_watch(k):
    """List, then changes by others as they come; the server goes and comes back; an old version is 410."""
    k.allow(POD, *POD_RIGHTS)
    made = k.request("POST", LEASES, lease("seen")).body
    c = kube.Client(k.test, k, name="watch")
    c.watch(LEASES + "?fieldSelector=metadata.name%3Dseen", 2000, 60000)
    c.event(lambda e: e["event"] == "SYNCED", what="the list")
    eq([e["event"] for e in c.events()], ["LIST", "LISTED", "SYNCED"], "the first events")
    lags = []
    for i in range(5):
        made["spec"]["holderIdentity"] = f"h{i}"
        before = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        made = k.request("PUT", LEASES + "/seen", made).body
        e = c.event(lambda e: e["event"] == "MODIFIED" and f'"h{i}"' in e["object"], what=f"change {i}")
        lags.append((e["seen_ns"] - before) / 1e6)
    print(f"a change by another is seen after {min(lags):.1f} to {max(lags):.1f} ms, its PUT included")
    c.forget()
    k.down()
    eq(c.event(lambda e: e["event"] == "LOST")["outcome"] in ("MAYBE", "SERVER_ERROR", "NOT_SENT"), True, "how it was lost")
    r = c.call("GET", LEASES + "/seen", ms=1000)
    eq((r["outcome"], r["send_ns"]), ("NOT_SENT", 0), "a call to nobody")
    k.up()
    made["spec"]["holderIdentity"] = "after"
    k.request("PUT", LEASES + "/seen", made)
    c.event(lambda e: e["event"] in ("MODIFIED", "LISTED") and '"after"' in e["object"], 30, "the change after it came back")
    k.compact()
    made = k.lease("seen").body
    made["spec"]["holderIdentity"] = "compacted"
    k.request("PUT", LEASES + "/seen", made)
    c.event(lambda e: e["event"] in ("MODIFIED", "LISTED") and '"compacted"' in e["object"], 30, "the change after a 410")


CASES = [creating, replacing, deleted_meanwhile, refusing, patching, listing, watching, watching_nothing_known,
         refusing_people, keeping_foreign_fields, client_outcomes, client_pods, client_watch, old_versions]


def all_cases(t, real):
    k = kube.start(t, real=real)
    k.test = t
    until(lambda: k.request("GET", LEASES).status == 200, 20, "the server answers")
    failures = []
    for case in CASES:
        try:
            case(k)
            print(f"ok     {case.__name__}")
        except (Failed, KeyError, StopIteration, OSError) as e:
            failures.append(f"{case.__name__}: {e!r}")
            print(f"FAILED {failures[-1]}")
    ok(not failures, "; ".join(failures))


@test(seconds=60)
def test_stand_in(t):
    all_cases(t, False)


if kube.apiserver():
    @test(seconds=180)
    def test_real_server(t):
        all_cases(t, True)
