"""kill -9 in the middle of deliveries, APPENDs and STOREs; and a database that is away.

PGBOX_FAULT_MESSAGES (300) is how many acknowledged operations each test waits for.
Dovecot is never restarted: what comes back must come back by itself.
"""

import os
import random
import re

import pytest

from pgboxtest import messages
from pgboxtest.imap import ConnectionLost
from pgboxtest.process import kill_hard, wait_until
from workload import FLAGS, Appender, Deliverer, Progress, Storer

OPERATIONS = int(os.environ.get("PGBOX_FAULT_MESSAGES", "300"))
KILLS = 10
TEMPORARY_CODES = {"UNAVAILABLE", "SERVERBUG", "INUSE", None}


@pytest.fixture(scope="module")
def expected_log():
    """Errors are what this file is about; a Panic never is."""
    return [r"Error: (?!Raw backtrace)",
            r"Fatal: master: service\(\w+\): child \d+ killed with signal 9"]


@pytest.fixture(scope="module")
def frontends(lab):
    """Two frontends that do not wait long for a database that is away."""
    patience = {}
    if lab.tested == "pgbox":
        patience = {"pgbox_connect_timeout": "2s", "pgbox_query_timeout": "10s"}
    return [lab.dovecot("tested", f"fault-{name}", plugin=patience) for name in "ab"]


class Judge:
    """Compares what is in the mailbox with what the actors were told."""

    def __init__(self, server, user):
        with server.imap(user) as imap:
            # the last strike may have been a moment ago
            wait_until(lambda: imap.command("SELECT INBOX").ok, "the database to be back", 60)
            fetched = imap.fetch("1:*", "FLAGS BODY.PEEK[] INTERNALDATE RFC822.SIZE")
        self.mails = fetched
        self.uids_of = {}
        for uid, values in fetched.items():
            number = int(re.search(rb"^Message-ID: <(\d+)@", values["BODY[]"], re.M)[1])
            self.uids_of.setdefault(number, []).append(uid)

    def check_added(self, actor):
        """Acknowledged once and whole; in doubt at most once and whole; nothing else."""
        for number in actor.ledger.acknowledged:
            assert len(self.uids_of.get(number, [])) == 1, \
                f"message {number} had an OK and is there {len(self.uids_of.get(number, []))} times"
        for number in actor.ledger.in_doubt:
            assert len(self.uids_of.get(number, [])) <= 1, f"message {number} is there twice"
        for number in actor.ledger.acknowledged | actor.ledger.in_doubt:
            for uid in self.uids_of.get(number, []):
                whole = messages.numbered(number, size=20_000)
                assert self.mails[uid]["BODY[]"].endswith(whole), f"message {number} is not whole"

    def check_flags(self, actor):
        for number in actor.ledger.acknowledged:
            flags = self.mails[self.uids_of[number][0]]["FLAGS"]
            assert {flag.encode() for flag in FLAGS} <= set(flags), f"flags of message {number}"

    def check_stored(self, actor):
        for uid, allowed in actor.ledger.stored.items():
            state = actor.keyword.encode() in self.mails[uid]["FLAGS"]
            assert state in allowed, f"keyword of UID {uid} is {state}"


class Scene:
    """The actors of one test, working on one account through both frontends."""

    def __init__(self, frontends, user):
        self.frontends = frontends
        self.user = user
        self.progress = Progress(OPERATIONS)
        with frontends[0].imap(user) as imap:
            uids = [imap.append("INBOX", messages.numbered(900_000_000 + n))[1] for n in range(20)]
        one, two = frontends
        self.adders = [Deliverer(1, "lmtp a", one, user, self.progress),
                       Deliverer(2, "lmtp b", two, user, self.progress),
                       Appender(3, "append a", one, user, self.progress)]
        self.storer = Storer(uids, "store b", two, user, self.progress)

    def run(self, strike):
        """Run until the goal, with a strike after each tenth or so of the way."""
        chooser = random.Random(1)
        actors = self.adders + [self.storer]
        for actor in actors:
            actor.start()
        strikes = 0
        for number in range(1, KILLS + 1):
            target = OPERATIONS * number // (KILLS + 1) + chooser.randrange(3)
            if self.progress.wait_for(target):
                strikes += bool(strike())
        self.progress.wait_for(OPERATIONS)
        for actor in actors:
            actor.join(120)
            assert not actor.is_alive(), f"{actor.name} hangs"
        assert self.progress.failed is None, self.progress.failed
        assert strikes >= KILLS // 2, f"only {strikes} strikes hit something"
        assert all(actor.ledger.acknowledged for actor in self.adders)

    def judge(self):
        for frontend in self.frontends:
            judge = Judge(frontend, self.user)
            for actor in self.adders:
                judge.check_added(actor)
            judge.check_flags(self.adders[2])
            judge.check_stored(self.storer)
        return judge


@pytest.fixture
def scene(frontends, user):
    return Scene(frontends, user)


def kill_service(frontends, name):
    """kill -9 of every process of a service; how many."""
    victims = [pid for frontend in frontends for pid in frontend.processes(name)]
    for pid in victims:
        kill_hard(pid)
    return len(victims)


