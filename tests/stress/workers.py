"""What one process of the stress test does, and what it remembers for the judgement."""

import dataclasses
import random
import time

from pgboxtest import messages
from pgboxtest.imap import ImapClient

BOX = "INBOX"
OTHER = "other"
SHARED_FLAGS = ["\\Seen", "\\Flagged", "\\Answered", "\\Draft", "Common"]


@dataclasses.dataclass
class Memory:
    """What one worker was told with an OK, or may have caused without knowing."""

    added: dict = dataclasses.field(default_factory=dict)    # uid -> message number
    moved: dict = dataclasses.field(default_factory=dict)    # uid -> uid in the other mailbox
    doomed: set = dataclasses.field(default_factory=set)     # uids it tried to move or expunge
    own_keyword: dict = dataclasses.field(default_factory=dict)  # uid -> set or not, last OK
    modseqs: set = dataclasses.field(default_factory=set)    # every HIGHESTMODSEQ it saw
    refused: list = dataclasses.field(default_factory=list)  # commands answered NO or BAD
    commands: int = 0


class Worker:
    """Random changes to one mailbox over one QRESYNC session."""

    def __init__(self, number, port, user, spared):
        self.number = number
        self.spared = spared
        self.random = random.Random(number)
        self.client = ImapClient(port, user, enable=["QRESYNC"])
        self.memory = Memory()
        self.keyword = f"Worker{number}"
        self.appended = 0
        self.uids = []

    def run(self, seconds):
        self._remember(self.client.select(BOX))
        self._look()
        actions = [self.store_shared] * 5 + [self.store_own] * 4 + [self.append] * 4 + \
                  [self.copy_within, self.move_away, self.expunge, self.expunge, self.expunge,
                   self._look]
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.random.choice(actions)()
        self.client.logout()
        return self.memory

    def _command(self, *parts):
        """Run a command, remember the modseqs it told and whether it was refused."""
        result = self.client.command(*parts)
        self.memory.commands += 1
        if not result.ok and result.code("EXPUNGEISSUED") is None:
            self.memory.refused.append(repr(result))
        self._remember(result)
        return result

    def _remember(self, result):
        highest = result.code("HIGHESTMODSEQ")
        if highest:
            self.memory.modseqs.add(int(highest[0]))
        for _number, args in result.numbered("FETCH"):
            pairs = dict(zip(args[0][::2], args[0][1::2]))
            if b"MODSEQ" in pairs:
                self.memory.modseqs.add(int(pairs[b"MODSEQ"][0]))

    def _look(self):
        """Learn which UIDs there are (others add and remove them all the time)."""
        result = self._command("UID SEARCH ALL")
        self.uids = [int(uid) for uid in result.named("SEARCH")[0]
                     if int(uid) not in self.spared] if result.ok else []

    def _some(self, most):
        count = min(len(self.uids), self.random.randint(1, most))
        return sorted(self.random.sample(self.uids, count))

    @staticmethod
    def _set(uids):
        return ",".join(map(str, uids))

    def store_shared(self):
        """Flags everybody changes; sometimes on condition."""
        uids = self._some(10)
        if uids:
            condition = ""
            if self.memory.modseqs and self.random.random() < 0.3:
                condition = f" (UNCHANGEDSINCE {self.random.choice(sorted(self.memory.modseqs))})"
            mode = self.random.choice("+-")
            flags = " ".join(self.random.sample(SHARED_FLAGS, 2))
            self._command(f"UID STORE {self._set(uids)}{condition} {mode}FLAGS ({flags})")

    def store_own(self):
        """A keyword only this worker changes: its last OK must be the final state."""
        uids = self._some(5)
        add = self.random.random() < 0.6
        silent = self.random.choice(["", ".SILENT"])
        if uids and self._command(f"UID STORE {self._set(uids)} {'+' if add else '-'}FLAGS{silent} "
                                  f"({self.keyword})").ok:
            self.memory.own_keyword.update(dict.fromkeys(uids, add))

    def append(self):
        self.appended += 1
        number = self.number * 1_000_000 + self.appended
        parts = self.client.append_parts(BOX, messages.numbered(number), [self.keyword])
        result = self._command(*parts)
        if result.ok:
            uid = int(result.code("APPENDUID")[1])
            self.memory.added[uid] = number
            self.memory.own_keyword[uid] = True
            self.uids.append(uid)

    def copy_within(self):
        uids = self._some(3)
        if uids:
            self._command(f"UID COPY {self._set(uids)} {BOX}")

    def move_away(self):
        uids = self._some(3)
        if not uids:
            return
        self.memory.doomed.update(uids)
        result = self._command(f"UID MOVE {self._set(uids)} {OTHER}")
        copied = result.code("COPYUID")
        if result.ok and copied:
            self.memory.moved.update(zip(expand(copied[1]), expand(copied[2])))

    def expunge(self):
        uids = self._some(6)
        if uids:
            self.memory.doomed.update(uids)
            self._command(f"UID STORE {self._set(uids)} +FLAGS.SILENT (\\Deleted)")
            self._command(f"UID EXPUNGE {self._set(uids)}")


def expand(sequence_set):
    """b"1:3,5" as [1, 2, 3, 5]."""
    numbers = []
    for part in bytes(sequence_set).decode().split(","):
        first, _colon, last = part.partition(":")
        low, high = sorted((int(first), int(last or first)))
        numbers += range(low, high + 1)
    return numbers


def run_worker(number, port, user, seconds, spared=()):
    """Entry point of a worker process; it leaves the messages with the UIDs `spared` alone."""
    return Worker(number, port, user, spared).run(seconds)
