"""`limpet shard` with stand-ins for pods: real processes, files and signals."""

import shutil
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import settings
from assignment_files import write_replacing
from limpet_case import eventually
from stand_in_pods import Pods, Shard, owned_by, owners, read_assignment

DEAD_AFTER_S = 10.0


class ShardCase(unittest.TestCase):
    def setUp(self):
        self.scratch = Path(tempfile.mkdtemp(prefix="limpet-shard-"))
        self.addCleanup(shutil.rmtree, self.scratch, ignore_errors=True)
        self.directory = self.scratch / "shared"
        self.shards = []

    def shard(self, *args, tolerance=1):
        # Only the tests of balance want anything to move for it.
        shard = Shard(self.directory, "--planner.tolerance", str(tolerance), *args, log=self.scratch / f"shard-{len(self.shards)}.log")
        self.shards.append(shard)
        self.addCleanup(self.judge, shard)
        shard.wait_up()
        return shard

    def judge(self, shard):
        shard.process.send_signal(signal.SIGCONT) if shard.process.poll() is None else None
        code = shard.stop()
        self.assertIn(code, (0, -signal.SIGKILL), shard.log())
        self.assertNotIn("bug:", shard.log())
        for line in shard.log().splitlines():
            self.assertRegex(line, "^[EWID]! ")

    def pods(self, *names, **terms):
        pods = Pods(self.directory)
        self.addCleanup(pods.stop)
        pods.add(*names, **terms)
        return pods

    def assignment(self):
        return read_assignment(self.directory)

    def generation(self):
        found = self.assignment()
        return found["generation"] if found else 0

    def wait_generation(self, above, timeout_s=30):
        """The first assignment above that number, and when it was seen."""
        self.assertTrue(eventually(lambda: self.generation() > above, timeout_s, 0.02), [shard.log() for shard in self.shards])
        return self.assignment(), time.monotonic()

    def start_cluster(self, names, shards=1):
        """A cluster that runs, its sharders past their time of listening."""
        started = [self.shard() for _ in range(shards)]
        pods = self.pods(*names)
        first, _ = self.wait_generation(0)
        self.assertTrue(eventually(lambda: all(shard.json()["sharder"]["listening_s"] <= 0 for shard in started), 20, 0.1))
        self.assertTrue(eventually(lambda: all(pod["generation"] == self.generation() for pod in started[0].json()["pods"]), 10, 0.1))
        self.settle()
        return started, pods, self.assignment()

    def settle(self, for_s=3.0):
        """Until no generation came for a while: what follows is then by itself."""
        seen, since = self.generation(), time.monotonic()
        while time.monotonic() - since < for_s:
            time.sleep(0.1)
            if self.generation() != seen:
                seen, since = self.generation(), time.monotonic()

    def only_moved_from(self, before, after, name):
        was, now = owners(before), owners(after)
        for low, owner in was.items():
            if owner == name:
                self.assertNotEqual(now[low], name, low)
            else:
                self.assertEqual(now[low], owner, low)


