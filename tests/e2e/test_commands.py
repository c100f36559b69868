"""The command line itself: what is said of a word that is no command, a flag that a command does not have, a file of another kind."""

import json
import os
import subprocess

from limpet_case import DirectoryCase
from settings import limpet as limpet_path

COMMANDS = ("aggregate", "check", "drain", "explain", "inspect", "parse", "replay", "shard", "status", "test")


def limpet(*args, stdin=None):
    """stdin: what comes over a pipe; without, there is none."""
    where = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
    return subprocess.run([limpet_path(), *args], **where, capture_output=True, text=True, timeout=30, check=False)

RULES = '[[rule]]\nname = "r"\nnamepass = ["m"]\nperiod = "10s"\n[rule.fields]\nv = ["count"]\n'


class CommandLineTest(DirectoryCase):
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

    def test_a_default_time_that_is_none(self):
        for args in (["--default-time", ""], ["--default-time="]):
            self.says(["parse", *args], "limpet: --default-time: ", "limpet parse --help")
        for text in ("x", "1.5", "1 ", "0x10", "9223372036854775808", "99999999999999999999"):
            for args in (["--default-time", text], [f"--default-time={text}"]):
                self.says(["parse", *args], f'--default-time: "{text}" is no whole number of nanoseconds', "limpet parse --help")
        for text, time_ns in (("010", 10), ("-1", -1), ("9223372036854775807", 9223372036854775807)):
            found = json.loads(limpet("parse", f"--default-time={text}", stdin="m v=1").stdout)
            self.assertEqual(found["point"]["time"], time_ns)

    def test_stdin_named_twice(self):
        rules, lines = self.file("r.toml", RULES), self.file("m.lp", "m v=1 1\n")
        self.says(["replay", "--rules", rules, "-", lines, "-"], "lines: `-` can be named once", "limpet replay --help")

    def test_rules_with_one_letter_too_many(self):
        path = self.file("r.toml", '[[rules]]\nname = "a"\n')
        self.says(["check", path], 'unknown key "rules" in a rules file (did you mean "rule"?)', code=1)

    def test_telegrafs_child_survives_a_flag_that_lacks_its_value(self):
        for flag in ("--rules", "--rules=", "--emit_rate", "--config", "--stats_file"):
            with self.subTest(flag=flag):
                done = limpet("aggregate", flag, stdin="q v=1 1\n")
                self.assertEqual((done.returncode, done.stdout), (0, "q v=1 1\n"), done.stderr)
                self.assertIn(f"E! {flag.rstrip('=')}: error: needs a value\n", done.stderr)

    def test_a_pod_that_can_not_be_named_so(self):
        file = self.file("limpet.toml", '[assignment]\ndirectory = "d"\nunowned = "drop"\npod = "../x"\n')
        self.says(["check", file], f"{file}:4:7: error: a pod's name must be 1 to 249 letters", code=1)

    def test_rules_take_one_value_each_time(self):
        rules, more = self.file("r.toml", RULES), self.file("s.toml", RULES.replace('"r"', '"s"').replace('"m"', '"n"'))
        lines, stats = self.file("m.lp", "m v=1 1\n"), self.directory / "stats.json"
        for flags in ([lines, lines], [lines, "--all"], ["-", "--stats", stats], ["--rules", more, lines]):
            done = limpet("replay", "--rules", rules, *flags)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(done.stdout.count("v_count"), 0 if "-" in flags else 1, done.stdout)
        self.assertEqual(limpet("explain", "--rules", rules, "--rules", more, "m v=1", "--all").returncode, 0)
        self.says(["replay", "--rules", rules], "lines is required")
        # Here there is nothing else that they could be: the shell has expanded a pattern.
        self.assertEqual(limpet("aggregate", "--rules", rules, more, stdin="").stderr, "")
        self.assertIn("E! more: error: belongs to no flag", limpet("aggregate", "--pod", "a", "more", "--rules", rules, stdin="").stderr)

    def test_a_pattern_that_matches_no_file(self):
        rules, none, empty = self.file("r.toml", RULES), self.directory / "z*.toml", self.directory / "empty"
        empty.mkdir()
        self.says(["check", none], f"{none}: error: no file matches", code=1)
        self.says(["check", "--against", rules, none], f"{none}: error: no file matches", code=1)
        self.says(["check", "--against", empty, rules], f"{empty}: error: no file matches", code=1)
        self.assertIn(f"{none}: error: no file matches", limpet("test", none).stderr)
        self.assertEqual(limpet("test", none).returncode, 1)

    def test_a_directory_of_rules_with_their_tests(self):
        self.file("r.toml", RULES)
        tests = self.file("r_test.toml", 'rules = ["r.toml"]\n[[test]]\ninput = "m v=1 1"\n')
        done = limpet("check", self.directory)
        self.assertEqual((done.returncode, done.stdout), (0, "1 rule in 1 file: fine\n"), done.stderr)
        self.assertEqual(limpet("check", "--against", self.directory, self.directory).stdout, "r: kept\n")
        self.says(["check", self.directory, tests], 'unknown key "test"', code=1)
        self.file("r.toml", RULES + "[[test]]\n")  # a test is not where its rules are
        self.says(["check", self.directory], 'unknown key "test" in a rules file', code=1)
        (self.directory / "r.toml").unlink()
        self.says(["check", self.directory], f"{self.directory}: error: no file matches", code=1)

    def test_a_key_that_is_too_deep(self):
        key = "a." * 50_000
        for text in (f"{key}b = 1\n", f"\n[{key}b]\n"):
            deep, place = self.file("deep.toml", text), "2:2" if text.startswith("\n") else "1:1"
            error = f"{deep}:{place}: error: the key is too deep"
            self.says(["check", deep], error, code=1)
            self.assertIn(error, limpet("test", deep).stderr)
            self.says(["replay", "--rules", deep, "-"], error, code=1)
            self.assertIn(error, limpet("aggregate", "--rules", deep, stdin="").stderr)
            self.assertIn(error, limpet("aggregate", "--config", deep, stdin="").stderr)
            self.says(["shard", "--config", deep], error, code=1)

    def test_a_fifo_among_the_files(self):
        (self.directory / "rules").mkdir()
        good, fifo = self.file("rules/a.toml", RULES), self.directory / "rules" / "z.toml"
        os.mkfifo(fifo)
        error = f"{fifo}: error: is not a regular file"
        self.says(["check", good, fifo], error, code=1)
        self.says(["replay", "--rules", fifo, "-"], error, code=1)
        self.assertIn(error, limpet("aggregate", "--rules", self.directory / "rules" / "*.toml", stdin="").stderr)
        self.assertIn(error, limpet("aggregate", "--config", fifo, stdin="").stderr)
        self.says(["inspect", fifo], f"{fifo}: is not a regular file", code=1)

    def test_rules_of_a_process_substitution(self):
        good = self.file("a.toml", RULES)
        shell = ["bash", "-c", '"$0" check <(cat "$1") && "$0" check /dev/stdin <"$1" && cat "$1" | "$0" check /dev/stdin', limpet_path(), good]
        done = subprocess.run(shell, capture_output=True, text=True, timeout=30, check=False)
        self.assertEqual((done.returncode, done.stdout), (0, "1 rule in 1 file: fine\n" * 3), done.stderr)

    def test_stats_go_where_they_are_sent(self):
        rules, lines = self.file("r.toml", RULES), self.file("m.lp", "m v=1 1\n")
        commands = {"replay": ("--rules", rules, lines, "--stats"), "aggregate": ("--rules", rules, "--stats_file")}
        link, target = self.directory / "link.json", self.directory / "target.json"
        link.symlink_to("target.json")
        # Never a device itself: what is wrong may replace it, and the machine has no other.
        stderr = self.directory / "stderr"
        stderr.symlink_to("/proc/self/fd/2")
        fifo, missing = self.directory / "fifo", self.directory / "missing" / "s.json"
        os.mkfifo(fifo)
        for command, args in commands.items():
            with self.subTest(command):
                self.assertEqual(limpet(command, *args, link, stdin="").returncode, 0)
                self.assertTrue(link.is_symlink())
                self.assertIn('"rules":{"r":', target.read_text())
                target.unlink()
                for name in (stderr, "/proc/self/fd/2", "/dev/fd/2"):
                    self.assertIn('"rules":{"r":', limpet(command, *args, name, stdin="").stderr, name)
                    self.assertTrue(stderr.is_symlink())
                self.assertIn(f"the stats file {fifo}: nobody reads it", limpet(command, *args, fifo, stdin="").stderr)
                self.assertIn(f"the stats file {missing}: No such file or directory", limpet(command, *args, missing, stdin="").stderr)
        done = limpet("replay", "--rules", rules, lines, "--stats", "/proc/self/fd/1")
        self.assertIn("v_count=1i 10000000000\n{", done.stdout, done.stderr)

    def test_parse_keeps_the_sign_of_zero(self):
        said = limpet("parse", stdin="m a=-0,b=-0.0,c=0,d=3.0,e=-3 1").stdout
        values = [field["value"]["float"] for field in json.loads(said)["point"]["fields"]]
        self.assertEqual([str(value) for value in values], ["-0.0", "-0.0", "0", "3", "-3"])

    def test_parse_numbers_the_lines_around_those_that_are_too_long(self):
        def bad_lines(text):
            return [each["line"] for each in map(json.loads, limpet("parse", stdin=text).stdout.splitlines()) if not each["ok"]]

        before = 'm v=1 1\nm s="a\nb" 1\n'
        for bytes_of_line in (1_048_700, 5_000_000):
            text = "{0}\nbad\nbad\n{0}".format("x" * bytes_of_line)
            self.assertEqual(bad_lines(text), [1, 2, 3, 4])
            self.assertEqual(bad_lines(before + text), [4, 5, 6, 7])
        # A string without an end takes the lines behind it with it, up to what is too long.
        found = bad_lines('m s="\n' + "x\n" * 600_000 + "bad")
        self.assertEqual((found[0], found[-1]), (1, 600_002))
