import imaplib
import re
import time

from near import fetch, imap, no, ok, parse, refused

TEXT = (b"From: \"Jo Q. Public\" <jo@away.test>\r\nTo: Anna <anna@home.test>, Team: a@b.test, c@d.test;\r\n"
        b"Cc: x@y.test\r\nSubject: %s\r\nDate: Sat, 21 Nov 2026 14:53:35 +0100\r\nMessage-ID: <m%d@away.test>\r\n"
        b"In-Reply-To: <m0@away.test>\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: multipart/mixed; boundary=b1\r\n\r\npreamble\r\n--b1\r\n"
        b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
        b"Gr=C3=BC=C3=9Fe %d\r\n--b1\r\nContent-Type: application/pdf; name=\"a.pdf\"\r\n"
        b"Content-Transfer-Encoding: base64\r\nContent-ID: <cid@x>\r\nContent-Description: a file\r\n"
        b"Content-Disposition: attachment; filename=\"a.pdf\"\r\n\r\nQUJD\r\n--b1--\r\nepilogue\r\n")

s = imap(folder="INBOX", tls=True)
for n in range(1, 11):
    when = imaplib.Time2Internaldate(1_795_000_000 + n * 86_400)
    ok(s.append("INBOX", "(\\Seen)" if n % 2 else None, when, TEXT % (b"number %d" % n, n, n)))
uids = [int(uid) for uid in ok(s.uid("SEARCH", None, "ALL"))[0].split()]
assert len(uids) == 10 and uids == sorted(set(uids))

row = fetch(s, "3", "(ENVELOPE BODYSTRUCTURE BODY INTERNALDATE RFC822.SIZE FLAGS UID)")[3]
date, subject, sender, sender2, reply_to, to, cc, bcc, in_reply_to, message_id = row["ENVELOPE"]
assert (date, subject) == (b"Sat, 21 Nov 2026 14:53:35 +0100", b"number 3")
assert sender == [[b"Jo Q. Public", None, b"jo", b"away.test"]] == sender2 == reply_to
assert to[0] == [b"Anna", None, b"anna", b"home.test"]
assert to[1] == [None, None, b"Team", None] and to[-1] == [None, None, None, None] and len(to) == 5, to
assert cc == [[None, None, b"x", b"y.test"]] and bcc is None
assert (in_reply_to, message_id) == (b"<m0@away.test>", b"<m3@away.test>")
text, pdf, kind, *rest = row["BODYSTRUCTURE"]
assert kind.upper() == b"MIXED" and rest[0] == [b"boundary", b"b1"], row["BODYSTRUCTURE"]
assert [v.lower() if isinstance(v, bytes) else v for v in text[:8]] == [
    b"text", b"plain", [b"charset", b"utf-8"], None, None, b"quoted-printable", "15", "0"] or text[7] in ("0", "1"), text
assert pdf[3] == b"<cid@x>" and pdf[4] == b"a file" and pdf[5].lower() == b"base64" and pdf[6] == "4"
assert pdf[8][0].lower() == b"attachment" and pdf[8][1] == [b"filename", b"a.pdf"]
assert len(row["BODY"]) == 3 and row["RFC822.SIZE"] == str(len(TEXT % (b"number 3", 3, 3)))
assert row["FLAGS"] == ["\\Seen"] or set(row["FLAGS"]) == {"\\Seen", "\\Recent"}
then = imaplib.Internaldate2tuple(b'INTERNALDATE "%s"' % row["INTERNALDATE"])
assert time.mktime(then) == 1_795_000_000 + 3 * 86_400

# Parts of it, and \Seen set by reading only without PEEK.
whole = TEXT % (b"number 2", 2, 2)
head, body = whole.split(b"\r\n\r\n", 1)
row = fetch(s, "2", "(BODY.PEEK[] BODY.PEEK[HEADER] BODY.PEEK[TEXT] BODY.PEEK[1] BODY.PEEK[1.MIME] BODY.PEEK[2] "
                    "BODY.PEEK[HEADER.FIELDS (SUBJECT CC NONE)] BODY.PEEK[HEADER.FIELDS.NOT (SUBJECT)] "
                    "BODY.PEEK[]<5.10> BODY.PEEK[]<999999.10> BODY.PEEK[9] RFC822.HEADER FLAGS)")[2]
assert row["BODY[]"] == whole and row["BODY[HEADER]"] == head + b"\r\n\r\n" == row["RFC822.HEADER"]
assert row["BODY[TEXT]"] == body and row["BODY[1]"] == b"Gr=C3=BC=C3=9Fe 2" and row["BODY[2]"] == b"QUJD"
assert row["BODY[1.MIME]"].startswith(b"Content-Type: text/plain") and row["BODY[1.MIME]"].endswith(b"\r\n\r\n")
fields = next(value for name, value in row.items() if re.match(r"BODY\[HEADER\.FIELDS \(", name))
assert fields == b"Cc: x@y.test\r\nSubject: number 2\r\n\r\n", fields
others = next(value for name, value in row.items() if name.startswith("BODY[HEADER.FIELDS.NOT"))
assert b"Subject" not in others and b"Message-ID" in others
assert row["BODY[]<5>"] == whole[5:15] and row["BODY[]<999999>"] == b"" and row["BODY[9]"] in (b"", None)
assert "\\Seen" not in row["FLAGS"]
fetch(s, "2", "(BODY[])")
assert "\\Seen" in fetch(s, "2", "(FLAGS)")[2]["FLAGS"]
assert set(fetch(s, "1:3", "FAST")[1]) >= {"FLAGS", "INTERNALDATE", "RFC822.SIZE"}
assert "ENVELOPE" in fetch(s, "1", "ALL")[1] and "BODY" in fetch(s, "1", "FULL")[1]