@pytest.mark.parametrize("service", ["imap", "lmtp"])
def test_killed_mail_process(frontends, scene, service):
    scene.run(lambda: kill_service(frontends, service))
    scene.judge()


def check_database_survived(lab, user):
    """Counters of the account equal a recount: no half-done change was committed."""
    wrong = lab.postgres.sql(f"""
        select b.name from pgbox.mailbox b join pgbox.account a using (account_id)
        where a.name = '{user}' and b.deleted_at is null
          and b.messages <> (select count(*) from pgbox.mail m
                             where (m.account_id, m.mailbox_id) = (b.account_id, b.mailbox_id))""")
    assert wrong == []


def test_killed_database_backends(lab, pgbox_only, scene, user):
    """PostgreSQL answers a kill -9 of one backend with a crash restart of all of them."""
    def backends():
        try:
            return lab.postgres.frontend_backends()
        except AssertionError:  # it restarts
            return []

    def strike():
        # on a busy machine the server may still restart after the last strike, or all be done
        hit = wait_until(lambda: backends() or scene.progress.over, "a connection to kill", 60)
        if hit is True:
            return False
        kill_hard(hit[0])
        return True

    scene.run(strike)
    scene.judge()
    check_database_survived(lab, user)


def test_terminated_database_backends(lab, pgbox_only, scene, user):
    """Connections end in the middle, the server stays: as a pooler or an admin does it."""
    scene.run(lambda: lab.postgres.terminate_frontend_backends())
    scene.judge()
    check_database_survived(lab, user)


def test_killed_database_server(lab, pgbox_only, scene, user):
    def strike():
        lab.postgres.kill()
        lab.postgres.start()
        return True

    scene.run(strike)
    scene.judge()
    check_database_survived(lab, user)


@pytest.fixture
def stopped_database(lab, pgbox_only):
    """The database is down inside the test, and up again afterwards."""
    yield lab.postgres
    lab.postgres.ensure_started()


def refusal(client, *parts):
    """The answer to a command that must not succeed: its code, or "lost" with the session."""
    try:
        result = client.command(*parts)
    except ConnectionLost:
        return "lost"
    assert result.status.word == "NO", result
    assert b"host" not in result.status.text and b"SELECT" not in result.status.text
    return result.status.code_name()


@pytest.mark.parametrize("command", [
    "STORE 1 +FLAGS (\\Seen)", "COPY 1 box", "MOVE 1 box", "CREATE new", "STATUS box (MESSAGES)",
    "SELECT box", "RENAME box box2"])
def test_database_away_is_temporary(stopped_database, frontends, user, command):
    with frontends[0].imap(user) as imap:
        imap.append("INBOX", messages.numbered(1))
        imap.ok("CREATE box")
        imap.select("INBOX")
        stopped_database.stop()
        assert refusal(imap, command) in TEMPORARY_CODES
    stopped_database.start()
    with frontends[1].imap(user) as imap:
        imap.select("INBOX")
        assert imap.fetch("1:*", "FLAGS", modifiers=" (CHANGEDSINCE 0)")
        assert b"\\Seen" not in imap.fetch("1", "FLAGS")[1]["FLAGS"], "refused, yet done"
        assert imap.list_names() == [b"INBOX", b"box"]


def test_append_while_database_is_away(stopped_database, frontends, user):
    """A session survives the outage, or the next one starts without any help."""
    imap = frontends[0].imap(user)
    imap.append("INBOX", messages.numbered(1))
    stopped_database.stop()
    assert refusal(imap, *imap.append_parts("INBOX", messages.numbered(2))) in TEMPORARY_CODES
    stopped_database.start()
    imap.close()
    with frontends[0].imap(user) as imap:
        imap.append("INBOX", messages.numbered(3))
        imap.select("INBOX")
        assert list(imap.bodies().values()) == [messages.numbered(1), messages.numbered(3)]


def test_session_goes_on_after_outage(stopped_database, frontends, user):
    """One session, an idle connection lost in between: nobody notices."""
    with frontends[0].imap(user) as imap:
        imap.append("INBOX", messages.numbered(1))
        imap.select("INBOX")
        stopped_database.restart()
        imap.ok("STORE 1 +FLAGS (\\Flagged)")
        imap.append("INBOX", messages.numbered(2))
        imap.ok("NOOP")
        assert len(imap.search("ALL")) == 2


def test_delivery_while_database_is_away(stopped_database, frontends, user):
    stopped_database.stop()
    code, text = frontends[0].deliver(user, messages.numbered(1))
    assert 400 <= code < 500, (code, text)
    assert "host" not in text
    stopped_database.start()
    assert frontends[0].deliver(user, messages.numbered(2))[0] == 250
    with frontends[1].pop3(user) as pop3:
        assert len(pop3.sizes()) == 1


def test_lda_while_database_is_away(stopped_database, frontends, user):
    """dovecot-lda must exit with EX_TEMPFAIL, so that the MTA tries again."""
    stopped_database.stop()
    assert frontends[0].lda(user, messages.numbered(1)).returncode == os.EX_TEMPFAIL
    stopped_database.start()
    assert frontends[0].lda(user, messages.numbered(1)).returncode == os.EX_OK
