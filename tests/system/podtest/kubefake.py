"""kubefake - a small stand-in for a Kubernetes API server: Leases and Pods, over HTTPS and HTTP.

What podgres relies on is as in the real one, and test_kube_conformance.py holds both to it: create, get,
list, watch, replace, merge and JSON patch, delete; optimistic concurrency by resourceVersion; Status
bodies; bookmarks; 410 for a version that was compacted away.  Beside that it can be slow, late, silent,
down, wrong and forgetful: fault(), down(), cut_watches(), expire(), rotate_ca().

Everything is in the memory of the test's process.  A thread a connection.
"""
import copy
import datetime
import json
import os
import random
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
import urllib.parse
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KINDS = {"leases": ("Lease", "coordination.k8s.io/v1", "leases.coordination.k8s.io"), "pods": ("Pod", "v1", "pods")}
PATH = re.compile(r"^/(?:apis/(coordination\.k8s\.io)/v1|api/v1)(?:/namespaces/([^/]+))?/(leases|pods)(?:/([^/]+))?$")
MICRO = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)$")
LABEL = re.compile(r"^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$")
NAME = re.compile(r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")
MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"
TOO_OLD = "too old resource version"


class Refused(Exception):
    """Answered with a Status object."""

    def __init__(self, code, reason, message, retry_after=None):
        super().__init__(message)
        self.code, self.retry_after = code, retry_after
        self.body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                     "message": message, "reason": reason, "code": code}


class Hangup(Exception):
    """The connection ends without an answer."""


class Fault:
    """What happens to which requests: match is searched in "VERB PATH".

    slow (.seconds before it is looked at), late (.seconds between the write and its answer), lost (the
    write is done, the connection ends), hang (nothing happens at all until cleared), cut (the
    connection ends, nothing is done), error (.status, nothing is done), throttle (429, .retry_after).
    percent: of the requests that match; times: at most so many.
    """

    def __init__(self, kind, match="", **how):
        self.kind, self.match = kind, re.compile(match)
        self.seconds, self.status = how.get("seconds", 0.0), how.get("status", 500)
        self.retry_after, self.percent, self.times = how.get("retry_after"), how.get("percent", 100), how.get("times")
        self.done, self.over = 0, threading.Event()

    def applies(self, line):
        if not self.match.search(line) or (self.times is not None and self.done >= self.times):
            return False
        if self.percent < 100 and random.random() * 100 >= self.percent:
            return False
        self.done += 1
        return True


# ---- objects ----


