"""Reading mails: what listings cost, what a frontend remembers, and what happens when the
database lost something."""

import pytest

from pgboxtest import config, messages
from pgboxtest.imap import ConnectionLost, as_pairs
from pgboxtest.process import wait_until
from pgboxtest.proxy import CountingProxy
from pgboxtest.services import wait_for_notify

MANY = 2000
MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def expected_log():
    """The tests below damage the database."""
    return [r"read\(message \d+\) failed", r"Stored (mime.parts|imap.bodystructure) ",
            r"pgbox: .*(terminat|closed the connection|lost)"]


@pytest.fixture(scope="module")
def metered(lab):
    """(proxy, frontend): all database traffic of mail processes goes through the proxy.

    With the service that says when there is nothing to ask for."""
    if lab.tested != "pgbox":
        pytest.skip("only pgbox has a database")
    proxy = CountingProxy(lab.postgres.port)
    dsn = lab.postgres.frontend_dsn_at(proxy.port)
    server = lab.dovecot("tested", "reading", notify=True,
                         plugin={"pgbox_dsn": dsn,
                                 **config.notify_databases([lab.postgres.frontend_dsn])})
    wait_for_notify(server)
    yield proxy, server
    server.stop()
    proxy.close()


@pytest.fixture(scope="module")
def many(lab, metered):
    """A user with many mails in INBOX."""
    _proxy, server = metered
    user = lab.new_user("many")
    with server.imap(user) as imap:
        for start in range(0, MANY, 200):
            parts = ["APPEND INBOX"]
            for number in range(start, start + 200):
                data = messages.numbered(number, size=500 + number % 7 * 1000)
                parts += [" ", *imap.append_parts("", data)[1:]]
            imap.ok(*parts)
    return user


LISTINGS = ["RFC822.SIZE INTERNALDATE", "ENVELOPE", "BODYSTRUCTURE", "BODY", "SAVEDATE X-GUID",
            "BODY.PEEK[HEADER.FIELDS (FROM TO SUBJECT DATE)]", "BODY.PEEK[HEADER]"]


@pytest.mark.parametrize("items", LISTINGS)
def test_cold_listing(metered, many, items):
    """Mails come by the thousand, and no body with them."""
    proxy, server = metered
    server.clear_cache(many)
    with server.imap(many) as imap:
        imap.select("INBOX")
        with proxy.measured() as cost:
            assert len(imap.fetch("1:*", items)) == MANY
    # 1, 16, 128 and twice 1000 mails; the same for headers; a sync
    assert cost["round_trips"] <= 11, cost
    # about 800 octets for each mail, and 200 for its header
    assert cost["received"] < MANY * 1200, cost


@pytest.mark.parametrize("items", [i for i in LISTINGS if i != "ENVELOPE"
                                   and i != "BODY.PEEK[HEADER]"])
def test_second_listing_is_local(metered, many, items):
    """What was read is in dovecot.index.cache for the next session."""
    proxy, server = metered
    server.clear_cache(many)
    answers = []
    for _session in range(2):
        with server.imap(many) as imap:
            imap.select("INBOX")
            with proxy.measured() as cost:
                answers.append(imap.fetch("1:*", items))
    assert answers[0] == answers[1]
    assert cost["round_trips"] <= 1, cost


def test_envelopes_from_cached_headers(metered, many):
    """Dovecot does not cache envelopes unless told to, but what they are made of."""
    proxy, server = metered
    server.clear_cache(many)
    names = "DATE SUBJECT FROM SENDER REPLY-TO TO CC BCC IN-REPLY-TO MESSAGE-ID"
    with server.imap(many) as imap:
        imap.select("INBOX")
        expected = imap.fetch("1:*", "ENVELOPE")
        imap.fetch("1:*", f"BODY.PEEK[HEADER.FIELDS ({names})]")
    with server.imap(many) as imap:
        imap.select("INBOX")
        with proxy.measured() as cost:
            assert imap.fetch("1:*", "ENVELOPE") == expected
    assert cost["round_trips"] <= 1, cost


def test_sparse_listing(metered, many):
    """Every tenth mail: still not a query for each."""
    proxy, server = metered
    server.clear_cache(many)
    with server.imap(many) as imap:
        imap.select("INBOX")
        wanted = ",".join(map(str, range(1, MANY, 10)))
        with proxy.measured() as cost:
            assert len(imap.fetch(wanted, "INTERNALDATE", uid=False)) == MANY // 10
    assert cost["round_trips"] <= 8, cost


def test_one_mail_comes_alone(metered, many):
    """A session that looks at a few mails here and there reads no others."""
    proxy, server = metered
    with server.imap(many) as imap:
        imap.select("INBOX")
        imap.fetch("1", "BODY.PEEK[]")
        for uid in (1500, 300, 900, 37):
            with proxy.measured() as cost:
                assert len(imap.fetch(uid, "BODY.PEEK[]")) == 1
            assert cost["round_trips"] <= 2 and cost["received"] < 12_000, cost


