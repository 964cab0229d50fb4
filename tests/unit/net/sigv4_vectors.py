#!/usr/bin/python3
"""Prints sigv4_vectors.h: signatures that botocore makes (Debian: python3-botocore)."""
import datetime
import hashlib

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.utils import percent_encode

NOW = datetime.datetime(2026, 11, 20, 8, 15, 30)


class FixedClock(datetime.datetime):
    @classmethod
    def utcnow(cls):
        return NOW


botocore.auth.datetime.datetime = FixedClock
EMPTY = b""
# method, host, raw path, query, further headers, body, token
CASES = [
    ("GET", "s3.example.com", "/", {}, {}, EMPTY, ""),
    ("PUT", "127.0.0.1:9000", "/bucket/srv/wals/0000000100000000/000000010000000000000001.gz", {},
     {"x-amz-meta-podgres-sha256": "ab", "if-none-match": "*"}, b"body", ""),
    ("GET", "s3.example.com", "/bucket/a b/~c+d%e//f/é?&=#:@!$'()*,;.gz", {}, {}, EMPTY, ""),
    ("GET", "bucket.s3.eu-central-1.amazonaws.com", "/",
     {"list-type": "2", "prefix": "srv/wals/ ~+%é", "delimiter": "/", "encoding-type": "url",
      "continuation-token": "1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM="}, {}, EMPTY, ""),
    ("POST", "s3.example.com", "/bucket/key", {"uploads": ""}, {}, EMPTY, ""),
    ("PUT", "s3.example.com", "/bucket/key", {"uploadId": "2~kP_x-.Q", "partNumber": "10"}, {}, b"\0\1\2", ""),
    ("GET", "s3.example.com", "/bucket/key", {}, {"range": "bytes=0-9", "if-match": "\"abc\""}, EMPTY, "a/token+of==a session"),
    ("PUT", "s3.example.com", "/bucket/key", {}, {"x-amz-tagging": "a=b%20c&d=", "x-amz-server-side-encryption": "aws:kms",
     "x-amz-server-side-encryption-aws-kms-key-id": "  two  spaces   inside "}, b"x", ""),
    ("POST", "s3.example.com", "/bucket", {"delete": "", "a": "1", "A": "2", "a-b": "3", "a.b": "4", "a%b": "5", "a b": "6"},
     {"content-md5": "kAFQmDzST7DWlj99KOF/cg=="}, b"<Delete/>", ""),
]


def text(s):
    out = "".join(chr(b) if 32 <= b < 127 and chr(b) not in '"\\?' else "\\%03o" % b
                  for b in s.encode())
    return '"' + out + '"'


def pairs(d):
    return "{" + ", ".join("{%s, %s}" % (text(k), text(v)) for k, v in d.items()) + "}" if d else "{{0}}"


print("/* Made by sigv4_vectors.py: what botocore signs at 2026-11-20T08:15:30Z. */")
print("#pragma once\n\nstatic const struct vector vectors[] = {")
for method, host, path, query, headers, body, token in CASES:
    request = AWSRequest(method=method, url="https://" + host + percent_encode(path, safe="/~"),
                         params=query, headers=dict(headers), data=body)
    digest = hashlib.sha256(body).hexdigest()
    auth = botocore.auth.S3SigV4Auth(Credentials("AKIDEXAMPLE", "secret/with+signs", token or None),
                                     "s3", "eu-central-1")
    auth.add_auth(request)
    print("\t{%s, %s, %s, %s, %d, %s, %d, %s, %s,\n\t\t%s},"
          % (text(method), text(host), text(path), pairs(query), len(query), pairs(headers), len(headers),
             text(digest), text(token), text(request.headers["Authorization"])))
print("};")
