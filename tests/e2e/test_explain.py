"""`limpet explain` as people call it: by hand, with a cluster's directory or one of its files."""

import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import settings
from limpet_case import eventually
from stand_in_pods import Pods, Shard, owners, read_assignment

RULES = """
[[rule]]
name = "latency"
namepass = ["http"]
without = ["pod"]
period = "1m"
  [rule.fields]
  ms = ["count"]
"""


def explained(*args):
    """(exit code, stdout, stderr)"""
    done = subprocess.run([settings.limpet(), "explain", *map(str, args)], capture_output=True, text=True, timeout=30, check=False)
    return done.returncode, done.stdout, done.stderr


def value(text, name):
    return next(line.split(None, 1)[1] for line in text.splitlines() if line.strip().startswith(name + " "))


class ExplainTest(unittest.TestCase):
    def setUp(self):
        self.scratch = Path(tempfile.mkdtemp(prefix="limpet-explain-"))
        self.addCleanup(shutil.rmtree, self.scratch, ignore_errors=True)
        self.rules = self.scratch / "rules.toml"
        self.rules.write_text(RULES)

    def cluster(self):
        """A directory with an assignment for three pods."""
        directory = self.scratch / "shared"
        shard = Shard(directory, log=self.scratch / "shard.log")
        self.addCleanup(shard.stop)
        shard.wait_up()
        pods = Pods(directory)
        self.addCleanup(pods.stop)
        pods.add("agg-0", "agg-1", "agg-2")
        owned = lambda: (found := read_assignment(directory)) and len(set(owners(found).values())) == 3
        self.assertTrue(eventually(owned, 30), shard.log())
        pods.stop()
        shard.stop()
        return directory

    def test_slice_owner_standby(self):
        directory = self.cluster()
        assignment = read_assignment(directory)
        names = [pod["name"] for pod in assignment["pods"]]
        lows = [int(low, 16) for low in assignment["slices"]["low"]]
        seen = set()
        for path in (directory, directory / "assignment.json"):
            for i in range(20):
                code, out, err = explained("--rules", self.rules, "--assignment", path, f"http,path=/{i},pod=x ms=1")
                self.assertEqual((code, err), (0, ""))
                self.assertIn(f"assignment of cluster default, generation {assignment['generation']}\n", out)
                self.assertEqual(value(out, "group"), f"http,path=/{i}")
                key = value(out, "key").split(",")[0]
                index = max(n for n, low in enumerate(lows) if low <= int(key, 16))
                owner, standby = assignment["slices"]["owner"][index], assignment["slices"]["standby"][index]
                self.assertTrue(value(out, "slice").startswith(assignment["slices"]["low"][index] + " to "), out)
                self.assertTrue(value(out, "owner").startswith(names[owner] + " (ready)"), out)
                self.assertTrue(value(out, "standby").startswith(names[standby] if standby >= 0 else "none"), out)
                self.assertIn("the line passes through, written back by agg-", out)
                seen.add(names[owner])
        self.assertEqual(seen, set(names))

    def test_without_assignment(self):
        code, out, err = explained("--rules", self.rules, "http,path=/,pod=x ms=1", "other v=1")
        self.assertEqual((code, err), (0, ""))
        self.assertRegex(value(out, "key"), r'^[0-9a-f]{16}, of "http\\x00path=/"$')
        self.assertNotIn("owner", out)
        self.assertIn('does not: namepass: "other" matches none of "http"', out)

    def test_what_is_bad(self):
        line = "http,path=/ ms=1"
        bad = self.scratch / "bad.json"
        bad.write_text("{}\n")
        empty = self.scratch / "empty"
        empty.mkdir()
        for path, words in ((bad, "bad.json"), (empty, "no valid assignment"), (self.scratch / "none", "none")):
            code, out, err = explained("--rules", self.rules, "--assignment", path, line)
            self.assertEqual((code, out), (1, ""), path)
            self.assertIn(words, err)
        code, out, err = explained("--rules", self.rules, "http ms=", line)
        self.assertEqual(code, 1)
        self.assertIn("limpet explain: column 9: ", err)
        self.assertIn("latency", out)


if __name__ == "__main__":
    unittest.main()
