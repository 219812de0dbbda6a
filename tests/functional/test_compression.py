"""Messages are stored as zstd frames: what is stored, read back with any setting, and broken."""

import pytest

from pgboxtest import messages
from pgboxtest.imap import ConnectionLost

MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def expected_log():
    """Of the test that breaks a frame."""
    return [r"message-range: broken zstd frame", r"read\(message \d+\) failed"]


@pytest.fixture(scope="module")
def plain(lab):
    """A frontend that doesn't compress."""
    if lab.tested != "pgbox":
        pytest.skip("only pgbox has a database")
    server = lab.dovecot("tested", "plain", plugin={"pgbox_compression": "none"})
    yield server
    server.stop()


def stored(lab, user):
    """(octets of messages, octets stored of them) of a user."""
    row = lab.postgres.sql(
        "select sum(c.size), sum(octet_length(c.data)) from pgbox.message_chunk c "
        f"join pgbox.account a using (account_id) where a.name = '{user}'")[0]
    return int(row[0]), int(row[1])


SIZES = [600, 10_000, 200_000, 3 * MEGABYTE]


def append_all(server, user):
    """A text and an attachment of each size; returns the messages."""
    data = [make(size) for size in SIZES
            for make in (lambda size: messages.numbered(size, size=size),
                         messages.with_attachment)]
    with server.imap(user) as imap:
        for message in data:
            imap.append("INBOX", message)
    return data


def test_messages_take_less_space(lab, frontend_a, user, pgbox_only):
    append_all(frontend_a, user)
    octets, frames = stored(lab, user)
    assert frames < 0.8 * octets


def test_none_stores_octets(lab, plain, user):
    append_all(plain, user)
    octets, data = stored(lab, user)
    assert data == octets


def test_base64_is_packed(lab, frontend_a, user, pgbox_only):
    """Less than the Huffman codes of zstd alone would take, 0.757; and the database can count the octets."""
    with frontend_a.imap(user) as imap:
        imap.append("INBOX", messages.with_attachment(3 * MEGABYTE))
    octets, frames = stored(lab, user)
    assert frames < 0.74 * octets
    assert lab.postgres.sql("""
        select c.n from pgbox.message_chunk c join pgbox.account a using (account_id)
        where a.name = '%s' and pgbox.chunk_octets(substring(c.data for 30)) is distinct from c.size""" % user) == []


@pytest.mark.parametrize("writer", ["frontend_a", "plain"])
def test_both_kinds_are_read(request, writer, frontend_a, plain, user):
    """The setting is about new messages only."""
    data = append_all(request.getfixturevalue(writer), user)
    for reader in (frontend_a, plain):
        reader.clear_cache(user)
        with reader.imap(user) as imap:
            imap.select("INBOX")
            for number, message in enumerate(data, 1):
                values = imap.fetch(number, "BODY.PEEK[] BODY.PEEK[HEADER] BODY.PEEK[]<300.70000>")
                assert values[number]["BODY[]"] == message
                assert values[number]["BODY[HEADER]"] == message[:message.index(b"\r\n\r\n") + 4]
                assert values[number]["BODY[]<300>"] == message[300:70_300]


def flip_byte(lab, user):
    """Break the user's only message; twice mends it."""
    lab.postgres.sql(
        "update pgbox.message_chunk c set data = set_byte(data, z.place, get_byte(data, z.place) # 255) "
        "from (select account_id, message_id, octet_length(data) / 2 as place "
        "from pgbox.message_chunk join pgbox.account using (account_id) "
        f"where name = '{user}' and n = 0) z "
        "where z.account_id = c.account_id and z.message_id = c.message_id and n = 0")


@pytest.mark.parametrize("size", [10_000, MEGABYTE])
def test_broken_frame(lab, frontend_a, user, pgbox_only, size):
    """A byte that changed on the server's disk is an error that is logged, never another mail."""
    with frontend_a.imap(user) as imap:
        imap.append("INBOX", messages.numbered(1, size=size))
    flip_byte(lab, user)
    with frontend_a.imap(user) as imap:
        imap.select("INBOX")
        with pytest.raises(ConnectionLost):
            imap.command("FETCH 1 BODY.PEEK[]")
    flip_byte(lab, user)
    with frontend_a.imap(user) as imap:
        imap.select("INBOX")
        assert imap.fetch(1, "BODY.PEEK[]")[1]["BODY[]"] == messages.numbered(1, size=size)
