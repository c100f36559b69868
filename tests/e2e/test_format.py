"""src/sharding/ASSIGNMENT_FORMAT.md is enough to stand in for either side: real aggregators under a sharder that was written from the document alone, and
`limpet shard` over pods that were. Whatever the real programs write is judged by the strict reader of assignment_files.py.
"""

import shutil
import tempfile
import time
import unittest
from pathlib import Path

from assignment_files import Directory, key_of, ranges, write_replacing
from cluster_watch import Watch, changes, unexplained
from limpet_case import LimpetCase, eventually, now_ns
from stand_in_pods import Pods, Shard
from stand_in_sharder import StandInSharder
from test_cluster import Stream

PERIOD_S, EVERY_S, GRACE_S, CUTOVER_S = 3, 1, 1, 5
REPORT_S = 2.0
RULES = f"""
[defaults]
period = "{PERIOD_S}s"
every = "{EVERY_S}s"
grace = "{GRACE_S}s"
drop_original = true

[[rule]]
name = "latency"
namepass = ["latency"]
without = ["pod"]
  [rule.fields]
  ms = ["count", "sum", "max"]

[[rule]]
name = "of tenants"
namepass = ["http"]
by = ["tenant", "path"]
shard_by = ["tenant"]
shard_name = "tenants"
measurement = "{{measurement}}_3s"
  [rule.fields]
  bytes = ["sum"]
"""


def key_of_result(line):
    """The key by which a line of output was assigned, as the document and the rules have it."""
    if line.name == "http_3s":
        return key_of("tenants", {"tenant": line.tags["tenant"]})
    return key_of(line.name, line.tags)


class Lines(Stream):
    def batch(self, turn):
        now = now_ns()
        lines = [b"latency,path=/\\ %d,pod=p%d ms=%d.5 %d\n" % (i, turn % 3, (i * 31 + turn) % 97, now - i * 1_000_000) for i in range(40)]
        lines += [b"http,tenant=t%d,path=/%d bytes=%di %d\n" % (i % 13, i % 4, i + turn, now) for i in range(52)]
        lines += [b"other,host=h%d v=%di %d\n" % (i, turn, now) for i in range(8)]
        return b"".join(lines), len(lines)


def line_key(line):
    return (line.series, tuple(sorted(line.fields.items())), line.time_ns)


