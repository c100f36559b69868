"""Function by function against Telegraf's own aggregators: the same lines, in the same run of one Telegraf.

ROWS is the table: for every output of theirs, which of ours it equals, or why it differs. Every pair of values is compared; a field of
theirs that no row explains fails the test, and so does a row that never met a value.
"""

import math
import subprocess
from dataclasses import dataclass, field

import settings
from limpet_case import now_ns
from telegraf_case import AGENT, TelegrafCase

SECOND_NS = 10**9
BOUNDS = [0, 10, 50, 100]

# Series (tag s) and their samples, (seconds after the begin, fields), in order of arrival.
SERIES = {
    "plain": [(0, "v=1"), (10, "v=3"), (30, "v=10")],
    "fractions": [(i, f"v={0.1 * i * i - 3.7}") for i in range(50)],
    "integers": [(0, "v=5i"), (1, "v=-7i"), (2, "v=12i")],
    "unsigned": [(0, "v=1u"), (1, "v=18000000000000000000u")],
    "large": [(i, f"v={10**9 + i % 3}.5") for i in range(100)],
    "single": [(0, "v=4")],
    "from-zero": [(0, "v=0"), (5, "v=8")],
    "falling": [(0, "v=10"), (10, "v=2")],
    "unordered": [(30, "v=10"), (0, "v=1")],
    "one-instant": [(0, "v=1"), (0, "v=3")],
    "words": [(0, 's="a",t=true,v=1'), (1, 's="b",t=false,v=2')],
    "two-fields": [(0, "v=1,w=100"), (1, "v=2"), (2, "v=3,w=300")],
}
# 101 samples: for q = 0.25, 0.5, 0.75 rank ceil(q n) and the interpolation of R7 meet in the same sample.
BIG = [(i, f"v={(i * 37 % 101) + 0.5}") for i in range(101)]  # mixed
ON_BOUNDS = [(i, f"v={value}") for i, value in enumerate((50, 7, 99, 12, 150, 0, 10, 100))]

ORDERED = "arrived in order of time"


@dataclass
class Row:
    """theirs (aggregator, suffix) against our function; `how` is a comparison below, or the reason why there is none to make."""

    aggregator: str
    suffix: str
    ours: str
    how: str = "equal"
    why: str = ""  # what differs all the same
    only: str = ""  # where it is the same: ORDERED
    met: int = field(default=0, compare=False)


ROWS = [
    Row("basicstats", "_count", "count", "value", "theirs is a float, ours an integer"),
    Row("basicstats", "_min", "min"),
    Row("basicstats", "_max", "max"),
    Row("basicstats", "_sum", "sum", "close", "ours is rounded once, at the end"),
    Row("basicstats", "_mean", "mean", "close", "theirs is a running mean"),
    Row("basicstats", "_s2", "variance", "close", "theirs is a running variance"),
    Row("basicstats", "_stdev", "stddev", "close", "theirs is a running variance"),
    Row("basicstats", "_first", "first", "value", "theirs by arrival and as a float, ours by timestamp and of the sample's type", ORDERED),
    Row("basicstats", "_last", "last", "value", "theirs by arrival and as a float, ours by timestamp and of the sample's type", ORDERED),
    Row("basicstats", "_diff", "diff", "value", "theirs between arrivals", ORDERED),
    Row("basicstats", "_non_negative_diff", "non_negative_diff", "value", "theirs between arrivals", ORDERED),
    Row("basicstats", "_interval", "interval", "equal", "theirs between arrivals", ORDERED),
    Row("basicstats", "_rate", "derivative", "close", "theirs between arrivals, and 0 where the times are equal: ours is absent", ORDERED),
    Row("basicstats", "_non_negative_rate", "derivative", "close", "theirs only where it is not negative; 0 at equal times", ORDERED),
    Row("basicstats", "_percent_change", "percent_change", "close", "theirs between arrivals", ORDERED),
    Row("minmax", "_min", "min"),
    Row("minmax", "_max", "max"),
    Row("r7", "_025", "p25", "within 1 %", "theirs interpolates between two samples; here both mean the same one"),
    Row("r7", "_050", "p50", "within 1 %", "theirs interpolates between two samples; here both mean the same one"),
    Row("r7", "_075", "p75", "within 1 %", "theirs interpolates between two samples; here both mean the same one"),
    Row("tdigest", "_025", "p25", "within 3 %", "theirs interpolates between centroids and promises no error; ours is within 1 % of a sample"),
    Row("tdigest", "_050", "p50", "within 3 %", "as above"),
    Row("tdigest", "_090", "p90", "within 3 %", "as above"),
    Row("tdigest", "_099", "p99", "within 3 %", "as above; theirs calls p99.9 by the same name"),
    Row("histogram", "_bucket", "histogram(0, 10, 50, 100)", "buckets", "theirs goes on counting from one period to the next unless `reset`"),
    Row("histogram_plain", "_bucket", "histogram(0, 10, 50, 100)", "plain buckets", "theirs counts between gt and le, ours up to le"),
    Row("derivative", "_rate", "derivative", "close", "theirs joins consecutive periods, ours stays within the window"),
    Row("final", "_final", "last", "equal", "theirs by arrival, with the time of the sample; ours by timestamp, at the end of the window", ORDERED),
]

