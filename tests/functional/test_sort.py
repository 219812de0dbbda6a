"""SORT: who does it, and that the stored keys make the order that Dovecot makes of headers."""

import pytest

from pgboxtest import messages
from pgboxtest.process import cpu_seconds
from pgboxtest.statements import StatementLog

MAILS = 80
MANY_MAILS, MANY_SUBJECTS = 100000, 500
# the mails of one subject after those of another
MULTIPLY = """
with box as (
    select b.* from pgbox.mailbox b join pgbox.account a using (account_id)
    where a.name = '{user}' and b.name = 'INBOX'
), gone as (
    delete from pgbox.mail m using box where m.mailbox_id = box.mailbox_id returning m.*
), come as (
    insert into pgbox.mail (account_id, mailbox_id, uid, message_id, saved_at, modseq, flags)
    select g.account_id, g.mailbox_id, box.uid_next + (g.uid - 1) * {times} + n,
        g.message_id, g.saved_at, box.modseq + 65536, 0
    from gone g join box using (mailbox_id), generate_series(0, {times} - 1) n
)
update pgbox.mailbox b
set messages = box.messages * {times}, unseen = box.messages * {times}, bytes = box.bytes * {times},
    uid_next = box.uid_next * (1 + {times}), modseq = box.modseq + 65536
from box where b.mailbox_id = box.mailbox_id
"""
NAMES = ["anna", "Bob", "Äpfel", "carl", "=?utf-8?q?=C3=A4pfel?=", "", "ZOE", "zoe", "Éva", "Ж"]
PROGRAMS = ["SUBJECT", "REVERSE SUBJECT", "FROM", "TO", "CC", "DATE", "REVERSE DATE", "ARRIVAL", "SIZE",
            "REVERSE SIZE", "DISPLAYFROM", "DISPLAYTO", "FROM DATE", "REVERSE FROM SUBJECT",
            "SUBJECT REVERSE ARRIVAL", "DISPLAYTO REVERSE DISPLAYFROM CC SIZE"]


