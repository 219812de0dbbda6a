"""Cases that add messages: LMTP, APPEND, MULTIAPPEND, doveadm backup, stored size."""

import itertools
import os
import re
import statistics
import subprocess
import time

from pgboxtest import config
from pgboxtest.imap import Literal
from pgboxtest.postgres import DATABASE

from clients import FastImap, FastLmtp, in_parallel
from mails import (MULTIAPPEND, append_many, message, message_with_attachment, multiply,
                   realistic, remove_maildir, text_of, write_maildir)
from measure import Case, Sample

KILO = 1000
DELIVERY_SIZE = 10 * KILO
REALISTIC_MAILS = 100  # different ones in deliveries; pgbench takes no more than 128 scripts


class BareInsert:
    """INSERT of the same octets into a table of two columns, each with its commit, by pgbench,
    which chooses one of the mails for each."""

    def __init__(self, bench, name, mails):
        self.postgres = bench.lab.postgres
        directory = os.path.join(self.postgres.directory, f"bare-{name}")
        os.mkdir(directory)
        self.scripts = [os.path.join(directory, f"{number}.sql") for number in range(len(mails))]
        self.postgres.sql("create table if not exists public.bare "
                          "(id bigint generated always as identity, data bytea)")
        self.postgres.sql("alter table public.bare alter column data set storage external")
        for path, mail in zip(self.scripts, mails):
            text = mail.decode().translate({13: ".", 10: ".", 39: "_", 58: "_"})
            with open(path, "w", encoding="ascii") as script:
                script.write(f"insert into public.bare (data) values ('{text}');\n")

    def run(self, clients, count):
        """`count` inserts in all."""
        each = max(1, count // clients)
        self.postgres.sql("truncate public.bare")
        files = [argument for path in self.scripts for argument in ("-f", path)]
        done = subprocess.run([f"{self.postgres.bindir}/pgbench", "-n", "-M", "prepared", "-c",
                        str(clients), "-j", str(min(2, clients)), "-t", str(each), *files,
                        "-h", self.postgres.directory,
                        "-p", str(self.postgres.port), "-U", "postgres", DATABASE],
                       check=True, capture_output=True, text=True)
        rate = float(re.search(r"tps = ([\d.]+)", done.stdout)[1])
        return Sample(each * clients / rate, each * clients)


class Delivery(Case):
    """LMTP: so many connections deliver to so many users."""

    kind = "rate"
    rounds = 7
    limit = 1.0
    bare_limit = 0.6
    target = "rate >= 1.0; 1 round trip, 1 commit; >= 0.6 of bare INSERT"
    connections = 1
    users = 1

    def __init__(self, bench):
        super().__init__(bench)
        self.mails = [realistic(number) for number in range(REALISTIC_MAILS)]
        self.names = bench.users(self.name, self.users)
        self.count = self.size.deliveries * (2 if self.connections > 1 else 1)
        self.insert = BareInsert(bench, self.name, self.mails)
        self.clients = {}

    def setup(self, side):
        self.clients[side.name] = [FastLmtp(side.server()) for _ in range(self.connections)]
        for name, client in zip(self.names, itertools.cycle(self.clients[side.name])):
            client.deliver(name, self.mails[0])

    def sample(self, side):
        each = self.count // self.connections

        def work(number, client):
            names = itertools.cycle(self.names[number % self.users:]
                                    + self.names[:number % self.users])
            mails = itertools.cycle(self.mails[number:] + self.mails[:number])
            for name, mail in itertools.islice(zip(names, mails), each):
                client.deliver(name, mail)

        seconds = in_parallel([lambda n=n, c=c: work(n, c)
                               for n, c in enumerate(self.clients[side.name])])
        return Sample(seconds, each * self.connections)

    def bare(self):
        return self.insert.run(self.connections, self.count)

    def finish(self, outcome):
        if outcome.counts.round_trips > 1.05 or outcome.counts.commits > 1.05:
            outcome.holds = False
        for client in itertools.chain(*self.clients.values()):
            client.close()


class Lmtp1(Delivery):
    name = "lmtp-1-one"
    title = "LMTP, 1 connection, one user"


class Lmtp8(Delivery):
    name = "lmtp-8-one"
    title = "LMTP, 8 connections, one user"
    connections = 8


class Lmtp1Many(Delivery):
    name = "lmtp-1-many"
    title = "LMTP, 1 connection, 40 users"
    users = 40


class Lmtp8Many(Delivery):
    name = "lmtp-8-many"
    title = "LMTP, 8 connections, 40 users"
    connections = 8
    users = 40


class Append(Case):
    """APPEND of one message at a time in one session."""

    kind = "rate"
    rounds = 7
    limit = 1.0
    target = "rate >= 1.0"
    octets = DELIVERY_SIZE
    divisor = 1
    make = staticmethod(message)

    def __init__(self, bench):
        super().__init__(bench)
        self.user = bench.users(self.name, 1)[0]
        self.data = self.make(1, self.octets)
        self.count = max(2, self.size.deliveries // self.divisor)
        self.clients = {}

    def setup(self, side):
        self.clients[side.name] = FastImap(side.server(), self.user)

    def sample(self, side):
        imap = self.clients[side.name]
        start = time.perf_counter()
        for _ in range(self.count):
            imap.run("APPEND INBOX ", Literal(self.data))
        return Sample(time.perf_counter() - start, self.count)

    def finish(self, outcome):
        for client in self.clients.values():
            client.logout()


class Append10k(Append):
    name = "append-10k"
    title = "APPEND 10 KB"


class Append100k(Append):
    name = "append-100k"
    title = "APPEND 100 KB, with attachment"
    octets = 100 * KILO
    divisor = 3
    make = staticmethod(message_with_attachment)  # a text of that size compresses too well


class Append10m(Append):
    name = "append-10m"
    title = "APPEND 10 MB, with attachment"
    octets = 10 * KILO * KILO
    divisor = 100
    rounds = 5
    make = staticmethod(message_with_attachment)


class Multiappend(Append):
    name = "multiappend"
    title = f"MULTIAPPEND of {MULTIAPPEND} messages, messages/s"
    rounds = 5

    def __init__(self, bench):
        super().__init__(bench)
        number = min(MULTIAPPEND, self.size.part)
        self.messages = [realistic(n) for n in range(number)]

    def sample(self, side):
        imap = self.clients[side.name]
        return Sample(imap.timed(*imap.multiappend("INBOX", self.messages)), len(self.messages))


class BackupIn(Case):
    """doveadm backup -R from a Maildir into an empty account."""

    name = "backup-in"
    title = "doveadm backup of 20,000 messages in"
    kind = "time"
    rounds = 3
    limit = 1.0
    target = "<= 1.0"

    def __init__(self, bench):
        super().__init__(bench)
        self.numbers = itertools.count(1)
        self.user = None
        self.source = config.Location("maildir", bench.maildir(), "MEMORY")

    def reset(self, side):
        self.user = f"{self.name}-{next(self.numbers)}"
        side.server().user_home(self.user)

    def sample(self, side):
        start = time.perf_counter()
        side.server().doveadm("backup", "-R", "-u", self.user, *self.source.arguments())
        return Sample(time.perf_counter() - start)

    def finish(self, outcome):
        server = self.bench.side("pgbox").server()
        got = server.doveadm("mailbox", "status", "-u", self.user, "messages", "INBOX").stdout
        if f"messages={self.size.mailbox}".encode() not in got:
            outcome.holds = False
            outcome.notes.append(f"incomplete: {got.decode().strip()}")


class BackupOut(Case):
    """doveadm backup into an empty Maildir."""

    name = "backup-out"
    title = "doveadm backup of 20,000 messages out"
    kind = "time"
    rounds = 3
    limit = 1.5
    target = "<= 1.5"

    def __init__(self, bench):
        super().__init__(bench)
        self.user = bench.full_user()
        self.path = None
        self.numbers = itertools.count(1)

    def reset(self, side):
        if self.path:
            remove_maildir(self.path)
        self.path = os.path.join(self.bench.memory_directory(), f"out-{next(self.numbers)}")

    def sample(self, side):
        start = time.perf_counter()
        # the Maildir is not what is measured: a disk would hide the reading
        side.server().doveadm("-o", "mail_fsync=never", "backup", "-u", self.user,
                              f"maildir:{self.path}")
        return Sample(time.perf_counter() - start)

    def finish(self, outcome):
        found = sum(len(os.listdir(os.path.join(self.path, name))) for name in ("cur", "new"))
        if found != self.size.mailbox:
            outcome.holds = False
            outcome.notes.append(f"incomplete: {found} messages")
        remove_maildir(self.path)


class Growth(Case):
    """Deliveries and single STOREs while the mailbox grows.

    Each operation is followed by the same one in a small mailbox of sdbox: what else goes on
    on the machine meanwhile is not growth.
    """

    name = "growth"
    title = "Growth to 1,000,000 messages: delivery and STORE at 1,000 = 1"
    rounds = 1
    target = "flat within 1.2"

    def __init__(self, bench):
        super().__init__(bench)
        self.user = bench.users(self.name, 1)[0]
        self.data = message(1, DELIVERY_SIZE)
        self.sizes = [n for n in (1000, 10_000, 100_000, 1_000_000) if n <= self.size.growth]
        self.times = []  # for each size: of each side a delivery and a STORE, seconds

    def setup(self, side):
        append_many(side.server("fill"), self.user, "INBOX", 1000, text_of(lambda _number: 600))
        if side.name == "pgbox":
            for count in self.sizes:
                multiply(side.lab.postgres, self.user, count)
                self.times.append(self._measure())

    def _measure(self):
        """{side name: median seconds of a delivery and of a STORE}"""
        number = self.size.singles
        clients = [(side.name, FastLmtp(side.server()), FastImap(side.server(), self.user))
                   for side in self.bench.sides]
        seconds = {name: ([], []) for name, _lmtp, _imap in clients}
        for _name, lmtp, imap in clients:
            lmtp.deliver(self.user, self.data)
            imap.run("SELECT INBOX")
        for _ in range(number):
            for name, lmtp, _imap in clients:
                start = time.perf_counter()
                lmtp.deliver(self.user, self.data)
                seconds[name][0].append(time.perf_counter() - start)
        for _name, _lmtp, imap in clients:
            imap.run("NOOP")
            imap.run("STORE 1:900 -FLAGS.SILENT (\\Flagged)")
        for n in range(number):
            for name, _lmtp, imap in clients:
                seconds[name][1].append(imap.timed(f"STORE {n % 900 + 1} +FLAGS (\\Flagged)"))
        for _name, lmtp, imap in clients:
            lmtp.close()
            imap.logout()
        return {name: [statistics.median(part) for part in parts]
                for name, parts in seconds.items()}

    def sample(self, side):
        return Sample(sum(self.times[-1][side.name]) if self.times else 1.0)

    def finish(self, outcome):
        shares = [[p / s for p, s in zip(times["pgbox"], times["sdbox"])] for times in self.times]
        growth = [[now / first for now, first in zip(share, shares[0])] for share in shares]
        for count, times, ratio in zip(self.sizes, self.times, growth):
            outcome.notes.append(
                f"{count:,}: delivery {times['pgbox'][0] * 1000:.2f} ms ({ratio[0]:.2f}), "
                f"STORE {times['pgbox'][1] * 1000:.2f} ms ({ratio[1]:.2f}); "
                f"sdbox at 1,000: {times['sdbox'][0] * 1000:.2f}, {times['sdbox'][1] * 1000:.2f}")
        outcome.counts = None
        outcome.ratio = max(map(max, growth))
        outcome.holds = outcome.ratio <= 1.2


class StoredSize(Case):
    """Disk use of realistic mail; the time is that of saving it."""

    name = "stored-size"
    title = "Stored size with text for SEARCH, database/raw"
    pgbox_only = True
    rounds = 1
    target = "<= 1.0 of the raw bytes"

    def __init__(self, bench):
        super().__init__(bench)
        self.messages = [realistic(number) for number in range(self.size.stored)]
        self.raw = sum(map(len, self.messages))
        self.growth = self.growth_without_text = 0
        self.numbers = itertools.count(1)

    def _database_size(self):
        self.bench.lab.postgres.sql("vacuum")
        return int(self.bench.lab.postgres.value("select sum(pg_total_relation_size(c.oid)) "
            "from pg_class c where relnamespace = 'pgbox'::regnamespace and relkind = 'r'"))

    def sample(self, side):
        user = f"{self.name}-{next(self.numbers)}"
        side.server().user_home(user)
        before = self._database_size()
        with FastImap(side.server(), user) as imap:
            start = time.perf_counter()
            for data in self.messages:
                imap.run("APPEND INBOX ", Literal(data))
            seconds = time.perf_counter() - start
        self.growth_without_text = self._database_size() - before
        # "doveadm index" extracts what the service would
        side.server().doveadm("index", "-u", user, "INBOX", timeout=None)
        self.growth = self._database_size() - before
        return Sample(seconds, len(self.messages))

    def finish(self, outcome):
        outcome.ratio = self.growth / self.raw
        outcome.holds = outcome.ratio <= 1.0
        outcome.notes.append(
            f"{self.raw / 1e6:.0f} MB of mail take {self.growth / 1e6:.0f} MB, "
            f"{self.growth_without_text / 1e6:.0f} MB without text for SEARCH "
            f"({self.growth_without_text / self.raw:.2f})")


CASES = [Lmtp1, Lmtp8, Lmtp1Many, Lmtp8Many, Append10k, Append100k, Append10m, Multiappend,
         BackupIn, BackupOut, StoredSize, Growth]
