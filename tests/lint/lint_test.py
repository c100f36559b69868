#!/usr/bin/env python3
"""Plants what scripts/lint itself looks for (formatting, shell scripts, unfinished marks) and sees that it fails."""
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from check_floors_test import CLEAN

ROOT = pathlib.Path(__file__).resolve().parents[2]


def lint(changes):
    """Exit code and output of scripts/lint in a small copy of the project with `changes` laid over it."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name in ("scripts/lint", "scripts/check-floors", ".clang-format"):
            (root / name).parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / name, root / name)
        (root / ".ci").mkdir()
        for name, text in {**CLEAN, **changes}.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        done = subprocess.run([root / "scripts" / "lint"], capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr


class Lint(unittest.TestCase):
    def bites(self, changes, *words):
        code, output = lint(changes)
        self.assertEqual(code, 1, output)
        for word in words:
            self.assertIn(word, output)

    def test_a_clean_tree_passes(self):
        self.assertEqual(lint({}), (0, ""))

    def test_what_check_floors_finds(self):
        self.bites({"src/base/time.h": '#include "window/pane.h"\n'}, "floor above", "structure")

    def test_formatting(self):
        self.bites({"src/base/time.h": "int  x ;\n"}, "src/base/time.h", "scripts/lint --fix")

    def test_an_unfinished_mark(self):
        self.bites({"src/base/time.h": "// TO" + "DO: later\n"}, "src/base/time.h", "finish it")

    def test_a_shell_script(self):
        if shutil.which("shellcheck"):
            self.bites({"scripts/bad": "#!/bin/sh\necho $1\n"}, "scripts/bad", "SC2086")


if __name__ == "__main__":
    unittest.main()
