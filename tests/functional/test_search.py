"""SEARCH beyond its answers, which differential/test_search.py compares: updates, saved results,
doveadm, Sieve, settings, and what becomes of a search when nobody waits for it."""

import datetime
import os
import random
import shutil
import socket
import string
import zoneinfo

import pytest

from pgboxtest import config, messages
from pgboxtest.dovecot import MAIL_USER
from pgboxtest.process import wait_until

MAILS = 12  # more than Dovecot matches itself
STUCK = "lock table pgbox.message_text"  # no search can read a text


def mail(number, word="nothing"):
    return messages.crlf(f"From: sender{number}@example.org\nSubject: about {number}\n\n"
                         f"Text with {word} in it, number {number}.\n".encode())


def fill(imap):
    for number in range(1, MAILS + 1):
        imap.append("INBOX", mail(number, "needle" if number % 3 == 0 else "hay"))
    imap.select("INBOX")


def test_context_updates(server, user):
    """CONTEXT=SEARCH (RFC 5267): a result follows what other sessions add and expunge."""
    with server.imap(user) as imap, server.imap(user) as other:
        fill(imap)
        other.select("INBOX")
        tag = imap.send("UID SEARCH RETURN (UPDATE ALL) BODY needle")
        assert imap.wait(tag).named("ESEARCH")[0][-1] == b"3,6,9,12"
        other.append("INBOX", mail(13, "NEEDLE"))
        other.append("INBOX", mail(14))
        told = imap.ok("NOOP").named("ESEARCH")
        assert [row[-1] for row in told] == [[b"0", b"13"]]
        assert b"ADDTO" in told[0] and tag in told[0][0]
        other.ok("STORE 6,7 +FLAGS (\\Deleted)")
        other.ok("EXPUNGE")
        told = imap.ok("NOOP").named("ESEARCH")
        assert [row[-1] for row in told] == [[b"0", b"6"]]
        assert b"REMOVEFROM" in told[0]


def test_sorted_context(server, user):
    with server.imap(user) as imap:
        fill(imap)
        told = imap.ok("UID SORT RETURN (ALL COUNT) (REVERSE FROM) UTF-8 BODY needle").named("ESEARCH")
        assert told[0][-4:] == [b"ALL", b"9,6,3,12", b"COUNT", b"4"] or \
            told[0][-4:] == [b"COUNT", b"4", b"ALL", b"9,6,3,12"]


def test_saved_result(server, user):
    """SEARCHRES (RFC 5182), and COUNT without the numbers."""
    with server.imap(user) as imap:
        fill(imap)
        assert not imap.ok("SEARCH RETURN (SAVE) BODY needle").named("ESEARCH")
        assert sorted(imap.fetch("$", "UID", uid=False)) == [3, 6, 9, 12]
        told = imap.ok("UID SEARCH RETURN (COUNT) $ NOT FROM sender6@").named("ESEARCH")
        assert told[0][-2:] == [b"COUNT", b"3"]
        assert imap.search("$ SUBJECT 9") == [9]


def test_large_texts_come_a_few_at_a_time(lab, frontend_a, pgbox_only, user):
    """A search that finds texts missing does not have all of them extracted while its client waits."""
    generator = random.Random(1)
    with frontend_a.imap(user) as imap:
        for number in range(30):
            text = "".join(generator.choices(string.ascii_lowercase, k=600_000))
            imap.append("INBOX", mail(number, text))
        imap.select("INBOX")
        assert imap.search('SUBJECT "about 7"') == [8]
    queued = int(lab.postgres.value(
        "select count(*) from pgbox.message_text_queue q join pgbox.account a using (account_id) "
        f"where a.name = '{user}' and q.leased_until is null"))
    assert 0 < queued < 30


def test_fuzzy_is_absent(server, user):
    with server.imap(user) as imap:
        assert "SEARCH=FUZZY" not in imap.capabilities()


def test_doveadm(server, user):
    with server.imap(user) as imap:
        fill(imap)
    found = server.doveadm("search", "-u", user, "mailbox", "INBOX", "body", "needle", "not",
                           "subject", "about 6").stdout.decode()
    assert [line.split()[-1] for line in found.splitlines()] == ["3", "9", "12"]
    fetched = server.doveadm("fetch", "-u", user, "hdr.subject", "mailbox", "INBOX", "text",
                             "SENDER12").stdout.decode()
    assert "about 12" in fetched and "about 11" not in fetched


