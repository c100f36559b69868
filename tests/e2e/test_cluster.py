"""A cluster as people run it: one sharder, three aggregators that all see one stream, and beside them one aggregator without an
assignment, which says what is right. While lines flow, one pod is drained and restarted, one is added, one is killed: what the fleet
writes equals, line by line, what the one aggregator writes, but for the windows in progress on the killed pod, which are marked.
"""

import json
import signal
import subprocess
import threading
import time
import unittest
import urllib.request

from limpet_case import LimpetCase, eventually, free_port, now_ns
from settings import limpet as limpet_path

PERIOD_S, EVERY_S, GRACE_S = 4, 2, 2
CUTOVER_S = 6  # by then every pod must have read a generation, on a busy machine, too
RULES = f"""
[defaults]
period = "{PERIOD_S}s"
every = "{EVERY_S}s"
grace = "{GRACE_S}s"
incomplete = "tag"

[[rule]]
name = "latency"
namepass = ["latency"]
without = ["pod"]
drop_original = true
  [rule.fields]
  ms = ["count", "sum", "min", "max", "p95"]

[[rule]]
name = "bytes"
namepass = ["bytes"]
without = ["pod"]
  [rule.fields]
  n = ["increase"]
"""


def key(line):
    return (line.series, tuple(sorted(line.fields.items())), line.time_ns)


