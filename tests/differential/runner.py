"""Runs one session against one side, or against two sides in step."""

import dataclasses
import pprint

from pgboxtest.imap import ConnectionLost, Literal, Result, Status

from masking import History, Masker
from sessions import Message, ModSeq, UidValidity

PROBE = ('LIST "" "*" RETURN (STATUS (MESSAGES UIDNEXT UNSEEN RECENT UIDVALIDITY '
         'HIGHESTMODSEQ X-GUID))')
SELECTING = ("SELECT", "EXAMINE")


class Side:
    """One server or cluster: two connections, on one frontend each, and one that only looks.

    The look after each step is a LIST-STATUS of everything, by turns on both frontends.
    """

    def __init__(self, servers, user, pool, enabled):
        self.servers = servers
        self.user = user
        self.pool = pool
        self.enabled = enabled
        self.history = History()
        self.connections = [self._connect(number) for number in (0, 1)]
        self.probes = [server.imap(user) for server in servers]
        self.selected = [None, None]  # the GUID, so that a rename does not matter
        self.probe(0)

    def _connect(self, number):
        enabled = self.enabled[number]
        return self.servers[number].imap(self.user, enable=[enabled] if enabled else ())

    def close(self):
        for client in self.connections + self.probes:
            client.close()

    def step(self, number, command):
        """Run one command, a NOOP on the other connection, and a look; all masked."""
        other = 1 - command.connection
        was_selected = self.selected[command.connection]
        result = self._run(command)
        noop = self._send(other, ["NOOP"])
        statuses = self.probe(number)
        self._follow_selection(command, result)
        # codes before [CLOSED] speak of the old mailbox, but carry nothing that is masked
        guid = self.selected[command.connection] or was_selected
        named = command.mailbox
        return {
            "answer": self._masker(command.connection, guid, named).result(result),
            "other connection": self._masker(other, self.selected[other], None).result(noop),
            "mailboxes": statuses,
        }

    def _masker(self, number, guid, named):
        return Masker(self.history, guid, named, self.enabled[number] is not None)

    def _run(self, command):
        return self._send(command.connection, [self._resolve(command, part)
                                               for part in command.parts])

    def _resolve(self, command, part):
        if isinstance(part, Message):
            return Literal(self.pool.get(part), part.binary)
        if isinstance(part, ModSeq):
            guid = self.selected[command.connection]
            if part.mailbox is not None:
                guid = self.history.guid(part.mailbox.encode())
            modseq = self.history.modseq_at(guid, self.now - part.back)
            # SEARCH includes the number itself, and mails changed by one command share it only
            # with pgbox
            return str(modseq + (part.purpose == "SEARCH"))
        if isinstance(part, UidValidity):
            return str(self.history.uidvalidity(part.mailbox.encode()))
        return part

    def _send(self, number, parts):
        try:
            return self.connections[number].command(*parts)
        except ConnectionLost as lost:
            self.connections[number].close()
            self.connections[number] = self._connect(number)
            self.selected[number] = None
            return Result(parts, lost.untagged, Status(b"LOST", None, b"connection"))

    def _follow_selection(self, command, result):
        number = command.connection
        if command.verb in SELECTING:
            name = command.mailbox.encode()
            self.selected[number] = self.history.guid(name) if result.ok else None
        elif command.verb in ("UNSELECT", "CLOSE") and result.ok:
            self.selected[number] = None

    def probe(self, step):
        """Look at every mailbox; the masked STATUS of each."""
        self.now = step
        result = self.probes[step % len(self.probes)].ok(PROBE)
        statuses = {bytes(name): dict(zip([bytes(key).decode() for key in pairs[::2]], pairs[1::2]))
                    for name, pairs in result.named("STATUS")}
        self.history.record(step, statuses)
        return Masker(self.history, None, None).result(result)


@dataclasses.dataclass
class Mismatch:
    """Where two sides differed first."""

    step: int
    command: object
    what: str
    left: list
    right: list

    @property
    def kind(self):
        """Mismatches of one kind probably have one cause."""
        return self.command.verb, self.what

    def __str__(self):
        lines = [f"command {self.step}: {self.command}", f"differs in: {self.what}"]
        lines += [f"  expected: {shorten(answer)}" for answer in self.left
                  if answer not in self.right]
        lines += [f"  got:      {shorten(answer)}" for answer in self.right
                  if answer not in self.left]
        if len(lines) == 2:
            lines += [f"  expected this order: {shorten(self.left)}",
                      f"  got this order:      {shorten(self.right)}"]
        return "\n".join(lines)


def shorten(value, limit=1500):
    text = pprint.pformat(value, width=160)
    return text if len(text) <= limit else text[:limit] + f"... ({len(text)} characters)"


def compare(make_left, make_right, commands):
    """Run a session on both sides; the first Mismatch, or None."""
    left, right = make_left(), make_right()
    try:
        for number, command in enumerate(commands, 1):
            expected, got = left.step(number, command), right.step(number, command)
            for what, value in expected.items():
                if value != got[what]:
                    return Mismatch(number, command, what, value, got[what])
        return None
    finally:
        left.close()
        right.close()


def shrink(fails, commands, deadline):
    """Drop as many commands as possible while `fails(commands)`; stops at the deadline."""
    size = len(commands) // 2
    while size and not deadline():
        start = 0
        while start < len(commands) and not deadline():
            fewer = commands[:start] + commands[start + size:]
            if fails(fewer):
                commands = fewer
            else:
                start += size
        size //= 2
    return commands
