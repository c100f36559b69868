"""`limpet inspect` and `limpet check` on the files of a cluster's directory."""

import json
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import settings
from assignment_files import canonical, with_header

DOCUMENT = Path(__file__).parents[2] / "src" / "sharding" / "ASSIGNMENT_FORMAT.md"


class Inspect(unittest.TestCase):
    def setUp(self):
        self.scratch = Path(tempfile.mkdtemp(prefix="limpet-inspect-"))
        self.addCleanup(shutil.rmtree, self.scratch, ignore_errors=True)
        self.assignment, self.report = re.findall(r"```json\n(.*?)```", DOCUMENT.read_text(), re.S)

    def file(self, name, text):
        path = self.scratch / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return str(path)

    def limpet(self, *args, cwd=None):
        done = subprocess.run([settings.limpet(), *args], cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
        return done.returncode, done.stdout, done.stderr

    def test_assignment_and_report(self):
        files = self.file("assignment.json", self.assignment), self.file("agg-0.json", self.report)
        code, out, err = self.limpet("inspect", *files)
        self.assertEqual((code, err), (0, ""))
        self.assertIn(f"{files[0]}:\nassignment of cluster default, generation 1763640012, 2025-11-20T12:00:00Z\n", out)
        self.assertIn("  4000000000000000  c000000000000000  50.000 %  agg-0  -        1763640012  2025-11-20T12:00:10Z\n", out)
        self.assertIn(f"{files[1]}:\nreport of pod agg-0, ready, generation 1763640012\n", out)
        self.assertEqual(self.limpet("check", *files), (0, "1 assignment, 1 report: fine\n", ""))

    def test_bad_files_name_the_reason_and_the_good_are_shown(self):
        good = self.file("a.json", self.assignment)
        garbled = self.file("b.json", self.assignment.replace("agg-1", "agg-9", 1))
        foreign = self.file("c.json", "{}\n")
        missing = str(self.scratch / "d.json")
        code, out, err = self.limpet("inspect", garbled, good, foreign, missing)
        self.assertEqual(code, 1)
        self.assertIn("generation 1763640012", out)
        self.assertRegex(err, rf"^limpet inspect: {garbled}: line 2: its checksum is [0-9a-f]{{16}}, not dad90d21307c3254 as in line 1\n")
        self.assertIn(f"limpet inspect: {foreign}: is neither an assignment nor a report\n", err)
        self.assertIn(f"limpet inspect: {missing}: No such file or directory\n", err)
        code, out, err = self.limpet("check", garbled, good, foreign)
        self.assertEqual((code, out), (1, ""))
        self.assertIn(f"{garbled}:2:1: error: its checksum is ", err)
        self.assertIn(f"{foreign}:1:1: error: is neither rules nor a configuration, an assignment or a report\n", err)
        self.assertTrue(err.endswith("2 errors\n"), err)

    def test_names_that_say_otherwise(self):
        generation, pod = "assignments/1763640012.json", f"reports/{json.loads(self.report)['name']}.json"
        elsewhere = ("assignments/x.json", "7.json", "assignments/07.json")
        good = [self.file(generation, self.assignment), self.file(pod, self.report), *(self.file(name, self.assignment) for name in elsewhere)]
        for command in ("inspect", "check"):
            self.assertEqual(self.limpet(command, *good)[::2], (0, ""), command)
        said = {
            self.file("assignments/7.json", self.assignment): "holds generation 1763640012",
            self.file("reports/agg-9.json", self.report): f'is the report of "{json.loads(self.report)["name"]}"',
        }
        for file, why in said.items():
            self.assertEqual(self.limpet("inspect", file), (1, "", f"limpet inspect: {file}: {why}\n"))
            self.assertEqual(self.limpet("check", file), (1, "", f"{file}:1:1: error: {why}\n1 error\n"))
        folder = self.scratch / "assignments"
        self.assertEqual(self.limpet("inspect", "7.json", cwd=folder), (1, "", "limpet inspect: 7.json: holds generation 1763640012\n"))

    def test_what_others_wrote_does_not_steer_the_terminal(self):
        body = json.loads(self.assignment.splitlines()[1])
        body["cluster"], body["cause"], body["moved"][0]["from"] = "a\x1b[2J", ["b\x1b]0;c\x07\n"], "q\x1b[2J"
        rules = self.file("r.toml", '[[rule]]\nname = "r"\nperiod = "1m"\n[rule.fields]\nv = ["sum"]\n')
        lines = [f"m,k={n} v=1" for n in range(20)]
        assignment = self.file("assignment.json", with_header(canonical(body), body["generation"]).decode())
        bad = [self.file(f"reports/{name}.json", self.report.replace('"name":"agg-0"', r'"name":"agg-0\u001b[2J"')) for name in ("agg-0", "\x1b[31m")]
        commands = (
            ("status", "--assignment.directory", self.scratch),
            ("explain", "--rules", rules, "--assignment", assignment, *lines),
            ("explain", "--rules", rules, "--assignment", self.scratch, *lines),
            ("drain", "--assignment.directory", self.scratch, "--pod", "agg-0"),
            ("inspect", assignment, *bad),
            ("check", assignment, *bad),
        )
        for command in commands:
            _, out, err = self.limpet(*command)
            self.assertIn("?[2J", out + err, command)
            for text in (out, err):
                self.assertNotRegex(text, r"[\x00-\x09\x0b-\x1f\x7f]", command)

    def test_together_with_rules(self):
        rules = self.file("r.toml", '[[rule]]\nname = "r"\nperiod = "1m"\n[rule.fields]\nv = ["sum"]\n')
        code, out, _ = self.limpet("check", rules, self.file("a.json", self.assignment))
        self.assertEqual((code, out), (0, "1 assignment, 1 rule in 1 file: fine\n"))


if __name__ == "__main__":
    unittest.main()