def merge(into, patch):
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    result = dict(into) if isinstance(into, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


def json_patch(into, operations):
    """RFC 6902: add, replace, remove, test, in objects."""
    result = copy.deepcopy(into)
    for op in operations:
        *path, last = [p.replace("~1", "/").replace("~0", "~") for p in op["path"].split("/")[1:]]
        at = result
        for part in path:
            at = at.get(part) if isinstance(at, dict) else None
            if at is None:
                raise Refused(422, "Invalid", "the server rejected our request due to an error in our request")
        if op["op"] == "test" and at.get(last) != op["value"]:
            raise Refused(422, "Invalid", "the server rejected our request due to an error in our request")
        if op["op"] in ("add", "replace"):
            at[last] = op["value"]
        if op["op"] == "remove":
            if last not in at:
                raise Refused(422, "Invalid", "the server rejected our request due to an error in our request")
            del at[last]
    return result


def labels_match(obj, selector):
    labels = obj["metadata"].get("labels") or {}
    for term in filter(None, selector.split(",")):
        key, sign, value = re.match(r"([^=!]+)(==|=|!=)?(.*)$", term).groups()
        same = labels.get(key) == value if sign else key in labels
        if same == (sign == "!="):
            return False
    return True


def fields_match(obj, selector):
    for term in filter(None, selector.split(",")):
        key, value = term.split("=", 1)
        if obj["metadata"].get(key.removeprefix("metadata.")) != value:
            return False
    return True


class Objects:
    """The database: every change has a version, and an event that watches read."""

    def __init__(self):
        self.lock = threading.Condition()
        self.objects, self.version, self.events, self.compacted = {}, 100, [], 100

    def put(self, kind, verb, obj):
        self.version += 1
        obj["metadata"]["resourceVersion"] = str(self.version)
        key = (kind, obj["metadata"]["namespace"], obj["metadata"]["name"])
        if verb == "DELETED":
            self.objects.pop(key, None)
        else:
            self.objects[key] = obj
        self.events.append((self.version, verb, kind, copy.deepcopy(obj)))
        self.lock.notify_all()
        return obj

    def get(self, kind, ns, name):
        obj = self.objects.get((kind, ns, name))
        if obj is None:
            raise Refused(404, "NotFound", f'{KINDS[kind][2]} "{name}" not found')
        return obj

    def validate(self, kind, obj, old):
        spec, bad = obj.get("spec") or {}, []
        if kind == "leases":
            for field in ("acquireTime", "renewTime"):
                if spec.get(field) is not None and not MICRO.match(str(spec[field])):
                    raise Refused(400, "BadRequest", f'parsing time {spec[field]!r}: no MicroTime')
            if spec.get("leaseDurationSeconds") is not None and spec["leaseDurationSeconds"] <= 0:
                bad.append("spec.leaseDurationSeconds: Invalid value: must be greater than 0")
            if (spec.get("leaseTransitions") or 0) < 0:
                bad.append("spec.leaseTransitions: Invalid value: must be greater than or equal to 0")
            if old and not obj["metadata"].get("resourceVersion"):
                bad.append("metadata.resourceVersion: Invalid value: 0x0: must be specified for an update")
        bad += [f"metadata.labels: Invalid value: {v!r}" for v in (obj["metadata"].get("labels") or {}).values()
                if not LABEL.match(v)]
        if bad:
            raise Refused(422, "Invalid", f'{KINDS[kind][2]} "{obj["metadata"]["name"]}" is invalid: {"; ".join(bad)}')

    def create(self, kind, ns, obj):
        meta = obj.setdefault("metadata", {})
        if not NAME.match(meta.get("name", "")):
            raise Refused(422, "Invalid", "metadata.name: Required value: name is required")
        if meta.get("namespace", ns) != ns:
            raise Refused(400, "BadRequest", "the namespace of the provided object does not match the namespace sent on the request")
        self.validate(kind, obj, None)
        if (kind, ns, meta["name"]) in self.objects:
            raise Refused(409, "AlreadyExists", f'{KINDS[kind][2]} "{meta["name"]}" already exists')
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        obj = {"kind": KINDS[kind][0], "apiVersion": KINDS[kind][1], **{k: v for k, v in obj.items() if k not in ("kind", "apiVersion")}}
        obj["metadata"] = {**meta, "namespace": ns, "uid": str(uuid.uuid4()), "creationTimestamp": now}
        return self.put(kind, "ADDED", obj)

    def replace(self, kind, ns, name, obj):
        meta, old = obj.setdefault("metadata", {}), self.objects.get((kind, ns, name))
        if meta.get("name") != name:
            raise Refused(400, "BadRequest", f'the name of the object ({meta.get("name")}) does not match the name on the URL ({name})')
        conflict = f'Operation cannot be fulfilled on {KINDS[kind][2]} "{name}": '
        if old is None and (kind != "leases" or meta.get("uid")):
            if kind != "leases":
                raise Refused(404, "NotFound", f'{KINDS[kind][2]} "{name}" not found')
            raise Refused(409, "Conflict", f'{conflict}Precondition failed: UID in precondition: {meta["uid"]}, UID in object meta: ')
        if old is None:  # a Lease may be created by an update, whatever version it names
            return self.create(kind, ns, {**obj, "metadata": {k: v for k, v in meta.items() if k != "resourceVersion"}})
        if meta.get("uid") and meta["uid"] != old["metadata"]["uid"]:
            raise Refused(409, "Conflict", f'{conflict}Precondition failed: UID in precondition: {meta["uid"]}, UID in object meta: {old["metadata"]["uid"]}')
        if meta.get("resourceVersion") and meta["resourceVersion"] != old["metadata"]["resourceVersion"]:
            raise Refused(409, "Conflict", conflict + MODIFIED)
        self.validate(kind, obj, old)
        return self.change(kind, old, obj)

    def change(self, kind, old, obj):
        """Nothing is written, and no version spent, when nothing changes."""
        new = {"kind": old["kind"], "apiVersion": old["apiVersion"], **copy.deepcopy(obj)}
        for field in ("uid", "creationTimestamp", "namespace", "resourceVersion"):
            new["metadata"][field] = old["metadata"][field]
        for field in ("labels", "annotations"):
            if not new["metadata"].get(field):
                new["metadata"].pop(field, None)
        return old if new == old else self.put(kind, "MODIFIED", new)

    def patch(self, kind, ns, name, how, patch):
        old = self.get(kind, ns, name)
        new = json_patch(old, patch) if "json-patch" in how else merge(old, patch)
        if new["metadata"].get("resourceVersion") != old["metadata"]["resourceVersion"]:
            raise Refused(409, "Conflict", f'Operation cannot be fulfilled on {KINDS[kind][2]} "{name}": {MODIFIED}')
        self.validate(kind, new, old)
        return self.change(kind, old, new)

    def delete(self, kind, ns, name):
        old = copy.deepcopy(self.get(kind, ns, name))
        self.put(kind, "DELETED", old)
        return old

    def chosen(self, obj, ns, query):
        return (ns in (None, obj["metadata"]["namespace"]) and labels_match(obj, query.get("labelSelector", ""))
                and fields_match(obj, query.get("fieldSelector", "")))

    def list(self, kind, ns, query):
        items = [{k: v for k, v in o.items() if k not in ("kind", "apiVersion")}
                 for (k, _, _), o in sorted(self.objects.items()) if k == kind and self.chosen(o, ns, query)]
        return {"kind": KINDS[kind][0] + "List", "apiVersion": KINDS[kind][1],
                "metadata": {"resourceVersion": str(self.version)}, "items": items}

    def compact(self):
        """Older versions can no longer be watched from."""
        with self.lock:
            self.compacted, self.events = self.version, []
            self.lock.notify_all()


# ---- HTTP ----


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    @property
    def fake(self):
        return self.server.fake

    def answer(self, code, body, **headers):
        data = json.dumps(body, separators=(",", ":")).encode() + b"\n"
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(data)

    def hold(self, seconds, until=None):
        """Waits; the end of the server, or of the fault, ends it."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.fake.closing.is_set():
            if until is not None and until.wait(0.05):
                raise Hangup()
            if until is None:
                time.sleep(min(0.05, max(0, end - time.monotonic())))

    def user(self, verb, kind, ns):
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        rights = self.fake.tokens.get(token)
        if rights is None:
            raise Refused(401, "Unauthorized", "Unauthorized")
        if "*" not in rights and f"{verb} {kind}" not in rights:
            raise Refused(403, "Forbidden", f'{KINDS[kind][2]} is forbidden: User "pod" cannot {verb} resource "{kind}"'
                          f' in API group "{KINDS[kind][1].rpartition("/")[0]}" in the namespace "{ns}"')

    def watch(self, kind, ns, query):
        db, fake = self.fake.db, self.fake
        end = time.monotonic() + int(query.get("timeoutSeconds", "3600"))
        marks = query.get("allowWatchBookmarks") in ("1", "true")
        at, queue = query.get("resourceVersion", ""), []
        with db.lock:
            if at in ("", "0"):
                queue = [("ADDED", o) for (k, _, _), o in sorted(db.objects.items()) if k == kind and db.chosen(o, ns, query)]
                at = db.version
        at, mark, era = int(at), min(time.monotonic() + fake.bookmark_seconds, max(end - 2, time.monotonic() + 0.1)), fake.watch_era
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while time.monotonic() < end and era == fake.watch_era and not fake.closing.is_set():
            with db.lock:
                if at < db.compacted:
                    self.event("ERROR", Refused(410, "Expired", f"{TOO_OLD}: {at} ({db.compacted})").body)
                    break
                for version, verb, k, obj in db.events:
                    if version > at:
                        at = version
                        if k == kind and db.chosen(obj, ns, query):
                            queue.append((verb, obj))
                if not queue:
                    db.lock.wait(max(0.0, min(end, mark, time.monotonic() + 0.2) - time.monotonic()))
            if fake.watches_stalled.is_set():
                time.sleep(0.02)
                continue
            for verb, obj in queue:
                self.event(verb, obj)
            queue = []
            if marks and time.monotonic() >= mark:
                mark = time.monotonic() + fake.bookmark_seconds
                self.event("BOOKMARK", {"kind": KINDS[kind][0], "apiVersion": KINDS[kind][1],
                                        "metadata": {"resourceVersion": str(at), "creationTimestamp": None}, "spec": {}})
        if era != fake.watch_era:
            raise Hangup()
        self.wfile.write(b"0\r\n\r\n")

    def event(self, verb, obj):
        line = json.dumps({"type": verb, "object": obj}, separators=(",", ":")).encode() + b"\n"
        self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))

    def write(self, verb, kind, at, body):
        """Done under the lock; returns status and body."""
        db, (ns, name), how = self.fake.db, at, self.headers.get("Content-Type", "")
        try:
            obj = json.loads(body) if body else {}
        except ValueError as e:
            raise Refused(400, "BadRequest", f"couldn't get version/kind; json parse error: {e}") from e
        with db.lock:
            if verb == "create":
                return 201, db.create(kind, ns, obj)
            if verb == "update":
                new = (kind, ns, name) not in db.objects
                return (201 if new else 200), db.replace(kind, ns, name, obj)
            if verb == "patch":
                return 200, db.patch(kind, ns, name, how, obj)
            old = db.delete(kind, ns, name)
            return 200, old if kind == "pods" else {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}

    def serve(self):
        came, url = time.monotonic(), urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if url.path in ("/readyz", "/version"):
            return self.answer(200, {"gitVersion": "stand-in"})
        match = PATH.match(url.path)
        if not match or bool(match.group(1)) != (match.group(3) == "leases"):
            raise Refused(404, "NotFound", "the server could not find the requested resource")
        _, ns, kind, name = match.groups()
        verb = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete", "GET": "get" if name else "list"}[self.command]
        if verb == "list" and query.get("watch") in ("1", "true"):
            verb = "watch"
        fault = self.fake.noted(f"{verb} {self.path}")
        if fault:
            self.before(fault)
        self.user(verb, kind, ns)
        if verb == "watch":
            return self.watch(kind, ns, query)
        if verb in ("get", "list"):
            with self.fake.db.lock:
                found = copy.deepcopy(self.fake.db.get(kind, ns, name) if name else self.fake.db.list(kind, ns, query))
            status = 200
        else:
            status, found = self.write(verb, kind, (ns, name), body)
            if kind == "leases" and verb in ("create", "update"):
                self.fake.written.append((came, (found["spec"].get("holderIdentity") or "")))
        if fault and fault.kind == "late":
            self.hold(fault.seconds)
        if fault and fault.kind == "lost":
            raise Hangup()
        return self.answer(status, found)

    def before(self, fault):
        if fault.kind == "slow":
            self.hold(fault.seconds)
        elif fault.kind == "hang":
            self.hold(3600, fault.over)
        elif fault.kind == "cut":
            raise Hangup()
        elif fault.kind == "error":
            reasons = {500: "InternalError", 503: "ServiceUnavailable", 504: "Timeout"}
            raise Refused(fault.status, reasons.get(fault.status, "Unknown"), "a fault of the stand-in", fault.retry_after)
        elif fault.kind == "throttle":
            raise Refused(429, "TooManyRequests", "too many requests, please try again later", fault.retry_after or 1)

    def act(self):
        try:
            self.serve()
        except Refused as e:
            self.answer(e.code, e.body, **({"Retry_After": e.retry_after} if e.retry_after is not None else {}))
        except Hangup:
            self.close_connection = True
            try:
                self.connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = act  # noqa: N815


class Server(ThreadingHTTPServer):
    daemon_threads, block_on_close, allow_reuse_address, request_queue_size = True, False, True, 128

    def __init__(self, fake, address, tls):
        self.fake, self.tls = fake, tls
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, Handler)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def finish_request(self, request, client_address):
        fake = self.fake
        try:
            if self.tls:
                request.settimeout(10)
                request = fake.context.wrap_socket(request, server_side=True)
                request.settimeout(None)
            with fake.lock:
                fake.connections += 1
                fake.open.add(request)
            self.RequestHandlerClass(request, client_address, self)
        except (OSError, ValueError):
            pass  # the client went away, or does not trust us
        finally:
            with fake.lock:
                fake.open.discard(request)
            if self.tls:
                try:
                    request.close()  # the wrapped one: what socketserver closes was detached
                except OSError:
                    pass

    def handle_error(self, request, client_address):
        pass


# ---- certificates ----


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, capture_output=True)


def make_ca(folder, serial, hosts=()):
    """A CA of its own name, and a certificate for this host and these addresses by it."""
    os.makedirs(folder, exist_ok=True)
    ca, key = f"{folder}/ca{serial}", f"{folder}/server{serial}"
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-sha256")
    openssl("req", "-x509", *curve, "-keyout", f"{ca}.key", "-out", f"{ca}.crt", "-days", "30", "-subj", f"/CN=ca-{serial}",
            "-addext", "basicConstraints=critical,CA:TRUE")
    openssl("req", *curve, "-keyout", f"{key}.key", "-out", f"{key}.csr", "-subj", "/CN=kubernetes")
    with open(f"{key}.ext", "w") as f:
        addresses = "".join(f",IP:{a}" for a in {"127.0.0.1", "::1", "10.96.0.1", *hosts})
        f.write(f"subjectAltName=DNS:localhost,DNS:kubernetes.default.svc{addresses}\n")
    openssl("x509", "-req", "-in", f"{key}.csr", "-CA", f"{ca}.crt", "-CAkey", f"{ca}.key", "-CAcreateserial",
            "-out", f"{key}.crt", "-days", "30", "-extfile", f"{key}.ext")
    return f"{ca}.crt", f"{key}.crt", f"{key}.key"


class KubeFake:
    """The server.  url and ca_file are for clients; tokens: {token: {"get leases", ...} or {"*"}}."""

    def __init__(self, folder, port=6443, host="127.0.0.1", tls=True):
        self.folder, self.host, self.port, self.tls = folder, host, port, tls
        self.db, self.tokens = Objects(), {"admintoken": {"*"}, "podtoken": set()}
        self.lock, self.faults, self.requests, self.open, self.connections = threading.Lock(), [], [], set(), 0
        self.written = []  # (when the request came, who holds the Lease by it), of each that was granted
        self.bookmark_seconds, self.watch_era, self.watches_stalled = 60.0, 0, threading.Event()
        self.closing, self.server, self.serial = threading.Event(), None, 0
        self.ca_file, self.context = os.path.join(folder, "ca.crt"), None
        os.makedirs(folder, exist_ok=True)
        if tls:
            self.rotate_ca()
        name = f"[{host}]" if ":" in host else host
        self.url = f"{'https' if tls else 'http'}://{name}:{port}"
        self.up()

    # ---- for the tests ----

    def fault(self, kind, match="", **how):
        fault = Fault(kind, match, **how)
        with self.lock:
            self.faults.append(fault)
        return fault

    def clear(self):
        with self.lock:
            for fault in self.faults:
                fault.over.set()
            self.faults.clear()
        self.watches_stalled.clear()

    def noted(self, line):
        with self.lock:
            self.requests.append(line)
            return next((f for f in self.faults if f.applies(line)), None)

    def count(self, match=""):
        with self.lock:
            return sum(1 for r in self.requests if re.search(match, r))

    def down(self):
        """Nobody listens, and every connection breaks."""
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None
        self.cut_watches()
        self.drop()

    def up(self):
        if not self.server:
            self.server = Server(self, (self.host, self.port), self.tls)

    def drop(self):
        with self.lock:
            now = list(self.open)
        for sock in now:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut_watches(self):
        """Each watch ends in the middle of its stream."""
        with self.db.lock:
            self.watch_era += 1
            self.db.lock.notify_all()

    def stall_watches(self, on=True):
        """Watches stay open and say nothing."""
        if on:
            self.watches_stalled.set()
        else:
            self.watches_stalled.clear()

    def compact(self):
        self.db.compact()

    def expire(self, token):
        self.tokens.pop(token, None)

    def allow(self, token, *rights):
        self.tokens[token] = set(rights)

    def rotate_ca(self, trusted=True):
        """A new CA and certificate, for new connections.  trusted: ca_file holds the new one, too."""
        self.serial += 1
        ca, cert, key = make_ca(os.path.join(self.folder, "certs"), self.serial, [self.host])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        self.context, self.new_ca = context, ca
        if trusted:
            self.publish_ca()

    def publish_ca(self):
        shutil.copy(self.new_ca, self.ca_file + ".new")
        os.rename(self.ca_file + ".new", self.ca_file)

    def close(self):
        self.closing.set()
        self.clear()
        self.down()
