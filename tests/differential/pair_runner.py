"""Runs the steps of pair_sessions.py on an oracle and on two hosts, and checks what each is told.

Both sides get the same commands, some of them in pairs, in one write, and no NOOPs in between (but
see ask_oracle()).  After each step a third session looks at what the oracle's mailbox has become:
this is what is true.  Compared are the outcomes of the commands, and at every audit all folders.
What a session is told is checked against what is true, on both sides:

- Flags that it is told are flags that the mail had: at or after the step before, or, of a host
  that gets notifications, since all was notified; and never older ones than it was told before.
- A mail that is said to be expunged is gone.
- What FETCH, SEARCH and SORT tell is up to date if nothing is left to be notified, or they
  announce what is new.
- At an audit, what a session was told since the last one is all that is new.
"""

import itertools

from pgboxtest import messages
from pgboxtest.imap import ConnectionLost, Literal, Status, as_pairs
from pgboxtest.pair import plain

from pair_sessions import BOX, KEPT, MESSAGES, READING
from runner import Mismatch

ALL_FLAGS = "UID FETCH 1:* (FLAGS)"
COMPARED_CODES = ("TRYCREATE", "COPYUID", "APPENDUID", "EXPUNGEISSUED", "ALREADYEXISTS",
                  "NONEXISTENT", "SERVERBUG", "UNAVAILABLE", "CANNOT")
EXPUNGING = ("EXPUNGE", "UID EXPUNGE", "CLOSE")
ANNOUNCING = ("STORE", "FETCH", "BODY", "SEARCH", "SORT", "EXPUNGE", "UID EXPUNGE", "NOOP")
POOL = [messages.numbered(number, size=200 * number) for number in range(MESSAGES)]
STARTED_WITH = 6


class Wrong(Exception):
    """What a session was told is not so."""

    def __init__(self, what, expected, got):
        super().__init__(what)
        self.what, self.expected, self.got = what, expected, got


class Truth:
    """What the mailbox was, at each tick; a step takes two of them."""

    def __init__(self):
        self.now = 0
        self.history = {}  # uid -> [(tick, flags, or None when it was gone)]

    def set(self, uid, flags):
        known = self.history.setdefault(uid, [])
        if not known or known[-1][1] != flags:
            known.append((self.now, flags))

    def become(self, state):
        for uid in self.history.keys() | state.keys():
            self.set(uid, state.get(uid))

    def current(self, uid):
        known = self.history.get(uid)
        return known[-1][1] if known else None

    def uids(self):
        return sorted(uid for uid in self.history if self.current(uid) is not None)

    def since(self, uid, tick):
        """[(tick, flags)] of what it was at this tick and later."""
        known = self.history.get(uid, [])
        first = max((index for index, (at, _flags) in enumerate(known) if at <= tick), default=0)
        return known[first:]


def told_flags(result):
    """[(number, UID or None, flags)] of the untagged FETCHes with flags."""
    found = []
    for number, args in result.numbered("FETCH"):
        values = as_pairs(args[0])
        if "FLAGS" in values:
            found.append((number, values.get("UID"), plain(values["FLAGS"])))
    return found


def uids_of_set(text):
    """The UIDs of a sequence set without "*"."""
    for part in bytes(text).decode().split(","):
        first, _colon, last = part.partition(":")
        yield from range(int(first), int(last or first) + 1)


