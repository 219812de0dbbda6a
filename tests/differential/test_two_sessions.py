"""Two sessions with the same mailbox on two hosts, and two on one sdbox.

PGBOX_PAIR_SESSIONS (60), PGBOX_PAIR_COMMANDS (60) and PGBOX_PAIR_SEED (1) choose how many and
which; PGBOX_DIFF_SHRINK=0 leaves out the search for the shortest failing session.
"""

import os
import time

import pytest

from pgboxtest.pair import hosts_of_kind
from pair_runner import PairSide, compare_pairs
from pair_sessions import PairGenerator
from runner import shrink

SESSIONS = int(os.environ.get("PGBOX_PAIR_SESSIONS", "60"))
COMMANDS = int(os.environ.get("PGBOX_PAIR_COMMANDS", "60"))
FIRST_SEED = int(os.environ.get("PGBOX_PAIR_SEED", "1"))
AUDIT_EVERY = 15
SHRINK_SECONDS = 25 if os.environ.get("PGBOX_DIFF_SHRINK", "1") != "0" else 0
SHRUNK = []  # only the first few failures of a run are worth the time


class Arena:
    """Makes the two sides of a session, each time with a fresh account."""

    def __init__(self, lab, oracle, hosts):
        self.lab = lab
        self.pairs = (oracle, hosts)

    def compare(self, generator, steps):
        user = self.lab.new_user("pair")
        make = [lambda pair=pair: PairSide(pair, user, generator.enabled) for pair in self.pairs]
        return compare_pairs(*make, steps, AUDIT_EVERY)


@pytest.fixture(scope="module")
def arenas(lab):
    """Every third session is on hosts without pgbox-notify, which have to ask."""
    with hosts_of_kind(lab, "sdbox", "pair") as oracle, hosts_of_kind(lab, "alone", "pair") as alone:
        if lab.tested != "pgbox":
            yield [Arena(lab, oracle, alone)] * 2
            return
        with hosts_of_kind(lab, "notified", "pair") as notified:
            yield [Arena(lab, oracle, notified), Arena(lab, oracle, alone)]


def shortest(arena, generator, steps, mismatch):
    """The shortest session found that still fails in the same way, as text."""
    if not SHRINK_SECONDS or len(SHRUNK) >= 3:
        return ""
    SHRUNK.append(mismatch)
    end = time.monotonic() + SHRINK_SECONDS

    def fails(fewer):
        found = arena.compare(generator, fewer)
        return found is not None and found.kind == mismatch.kind

    steps = shrink(fails, steps, lambda: time.monotonic() > end)
    listing = "\n".join(f"  {step}" for step in steps)
    return f"\nshortest session found ({len(steps)} steps):\n{listing}\n" \
           f"{arena.compare(generator, steps)}"


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + SESSIONS))
def test_pair(arenas, seed):
    generator = PairGenerator(seed)
    steps = generator.steps(COMMANDS)
    arena = arenas[seed % 3 == 2]
    mismatch = arena.compare(generator, steps)
    if mismatch:
        pytest.fail(f"seed {seed}, {arena.pairs[1].kind}, ENABLE {generator.enabled}, {mismatch}"
                    f"{shortest(arena, generator, steps[:mismatch.step], mismatch)}\n"
                    f"rerun: cd tests && PGBOX_PAIR_SEED={seed} PGBOX_PAIR_SESSIONS=1 "
                    f"PGBOX_PAIR_COMMANDS={COMMANDS} /usr/bin/python3 -m pytest "
                    "differential/test_two_sessions.py", pytrace=False)


def without(what):
    """Takes untagged answers that have this word from what a session is told."""
    def spoil(results):
        for result in results:
            result.untagged[:] = [answer for answer in result.untagged
                                  if not (isinstance(answer, list) and what in answer[:2])]
    return spoil


def without_flags(results):
    """A FETCH tells that no flags are set."""
    for result in results:
        for _number, args in result.numbered("FETCH"):
            args[0][:] = [[] if isinstance(value, list) and item == b"FLAGS" else value
                          for item, value in zip([None, *args[0]], args[0])]


def refused(results):
    results[-1].status.word = "NO"


def is_noticed(arena, lie, seed):
    """Whether the second session of the right side can be told something else than what is."""
    generator = PairGenerator(seed)
    generator.enabled = [None, None]
    oracle, user = arena.pairs[0], arena.lab.new_user("liar")

    def make_liar():
        side = PairSide(oracle, f"{user}-right", generator.enabled)
        session = side.sessions[1]
        send = session.send

        def send_and_spoil(commands):
            results = send(commands)
            lie(results)
            return results

        session.send = send_and_spoil
        return side

    return compare_pairs(lambda: PairSide(oracle, user, generator.enabled), make_liar,
                         generator.steps(COMMANDS), AUDIT_EVERY) is not None


LIES = {"expunges": without(b"EXPUNGE"), "new mails": without(b"EXISTS"),
        "changes": without(b"FETCH"), "found": without(b"SEARCH"), "flags": without_flags,
        "outcome": refused}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_a_lie_is_noticed(arenas, lie):
    assert any(is_noticed(arenas[0], lie, seed) for seed in range(4))


def test_the_truth_is_no_lie(arenas):
    assert not is_noticed(arenas[0], lambda results: None, 0)