def queue_of(lab, user):
    return lab.postgres.value("select count(*) from pgbox.message_text_queue join pgbox.account "
                              f"using (account_id) where name = '{user}'")


def test_doveadm_index(lab, frontend_a, user, pgbox_only):  # pylint: disable=unused-argument
    with frontend_a.imap(user) as imap:
        fill(imap)
    assert queue_of(lab, user) == str(MAILS)
    frontend_a.doveadm("index", "-u", user, "INBOX")
    assert queue_of(lab, user) == "0"


@pytest.mark.parametrize("value", ["yes", "headers", "no"])
def test_how_much_text(lab, user, value, pgbox_only):  # pylint: disable=unused-argument
    """The answers are the same."""
    server = lab.dovecot("tested", value, plugin={"pgbox_search_text": value})
    with server.imap(user) as imap:
        fill(imap)
        server.doveadm("index", "-u", user, "INBOX")
        assert imap.search("BODY needle") == [3, 6, 9, 12]
        assert imap.search("FROM sender3@ TEXT NEEDLE") == [3]
        assert imap.search("NOT SUBJECT 1 NOT BODY needle") == [2, 4, 5, 7, 8]
    stored = lab.postgres.sql("select count(*), count(body) from pgbox.message_text join pgbox.account "
                              f"using (account_id) where name = '{user}'")[0]
    assert stored == {"yes": ["12", "12"], "headers": ["12", "0"], "no": ["0", "0"]}[value]
    server.stop()


SIEVE = """\
require ["body", "fileinto", "mailbox"];
if body :contains "needle" { fileinto :create "found"; stop; }
if header :contains "subject" "about 2" { fileinto :create "two"; stop; }
"""


@pytest.mark.parametrize("backend", ["sdbox", "tested"])
def test_sieve_looks_into_new_mail(lab, user, backend):
    server = lab.dovecot(backend, "sieve", delivery_plugins=["sieve"], extra=config.sieve())
    path = os.path.join(server.user_home(user), ".dovecot.sieve")
    with open(path, "w", encoding="utf-8") as script:
        script.write(SIEVE)
    shutil.chown(path, MAIL_USER, MAIL_USER)
    for number, word in enumerate(["hay", "hay", "NEEDLE"], start=1):
        server.deliver(user, mail(number, word))
    with server.imap(user) as imap:
        assert [imap.status(name, "MESSAGES")["MESSAGES"] for name in ("INBOX", "two", "found")] \
            == [1, 1, 1]
    server.stop()


IMAPSIEVE = """\
require ["body", "imap4flags"];
if body :contains "needle" { addflag "found"; }
if header :contains "subject" "about 2" { addflag "two"; }
"""


@pytest.mark.parametrize("backend", ["sdbox", "tested"])
def test_imapsieve_looks_into_mail(lab, user, backend):
    """Into what is appended, and what is copied."""
    server = lab.dovecot(backend, "imapsieve", imap_plugins=["imap_sieve"], metadata=True,
                         extra=config.imapsieve("Filing", "~/filing.sieve"))
    with open(os.path.join(server.user_home(user), "filing.sieve"), "w", encoding="utf-8") as script:
        script.write(IMAPSIEVE)
    with server.imap(user) as imap:
        imap.ok("CREATE Filing")
        imap.append("Filing", mail(1, "NEEDLE"))
        imap.append("INBOX", mail(2, "hay"))
        imap.append("INBOX", mail(3, "needle"))
        imap.select("INBOX")
        imap.ok("COPY 1:2 Filing")
        imap.select("Filing")
        assert imap.search("KEYWORD found") == [1, 3]
        assert imap.search("KEYWORD two") == [2]
    server.stop()


HOURS = [-500, -61, -60, -50, -49, -48, -47, -26, -25, -14, -13, -1, 0, 1, 9, 10, 12, 14, 23, 24, 25,
         34, 36, 38, 39, 47, 48, 49, 71, 72, 73, 74, 500]
