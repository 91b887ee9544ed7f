"""What the scripts share: connections to the box, and IMAP responses as Python values."""

import imaplib
import os
import smtplib
import ssl

ANNA, BEN, PASSWORD = (os.environ[name] for name in ("ANNA", "BEN", "PASSWORD"))

# EXPUNGE of 10,000 and the like make long answers; imaplib's own limit is for bad servers.
imaplib._MAXLINE = 10_000_000


def smtp():
    return smtplib.SMTP("127.0.0.1", int(os.environ["MX"]), local_hostname="away.test", timeout=30)


def imap(user=ANNA, folder=None, tls=False):
    if tls:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        session = imaplib.IMAP4_SSL("127.0.0.1", int(os.environ["IMAPS"]), ssl_context=context, timeout=30)
    else:
        session = imaplib.IMAP4("127.0.0.1", int(os.environ["IMAP"]), timeout=30)
    session.login(user, PASSWORD)
    if folder:
        ok(session.select(folder))
    return session


def ok(answer):
    kind, values = answer
    assert kind == "OK", answer
    return values


def no(answer, code=""):
    kind, values = answer
    assert kind == "NO", answer
    assert code.encode() in values[0], (code, values)


def refused(call, *arguments):
    """A command that imaplib takes as an exception: BAD, or NO where it raises."""
    try:
        kind, values = call(*arguments)
    except imaplib.IMAP4.error as error:
        return str(error)
    assert kind != "OK", values
    return str(values)


class Atom(str):
    """A word that stood there without quotes."""


def parse(octets):
    """A response line, literals in place, as lists, bytes (strings), Atoms, None (NIL)."""
    at = 0

    def value():
        nonlocal at
        c = octets[at:at + 1]
        if c == b"(":
            at += 1
            items = []
            while octets[at:at + 1] != b")":
                assert at < len(octets), octets
                if octets[at:at + 1] == b" ":
                    at += 1
                else:
                    items.append(value())
            at += 1
            return items
        if c == b'"':
            at += 1
            text = bytearray()
            while octets[at] != 0x22:
                if octets[at] == 0x5C:
                    at += 1
                assert octets[at] not in (10, 13), "a line end in a quoted string"
                text.append(octets[at])
                at += 1
            at += 1
            return bytes(text)
        if c == b"{":
            end = octets.index(b"}\r\n", at)
            length = int(octets[at + 1:end])
            start = end + 3
            at = start + length
            return octets[start:at]
        start, depth = at, 0
        while at < len(octets):
            c = octets[at:at + 1]
            if c == b"[":
                depth += 1
            elif c == b"]":
                depth -= 1
            elif depth == 0 and c in (b" ", b"(", b")"):
                break
            at += 1
        word = octets[start:at].decode()
        return None if word.upper() == "NIL" else Atom(word)

    items = []
    while at < len(octets):
        if octets[at:at + 1] == b" ":
            at += 1
        else:
            items.append(value())
    return items


def fetch(session, numbers, items, uid=False):
    """FETCH; {message number or UID: {ITEM: value}}."""
    answer = session.uid("FETCH", numbers, items) if uid else session.fetch(numbers, items)
    found = {}
    text = b""
    for part in ok(answer):
        if part is None:
            continue
        if isinstance(part, tuple):
            text += part[0] + b"\r\n" + part[1]
            continue
        text += part
        number, pairs = parse(text)
        text = b""
        row = {str(name).upper(): value for name, value in zip(pairs[::2], pairs[1::2])}
        found[int(row["UID"]) if uid else int(number)] = row
    return found
