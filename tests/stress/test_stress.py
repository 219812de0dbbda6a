"""Eight processes on three frontends change one mailbox; then everybody must agree.

PGBOX_STRESS_SECONDS (15) is how long; PGBOX_STRESS_MODSEQS (300) how many of the observed
modseqs are asked for with CHANGEDSINCE ... VANISHED afterwards (0: all of them).
"""

import concurrent.futures
import multiprocessing
import os

import pytest

from pgboxtest import messages
from workers import BOX, OTHER, expand, run_worker

SECONDS = float(os.environ.get("PGBOX_STRESS_SECONDS", "15"))
MODSEQS = int(os.environ.get("PGBOX_STRESS_MODSEQS", "300"))
WORKERS = 8
SYSTEM_FLAG_BITS = {1: b"\\Answered", 2: b"\\Flagged", 4: b"\\Deleted", 8: b"\\Seen",
                    16: b"\\Draft"}


@pytest.fixture(scope="module")
def frontend_c(lab):
    return lab.dovecot("tested", "c")


@pytest.fixture(scope="module")
def account(lab):
    return lab.new_user("stress")


@pytest.fixture(scope="module")
def memories(frontend_a, frontend_b, frontend_c, account):
    """The storm: runs once for all tests of this file."""
    frontends = [frontend_a, frontend_b, frontend_c]
    with frontend_a.imap(account) as imap:
        imap.ok(f"CREATE {OTHER}")
        for number in range(30):
            imap.append(BOX, messages.numbered(number))
    context = multiprocessing.get_context("fork")
    with concurrent.futures.ProcessPoolExecutor(WORKERS, context) as pool:
        running = [pool.submit(run_worker, number, frontends[number % 3].imap_port, account,
                               SECONDS) for number in range(1, WORKERS + 1)]
        return [worker.result() for worker in running]


@pytest.fixture(scope="module")
def views(lab, memories, frontend_a, frontend_b, frontend_c):
    """All frontends that must agree, also new ones that have no cache yet."""
    assert sum(memory.commands for memory in memories) > 100
    found = {"a": frontend_a, "b": frontend_b, "c": frontend_c}
    found["fresh"] = lab.dovecot("tested", "fresh")
    if lab.tested == "pgbox":  # sdbox cannot be opened without its index
        found["memory"] = lab.dovecot("tested", "memory", memory_index=True)
    return found


class View:
    """What one frontend says of the mailbox."""

    def __init__(self, server, user):
        self.client = server.imap(user, enable=["QRESYNC"])
        selected = self.client.select(BOX)
        self.highest = int(selected.code("HIGHESTMODSEQ")[0])
        self.mails = {uid: (sorted(set(values["FLAGS"]) - {b"\\Recent"}), int(values["MODSEQ"][0]))
                      for uid, values in self.client.fetch("1:*", "FLAGS MODSEQ").items()}

    def since(self, modseq):
        """What changed after a modseq: ({uid: (flags, modseq)}, vanished uids)."""
        result = self.client.ok(f"UID FETCH 1:* (FLAGS) (CHANGEDSINCE {modseq} VANISHED)")
        changed = {}
        for _number, args in result.numbered("FETCH"):
            pairs = dict(zip(args[0][::2], args[0][1::2]))
            changed[int(pairs[b"UID"])] = (sorted(set(pairs[b"FLAGS"]) - {b"\\Recent"}),
                                           int(pairs[b"MODSEQ"][0]))
        vanished = [uid for args in result.named("VANISHED") for uid in expand(args[-1])]
        return changed, sorted(vanished)


@pytest.fixture(scope="module")
def opened(views, account):
    """The views with the mailbox selected, nothing else going on any more."""
    found = {name: View(server, account) for name, server in views.items()}
    yield found
    for view in found.values():
        view.client.close()