def mail(number):
    """Many messages have equal keys, some have no Date, or one outside of 1970 to 2106."""
    name, other = NAMES[number % len(NAMES)], NAMES[number // 3 % len(NAMES)]
    date = {0: "", 1: "Date: nonsense\nDate: 1 Jan 2001 00:00:00 +0000\n",
            2: "Date: 1 Jan 1960 10:00:00 +0000\n", 3: "Date: 1 Jan 2200 10:00:00 +0000\n",
            4: "Date: 1 Jan 1970 00:00:00 +0000\n"}.get(
                number % 20, f"Date: {1 + number * 5 % 28} Mar 2010 10:00:00 {number % 12:+03}00\n")
    return messages.crlf(
        f"Subject: {'Re: ' * (number % 3)}{name} {number // 10 % 4}\nSubject: another\n"
        f"From: \"{other}\" <{name or 'nobody'}{number % 4}@example.org>\n"
        f"To: {other or 'x'} <to{number % 5}@example.org>, second@example.org\n{date}"
        f"{'Cc: <c%d@example.org>' % (number % 3) if number % 2 else 'X-No: cc'}\n\n"
        f"{'text ' * (number % 6)}\n".encode())


@pytest.fixture(scope="module")
def sorts(lab, sdbox, frontend_a):
    """An account on both sides, some of it delivered, some copied; what sdbox answers."""
    user = lab.new_user("sort")
    for server in (sdbox, frontend_a):
        with server.imap(user) as imap:
            imap.ok("CREATE other")
            for number in range(MAILS):
                imap.append("other" if number % 4 == 0 else "INBOX", mail(number),
                            date=messages.imap_date(number * 11 % 50))
            imap.select("other")
            imap.ok("COPY 1:* INBOX")
    expected = {}
    for program in PROGRAMS:  # each where nothing was sorted before, see differential/test_search.py
        with sdbox.imap(user) as imap:
            imap.ok(f'CREATE "{program}"')
            imap.select("INBOX")
            imap.ok(f'COPY 1:* "{program}"')
            imap.select(program)
            expected[program] = order(imap, program)
    return user, expected


def order(imap, program, keys="ALL"):
    return imap.ok(f"SORT ({program}) UTF-8 {keys}").named("SORT")


@pytest.mark.parametrize("program", PROGRAMS)
def test_order_is_that_of_sdbox(lab, sorts, program):
    user, expected = sorts
    server = lab.dovecot("tested", "cold")
    with server.imap(user) as imap:
        imap.select("INBOX")
        assert order(imap, program) == expected[program]
        assert order(imap, program) == expected[program]
    server.stop()


def test_a_host_that_knows_nothing_asks_the_database_once(lab, sorts):
    if lab.tested != "pgbox":
        pytest.skip("only pgbox has a database")
    user, expected = sorts
    log = StatementLog(lab.postgres)
    server = lab.dovecot("tested", "counted")
    for program in ("SUBJECT", "REVERSE SIZE", "DATE", "ARRIVAL"):
        with server.imap(user) as imap:
            imap.select("INBOX")
            with log.recorded() as cold:
                assert order(imap, program) == expected[program]
        with server.imap(user) as imap:
            imap.select("INBOX")
            with log.recorded() as warm:
                assert order(imap, program) == expected[program]
        assert [sql for sql in cold if "order by" in sql and "pgbox.message t" in sql], program
        assert not [sql for sql in warm if "pgbox.message" in sql], program
    log.close()
    server.stop()


def test_a_part_of_the_mailbox(lab, sorts):
    """As many as are sorted, whether that is done here or there."""
    user, expected = sorts
    server = lab.dovecot("tested", "part")
    with server.imap(user) as imap:
        imap.select("INBOX")
        for keys, wanted in (("1:10", range(1, 11)), ("20:79", range(20, 80))):
            whole = [token for token in expected["FROM DATE"][0] if int(token) in wanted]
            assert order(imap, "FROM DATE", keys)[0] == whole
    server.stop()


def test_keys_of_other_unicode_tables_are_not_used(lab, sorts):
    """Nor are keys that are too long."""
    if lab.tested != "pgbox":
        pytest.skip("only pgbox has keys")
    user, expected = sorts
    of_account = f"account_id = (select account_id from pgbox.account where name = '{user}')"
    lab.postgres.sql("update pgbox.message set sort_folding = sort_folding + 1, "
                     f"sort_from = '\\x00' where {of_account}")
    server = lab.dovecot("tested", "foreign")
    with server.imap(user) as imap:
        imap.select("INBOX")
        assert order(imap, "FROM DATE") == expected["FROM DATE"]
    lab.postgres.sql("update pgbox.message set sort_folding = sort_folding - 1, "
                     f"sort_from = nullif(sort_from, '\\x00') where {of_account}")
    with server.imap(user) as imap:
        imap.select("INBOX")
        assert order(imap, "REVERSE FROM SUBJECT") == expected["REVERSE FROM SUBJECT"]
    server.stop()


def test_each_way_in_stores_keys(lab, sdbox, frontend_a):
    """APPEND, LMTP, doveadm save, COPY, and dsync from another storage."""
    if lab.tested != "pgbox":
        pytest.skip("only pgbox has keys")
    user = lab.new_user("ways")
    with sdbox.imap(user) as imap:
        imap.append("INBOX", mail(11))
    location = f"sdbox:{sdbox.home}/{user}/mail"
    frontend_a.doveadm("backup", "-R", "-u", user, location)
    with frontend_a.imap(user) as imap:
        imap.append("INBOX", mail(21))
    frontend_a.deliver(user, mail(31))
    frontend_a.doveadm("save", "-u", user, stdin=mail(41))
    frontend_a.doveadm("copy", "-u", user, "INBOX", "mailbox", "INBOX", "1")
    rows = lab.postgres.sql(
        "select sort_folding, convert_from(sort_subject, 'utf8'), convert_from(sort_from, 'utf8') from "
        f"pgbox.message join pgbox.account using (account_id) where name = '{user}' order by message_id")
    assert [row[1] for row in rows] == ["BOB 1", "BOB 2", "BOB 3", "BOB 0"]
    assert {row[2] for row in rows} == {"BOB3", "BOB1"}
    assert len({row[0] for row in rows}) == 1 and rows[0][0] != "0"


def test_order_costs_no_more_than_another(lab):
    """What a sort leaves in the index is written mail by mail, whichever comes first in the order."""
    if lab.tested != "pgbox":
        pytest.skip("only pgbox has the database sort")
    user = lab.new_user("many")
    server = lab.dovecot("tested", "many")
    with server.imap(user) as imap:
        for number in range(MANY_SUBJECTS):
            imap.append("INBOX", messages.crlf(f"Subject: {number:06}\n\nx\n".encode()))
    lab.postgres.sql(MULTIPLY.format(user=user, times=MANY_MAILS // MANY_SUBJECTS))
    times = {}
    for program in ("SUBJECT", "REVERSE SUBJECT"):
        server.clear_cache(user)
        with server.imap(user) as imap:
            imap.select("INBOX")
            pid, = server.processes("imap")
            before = cpu_seconds(pid)
            assert len(order(imap, program)[0]) == MANY_MAILS
            times[program] = cpu_seconds(pid) - before
    assert times["REVERSE SUBJECT"] < 2 * times["SUBJECT"] + 0.2, times
    server.stop()
