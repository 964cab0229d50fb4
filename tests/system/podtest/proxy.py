"""proxy - stands between podgres and an S3 server and does to the traffic what bad networks do.

A thread a connection.  It reads requests as HTTP, so that a fault can choose its request (by method,
key, or "every third") and its place (head, body, answer).  Proxy.fault(...) adds a rule, Proxy.clear()
takes all away; counts tell what passed.  Without a rule every byte goes through as it came.
"""
import re
import select
import socket
import ssl
import struct
import threading
import time

SLOWDOWN = (b"<?xml version=\"1.0\"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message>"
            b"</Error>")
INTERNAL = (b"<?xml version=\"1.0\"?><Error><Code>InternalError</Code><Message>We encountered an internal error."
            b"</Message></Error>")


class Rule:
    """What to do, to which requests.

    kind: cut-request (after .at bytes of the body), cut-answer (after .at bytes of head and body),
    stall-head (reads the head, then nothing), stall-body (after .at bytes of the body), stall-answer
    (the server has answered, nobody hears), stall-answer-body (after .at bytes of the answer),
    answer (.status, .body: the server never hears of it), flip-request, flip-answer (one byte at .at),
    delay (.seconds before each request is passed on), hang-up (the connection ends, unannounced, after
    a whole answer), lie (200 with an ETag of nothing: the server never hears of it).
    """

    def __init__(self, kind, match="", every=1, times=None, at=0, status=503, body=SLOWDOWN, seconds=0.0):
        self.kind, self.match, self.every, self.times, self.at = kind, re.compile(match), every, times, at
        self.status, self.body, self.seconds = status, body, seconds
        self.seen = self.done = 0

    def applies(self, line):
        if not self.match.search(line):
            return False
        self.seen += 1
        if self.seen % self.every or (self.times is not None and self.done >= self.times):
            return False
        self.done += 1
        return True


class Cut(Exception):
    """This connection is to be reset."""


class Reader:
    """A socket with a buffer in front."""

    def __init__(self, sock):
        self.sock, self.buf, self.number = sock, b"", None

    def more(self):
        data = self.sock.recv(262144)
        self.buf += data
        return bool(data)

    def head(self):
        while b"\r\n\r\n" not in self.buf:
            if not self.more():
                return None
        end = self.buf.index(b"\r\n\r\n") + 4
        head, self.buf = self.buf[:end], self.buf[end:]
        return head

    def some(self, limit):
        if not self.buf and not self.more():
            raise Cut()
        data, self.buf = self.buf[:limit], self.buf[limit:]
        return data


def header(head, name):
    m = re.search(rb"(?im)^" + name + rb":[ \t]*([^\r]*)", head)
    return m.group(1).decode() if m else ""


def reset(sock):
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
    except OSError:
        pass


