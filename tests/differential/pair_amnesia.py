"""The sessions of pair_runner.py while a host's index files are lost or damaged.

What is told may be wrong once: a command that is sent again, or the next one, must be right.  A
session may be ended once; then its client comes back.  Of bits that Dovecot does not expect, a few
processes may die.  Headers are not compared: damage of dovecot.index.cache is shown by sdbox, too.
"""

import dataclasses
import itertools
import os
import random
import shutil

from pgboxtest.imap import ConnectionLost

from pair_runner import (ALL_FLAGS, BOX, Match, Wrong, command_parts, outcome, told_flags,
                         what_differs)
from pair_sessions import READING

HOST = 0  # the one that forgets; the other one is not disturbed
KINDS = ("removed", "dovecot.index", "dovecot.index.log", "dovecot.index.cache")
BITS = 3
DEATHS = 3  # of processes that may die of a damaged index before the plugin drops it


@dataclasses.dataclass(frozen=True)
class Loss:
    """The index directory is removed, or bits of one of its files are flipped."""

    kind: str
    seed: int
    verb = "LOSS"

    def __str__(self):
        return f"(host {HOST}: {self.kind}" + ("" if self.kind == "removed" else
                                               f", {BITS} bits of seed {self.seed}") + ")"

    def happen(self, server, user, guid):
        directory = os.path.join(server.cache, user)
        if self.kind == "removed":
            shutil.rmtree(directory, ignore_errors=True)
            return
        # none if the plugin has dropped the file, and Dovecot hasn't written it again
        for path in index_files(directory, guid, self.kind):
            flip(path, random.Random(self.seed))


def index_files(directory, guid, name):
    """The files of this name of one mailbox."""
    return [os.path.join(path, name) for path, _dirs, files in os.walk(directory)
            if guid in path and name in files]


def flip(path, choice):
    with open(path, "r+b") as file:
        size = os.fstat(file.fileno()).st_size
        for _ in range(BITS if size else 0):
            at = choice.randrange(size)
            octet = os.pread(file.fileno(), 1, at)[0]
            os.pwrite(file.fileno(), bytes([octet ^ 1 << choice.randrange(8)]), at)


def fill_log(imap):
    """Until Dovecot writes dovecot.index, as it does after 8 kilobytes of log."""
    imap.ok(f"SELECT {BOX}")
    imap.pipelined(*(f"STORE 1 {sign}FLAGS.SILENT (\\Draft)" for sign in "+-" * 60))
    imap.logout()


def with_losses(steps, kind, seed):
    """Steps of one command each, and losses between them."""
    choice = random.Random(seed)
    single = [dataclasses.replace(step, actions=(action,)) for step in steps
              for action in step.actions]
    for _ in range(2):
        single.insert(choice.randrange(5, len(single)), Loss(kind, choice.randrange(10**6)))
    return single


