"""Children with one fault each, to prove that the harness notices it: `fake_child.py FAULT [ARGUMENT]`."""

import array
import fcntl
import os
import signal
import sys
import termios
import time


def copy():
    while data := os.read(0, 65536):
        while data:
            data = data[os.write(1, data) :]


def drain():
    left = array.array("i", [1])
    while left[0]:
        fcntl.ioctl(1, termios.FIONREAD, left)
        time.sleep(0.002)
    os.close(1)
    time.sleep(0.02)


def swallow():
    while os.read(0, 65536):
        pass


def results(count):
    os.set_blocking(1, True)
    data = b"".join(b"result,g=%06d v=1i 1\n" % i for i in range(count))
    while data:
        data = data[os.write(1, data[:4096]) :]


def good(_):
    copy()
    drain()


def good_results(count):
    swallow()
    results(int(count))
    drain()


def exits_at_once(count):
    swallow()
    results(int(count))
    os._exit(0)


def deaf(after_bytes):
    left = int(after_bytes)
    while left > 0:
        left -= len(os.read(0, min(left, 65536)))
    time.sleep(60)


def half_line(_):
    swallow()
    os.write(1, b"whole v=1i 1\nhalf v=")
    drain()


def ignores_eof(_):
    swallow()
    time.sleep(60)


def ignores_sigterm(_):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    ignores_eof(_)


def talks_without_prefix(_):
    os.write(2, b"E! an error\nW! a warning\nplain\n\nE!nospace\n")
    good(_)


def long_stderr_line(_):
    os.write(2, b"E! before\n" + b"x" * 65536 + b"\nE! after\n")
    good(_)


def talks_a_lot(count):
    for i in range(int(count)):
        os.write(2, b"E! message number %06d ................................................\n" % i)
    good(count)


def crashes(code):
    os.read(0, 1)
    os._exit(int(code))


if __name__ == "__main__":
    globals()[sys.argv[1]](sys.argv[2] if len(sys.argv) > 2 else None)
