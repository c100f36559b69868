"""A million results at once must not overrun the buffers of Telegraf's outputs, which drop their oldest metrics."""

import time

from limpet_case import Limpet, eventually, free_port, now_ns
from telegraf_case import AGENT, Sink, TelegrafCase

RESULTS = 1_000_000
POST_LINES = 100_000
PERIOD_S = 60
LOADING_S = 45  # until the windows close: by then all lines must be in


class PaceTest(TelegrafCase):
    TAKES_LONG = True

    def test_a_million_results_and_an_output_that_takes_20_ms_a_batch(self):
        sink = Sink(0.020)
        self.addCleanup(sink.close)
        # The lines belong to the last whole minute; grace is chosen so that the window closes LOADING_S from now.
        end_s = int(time.time()) // PERIOD_S * PERIOD_S
        grace_s = int(time.time()) - end_s + LOADING_S
        rules = self.rules(
            f'[[rule]]\nname = "million"\nnamepass = ["m"]\nby = ["g"]\nperiod = "{PERIOD_S}s"\ngrace = "{grace_s}s"\n'
            f"drop_original = true\nmax_groups = {RESULTS}\n  [rule.fields]\n  v = [\"count\"]\n"
        )
        port = free_port()
        agent = AGENT.replace("metric_buffer_limit = 100000", "metric_buffer_limit = 10000").replace("200ms", "1s")
        output = (
            f'[[outputs.influxdb_v2]]\n  urls = ["{sink.url}"]\n  token = "t"\n  organization = "o"\n  bucket = "b"\n'
            '  content_encoding = "identity"\n'
        )
        telegraf = self.telegraf(agent + self.execd_input(rules, "--listen.http", f"127.0.0.1:{port}") + output)
        door = Limpet(self.directory / "door", "")
        door.port = port
        door.wait_listening()
        time_ns = (end_s - PERIOD_S // 2) * 10**9
        for first in range(0, RESULTS, POST_LINES):
            lines = b"".join(b"m,g=%07d v=1 %d\n" % (i, time_ns) for i in range(first, first + POST_LINES))
            self.assertEqual(door.post(lines, timeout_s=60)[0], 204)
        self.assertEqual(door.ledger()["rules"]["million"]["aggregated"], RESULTS, "the machine was too slow to load the lines in time")
        self.assertEqual(sink.lines, 0, "the window closed before all lines were in")
        eventually(lambda: sink.lines >= RESULTS, LOADING_S + 2 * PERIOD_S + 30, 0.2)
        self.assertEqual(sink.lines, RESULTS, telegraf.log()[-3000:])
        self.assertEqual(telegraf.stop(), 0)
        self.assertNotIn("overflow", telegraf.log())
        self.assertNotIn("dropped", telegraf.log())
