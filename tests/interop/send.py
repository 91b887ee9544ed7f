import email.message
import email.policy
import smtplib

from near import ANNA, BEN, fetch, imap, ok, smtp

s = smtp()
code, text = s.ehlo()
assert code == 250
for name in ("size", "pipelining", "8bitmime", "smtputf8", "enhancedstatuscodes", "chunking"):
    assert s.has_extn(name), (name, s.esmtp_features)
assert s.has_extn("starttls"), s.esmtp_features
assert not s.has_extn("auth"), "SR-2: nobody logs in here"
assert int(s.esmtp_features["size"]) >= 1 << 20

# One message, two people, text beyond ASCII in header and body.
message = email.message.EmailMessage()
message["From"] = "Jürgen <you@away.test>"
message["To"] = f"{ANNA}, {BEN}"
message["Subject"] = "Grüße aus Köln"
message.set_content("Schöne Grüße.\n\n.\n..\nEnde\n")
message.add_attachment(bytes(range(256)) * 300, maintype="application", subtype="octet-stream", filename="ä.bin")
assert s.send_message(message) == {}
for user in (ANNA, BEN):
    session = imap(user, "INBOX", tls=True)
    row = fetch(session, "1", "(BODY.PEEK[] RFC822.SIZE)")[1]
    octets = row["BODY[]"]
    assert int(row["RFC822.SIZE"]) == len(octets)
    read = email.message_from_bytes(octets, policy=email.policy.default)
    assert read["Subject"] == "Grüße aus Köln"
    assert read["Return-Path"] == "<you@away.test>"
    assert len(read.get_all("Received")) == 1
    assert read.get_body().get_content().replace("\r\n", "\n") == "Schöne Grüße.\n\n.\n..\nEnde\n"
    part = next(read.iter_attachments())
    assert part.get_content() == bytes(range(256)) * 300 and part.get_filename() == "ä.bin"
    session.logout()

# 8-bit as it is, SMTPUTF8 header fields.
assert s.sendmail("you@away.test", [ANNA], "Subject: 8\r\n\r\nä ö ü\r\n".encode(), ["BODY=8BITMIME"]) == {}
assert s.sendmail("you@away.test", [ANNA], "Subject: Grüße\r\n\r\nä\r\n".encode(), ["SMTPUTF8", "BODY=8BITMIME"]) == {}
session = imap(folder="INBOX")
rows = fetch(session, "2:3", "(BODY.PEEK[])")
assert rows[2]["BODY[]"].endswith("Subject: 8\r\n\r\nä ö ü\r\n".encode())
assert rows[3]["BODY[]"].endswith("Subject: Grüße\r\n\r\nä\r\n".encode())

# Some of the recipients are refused: the others get it, and the sender is told which.
refused = s.sendmail("you@away.test", [ANNA, "nobody@home.test", "x@elsewhere.test"], "Subject: part\r\n\r\nx\r\n")
assert set(refused) == {"nobody@home.test", "x@elsewhere.test"}, refused
assert refused["nobody@home.test"][0] == 550 and refused["x@elsewhere.test"][0] == 554
try:
    s.sendmail("you@away.test", ["nobody@home.test"], "x")
    raise AssertionError("nobody got it")
except smtplib.SMTPRecipientsRefused:
    pass
# Announced too big.
code, text = s.mail("you@away.test", ["SIZE=99999999999"])
assert code == 552, (code, text)

# A connection carries many transactions, and RSET forgets.
s.mail("you@away.test")
s.rcpt(BEN)
s.rset()
assert s.docmd("DATA")[0] == 503
for number in range(200):
    s.sendmail("you@away.test", [ANNA], f"Subject: many {number}\r\n\r\n{number}\r\n")
assert s.docmd("VRFY", "anna")[0] == 502
assert s.noop()[0] == 250
assert s.quit()[0] == 221

ok(session.noop())
assert ok(session.search(None, 'SUBJECT "many"'))[0].split() == [str(n).encode() for n in range(5, 205)]
print("done")
