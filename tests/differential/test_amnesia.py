"""Two sessions on two hosts, one of which loses its index files, or finds bits of them flipped.

PGBOX_AMNESIA_SESSIONS (3), PGBOX_AMNESIA_COMMANDS (40) and PGBOX_PAIR_SEED (1) choose how many of
each kind of damage, and which.
"""

import functools
import os

import pytest

from pgboxtest.pair import hosts_of_kind
from pair_amnesia import KINDS, AmnesiaMatch, with_losses
from pair_runner import PairSide, compare_pairs
from pair_sessions import PairGenerator
from test_two_sessions import AUDIT_EVERY, FIRST_SEED

SESSIONS = int(os.environ.get("PGBOX_AMNESIA_SESSIONS", "3"))
COMMANDS = int(os.environ.get("PGBOX_AMNESIA_COMMANDS", "40"))


@pytest.fixture(scope="module")
def expected_log():
    """What Dovecot and pgbox say of damaged index files. Some damage makes Dovecot's assertions fail."""
    return [r": Error: ", r"Panic: file mail-(index|cache|transaction)", r"Panic: file array.c",
            r"child \d+ killed with signal (6|11)"]


@pytest.fixture(scope="module")
def pairs(lab):
    with (hosts_of_kind(lab, "sdbox", "amnesia") as oracle,
          hosts_of_kind(lab, "notified", "amnesia") as hosts):
        yield oracle, hosts


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + SESSIONS))
@pytest.mark.parametrize("kind", KINDS)
def test_amnesia(lab, pairs, kind, seed):
    generator = PairGenerator(seed)
    steps = with_losses(generator.steps(COMMANDS), kind, seed)
    user = lab.new_user("amnesia")
    mismatch = compare_pairs(*[lambda pair=pair: PairSide(pair, user, generator.enabled)
                               for pair in pairs], steps, AUDIT_EVERY,
                             functools.partial(AmnesiaMatch, kind=kind))
    if mismatch:
        listing = "\n".join(f"  {step}" for step in steps[:mismatch.step])
        pytest.fail(f"seed {seed}, {kind}, ENABLE {generator.enabled}, {mismatch}\n{listing}\n"
                    f"rerun: cd tests && PGBOX_PAIR_SEED={seed} PGBOX_AMNESIA_SESSIONS=1 "
                    f"PGBOX_AMNESIA_COMMANDS={COMMANDS} /usr/bin/python3 -m pytest "
                    f"differential/test_amnesia.py -k '{kind}-'", pytrace=False)
