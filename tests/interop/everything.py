"""Every command that Python's imaplib has: what folders.py and messages.py leave out."""

import hashlib
import hmac
import imaplib
import os
import ssl
import threading
import time

from near import ANNA, BEN, PASSWORD, fetch, imap, no, ok, parse, refused

context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE


def fresh():
    return imaplib.IMAP4("127.0.0.1", int(os.environ["IMAP"]), timeout=30)


# Ways in: PLAIN, LOGIN and SCRAM-SHA-256, with and without an initial response, and over STARTTLS.
s = fresh()
assert "STARTTLS" in s.capabilities, s.capabilities
ok(s.starttls(context))
assert "STARTTLS" not in s.capabilities, s.capabilities
for mechanism in ("AUTH=PLAIN", "AUTH=LOGIN", "AUTH=SCRAM-SHA-256"):
    assert mechanism in s.capabilities, (mechanism, s.capabilities)
ok(s.authenticate("PLAIN", lambda _: b"\0" + ANNA.encode() + b"\0" + PASSWORD.encode()))
ok(s.select())
s.logout()

s = fresh()
answers = iter([ANNA.encode(), PASSWORD.encode()])
ok(s.authenticate("LOGIN", lambda _: next(answers)))
s.logout()


def scram(session, user, password, right=True):
    """RFC 5802 and RFC 7677, written down from the RFC."""
    import base64
    bare = "n=%s,r=rOprNGfwEbeRWgbNEkqO" % user
    state = {}

    def step(challenge):
        if not state:
            state["first"] = True
            return ("n,," + bare).encode()
        if "final" not in state:
            server = challenge.decode()
            fields = dict(field.split("=", 1) for field in server.split(","))
            salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(fields["s"]), int(fields["i"]))
            client_key = hmac.digest(salted, b"Client Key", "sha256")
            without_proof = "c=biws,r=" + fields["r"]
            signed = ",".join((bare, server, without_proof)).encode()
            signature = hmac.digest(hashlib.sha256(client_key).digest(), signed, "sha256")
            proof = bytes(a ^ b for a, b in zip(client_key, signature))
            state["final"] = base64.b64encode(hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), signed, "sha256"))
            return (without_proof + ",p=" + base64.b64encode(proof).decode()).encode()
        assert challenge == b"v=" + state["final"], challenge
        return b""

    return session.authenticate("SCRAM-SHA-256", step)


s = fresh()
ok(scram(s, ANNA, PASSWORD))
s.logout()
s = fresh()
assert "AUTHENTICATIONFAILED" in refused(scram, s, ANNA, "wrong")
assert "AUTHENTICATIONFAILED" in refused(s.login, ANNA, "wrong")
ok(s.login(ANNA, PASSWORD))
ok(s.noop())
s.logout()

# ENABLE, NAMESPACE, and what is not there.
s = imap()
# (What imaplib keeps is from before the log-in.)
capabilities = ok(s.capability())[0].decode().upper().split()
for name in ("CONDSTORE", "QRESYNC", "ESEARCH", "SEARCHRES", "WITHIN", "SORT", "THREAD=REFERENCES",
             "THREAD=ORDEREDSUBJECT", "MULTIAPPEND", "BINARY", "UTF8=ACCEPT", "QUOTA", "LIST-STATUS", "STATUS=SIZE",
             "COMPRESS=DEFLATE", "CHILDREN", "LIST-EXTENDED", "CREATE-SPECIAL-USE"):
    assert name in capabilities, (name, capabilities)
assert any(name.startswith("APPENDLIMIT=") for name in capabilities), capabilities
for call in (lambda: s.getacl("INBOX"), lambda: s.setacl("INBOX", BEN, "lr"), lambda: s.myrights("INBOX"),
             lambda: s.deleteacl("INBOX", BEN), lambda: s.getannotation("INBOX", "/x", "y"), lambda: s.proxyauth(BEN)):
    assert refused(call)
assert b"CONDSTORE" in (ok(s.enable("CONDSTORE")) and s.response("ENABLED")[1][0])

# QUOTA (RFC 9208); setting it is the owner's.
roots, quotas = ok(s.getquotaroot("INBOX"))
assert quotas and b"STORAGE" in quotas[0], (roots, quotas)
root = parse(roots[0])[1]
root = root.decode() if isinstance(root, bytes) else str(root)
row = parse(ok(s.getquota('"%s"' % root))[0])[1]
assert str(row[0]) == "STORAGE" and int(row[1]) >= 0 and int(row[2]) == 100 * 1024, row
no(s.setquota('"%s"' % root, "(STORAGE 10)"), "NOPERM")

