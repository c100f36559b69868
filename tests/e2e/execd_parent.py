"""Telegraf's side of an execd plugin, without Telegraf: what its `processors.execd` and `internal/process` do to a child.

* One write(2) for each metric, to a pipe of 64 KiB; a child that does not read blocks the writer (here: StdinStuck after a while).
* Another thread reads stdout, in reads of 1024 bytes that double where a record does not fit, and may take its time over each metric.
* A third reads stderr with the limit of Go's bufio.Scanner: after a line of 64 KiB it reads no more, for good.
* Stop: stdin is closed; SIGTERM 5 s later; SIGKILL 5 s after that.
* The moment the child has exited, the read ends are closed. What is in the pipe then is lost: `lost_bytes` says how much.

Kept in one process and three threads, like the original; the reads are raw so that what arrives is known byte for byte.
"""

import array
import fcntl
import os
import select
import signal
import subprocess
import sys
import termios
import threading
import time
from dataclasses import dataclass, field

from settings import STARTED

PIPE_BYTES = 64 * 1024
FIRST_READ_BYTES = 1024
SCANNER_TOKEN_BYTES_MAX = 64 * 1024
LEVELS = {b"E! ": "error", b"W! ": "warning", b"I! ": "info", b"D! ": "debug", b"T! ": "trace"}

# The exit of the child must reach the waiting thread soon, also while a reader is busy.
sys.setswitchinterval(0.0005)


class StdinStuck(Exception):
    """The child does not read its stdin: the real Telegraf would hang here for good."""


@dataclass
class Exit:
    """How a life of the child ended."""

    code: int  # negative: killed by that signal
    seconds: float  # from the closing of stdin (or from start, where it left of itself)
    lost_bytes: int  # in the stdout pipe when it was closed
    signals: list = field(default_factory=list)  # that the parent had to send


def pipe():
    read_end, write_end = os.pipe()
    fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    return read_end, write_end


def bytes_in_pipe(fd):
    count = array.array("i", [0])
    fcntl.ioctl(fd, termios.FIONREAD, count)
    return count[0]


class PipeReader:
    """Reads one pipe in a thread until its end, or until close(), which loses what is still in it."""

    def __init__(self, fd):
        os.set_blocking(fd, False)
        self.fd = fd
        self.open = True
        self.lost_bytes = 0
        self.error = None
        self._lock = threading.Lock()
        self._go = threading.Event()
        self._go.set()
        self._thread = threading.Thread(target=self._guard, daemon=True)

    def start(self):
        self._thread.start()

    def pause(self):
        self._go.clear()

    def resume(self):
        self._go.set()

    def close(self):
        with self._lock:
            if not self.open:
                return
            self.lost_bytes = bytes_in_pipe(self.fd)
            self.open = False
            os.close(self.fd)
        self.resume()

    def join(self):
        if self._thread.ident:
            self._thread.join()

    def _guard(self):
        try:
            self.run()
        except Exception as error:  # a fault of the harness must fail the test, not vanish with the thread
            self.error = error

    def _read(self, bytes_max):
        """The next bytes; b"" at the end of the pipe or after close()."""
        while True:
            self._go.wait()
            with self._lock:
                if not self.open:
                    return b""
                if self._go.is_set():
                    try:
                        return os.read(self.fd, bytes_max)
                    except BlockingIOError:
                        pass
            # Outside the lock, so that close() is never held up; a closed descriptor is noticed above.
            try:
                select.select([self.fd], [], [], 0.05)
            except (OSError, ValueError):
                pass


class StdoutReader(PipeReader):
    """Telegraf's stream parser, as far as time goes: each metric that was read costs `delay_s`."""

    def __init__(self, fd, sink, delay_s):
        super().__init__(fd)
        self.sink = sink
        self.delay_s = delay_s

    def run(self):
        bytes_max, owed_s, pending = FIRST_READ_BYTES, 0.0, 0
        while data := self._read(bytes_max):
            self.sink += data
            end = data.rfind(b"\n")
            pending = pending + len(data) if end < 0 else len(data) - end - 1
            while pending >= bytes_max:
                bytes_max *= 2
            if self.delay_s:
                owed_s = self._delay(owed_s + data.count(b"\n") * self.delay_s)

    def _delay(self, owed_s):
        """Sleeps off what is owed; what the system oversleeps is carried over, so that the average is right."""
        if owed_s <= 0:
            return owed_s
        begin = time.monotonic()
        time.sleep(owed_s)
        return owed_s - (time.monotonic() - begin)


class StderrReader(PipeReader):
    """(level, text) of each line; level "?" where no prefix says it, which Telegraf logs as an error."""

    def __init__(self, fd, sink):
        super().__init__(fd)
        self.sink = sink
        self.too_long = False

    def run(self):
        buffer = b""
        while data := self._read(SCANNER_TOKEN_BYTES_MAX):
            if self.too_long:
                return
            *lines, buffer = (buffer + data).split(b"\n")
            for line in lines:
                self._line(line)
            if len(buffer) >= SCANNER_TOKEN_BYTES_MAX:
                self.too_long = True
            if self.too_long:
                return  # the pipe stays open and nobody reads it
        if buffer:
            self._line(buffer)

    def _line(self, line):
        if self.too_long or len(line) >= SCANNER_TOKEN_BYTES_MAX:
            self.too_long = True
            return
        level = LEVELS.get(line[:3])
        text = line[3:] if level else line
        self.sink.append((level or "?", text.decode("utf-8", "replace")))


