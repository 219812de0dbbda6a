"""A raw IMAP client: nothing is interpreted that a test may want to compare.

Strings and literals become `bytes`, atoms become `Atom`, NIL becomes None and lists become
Python lists, so two servers' answers compare with `==`, octet for octet.
"""

import contextlib
import re
import socket
import time

_LITERAL_AT_END = re.compile(rb"(~?)\{(\d+)\}$")
_ATOM_END = frozenset(b' ()"\r\n')
_STATUS_WORDS = (b"OK", b"NO", b"BAD", b"BYE", b"PREAUTH")


class Atom(bytes):
    """An unquoted word; compares as bytes but prints without quotes."""

    def __repr__(self):
        return self.decode("latin-1")


class Literal:
    """An argument sent as literal; binary=True sends a literal8."""

    def __init__(self, data, binary=False, sync=False):
        self.data = data
        self.binary = binary
        self.sync = sync

    def header(self):
        return b"%s{%d%s}\r\n" % (b"~" if self.binary else b"", len(self.data),
                                  b"" if self.sync else b"+")

    def __repr__(self):
        return f"{'~' if self.binary else ''}{{{len(self.data)}}}"


class ConnectionLost(ConnectionError):
    """The server closed the connection; `untagged` holds what it said before."""

    def __init__(self, text, untagged=()):
        super().__init__(text)
        self.untagged = list(untagged)


class Status:
    """OK, NO, BAD, BYE or PREAUTH with its response code (a token list) and text."""

    def __init__(self, word, code, text):
        self.word = word.decode()
        self.code = code
        self.text = text

    def code_name(self):
        return bytes(self.code[0]).decode() if self.code else None

    def __eq__(self, other):
        return isinstance(other, Status) and vars(self) == vars(other)

    def __repr__(self):
        code = f"{self.code} " if self.code else ""
        return f"{self.word} {code}{self.text.decode('utf-8', 'replace')}"


class Result:
    """The untagged responses to a command, then its tagged Status."""

    def __init__(self, command, untagged, status):
        self.command = command
        self.untagged = untagged
        self.status = status

    @property
    def ok(self):
        return self.status.word == "OK"

    def named(self, name):
        """Arguments of the untagged responses `* NAME args...`."""
        name = name.encode()
        return [tokens[1:] for tokens in self.untagged
                if isinstance(tokens, list) and tokens and tokens[0] == name]

    def numbered(self, name):
        """(number, arguments) of the untagged responses `* n NAME args...`."""
        name = name.encode()
        return [(int(tokens[0]), tokens[2:]) for tokens in self.untagged
                if isinstance(tokens, list) and len(tokens) > 1 and tokens[1] == name]

    def code(self, name):
        """Arguments of a response code, tagged or untagged; None when it was not sent."""
        for status in [*self.untagged, self.status]:
            if isinstance(status, Status) and status.code_name() == name:
                return status.code[1:]
        return None

    def __repr__(self):
        return f"<{self.command!r}: {self.untagged!r} {self.status!r}>"


# --- parsing -----------------------------------------------------------------------------


class _Parser:
    """Recursive descent over one response whose literals were read already."""

    def __init__(self, chunks):
        # chunks: bytes, literal bytes, bytes, ...: every second one is a literal
        self.chunks = chunks
        self.index = 0
        self.pos = 0

    @property
    def text(self):
        return self.chunks[self.index]

    def at_end(self):
        return self.pos >= len(self.text) and self.index + 1 >= len(self.chunks)

    def peek(self):
        return self.text[self.pos:self.pos + 1]

    def skip_spaces(self):
        while self.peek() == b" ":
            self.pos += 1

    def tokens(self, end=b""):
        """Tokens until `end` (or the end of the response)."""
        found = []
        while True:
            self.skip_spaces()
            if self.at_end():
                return found
            if end and self.peek() == end:
                self.pos += 1
                return found
            found.append(self.token())

    def token(self):
        char = self.peek()
        if char == b"(":
            self.pos += 1
            return self.tokens(b")")
        if char == b'"':
            return self._quoted()
        literal = _LITERAL_AT_END.match(self.text, self.pos)
        if literal:
            return self._literal()
        return self._atom()

    def _literal(self):
        data = self.chunks[self.index + 1]
        self.index += 2
        self.pos = 0
        return data

    def _quoted(self):
        out = bytearray()
        self.pos += 1
        while self.peek() not in (b'"', b""):
            if self.peek() == b"\\":
                self.pos += 1
            out += self.peek()
            self.pos += 1
        self.pos += 1
        return bytes(out)

    def _atom(self):
        start = self.pos
        text = self.text
        while self.pos < len(text) and text[self.pos] not in _ATOM_END:
            if text[self.pos:self.pos + 1] == b"[":
                # BODY[HEADER.FIELDS (A B)]: the section belongs to the atom
                close = text.find(b"]", self.pos)
                self.pos = close if close >= 0 else self.pos
            self.pos += 1
        if self.pos == start:  # a stray ')'
            self.pos += 1
        atom = text[start:self.pos]
        return None if atom == b"NIL" else Atom(atom)

    def rest(self):
        return self.text[self.pos:]