class GenerationTest(ShardCase):
    def test_first_generation_then_drain_then_kill(self):
        (shard,), pods, before = self.start_cluster(["agg-0", "agg-1", "agg-2", "agg-3"])
        self.assertEqual([pod["name"] for pod in before["pods"]], ["agg-0", "agg-1", "agg-2", "agg-3"])
        self.assertEqual({len(owned_by(before, f"agg-{i}")) for i in range(4)}, {32})
        self.assertEqual(before["slices"]["low"][0], "0" * 16)

        drained_at = pods.change("agg-1", state="draining")
        after, seen_at = self.wait_generation(before["generation"])
        print(f"from the report of a drain to the generation: {seen_at - drained_at:.2f} s")
        self.assertLess(seen_at - drained_at, 2.0)
        self.only_moved_from(before, after, "agg-1")

        self.settle()
        before = self.assignment()
        pods.kill("agg-2")
        killed_at = time.monotonic()
        after, seen_at = self.wait_generation(before["generation"])
        print(f"from a pod's end to the generation: {seen_at - killed_at:.2f} s")
        self.assertGreater(seen_at - killed_at, DEAD_AFTER_S - 2.5)  # its last report may be 2 s old
        self.assertLess(seen_at - killed_at, DEAD_AFTER_S + 2)
        self.only_moved_from(before, after, "agg-2")
        self.assertEqual({pod["name"]: pod["state"] for pod in after["pods"]}["agg-2"], "dead")
        self.assertTrue(any("agg-2" in cause for cause in after["cause"]), after["cause"])
        self.assertIn("pod agg-2 is dead", shard.log())

    def test_two_sharders_one_wins_each_generation(self):
        shards, pods, before = self.start_cluster(["agg-0", "agg-1", "agg-2", "agg-3", "agg-4", "agg-5"], shards=2)
        for name in ("agg-1", "agg-4"):
            pods.change(name, state="draining")
            time.sleep(3)
        self.assertTrue(eventually(lambda: not owned_by(self.assignment(), "agg-4"), 20))
        self.settle()
        numbers = sorted(int(path.stem) for path in (self.directory / "assignments").glob("*.json"))
        self.assertEqual(numbers[-1], self.generation())
        self.assertEqual(len(numbers), len(set(numbers)))
        # The body of assignment.json is the newest numbered file, byte for byte.
        self.assertEqual((self.directory / "assignment.json").read_bytes(), (self.directory / "assignments" / f"{numbers[-1]}.json").read_bytes())
        published = [shard.counts()["published"] for shard in shards]
        print(f"two sharders published {published} generations, conflicts {[shard.counts()['conflicts'] for shard in shards]}")
        self.assertTrue(eventually(lambda: [shard.json()["generation"] for shard in shards] == [self.generation()] * 2, 10))
        # One is killed: the other goes on.
        shards[0].process.kill()
        before = self.assignment()
        pods.change("agg-5", state="draining")
        after, _ = self.wait_generation(before["generation"])
        self.only_moved_from(before, after, "agg-5")


class RestartTest(ShardCase):
    TAKES_LONG = True

    def test_restart_moves_nothing(self):
        (shard,), pods, before = self.start_cluster(["agg-0", "agg-1", "agg-2"])
        self.assertEqual(shard.stop(), 0)
        again = self.shard()
        cluster = again.json()
        self.assertEqual(cluster["generation"], before["generation"])
        self.assertGreater(cluster["sharder"]["listening_s"], 5)
        self.assertIn(before["generation"], [each["generation"] for each in cluster["generations"]])
        time.sleep(DEAD_AFTER_S + 5)
        self.assertEqual(self.generation(), before["generation"])
        self.assertGreaterEqual(again.counts()["plans"], 1)

    def test_stops_at_once(self):
        shard = self.shard()
        begin = time.monotonic()
        self.assertEqual(shard.stop(), 0)
        self.assertLess(time.monotonic() - begin, 1)

    def test_stopped_for_15_s_and_continued_moves_nothing(self):
        (shard,), pods, before = self.start_cluster(["agg-0", "agg-1", "agg-2", "agg-3"])
        shard.process.send_signal(signal.SIGSTOP)
        time.sleep(15)
        shard.process.send_signal(signal.SIGCONT)
        self.assertTrue(eventually(lambda: shard.counts()["held_up"] == 1, 5))
        time.sleep(DEAD_AFTER_S + 4)
        self.assertEqual(owners(self.assignment()), owners(before))
        self.assertEqual(shard.counts()["deaths"], 0)
        # And it works on.
        before = self.assignment()
        pods.change("agg-0", state="draining")
        after, _ = self.wait_generation(before["generation"])
        self.only_moved_from(before, after, "agg-0")


