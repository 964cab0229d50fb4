"""podgres run: start, probes, status, stop and its exit codes."""
import os
import signal
import time

from podtest import eq, ok, test, until


@test(tags=["asan", "versions"])
def test_empty_pgdata_becomes_a_ready_primary(t):
    p = t.started()
    s = p.status()
    eq(s["state"], "primary", "state")
    eq(s["isPrimary"], True, "isPrimary")
    eq((s["ready"], s["live"], s["fenced"]), (True, True, False), "ready, live, fenced")
    eq(s["postgres"]["pid"], p.postmaster().nspid, "pid of the postmaster")
    eq(s["systemID"], p.control("Database system identifier"), "systemID")
    eq(p.psql("select 1"), "1", "a query")
    eq(p.psql("show data_checksums"), "on", "checksums")
    eq(p.psql("show server_version").split(".")[0], str(t.major), "major version")
    p.stop()
    eq(p.control("Database cluster state"), "shut down", "control file")


@test(tags=["asan"])
def test_every_path_that_may_be_read_answers(t):
    p = t.started()
    until(lambda: p.get("/pg/controldata").status == 200, 3, "the control file is read soon")
    for path, status in {"/livez": 200, "/healthz": 200, "/readyz": 200, "/startupz": 200, "/pg/status": 200,
                         "/pg/controldata": 200, "/cluster": 200, "/history": 200, "/primary": 200, "/leader": 200,
                         "/read-write": 200, "/health": 200, "/read-only": 200, "/replica": 503, "/sync": 503,
                         "/async": 503, "/nowhere": 404, "/v1/operations/none": 404}.items():
        eq(p.get(path).status, status, f"GET {path}")
    a = p.get("/v1/fence")
    eq(a.status, 405, "GET of an order")
    ok("POST" in a.headers.get("Allow", ""), "405 says what is allowed")
    ok("pg_control version number" in p.get("/pg/controldata").json()["data"], "controldata as text")


@test()
def test_commands_speak_to_the_running_manager(t):
    p = t.started()
    ok("primary" in p.cli("status").stdout, "status for a person")
    ok('"state"' in p.cli("status", "--json").stdout, "status as JSON")
    widest = max(len(line) for line in p.cli("status").stdout.splitlines())
    ok(widest <= 80, f"status is {widest} columns wide")
    eq(p.cli("promote", check=False).returncode, 75, "promote of a primary")
    p.cli("restart")
    eq(p.get("/readyz").status, 200, "ready after restart")


def test_sigint_ends_it_like_sigterm(t):
    p = t.started()
    p.signal(signal.SIGINT)
    eq(p.wait(), 0, "exit code")
    eq(p.control("Database cluster state"), "shut down", "control file")


def test_sigquit_stops_at_once(t):
    p = t.started()
    began = time.monotonic()
    p.signal(signal.SIGQUIT)
    p.wait(10)
    ok(time.monotonic() - began < 5, "an immediate stop takes a moment")
    eq(p.procs(), [], "processes left")


def test_usage_errors_exit_64_and_configuration_errors_78(t):
    out = t.pod("usage").cli("run", "--lissen", "x", check=False)
    eq(out.returncode, 64, "unknown option")
    ok("--listen" in out.stderr + out.stdout, "the nearest option is named")
    p = t.pod("config", manifest="apiVersion: postgresql.cnpg.io/v1\nkind: Cluster\nmetadata: {name: config}\nspec: {instances: many}\n")
    p.start()
    eq(p.wait(20), 78, "broken manifest at the first start")
    ok("cluster.yaml:4:" in p.log_text(), "the place in the file is named")


def test_postgres_gets_no_descriptors_or_secrets_of_ours(t):
    p = t.started(env={"POSTGRES_PASSWORD": "a-secret-of-mine"})
    fds = os.listdir(f"/proc/{p.postmaster().pid}/fd")
    ok(len(fds) < 40, f"the postmaster has {len(fds)} descriptors")
    ok("a-secret-of-mine" not in p.log_text(), "the password is in the log")
    ok("a-secret-of-mine" not in p.get("/pg/status").text, "the password is in the status")
    for proc in p.procs():
        ok("a-secret-of-mine" not in proc.cmdline, f"the password is in argv of {proc}")


def test_backends_die_first_when_memory_ends(t):
    p = t.started()

    def score(pid):
        with open(f"/proc/{pid}/oom_score_adj") as f:
            return int(f.read())
    master = p.postmaster()
    backend = [q for q in p.postgres_tree() if q.ppid == master.pid][0]
    ok(score(backend.pid) > score(master.pid) >= score(p.init.pid),
       f"backend {score(backend.pid)}, postmaster {score(master.pid)}, podgres {score(p.init.pid)}")


def test_status_is_there_before_postgres_is(t):
    p = t.pod()
    p.start()
    until(lambda: p.get("/pg/status").status == 200, 5, "the API answers early")
    eq(p.get("/livez").status, 200, "livez while starting")
    p.wait_ready()
    eq(p.get("/startupz").status, 200, "startupz")
