"""Octets in are octets out, by every way in."""

import os
import re
import subprocess

import pytest

from pgboxtest import messages
from pgboxtest.lmtp import LmtpClient
from pgboxtest.process import wait_until

GENERATED = 400
ROUND_TRIP = int(os.environ.get("PGBOX_ROUND_TRIP", "2000"))
# what a delivery adds with times, process ids and names in it
TRACE = re.compile(rb"\A(Return-Path: <[^\r\n]*\r\n|Delivered-To: [^\r\n]*\r\n"
                   rb"|Received: [^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*)*")


def generated():
    generator = messages.Generator(7)
    return [(f"generated {n}", generator.message()) for n in range(GENERATED)]


@pytest.fixture(scope="module")
def pool():
    """(name, octets): the shared corpus where it exists, and generated messages."""
    return messages.corpus() + generated()


def appended(server, user, pool):
    """What the server gives back of everything in the pool, as (octets, size) by name."""
    with server.imap(user) as imap:
        uids = {imap.append("INBOX", data)[1]: name for name, data in pool}
        imap.select("INBOX")
        fetched = imap.fetch("1:*", "BODY.PEEK[] RFC822.SIZE BODY.PEEK[HEADER] BODY.PEEK[TEXT]")
    return {name: fetched[uid] for uid, name in uids.items()}


def test_append_as_sdbox(sdbox, frontend_a, user, pool):
    """Everything as sdbox gives it back; it only touches CRs that are not part of a CRLF."""
    expected = appended(sdbox, user, pool)
    got = appended(frontend_a, user, pool)
    for name, data in pool:
        whole = got[name]["BODY[]"]
        assert got[name] == expected[name], name
        assert int(got[name]["RFC822.SIZE"]) == len(whole), name
        assert got[name]["BODY[HEADER]"] + got[name]["BODY[TEXT]"] == whole, name
        if b"\r" not in data.replace(b"\r\n", b""):
            assert whole == messages.crlf(data), name


def test_binary_append(server, user):
    """A literal8 keeps NULs and everything else."""
    generator = messages.Generator(8)
    pool = [generator.with_nuls() for _ in range(5)] + [generator.binary_part() for _ in range(20)]
    with server.imap(user) as imap:
        uids = [imap.append("INBOX", data, binary=True)[1] for data in pool]
        imap.select("INBOX")
        for uid, data in zip(uids, pool):
            imap.ok(f"UID FETCH {uid} (BODY.PEEK[] BINARY.PEEK[1] BODYSTRUCTURE)")
            got = imap.fetch(uid, "BINARY.PEEK[]")[uid]["BINARY[]"]
            assert got == data


def test_binary_append_as_sdbox(sdbox, frontend_a, user):
    """Also what BODY[] shows of a message with NULs is the same as with sdbox."""
    generator = messages.Generator(9)
    pool = [generator.with_nuls(), generator.binary_part()]
    answers = []
    for server in (sdbox, frontend_a):
        with server.imap(user) as imap:
            for data in pool:
                imap.append("INBOX", data, binary=True)
            imap.select("INBOX")
            answers.append(imap.fetch("1:*", "BODY.PEEK[] BODYSTRUCTURE RFC822.SIZE "
                                             "BINARY.SIZE[1]"))
    assert answers[0] == answers[1]


def test_binary_size(frontend_a, user):
    """BINARY.SIZE is the size of BINARY.  Not compared with sdbox: it stores LF, and counts
    parts wrong that lie in a multipart, because it mixes sizes of both line ends."""
    generator = messages.Generator(11)
    with frontend_a.imap(user) as imap:
        for _ in range(30):
            imap.append("INBOX", messages.crlf(generator.nested()))
        imap.select("INBOX")
        for section in ("1", "2"):
            sizes = imap.fetch("1:*", f"BINARY.SIZE[{section}]")
            parts = imap.fetch("1:*", f"BINARY.PEEK[{section}]")
            for uid, values in parts.items():
                got = values[f"BINARY[{section}]"]
                assert int(sizes[uid][f"BINARY.SIZE[{section}]"]) == len(got or b""), uid


