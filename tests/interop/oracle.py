"""Odd messages: what our scanner makes of header fields, envelopes and structure, against what Python's
email package makes of them. Where Python is known to differ from the standard, the case says so."""

import email
import email.policy
import email.utils

from near import fetch, imap, ok

# Header fields, one odd thing each; all are put before the same rest.
HEADERS = {
    "plain": b"From: a@b.test\r\nTo: c@d.test\r\nSubject: plain\r\n",
    "folded": b"From: a@b.test\r\nSubject: one\r\n two\r\n\tthree\r\nTo: c@d.test,\r\n e@f.test\r\n",
    "no space": b"From:a@b.test\r\nSubject:no space\r\n",
    "much space": b"From:   a@b.test  \r\nSubject:    much   space   \r\n",
    "empty": b"From: a@b.test\r\nSubject:\r\nTo:\r\n",
    "nothing": b"X-Only: this\r\n",
    "case": b"fRoM: a@b.test\r\nSUBJECT: case\r\nmessage-id: <case@x>\r\n",
    "first of two": b"From: a@b.test\r\nSubject: first\r\nSubject: second\r\n",
    "encoded words": b"From: =?utf-8?Q?J=C3=BCrgen?= <j@b.test>\r\nSubject: =?utf-8?B?R3LDvMOfZQ==?=\r\n =?utf-8?Q?_mehr?=\r\n",
    "quoted": b"From: \"Last, First\" <a@b.test>\r\nTo: \"a \\\"b\\\" c\" <c@d.test>, \"x\\\\y\" <e@f.test>\r\n",
    "comments": b"From: a@b.test (A Name)\r\nTo: (before) c@d.test (after), e@f.test\r\nSubject: (not a comment)\r\n",
    "phrase": b"From: A B. C <a@b.test>\r\nTo: x <c@d.test>, <e@f.test>, y\r\n <g@h.test>\r\n",
    "quoted local part": b"From: \"a b\"@c.test\r\nTo: <\"x y\"@d.test>\r\n",
    "nested comments": b"From: (one (two) three) a@b.test\r\nSubject: x\r\n",
    "route": b"From: <@r.test,@s.test:a@b.test>\r\nSubject: x\r\n",
    "literal": b"From: a@[192.0.2.1]\r\nSubject: x\r\n",
    "group": b"From: a@b.test\r\nTo: Friends: c@d.test, E <e@f.test>;, g@h.test\r\n",
    "empty group": b"From: a@b.test\r\nTo: undisclosed-recipients:;\r\n",
    "reply to": b"From: a@b.test\r\nSender: s@b.test\r\nReply-To: r@b.test, q@b.test\r\nBcc: z@b.test\r\n",
    "threads": b"From: a@b.test\r\nMessage-ID: <one@x>\r\nIn-Reply-To: <two@x> <three@x>\r\nReferences: <four@x>\r\n",
    "long": b"From: a@b.test\r\nSubject: " + b"long " * 150 + b"end\r\n",
    "quotes": b"From: a@b.test\r\nSubject: \"quoted\" and \\ back\r\nMessage-ID: <q\"q\\@x>\r\n",
    "many": b"From: a@b.test\r\nTo: " + b",\r\n ".join(b"n%d@b.test" % n for n in range(200)) + b"\r\n",
    "no date": b"From: a@b.test\r\nDate: tomorrow\r\nSubject: no date\r\n",
}

