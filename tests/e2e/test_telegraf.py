"""Below the real Telegraf."""

import os
import signal
import time

from limpet_case import count_rule, eventually, free_port, now_ns, Limpet
from settings import repeats
from telegraf_case import AGENT, TelegrafCase


class ProcessorTest(TelegrafCase):
    def config(self, rules, *args):
        return AGENT + self.SOCKET_INPUT + self.processor(rules, *args) + self.FILE_OUTPUT

    def test_end_to_end(self):
        rules = self.rules(count_rule(period="1s", more='grace = "1s"', fields='v = ["count", "sum", "max", "last"]'))
        telegraf = self.telegraf(self.config(rules))
        sent = 0
        with self.connect(telegraf) as s:
            for i in range(60):
                s.sendall(b"m,g=a,pod=p%d v=%d.5 %d\nother,pod=p%d v=1i,u=7u %d\n" % (i % 5, i, now_ns(), i, i))
                sent += 1
                time.sleep(0.05)
            self.wait_output(telegraf, lambda data: data.count(b"other") == sent)
        self.assert_stops(telegraf)
        results = telegraf.lines("m")
        self.assertGreater(len(results), 2)
        self.assertEqual(sum(line.fields["v_count"] for line in results), sent)
        self.assertEqual(sum(line.fields["v_sum"] for line in results), sum(i + 0.5 for i in range(60)))
        self.assertEqual({line.series for line in results}, {("m", ("g", "a"))}, "pod is gone, nothing is added")
        others = telegraf.lines("other")
        self.assertEqual([line.time_ns for line in others], list(range(sent)))
        self.assertEqual(others[0].types, {"v": "int", "u": "uint"})

    def test_stop_loses_nothing(self):
        groups = 20000
        rules = self.rules(count_rule())
        for run in range(repeats(20, 3)):
            with self.subTest(run=run):
                telegraf = self.telegraf(self.config(rules))
                lines = b"".join(b"m,g=%05d v=1 %d\n" % (i, now_ns()) for i in range(groups))
                self.feed(telegraf, lines + b"end v=1 1\n")
                self.wait_output(telegraf, lambda data: b"end" in data)
                self.assert_stops(telegraf)
                self.assertEqual(telegraf.output().count(b"m,g="), groups)
                self.assertEqual(telegraf.output().count(b"v_count=1i "), groups)

    def test_sighup_of_telegraf_loses_nothing(self):
        telegraf = self.telegraf(self.config(self.rules(count_rule())))
        sent = 0
        for turn in range(3):
            self.feed(telegraf, b"m,g=a v=1 %d\n" % now_ns() * 100 + b"end,turn=%d v=1 1\n" % turn)
            sent += 100
            self.wait_output(telegraf, lambda data, turn=turn: b"turn=%d" % turn in data)
            if turn < 2:
                loads = telegraf.log().count("Loaded processors")
                telegraf.signal(signal.SIGHUP)
                self.assertTrue(eventually(lambda: telegraf.log().count("Loaded processors") > loads, 20))
        self.assert_stops(telegraf)
        results = telegraf.lines("m")
        self.assertEqual([line.fields["v_count"] for line in results], [100, 100, 100], "one part of the window of each life")

    def test_child_that_is_killed_comes_back(self):
        telegraf = self.telegraf(self.config(self.rules(count_rule())))
        self.feed(telegraf, b"before v=1 1\n")
        self.wait_output(telegraf, lambda data: b"before" in data)
        (pid,) = telegraf.children()
        os.kill(pid, signal.SIGKILL)
        self.assertTrue(eventually(lambda: telegraf.children() and telegraf.children() != [pid], 10))
        self.feed(telegraf, b"m,g=a v=1 %d\nafter v=1 1\n" % now_ns())
        self.wait_output(telegraf, lambda data: b"after" in data)
        self.assertEqual(telegraf.stop(), 0)
        self.assertEqual([line.fields for line in telegraf.lines("m")], [{"v_count": 1}])

    def test_broken_rules_do_not_stop_telegraf(self):
        telegraf = self.telegraf(self.config(self.rules("[[rule]]\nnmae = 1")))
        self.feed(telegraf, b"m,g=a v=1 1\n")
        self.wait_output(telegraf, lambda data: b"m,g=a v=1 1" in data)
        self.assertEqual(telegraf.stop(), 0)
        errors = [line for line in telegraf.errors() if "rules.toml:" in line]
        self.assertTrue(errors, telegraf.log())
        self.assertNotIn("stderr:", telegraf.log(), "a line without a level")

    def test_strings_of_every_kind_survive_the_round_trip(self):
        # From a file, since inputs.socket_listener splits at newlines also within strings.
        source = self.directory / "in.lp"
        source.write_bytes(b'm,g=a s="q\\"b\\\\n\nx\ty",i=-3i,t=true %d\nother s="q\\"b\\\\n\nx\ty" 5\n' % now_ns())
        file_input = f'[[inputs.file]]\n  files = ["{source}"]\n  data_format = "influx"\n'
        rules = self.rules(count_rule(fields='"*" = ["last"]'))
        telegraf = self.telegraf(AGENT + file_input + self.processor(rules) + self.FILE_OUTPUT, args=["--once"])
        self.assertEqual(telegraf.wait(30), 0)
        self.assertEqual(telegraf.errors(), [])
        text = 'q"b\\n\nx\ty'
        self.assertEqual(telegraf.lines("m")[0].fields, {"s_last": text, "i_last": -3, "t_last": True})
        self.assertEqual(telegraf.lines("other")[0].fields, {"s": text})


