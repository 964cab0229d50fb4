"""isolate - one test in its own namespaces: the network, the mounts, its deadline, its verdict."""
import faulthandler
import fcntl
import glob
import os
import pwd
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
import traceback

from . import discover
from .check import Failed, TooLate
from .env import Test
from .pod import Ended

SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1


def missing_requirements(binary, bindir):
    missing = [f"command {c} is not here" for c in
               ("unshare", "setpriv", "mount", "psql", "mkfs.ext4", "openssl", "strace", "ip") if not shutil.which(c)]
    if not os.access(binary, os.X_OK):
        missing.append(f"{binary} is not built")
    if not glob.glob((bindir or "/usr/lib/postgresql/*/bin") + "/postgres"):
        missing.append(f"no PostgreSQL in {bindir or '/usr/lib/postgresql'}")
    try:
        pwd.getpwnam("postgres")
    except KeyError:
        missing.append("user postgres does not exist")
    return missing


def loopback_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        flags = struct.unpack("16sH", fcntl.ioctl(s, SIOCGIFFLAGS, struct.pack("16sH14x", b"lo", 0))[:18])[1]
        fcntl.ioctl(s, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))


def too_late(_sig, _frame):
    raise TooLate("the test took too long")


def sanitizer_reports(folder):
    found = []
    for path in glob.glob(folder + "/sanitizer.*"):
        with open(path, errors="replace") as f:
            found.append(f.read(8000))
    return found


def bugs(test):
    """Broken invariants (must) that some process of podgres wrote down before it died."""
    found = []
    for pod in test.pods:
        found += [line for line in pod.log_text().splitlines() if "BUG " in line and ".c:" in line]
    return found


def show(test):
    for pod in test.pods:
        print(f"--- log of {pod.name}, its last lines")
        for line in pod.log_text().splitlines()[-40:]:
            print(line[:400])
        print(f"--- processes of {pod.name}")
        for p in pod.procs():
            print(f"{p.nspid:6} {p.ppid:6} {p.state} {p.cmdline[:120]}")


def run_one(args):
    found = [t for t in discover.find(os.path.dirname(os.path.dirname(__file__)), [args.one], "")
             if t.name == args.one]
    loopback_up()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512m", "tmpfs", "/dev/shm"], check=True)
    faulthandler.dump_traceback_later(found[0].seconds + 15, exit=True)
    signal.signal(signal.SIGALRM, too_late)
    signal.alarm(int(found[0].seconds))
    test = Test(args.dir, args.bin, args.pg)
    began = time.monotonic()
    verdict = 1
    try:
        found[0].fn(test)
        verdict = 0
    except (Failed, TooLate, Ended) as e:
        where = traceback.extract_tb(sys.exc_info()[2])
        line = [f"{os.path.basename(x.filename)}:{x.lineno}" for x in where if "test_" in x.filename]
        print(f"{' '.join(line)}: {e}")
    except Exception:  # the verdict is the same, with the whole story
        traceback.print_exc()
    signal.alarm(0)
    if verdict:
        print(f"after {time.monotonic() - began:.1f} s")
        show(test)
    test.close()
    for what in sanitizer_reports(args.dir) + bugs(test):
        print(what)
        verdict = 1
    return verdict
