"""Messages for the tests: a seeded generator, and the shared corpus where it exists.

The generator covers what mail stores get wrong: line ends, NULs, missing last newlines,
huge headers, MIME that is nested, attached, encoded, in many charsets, or broken.
"""

import base64
import os
import pathlib
import quopri
import random

CORPUS = pathlib.Path(os.environ.get(
    "PGBOX_MAIL", pathlib.Path(__file__).resolve().parents[3] / "shared" / "mail"))

CHARSETS = {
    "utf-8": "Grüße, żółw, Ελληνικά, 日本語 😀",
    "iso-8859-1": "Grüße à la crème brûlée",
    "iso-8859-15": "Preis: 5 €",
    "windows-1251": "Привет, мир",
    "koi8-r": "Привет из KOI8",
    "iso-2022-jp": "日本語のメール",
    "gb2312": "简体中文",
    "big5": "繁體中文",
}
WORDS = ("invoice meeting report holiday project draft budget lunch server backup release "
         "question answer contract ticket order number photo garden music").split()


def corpus(sub=""):
    """(name, octets) of every shared message, CRLF; empty where the folder is not there."""
    folder = CORPUS / sub
    if not folder.is_dir():
        return []
    return [(str(path.relative_to(CORPUS)), crlf(path.read_bytes()))
            for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "README.md"]


