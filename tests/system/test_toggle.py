"""Fence and unfence at random, many times."""
import random

from podtest import eq, ok, scale, test, until


def settled(p, fenced):
    s = p.status()
    if fenced:
        return s["state"] == "fenced" and not p.postgres_tree()
    return s["ready"]


@test(seconds=scale(120, 3600))
def test_toggles_at_random_end_in_the_last_state_asked_for(t):
    count = scale(100, 1000)
    p = t.started()
    rnd = random.Random(4)
    wanted = False
    for i in range(count):
        wanted = rnd.random() < 0.5
        a = p.post("/v1/fence" if wanted else "/v1/unfence")
        ok(a.status in (200, 202), f"toggle {i}: {a}")
        if rnd.random() < 0.1:
            until(lambda: settled(p, wanted), 40, f"toggle {i} settles as fenced={wanted}")
    until(lambda: settled(p, wanted), 40, f"the last toggle settles as fenced={wanted}")
    eq(p.status()["fenced"], wanted, "fenced")
    until(lambda: not p.zombies(), 1, "no zombies")
    p.stop()
    print(f"{count} toggles")
