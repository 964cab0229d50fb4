"""metrics - GET /metrics: names, formats, and answers whatever PostgreSQL does."""
import gzip
import http.client
import json
import os
import re
import signal
import subprocess
import time

from podtest import eq, ok, scale, test, until

LINE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)*\})? (\S+)$')
OPEN = "application/openmetrics-text;version=1.0.0"


class Scraper:
    """One kept connection to the port of the metrics."""

    def __init__(self, pod, port=9187):
        self.pod, self.port, self.kept = pod, port, None

    def get(self, path="/metrics", method="GET", **headers):
        if not self.kept:
            self.kept = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        self.kept.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})
        r = self.kept.getresponse()
        r.body = r.read()
        return r


def parse(text):
    """{family: {"type":, "samples": {labels: value}}} of the text format; strict."""
    out, current = {}, None
    for line in text.splitlines():
        if line.startswith("# HELP "):
            current = line.split(" ")[2]
            ok(current not in out, f"family {current} twice")
            out[current] = {"type": "untyped", "samples": {}, "help": line.split(" ", 3)[3]}
        elif line.startswith("# TYPE "):
            eq(line.split(" ")[2], current, "TYPE follows HELP")
            out[current]["type"] = line.split(" ")[3]
        else:
            m = LINE.match(line)
            ok(m, f"no sample: {line!r}")
            float(m.group(3).replace("Inf", "inf"))
            base = re.sub(r"_(bucket|sum|count)$", "", m.group(1)) if out[current]["type"] == "histogram" else m.group(1)
            eq(base, current, "samples stand below their family")
            key = m.group(1) + (m.group(2) or "")
            ok(key not in out[current]["samples"], f"series {key} twice")
            out[current]["samples"][key] = float(m.group(3))
    return out


def metrics(pod, path="/metrics"):
    return parse(Scraper(pod).get(path).body.decode())


def collected(pod, name="cnpg_pg_replication_lag", seconds=20):
    return until(lambda: (lambda m: m if name in m else None)(metrics(pod)), seconds, f"{name} is collected")


@test(tags=["versions"])
def test_what_a_primary_says(t):
    p = t.started()
    m = collected(p, "cnpg_pg_database_size_bytes")
    with open(t.path("metrics.txt"), "w") as f:
        f.write(Scraper(p).get().body.decode())
    eq([v for v in m["cnpg_collector_up"]["samples"].values()], [1.0], "up")
    eq(m["podgres_is_primary"]["samples"]["podgres_is_primary"], 1.0, "primary")
    eq(m["cnpg_pg_replication_in_recovery"]["samples"]["cnpg_pg_replication_in_recovery"], 0.0, "recovery")
    failing = m.get("podgres_metrics_query_failing", {"samples": {}})["samples"]
    eq(failing, {}, "queries that fail")
