"""The log: JSON, PostgreSQL's records, and a reader that does not read."""
import json
import os
import time

from podtest import eq, ok, scale, test, until


@test(tags=["versions"])
def test_every_line_is_json_with_the_fields(t):
    p = t.started()
    try:
        p.psql("select 1/0")
    except OSError:
        pass
    until(lambda: p.logged("division by zero"), 5, "postgres' error in the log")
    for line in p.log():
        ok("raw" not in line, f"not JSON: {line.get('raw')!r}")
        for key in ("ts", "level", "logger", "msg", "pod"):
            ok(key in line, f"no {key} in {line}")
    record = [x for x in p.log() if "division by zero" in json.dumps(x)][0]
    eq((record["logger"], record["msg"], record["level"]), ("postgres", "record", "error"), "the record's frame")
    eq(record["record"]["error_severity"], "ERROR", "severity")
    eq(record["record"]["sql_state_code"], "22012", "SQLSTATE")
    eq(record["record"]["user_name"], "postgres", "user")
    ok("1/0" in record["record"]["query"], "the statement")


@test(seconds=scale(90, 900), tags=["asan"])
def test_blocked_stdout_never_stops_postgres(t):
    """Nobody reads podgres' stdout for a while; postgres writes a lot meanwhile."""
    p = t.pod()
    reader, writer = os.pipe()
    p.start(stdout=writer)
    os.close(writer)
    p.wait_ready()
    end = time.monotonic() + scale(15, 600)
    slowest, count = 0.0, 0
    while time.monotonic() < end:
        began = time.monotonic()
        p.psql("set client_min_messages = error; do $$ begin for i in 1..2000 loop "
               "raise log '% %', i, repeat('x', 200); end loop; end $$", seconds=20)
        slowest = max(slowest, time.monotonic() - began)
        count += 1
    ok(slowest < 5, f"a statement took {slowest:.1f} s")
    eq(p.get("/readyz").status, 200, "readyz")
    # Now somebody reads again: whole lines come, and what was lost is counted.
    os.set_blocking(reader, False)
    data = b""

    def drained():
        nonlocal data
        try:
            while True:
                piece = os.read(reader, 1 << 20)
                if not piece:
                    break
                data += piece
        except BlockingIOError:
            pass
        return b"dropped" in data
    until(drained, 20, "the drops are counted in the log")
    lines = data.decode("utf-8", "replace").split("\n")
    for line in lines[:-1]:
        json.loads(line)
    print(f"{count} rounds of 2,000 lines, the slowest took {slowest:.2f} s; {len(lines)} lines came")


@test(seconds=90)
def test_a_line_of_ten_megabytes(t):
    p = t.started()
    p.psql("set client_min_messages = error; do $$ begin raise log '%', repeat('y', 10000000); end $$")
    p.psql("do $$ begin raise log 'after the long one'; end $$")
    until(lambda: p.logged("after the long one"), 10, "what comes after it")
    for line in p.log():
        ok("raw" not in line, f"not JSON: {line.get('raw', '')[:200]!r}")
    ok(max(len(x) for x in p.log_text().splitlines()) < 2000000, "the line is cut")


@test(seconds=60)
def test_binary_garbage_on_stderr(t):
    """An orphan in the pod writes what it likes into the log pipe."""
    p = t.started()
    out = f"/proc/{p.postmaster().pid}/fd/2"
    with open(out, "wb", buffering=0) as f:
        f.write(b"\x00\xff\xfe garbage \x80\x81\n" + bytes(range(256)) + b"\n")
    until(lambda: p.logged("garbage"), 5, "the garbage is in the log, as JSON")
    for line in p.log():
        ok("raw" not in line, f"not JSON: {line.get('raw')!r}")
    eq(p.get("/readyz").status, 200, "readyz")


@test(seconds=60, tags=["versions"])
def test_the_last_words_of_postgres_are_in_the_log(t):
    """Its logging collector outlives it for a moment; nobody may kill it before it has written."""
    p = t.started()
    for _ in range(3):
        p.stop()
        records = [x["record"]["message"] for x in p.log() if "record" in x]
        eq(records[-1], "database system is shut down", "the last record")
        p.start()
        p.wait_ready()
    p.stop()
