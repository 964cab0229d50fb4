"""Who may do what."""
import http.client
import socket
import ssl
import subprocess

from podtest import eq, ok, test, until
from podtest.http import request


def test_orders_over_tcp_are_refused_without_credentials(t):
    p = t.started()
    a = request(p.tcp, "POST", "/v1/fence")
    eq(a.status, 403, "POST over TCP")
    ok("token" in a.text or "socket" in a.text, f"403 says how it would be allowed: {a.text}")
    eq(p.status()["fenced"], False, "fenced")
    eq(p.get("/pg/status").status, 200, "status over TCP is open")


@test(tags=["asan"])
def test_bearer_token_is_asked_for_and_taken(t):
    token = t.file("token", "s3same-open\n", mode=0o644)
    p = t.started(args=["--token-file", token, "--status-auth"])
    eq(request(p.tcp, "POST", "/v1/fence", headers={"Authorization": "Bearer wrong"}).status, 403, "a wrong token")
    eq(p.get("/pg/status").status, 403, "status with --status-auth")
    good = {"Authorization": "Bearer s3same-open"}
    eq(p.get("/pg/status", headers=good).status, 200, "status with the token")
    eq(request(p.tcp, "POST", "/v1/reload?wait=10s", headers=good, timeout=15).status, 200, "an order with the token")
    ok("s3same" not in p.log_text(), "the token is in the log")


def test_another_user_may_not_use_the_socket(t):
    p = t.started()
    out = subprocess.run(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", t.binary, "fence", "on",
                          "--run-dir", p.run_dir], capture_output=True, text=True, timeout=20, check=False)
    ok(out.returncode in (69, 77), f"exit code {out.returncode}: {out.stderr}")
    eq(p.status()["fenced"], False, "fenced")


def certificates(t):
    """A CA, a server certificate for 127.0.0.1 and a client's."""
    def openssl(*args):
        subprocess.run(["openssl", *args], check=True, capture_output=True, cwd=t.folder("tls", owner=False, mode=0o755))
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=test ca")
    for name, extra in (("server", "subjectAltName=IP:127.0.0.1"), ("client", "extendedKeyUsage=clientAuth")):
        t.file("tls/ext", extra)
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", name + ".key",
                "-out", name + ".csr", "-subj", f"/CN={name}")
        openssl("x509", "-req", "-in", name + ".csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
                "-days", "2", "-out", name + ".crt", "-extfile", "ext")
    subprocess.run(f"chmod 644 {t.path('tls')}/*", shell=True, check=True)
    return t.path("tls")


def tls_request(p, method, path, ca, cert=None):
    context = ssl.create_default_context(cafile=ca)
    if cert:
        context.load_cert_chain(cert + ".crt", cert + ".key")
    c = http.client.HTTPSConnection(*p.tcp, context=context, timeout=15)
    c.request(method, path)
    r = c.getresponse()
    r.body = r.read()
    c.close()
    return r


@test(seconds=90)
def test_tls_with_client_certificates(t):
    tls = certificates(t)
    p = t.pod(args=["--tls-cert", tls + "/server.crt", "--tls-key", tls + "/server.key", "--tls-client-ca",
                    tls + "/ca.crt"])
    p.start()
    until(lambda: tls_request(p, "GET", "/readyz", tls + "/ca.crt").status == 200, 40, "ready over TLS")
    eq(tls_request(p, "POST", "/v1/reload", tls + "/ca.crt").status, 403, "an order without a certificate")
    eq(tls_request(p, "POST", "/v1/reload?wait=10s", tls + "/ca.crt", tls + "/client").status, 200,
       "an order with a certificate")
    old = server_serial(p)
    certificates(t)  # rotated in place, with a new CA

    def renewed():
        return server_serial(p) != old
    until(renewed, 30, "the new certificate is served")


def server_serial(p):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection(p.tcp, timeout=10) as raw, context.wrap_socket(raw) as s:
        return s.getpeercert(binary_form=True)
