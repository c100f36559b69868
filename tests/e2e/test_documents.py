"""What the documents and the helps show, typed: rules are right, tests of rules pass, the rest is TOML."""

import json
import re
import tomllib
import unittest

from limpet_case import DirectoryCase
from settings import ROOT
from test_commands import limpet


def blocks(document):
    """The TOML that it shows."""
    return re.findall(r"^```toml\n(.*?)^```", (ROOT / document).read_text(), re.M | re.S)


class DocumentTest(DirectoryCase):
    def test_all_of_it_is_toml(self):
        for document in ["README.md", *(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md"))]:
            for text in blocks(document):
                with self.subTest(document=document, text=text):
                    tomllib.loads(text)

    def test_rules_are_right(self):
        shown = [text for document in ("README.md", "docs/rules.md") for text in blocks(document) if "[[rule]]" in text]
        self.assertEqual(len(shown), 3)
        for text in shown:
            done = limpet("check", self.file("rules.toml", text))
            self.assertEqual((done.returncode, done.stdout), (0, "1 rule in 1 file: fine\n"), done.stderr)

    def test_first_results_are_those_of_the_quickstart(self):
        shown, table = re.search(r"^```\n(  \S.*?)\n\n(.*?)^```", (ROOT / "README.md").read_text(), re.M | re.S).groups()
        recorded = ROOT / "tests/data/host-metrics/host-metrics.lp.gz"
        done = limpet("replay", "--rules", ROOT / "configs/rules/host.toml", "--stats", self.directory / "stats.json", recorded)
        lines = done.stdout.splitlines()
        results = {(series, time): set(fields.split(",")) for series, fields, time in re.findall(r"^(\S+) (.*) (\d+)$", done.stdout, re.M)}
        *examples, all_of_them = shown.splitlines()
        for line in examples:
            series, fields, time = line.split()
            self.assertLessEqual(set(fields.split(",")) - {"..."}, results[series, time], line)
        self.assertEqual(all_of_them, f"  ... all {len(lines)} results: build/quickstart/results.lp")
        stats = json.loads((self.directory / "stats.json").read_text())
        out = {"lines": len(lines), "series": len({series for series, _ in results}), "bytes": len(done.stdout.encode())}
        for what, after in out.items():
            self.assertRegex(table, rf"(?m)^  {what} +{stats[what]:,} +{after:,} +{stats[what] / after:.1f}x$")

    def test_tests_of_rules_pass(self):
        rules, tests = blocks("docs/rules.md")[-2:]
        self.file("http.toml", rules)
        done = limpet("test", self.file("test.toml", tests))
        self.assertEqual((done.returncode, done.stdout), (0, "1 passed, 0 failed\n"), done.stderr)

    def test_tests_of_rules_in_the_help_pass(self):
        done = limpet("test", "--help").stdout
        head = re.search(r'for a rule "(\w+)" with (without = \S+), (period = \S+), (drop_original = \w+) and (\w+ = \[.*\]):', done)
        self.file("http.toml", f'[[rule]]\nname = "{head[1]}"\n{head[2]}\n{head[3]}\n{head[4]}\n[rule.fields]\n{head[5]}\n')
        first = re.search(r"^  rules = .*?(?=^\S)", done, re.M | re.S)[0]
        second = re.search(r'^  \[\[test\]\]\n  name = "a sample later.*?(?=^\S)', done, re.M | re.S)[0]
        said = limpet("test", self.file("test.toml", re.sub("^  ", "", first + second, flags=re.M)))
        self.assertEqual((said.returncode, said.stdout), (0, "2 passed, 0 failed\n"), said.stderr)


if __name__ == "__main__":
    unittest.main()
