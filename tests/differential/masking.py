r"""Makes the answers of two servers comparable: what may differ becomes what must not differ.

UIDVALIDITY  becomes whether it is the value the mailbox has at this moment.
MODSEQ       becomes the number of the command that produced it: the first step after which
             the mailbox's HIGHESTMODSEQ had reached the value.  So order and equality between
             commands are compared, and that a value exists at all.  Not visible this way:
             different MODSEQs within one command (sdbox numbers each change of it, pgbox the
             command), and the distance between values.
GUIDs        become the order in which they were first seen.
Dates        become "now" when they are.
Keywords     are dropped from FLAGS and PERMANENTFLAGS: when an unused one leaves these lists is
             every storage's own affair (functional/test_flags.py has what must be in them).
HIGHESTMODSEQ is dropped from a SELECT that did not ask for it: sdbox only tells it where the
             mailbox has seen a CONDSTORE command before.
\Marked, \UnMarked are dropped: hints that a server may give or not (RFC 3501, 7.2.2).
"""

import email.utils
import re
import time

from pgboxtest.imap import Atom, Status

TIMING = re.compile(rb" \(\d+\.\d+ \+ \d+\.\d+( \+ \d+\.\d+)? secs\)")
LOG_REFERENCE = re.compile(rb"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\]")
IDENTITIES = (b"X-GUID", b"EMAILID", b"THREADID", b"MAILBOXID")
NOW_DATES = (b"INTERNALDATE", b"SAVEDATE")
HINTS = {b"\\Marked", b"\\UnMarked"}
SORTED_ANSWERS = (b"LIST", b"LSUB", b"STATUS")


class History:
    """What one side's mailboxes looked like after each step."""

    def __init__(self):
        self.by_name = {}    # name -> (guid, uidvalidity), now
        self.highest = {}    # guid -> [(step, HIGHESTMODSEQ)]
        self.identities = {}

    def record(self, step, statuses):
        """Take in {name: STATUS values} as they are after `step`."""
        self.by_name = {name: (bytes(values["X-GUID"]), int(values["UIDVALIDITY"]))
                        for name, values in statuses.items()}
        for values in statuses.values():
            known = self.highest.setdefault(bytes(values["X-GUID"]), [])
            known.append((step, int(values["HIGHESTMODSEQ"])))

    def guid(self, name):
        return self.by_name.get(name, (None, None))[0]

    def uidvalidity(self, name):
        return self.by_name.get(name, (None, 1))[1]

    def modseq_at(self, guid, step):
        """HIGHESTMODSEQ that a mailbox had after a step (or the first known one)."""
        known = self.highest.get(guid, [(0, 1)])
        earlier = [value for at, value in known if at <= step]
        return earlier[-1] if earlier else known[0][1]

    def step_of(self, guid, value):
        """The step that produced a MODSEQ of a mailbox (a new one begins at 1 or elsewhere)."""
        for step, highest in self.highest.get(guid, []):
            if highest >= value:
                return f"modseq of step {step}"
        return "modseq above HIGHESTMODSEQ"

    def identity(self, value):
        return f"identity {self.identities.setdefault(bytes(value), len(self.identities))}"