def delivered(server, user, pool):
    """What LMTP made of everything in the pool, without the trace headers."""
    with LmtpClient(server.lmtp_port) as lmtp:
        for name, data in pool:
            code, text = lmtp.deliver(user, data)
            assert code == 250, (name, text)
    with server.imap(user) as imap:
        imap.select("INBOX")
        fetched = imap.fetch("1:*", "BODY.PEEK[] BODYSTRUCTURE ENVELOPE")
    return [(TRACE.sub(b"", values["BODY[]"], count=1), values["BODYSTRUCTURE"],
             values["ENVELOPE"]) for _uid, values in sorted(fetched.items())]


def test_lmtp_as_sdbox(sdbox, frontend_a, user, pool):
    generator = messages.Generator(10)
    pool = pool + [("nuls", generator.with_nuls()), ("binary", generator.binary_part())]
    expected = delivered(sdbox, user, pool)
    got = delivered(frontend_a, user, pool)
    assert len(got) == len(pool)
    for (name, _data), left, right in zip(pool, expected, got):
        assert right == left, name


def test_huge_headers(server, user):
    """A header block of 1 MB, and one header of 300 kB."""
    data = messages.crlf(b"Subject: big\n" + b"X-Filler: " + b"f" * 300_000 + b"\n"
                         + b"".join(b"X-%d: %s\n" % (n, b"h" * 60) for n in range(15_000))
                         + b"\nbody\n")
    with server.imap(user) as imap:
        uid = imap.append("INBOX", data)[1]
        imap.select("INBOX")
        got = imap.fetch(uid, "BODY.PEEK[] BODY.PEEK[HEADER] "
                              "BODY.PEEK[HEADER.FIELDS (X-14999)]")[uid]
    assert got["BODY[]"] == data
    assert got["BODY[HEADER]"] == data[:-6]
    assert got["BODY[HEADER.FIELDS (X-14999)]"] == b"X-14999: " + b"h" * 60 + b"\r\n\r\n"


def test_large_message_in_pieces(server, user):
    """Partial fetches put together again, forwards and backwards, over chunk borders."""
    data = messages.numbered(1, size=3_000_000)
    with server.imap(user) as imap:
        uid = imap.append("INBOX", data)[1]
        imap.select("INBOX")
        starts = list(range(0, len(data), 262_144 - 7))
        for order in (starts, starts[::-1]):
            pieces = {start: piece(imap, uid, start, 262_144 - 7) for start in order}
            assert b"".join(pieces[start] for start in starts) == data


def piece(imap, uid, start, size):
    values = imap.fetch(uid, f"BODY.PEEK[]<{start}.{size}>")[uid]
    return values[f"BODY[]<{start}>"]


def test_same_bytes_from_other_frontend(frontend_a, frontend_b, user, pool):
    with frontend_a.imap(user) as imap:
        for _name, data in pool[::5]:
            imap.append("INBOX", data)
        imap.select("INBOX")
        bodies = imap.bodies()
        assert len(bodies) == len(pool[::5])
    with frontend_b.imap(user) as imap:
        imap.select("INBOX")
        assert imap.bodies() == bodies


# --- mbsync ------------------------------------------------------------------------------

MBSYNC_CONFIG = """\
IMAPAccount box
Host 127.0.0.1
Port {port}
User {user}
Pass x
SSLType None
AuthMechs LOGIN

IMAPStore remote
Account box

MaildirStore local
Path {maildir}/
Inbox {maildir}/INBOX

Channel all
Far :remote:
Near :local:
Sync All
Create Both
SyncState *
"""