def test_bodies_one_by_one(metered, many):
    """A client that fetches mail after mail gets them read ahead."""
    proxy, server = metered
    with server.imap(many) as imap:
        imap.select("INBOX")
        with proxy.measured() as cost:
            for uid in range(1, 501):
                assert b"body %d" % (uid - 1) in imap.fetch(uid, "BODY.PEEK[]")[uid]["BODY[]"]
    assert cost["round_trips"] <= 14, cost


def test_pop3_listing(metered, many):
    proxy, server = metered
    server.clear_cache(many)
    with proxy.measured() as cost:
        with server.pop3(many) as pop3:
            assert len(set(pop3.uidls())) == MANY
            assert len(pop3.sizes()) == MANY
            pop3.quit()
    # text is extracted for 0.3 s, in as many batches as that takes
    assert cost["round_trips"] <= MANY / 40, cost


def test_parts_in_a_row(metered, user):
    """Partial FETCHes one after the other transfer each octet once."""
    proxy, server = metered
    data = messages.numbered(1, size=6 * MEGABYTE)
    with server.imap(user) as imap:
        imap.append("INBOX", data)
        imap.select("INBOX")
        with proxy.measured() as cost:
            for start in range(0, len(data), 100_000):
                part = imap.fetch(1, f"BODY.PEEK[]<{start}.100000>")[1][f"BODY[]<{start}>"]
                assert part == data[start:start + 100_000]
    assert cost["received"] < len(data) * 1.02, cost
    assert cost["round_trips"] < 40, cost


def test_search_in_bodies(metered, many):
    """Dovecot's own search reads the bodies in bulk."""
    proxy, server = metered
    with server.imap(many) as imap:
        imap.select("INBOX")
        with proxy.measured() as cost:
            assert imap.search('BODY "body 1234"') == [1235]
    # text is extracted for 0.3 s, in as many batches as that takes
    assert cost["round_trips"] <= MANY / 40, cost


def test_previews(server, user):
    with server.imap(user) as imap:
        for number in range(30):
            imap.append("INBOX", messages.numbered(number))
        imap.select("INBOX")
        for uid, values in imap.fetch("1:*", "PREVIEW").items():
            assert b"body %d" % (uid - 1) in values["PREVIEW"]


# --- mails that others removed -------------------------------------------------------------


def test_expunged_elsewhere(frontend_a, frontend_b, user, pgbox_only):
    """A session that still sees a mail can read it; when it is gone for good, it says so."""
    data = [messages.numbered(number, size=300) for number in range(40)]
    with frontend_a.imap(user) as imap, frontend_b.imap(user) as other:
        for octets in data:
            imap.append("INBOX", octets)
        imap.select("INBOX")
        other.select("INBOX")
        other.ok("STORE 3:30 +FLAGS.SILENT (\\Deleted)")
        other.ok("EXPUNGE")
        bodies = imap.fetch("1:*", "BODY.PEEK[] RFC822.SIZE ENVELOPE", uid=False)
        assert [bodies[seq]["BODY[]"] for seq in sorted(bodies)] == data


def test_purged_elsewhere(lab, frontend_a, frontend_b, user, pgbox_only):
    with frontend_a.imap(user) as imap, frontend_b.imap(user) as other:
        for number in range(40):
            imap.append("INBOX", messages.numbered(number))
        imap.select("INBOX")
        other.select("INBOX")
        other.ok("STORE 3:30 +FLAGS.SILENT (\\Deleted)")
        other.ok("EXPUNGE")
        lab.postgres.sql("select pgbox.purge(null, '0', '1 day', 1000000)")
        result = imap.command("FETCH 1:* (BODY.PEEK[])")
        assert result.status.code_name() == "EXPUNGEISSUED", result
        # Dovecot answers NIL for what is gone
        got = [number for number, args in result.numbered("FETCH") if as_pairs(args[0])["BODY[]"]]
        assert got == [1, 2, *range(31, 41)]
        imap.ok("NOOP")
        assert len(imap.fetch("1:*", "BODY.PEEK[]")) == 12


# --- a database that lost something --------------------------------------------------------


def message_of(lab, user):
    """The id of a user's only message."""
    return lab.postgres.value(
        "select s.message_id from pgbox.message s join pgbox.account a using (account_id) "
        f"where a.name = '{user}'")


def test_lost_octets(lab, frontend_a, user, pgbox_only):
    """Missing chunks are an error, not a shorter mail; all else of the mail still works."""
    data = messages.numbered(1, size=MEGABYTE)
    with frontend_a.imap(user) as imap:
        imap.append("INBOX", data)
    lab.postgres.sql("delete from pgbox.message_chunk where n > 0 "
                     f"and message_id = {message_of(lab, user)}")
    with frontend_a.imap(user) as imap:
        imap.select("INBOX")
        with pytest.raises(ConnectionLost):
            imap.command("FETCH 1 BODY.PEEK[]")
    with frontend_a.imap(user) as imap:
        imap.select("INBOX")
        values = imap.fetch(1, "ENVELOPE BODYSTRUCTURE RFC822.SIZE BODY.PEEK[HEADER]")[1]
        assert int(values["RFC822.SIZE"]) == len(data)
        part = imap.fetch(1, "BODY.PEEK[]<1000.1000>")[1]["BODY[]<1000>"]
        assert part == data[1000:2000]