class BudgetTest(ShardCase):
    ARGS = ("--planner.round", "1s", "--planner.cooldown", "1s")

    def balance_share(self):
        """Of the keys, moved for balance within the hour."""
        return sum((move["high"] or 1 << 64) - move["low"] for move in self.assignment()["moved"] if move["cause"] == "balance") / 2**64

    def wait_budget_spent(self, budget):
        """Until nothing more moves for several rounds."""
        self.assertTrue(eventually(lambda: self.balance_share() > budget - 0.02, 60, 0.1), self.balance_share())
        self.settle(6)
        self.assertLessEqual(self.balance_share(), budget)
        return self.balance_share()

    def test_a_restart_within_the_hour_keeps_to_the_hours_budget(self):
        shard = self.shard(*self.ARGS, tolerance=0.05)
        names = [f"agg-{i}" for i in range(4)]
        pods = self.pods(*names)
        first, _ = self.wait_generation(0)
        hot = sorted((int(low, 16), owner == "agg-0") for low, owner in owners(first).items())
        for name in names:  # what agg-0 had at first is hot, wherever it goes: all of the budget is not enough
            pods[name].cpu_of = lambda low: 0.05 if [is_hot for begin, is_hot in hot if begin <= int(low, 16)][-1] else 0.01
        spent = self.wait_budget_spent(0.09)
        self.assertEqual(shard.stop(), 0)

        again = self.shard(*self.ARGS, tolerance=0.05)
        self.assertTrue(eventually(lambda: again.json()["sharder"]["listening_s"] <= 0, 30, 0.1))
        plans = again.counts()["plans"]
        self.assertTrue(eventually(lambda: again.counts()["plans"] >= plans + 5, 20, 0.1), "it looks at balance again and again")
        self.assertLessEqual(self.balance_share(), 0.09)
        self.assertEqual(again.stop(), 0)

        # The load is as uneven as before: with a larger budget it goes on, by what is left of that.
        self.shard(*self.ARGS, "--planner.hour_budget", "0.15", tolerance=0.05)
        self.assertTrue(eventually(lambda: self.balance_share() > 0.09, 60, 0.1), self.balance_share())
        print(f"balance moved {spent * 100:.1f} % of the keys, {self.wait_budget_spent(0.15) * 100:.1f} % with a larger budget")


class BrakeTest(ShardCase):
    def test_too_many_deaths_are_not_believed(self):
        (shard,), pods, before = self.start_cluster([f"agg-{i}" for i in range(8)])
        lost = ("agg-1", "agg-4", "agg-6")
        for name in lost:
            pods.kill(name)
        alarms = lambda: [alarm["name"] for alarm in shard.json()["alarms"]]
        self.assertTrue(eventually(lambda: "frozen" in alarms(), DEAD_AFTER_S + 15, 0.1), shard.log())
        self.settle(5)
        self.assertEqual(owners(self.assignment()), owners(before))
        self.assertRegex(shard.get("/metrics")[1].decode(), r"limpet_sharder_frozen_plans_total [1-9]")
        # One of them comes back: two deaths can be.
        pods.restart("agg-4")
        self.assertTrue(eventually(lambda: not owned_by(self.assignment(), "agg-1"), 20, 0.1), shard.log())
        self.assertTrue(eventually(lambda: "frozen" not in alarms(), 10, 0.1))
        was, now = owners(before), owners(self.assignment())
        self.assertEqual({was[low] for low in was if now[low] != was[low]}, {"agg-1", "agg-6"})

    def test_whoever_knows_better_says_so(self):
        shard = self.shard()
        pods = self.pods(*[f"agg-{i}" for i in range(6)])
        self.wait_generation(0)
        self.settle()
        self.assertEqual(shard.stop(), 0)
        for name in ("agg-0", "agg-2", "agg-3"):
            pods.kill(name)
        believer = self.shard("--planner.dead_share", "1")
        gone = lambda: not any(owned_by(self.assignment(), name) for name in ("agg-0", "agg-2", "agg-3"))
        self.assertTrue(eventually(gone, DEAD_AFTER_S + 20, 0.1), believer.log())
        self.assertNotIn("frozen", [alarm["name"] for alarm in believer.json()["alarms"]])