class Session:
    """One connection, and what its client knows from what it was told."""

    def __init__(self, server, user, enabled, truth):
        self.client = server.imap(user, enable=[enabled] if enabled else ())
        self.truth = truth
        self.view = []    # the UID of each mail, None where that was not told
        self.known = {}   # uid -> flags
        self.floor = {}   # uid -> what was before this tick must not be told any more
        self.told = {}    # uid -> flags, by the last command
        self.asked = 0    # the tick of the last command's end
        self.added = []   # UIDs of mails that it has added since the audit

    def select(self):
        """SELECT shows all there is."""
        self.client.ok(f"SELECT {BOX}")
        self.look()

    def look(self):
        told = told_flags(self.client.ok(ALL_FLAGS))
        state = {int(uid): flags for _number, uid, flags in told if uid is not None}
        wanted = {uid: self.truth.current(uid) for uid in self.truth.uids()}
        if state != wanted:
            raise Wrong("mailbox that a session sees", wanted, state)
        self.view, self.known = sorted(state), dict(state)
        self.floor = dict.fromkeys(state, self.truth.now)
        self.added = []

    def send(self, commands):
        """The Results of what is sent in one write; a CLOSE is followed by another SELECT."""
        if commands == [("CLOSE",)]:
            commands = [("CLOSE",), (f"SELECT {BOX}",)]
        try:
            return self.client.pipelined(*commands)
        except ConnectionLost as lost:
            raise Wrong("connection lost", None, lost.untagged) from lost

    # what it is told

    def take(self, untagged, since):
        """Untagged answers; flags must be those of a tick not before `since`."""
        self.told = {}
        for answer in untagged:
            if isinstance(answer, Status) or not answer:
                if isinstance(answer, Status) and answer.word == "BYE":
                    raise Wrong("session ended", None, answer)
            elif answer[0] == b"VANISHED":
                self._vanished(answer)
            elif len(answer) > 1 and answer[1] == b"EXISTS":
                self._exists(int(answer[0]))
            elif len(answer) > 1 and answer[1] == b"EXPUNGE":
                self._expunged(self.view.pop(int(answer[0]) - 1))
            elif len(answer) > 2 and answer[1] == b"FETCH":
                self._fetched(int(answer[0]), as_pairs(answer[2]), since)

    def _exists(self, count):
        if count < len(self.view):
            raise Wrong("EXISTS", f"at least {len(self.view)}", count)
        self.view += [None] * (count - len(self.view))
        last = max((uid for uid in self.view if uid), default=0)
        new = [uid for uid in self.truth.uids() if uid > last]
        if len(new) == self.view.count(None):
            self.view = [uid for uid in self.view if uid] + new

    def _expunged(self, uid):
        if uid is not None and self.truth.current(uid) is not None:
            raise Wrong("expunge of a mail that is there", None, uid)
        self.known.pop(uid, None)

    def _vanished(self, answer):
        if len(answer) > 2:
            return  # (EARLIER)
        for uid in uids_of_set(answer[1]):
            if uid in self.view:
                self.view.remove(uid)
            elif None in self.view:
                self.view.remove(None)
            self._expunged(uid)

    def _fetched(self, number, values, since):
        if number > len(self.view):
            raise Wrong("FETCH of a number", f"at most {len(self.view)}", number)
        uid = self.view[number - 1]
        if "UID" in values:
            if uid is not None and uid != int(values["UID"]):
                raise Wrong("UID of a number", uid, int(values["UID"]))
            uid = self.view[number - 1] = int(values["UID"])
        if uid is None or "FLAGS" not in values or self.truth.current(uid) is None:
            return
        flags = plain(values["FLAGS"])
        possible = self.truth.since(uid, max(since, self.floor.get(uid, 0)))
        at = [tick for tick, state in possible if state == flags]
        if not at:
            raise Wrong("flags of a mail", (uid, [state for _tick, state in possible]), flags)
        self.floor[uid] = max(at[0], self.floor.get(uid, 0))
        self.known[uid] = self.told[uid] = flags

    def must_know(self):
        """Nothing is left to be told."""
        uids = self.truth.uids()
        if len(self.view) != len(uids):
            raise Wrong("number of mails that a session was told of", len(uids), len(self.view))
        for uid in set(self.known) & set(uids):
            if self.known[uid] != self.truth.current(uid):
                raise Wrong("flags that a session was told of", (uid, self.truth.current(uid)),
                            self.known[uid])


