"""Two `limpet shard` on one directory, one of which sleeps at the worst moments of publishing: between planning and link, at the link, between
link and rename, behind the rename of an older head. Readers look all the time, a real aggregator among them: none notices anything.
"""

import json
import os
import shutil
import signal
import subprocess
import threading
import time
import unittest
from pathlib import Path

import settings
from limpet_case import Limpet, count_rule, eventually
from stand_in_pods import owned_by
from test_sharder import ShardCase

CUTOVER_S = 10  # of the sharder, by default
SLEEP_S = 7  # longer than a plan may be old when it is published (5 s)


def newest_by_hand(directory):
    """The highest valid generation by nothing but the header: (generation, body)."""
    best = (0, b"")
    for path in [directory / "assignment.json", *sorted((directory / "assignments").glob("*.json"))]:
        try:
            header, body = path.read_bytes().split(b"\n")[:2]
            header = json.loads(header)
            if header["bytes"] == len(body):
                best = max(best, (header["generation"], body))
        except (OSError, ValueError):
            pass
    return best


class Reader:
    """Looks as often as it can. Numbers only rise, and each stands for one content for ever."""

    def __init__(self, directory):
        self.directory, self.last, self.wrong, self.looks = directory, 0, [], 0
        self.bodies, self.first_seen = {}, {}
        self.running = True
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while self.running:
            self.look(*newest_by_hand(self.directory))
            time.sleep(0.005)

    def look(self, generation, body):
        self.looks += 1
        if generation < self.last:
            self.wrong.append(f"{generation} after {self.last}")
        if self.bodies.setdefault(generation, body) != body:
            self.wrong.append(f"{generation} has two contents")
        self.first_seen.setdefault(generation, time.time())
        self.last = max(self.last, generation)

    def stop(self):
        self.running = False
        self.thread.join()


