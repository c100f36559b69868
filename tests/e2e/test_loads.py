"""What reports say of load is what was measured: the slices' samples/s add up to the ledger's within 5 %, their CPU to the process's within
20 %, under several shapes of load, each steady.

The reports hold averages with a half-life of 30 s. What they ought to say follows exactly from when each report was made: the same average
of the ledger's counts and of the process's CPU time between reports. So a test need not run until averages have settled, and noise of
the machine is in both.
"""

import json
import math
import threading
import time
import unittest

from limpet_case import LimpetCase, eventually
from stand_in_pods import Shard

HALF_LIFE_S = 30.0
LOAD_S = 26
SAMPLES_OFF_MAX, CPU_OFF_MAX = 0.05, 0.20

CHEAP = """
[[rule]]
name = "cheap"
namepass = ["http"]
without = ["pod"]
period = "10s"
drop_original = true
  [rule.fields]
  ms = ["count", "sum", "max"]
"""
EXPENSIVE = """
[[rule]]
name = "expensive"
namepass = ["rpc"]
without = ["pod"]
period = "10s"
every = "1s"
drop_original = true
  [rule.fields]
  ms = ["p50", "p99", "histogram(0.1, 1, 10, 100)", "distinct", "sum(last)"]
  n = ["rate"]
"""


def cpu_s(pid):
    """CPU time of a process, as /proc/PID/stat has it, but in ns: clock_getcpuclockid(3)."""
    return time.clock_gettime(~pid << 3 | 2)


class Average:
    """The reports' average, kept from outside."""

    def __init__(self):
        self.value = self.weight = 0.0
        self.before = None  # (count, time)

    def add(self, count, at_s):
        seconds = at_s - self.before[1]
        share = 1 - math.exp2(-seconds / HALF_LIFE_S)
        self.value += ((count - self.before[0]) / seconds - self.value) * share
        self.weight += (1 - self.weight) * share
        self.before = (count, at_s)

    def rate(self):
        return self.value / self.weight if self.weight else 0.0


class Watch:
    """One pod's reports as they come, and beside each the ledger and the CPU time at that moment."""

    def __init__(self, pod, report):
        self.pod, self.path = pod, report
        self.sequence = 0
        self.samples, self.cpu = Average(), Average()
        self.report = None
        self.begun = False

    def wait_begun(self):
        """The pod's averages begin when it adopts its slices, before there is any load."""
        if not self.begun and self.pod.status()["assignment"]["slices_owned"] > 0:
            now_s = time.monotonic()
            self.samples.before, self.cpu.before = (0, now_s), (cpu_s(self.pod.pid), now_s)
            self.begun = True
        return self.begun

    def look(self):
        try:
            report = json.loads(self.path.read_text())
        except (OSError, ValueError):
            return
        if report["sequence"] == self.sequence or not report["slices"]:
            return
        self.sequence, self.report = report["sequence"], report
        at_s, cpu = time.monotonic(), cpu_s(self.pod.pid)
        rules = self.pod.ledger()["rules"].values()
        self.samples.add(sum(rule["aggregated"] for rule in rules), at_s)
        self.cpu.add(cpu, at_s)

    def told(self, what):
        return sum(each[what] for each in self.report["slices"])

    def off(self):
        """How far the reports' sums are from the ledger and the process: (samples, cpu)."""
        return self.told("samples_per_s") / self.samples.rate() - 1, self.told("cpu") / self.cpu.rate() - 1

    def text(self):
        return (f"{self.told('samples_per_s'):.0f} of {self.samples.rate():.0f} samples/s, "
                f"{self.told('cpu'):.4f} of {self.cpu.rate():.4f} s/s in {len(self.report['slices'])} slices")