def _parse_status(parser, word):
    parser.skip_spaces()
    code = None
    if parser.peek() == b"[":
        text = parser.text
        close = text.find(b"]", parser.pos)
        code = _Parser([text[parser.pos + 1:close]]).tokens()
        parser.pos = close + 1
        parser.skip_spaces()
    return Status(word, code, parser.rest())


def parse_response(chunks):
    """(tag, Status or token list) of one response given as text/literal chunks."""
    parser = _Parser(chunks)
    tag = parser.token()
    parser.skip_spaces()
    word = parser.text[parser.pos:].split(b" ", 1)[0]
    if word in _STATUS_WORDS:
        parser.pos += len(word)
        return tag, _parse_status(parser, word)
    return tag, parser.tokens()


# --- the client --------------------------------------------------------------------------


def quote(name):
    """A mailbox name or other string as IMAP quoted string."""
    data = name if isinstance(name, bytes) else name.encode()
    return b'"' + data.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def as_pairs(tokens):
    """[name, value, name, value...] as dictionary with str keys."""
    return {bytes(key).decode(): value for key, value in zip(tokens[::2], tokens[1::2])}


class ImapClient:
    """One connection.  `command` returns every answer; `ok` also insists on OK."""

    def __init__(self, port, user=None, password="x", timeout=120, enable=()):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = self.socket.makefile("rb")
        self.counter = 0
        self.pid = None
        _tag, self.greeting = self.read_response()
        if user is not None:
            self.login(user, password)
        if enable:
            self.ok("ENABLE " + " ".join(enable))

    def login(self, user, password="x"):
        return self.ok(b"LOGIN " + quote(user) + b" " + quote(password))

    # sending and receiving

    def read_response(self):
        """One response: (tag, Status or tokens)."""
        chunks = []
        while True:
            line = self._read(self.reader.readline)
            if not line.endswith(b"\n"):
                raise ConnectionLost("IMAP connection closed")
            line = line.rstrip(b"\r\n")
            chunks.append(line)
            literal = _LITERAL_AT_END.search(line)
            if not literal:
                return parse_response(chunks)
            chunks.append(self._read_exactly(int(literal[2])))

    @staticmethod
    def _read(function, *args):
        try:
            return function(*args)
        except ConnectionError as error:
            raise ConnectionLost(f"IMAP connection closed: {error}") from error

    def _read_exactly(self, size):
        data = self._read(self.reader.read, size)
        if len(data) != size:
            raise ConnectionLost("IMAP connection closed inside a literal")
        return data

    def send(self, *parts):
        """Send a command and return its tag at once (for pipelining)."""
        tag, data = self._compose(parts)
        self._send_all(data)
        return tag

    def _compose(self, parts):
        """A tag, and the octets of a command that have not been sent on the way."""
        self.counter += 1
        tag = b"a%d" % self.counter
        data = tag + b" "
        for part in parts:
            if isinstance(part, Literal):
                data += part.header()
                if part.sync:
                    data = self._wait_for_go_ahead(data)
                data += part.data
            else:
                data += part if isinstance(part, bytes) else part.encode()
        return tag, data + b"\r\n"

    def _send_all(self, data):
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise ConnectionLost(f"IMAP connection closed: {error}") from error

    def _wait_for_go_ahead(self, data):
        self._send_all(data)
        tag, answer = self.read_response()
        if tag != b"+":
            raise AssertionError(f"no go-ahead for a literal: {tag} {answer}")
        return b""

    def wait(self, tag, command=()):
        """Everything up to the tagged answer of `tag`."""
        untagged = []
        while True:
            try:
                got, answer = self.read_response()
            except ConnectionLost as error:
                raise ConnectionLost(str(error), untagged) from error
            if got == tag:
                return Result(command, untagged, answer)
            untagged.append(answer)

    def command(self, *parts):
        return self.wait(self.send(*parts), parts)

    def pipelined(self, *commands):
        """Send commands (each a string or parts) in one write; a Result for each.

        All have the same untagged responses: those of the second command may come before the
        tagged one of the first.
        """
        commands = [(parts,) if isinstance(parts, str) else parts for parts in commands]
        composed = [self._compose(parts) for parts in commands]
        self._send_all(b"".join(data for _tag, data in composed))
        untagged, tagged = [], {tag: None for tag, _data in composed}
        while None in tagged.values():
            try:
                tag, answer = self.read_response()
            except ConnectionLost as error:
                raise ConnectionLost(str(error), untagged) from error
            if tag in tagged:
                tagged[tag] = answer
            else:
                untagged.append(answer)
        return [Result(parts, untagged, status)
                for parts, status in zip(commands, tagged.values())]

    def ok(self, *parts):
        result = self.command(*parts)
        assert result.ok, result
        return result

    # conveniences

    def capabilities(self):
        return {bytes(word).decode() for word in self.ok("CAPABILITY").named("CAPABILITY")[0]}

    def select(self, mailbox="INBOX", params="", verb="SELECT"):
        """SELECT; the Result has the codes (UIDVALIDITY, HIGHESTMODSEQ...)."""
        return self.ok(verb.encode() + b" " + quote(mailbox) + params.encode())

    def append(self, mailbox, data, flags=(), date=None, binary=False):
        """APPEND; (uidvalidity, uid) of the new message."""
        result = self.ok(*self.append_parts(mailbox, data, flags, date, binary))
        validity, uid = result.code("APPENDUID")
        return int(validity), int(uid)

    @staticmethod
    def append_parts(mailbox, data, flags=(), date=None, binary=False):
        head = b"APPEND " + quote(mailbox)
        if flags:
            head += b" (" + " ".join(flags).encode() + b")"
        if date:
            head += b" " + quote(date)
        return head + b" ", Literal(data, binary)

    def fetch(self, messages, items, uid=True, modifiers=""):
        """{uid: {item: value}} (or by sequence number with uid=False)."""
        verb = "UID FETCH" if uid else "FETCH"
        result = self.ok(f"{verb} {messages} ({items}){modifiers}")
        found = {}
        for number, args in result.numbered("FETCH"):
            values = as_pairs(args[0])
            if uid and "UID" not in values:
                continue  # somebody else's change, told in passing
            found.setdefault(int(values["UID"]) if uid else number, {}).update(values)
        return found

    def bodies(self):
        """{uid: octets} of the selected mailbox."""
        fetched = self.fetch("1:*", "BODY.PEEK[]")
        return {uid: values["BODY[]"] for uid, values in fetched.items()}

    def search(self, criteria, uid=True):
        result = self.ok(("UID SEARCH " if uid else "SEARCH ") + criteria)
        return [int(number) for number in result.named("SEARCH")[0]
                if isinstance(number, bytes) and number.isdigit()]

    def status(self, mailbox, items):
        """STATUS as {item: int or bytes}."""
        result = self.ok(b"STATUS " + quote(mailbox) + b" (" + items.encode() + b")")
        return {name: int(value) if value.isdigit() else value
                for name, value in as_pairs(result.named("STATUS")[0][1]).items()}

    def list_names(self, command='LIST "" "*"'):
        """Mailbox names of LIST or LSUB, sorted."""
        result = self.ok(command)
        return sorted(args[2] for args in result.named(command.split()[0]))

    @contextlib.contextmanager
    def idle(self):
        """IDLE for the duration of the block; the block reads with `read_response`."""
        tag = self.send("IDLE")
        got, answer = self.read_response()
        assert got == b"+", answer
        yield self
        self._send_all(b"DONE\r\n")
        self.wait(tag)

    def wait_for(self, condition, timeout=60):
        """Read responses (inside IDLE) until one satisfies the condition."""
        deadline = time.monotonic() + timeout
        usual = self.socket.gettimeout()
        while True:
            self.socket.settimeout(max(0.01, deadline - time.monotonic()))
            _tag, answer = self.read_response()
            if condition(answer):
                # what is read next has its own time
                self.socket.settimeout(usual)
                return answer

    def logout(self):
        with contextlib.suppress(ConnectionLost):
            self.command("LOGOUT")
        self.close()

    def close(self):
        self.reader.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.close()