def search(criteria, charset=None):
    return [int(n) for n in ok(s.search(charset, criteria))[0].split()]


assert search("ALL") == list(range(1, 11))
assert search("UNSEEN") == [4, 6, 8, 10]
assert search("NOT SEEN 1:5") == [4]
assert search("OR SUBJECT \"number 7\" SUBJECT \"NUMBER 8\"") == [7, 8]
assert search("FROM public TO anna@home CC x@y") == list(range(1, 11))
assert search("HEADER Message-ID m9@") == [9]
assert search("HEADER In-Reply-To \"\"") == list(range(1, 11))
assert search("SMALLER 10") == [] and search("LARGER 10") == list(range(1, 11))
assert search(f"UID {uids[4]}:*") == list(range(5, 11))
assert search("SENTON 21-Nov-2026") == list(range(1, 11)) and search("SENTBEFORE 21-Nov-2026") == []
assert search("SINCE 1-Jan-2030") == []
assert search("BODY \"Grüße 5\"".encode(), "UTF-8") == [5]
assert search("TEXT \"number 6\"") == [6]
assert search("(SEEN OR 1 2) NOT (3,4)") == [1, 2]
assert search("KEYWORD $Work") == []
no(s.search("NO-SUCH-CHARSET", "TEXT", "x"), "BADCHARSET")
assert "BAD" in refused(s.search, None, "NONSENSE")

# STORE: add, take, replace, silent; keywords.
assert {str(f) for f in parse(ok(s.store("1:2", "+FLAGS", "(\\Flagged $Work)"))[0])[1][1]} >= {"\\Flagged", "$Work"}
assert search("KEYWORD $Work FLAGGED") == [1, 2]
ok(s.store("1", "-FLAGS", "($Work)"))
assert search("KEYWORD $work") == [2]
assert ok(s.store("3:5", "FLAGS.SILENT", "(\\Answered)")) == [None]
assert search("ANSWERED UNSEEN") == [3, 4, 5]
ok(s.uid("STORE", str(uids[2]), "FLAGS", "()"))
assert not set(fetch(s, "3", "(FLAGS)")[3]["FLAGS"]) - {"\\Recent"}

# COPY and MOVE tell the UIDs (UIDPLUS, RFC 4315), flags and dates go along.
ok(s.create("Keep"))
typ, data = s.copy("1:3", "Keep")
assert typ == "OK"
code = s.response("COPYUID")[1][-1].split()
assert code[1] == b"%d:%d" % (uids[0], uids[2]) and len(code) == 3, code
ok(s.uid("MOVE", f"{uids[8]}:{uids[9]}", "Keep"))
assert search("ALL") == list(range(1, 9))
no(s.copy("1", "Nowhere"), "TRYCREATE")

# EXPUNGE numbers, UID EXPUNGE only what it names, CLOSE the rest.
ok(s.store("2,4,6", "+FLAGS.SILENT", "(\\Deleted)"))
ok(s.uid("EXPUNGE", str(uids[3])))
assert [int(u) for u in ok(s.uid("SEARCH", None, "ALL"))[0].split()] == [u for u in uids[:8] if u != uids[3]]
s.response("EXPUNGE")
assert [int(n) for n in ok(s.expunge()) if n] in ([2, 4], [5, 2])
assert [int(u) for u in ok(s.uid("SEARCH", None, "ALL"))[0].split()] == [uids[i] for i in (0, 2, 4, 6, 7)]
ok(s.store("1", "+FLAGS.SILENT", "(\\Deleted)"))
ok(s.close())
assert ok(s.select("INBOX"))[0] == b"4"
assert ok(s.select("Keep"))[0] == b"5"
assert search("KEYWORD $Work FLAGGED SUBJECT \"number 2\"") == [2]
dates = [fetch(s, n, "(INTERNALDATE)")[int(n)]["INTERNALDATE"] for n in ("1", "5")]
assert dates[0] != dates[1]

# APPENDUID; NULs and broken lines are refused or made whole, never stored half.
typ, data = s.append("Keep", None, None, b"Subject: x\r\n\r\nx\r\n")
uid = re.search(rb"APPENDUID (\d+) (\d+)", data[0])
assert typ == "OK" and uid, data
ok(s.noop())
assert int(fetch(s, "6", "(UID)")[6]["UID"]) == int(uid[2])

# What follows one another in one piece is answered in order.
s.send(b"p1 NOOP\r\np2 FETCH 1 (UID)\r\np3 NOOP\r\np4 BOGUS\r\n")
tags = []
while len(tags) < 4:
    line = s.readline()
    if line[:1] == b"p":
        tags.append(line.split()[:2])
assert tags == [[b"p1", b"OK"], [b"p2", b"OK"], [b"p3", b"OK"], [b"p4", b"BAD"]], tags
assert s.logout()[0] == "BYE"
print("done")
