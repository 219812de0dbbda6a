"""Cases that read: SELECT, FETCH, LIST-STATUS, quota, POP3."""

import itertools
import random
import re
import time

from pgboxtest.imap import Literal
from pgboxtest.proxy import CountingProxy

from clients import FastImap, pop3_uidl
from mails import message, message_with_attachment
from measure import Case, Sample

MEGA = 1_000_000
PEAK_MEMORY = re.compile(r"VmHWM:\s+(\d+) kB")


class Session(Case):
    """A case with one logged-in session for each side."""

    def __init__(self, bench):
        super().__init__(bench)
        self.user = None
        self.clients = {}

    def connect(self, side):
        """A new session in place of the last one."""
        if side.name in self.clients:
            self.clients[side.name].logout()
        self.clients[side.name] = FastImap(side.server(), self.user)
        return self.clients[side.name]

    def finish(self, outcome):
        for client in self.clients.values():
            client.logout()


class SelectWarm(Session):
    name = "select-warm"
    title = "SELECT of 100,000, warm"
    target = "<= 1.0 + 2 ms"
    limit = 1.0
    extra_ms = 2.0
    rounds = 7
    repeat = 10

    def __init__(self, bench):
        super().__init__(bench)
        self.user = bench.large_user()

    def setup(self, side):
        imap = self.connect(side)
        imap.command("CREATE other")
        imap.run("SELECT INBOX")

    def sample(self, side):
        imap = self.clients[side.name]
        seconds = 0.0
        for _ in range(self.repeat):
            imap.run("UNSELECT")
            seconds += imap.timed("SELECT INBOX")
        return Sample(seconds, self.repeat)


class SelectAfterChange(SelectWarm):
    """Another session flags one message, at another frontend if there is one."""

    name = "select-changed"
    title = "SELECT of 100,000 after one change elsewhere"
    target = "<= 1.0 + 3 ms"
    extra_ms = 3.0

    def __init__(self, bench):
        super().__init__(bench)
        self.changers = {}
        self.sign = itertools.cycle("+-")

    def setup(self, side):
        super().setup(side)
        self.changers[side.name] = FastImap(side.server("other"), self.user)
        self.changers[side.name].run("SELECT INBOX")

    def sample(self, side):
        imap, changer = self.clients[side.name], self.changers[side.name]
        seconds = 0.0
        for number in range(self.repeat):
            imap.run("UNSELECT")
            changer.run(f"STORE {number + 1} {next(self.sign)}FLAGS (\\Answered)")
            seconds += imap.timed("SELECT INBOX")
        return Sample(seconds, self.repeat)

    def finish(self, outcome):
        super().finish(outcome)
        for client in self.changers.values():
            client.logout()


class SelectLogin(SelectWarm):
    """With the login before it: a new process, and a new connection to the database."""

    name = "select-login"
    title = "LOGIN and SELECT of 100,000, warm"
    target = "none"
    limit = None
    purpose = "main"

    def sample(self, side):
        seconds = 0.0
        for _ in range(self.repeat):
            start = time.perf_counter()
            imap = FastImap(side.server(self.purpose), self.user)
            imap.run("SELECT INBOX")
            seconds += time.perf_counter() - start
            imap.logout()
        return Sample(seconds, self.repeat)


class SelectLoginReused(SelectLogin):
    """As operate.md advises: a process that has served others, and has its connection."""

    name = "select-login-reused"
    title = "LOGIN and SELECT of 100,000, warm, processes reused"
    purpose = "reuse"


class SelectFirst(Session):
    """A frontend that has never seen the mailbox."""

    name = "select-first"
    title = "SELECT of 100,000, first open on a new frontend"
    target = "<= 1.5 s"
    pgbox_only = True
    limit_ms = 1500
    rounds = 5

    def __init__(self, bench):
        super().__init__(bench)
        self.user = bench.large_user()

    def reset(self, side):
        if side.name in self.clients:
            self.clients.pop(side.name).logout()
        side.server().clear_cache(self.user)
        self.connect(side)

    def sample(self, side):
        return Sample(self.clients[side.name].timed("SELECT INBOX"))