class AlarmTest(ShardCase):
    def test_nobody_is_ready_and_no_generation_is_left(self):
        shard = self.shard("--dead_after", "5s")
        alarms = lambda: [alarm["name"] for alarm in shard.json()["alarms"]]
        pods = self.pods("agg-0", "agg-1", state="starting")
        self.assertTrue(eventually(lambda: "not-ready" in alarms(), 5), shard.log())
        self.assertEqual(self.generation(), 0)
        for name in ("agg-0", "agg-1"):
            pods.change(name, state="ready")
        self.wait_generation(0)
        self.assertTrue(eventually(lambda: alarms() == [], 5), alarms())
        self.assertTrue(eventually(lambda: shard.json()["sharder"]["listening_s"] <= 0, 20, 0.1))

        last = (1 << 53) - 1
        (self.directory / "assignments" / f"{last}.json").write_text("x\n")
        before = self.assignment()
        pods.change("agg-1", state="draining")
        self.assertTrue(eventually(lambda: "generations" in alarms(), 15, 0.1), shard.log())
        time.sleep(2)
        self.assertEqual(self.assignment(), before)
        self.assertEqual([path for path in self.directory.rglob("*.json") if path.stem.isdigit() and int(path.stem) > last], [])
        self.assertEqual(sum("no generation is left" in line for line in shard.log().splitlines() if line.startswith("E! ")), 1, shard.log())


class DirectoryTest(ShardCase):
    TAKES_LONG = True

    def test_lost_and_restored(self):
        (shard,), pods, before = self.start_cluster(["agg-0", "agg-1", "agg-2"])
        away = self.scratch / "away"
        self.directory.rename(away)
        self.assertTrue(eventually(lambda: shard.get("/readyz")[0] == 503, 5))
        self.assertEqual(shard.get("/healthz")[0], 200)
        time.sleep(12)
        self.assertIn("directory", [alarm["name"] for alarm in shard.json()["alarms"]])
        self.assertEqual(shard.json()["generation"], before["generation"])
        self.assertEqual(sum("nothing can be changed until it is back" in line and line.startswith("E!") for line in shard.log().splitlines()), 1)
        self.assertGreater(shard.counts()["directory_errors"], 10)
        away.rename(self.directory)
        self.assertTrue(eventually(lambda: shard.get("/readyz")[0] == 200, 5))
        time.sleep(DEAD_AFTER_S + 4)
        self.assertEqual(owners(self.assignment()), owners(before))
        self.assertEqual(shard.counts()["deaths"], 0)

    def test_made_anew_empty(self):
        (shard,), pods, before = self.start_cluster(["agg-0", "agg-1", "agg-2"])
        self.directory.rename(self.scratch / "old")
        time.sleep(1)
        self.directory.mkdir()
        after, _ = self.wait_generation(0, 20)
        self.assertEqual(owners(after), owners(before))
        self.assertGreater(after["generation"], before["generation"])
        time.sleep(DEAD_AFTER_S + 4)
        self.assertEqual(owners(self.assignment()), owners(before))

    def test_garbled_assignment_is_healed(self):
        (shard,), pods, before = self.start_cluster(["agg-0", "agg-1", "agg-2"])
        file = self.directory / "assignment.json"
        for garbled in (b"", file.read_bytes()[:-100], b"\x00" * 100, b'{"format":"limpet-assignment","version":1}\n{}\n'):
            generation = self.generation()
            file.write_bytes(garbled)
            self.assertTrue(eventually(lambda: file.read_bytes() != garbled and self.generation() > generation, 15), shard.log())
            self.assertEqual(owners(self.assignment()), owners(before))
        # The numbered one, too: what the sharder knows is more than what the files say.
        generation = self.generation()
        (self.directory / "assignments" / f"{generation}.json").write_bytes(b"x")
        file.write_bytes(b"y")
        self.assertTrue(eventually(lambda: self.generation() > generation, 30), shard.log())
        self.assertEqual(owners(self.assignment()), owners(before))
        self.assertGreater(shard.counts()["assignments_rejected"], 3)

    def test_reports_that_are_none(self):
        (shard,), pods, before = self.start_cluster(["agg-0", "agg-1", "agg-2"])
        write_replacing(self.directory / "reports" / "agg-9.json", b"{}\n")  # at once: one that is empty yet would be a third
        (self.directory / "reports" / "agg-8.json").symlink_to("agg-0.json")
        self.assertTrue(eventually(lambda: shard.counts()["reports_rejected"] == 2, 5))
        self.assertEqual(len(shard.json()["pods"]), 3)


