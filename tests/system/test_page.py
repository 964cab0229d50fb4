"""page - GET / for people: what it says, that it allows nothing else in, and how a browser takes it."""
import base64
import hashlib
import html.parser
import os
import re
import signal
import subprocess

from podtest import eq, http, ok, test, until
from podtest.chromium import Chromium

SECTIONS = ["state", "members", "plots", "archive", "backups", "lease", "operations", "processes", "log"]
MANIFEST = """
apiVersion: postgresql.cnpg.io/v1
kind: Cluster
metadata: {name: pod}
spec:
  backup:
    barmanObjectStore: {destinationPath: "file://%s", wal: {compression: gzip}}
"""


class Strict(html.parser.HTMLParser):
    """Fails on anything that is not closed in order, and keeps what the tests ask for."""
    VOID = {"meta", "link", "path"}

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.links, self.raw, self.attributes = [], [], [], {}, set()
        self.feed(text)
        self.close()
        eq(self.open, [], "elements that are not closed")

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attrs:
            self.attributes.add(name)
            if name == "id":
                self.ids.append(value)
            if name in ("href", "src"):
                self.links.append(value)

    def handle_startendtag(self, tag, attrs):
        ok(tag in self.VOID, f"<{tag}/>")

    def handle_endtag(self, tag):
        eq(tag, self.open.pop(), "the element that ends here")

    def handle_data(self, data):
        if self.open and self.open[-1] in ("style", "script"):
            self.raw[self.open[-1]] = data


def digest(text):
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def policy_of(answer):
    parts = [p.strip().split(" ") for p in answer.headers["Content-Security-Policy"].split(";")]
    return {p[0]: p[1:] for p in parts}


def archived(t, **how):
    """A pod with an archive."""
    folder = t.folder("archive", mode=0o755)
    return t.started(manifest=MANIFEST % folder, **how)


def measured(p):
    """Waits until the ring has a rate of WAL, so that there is something to draw."""
    until(lambda: sum(x["walBytesPerSecond"] is not None for x in p.get("/v1/plots").json()["points"]) >= 2, 30,
          "two rates of WAL are in the ring")


def url(p):
    return f"http://127.0.0.1:{p.http_port}/"


# ---- without a browser ----

@test(seconds=90)
def test_the_page_tells_what_is_and_allows_itself_alone(t):
    p = archived(t)
    p.psql("create table t as select 1; select pg_switch_wal()")
    until(lambda: p.get("/v1/wal").json()["archived"] > 0, 30, "a segment is archived")
    p.order("reload")
    until(lambda: len(p.get("/v1/plots").json()["points"]) >= 2, 20, "two points are there")
    a = p.get("/")
    eq(a.status, 200, "GET /")
    eq(a.headers["Content-Type"], "text/html; charset=utf-8", "Content-Type")
    for name, value in (("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"),
                        ("Cache-Control", "no-store")):
        eq(a.headers[name], value, name)
    page = Strict(a.text)
    eq(len(page.ids), len(set(page.ids)), "each id once")
    eq([i for i in page.ids if i in SECTIONS], SECTIONS, "sections")
    policy = policy_of(a)
    eq(policy.pop("style-src"), [digest(page.raw["style"])], "style-src")
    eq(policy.pop("script-src"), [digest(page.raw["script"])], "script-src")
    eq(policy, {"default-src": ["'none'"], "connect-src": ["'self'"], "img-src": ["data:"], "base-uri": ["'none'"],
                "form-action": ["'none'"], "frame-ancestors": ["'none'"]}, "the rest of the policy")
    eq([x for x in page.attributes if x == "style" or x.startswith("on") or x == "src"], [], "inline style or script")
    eq([x for x in page.links if not re.match(r"#[a-z]+$|/[a-z0-9/]*$|data:,$", x)], [], "links to elsewhere")
    ok(not re.search(r"https?://", a.text), "no address of anybody")
    wal = p.get("/v1/wal").json()
    for fact in ("primary: postgres takes writes", p.name + "-1", "15 min ago", wal["lastArchivedWal"], "reload",
                 wal["destination"], "standalone", "PostgreSQL", "monitor", "Can be recovered",
                 "database system is ready to accept connections"):
        ok(fact in a.text, f"the page lacks {fact!r}")
    for link in page.links:
        if link.startswith("#"):
            ok(link[1:] in page.ids, f"{link} leads nowhere")
        elif link.startswith("/"):
            eq(p.get(link).status, 200, f"GET {link}")
    ok(f'href="//127.0.0.1:{p.http_port}/"' in http_metrics(p).text, "9187 links to the page")
    p.stop()


