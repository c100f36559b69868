"""The command line itself: what is said of a word that is no command, a flag that a command does not have, a file of another kind."""

import subprocess
import tempfile
import unittest
from pathlib import Path

from settings import limpet as limpet_path

COMMANDS = ("aggregate", "check", "explain", "parse", "replay", "test")


def limpet(*args):
    return subprocess.run([limpet_path(), *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False)


class CommandLineTest(unittest.TestCase):
    def says(self, args, *texts, code=2):
        done = limpet(*args)
        self.assertEqual((done.returncode, done.stdout), (code, ""), done.stderr)
        for text in texts:
            self.assertIn(text, done.stderr)

    def test_help_and_version(self):
        for args in (["--help"], ["--version"], *([command, "--help"] for command in COMMANDS)):
            done = limpet(*args)
            self.assertEqual((done.returncode, done.stderr), (0, ""), args)
            self.assertIn("limpet", done.stdout)

    def test_no_command(self):
        self.says([], "limpet --help")

    def test_a_misspelt_command(self):
        self.says(["tets", "x"], 'there is no command "tets" (did you mean "test"?)')
        self.says(["xyzzy"], 'there is no command "xyzzy"\n')

    def test_a_misspelt_flag(self):
        self.says(["parse", "--precison", "s"], '--precison (did you mean "--precision"?)', "limpet parse --help")
        self.says(["replay", "--rules", "x", "--sats=f", "y"], '(did you mean "--stats"?)')

    def test_a_flag_that_lacks(self):
        self.says(["replay", "lines.lp"], "--rules is required")
        self.says(["check", "--against", "old"], "--against")

    def test_a_value_that_is_none(self):
        self.says(["parse", "--dialect", "loose"], "loose not in")

    def test_rules_with_one_letter_too_many(self):
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "r.toml"
            path.write_text('[[rules]]\nname = "a"\n')
            self.says(["check", str(path)], 'unknown key "rules" in a rules file (did you mean "rule"?)', code=1)