class Fetch(Session):
    """FETCH 1:* of the full mailbox."""

    items = "FLAGS UID RFC822.SIZE ENVELOPE"
    cold = False
    rounds = 5

    def __init__(self, bench):
        super().__init__(bench)
        self.user = bench.full_user()

    def setup(self, side):
        if not self.cold:
            imap = self.connect(side)
            imap.run("SELECT INBOX")

    def reset(self, side):
        if self.cold:
            if side.name in self.clients:
                self.clients.pop(side.name).logout()
            side.forget_cache(self.user)
            self.connect(side).run("SELECT INBOX")

    def sample(self, side):
        imap = self.clients[side.name]
        return Sample(imap.timed(f"FETCH 1:* ({self.items})"))


class FetchWarm(Fetch):
    name = "fetch-warm"
    title = "FETCH 1:* (FLAGS UID RFC822.SIZE ENVELOPE) of 20,000, warm"
    target = "<= 1.1"
    limit = 1.1


class FetchCold(Fetch):
    name = "fetch-cold"
    title = "FETCH 1:* (FLAGS UID RFC822.SIZE ENVELOPE) of 20,000, cold"
    target = "<= 0.5"
    limit = 0.5
    cold = True


class FetchStructure(Fetch):
    name = "fetch-structure"
    title = "FETCH 1:* BODYSTRUCTURE of 20,000, cold"
    target = "<= 0.5"
    limit = 0.5
    cold = True
    items = "BODYSTRUCTURE"