# Whole messages, for their structure.
PLAIN = b"Subject: s\r\n"
BODIES = {
    "no type": PLAIN + b"\r\none\r\ntwo\r\n",
    "no body": PLAIN + b"\r\n",
    "header only": PLAIN,
    "no last line end": PLAIN + b"\r\none\r\ntwo",
    "html": PLAIN + b"MIME-Version: 1.0\r\nContent-Type: TEXT/Html; Charset=\"US-ascii\"\r\nContent-Transfer-Encoding: QUOTED-printable\r\n\r\n<p>\r\n",
    "binary": PLAIN + b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\nQUJD\r\n",
    "alternative": PLAIN + b"Content-Type: multipart/alternative; boundary=\"=_a b\"\r\n\r\n--=_a b\r\n\r\ntext\r\n--=_a b\r\nContent-Type: text/html\r\n\r\n<b>\r\n--=_a b--\r\n",
    "nested": PLAIN + b"Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\nContent-Type: multipart/related; boundary=i; type=\"text/html\"\r\n\r\n"
                      b"--i\r\nContent-Type: text/html\r\n\r\n<i>\r\n\r\n--i\r\nContent-Type: image/png; name=x.png\r\nContent-ID: <c>\r\n\r\nPNG\r\n--i--\r\n\r\n--o\r\n"
                      b"Content-Type: text/plain\r\nContent-Disposition: attachment; filename=\"a b.txt\"; size=3\r\n\r\nabc\r\n--o--\r\ntail\r\n",
    "message in message": PLAIN + b"Content-Type: message/rfc822\r\n\r\nFrom: in@b.test\r\nSubject: inner\r\nContent-Type: text/plain; charset=utf-8\r\n\r\ninner text\r\n",
    "attached message": PLAIN + b"Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\n\r\nsee\r\n--m\r\nContent-Type: message/rfc822\r\n\r\n"
                                b"Subject: inner\r\nContent-Type: multipart/mixed; boundary=n\r\n\r\n--n\r\n\r\ndeep\r\n--n--\r\n\r\n--m--\r\n",
    "digest": PLAIN + b"Content-Type: multipart/digest; boundary=d\r\n\r\n--d\r\n\r\nSubject: one\r\n\r\n1\r\n--d\r\n\r\nSubject: two\r\n\r\n2\r\n--d--\r\n",
    "never closed": PLAIN + b"Content-Type: multipart/mixed; boundary=z\r\n\r\n--z\r\n\r\none\r\n--z\r\nContent-Type: text/html\r\n\r\ntwo\r\n",
    "boundary within": PLAIN + b"Content-Type: multipart/mixed; boundary=ab\r\n\r\n--ab\r\n\r\n--abc is text\r\nx--ab too\r\n--ab  \r\n\r\ntwo\r\n--ab--\r\n",
    "folded type": PLAIN + b"Content-Type: text/plain;\r\n\tcharset=utf-8;\r\n name=\"a\r\n b\"\r\n\r\nx\r\n",
    "languages": PLAIN + b"Content-Type: text/plain\r\nContent-Language: de, en\r\nContent-MD5: Q2hlY2s=\r\nContent-Location: http://x.test/\r\n\r\nx\r\n",
}
REST = b"Date: Sat, 21 Nov 2026 14:53:35 +0000\r\n\r\nbody\r\n"

session = imap(folder="INBOX")
number = 0
wrong = []


def check(case, what, ours, theirs):
    if ours != theirs:
        wrong.append(f"{case}: {what}\n  ours:   {ours!r}\n  theirs: {theirs!r}")


def store(octets):
    global number
    ok(session.append("INBOX", None, None, octets))
    ok(session.noop())
    number += 1
    return number


def unfold(value):
    if value is None:
        return None
    return str(value).replace("\r\n", "").strip(" \t").encode("utf-8", "surrogateescape")


def squeeze(octets):
    """Space inside a phrase may be kept as it is or made one: both are read the same."""
    return None if octets is None else b" ".join(octets.split())


def addresses(listed):
    """An ENVELOPE's list as [(name, local part, domain)], group marks left out."""
    return [(squeeze(name) or b"", local, host) for name, _, local, host in listed or [] if host is not None]


def python_addresses(message, name):
    values = [unfold(value).decode("utf-8", "surrogateescape") for value in message.get_all(name, [])[:1]]
    pairs = []
    for shown, address in email.utils.getaddresses(values):
        if not address:
            continue
        local, _, host = address.rpartition("@")
        if local.startswith('"'):
            local = local[1:-1]
        pairs.append((squeeze(shown.encode()), local.encode(), host.encode()))
    return pairs


# Python flattens groups into their members and drops what is empty; comments become names where an
# address has none, which RFC 3501 leaves open, so names are not compared there.
NAMES_OPEN = {"comments", "nested comments"}

for case, header in HEADERS.items():
    octets = header + (REST if b"Date:" not in header else b"\r\nbody\r\n")
    message = email.message_from_bytes(octets)
    row = fetch(session, str(store(octets)), "(ENVELOPE BODY.PEEK[HEADER])")[number]
    check(case, "header", row["BODY[HEADER]"], octets.split(b"\r\n\r\n")[0] + b"\r\n\r\n")
    date, subject, *lists, in_reply_to, message_id = row["ENVELOPE"]
    check(case, "date", date, unfold(message["Date"]))
    # Which of two Subject lines counts is nobody's rule.
    subjects = [squeeze(unfold(value)) for value in message.get_all("Subject", [None])]
    check(case, "subject", squeeze(subject) in subjects, True)
    check(case, "In-Reply-To", squeeze(in_reply_to), squeeze(unfold(message["In-Reply-To"])))
    check(case, "Message-ID", message_id, unfold(message["Message-ID"]))
    for name, ours in zip(("From", "Sender", "Reply-To", "To", "Cc", "Bcc"), lists):
        theirs = python_addresses(message, name)
        if name in ("Sender", "Reply-To") and not theirs:
            theirs = python_addresses(message, "From")
        mine = addresses(ours)
        if case == "route" and theirs:
            # Python takes a route (RFC 5322 section 4.4) for addresses of its own.
            theirs = [(b"", b"a", b"b.test")]
        if case in NAMES_OPEN:
            mine, theirs = [row[1:] for row in mine], [row[1:] for row in theirs]
        check(case, name, mine, theirs)