class Sharder:
    """`limpet shard`; stopped by the test's end."""

    def __init__(self, case, directory, *args):
        self.port = free_port()
        self.directory = directory
        self.log = open(case.directory / f"sharder-{self.port}.log", "wb")
        case.addCleanup(self.log.close)
        argv = [limpet_path(), "shard", "--assignment.directory", str(directory), "--listen.http", f"127.0.0.1:{self.port}", *args]
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        case.addCleanup(self.stop)

    def listening_s(self):
        """How much longer it only listens, and moves nothing."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/cluster?slices=0", timeout=10) as answer:
            return json.load(answer)["sharder"]["listening_s"]

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10)
        return self.process.returncode


class Stream:
    """Lines of many series, written to whoever listens, from a thread of its own."""

    def __init__(self, to):
        self.to = list(to)
        self.lock = threading.Lock()
        self.running = True
        self.lines = 0
        self.thread = threading.Thread(target=self.run)

    def batch(self, turn):
        now = now_ns()
        lines = [b"latency,path=/%d,pod=p%d ms=%d.25 %d\n" % (i, turn % 5, (i * 7919 + turn * 104729) % 1000, now - i * 1_000_000) for i in range(60)]
        if turn % 5 == 0:  # each counter every half second
            lines += [b"bytes,if=e%d,pod=p%d n=%di %d\n" % (i, i % 3, turn * (i + 3), now) for i in range(40)]
        lines.append(b"other,host=h%d v=%di %d\n" % (turn % 17, turn, now))
        return b"".join(lines), len(lines)

    def run(self):
        turn = 0
        while self.running:
            data, lines = self.batch(turn)
            with self.lock:
                for pod in self.to:
                    pod.write(data)
            self.lines += lines
            turn += 1
            time.sleep(0.1)

    def stop(self):
        self.running = False
        self.thread.join()

    def attach(self, pod):
        with self.lock:
            self.to.append(pod)

    def detach(self, pod):
        with self.lock:
            self.to.remove(pod)


class ClusterTest(LimpetCase):
    TAKES_LONG = True

    def setUp(self):
        super().setUp()
        self.shared = self.directory / "shared"
        self.shared.mkdir()

    def pod(self, name, revision="1"):
        return self.limpet(
            RULES,
            http=True,
            args=["--assignment.directory", str(self.shared), "--assignment.unowned", "drop", "--pod", name, "--assignment.revision", revision],
        )

    def generation(self):
        try:
            with open(self.shared / "assignment.json", "rb") as file:
                return json.loads(file.readline())["generation"]
        except (OSError, ValueError):
            return 0

    def assignment(self):
        return json.loads((self.shared / "assignment.json").read_bytes().split(b"\n")[1])

    def wait_moved(self, cause):
        self.assertTrue(eventually(lambda: any(m["cause"] == cause for m in self.assignment()["moved"]), 60, 0.005))

    def wait_owned(self, *pods, timeout_s=30):
        owns = lambda pod: pod.status()["assignment"]["slices_owned"] > 0
        self.assertTrue(eventually(lambda: all(owns(pod) for pod in pods), timeout_s, 0.1), [pod.status()["assignment"] for pod in pods])

    def wait_adopted(self, generation, pods, timeout_s=20):
        adopted = lambda pod: pod.status()["assignment"]["generation"] >= generation
        self.assertTrue(eventually(lambda: all(adopted(pod) for pod in pods), timeout_s))

    def drain(self, name):
        return subprocess.run(
            [limpet_path(), "drain", "--assignment.directory", str(self.shared), "--pod", name, "--timeout", "60s"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=90,
        )

    @staticmethod
    def window_begin_s(line):
        return line.time_ns / 1e9 - PERIOD_S

    def wait_quiet(self):
        """Until every window that a move left to the former owner is written."""
        done = lambda: max(m["cutover"] for m in self.assignment()["moved"]) + PERIOD_S + GRACE_S + 1 < time.time()
        self.assertTrue(eventually(done, 60, 0.1))

    def test_drained_restarted_added_killed(self):
        # Large rounds in quick succession, so that the pods that come back or are added soon have their share.
        sharder = Sharder(self, self.shared, "--planner.round", "2s", "--planner.round_budget", "0.2", "--planner.hold", "1s", "--planner.cutover_delay", f"{CUTOVER_S}s")
        first = [self.pod(f"agg-{i}") for i in range(3)]
        alone = self.limpet(RULES)
        for pod in first:
            pod.wait_listening()
        self.wait_owned(*first)
        self.assertTrue(all(pod.request("GET", "/readyz")[0] == 200 for pod in first))

        stream = Stream([*first, alone])
        begun_s = time.time()
        stream.thread.start()
        self.addCleanup(stream.stop)
        time.sleep(PERIOD_S)
        self.assertTrue(eventually(lambda: sharder.listening_s() <= 0, 30, 0.1))

        # Drained and restarted.
        asked = time.monotonic()
        draining = threading.Thread(target=lambda: setattr(self, "drained", self.drain("agg-0")))
        draining.start()
        self.wait_moved("drain")
        drain_generation_s = time.monotonic() - asked
        self.wait_adopted(self.generation(), first)
        drain_adopted_s = time.monotonic() - asked
        draining.join()
        drain_done_s = time.monotonic() - asked
        self.assertEqual(self.drained.returncode, 0, self.drained.stderr)
        self.assertEqual(first[0].status()["assignment"]["slices_owned"], 0)
        stream.detach(first[0])
        self.assert_clean(first[0].stop())
        again = self.pod("agg-0", "2")
        stream.attach(again)

        # Added.
        added = self.pod("agg-3", "2")
        stream.attach(added)
        again.wait_listening(), added.wait_listening()
        self.wait_owned(added, again, timeout_s=90)

        # Until each has its share, and the last move is done.
        self.wait_quiet()
        moves = {cause: sum(m["cause"] == cause for m in self.assignment()["moved"]) for cause in ("drain", "fill")}
        self.assertTrue(all(moves.values()), moves)

        # Killed.
        victim = first[1]
        victim.judge = False
        killed_s, killed = time.time(), time.monotonic()
        victim.signal(signal.SIGKILL)
        self.wait_moved("death")
        kill_generation_s = time.monotonic() - killed
        death_s = max(m["cutover"] for m in self.assignment()["moved"] if m["cause"] == "death")
        survivors = [again, first[2], added]
        self.wait_adopted(self.generation(), survivors)
        kill_adopted_s = time.monotonic() - killed
        adopted_s = time.time()
        stream.detach(victim)
        self.assertTrue(eventually(lambda: time.time() > adopted_s + 2 * PERIOD_S + EVERY_S, 60, 0.1))
        stream.stop()
        ended_s = time.time()
        time.sleep(PERIOD_S + GRACE_S + 1)
        for pod in [*survivors, alone]:
            self.assert_clean(pod.stop())

        whole = lambda line: begun_s + 1 <= self.window_begin_s(line) and line.time_ns / 1e9 <= ended_s
        results = lambda pod: [line for line in pod.lines() if line.name in ("latency", "bytes") and "pod" not in line.tags and whole(line)]
        marked = lambda line: "limpet_incomplete" in line.tags
        fleet = [line for pod in [*first, again, added] for line in results(pod)]
        right = {key(line): line for line in results(alone)}
        self.assertGreater(len(right), 1000)
        unmarked = {key(line): line for line in fleet if not marked(line)}
        emitted = [(line.series, line.time_ns) for line in fleet if not marked(line)]
        self.assertEqual(len(emitted), len(set(emitted)), "a window was emitted twice")
        in_progress = lambda line: self.window_begin_s(line) < death_s + PERIOD_S and line.time_ns / 1e9 + GRACE_S > killed_s
        victims = {line.series for line in results(victim) if line.time_ns / 1e9 > killed_s - 2 * PERIOD_S}
        missing = [line for text, line in right.items() if text not in unmarked]
        self.assertEqual([line for line in missing if not (in_progress(line) and line.series in victims)], [])
        # What a counter grew by since its last sample on the killed pod is lost: one interval of the first window.
        short = lambda line: line.name == "bytes" and line.series in victims and 0 <= self.window_begin_s(line) - death_s <= EVERY_S
        self.assertEqual([line for text, line in unmarked.items() if text not in right and not short(line)], [])
        partial = {(line.name, *(tag for tag in line.series[1:] if tag[0] != "limpet_incomplete"), line.time_ns) for line in fleet if marked(line)}
        self.assertTrue(partial, "nothing was marked")
        for line in fleet:
            if marked(line):
                self.assertTrue(in_progress(line), line)
        # What ended while nobody knew of the death is lost; all that was still in progress then is there, marked.
        heired = lambda line: line.name == "latency" and line.time_ns / 1e9 > adopted_s + 1
        self.assertEqual([line for line in missing if heired(line) and (*line.series, line.time_ns) not in partial], [])

        # Lines that pass through are written by one pod each, but for those between the death and the new generation.
        passed = lambda pod: {key(line): line for line in pod.lines() if line.name == "other" or "pod" in line.tags}
        through = [text for pod in [*first, again, added] for text in passed(pod)]
        self.assertEqual(len(through), len(set(through)), "a line was written back twice")
        through = set(through)
        for text, line in passed(alone).items():
            lost = killed_s - 1 < line.time_ns / 1e9 < death_s + 2
            self.assertTrue(lost or text in through, line)
        print(
            f"{moves['drain']} slices drained, {moves['fill']} filled; drain to generation {drain_generation_s:.2f} s, to adoption {drain_adopted_s:.2f} s, to the end {drain_done_s:.1f} s (cutover {CUTOVER_S} s ahead); "
            f"SIGKILL to generation {kill_generation_s:.2f} s, to adoption {kill_adopted_s:.2f} s; {len(right)} results equal"
        )


if __name__ == "__main__":
    unittest.main()