# Messages that answer each other, two conversations and one that stands alone.
LETTERS = [
    # subject, from, day, id, answers
    ("Roof", "carla", 3, "r1", ""),
    ("Boat", "adam", 1, "b1", ""),
    ("Re: Roof", "Bert", 5, "r2", "<r1@x>"),
    ("alone", "dora", 2, "s1", ""),
    ("Re: [home] Boat", "carla", 4, "b2", "<b1@x>"),
    ("Fwd: Re: Roof", "adam", 6, "r3", "<r1@x> <r2@x>"),
]
ok(s.create("Letters"))
for n, (subject, name, day, ident, answers) in enumerate(LETTERS):
    text = "From: %s@away.test\r\nTo: t%d@home.test\r\nSubject: %s\r\nDate: %d Nov 2026 10:00:00 +0000\r\n" \
           "Message-ID: <%s@x>\r\n%s\r\n%s\r\n" % (
               name, 9 - n, subject, day, ident, "References: %s\r\n" % answers if answers else "", "x" * (10 - n))
    ok(s.append("Letters", None, None, text.encode()))
ok(s.select("Letters"))


def order(criteria, key="ALL", charset="UTF-8"):
    return [int(n) for n in ok(s.sort(criteria, charset, key))[0].split()]


assert order("(DATE)") == [2, 4, 1, 5, 3, 6]
assert order("(REVERSE DATE)") == [6, 3, 5, 1, 4, 2]
assert order("(ARRIVAL)") == [1, 2, 3, 4, 5, 6]
assert order("(SUBJECT DATE)") == [4, 2, 5, 1, 3, 6]
assert order("(FROM REVERSE DATE)") == [6, 2, 3, 5, 1, 4]
assert order("(TO)") == [6, 5, 4, 3, 2, 1]
assert order("(REVERSE SIZE)")[0] == max(range(1, 7), key=lambda n: int(fetch(s, str(n), "(RFC822.SIZE)")[n]["RFC822.SIZE"]))
assert order("(DATE)", "FROM carla") == [1, 5]
assert [int(n) for n in ok(s.uid("SORT", "(REVERSE DATE)", "UTF-8", "ALL"))[0].split()] == order("(REVERSE DATE)")
no(s.sort("(DATE)", "NO-SUCH", "ALL"), "BADCHARSET")


def threads(algorithm, key="ALL"):
    return ok(s.thread(algorithm, "UTF-8", key))[0]


assert threads("REFERENCES") == b"(2 5)(4)(1 3 6)", threads("REFERENCES")
assert threads("ORDEREDSUBJECT") == b"(2 5)(4)(1 (3)(6))", threads("ORDEREDSUBJECT")
assert not threads("REFERENCES", "FROM nobody")
assert ok(s.uid("THREAD", "REFERENCES", "UTF-8", "ALL"))[0] == threads("REFERENCES")

# CONDSTORE (RFC 7162): what changed since.
before = int(s.response("HIGHESTMODSEQ")[1][-1])
ok(s.store("2", "+FLAGS", "(\\Flagged)"))
changed = ok(s._untagged_response(*s._simple_command("FETCH", "1:*", "(FLAGS)", "(CHANGEDSINCE %d)" % before), "FETCH"))
assert len(changed) == 1 and changed[0].startswith(b"2 (") and b"MODSEQ" in changed[0], changed
kind, data = s._simple_command("STORE", "2,3", "(UNCHANGEDSINCE %d)" % before, "+FLAGS", "(\\Seen)")
assert kind == "OK" and b"[MODIFIED 2]" in data[0], data
assert "\\Seen" in fetch(s, "3", "(FLAGS)")[3]["FLAGS"] and "\\Seen" not in fetch(s, "2", "(FLAGS)")[2]["FLAGS"]
kind, data = s._simple_command("SEARCH", "RETURN", "(SAVE)", "FLAGGED")
assert kind == "OK", data
assert [int(n) for n in fetch(s, "$", "(FLAGS)")] == [2]
kind, data = s._simple_command("SEARCH", "RETURN", "(MIN MAX COUNT)", "YOUNGER 3600")
assert kind == "OK" and b"COUNT 6" in s.response("ESEARCH")[1][-1]