class LoadsCase(LimpetCase):
    def run_load(self, rules, batches, pods=1, every_s=0.1):
        """Steady load, one of the batches each `every_s`, over and over. Returns the Watch of each pod."""
        shared = self.directory / "shared"
        shard = Shard(shared, log=self.directory / "shard.log")
        self.addCleanup(shard.stop)
        shard.wait_up()
        children = [self.start_pod(f"agg-{i}", rules, shared) for i in range(pods)]
        for child in children:
            child.wait_listening()
        watches = [Watch(child, shared / "reports" / f"agg-{i}.json") for i, child in enumerate(children)]
        self.assertTrue(eventually(lambda: all([watch.wait_begun() for watch in watches]), 30, 0.05), shard.log())
        stopping = threading.Event()
        feeder = threading.Thread(target=self.feed, args=(children, batches, every_s, stopping))
        feeder.start()
        try:
            deadline = time.monotonic() + LOAD_S
            while time.monotonic() < deadline:
                for watch in watches:
                    watch.look()
                time.sleep(0.02)
        finally:
            stopping.set()
            feeder.join()
        return watches

    def start_pod(self, name, rules, shared):
        return self.limpet(rules, http=True, args=["--assignment.directory", shared, "--assignment.unowned", "drop", "--pod", name])

    @staticmethod
    def feed(children, batches, every_s, stopping):
        turn, due = 0, time.monotonic()
        while not stopping.is_set():
            data = batches[turn % len(batches)]
            for child in children:
                child.write(data)
            turn += 1
            due = max(due + every_s, time.monotonic() - 1)
            stopping.wait(max(0.0, due - time.monotonic()))

    def assert_adds_up(self, watches):
        for watch in watches:
            print(watch.text())
            self.assertGreater(watch.samples.rate(), 100, "no load to speak of")
            samples, cpu = watch.off()
            self.assertLess(abs(samples), SAMPLES_OFF_MAX, watch.text())
            self.assertLess(abs(cpu), CPU_OFF_MAX, watch.text())
            # Whoever asks the pod hears the same.
            status = watch.pod.status()["assignment"]
            self.assertLess(abs(status["samples_per_s"] / watch.told("samples_per_s") - 1), 0.2)


# Lines without a time: they get the clock of the pod, and the same bytes can be sent again and again.


def http(series, lines):
    return b"".join(b"http,path=/%d,pod=p%d ms=%d.5\n" % (i % series, i % 7, i * 31 % 997) for i in range(lines))


def rpc(series, lines, of=0):
    return b"".join(b"rpc,to=s%d,pod=p%d ms=%d.25,n=%di\n" % (i % series, i % 3, (of * 17 + i * i) % 1009, of * (i + 1)) for i in range(lines))


class HotKeysTest(LoadsCase):
    def test_few_hot_keys(self):
        """Three groups, of which one makes most."""
        self.assert_adds_up(self.run_load(CHEAP, [http(3, 1000) + http(1, 9000)]))


class ManySeriesTest(LoadsCase):
    def test_many_series(self):
        lines = lambda begin: b"".join(b"http,path=/%d,pod=p%d ms=%d.5\n" % (i % 5000, i, i % 997) for i in range(begin, begin + 5000))
        self.assert_adds_up(self.run_load(CHEAP, [lines(begin) for begin in range(0, 50000, 5000)]))


class ExpensiveRuleTest(LoadsCase):
    def test_expensive_beside_cheap(self):
        batches = [http(40, 4000) + rpc(40, 2000, turn) for turn in range(10)]
        self.assert_adds_up(self.run_load(CHEAP + EXPENSIVE, batches))


class ThreePodsTest(LoadsCase):
    def test_three_pods(self):
        """Each pod reads the whole stream and aggregates its part: the parts make the whole."""
        batches = [http(300, 3000) + rpc(60, 1000, turn) for turn in range(10)]
        watches = self.run_load(CHEAP + EXPENSIVE, batches, pods=3)
        self.assert_adds_up(watches)
        ledgers = [watch.pod.ledger()["rules"] for watch in watches]
        for name in ("cheap", "expensive"):
            parts = [ledger[name]["aggregated"] / ledger[name]["seen"] for ledger in ledgers]
            self.assertAlmostEqual(sum(parts), 1, delta=0.05)
            self.assertGreater(min(parts), 0.1)


class UnmatchedLinesTest(LoadsCase):
    def test_lines_that_no_rule_takes(self):
        """They cost CPU, which counts as that of the slices, and are no samples. Nor are those of groups in excess lost to the sum."""
        others = b"".join(b'other,host=h%d a=1,b=2,c="x"\n' % (i % 90) for i in range(3000))
        rules = CHEAP.replace("period", "max_groups = 20\nperiod")
        watches = self.run_load(rules, [http(80, 2000) + others], pods=2)
        self.assert_adds_up(watches)
        for watch in watches:
            self.assertIn(b"limpet_overflow=", watch.pod.stdout)


class BurstsTest(LoadsCase):
    def test_a_flush_every_7_s(self):
        """Agents that flush together: between the bursts results are written, and no sample comes."""
        rules = CHEAP.replace('period = "10s"', 'period = "4s"\nevery = "1s"')
        self.assert_adds_up(self.run_load(rules, [http(8000, 80000)], every_s=7))


if __name__ == "__main__":
    unittest.main()
