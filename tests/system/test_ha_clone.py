"""ha_clone - a new member is made from the newest base backup of the archive, and streamed when there is none."""
from podtest import eq, ok, test, until
from podtest.store import take_backup
from test_archive import logged
from test_ha_archive import all_out, begin


def added(c, number):
    m = c.member(number, args=["--clone-from", "archive"])
    m.start()
    c.wait_streaming(number - 1)
    return m


@test(seconds=120)
def test_a_new_member_comes_from_the_newest_backup_and_without_one_from_a_server(t):
    c, _, archive = begin(t, 2)
    p = c.wait_primary()
    p.psql("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS x")

    # No backup is there.
    m = added(c, 3)
    ok(logged(m, "no base backup of the archive serves for a clone"), "the warning")
    eq(logged(m, "cloned from a base backup"), [], "cloned from a backup")
    until(lambda: m.psql("SELECT count(*) FROM kept") == "1000", 20, "all rows, streamed")

    take_backup(p)
    p.psql("INSERT INTO kept SELECT generate_series(1001, 2000)")
    all_out(p, archive)
    p.psql("INSERT INTO kept SELECT generate_series(2001, 3000)")
    n = added(c, 4)
    name = archive.backups()[-1]
    ok(any(name in line for line in logged(n, "cloned from a base backup")), f"cloned from the backup {name}")
    eq(logged(n, "no base backup of the archive serves"), [], "warnings")
    until(lambda: n.psql("SELECT count(*) FROM kept") == "3000", 20, "all rows, from the archive and streamed")
