"""A password prompt in a terminal: a signal does not leave the terminal silent."""

import os
import pty
import signal
import sys
import termios
import time


def shows(terminal):
    return bool(termios.tcgetattr(terminal)[3] & termios.ECHO)


def until(terminal, shown):
    for _ in range(1000):
        if shows(terminal) == shown:
            return
        time.sleep(0.01)
    raise AssertionError(f"the terminal shows what is typed: {not shown}")


def begin():
    ours, terminal = pty.openpty()
    child = os.fork()
    if child == 0:
        os.setsid()
        # The first terminal that a session's leader opens is its own.
        own = os.open(os.ttyname(terminal), os.O_RDWR)
        for number in range(3):
            os.dup2(own, number)
        os.execv(sys.argv[1], sys.argv[1:])
    assert shows(terminal)
    until(terminal, False)
    return ours, terminal, child


for how, number in [
    ("\x03", signal.SIGINT),
    (None, signal.SIGTERM),
    (None, signal.SIGHUP),
]:
    ours, terminal, child = begin()
    if how:
        os.write(ours, how.encode())
    else:
        os.kill(child, number)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) in (128 + number, -number), status
    assert shows(terminal), f"silent after {number}"

# Ctrl-Z, and back.
ours, terminal, child = begin()
os.write(ours, b"\x1a")
_, status = os.waitpid(child, os.WUNTRACED)
assert os.WIFSTOPPED(status)
assert shows(terminal), "silent while it is stopped"
os.kill(child, signal.SIGCONT)
until(terminal, False)
# To its end.
for _ in range(2):
    os.write(ours, b"Another-horse-8\n")
_, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == 0, os.read(ours, 4096)
assert shows(terminal)
print("done")
