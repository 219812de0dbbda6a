"""What a command costs: octets and round trips to the database."""

import threading

import pytest

from pgboxtest import messages
from pgboxtest.imap import as_pairs
from pgboxtest.proxy import CountingProxy

MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def metered(lab):
    """(proxy, frontend): all the frontend's database traffic goes through the proxy."""
    if lab.tested != "pgbox":
        pytest.skip("only pgbox has a database")
    proxy = CountingProxy(lab.postgres.port)
    dsn = lab.postgres.frontend_dsn_at(proxy.port)
    server = lab.dovecot("tested", "metered", plugin={"pgbox_dsn": dsn})
    yield proxy, server
    server.stop()
    proxy.close()


@pytest.mark.parametrize("offset,size", [(0, 65_536), (12_000_000, 20_000)])
def test_partial_of_large_part(metered, user, offset, size):
    """A range of a 25 MB attachment must not bring the whole message over."""
    proxy, server = metered
    data = messages.with_attachment(25 * MEGABYTE)
    with server.imap(user) as imap:
        imap.append("INBOX", data)
    server.clear_cache(user)
    with server.imap(user) as imap:
        imap.select("INBOX")
        with proxy.measured() as cost:
            fetched = imap.fetch("1", f"BODY.PEEK[2]<{offset}.{size}>")
        start = data.index(b"base64\r\n\r\n") + len(b"base64\r\n\r\n") + offset
        assert fetched[1][f"BODY[2]<{offset}>"] == data[start:start + size]
    assert cost["received"] < MEGABYTE, cost


def test_structure_of_large_mail_needs_no_body(metered, user):
    proxy, server = metered
    with server.imap(user) as imap:
        imap.append("INBOX", messages.with_attachment(5 * MEGABYTE))
    server.clear_cache(user)
    with server.imap(user) as imap:
        imap.select("INBOX")
        with proxy.measured() as cost:
            imap.fetch("1", "ENVELOPE BODYSTRUCTURE RFC822.SIZE INTERNALDATE "
                            "BODY.PEEK[HEADER.FIELDS (SUBJECT FROM)]")
    assert cost["received"] < 100_000, cost


LISTING = {
    "envelope": "ENVELOPE RFC822.SIZE INTERNALDATE FLAGS",
    "structure": "BODYSTRUCTURE",
    "headers": "BODY.PEEK[HEADER.FIELDS (FROM TO SUBJECT DATE)]",
    "small bodies": "BODY.PEEK[]",
}


@pytest.mark.parametrize("items", LISTING.values(), ids=LISTING)
def test_no_query_for_each_message(metered, user, items):
    """FETCH 1:* with a cold cache: round trips do not grow with the number of messages."""
    proxy, server = metered
    fill(server, user, 300)
    server.clear_cache(user)
    with server.imap(user) as imap:
        imap.select("INBOX")
        with proxy.measured() as cost:
            assert len(imap.fetch("1:*", items)) == 300
    assert cost["round_trips"] < 60, cost


def fill(server, user, count):
    """Many small messages in one MULTIAPPEND."""
    parts = ["APPEND INBOX"]
    with server.imap(user) as imap:
        for number in range(count):
            parts += [" ", *imap.append_parts("", messages.numbered(number))[1:]]
        imap.ok(*parts)


CHANGES = {
    "store": "STORE 1:* +FLAGS (\\Seen Word)",
    "copy": "COPY 1:* INBOX",
    "move": "MOVE 1:* other",
    "search flags": "SEARCH UNSEEN",
}


@pytest.mark.parametrize("command", CHANGES.values(), ids=CHANGES)
def test_change_of_many_is_few_round_trips(metered, user, command):
    proxy, server = metered
    fill(server, user, 300)
    with server.imap(user) as imap:
        imap.ok("CREATE other")
        imap.select("INBOX")
        with proxy.measured() as cost:
            imap.ok(command)
    assert cost["round_trips"] <= 10, cost
    assert cost["received"] < 200_000, "COPY and MOVE must not move the bytes"


def test_list_status_is_few_round_trips(metered, user):
    """STATUS of all mailboxes comes from the counters, in one query for all."""
    proxy, server = metered
    with server.imap(user) as imap:
        for number in range(40):
            imap.ok(f"CREATE box{number}")
        with proxy.measured() as cost:
            result = imap.ok('LIST "" "*" RETURN (STATUS (MESSAGES UNSEEN UIDNEXT SIZE))')
    assert len(result.named("STATUS")) == 41
    assert all(as_pairs(args[1])["MESSAGES"] == b"0" for args in result.named("STATUS"))
    assert cost["round_trips"] <= 6, cost


def test_noop_is_one_round_trip(metered, user):
    proxy, server = metered
    fill(server, user, 10)
    with server.imap(user) as imap:
        imap.select("INBOX")
        imap.ok("NOOP")
        with proxy.measured() as cost:
            imap.ok("NOOP")
    assert cost["round_trips"] <= 1, cost
    assert cost["received"] < 2_000, cost


def test_cut_connection_is_not_noticed(metered, user):
    """The network breaks an idle connection: reads and writes go on over a new one."""
    proxy, server = metered
    with server.imap(user) as imap:
        imap.append("INBOX", messages.numbered(1))
        imap.select("INBOX")
        for command in ("NOOP", "FETCH 1 (BODY.PEEK[])", "STORE 1 +FLAGS (\\Seen)", "CREATE box",
                        "COPY 1 box", "STATUS box (MESSAGES)"):
            proxy.cut()
            imap.ok(command)


def test_large_deliveries_at_once(frontend_a, frontend_b, lab):
    """Several big deliveries beside each other on both frontends, all whole."""
    data = messages.numbered(1, size=8 * MEGABYTE)
    users = [lab.new_user("big") for _ in range(4)]
    codes = []

    def deliver(index):
        server = (frontend_a, frontend_b)[index % 2]
        codes.append(server.deliver(users[index % 4], data)[0])

    threads = [threading.Thread(target=deliver, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [250] * 8
    for name in users:
        with frontend_b.imap(name) as imap:
            imap.select("INBOX")
            bodies = list(imap.bodies().values())
            assert len(bodies) == 2 and all(body.endswith(data) for body in bodies)