class Proxy:
    def __init__(self, upstream, port=7900, tls=None):
        """upstream: (host, port), plain HTTP.  tls: the PEM file to serve with."""
        self.upstream, self.port = upstream, port
        self.rules, self.lock, self.open = [], threading.Lock(), set()
        self.connections, self.requests, self.log = 0, [], []
        self.era, self.carriers = 0, []  # (era and number of the connection, request); forget() begins an era
        self.context = None
        if tls:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(tls)
        self.listener = socket.create_server(("127.0.0.1", port), backlog=64)
        self.endpoint = f"{'https://localhost' if tls else 'http://127.0.0.1'}:{port}"
        self.closing = False
        threading.Thread(target=self.accept, daemon=True).start()

    # ---- for the tests ----

    def fault(self, kind, match="", **how):
        rule = Rule(kind, match, **how)
        with self.lock:
            self.rules.append(rule)
        return rule

    def clear(self):
        """No rules, and what stalls lets go."""
        with self.lock:
            self.rules.clear()
        self.drop()

    def drop(self):
        """Every open connection is reset."""
        with self.lock:
            now = list(self.open)
        for sock in now:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def count(self, match=""):
        with self.lock:
            return sum(1 for r in self.requests if re.search(match, r))

    def forget(self):
        with self.lock:
            self.requests.clear()
            self.carriers.clear()
            self.connections = 0
            self.era += 1

    def carried(self, match=""):
        """How many connections that were made since forget() carried such requests."""
        with self.lock:
            return len({number for era, number, r in self.carriers if era == self.era and re.search(match, r)})

    def close(self):
        self.closing = True
        self.listener.close()
        self.drop()

    # ---- inside ----

    def accept(self):
        while not self.closing:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        up = None
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.context:
                sock = self.context.wrap_socket(sock, server_side=True)
            with self.lock:
                self.open.add(sock)
                self.connections += 1
                number = (self.era, self.connections)
            up = socket.create_connection(self.upstream, timeout=120)
            up.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            down, server = Reader(sock), Reader(up)
            down.number = number
            while self.one(down, server):
                pass
            sock.close()
        except (OSError, Cut, ValueError):
            reset(sock)
        finally:
            with self.lock:
                self.open.discard(sock)
            if up:
                up.close()

    def rule_for(self, line, number):
        with self.lock:
            self.requests.append(line)
            self.carriers.append((*number, line))
            for rule in self.rules:
                if rule.applies(line):
                    self.log.append((time.monotonic(), rule.kind, line))
                    return rule
        return None

    def one(self, down, server):
        """One request and its answer.  False: the connection is over."""
        head = down.head()
        if head is None:
            return False
        line = head.split(b"\r\n", 1)[0].decode("latin-1")
        rule = self.rule_for(line, down.number)
        kind = rule.kind if rule else ""
        if kind == "stall-head":
            self.stall(down)
        if kind == "delay":
            time.sleep(rule.seconds)
        if kind in ("answer", "lie"):
            return self.answer(down, head, rule)
        server.sock.sendall(head)
        if header(head, b"expect").lower() == "100-continue":
            first = server.head()
            if first is None:
                raise Cut()
            down.sock.sendall(first)
            if b" 100 " not in first.split(b"\r\n", 1)[0]:
                self.body(server, down, int(header(first, b"content-length") or 0), None, "")
                return False
        self.body(down, server, int(header(head, b"content-length") or 0), rule, "request")
        return self.reply(down, server, line, rule)

    def body(self, source, sink, length, rule, side):
        at = rule.at if rule else 0
        kind = rule.kind if rule and side in rule.kind or rule and side == "request" and rule.kind == "stall-body" else ""
        moved = 0
        while moved < length:
            data = source.some(min(length - moved, 262144))
            if kind.startswith(("cut-", "stall-")) and moved + len(data) > at:
                sink.sock.sendall(data[:max(at - moved, 0)])
                if kind.startswith("cut-"):
                    raise Cut()
                self.stall(source if side == "request" else sink)
            if kind.startswith("flip-") and moved <= min(at, length - 1) < moved + len(data):
                i = min(at, length - 1) - moved
                data = data[:i] + bytes([data[i] ^ 0x5a]) + data[i + 1:]
            sink.sock.sendall(data)
            moved += len(data)

    def reply(self, down, server, line, rule):
        head = server.head()
        if head is None:
            raise Cut()
        kind = rule.kind if rule else ""
        if kind == "stall-answer":
            self.stall(down)
        if kind == "cut-answer" and rule.at == 0:
            raise Cut()
        down.sock.sendall(head)
        status = int(head.split(None, 2)[1])
        length = 0 if line.startswith("HEAD ") or status in (204, 304) else self.length(head)
        if length < 0:
            return self.until_end(server, down) and kind != "hang-up" and header(head, b"connection").lower() != "close"
        self.body(server, down, length, rule, "answer")
        return kind != "hang-up" and header(head, b"connection").lower() != "close"

    @staticmethod
    def length(head):
        text = header(head, b"content-length")
        return int(text) if text else (-1 if header(head, b"transfer-encoding") or header(head, b"connection") else 0)

    @staticmethod
    def until_end(server, down):
        """A chunked answer, as it comes, until the server has been silent for a while.  True: it was whole."""
        tail = server.buf
        down.sock.sendall(server.buf)
        server.buf = b""
        while not tail.endswith(b"0\r\n\r\n"):
            if not select.select([server.sock], [], [], 2)[0]:
                return False
            data = server.sock.recv(262144)
            if not data:
                return False
            down.sock.sendall(data)
            tail = (tail + data)[-8:]
        return True

    def answer(self, down, head, rule):
        if header(head, b"expect").lower() == "100-continue":
            down.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        length = int(header(head, b"content-length") or 0)
        while length > 0:
            length -= len(down.some(min(length, 262144)))
        status, body, more = rule.status, rule.body, ""
        if rule.kind == "lie":
            status, body, more = 200, b"", "ETag: \"00000000000000000000000000000000\"\r\n"
        if head.startswith(b"HEAD "):
            body = b""
        down.sock.sendall(f"HTTP/1.1 {status} X\r\nContent-Type: application/xml\r\n{more}"
                          f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        return True

    def stall(self, watched):
        """Nothing, until the other side has had enough."""
        while not self.closing:
            ready = select.select([watched.sock], [], [], 0.2)[0]
            if ready:
                if isinstance(watched.sock, ssl.SSLSocket) or watched.sock.recv(1, socket.MSG_PEEK):
                    time.sleep(0.2)  # it still sends
                    with self.lock:
                        if watched.sock not in self.open:
                            raise Cut()
                    continue
                raise Cut()
        raise Cut()
