#!/usr/bin/env python3
"""Runs the end-to-end tests: whole processes, real pipes and sockets, and the real Telegraf where it is to be had.

    tests/e2e/run                       all tests; repeated ones with a few runs each
    tests/e2e/run --full                the repeated ones with all their runs
    tests/e2e/run -k stop -k TestPace   tests whose name (module.Class.test) holds one of the words

Prints each test as it ends, with what it printed itself (figures), then the failures, then `N passed, N failed, N skipped`. Each class of
tests runs in a process of its own.
"""

import argparse
import ctypes
import json
import os
import signal
import subprocess
import sys
import time
import unittest
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import settings  # noqa: E402

CLASS_SECONDS_MAX = 1800
PR_SET_PDEATHSIG = 1


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-k", dest="words", action="append", default=[], metavar="WORD", help="only tests whose name holds WORD")
    parser.add_argument("--full", action="store_true", help="every run of the repeated tests")
    parser.add_argument("-j", dest="jobs", type=int, default=5, help="test classes at the same time (5; they mostly wait)")
    parser.add_argument("--limpet", help="the executable under test (LIMPET, or the newest of build/*/limpet)")
    parser.add_argument("--telegraf", help="Telegraf (TELEGRAF, the PATH, build/tools/telegraf)")
    parser.add_argument("--list", action="store_true", help="print the tests and stop")
    parser.add_argument("--class", dest="one_class", help=argparse.SUPPRESS)
    return parser.parse_args()


def find_limpet(named):
    if named or os.environ.get("LIMPET"):
        return Path(named or os.environ["LIMPET"]).resolve()
    builds = sorted(HERE.parent.parent.glob("build/*/limpet"), key=lambda path: path.stat().st_mtime)
    return builds[-1] if builds else None


def tests_of(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from tests_of(test)
        else:
            yield test


def discover(words):
    """{class name: [tests]} of the tests that are wanted."""
    classes = {}
    for test in tests_of(unittest.TestLoader().discover(str(HERE), pattern="test_*.py", top_level_dir=str(HERE))):
        if isinstance(test, unittest.loader._FailedTest):
            raise test._exception
        if not words or any(word in test.id() for word in words):
            classes.setdefault(test.id().rsplit(".", 1)[0], []).append(test)
    return classes


class JsonResult(unittest.TestResult):
    """One line of JSON for each test that ends; the last word on a test wins, so that a failing cleanup counts."""

    def startTest(self, test):
        super().startTest(test)
        self.begin, self.outcome, self.details = time.monotonic(), "passed", ""

    def stopTest(self, test):
        record = {"test": test.id(), "outcome": self.outcome, "details": self.details, "seconds": time.monotonic() - self.begin}
        print(json.dumps(record), flush=True)

    def _failed(self, error, test):
        self.outcome, self.details = "failed", self.details + self._exc_info_to_string(error, test)

    def addError(self, test, error):
        if not hasattr(self, "begin"):  # setUpClass
            print(json.dumps({"test": str(test), "outcome": "failed", "details": self._exc_info_to_string(error, test), "seconds": 0}))
            return
        self._failed(error, test)

    def addFailure(self, test, error):
        self._failed(error, test)

    def addSubTest(self, test, subtest, error):
        if error:
            self.details += f"{subtest}\n"
            self._failed(error, test)

    def addSkip(self, test, reason):
        if not hasattr(self, "begin"):
            print(json.dumps({"test": str(test), "outcome": "skipped", "details": reason, "seconds": 0}))
        else:
            self.outcome, self.details = "skipped", reason


def end_with_parent():
    """SIGTERM when the runner is gone, and then nothing that a test has started stays behind."""

    def end(*_):
        for process in settings.STARTED:
            if process.poll() is None:
                process.kill()
        os._exit(1)

    signal.signal(signal.SIGTERM, end)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def run_class(name, words):
    """In the process of one class."""
    end_with_parent()
    result = JsonResult()
    unittest.TestSuite(discover(words)[name]).run(result)


def spawn(name, options, environment):
    """Runs a class in a process of its own; yields its records."""
    argv = [sys.executable, __file__, "--class", name] + [word for each in options.words for word in ("-k", each)]
    try:
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=CLASS_SECONDS_MAX, check=False)
        output, error = done.stdout, done.stderr if done.returncode else None
    except subprocess.TimeoutExpired as expired:
        output, error = (expired.stdout or b"").decode(), f"did not end within {CLASS_SECONDS_MAX} s"
    records, figures = [], []
    for line in output.splitlines():
        if line.startswith('{"test"'):
            records.append({**json.loads(line), "figures": figures})
            figures = []
        else:
            figures.append(line)
    if error:
        records.append({"test": name, "outcome": "failed", "details": error, "seconds": 0})
    return records


def run_all(options):
    classes = discover(options.words)
    environment = dict(os.environ, LIMPET=str(find_limpet(options.limpet) or ""))
    if options.telegraf:
        environment["TELEGRAF"] = options.telegraf
    if options.full:
        environment["LIMPET_E2E_FULL"] = "1"
    records, begin = [], time.monotonic()
    with ThreadPoolExecutor(options.jobs) as pool:
        # Those that say that they take long begin first, so that nobody waits for them at the end.
        order = sorted(classes, key=lambda name: not getattr(type(classes[name][0]), "TAKES_LONG", False))
        for future in as_completed([pool.submit(spawn, name, options, environment) for name in order]):
            for record in future.result():
                records.append(record)
                why = f"  ({record['details']})" if record["outcome"] == "skipped" else ""
                figures = "".join(f"\n{'':18}{line}" for line in record.get("figures", []))
                print(f"{record['outcome']:8}{record['seconds']:7.1f} s  {record['test']}{why}{figures}", flush=True)
    for record in records:
        if record["outcome"] == "failed":
            print(f"\nFAILED {record['test']}\n{record['details']}")
    print("".join(f"\nfailed: {record['test']}" for record in records if record["outcome"] == "failed"))
    counts = {outcome: sum(record["outcome"] == outcome for record in records) for outcome in ("passed", "failed", "skipped")}
    print(f"\n{time.monotonic() - begin:.0f} s")
    print(", ".join(f"{count} {outcome}" for outcome, count in counts.items()))
    return 1 if counts["failed"] or not counts["passed"] else 0


def main():
    options = arguments()
    if options.one_class:
        return run_class(options.one_class, options.words)
    if options.list:
        for tests in discover(options.words).values():
            print("\n".join(test.id() for test in tests))
        return 0
    limpet = find_limpet(options.limpet)
    if not limpet or not os.access(limpet, os.X_OK):
        print(f"tests/e2e/run: no executable {limpet or 'build/*/limpet'}: build it, or name it with --limpet", file=sys.stderr)
        return 2
    print(f"limpet: {limpet}")
    return run_all(options)


if __name__ == "__main__":
    sys.exit(main())
