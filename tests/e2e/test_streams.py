"""Always read, never stall: slow and stuck readers, stderr that nobody reads, input of every bad kind, bytes that must come back as they were."""

import random
import time

from lineproto import parse_all, split_records
from limpet_case import RESULT_BYTES_MAX, LimpetCase, count_rule, eventually, now_ns, resident_bytes

MIB = 1 << 20


class ReaderTest(LimpetCase):
    def test_slow_reader_loses_nothing(self):
        limpet = self.limpet(http=True, delay_s=200e-6)
        lines = [b"other,n=%d v=%di %d\n" % (i % 5, i, i) for i in range(10000)]
        limpet.write_all(lines)
        self.assertLess(limpet.slowest_write_s, 1, "input was held up by output")
        eventually(lambda: limpet.stdout.count(b"\n") == len(lines), 20)
        self.assert_clean(limpet.stop())
        self.assertEqual(bytes(limpet.stdout), b"".join(lines))
        self.assertEqual(limpet.final_ledger()["lines"]["shed"], 0)

    def test_stopped_reader_sheds_lines_and_counts_them(self):
        limpet = self.limpet(http=True)
        limpet.wait_listening()
        limpet.pause_stdout()
        line = b"other,host=a text=\"%s\" %d\n"
        filler = b"x" * 4000
        count = 30000  # 120 MB, where at most 64 MiB may wait
        for i in range(count):
            limpet.write(line % (filler, i))
        self.assertLess(limpet.slowest_write_s, 2, "input was held up by output")
        limpet.wait_read(count)
        self.assertGreater(limpet.ledger()["lines"]["shed"], 0)
        self.assertLess(resident_bytes(limpet.pid), 200 * MIB)
        limpet.resume_stdout()
        eventually(lambda: limpet.status()["ledger"]["lines"]["written_back"] == limpet.stdout.count(b"\n"), 30)
        limpet.write(b"after v=1 1\n")
        self.assert_clean(limpet.stop())
        ledger = limpet.final_ledger()["lines"]
        times = [line.time_ns for line in limpet.results("other")]
        self.assertEqual(ledger["written_back"], len(times) + 1)
        self.assertEqual(ledger["shed"] + len(times), count)
        self.assertEqual(times, sorted(set(times)), "order kept, nothing twice")
        self.assertEqual(len(limpet.results("after")), 1, "it goes on after the reader came back")

    def test_results_are_not_shed(self):
        limpet = self.limpet(count_rule(period="1s", more='grace = "1s"'), http=True)
        limpet.wait_listening()
        limpet.pause_stdout()
        filler = b"x" * 4000
        deadline, written = time.monotonic() + 4, 0
        while time.monotonic() < deadline or not written:
            for i in range(1000):
                limpet.write(b"m,g=a v=1 %d\nother text=\"%s\" 1\n" % (now_ns(), filler))
                written += 1
            time.sleep(0.02)
        limpet.wait_read(2 * written)
        limpet.resume_stdout()
        self.assertGreater(limpet.ledger()["lines"]["shed"], 0)
        limpet.stop()
        self.assertEqual(sum(line.fields["v_count"] for line in limpet.results("m")), written)

    def test_reader_that_never_reads(self):
        limpet = self.limpet(http=True, read_stdout=False)
        limpet.write_all(b"other v=%di 1\n" % i for i in range(20000))
        self.assertLess(limpet.slowest_write_s, 1)
        limpet.wait_read(20000)
        self.assertLess(limpet.stop().seconds, 5)


class StderrTest(LimpetCase):
    def test_stderr_that_is_never_read(self):
        limpet = self.limpet(count_rule(), read_stderr=False)
        for i in range(3000):
            limpet.write(b"bad line number %d %s\nm,g=a v=1 %d\n" % (i, b"x" * 200, now_ns()))
        end = limpet.stop()
        self.assert_clean(end)
        self.assertLess(end.seconds, 4)
        self.assertEqual([line.fields for line in limpet.results()], [{"v_count": 3000}])

    def test_bad_lines_do_not_flood_the_log(self):
        limpet = self.limpet(count_rule())
        limpet.write_all(b"bad line number %d\n" % i for i in range(5000))
        self.assert_clean(limpet.stop())
        self.assertEqual(sum(limpet.final_ledger()["lines"]["bad"].values()), 5000)
        mentions = [text for _, text in limpet.log if "bad line number" in text]
        self.assertTrue(mentions, limpet.log)
        self.assertLess(len(limpet.log), 50)

    def test_quiet_when_all_is_well(self):
        limpet = self.limpet(count_rule(more='incomplete = "tag"'))
        limpet.write_all(b"m,g=a v=1 %d\n" % now_ns() for _ in range(100))
        self.assert_clean(limpet.stop())
        self.assertEqual(limpet.errors(), [])
        self.assertLess(len(limpet.log), 10)


