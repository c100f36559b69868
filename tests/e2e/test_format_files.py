"""Files that keep or break each rule of src/sharding/ASSIGNMENT_FORMAT.md, before `limpet check`, `limpet inspect`, an aggregator and a sharder. What is
valid is also judged by a reader that was written from the document alone.
"""

import os
import shutil
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import format_cases
import settings
from assignment_files import Broken, Directory, decode_assignment, decode_report, encode_assignment, encode_report, ranges, with_header
from limpet_case import LimpetCase, count_rule, eventually
from stand_in_pods import Pods, Shard
from stand_in_sharder import StandInSharder


class CasesTest(unittest.TestCase):
    def setUp(self):
        self.scratch = Path(tempfile.mkdtemp(prefix="limpet-format-"))
        self.addCleanup(shutil.rmtree, self.scratch, ignore_errors=True)

    def verdicts(self, command, paths):
        """{path: error or None}"""
        done = subprocess.run([settings.limpet(), command, *map(str, paths)], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
        said = {path: next((line for line in done.stderr.splitlines() if f"{path}:" in line), None) for path in paths}
        self.assertEqual(done.returncode, 1 if any(said.values()) else 0, done.stderr)
        return said

    def judge(self, cases, decode):
        paths = {}
        for i, (what, data, good) in enumerate(cases):
            path = self.scratch / f"{i}.json"
            path.write_bytes(data)
            paths[path] = what, good
            try:
                decode(data)
                self.assertTrue(good, f"{what}: the stand-in takes it")
            except Broken as why:
                self.assertFalse(good, f"{what}: the stand-in says {why}")
        for command in ("inspect", "check"):
            wrong = [(what, said) for path, said in self.verdicts(command, paths).items() if (said is None) != (good := paths[path][1]) for what in [paths[path][0]]]
            self.assertEqual(wrong, [], command)
        return len(paths)

    def test_assignments(self):
        self.assertGreater(self.judge(format_cases.assignments(), decode_assignment), 150)

    def test_reports(self):
        self.assertGreater(self.judge(format_cases.reports(), decode_report), 60)

    def test_sizes(self):
        self.judge(format_cases.big_files(), decode_assignment)

    def test_examples_are_canonical(self):
        self.assertEqual(encode_assignment(decode_assignment(format_cases.ASSIGNMENT)), format_cases.ASSIGNMENT)
        self.assertEqual(encode_report(decode_report(format_cases.REPORT)), format_cases.REPORT)


class StandInTest(unittest.TestCase):
    """The stand-in sharder's own compare-and-swap."""

    def setUp(self):
        self.directory = Directory(tempfile.mkdtemp(prefix="limpet-format-")).make()
        self.addCleanup(shutil.rmtree, self.directory.path, ignore_errors=True)
        self.body = decode_assignment(format_cases.ASSIGNMENT)

    def publish(self, generation, **when):
        return self.directory.publish({**self.body, "generation": generation}, when.pop("planned", time.monotonic()), **when)

    def test_one_wins(self):
        first = self.body["generation"]
        self.assertFalse(self.publish(first, before_link=lambda: self.publish(first)) and False)
        self.assertEqual(self.directory.numbers(), [first])
        self.assertFalse(self.publish(first + 1, before_link=lambda: self.assertTrue(self.publish(first + 1))))
        self.assertFalse(self.publish(first))
        self.assertFalse(self.publish(first + 2, planned=time.monotonic() - 6))
        # Others went on while it slept between link and rename.
        self.assertFalse(self.publish(first + 2, before_rename=lambda: self.assertTrue(self.publish(first + 3))))
        self.assertEqual(self.directory.numbers(), [first, first + 1, first + 3])
        self.assertEqual(self.directory.newest()["generation"], first + 3)
        self.assertEqual((self.directory.path / "assignment.json").read_bytes(), (self.directory.assignments / f"{first + 3}.json").read_bytes())
        for n in range(first + 4, first + 20):
            self.assertTrue(self.publish(n))
        self.assertEqual(self.directory.numbers(), list(range(first + 12, first + 20)))
        self.assertEqual([path.name for path in self.directory.assignments.glob(".*")], [])


class AggregatorTest(LimpetCase):
    """One aggregator and a directory in which anything may stand."""

    def setUp(self):
        super().setUp()
        self.shared = Directory(self.directory / "shared").make()
        flags = ["--assignment.directory", str(self.shared.path), "--assignment.unowned", "drop", "--pod", "agg-0"]
        self.pod = self.limpet(count_rule(), http=True, args=flags)
        self.pod.wait_listening()
        self.next = format_cases.GENERATION

    def said(self, name):
        return self.pod.status()["assignment"][name]

    def put(self, data, name=None):
        """As the next generation, under its name or another; renamed there, whole."""
        self.next += 1
        data = format_cases.as_generation(data, self.next) or data
        path = self.shared.path / (name or f"assignments/{self.next}.json").format(self.next)
        temporary = path.parent / f".tmp-{self.next}"
        temporary.write_bytes(data)
        os.rename(temporary, path)
        return data

    def adopts(self, what):
        self.assertTrue(eventually(lambda: self.said("generation") == self.next, 10), f"{what}: {self.pod.status()['assignment']}, {self.pod.log[-3:]}")
        self.assertEqual(self.shared.newest()["generation"], self.next, what)

    def keeps(self, generation):
        """Three polls long."""
        end = time.monotonic() + 1.6
        while time.monotonic() < end:
            self.assertEqual(self.said("generation"), generation, self.pod.log[-3:])
            time.sleep(0.1)
        self.assertEqual(self.shared.newest()["generation"], generation)

    def test_good_bad_and_odd_files(self):
        foreign, last = 0, 0
        for what, data, good in format_cases.assignments():
            if good and "agg-0" in data.decode("utf-8", "replace").partition('"slices"')[0]:
                data = self.put(data)
                body = decode_assignment(data)
                if body["cluster"] != "default":
                    foreign += 1
                    self.refuses_another_cluster(foreign, last)
                    continue
                self.adopts(what)
                last = self.next
                self.assertEqual(self.said("slices_owned"), sum(owner == "agg-0" for _, _, owner, _ in ranges(body)), what)
        self.assertGreater(foreign, 2)

        bad = [data for _, data, good in format_cases.assignments() if not good]
        for data in bad:
            self.put(data)
        self.assertTrue(eventually(lambda: self.said("rejected") >= foreign + len(bad), 10), (self.said("rejected"), len(bad)))
        self.keeps(last)
        self.assertEqual(self.said("rejected"), foreign + len(bad))

        self.names_that_do_not_count(last)
        self.put(format_cases.ASSIGNMENT)
        self.adopts("a good one behind the bad ones")
        self.put(format_cases.ASSIGNMENT, "assignment.json")
        self.adopts("assignment.json ahead of assignments/")
        # An older one in the place of the newest: a sharder that slept.
        last, self.next = self.next, format_cases.GENERATION
        self.put(format_cases.ASSIGNMENT, "assignment.json")
        self.next = last
        self.keeps_what_it_has(last)

    def refuses_another_cluster(self, so_far, generation):
        self.assertTrue(eventually(lambda: self.said("rejected") == so_far, 10), self.pod.log[-3:])
        self.assertEqual(self.said("generation"), generation)
        (self.shared.assignments / f"{self.next}.json").unlink()

    def names_that_do_not_count(self, last):
        for name in ("assignments/0{}.json", "assignments/{}", "assignments/{}.json~", "assignments/x{}.json", "assignments/.tmp-x{}", "{}.json",
                     "assignments/9007199254740993.json", "assignments/1{}.json"):
            self.put(format_cases.ASSIGNMENT, name)
        self.next += 4
        good = format_cases.as_generation(format_cases.ASSIGNMENT, self.next - 3)
        (self.shared.path / "elsewhere").write_bytes(good)
        (self.shared.assignments / f"{self.next - 3}.json").symlink_to(self.shared.path / "elsewhere")
        os.mkfifo(self.shared.assignments / f"{self.next - 2}.json")
        (self.shared.assignments / f"{self.next - 1}.json").mkdir()
        (self.shared.assignments / f"{self.next}.json").symlink_to("nowhere")
        self.keeps(last)
        for path in self.shared.assignments.iterdir():
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()

    def keeps_what_it_has(self, generation):
        end = time.monotonic() + 1.6
        while time.monotonic() < end:
            self.assertEqual(self.said("generation"), generation)
            time.sleep(0.1)

    def test_twin(self):
        """A pod whose lock another process has writes no report and owns nothing; a lock without a name does not count."""
        reports = Directory(self.directory / "other").make()
        pods = Pods(reports.path)
        self.addCleanup(pods.stop)
        pods.add("agg-7")
        self.assertTrue(eventually(lambda: reports.read_reports().get("agg-7"), 10))
        sharder = StandInSharder(reports.path)
        self.assertTrue(sharder.step())
        twin = self.limpet(count_rule(), http=True, args=["--assignment.directory", str(reports.path), "--assignment.unowned", "drop", "--pod", "agg-7"])
        twin.wait_listening()
        self.assertTrue(eventually(lambda: twin.status()["assignment"]["twin"], 10))
        self.assertEqual(twin.status()["assignment"]["slices_owned"], 0)
        mine = pods["agg-7"].report["incarnation"]
        self.assertEqual(reports.read_reports()["agg-7"]["incarnation"], mine)
        pods.kill("agg-7")
        self.assertTrue(eventually(lambda: reports.read_reports()["agg-7"]["incarnation"] != mine, 10))
        self.assertTrue(eventually(lambda: twin.status()["assignment"]["slices_owned"] == 4, 10))


class ShardTest(unittest.TestCase):
    """A sharder and a directory in which anything may stand."""

    def setUp(self):
        self.scratch = Path(tempfile.mkdtemp(prefix="limpet-format-"))
        self.addCleanup(shutil.rmtree, self.scratch, ignore_errors=True)
        self.shared = Directory(self.scratch / "shared").make()

    def shard(self, *args):
        shard = Shard(self.shared.path, *args, log=self.scratch / "shard.log")
        self.addCleanup(lambda: self.assertEqual(shard.stop(), 0, shard.log()))
        shard.wait_up()
        return shard

    def test_reports(self):
        shard = self.shard()
        good, bad = set(), set()
        for i, (what, data, is_good) in enumerate(format_cases.reports()):
            name = f"pod-{i}"
            (self.shared.reports / f"{name}.json").write_bytes(data.replace(b'"agg-0"', f'"{name}"'.encode()))
            (good if is_good else bad).add(name)
        for name, data in (("pod-a", format_cases.REPORT), (".pod", format_cases.REPORT), ("pod b", format_cases.REPORT)):
            (self.shared.reports / f"{name}.json").write_bytes(data)  # of another name than in it, or of none
        (self.shared.reports / "link.json").symlink_to("pod-0.json")
        os.mkfifo(self.shared.reports / "fifo.json")
        (self.shared.reports / "folder.json").mkdir()
        (self.shared.reports / ".tmp-1").write_bytes(format_cases.REPORT)
        names = lambda: {pod["name"] for pod in shard.json()["pods"]}
        self.assertTrue(eventually(lambda: good <= names(), 10), good - names())
        self.assertTrue(eventually(lambda: shard.counts()["reports_rejected"] >= len(bad), 10), shard.counts())
        self.assertEqual(names(), good)
        self.assertEqual(set(self.shared.read_reports()), good)

    def test_goes_on_above_the_highest_number(self):
        good = format_cases.GENERATION
        (self.shared.assignments / f"{good}.json").write_bytes(format_cases.ASSIGNMENT)
        bad = [data for _, data, is_good in format_cases.assignments() if not is_good]
        for i, data in enumerate(bad):
            (self.shared.assignments / f"{good + 1 + i}.json").write_bytes(format_cases.as_generation(data, good + 1 + i) or data)
        pods = Pods(self.shared.path)
        self.addCleanup(pods.stop)
        pods.add("agg-0", "agg-1")
        shard = self.shard("--planner.tolerance", "1")
        self.assertTrue(eventually(lambda: (self.shared.newest() or {"generation": 0})["generation"] > good + len(bad), 30, 0.1), shard.log())
        body = self.shared.newest()
        # Nobody died, so that nobody lost anything; agg-1 drains no more, and may have been given something.
        self.assertEqual([pod["name"] for pod in body["pods"]], ["agg-0", "agg-1"])
        self.assertEqual({low for low, _, _, _ in ranges(body)} & {0, 1 << 62, 3 << 62}, {0, 1 << 62, 3 << 62})
        self.assertGreaterEqual(shard.counts()["assignments_rejected"], len(bad))

    def test_of_another_cluster(self):
        foreign = with_header(format_cases.BODY.replace(b'"default"', b'"theirs"'), format_cases.GENERATION)
        (self.shared.path / "assignment.json").write_bytes(foreign)
        shard = self.shard()
        pods = Pods(self.shared.path)
        self.addCleanup(pods.stop)
        pods.add("agg-5", state="draining")
        pods.add("agg-6")
        sharder = StandInSharder(self.shared.path).start()
        self.addCleanup(sharder.stop)
        self.assertTrue(eventually(lambda: "cluster" in [alarm["name"] for alarm in shard.json()["alarms"]], 10))
        self.assertTrue(eventually(lambda: shard.json()["sharder"]["listening_s"] <= 0, 20, 0.1))
        time.sleep(2)  # long enough for both to have planned, if they would
        self.assertEqual((self.shared.path / "assignment.json").read_bytes(), foreign)
        self.assertEqual(self.shared.numbers(), [])


if __name__ == "__main__":
    unittest.main()