def make_maildir(path, pool):
    """A Maildir folder with these messages, some with flags."""
    for sub in ("cur", "new", "tmp"):
        os.makedirs(os.path.join(path, sub))
    suffixes = ["", ":2,S", ":2,FS", ":2,RS", ":2,D"]
    for index, data in enumerate(pool):
        suffix = suffixes[index % len(suffixes)]
        folder = "cur" if suffix else "new"
        name = f"{1_600_000_000 + index}.{index}.example{suffix}"
        with open(os.path.join(path, folder, name), "wb") as mail:
            mail.write(data)


def read_maildir(path):
    """Sorted (flags, octets) of a Maildir folder, without mbsync's X-TUID header."""
    found = []
    for sub in ("cur", "new"):
        for name in os.listdir(os.path.join(path, sub)):
            with open(os.path.join(path, sub, name), "rb") as mail:
                data = re.sub(rb"^X-TUID: .*\n", b"", mail.read(), count=1, flags=re.M)
            flags = name.partition(":2,")[2]
            found.append(("".join(sorted(set(flags) - {"U"})), data))
    return sorted(found)


def mbsync(server, user, maildir, config):
    with open(config, "w", encoding="utf-8") as conf:
        conf.write(MBSYNC_CONFIG.format(port=server.imap_port, user=user, maildir=maildir))
    done = subprocess.run(["mbsync", "-c", config, "-a"], capture_output=True, text=True,
                          check=False, timeout=600)
    assert done.returncode == 0, done.stderr


def mbsync_can_carry(data):
    """mbsync itself loses single CRs, open last lines, and messages that end in the header."""
    return b"\r" not in data and data.endswith(b"\n") and b"\n\n" in data


def test_mbsync_round_trip(frontend_a, frontend_b, user, tmp_path):
    """Maildir -> IMAP on one frontend; IMAP on the other -> an empty Maildir."""
    generator = messages.Generator(11)
    pool = [generator.message().replace(b"\r\n", b"\n") for _ in range(ROUND_TRIP)]
    pool = [data for data in pool if mbsync_can_carry(data)]
    pool += [messages.numbered(n).replace(b"\r\n", b"\n") for n in range(ROUND_TRIP - len(pool))]
    first, second = tmp_path / "first", tmp_path / "second"
    make_maildir(first / "INBOX", pool)
    mbsync(frontend_a, user, first, tmp_path / "first.conf")
    second.mkdir()
    mbsync(frontend_b, user, second, tmp_path / "second.conf")
    sent = read_maildir(first / "INBOX")
    assert len(sent) == ROUND_TRIP
    assert read_maildir(second / "INBOX") == sent


def test_large_mail_from_another_account(lab, frontend_a, user, pgbox_only):
    """Source and destination share a connection: a chunk is read while another is stored."""
    other = lab.new_user("other")
    data = messages.with_attachment(5 * 1024 * 1024)
    with frontend_a.imap(other) as imap:
        imap.append("INBOX", data)
    frontend_a.clear_cache(other)
    frontend_a.doveadm("copy", "-u", user, "INBOX", "user", other, "mailbox", "INBOX", "all")
    with frontend_a.imap(user) as imap:
        imap.select("INBOX")
        assert imap.fetch(1, "BODY.PEEK[]")[1]["BODY[]"] == data


def test_interrupted_append_leaves_nothing(lab, frontend_a, user, pgbox_only):
    """A client that goes in the middle of a large message; what was uploaded goes, too."""
    data = messages.with_attachment(5 * 1024 * 1024)
    with frontend_a.imap(user) as imap:
        imap.socket.sendall(b"x APPEND INBOX {%d+}\r\n" % len(data) + data[:4 * 1024 * 1024])
        wait_until(lambda: uploads(lab) > 0, "the first chunks")
        imap.socket.close()
    wait_until(lambda: uploads(lab) == 0, "the upload to be removed")
    with frontend_a.imap(user) as imap:
        assert imap.status("INBOX", "MESSAGES") == {"MESSAGES": 0}


def uploads(lab):
    return int(lab.postgres.value("select count(*) from pgbox.message_upload"))
