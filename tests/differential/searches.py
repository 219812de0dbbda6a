"""Random SEARCH, SORT and THREAD commands over random messages in many scripts."""

import email
import email.policy
import os
import random
import re

from pgboxtest import lab, messages
from pgboxtest.imap import Literal

TEXTS = {
    "utf-8": ["Größe und Maß: Äpfel, Öl, süß, GROSSE STRASSE, ﬁne ﬂow",
              "Ελληνικά κείμενα με τόνους και Σίσυφος", "Съешь ещё этих мягких булок ЁЖИК",
              "電子郵件在資料庫裡可以搜尋嗎", "한국어 각각 편지를 찾는다", "Ångström e\u0301te\u0301 n\u0303",
              "100%_of\\it 50% a_b C:\\temp %% __", "tab\there İstanbul ılık ʼn ½ ﬀ \u00a0nbsp\u00a0"],
    "iso-8859-1": ["Größe, Äpfel, naïve façade", "señor ÿ µ ½"],
    "iso-8859-7": ["Ελληνικά κείμενα με τόνους"],
    "koi8-r": ["Съешь ещё этих мягких булок"],
    "windows-1252": ["“quoted” – dash … €"],
    "gb2312": ["电子邮件在数据库里"],
    "iso-2022-jp": ["メールを検索する日本語"],
    "x-unknown": ["plain with no such charset"],
}
COMMON = "the report of march about invoices and weather with many common words".split()
KEYS = ["ALL", "ANSWERED", "DELETED", "FLAGGED", "SEEN", "UNSEEN", "UNANSWERED", "DRAFT",
        "RECENT", "NEW", "OLD", "KEYWORD work", "UNKEYWORD work", "KEYWORD nosuch"]
SORT_KEYS = ["ARRIVAL", "CC", "DATE", "FROM", "SIZE", "SUBJECT", "TO", "DISPLAYFROM", "DISPLAYTO"]
FIELDS = ["Message-ID", "References", "X-Odd", "Content-Type", "Received", "From", "Subject",
          "X-Empty", "No-Such-Field", "Date", "To", "in-reply-to", "MIME-Version"]
ENCODINGS = ["8bit", "quoted-printable", "base64"]
# of commands; needles that a charset does not have lose what it lacks
CHARSETS = ["UTF-8"] * 8 + ["ISO-8859-1", "KOI8-R", "US-ASCII", "GB2312"]
RETURNS = ["COUNT", "MIN", "MAX", "ALL", "MIN MAX COUNT", "SAVE ALL", "SAVE MIN", "", "PARTIAL 1:10 COUNT",
           "PARTIAL 5:300", "PARTIAL 2:2 MAX", "ALL COUNT"]


class Mails:
    """The messages of one run."""

    def __init__(self, seed, count):
        self.random = random.Random(seed)
        self.generator = messages.Generator(seed)
        self.data = [self.one() for _ in range(count)] + list(files())

    def one(self):
        return self.generator.message() if self.random.random() < 0.4 else self.text()

    def text(self):
        """A message in some charset, encoded in some way, in one part or two."""
        charset = self.random.choice(list(TEXTS))
        text = self.random.choice(TEXTS[charset])
        words = " ".join(self.random.choices(COMMON, k=self.random.randint(1, 60)))
        codec = "ascii" if charset == "x-unknown" else charset
        part = self.part(f"{words}\n{text}\n{words[::-1]}\n", charset, codec)
        subject = self.header(text[:self.random.randint(1, 20)], charset, codec)
        name = self.header(text.split()[0], charset, codec)
        extra = (f"Subject: {subject}\nSender: {name} <s@example.org>\n"
                 f"Bcc: {name} <bcc@example.org>\nSubject:  second \t subject\n")
        head = (self.generator.headers(extra) + "MIME-Version: 1.0\n").encode("utf-8", "replace")
        if self.random.random() < 0.5:
            return messages.crlf(head + part)
        html = self.part(f"<p>{text} <b>bold</b>tail</p>", charset, codec, "html")
        return messages.crlf(head + self.generator.multipart("alternative", [part, html]))

    def part(self, text, charset, codec, subtype="plain"):
        encoding = self.random.choice(ENCODINGS)
        data = text.encode(codec, "replace")
        if encoding == "base64":
            data = messages.base64.encodebytes(data)
        elif encoding == "quoted-printable":
            data = messages.quopri.encodestring(data)
        return (f"Content-Type: text/{subtype}; charset={charset}\n"
                f"Content-Transfer-Encoding: {encoding}\n\n").encode() + data

    def header(self, text, charset, codec):
        kind = self.random.choice(["raw", "b", "q"])
        if kind == "raw" or codec in ("iso-2022-jp", "ascii"):
            return text
        data = text.encode(codec, "replace")
        if kind == "b":
            return f"=?{charset}?b?{messages.base64.b64encode(data).decode()}?="
        return f"=?{charset}?Q?{''.join(f'={byte:02X}' for byte in data)}?="


def files():
    """Real and tricky messages, if there are any."""
    directory = os.environ.get("PGBOX_MAIL", lab.PROJECT.parent / "shared" / "mail")
    for root, _directories, names in sorted(os.walk(directory)):
        for name in sorted(names):
            with open(os.path.join(root, name), "rb") as file:
                data = file.read(2_000_000)
            if data and b"\0" not in data:
                yield messages.crlf(data)


