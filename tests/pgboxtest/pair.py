"""Two hosts that share nothing but the database, and two sessions of one user on them."""

import contextlib
import os
import secrets

import pytest

from . import messages
from .process import wait_until
from .services import wait_for_notify


class Pair:
    """Two hosts of one kind:

    sdbox     the oracle: one host that counts as both
    alone     frontends of the backend under test, without pgbox-notify
    notified  the same with pgbox-notify, as shipped
    """

    KINDS = ("sdbox", "alone", "notified")

    def __init__(self, kind, hosts):
        self.kind = kind
        self.hosts = hosts

    def settle(self):
        """Wait until each host was notified of all that was answered on the other one.

        Without the service there is nothing to wait for: then a command has to ask.
        """
        if self.kind != "notified":
            return
        one, two = self.hosts
        # a service looks at its own FIFO after it has written to all files of a notification
        pass_on([(one, two), (two, one)])
        pass_on([(one, one), (two, two)])


def pass_on(ways):
    """Have notifications sent from one host's service to another one's; wait for them.

    What is told to a service is passed on in order, but within 50 ms in one notification.
    """
    files = []
    for teller, told in ways:
        name = secrets.token_hex(16)
        files.append(os.path.join(told.notify_directory, name))
        with open(files[-1], "wb"):
            os.chmod(files[-1], 0o666)
        with open(teller.path("run", "pgbox-notify"), "wb") as fifo:
            fifo.write(name.encode() + b"\n")
    for file in files:
        wait_until(lambda file=file: os.path.getsize(file), "a notification", interval=0.001)
        os.unlink(file)


@contextlib.contextmanager
def hosts_of_kind(lab, kind, name, **options):
    """A Pair for a fixture; `options` are those of Lab.dovecot()."""
    if kind == "notified" and lab.tested != "pgbox":
        pytest.skip("only pgbox has this")
    backend = "sdbox" if kind == "sdbox" else "tested"
    names = [name] if kind == "sdbox" else [f"{name}-{kind}-{letter}" for letter in "ab"]
    servers = [lab.dovecot(backend, name, notify=kind == "notified", **options) for name in names]
    if kind == "notified":
        wait_for_notify(*servers)
    yield Pair(kind, servers if len(servers) == 2 else servers * 2)
    for server in servers:
        server.stop()


class TwoSessions:
    """`a` on the first host and `b` on the second one; both have selected `w` with two mails,
    and there is `t`."""

    def __init__(self, pair, user, flags=()):
        self.pair = pair
        self.user = user
        self.clients = []
        self.a, self.b = self.session(0), self.session(1)
        for name in "wt":
            self.a.ok(f"CREATE {name}")
        for number in (1, 2):
            self.a.append("w", messages.numbered(number), flags)
        for client in (self.a, self.b):
            client.select("w")

    def session(self, host):
        client = self.pair.hosts[host].imap(self.user)
        self.clients.append(client)
        return client

    def settle(self):
        self.pair.settle()

    def mails(self, mailbox, user=None):
        """What is in a mailbox, for a session that knows nothing yet: [(number, flags)]."""
        with self.pair.hosts[1].imap(user or self.user) as imap:
            imap.select(mailbox, verb="EXAMINE")
            found = imap.fetch("1:*", "FLAGS ENVELOPE") if imap.search("ALL") else {}
        return [(int(values["ENVELOPE"][1].split()[-1]), plain(values["FLAGS"]))
                for _uid, values in sorted(found.items())]

    def close(self):
        for client in self.clients:
            client.close()


def plain(flags):
    """Flags as a set of strings, without \\Recent."""
    return {bytes(flag).decode() for flag in flags} - {"\\Recent"}
