"""discover - finds the tests, and says how long each may take."""
import glob
import importlib
import os
import zlib

SECONDS = 60


def scale(ci, full):
    """A count or a duration: the small one in CI, the whole in a campaign (PODGRES_TEST_SCALE)."""
    return full if os.environ.get("PODGRES_TEST_SCALE", "ci") == "full" else ci


def test(seconds=SECONDS, tags=()):
    """Decorates a test that needs more time than usual, or carries tags (asan, versions, alone)."""
    def mark(fn):
        fn.seconds = seconds
        fn.tags = set(tags)
        return fn
    return mark


class Found:
    def __init__(self, module, fn):
        self.fn = fn
        self.name = f"{module[len('test_'):]}.{fn.__name__[len('test_'):]}"
        # Short, because sockets lie below it, and unique.
        self.short = self.name.replace(".", "-")[:24] + f"-{zlib.crc32(self.name.encode()) & 0xffff:04x}"
        # Sanitizers make everything slower.
        factor = 3 if "asan" in os.environ.get("PODGRES_TEST_BUILD", "") else 1
        self.seconds = getattr(fn, "seconds", SECONDS) * factor
        self.tags = getattr(fn, "tags", set())


def find(folder, patterns, only):
    found = []
    for path in sorted(glob.glob(os.path.join(folder, "test_*.py"))):
        name = os.path.basename(path)[:-3]
        module = importlib.import_module(name)
        functions = [f for n, f in vars(module).items()
                     if n.startswith("test_") and getattr(f, "__module__", "") == name]
        functions.sort(key=lambda f: f.__code__.co_firstlineno)
        found += [Found(name, f) for f in functions]
    if only:
        found = [t for t in found if only in t.tags]
    if patterns:
        found = [t for t in found if any(p in t.name for p in patterns)]
    return found
