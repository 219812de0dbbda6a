"""Deliveries, appends and STOREs that go on while things are killed under them."""

import dataclasses
import threading

from pgboxtest import messages
from pgboxtest.imap import ImapClient
from pgboxtest.lmtp import LmtpClient

FLAGS = ("\\Flagged", "Marked")


@dataclasses.dataclass
class Ledger:
    """Message numbers and whether they were acknowledged; last keyword state of UIDs."""

    acknowledged: set = dataclasses.field(default_factory=set)
    in_doubt: set = dataclasses.field(default_factory=set)
    stored: dict = dataclasses.field(default_factory=dict)   # uid -> set of allowed states
    answers: list = dataclasses.field(default_factory=list)  # refusals, to judge their texts


class Progress:
    """Counts acknowledged operations, keeps the actors abreast, lets others wait for a number.

    Abreast because a killed service may pause for seconds (Dovecot throttles one that dies
    while it starts): the others must not reach the goal alone meanwhile.
    """

    LEAD = 5

    def __init__(self, goal):
        self.goal = goal
        self.counts = {}
        self.failed = None
        self.changed = threading.Condition()

    @property
    def done(self):
        return min(self.counts.values(), default=0) * len(self.counts)

    @property
    def over(self):
        return self.failed is not None or self.done >= self.goal

    def join(self, name):
        self.counts[name] = 0

    def add(self, name):
        """Count one operation, then wait until the slowest is not far behind."""
        with self.changed:
            self.counts[name] += 1
            self.changed.notify_all()
            self.changed.wait_for(lambda: self.over or self.counts[name]
                                  <= min(self.counts.values()) + self.LEAD)

    def fail(self, error):
        with self.changed:
            self.failed = error
            self.changed.notify_all()

    def wait_for(self, number, timeout=120):
        """Wait until `number` operations are done; False when the run is over before."""
        with self.changed:
            reached = self.changed.wait_for(lambda: self.over or self.done >= number, timeout)
            assert reached, f"no progress beyond {self.counts}, the goal is {self.goal} in all"
            return not self.over


class Actor(threading.Thread):
    """Repeats one kind of operation until the goal is reached, reconnecting when needed."""

    def __init__(self, name, server, user, progress):
        super().__init__(name=name, daemon=True)
        self.server = server
        self.user = user
        self.progress = progress
        progress.join(name)
        self.ledger = Ledger()
        self.client = None

    def run(self):
        try:
            while not self.progress.over:
                self._once()
            self._disconnect()
        except Exception as error:  # pylint: disable=broad-except
            self.progress.fail(error)

    def _once(self):
        try:
            if self.client is None:
                self.client = self.connect()
            if self.operate():
                self.progress.add(self.name)
        except (OSError, AssertionError) as error:
            # killed under our hands, or refused at login: the next round connects anew
            self.ledger.answers.append(repr(error))
            self._disconnect()

    def _disconnect(self):
        if self.client is not None:
            self.client.close()
            self.client = None

    def connect(self):
        raise NotImplementedError

    def operate(self):
        """One operation; whether it was acknowledged."""
        raise NotImplementedError


class Numbered(Actor):
    """An actor that adds messages, each number once and never again."""

    def __init__(self, index, *args):
        super().__init__(*args)
        self.next_number = index * 1_000_000

    def new_message(self):
        """A number that is in doubt from now on, and its message."""
        self.next_number += 1
        self.ledger.in_doubt.add(self.next_number)
        return self.next_number, messages.numbered(self.next_number, size=20_000)

    def settle(self, number, acknowledged):
        self.ledger.in_doubt.discard(number)
        if acknowledged:
            self.ledger.acknowledged.add(number)
        return acknowledged


class Deliverer(Numbered):
    """LMTP deliveries."""

    def connect(self):
        return LmtpClient(self.server.lmtp_port)

    def operate(self):
        number, data = self.new_message()
        code, text = self.client.deliver(self.user, data)
        if code != 250:
            self.ledger.answers.append(f"{code} {text}")
        if 400 <= code < 500:
            return False  # in doubt: a lost commit may be answered so
        return self.settle(number, code == 250)


class Appender(Numbered):
    """IMAP APPEND with flags."""

    def connect(self):
        return ImapClient(self.server.imap_port, self.user)

    def operate(self):
        number, data = self.new_message()
        result = self.client.command(*ImapClient.append_parts("INBOX", data, FLAGS))
        if not result.ok:
            self.ledger.answers.append(repr(result.status))
            return False
        return self.settle(number, True)


class Storer(Actor):
    """STORE of one keyword on prepared messages, on and off."""

    keyword = "Toggled"

    def __init__(self, uids, *args):
        super().__init__(*args)
        self.uids = uids
        self.round = 0

    def connect(self):
        client = ImapClient(self.server.imap_port, self.user)
        client.select("INBOX")
        return client

    def operate(self):
        self.round += 1
        uid = self.uids[self.round % len(self.uids)]
        wanted = self.round // len(self.uids) % 2 == 0
        before = self.ledger.stored.get(uid, {False})
        self.ledger.stored[uid] = before | {wanted}
        sign = "+" if wanted else "-"
        result = self.client.command(f"UID STORE {uid} {sign}FLAGS.SILENT ({self.keyword})")
        if not result.ok:
            self.ledger.answers.append(repr(result.status))
            return False
        self.ledger.stored[uid] = {wanted}
        return True