FUNCTIONS = sorted({row.ours for row in ROWS})


def field_part(function):
    return function.replace("(", "_").replace(")", "").replace(".", "_")


def close(theirs, ours):
    return math.isclose(theirs, ours, rel_tol=1e-9, abs_tol=1e-300)


COMPARE = {
    "equal": lambda theirs, ours: theirs == ours and type(theirs) is type(ours),
    "value": lambda theirs, ours: float(theirs) == float(ours),
    "close": close,
    "within 1 %": lambda theirs, ours: math.isclose(theirs, ours, rel_tol=0.01),
    "within 3 %": lambda theirs, ours: math.isclose(theirs, ours, rel_tol=0.03),
}


class FunctionsTest(TelegrafCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cache = None

    def lines_in(self):
        """All samples lie in one hour, whose window both sides keep open."""
        begin_s = now_ns() // SECOND_NS - 200
        if begin_s // 3600 != (begin_s + 150) // 3600:
            begin_s = begin_s // 3600 * 3600 - 200
        for name, samples in SERIES.items():
            yield from (f"raw,s={name} {fields} {(begin_s + at) * SECOND_NS}\n" for at, fields in samples)
        yield from (f"big {fields} {(begin_s + at) * SECOND_NS}\n" for at, fields in BIG)
        yield from (f"onbounds {fields} {(begin_s + at) * SECOND_NS}\n" for at, fields in ON_BOUNDS)

    def config(self, source):
        functions = ", ".join(f'"{function}"' for function in FUNCTIONS)
        rules = self.rules(
            '[[rule]]\nname = "all"\nnamepass = ["raw", "big", "onbounds"]\nperiod = "1h"\ngrace = "3h"\nmeasurement = "{measurement}_ours"\n'
            f'  [rule.fields]\n  "*" = [{functions}]\n'
        )
        common = '  period = "1h"\n  grace = "3h"\n  delay = "3h"\n  drop_original = false\n'
        stats = '["count","min","max","mean","s2","stdev","sum","diff","non_negative_diff","rate","non_negative_rate","percent_change","interval","first","last"]'

        def aggregator(plugin, options="", name=None, namepass='["raw", "big", "onbounds"]'):
            head, _, tables = options.partition("\n  [[")
            tables = "\n  [[" + tables if tables else ""
            return f'[[aggregators.{plugin}]]\n{common}  namepass = {namepass}\n  name_suffix = "_{name or plugin}"\n{head}{tables}\n'

        def buckets(measurement):
            return f'\n  [[aggregators.histogram.config]]\n    measurement_name = "{measurement}"\n    buckets = {[float(bound) for bound in BOUNDS]}'

        histograms = buckets("onbounds") + buckets("big")
        return (
            AGENT + f'[[inputs.file]]\n  files = ["{source}"]\n  data_format = "influx"\n' + self.processor(rules)
            + aggregator("basicstats", f"  stats = {stats}")
            + aggregator("minmax")
            + aggregator("quantile", '  quantiles = [0.25, 0.5, 0.75]\n  algorithm = "exact R7"', "r7", '["big"]')
            + aggregator("quantile", "  quantiles = [0.25, 0.5, 0.9, 0.99]", "tdigest", '["big"]')
            + aggregator("histogram", "  cumulative = true" + histograms, namepass='["big", "onbounds"]')
            + aggregator("histogram", "  cumulative = false" + histograms, "histogram_plain", '["big", "onbounds"]')
            + aggregator("derivative")
            + aggregator("final", '  output_strategy = "periodic"')
            + self.FILE_OUTPUT
        )

    def run_once(self):
        """{name: {series tags: {field: value}}} of everything that one `telegraf --once` wrote."""
        source = self.directory / "in.lp"
        source.write_text("".join(self.lines_in()))
        telegraf = self.telegraf(self.config(source), args=["--once"])
        self.assertEqual(telegraf.wait(60), 0, telegraf.log())
        self.assertEqual(telegraf.errors(), [])
        found = {}
        for line in telegraf.lines():
            tags = tuple(sorted(line.tags.items()))
            found.setdefault(line.name, {}).setdefault(tags, {}).update(line.fields)
        return found

    def setUp(self):
        super().setUp()
        if FunctionsTest.cache is None:
            FunctionsTest.cache = self.run_once()
        self.found = FunctionsTest.cache

    def theirs(self, aggregator):
        """(measurement, tags, field, value) of every output of one of theirs."""
        for measurement in ("raw", "big", "onbounds"):
            for tags, fields in self.found.get(f"{measurement}_{aggregator}", {}).items():
                for key, value in fields.items():
                    yield measurement, tags, key, value

    def ours(self, measurement, tags, key):
        return self.found.get(f"{measurement}_ours", {}).get(tags, {}).get(key)

    @staticmethod
    def split(key, rows):
        """(field, row) for `v_count`: the longest suffix that a row has."""
        for row in sorted(rows, key=lambda row: -len(row.suffix)):
            if key.endswith(row.suffix):
                return key[: -len(row.suffix)], row
        return key, None

    def check(self, aggregator, measurement, tags, key, value, rows):
        name, row = self.split(key, rows)
        what = f"{aggregator} {measurement}{dict(tags)} {key}={value}"
        self.assertIsNotNone(row, f"no row explains {what}")
        row.met += 1
        series = dict(tags).get("s")
        if row.only == ORDERED and series == "unordered":
            return
        ours = self.ours(measurement, tags, f"{name}_{field_part(row.ours)}")
        if row.ours == "derivative" and series == "one-instant":
            self.assertEqual((value, ours), (0, None))
            return
        self.assertIsNotNone(ours, f"{what}: ours is absent")
        self.assertTrue(COMPARE[row.how](value, ours), f"{what}, our {row.ours} is {ours}: {row.how}")

    def test_every_output_of_theirs(self):
        rows = [row for row in ROWS if not row.aggregator.startswith("histogram")]
        for aggregator in sorted({row.aggregator for row in rows}):
            mine = [row for row in rows if row.aggregator == aggregator]
            for measurement, tags, key, value in self.theirs(aggregator):
                with self.subTest(aggregator=aggregator, field=key, tags=tags):
                    self.check(aggregator, measurement, tags, key, value, mine)
        self.assertEqual([row for row in rows if not row.met], [], "rows that met no value")

    def test_what_is_absent_there_is_absent_here(self):
        # Beyond the rows: stddev and the like of a single sample, derivative of one, numbers of words.
        single = self.found["raw_ours"][(("s", "single"),)]
        self.assertEqual(
            sorted(set(single) & {"v_stddev", "v_variance", "v_diff", "v_interval", "v_derivative", "v_percent_change"}), []
        )
        self.assertNotIn("v_percent_change", self.found["raw_ours"][(("s", "from-zero"),)])
        self.assertNotIn("v_percent_change", self.found["raw_basicstats"][(("s", "from-zero"),)])
        words = self.found["raw_ours"][(("s", "words"),)]
        self.assertEqual((words["s_count"], words["s_last"], words["t_last"]), (2, "b", False))
        self.assertNotIn("s_sum", words)

    def test_what_differs_where_samples_arrive_out_of_order(self):
        unordered = (("s", "unordered"),)
        theirs, ours = self.found["raw_basicstats"][unordered], self.found["raw_ours"][unordered]
        self.assertEqual((theirs["v_first"], theirs["v_last"], theirs["v_diff"]), (10, 1, -9), "by arrival")
        self.assertEqual((ours["v_first"], ours["v_last"], ours["v_diff"]), (1, 10, 9), "by timestamp")
        self.assertEqual((theirs["v_interval"], ours["v_interval"]), (-30 * SECOND_NS, 30 * SECOND_NS))
        self.assertEqual((theirs["v_percent_change"], ours["v_percent_change"]), (-90, 900))
        self.assertEqual(self.found["raw_final"][unordered]["v_final"], 1)
        self.assertEqual(self.found["raw_derivative"][unordered]["v_rate"], ours["v_derivative"], "theirs too is by timestamp")

    def buckets(self, name, tag="le"):
        return {dict(tags)[tag]: fields["v_bucket"] for tags, fields in self.found[name].items() if tag in dict(tags)}

    def test_histogram(self):
        (cumulative, plain) = (row for row in ROWS if row.aggregator.startswith("histogram"))
        for measurement in ("onbounds", "big"):
            theirs, ours = self.buckets(f"{measurement}_histogram"), self.buckets(f"{measurement}_ours")
            self.assertEqual(theirs, ours, "bounds are spelled alike, counts are cumulative, a value on a bound is inside")
            between, running = {}, 0
            for bound, count in sorted(ours.items(), key=lambda item: float(item[0])):
                between[bound] = count - running
                running = count
            self.assertEqual(self.buckets(f"{measurement}_histogram_plain"), between, plain.why)
            cumulative.met += 1
            plain.met += 1
        self.assertEqual(self.buckets("onbounds_ours"), {"0": 1, "10": 3, "50": 5, "100": 7, "+Inf": 8})

    def test_quantiles_are_within_1_percent_of_the_sample_of_that_rank(self):
        values = sorted(float(fields[2:]) for _, fields in BIG)
        for name, q in (("p25", 0.25), ("p50", 0.5), ("p75", 0.75), ("p90", 0.9), ("p99", 0.99)):
            exact = values[math.ceil(q * len(values)) - 1]
            self.assertTrue(math.isclose(self.ours("big", (), f"v_{name}"), exact, rel_tol=0.01), name)

    def test_originals_pass_through_beside_the_results(self):
        self.assertEqual(len(self.found["raw"]), len(SERIES))

    def test_names_of_the_aggregators_exist(self):
        listed = subprocess.run([settings.telegraf()[0], "plugins", "aggregators"], capture_output=True, text=True, check=False).stdout
        for plugin in ("basicstats", "quantile", "histogram", "minmax", "derivative", "final"):
            self.assertIn(plugin, listed)
