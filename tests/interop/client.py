"""IMAPClient from PyPI: a day of a script's work, every command that it has."""

import os
import ssl
import sys
import threading
from datetime import datetime, timezone

sys.path.insert(0, os.environ["PACKAGES"])
from imapclient import DELETED, FLAGGED, SEEN, IMAPClient, exceptions  # noqa: E402

from near import ANNA, PASSWORD  # noqa: E402

context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE


def client(log_in=True, **more):
    c = IMAPClient("127.0.0.1", port=int(os.environ["IMAPS"]), ssl_context=context, timeout=30, **more)
    if log_in:
        c.login(ANNA, PASSWORD)
    return c


def letter(number, more=""):
    return (f"From: Bob <bob@away.test>\r\nTo: {ANNA}\r\nSubject: letter {number}\r\nMessage-ID: <l{number}@x>\r\n"
            f"Date: Sat, 21 Nov 2026 10:{number // 60 % 60:02}:{number % 60:02} +0000\r\n{more}\r\nText {number}\r\n").encode()


def refused(call, *arguments):
    try:
        call(*arguments)
    except exceptions.IMAPClientError as error:
        return str(error)
    raise AssertionError(f"{call} {arguments} was taken")


# Ways in.
c = IMAPClient("127.0.0.1", port=int(os.environ["IMAP"]), ssl=False, timeout=30)
c.id_({"name": "IMAPClient"})
c.starttls(context)
c.plain_login(ANNA, PASSWORD)
c.logout()
c = client(log_in=False)
assert "AUTHENTICATIONFAILED" in refused(c.login, ANNA, "wrong")
c.login(ANNA, PASSWORD)
assert c.has_capability("CONDSTORE") and c.has_capability("MULTIAPPEND") and c.has_capability("SORT")
assert c.namespace().personal[0] == ("", "/")
assert "Pillarbox" in str(c.id_())

# Folders: IMAPClient codes the names itself.
NAMES = ["Work", "Work/2026", "Grüße aus 日本", "with \"quotes\"", "back\\slash", "100 % & more", "😁", "A/B/C"]
for name in NAMES:
    c.create_folder(name)
    assert c.folder_exists(name), name
listed = {name for _, _, name in c.list_folders()}
assert set(NAMES) <= listed, listed
assert refused(c.create_folder, "Work") and refused(c.delete_folder, "Nothing")
for flag, name in ((b"\\Sent", "Sent"), (b"\\Trash", "Trash"), (b"\\Junk", "Junk"), (b"\\Drafts", "Drafts")):
    assert c.find_special_folder(flag) == name
c.subscribe_folder("Grüße aus 日本")
assert "Grüße aus 日本" in {name for _, _, name in c.list_sub_folders()}
c.unsubscribe_folder("Grüße aus 日本")
assert "Grüße aus 日本" not in {name for _, _, name in c.list_sub_folders()}
c.rename_folder("Work", "Arbeit & Spaß")
assert c.folder_exists("Arbeit & Spaß/2026") and not c.folder_exists("Work/2026")
c.delete_folder("Arbeit & Spaß/2026")

# Messages: one by one, and a hundred in one command (RFC 3502).
when = datetime(2025, 5, 5, 12, 0, 0, tzinfo=timezone.utc)
for number in range(100):
    said = c.append("INBOX", letter(number), flags=[SEEN] if number % 2 else [], msg_time=when)
    assert b"APPENDUID" in said, said
said = c.multiappend("INBOX", [letter(number) for number in range(100, 200)])
assert b"APPENDUID" in said[1][0] and said[1][0].count(b":") == 1, said
said = c.multiappend("INBOX", [{"msg": letter(n), "flags": [FLAGGED, "$Label1"], "date": when} for n in range(200, 250)])
status = c.folder_status("INBOX", ["MESSAGES", "UIDNEXT", "UIDVALIDITY", "UNSEEN", "HIGHESTMODSEQ", "SIZE"])
assert status[b"MESSAGES"] == 250 and status[b"UNSEEN"] == 200, status
assert c.multiappend("Nothing", [letter(1), letter(2)])[0] == "NO"
selected = c.select_folder("INBOX")
assert selected[b"EXISTS"] == 250 and selected[b"UIDVALIDITY"] == status[b"UIDVALIDITY"]
assert selected[b"HIGHESTMODSEQ"] == status[b"HIGHESTMODSEQ"], (selected, status)
uids = c.search()
assert len(uids) == 250 == len(set(uids)) and uids == sorted(uids)
assert sum(row[b"RFC822.SIZE"] for row in c.fetch(uids, ["RFC822.SIZE"]).values()) == status[b"SIZE"]

