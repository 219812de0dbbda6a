"""Failover to a standby that lagged behind, and databases that lost commits in other ways.

Clients have seen UIDs, flags and MODSEQs that the new primary never heard of.  Nothing of them
may be given out again with another meaning, and every client must end up with what is there.
"""

import os
import subprocess

import pytest

from pgboxtest import messages
from pgboxtest.dovecot import Dovecot, Options
from pgboxtest.lab import plugin_path, sql_directory
from pgboxtest.postgres import DATABASE, FRONTEND_ROLE, Postgres
from pgboxtest.process import wait_until

pytestmark = pytest.mark.usefixtures("pgbox_only")

ITEMS = "FLAGS MODSEQ INTERNALDATE RFC822.SIZE X-GUID BODY.PEEK[]"


@pytest.fixture(scope="module")
def expected_log():
    """The database goes away in the middle of sessions."""
    return [r"Error: (?!Raw backtrace)"]


class Pair:
    """A primary, a standby of it, and frontends that know both."""

    def __init__(self, lab, directory):
        self.lab = lab
        self.directory = directory
        self.primary = Postgres(os.path.join(directory, "1"), fsync=False, template=lab.template)
        self.primary.start()
        self.other = self.primary.standby(os.path.join(directory, "2"))
        self.other.start()
        self.frontends = 0

    def dsn(self):
        ports = f"{self.primary.port},{self.other.port}"
        return f"host=127.0.0.1,127.0.0.1 port={ports} dbname={DATABASE} user={FRONTEND_ROLE}"

    def frontend(self):
        """A new frontend with an empty cache."""
        self.frontends += 1
        place = os.path.join(self.directory, f"frontend-{self.frontends}")
        home = os.path.join(self.directory, "home")
        server = Dovecot(place, "pgbox", home, Options(), self.dsn(), plugin_path())
        self.lab.instances.append(server)
        return server.start()

    def let_standby_lag(self):
        self.primary.bring_up_to_date(self.other)
        self.other.stop_following()

    def fail_over(self):
        self.primary.kill()
        self.other.promote()

    def close(self):
        self.primary.stop()
        self.other.stop()


@pytest.fixture
def pair(lab):
    """Its own servers: after the test nobody can use them any more."""
    directory = os.path.join(lab.directory, f"pair-{lab.new_user()}")
    os.makedirs(directory)
    os.chmod(directory, 0o755)
    servers = Pair(lab, directory)
    yield servers
    servers.close()


def state(server, user):
    """Everything a client can see of INBOX."""
    with server.imap(user, enable=["QRESYNC"]) as imap:
        selected = imap.select("INBOX")
        mails = imap.fetch("1:*", ITEMS)
        for values in mails.values():
            values["FLAGS"] = sorted(set(values["FLAGS"]) - {b"\\Recent"})
        return {"mails": mails, "uidvalidity": selected.code("UIDVALIDITY"),
                "uidnext": selected.code("UIDNEXT"), "highest": selected.code("HIGHESTMODSEQ")}


def test_lost_commits(pair, user):
    """All frontends agree on what is left, and UIDs and MODSEQs of the lost part stay unused."""
    servers = [pair.frontend(), pair.frontend()]
    with servers[0].imap(user) as imap:
        for number in range(5):
            imap.append("INBOX", messages.numbered(number))
    pair.let_standby_lag()
    with servers[0].imap(user) as imap:
        for number in range(5, 8):
            imap.append("INBOX", messages.numbered(number))
        imap.select("INBOX")
        imap.ok("STORE 1 +FLAGS (\\Flagged Lost)")
        imap.ok("UID STORE 2 +FLAGS (\\Deleted)")
        imap.ok("EXPUNGE")
    seen = [state(server, user) for server in servers]
    assert seen[0] == seen[1]
    highest = int(seen[0]["highest"][0])

    pair.fail_over()
    with servers[1].imap(user, enable=["QRESYNC"]) as imap:
        validity = int(seen[0]["uidvalidity"][0])
        result = imap.select("INBOX", f" (QRESYNC ({validity} {highest}))")
        vanished = b",".join(args[-1] for args in result.named("VANISHED"))
        assert all(any(int(low) <= uid <= int(high or low) for low, _colon, high in
                       (part.partition(b":") for part in vanished.split(b",")))
                   for uid in (6, 7, 8)), vanished
        changed = {int(dict(zip(args[0][::2], args[0][1::2]))[b"UID"])
                   for _number, args in result.numbered("FETCH")}
        assert changed == {1, 2, 3, 4, 5}, "flags may differ from what the client saw"

    states = [state(server, user) for server in (servers[0], servers[1], pair.frontend())]
    assert states[0] == states[1] == states[2]
    assert sorted(states[0]["mails"]) == [1, 2, 3, 4, 5]
    assert states[0]["mails"][1]["FLAGS"] == []
    assert int(states[0]["highest"][0]) > highest
    with servers[0].imap(user) as imap:
        uid = imap.append("INBOX", messages.numbered(9))[1]
    assert uid > 8, "a UID was given out twice"
    assert state(servers[1], user) == state(pair.frontend(), user)


def test_session_goes_on(pair, user):
    """A session that was open before the failover works on afterwards."""
    server = pair.frontend()
    with server.imap(user) as imap:
        imap.append("INBOX", messages.numbered(1))
        imap.select("INBOX")
        pair.let_standby_lag()
        imap.append("INBOX", messages.numbered(2))
        imap.ok("NOOP")
        pair.fail_over()
        wait_until(lambda: imap.command("NOOP").ok, "the session to find the new primary")
        assert imap.search("ALL") == [1]
        uid = imap.append("INBOX", messages.numbered(3))[1]
        assert uid > 2
        imap.ok("NOOP")
        assert imap.search("ALL") == [1, uid]


def test_raise_epoch(lab, user, frontend_a, frontend_b):
    """What an admin does after loading a dump: every frontend reads everything anew."""
    with frontend_a.imap(user) as imap:
        for number in range(3):
            imap.append("INBOX", messages.numbered(number), ["Work"])
    before = [state(server, user) for server in (frontend_a, frontend_b)]
    subprocess.run([os.path.join(sql_directory(), "pgbox-schema"), "raise-epoch",
                    "--dsn", lab.postgres.dsn()], check=True, stdout=subprocess.DEVNULL)
    after = [state(server, user) for server in (frontend_a, frontend_b)]
    assert after[0] == after[1]
    assert int(after[0]["highest"][0]) > int(before[0]["highest"][0])
    assert int(after[0]["uidvalidity"][0]) > int(before[0]["uidvalidity"][0])
    for uid, values in before[0]["mails"].items():
        for item in ("FLAGS", "X-GUID", "INTERNALDATE", "BODY[]"):
            assert after[0]["mails"][uid][item] == values[item]
