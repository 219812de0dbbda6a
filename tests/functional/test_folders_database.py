"""Folders and the database: what a command costs, and what becomes of it without an answer."""

import pytest

from pgboxtest import messages
from pgboxtest.proxy import CountingProxy

# command with {} for a name, a word of its statement, what shows that it was done
CHANGES = [
    ("CREATE {}", "mailbox_create(", "STATUS {} (MESSAGES)"),
    ("CREATE {}/", "mailbox_create(", 'RENAME {} moved-{}'),
    ("RENAME old-{} {}", "mailbox_rename(", "STATUS {} (MESSAGES)"),
    ("DELETE old-{}", "mailbox_delete(", "CREATE old-{}"),
]
# these run again when they are lost
REPEATED = [
    ("SUBSCRIBE old-{}", "subscription_set("),
    ('SETMETADATA old-{} (/private/comment "x")', "attribute_set("),
    ("STATUS old-{} (MESSAGES)", "pgbox.mailbox_state b"),
]


class LosingProxy(CountingProxy):
    """Breaks the connection at the next statement that has a word, before or after it ran."""

    def __init__(self, target_port):
        super().__init__(target_port)
        self.word = None
        self.after = self.answer_is_lost = False

    def lose(self, word, after):
        self.after = after
        self.word = word.encode()

    def passes(self, data):
        """Called for everything on its way; False breaks the connection."""
        if self.answer_is_lost:
            self.answer_is_lost = False
            return False
        if self.word and self.word in data:
            self.word = None
            self.answer_is_lost = self.after
            return self.after
        return True


@pytest.fixture(scope="module")
def expected_log():
    return [r"Error: .*outcome unknown"]


@pytest.fixture(scope="module")
def behind_proxy(lab):
    """(proxy, frontend): the frontend reaches the database only through the proxy."""
    if lab.tested != "pgbox":
        pytest.skip("only pgbox has a database")
    proxy = LosingProxy(lab.postgres.port)
    dsn = lab.postgres.frontend_dsn_at(proxy.port)
    server = lab.dovecot("tested", "behind-proxy", metadata=True, plugin={"pgbox_dsn": dsn})
    yield proxy, server
    server.stop()
    proxy.close()


@pytest.mark.parametrize("command,word,check", CHANGES)
def test_lost_answer_is_looked_up(behind_proxy, user, command, word, check):
    """It was committed: the client hears OK, and it was done once."""
    proxy, server = behind_proxy
    with server.imap(user) as imap:
        imap.ok("CREATE old-a")
        proxy.lose(word, after=True)
        imap.ok(command.format("a", "a"))
        assert proxy.word is None
        imap.ok(check.format("a", "a"))


@pytest.mark.parametrize("command,word,check", CHANGES)
def test_lost_command_is_no_success(behind_proxy, user, command, word, check):
    """It did not reach the database: the client hears NO, and nothing was done."""
    proxy, server = behind_proxy
    with server.imap(user) as imap:
        imap.ok("CREATE old-a")
        proxy.lose(word, after=False)
        assert imap.command(command.format("a", "a")).status.code_name() == "UNAVAILABLE"
        assert proxy.word is None
        assert not imap.command(check.format("a", "a")).ok
        imap.ok(command.format("a", "a"))


@pytest.mark.parametrize("after", [True, False])
@pytest.mark.parametrize("command,word", REPEATED)
def test_what_may_run_twice_does(behind_proxy, user, command, word, after):
    proxy, server = behind_proxy
    with server.imap(user) as imap:
        imap.ok("CREATE old-a")
        proxy.lose(word, after)
        imap.ok(command.format("a"))
        assert proxy.word is None


def test_list_status_is_one_query(behind_proxy, user):
    """The number of folders does not count; one query more asks for INBOX."""
    proxy, server = behind_proxy
    with server.imap(user) as imap:
        for n in range(40):
            imap.ok(f"CREATE box{n}/sub")
        imap.append("box7/sub", messages.numbered(1))
        with proxy.measured() as cost:
            answer = imap.ok('LIST "" "*" RETURN (STATUS (MESSAGES UNSEEN UIDNEXT SIZE))')
        assert len(answer.named("STATUS")) == 41
        assert cost["round_trips"] <= 2


@pytest.mark.parametrize("command,most", [
    ("STATUS box (MESSAGES UNSEEN UIDNEXT UIDVALIDITY HIGHESTMODSEQ SIZE)", 1),
    ('LIST "" "*"', 2),
    ('LSUB "" "*"', 1),
    ("CREATE new", 5),
    ("RENAME box box2", 4),
    ("DELETE box", 5),
    ("SELECT missing", 1),
])
def test_round_trips(behind_proxy, user, command, most):
    proxy, server = behind_proxy
    with server.imap(user) as imap:
        imap.ok("CREATE box")
        imap.select("box")
        imap.ok("UNSELECT")
        with proxy.measured() as cost:
            imap.command(command)
        assert cost["round_trips"] <= most


def test_one_folder_costs_as_if_it_were_alone(behind_proxy, user):
    """Nothing is read of the folders that a command does not name."""
    proxy, server = behind_proxy
    costs = []
    with server.imap(user) as imap:
        for count in (1, 150):
            for number in range(count):
                imap.ok(f"CREATE box{count}-{number}")
            for command in ("CREATE new", "SELECT new", "UNSELECT", "STATUS new (MESSAGES)",
                            "DELETE new"):
                with proxy.measured() as cost:
                    imap.ok(command)
                costs.append((command, cost["received"]))
    few, many = costs[:len(costs) // 2], costs[len(costs) // 2:]
    for (command, before), (_command, after) in zip(few, many):
        assert after < before + 1000, command


def test_own_change_is_seen_in_the_same_packet(behind_proxy, user):
    """Pipelined commands share what was read, but not over a change of their own."""
    _proxy, server = behind_proxy
    with server.imap(user) as imap:
        imap.ok("CREATE box")
        tags = [imap.send(command) for command in (
            "STATUS box (MESSAGES)", 'LIST "" "*"', "RENAME box other", "STATUS box (MESSAGES)",
            "STATUS other (MESSAGES)", "DELETE other", 'LIST "" "*"')]
        answers = [imap.wait(tag, tag) for tag in tags]
        assert [answer.ok for answer in answers] == [True, True, True, False, True, True, True]
        assert len(answers[-1].named("LIST")) == 1