class Masker:
    """Masks one result, given the selected mailbox's GUID and the name in the command."""

    def __init__(self, history, selected_guid, named, modseq_aware=True):
        self.modseq_aware = modseq_aware
        self.history = history
        self.selected_guid = selected_guid
        self.named = named

    def result(self, result):
        selecting = str(result.command[0]).startswith(("SELECT", "EXAMINE"))
        answers = [self.answer(answer) for answer in result.untagged
                   if (self.modseq_aware or not tells_highest_modseq(answer))
                   and (selecting or not announces_keywords(answer))]
        if any(isinstance(answer, list) and answer and answer[0] in SORTED_ANSWERS
               for answer in answers):
            answers.sort(key=repr)
        return answers + [self.answer(result.status)]

    def answer(self, answer):
        if isinstance(answer, Status):
            return self.status(answer)
        if not answer:
            return answer
        if len(answer) > 2 and answer[1] == b"FETCH":
            return [answer[0], answer[1], self.pairs(answer[2], self.selected_guid)]
        return self.named_answer(answer)

    def named_answer(self, answer):
        word = bytes(answer[0])
        if word == b"STATUS":
            return [word, answer[1], self.pairs(answer[2], self.history.guid(answer[1]), answer[1])]
        if word == b"CAPABILITY":
            return sorted(set(answer) - {b"NOTIFY"})  # needs the list index the oracle is without
        if word == b"FLAGS":
            return [word, system_flags(answer[1])]
        if word in (b"LIST", b"LSUB"):
            return [word, sorted(set(answer[1]) - HINTS), *answer[2:]]
        if word in (b"SEARCH", b"SORT", b"ESEARCH"):
            return self.after_word(answer, b"MODSEQ")
        return answer

    def after_word(self, tokens, word):
        """Mask the number after a word, also in nested lists."""
        masked = []
        for index, token in enumerate(tokens):
            if isinstance(token, list):
                masked.append(self.after_word(token, word))
            elif index and tokens[index - 1] == word:
                masked.append(self.history.step_of(self.selected_guid, int(token)))
            else:
                masked.append(token)
        return masked

    def status(self, status):
        if status.word == "NO" and status.code_name() in ("BADURL", "EXPUNGEISSUED"):
            return ["NO", "the message is gone"]  # which of them tells how stale the index was
        text = LOG_REFERENCE.sub(b"[time]", TIMING.sub(b"", status.text))
        return [status.word, self.code(status.code), text]

    def code(self, code):
        if not code:
            return code
        word, args = bytes(code[0]), code[1:]
        if word == b"UIDVALIDITY":
            return [word, self.uidvalidity(args[0], self.named)]
        if word in (b"APPENDUID", b"COPYUID"):
            return [word, self.uidvalidity(args[0], self.named), *args[1:]]
        if word == b"HIGHESTMODSEQ":
            return [word, self.history.step_of(self.code_guid(), int(args[0]))]
        if word == b"PERMANENTFLAGS":
            return [word, system_flags(args[0])]
        if word in IDENTITIES:
            return [word, self.history.identity(repr(args).encode())]
        return code

    def code_guid(self):
        return self.selected_guid

    def uidvalidity(self, value, name):
        name = name.encode() if isinstance(name, str) else name
        return "current" if int(value) == self.history.uidvalidity(name) else "not current"

    def pairs(self, tokens, guid, name=None):
        """FETCH and STATUS items."""
        masked = []
        for item, value in zip(tokens[::2], tokens[1::2]):
            masked += [item, self.item(bytes(item), value, guid, name)]
        return masked

    def item(self, item, value, guid, name):
        if item == b"FLAGS":
            return sorted(value)
        if item == b"MODSEQ":
            return self.history.step_of(guid, int(value[0]))
        if item == b"HIGHESTMODSEQ":
            return self.history.step_of(guid, int(value))
        if item == b"UIDVALIDITY":
            return self.uidvalidity(value, name)
        if item in IDENTITIES and value is not None:
            return self.history.identity(repr(value).encode())
        if item in NOW_DATES and value is not None:
            return mask_now(value)
        return value


def tells_highest_modseq(answer):
    return isinstance(answer, Status) and answer.code_name() == "HIGHESTMODSEQ"


def announces_keywords(answer):
    """FLAGS and PERMANENTFLAGS that come between because a keyword is new to the session."""
    if isinstance(answer, Status):
        return answer.code_name() == "PERMANENTFLAGS"
    return answer[:1] == [b"FLAGS"]


def system_flags(flags):
    return sorted(flag for flag in flags if flag.startswith(b"\\"))


def mask_now(date):
    """An IMAP date-time, or "now" when it is within a day of it."""
    text = bytes(date).decode().strip().replace("-", " ", 2)
    parsed = email.utils.mktime_tz(email.utils.parsedate_tz(text))
    return "now" if abs(parsed - time.time()) < 86400 else Atom(date)