# What it reads of them.
rows = c.fetch(uids, ["ENVELOPE", "FLAGS", "INTERNALDATE", "BODYSTRUCTURE", "BODY.PEEK[]", "MODSEQ"])
assert len(rows) == 250
for number, uid in enumerate(uids):
    row = rows[uid]
    assert row[b"BODY[]"] == letter(number), number
    assert row[b"ENVELOPE"].subject == b"letter %d" % number and row[b"ENVELOPE"].from_[0].mailbox == b"bob"
    assert row[b"MODSEQ"][0] > 0 and row[b"BODYSTRUCTURE"][0].lower() == b"text"
    if number < 100 or number >= 200:
        assert row[b"INTERNALDATE"].astimezone(timezone.utc) == when, row[b"INTERNALDATE"]
assert {uid for uid, flags in c.get_flags(uids).items() if b"$Label1" in flags} == set(uids[200:])

# Searches, orders, threads.
assert c.search(["SEEN"]) == [uids[n] for n in range(1, 100, 2)]
assert c.search(["SUBJECT", "letter 24"]) == [uids[24]] + uids[240:250]
assert c.search(["KEYWORD", "$Label1", "NOT", ["UID", f"{uids[210]}:*"]]) == uids[200:210]
assert c.search(["BODY", "Text 17"]) == [uids[17]] + uids[170:180]
assert c.search(["OR", "SUBJECT", "letter 1", "TEXT", "grüße"], "UTF-8")[0] == uids[1]
assert c.search(["MODSEQ", str(status[b"HIGHESTMODSEQ"] + 1)]) == []
assert c.sort("REVERSE DATE") == uids[::-1] == c.sort(["REVERSE", "DATE"])
assert c.sort("ARRIVAL", ["SEEN"]) == c.search(["SEEN"])
for number in range(3):
    c.append("INBOX", letter(900 + number, "References: <l5@x>\r\n"))
c.noop()
answers = c.search(["UID", f"{uids[-1] + 1}:*"])
assert len(answers) == 3
five = [thread for thread in c.thread("REFERENCES") if thread[0] == uids[5]]
assert len(five) == 1 and str(five[0]).count("(") >= 1, five
assert c.thread("ORDEREDSUBJECT", ["SUBJECT", "letter 900"])[0][0] == answers[0]

# Flags; a change that is conditional (RFC 7162).
before = c.select_folder("INBOX")[b"HIGHESTMODSEQ"]
c.add_flags(uids[:10], [FLAGGED])
changed = c.fetch(uids, ["FLAGS"], [f"CHANGEDSINCE {before}"])
assert sorted(changed) == uids[:10], sorted(changed)
c.remove_flags(uids[:5], [FLAGGED])
c.set_flags(uids[5:10], ["$Work", "\\Answered"])
flags = c.get_flags(uids[:10])
assert all(b"\\Flagged" not in flags[uid] for uid in uids[:5])
assert all(set(flags[uid]) - {b"\\Recent"} == {b"$Work", b"\\Answered"} for uid in uids[5:10]), flags

# Copies, moves, removals.
c.copy(uids[20:30], "Grüße aus 日本")
c.move(uids[30:40], "Grüße aus 日本")
assert len(c.search()) == 253 - 10
c.delete_messages(uids[40:60])
c.uid_expunge(uids[40:50])
assert set(c.search(["DELETED"])) == set(uids[50:60])
c.expunge()
assert len(c.search()) == 253 - 30
c.close_folder()
c.select_folder("Grüße aus 日本", readonly=True)
assert [row[b"ENVELOPE"].subject for row in c.fetch(c.search(), ["ENVELOPE"]).values()] == [
    b"letter %d" % n for n in range(20, 40)]
c.unselect_folder()

# IDLE: what another session does is told within a moment.
c.select_folder("INBOX")
c.idle()


def meanwhile():
    other = client()
    other.select_folder("INBOX")
    other.append("INBOX", letter(999))
    other.add_flags(uids[0], ["\\Answered"])
    other.delete_messages(uids[60])
    other.expunge()
    other.logout()


thread = threading.Thread(target=meanwhile)
thread.start()
told = []
while not (any(len(t) > 1 and t[1] == b"EXISTS" for t in told) and any(len(t) > 1 and t[1] == b"EXPUNGE" for t in told)
           and any(len(t) > 1 and t[1] == b"FETCH" for t in told)):
    new = c.idle_check(timeout=20)
    assert new, told
    told += new
thread.join()
c.idle_done()

# QUOTA (RFC 9208): read, not set.
root, quotas = c.get_quota_root("INBOX")
storage = [quota for quota in quotas if quota.resource == "STORAGE"]
assert storage and storage[0].usage >= 0 and storage[0].limit == 100 * 1024, quotas
assert c.get_quota("INBOX")
assert "NOPERM" in refused(c.set_quota, storage)

c.unselect_folder()
assert b"QRESYNC" in c.enable("QRESYNC")
c.logout()
print("done")
