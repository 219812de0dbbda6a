"""Random commands of two sessions that have selected the same mailbox, made from a seed.

Which mails a command is about is decided when it runs, from what the oracle then has, so that
commands can be dropped from a session.  What may rightly differ is not asked:

- mails are named by UIDs: a number means another mail in a session that was told less.
- Several mails at once are mails that both sessions know since the last audit and that are there:
  whether COPY is refused because one of them is gone depends on what a session was told.
- A mail that is new since then is only changed by the session that added it, and is not \\Deleted:
  whether another session's EXPUNGE takes it depends on whether that session was told of it.
"""

import dataclasses
import random

BOX = "w"
KEPT = "t"  # a folder that stays; those of NAMES come and go
NAMES = ["x", "y"]
SYSTEM_FLAGS = ["\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft"]
KEYWORDS = [f"kw{number}" for number in range(12)]
KEYS = {"SEEN": "\\Seen", "FLAGGED": "\\Flagged", "DELETED": "\\Deleted", "ANSWERED": "\\Answered"}
SORTS = ["ARRIVAL", "SUBJECT", "REVERSE SIZE"]
MESSAGES = 8


@dataclasses.dataclass(frozen=True)
class Mails:
    """Mails of the selected mailbox: `known` to both sessions, `any` of these even if it is gone,
    `own`: one that the session has added, `through`: all that both know, as a range."""

    of: str
    picks: tuple = ()

    def __str__(self):
        return f"<{self.of} {' '.join(f'{pick:.2f}' for pick in self.picks)}>"


@dataclasses.dataclass(frozen=True)
class Action:
    """One command: `text` with a place for UIDs and for the message."""

    verb: str
    text: str
    mails: Mails = None
    message: int = None
    mode: str = ""       # of a STORE: +FLAGS, -FLAGS or FLAGS
    silent: bool = False
    flags: frozenset = frozenset()
    key: str = ""        # of a SEARCH or SORT: what must be set
    negated: bool = False
    mailbox: str = ""    # the destination, or what is created, deleted, renamed

    def __str__(self):
        text = self.text.replace("{mails}", str(self.mails))
        return text if self.message is None else f"{text}{{message {self.message}}}"

    def applied(self, flags):
        """What becomes of the flags of a mail that it is about."""
        if self.verb == "BODY":
            return flags | {"\\Seen"}
        if self.verb != "STORE":
            return flags
        return {"+FLAGS": flags | self.flags, "-FLAGS": flags - self.flags,
                "FLAGS": self.flags}[self.mode]

    def matches(self, flags):
        """Whether a SEARCH finds a mail with these flags."""
        return (self.key in flags) != self.negated


@dataclasses.dataclass(frozen=True)
class Step:
    """What one session sends in one write: a command or two.

    Before that, if `settled`, both hosts are notified of all that has happened.
    """

    connection: int
    actions: tuple
    settled: bool = False

    def __str__(self):
        wait = "(all is notified) " if self.settled else ""
        return f"{self.connection}: {wait}" + " + ".join(str(action) for action in self.actions)

    @property
    def verb(self):
        return "+".join(action.verb for action in self.actions)


def store_action(mails, mode, silent, flags):
    text = f"UID STORE {{mails}} {mode}{'.SILENT' if silent else ''} ({' '.join(sorted(flags))})"
    return Action("STORE", text, mails, mode=mode, silent=silent, flags=flags)


READING = ("FETCH", "SEARCH", "SORT", "STATUS")


