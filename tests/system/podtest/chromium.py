"""chromium - a headless browser, driven over its debugging pipe; nothing but Python's own library."""
import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import time

from .check import Failed, ok, until

KEYS = {"Tab": 9, "Enter": 13, "Space": 32}


def program():
    return shutil.which("chromium") or shutil.which("chromium-headless-shell")


class Chromium:
    """Messages are JSON, each ended by a NUL, on descriptors 3 (to it) and 4 (from it)."""

    def __init__(self, test):
        ok(program(), "no chromium here: run scripts/setup test")
        to_child, self.to = os.pipe()
        self.back, from_child = os.pipe()
        ends = [fcntl.fcntl(fd, fcntl.F_DUPFD, 20) for fd in (to_child, from_child)]
        os.close(to_child)
        os.close(from_child)

        def ends_in_place():
            os.dup2(ends[0], 3)
            os.dup2(ends[1], 4)

        home = test.folder("chromium", owner=False)
        self.log = open(f"{home}/log", "wb")
        self.child = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", program(), "--headless=new", "--no-sandbox", "--disable-gpu",
             "--remote-debugging-pipe", f"--user-data-dir={home}/profile", "--disable-dev-shm-usage",
             "--disable-background-networking", "--disable-component-update", "--no-first-run", "--hide-scrollbars",
             "--font-render-hinting=none"],
            preexec_fn=ends_in_place, pass_fds=(3, 4), stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            env={"PATH": os.environ["PATH"], "HOME": home, "LANG": "C.UTF-8"}, cwd="/")
        for fd in ends:
            os.close(fd)
        self.rest, self.last, self.events = b"", 0, []
        test.servers.append(self)

    def close(self):
        self.child.kill()
        self.child.wait(10)
        self.log.close()
        os.close(self.to)
        os.close(self.back)

    def receive(self, seconds):
        """The next message, or None."""
        end = time.monotonic() + seconds
        while b"\0" not in self.rest:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.back], [], [], left)[0]:
                return None
            block = os.read(self.back, 1 << 20)
            if not block:
                raise Failed("chromium has ended")
            self.rest += block
        line, self.rest = self.rest.split(b"\0", 1)
        message = json.loads(line)
        if "method" in message:
            self.events.append(message)
        return message

    def call(self, method, session=None, seconds=30, **params):
        self.last += 1
        message = {"id": self.last, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            answer = self.receive(end - time.monotonic())
            if answer and answer.get("id") == self.last:
                ok("result" in answer, f"{method}: {answer.get('error')}")
                return answer["result"]
        raise Failed(f"chromium did not answer {method} in {seconds} s")

    def page(self, url, script=True, **view):
        return Page(self, url, script, view)


class Page:
    """One tab.  view: width, height, dark, forced (colours)."""

    def __init__(self, browser, url, script, view):
        self.browser = browser
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "Audits", "Accessibility"):
            self.call(domain + ".enable")
        self.call("Emulation.setScriptExecutionDisabled", value=not script)
        self.look(**view)
        self.call("Page.navigate", url=url)
        until(lambda: self.seen("Page.loadEventFired"), 20, f"{url} is loaded")

    def look(self, width=1000, height=900, dark=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def call(self, method, **params):
        return self.browser.call(method, session=self.session, **params)

    def seen(self, *methods):
        while self.browser.receive(0.05):
            pass
        return [e for e in self.browser.events if e["method"] in methods and e.get("sessionId") == self.session]

    def eval(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        ok("exceptionDetails" not in result, f"{expression}: {result.get('exceptionDetails')}")
        return result["result"].get("value")

    def text(self, selector="body"):
        return self.eval(f"document.querySelector({json.dumps(selector)}).innerText")

    def key(self, name):
        for kind in ("rawKeyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=" " if name == "Space" else name, code=name,
                      windowsVirtualKeyCode=KEYS[name], text="\r" if name == "Enter" and kind != "keyUp" else "")

    def problems(self):
        """What the console, the policy and the network complain about."""
        found = []
        for e in self.seen("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled",
                           "Audits.issueAdded", "Network.loadingFailed"):
            p = e["params"]
            if e["method"] == "Log.entryAdded" and p["entry"]["level"] not in ("error", "warning"):
                continue
            if e["method"] == "Network.loadingFailed" and p.get("canceled"):
                continue
            found.append(json.dumps(p)[:600])
        return found

    def requests(self):
        return [e["params"]["request"]["url"] for e in self.seen("Network.requestWillBeSent")]

    def tree(self):
        """What a screen reader is told: (role, name) in order."""
        nodes = self.call("Accessibility.getFullAXTree")["nodes"]
        return [(n["role"]["value"], n.get("name", {}).get("value", "")) for n in nodes if not n.get("ignored")]

    def shot(self, path, whole=False):
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        how = {"captureBeyondViewport": True, "clip": clip} if whole else {}
        data = self.call("Page.captureScreenshot", format="webp", quality=82, **how)["data"]
        with open(path, "wb") as f:
            f.write(base64.b64decode(data))
