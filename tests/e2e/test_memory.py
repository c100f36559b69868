"""Series that come and go do not fill the memory."""

import os
import subprocess
import threading

from limpet_case import LimpetCase, eventually, resident_bytes
from settings import limpet as limpet_path

SERIES = 100_000
GENERATIONS = 10
HOUR_NS = 3600 * 10**9


class MemoryTest(LimpetCase):
    """`limpet replay` on lines whose time moves on by hours, so that what is idle is freed within a test's patience."""

    def grow(self, functions, step_hours, tick_s):
        rules = self.directory / "rules.toml"
        rules.write_text(
            '[[rule]]\nname = "short-lived"\nnamepass = ["m"]\nwithout = ["none"]\nperiod = "1m"\ngrace = "1s"\n'
            f'drop_original = true\nmax_groups = {2 * SERIES}\n  [rule.fields]\n  v = {functions}\n'
            '[[rule]]\nname = "mark"\nnamepass = ["mark"]\nperiod = "1s"\n  [rule.fields]\n  v = ["count"]\n'
        )
        process = subprocess.Popen([limpet_path(), "replay", "--rules", rules, "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        results, sizes = [0], []
        reader = threading.Thread(target=self.count, args=(process.stdout, results))
        reader.start()
        errors = []
        stderr = threading.Thread(target=lambda: errors.append(process.stderr.read()))
        stderr.start()
        for generation in range(GENERATIONS):
            at = 1_700_000_000 * 10**9 + generation * step_hours * HOUR_NS
            wanted = results[0] + SERIES + 1
            for first in range(0, SERIES, 1000):
                process.stdin.write(b"".join(b"m,pod=%d-%d v=%d %d\n" % (generation, i, i, at) for i in range(first, first + 1000)))
            # Lines of another name move the clock on; the result of the last but one says that all were taken.
            ticks = range(at, at + step_hours * HOUR_NS - 600 * 10**9, tick_s * 10**9)
            process.stdin.write(b"".join(b"tick v=1 %d\n" % time_ns for time_ns in ticks))
            process.stdin.write(b"mark v=1 %d\ntick v=1 %d\n" % (ticks[-1], ticks[-1] + 60 * 10**9))
            process.stdin.flush()
            self.assertTrue(eventually(lambda: results[0] >= wanted, 60), f"{results[0]} of {wanted} results")
            sizes.append(self.settled_bytes(process.pid))
        process.stdin.close()
        self.assertEqual(process.wait(60), 0, errors)
        reader.join()
        stderr.join()
        process.stdout.close()
        process.stderr.close()
        self.assertEqual(results[0], (SERIES + 1) * GENERATIONS)
        self.assertLessEqual(sizes[-1], 1.2 * sizes[0], f"resident MiB by generation: {[size >> 20 for size in sizes]}")

    def settled_bytes(self, pid):
        """Once it waits for input and does nothing more."""
        seen = []
        eventually(lambda: seen.append(resident_bytes(pid)) or seen[-5:] == [seen[-1]] * 5, 20, 0.05)
        return seen[-1]

    def count(self, pipe, results):
        while data := os.read(pipe.fileno(), 1 << 16):
            results[0] += data.count(b"\n")

    def test_simple_functions(self):
        self.grow('["count", "mean", "p99", "max", "distinct"]', 4, 1)

    def test_simple_functions_where_time_jumps(self):
        self.grow('["count", "mean", "p99", "max", "distinct"]', 4, 1800)

    def test_counters(self):
        # The hash of a counter series is kept for 24 h after it was freed.
        self.grow('["increase", "rate", "total", "sum(last)"]', 30, 2)