class PairGenerator:
    """Makes the steps of one session."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.enabled = [self.pick([None, None, "QRESYNC"]) for _ in range(2)]

    def steps(self, count):
        return [self._step() for _ in range(count)]

    def _step(self):
        connection = self.random.randrange(2)
        if self.chance(0.2):
            return Step(connection, self._pair())
        functions, weights = zip(*self._table())
        action = self.random.choices(functions, weights)[0]()
        settled = action.verb in READING and self.chance(0.3)
        return Step(connection, (action,), settled)

    def _table(self):
        return [(self.store, 22), (self.expunge, 7), (self.uid_expunge, 4), (self.reselect, 2),
                (self.copy, 10), (self.move, 5), (self.append, 7), (self.fetch, 9),
                (self.body, 5), (self.search, 9), (self.sort, 4), (self.status, 4),
                (self.create, 5), (self.delete, 3), (self.rename, 3), (self.noop, 1)]

    def _pair(self):
        """Two commands of which the second must see what the first has done."""
        first = self.pick([self.store, self.store, self.store, self.append, self.copy, self.create,
                           self.delete, self.rename])()
        second = self.pick([self.copy, self.copy, self.move, self.search, self.search, self.sort,
                            self.fetch, self.body, self.expunge, self.uid_expunge, self.store,
                            self.append])()
        if first.verb == "STORE" and first.mails.of == "known" and second.mails is not None and \
                second.mails.of != "own" and self.chance(0.7):
            second = dataclasses.replace(second, mails=first.mails)
        if first.verb == "STORE" and second.mailbox == BOX:
            first = store_action(first.mails, first.mode, first.silent,
                                 first.flags - {"\\Deleted"})
        return first, second

    # pieces

    def pick(self, values):
        return self.random.choice(values)

    def chance(self, probability):
        return self.random.random() < probability

    def mails(self, ranges=False):
        kind = self.random.random()
        if kind < 0.15:
            return Mails("any", (self.random.random(),))
        if kind < 0.25:
            return Mails("own", (self.random.random(),))
        if ranges and kind < 0.45:
            return Mails("through")
        return Mails("known", tuple(self.random.random() for _ in range(self.pick([1, 1, 2, 3]))))

    def known(self):
        return Mails("known", (self.random.random(),))

    def some_flags(self, mails=None, low=1):
        count = self.random.randint(low, 3)
        flags = self.random.sample(SYSTEM_FLAGS + ["\\Deleted"] + KEYWORDS[:6], count)
        if self.chance(0.25):
            flags.append(self.pick(KEYWORDS[6:]))  # probably new
        if mails is None or mails.of == "own":
            flags = [flag for flag in flags if flag != "\\Deleted"]
        return frozenset(flags)

    def destination(self):
        return self.pick([KEPT, KEPT, BOX, *NAMES])

    # commands

    def store(self):
        mails = self.mails(ranges=True)
        mode = self.pick(["+FLAGS", "+FLAGS", "-FLAGS", "FLAGS"])
        silent = self.chance(0.35)
        return store_action(mails, mode, silent, self.some_flags(mails))

    def expunge(self):
        return Action("EXPUNGE", "EXPUNGE")

    def uid_expunge(self):
        return Action("UID EXPUNGE", "UID EXPUNGE {mails}", self.mails(ranges=True))

    def reselect(self):
        return Action("CLOSE", "CLOSE")

    def _copying(self, verb):
        mailbox = self.destination()
        return Action(verb, f"UID {verb} {{mails}} {mailbox}", self.mails(), mailbox=mailbox)

    def copy(self):
        return self._copying("COPY")

    def move(self):
        return self._copying("MOVE")

    def append(self):
        mailbox = self.pick([BOX, BOX, KEPT, *NAMES])
        flags = f"({' '.join(sorted(self.some_flags(low=0)))}) "
        return Action("APPEND", f"APPEND {mailbox} {flags}", message=self.random.randrange(MESSAGES),
                      mailbox=mailbox)

    def fetch(self):
        return Action("FETCH", "UID FETCH {mails} (FLAGS)", self.mails(ranges=True))

    def body(self):
        return Action("BODY", "UID FETCH {mails} (BODY[])", self.known())

    def _key(self):
        if self.chance(0.5):
            return self.pick(list(KEYS.items()))
        keyword = self.pick(KEYWORDS)
        return f"KEYWORD {keyword}", keyword

    def _searching(self, verb, program):
        word, flag = self._key()
        negated = self.chance(0.3)
        return Action(verb, f"UID {verb} {program}{'NOT ' if negated else ''}{word}", key=flag,
                      negated=negated)

    def search(self):
        return self._searching("SEARCH", "")

    def sort(self):
        return self._searching("SORT", f"({self.pick(SORTS)}) US-ASCII ")

    def status(self):
        mailbox = self.pick([KEPT, *NAMES])
        return Action("STATUS", f"STATUS {mailbox} (MESSAGES UNSEEN UIDNEXT)", mailbox=mailbox)

    def create(self):
        mailbox = self.pick(NAMES)
        return Action("CREATE", f"CREATE {mailbox}", mailbox=mailbox)

    def delete(self):
        mailbox = self.pick(NAMES)
        return Action("DELETE", f"DELETE {mailbox}", mailbox=mailbox)

    def rename(self):
        mailbox, new = self.random.sample(NAMES, 2)
        return Action("RENAME", f"RENAME {mailbox} {new}", mailbox=mailbox)

    def noop(self):
        return Action("NOOP", "NOOP")
