"""Verifies every signature of every message of a folder with dkimpy; keys come from the file `zone`."""

import os
import sys

sys.path.insert(0, os.environ["PACKAGES"])
import dkim

folder = sys.argv[1]
with open(os.path.join(folder, "zone")) as file:
    zone = dict(line.rstrip("\n").split("\t") for line in file)


def record(name, timeout=5):
    name = name.decode() if isinstance(name, bytes) else name
    return zone[name.rstrip(".")].encode()


verified = 0
for name in sorted(os.listdir(folder)):
    if not name.endswith(".eml"):
        continue
    with open(os.path.join(folder, name), "rb") as file:
        message = file.read()
    for number, algorithm in enumerate([b"rsa-sha256", b"ed25519-sha256"]):
        one = dkim.DKIM(message)
        assert one.verify(idx=number, dnsfunc=record), f"{name}: signature {number}"
        assert one.signature_fields[b"a"] == algorithm
        assert one.domain == b"home.test"
        verified += 1
        for changed in [b"X" + message[message.index(b"\r\n\r\n") + 4 :], None]:
            if changed is None:
                # A second author, where readers look first.
                other = b"From: eve@evil.test\r\n" + message
            else:
                end = message.index(b"\r\n\r\n") + 4
                other = message[:end] + changed
            try:
                ok = dkim.DKIM(other).verify(idx=number, dnsfunc=record)
            except dkim.DKIMException:
                ok = False
            assert not ok, f"{name}: a changed message passes"
print(f"{verified} verified")