def http_metrics(p, **how):
    return http.request(("127.0.0.1", p.metrics_port), "GET", "/", **how)


@test(seconds=60)
def test_methods_and_who_may_look(t):
    p = t.started(args=["--status-auth"])
    for path in ("/", "/v1/plots"):
        a = p.get(path)
        eq((a.status, a.json()["error"]["kind"]), (403, "DENIED"), f"GET {path} over TCP")
    for path in ("/", "/v1/plots"):
        eq(http.request(p.socket, "GET", path).status, 200, f"GET {path} over the socket")
        head = http.request(p.socket, "HEAD", path)
        eq((head.status, head.body), (200, b""), f"HEAD {path}")
        eq(p.post(path).status, 405, f"POST {path}")
    eq(http.request(p.tcp, "OPTIONS", "/").status, 200, "OPTIONS / is Patroni's question")
    eq(p.get("/v1").status, 200, "the list of paths is open")
    for host in ('"><script>', "a b", "x/y", "@evil", "[::1", ""):
        text = http_metrics(p, headers={"Host": host}).text
        ok("//" not in text, f"Host: {host} became a link")
    ok('href="//[::1]:8000/"' in http_metrics(p, headers={"Host": "[::1]:9187"}).text, "an IPv6 address")
    p.stop()


@test(seconds=90)
def test_the_ring_outlives_the_monitor_and_an_upgrade(t):
    p = t.started()

    def points():
        return [x["at"] for x in p.get("/v1/plots").json()["points"]]
    first = until(lambda: len(points()) >= 2 and points(), 20, "two points are there")
    p.service("monitor").kill(signal.SIGKILL)
    after = until(lambda: len(points()) >= len(first) + 2 and points(), 25, "two more points")
    eq(after[:len(first)], first, "the points from before the monitor's end")
    said = p.status()["postgres"]["lastLogLines"]
    before = p.status()["sessionID"]
    p.signal(signal.SIGUSR2)

    def done():
        try:
            return p.status()["sessionID"] != before and len(points()) > len(after)
        except OSError:
            return False
    until(done, 25, "a point of the new program")
    eq(points()[:len(after)], after, "the points from before the upgrade")
    now = p.status()["postgres"]["lastLogLines"]
    ok(said[-1] in now, f"the last lines: {now} after {said}")
    at = [float(x[17:26]) for x in points()]
    ok(all(2 < (b - a) % 60 < 25 for a, b in zip(at, at[1:])), f"no points in between: {at}")
    p.stop()


@test(seconds=60)
def test_any_bytes_are_only_text(t):
    p = t.started(env={"POD_NAME": "<b>\"'&", "CLUSTER_NAME": "</title><script>alert(1)</script>"})
    p.psql("do $$ begin raise log '</li><script>alert(2)</script> %', E'\\x01\\u202e\\x7f'; end $$")
    until(lambda: "alert(2)" in p.get("/").text, 10, "the line stands in the page")
    p.order("fence", body={"reason": "<img src=x onerror=alert(3)>"})
    until(lambda: "alert(3)" in p.get("/").text, 10, "the reason stands in the page")
    text = p.get("/").text
    Strict(text)
    ok("&lt;b&gt;&quot;&#39;&amp;" in text and "&lt;script&gt;alert(2)" in text, "escaped")
    ok("<script>alert" not in text and "<img" not in text and "\u202e" not in text, "nothing else")
    browser = Chromium(t)
    page = browser.page(url(p))
    eq(page.eval("document.querySelectorAll('script, img, b').length"), 1, "elements that nobody asked for")
    until(lambda: page.text("#live") == "Live.", 15, "it is live")
    eq(page.eval("document.querySelectorAll('main script, img, b').length"), 0, "nor after an update")
    eq(page.problems(), [], "problems")
    p.stop(code=0)


