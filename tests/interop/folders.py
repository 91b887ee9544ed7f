from near import BEN, fetch, imap, no, ok, parse, refused

s = imap()
capabilities = ok(s.capability())[0].decode().upper().split()
for name in ("IMAP4REV1", "LITERAL+", "SASL-IR", "ID", "ENABLE", "IDLE", "NAMESPACE", "UIDPLUS", "MOVE",
             "SPECIAL-USE", "UNSELECT"):
    assert name in capabilities, (name, capabilities)


def names(session=s, pattern="*", command="list"):
    rows = [parse(row) for row in ok(getattr(session, command)('""', pattern)) if row]
    return {(name.decode() if isinstance(name, bytes) else str(name)): [str(f) for f in flags] for flags, _, name in rows}


there = names()
assert set(there) == {"INBOX", "Drafts", "Sent", "Junk", "Trash", "Archive"}, there
for name in ("Drafts", "Sent", "Junk", "Trash", "Archive"):
    assert "\\" + name in there[name], there
assert set(names(command="lsub")) | {"INBOX"} == set(there)
assert set(names(pattern="%")) == set(there)
separator = parse(ok(s.list('""', '""'))[0])[1]
assert separator == b"/", separator
assert ok(s.namespace())[0].upper().startswith(b'((""')

# Make: nested, with spaces, with what lies beyond ASCII (modified UTF-7), in no case twice.
for name in ("Work", "Work/2026", "Work/2026/May", '"With space"', "&ZeVnLIqe-", '"Gr&APwA3w-e"', "A/B/C"):
    ok(s.create(name))
no(s.create("Work"))
no(s.create("inbox"))
there = names()
for name in ("Work", "Work/2026", "Work/2026/May", "With space", "&ZeVnLIqe-", "Gr&APwA3w-e", "A", "A/B", "A/B/C"):
    assert name in there, (name, there)
assert set(names(pattern="Work/%")) == {"Work/2026"}
assert set(names(pattern="Work*")) == {"Work", "Work/2026", "Work/2026/May"}
assert set(names(pattern="%/2026")) == {"Work/2026"}
assert "INBOX" in names(pattern="inbox")

# Subscribe.
ok(s.subscribe("Work/2026"))
assert "Work/2026" in names(command="lsub")
ok(s.unsubscribe("Work/2026"))
assert "Work/2026" not in names(command="lsub")

# What is in a folder stays in it when it is renamed; its children go with it.
ok(s.append("Work/2026", "\\Seen", None, b"Subject: one\r\n\r\nx\r\n"))
ok(s.append("Work/2026/May", None, None, b"Subject: two\r\n\r\nx\r\n"))
ok(s.rename("Work", "Job"))
there = names()
assert {"Job", "Job/2026", "Job/2026/May"} <= set(there) and not any(name.startswith("Work") for name in there)
ok(s.select("Job/2026"))
assert ok(s.search(None, "SEEN SUBJECT one"))[0] == b"1"
no(s.rename("Job", "Sent"))
no(s.rename("Nothing", "Else"))

# Renaming INBOX takes its messages along and leaves an empty INBOX.
ok(s.append("INBOX", None, None, b"Subject: in\r\n\r\nx\r\n"))
ok(s.rename("INBOX", "Old"))
assert {"INBOX", "Old"} <= set(names())
assert ok(s.select("Old"))[0] == b"1" and ok(s.select("INBOX"))[0] == b"0"

# STATUS, and that EXAMINE changes nothing.
row = parse(ok(s.status("Job/2026", "(MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN)"))[0])[-1]
status = {str(name): int(value) for name, value in zip(row[::2], row[1::2])}
assert status["MESSAGES"] == 1 and status["UNSEEN"] == 0 and status["UIDNEXT"] >= 2 and status["UIDVALIDITY"] > 0
ok(s.select("Job/2026/May", readonly=True))
assert s.response("READ-ONLY")[1] is not None
fetch(s, "1", "(BODY[])")
assert fetch(s, "1", "(FLAGS)")[1]["FLAGS"] in ([], ["\\Recent"])
refusal = refused(s._simple_command, "STORE", "1", "+FLAGS", "(\\Deleted)")
assert fetch(s, "1", "(FLAGS)")[1]["FLAGS"] in ([], ["\\Recent"]), refusal
assert s._simple_command("UNSELECT")[0] == "OK"
s.state = "AUTH"

# A folder that is made again under the same name has another UIDVALIDITY or greater UIDs.
before = (status["UIDVALIDITY"], status["UIDNEXT"])
ok(s.delete("Job/2026/May"))
ok(s.delete("Job/2026"))
no(s.delete("Job/2026"))
assert "Job/2026" not in names()
ok(s.create("Job/2026"))
row = parse(ok(s.status("Job/2026", "(UIDNEXT UIDVALIDITY)"))[0])[-1]
after = {str(name): int(value) for name, value in zip(row[::2], row[1::2])}
assert after["UIDVALIDITY"] > before[0] or after["UIDNEXT"] >= before[1], (before, after)
refused(s.delete, "INBOX")
assert "INBOX" in names()
no(s.select("Nothing"))
no(s.append("Nothing", None, None, b"x"), "TRYCREATE")

# Nobody sees another's folders.
other = imap(BEN)
assert set(names(other)) == {"INBOX", "Drafts", "Sent", "Junk", "Trash", "Archive"}
no(other.select("Job"))
assert s.logout()[0] == "BYE"
print("done")
