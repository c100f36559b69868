"""scripts/quickstart as a new user runs it: the status page's address comes first and answers, the cluster's results are right, and however
it ends, nothing that it started stays.
"""

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.request
from pathlib import Path

import settings
from limpet_case import eventually

QUICKSTART_S_MAX = 240


def processes_of(directory):
    """Command lines of all processes that name the directory."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = file.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(directory) in text:
            found.append(text)
    return found


class Quickstart:
    """The script, writing to a directory of its own; on a terminal of its own, if it shall have one."""

    def __init__(self, case, terminal=False, directory=None):
        self.directory = directory or Path(tempfile.mkdtemp(prefix="limpet-quickstart-"))
        case.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        argv = [str(settings.ROOT / "scripts/quickstart"), "--no-live", "--limpet", settings.limpet(), "--directory", str(self.directory)]
        self.text, self.terminal = "", None
        if terminal:
            self.terminal, theirs = pty.openpty()
            set_terminal = lambda: os.login_tty(theirs)
            self.process = subprocess.Popen(argv, preexec_fn=set_terminal, pass_fds=[theirs])
            os.close(theirs)
            self.output = self.terminal
        else:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            self.output = self.process.stdout.fileno()
        settings.STARTED.append(self.process)
        case.addCleanup(self.close)
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        try:
            while data := os.read(self.output, 65536):
                self.text += data.decode(errors="replace").replace("\r", "")
        except OSError:  # the terminal's other end is closed
            pass

    def type(self, text):
        os.write(self.terminal, text)

    def wait_says(self, words, timeout_s=QUICKSTART_S_MAX):
        assert eventually(lambda: words in self.text or self.process.poll() is not None, timeout_s) and words in self.text, self.text

    def wait(self):
        code = self.process.wait(QUICKSTART_S_MAX)
        self.reader.join(30)
        return code

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.reader.join(30)
        os.close(self.terminal) if self.terminal else self.process.stdout.close()

    def wait_page(self):
        """The address that it prints before anything else."""
        eventually(lambda: re.search(r"^.*http\S+.*\n", self.text, re.M) or self.process.poll() is not None, 60)
        first = next((line for line in self.text.splitlines() if line.strip()), "")
        found = re.search(r"http://127\.0\.0\.1:\d+/", first)
        assert found, self.text
        return found.group(0)


def get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read()


class QuickstartCase(unittest.TestCase):
    def assert_page(self, quickstart):
        page = quickstart.wait_page()
        self.assertIn(b"<title>Limpet</title>", get(page))
        cluster = json.loads(get(page + "api/cluster"))
        self.assertEqual([(pod["name"], pod["state"]) for pod in cluster["pods"]], [(f"agg-{i}", "ready") for i in range(3)])
        self.assertEqual(cluster["sharder"]["directory"], str(quickstart.directory / "cluster/shared"))
        return page

    def assert_shown(self, quickstart):
        self.assertIn("The ledger balances: 0 lines bad, 0 without a fate.", quickstart.text)
        self.assertIn("3 of 3 pods ready", quickstart.text)
        self.assertEqual(len(re.findall(r"s   generation \d+: of its \d+ slices \d+ went to agg-", quickstart.text)), 2, quickstart.text)
        self.assertRegex(quickstart.text, r"\n +[1-9][\d,]+ of them by the pods too, equal byte for byte: [1-9]")
        self.assertRegex(quickstart.text, r"\n +0 are wrong, 0 were written twice\n")
        self.assertIn("What next", quickstart.text)

    def assert_nothing_stays(self, quickstart):
        self.assertTrue(eventually(lambda: not processes_of(quickstart.directory), 20), processes_of(quickstart.directory))


class WithoutTerminalTest(QuickstartCase):
    def test_to_the_end(self):
        quickstart = Quickstart(self)
        self.assert_page(quickstart)
        self.assertEqual(quickstart.wait(), 0, quickstart.text)
        self.assertEqual(processes_of(quickstart.directory), [])
        self.assert_shown(quickstart)


class OnTerminalTest(QuickstartCase):
    def test_goes_on_until_ctrl_c(self):
        quickstart = Quickstart(self, terminal=True)
        page = self.assert_page(quickstart)
        quickstart.wait_says("Enter or Ctrl-C ends it.")
        self.assert_shown(quickstart)
        time.sleep(1)
        samples = lambda: sum(pod["samples_per_s"] for pod in json.loads(get(page + "api/cluster"))["pods"])
        self.assertTrue(eventually(lambda: samples() > 0, 20), "the stream does not go on")
        quickstart.type(b"\x03")
        self.assertEqual(quickstart.wait(), 0, quickstart.text)
        self.assert_nothing_stays(quickstart)


class ShowTest(QuickstartCase):
    """scripts/quickstart-cluster show, of which nobody waits for the end."""

    def setUp(self):
        self.directory = Path(tempfile.mkdtemp(prefix="limpet-quickstart-"))
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)

    def start(self, command):
        argv = [str(settings.ROOT / "scripts/quickstart-cluster"), command, "--limpet", settings.limpet(), "--directory", str(self.directory)]
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        settings.STARTED.append(process)
        self.addCleanup(self.close, process)
        return process

    def close(self, process):
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            stream.close()

    def assert_ends(self, show, words):
        _, said = show.communicate(timeout=20)
        self.assertEqual(show.returncode, 1, said)
        self.assertRegex(said, rf"^quickstart-cluster: .*{words}")
        self.assertEqual(said.count("\n"), 1)

    def test_without_a_cluster(self):
        self.assert_ends(self.start("show"), "no cluster is running in .*; start one with")

    def test_ends_with_the_cluster(self):
        for end in (subprocess.Popen.kill, lambda cluster: cluster.stdin.close()):
            cluster = self.start("run")
            self.assertRegex(cluster.stdout.readline(), "^http://")
            show = self.start("show")
            self.assertRegex(show.stdout.readline() + show.stdout.readline(), "The cluster, in the terminal")
            end(cluster)
            cluster.wait(30)
            self.assert_ends(show, "the cluster in .* has ended")
            self.assert_nothing_stays(self)


class EndedTest(QuickstartCase):
    def test_by_a_signal(self):
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)
        started = [Quickstart(self) for _ in numbers]  # at once: each finds a port
        self.assertEqual(len({self.assert_page(quickstart) for quickstart in started}), len(numbers))
        for number, quickstart in zip(numbers, started):
            self.assertGreater(len(processes_of(quickstart.directory)), 5)
            quickstart.process.send_signal(number)
        for number, quickstart in zip(numbers, started):
            self.assertEqual(quickstart.wait(), -number if number == signal.SIGKILL else 128 + number, quickstart.text)
            self.assert_nothing_stays(quickstart)

    def test_a_second_one_in_the_same_place(self):
        """Is refused while the first one runs, and starts anew afterwards."""
        first = Quickstart(self)
        first.wait_page()
        argv = [str(settings.ROOT / "scripts/quickstart-cluster"), "run", "--limpet", settings.limpet(), "--directory", str(first.directory / "cluster")]
        second = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(second.returncode, 1)
        self.assertIn("is running in", second.stderr)
        first.process.send_signal(signal.SIGINT)
        first.wait()
        again = Quickstart(self, directory=first.directory)
        self.assert_page(again)
        again.process.send_signal(signal.SIGTERM)
        again.wait()
        self.assert_nothing_stays(again)


if __name__ == "__main__":
    unittest.main()
