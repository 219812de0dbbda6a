"""POP3: the same mailbox as IMAP shows, the same UIDLs on every frontend."""

import pytest

from pgboxtest import config, messages
from pgboxtest.pop3 import Pop3Error


@pytest.fixture
def pool():
    generator = messages.Generator(5)
    return [generator.message() for _ in range(40)]


def fill(server, user, pool):
    with server.imap(user) as imap:
        for data in pool:
            imap.append("INBOX", data)


def test_retrieve(server, user, pool):
    fill(server, user, pool)
    with server.pop3(user) as pop3:
        expected = [messages.crlf(data) for data in pool]
        assert pop3.sizes() == [len(data) for data in expected]
        for number, data in enumerate(expected, 1):
            # POP3 cannot say whether the last line had an end
            whole = data if data.endswith(b"\r\n") else data + b"\r\n"
            assert pop3.retrieve(number) == whole, number


def test_top(server, user):
    data = messages.numbered(1, body="line one\nline two\nline three")
    fill(server, user, [data])
    with server.pop3(user) as pop3:
        assert pop3.multiline("TOP 1 1") == data[:data.index(b"line two")]


def test_uidls_are_stable(frontend_a, frontend_b, user, pool):
    """Across frontends, sessions and lost caches; still the same when others are deleted."""
    fill(frontend_a, user, pool)
    with frontend_a.pop3(user) as pop3:
        uidls = pop3.uidls()
    assert len(set(uidls)) == len(pool)
    if frontend_a.backend == "pgbox":
        frontend_a.clear_cache(user)
    for server in (frontend_b, frontend_a):
        with server.pop3(user) as pop3:
            assert pop3.uidls() == uidls
    with frontend_b.pop3(user) as pop3:
        pop3.command("DELE 1")
        pop3.command("DELE 3")
        pop3.quit()
    with frontend_a.pop3(user) as pop3:
        assert pop3.uidls() == [uidls[1]] + uidls[3:]


def test_delete_is_seen_by_imap(server, user, pool):
    fill(server, user, pool[:3])
    with server.imap(user) as imap:
        imap.select("INBOX")
        with server.pop3(user) as pop3:
            pop3.command("DELE 2")
            pop3.quit()
        assert imap.ok("NOOP").numbered("EXPUNGE") == [(2, [])]


def test_reset_deletes_nothing(server, user, pool):
    fill(server, user, pool[:3])
    with server.pop3(user) as pop3:
        pop3.command("DELE 2")
        with pytest.raises(Pop3Error):
            pop3.retrieve(2)
        pop3.command("RSET")
        pop3.quit()
    with server.pop3(user) as pop3:
        assert len(pop3.sizes()) == 3


def test_uidl_of_migrated_mail(lab, frontend_a, frontend_b, user, pool):
    """UIDLs that came with the mail by dsync are kept (pop3_uidl_format as before)."""
    old = lab.dovecot("sdbox", "old-pop3", extra=config.pop3_uidl_guid())
    new = lab.dovecot("tested", "new-pop3", extra=config.pop3_uidl_guid())
    fill(old, user, pool[:10])
    with old.pop3(user) as pop3:
        uidls = pop3.uidls()
    new.doveadm("backup", "-u", user, "-R", f"sdbox:{old.user_home(user)}/mail")
    with new.pop3(user) as pop3:
        assert pop3.uidls() == uidls
    old.stop()
    new.stop()


def test_uidls_that_come_to_a_known_mailbox(lab, user, pool):
    """A frontend that knows the mailbox without UIDLs shows those that another one brings."""
    uidl_format = config.pop3_uidl_guid()
    old = lab.dovecot("sdbox", "old-pop3", extra=uidl_format)
    known, other = (lab.dovecot("tested", name, extra=uidl_format) for name in ("known-pop3", "other-pop3"))
    fill(known, user, pool[:2])
    with known.pop3(user) as pop3:
        before = pop3.uidls()
    fill(old, user, pool[2:6])
    with old.pop3(user) as pop3:
        migrated = pop3.uidls()
    other.doveadm("sync", "-1", "-u", user, "-R", f"sdbox:{old.user_home(user)}/mail")
    for server in (known, other):
        with server.pop3(user) as pop3:
            assert sorted(pop3.uidls()) == sorted(before + migrated)
    for server in (old, known, other):
        server.stop()