# ---- in a browser ----

@test(seconds=120)
def test_a_browser_shows_it_without_javascript(t):
    p = archived(t)
    measured(p)
    page = Chromium(t).page(url(p), script=False)
    text = page.text()
    for fact in ("primary: postgres takes writes", "Reload the page", "Last 15 minutes", "Not archived", "Processes"):
        ok(fact in text, f"{fact!r} is not seen: {text[:500]}")
    ok("Pause" not in text, "a button that does nothing")
    ok(page.eval("document.querySelectorAll('svg path[d^=M]').length") >= 3, "plots")
    eq(page.problems(), [], "problems")
    eq([u for u in page.requests() if u not in (url(p), "data:,")], [], "other requests")
    p.stop()


@test(seconds=180)
def test_a_browser_keeps_it_live(t):
    p = archived(t)
    measured(p)
    browser = Chromium(t)
    page = browser.page(url(p))
    until(lambda: page.text("#live") == "Live.", 15, "it is live")
    position = page.text("#members tbody td:nth-of-type(4)")
    page.eval("document.querySelector('summary').focus()")
    page.key("Space")
    ok(page.eval("document.querySelector('details').open"), "the table is open")
    p.psql("create table t as select n, repeat('x', 200) from generate_series(1, 50000) n")
    until(lambda: page.text("#members tbody td:nth-of-type(4)") != position, 15, "the position moves")
    until(lambda: "MB/s" in page.text("#plots figure:nth-of-type(1)"), 20, "so does the rate of WAL")
    ok(page.eval("document.querySelector('#plots path').getAttribute('d').split('L').length") > 1, "a line is drawn")
    ok(page.eval("document.querySelector('details').open && document.activeElement.tagName") == "SUMMARY",
       "what was opened and focused stays so")
    p.order("fence")
    until(lambda: "fence" in page.text("#state .say"), 15, "the fence is told")
    until(lambda: "fence" in page.text("#operations table"), 10, "so is the operation")
    p.order("unfence")
    until(lambda: "takes writes" in page.text("#state .say"), 30, "and its end")
    page.eval("document.getElementById('pause').click()")
    eq((page.text("#live"), page.text("#pause")), ("Paused.", "Resume"), "it can be paused")
    at = page.text("header time")
    until(lambda: p.get("/").text.split("As of <time>")[1][:20] > at[:17] + "%02d" % min(int(at[17:19]) + 5, 59), 65, "time goes by")
    eq(page.text("header time"), at, "the time of a paused page")
    page.eval("document.getElementById('pause').click()")
    until(lambda: page.text("header time") != at, 10, "it goes on")
    eq(page.problems(), [], "problems")
    eq([u for u in page.requests() if u not in (url(p), "data:,")], [], "other requests")
    p.stop()
    until(lambda: "does not answer" in page.text("#live"), 15, "silence is told")


# Luminance as WCAG 2 has it; the ratio of each text with the first opaque background behind it.
CONTRAST = """(() => {
  const parts = (c) => c.match(/[\\d.]+/g).map(Number);
  const light = (c) => { const [r, g, b] = parts(c).slice(0, 3).map((v) => (v /= 255) <= 0.03928 ? v / 12.92 :
    ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const behind = (e) => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
    if (parts(c)[3] !== 0) return c; } return "rgb(255, 255, 255)"; };
  const low = [];
  for (const e of document.querySelectorAll("body *")) {
    if (![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()) || !e.getClientRects().length) continue;
    if (["SCRIPT", "STYLE"].includes(e.tagName)) continue;
    const a = light(getComputedStyle(e).color), b = light(behind(e));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) low.push(e.tagName + "." + e.className + " " + ratio.toFixed(2));
  }
  return low;
})()"""