# Groups keep their marks (RFC 3501 section 7.4.2).
at = 1 + list(HEADERS).index("group")
to = fetch(session, str(at), "(ENVELOPE)")[at]["ENVELOPE"][5]
check("group", "marks", [row[2:] for row in to],
      [[b"Friends", None], [b"c", b"d.test"], [b"e", b"f.test"], [None, None], [b"g", b"h.test"]])
at = 1 + list(HEADERS).index("empty group")
to = fetch(session, str(at), "(ENVELOPE)")[at]["ENVELOPE"][5]
check("empty group", "marks", [row[2:] for row in to], [[b"undisclosed-recipients", None], [None, None]])

# Fields picked out are octets of the message, unchanged.
for case, fields in (("folded", b"Subject"), ("case", b"Message-ID"), ("first of two", b"subject"), ("nothing", b"From")):
    at = 1 + list(HEADERS).index(case)
    row = fetch(session, str(at), "(BODY.PEEK[HEADER.FIELDS (%s)])" % fields.decode())[at]
    ours = next(value for name, value in row.items() if name.startswith("BODY["))
    theirs, keep = b"", False
    for line in HEADERS[case].splitlines(keepends=True):
        if line[:1] not in b" \t":
            keep = line.split(b":")[0].lower() == fields.lower()
        theirs += line if keep else b""
    check(case, "fields", ours, theirs + b"\r\n")


def compare(case, ours, part, section):
    """A BODYSTRUCTURE as parsed, against a part of Python's; section as FETCH names it."""
    kind = part.get_content_maintype().encode()
    if kind == b"multipart":
        theirs = part.get_payload()
        count = next(index for index, item in enumerate(ours) if not isinstance(item, list))
        check(case, f"{section or 'whole'}: subtype", ours[count].lower(), part.get_content_subtype().encode())
        params(case, ours[count + 1], part)
        if not isinstance(theirs, list) or count != len(theirs):
            check(case, f"{section or 'whole'}: how many parts", ours[:count], theirs)
            return
        for index, one in enumerate(theirs, 1):
            compare(case, ours[index - 1], one, f"{section}.{index}".lstrip("."))
        return
    check(case, f"{section} type", (ours[0].lower(), ours[1].lower()), (kind, part.get_content_subtype().encode()))
    params(case, ours[2], part)
    check(case, f"{section} id", ours[3], unfold(part["Content-ID"]))
    check(case, f"{section} description", ours[4], unfold(part["Content-Description"]))
    check(case, f"{section} encoding", ours[5].lower(), (part["Content-Transfer-Encoding"] or "7bit").lower().encode())
    if kind != b"message":
        content = part.get_payload().encode("utf-8", "surrogateescape")
        if case == "never closed" and section == "2" and int(ours[6]) == len(content) + 2:
            # With no boundary after it, the last line end is the part's own or the boundary's.
            content += b"\r\n"
        check(case, f"{section} octets", int(ours[6]), len(content))
        at = f"BODY[{section or '1'}]"
        check(case, f"{section} content", fetch(session, str(number), f"(BODY.PEEK[{section or '1'}])")[number][at] or b"", content)
        if kind == b"text":
            # RFC 3501 leaves open whether a last line without its end counts.
            check(case, f"{section} lines", int(ours[7]) in (content.count(b"\n"), content.count(b"\n") + 1), True)
    else:
        inner = part.get_payload(0)
        check(case, f"{section} inner subject", ours[7][1], unfold(inner["Subject"]))
        compare(case, ours[8], inner, f"{section or '1'}" if inner.is_multipart() else f"{section or '1'}.1")


def params(case, ours, part):
    # "text/plain; charset=us-ascii" may be said where nothing is (RFC 2045 section 5.2).
    theirs = [(name.lower(), value.replace("\r\n", "")) for name, value in (part.get_params() or [])[1:]]
    pairs = [(name.decode().lower(), value.decode()) for name, value in zip((ours or [])[::2], (ours or [])[1::2])]
    if not theirs and [(n, v.lower()) for n, v in pairs] == [("charset", "us-ascii")]:
        return
    check(case, "parameters", pairs, theirs)


for case, octets in BODIES.items():
    message = email.message_from_bytes(octets)
    row = fetch(session, str(store(octets)), "(BODYSTRUCTURE BODY.PEEK[] RFC822.SIZE)")[number]
    check(case, "octets", row["BODY[]"], octets)
    check(case, "size", row["RFC822.SIZE"], str(len(octets)))
    compare(case, row["BODYSTRUCTURE"], message, "")

assert not wrong, "\n".join(wrong)
print("done")