# BINARY (RFC 3516), 8 bit and a NUL come decoded.
part = b"MIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\nAAEC/w==\r\n"
ok(s.append("Letters", None, None, part))
ok(s.noop())
row = ok(s.fetch("7", "(BINARY.SIZE[1] BINARY.PEEK[1])"))
text = b"".join(piece if isinstance(piece, bytes) else piece[0] + b"|" + piece[1] for piece in row)
assert b"BINARY.SIZE[1] 4" in text and b"\x00\x01\x02\xff" in text, row

# UTF8=ACCEPT (RFC 6855): imaplib speaks it once it is enabled.
u = imap()
ok(u.enable("UTF8=ACCEPT"))
assert u.utf8_enabled
ok(u.create('"Grüße"'))
assert any("Grüße".encode() in row for row in ok(u.list()))
# (Its own append puts "UTF8 (" inside of the literal then; RFC 6855 section 4 has it outside.)
ok(s.append('"Gr&APwA3w-e"', None, None, "Subject: schöne Grüße\r\nFrom: jörg@bücher.test\r\n\r\nÄ\r\n".encode()))
ok(u.select('"Grüße"'))
assert "schöne Grüße".encode() in ok(u.fetch("1", "(BODY.PEEK[])"))[0][1]
assert ok(u.search(None, 'SUBJECT "schöne"'))[0] == b"1"
ok(u.close())
u.logout()
assert any(b"Gr&APwA3w-e" in row for row in ok(s.list())), "without UTF8=ACCEPT as ever"

# IDLE by hand: imaplib has none before Python 3.14. Another session changes things meanwhile.
ok(s.select("Letters"))
tag = s._new_tag()
s.send(tag + b" IDLE\r\n")
assert s._get_line().startswith(b"+ ")
other = imap(folder="Letters")
ok(other.append("Letters", None, None, b"Subject: new\r\n\r\nx\r\n"))
ok(other.store("1", "+FLAGS", "(\\Answered)"))
ok(other.store("4", "+FLAGS.SILENT", "(\\Deleted)"))
ok(other.expunge())
lines = []
while not all(any(part in line for line in lines) for part in (b" EXISTS", b" EXPUNGE", b"\\Answered")):
    lines.append(s._get_line())
s.send(b"DONE\r\n")
while not (line := s._get_line()).startswith(tag):
    pass
assert b"OK" in line

# The rest: recent, check, unselect, subscriptions, xatom, expunge by UID, partial literals.
assert s.recent()[0] == "OK"
ok(s.check())
ok(s.subscribe("Letters"))
assert any(b"Letters" in row for row in ok(s.lsub()))
ok(s.unsubscribe("Letters"))
assert s.xatom("ID", "NIL")[0] == "OK"
ok(s.unselect())
assert ok(s.status("Letters", "(MESSAGES UIDNEXT UIDVALIDITY UNSEEN HIGHESTMODSEQ SIZE DELETED)"))
ok(s.select("Letters", readonly=True))
ok(s.unselect())

# Sessions beside each other: each reads all the time while one changes.
stop = time.monotonic() + 3
failures = []


def reader():
    try:
        mine = imap(folder="INBOX")
        while time.monotonic() < stop:
            ok(mine.noop())
            if ok(mine.search(None, "ALL"))[0]:
                # imaplib keeps what came unasked, and hands it out with the next answer.
                mine.response("FETCH")
                # By UID: numbers of messages that just went are refused (RFC 2180 section 4.1).
                rows = fetch(mine, "1:*", "(UID FLAGS RFC822.SIZE)", uid=True)
                assert all(int(row["RFC822.SIZE"]) > 0 for row in rows.values() if "RFC822.SIZE" in row)
        mine.logout()
    except Exception as error:  # told below: a thread's own exception would go unseen
        failures.append(repr(error))


readers = [threading.Thread(target=reader) for _ in range(4)]
for thread in readers:
    thread.start()
writer = imap(folder="INBOX")
while time.monotonic() < stop:
    for _ in range(5):
        ok(writer.append("INBOX", None, None, b"Subject: s\r\n\r\ntext\r\n"))
    ok(writer.noop())
    ok(writer.store("1:2", "+FLAGS.SILENT", "(\\Deleted)"))
    ok(writer.expunge())
for thread in readers:
    thread.join(30)
assert not failures, failures
assert s.logout()[0] == "BYE"
print("done")
