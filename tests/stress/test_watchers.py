"""Clients in IDLE watch the storm of workers.py: what they were told must be the mailbox.

Each keeps its own list of messages, from EXISTS, EXPUNGE and FETCH alone. The frontends ask by
themselves only every ten minutes, so everything was notified.
"""

import concurrent.futures
import multiprocessing
import os
import threading

import pytest

from pgboxtest import messages
from pgboxtest.imap import ConnectionLost, as_pairs
from pgboxtest.process import wait_until
from pgboxtest.services import SLOW_POLL, notified_frontends
from workers import BOX, OTHER, run_worker

SECONDS = float(os.environ.get("PGBOX_STRESS_SECONDS", "15"))
WORKERS = 4
STARTED_WITH = 30  # messages
SPARED_UID = 1  # the storm does not touch it, so its flags tell how far a client has been told


def plain_flags(flags):
    return frozenset(bytes(flag) for flag in flags) - {b"\\Recent"}


class Watcher:
    """A client in IDLE; `flags` has the flags of each message, None where nobody told them."""

    def __init__(self, server, user):
        self.client = server.imap(user, enable=["CONDSTORE"])
        self.client.select(BOX)
        known = self.client.fetch("1:*", "FLAGS", uid=False)
        self.flags = [plain_flags(known[number]["FLAGS"]) for number in sorted(known)]
        self.wrong = []
        self.changes_told = 0
        self.client.send("IDLE")
        self.client.socket.settimeout(None)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            while True:
                _tag, answer = self.client.read_response()
                if isinstance(answer, list) and len(answer) > 1 and answer[0].isdigit():
                    self._told(int(answer[0]), answer[1], answer[2:])
        except (ConnectionLost, OSError, ValueError) as error:
            self.wrong.append(repr(error))

    def _told(self, number, what, args):
        if what == b"EXISTS":
            self.changes_told += 1
            if number < len(self.flags):
                self.wrong.append(f"{number} EXISTS after {len(self.flags)}")
            self.flags += [None] * (number - len(self.flags))
        elif what == b"EXPUNGE":
            self.changes_told += 1
            del self.flags[number - 1]
        elif what == b"FETCH":
            self.changes_told += 1
            self.flags[number - 1] = plain_flags(as_pairs(args[0])["FLAGS"])


def wait_until_all(watchers, knows):
    """Wait until each of the watchers knows it, or was told something that cannot be."""
    for watcher in watchers:
        wait_until(lambda watcher=watcher: watcher.wrong or knows(watcher),
                   "a client in IDLE to be told", 30)
        assert not watcher.wrong


@pytest.fixture(scope="module")
def frontends(lab):
    with (notified_frontends(lab, ["watch-0", "watch-1"], extra=SLOW_POLL) as servers,
          notified_frontends(lab, ["watch-2"], hibernate=1, extra=SLOW_POLL) as hibernating):
        yield servers + hibernating


def test_watchers_know_the_mailbox(lab, frontends):
    user = lab.new_user("watched")
    with frontends[0].imap(user) as imap:
        imap.ok(f"CREATE {OTHER}")
        for number in range(STARTED_WITH):
            imap.append(BOX, messages.numbered(number))
    watchers = [Watcher(server, user)
                for server in frontends for _ in range(2)]
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(WORKERS, context) as pool:
        running = [pool.submit(run_worker, number, frontends[number % 3].imap_port, user, SECONDS,
                               (SPARED_UID,))
                   for number in range(WORKERS)]
        memories = [future.result() for future in running]
    assert sum(memory.commands for memory in memories) > WORKERS
    with frontends[1].imap(user) as imap:
        imap.select(BOX)
        count = len(imap.fetch("1:*", "UID", uid=False))
        wait_until_all(watchers, lambda watcher: len(watcher.flags) == count)
        imap.ok("STORE 1 +FLAGS (StormIsOver)")
        wait_until_all(watchers, lambda watcher: b"StormIsOver" in watcher.flags[0])
        # Hardly a message outlived the half second in which clients are told: now all have flags.
        imap.ok("STORE 1:* +FLAGS (AfterStorm)")
        found = imap.fetch("1:*", "FLAGS", uid=False)
    real = [plain_flags(found[number]["FLAGS"]) for number in sorted(found)]
    wait_until_all(watchers, lambda watcher: watcher.flags == real)
    assert min(watcher.changes_told for watcher in watchers) > STARTED_WITH, "there was no storm"
    for watcher in watchers:
        watcher.client.socket.shutdown(2)