class PairSide:
    """One side: two sessions, and one that looks."""

    def __init__(self, pair, user, enabled):
        self.pair = pair
        self.user = user
        self.truth = Truth()
        self.observers = [host.imap(user) for host in pair.hosts]
        first = self.observers[0]
        for name in (BOX, KEPT):
            first.ok(f"CREATE {name}")
        parts = [part for number in range(STARTED_WITH)
                 for part in (f" ({'kw0' if number % 2 else ''}) ", Literal(POOL[number]))]
        first.ok(f"APPEND {BOX}", *parts)
        self.sessions = [Session(host, user, some, self.truth)
                         for host, some in zip(pair.hosts, enabled)]
        self.settled_at = 0
        # the oracle's first one only looks at the mailbox
        self.turn = itertools.cycle(self.observers[pair.kind == "sdbox":])

    def close(self):
        for client in [session.client for session in self.sessions] + self.observers:
            client.close()

    def settle(self):
        self.pair.settle()
        self.settled_at = self.truth.now

    def true_state(self):
        """{uid: flags} of the mailbox."""
        self.observers[0].ok("NOOP")
        fetched = self.observers[0].ok(ALL_FLAGS)
        return {int(uid): flags for _number, uid, flags in told_flags(fetched) if uid is not None}

    def folders(self):
        """{name: {uid: (flags, size)}} of the account."""
        client = next(self.turn)
        names = [args[2].decode() for args in client.ok('LIST "" "*"').named("LIST")]
        found = {}
        for name in sorted(names):
            selected, fetched, _unselected = client.pipelined(
                f"EXAMINE {name}", "UID FETCH 1:* (FLAGS RFC822.SIZE)", "UNSELECT")
            values = [as_pairs(args[0]) for _number, args in fetched.numbered("FETCH")]
            found[name] = selected.status.word, {
                int(value["UID"]): (plain(value["FLAGS"]), int(value["RFC822.SIZE"]))
                for value in values}
        return found

    def current_tick(self, number, changes):
        """The tick since which a session's answer may be true, and whether it must be new."""
        unsettled = self.pair.kind == "notified" and \
            any(tick >= self.settled_at for tick in changes[1 - number])
        return (self.settled_at, False) if unsettled else (self.truth.now, True)