class FetchBodies(Fetch):
    name = "fetch-bodies"
    title = "FETCH of all bodies, 1.2 GB, MB/s"
    target = "throughput >= 0.7; <= 32 MB of memory"
    kind = "rate"
    limit = 0.7
    rounds = 3

    def sample(self, side):
        imap = self.clients[side.name]
        start = time.perf_counter()
        size = imap.run(f"FETCH {self.mails()} (BODY.PEEK[])")
        return Sample(time.perf_counter() - start, max(1, size // MEGA))

    def mails(self):
        """The sequence set."""
        return "1:*"

    def finish(self, outcome):
        for side in self.bench.sides:
            peak = max(map(peak_memory, side.server().processes("imap")))
            outcome.notes.append(f"peak memory of imap, {side.name}: {peak / 1024:.0f} MB")
            if side.name == "pgbox" and peak > 32 * 1024:
                outcome.holds = False
        super().finish(outcome)


class FetchSet(FetchBodies):
    """Every second message, each by its number."""

    name = "fetch-set"
    title = "FETCH of 1,000 bodies named one by one, MB/s"

    def mails(self):
        return ",".join(str(number) for number in range(1, self.size.mailbox + 1, 2)[:1000])


class FetchOne(Session):
    """A click: one message that nobody has read before."""

    name = "fetch-one"
    title = "FETCH of one body, at random"
    target = "<= 1.3"
    limit = 1.3
    rounds = 7

    def __init__(self, bench):
        super().__init__(bench)
        self.user = bench.full_user()
        self.choices = {}

    def setup(self, side):
        self.connect(side).run("SELECT INBOX")
        # the same messages on both sides, another one each time
        self.choices[side.name] = random.Random(1)

    def sample(self, side):
        imap, choice = self.clients[side.name], self.choices[side.name]
        numbers = [choice.randrange(self.size.mailbox) + 1 for _ in range(self.size.singles)]
        return Sample(sum(imap.timed(f"FETCH {number} (BODY.PEEK[])") for number in numbers),
                      len(numbers))


class FetchPreviews(Fetch):
    """The beginnings of the messages on the screens of a client that shows them."""

    name = "fetch-previews"
    title = "FETCH of 2,000 BODY[1]<0.500>, cold"
    target = "<= 1.2"
    limit = 1.2
    cold = True

    def sample(self, side):
        last = min(2000, self.size.mailbox)
        return Sample(self.clients[side.name].timed(f"FETCH 1:{last} (BODY.PEEK[1]<0.500>)"))


def peak_memory(pid):
    """KiB, shared libraries and mapped index files included."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as status:
        return int(PEAK_MEMORY.search(status.read())[1])


class FetchRange(Session):
    """The beginning of a large attachment."""

    name = "fetch-range"
    title = "FETCH BODY[2]<0.65536> of a 25 MB message, cold"
    target = "<= 1.5; < 1 MB transferred"
    limit = 1.5
    rounds = 9

    def __init__(self, bench):
        super().__init__(bench)
        self.user = bench.users(self.name, 1)[0]
        self.data = message_with_attachment(1, self.size.attachment)

    def setup(self, side):
        self.connect(side).run("APPEND INBOX ", Literal(self.data))

    def reset(self, side):
        self.clients.pop(side.name).logout()
        side.forget_cache(self.user)
        self.connect(side).run("SELECT INBOX")

    def sample(self, side):
        return Sample(self.clients[side.name].timed("FETCH 1 (BODY.PEEK[2]<0.65536>)"))

    def finish(self, outcome):
        super().finish(outcome)
        side = self.bench.side("pgbox")
        proxy = CountingProxy(side.lab.postgres.port)
        dsn = side.lab.postgres.frontend_dsn_at(proxy.port)
        server = side.lab.dovecot("pgbox", "proxied", plugin={"pgbox_dsn": dsn})
        with FastImap(server, self.user) as imap:
            imap.run("SELECT INBOX")
            with proxy.measured() as counts:
                imap.run("FETCH 1 (BODY.PEEK[2]<0.65536>)")
            imap.logout()
        server.stop()
        proxy.close()
        outcome.notes.append(f"{counts['received'] / 1000:.0f} KB transferred in "
                             f"{counts['round_trips']} round trips")
        if counts["received"] >= MEGA:
            outcome.holds = False


class ListStatus(Session):
    name = "list-status"
    title = "LIST RETURN (STATUS ...) of 500 folders"
    target = "<= 1.0; one query"
    limit = 1.0
    rounds = 7
    repeat = 5
    command = ('LIST "" "*" RETURN (STATUS (MESSAGES UNSEEN UIDNEXT UIDVALIDITY '
               'HIGHESTMODSEQ))')

    def __init__(self, bench):
        super().__init__(bench)
        self.user = bench.folder_user()

    def setup(self, side):
        self.connect(side)

    def sample(self, side):
        imap = self.clients[side.name]
        seconds = sum(imap.timed(self.command) for _ in range(self.repeat))
        return Sample(seconds, self.repeat)

    def finish(self, outcome):
        super().finish(outcome)
        if outcome.counts.round_trips > 1:
            outcome.holds = False


class ListStatusChanged(ListStatus):
    """As a client does it: a new session after mail has come into ten folders."""

    name = "list-status-new"
    title = "LOGIN and LIST-STATUS of 500 folders, 10 of them changed"
    target = "none"
    limit = None
    repeat = 1

    def reset(self, side):
        imap = self.clients[side.name]
        for number in range(min(10, self.size.folders)):
            imap.run(f'APPEND "folder {number}" ', Literal(message(number, 1000)))

    def sample(self, side):
        start = time.perf_counter()
        with FastImap(side.server(), self.user) as imap:
            imap.run(self.command)
            seconds = time.perf_counter() - start
        return Sample(seconds)

    def finish(self, outcome):
        for client in self.clients.values():
            client.logout()


class Quota(ListStatus):
    name = "quota"
    title = "GETQUOTAROOT of an account with 500 folders"
    command = "GETQUOTAROOT INBOX"

    def setup(self, side):
        self.clients[side.name] = FastImap(side.server("quota"), self.user)


class Pop3Login(Case):
    name = "pop3-login"
    title = "POP3 login with 20,000 messages and UIDL"
    target = "<= 1.0"
    limit = 1.0
    rounds = 7

    def __init__(self, bench):
        super().__init__(bench)
        self.user = bench.full_user()

    def sample(self, side):
        return Sample(pop3_uidl(side.server(), self.user))


CASES = [SelectWarm, SelectAfterChange, SelectLogin, SelectLoginReused, SelectFirst, FetchWarm,
         FetchCold, FetchStructure, FetchBodies, FetchSet, FetchOne, FetchPreviews, FetchRange,
         ListStatus, ListStatusChanged, Quota, Pop3Login]
