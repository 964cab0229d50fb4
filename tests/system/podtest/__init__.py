"""podtest - what the system tests are written with."""
from .check import Failed, eq, ok, until
from .discover import scale, test
from .pod import Pod

__all__ = ["Failed", "Pod", "eq", "ok", "scale", "test", "until"]
