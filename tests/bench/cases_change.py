"""Cases that change mails: STORE, EXPUNGE, COPY, MOVE, and sessions that do everything."""

import random
import time

from pgboxtest.imap import Literal

from cases_read import Session
from clients import FastImap, ServerRefused, in_parallel
from mails import append_many, message, text_of
from measure import Case, Sample


class StoreAll(Session):
    """STORE over the whole mailbox."""

    name = "store-flags"
    title = "STORE 1:20000 +FLAGS"
    target = "<= 1.0"
    limit = 1.0
    rounds = 5
    flag = "\\Flagged"
    item = "FLAGS"

    def __init__(self, bench):
        super().__init__(bench)
        self.user = bench.full_user()

    def setup(self, side):
        self.connect(side).run("SELECT INBOX")
        self.reset(side)

    def reset(self, side):
        self.clients[side.name].run(f"STORE 1:* -FLAGS.SILENT ({self.flag})")

    def sample(self, side):
        return Sample(self.clients[side.name].timed(f"STORE 1:* +{self.item} ({self.flag})"))

    def finish(self, outcome):
        for side in self.bench.sides:
            self.reset(side)
        super().finish(outcome)


class StoreSilent(StoreAll):
    """Without the answers, which cost both sides the same."""

    name = "store-silent"
    title = "STORE 1:20000 +FLAGS.SILENT"
    item = "FLAGS.SILENT"


class StoreKeyword(StoreAll):
    name = "store-keyword"
    title = "STORE 1:20000 +FLAGS of one keyword"
    flag = "$Label1"


class Bulk(Session):
    """Works on copies of the first 5,000 messages."""

    target = "<= 1.0"
    limit = 1.0
    rounds = 5

    def __init__(self, bench):
        super().__init__(bench)
        self.user = bench.full_user()
        self.count = self.size.part

    def setup(self, side):
        imap = self.connect(side)
        for number in (1, 2):
            imap.run(f"CREATE {self.name}-{number}")
        imap.run("SELECT INBOX")

    def empty(self, side, mailbox):
        imap = self.clients[side.name]
        imap.run(f"SELECT {mailbox}")
        if imap.status(mailbox, "MESSAGES")["MESSAGES"]:
            imap.run("STORE 1:* +FLAGS.SILENT (\\Deleted)")
            imap.run("CLOSE")

    def finish(self, outcome):
        for side in self.bench.sides:
            self.connect(side)
            for number in (1, 2):
                self.clients[side.name].run(f"DELETE {self.name}-{number}")
        super().finish(outcome)


class Expunge(Bulk):
    name = "expunge"
    title = "EXPUNGE of 5,000"

    def reset(self, side):
        imap = self.clients[side.name]
        imap.run("SELECT INBOX")
        imap.run(f"COPY 1:{self.count} {self.name}-1")
        imap.run(f"SELECT {self.name}-1")
        imap.run("STORE 1:* +FLAGS.SILENT (\\Deleted)")

    def sample(self, side):
        return Sample(self.clients[side.name].timed("EXPUNGE"))


class Copy(Bulk):
    name = "copy"
    title = "COPY of 5,000"

    def reset(self, side):
        self.empty(side, f"{self.name}-1")
        self.clients[side.name].run("SELECT INBOX")

    def sample(self, side):
        return Sample(self.clients[side.name].timed(f"COPY 1:{self.count} {self.name}-1"))


class Move(Bulk):
    """From one of two mailboxes to the other and back."""

    name = "move"
    title = "MOVE of 5,000"

    def __init__(self, bench):
        super().__init__(bench)
        self.place = {}

    def setup(self, side):
        super().setup(side)
        self.clients[side.name].run(f"COPY 1:{self.count} {self.name}-1")
        self.place[side.name] = 1

    def reset(self, side):
        self.clients[side.name].run(f"SELECT {self.name}-{self.place[side.name]}")

    def sample(self, side):
        self.place[side.name] = 3 - self.place[side.name]
        return Sample(self.clients[side.name].timed(
            f"MOVE 1:{self.count} {self.name}-{self.place[side.name]}"))