class BadInputTest(LimpetCase):
    """After each the next line counts, and nothing but the bad line is lost. tests/README.md lists them."""

    def after_bad(self, bad, reasons=None, **options):
        limpet = self.limpet(count_rule(), **options)
        limpet.write(b"m,g=a v=1 %d\n" % now_ns())
        limpet.write(bad, timeout_s=30)
        limpet.write(b"m,g=a v=1 %d\n" % now_ns())
        self.assert_clean(limpet.stop())
        self.assertEqual([line.fields for line in limpet.results("m")], [{"v_count": 2}], f"after {bad[:60]!r}")
        if reasons is not None:
            self.assertEqual(limpet.final_ledger()["lines"]["bad"], reasons, f"after {bad[:60]!r}")
        return limpet

    def test_line_of_100_mb(self):
        limpet = self.limpet(count_rule(), http=True)
        limpet.wait_listening()
        limpet.write(b"m,g=a v=1 %d\n" % now_ns())
        for _ in range(100):
            limpet.write(b"x" * 10**6)
        limpet.write(b"\nm,g=a v=1 %d\n" % now_ns())
        limpet.wait_read(3)
        self.assertLess(resident_bytes(limpet.pid, "VmHWM"), 64 * MIB)
        self.assert_clean(limpet.stop())
        self.assertEqual([line.fields for line in limpet.results()], [{"v_count": 2}])
        self.assertEqual(limpet.final_ledger()["lines"]["bad"], {"too_long": 1})

    def test_string_of_100_mb(self):
        # Its newlines are part of it, up to the limit; what follows must not be taken for its end.
        text = b'm,g=a v=1,s="' + b"y" * 10**8 + b'" 1\n'
        self.after_bad(text, {"too_long": 1})

    def test_line_just_above_1_mib(self):
        limpet = self.after_bad(b'other s="' + b"y" * MIB + b'" 1\n', {"too_long": 1})
        self.assertEqual(limpet.results("other"), [])

    def test_100_mb_without_a_newline_at_the_end(self):
        limpet = self.limpet(count_rule())
        limpet.write(b"m,g=a v=1 %d\n" % now_ns())
        for _ in range(100):
            limpet.write(b"x" * 10**6)
        self.assert_clean(limpet.stop())
        self.assertEqual([line.fields for line in limpet.results()], [{"v_count": 1}])
        self.assertEqual(sum(limpet.final_ledger()["lines"]["bad"].values()), 1)

    def test_nul_bytes(self):
        self.after_bad(b"\0" * 1000 + b"\n", {"field": 1})
        self.after_bad(b"\0\n", {"field": 1})
        limpet = self.after_bad(b'na\0me,t\0=\0 f\0="\0" 1\n', {})
        self.assertIn(b'na\0me,t\0=\0 f\0="\0" 1\n', bytes(limpet.stdout))

    MALFORMED = {
        "name": [b",\n", b" \r x\n"],
        "tag": [b"m,\n", b"m,g= v=1 1\n", b"m,=a v=1 1\n", b"m,g v=1 1\n", b"m,g=a=b v=1 1\n"],
        "field": [b"=\n", b"m\n", b"m \n", b"m,g=a\n", b"m,g=a v\n", b"m,g=a v=\n", b"m,g=a v=1,\n", b"m =1 1\n", b"m v=NaN 1\n",
                  b"m v=+Inf 1\n", b"m v=1e999 1\n", b"m v=0x10 1\n", b"m v=+1 1\n", b"m v=01i 1\n", b"m v=9223372036854775808i 1\n",
                  b"m v=-1u 1\n", b"m v=18446744073709551616u 1\n", b"m v=tru 1\n", b'm v="a\\nb" 1\n', b"\xff\xfe\n", b'{"json": 1}\n',
                  b"a b c d\n", b"m 1\n", b"GET / HTTP/1.1\r\n"],
        "timestamp": [b"m v=1 1 1\n", b"m v=1 x\n", b"m v=1 1.5\n", b"m v=1 99999999999999999999\n", b"m v=1 9223372036854775808\n"],
    }

    def test_malformed_lines(self):
        for reason, lines in self.MALFORMED.items():
            for bad in lines:
                with self.subTest(bad=bad):
                    limpet = self.after_bad(bad, {reason: 1})
                    self.assertEqual(len(limpet.results()), 1)

    def test_lines_that_are_none(self):
        for text in (b"\n", b"\n\n\n", b"   \n", b"\r\n", b"# a comment\n", b"\t# m,g=a v=1 1\n"):
            with self.subTest(text=text):
                limpet = self.after_bad(text, {})
                self.assertEqual(limpet.final_ledger()["lines"]["read"], 2)

    def test_random_bytes(self):
        source = random.Random(3)
        limpet = self.limpet(count_rule())
        for _ in range(300):
            # Without quotes: an open string would rightly swallow the lines behind it.
            noise = bytes(source.randrange(256) for _ in range(source.randrange(1, 400))).replace(b'"', b"'")
            limpet.write(noise + b"\n")
            limpet.write(b"m,g=a v=1 %d\n" % now_ns())
        self.assert_clean(limpet.stop())
        self.assertEqual([line.fields for line in limpet.results("m")], [{"v_count": 300}])

    def test_open_string_swallows_up_to_its_quote_only(self):
        limpet = self.limpet(count_rule())
        limpet.write(b'm,g=a v=1,s="open %d\nm,g=a v=1 1\nstill inside" %d\n' % (now_ns(), now_ns()))
        limpet.write(b"m,g=a v=1 %d\n" % now_ns())
        self.assert_clean(limpet.stop())
        self.assertEqual([line.fields for line in limpet.results()], [{"v_count": 2}])

    def test_many_tags_and_fields(self):
        tags = b"".join(b",t%05d=v" % i for i in range(2000))
        limpet = self.after_bad(b"other" + tags + b" v=1 1\n", {"too_many": 1})
        self.assertEqual(len(limpet.results()), 1)
        fields = b",".join(b"f%d=1" % i for i in range(70000))
        self.after_bad(b"other " + fields + b" 1\n", {"too_many": 1})

    def test_times_far_away(self):
        limpet = self.limpet(count_rule())
        for time_ns in (0, -1, -(2**63), 2**63 - 1, now_ns() + 10**15):
            limpet.write(b"m,g=a v=1 %d\n" % time_ns)
        limpet.write(b"m,g=a v=1 %d\n" % now_ns())
        self.assert_clean(limpet.stop())
        self.assertEqual([line.fields for line in limpet.results()], [{"v_count": 1}])
        self.assertEqual(limpet.final_ledger()["rules"]["count"]["dropped"], {"late": 3, "future": 2})


