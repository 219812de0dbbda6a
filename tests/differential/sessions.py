"""Random IMAP sessions, made from a seed before anything runs.

A command never depends on an answer: what it needs to know of a server (a MODSEQ, a
UIDVALIDITY) is a placeholder that each side fills in for itself.  So commands can be dropped
from a session, which is what the shrinker does.
"""

import dataclasses
import random

from pgboxtest import messages
from pgboxtest.imap import quote

MAILBOXES = ["INBOX", "INBOX", "INBOX", "a", "a", "a/b", "a/b/c", "b", "b/inner", "x y",
             "Entw&APw-rfe", 'quo"te', "back\\slash", "per%cent", "l" * 120, "$dollar",
             "&ZeVnLIqe-/&U,BTFw-", "deep/1/2/3/4/5/6"]
SETS = ["1", "1", "2", "3", "*", "*", "1:*", "1:*", "1:3", "2:3", "2,1", "5:*", "1,3,5", "7",
        "2:*", "3:2", "$"]
SYSTEM_FLAGS = ["\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft"]
KEYWORDS = ["Work", "$Forwarded", "NonJunk", "kw-x"]
STATUS_ITEMS = ["MESSAGES", "RECENT", "UIDNEXT", "UIDVALIDITY", "UNSEEN", "HIGHESTMODSEQ", "SIZE"]
PAST_THE_END = "BODY.PEEK[]<100000.10>"
# Not BINARY.SIZE[1], which sdbox counts wrong in multiparts: functional/test_bytes.py.
FETCH_ITEMS = [
    "FLAGS", "UID", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY", "BODYSTRUCTURE", "MODSEQ",
    "BODY.PEEK[]", "BODY[]", "BODY.PEEK[1]", "BODY.PEEK[2]", "BODY.PEEK[1.1]", "BODY.PEEK[1.2]",
    "BODY.PEEK[1.MIME]", "BODY.PEEK[2.MIME]", "BODY.PEEK[2.HEADER]", "BODY.PEEK[2.TEXT]",
    "BODY.PEEK[HEADER]", "BODY.PEEK[TEXT]", "BODY[TEXT]<0.20>", "BODY.PEEK[]<10.300>",
    PAST_THE_END, "BODY.PEEK[1]<5.50>", "BODY.PEEK[HEADER.FIELDS (From To X-Odd)]",
    "BODY.PEEK[HEADER.FIELDS.NOT (Subject)]", "BODY.PEEK[HEADER.FIELDS (References)]<2.5>",
    "BINARY.PEEK[]", "BINARY.PEEK[1]", "BINARY.PEEK[2]", "BINARY[1]<3.30>",
    "BINARY.SIZE[]", "RFC822", "RFC822.HEADER", "RFC822.TEXT", "PREVIEW", "X-GUID", "SAVEDATE",
]
SEARCH_KEYS = [
    "ALL", "SEEN", "UNSEEN", "DELETED", "FLAGGED", "NEW", "OLD", "RECENT", "KEYWORD Work",
    "UNKEYWORD kw-x", "FROM invoice", "TO example.com", "CC holiday", "SUBJECT report",
    "SUBJECT \"Gr\"", "TEXT meeting", "BODY garden", "BODY nothing-has-this", "LARGER 1500",
    "SMALLER 600", "SINCE 1-Jan-2010", "BEFORE 1-Jan-2010", "ON 5-May-2005",
    "SENTSINCE 1-Jan-2004", "SENTBEFORE 15-Feb-2005", "HEADER X-Empty \"\"",
    "HEADER Message-ID generated", "HEADER X-Odd lunch", "UID 2:4", "1:3", "*", "DRAFT ANSWERED",
]
SORT_KEYS = ["ARRIVAL", "DATE", "SUBJECT", "FROM", "TO", "CC", "SIZE", "REVERSE DATE",
             "REVERSE SIZE SUBJECT", "DISPLAYFROM", "DISPLAYTO", "SUBJECT REVERSE ARRIVAL"]
LIST_PATTERNS = ['"" "*"', '"" "%"', '"" "a/%"', '"a/" "*"', '"" "%/%"', '"" "INBOX"', '"" ""',
                 '"" "*b*"', '"" ("a*" "b*")']
LIST_RETURNS = ["CHILDREN", "SUBSCRIBED", "SPECIAL-USE", "SUBSCRIBED CHILDREN",
                "STATUS (MESSAGES UIDNEXT UNSEEN)", "CHILDREN STATUS (HIGHESTMODSEQ RECENT)"]