class Match:
    """Runs steps on both sides."""

    def __init__(self, left, right):
        self.left, self.right = left, right
        self.sides = (left, right)
        self.truth = left.truth
        right.truth = self.truth
        for session in right.sessions:
            session.truth = self.truth
        self.changes = [[], []]  # ticks at which each session changed something
        self.truth.become(self._look_first())
        self.agreed = self.truth.uids()
        for side in self.sides:
            for session in side.sessions:
                session.select()

    def _look_first(self):
        self.left.observers[0].ok(f"EXAMINE {BOX}")
        return self.left.true_state()

    # which mails

    def resolve(self, mails, session, mailbox):
        """The UIDs of a set, and whether all sessions must have them."""
        there = [uid for uid in self.agreed if self.truth.current(uid) is not None]
        if mailbox == BOX:  # a new mail that is \Deleted would not be the same for both sessions
            there = [uid for uid in there if "\\Deleted" not in self.truth.current(uid)]
        added = [uid for uid in self.left.sessions[session].added
                 if self.truth.current(uid) is not None]
        if mails.of == "through":
            return list(range(1, max(self.agreed, default=1) + 1)), len(there) == len(self.agreed)
        if mails.of == "own" and added:
            return [choose(added, mails.picks[0])], True
        if mails.of == "any" and self.agreed and mailbox != BOX:
            uid = choose(self.agreed, mails.picks[0])
            return [uid], self.truth.current(uid) is not None
        return (sorted({choose(there, pick) for pick in mails.picks}) if there else None), True

    # a step

    def run(self, step):
        """A step on both sides; raises Wrong."""
        resolved = []
        for action in step.actions:
            uids, sure = ([], True) if action.mails is None else \
                self.resolve(action.mails, step.connection, action.mailbox)
            if uids is None:
                return
            resolved.append((action, uids, sure))
        # FETCH sets \Seen of a mail that hasn't got it, as far as it knows: it reads, and so
        # may be as old as notifications are late
        if step.settled or any(action.verb == "BODY" for action in step.actions):
            self.right.settle()
        self._send(step, resolved)

    def _send(self, step, resolved):
        number = step.connection
        commands = [command_parts(action, uids) for action, uids, _sure in resolved]
        since = [side.current_tick(number, self.changes) for side in self.sides]
        both = [self.ask_oracle(step, commands), self.right.sessions[number].send(commands)]
        self._advance(step, resolved)
        for index, (action, _uids, sure) in enumerate(resolved):
            exact = sure and since[1][1]
            compare_outcomes(action, sure, exact, [results[index] for results in both])
        for side, results, (tick, strict) in zip(self.sides, both, since):
            self._check(side, number, resolved, results, tick, strict)

    def ask_oracle(self, step, commands):
        """Dovecot believes a view's counters, which are old after another session's new keyword:
        with sdbox an EXPUNGE can then overlook what is \\Deleted.  So it gets a NOOP before."""
        session = self.left.sessions[step.connection]
        told = []
        if any(action.verb in EXPUNGING for action in step.actions):
            told = session.send([("NOOP",)])[0].untagged
        results = session.send(commands)
        results[-1].untagged[:0] = told
        return results

    def _advance(self, step, resolved):
        """What is true after the step; and between its two commands."""
        truth = self.truth
        before = truth.now
        truth.now += 1
        if len(resolved) == 2:
            action, uids, _sure = resolved[0]
            for uid in uids:
                if truth.current(uid) is not None:
                    truth.set(uid, action.applied(truth.current(uid)))
        truth.now += 1
        if all(action.verb in READING for action in step.actions):
            return
        state = self.left.true_state()
        new = [uid for uid in state if uid not in truth.history]
        truth.become(state)
        for side in self.sides:
            side.sessions[step.connection].added += new
        self.changes[step.connection].append(before)

    def _check(self, side, number, resolved, results, since, strict):
        session = side.sessions[number]
        name = "the oracle: " if side is self.left else ""
        try:
            if resolved[0][0].verb == "CLOSE":
                session.look()
                session.asked = self.truth.now
                return
            session.take(results[-1].untagged, since)
            self._own_changes(session, resolved)
            for action, uids, _sure in resolved:
                self._check_reading(session, action, uids, results[-1], since, strict)
            if resolved[-1][0].verb in ANNOUNCING:
                session.asked = self.truth.now
        except Wrong as wrong:
            raise Wrong(name + wrong.what, wrong.expected, wrong.got) from wrong

    def _own_changes(self, session, resolved):
        """What a client concludes from its own silent commands when they are done."""
        if not any(action.silent for action, _uids, _sure in resolved):
            return
        for action, uids, _sure in resolved:
            for uid in uids:
                if uid in session.known:
                    session.known[uid] = action.applied(session.known[uid])

    def _check_reading(self, session, action, uids, result, since, strict):
        if action.verb in ("FETCH", "BODY", "STORE") and not action.silent:
            # what changes nothing need not be told
            told = session.told if action.verb == "FETCH" else session.known
            for uid in set(uids) & set(self.agreed):
                current = self.truth.current(uid)
                must = strict or action.verb == "STORE" and uid in session.told
                if current is not None and must and told.get(uid) != current:
                    raise Wrong(f"flags that {action.verb} tells", (uid, current), told.get(uid))
        if action.verb in ("SEARCH", "SORT"):
            self._check_search(session, action, result, since, strict)

    def _check_search(self, session, action, result, since, strict):
        found = {int(word) for args in result.named(action.verb) for word in args
                 if isinstance(word, bytes) and word.isdigit()}
        for uid in self.agreed:
            current = self.truth.current(uid)
            if current is None:
                continue
            states = [current]
            if not strict or session.told.get(uid) == current:
                # it announces what is new, if it doesn't tell it
                tick = min(since, session.asked) if uid in session.told else since
                states = [flags for _tick, flags in self.truth.since(uid, tick)]
            if not any(action.matches(flags) == (uid in found) for flags in states):
                raise Wrong(f"what {action.verb} finds", (uid, action.matches(current)),
                            uid in found)

    # an audit

    def audit(self):
        """Both sides have the same, and all sessions know it."""
        self.right.settle()
        expected, got = [side.folders() for side in self.sides]
        if expected != got:
            raise Wrong("folders", what_differs(expected, got), what_differs(got, expected))
        for side in self.sides:
            for session in side.sessions:
                self._audit_session(side, session)
        self.agreed = self.truth.uids()

    def _audit_session(self, side, session):
        name = "the oracle: " if side is self.left else ""
        try:
            session.take(session.client.ok("NOOP").untagged, self.truth.now)
            session.must_know()
            session.look()
        except Wrong as wrong:
            raise Wrong(name + "at an audit, " + wrong.what, wrong.expected, wrong.got) from wrong
        except ConnectionLost as lost:
            raise Wrong(name + "at an audit, connection lost", None, lost.untagged) from lost


