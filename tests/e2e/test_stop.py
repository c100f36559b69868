"""Nothing is lost at the end, and the end comes in time: EOF, signals, a reader that is slow, stuck or gone."""

import signal
import time

from limpet_case import LimpetCase, count_rule, eventually, now_ns
from settings import repeats


class LastResultsCase(LimpetCase):
    """Each run: one line for each of `groups`, EOF, and all results must have been read when the process is gone."""

    def run_once(self, groups, time_ns, **options):
        limpet = self.limpet(count_rule(more=f"max_groups = {groups + 1}"), **options)
        limpet.write_all(b"m,g=%06d,pod=p%d v=1 %d\n" % (i, i % 7, time_ns) for i in range(groups))
        self.assert_clean(limpet.stop())
        self.judge(limpet)
        found = bytes(limpet.stdout).split(b"\n")[:-1]
        wanted = [b"m,g=%06d v_count=1i" % i for i in range(groups)]
        self.assertEqual(sorted(line.rpartition(b" ")[0] for line in found), wanted)
        self.started.remove(limpet)

    def check(self, groups, runs, **options):
        for run in range(runs):
            with self.subTest(run=run):
                self.run_once(groups, now_ns(), **options)


class LastResultsFewTest(LastResultsCase):
    def test_1_result(self):
        self.check(1, repeats(100, 20))

    def test_1000_results(self):
        self.check(1000, repeats(100, 10))


class LastResultsManyTest(LastResultsCase):
    def test_20000_results(self):
        self.check(20000, repeats(100, 4))


class LastResultsSlowReaderTest(LastResultsCase):
    def test_10000_results_at_200_us_a_metric(self):
        self.check(10000, repeats(100, 2), delay_s=200e-6)


class StopTest(LimpetCase):
    def test_eof_without_a_line(self):
        limpet = self.limpet(count_rule())
        end = limpet.stop()
        self.assert_clean(end)
        self.assertLess(end.seconds, 2)
        self.assertEqual(bytes(limpet.stdout), b"")

    def test_eof_in_mid_line_is_counted_and_not_applied(self):
        limpet = self.limpet(count_rule())
        limpet.write(b"m,g=a v=1 %d\n" % now_ns())
        limpet.write(b"m,g=a v=5 12")  # a cut off timestamp would still parse
        self.assert_clean(limpet.stop())
        self.assertEqual([line.fields for line in limpet.results()], [{"v_count": 1}])
        self.assertEqual(limpet.final_ledger()["lines"]["bad"], {"unterminated": 1})

    def test_eof_in_mid_line_is_not_passed_through(self):
        limpet = self.limpet()
        limpet.write(b"whole v=1 1\nhalf v=2")
        self.assert_clean(limpet.stop())
        self.assertEqual(bytes(limpet.stdout), b"whole v=1 1\n")

    def test_windows_that_have_not_begun_to_end_are_kept_back(self):
        # Of the windows still running only the next to end: with a slide of 10 min an hour-long window has five more behind it.
        rules = count_rule(more='every = "10m"')
        limpet = self.limpet(rules)
        at = now_ns()
        limpet.write(b"m,g=a v=1 %d\n" % at)
        self.assert_clean(limpet.stop())
        self.assertEqual(len({line.time_ns for line in limpet.results()}), 1)
        slide_ns = 600 * 10**9
        self.assertEqual(limpet.results()[0].time_ns, (at // slide_ns + 1) * slide_ns)

    def test_sigterm_first_keeps_reading_to_eof(self):
        limpet = self.limpet(count_rule(), http=True)
        limpet.wait_listening()
        limpet.write(b"m,g=a v=1 %d\n" % now_ns())
        limpet.signal(signal.SIGTERM)
        for _ in range(20):
            limpet.write(b"m,g=a v=1 %d\nother v=1 1\n" % now_ns())
            time.sleep(0.02)
        self.assertTrue(limpet.running)
        self.assert_clean(limpet.stop())
        self.assertEqual([line.fields for line in limpet.results("m")], [{"v_count": 21}])
        self.assertEqual(len(limpet.results("other")), 20)

    def test_sigterm_and_no_eof_ends_after_30_s(self):
        limpet = self.limpet(count_rule(), http=True)
        limpet.wait_listening()
        limpet.write(b"m,g=a v=1 %d\n" % now_ns())
        limpet.signal(signal.SIGTERM)
        self.assertIsNone(limpet.wait(20))
        end = limpet.wait(15)
        self.assertIsNotNone(end, "still there 35 s after SIGTERM")
        self.assert_clean(end)
        self.assertEqual([line.fields for line in limpet.results()], [{"v_count": 1}])

    def test_signals_that_mean_nothing(self):
        limpet = self.limpet(count_rule(), http=True)
        limpet.wait_listening()
        for number in (signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE):
            limpet.write(b"m,g=a v=1 %d\n" % now_ns())
            eventually(lambda: False, 0.1)
            limpet.signal(number)
        eventually(lambda: False, 0.3)
        self.assertTrue(limpet.running)
        self.assert_clean(limpet.stop())
        self.assertEqual([line.fields for line in limpet.results()], [{"v_count": 4}])

    def test_reader_that_takes_all_of_9_seconds_loses_nothing(self):
        # Beyond 4 s the stop goes on as long as the reader takes something; SIGTERM at 5 s must not cut it short.
        limpet = self.limpet(count_rule(), delay_s=1.4e-3)
        limpet.write_all(b"m,g=%06d v=1 %d\n" % (i, now_ns()) for i in range(5000))
        end = limpet.stop()
        self.assertEqual((end.code, end.lost_bytes, end.signals), (0, 0, [signal.SIGTERM]))
        self.assertEqual(limpet.stdout.count(b"\n"), 5000)

    def test_reader_that_is_stuck_does_not_hold_up_the_stop(self):
        limpet = self.limpet(count_rule(), read_stdout=False)
        limpet.write_all(b"m,g=%06d v=1 %d\n" % (i, now_ns()) for i in range(20000))
        end = limpet.stop()
        self.assertEqual((end.code, end.signals), (0, []))
        self.assertLess(end.seconds, 5)
        self.assertGreater(end.lost_bytes, 0)

    def test_parent_that_is_killed(self):
        limpet = self.limpet(count_rule())
        limpet.write_all(b"m,g=%06d v=1 %d\n" % (i, now_ns()) for i in range(5000))
        limpet.die()
        self.assertIsNotNone(limpet.wait(6), "still there 6 s after its parent has died")

    def test_restart_begins_anew(self):
        limpet = self.limpet(count_rule())
        for _ in range(2):
            limpet.write(b"m,g=a v=1 %d\n" % now_ns())
            self.assert_clean(limpet.stop())
            limpet.restart()
        self.assert_clean(limpet.stop())
        self.assertEqual([line.fields for line in limpet.results()], [{"v_count": 1}, {"v_count": 1}])

    def test_without_on_stop_the_window_in_progress_is_not_lost(self):
        limpet = self.limpet(count_rule())
        limpet.write(b"m,g=a v=1 %d\n" % now_ns())
        self.assert_clean(limpet.stop())
        self.assertEqual(len(limpet.results()), 1)