class AmnesiaMatch(Match):
    """The right side's first host forgets, in a way that is one of KINDS."""

    def __init__(self, left, right, kind):
        if kind == "dovecot.index":
            with right.pair.hosts[HOST].imap(right.user) as imap:
                fill_log(imap)
        super().__init__(left, right)
        status = right.observers[1 - HOST].status(BOX, "X-GUID")
        self.guid = status["X-GUID"].decode()
        self.may_end = [0, 0]
        self.may_die = 0
        right.turn = itertools.cycle(right.observers[1 - HOST:][:1])

    def run(self, step):
        if isinstance(step, Loss):
            step.happen(self.right.pair.hosts[HOST], self.right.user, self.guid)
            self.may_end = [count + 1 for count in self.may_end]
            self.may_die = 0 if step.kind == "removed" else DEATHS
            return
        super().run(step)

    def _send(self, step, resolved):
        (action, uids, sure), = resolved
        number = step.connection
        commands = [command_parts(action, uids)]
        expected = self.ask_oracle(step, commands)
        self._advance(step, resolved)
        self._check(self.left, number, resolved, expected, self.truth.now - 2, True)
        answers = 0
        while answers < 2:
            got = self._try(number, commands)
            if self._is_right(action, sure, uids, expected, got):
                return
            # it may have failed after it was done
            if action.verb not in READING and self._folders_are_equal():
                return
            answers += got is not None
            self.right.settle()
        raise Wrong(f"outcome of {action.verb}, the second time", expected, got)

    def _try(self, number, commands):
        """The Results, or None if the session has ended and was begun anew."""
        session = self.right.sessions[number]
        try:
            return session.client.pipelined(*(
                [("CLOSE",), (f"SELECT {BOX}",)] if commands == [("CLOSE",)] else commands))
        except ConnectionLost as lost:
            self._come_back(number, lost)
            return None

    def _come_back(self, number, lost):
        self._count_end(number, lost)
        session = self.right.sessions[number]
        session.client.close()
        session.client = self._new_session(number)

    def _count_end(self, number, lost):
        if any(getattr(answer, "word", None) == "BYE" for answer in lost.untagged):
            self.may_end[number] -= 1
        else:
            self.may_die -= 1
        if self.may_end[number] < 0 or self.may_die < 0:
            raise Wrong("session ended again", None, lost.untagged)

    def _new_session(self, number):
        """One that has selected the mailbox, at the second attempt at the latest."""
        answers = []
        client = self.right.pair.hosts[number].imap(self.right.user)
        while len(answers) < 2:
            try:
                answers.append(client.command(f"SELECT {BOX}"))
                if answers[-1].ok:
                    return client
            except ConnectionLost as lost:
                self._count_end(number, lost)
                client.close()
                client = self.right.pair.hosts[number].imap(self.right.user)
        client.close()
        raise Wrong("two SELECTs", None, answers)

    def _is_right(self, action, sure, uids, expected, got):
        if got is None or outcome(expected[-1], sure) != outcome(got[-1], sure):
            return False
        there = {uid for uid in self.agreed if self.truth.current(uid) is not None}
        if action.verb == "FETCH":
            told = {int(uid): flags for _number, uid, flags in told_flags(got[-1])
                    if uid is not None}
            return all(told.get(uid) == self.truth.current(uid) for uid in there & set(uids))
        if action.verb in ("SEARCH", "SORT"):
            found = {int(uid) for args in got[-1].named(action.verb) for uid in args
                     if isinstance(uid, bytes) and uid.isdigit()}
            return all(action.matches(self.truth.current(uid)) == (uid in found) for uid in there)
        return True

    def _folders_are_equal(self):
        return self.left.folders() == self.right.folders()

    # an audit

    def audit(self):
        self.right.settle()
        expected, got = [side.folders() for side in self.sides]
        if expected != got:
            raise Wrong("folders", what_differs(expected, got), what_differs(got, expected))
        for session in self.left.sessions:
            self._audit_session(self.left, session)
        for number, _session in enumerate(self.right.sessions):
            self._must_see_the_truth(number)
        with self._new_session(HOST) as fresh:
            self._second_look("a new session", lambda: fresh.command(ALL_FLAGS))
        self.agreed = self.truth.uids()
        for session in self.right.sessions:
            session.added = []

    def _must_see_the_truth(self, number):
        self._try(number, [("NOOP",)])

        def look():
            results = self._try(number, [(ALL_FLAGS,)])
            return results[0] if results else None

        self._second_look("a session", look)

    def _second_look(self, who, look):
        """The first one may be wrong, or come when the session has ended."""
        wanted = {uid: self.truth.current(uid) for uid in self.truth.uids()}
        looks = 0
        while looks < 2:
            result = look()
            if result is None:
                continue
            looks += 1
            seen = {int(uid): flags for _number, uid, flags in told_flags(result)
                    if uid is not None}
            if seen == wanted:
                return
        raise Wrong(f"mailbox that {who} of the host sees", wanted, seen)
