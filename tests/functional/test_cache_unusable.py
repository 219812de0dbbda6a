"""A directory of index files that is missing or read-only: all works, in memory."""

import contextlib
import os
import shutil
import subprocess

import pytest

from pgboxtest import messages
from pgboxtest.dovecot import MAIL_USER

pytestmark = pytest.mark.usefixtures("pgbox_only")

WARNING = "Index files are kept in memory"


@contextlib.contextmanager
def owned_by_root(directory):
    """As when it was made by hand, or restored."""
    subprocess.run(["chown", "-R", "root:", directory], check=True)
    os.chmod(directory, 0o755)
    try:
        yield
    finally:
        subprocess.run(["chown", "-R", f"{MAIL_USER}:", directory], check=True)


@contextlib.contextmanager
def immutable(directory):
    """Its files can be written to, but none can be made."""
    directories = [path for path, _, _ in os.walk(directory)]
    subprocess.run(["chmod", "a-w", *directories], check=True)
    try:
        yield
    finally:
        subprocess.run(["chmod", "u+w", *directories], check=True)


@contextlib.contextmanager
def read_only_mount(directory):
    """As after an error of the disk."""
    subprocess.run(["mount", "--bind", directory, directory], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", directory], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", directory], check=True)


@contextlib.contextmanager
def missing(directory):
    """Nor may a mail process make it."""
    shutil.rmtree(directory)
    os.chmod(os.path.dirname(directory), 0o755)
    try:
        yield
    finally:
        os.makedirs(directory)
        shutil.chown(directory, MAIL_USER, MAIL_USER)


@pytest.fixture(params=[owned_by_root, immutable, read_only_mount, missing],
                ids=lambda param: param.__name__)
def unusable(request):
    return request.param


@pytest.fixture
def host(lab):
    server = lab.dovecot("tested", "unusable")
    yield server
    server.stop()


def warnings(host, begin):
    return [line for line in host.log_text(begin).splitlines() if WARNING in line]


def assert_mails(imap, *numbers):
    bodies = list(imap.bodies().values())
    assert len(bodies) == len(numbers)
    # LMTP adds headers
    assert all(body.endswith(messages.numbered(n)) for body, n in zip(bodies, numbers))


def use(host, user):
    """Mail comes in, is copied, changed and read."""
    assert host.deliver(user, messages.numbered(1))[0] == 250
    with host.imap(user) as imap:
        imap.ok("CREATE a/b")
        imap.append("a/b", messages.numbered(2), ["Word"])
        imap.select("INBOX")
        last = max(imap.search("ALL"))
        imap.ok(f"UID STORE {last} +FLAGS (\\Flagged)")
        imap.ok(f"UID COPY {last} a/b")
        imap.ok(f"UID MOVE {last} a/b")
        imap.select("a/b")
        assert_mails(imap, 2, 1, 1)
        assert imap.search("FLAGGED") == [2, 3]
        imap.ok("RENAME a c")
        imap.ok("UNSELECT")
        imap.ok("DELETE c/b")
        imap.command("DELETE c")
    with host.pop3(user) as pop3:
        pop3.command("STAT")
    host.doveadm("mailbox", "status", "-u", user, "all", "*")


def test_new_user(host, user, unusable):
    begin = host.log_size()
    with unusable(host.cache):
        use(host, user)
        # LMTP, IMAP and POP3 or doveadm
        assert 1 <= len(warnings(host, begin)) <= 4
        assert not os.path.exists(f"{host.cache}/{user}")
    use(host, user)
    assert os.listdir(f"{host.cache}/{user}/mailboxes")


def test_user_with_index_files(host, user, unusable):
    host.deliver(user, messages.numbered(0))
    use(host, user)
    with unusable(host.cache):
        begin = host.log_size()
        use(host, user)
        assert 1 <= len(warnings(host, begin)) <= 4
    begin = host.log_size()
    use(host, user)
    assert not warnings(host, begin)


def test_becomes_usable_within_a_session(host, user):
    """The next SELECT has files, and the one that is under way goes on."""
    host.deliver(user, messages.numbered(1))
    with host.imap(user) as imap:
        with owned_by_root(host.cache):
            imap.select("INBOX")
        assert host.deliver(user, messages.numbered(2))[0] == 250
        imap.ok("NOOP")
        assert_mails(imap, 1, 2)
        imap.ok("STORE 1 +FLAGS (\\Seen)")
        imap.select("INBOX")
        assert imap.search("SEEN") == [1]
        files = [name for _, _, names in os.walk(f"{host.cache}/{user}") for name in names]
        assert "dovecot.index.log" in files


def test_a_session_says_it_once(host, user):
    with owned_by_root(host.cache), host.imap(user) as imap:
        for name in "abc":
            imap.ok(f"CREATE {name}")
            imap.select(name)
        assert len(warnings(host, 0)) == 1
