"""ha_promises - who may ask for a promise, when it is kept, and who never leads; V2 of a lost Lease; an API that misbehaves."""
import json
import signal
import subprocess
import time

from podtest import eq, ok, scale, test, until
from podtest.cluster import Cluster
from podtest.kube import MERGE
from test_ha_failsafe import LEASE, V1, failsafe, grew, judged, three, writable

ASK = """import sys, urllib.request, urllib.error
try:
    print(urllib.request.urlopen(urllib.request.Request(sys.argv[1], data=sys.argv[2].encode() or None), timeout=3).status)
except urllib.error.HTTPError as e:
    print(e.code, e.read().decode())
"""


def ask(at, holder, of=None):
    """POST /failsafe at a member, from the network of another, or of the node."""
    enter = ["nsenter", f"--net=/run/netns/{of.netns}"] if of else []
    return subprocess.run([*enter, "python3", "-c", ASK, f"http://{at.address}:8000/failsafe", json.dumps({"holder": holder})],
                          capture_output=True, text=True, timeout=10, check=True).stdout.strip()


def probe(m, path):
    """From inside, as the kubelet of a node without network would."""
    code = f"import http.client as h; c = h.HTTPConnection('{m.address}', 8000, timeout=3); c.request('GET', '{path}'); print(c.getresponse().status)"
    return int(subprocess.run(["nsenter", f"--net=/run/netns/{m.netns}", "python3", "-c", code], capture_output=True, text=True,
                              timeout=10, check=True).stdout)


@test(seconds=120)
def test_a_promise_is_for_the_holder_alone_and_kept_when_the_api_comes_back(t):
    """Strangers and members that do not hold it are refused; a member that is not listed does not lead."""
    c, p, w = three(t)
    a, b = [m for m in c.members if m is not p]
    holder = c.lease()["spec"]["holderIdentity"]
    ok(ask(a, holder).startswith("403"), "a stranger")
    until(lambda: "not the address" in ask(a, holder, of=b), 15, "a member that says it is another is known, and refused")
    ok("another holder" in ask(a, holder + "x", of=p), "a former start of the holder")
    ok("holds the Lease itself" in ask(p, holder, of=p), "the holder itself")
    eq(failsafe(a)["promised"], False, "nothing was promised")
    eq(ask(a, holder, of=p), "200", "the holder")
    c.api.down()
    until(lambda: failsafe(p)["active"], 20, "failsafe")
    time.sleep(LEASE)
    p.kill()
    left = min(failsafe(m)["promisedForSeconds"] for m in (a, b))
    at = time.monotonic()
    ok(left > 1, f"promised for {left} s more")
    c.api.up()
    n = c.wait_primary(40, but=p)
    until(lambda: w.acked[-1][1] == n.address, 20, "rows through the next one")
    first = next(x[3] for x in w.acked if x[1] == n.address)
    print("figures: promised for", left, "s more, the next primary acknowledged after", round(first - at, 2))
    ok(first - at > left - 0.2, "nobody led before the promise was over")
    other = b if n is a else a
    path = f"/apis/coordination.k8s.io/v1/namespaces/default/leases/{c.name}"
    n.kill()
    listed = json.dumps([p.name, n.name])
    eq(c.api.request("PATCH", path, {"metadata": {"annotations": {"podgres.dev/members": listed}}}, kind=MERGE).status, 200, "list")
    time.sleep(LEASE + 3)
    eq(other.state(), "standby", "who is not listed does not lead")
    ok("not" in other.status()["lease"]["problem"], other.status()["lease"]["problem"])
    n.start()
    eq(c.wait_primary(40).name, n.name, "who is listed leads")
    judged(c, w, n)


@test(seconds=100)
def test_alone_it_stays_primary_and_cut_off_a_wedged_backend_is_dead_by_v2(t):
    c = Cluster(t, real=False)
    m = c.member(1)
    m.start()
    m.wait_ready()
    until(lambda: '"ha-1"' in c.lease()["metadata"]["annotations"].get("podgres.dev/members", ""), 20, "the list")
    c.api.down()
    until(lambda: failsafe(m)["active"], 20, "failsafe")
    time.sleep(2 * V1)
    eq(m.psql("CREATE TABLE t (n int); SELECT pg_is_in_recovery()"), "f", "it takes writes")
    c.api.up()
    until(lambda: not failsafe(m)["active"], 20, "the API is back")
    c.member(2).start()
    c.members[1].wait_ready(60)
    c.wait_streaming(1)
    session = subprocess.Popen(["psql", "-XqAt", f"host={m.address} user=postgres dbname=postgres"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    session.stdin.write("SELECT pg_backend_pid();\n")
    session.stdin.flush()
    pid = int(session.stdout.readline())
    backend = next(x for x in m.procs() if x.nspid == pid)
    backend.kill(signal.SIGSTOP)
    cut = time.monotonic()
    m.cut()
    until(lambda: "Lease is lost" in m.log_text(), 20, "V1")
    eq(probe(m, "/readyz"), 503, "after V1 no client is sent here")
    until(lambda: not backend.alive(), 20, "the wedged backend is dead")
    gone = time.monotonic() - cut
    ok(scale(True, gone < V1 + 0.96), f"after {gone:.2f} s")
    eq(probe(m, "/livez"), 200, "and a restart is no remedy")
    print("figures: a wedged backend was dead", round(gone, 2), "s after the cut; V2 is", round(V1 + 0.58, 2), "and V3", round(V1 + 0.96, 2))
    ok("SIGKILL of the tree" in m.log_text(), "the rung of V2")
    ok("fencer" not in m.log_text().split("Lease is lost")[1].split("standby")[0], "V3 was not needed")
    session.kill()
    session.wait()
    n = c.wait_primary(40, but=m)
    eq(writable(c), [n.name], "one takes writes")


LEASES = "leases"
FAULTS = [
    ("error", {"status": 403}), ("error", {"status": 409}), ("error", {"status": 500}), ("throttle", {"retry_after": 30}),
    ("hang", {}), ("late", {"seconds": V1}), ("lost", {}), ("cut", {}), ("slow", {"seconds": 1.5}),
]


@test(seconds=scale(150, 900))
def test_an_api_that_misbehaves_costs_no_write_and_makes_no_second_primary(t):
    """Each fault for two terms: the primary goes on by promises or by retries, and nobody else leads."""
    c, p, w = three(t)
    for kind, how in scale([FAULTS[5]], FAULTS):
        began = time.monotonic()
        before = c.lease()["spec"]["leaseTransitions"]
        c.api.fault(kind, LEASES, **how)
        time.sleep(LEASE + 1)
        c.api.clear()
        grew(w)
        until(lambda: not failsafe(p)["active"], 20, "the API is back")
        print("figures:", kind, how, "gap", round(w.gap(began - 1), 2))
        eq((c.primary().name, c.lease()["spec"]["leaseTransitions"]), (p.name, before), f"{kind} {how}: the primary stays")
    began = time.monotonic()
    with open(c.token_file) as f:
        c.api.expire(f.read())
    until(lambda: failsafe(p)["active"], 20, "failsafe, since the token is no good")
    t.file("kube.token", "rotated")
    c.api.allow("rotated", "*")
    until(lambda: not failsafe(p)["active"], 30, "the new token is read")
    c.api.rotate_ca()
    c.api.drop()
    time.sleep(V1)
    grew(w)
    eq(c.primary().name, p.name, "the primary stays through another token and another CA")
    print("figures: token and CA changed, gap", round(w.gap(began - 1), 2))
    eq(judged(c, w, p), [], "acknowledged rows that are gone")