class TwoCopiesTest(TelegrafCase):
    """With an aggregator configured Telegraf runs every processor twice, the second copy behind the aggregators and started first."""

    def test_the_main_chain_aggregates_in_every_start(self):
        rules, port = self.rules(count_rule()), free_port()
        agent = AGENT.replace("skip_processors_after_aggregators = true", "skip_processors_after_aggregators = false")
        aggregator = '[[aggregators.basicstats]]\n  period = "1h"\n  grace = "1h"\n  stats = ["count"]\n  namepass = ["raw"]\n'
        config = agent + self.SOCKET_INPUT + self.processor(rules, "--listen.http", f"127.0.0.1:{port}") + aggregator + self.FILE_OUTPUT
        for start in range(20):
            with self.subTest(start=start):
                telegraf = self.telegraf(config)
                at = now_ns()
                self.feed(telegraf, b"m,g=a,pod=x v=1 %d\nm,g=a,pod=y v=1 %d\nraw,g=a v=1 %d\nend v=1 1\n" % (at, at, at))
                self.wait_output(telegraf, lambda data: b"end" in data)
                self.assertEqual(len(telegraf.children()), 2)
                self.assert_stops(telegraf)
                self.assertEqual([(line.tags, line.fields) for line in telegraf.lines("m")], [({"g": "a"}, {"v_count": 2})])
                self.assertEqual(sorted(key for line in telegraf.lines("raw") for key in line.fields), ["v", "v_count"])


