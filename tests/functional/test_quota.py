"""Quota with the count driver: the sums come from the mailboxes' counters."""

import pytest

from pgboxtest import config, messages

LIMIT = 200_000


@pytest.fixture(scope="module", params=["sdbox", "tested"])
def pair(lab, request):
    """Two frontends with a quota of LIMIT bytes and 50 messages."""
    options = {"mail_plugins": ["quota"], "imap_plugins": ["imap_quota"],
               "extra": config.quota(storage=LIMIT, messages=50)}
    servers = [lab.dovecot(request.param, f"quota-{name}", **options) for name in "ab"]
    yield servers
    for server in servers:
        server.stop()


def usage(server, user):
    """(kilobytes, messages) as GETQUOTAROOT tells."""
    with server.imap(user) as imap:
        resources = imap.ok("GETQUOTAROOT INBOX").named("QUOTA")[0][1]
    return int(resources[1]), int(resources[4])


def test_usage_follows(pair, user):
    one, two = pair
    size = len(messages.numbered(1, size=10_000))
    with one.imap(user) as imap:
        imap.ok("CREATE other")
        for _ in range(5):
            imap.append("INBOX", messages.numbered(1, size=10_000))
        assert usage(one, user) == usage(two, user) == (kilobytes(5 * size), 5)
        imap.select("INBOX")
        imap.ok("COPY 1:2 other")
        assert usage(two, user) == (kilobytes(7 * size), 7)
        imap.ok("MOVE 1:2 other")
        assert usage(two, user) == (kilobytes(7 * size), 7)
        imap.ok("STORE 1 +FLAGS (\\Deleted)")
        imap.ok("EXPUNGE")
        assert usage(two, user) == (kilobytes(6 * size), 6)
        imap.ok("DELETE other")
        assert usage(two, user) == (kilobytes(2 * size), 2)


def kilobytes(size):
    return (size + 1023) // 1024


def test_over_quota(pair, user):
    """What does not fit is refused whole, by IMAP, COPY and LMTP."""
    one, two = pair
    with one.imap(user) as imap:
        imap.append("INBOX", messages.numbered(1, size=150_000))
        refused = imap.command(*imap.append_parts("INBOX", messages.numbered(2, size=60_000)))
        assert (refused.status.word, refused.status.code_name()) == ("NO", "OVERQUOTA")
        imap.select("INBOX")
        assert imap.command("COPY 1 INBOX").status.code_name() == "OVERQUOTA"
        code, text = two.deliver(user, messages.numbered(3, size=60_000))
        assert code in (452, 552), text
        imap.ok("NOOP")
        assert len(imap.search("ALL")) == 1
        imap.append("INBOX", messages.numbered(4, size=20_000))


def test_message_count_limit(pair, user):
    with pair[0].imap(user) as imap:
        for number in range(50):
            imap.append("INBOX", messages.numbered(number))
        assert not imap.command(*imap.append_parts("INBOX", messages.numbered(51))).ok
        imap.select("INBOX")
        imap.ok("STORE 1 +FLAGS (\\Deleted)")
        imap.ok("EXPUNGE")
        imap.append("INBOX", messages.numbered(52))


def test_doveadm_quota(pair, user):
    with pair[0].imap(user) as imap:
        imap.append("INBOX", messages.numbered(1, size=10_000))
    lines = pair[1].doveadm("-f", "flow", "quota", "get", "-u", user).stdout.decode().splitlines()
    size = len(messages.numbered(1, size=10_000))
    assert f"Value={kilobytes(size)} " in lines[0] and "Value=1 " in lines[1]
    pair[1].doveadm("quota", "recalc", "-u", user)
    assert usage(pair[0], user) == (kilobytes(size), 1)
