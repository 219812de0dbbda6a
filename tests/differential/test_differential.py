"""The same random IMAP sessions against sdbox and the backend under test.

PGBOX_DIFF_SESSIONS (60), PGBOX_DIFF_COMMANDS (50) and PGBOX_DIFF_SEED (1) choose how many and
which; PGBOX_DIFF_SHRINK=0 leaves out the search for the shortest failing session.
"""

import os
import time

import pytest

from runner import Side, compare, shrink
from sessions import Command, SessionGenerator

SESSIONS = int(os.environ.get("PGBOX_DIFF_SESSIONS", "60"))
COMMANDS = int(os.environ.get("PGBOX_DIFF_COMMANDS", "50"))
FIRST_SEED = int(os.environ.get("PGBOX_DIFF_SEED", "1"))
SHRINK_SECONDS = 40 if os.environ.get("PGBOX_DIFF_SHRINK", "1") != "0" else 0
SHRUNK = []  # only the first few failures of a run are worth the time


class Arena:
    """Makes the two sides of a session, each time with a fresh account."""

    def __init__(self, lab, sdbox, frontends):
        self.lab = lab
        self.left_servers = [sdbox, sdbox]
        self.right_servers = frontends

    def compare(self, generator, commands):
        user = self.lab.new_user("diff")
        make = [lambda servers=servers: Side(servers, user, generator.pool, generator.enabled)
                for servers in (self.left_servers, self.right_servers)]
        return compare(*make, commands)


@pytest.fixture(scope="module")
def expected_log():
    """BINARY of broken base64: Dovecot logs it and ends the session, with every storage."""
    return [r"binary stream of mailbox .*failed: .*[Bb]ase64"]


@pytest.fixture(scope="module")
def frontend_in_memory(lab, frontend_b):
    """A frontend without index files; sdbox cannot do without them."""
    if lab.tested == "sdbox":
        return frontend_b
    return lab.dovecot("tested", "in-memory", memory_index=True)


@pytest.fixture
def arena(lab, sdbox, frontend_a, frontend_b, frontend_in_memory, request):
    """Every third session has its second connection on a frontend with INDEX=MEMORY."""
    seed = request.node.callspec.params.get("seed", 0)
    return Arena(lab, sdbox, [frontend_a, frontend_in_memory if seed % 3 == 2 else frontend_b])


def shortest(arena, generator, commands, mismatch):
    """The shortest session found that still fails in the same way, as text."""
    if not SHRINK_SECONDS or len(SHRUNK) >= 3:
        return ""
    SHRUNK.append(mismatch)
    end = time.monotonic() + SHRINK_SECONDS

    def fails(fewer):
        found = arena.compare(generator, fewer)
        return found is not None and found.kind == mismatch.kind

    commands = shrink(fails, commands, lambda: time.monotonic() > end)
    listing = "\n".join(f"  {command}" for command in commands)
    return f"\nshortest session found ({len(commands)} commands):\n{listing}\n" \
           f"{arena.compare(generator, commands)}"


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + SESSIONS))
def test_session(arena, seed):
    generator = SessionGenerator(seed)
    commands = generator.commands(COMMANDS)
    mismatch = arena.compare(generator, commands)
    if mismatch:
        pytest.fail(f"seed {seed}, ENABLE {generator.enabled}, {mismatch}"
                    f"{shortest(arena, generator, commands[:mismatch.step], mismatch)}\n"
                    f"rerun: cd tests && PGBOX_DIFF_SEED={seed} PGBOX_DIFF_SESSIONS=1 "
                    f"PGBOX_DIFF_COMMANDS={COMMANDS} /usr/bin/python3 -m pytest differential",
                    pytrace=False)


DIFFERENCES = {
    "flags": "STORE 2 +FLAGS (\\Draft)",
    "expunge": "MOVE 1 a",
    "mailbox": "CREATE new",
    "modseq only": "STORE 1 +FLAGS.SILENT (\\Seen)",
}


@pytest.mark.parametrize("extra", DIFFERENCES.values(), ids=DIFFERENCES)
def test_a_difference_is_noticed(arena, sdbox, extra):
    """A session with one more command on one side must not pass as equal."""
    arena.right_servers = [sdbox, sdbox]
    generator = SessionGenerator(0)
    commands = generator.commands(8)
    look = Command(0, ("FETCH 1:* (FLAGS MODSEQ)",))
    users = [arena.lab.new_user("seen") for _ in range(2)]
    left = Side([sdbox, sdbox], users[0], generator.pool, generator.enabled)
    right = Side([sdbox, sdbox], users[1], generator.pool, generator.enabled)
    for number, command in enumerate(commands, 1):
        assert left.step(number, command) == right.step(number, command)
    right.connections[0].command(extra)
    assert left.step(9, look) != right.step(9, look)
    left.close()
    right.close()
