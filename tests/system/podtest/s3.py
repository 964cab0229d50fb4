"""s3 - a small S3 client of the tests' own, so that podgres is not checked with its own code.

Signature Version 4 with a signed payload, path style.  Needs nothing but Python's library.
"""
import datetime
import hashlib
import hmac
import http.client
import ssl
import time
import urllib.parse
import xml.etree.ElementTree as ET


class S3Error(OSError):
    def __init__(self, status, text):
        super().__init__(f"HTTP {status}: {text[:300]}")
        self.status = status


def quoted(text, safe=""):
    return urllib.parse.quote(text, safe="-_.~" + safe)


def local(tag):
    return tag.rsplit("}", 1)[-1]


class S3:
    """One server with one pair of keys."""

    def __init__(self, endpoint, key="testkey", secret="testsecret0123456789", region="us-east-1", ca=None):
        self.url = urllib.parse.urlparse(endpoint)
        self.endpoint = endpoint
        self.key, self.secret, self.region, self.ca = key, secret, region, ca

    def connection(self, timeout):
        if self.url.scheme == "https":
            context = ssl.create_default_context(cafile=self.ca)
            return http.client.HTTPSConnection(self.url.hostname, self.url.port, timeout=timeout, context=context)
        return http.client.HTTPConnection(self.url.hostname, self.url.port, timeout=timeout)

    def signed(self, method, path, query, body, headers, service):
        now = datetime.datetime.fromtimestamp(time.time(), datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        digest = hashlib.sha256(body).hexdigest()
        all_headers = {k.lower(): v for k, v in headers.items()}
        all_headers.update({"host": self.url.netloc, "x-amz-date": now, "x-amz-content-sha256": digest})
        names = ";".join(sorted(all_headers))
        canonical = "\n".join([method, quoted(path, "/"), query,
                               "".join(f"{k}:{all_headers[k].strip()}\n" for k in sorted(all_headers)), names, digest])
        scope = f"{now[:8]}/{self.region}/{service}/aws4_request"
        text = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        key = ("AWS4" + self.secret).encode()
        for part in (now[:8], self.region, service, "aws4_request"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        all_headers["authorization"] = (f"AWS4-HMAC-SHA256 Credential={self.key}/{scope}, "
                                        f"SignedHeaders={names}, Signature={signature}")
        return all_headers

    def ask(self, method, path, query=(), body=b"", headers=None, timeout=30, service="s3"):
        """(status, headers, body), whatever the status is."""
        text = "&".join(f"{quoted(k)}={quoted(v)}" for k, v in sorted(query))
        signed = self.signed(method, path, text, body, headers or {}, service)
        c = self.connection(timeout)
        try:
            c.request(method, quoted(path, "/") + ("?" + text if text else ""), body, signed)
            r = c.getresponse()
            return r.status, r.headers, r.read()
        except http.client.HTTPException as e:
            raise OSError(repr(e)) from e
        finally:
            c.close()

    def must(self, *args, **how):
        status, headers, body = self.ask(*args, **how)
        if status >= 300:
            raise S3Error(status, body.decode("utf-8", "replace"))
        return headers, body

    def make_bucket(self, name):
        body = b""
        if self.region != "us-east-1":
            body = (f"<CreateBucketConfiguration><LocationConstraint>{self.region}</LocationConstraint>"
                    "</CreateBucketConfiguration>").encode()
        # A store that has only just begun may ask for patience.
        for last in (False, False, False, True):
            status, _, text = self.ask("PUT", "/" + name, body=body)
            if status < 300:
                return name
            if status != 503 or last:
                raise S3Error(status, text.decode("utf-8", "replace"))
            time.sleep(1)


class Bucket:
    """The objects of one bucket, as the same view that Folder gives of a directory."""

    def __init__(self, s3, name):
        self.s3, self.name = s3, name

    def path(self, key):
        return f"/{self.name}/{key}"

    def put(self, key, body):
        self.s3.must("PUT", self.path(key), body=body)

    def read(self, key):
        return self.s3.must("GET", self.path(key))[1]

    def delete(self, key):
        self.s3.must("DELETE", self.path(key))

    def objects(self, prefix=""):
        """{key: (bytes, etag, last modified)} of everything below the prefix."""
        found, token = {}, None
        while True:
            query = [("list-type", "2"), ("prefix", prefix)]
            if token:
                query.append(("continuation-token", token))
            root = ET.fromstring(self.s3.must("GET", "/" + self.name, query)[1])
            token = None
            for node in root:
                if local(node.tag) == "Contents":
                    one = {local(x.tag): x.text or "" for x in node}
                    found[one["Key"]] = (int(one["Size"]), one.get("ETag", "").strip('"'), one["LastModified"])
                elif local(node.tag) == "NextContinuationToken":
                    token = node.text
            if not token:
                return found

    def uploads(self):
        """Keys of multipart uploads that are neither completed nor aborted."""
        root = ET.fromstring(self.s3.must("GET", "/" + self.name, [("uploads", "")])[1])
        return [x.text for node in root if local(node.tag) == "Upload" for x in node if local(x.tag) == "Key"]