class Searches:
    """Random commands, as parts for ImapClient.command()."""

    def __init__(self, seed, mails):
        self.random = random.Random(seed)
        self.mails = mails
        self.charset = None

    def source(self):
        """Some text that is in a message."""
        data = self.random.choice(self.mails)
        if self.random.random() < 0.3:
            return self.random.choice(TEXTS[self.random.choice(list(TEXTS))])
        try:
            message = email.message_from_bytes(data, policy=email.policy.default)
            if self.random.random() < 0.5:
                return str(message[self.random.choice(["Subject", "From", "To", "Bcc", "Message-ID"])])
            body = message.get_body(("plain", "html"))
            return body.get_content() if body else ""
        except (LookupError, ValueError, KeyError, IndexError, AttributeError, TypeError):
            return data.decode("latin-1")

    def needle(self):
        kind = self.random.random()
        if kind < 0.05:
            text = ""
        elif kind < 0.15:
            text = self.random.choice(["e", "ß", "ü", "u", "%", "_", "\\", "电", "Σ", " ", "th", ">",
                                       "%%", "a_b", "\u0301", "\u00a0", "ÿ", "ff", "\t"])
        elif kind < 0.25:
            text = self.random.choice(["no such words", "zzzzqqqq", "STRASSE", "the report", "\ufffd",
                                       "x" * 2000, "<@>", "example.org>", "message", "=?utf-8?"])
        else:
            source = self.source()
            start = self.random.randrange(len(source) + 1)
            text = source[start:start + self.random.choice([1, 2, 3, 4, 6, 10, 30])]
        if self.random.random() < 0.3:
            text = self.random.choice([text.upper(), text.lower(), text.swapcase()])
        # Line ends depend on the storage; NUL and halves of characters are no UTF-8.
        text = re.sub("[\r\n\0]", " ", text)
        return Literal(text.encode(self.charset, "ignore"))

    def text_key(self):
        key = self.random.choice(["BODY", "TEXT", "SUBJECT", "FROM", "TO", "CC", "BCC", "HEADER"])
        if key == "HEADER":
            key += " " + self.random.choice(FIELDS)
        return [key + " ", self.needle()]

    def date(self):
        return (f"{self.random.randint(1, 28)}-{self.random.choice(['Jan', 'Feb', 'Mar'])}-"
                f"{self.random.randint(2000, 2022)}")

    def message_set(self):
        top = len(self.mails)
        first, last = self.random.randint(1, top), self.random.randint(1, top)
        return self.random.choice([f"{first}:{last}", f"{first}", f"{first},{last}", f"{first}:*"])

    def other_key(self):
        return [self.random.choice([
            lambda: self.random.choice(KEYS),
            lambda: self.random.choice(["BEFORE", "ON", "SINCE", "SENTBEFORE", "SENTON", "SENTSINCE",
                                        "SAVEDBEFORE", "SAVEDON", "SAVEDSINCE"]) + " " + self.date(),
            lambda: f"{self.random.choice(['LARGER', 'SMALLER'])} {self.random.randint(0, 5000)}",
            lambda: f"{self.random.choice(['OLDER', 'YOUNGER'])} {self.random.randint(1, 10 ** 9)}",
            lambda: self.message_set(),
            lambda: "UID " + self.message_set(),
            lambda: "MODSEQ 1",
        ])()]

    def key(self, depth=0):
        kind = self.random.random()
        if depth < 4 and kind < 0.15:
            return ["NOT ", *self.key(depth + 1)]
        if depth < 4 and kind < 0.35:
            return ["OR ", *self.key(depth + 1), " ", *self.key(depth + 1)]
        if depth < 4 and kind < 0.45:
            return ["(", *self.key(depth + 1), " ", *self.key(depth + 1), ")"]
        if kind < 0.8:
            return self.text_key()
        return self.other_key()

    def keys(self):
        parts = self.key()
        while self.random.random() < 0.3:
            parts += [" ", *self.key()]
        return parts

    def sort_program(self):
        sort = self.random.sample(SORT_KEYS, self.random.choice([1, 1, 2, 2, 3, 4]))
        return " ".join(self.random.choice(["", "", "REVERSE "]) + key for key in sort)

    def command(self):
        self.charset = self.random.choice(CHARSETS)
        options = self.random.choice(RETURNS)
        kind = self.random.random()
        if kind < 0.6:
            return [f"SEARCH CHARSET {self.charset} ", *self.keys()]
        if kind < 0.7:
            return [f"UID SEARCH RETURN ({options}) CHARSET {self.charset} ", *self.keys()]
        keys = self.keys() if self.random.random() < 0.7 else ["ALL"]
        if kind < 0.87:
            return [f"SORT ({self.sort_program()}) {self.charset} ", *keys]
        if kind < 0.95:
            return [f"UID SORT RETURN ({options}) ({self.sort_program()}) {self.charset} ", *keys]
        thread = self.random.choice(["REFERENCES", "ORDEREDSUBJECT", "REFS"])
        return [f"THREAD {thread} {self.charset} ", *keys]


def show(command):
    return "".join(part if isinstance(part, str) else repr(part.data)
                   for part in command)