class SleeperCase(ShardCase):
    def setUp(self):
        super().setUp()
        self.requests = self.scratch / "requests"
        self.requests.mkdir()
        self.shim = self.scratch / "stalling.so"
        compiler = next(filter(None, map(shutil.which, (os.environ.get("CC", ""), "cc", "gcc", "clang-19", "clang"))))
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", self.shim, Path(__file__).parent / "stalling.c", "-ldl"], check=True)

    def sleepy_shard(self):
        """One that can be told where to fall asleep."""
        os.environ.update(LD_PRELOAD=str(self.shim), STALL_REQUESTS=str(self.requests))
        try:
            return self.shard()
        finally:
            del os.environ["LD_PRELOAD"], os.environ["STALL_REQUESTS"]

    def start_with_readers(self):
        """(sleeper, pods, reader, aggregator): a cluster that runs, with one sharder so far."""
        self.aggregator = Limpet(
            self.scratch / "aggregator",
            count_rule(),
            http=True,
            args=["--assignment.directory", self.directory, "--assignment.unowned", "drop", "--pod", "real"],
        ).start()
        self.addCleanup(self.stop_aggregator)
        names = ("agg-0", "agg-1", "agg-2", "agg-3")
        pods = self.pods(*names)  # before the sharder, which waits 2 s for further ones: all are to own something
        sleeper = self.sleepy_shard()
        self.wait_generation(0)
        self.assertTrue(all(owned_by(self.assignment(), name) for name in names), "the first generation leaves pods out")
        self.aggregator.wait_listening()
        self.assertTrue(eventually(lambda: self.adopted() == self.generation(), 20, 0.1))
        self.assertTrue(eventually(lambda: sleeper.json()["sharder"]["listening_s"] <= 0, 20, 0.1))
        self.settle()
        reader = Reader(self.directory)
        self.addCleanup(reader.stop)
        return sleeper, pods, reader

    def stop_aggregator(self):
        if self.aggregator.running:
            self.aggregator.stop()
        self.assertEqual(self.aggregator.exits[-1].code, 0)

    def adopted(self):
        return self.aggregator.status()["assignment"]["generation"]

    def fall_asleep(self, shard, where, wake=None):
        """Waits until it sleeps there. `wake`: it sleeps already, and is let go on so far."""
        (self.requests / where).touch()
        if wake:
            shard.process.send_signal(signal.SIGCONT)
        served = lambda: not (self.requests / where).exists()
        state = lambda: Path(f"/proc/{shard.process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        self.assertTrue(eventually(lambda: served() and state() == "T", 60, 0.005), f"never came {where}: {shard.log()}")

    def second_shard(self):
        """Another one, when it has listened."""
        shard = self.shard()
        self.assertTrue(eventually(lambda: shard.json()["sharder"]["listening_s"] <= 0, 30, 0.1))
        return shard

    def drained(self, name, timeout_s=30):
        self.assertTrue(eventually(lambda: not owned_by(self.assignment(), name), timeout_s, 0.02), name)

    def head(self):
        return json.loads((self.directory / "assignment.json").read_bytes().split(b"\n")[0])["generation"]

    def judge_quiet(self, shards, reader, for_s=5):
        """All agree in the end, nobody has seen anything odd, nobody was found dead, and every move was announced in time."""
        agree = lambda: {self.head(), self.generation(), self.adopted(), *(shard.json()["generation"] for shard in shards)} == {self.generation()}
        self.assertTrue(eventually(agree, 20, 0.1), [shard.log() for shard in shards])
        self.settle(for_s)
        self.assertTrue(eventually(agree, 20, 0.1))
        reader.stop()
        self.assertEqual(reader.wrong, [])
        self.assertGreater(reader.looks, 500)
        status = self.aggregator.status()["assignment"]
        self.assertEqual((status["rejected"], self.aggregator.errors()), (0, []))
        for shard in shards:
            counts = shard.counts()
            self.assertEqual((counts["deaths"], counts["assignments_rejected"]), (0, 0), shard.log())
        numbered = {int(path.stem): path.read_bytes().split(b"\n")[1] for path in (self.directory / "assignments").glob("*.json")}
        for generation, body in numbered.items():
            self.assertEqual(body, reader.bodies.get(generation, body))


class BetweenLinkAndRenameTest(SleeperCase):
    def test_sleeps_and_puts_an_older_head_in_place(self):
        sleeper, pods, reader = self.start_with_readers()
        before = self.head()
        (self.requests / "before-rename").touch()
        pods.change("agg-1", state="draining")
        self.fall_asleep(sleeper, "before-rename")
        # It is published: readers have it, though assignment.json has not.
        linked = self.generation()
        self.assertGreater(linked, before)
        self.assertEqual(self.head(), before)
        self.assertTrue(eventually(lambda: self.adopted() == linked, 5))
        self.assertEqual(owned_by(self.assignment(), "agg-1"), [])

        other = self.second_shard()
        pods.change("agg-2", state="draining")
        self.drained("agg-2")
        self.settle(1)
        newer = self.generation()
        self.assertGreater(newer, linked)
        self.assertTrue(eventually(lambda: self.head() == newer, 10))

        # It wakes up, and puts its older one in place, where it stays for a while.
        self.fall_asleep(sleeper, "after-rename", wake=True)
        self.assertLess(self.head(), newer)
        self.assertTrue(eventually(lambda: self.adopted() >= newer, 5))
        time.sleep(2)
        shown = subprocess.run([settings.limpet(), "status", "--assignment.directory", self.directory], capture_output=True, text=True, check=True)
        self.assertIn(f"generation {self.generation()}", shown.stdout)
        sleeper.process.send_signal(signal.SIGCONT)
        self.judge_quiet([sleeper, other], reader)
        self.assertEqual(owned_by(self.assignment(), "agg-1") + owned_by(self.assignment(), "agg-2"), [])


class BetweenPlanningAndLinkTest(SleeperCase):
    def test_what_was_planned_long_ago_does_not_appear(self):
        sleeper, pods, reader = self.start_with_readers()
        before = self.generation()
        (self.requests / "before-sync").touch()
        pods.change("agg-1", state="draining")
        self.fall_asleep(sleeper, "before-sync")
        time.sleep(SLEEP_S)
        self.assertEqual(self.generation(), before)
        sleeper.process.send_signal(signal.SIGCONT)
        self.drained("agg-1", 40)
        self.judge_quiet([sleeper], reader)
        # Pods heard of each cutover well before it came.
        for move in self.assignment()["moved"]:
            if move["cause"] == "drain":
                seen = min(at for generation, at in reader.first_seen.items() if generation > before)
                self.assertGreater(move["cutover"] - seen, CUTOVER_S - SLEEP_S + 2)
        self.assertGreaterEqual(sleeper.counts()["held_up"], 1, sleeper.log())

    def test_somebody_else_has_the_number_by_then(self):
        sleeper, pods, reader = self.start_with_readers()
        before = self.generation()
        (self.requests / "before-link").touch()
        pods.change("agg-1", state="draining")
        self.fall_asleep(sleeper, "before-link")
        other = self.second_shard()
        self.drained("agg-1")
        self.assertGreater(self.generation(), before)
        taken = (self.directory / "assignments" / f"{before + 1}.json").read_bytes()
        sleeper.process.send_signal(signal.SIGCONT)
        self.assertTrue(eventually(lambda: sleeper.counts()["conflicts"] == 1, 10), sleeper.log())
        self.assertEqual((self.directory / "assignments" / f"{before + 1}.json").read_bytes(), taken)
        self.judge_quiet([sleeper, other], reader)
        # Nothing is left of what it had written.
        self.assertEqual([path.name for path in self.directory.rglob(".tmp-*")], [])


class LostDirectoryTest(SleeperCase):
    def test_an_aggregator_goes_on_without_it(self):
        shard, pods, reader = self.start_with_readers()
        reader.stop()
        before = self.aggregator.status()["assignment"]
        self.assertGreater(before["slices_owned"], 0)
        lines = b"".join(b"m,g=%d v=1\n" % i for i in range(200))

        def aggregated():
            """How many of the lines are this pod's, by the ledger."""
            rule = lambda: self.aggregator.ledger()["rules"]["count"]
            begin = rule()
            self.aggregator.write(lines)
            self.assertTrue(eventually(lambda: rule()["seen"] == begin["seen"] + 200, 10))
            return rule()["aggregated"] - begin["aggregated"]

        mine = aggregated()
        self.assertTrue(0 < mine < 200, mine)
        away = self.scratch / "away"
        self.directory.rename(away)
        end = time.monotonic() + 12  # longer than the sharder waits before somebody is dead
        while time.monotonic() < end:
            self.assertEqual(aggregated(), mine)
            self.assertEqual(self.aggregator.request("GET", "/readyz")[0], 200)
            time.sleep(1)
        away.rename(self.directory)
        sequence = lambda: json.loads((self.directory / "reports" / "real.json").read_text())["sequence"]
        stood = sequence()
        self.assertTrue(eventually(lambda: sequence() > stood, 10, 0.1), "it reports again")
        self.assertTrue(eventually(lambda: shard.json()["sharder"]["listening_s"] <= 0, 30, 0.1))
        self.settle(5)
        self.assertEqual(shard.counts()["deaths"], 0)
        self.assertEqual(self.aggregator.status()["assignment"]["slices_owned"], before["slices_owned"])
        self.assertEqual(aggregated(), mine)
        said = [text for level, text in self.aggregator.log if str(self.directory) in text]
        self.assertEqual(len(said), len(set(said)), said)
        self.assertLessEqual(len(said), 4, said)
        self.assertIn(f"{self.directory} can be read again", said)

        # Lost once more, it says so once more.
        lost = lambda: sum(text.startswith(f"{self.directory}: No such file or directory") for _, text in self.aggregator.log)
        self.assertEqual(lost(), 1, said)
        self.directory.rename(away)
        self.assertTrue(eventually(lambda: lost() == 2, 10), self.aggregator.log)
        away.rename(self.directory)


if __name__ == "__main__":
    unittest.main()