DAY = datetime.datetime(2015, 6, 10, tzinfo=datetime.timezone.utc)


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC"])
@pytest.mark.parametrize("backend", ["sdbox", "tested"])
def test_dates_in_other_zones(lab, user, backend, zone):
    """A day begins when it does where the server is."""
    server = lab.dovecot(backend, zone.replace("/", "-"), extra=config.environment("TZ", zone))
    moments = [DAY + datetime.timedelta(hours=hours) for hours in HOURS]
    days = [moment.astimezone(zoneinfo.ZoneInfo(zone)).date() for moment in moments]

    def where(condition):
        return [number for number, day in enumerate(days, start=1) if condition(day)]

    wanted = DAY.date()
    with server.imap(user) as imap:
        for number, moment in enumerate(moments):
            imap.append("INBOX", mail(number), date=moment.strftime("%d-%b-%Y %H:%M:%S +0000"))
        imap.select("INBOX")
        assert imap.search("BEFORE 10-Jun-2015") == where(lambda day: day < wanted)
        assert imap.search("NOT BEFORE 10-Jun-2015") == where(lambda day: day >= wanted)
        assert imap.search("ON 10-Jun-2015") == where(lambda day: day == wanted)
        assert imap.search("NOT ON 10-Jun-2015") == where(lambda day: day != wanted)
        assert imap.search("SINCE 10-Jun-2015") == where(lambda day: day >= wanted)
        assert imap.search("OR ON 11-Jun-2015 NOT SINCE 9-Jun-2015") == where(
            lambda day: day.day == 11 and day.month == 6 or day < datetime.date(2015, 6, 9))
        assert imap.search("SUBJECT about SINCE 9-Jun-2015 BEFORE 11-Jun-2015") == where(
            lambda day: datetime.date(2015, 6, 9) <= day < datetime.date(2015, 6, 11))
        assert imap.search("SAVEDBEFORE 10-Jun-2015") == []
        assert imap.search("SAVEDSINCE 10-Jun-2015") == list(range(1, len(HOURS) + 1))
    server.stop()


def searching(lab):
    return lab.postgres.sql("select pid from pg_stat_activity where usename = 'pgbox_frontend' and "
                            "state = 'active' and query ~ 'pgbox.message(_text)? t'")


@pytest.fixture(scope="module")
def impatient(lab):
    server = lab.dovecot("tested", "impatient", plugin={"pgbox_search_timeout": "2s"})
    yield server
    server.stop()


def test_search_that_takes_too_long(lab, impatient, user, pgbox_only):  # pylint: disable=unused-argument
    """It is cancelled in the server, the client is told, and the session goes on."""
    with impatient.imap(user) as imap:
        fill(imap)
        with lab.postgres.holding(STUCK):
            result = imap.command("SEARCH BODY needle")
            assert result.status.word == "NO" and b"too long" in result.status.text
            assert not searching(lab)
        assert imap.search("BODY needle") == [3, 6, 9, 12]


@pytest.fixture(scope="module")
def patient(lab):
    server = lab.dovecot("tested", "patient", plugin={"pgbox_search_timeout": "300s"})
    yield server
    server.stop()


@pytest.mark.parametrize("command", ["SEARCH BODY needle", "SORT (SUBJECT FROM) UTF-8 ALL"])
def test_client_that_goes_away(lab, patient, user, pgbox_only, command):  # pylint: disable=unused-argument
    """The statement ends with the connection, long before the deadline, and so does the process."""
    imap = patient.imap(user)
    for _ in range(5):  # Dovecot sorts less itself
        fill(imap)
    with lab.postgres.holding(STUCK + "; lock table pgbox.message"):
        imap.send(command)
        wait_until(lambda: searching(lab), "the search to begin")
        imap.close()
        wait_until(lambda: not searching(lab), "the search to end", timeout=20)
        wait_until(lambda: not patient.processes("imap"), "the process to end", timeout=20)


def test_client_that_only_listens(server, user):
    """One that sends all at once and closes its side of the connection still gets its answers."""
    imap = server.imap(user)
    fill(imap)
    imap.socket.sendall(b"".join(b"x%d SEARCH BODY needle\r\n" % number for number in range(5)))
    imap.socket.shutdown(socket.SHUT_WR)
    found = [imap.read_response() for _ in range(10)]
    assert [answer[0] for answer in found if answer[0] != b"*"] == [b"x%d" % n for n in range(5)]
    assert all(answer[1] == [b"SEARCH", b"3", b"6", b"9", b"12"]
               for answer in found if answer[0] == b"*")
    imap.close()
