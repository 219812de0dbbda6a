"""An IMAP client that prints what goes over the wire, shortened to be read."""

import re
import socket

WIDTH = 110
LITERAL_LINES = 8
_LITERAL = re.compile(rb"\{(\d+)\}\r\n$")


class Failed(Exception):
    """A step did not show what it should have shown."""


def check(condition, text):
    """Say that a claim holds, or end."""
    if not condition:
        raise Failed(f"this did not hold: {text}")
    print(f"   ok: {text}", flush=True)


class Imap:
    """One connection to one frontend; `name` begins each line that is printed."""

    def __init__(self, name, port, user, password):
        self.name = name
        self.counter = 0
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.reader = self.socket.makefile("rb")
        self.reader.readline()
        self.run(f"LOGIN {user} {password}", quiet=True)

    def run(self, command, quiet=False):
        """All of the answer as octets, literals included; raises unless it is OK."""
        self.counter += 1
        tag = f"{self.counter}"
        self._print(">", f"{tag} {command}", quiet)
        self.socket.sendall(f"{tag} {command}\r\n".encode())
        answer = b""
        while True:
            line = self._line()
            answer += line
            self._print("<", line.decode("utf-8", "replace").rstrip("\r\n"), quiet)
            while literal := _LITERAL.search(line):
                data = self.reader.read(int(literal[1]))
                self._print_literal(data, quiet)
                line = self._line()
                answer += data + line
                self._print("<", line.decode("utf-8", "replace").rstrip("\r\n"), quiet)
            if line.startswith(tag.encode() + b" "):
                break
        if not line.startswith(tag.encode() + b" OK"):
            raise Failed(f"{command}: {line.decode('utf-8', 'replace').strip()}")
        return answer

    def literal(self, command):
        """The first literal of the answer, unprinted."""
        answer = self.run(command, quiet=True)
        found = re.search(rb"\{(\d+)\}\r\n", answer)
        if not found:
            raise Failed(f"{command}: no literal in the answer")
        return answer[found.end():found.end() + int(found[1])]

    def fetch(self, command, quiet=True):
        """The lines that begin an untagged FETCH."""
        return re.findall(rb"^\* \d+ FETCH .*$", self.run(command, quiet), re.M)

    def search(self, criteria):
        """The UIDs."""
        answer = self.run(f"UID SEARCH {criteria}")
        return [int(uid) for uid in re.search(rb"^\* SEARCH(.*)\r$", answer, re.M)[1].split()]

    def status(self, mailbox, item, quiet=True):
        """One number of STATUS."""
        answer = self.run(f"STATUS {mailbox} ({item})", quiet)
        return int(re.search(rb"\(" + item.encode() + rb" (\d+)\)", answer)[1])

    def logout(self):
        self.run("LOGOUT", quiet=True)
        self.reader.close()
        self.socket.close()

    def _line(self):
        line = self.reader.readline()
        if not line.endswith(b"\n"):
            raise Failed("the IMAP connection was closed")
        return line

    def _print(self, direction, text, quiet):
        if not quiet:
            short = text if len(text) <= WIDTH else text[:WIDTH - 4] + " ..."
            print(f"   {self.name} {direction} {short}", flush=True)

    def _print_literal(self, data, quiet):
        lines = data.decode("utf-8", "replace").rstrip().splitlines()
        for line in lines[:LITERAL_LINES]:
            self._print("<", f"  | {line}", quiet)
        if len(lines) > LITERAL_LINES:
            self._print("<", f"  | ... {len(lines) - LITERAL_LINES} more lines", quiet)
