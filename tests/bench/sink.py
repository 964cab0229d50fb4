"""sink PORT - an S3 server that costs next to nothing: what a store does not slow down can be seen.

It reads bodies, hashes them (an S3 server answers with their MD5) and throws away what is larger than a
marker.  It keeps create-only and refuses a small body that is not the signed one, so that podgres treats
it as any other store.  A thread a connection; in a process of its own, which ends with its parent.
"""
import ctypes
import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
from xml.sax.saxutils import escape

SMALL = 1 << 16
WHEN = "2026-01-01T00:00:00.000Z"
REASONS = {200: "OK", 204: "No Content", 400: "Bad Request", 404: "Not Found", 412: "Precondition Failed"}


class Sink:
    """The other side: starts it and knows where it is."""

    def __init__(self, port=7910):
        self.endpoint = f"http://127.0.0.1:{port}"
        self.child = subprocess.Popen([sys.executable, os.path.abspath(__file__), str(port)], stdin=subprocess.DEVNULL)
        for _ in range(500):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                time.sleep(0.01)
        raise OSError("the sink does not listen")

    def close(self):
        self.child.kill()
        self.child.wait()


class Objects:
    def __init__(self):
        self.lock, self.kept = threading.Lock(), {}  # path: (etag, bytes, body or None, their sha256 header)

    def put(self, path, one, create):
        with self.lock:
            if create and path in self.kept:
                return False
            self.kept[path] = one
            return True

    def list(self, bucket, query):
        prefix, delimiter, seen = query.get("prefix", ""), query.get("delimiter", ""), set()
        after = max(query.get("start-after", ""), query.get("continuation-token", ""))
        parts = ["<?xml version=\"1.0\"?><ListBucketResult><IsTruncated>false</IsTruncated>"]
        with self.lock:
            found = sorted((p[len(bucket) + 1:], o) for p, o in self.kept.items() if p.startswith(bucket + "/" + prefix))
        for key, (etag, size, _, _) in found:
            rest = key[len(prefix):]
            if delimiter and delimiter in rest:
                seen.add(prefix + rest.split(delimiter)[0] + delimiter)
            elif key > after:
                parts.append(f"<Contents><Key>{escape(key)}</Key><LastModified>{WHEN}</LastModified>"
                             f"<ETag>&quot;{etag}&quot;</ETag><Size>{size}</Size></Contents>")
        parts += [f"<CommonPrefixes><Prefix>{escape(p)}</Prefix></CommonPrefixes>" for p in sorted(seen)]
        return "".join(parts + ["</ListBucketResult>"]).encode()


class Connection:
    def __init__(self, sock, objects):
        self.sock, self.objects = sock, objects
        self.room = memoryview(bytearray(1 << 18))
        self.rest = b""

    def head(self):
        while b"\r\n\r\n" not in self.rest:
            more = self.sock.recv(1 << 16)
            if not more:
                return None
            self.rest += more
        head, self.rest = self.rest.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        return lines[0].split(" "), {k.lower(): v.strip() for k, v in (x.split(":", 1) for x in lines[1:])}

    def body(self, length):
        """(MD5, the bytes when they are few)"""
        md5 = hashlib.md5(self.rest[:length])
        small = bytearray(self.rest[:length]) if length <= SMALL else None
        left, self.rest = length - len(self.rest[:length]), self.rest[length:]
        while left > 0:
            n = self.sock.recv_into(self.room, min(left, len(self.room)))
            if n == 0:
                raise OSError("cut")
            md5.update(self.room[:n])
            if small is not None:
                small += self.room[:n]
            left -= n
        return md5.hexdigest(), small

    def answer(self, status, headers="", body=b"", length=None):
        n = len(body) if length is None else length
        self.sock.sendall(f"HTTP/1.1 {status} {REASONS[status]}\r\nx-amz-request-id: sink\r\n{headers}"
                          f"Content-Length: {n}\r\n\r\n".encode() + body)
        return True

    def error(self, status, code, method=""):
        return self.answer(status, "", b"" if method == "HEAD" else
                           f"<?xml version=\"1.0\"?><Error><Code>{code}</Code></Error>".encode())

    def put(self, path, headers):
        length, sha = int(headers.get("content-length", 0)), headers.get("x-amz-meta-podgres-sha256", "")
        etag, small = self.body(length)
        if small is not None and hashlib.sha256(small).hexdigest() != headers.get("x-amz-content-sha256"):
            return self.error(400, "XAmzContentSHA256Mismatch")
        if not self.objects.put(path, (etag, length, small, sha), headers.get("if-none-match") == "*"):
            return self.error(412, "PreconditionFailed")
        return self.answer(200, f"ETag: \"{etag}\"\r\n")

    def get(self, method, path):
        one = self.objects.kept.get(path)
        if not one or (method == "GET" and one[2] is None):
            return self.error(404, "NoSuchKey", method)
        more = f"x-amz-meta-podgres-sha256: {one[3]}\r\n" if one[3] else ""
        return self.answer(200, f"ETag: \"{one[0]}\"\r\nLast-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n{more}",
                           bytes(one[2]) if method == "GET" else b"", one[1])

    def one(self):
        asked = self.head()
        if not asked:
            return False
        (method, target, _), headers = asked
        path, _, text = target.partition("?")
        path, query = urllib.parse.unquote(path).strip("/"), dict(urllib.parse.parse_qsl(text, True))
        if method == "PUT":
            return self.put(path, headers)
        self.body(int(headers.get("content-length", 0)))
        if method == "DELETE":
            self.objects.kept.pop(path, None)
            return self.answer(204)
        if method == "GET" and "uploads" in query:
            return self.answer(200, "", b"<?xml version=\"1.0\"?><ListMultipartUploadsResult></ListMultipartUploadsResult>")
        if method == "GET" and "list-type" in query:
            return self.answer(200, "", self.objects.list(path, query))
        return self.get(method, path)

    def serve(self):
        try:
            while self.one():
                pass
        except OSError:
            pass
        self.sock.close()


def main():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    listener, objects = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=64), Objects()
    while True:
        sock, _ = listener.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=Connection(sock, objects).serve, daemon=True).start()


if __name__ == "__main__":
    main()
