"""check - assertions that say what was seen, and waiting with a deadline."""
import time


class Failed(Exception):
    """A test's expectation did not hold."""


class TooLate(Exception):
    """The test's own time is over; until() must not take it for "not yet"."""


def ok(condition, what):
    if not condition:
        raise Failed(what)


def eq(seen, wanted, what):
    if seen != wanted:
        raise Failed(f"{what}: saw {seen!r}, wanted {wanted!r}")


def until(condition, seconds, what):
    """Waits until condition() is true and returns what it returned.

    What condition() raises counts as "not yet" and is shown when the time is over.
    """
    end = time.monotonic() + seconds
    last = None
    pause = 0.005
    while True:
        try:
            seen = condition()
            if seen:
                return seen
            last = seen
        except (OSError, Failed, KeyError, ValueError, IndexError) as e:
            last = e
        if time.monotonic() > end:
            raise Failed(f"not within {seconds} s: {what} (last seen: {last!r})")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)