class StandInSharderTest(LimpetCase):
    def setUp(self):
        super().setUp()
        self.shared = self.directory / "shared"
        self.files = Directory(self.shared).make()
        self.watch = Watch(self.shared)
        self.addCleanup(self.watch.stop)

    def pod(self, name, rules=RULES):
        flags = ["--assignment.directory", str(self.shared), "--assignment.unowned", "drop", "--pod", name, "--assignment.zone", 'a "ö"']
        return self.limpet(rules, http=True, args=flags)

    def report(self, name):
        return self.files.read_reports().get(name)

    def wait_report(self, name, condition, timeout_s=20):
        self.assertTrue(eventually(lambda: (found := self.report(name)) and condition(found), timeout_s), self.report(name))
        return self.report(name)

    def wait_adopted(self, *names):
        generation = self.files.newest()["generation"]
        for name in names:
            self.wait_report(name, lambda report: report["generation"] >= generation)

    def test_moved_and_drained(self):
        pods = {name: self.pod(name) for name in ("agg-0", "agg-1", "agg-2")}
        alone = self.limpet(RULES)
        for name in pods:
            self.assertEqual(self.wait_report(name, lambda report: True)["slices"], [])
            self.wait_report(name, lambda report: report["state"] == "ready")
        self.assertEqual({self.report(name)["generation"] for name in pods}, {0})
        sharder = StandInSharder(self.shared, cutover_s=CUTOVER_S).start()
        self.addCleanup(sharder.stop)
        for name, pod in pods.items():
            self.wait_report(name, lambda report: len(report["slices"]) == 4)
            self.assertEqual(pod.request("GET", "/readyz")[0], 200)

        stream = Lines([*pods.values(), alone])
        begun_s = time.time()
        stream.thread.start()
        self.addCleanup(setattr, stream, "running", False)
        time.sleep(PERIOD_S)
        # One slice moves, and then back, while windows of both its owners are open.
        low = next(low for low, _, owner, _ in ranges(self.files.newest()) if owner == "agg-0" and self.busy(low))
        for to in ("agg-1", "agg-0"):
            moved_at = sharder.move(low, to)
            generation = self.files.newest()["generation"]
            adopted = lambda: all(pod.status()["assignment"]["generation"] >= generation for pod in pods.values())
            self.assertTrue(eventually(adopted, 20))
            self.assertLess(time.time(), moved_at, "the pods were slower than the cutover: this machine is too busy")
            self.assertTrue(eventually(lambda: time.time() > moved_at, 20))
        self.drain("agg-2")
        time.sleep(1)
        stream.running = False
        stream.thread.join()
        ended_s = time.time()
        time.sleep(PERIOD_S + GRACE_S + 1)
        for pod in [*pods.values(), alone]:
            self.assert_clean(pod.stop())
        sharder.stop()
        self.assertEqual(self.watch.stop().wrong, [])
        self.assertEqual(sharder.lost, 0)
        self.assertEqual(self.watch.states("agg-2"), ["ready", "draining", "drained"])
        self.judge_reports(pods)
        self.judge_results(pods, alone, begun_s, ended_s)

    def busy(self, low):
        high = low + (1 << 64) // 12
        return any(low <= key_of("latency", {"path": f"/ {i}"}) < high for i in range(40))

    def drain(self, name):
        """By the file: first of another life, which does not concern it."""
        request = self.shared / "reports" / f"{name}.drain"
        write_replacing(request, b"0123456789abcdef\n")
        sequence = self.report(name)["sequence"]
        self.wait_report(name, lambda report: report["sequence"] > sequence + 1)
        self.assertEqual(self.report(name)["state"], "ready")
        write_replacing(request, self.report(name)["incarnation"].encode() + b"\n")
        self.wait_report(name, lambda report: report["state"] != "ready")
        self.wait_report(name, lambda report: report["state"] == "drained", 40)
        lost = max(cutover for _, _, _, _, cutover in changes(*self.watch.generations()[-2:]))
        self.assertGreaterEqual(time.time(), lost + PERIOD_S - EVERY_S, "it had windows to finish")
        self.assertNotIn(name, {owner for _, _, owner, _ in ranges(self.files.newest())})

    def judge_reports(self, names):
        for name in names:
            reports = self.watch.reports[name]
            self.assertEqual(len({report["incarnation"] for _, report in reports}), 1)
            self.assertEqual({report["zone"] for _, report in reports}, {'a "ö"'})
            self.assertEqual(len({report["rules"] for _, report in reports}), 1)
            gaps = [b - a for (a, _), (b, _) in zip(reports, reports[1:])]
            self.assertLess(sorted(gaps)[len(gaps) // 2], REPORT_S + 0.5)
            owned = {n: {low for low, _, owner, _ in ranges(body) if owner == name} for n, body in self.watch.bodies.items()}
            for _, report in reports:
                told = {each["low"] for each in report["slices"]}
                self.assertLessEqual(owned.get(report["generation"], set()), told, "it does not report all it owns")
        self.assertEqual(len({reports[-1][1]["rules"] for reports in self.watch.reports.values()}), 1)
        self.assertTrue(any(each["samples_per_s"] > 0 and each["groups"] > 0 for _, report in self.watch.reports["agg-0"] for each in report["slices"]))

    def judge_results(self, pods, alone, begun_s, ended_s):
        whole = lambda line: line.name == "other" or line.time_ns / 1e9 - PERIOD_S >= begun_s + 1 and line.time_ns / 1e9 <= ended_s
        results = lambda pod: sorted((line for line in pod.lines() if whole(line)), key=line_key)
        right = results(alone)
        self.assertGreater(len(right), 500)
        self.assertEqual({line.name for line in right}, {"latency", "http_3s", "other"})
        fleet = [(name, line) for name, pod in pods.items() for line in results(pod)]
        self.assertEqual(sorted(line_key(line) for _, line in fleet), [line_key(line) for line in right])
        owners = set()
        for name, line in fleet:
            key, begin_s = key_of_result(line), line.time_ns / 1e9 - (0 if line.name == "other" else PERIOD_S)
            self.assertEqual(name, self.watch.owner_at(key, begin_s), (line, self.watch.history(key)))
            owners.add((key, name))
        self.assertGreater(len(owners), len({key for key, _ in owners}), "nothing that was aggregated has moved")

    def test_declared_dead(self):
        """A pod that reads that it is dead drops what was taken from it; one that was not named goes on."""
        rules = RULES.replace(f'period = "{PERIOD_S}s"', 'period = "1h"').replace(f'every = "{EVERY_S}s"', 'every = "1h"')
        pods = {name: self.pod(name, rules) for name in ("agg-0", "agg-1", "agg-2")}
        for name in pods:
            self.wait_report(name, lambda report: report["state"] == "ready")
        sharder = StandInSharder(self.shared, fill=False)
        self.assertTrue(sharder.step())
        self.wait_adopted(*pods)
        lines = b"".join(b"latency,path=/%d ms=1 %d\n" % (i, now_ns()) for i in range(300))
        for pod in pods.values():
            pod.write(lines)
            pod.wait_read(300)
        sharder.state = lambda name, reports, before: "dead" if name == "agg-0" else reports[name]["state"]
        self.assertTrue(sharder.step())
        self.wait_adopted(*pods)
        for pod in pods.values():
            self.assert_clean(pod.stop())
        self.assertEqual(self.watch.stop().wrong, [])
        self.assertEqual(pods["agg-0"].results("latency"), [])
        for name in ("agg-1", "agg-2"):
            mine = {line.tags["path"] for line in pods[name].results("latency")}
            self.assertLessEqual({f"/{i}" for i in range(300) if self.watch.history(key_of("latency", {"path": f"/{i}"}))[0][1] == name}, mine)


class StandInPodsTest(unittest.TestCase):
    def setUp(self):
        self.scratch = Path(tempfile.mkdtemp(prefix="limpet-format-"))
        self.addCleanup(shutil.rmtree, self.scratch, ignore_errors=True)
        self.files = Directory(self.scratch / "shared").make()
        self.watch = Watch(self.files.path)
        self.addCleanup(self.watch.stop)
        self.pods = Pods(self.files.path)
        self.addCleanup(self.pods.stop)

    def shard(self):
        shard = Shard(self.files.path, "--planner.tolerance", "1", log=self.scratch / "shard.log")
        self.addCleanup(lambda: self.assertEqual(shard.stop(), 0, shard.log()))
        shard.wait_up()
        return shard

    def body(self):
        return self.files.newest() or {"generation": 0}

    def state(self, name):
        return next(pod["state"] for pod in self.body()["pods"] if pod["name"] == name)

    def owned(self, name):
        return [low for low, _, owner, _ in ranges(self.body()) if owner == name]

    def wait(self, condition, timeout_s=30):
        self.assertTrue(eventually(condition, timeout_s, 0.05), self.shards.log()[-3000:])

    def test_a_life(self):
        """First generation, drain, a new life of the same name, death by silence; every file on the way."""
        highest = int(time.time()) + 1_000_000
        self.pods.add("agg-0", "agg-1", "agg-2", "agg-3")
        self.pods.change("agg-3", generation=highest)
        self.shards = self.shard()
        self.wait(lambda: self.watch.bodies)
        self.assertEqual(self.watch.generations()[0]["generation"], highest + 1)
        self.assertEqual(set(self.watch.generations()[0]["slices"]["cutover"]), {0})
        self.wait(lambda: self.shards.json()["sharder"]["listening_s"] <= 0)
        self.wait(lambda: all(self.owned(f"agg-{i}") for i in range(4)))

        # Starting and drained pods are given nothing.
        self.pods.add("agg-4", state="starting")
        self.pods["agg-1"].drains, self.pods["agg-1"].finishing_s = True, 1
        asked = time.time()
        write_replacing(self.files.reports / "agg-1.drain", b"*")
        self.wait(lambda: self.pods["agg-1"].report["state"] == "drained")
        drain = [move for move in self.body()["moved"] if move["cause"] == "drain"]
        self.assertEqual({move["from"] for move in drain}, {"agg-1"})
        for move in drain:
            self.assertTrue(asked + 8 <= move["cutover"] <= time.time() and move["cutover"] - move["at"] >= 10, move)
        self.assertEqual(self.owned("agg-1"), [])
        self.assertEqual(self.owned("agg-4"), [])
        (self.files.reports / "agg-1.drain").unlink()

        # A new life keeps what the old one had; a silent pod loses it, and only it does.
        had, before = self.owned("agg-0"), self.body()["generation"]
        self.pods.restart("agg-0")
        self.pods.kill("agg-2")
        silent = time.time()
        incarnation = self.pods["agg-0"].report["incarnation"]
        self.wait(lambda: any(pod["incarnation"] == incarnation for pod in self.body()["pods"]))
        self.wait(lambda: self.state("agg-2") == "dead")
        self.assertGreater(time.time() - silent, 10 - REPORT_S - 0.5)
        self.assertLessEqual(set(had), set(self.owned("agg-0")))
        self.assertEqual(self.owned("agg-2"), [])
        deaths = [move for move in self.body()["moved"] if move["cause"] == "death"]
        self.assertEqual({move["from"] for move in deaths}, {"agg-2"})
        self.assertTrue(all(0 <= move["cutover"] - move["at"] <= 1 for move in deaths), deaths)

        # Back again, as another life, and it takes part.
        self.pods.restart("agg-2")
        self.wait(lambda: self.state("agg-2") == "ready")
        self.assertEqual(self.shards.counts()["deaths"], 1)
        self.shards.stop()
        self.judge(before)

    def judge(self, before):
        self.assertEqual(self.watch.stop().wrong, [])
        generations = self.watch.generations()
        self.assertGreater(len(generations), 3)
        for old, new in zip(generations, generations[1:]):
            self.assertEqual(unexplained(old, new), [], new["generation"])
            moved = {low: new["generation"] for low, _, _, _, _ in changes(old, new)}
            since = dict(zip(new["slices"]["low"], new["slices"]["since"]))
            self.assertLessEqual(moved.items(), since.items() | set(), new["generation"])
            self.assertGreaterEqual(new["created"], old["created"])
        self.assertEqual((self.files.path / "assignment.json").read_bytes(), self.watch.files[generations[-1]["generation"]])
        self.assertLessEqual(len(self.files.numbers()), 8)

    def test_beside_a_sharder_of_another_make(self):
        """Two sharders, one of them `limpet shard`, on one directory: each change is made by one of them."""
        self.pods.add("agg-0", "agg-1", "agg-2", "agg-3", "agg-4")
        self.assertTrue(eventually(lambda: len(self.files.read_reports()) == 5, 10))
        other = StandInSharder(self.files.path, fill=False).start()
        self.addCleanup(other.stop)
        self.shards = self.shard()
        self.wait(lambda: self.body()["generation"] > 0)
        self.wait(lambda: self.shards.json()["sharder"]["listening_s"] <= 0)
        for name in ("agg-1", "agg-3"):
            self.pods.change(name, state="draining")
            self.wait(lambda: not self.owned(name))
        self.pods.kill("agg-4")
        self.wait(lambda: not self.owned("agg-4"))
        other.stop()
        self.shards.stop()
        print(f"published: {other.published} by the stand-in, which lost {other.lost}; {len(self.watch.generations())} seen")
        self.assertEqual(self.watch.stop().wrong, [])
        self.assertGreater(other.published, 0)
        for old, new in zip(self.watch.generations(), self.watch.generations()[1:]):
            self.assertEqual(unexplained(old, new), [], new["generation"])
        self.assertEqual({owner for _, _, owner, _ in ranges(self.body())}, {"agg-0", "agg-2"})


if __name__ == "__main__":
    unittest.main()