class StoreSingle(Session):
    """The everyday click: one flag of one message."""

    name = "store-single"
    title = "single STORE"
    target = "<= sdbox + 1.5 ms"
    limit = 1.0
    extra_ms = 1.5
    rounds = 7
    command = "STORE {number} {sign}FLAGS (\\Seen)"

    def __init__(self, bench):
        super().__init__(bench)
        self.user = bench.full_user()
        self.rounds_done = {}

    def setup(self, side):
        imap = self.connect(side)
        imap.command("CREATE single")
        imap.run("SELECT INBOX")

    def sample(self, side):
        imap = self.clients[side.name]
        done = self.rounds_done[side.name] = self.rounds_done.get(side.name, 0) + 1
        sign = "+" if done % 2 else "-"
        commands = [self.command.format(number=n + 1, sign=sign)
                    for n in range(min(self.size.singles, self.size.mailbox))]
        start = time.perf_counter()
        for command in commands:
            imap.run(command)
        return Sample(time.perf_counter() - start, len(commands))


class CopySingle(StoreSingle):
    name = "copy-single"
    title = "single COPY"
    command = "COPY {number} single"

    def finish(self, outcome):
        for side in self.bench.sides:
            self.clients[side.name].run("DELETE single")
        super().finish(outcome)


class Mixed(Case):
    """Ten users, each with the same number of connections, do what clients do."""

    kind = "rate"
    target = "commands a second >= 0.8"
    limit = 0.8
    rounds = 3
    connections = 10
    users = 10

    def __init__(self, bench):
        super().__init__(bench)
        self.names = bench.users(self.name, self.users)
        self.commands = self.size.mixed // self.connections
        self.clients = {}
        self.seed = 0

    def setup(self, side):
        for name in self.names:
            append_many(side.server("fill"), name, "INBOX", min(200, self.size.part),
                        text_of(lambda _number: 4000))
            with FastImap(side.server(), name) as imap:
                for folder in ("Archive", "Sent", "Trash"):
                    imap.run(f"CREATE {folder}")
        self.clients[side.name] = [FastImap(side.server(), self.names[n % self.users])
                                   for n in range(self.connections)]

    def reset(self, side):
        for imap in self.clients[side.name]:
            imap.run("SELECT INBOX")

    def sample(self, side):
        self.seed += 1
        seed = self.seed // len(self.bench.sides)
        return Sample(in_parallel([
            lambda n=n, imap=imap: self._session(imap, random.Random(seed * 1000 + n))
            for n, imap in enumerate(self.clients[side.name])]),
            self.commands * self.connections)

    def _session(self, imap, choice):
        for _ in range(self.commands):
            kind = choice.random()
            uid = choice.randrange(1, 200)
            if kind < 0.04:
                imap.run('LIST "" "*"')
            elif kind < 0.12:
                imap.run(f"STATUS {choice.choice(('Archive', 'Sent', 'Trash'))} "
                         "(MESSAGES UNSEEN)")
            elif kind < 0.18:
                imap.run(f"SELECT {choice.choice(('INBOX', 'INBOX', 'Archive'))}")
            elif kind < 0.48:
                imap.run(f"UID FETCH {uid}:{uid + 20} (UID FLAGS RFC822.SIZE ENVELOPE)")
            elif kind < 0.63:
                imap.run(f"UID FETCH {uid} (BODY.PEEK[])")
            elif kind < 0.83:
                imap.run(f"UID STORE {uid} {choice.choice('+-')}FLAGS (\\Seen)")
            elif kind < 0.88:
                self._copy(imap, uid)
            elif kind < 0.93:
                folder = choice.choice(("INBOX", "Sent"))
                imap.run(f"APPEND {folder} ", Literal(message(uid, 4000)))
            elif kind < 0.95:
                imap.run(f"UID STORE {uid} +FLAGS.SILENT (\\Deleted)")
            elif kind < 0.97:
                imap.run("EXPUNGE")
            else:
                imap.run("NOOP")

    @staticmethod
    def _copy(imap, uid):
        try:
            imap.run(f"UID COPY {uid} Archive")
        except ServerRefused as refused:
            # expunged by another connection that this one has not heard of
            if "EXPUNGEISSUED" not in str(refused):
                raise

    def finish(self, outcome):
        for clients in self.clients.values():
            for client in clients:
                client.logout()


class Mixed10(Mixed):
    name = "mixed-10"
    title = "10 users' mixed sessions, 10 connections"


class Mixed50(Mixed):
    name = "mixed-50"
    title = "10 users' mixed sessions, 50 connections"
    connections = 50


CASES = [StoreAll, StoreSilent, StoreKeyword, Expunge, Copy, Move, StoreSingle, CopySingle, Mixed10, Mixed50]
