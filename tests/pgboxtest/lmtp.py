"""A small LMTP client that can also be interrupted between DATA and the answer."""

import socket


class LmtpClient:
    """One LMTP connection.  Answers are (code, text); nothing is raised for 4xx and 5xx."""

    def __init__(self, port, timeout=60):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.reader = self.socket.makefile("rb")
        self.greeting = self.answer()
        self.command("LHLO test")

    def answer(self):
        """One answer, all its lines; raises ConnectionError when the server went away."""
        lines = []
        while True:
            line = self.reader.readline()
            if not line.endswith(b"\n"):
                raise ConnectionError("LMTP connection closed")
            lines.append(line[4:].decode("utf-8", "replace").strip())
            if line[3:4] != b"-":
                return int(line[:3]), "\n".join(lines)

    def command(self, line):
        self.socket.sendall(line.encode() + b"\r\n")
        return self.answer()

    def send_data(self, data):
        """The message itself, dot-stuffed.  Byte-exact except for a missing last CRLF."""
        stuffed = b"\n".join(b"." + line if line.startswith(b".") else line
                             for line in data.split(b"\n"))
        if not stuffed.endswith(b"\r\n"):
            stuffed += b"\r\n"
        self.socket.sendall(stuffed + b".\r\n")

    def deliver(self, recipients, data, sender="sender@example.org"):
        """Deliver to one or several recipients; one (code, text) for each."""
        if isinstance(recipients, str):
            return self.deliver([recipients], data, sender)[0]
        code, text = self.command(f"MAIL FROM:<{sender}>")
        if code != 250:
            return [(code, text)] * len(recipients)
        answers = [self.command(f"RCPT TO:<{name}>") for name in recipients]
        accepted = [code == 250 for code, _text in answers]
        if any(accepted):
            code, text = self.command("DATA")
            if code != 354:
                return [(code, text)] * len(recipients)
            self.send_data(data)
            return [self.answer() if ok else old for ok, old in zip(accepted, answers)]
        self.command("RSET")
        return answers

    def close(self):
        self.reader.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.close()


def deliver(port, recipient, data, **options):
    """Deliver one message over its own connection; (code, text)."""
    with LmtpClient(port) as client:
        return client.deliver(recipient, data, **options)
