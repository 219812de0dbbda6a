"""Wake-up files that can't be made or written: one clear line in the log, and polling goes on."""

import os
import re
import shutil
import subprocess

import pytest

from pgboxtest import messages
from pgboxtest.process import port_answers, start_server, wait_until
from pgboxtest.services import wait_for_notify

POLL = "mailbox_idle_check_interval = 1 secs\n"


@pytest.fixture(scope="module")
def expected_log():
    return [r"pgbox-notify: Error: (open|write|opendir)\(", r"pgbox-notify: Error: pgbox_dsn"]


@pytest.fixture
def place(lab, request):
    """A directory that is a file system of its own, if there can be one, and whether it is."""
    directory = os.path.join(lab.directory, f"wake-{request.node.name}")
    os.mkdir(directory)
    try:
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,nr_inodes=20,mode=755",
                                  "none", directory], check=False, capture_output=True)
        yield directory, mounted.returncode == 0
    finally:
        # also when interrupted; a test may have done it
        subprocess.run(["umount", "-l", directory], check=False, capture_output=True)
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def server(lab, pgbox_only, place):
    """A frontend with its wake-up files there."""
    directory, own_file_system = place
    instance = lab.dovecot("tested", "faulty", notify=True, extra=POLL,
                           plugin={"pgbox_notify_dir": directory})
    instance.wake_up_directory = directory
    instance.own_file_system = own_file_system
    wait_until(lambda: os.path.exists(os.path.join(directory, ".alive")), "the service to listen")
    yield instance
    instance.stop()


def idles_and_is_told(server, user):
    """A client in IDLE notices a delivery, by asking."""
    with server.imap(user) as client:
        client.select("INBOX")
        with client.idle():
            server.deliver(user, messages.numbered(1))
            client.wait_for(lambda answer: answer == [b"1", b"EXISTS"], 10)


def logged(server, pattern):
    return wait_until(lambda: re.search(pattern, server.log_text()), f"a log line {pattern}")


def test_no_permission_to_create(server, user):
    """A mail process may not create its file."""
    os.chmod(server.wake_up_directory, 0o711)
    idles_and_is_told(server, user)
    logged(server, r"imap\(.*Warning: pgbox: creat\(.*failed: Permission denied.*"
                   r"mailbox_idle_check_interval")


def test_no_permission_to_write(server, user):
    """The service may not write to a mail process's file."""
    with server.imap(user) as client:
        client.select("INBOX")
        with client.idle():
            files = wait_until(lambda: [name for name in os.listdir(server.wake_up_directory)
                                        if not name.startswith(".")], "a wake-up file")
            path = os.path.join(server.wake_up_directory, files[0])
            shutil.chown(path, "root", "root")
            os.chmod(path, 0o644)
            server.deliver(user, messages.numbered(1))
            logged(server, r"pgbox-notify: Error: open\(.*failed: Permission denied.*"
                           r"mailbox_idle_check_interval")


def test_full_disk(server, user):
    """No room for a wake-up file."""
    if not server.own_file_system:
        pytest.skip("can't mount a file system")
    with pytest.raises(OSError):
        with open(os.path.join(server.wake_up_directory, ".fill"), "wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
    idles_and_is_told(server, user)
    logged(server, r"imap\(.*Warning: pgbox: write\(.*failed: No space left on device.*"
                   r"mailbox_idle_check_interval")


def test_no_directory(server, user):
    """Somebody has removed the directory."""
    if server.own_file_system:
        # mail processes have the table of changes open
        subprocess.run(["umount", "-l", server.wake_up_directory], check=True)
    shutil.rmtree(server.wake_up_directory)
    idles_and_is_told(server, user)


# A user namespace has limits of its own; only who enters it with rights can set them.
LIMITED = """
until [ -e {directory}/mapped ]; do sleep 0.05; done
exec sh -c 'echo {limit} >/proc/sys/user/max_inotify_instances && exec /usr/sbin/dovecot -F -c {conf}'
"""


def start_with_inotify_limit(server, limit):
    """Start a frontend whose users have so many inotify instances."""
    script = LIMITED.format(directory=server.directory, conf=server.conf, limit=limit)
    server.process = start_server(["unshare", "--user", "sh", "-c", script],
                                  server.path("console"))
    try:
        own = os.readlink("/proc/self/ns/user")
        wait_until(lambda: os.readlink(f"/proc/{server.process.pid}/ns/user") != own,
                   "the namespace", 5)
        for name in ("uid_map", "gid_map"):
            with open(f"/proc/{server.process.pid}/{name}", "w", encoding="ascii") as file:
                file.write("0 0 65536\n")
    except (OSError, AssertionError):
        server.stop()
        pytest.skip("can't make a user namespace")
    with open(server.path("mapped"), "wb"):
        pass
    wait_until(lambda: port_answers(server.imap_port) and port_answers(server.lmtp_port),
               "Dovecot to listen")


def test_no_more_inotify_instances(lab, pgbox_only, user):
    """Who gets none asks, does not hibernate, and says so once."""
    server = lab.dovecot("tested", "limited", start=False, notify=True, hibernate=1, extra=POLL)
    start_with_inotify_limit(server, 2)
    wait_for_notify(server)
    clients = [server.imap(user) for _ in range(5)]
    for client in clients:
        client.select("INBOX")
        client.send("IDLE")
        client.wait_for(lambda answer: answer in ([b"idling"], [b"idling."]), 30)
    server.deliver(user, messages.numbered(1))
    for client in clients:
        client.wait_for(lambda answer: answer == [b"1", b"EXISTS"], 30)
    lines = [line for line in server.log_text().splitlines() if "Inotify instance limit" in line]
    assert lines and "max_user_instances" in lines[0]
    processes = [re.search(r"imap\([^)]*\)<\d+>", line)[0] for line in lines]
    assert len(set(processes)) >= 3
    # If a second went by: Dovecot says it again when the session would hibernate, and a session
    # that had one has hibernated, and comes back as another process.
    assert max(map(processes.count, processes)) <= 2
    assert len(server.processes("imap")) >= 3
    for client in clients:
        client.close()
    server.stop()
