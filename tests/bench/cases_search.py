"""Cases that search and sort in a mailbox whose text is extracted: 20,000 messages, at the scale
"large" 100,000, of 4 to 10 KB."""

import time

from cases_read import Session
from mails import message
from measure import Sample
from pgboxtest.imap import Literal

RARE = "xylophonequartet"


class Search(Session):
    """One SEARCH, without a full text index in sdbox."""

    command = None
    target = "<= 1.0"
    limit = 1.0
    rounds = 3
    repeat = 3
    condition = None  # on message_text, for the same question in bare SQL

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

    def finish(self, outcome):
        if self.condition is not None:
            postgres = self.bench.side("pgbox").lab.postgres
            milliseconds = self.bare_milliseconds(postgres)
            outcome.notes.append(f"the same in SQL: {milliseconds:.1f} ms, without the round trip")
        super().finish(outcome)

    def bare_milliseconds(self, postgres):
        """What the server says that the query takes."""
        plan = postgres.sql(
            "explain (analyze, timing off) select m.uid from pgbox.message_text t "
            "join pgbox.mail m using (account_id, message_id) where t.account_id = (select "
            f"account_id from pgbox.account where name = '{self.user}') and {self.condition}")
        times = [float(row[0].split()[2]) for row in plan if " Time: " in row[0]]
        return sum(times)


class SearchAbsent(Search):
    name = "search-body-absent"
    title = "SEARCH BODY, a word that is nowhere"
    target = "<= 0.01; <= 15 ms"
    limit = 0.01
    limit_ms = 15
    command = "SEARCH BODY zzqxjabsent"
    condition = "t.body like '%ZZQXJABSENT%'"


class SearchRare(Search):
    name = "search-body-rare"
    title = "SEARCH BODY, a word in one message"
    target = "<= 0.01; <= 15 ms"
    limit = 0.01
    limit_ms = 15
    command = f"SEARCH BODY {RARE}"
    condition = f"t.body like '%{RARE.upper()}%'"

    def setup(self, side):
        data = message(1, 4000).replace(b"<p>", b"<p>" + RARE.encode() + b" ")
        with self.connect(side) as imap:
            imap.run("APPEND INBOX ", Literal(data))
        del self.clients[side.name]
        if side.name == "pgbox":
            side.server("fill").doveadm("index", "-u", self.user, "INBOX")
        super().setup(side)


class SearchCommon(Search):
    name = "search-body-common"
    title = "SEARCH BODY, a word in nearly every message"
    command = "SEARCH BODY invoice"


class SearchShort(Search):
    name = "search-body-short"
    title = "SEARCH BODY, two characters"
    command = "SEARCH BODY zq"


class SearchText(Search):
    name = "search-text"
    title = "SEARCH TEXT, a word that is nowhere"
    target = "<= 0.01; <= 15 ms"
    limit = 0.01
    limit_ms = 15
    command = "SEARCH TEXT zzqxjabsent"


class SearchFrom(Search):
    name = "search-from"
    title = "SEARCH FROM"
    command = "SEARCH FROM sender42@"


class SearchSubject(Search):
    name = "search-subject"
    title = "SEARCH SUBJECT"
    command = 'SEARCH SUBJECT " 1234"'


class SearchMessageId(Search):
    name = "search-message-id"
    title = "SEARCH HEADER Message-ID"
    target = "<= 1.0; <= 2 ms"
    limit_ms = 2
    command = "SEARCH HEADER Message-ID <7.bench@example.org>"
    condition = "t.message_id_field like '%<7.BENCH@EXAMPLE.ORG>%'"


class SearchSince(Search):
    name = "search-since"
    title = "SEARCH SINCE"
    command = "SEARCH SINCE 1-Jan-2020"


class SearchMixed(Search):
    name = "search-mixed"
    title = "SEARCH OR FROM BODY, NOT SUBJECT, UNSEEN"
    command = 'SEARCH UNSEEN OR FROM sender42@ BODY zzqxjabsent NOT SUBJECT " 1"'


class SearchOne(Search):
    name = "search-one"
    title = "UID SEARCH UID 7 BODY, as after FETCH"
    target = "<= 1.0 + 2 ms"
    extra_ms = 2.0
    repeat = 20
    command = "UID SEARCH UID 7 BODY zzqxjabsent"

    def sample(self, side):
        imap = self.clients[side.name]
        start = time.perf_counter()
        for _ in range(self.repeat):
            imap.run(self.command)
        return Sample(time.perf_counter() - start, self.repeat)


class SearchNot(Search):
    name = "search-not-body-short"
    title = "SEARCH NOT BODY, two characters"
    command = "SEARCH NOT BODY zq"


class SearchTrigrams(Search):
    """The index finds candidates, and their texts have to be read."""

    name = "search-body-trigrams"
    title = "SEARCH BODY, nowhere, but made of frequent trigrams"
    target = "<= 1.0"
    command = "SEARCH BODY invoicecemeeting"
    condition = "t.body like '%INVOICECEMEETING%'"


class Sort(Search):
    """SORT in a session that has sorted before."""

    target = "<= 1.1"
    limit = 1.1


class SortDate(Sort):
    name = "sort-date"
    title = "SORT (DATE), warm"
    command = "SORT (DATE) UTF-8 ALL"


class SortSubject(Sort):
    name = "sort-subject"
    title = "SORT (SUBJECT), warm"
    command = "SORT (SUBJECT) UTF-8 ALL"


class SortTwoKeys(Sort):
    name = "sort-from-subject"
    title = "SORT (FROM SUBJECT), warm"
    command = "SORT (FROM SUBJECT) UTF-8 ALL"


class SortDateCold(Search):
    """On a host that has cached nothing of the mailbox.

    Strings can't be compared so: their order is in the index, which sdbox can't lose.
    """

    name = "sort-date-cold"
    title = "SORT (DATE), cold"
    command = "SORT (DATE) UTF-8 ALL"

    def setup(self, side):
        """No session."""

    def sample(self, side):
        side.forget_cache(self.user)
        imap = self.connect(side)
        imap.run("SELECT INBOX")
        return Sample(imap.timed(self.command))


CASES = [SearchAbsent, SearchRare, SearchTrigrams, SearchCommon, SearchShort, SearchNot, SearchText,
         SearchFrom, SearchSubject, SearchMessageId, SearchSince, SearchMixed, SearchOne, SortDate,
         SortSubject, SortTwoKeys, SortDateCold]