DATES = ["01-Jan-2010 00:00:00 +0000", "05-May-2005 23:59:59 -1100", "17-Feb-2001 12:00:00 +0530",
         " 3-Mar-1999 01:02:03 +0100", "31-Dec-2012 23:59:60 +0000"]


@dataclasses.dataclass(frozen=True)
class Message:
    """A message of the session's pool, sent as literal or literal8."""

    index: int
    binary: bool = False

    def __str__(self):
        return f"{'~' if self.binary else ''}{{message {self.index}}}"


@dataclasses.dataclass(frozen=True)
class ModSeq:
    """HIGHESTMODSEQ of a mailbox `back` steps ago; None means the selected mailbox."""

    back: int
    mailbox: str | None = None
    purpose: str = ""

    def __str__(self):
        return f"<modseq of {self.mailbox or 'selected'}, {self.back} steps ago>"


@dataclasses.dataclass(frozen=True)
class UidValidity:
    """The UIDVALIDITY a mailbox has now."""

    mailbox: str

    def __str__(self):
        return f"<uidvalidity of {self.mailbox}>"


@dataclasses.dataclass(frozen=True)
class Command:
    """`parts` is what is sent, on connection 0 or 1; `mailbox` is the one it names, if any
    (of a RENAME the new name; `renamed` is the old one)."""

    connection: int
    parts: tuple
    mailbox: str | None = None
    renamed: str | None = None

    def __str__(self):
        return f"{self.connection}: " + "".join(str(part) for part in self.parts)

    @property
    def verb(self):
        words = str(self.parts[0]).split()
        return " ".join(words[:2]) if words[0] == "UID" else words[0]


class MessagePool:
    """The messages of one session: generated ones, and some of the shared corpus."""

    def __init__(self, seed):
        generator = messages.Generator(seed)
        corpus = [data for _name, data in messages.corpus() if len(data) < 300_000]
        picker = random.Random(seed)
        picked = picker.sample(corpus, min(len(corpus), 12))
        self.data = [generator.message() for _ in range(18)] + picked
        self.nul_data = [generator.with_nuls(), generator.binary_part()]

    def get(self, reference):
        return (self.nul_data if reference.binary else self.data)[reference.index]


class Guess:
    """What the generator believes of the state: enough to make most commands succeed.

    It never learns an answer, so it may be wrong; that only costs a NO or BAD.
    """

    def __init__(self):
        self.existing = {"INBOX"}
        self.selected = [None, None]

    def sessions_in(self, mailbox):
        """Connections that have the mailbox or a child of it selected."""
        return [number for number, name in enumerate(self.selected)
                if name is not None and (name == mailbox or name.startswith(mailbox + "/"))]

    def follow(self, command):
        """Take in what a command probably did."""
        verb, name = command.verb, command.mailbox
        if verb in ("SELECT", "EXAMINE"):
            self.selected[command.connection] = name if name in self.existing else None
        elif verb in ("UNSELECT", "CLOSE"):
            self.selected[command.connection] = None
        elif verb == "CREATE":
            self.existing.add(name)
        elif verb == "DELETE" and name != "INBOX":
            self.existing.discard(name)
        elif verb == "RENAME":
            self.existing.discard(command.renamed)
            self.existing.add(name)