class ExecdParent:
    """Runs a child as Telegraf does. One thread may use it.

    delay_s: what each metric costs the reader of stdout. read_stdout, read_stderr: False never reads that pipe.
    term_after_s, kill_after_s: counted from the closing of stdin; the self-tests shorten them.
    """

    def __init__(self, argv, *, delay_s=0.0, read_stdout=True, read_stderr=True, env=None, cwd=None, term_after_s=5.0, kill_after_s=10.0):
        self.argv = [str(arg) for arg in argv]
        self.delay_s, self.read_stdout, self.read_stderr = delay_s, read_stdout, read_stderr
        self.env, self.cwd = env, cwd
        self.term_after_s, self.kill_after_s = term_after_s, kill_after_s
        self.stdout = bytearray()  # of all lives
        self.log = []  # (level, text), of all lives
        self.dropped_metrics = 0  # could not be written, since the child was dead
        self.slowest_write_s = 0.0
        self.exits = []
        self._signals = []
        self._stdin = None
        self._process = None

    # A life.

    def start(self):
        stdin, self._stdin = pipe()
        stdout, child_stdout = pipe()
        stderr, child_stderr = pipe()
        os.set_blocking(self._stdin, False)
        self._started = time.monotonic()
        self._signals = []
        self._process = subprocess.Popen(
            self.argv, stdin=stdin, stdout=child_stdout, stderr=child_stderr, env=self.env, cwd=self.cwd
        )
        STARTED.append(self._process)
        for fd in (stdin, child_stdout, child_stderr):
            os.close(fd)
        self._stdout_reader = StdoutReader(stdout, self.stdout, self.delay_s)
        self._stderr_reader = StderrReader(stderr, self.log)
        if self.read_stdout:
            self._stdout_reader.start()
        if self.read_stderr:
            self._stderr_reader.start()
        self._waiter = threading.Thread(target=self._wait, daemon=True)
        self._waiter.start()
        return self

    def _wait(self):
        self._process.wait()
        self._stdout_reader.close()  # at once: this is the race that a careless child loses
        self._stderr_reader.close()

    @property
    def pid(self):
        return self._process.pid

    @property
    def running(self):
        return self._waiter is not None and self._waiter.is_alive()

    def write(self, metric, timeout_s=10.0):
        """One write(2), or as many as the pipe takes for a metric above 64 KiB. False: the child is dead, the metric is dropped."""
        begin, rest = time.monotonic(), memoryview(metric)
        try:
            while True:
                try:
                    rest = rest[os.write(self._stdin, rest) :]
                    if not rest:
                        return True
                except BlockingIOError:
                    left_s = begin + timeout_s - time.monotonic()
                    if left_s <= 0 or not select.select([], [self._stdin], [], left_s)[1]:
                        raise StdinStuck(f"the child took no input for {timeout_s} s") from None
        except BrokenPipeError:
            self.dropped_metrics += 1
            return False
        finally:
            self.slowest_write_s = max(self.slowest_write_s, time.monotonic() - begin)

    def write_all(self, metrics):
        for metric in metrics:
            self.write(metric)

    def pause_stdout(self):
        self._stdout_reader.pause()

    def resume_stdout(self):
        self._stdout_reader.resume()

    def signal(self, number):
        self._process.send_signal(number)

    def close_stdin(self):
        if self._stdin is not None:
            os.close(self._stdin)
            self._stdin = None

    def die(self):
        """Telegraf is killed: all its ends of the pipes close at once."""
        self._stdout_reader.close()
        self._stderr_reader.close()
        self.close_stdin()

    def wait(self, timeout_s):
        """Waits for the child to leave of itself. None: it did not."""
        self._waiter.join(timeout_s)
        return None if self._waiter.is_alive() else self._finish(self._started)

    def stop(self):
        """Closes stdin and waits, with the signals of Telegraf. Returns the Exit."""
        begin = time.monotonic()
        self.close_stdin()
        for number, after_s in ((signal.SIGTERM, self.term_after_s), (signal.SIGKILL, self.kill_after_s)):
            self._waiter.join(max(0.0, begin + after_s - time.monotonic()))
            if not self._waiter.is_alive():
                break
            self._signals.append(number)
            self.signal(number)
        self._waiter.join()
        return self._finish(begin)

    def _finish(self, begin):
        seconds = time.monotonic() - begin
        self.close_stdin()
        for reader in (self._stdout_reader, self._stderr_reader):
            reader.resume()
            reader.join()
            if reader.error:
                raise reader.error
        self.exits.append(Exit(self._process.returncode, seconds, self._stdout_reader.lost_bytes, self._signals))
        return self.exits[-1]

    def restart(self):
        """What Telegraf does `restart_delay` after the child has died."""
        assert not self.running
        return self.start()

    # What came out.

    @property
    def stderr_given_up(self):
        return self._stderr_reader.too_long

    def cut_off(self):
        """Bytes behind the last newline: Telegraf would take them for a metric."""
        return bytes(self.stdout[self.stdout.rfind(b"\n") + 1 :])

    def errors(self):
        return [text for level, text in self.log if level in ("error", "?")]
