"""One process serves one user after another, and keeps its connection."""

import pytest

from pgboxtest import config, messages
from pgboxtest.process import wait_until

pytestmark = pytest.mark.usefixtures("pgbox_only")

USERS = 3


@pytest.fixture(name="server")
def reusing_server(lab):
    # two: the one that is free again only after the next client has come
    server = lab.dovecot("tested", "reuse", extra="service imap {\nprocess_limit = 2\n"
                         f"{config.many_clients(100)}}}\n")
    yield server
    server.stop()


def test_users_in_turn(lab, server):
    users = [lab.new_user(f"turn-{number}") for number in range(USERS)]
    lab.postgres.terminate_frontend_backends()
    backends = set()
    for turn in range(1, 4):
        for number, user in enumerate(users):
            with server.imap(user) as imap:
                if turn == 1:
                    imap.ok(f"CREATE folder-{number}")
                imap.append("INBOX", messages.numbered(10 * turn + number))
                imap.select("INBOX")
                fetched = imap.fetch("1:*", "BODY.PEEK[HEADER.FIELDS (SUBJECT)]")
                subjects = [list(values.values())[-1].split()[-1] for _seq, values
                            in sorted(fetched.items())]
                assert subjects == [b"%d" % (10 * t + number) for t in range(1, turn + 1)]
                assert imap.status(f"folder-{number}", "MESSAGES") == {"MESSAGES": 0}
                assert len(imap.list_names()) == 2
            backends |= set(lab.postgres.frontend_backends())
    assert len(backends) <= 2


def test_after_a_session_that_broke_off(lab, server):
    first, second = lab.new_user("broken"), lab.new_user("next")
    imap = server.imap(first)
    imap.select("INBOX")
    imap.socket.sendall(b"x APPEND INBOX {1000000+}\r\n" + b"From: half\r\n\r\n" + 300_000 * b"x")
    imap.close()
    wait_until(lambda: f"imap({first})" in server.log_text(), "the session to end")
    with server.imap(second) as imap:
        imap.append("INBOX", messages.numbered(1))
        assert imap.status("INBOX", "MESSAGES") == {"MESSAGES": 1}
    with server.imap(first) as imap:
        assert imap.status("INBOX", "MESSAGES") == {"MESSAGES": 0}
