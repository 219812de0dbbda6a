"""A database that hangs: no command takes longer than both timeouts together.

`pytest -s` shows how long each took.
"""

import contextlib
import os
import signal
import socket
import threading
import time

import pytest

from pgboxtest import config, messages
from pgboxtest.imap import ConnectionLost, ImapClient
from pgboxtest.lmtp import LmtpClient
from pgboxtest.pop3 import Pop3Client, Pop3Error
from pgboxtest.process import child_pids, wait_until
from pgboxtest.proxy import CountingProxy

CONNECT, QUERY = 1, 2  # seconds
# two slow cores, and the machine may do something else
SLACK = 0.8
MESSAGE = messages.numbered(7, size=20_000)


@pytest.fixture(scope="module")
def expected_log():
    return [r"Error: "]


class HoldingProxy(CountingProxy):
    """Can keep for itself what it should forward, as a network does that has lost its way."""

    def __init__(self, target_port):
        super().__init__(target_port)
        self.open = threading.Event()
        self.open.set()

    def passes(self, data):
        return self.open.wait()


@pytest.fixture(scope="module")
def behind_proxy(lab):
    """(proxy, frontend): the frontend reaches the database only through the proxy."""
    if lab.tested != "pgbox":
        pytest.skip("only pgbox has a database")
    proxy = HoldingProxy(lab.postgres.port)
    dsn = lab.postgres.frontend_dsn_at(proxy.port)
    server = lab.dovecot("tested", "hangs", plugin={
        "pgbox_dsn": dsn, "pgbox_connect_timeout": f"{CONNECT}s", "pgbox_query_timeout": f"{QUERY}s",
    }, extra=config.protocol("imap", "imap_fetch_failure = no-after\n"))
    yield proxy, server
    server.stop()
    proxy.close()


# hangs

@contextlib.contextmanager
def stopped(lab, _proxy, _user):
    """SIGSTOP of all of PostgreSQL, the postmaster first: it starts no others then."""
    postmaster = lab.postgres.process.pid
    os.kill(postmaster, signal.SIGSTOP)
    pids = [postmaster, *child_pids(postmaster)]
    for pid in pids[1:]:
        os.kill(pid, signal.SIGSTOP)
    yield
    for pid in reversed(pids):
        os.kill(pid, signal.SIGCONT)


@contextlib.contextmanager
def blackholed(_lab, proxy, _user):
    proxy.open.clear()
    yield
    proxy.open.set()


@contextlib.contextmanager
def locked(lab, _proxy, user):
    """Another session has the rows of all mailboxes of the account."""
    with lab.postgres.holding("select from pgbox.mailbox join pgbox.account using (account_id) "
                              f"where account.name = '{user}' for update of mailbox"):
        yield


# Commands: functions that get ready and return what is to be measured. That returns "OK" or
# "NO", and the client.

def imap(command):
    def prepare(server, user):
        client = server.imap(user)
        client.select("INBOX")
        parts = (command,) if isinstance(command, str) else client.append_parts(*command)
        return lambda: (client.command(*parts).status.word, client)
    return prepare


def idle(server, user):
    client = server.imap(user)
    client.select("INBOX")

    def run():
        with client.idle():
            pass
        return "OK", client
    return run


def login(server, user):
    client = server.imap(None)

    def run():
        return client.command(f"LOGIN {user} x").status.word, client
    return run


def lmtp(server, user):
    """The process has delivered before, so that it has a connection."""
    client = LmtpClient(server.lmtp_port)
    assert client.deliver(user, MESSAGE)[0] == 250

    def run():
        code, _text = client.deliver(user, MESSAGE)
        return "OK" if code == 250 else "NO", client
    return run


def lmtp_data(server, user):
    """The database hangs when the recipient is accepted already."""
    client = LmtpClient(server.lmtp_port)
    client.command("MAIL FROM:<a@example.org>")
    client.command(f"RCPT TO:<{user}>")
    client.command("DATA")

    def run():
        client.send_data(MESSAGE)
        return "OK" if client.answer()[0] == 250 else "NO", client
    return run


def pop3_login(server, user):
    return lambda: ("OK", Pop3Client(server.pop3_port, user))


def pop3_retrieve(server, user):
    client = server.pop3(user)

    def run():
        data = client.retrieve(1)
        assert data.endswith(messages.numbered(0, size=20_000)), f"{len(data)} octets"
        return "OK", client
    return run


