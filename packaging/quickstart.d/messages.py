"""Messages to deliver: made up from a seed, or the reader's own."""

import datetime
import email.message
import email.policy
import email.utils
import mailbox
import os
import pathlib
import random

PEOPLE = (("Ada Holm", "ada"), ("Bruno Keller", "bruno"), ("Zoë Müller", "zoe"),
          ("Kenji 山田", "kenji"), ("Olga Petrova", "olga"))
SUBJECTS = ("Minutes of the meeting", "Invoice {n}", "Holiday plans", "Grüße aus Köln",
            "Server maintenance on Sunday", "Photos of the garden", "Contract {n}", "Lunch?")
SENTENCES = ("Please find the details below.", "We agreed to meet again next week.",
             "The budget is due on Friday.", "Nobody has seen the second key.",
             "The new release looks good to me.", "Café Größenwahn has a table for five.",
             "Call me when you are back.", "The order left the warehouse this morning.")
COUNT = 8
FIRST_DAY = datetime.datetime(2024, 3, 4, 9, 30, tzinfo=datetime.timezone.utc)


class Message:
    """A name to print, and a function that reads the octets."""

    def __init__(self, name, read):
        self.name = name
        self.read = read

    def octets(self):
        """With CRLF line ends and a last one, as LMTP carries them."""
        data = self.read().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        return data if data.endswith(b"\r\n") else data + b"\r\n"


def made_up(seed):
    """The same messages for the same seed; every third has an attachment."""
    source = random.Random(seed)
    return [_made_up(source, number) for number in range(1, COUNT + 1)]


def _made_up(source, number):
    name, local = source.choice(PEOPLE)
    mail = email.message.EmailMessage(policy=email.policy.SMTP)
    mail["From"] = email.utils.formataddr((name, f"{local}@example.org"))
    mail["To"] = "Reader <reader@example.org>"
    mail["Subject"] = SUBJECTS[number % len(SUBJECTS)].format(n=source.randint(1000, 9999))
    mail["Date"] = FIRST_DAY + datetime.timedelta(hours=number * 7)
    mail["Message-ID"] = f"<{number}.{source.getrandbits(48):x}@example.org>"
    mail.set_content("\n".join(source.sample(SENTENCES, 3)) + f"\n\n{name}\n", charset="utf-8")
    if number % 3 == 0:
        mail.add_attachment(source.randbytes(20_000), "application", "pdf",
                            filename=f"document {number}.pdf")
        mail.set_boundary(f"=_part_{source.getrandbits(48):x}")
    data = mail.as_bytes()
    return Message(mail["Subject"], lambda: data)


def from_path(path):
    """(messages, what was left out) of a Maildir, an mbox file or a folder of .eml files."""
    path = pathlib.Path(path)
    if path.is_file():
        return _from_file(path), ""
    if (path / "cur").is_dir() or (path / "new").is_dir():
        return _from_maildir(path)
    files = sorted(file for file in path.rglob("*")
                   if file.suffix.lower() == ".eml" and file.is_file())
    return [_of_file(file) for file in files], ""


def _of_file(path):
    return Message(path.name, path.read_bytes)


def _from_file(path):
    """An mbox, or one message."""
    with open(path, "rb") as file:
        if file.read(5) != b"From ":
            return [_of_file(path)]
    box = mailbox.mbox(path, create=False)
    return [Message(f"{path.name} {key + 1}", lambda key=key: box.get_bytes(key))
            for key in box.keys()]


def _from_maildir(path):
    messages = []
    for sub in ("cur", "new"):
        if (path / sub).is_dir():
            messages += [_of_file(file) for file in (path / sub).iterdir() if file.is_file()]
    folders = [entry.name for entry in os.scandir(path)
               if entry.is_dir() and os.path.isdir(os.path.join(entry.path, "cur"))]
    left_out = f"{len(folders)} folders beside the inbox" if folders else ""
    # Names begin with the time of delivery.
    return sorted(messages, key=lambda message: message.name), left_out