class CommandTest(ShardCase):
    TAKES_LONG = True

    def run_limpet(self, *args, timeout=60):
        return subprocess.run([settings.limpet(), *args], capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL, check=False)

    def test_status(self):
        nothing = self.run_limpet("status", "--assignment.directory", str(self.scratch / "none"))
        self.assertEqual(nothing.returncode, 1)
        self.assertIn("none", nothing.stderr)
        self.assertEqual(self.run_limpet("status").returncode, 1)
        (shard,), pods, before = self.start_cluster(["agg-0", "agg-1"])
        shard.stop()  # no sharder is needed
        for args in (["--assignment.directory", str(self.directory)], ["--config", str(self.config())]):
            done = self.run_limpet("status", *args)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(f"generation {before['generation']}", done.stdout)
            self.assertIn("2 of 2 pods ready, 64 slices", done.stdout)
            self.assertRegex(done.stdout, r"agg-0 +ready +[#.]{10} +0\.\d\d cpu +50\.0 % +32 ")

    def config(self):
        file = self.scratch / "sharder.toml"
        file.write_text(f'[assignment]\ndirectory = "{self.directory}"\n[planner]\nround = "30s"\n')
        return file

    def test_status_again_and_again(self):
        (shard,), pods, before = self.start_cluster(["agg-0", "agg-1"])
        out = self.scratch / "status.out"
        with open(out, "wb") as file:
            watching = subprocess.Popen([settings.limpet(), "status", "--assignment.directory", self.directory, "--watch"], stdout=file, stderr=file)
        self.addCleanup(watching.wait)
        self.addCleanup(watching.kill)
        self.assertTrue(eventually(lambda: out.read_text().count(f"generation {before['generation']}") >= 2, 10), out.read_text())
        pods.change("agg-1", state="draining")
        after, _ = self.wait_generation(before["generation"])
        self.assertTrue(eventually(lambda: f"generation {after['generation']}" in out.read_text(), 10), out.read_text())
        self.assertNotIn("\x1b", out.read_text())  # no terminal
        watching.send_signal(signal.SIGINT)
        self.assertEqual(watching.wait(5), -signal.SIGINT)

    def test_drain_by_the_pods_configuration(self):
        (shard,), pods, before = self.start_cluster(["agg-0", "agg-1", "agg-2"])
        pods["agg-2"].drains = True
        config = self.scratch / "limpet.toml"
        config.write_text(f'rules = ["x.toml"]\n[assignment]\ndirectory = "{self.directory}"\npod = "agg-2"\nunowned = "drop"\n')
        done = self.run_limpet("drain", "--config", str(config))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.only_moved_from(before, self.assignment(), "agg-2")
        self.assertEqual(owned_by(self.assignment(), "agg-2"), [])
        # --pod is another one.
        done = self.run_limpet("drain", "--config", str(config), "--pod", "nobody")
        self.assertIn('knows a pod "nobody"', done.stderr)
        # Drained twice is drained; a new life takes part again.
        self.assertEqual(self.run_limpet("drain", "--config", str(config)).returncode, 0)
        pods["agg-2"].drains = False
        pods.restart("agg-2")
        ready = lambda: {pod["name"]: pod["state"] for pod in shard.json()["pods"]}["agg-2"] == "ready"
        self.assertTrue(eventually(ready, 10, 0.1))

    def test_drain_that_cannot_be(self):
        directory = ["--assignment.directory", str(self.scratch / "none")]
        for args, words in (
            ([], "which cluster?"),
            (directory, "which pod?"),
            ([*directory, "--pod", "agg-0"], "none cannot be read"),
            ([*directory, "--pod", "agg-0", "--timeout", "soon"], '--timeout: "soon" is no duration'),
            (["--config", str(self.scratch / "none.toml")], "none.toml"),
            (["--config", str(self.config()), *directory], "excludes"),
            (["--config", str(self.config())], "which pod?"),
        ):
            done = self.run_limpet("drain", *args)
            self.assertNotEqual(done.returncode, 0, args)
            self.assertIn(words, done.stderr, args)

    def test_drain(self):
        (shard,), pods, before = self.start_cluster(["agg-0", "agg-1", "agg-2"])
        pods["agg-1"].drains = True
        done = self.run_limpet("drain", "--assignment.directory", str(self.directory), "--pod", "agg-1")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("agg-1 owns 32 slices, 33.", done.stderr)
        self.assertIn("agg-1 owns nothing more", done.stderr)
        self.only_moved_from(before, self.assignment(), "agg-1")

        # This one does not listen.
        done = self.run_limpet("drain", "--assignment.directory", str(self.directory), "--pod", "agg-2", "--timeout", "3s")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"gave up after 3\.\d s: agg-2 owns \d+ slices")
        self.assertEqual((self.directory / "reports" / "agg-2.drain").read_text().strip(), pods["agg-2"].report["incarnation"])

        done = self.run_limpet("drain", "--assignment.directory", str(self.directory), "--pod", "nobody")
        self.assertEqual(done.returncode, 1)
        self.assertIn('knows a pod "nobody"', done.stderr)

    def test_wrong_configuration(self):
        file = self.scratch / "sharder.toml"
        file.write_text('[assignment]\ndirectori = "/x"\n[planner]\nround = 30\n[listen]\nhttp = "0.0.0.0:8099"\n')
        done = self.run_limpet("shard", "--config", str(file))
        self.assertEqual(done.returncode, 1)
        self.assertIn('sharder.toml:2:1: error: unknown key "assignment.directori" (did you mean "directory"?)', done.stderr)
        self.assertIn('sharder.toml:4:9: error: "planner.round" must be a duration in quotes', done.stderr)
        self.assertIn("sharder.toml:6:8: error: 0.0.0.0:8099 can be reached from other machines", done.stderr)

    def test_http(self):
        (shard,), pods, before = self.start_cluster(["agg-0", "agg-1", "agg-2"])
        cluster = shard.json()
        self.assertEqual(len(cluster["slices"]["low"]), 96)
        self.assertEqual({len(column) for column in cluster["slices"].values()}, {96})
        self.assertEqual(cluster["owners"], ["agg-0", "agg-1", "agg-2"])
        self.assertNotIn("slices", shard.json("/api/cluster?slices=0"))
        pod = cluster["pods"][1]
        self.assertEqual((pod["state"], pod["slices"], pod["incarnation"]), ("ready", 32, pods["agg-1"].report["incarnation"]))
        self.assertAlmostEqual(pod["load"], 0.32, 6)
        self.assertAlmostEqual(cluster["imbalance"]["max_mean"], 1, 6)
        self.assertEqual(shard.get("/nothing")[0], 404)
        status, page = shard.get("/")
        self.assertEqual(status, 200)
        self.assertIn(b"<title>Limpet</title>", page)
        for elsewhere in (b"http://", b"https://", b"@import", b"src="):
            self.assertNotIn(elsewhere, page)
        metrics = shard.get("/metrics")[1].decode()
        self.assertIn(f"limpet_sharder_generation {before['generation']}\n", metrics)
        self.assertIn('limpet_sharder_pods{state="ready"} 3\n', metrics)
        self.assertIn('limpet_sharder_churn_total{cause="drain"} 0\n', metrics)
        self.assertRegex(metrics, r"limpet_sharder_propagation_seconds_count [1-9]")
        documented = (settings.ROOT / "docs" / "sharder.md").read_text()
        for line in metrics.splitlines():
            if line.startswith("# TYPE "):
                self.assertIn(f"`{line.split()[2]}", documented)
