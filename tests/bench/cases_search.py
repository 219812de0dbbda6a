"""Cases that search and sort in a mailbox whose text is extracted: 20,000 messages, at the scale
"large" 100,000, of 4 to 10 KB."""

import re
import subprocess
import time

from cases_read import Session
from mails import message
from measure import Sample
from pgboxtest.imap import Literal
from pgboxtest.postgres import DATABASE

RARE = "xylophonequartet"
# What an expert would type into psql: texts first, then their mails.
BARE_SQL = ("select m.uid from (select t.account_id, t.message_id from pgbox.message_text t "
            "where t.account_id = {account} and {condition} offset 0) t "
            "join pgbox.mail m using (account_id, message_id)")


class Search(Session):
    """One SEARCH or SORT, without a full text index in sdbox."""

    command = None
    target = "<= 1.0"
    limit = 1.0
    rounds = 3
    repeat = 3
    condition = None  # on message_text, for the same question in bare SQL
    bare_extra_ms = 2.0

    def __init__(self, bench):
        super().__init__(bench)
        self.user = bench.search_user()

    def setup(self, side):
        imap = self.connect(side)
        imap.run("SELECT INBOX")

    def sample(self, side):
        imap = self.clients[side.name]
        repeat = self.repeat if side.name == "pgbox" else 1
        return Sample(sum(imap.timed(self.command) for _ in range(repeat)), repeat)

    def bare(self):
        if self.condition is None:
            return None
        postgres = self.bench.lab.postgres
        account = postgres.value(
            f"select account_id from pgbox.account where name = '{self.user}'")
        query = BARE_SQL.format(account=account, condition=self.condition)
        # the first one is the warm-up
        told = subprocess.run(
            [f"{postgres.bindir}/psql", "-XAtq", "-d", postgres.dsn(database=DATABASE),
             "-c", "\\timing on", *["-c", query] * (1 + self.repeat)],
            capture_output=True, text=True, check=True).stdout
        times = [float(time_ms) for time_ms in re.findall(r"^Time: ([\d.]+) ms", told, re.M)]
        return Sample(sum(times[1:]) / 1000, self.repeat)


class SearchRare(Search):
    """The word is put into a message of its own first."""

    def setup(self, side):
        data = message(1, 4000).replace(b"<p>", b"<p>" + RARE.encode() + b" ")
        with self.connect(side) as imap:
            imap.run("APPEND INBOX ", Literal(data))
        del self.clients[side.name]
        if side.name == "pgbox":
            side.server("fill").doveadm("index", "-u", self.user, "INBOX")
        super().setup(side)


class SearchOne(Search):
    """As clients do after FETCH."""

    target = "<= 1.0 + 2 ms"
    extra_ms = 2.0
    repeat = 20

    def sample(self, side):
        imap = self.clients[side.name]
        start = time.perf_counter()
        for _ in range(self.repeat):
            imap.run(self.command)
        return Sample(time.perf_counter() - start, self.repeat)


class Sort(Search):
    """SORT in a session that has sorted before."""

    target = "<= 1.1"
    limit = 1.1


class SortCold(Search):
    """On a host that has cached nothing of the mailbox.

    Strings can't be compared so: their order is in the index, which sdbox can't lose.
    """

    def setup(self, side):
        """No session."""

    def sample(self, side):
        side.forget_cache(self.user)
        imap = self.connect(side)
        imap.run("SELECT INBOX")
        return Sample(imap.timed(self.command))


def body(word):
    return f"t.body like '%{word.upper()}%'"


def header(field, value):
    return f"t.{field}_field like '%{value.upper()}%'"


# Answered by the index alone
INDEXED = {"limit": 0.01, "limit_ms": 15, "target": "<= 0.01; <= 15 ms"}
MESSAGE_ID = "<7.bench@example.org>"

# SQL is only shown beside it: a mailbox full of numbers is to be sent, or the client to be looked
# after between the parts of a scan.
LONG = {"bare_extra_ms": None}

# how, name, title, command, the same question to message_text, other targets
SEARCHES = [
    (Search, "search-body-absent", "SEARCH BODY, a word that is nowhere",
     "SEARCH BODY zzqxjabsent", body("zzqxjabsent"), INDEXED),
    (SearchRare, "search-body-rare", "SEARCH BODY, a word in one message",
     f"SEARCH BODY {RARE}", body(RARE), INDEXED),
    # the index finds candidates, whose texts have to be read
    (Search, "search-body-trigrams", "SEARCH BODY, nowhere, but made of frequent trigrams",
     "SEARCH BODY invoicecemeeting", body("invoicecemeeting"), {}),
    (Search, "search-body-common", "SEARCH BODY, a word in nearly every message",
     "SEARCH BODY invoice", body("invoice"), LONG),
    (Search, "search-body-short", "SEARCH BODY, two characters",
     "SEARCH BODY zq", body("zq"), LONG),
    (Search, "search-not-body-short", "SEARCH NOT BODY, two characters",
     "SEARCH NOT BODY zq", f"not {body('zq')}", LONG),
    (Search, "search-text", "SEARCH TEXT, a word that is nowhere", "SEARCH TEXT zzqxjabsent",
     f"(t.header like '%ZZQXJABSENT%' or {body('zzqxjabsent')})", INDEXED),
    (Search, "search-from", "SEARCH FROM",
     "SEARCH FROM sender42@", header("from", "sender42@"), {}),
    (Search, "search-subject", "SEARCH SUBJECT",
     'SEARCH SUBJECT " 1234"', header("subject", " 1234"), {}),
    (Search, "search-message-id", "SEARCH HEADER Message-ID",
     f"SEARCH HEADER Message-ID {MESSAGE_ID}", header("message_id", MESSAGE_ID),
     {"limit_ms": 2, "target": "<= 1.0; <= 2 ms"}),
    (Search, "search-since", "SEARCH SINCE", "SEARCH SINCE 1-Jan-2020", None, {}),
    (Search, "search-mixed", "SEARCH OR FROM BODY, NOT SUBJECT, UNSEEN",
     'SEARCH UNSEEN OR FROM sender42@ BODY zzqxjabsent NOT SUBJECT " 1"',
     f"({header('from', 'sender42@')} or {body('zzqxjabsent')}) "
     f"and not {header('subject', ' 1')}", {}),
    (SearchOne, "search-one", "UID SEARCH UID 7 BODY, as after FETCH",
     "UID SEARCH UID 7 BODY zzqxjabsent", None, {}),
    (Sort, "sort-date", "SORT (DATE), warm", "SORT (DATE) UTF-8 ALL", None, {}),
    (Sort, "sort-subject", "SORT (SUBJECT), warm", "SORT (SUBJECT) UTF-8 ALL", None, {}),
    (Sort, "sort-from-subject", "SORT (FROM SUBJECT), warm",
     "SORT (FROM SUBJECT) UTF-8 ALL", None, {}),
    (SortCold, "sort-date-cold", "SORT (DATE), cold", "SORT (DATE) UTF-8 ALL", None, {}),
]


def case(how, name, title, command, condition, targets):
    """The class of a line of the table."""
    made = type(how.__name__, (how,), {"name": name, "title": title, "command": command,
                                       "condition": condition, **targets})
    if condition is not None and made.bare_extra_ms is not None:
        made.target += "; <= SQL + 2 ms"
    return made


CASES = [case(*row) for row in SEARCHES]
