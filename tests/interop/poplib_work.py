"""poplib_work.py POP3 POP3S USER PASSWORD: a day's work with Python's poplib."""

import poplib
import ssl
import sys

pop3, pop3s = int(sys.argv[1]), int(sys.argv[2])
user, password = sys.argv[3:5]
context = ssl._create_unverified_context()


def tls():
    return poplib.POP3_SSL("127.0.0.1", pop3s, timeout=30, context=context)


def refused(call, *arguments):
    try:
        call(*arguments)
    except poplib.error_proto as error:
        return str(error)
    raise AssertionError(f"{call} {arguments} is not refused")


# STLS, and what is told before and after it.
box = poplib.POP3("127.0.0.1", pop3, timeout=30)
assert "STLS" in box.capa()
box.stls(context=context)
capabilities = box.capa()
assert "STLS" not in capabilities and capabilities["UTF8"] == ["USER"], capabilities
assert capabilities["EXPIRE"] == ["NEVER"] and "PLAIN" in capabilities["SASL"], capabilities
assert "[AUTH]" in refused(lambda: (box.user(user), box.pass_("wrong")))
box.utf8()
box.user(user)
box.pass_(password)

# One at a time.
second = tls()
second.user(user)
assert "[IN-USE]" in refused(second.pass_, password)

count, octets = box.stat()
assert count == 501, count
_, sizes, _ = box.list()
_, names, _ = box.uidl()
assert len(sizes) == len(names) == 501
sizes = [int(line.split()[1]) for line in sizes]
assert sum(sizes) == octets
names = [line.split()[1] for line in names]
assert len(set(names)) == 501 and all(len(name) <= 70 for name in names)

for number in range(1, 502):
    _, lines, _ = box.retr(number)
    got = sum(len(line) + 2 for line in lines)
    assert got == sizes[number - 1], (number, got, sizes[number - 1])
    if number <= 500:
        assert lines == [f"Subject: {number}".encode(), b"", f".{number}".encode()], lines
    else:
        assert lines.count(b".0123456789abcdef") == 20_000
_, lines, _ = box.top(501, 3)
assert lines[-5:-3] == [b"Subject: long", b""] and lines[-1] == b".0123456789abcdef", lines
assert box.uidl(7).split()[2] == names[6]
assert box.list(7).split()[2] == str(sizes[6]).encode()
refused(box.retr, 502)
refused(box.dele, 0)

# A session that breaks deletes nothing.
box.dele(1)
box.close()
for _ in range(100):
    try:
        second.user(user)
        second.pass_(password)
        break
    except poplib.error_proto as error:
        assert "[IN-USE]" in str(error), error
        second = tls() if "too many" in str(error) else second
assert second.stat() == (501, octets)
second.dele(1)
second.rset()
second.noop()
for number in range(1, 502):
    if number % 10 or number > 500:
        second.dele(number)
assert second.stat()[0] == 50
second.quit()

last = tls()
last.user(user)
last.pass_(password)
assert [line.split()[1] for line in last.uidl()[1]] == names[9:500:10]
last.quit()
print("done")
