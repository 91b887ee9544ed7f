"""relay.py ADDRESS COUNT: asks the MX there to relay, COUNT times and in every form; counts its answers."""

import socket
import sys

address, count = sys.argv[1], int(sys.argv[2])

FORMS = [
    "x{n}@elsewhere.test",
    "x{n}%elsewhere.test@home.test",
    "x{n}%elsewhere.test@localhost",
    "elsewhere.test!x{n}@home.test",
    "home.test!elsewhere.test!x{n}@localhost",
    '"x{n}@elsewhere.test"@home.test',
    '"x{n}%elsewhere.test"@home.test',
    "x{n}@elsewhere.test@home.test",
    "@home.test:x{n}@elsewhere.test",
    "@home.test,@mx.home.test:x{n}@elsewhere.test",
    "@elsewhere.test:x{n}%elsewhere.test@home.test",
    "x{n}@[192.0.2.1]",
    "x{n}@[127.0.0.1]",
    "x{n}@[IPv6:2001:db8::1]",
    "x{n}@home.test.elsewhere.test",
    "x{n}@elsewhere.test.",
    "x{n}%third.test@old.home.test",
    "third.test!x{n}@old.home.test",
    '"x{n}@third.test"@old.home.test',
]
SENDERS = ["<>", "<anna@home.test>", "<you@away.test>", "<root@localhost>"]
# Twenty errors end a connection (SR-24).
EACH = 15


def answers(stream, number):
    """The codes of so many replies."""
    codes = []
    while len(codes) < number:
        line = stream.readline()
        if not line:
            raise SystemExit(f"the connection ended after {codes}")
        if line[3:4] != b"-":
            codes.append(line[:3].decode())
            if codes[-1] in ("421",):
                raise SystemExit(line)
    return codes


refused = taken = tried = 0
connections = 0
while tried < count:
    batch = min(EACH, count - tried)
    with socket.create_connection((address, 25), timeout=30) as peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream = peer.makefile("rb")
        answers(stream, 1)
        peer.sendall(b"EHLO away.test\r\n")
        answers(stream, 1)
        sender = SENDERS[connections % len(SENDERS)]
        lines = [f"MAIL FROM:{sender}\r\n"]
        for n in range(tried, tried + batch):
            lines.append("RCPT TO:<%s>\r\n" % FORMS[n % len(FORMS)].format(n=n))
        peer.sendall("".join(lines).encode())
        codes = answers(stream, len(lines))[1:]
        refused += sum(code[0] in "45" for code in codes)
        taken += sum(code[0] not in "45" for code in codes)
        peer.sendall(b"QUIT\r\n")
    tried += batch
    connections += 1
print(f"{refused} refused, {taken} taken")