STORED = ["mime_parts = '\\x00'", "mime_parts = '\\x'", "bodystructure = 'broken ('",
          "bodystructure = null", "envelope = null"]


@pytest.mark.parametrize("damage", STORED)
def test_wrong_stored_values(lab, sdbox, frontend_a, user, pgbox_only, damage):
    """What Dovecot computed when the mail was saved is computed again if it is not usable."""
    data = messages.Generator(4).nested()
    items = "ENVELOPE BODY BODYSTRUCTURE BODY.PEEK[1] BODY.PEEK[2.MIME] BODY.PEEK[TEXT]"
    answers = []
    for server in (sdbox, frontend_a):
        with server.imap(user) as imap:
            imap.append("INBOX", data)
        if server is frontend_a:
            lab.postgres.sql(f"update pgbox.message set {damage} "
                             f"where message_id = {message_of(lab, user)}")
            server.clear_cache(user)
        with server.imap(user) as imap:
            imap.select("INBOX")
            answers.append(imap.fetch(1, items))
            answers.append(imap.fetch(1, items))
    assert answers[0] == answers[2]
    assert answers[1] == answers[3]


def test_connection_lost_while_reading(lab, frontend_a, user, pgbox_only):
    """Between two ranges of a big mail the server ends the connection."""
    data = messages.numbered(1, size=3 * MEGABYTE)
    with frontend_a.imap(user) as imap:
        imap.append("INBOX", data)
        imap.select("INBOX")
        for start in range(0, len(data), 500_000):
            part = imap.fetch(1, f"BODY.PEEK[]<{start}.500000>")[1][f"BODY[]<{start}>"]
            assert part == data[start:start + 500_000]
            lab.postgres.terminate_frontend_backends()


def test_client_that_stops_reading(lab, frontend_a, user, pgbox_only):
    """Bodies are read ahead; no statement waits for the client, and the answer outlives its
    connection."""
    sizes = [40_000 + 3_000 * number for number in range(20)]
    with frontend_a.imap(user) as imap:
        for size in sizes:
            imap.append("INBOX", messages.with_attachment(size))
        imap.select("INBOX")
        for _ in range(19):
            imap.ok("COPY 1:20 INBOX")
    with frontend_a.imap(user) as imap:
        imap.select("INBOX")
        tag = imap.send("FETCH 1:* (BODY.PEEK[])")
        found = [imap.read_response() for _ in range(100)]
        wait_until(lambda: lab.postgres.value("select bool_and(state = 'idle') from "
                   "pg_stat_activity where usename = 'pgbox_frontend'") == "t",
                   "connections without a statement")
        lab.postgres.terminate_frontend_backends()
        while found[-1][0] != tag:
            found.append(imap.read_response())
    assert found.pop()[1].word == "OK"
    expected = [messages.with_attachment(size) for size in sizes]
    assert [answer[2][1] == expected[number % 20] for number, (_tag, answer)
            in enumerate(found)] == [True] * 400


# --- everything, as sdbox gives it ---------------------------------------------------------

EVERYTHING = [
    "RFC822.SIZE", "INTERNALDATE", "ENVELOPE", "BODYSTRUCTURE", "BODY", "PREVIEW",
    "BODY.PEEK[]", "BODY.PEEK[HEADER]", "BODY.PEEK[TEXT]", "BODY.PEEK[1]", "BODY.PEEK[1.MIME]",
    "BODY.PEEK[2]", "BODY.PEEK[1.1]", "BODY.PEEK[2.HEADER]", "BODY.PEEK[2.TEXT]",
    "BODY.PEEK[]<10.200>", "BODY.PEEK[1]<5.50>", "BODY.PEEK[TEXT]<0.100000>",
    "BODY.PEEK[HEADER.FIELDS (SUBJECT FROM DATE X-NONE)]",
    "BODY.PEEK[HEADER.FIELDS.NOT (RECEIVED)]",
]


def everything(server, user, pool):
    """Answers to each item alone, then to some together, in one session."""
    with server.imap(user) as imap:
        for number, data in enumerate(pool):
            imap.append("INBOX", data, date=messages.imap_date(number))
    with server.imap(user) as imap:
        imap.select("INBOX")
        commands = EVERYTHING + [" ".join(EVERYTHING[n::5]) for n in range(5)]
        return {items: [response for response in imap.ok(f"FETCH 1:* ({items})").untagged
                        if response[1] == b"FETCH"]
                for items in commands}


@pytest.mark.parametrize("memory", [False, True], ids=["files", "memory"])
def test_everything_as_sdbox(lab, sdbox, frontend_a, user, memory):
    generator = messages.Generator(11)
    pool = [data for _name, data in messages.corpus()[::4]]
    pool += [generator.message() for _ in range(60)]
    tested = lab.dovecot("tested", "memory", memory_index=True) if memory else frontend_a
    expected = everything(sdbox, user, pool)
    got = everything(tested, user, pool)
    for items, answers in expected.items():
        for one, other in zip(answers, got[items]):
            assert one == other, items
        assert len(answers) == len(got[items])
