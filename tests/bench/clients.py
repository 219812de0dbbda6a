"""Clients that cost little themselves: what a server sends is read, not parsed."""

import re
import socket
import threading
import time

from pgboxtest.imap import ImapClient, Literal

READ_SIZE = 1 << 18
TAIL_SIZE = 1 << 12


class ServerRefused(Exception):
    """An answer that was not OK: the figure would be worth nothing."""


class FastImap(ImapClient):
    """`run` sends a command and reads up to its tagged answer without looking inside."""

    def __init__(self, server, user, **options):
        super().__init__(server.imap_port, user, timeout=600, **options)
        self.server = server

    def run(self, *parts):
        """Returns the number of octets of the answer; raises unless it is OK."""
        tag = self.send(*parts)
        end = re.compile(rb"(?:^|\r\n)" + tag + rb" (\w+)[^\r\n]*\r\n$")
        tail = b""
        size = 0
        while True:
            data = self.socket.recv(READ_SIZE)
            if not data:
                raise ServerRefused(f"{parts[0]!r}: connection closed")
            size += len(data)
            tail = (tail + data)[-TAIL_SIZE:]
            if data.endswith(b"\r\n"):
                found = end.search(tail)
                if found:
                    if found[1] != b"OK":
                        raise ServerRefused(f"{parts[0]!r}: {tail[-300:]!r}")
                    return size

    def timed(self, *parts):
        """Seconds that a command takes."""
        start = time.perf_counter()
        self.run(*parts)
        return time.perf_counter() - start

    def multiappend(self, mailbox, messages):
        """One APPEND of several messages."""
        parts = [f'APPEND "{mailbox}"']
        for message in messages:
            parts += [b" ", Literal(message)]
        return parts


class FastLmtp:
    """One LMTP connection; the commands before DATA are pipelined."""

    def __init__(self, server):
        self.socket = socket.create_connection(("127.0.0.1", server.lmtp_port), 120)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = self.socket.makefile("rb")
        self._answer()
        self.socket.sendall(b"LHLO bench\r\n")
        self._answer()

    def _answer(self):
        while True:
            line = self.reader.readline()
            if line[:1] not in (b"2", b"3"):
                raise ServerRefused(f"LMTP: {line!r}")
            if line[3:4] != b"-":
                return

    def deliver(self, user, data):
        """`data` has no line that begins with a dot, and ends with a newline."""
        self.socket.sendall(b"MAIL FROM:<sender@example.org>\r\nRCPT TO:<" + user.encode()
                            + b">\r\nDATA\r\n")
        for _ in range(3):
            self._answer()
        self.socket.sendall(data + b".\r\n")
        self._answer()

    def close(self):
        self.reader.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.close()


def in_parallel(functions):
    """Run all at once, each in a thread; the seconds until the last one is done."""
    errors = []
    ready = threading.Barrier(len(functions) + 1)

    def work(function):
        ready.wait()
        try:
            function()
        except Exception as error:  # pylint: disable=broad-except
            errors.append(error)

    threads = [threading.Thread(target=work, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    ready.wait()
    start = time.perf_counter()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - start
    if errors:
        raise errors[0]
    return seconds


def pop3_uidl(server, user):
    """Log in, ask for all UIDLs, log out; seconds."""
    start = time.perf_counter()
    with socket.create_connection(("127.0.0.1", server.pop3_port), 600) as pop3:
        _read_until(pop3, b"\r\n")
        for command, end in ((f"USER {user}", b"\r\n"), ("PASS x", b"\r\n"),
                             ("UIDL", b"\r\n.\r\n"), ("QUIT", b"\r\n")):
            pop3.sendall(command.encode() + b"\r\n")
            _read_until(pop3, end)
    return time.perf_counter() - start


def _read_until(connection, end):
    tail = b""
    while not tail.endswith(end):
        data = connection.recv(READ_SIZE)
        if not data or tail == b"" and data.startswith(b"-ERR"):
            raise ServerRefused(f"POP3: {data!r}")
        tail = (tail + data)[-TAIL_SIZE:]
