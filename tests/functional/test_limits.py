"""Numbers at the end of their range."""

from pgboxtest import messages

LAST_UID = 2 ** 32 - 2  # UIDNEXT has 32 bits, too


def test_last_uid(frontend_a, frontend_b, pgbox_only, user):
    """A mailbox that has used all UIDs takes no more mail, and works otherwise.

    sdbox would be no model: it panics.
    """
    with frontend_a.imap(user) as imap:
        imap.ok("CREATE box")
        frontend_a.doveadm("mailbox", "update", "-u", user, "--min-next-uid", str(LAST_UID - 2), "box")
        uids = [imap.append("box", messages.numbered(number))[1] for number in range(3)]
        assert uids == [LAST_UID - 2, LAST_UID - 1, LAST_UID]
        for command in (imap.append_parts("box", messages.numbered(3)), ["UID COPY * box"]):
            imap.select("box")
            assert imap.command(*command).status.code_name() == "LIMIT"
        imap.ok("STORE 1 +FLAGS (\\Deleted)")
        imap.ok("EXPUNGE")
        assert imap.status("box", "UIDNEXT MESSAGES") == {"UIDNEXT": LAST_UID + 1, "MESSAGES": 2}
    with frontend_b.imap(user) as imap:
        imap.select("box")
        assert imap.bodies() == {uid: messages.numbered(number)
                                 for number, uid in enumerate(uids) if number > 0}
        imap.ok("CREATE other")
        assert imap.ok("MOVE 1:2 other").code("COPYUID")
