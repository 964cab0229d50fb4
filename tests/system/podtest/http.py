"""http - requests to a pod, over its unix socket or TCP."""
import http.client
import json
import socket
import time


class Answer:
    def __init__(self, response, seconds):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()
        self.seconds = seconds

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.text[:200]!r}>"


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def request(where, method, path, body=None, headers=None, timeout=10):
    """where: the path of a socket, or (host, port).  http.client's errors become OSError."""
    if isinstance(where, str):
        c = UnixConnection(where, timeout)
    else:
        c = http.client.HTTPConnection(*where, timeout=timeout)
    if isinstance(body, (dict, list)):
        body = json.dumps(body)
    began = time.monotonic()
    try:
        c.request(method, path, body, headers or {})
        answer = Answer(c.getresponse(), 0)
        answer.seconds = time.monotonic() - began
        return answer
    except http.client.HTTPException as e:
        raise OSError(f"{method} {path}: {e!r}") from e
    finally:
        c.close()
