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
