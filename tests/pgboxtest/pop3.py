"""A small POP3 client (poplib decodes and splits lines; the tests need octets)."""

import socket


class Pop3Error(Exception):
    """The server answered -ERR."""


class Pop3Client:
    """One logged-in POP3 session."""

    def __init__(self, port, user, password="x", timeout=60):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.reader = self.socket.makefile("rb")
        self._status()
        self.command(f"USER {user}")
        self.command(f"PASS {password}")

    def _status(self):
        line = self.reader.readline()
        if not line.startswith(b"+OK"):
            raise Pop3Error(line.decode("utf-8", "replace").strip() or "connection closed")
        return line[4:].strip().decode("utf-8", "replace")

    def command(self, line):
        self.socket.sendall(line.encode() + b"\r\n")
        return self._status()

    def multiline(self, line):
        """The lines after the status, joined, with dot-stuffing undone."""
        self.command(line)
        lines = []
        while True:
            got = self.reader.readline()
            if got == b".\r\n":
                return b"".join(lines)
            if not got:
                raise ConnectionError("POP3 connection closed")
            lines.append(got[1:] if got.startswith(b".") else got)

    def uidls(self):
        """UIDL of each message in order."""
        return [line.split()[1].decode() for line in self.multiline("UIDL").splitlines()]

    def sizes(self):
        return [int(line.split()[1]) for line in self.multiline("LIST").splitlines()]

    def retrieve(self, number):
        return self.multiline(f"RETR {number}")

    def quit(self):
        self.command("QUIT")
        self.close()

    def close(self):
        self.reader.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.close()