@test(seconds=180)
def test_everybody_can_use_it(t):
    p = archived(t)
    p.order("reload")
    measured(p)
    browser = Chromium(t)
    page = browser.page(url(p))
    until(lambda: page.text("#live") == "Live.", 15, "it is live")
    page.eval("document.getElementById('pause').click(); document.activeElement.blur()")
    # Tab reaches all that can be used, in the order in which it stands there, and shows where it is.
    all_of = page.eval("[...document.querySelectorAll('a, button, summary, [tabindex=\"0\"]')]"
                       ".filter((e) => e.checkVisibility()).map((e) => e.outerHTML.slice(0, 90))")
    page.eval("window.scrollTo(0, 0); getSelection().removeAllRanges(); document.body.tabIndex = -1;"
              "document.body.focus(); document.body.removeAttribute('tabindex')")
    reached = []
    for _ in all_of:
        page.key("Tab")
        reached.append(page.eval("document.activeElement.outerHTML.slice(0, 90)"))
        ok(page.eval("getComputedStyle(document.activeElement).outlineStyle") != "none", f"no outline: {reached[-1]}")
    eq(reached, all_of, "what Tab reaches")
    # The skip link leads past the navigation.
    page.eval("document.querySelector('.skip').focus()")
    page.key("Enter")
    eq(page.eval("document.activeElement.id"), "main", "where the skip link leads")
    # What a screen reader is told.
    tree = page.tree()
    roles = [r for r, _ in tree]
    for role in ("banner", "navigation", "main", "contentinfo", "status"):
        ok(role in roles, f"no {role} among {sorted(set(roles))}")
    eq([n for r, n in tree if r in ("region", "image", "button", "link", "table") and not n.strip()], [],
       "things without a name")
    ok(len([r for r in roles if r == "image"]) >= 3, "plots have a role")
    ok(len([r for r in roles if r == "columnheader"]) > 10 and "rowheader" in roles, "tables have headers")
    eq(page.eval("[...document.querySelectorAll('h1, h2, h3')].map((h) => h.tagName)"), ["H1"] + ["H2"] * len(SECTIONS),
       "headings")
    eq(page.eval("[...document.querySelectorAll('table')].filter((x) => !x.caption).length"), 0, "without a caption")
    # Readable light and dark, and at 320 px.
    for dark in (False, True):
        page.look(dark=dark)
        eq(page.eval(CONTRAST), [], f"contrast below 4.5 (dark: {dark})")
    ok(page.eval("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)", "dark is dark")
    page.look(width=320)
    eq(page.eval("document.documentElement.scrollWidth"), 320, "width at 320 px")
    eq(page.problems(), [], "problems")
    p.stop()


@test(seconds=120)
def test_members_are_on_the_page_of_primary_and_standby(t):
    p = t.started()
    s = t.pod("standby", pgdata=t.standby_of(p), port=5433, http_port=8001)
    s.start()
    s.wait_ready()
    until(lambda: "streaming" in p.get("/").text, 20, "the standby on the primary's page")
    p.psql("create table t as select n from generate_series(1, 10000) n")
    until(lambda: p.get("/v1/plots").json()["points"][-1]["lagBytes"] is not None, 20, "its lag in the ring")
    point = until(lambda: [x for x in s.get("/v1/plots").json()["points"] if x["state"] == "standby" and
                           x["lagBytes"] == 0], 30, "a standby that has replayed all")[-1]
    eq(point["lagSeconds"], 0, "lag in seconds of a standby that has replayed all")
    ok("replayLsn" in point and "walLsn" in point, point)
    ok("standby" in s.get("/").text and "following" in s.get("/").text, "the standby's own page")
    Strict(s.get("/").text)
    s.stop()
    p.stop()
