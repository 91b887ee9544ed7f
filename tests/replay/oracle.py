"""Says as JSON what Python's email makes of messages: those of the folder in argv[1], and as many made-up ones as argv[2] says."""

import base64
import email
import email.header
import email.headerregistry
import email.policy
import email.utils
import json
import os
import random
import sys
from email.message import EmailMessage, MIMEPart

WORDS = ["Hello", "Grüße", "日本", "a", "=?", "O'Neill", "x" * 70, "\"quoted\"", "back\\slash", "(no comment)", "Ω", "B., A", "ship-to:", "<>", "e@mail", "😀", "1/2"]
NAMES = ["", "Ann", "Ann B.", "Éva", "List, The", "\"Q\"", "a (b)", "日本 太郎", "d@e", "O'Neill", "Very Long Name " * 6]
LOCALS = ["ann", "a.b", "a+b", "A_B-c", "x!y", "o'neill"]


def text(octets):
    """Words of a field, decoded as the classic interface does it."""
    return str(email.header.make_header(email.header.decode_header(octets.replace("\r", "").replace("\n", "")))) if octets is not None else None


def date(value):
    parsed = email.utils.parsedate_tz(value) if value else None
    return email.utils.mktime_tz(parsed) if parsed else None


def charset(part):
    if part["content-type"] is None and part.get_content_type() == "text/plain":
        return "us-ascii"
    return part.get_param("charset")


def known(name, raw):
    classic = email.message_from_bytes(raw, policy=email.policy.compat32)

    def unfolded(field):
        value = classic[field]
        return None if value is None else str(value).replace("\r", "").replace("\n", "").strip()

    def addresses(field):
        pairs = email.utils.getaddresses([str(v).replace("\r", "").replace("\n", "") for v in classic.get_all(field, [])])
        return [[text(display), address] for display, address in pairs if address]

    return {
        "name": name,
        "raw": base64.b64encode(raw).decode(),
        "subject": text(unfolded("subject")),
        "from": addresses("from"),
        "to": addresses("to"),
        "message_id": unfolded("message-id"),
        "date": date(unfolded("date")),
        "parts": [part.get_content_type() for part in classic.walk()],
        "bodies": [len(part._payload.encode("ascii", "surrogateescape")) for part in classic.walk() if not part.is_multipart()],
        "encodings": [(part["content-transfer-encoding"] or "7bit").lower() for part in classic.walk()],
        "charsets": [charset(part) for part in classic.walk()],
    }


def words(chance):
    return " ".join(chance.choice(WORDS) for _ in range(chance.randint(1, 6)))


def address(chance):
    return email.headerregistry.Address(chance.choice(NAMES).strip(), chance.choice(LOCALS), chance.choice(["home.test", "a.b.test"]))


def fill(part, chance, depth):
    kind = chance.randint(0, 5 if depth else 3)
    if kind < 2:
        cte = chance.choice(["7bit", "quoted-printable", "base64"])
        lines = "\n".join(words(chance) for _ in range(chance.randint(0, 4)))
        part.set_content(lines.encode("ascii", "replace").decode() if cte == "7bit" else lines, subtype=chance.choice(["plain", "html"]), cte=cte)
    elif kind < 4:
        octets = bytes(chance.randrange(256) for _ in range(chance.randint(0, 200)))
        part.set_content(octets, "application", "octet-stream", disposition="attachment", filename=words(chance)[:30])
    elif kind == 4:
        part.set_content(message(chance, depth - 1))
    else:
        part["Content-Type"] = "multipart/" + chance.choice(["mixed", "alternative", "related"])
        part.preamble = chance.choice([None, "preamble\n"])
        part.epilogue = chance.choice([None, "", "epilogue\n"])
        for _ in range(chance.randint(1, 3)):
            child = MIMEPart(policy=email.policy.SMTP)
            fill(child, chance, depth - 1)
            part.attach(child)


def message(chance, depth):
    made = EmailMessage(policy=email.policy.SMTP)
    made["From"] = address(chance)
    made["To"] = [address(chance) for _ in range(chance.randint(1, 5))]
    made["Subject"] = words(chance)
    made["Message-ID"] = f"<{chance.randrange(10**12)}@away.test>"
    made["Date"] = email.utils.format_datetime(email.utils.datetime.datetime.fromtimestamp(chance.randrange(2**31), email.utils.datetime.timezone.utc))
    fill(made, chance, depth)
    return made


def main():
    found = []
    for name in sorted(os.listdir(sys.argv[1])):
        with open(os.path.join(sys.argv[1], name), "rb") as file:
            raw = file.read()
        try:
            found.append(known(name, raw))
        except Exception as error:  # the library gives up on some: the test names them
            found.append({"name": name, "raw": base64.b64encode(raw).decode(), "error": repr(error)})
    for seed in range(int(sys.argv[2])):
        made = message(random.Random(seed), 3)
        # Where it folds a list it loses commas between the addresses.
        policy = email.policy.SMTP if made["to"].count("@home.test") + made["to"].count("@a.b.test") == 1 else email.policy.SMTP.clone(max_line_length=0)
        raw = made.as_bytes(policy=policy)
        found.append(known(f"made-up {seed}", raw))
    json.dump(found, sys.stdout)


main()