def observed_modseqs(memories):
    """The modseqs the workers saw, thinned out evenly when there are too many."""
    seen = sorted(set().union(*(memory.modseqs for memory in memories)))
    step = max(1, len(seen) // MODSEQS) if MODSEQS else 1
    return [1] + seen[::step] + seen[-1:]


def test_nothing_was_refused(memories):
    """No lock timeout, no deadlock, no serialization failure reaches a client."""
    refused = [text for memory in memories for text in memory.refused]
    assert refused == []


def test_frontends_agree(opened):
    names = list(opened)
    for name in names[1:]:
        assert opened[name].mails == opened[names[0]].mails, f"{names[0]} and {name} differ"
        assert opened[name].highest == opened[names[0]].highest, f"{names[0]} and {name} differ"


def test_changes_since_every_modseq_agree(opened, memories):
    """QRESYNC clients of any age get the same answer everywhere."""
    names = list(opened)
    for modseq in observed_modseqs(memories):
        expected = opened[names[0]].since(modseq)
        for name in names[1:]:
            assert opened[name].since(modseq) == expected, \
                f"{names[0]} and {name} differ since modseq {modseq}"


def test_nothing_acknowledged_is_lost(opened, memories):
    there = opened["a"].mails
    doomed = set().union(*(memory.doomed for memory in memories))
    for memory in memories:
        missing = set(memory.added) - doomed - set(there)
        assert not missing, f"appended with OK and touched by nobody: {missing}"
        assert not set(memory.moved) & set(there), "moved away with OK, but still there"


def test_own_keywords_are_as_last_stored(opened, memories):
    there = opened["a"].mails
    for number, memory in enumerate(memories, 1):
        for uid, expected in memory.own_keyword.items():
            if uid in there:
                got = f"Worker{number}".encode() in there[uid][0]
                assert got == expected, f"keyword of worker {number} on UID {uid}"


def test_moved_mails_arrived(views, account, memories):
    arrived = [uid for memory in memories for uid in memory.moved.values()]
    assert len(set(arrived)) == len(arrived), "two moves were given one UID"
    with views["b"].imap(account) as imap:
        imap.select(OTHER)
        assert set(imap.search("ALL")) == set(arrived)


def test_messages_are_whole(opened, memories):
    bodies = opened["b"].client.bodies()
    for memory in memories:
        for uid, number in memory.added.items():
            if uid in bodies:
                assert bodies[uid] == messages.numbered(number)


@pytest.fixture
def mailbox_row(lab, pgbox_only, account):
    """The row of the mailbox in the database."""
    return lab.postgres.records(f"""
        select m.* from pgbox.mailbox m join pgbox.account a using (account_id)
        where a.name = '{account}' and m.name = '{BOX}' and m.deleted_at is null""")[0]


def same_mailbox(row):
    return f"account_id = {row['account_id']} and mailbox_id = {row['mailbox_id']}"


def test_frontends_agree_with_database(lab, opened, mailbox_row):
    rows = lab.postgres.records(f"""
        select uid, flags, modseq, array(
            select k.name from pgbox.mailbox_keyword k
            where k.account_id = mail.account_id and k.mailbox_id = mail.mailbox_id
              and k.keyword_id = any (mail.keyword_ids)) as keywords
        from pgbox.mail where {same_mailbox(mailbox_row)}""")
    stored = {row["uid"]: (sorted([flag for bit, flag in SYSTEM_FLAG_BITS.items()
                                   if row["flags"] & bit]
                                  + [keyword.encode() for keyword in row["keywords"]]),
                           row["modseq"]) for row in rows}
    assert opened["a"].mails == stored
    assert opened["a"].highest == mailbox_row["modseq"]


def test_vanished_agrees_with_database(lab, opened, memories, mailbox_row):
    rows = lab.postgres.records("select unnest(uids) as uid, modseq from pgbox.expunged "
                                f"where {same_mailbox(mailbox_row)}")
    assert rows, "the storm expunged nothing?"
    for modseq in observed_modseqs(memories)[::10]:
        expected = sorted(row["uid"] for row in rows if row["modseq"] > modseq)
        assert opened["fresh"].since(modseq)[1] == expected, f"since modseq {modseq}"


def test_counters_equal_a_recount(lab, memories, mailbox_row):
    counted = lab.postgres.records(f"""
        select count(*) as messages, count(*) filter (where flags & 8 = 0) as unseen,
               coalesce(sum(size), 0) as bytes, max(uid) as last_uid, max(modseq) as modseq
        from pgbox.mail join pgbox.message using (account_id, message_id)
        where {same_mailbox(mailbox_row)}""")[0]
    for counter in ("messages", "unseen", "bytes"):
        assert mailbox_row[counter] == counted[counter], counter
    assert mailbox_row["uid_next"] > counted["last_uid"]
    assert mailbox_row["modseq"] >= counted["modseq"]
