"""Output that cannot be written, and descriptors that whoever started Limpet has closed: one error, counted, never a hang."""

import json
import signal
import subprocess
import unittest

import settings
from limpet_case import DirectoryCase, count_rule, eventually, imbalance
from settings import limpet as limpet_path

LINES = b"m,g=a v=1 1763640000000000000\nother v=1 1763640000000000000\n"


class OutputTest(DirectoryCase):
    def setUp(self):
        super().setUp()
        self.file("rules.toml", count_rule())
        self.file("lines.lp", LINES.decode())
        self.file("test.toml", 'rules = ["rules.toml"]\n[[test]]\nname = "t"\ninput = ""\nexpect = ""\n')

    def run_shell(self, redirections, *arguments, stdin=LINES, timeout_s=30):
        command = ["sh", "-c", f'exec "$0" "$@" {redirections}', limpet_path(), *arguments]
        return subprocess.run(command, cwd=self.directory, input=stdin, capture_output=True, timeout=timeout_s, check=False)

    def test_a_full_disk_is_an_error(self):
        commands = (
            ["parse", "lines.lp"],
            ["check", "rules.toml"],
            ["check", "--against", "rules.toml", "rules.toml"],
            ["explain", "--rules", "rules.toml", "m,g=a v=1"],
            ["test", "test.toml"],
            ["replay", "--rules", "rules.toml", "lines.lp"],
        )
        for arguments in commands:
            for where in (">/dev/full", ">&-"):
                with self.subTest(arguments=arguments, where=where):
                    done = self.run_shell(where, *arguments)
                    self.assertEqual(done.returncode, 1)
                    self.assertEqual(done.stderr.count(b"cannot write to"), 1, done.stderr)

    def test_an_aggregator_that_cannot_write_says_so_and_counts_what_is_lost(self):
        for where in (">/dev/full", ">&-"):
            with self.subTest(where=where):
                done = self.run_shell(where, "aggregate", "--rules", "rules.toml", "--stats_file", "stats.json")
                self.assertIn(b"E! stdout cannot be written: ", done.stderr)
                ledger = json.loads((self.directory / "stats.json").read_text())
                self.assertEqual((ledger["lines"]["written_back"], ledger["lines"]["shed"]), (0, 1))
                self.assertEqual(imbalance(ledger), [])

    def test_lines_that_nobody_read_before_the_end_are_shed(self):
        command = [limpet_path(), "aggregate", "--rules", "rules.toml", "--stats_file", "stats.json"]
        child = subprocess.Popen(command, cwd=self.directory, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        settings.STARTED.append(child)
        count = 500_000
        child.stdin.write(b"other v=1 1\n" * count)
        child.stdin.close()
        child.wait(30)
        read, said = child.stdout.read().count(b"\n"), child.stderr.read()
        child.stdout.close(), child.stderr.close()
        self.assertIn(b"stopped before everything was read from stdout", said)
        lines = json.loads((self.directory / "stats.json").read_text())["lines"]
        self.assertEqual((lines["read"], lines["written_back"], lines["shed"]), (count, read, count - read))

    def test_without_stdin(self):
        self.assertEqual(self.run_shell("<&-", "parse").returncode, 1)
        done = self.run_shell("<&-", "replay", "--rules", "rules.toml", "-")
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        command = ["sh", "-c", 'exec "$0" "$@" <&-', limpet_path(), "aggregate", "--rules", "rules.toml"]
        child = subprocess.Popen(command, cwd=self.directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        settings.STARTED.append(child)
        self.assertIn(b"nothing to do: stdin brings no lines", child.stderr.readline())
        child.send_signal(signal.SIGTERM)
        self.assertTrue(eventually(lambda: child.poll() is not None, 20), "it does not stop")
        self.assertEqual(child.returncode, 0)
        child.stdout.close(), child.stderr.close()


if __name__ == "__main__":
    unittest.main()