class InputTest(TelegrafCase):
    """inputs.execd with a listener; another Telegraf, or this test, sends."""

    def receiver(self, rules, *args, agent=AGENT):
        self.port = free_port()
        telegraf = self.telegraf(agent + self.execd_input(rules, "--listen.http", f"127.0.0.1:{self.port}", *args) + self.FILE_OUTPUT)
        self.door = Limpet(self.directory / "door", "")
        self.door.port = self.port
        self.door.wait_listening()
        return telegraf

    def test_exact_tags_of_results(self):
        rule = count_rule(more='tags = { env = "test" }')
        receiver = self.receiver(self.rules(rule))
        self.assertEqual(self.door.post(b"m,g=a,host=h1,pod=p v=1 %d\nm,g=a,host=h2 v=1 %d\nother v=1 7\n" % (now_ns(), now_ns()))[0], 204)
        self.wait_output(receiver, lambda data: b"other" in data)
        self.assert_stops(receiver)
        self.assertEqual([(line.tags, line.fields) for line in receiver.lines("m")], [({"env": "test", "g": "a"}, {"v_count": 2})])
        self.assertEqual([(line.tags, line.fields, line.time_ns) for line in receiver.lines("other")], [({}, {"v": 1.0}, 7)])

    def test_telegraf_adds_its_own_tags_where_it_is_not_told_otherwise(self):
        # Why the shipped configuration says omit_hostname and has no global tags.
        agent = AGENT.replace("omit_hostname = true", 'hostname = "receiver"') + '[global_tags]\n  dc = "x"\n'
        receiver = self.receiver(self.rules(count_rule()), agent=agent)
        self.door.post(b"m,g=a,host=h1 v=1 %d\nother v=1 7\n" % now_ns())
        self.wait_output(receiver, lambda data: b"other" in data)
        self.assert_stops(receiver)
        self.assertEqual(receiver.lines("m")[0].tags, {"g": "a", "host": "receiver", "dc": "x"})

    def check_sender(self, output):
        rules = self.rules(count_rule())
        receiver = self.receiver(rules)
        sender = self.telegraf(AGENT + self.SOCKET_INPUT + output.replace("{url}", f"http://127.0.0.1:{self.port}"))
        count = 5000
        lines = b"".join(b"m,g=%d,host=h v=1 %d\n" % (i % 10, now_ns()) for i in range(count))
        self.feed(sender, lines + b'other s="two words",u=7i 7\n')
        self.wait_output(receiver, lambda data: b"other" in data)
        self.assertTrue(eventually(lambda: self.door.ledger()["lines"]["read"] >= count + 1, 20), self.door.ledger())
        self.assertEqual(sender.stop(), 0)
        self.assertEqual(sender.errors(), [])
        self.assert_stops(receiver)
        self.assertEqual(sum(line.fields["v_count"] for line in receiver.lines("m")), count)
        self.assertEqual(len(receiver.lines("m")), 10)
        self.assertEqual(receiver.lines("other")[0].fields, {"s": "two words", "u": 7})

    def test_outputs_influxdb_v2(self):
        self.check_sender('[[outputs.influxdb_v2]]\n  urls = ["{url}"]\n  token = "t"\n  organization = "o"\n  bucket = "b"\n')

    def test_outputs_influxdb_v2_without_compression(self):
        self.check_sender(
            '[[outputs.influxdb_v2]]\n  urls = ["{url}"]\n  token = "t"\n  organization = "o"\n  bucket = "b"\n  content_encoding = "identity"\n'
        )

    def test_outputs_influxdb(self):
        # It creates its database first.
        self.check_sender('[[outputs.influxdb]]\n  urls = ["{url}"]\n  database = "d"\n')

    def test_sender_keeps_what_an_absent_receiver_did_not_take(self):
        rules = self.rules(count_rule())
        port = free_port()
        output = f'[[outputs.influxdb_v2]]\n  urls = ["http://127.0.0.1:{port}"]\n  token = "t"\n  organization = "o"\n  bucket = "b"\n'
        sender = self.telegraf(AGENT + self.SOCKET_INPUT + output)
        self.feed(sender, b"m,g=a v=1 %d\n" % now_ns() * 1000)
        self.assertTrue(eventually(lambda: "E! " in sender.log(), 20))
        receiver = self.telegraf(AGENT + self.execd_input(rules, "--listen.http", f"127.0.0.1:{port}") + self.FILE_OUTPUT)
        door = Limpet(self.directory / "door", "")
        door.port = port
        door.wait_listening()
        self.assertTrue(eventually(lambda: door.ledger()["lines"]["read"] == 1000, 30), sender.log()[-2000:])
        sender.stop()
        self.assert_stops(receiver)
        self.assertEqual([line.fields for line in receiver.lines("m")], [{"v_count": 1000}])
