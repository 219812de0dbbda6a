"""The service pgbox-text: text for SEARCH is extracted after the delivery, by nobody's command."""

import os
import signal
import time

import pytest

from pgboxtest import messages
from pgboxtest.process import kill_hard, wait_until
from pgboxtest.services import host_with_services, leave_old_text, wait_for_notify

HTML = (b"From: a@example.org\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
        b"Content-Type: text/html; charset=iso-8859-1\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        b"PGI+SOlsbG88L2I+\r\n")
# the service looks by itself once a minute
SOON = 30
OF_ACCOUNT = "where account_id = (select account_id from pgbox.account where name = '{}')"


@pytest.fixture(scope="module")
def expected_log():
    return [r"service\(pgbox-text\): child \d+ killed with signal (9|14)",
            r"pgbox-text: Error: pgbox_dsn: Text for SEARCH can't be extracted (now|from message \d+)",
            r"pgbox-notify: Error: pgbox_dsn: Can't listen"]


@pytest.fixture(scope="module")
def host(lab):
    """A frontend with both services."""
    if lab.tested != "pgbox":
        pytest.skip("only pgbox has this")
    leave_old_text(lab.postgres)
    server = host_with_services(lab, "text")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def plain(lab):
    """A frontend without services."""
    server = lab.dovecot("tested", "plain", start=lab.tested == "pgbox")
    yield server
    server.stop()


def queued(lab, user, condition="true"):
    """How many messages of the user are on the queue."""
    return int(lab.postgres.value("select count(*) from pgbox.message_text_queue "
                                  + OF_ACCOUNT.format(user) + f" and {condition}"))


def stored(lab, user, columns="*"):
    return lab.postgres.sql(f"select {columns} from pgbox.message_text "
                            + OF_ACCOUNT.format(user) + " order by message_id")


def wait_extracted(lab, user, timeout=SOON, condition="true"):
    wait_until(lambda: queued(lab, user, condition) == 0, "text to be extracted", timeout)


def service(server):
    return wait_until(lambda: server.processes("pgbox-text"), "the service to run")[0]


def test_delivery(lab, host, user):
    """Delivered mail has its text without any search, and soon."""
    host.deliver(user, HTML)
    host.deliver(user, messages.numbered(1))
    wait_extracted(lab, user)
    assert len(stored(lab, user)) == 2
    with host.imap(user) as imap:
        imap.select("INBOX")
        assert imap.search("BODY llo") == [1]


def test_delivery_by_another_host(lab, host, plain, user):
    """A host that only delivers needs no such service of its own."""
    sender = lab.dovecot("tested", "sender", notify=True)
    wait_for_notify(sender)
    sender.deliver(user, messages.numbered(1))
    wait_extracted(lab, user)
    sender.stop()


def test_same_text_as_in_a_session(lab, host, plain, user):
    """What the service extracts is what `doveadm index` extracts."""
    samples = [HTML, b"\r\n", b"no header at all", b"Subject: no end",
               messages.numbered(1, size=600_000), messages.with_attachment(3_000_000)]
    samples += [data for _name, data in messages.corpus()][:300]
    other = lab.new_user("session")
    for name in (user, other):
        with plain.imap(name) as imap:
            for data in samples:
                imap.append("INBOX", data)
    plain.doveadm("index", "-u", other, "INBOX")
    # nobody was told
    host.deliver(lab.new_user("wakes"), messages.numbered(1))
    wait_extracted(lab, user, 90, "error is null")
    columns = ("header, from_field, to_field, cc_field, bcc_field, subject_field, "
               "message_id_field, body")
    expected = stored(lab, other, columns)
    assert len(expected) >= len(samples) - 5
    assert stored(lab, user, columns) == expected


@pytest.mark.parametrize("value, has_body", [("no", None), ("headers", "f")])
def test_less_is_wanted(lab, host, user, value, has_body):
    """The session that saves says how much."""
    sender = lab.dovecot("tested", value, notify=True, plugin={"pgbox_search_text": value})
    sender.deliver(user, messages.numbered(1))
    # what was delivered later is extracted later
    other = lab.new_user("wants")
    host.deliver(other, messages.numbered(1))
    wait_extracted(lab, other)
    wait_until(lambda: queued(lab, user, "wanted = 0") == 1, "the header's text")
    assert stored(lab, user, "body is not null") == ([[has_body]] if has_body else [])
    sender.stop()


CLAIMS = """
    create table public.claim (account_id bigint, message_id bigint, process int);
    create function public.note_claim() returns trigger language plpgsql security definer as $$
    begin
        insert into public.claim values (new.account_id, new.message_id, pg_backend_pid());
        return null;
    end $$;
    create trigger note_claim after update on pgbox.message_text_queue
    for each row when (new.attempts > old.attempts) execute function public.note_claim();
"""


@pytest.fixture
def claims(lab, user, pgbox_only):
    """What is taken from the queue of the user's messages."""
    lab.postgres.sql(CLAIMS)
    yield lambda what: int(lab.postgres.value(f"select {what} from public.claim "
                                              + OF_ACCOUNT.format(user)))
    lab.postgres.sql("drop trigger note_claim on pgbox.message_text_queue; "
                     "drop function public.note_claim(); drop table public.claim")


@pytest.fixture
def second(lab, pgbox_only):
    server = host_with_services(lab, "second")
    yield server
    server.stop()


def test_two_hosts_share_the_queue(lab, host, second, plain, claims, user):
    """Both work at it, and nothing is done twice."""
    services = [service(host), service(second)]
    for pid in services:
        os.kill(pid, signal.SIGSTOP)
    for number in range(400):
        plain.deliver(user, messages.numbered(number, size=20_000))
    host.deliver(user, messages.numbered(1))
    for pid in services:
        os.kill(pid, signal.SIGCONT)
    wait_extracted(lab, user, 60)
    assert len(stored(lab, user)) == 401
    assert claims("count(*)") == claims("count(distinct message_id)") == 401
    assert claims("count(distinct process)") == 2


def test_killed_in_the_middle(lab, host, plain, user):
    """What it had taken is taken again when nobody is heard of for a minute."""
    for number in range(200):
        plain.deliver(user, messages.numbered(number, size=100_000))
    pid = service(host)
    host.deliver(user, messages.numbered(1))
    wait_until(lambda: stored(lab, user), "the service to begin")
    kill_hard(pid)
    wait_until(lambda: host.processes("pgbox-text") not in ([], [pid]),
               "the service to be started again")
    wait_extracted(lab, user, 60, "attempts = 0")
    lab.postgres.sql("update pgbox.message_text_queue set leased_until = now() where attempts > 0")
    host.deliver(lab.new_user("wakes"), messages.numbered(1))
    wait_extracted(lab, user, 60)
    assert len(stored(lab, user)) == 201


def test_poison(lab, host, plain, user):
    """A message that ends three processes is marked, and the others are not kept back."""
    os.kill(service(host), signal.SIGSTOP)
    plain.deliver(user, messages.numbered(1))
    lab.postgres.sql("""
        update pgbox.message_text_queue set attempts = 3, leased_until = now()
        """ + OF_ACCOUNT.format(user))
    os.kill(service(host), signal.SIGCONT)
    host.deliver(user, messages.numbered(2))
    wait_extracted(lab, user, SOON, "error is null")
    assert len(stored(lab, user)) == 1
    wait_until(lambda: "Gave up extracting text for SEARCH from message" in host.log_text(),
               "the line in the log")
    with host.imap(user) as imap:
        imap.select("INBOX")
        assert imap.search("BODY body") == [1, 2]


def test_broken_message(lab, host, plain, user):
    """What can't be read keeps nothing back that is taken together with it."""
    broken = lab.new_user("broken")
    os.kill(service(host), signal.SIGSTOP)
    plain.deliver(broken, messages.numbered(1, size=10_000))
    change_frames(lab, broken)
    plain.deliver(user, messages.numbered(2))
    host.deliver(user, messages.numbered(3))
    os.kill(service(host), signal.SIGCONT)
    wait_extracted(lab, user)
    assert queued(lab, broken, "error is null") == 1
    wait_until(lambda: "can't be extracted from message" in host.log_text(), "the line in the log")
    change_frames(lab, broken)


def change_frames(lab, user):
    """Break what is stored of the user's messages; done twice, it is as it was."""
    lab.postgres.sql("update pgbox.message_chunk set data = set_byte(data, 100, get_byte(data, 100) # 255) "
                     + OF_ACCOUNT.format(user))


def stop_with_claims(lab, user, pid):
    """Make a service hang while it has messages of the user."""
    def stopped():
        os.kill(pid, signal.SIGSTOP)
        if queued(lab, user, "attempts > 0"):
            return True
        os.kill(pid, signal.SIGCONT)
        return False

    wait_until(stopped, "the service to have messages", interval=0.001)


def test_hanging_process(lab, host, second, plain, user):
    """A process that hangs loses what it has taken to another one."""
    hanging, well = service(second), service(host)
    os.kill(well, signal.SIGSTOP)
    for number in range(200):
        plain.deliver(user, messages.numbered(number, size=100_000))
    second.deliver(user, messages.numbered(1))
    stop_with_claims(lab, user, hanging)
    # after a minute
    lab.postgres.sql("update pgbox.message_text_queue set leased_until = now() where attempts > 0")
    os.kill(well, signal.SIGCONT)
    host.deliver(user, messages.numbered(2))
    wait_extracted(lab, user, 60)
    # who was late does no harm
    os.kill(hanging, signal.SIGCONT)
    second.deliver(user, messages.numbered(3))
    wait_extracted(lab, user)
    assert len(stored(lab, user)) == 203


def test_restarted_database(lab, host, user):
    lab.postgres.restart()
    started = time.time()
    host.deliver(user, messages.numbered(1))
    wait_extracted(lab, user, 60)
    wait_until(lambda: host.notifies(started), "the notification service to listen again")
