"""What the tests of `limpet aggregate` share: starting it below the stand-in parent, its ledger, its listener.

Every Limpet that a test starts is judged when the test ends: its ledger balances, it left with 0, what it wrote is whole lines, what it
said on stderr has a level. A test that breaks one of these on purpose says so (`judge = False`).
"""

import gzip
import http.client
import json
import os
import shutil
import socket
import tempfile
import time
import unittest
import urllib.parse
from pathlib import Path

from execd_parent import ExecdParent
from lineproto import parse_all
from settings import limpet as limpet_path

LOG_LINE_BYTES_MAX = 8 * 1024
RESULT_BYTES_MAX = 60 * 1024


def now_ns():
    return time.time_ns()


def eventually(condition, timeout_s=10.0, every_s=0.02):
    """The first true value of condition() within the time, else its last one."""
    deadline = time.monotonic() + timeout_s
    while not (value := condition()) and time.monotonic() < deadline:
        time.sleep(every_s)
    return value


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def resident_bytes(pid, which="VmRSS"):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(which + ":"):
            return int(line.split()[1]) * 1024
    return 0


class Limpet(ExecdParent):
    """`limpet aggregate` as a child. rules: text of one rules file, or {name: text}. args: further flags.

    http: opens a listener on a free port.
    """

    def __init__(self, directory, rules, *, args=(), http=False, subcommand=("aggregate",), **options):
        self.directory = Path(directory)
        self.rules_directory = self.directory / "rules"
        self.rules_directory.mkdir(parents=True, exist_ok=True)
        self.write_rules(rules)
        self.stats_file = self.directory / "stats.json"
        self.judge = True
        self.port = free_port() if http else None
        argv = [limpet_path(), *subcommand, "--rules", self.rules_directory / "*.toml", "--stats_file", self.stats_file]
        argv += ["--listen.http", f"127.0.0.1:{self.port}"] if http else []
        super().__init__(argv + list(args), **options)

    def write_rules(self, rules):
        for name, text in (rules if isinstance(rules, dict) else {"rules.toml": rules}).items():
            temporary = self.rules_directory / f".{name}.new"
            temporary.write_text(text)
            os.replace(temporary, self.rules_directory / name)

    # What it wrote.

    def lines(self):
        return parse_all(self.stdout[: self.stdout.rfind(b"\n") + 1])

    def results(self, name=None):
        return [line for line in self.lines() if name is None or line.name == name]

    def final_ledger(self):
        return json.loads(self.stats_file.read_text())

    # Its listener.

    def wait_listening(self):
        def answers():
            try:
                return self.request("GET", "/healthz")[0] == 200
            except OSError:
                return False

        assert eventually(answers, 15), "the listener did not answer"

    def request(self, method, path, body=None, headers=None, timeout_s=30):
        """(status, headers, body). A server may answer and close before it has read the whole body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        try:
            try:
                connection.request(method, path, body, headers or {})
            except (BrokenPipeError, ConnectionResetError):
                connection.sock = connection.sock or None
            answer = connection.getresponse()
            return answer.status, dict(answer.headers), answer.read()
        finally:
            connection.close()

    def post(self, lines, path="/api/v2/write", query=None, compress=False, **options):
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        if compress:
            lines, headers["Content-Encoding"] = gzip.compress(lines), "gzip"
        query = {"org": "o", "bucket": "b", **(query or {})}
        return self.request("POST", path + "?" + urllib.parse.urlencode(query), lines, headers, **options)

    def status(self):
        code, _, body = self.request("GET", "/api/status")
        assert code == 200, (code, body)
        return json.loads(body)

    def ledger(self):
        return self.status()["ledger"]

    def status_number(self, name):
        """A number of /api/status, wherever it stands."""

        def find(node):
            if isinstance(node, dict):
                return node[name] if name in node else next((found for each in node.values() if (found := find(each)) is not None), None)

        return find(self.status())

    def wait_read(self, lines, timeout_s=20):
        """Waits until that many lines were read, over the listener's status."""
        if not eventually(lambda: self.ledger()["lines"]["read"] >= lines, timeout_s):
            raise AssertionError(f"{self.ledger()['lines']} after {timeout_s} s, not {lines} lines")


def imbalance(ledger):
    """What does not add up in a ledger; empty: all does."""
    lines, wrong = ledger["lines"], []
    fates = sum(lines["bad"].values()) + lines["unowned"] + lines["written_back"] + lines["original_dropped"] + lines["shed"]
    if lines["read"] != fates:
        wrong.append(f"lines: {lines}")
    for name, rule in ledger["rules"].items():
        if rule["seen"] != rule["aggregated"] + rule["forwarded"] + sum(rule["dropped"].values()):
            wrong.append(f"rule {name}: {rule}")
    return wrong


class DirectoryCase(unittest.TestCase):
    """A test with a directory of its own."""

    def setUp(self):
        self.directory = Path(tempfile.mkdtemp(prefix="limpet-e2e-"))
        self.addCleanup(shutil.rmtree, self.directory, True)

    def file(self, name, text):
        (self.directory / name).write_text(text)
        return self.directory / name


class LimpetCase(unittest.TestCase):
    maxDiff = 4000

    def setUp(self):
        self.directory = Path(tempfile.mkdtemp(prefix="limpet-e2e-"))
        self.started = []
        self.addCleanup(shutil.rmtree, self.directory, True)
        self.addCleanup(self._judge_all)

    def limpet(self, rules="", **options):
        """Starts one; the test or its end stops it."""
        child = Limpet(self.directory / f"limpet-{len(self.started)}", rules, **options)
        self.started.append(child)
        return child.start()

    def _judge_all(self):
        for child in self.started:
            if child.running:
                child.stop()
            elif not child.exits:
                child.wait(5)
        for child in self.started:
            if child.judge:
                self.judge(child)

    def judge(self, child):
        end = child.exits[-1]
        said = "\n".join(f"{level}: {text[:300]}" for level, text in child.log[-20:])
        self.assertEqual(end.code, 0, f"left with {end}; it said:\n{said}")
        self.assertEqual(imbalance(child.final_ledger()), [])
        self.assertEqual([text for level, text in child.log if level == "?"], [], "stderr lines without a level")
        self.assertFalse(child.stderr_given_up)
        self.assertLess(max((len(text) for _, text in child.log), default=0), LOG_LINE_BYTES_MAX)
        if child.read_stdout and not end.lost_bytes:
            self.assertEqual(child.cut_off(), b"", "half a line at the end of stdout")

    def assert_clean(self, end):
        """Left of itself, with everything read."""
        self.assertEqual((end.code, end.lost_bytes, end.signals), (0, 0, []))

    def assert_error_says(self, child, *words):
        self.assertTrue(
            eventually(lambda: any(all(word in text for word in words) for text in child.errors()), 5),
            f"no error on stderr with {words}: {child.log}",
        )


def count_rule(*, name="count", namepass="m", period="1h", fields='v = ["count"]', more=""):
    """A rule that keeps the tag g of lines of `namepass` and drops the lines."""
    return (
        f'[[rule]]\nname = "{name}"\nnamepass = ["{namepass}"]\nby = ["g"]\nperiod = "{period}"\ndrop_original = true\n{more}\n'
        f"  [rule.fields]\n  {fields}\n\n"
    )