def crlf(data):
    """Every bare LF as CRLF, as IMAP wants it."""
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def numbered(number, body="body", size=0):
    """A plain message that can be recognised by its number."""
    text = f"""\
From: Sender {number} <sender{number}@example.org>
To: box@example.org
Subject: message {number}
Date: {date_of(number)}
Message-ID: <{number}@numbered.example.org>

{body} {number}
"""
    filler = ("x" * 70 + "\n") * (size // 71)
    return crlf((text + filler).encode())


def with_attachment(size):
    """A message with a text part and a base64 part of about `size` octets."""
    data = base64.encodebytes(random.Random(1).randbytes(size * 3 // 4 * 76 // 77))
    return crlf(b"Subject: attached\nMIME-Version: 1.0\n"
                b'Content-Type: multipart/mixed; boundary="edge"\n\n--edge\n\ntext\n--edge\n'
                b"Content-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\n"
                + data + b"--edge--\n")


def date_of(number):
    """A Date header that grows with the number."""
    return f"{1 + number % 28} Jan {2001 + number // 28 % 20} 10:{number % 60:02}:00 +0000"


def imap_date(number):
    """An INTERNALDATE far in the past, different for each number."""
    return f"{1 + number % 28:02}-Feb-{2001 + number // 28 % 20} 01:02:{number % 60:02} +0000"


class Generator:
    """Random messages from one seed; the same seed gives the same messages for ever."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.count = 0
        self.kinds = [self.plain, self.no_body, self.nested, self.attachment, self.quoted,
                      self.eight_bit, self.many_headers, self.broken_mime, self.attached_mail,
                      self.no_final_newline, self.bare_line_feeds, self.bare_returns,
                      self.folded_headers, self.reply, self.no_headers]

    def message(self):
        """Any message; no NULs (IMAP needs BINARY for those)."""
        return self.random.choice(self.kinds)()

    def words(self, low=1, high=8):
        return " ".join(self.random.choices(WORDS, k=self.random.randint(low, high)))

    def address(self):
        name = self.random.choice(WORDS)
        return self.random.choice([
            f"{name}@example.org", f"{name.title()} Person <{name}@example.com>",
            f'"Person, {name}" <{name}@example.net>',
            f"=?utf-8?q?M=C3=BCller_{name}?= <{name}@example.org>"])

    def headers(self, extra=""):
        self.count += 1
        seconds = self.random.randint(0, 800_000_000)
        return (f"From: {self.address()}\n"
                f"To: {self.address()}, {self.address()}\n"
                f"Subject: {self.words()}\n"
                f"Date: {date_of(seconds % 5000)}\n"
                f"Message-ID: <{self.count}.{seconds}@generated.example.org>\n{extra}")

    def text(self):
        return "\n".join(self.words() for _ in range(self.random.randint(1, 20))) + "\n"

    def boundary(self):
        return f"=_{self.random.getrandbits(64):x}"

    # kinds

    def plain(self):
        return crlf(f"{self.headers()}\n{self.text()}".encode())

    def reply(self):
        target = self.random.randint(1, self.count + 1)
        extra = f"In-Reply-To: <{target}@generated.example.org>\nCc: {self.address()}\n"
        return crlf(f"{self.headers(extra)}\n> {self.text()}".encode())

    def no_body(self):
        return crlf(self.headers().encode() + self.random.choice([b"", b"\n"]))

    def no_headers(self):
        return crlf(b"\n" + self.text().encode())

    def multipart(self, subtype, parts, preamble="preamble\n", epilogue=""):
        """A body part (headers and all) from finished parts."""
        mark = self.boundary()
        data = f'Content-Type: multipart/{subtype}; boundary="{mark}"\n\n{preamble}'.encode()
        for part in parts:
            data += f"--{mark}\n".encode() + part + b"\n"
        return data + f"--{mark}--\n{epilogue}".encode()

    def text_part(self, subtype="plain"):
        return f"Content-Type: text/{subtype}; charset=us-ascii\n\n{self.text()}".encode()

    def attachment_part(self):
        data = self.random.randbytes(self.random.randint(0, 3000))
        name = self.random.choice(["photo.jpg", "a b.pdf", "=?utf-8?b?w6QudHh0?="])
        encoded = base64.encodebytes(data).decode()
        return (f'Content-Type: application/octet-stream; name="{name}"\n'
                f'Content-Disposition: attachment; filename="{name}"\n'
                f"Content-Transfer-Encoding: base64\n\n{encoded}").encode()

    def nested(self):
        alternative = self.multipart("alternative", [self.text_part(), self.text_part("html")])
        related = self.multipart("related", [alternative, self.attachment_part()], "")
        mixed = self.multipart("mixed", [related, self.text_part()], epilogue="epilogue\n")
        return crlf(self.headers("MIME-Version: 1.0\n").encode() + mixed)

    def attachment(self):
        mixed = self.multipart("mixed", [self.text_part(), self.attachment_part()])
        return crlf(self.headers("MIME-Version: 1.0\n").encode() + mixed)

    def attached_mail(self):
        inner = self.random.choice([self.plain, self.attachment, self.nested])()
        part = b"Content-Type: message/rfc822\n\n" + inner.replace(b"\r\n", b"\n")
        mixed = self.multipart("mixed", [self.text_part(), part])
        return crlf(self.headers("MIME-Version: 1.0\n").encode() + mixed)

    def quoted(self):
        charset, text = self.random.choice(list(CHARSETS.items()))
        body = quopri.encodestring((text + " = " + self.words() + "\n").encode(charset))
        return crlf(self.headers(f"Content-Type: text/plain; charset={charset}\n"
                                 "Content-Transfer-Encoding: quoted-printable\n").encode()
                    + b"\n" + body)

    def eight_bit(self):
        charset, text = self.random.choice(list(CHARSETS.items()))
        extra = (f"Subject: {text}\nContent-Type: text/plain; charset={charset}\n"
                 "Content-Transfer-Encoding: 8bit\n")
        return crlf((self.headers() + extra + "\n" + text + "\n").encode(charset, "replace"))

    def many_headers(self):
        extra = "".join(f"X-Filler-{n}: {self.words(5, 20)}\n"
                        for n in range(self.random.choice([50, 500])))
        return crlf(f"{self.headers(extra)}\n{self.text()}".encode())

    def folded_headers(self):
        extra = f"References: <a@b>\n <c@d>\n\t<e@f>\nX-Empty:\nX-Odd : {self.words()}\n"
        return crlf(f"{self.headers(extra)}\n{self.text()}".encode())

    def broken_mime(self):
        data = bytearray(self.random.choice([self.nested, self.attachment])())
        for _ in range(self.random.randint(1, 4)):
            at = self.random.randrange(len(data))
            del data[at:at + self.random.randint(1, 60)]
        if self.random.random() < 0.5:
            del data[self.random.randrange(len(data) // 2, len(data)):]
        return bytes(data)

    def no_final_newline(self):
        return self.plain().rstrip(b"\r\n") + b" end"

    def bare_line_feeds(self):
        return self.plain().replace(b"\r\n", b"\n")

    def bare_returns(self):
        head, separator, body = self.plain().partition(b"\r\n\r\n")
        return head + separator + body.replace(b"\r\n", b"\r", 3) + b"a\rb\r\r\nc\r"

    # only for BINARY appends and LMTP

    def with_nuls(self):
        return crlf(self.headers().encode()) + b"\r\nnul \0 in \0\0 text\r\n"

    def binary_part(self):
        data = self.random.randbytes(500)
        part = (b"Content-Type: application/octet-stream\r\n"
                b"Content-Transfer-Encoding: binary\r\n\r\n" + data)
        mark = self.boundary().encode()
        return (crlf(self.headers("MIME-Version: 1.0\n").encode())
                + b'Content-Type: multipart/mixed; boundary="' + mark + b'"\r\n\r\n--' + mark
                + b"\r\n" + part + b"\r\n--" + mark + b"--\r\n")