def choose(values, pick):
    return values[int(pick * len(values))]


def command_parts(action, uids):
    """What is sent."""
    spelled = f"1:{uids[-1]}" if action.mails is not None and action.mails.of == "through" \
        else ",".join(map(str, uids))
    parts = (action.text.replace("{mails}", spelled),)
    return parts if action.message is None else (*parts, Literal(POOL[action.message]))


def compare_outcomes(action, sure, exact, results):
    """The answers of both sides to a command; `exact` if they were to be up to date."""
    outcomes = [outcome(result, sure) for result in results]
    if exact and action.verb in ("STATUS", "BODY"):
        outcomes = [(word, data(result)) for word, result in zip(outcomes, results)]
    if outcomes[0] != outcomes[1]:
        raise Wrong(f"outcome of {action.verb}", *outcomes)
    # Dates differ, because the sides take turns; and sdbox has mails with another subject in a
    # wrong order if some of them were sorted before.
    if action.verb == "SORT" and "SIZE" in action.text:
        orders = [[uid for args in result.named("SORT") for uid in args if isinstance(uid, bytes)]
                  for result in results]
        orders = [[uid for uid in order if uid in other]
                  for order, other in zip(orders, reversed(orders))]
        if orders[0] != orders[1]:
            raise Wrong("order of SORT", *orders)


def outcome(result, sure):
    """What must be the same on both sides of the tagged answer to a command."""
    status = result.status
    if not sure and status.word in ("OK", "NO"):
        return "the mail is gone"  # which answer tells whether the session was told
    name = status.code_name()
    if name not in COMPARED_CODES:
        return status.word
    if name in ("COPYUID", "APPENDUID"):
        return status.word, name, *[list(uids_of_set(part)) for part in status.code[2:]]
    return status.word, name


def data(result):
    """What STATUS tells, or octets."""
    return [as_pairs(args[1]) for args in result.named("STATUS")] + \
        [values["BODY[]"] for _number, args in result.numbered("FETCH")
         for values in [as_pairs(args[0])] if "BODY[]" in values]


def what_differs(expected, got):
    """Of two dictionaries of folders: what the one has in each, and the other not."""
    return [(name, folder if name not in got or folder[0] != got[name][0] else
             {uid: mail for uid, mail in folder[1].items() if got[name][1].get(uid) != mail})
            for name, folder in sorted(expected.items()) if folder != got.get(name)]


def compare_pairs(make_left, make_right, steps, audit_every, match_class=Match):
    """Run a session on both sides; the first Mismatch, or None."""
    sides = []
    number, step = 0, None
    try:
        sides += [make_left(), make_right()]
        match = match_class(*sides)
        for number, step in enumerate(steps, 1):
            match.run(step)
            if number % audit_every == 0 or number == len(steps):
                match.audit()
        return None
    except ConnectionLost as lost:
        return Mismatch(number, step, "connection lost", [], [lost.untagged])
    except Wrong as wrong:
        return Mismatch(number, step, wrong.what, [wrong.expected], [wrong.got])
    finally:
        for side in sides:
            side.close()
