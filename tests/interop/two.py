import time

from near import ANNA, fetch, imap, no, ok, smtp


def tell(session):
    """What NOOP brings: {kind: [...]}."""
    for kind in ("EXISTS", "EXPUNGE", "FETCH"):
        session.response(kind)
    ok(session.noop())
    return {kind: [v for v in session.response(kind)[1] if v is not None] for kind in ("EXISTS", "EXPUNGE", "FETCH")}


a, b = imap(folder="INBOX"), imap(folder="INBOX", tls=True)
quick = smtp()


def deliver(subject):
    quick.sendmail("you@away.test", [ANNA], f"Subject: {subject}\r\n\r\nx\r\n")


# New mail, from outside and by APPEND of the other, is told at the next command.
deliver("one")
assert tell(a)["EXISTS"][-1] == b"1" and tell(b)["EXISTS"][-1] == b"1"
ok(a.append("INBOX", None, None, b"Subject: two\r\n\r\nx\r\n"))
assert tell(b)["EXISTS"][-1] == b"2"
tell(a)

# Flags of one are flags of the other.
ok(a.store("1", "+FLAGS", "(\\Flagged)"))
seen = tell(b)["FETCH"]
assert len(seen) == 1 and seen[0].startswith(b"1 ") and b"\\Flagged" in seen[0], seen
ok(b.store("2", "+FLAGS.SILENT", "($Later)"))
assert any(b"$Later" in row for row in tell(a)["FETCH"])

# Expunged in one: the other keeps its numbers until it may be told, and FETCH of the gone one does
# not show another.
for n in range(3, 7):
    deliver(n)
tell(a), tell(b)
uids = {n: row["UID"] for n, row in fetch(b, "1:6", "(UID)").items()}
ok(a.store("2:3", "+FLAGS.SILENT", "(\\Deleted)"))
ok(a.expunge())
row = fetch(b, "4", "(UID)")
assert row[4]["UID"] == uids[4], "numbers hold during FETCH"
gone = tell(b)["EXPUNGE"]
assert [int(n) for n in gone] in ([2, 2], [3, 2]), gone
assert [row["UID"] for _, row in sorted(fetch(b, "1:4", "(UID)").items())] == [uids[n] for n in (1, 4, 5, 6)]

# Moved away by one, gone for the other.
ok(b.create("Elsewhere"))
assert b._simple_command("MOVE", "1", "Elsewhere")[0] == "OK"
assert tell(a)["EXPUNGE"] == [b"1"]


def line_of(session, text):
    """Reads lines until one holds this; an untagged line that is none of ours may come between."""
    begun = time.monotonic()
    while time.monotonic() - begun < 10:
        line = session.readline()
        if text in line:
            return line
    raise AssertionError(text)


# IDLE: told at once, of all three kinds.
b.send(b"i1 IDLE\r\n")
assert b.readline().startswith(b"+")
begun = time.monotonic()
deliver("while idle")
line_of(b, b"4 EXISTS")
assert time.monotonic() - begun < 2
tell(a)
ok(a.store("1", "+FLAGS", "(\\Answered)"))
assert b"\\Answered" in line_of(b, b"* 1 FETCH ")
ok(a.store("4", "+FLAGS.SILENT", "(\\Deleted)"))
ok(a.expunge())
line_of(b, b"4 EXPUNGE")
b.send(b"DONE\r\n")
while not (line := b.readline()).startswith(b"i1 "):
    pass
assert line.startswith(b"i1 OK"), line

# A folder that somebody else removes under a session: an answer, and the session lives on.
ok(b.select("Elsewhere"))
ok(a.delete("Elsewhere"))
try:
    b.fetch("1", "(BODY.PEEK[])")
    b.noop()
except b.abort:
    b = imap()
no(b.select("Elsewhere"))
ok(b.select("INBOX"))

# A hundred changes from both sides leave both with the same view.
for n in range(50):
    ok(a.append("INBOX", None, None, b"Subject: a%d\r\n\r\nx\r\n" % n))
    ok((a if n % 2 else b).store("1:*", "+FLAGS.SILENT" if n % 3 else "-FLAGS.SILENT", "(\\Flagged)"))
    if n % 10 == 9:
        ok(b.store("2:4", "+FLAGS.SILENT", "(\\Deleted)"))
        ok(b.expunge())
ok(a.noop()), ok(b.noop())


def view(session):
    """Numbers, UIDs and flags; \\Recent is each session's own."""
    rows = fetch(session, "1:*", "(UID FLAGS)").items()
    return {n: (row["UID"], sorted(set(row["FLAGS"]) - {"\\Recent"})) for n, row in rows}


assert view(a) == view(b) == view(imap(folder="INBOX"))
print("done")
