"""The same random searches on sdbox and pgbox, with text indexed, half indexed and not indexed.

PGBOX_SEARCH_MESSAGES (400), PGBOX_SEARCH_COMMANDS (150) and PGBOX_SEARCH_SEED (1) choose how many
and which.
"""

import itertools
import os

import pytest

from pgboxtest import messages
from searches import Mails, Searches, show

MESSAGES = int(os.environ.get("PGBOX_SEARCH_MESSAGES", "400"))
COMMANDS = int(os.environ.get("PGBOX_SEARCH_COMMANDS", "150"))
SEED = int(os.environ.get("PGBOX_SEARCH_SEED", "1"))
FLAGS = ["\\Seen", "\\Flagged", "\\Answered", "\\Draft", "work"]
OF_ACCOUNT = ("where account_id = (select account_id from pgbox.account "
              "where name = '{user}')")


def fill(imap, mails):
    for number, data in enumerate(mails.data):
        flags = [flag for bit, flag in enumerate(FLAGS) if number >> bit & 1]
        imap.append("INBOX", data, flags, messages.imap_date(number * 7))


def answers(imap, command):
    """What must be equal: the untagged answers but for what differs by itself, and the status."""
    result = imap.command(*command)
    told = [[token for token in tokens if token != b"UID"]
            for tokens in result.untagged if isinstance(tokens, list)
            and tokens and tokens[0] in (b"SEARCH", b"SORT", b"THREAD", b"ESEARCH")]
    for tokens in told:  # tags and MODSEQs
        if tokens[0] == b"ESEARCH":
            del tokens[1]
        if isinstance(tokens[-1], list) and tokens[-1] and tokens[-1][0] == b"MODSEQ":
            del tokens[-1]
        if b"MODSEQ" in tokens:
            at = tokens.index(b"MODSEQ")
            del tokens[at:at + 2]
    return told, result.status.word


def is_sorted(command):
    return command[0].startswith(("SORT", "UID SORT", "THREAD ORDEREDSUBJECT"))


def asked_alone(imaps, command, told):
    """Two answers to a SEARCH that differ, where they do after asking about single messages.

    When a text ends within a character, Dovecot's decoder shows the rest as U+FFFD, as the beginning
    of the next message it looks at.
    """
    if not command[0].startswith("SEARCH ") or any(status != "OK" for _answers, status in told):
        return told
    found = [set(map(int, answer[0][1:])) for answer, _status in told]
    for number in found[0] ^ found[1]:
        for imap, numbers in zip(imaps, found):
            (single,), _status = answers(imap, [f"{command[0]}{number} ", *command[1:]])
            (numbers.add if single[1:] else numbers.discard)(number)
    return found


class Unsorted:
    """Asks sdbox in a copy of the mailbox where nothing was sorted before.

    Dovecot remembers the order of strings in its index; which mails it takes for equal, and sorts
    by the next key, then depends on what was sorted before.
    """

    def __init__(self, sdbox, user):
        self.imap = sdbox.imap(user)
        self.names = (f"unsorted {number}" for number in itertools.count())

    def answers(self, command):
        name = next(self.names)
        self.imap.ok(f'CREATE "{name}"')
        self.imap.select("INBOX", verb="EXAMINE")
        self.imap.ok(f'COPY 1:* "{name}"')
        self.imap.select(name, verb="EXAMINE")
        told = answers(self.imap, command)
        self.imap.ok("UNSELECT")
        self.imap.ok(f'DELETE "{name}"')
        return told


@pytest.fixture(scope="module")
def arena(lab, sdbox, frontend_a):
    """Both servers with the same mail; the commands, and what sdbox answers to them."""
    user = lab.new_user("search")
    mails = Mails(SEED, MESSAGES)
    searches = Searches(SEED, mails.data)
    commands = [searches.command() for _ in range(COMMANDS)]
    for server in (sdbox, frontend_a):
        with server.imap(user) as imap:
            fill(imap, mails)
    with sdbox.imap(user) as imap:
        imap.select("INBOX", verb="EXAMINE")
        expected = [answers(imap, command) for command in commands]
    return user, commands, expected, Unsorted(sdbox, user)


def queue_everything(postgres, user, every, error):
    """Take away the text of each n-th message."""
    of_account = OF_ACCOUNT.format(user=user)
    postgres.sql(f"""
        insert into pgbox.message_text_queue (account_id, message_id, error)
        select account_id, message_id, {error} from pgbox.message {of_account}
            and message_id % {every} = 0
        on conflict (account_id, message_id) do update
            set error = excluded.error, has_header = false, leased_until = null, attempts = 0""")
    postgres.sql(f"delete from pgbox.message_text {of_account} and message_id % {every} = 0")


def prepare(lab, server, user, state):
    """Bring the text of the account into a state."""
    of_account = OF_ACCOUNT.format(user=user)
    if state == "not indexed":
        queue_everything(lab.postgres, user, 1, "'held back'")
        return
    if state == "first search":
        queue_everything(lab.postgres, user, 1, "null")
        return
    queue_everything(lab.postgres, user, 1, "null")
    server.doveadm("index", "-u", user, "INBOX")
    left = lab.postgres.sql(f"select message_id, error from pgbox.message_text_queue {of_account}")
    assert not left, left
    if state == "half indexed":
        queue_everything(lab.postgres, user, 2, "'held back'")
    if state == "folded otherwise":
        lab.postgres.sql("update pgbox.message_text set folding = folding + 1, header = 'X', body = 'X', "
                         f"subject_field = 'X', from_field = '' {of_account}")


@pytest.mark.parametrize("state", ["not indexed", "first search", "half indexed", "indexed",
                                   "folded otherwise"])
def test_searches(lab, arena, frontend_a, state):
    """Each state on a frontend without index."""
    user, commands, expected, unsorted = arena
    if lab.tested == "pgbox":
        prepare(lab, frontend_a, user, state)
    elif state != "indexed":
        pytest.skip("only pgbox has text")
    wrong = []
    server = lab.dovecot("tested", state.replace(" ", "-")) if lab.tested == "pgbox" else frontend_a
    with server.imap(user) as imap:
        imap.select("INBOX", verb="EXAMINE")
        for command, wanted in zip(commands, expected):
            got = answers(imap, command)
            if got != wanted and is_sorted(command):
                wanted = unsorted.answers(command)
            elif got != wanted:
                unsorted.imap.select("INBOX", verb="EXAMINE")
                wanted, got = asked_alone((unsorted.imap, imap), command, (wanted, got))
            if got != wanted:
                wrong.append(f"{show(command)}\n  sdbox: {str(wanted)[:400]}\n  here:  {str(got)[:400]}")
    if lab.tested == "pgbox":
        server.stop()
    assert not wrong, f"{len(wrong)} of {len(commands)} differ (seed {SEED}):\n" + "\n".join(wrong[:20])
