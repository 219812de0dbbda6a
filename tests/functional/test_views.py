"""What analysts see of a mail is what clients see of it: each of its values is one that
nothing else has, and comes back through mail_view, attachment_view and IMAP."""

import pytest

FLAGS = {"answered": "\\Answered", "flagged": "\\Flagged", "deleted": "\\Deleted", "seen": "\\Seen",
         "draft": "\\Draft"}
CLIENT_ITEMS = "RFC822.SIZE INTERNALDATE FLAGS ENVELOPE X-GUID BODYSTRUCTURE"


def distinct(number):
    """A message with an attachment, all of it with the number in it."""
    return "\r\n".join([
        f"From: Fiona {number} <from{number}@example.org>", f"To: Tom {number} <to{number}@example.org>",
        f"Cc: Carl {number} <cc{number}@example.org>", f"Bcc: <bcc{number}@example.org>",
        f"Subject: =?utf-8?q?S=C3=BCbject?= {number}", f"Message-ID: <id{number}@example.org>",
        f"Date: Mon, 5 Jan 2026 10:11:{number} +0130", "MIME-Version: 1.0",
        f'Content-Type: multipart/mixed; boundary="b{number}"', "",
        f"--b{number}", "Content-Type: text/plain; charset=us-ascii", "", f"text {number}", *["line"] * number,
        f"--b{number}", f"Content-Type: application/x{number}", "Content-Transfer-Encoding: base64",
        f'Content-Disposition: attachment; filename="file{number}"', "", "eA==" * number,
        f"--b{number}--", ""]).encode()


def mail_rows(lab, account, mailbox):
    return lab.postgres.sql(
        "select uid, guid, size, to_char(received_at at time zone 'UTC', 'HH24:MI:SS'), "
        "to_char(sent_at at time zone 'UTC', 'HH24:MI:SS'), sent_zone_minutes, subject, from_header, "
        "to_header, cc_header, message_id_header, answered, flagged, deleted, seen, draft, "
        "array_to_string(keywords, ' '), saved_at between now() - interval '5 minutes' and now() "
        f"from pgbox.mail_view where account = '{account}' and mailbox = '{mailbox}' order by uid")


def assert_row(row, number, flag, fetched):
    data = distinct(number)
    assert row[2:11] == [
        str(len(data)), f"03:04:{number}", f"08:41:{number}", "90", f"Sübject {number}",
        f"Fiona {number} <from{number}@example.org>", f"Tom {number} <to{number}@example.org>",
        f"Carl {number} <cc{number}@example.org>", f"<id{number}@example.org>"]
    assert row[11:16] == ["t" if name == flag else "f" for name in FLAGS]
    assert row[16:] == [f"Keyword{number}", "t"]
    assert int(row[0]) == int(fetched["UID"])
    assert row[1] == bytes(fetched["X-GUID"]).decode()


def assert_client(fetched, number, flag):
    envelope = fetched["ENVELOPE"]
    for place, name in ((2, "from"), (5, "to"), (6, "cc"), (7, "bcc")):
        assert bytes(envelope[place][0][2]).decode() == f"{name}{number}"
    assert bytes(envelope[9]).decode() == f"<id{number}@example.org>"
    assert int(fetched["RFC822.SIZE"]) == len(distinct(number))
    assert f"03:04:{number}" in str(fetched["INTERNALDATE"])
    flags = {bytes(f).decode() for f in fetched["FLAGS"]} - {"\\Recent"}
    assert flags == {FLAGS[flag], f"Keyword{number}"}
    structure = repr(fetched["BODYSTRUCTURE"]).lower()
    for part in (f"b{number}", f"x{number}", f"file{number}", "base64", "attachment", "us-ascii"):
        assert part in structure


@pytest.mark.usefixtures("pgbox_only")
def test_one_two_and_a_copy(lab, frontend_a, user):
    """Saved alone, saved together, and copied: three statements."""
    wanted = list(zip(range(11, 14), ("flagged", "answered", "draft")))
    with frontend_a.imap(user) as imap:
        parts = [imap.append_parts("INBOX", distinct(number), (FLAGS[flag], f"Keyword{number}"),
                                   f"05-Jan-2026 03:04:{number} +0000") for number, flag in wanted]
        imap.ok(*parts[0])
        head, literal = parts[2]
        imap.ok(*parts[1], head.removeprefix(b'APPEND "INBOX"'), literal)
        imap.ok("CREATE Copies")
        imap.select()
        imap.ok("UID COPY 1:3 Copies")
        for mailbox in ("INBOX", "Copies"):
            imap.select(mailbox)
            fetched = imap.fetch("1:*", CLIENT_ITEMS)
            rows = mail_rows(lab, user, mailbox)
            assert len(rows) == len(fetched) == 3
            for row, mail, (number, flag) in zip(rows, fetched.values(), wanted):
                assert_row(row, number, flag, mail)
                assert_client(mail, number, flag)
    for number, _flag in wanted:
        data = distinct(number)
        size = len("eA==" * number)
        rows = lab.postgres.sql(
            "select distinct v.section, v.media_type, v.disposition, v.filename, v.encoding, v.encoded_size "
            "from pgbox.attachment_view v join pgbox.mail_view m using (account, guid) "
            f"where account = '{user}' and message_id_header = '<id{number}@example.org>'")
        assert rows == [["2", f"application/x{number}", "attachment", f"file{number}", "base64", str(size)]]
        parts = lab.postgres.sql(
            "select p.section, p.charset, p.header_offset, p.header_size, p.body_size, p.body_lines "
            "from pgbox.message_part p join pgbox.message s using (account_id, message_id) "
            "join pgbox.account a using (account_id) "
            f"where a.name = '{user}' and message_id_header = '<id{number}@example.org>' order by section offset 1")
        for (section, charset, *numbers), begin in zip(parts, (b"Content-Type: text", b"Content-Type: app")):
            offset, header_size, body_size, lines = map(int, numbers)
            assert offset == data.index(begin)
            assert data[:offset + header_size].endswith(b"\r\n\r\n")
            body = data[offset + header_size:offset + header_size + body_size]
            assert body.count(b"\n") == lines
            assert body.startswith(b"text" if section == "1" else b"eA==")
            assert charset == ("us-ascii" if section == "1" else "")