class PassThroughTest(LimpetCase):
    ODD = [
        b"m v=1 1",
        b"m v=1.0 1",
        b"m v=1e3 1",
        b"m v=-0 1",
        b"m v=1i,w=2u,x=t,y=FALSE 1",
        b"m,b=1,a=2 v=1 1",  # tags out of order
        b"m,a=1,a=2 v=1,v=2 1",  # twice
        b"m  v=1   1",
        b"\tm v=1 1",
        b"m v=1 1 ",
        b"m v=1 1\r",
        b"m v=1 0000000000000000001",
        b"m v=1 -5",
        b"m\\ x,a\\ b=c\\,d\\=e f\\ g=1 1",
        b"m\\\\ v=1 1",
        b"C:\\Program,p=C:\\x v=1 1",
        b'm s="with \\"quotes\\" and \\\\" 1',
        b'm s="two\nlines, and = more" 1',
        b'm s="\n\n\n" 1',
        b'm s="tab\tcr\rend",v=2 1',
        b'm s="" 1',
        b"m,t=\"quoted\" v=1 1",
        b"\"m\",t=a\"b v=1 1",
        "mäß,日本=語 ü=1 1".encode(),
        b"\xff\xfe,t=\x80 v=1 1",
        b"a\0b v=1 1",
        b"m,a=b=c v=1 1",
        b"m v=0.1000000000000000055511151231257827021181583404541015625 1",
        b"m v=1" + b"0" * 308 + b" 1",
        b"m v=0." + b"0" * 323 + b"5 1",
    ]

    def passed(self, lines, rules=""):
        """What comes back where each line is written by itself; a line that is bad to the dialect does not."""
        limpet = self.limpet(rules)
        limpet.write_all(line + b"\n" for line in lines)
        self.assert_clean(limpet.stop())
        return limpet

    def test_odd_spellings_come_back_byte_for_byte(self):
        for rules in ("", count_rule(namepass="another")):
            limpet = self.passed(self.ODD, rules)
            bad = limpet.final_ledger()["lines"]["bad"]
            wanted = [line for line in self.ODD if line != b"m,a=b=c v=1 1"]
            self.assertEqual(bytes(limpet.stdout), b"".join(line + b"\n" for line in wanted))
            self.assertEqual(bad, {"tag": 1})

    def test_lines_that_a_rule_takes_and_keeps(self):
        rules = count_rule(namepass="*").replace("drop_original = true", "drop_original = false").replace('v = ["count"]', '"*" = ["count"]')
        lines = [line for line in self.ODD if line != b"m,a=b=c v=1 1"]
        limpet = self.passed(lines, rules)
        text = b"".join(line + b"\n" for line in lines)
        self.assertTrue(bytes(limpet.stdout).startswith(text))

    def test_lines_up_to_1_mib(self):
        lines = []
        for size in (65535, 65536, 65537, 262143, 262144, 524288, MIB - 1, MIB):
            head, tail = b'm s="', b'" 1'
            lines.append(head + b"z" * (size - len(head) - len(tail)) + tail)
        limpet = self.passed(lines)
        self.assertEqual(split_records(limpet.stdout), lines)
        self.assertEqual(limpet.final_ledger()["lines"]["written_back"], len(lines))

    def test_any_chunking(self):
        source = random.Random(5)
        text = b"".join(line + b"\n" for line in self.ODD if line != b"m,a=b=c v=1 1") * 50
        limpet, at = self.limpet(), 0
        while at < len(text):
            size = source.choice((1, 2, 3, 7, 50, 4096, 70000))
            limpet.write(text[at : at + size])
            at += size
        self.assert_clean(limpet.stop())
        self.assertEqual(bytes(limpet.stdout), text)

    def test_half_a_million_random_lines(self):
        source = random.Random(7)
        line = [b'm%d,a=%d,b=%x f%d=%f,s="%s" %d\n' % (i % 9, source.randrange(10**6), i, i % 4, source.random(), b"ab\n"[: i % 4], i)
                for i in range(50000)]
        limpet = self.limpet(count_rule(namepass="none"))
        for _ in range(10):
            limpet.write_all(b"".join(line[at : at + 50]) for at in range(0, len(line), 50))
        self.assert_clean(limpet.stop())
        self.assertEqual(bytes(limpet.stdout), b"".join(line) * 10)