class SessionGenerator:
    """Makes the commands of one session."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.pool = MessagePool(seed)
        self.enabled = [self.random.choice([None, "CONDSTORE", "QRESYNC", "QRESYNC"])
                        for _ in range(2)]
        self.guess = Guess()
        self.connection = 0
        self.made = []

    def commands(self, count):
        """The whole session; the first commands make sure that there is something to work on."""
        self._add(self.create_named("a"))
        for mailbox in ("INBOX", "INBOX", "INBOX", "INBOX", "a"):
            self._add(self._append_to(mailbox))
        for self.connection in (0, 1):
            self._add(self._select_plain("INBOX"))
        while len(self.made) < count:
            self.connection = self.random.randrange(2)
            self._add(self._choose()())
        return self.made[:count]

    def _add(self, made):
        parts, mailbox, *renamed = made
        command = Command(self.connection, tuple(parts), mailbox, *renamed)
        if command.verb in ("DELETE", "RENAME"):
            self._leave_first(renamed[0] if renamed else mailbox)
        self.guess.follow(command)
        self.made.append(command)

    def _leave_first(self, mailbox):
        """sdbox keeps working on the old files of a mailbox that is renamed or deleted, and
        logs errors; that is no model to follow, and functional/test_folders.py has it."""
        for number in self.guess.sessions_in(mailbox):
            leave = Command(number, ("UNSELECT",))
            self.guess.follow(leave)
            self.made.append(leave)

    def _choose(self):
        """The next kind of command; without a selected mailbox mostly a SELECT."""
        if self.guess.selected[self.connection] is None and self.chance(0.5):
            return self.qresync if self._has_qresync() and self.chance(0.4) else self.select
        functions, weights = zip(*self._table())
        return self.random.choices(functions, weights)[0]

    def _has_qresync(self):
        return self.enabled[self.connection] == "QRESYNC"

    def _table(self):
        return [
            (self.append, 8), (self.multiappend, 3), (self.catenate, 2), (self.fetch, 20),
            (self.store, 16), (self.copy, 6), (self.move, 5), (self.expunge, 5),
            (self.search, 6), (self.sort, 2), (self.thread, 2), (self.select, 4),
            (self.leave, 1), (self.create, 4), (self.delete, 2), (self.rename, 3),
            (self.list, 4), (self.lsub, 1), (self.subscribe, 3), (self.status, 4),
            (self.changed_since, 5), (self.qresync, 4 if self._has_qresync() else 0.2),
            (self.small_talk, 1),
        ]

    # pieces

    def pick(self, values):
        return self.random.choice(values)

    def chance(self, probability):
        return self.random.random() < probability

    def mailbox(self):
        """A mailbox that probably exists, now and then any."""
        if self.chance(0.1):
            return self.pick(MAILBOXES)
        return "INBOX" if self.chance(0.3) else self.pick(sorted(self.guess.existing))

    def new_mailbox(self):
        """A name that probably is not taken, now and then any."""
        free = [name for name in MAILBOXES if name not in self.guess.existing]
        return self.pick(free if free and self.chance(0.9) else MAILBOXES)

    def uid(self):
        return self.pick(["", "UID "])

    def flags(self, low=0):
        pool = SYSTEM_FLAGS + KEYWORDS
        return " ".join(self.random.sample(pool, self.random.randint(low, 4)))

    def message(self):
        if self.chance(0.1):
            return Message(self.random.randrange(len(self.pool.nul_data)), binary=True)
        return Message(self.random.randrange(len(self.pool.data)))

    @staticmethod
    def name(mailbox):
        return quote(mailbox).decode()

    def modseq(self, mailbox=None):
        return ModSeq(self.pick([0, 1, 2, 5, 10, 20, 45]), mailbox)

    # commands: each returns (parts, mailbox it names or None)

    def _append_item(self):
        flags = f" ({self.flags()})" if self.chance(0.6) else ""
        date = f' "{self.pick(DATES)}"' if self.chance(0.6) else ""
        return [f"{flags}{date} ", self.message()]

    def _append_to(self, mailbox):
        return [f"APPEND {self.name(mailbox)}", *self._append_item()], mailbox

    def append(self):
        return self._append_to(self.mailbox())

    def multiappend(self):
        mailbox = self.mailbox()
        items = [part for _ in range(self.random.randint(2, 4)) for part in self._append_item()]
        return [f"APPEND {self.name(mailbox)}", *items], mailbox

    def catenate(self):
        mailbox = self.mailbox()
        part = self.pick(["", "/;SECTION=TEXT", "/;SECTION=1", "/;SECTION=HEADER"])
        url = f"/INBOX/;UID={self.random.randint(1, 4)}{part}"
        return [f"APPEND {self.name(mailbox)} ({self.flags()}) CATENATE (TEXT ",
                Message(self.random.randrange(5)), f' URL "{url}" TEXT ',
                Message(self.random.randrange(5)), ")"], mailbox

    def fetch(self):
        items = self.random.sample(FETCH_ITEMS, self.random.randint(1, 4))
        if PAST_THE_END in items:
            # together with BINARY this is an assertion failure in Dovecot's istream.c
            items = [item for item in items if not item.startswith("BINARY")]
        what = self.pick(["ALL", "FULL", "FAST"]) if self.chance(0.1) else f"({' '.join(items)})"
        return [f"{self.uid()}FETCH {self.pick(SETS)} {what}"], None

    def store(self):
        condition = []
        if self.chance(0.25):
            condition = ["(UNCHANGEDSINCE ", self.modseq(), ") "]
        mode = self.pick(["FLAGS", "+FLAGS", "-FLAGS"]) + self.pick(["", "", ".SILENT"])
        return [f"{self.uid()}STORE {self.pick(SETS)} ", *condition,
                f"{mode} ({self.flags()})"], None

    def copy(self):
        mailbox = self.mailbox()
        return [f"{self.uid()}COPY {self.pick(SETS)} {self.name(mailbox)}"], mailbox

    def move(self):
        mailbox = self.mailbox()
        return [f"{self.uid()}MOVE {self.pick(SETS)} {self.name(mailbox)}"], mailbox

    def expunge(self):
        return [self.pick(["EXPUNGE", f"UID EXPUNGE {self.pick(SETS)}"])], None

    def _search_program(self):
        key = self.pick(SEARCH_KEYS)
        other = self.pick(SEARCH_KEYS)
        return self.pick([key, key, f"NOT {key}", f"OR {key} {other}", f"{key} {other}",
                          f"NOT ({key} {other})"])

    def search(self):
        returns = self.pick(["", "", "RETURN (ALL) ", "RETURN (MIN MAX COUNT) ", "RETURN () "])
        parts = [f"{self.uid()}SEARCH {returns}{self._search_program()}"]
        if self.chance(0.15):
            parts += [" MODSEQ ", dataclasses.replace(self.modseq(), purpose="SEARCH")]
        return parts, None

    def sort(self):
        return [f"{self.uid()}SORT ({self.pick(SORT_KEYS)}) UTF-8 {self._search_program()}"], None

    def thread(self):
        method = self.pick(["REFERENCES", "REFS", "ORDEREDSUBJECT"])
        return [f"{self.uid()}THREAD {method} UTF-8 {self._search_program()}"], None

    def _select_plain(self, mailbox):
        verb = "EXAMINE" if self.chance(0.15) else "SELECT"
        extra = " (CONDSTORE)" if self.chance(0.2) else ""
        return [f"{verb} {self.name(mailbox)}{extra}"], mailbox

    def select(self):
        return self._select_plain(self.mailbox())

    def leave(self):
        return [self.pick(["UNSELECT", "CLOSE"])], None

    def create(self):
        return self.create_named(self.new_mailbox())

    def create_named(self, mailbox):
        return [f"CREATE {self.name(mailbox)}"], mailbox

    def delete(self):
        mailbox = self.mailbox()
        return [f"DELETE {self.name(mailbox)}"], mailbox

    def rename(self):
        old, new = self.mailbox(), self.new_mailbox()
        if old == "INBOX":
            # after this sdbox does not list what is created next; see functional/test_folders.py
            old = self.pick(sorted(self.guess.existing - {"INBOX"}) or ["missing"])
        if new.rpartition("/")[0] not in self.guess.existing:
            new = new.rpartition("/")[2]  # sdbox leaves the parents of what it failed to rename
        return [f"RENAME {self.name(old)} {self.name(new)}"], new, old

    def list(self):
        kind = self.random.random()
        pattern = self.pick(LIST_PATTERNS)
        if kind < 0.4:
            return [f"LIST {pattern}"], None
        if kind < 0.6:
            selection = self.pick(["SUBSCRIBED", "SUBSCRIBED RECURSIVEMATCH", "SPECIAL-USE"])
            return [f"LIST ({selection}) {pattern}"], None
        return [f"LIST {pattern} RETURN ({self.pick(LIST_RETURNS)})"], None

    def lsub(self):
        return [f'LSUB "" {self.pick(["*", "%", "a/%"])}'], None

    def subscribe(self):
        mailbox = self.mailbox()
        verb = self.pick(["SUBSCRIBE", "SUBSCRIBE", "UNSUBSCRIBE"])
        return [f"{verb} {self.name(mailbox)}"], None

    def status(self):
        mailbox = self.mailbox()
        items = " ".join(self.random.sample(STATUS_ITEMS, self.random.randint(1, 7)))
        return [f"STATUS {self.name(mailbox)} ({items})"], mailbox

    def changed_since(self):
        vanished = self._has_qresync() and self.chance(0.6)
        verb = "UID FETCH" if vanished else f"{self.uid()}FETCH"
        # "$" with VANISHED is an assertion failure in Dovecot's imap
        wanted = self.pick([some for some in SETS if some != "$" or not vanished])
        return [f"{verb} {wanted} (FLAGS) (CHANGEDSINCE ", self.modseq(),
                " VANISHED)" if vanished else ")"], None

    def qresync(self):
        mailbox = self.mailbox()
        known = self.pick(["", "", " 1:10", " 1:3,5"])
        return [f"SELECT {self.name(mailbox)} (QRESYNC (", UidValidity(mailbox), " ",
                self.modseq(mailbox), f"{known}))"], mailbox

    def small_talk(self):
        return [self.pick(["NAMESPACE", "CHECK", "NOOP", "CAPABILITY", "ENABLE CONDSTORE"])], None