def pop3_delete(server, user):
    client = server.pop3(user)
    client.command("DELE 1")

    def run():
        client.command("QUIT")
        return "OK", client
    return run


COMMANDS = {
    "LOGIN": login,
    "SELECT": imap("SELECT box"),
    "STATUS": imap("STATUS box (MESSAGES UNSEEN)"),
    "LIST": imap('LIST "" "*"'),
    "NOOP": imap("NOOP"),
    "IDLE, DONE": idle,
    "FETCH 1 BODY[]": imap("FETCH 1 BODY.PEEK[]"),
    "FETCH 1:* BODY[]": imap("FETCH 1:* BODY[]"),
    "FETCH 1:* FLAGS": imap("FETCH 1:* (UID FLAGS ENVELOPE)"),
    "STORE": imap("STORE 1:* +FLAGS (\\Flagged)"),
    "APPEND": imap(("INBOX", MESSAGE)),
    "COPY": imap("COPY 1 box"),
    "MOVE": imap("MOVE 2 box"),
    "EXPUNGE": imap("EXPUNGE"),
    "SEARCH": imap("SEARCH BODY hello UNSEEN"),
    "SORT": imap("SORT (SUBJECT) UTF-8 ALL"),
    "CREATE": imap("CREATE new"),
    "CLOSE": imap("CLOSE"),
    "LMTP": lmtp,
    "LMTP DATA": lmtp_data,
    "POP3 login": pop3_login,
    "POP3 RETR": pop3_retrieve,
    "POP3 QUIT": pop3_delete,
}


class Measurement(threading.Thread):
    """One command in a session of its own."""

    def __init__(self, name, run):
        super().__init__(daemon=True)
        self.name = name
        self.run_command = run
        self.client = None
        self.outcome = "lost: no answer"
        self.seconds = 60

    def run(self):
        start = time.monotonic()
        try:
            self.outcome, self.client = self.run_command()
        except Pop3Error:
            self.outcome = "NO"
        except (ConnectionLost, ConnectionError, socket.timeout, AssertionError) as error:
            self.outcome = f"lost: {error!r}"
        self.seconds = time.monotonic() - start


def measure(lab, server, proxy, hang, account):
    """All commands at once, in sessions begun before the hang; {name: Measurement}."""
    found = {name: Measurement(name, prepare(server, account))
             for name, prepare in COMMANDS.items()}
    with hang(lab, proxy, account):
        for measurement in found.values():
            measurement.start()
        for measurement in found.values():
            measurement.join(60)
    print(f"\n{hang.__name__}")
    for name, measurement in found.items():
        print(f"  {name:20} {measurement.seconds:6.2f} s  {measurement.outcome}")
    return found


@pytest.fixture
def account(behind_proxy, user):
    _proxy, server = behind_proxy
    with server.imap(user) as client:
        client.ok("CREATE box")
        for number in range(3):
            client.append("INBOX", messages.numbered(number, size=20_000))
    # what is read is not in the cache of this host
    server.clear_cache(user)
    return user


@pytest.mark.parametrize("hang", [stopped, blackholed, locked])
def test_longest_time(lab, behind_proxy, account, hang):
    proxy, server = behind_proxy
    found = measure(lab, server, proxy, hang, account)
    late = {name: f"{m.seconds:.2f} s" for name, m in found.items()
            if m.seconds > CONNECT + QUERY + SLACK}
    assert not late
    assert found["LOGIN"].seconds < CONNECT + SLACK
    assert not [name for name, m in found.items() if m.outcome.startswith("lost")]
    for name, measurement in found.items():
        if isinstance(measurement.client, ImapClient):
            wait_until(lambda client=measurement.client: client.command("STATUS box (MESSAGES)").ok,
                       f"the session of {name} to go on")


def test_pipelined(lab, behind_proxy, account):
    """Each of two commands that were sent at once has its own time."""
    proxy, server = behind_proxy
    with server.imap(account) as client:
        client.select("INBOX")
        with locked(lab, proxy, account):
            start = time.monotonic()
            results = client.pipelined("STORE 1 +FLAGS (\\Flagged)", "STORE 2 +FLAGS (\\Flagged)")
            seconds = time.monotonic() - start
        assert [result.status.word for result in results] == ["NO", "NO"]
        assert 2 * QUERY <= seconds < 2 * (CONNECT + QUERY) + SLACK