class ResultFormTest(LimpetCase):
    def test_long_results_are_split_by_fields(self):
        limpet = self.limpet(count_rule(fields='"*" = ["count", "max"]'))
        at, count = now_ns(), 3000
        fields = b",".join(b"a_rather_long_name_of_a_field_%05d=%d" % (i, i) for i in range(count))
        limpet.write(b"m,g=a %s %d\n" % (fields, at))
        self.assert_clean(limpet.stop())
        records = split_records(limpet.stdout)
        self.assertGreater(len(records), 1)
        self.assertLess(max(map(len, records)), RESULT_BYTES_MAX)
        lines = parse_all(limpet.stdout, sorted_tags=True)
        self.assertEqual(len({(line.series, line.time_ns) for line in lines}), 1)
        merged = {key: value for line in lines for key, value in line.fields.items()}
        self.assertEqual(len(merged), 2 * count)
        self.assertEqual(sum(len(line.fields) for line in lines), 2 * count, "no field twice")
        self.assertEqual(merged["a_rather_long_name_of_a_field_00007_max"], 7.0)

    def test_strings_tags_and_times(self):
        rules = count_rule(fields='"*" = ["last"]').replace('by = ["g"]', 'without = ["none"]')
        limpet = self.limpet(rules)
        at = now_ns()
        limpet.write(b'm,z=1,a=2,k=a\\ b\\,c s="q\\"b\\\\n\nx",i=-3i,t=true,v=0.1 %d\n' % at)
        self.assert_clean(limpet.stop())
        (line,) = parse_all(limpet.stdout, sorted_tags=True)
        self.assertEqual(line.tags, {"a": "2", "k": "a b,c", "z": "1"})
        self.assertEqual(line.fields, {"s_last": 'q"b\\n\nx', "i_last": -3, "t_last": True, "v_last": 0.1})
        self.assertIn(b'"q\\"b\\\\n\nx"', bytes(limpet.stdout))
        self.assertEqual(line.time_ns % (3600 * 10**9), 0)

    def test_no_result_holds_nan_or_infinity(self):
        limpet = self.limpet(count_rule(fields='v = ["sum", "mean", "variance", "percent_change", "count"]'))
        for value in (b"0", b"1.7e308", b"1.7e308", b"-1e308"):
            limpet.write(b"m,g=a v=%s %d\n" % (value, now_ns()))
        self.assert_clean(limpet.stop())
        (line,) = limpet.results()  # the parser refuses anything that is not finite
        self.assertEqual(line.fields["v_count"], 4)
        self.assertNotIn("v_percent_change", line.fields)
