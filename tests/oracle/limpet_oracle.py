#!/usr/bin/env python3
"""A slow, obvious `limpet replay`: keeps every sample and computes every window from its definition. The oracle of compare.py.

usage: limpet_oracle.py --rules FILE [--all] [--ledger FILE] LINES
"""
import argparse
import json
import math
import re
import sys
import tomllib
from decimal import Decimal
from fractions import Fraction

INF_WINDOW = 10**30


# ---------------------------------------------------------------- line protocol, Telegraf's dialect (the spellings that generate.py writes)

class Bad(Exception):
    def __init__(self, reason):
        super().__init__(reason)
        self.reason = reason


def take_text(s, i, stops):
    """Reads a name up to an unescaped stop."""
    out = ""
    while i < len(s) and s[i] not in stops:
        if s[i] in "\t\v\f\r\n":
            raise Bad("?")
        if s[i] == "\\":
            if i + 1 >= len(s):
                raise Bad("?")
            if s[i + 1] in ", =" and (s[i + 1] != "=" or "=" in stops):
                out += s[i + 1]
                i += 2
                continue
        out += s[i]
        i += 1
    return out, i


class Num:
    """A number with its type: float, int, uint."""

    def __init__(self, kind, value):
        self.kind, self.value = kind, value

    def real(self):
        return float(self.value)

    def exact(self):
        return Fraction(self.value)


FLOAT = re.compile(r"-?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\Z")
INT = re.compile(r"-?(0|[1-9]\d*)i\Z")
UINT = re.compile(r"(0|[1-9]\d*)u\Z")


def parse_value(word):
    if INT.match(word):
        v = int(word[:-1])
        if not -2**63 <= v < 2**63:
            raise Bad("field")
        return Num("int", v)
    if UINT.match(word):
        v = int(word[:-1])
        if v >= 2**64:
            raise Bad("field")
        return Num("uint", v)
    if FLOAT.match(word):
        v = float(word)
        if math.isinf(v):
            raise Bad("field")
        return Num("float", v)
    if word in ("t", "T", "true", "True", "TRUE"):
        return True
    if word in ("f", "F", "false", "False", "FALSE"):
        return False
    raise Bad("field")


def parse_line(line):
    try:
        name, i = take_text(line, 0, ", ")
        if not name:
            raise Bad("name")
    except Bad:
        raise Bad("name")
    tags = {}
    while i < len(line) and line[i] == ",":
        try:
            key, i = take_text(line, i + 1, ",= ")
            if not key or i >= len(line) or line[i] != "=":
                raise Bad("tag")
            value, i = take_text(line, i + 1, ",= ")
            if not value or (i < len(line) and line[i] == "="):
                raise Bad("tag")
        except Bad:
            raise Bad("tag")
        tags[key] = value
    while i < len(line) and line[i] == " ":
        i += 1
    fields = {}
    while True:
        try:
            key, i = take_text(line, i, ",= ")
        except Bad:
            raise Bad("field")
        if not key or i >= len(line) or line[i] != "=":
            raise Bad("field")
        i += 1
        if i < len(line) and line[i] == '"':
            text, i = "", i + 1
            while i < len(line) and line[i] != '"':
                if line[i] == "\\":
                    if i + 1 >= len(line) or line[i + 1] not in '"\\':
                        raise Bad("field")
                    i += 1
                text += line[i]
                i += 1
            if i >= len(line):
                raise Bad("field")
            fields[key] = text
            i += 1
        else:
            j = i
            while j < len(line) and line[j] not in ", ":
                j += 1
            fields[key] = parse_value(line[i:j])
            i = j
        if i < len(line) and line[i] == ",":
            i += 1
            continue
        break
    rest = line[i:].strip(" ")
    if i < len(line) and line[i] != " ":
        raise Bad("field")
    if rest == "":
        return name, tags, fields, None
    if not re.match(r"-?\d{1,19}\Z", rest) or not -2**63 <= int(rest) < 2**63:
        raise Bad("timestamp")
    return name, tags, fields, int(rest)


# ---------------------------------------------------------------- rules

UNITS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9, "d": 86400 * 10**9}


def duration(text):
    return sum(int(Fraction(n) * UNITS[u]) for n, u in re.findall(r"([\d.]+)(ns|us|ms|s|m|h|d)", text))


def glob_regex(pattern):
    out, depth, i = "", 0, 0
    while i < len(pattern):
        c = pattern[i]
        if c == "*":
            out += ".*"
            i += pattern[i:i + 2] == "**"
        elif c == "?":
            out += "."
        elif c == "[":
            j = pattern.index("]", i)
            out += "[" + pattern[i + 1:j].replace("!", "^", 1) + "]"
            i = j
        elif c == "{":
            out, depth = out + "(", depth + 1
        elif c == "}" and depth:
            out, depth = out + ")", depth - 1
        elif c == "," and depth:
            out += "|"
        else:
            out += re.escape(c)
        i += 1
    return out


class Patterns:
    def __init__(self, patterns):
        self.set = patterns is not None and len(patterns) > 0
        patterns = patterns or []
        if not any(c in p for p in patterns for c in "*?["):
            self.match = lambda s: s in patterns
        else:
            compiled = [re.compile(glob_regex(p) + r"\Z", re.S) for p in patterns]
            self.match = lambda s: any(c.match(s) for c in compiled)


class Function:
    def __init__(self, text):
        self.text = text = text.replace(" ", "")
        self.outer = self.inner = self.q = None
        self.bounds = None
        m = re.match(r"(\w[\w.]*(?:\([^()]*\)(?=\())?)\((.*)\)\Z", text)
        alias = {"stdev": "stddev", "s2": "variance"}
        if not m:
            self.kind = alias.get(text, text)
            self.suffix = text.replace(".", "_")
            if re.match(r"p[\d.]+\Z", text):
                self.kind, self.q = "quantile", Fraction(text[1:]) / 100
            if text == "histogram":
                self.suffix = "bucket"
        elif m.group(1) == "quantile":
            self.kind, self.q = "quantile", Fraction(m.group(2))
            percent = self.q * 100
            digits = ("%.12f" % float(percent)).rstrip("0").rstrip(".")
            self.suffix = "p" + digits.replace(".", "_")
        elif m.group(1) == "histogram":
            self.kind, self.suffix = "histogram", "bucket"
            self.bounds = [float(b) for b in m.group(2).split(",")]
        else:
            outer = Function(m.group(1))
            self.kind, self.outer, self.inner, self.q = "nested", outer.kind, m.group(2), outer.q
            self.suffix = outer.suffix + "_" + m.group(2)

    def is_counter(self):
        return (self.inner if self.kind == "nested" else self.kind) in ("increase", "rate", "total")

    def takes(self, value, step):
        """Does a sample count for this function?"""
        if self.is_counter():
            return isinstance(value, Num) and step is not None
        if isinstance(value, Num):
            return True
        if self.kind in ("count", "first", "last", "distinct", "count_series"):
            return True
        return self.kind == "nested" and (self.inner == "count" or (self.outer == "count" and self.inner in ("first", "last")))


class Rule:
    def __init__(self, table, defaults, order):
        t = {**defaults, **table}
        if "by" in table:
            t.pop("without", None)
        if "without" in table:
            t.pop("by", None)
        self.name, self.order = t["name"], order
        self.namepass, self.namedrop = Patterns(t.get("namepass")), Patterns(t.get("namedrop"))
        self.tagpass = {k: Patterns(v) for k, v in t.get("tagpass", {}).items()}
        self.tagdrop = {k: Patterns(v) for k, v in t.get("tagdrop", {}).items()}
        self.fieldinclude, self.fieldexclude = Patterns(t.get("fieldinclude")), Patterns(t.get("fieldexclude"))
        self.by = Patterns(t["by"]) if "by" in t else None
        self.without = Patterns(t["without"]) if "without" in t else None
        self.period = duration(t["period"])
        self.every = duration(t.get("every", t["period"]))
        self.grace = duration(t.get("grace", "15s"))
        self.drop_original = t.get("drop_original", False)
        self.fields = [(Patterns([p]), [Function(f) for f in fs]) for p, fs in t["fields"].items()]
        self.mode = t.get("enabled", True)
        self.measurement = t.get("measurement", "{measurement}")
        self.tags = t.get("tags", {})
        self.field_name = t.get("field_name", "{field}_{function}")
        self.timestamp = t.get("timestamp", "end")
        self.late = t.get("late", "drop")
        self.late_limit = duration(t.get("late_limit", "10m"))
        self.baseline, self.first = duration(t.get("baseline", "1h")), t.get("first", "zero")
        self.expire = duration(t.get("expire", "1h"))
        self.max_groups = t.get("max_groups", 100000)
        self.has_histogram = any(f.kind == "histogram" for _, fs in self.fields for f in fs)
        self.panes = self.period // self.every
        # state
        self.groups = {}  # (measurement, tags) -> list of samples
        self.newest_pane = {}
        self.emitted = set()
        self.to_correct = {}
        self.next_correction = None
        self.folded = {}
        self.watch_began = None
        self.counters = {}
        self.totals = {}
        self.ledger = {"seen": 0, "aggregated": 0, "forwarded": 0, "dropped": {}}
        self.memo = {}

    def add_to_total(self, key, field, step, time, pane, clock):
        """Totals live in lives, each as long as some series of the group is known: [pane of its first sample, [(time, increase)]]."""
        total = self.totals.setdefault((key, field), {"lives": [], "seen": clock, "emitted": {}})
        if not total["lives"] or clock - total["seen"] >= self.expire:
            total["lives"].append((pane, []))
        total["seen"] = max(total["seen"], clock)
        if step is not None:
            total["lives"][-1][1].append((time, step))

    def total_of(self, key, field, window, end):
        """Of the last life that began before the window's end; the first emission stands."""
        total = self.totals.get((key, field))
        if total is None:
            return Fraction(0)
        lives = total["lives"]
        began = [i for i, life in enumerate(lives) if life[0] < window]
        value = sum((step for time, step in lives[began[-1] if began else 0][1] if time < end), Fraction(0))
        return total["emitted"].setdefault(window, value) if self.late == "correct" else value

    def functions_of(self, field):
        if field not in self.memo:
            out = []
            if (not self.fieldinclude.set or self.fieldinclude.match(field)) and not self.fieldexclude.match(field):
                for pattern, functions in self.fields:
                    if pattern.match(field):
                        out += [f for f in functions if f.suffix not in [o.suffix for o in out]]
            self.memo[field] = out
        return self.memo[field]

    def selects(self, name, tags):
        if self.namepass.set and not self.namepass.match(name) or self.namedrop.match(name):
            return False
        if self.tagpass and not any(k in tags and p.match(tags[k]) for k, p in self.tagpass.items()):
            return False
        return not any(k in tags and p.match(tags[k]) for k, p in self.tagdrop.items())

    def group_of(self, name, tags):
        kept = {}
        for k, v in tags.items():
            if self.by is not None and not self.by.match(k) or self.without is not None and self.without.match(k):
                continue
            if k in self.tags or k.startswith("limpet_") or (self.has_histogram and k == "le"):
                continue
            kept[k] = "".join("_" if ord(c) < 0x20 or ord(c) == 0x7F else c for c in v)
        kept.update(self.tags)
        return self.measurement.replace("{measurement}", name), tuple(sorted(kept.items()))

    def due(self, k):
        return k * self.every + self.grace

    def keep(self, k):
        return k * self.every + (max(self.grace, self.late_limit) if self.late == "correct" else self.grace)

    def first_unclosed(self, clock):
        return (clock - self.grace) // self.every + 1


# ---------------------------------------------------------------- counters

def from_zero(v):
    return max(v.exact(), Fraction(0))


def count(rule, series, field, num, time, clock):
    """What a counter makes of a sample: its increase, or None out of order."""
    state = rule.counters.get((series, field))
    if state is not None and state["freed"] is None and clock - state["seen"] >= rule.expire:
        state["freed"] = state["seen"] + rule.expire
    if state is None or state["freed"] is not None:
        remembered = state is not None and clock - state["freed"] < 86400 * 10**9
        zero = not remembered and rule.first == "zero" and clock - rule.watch_began >= rule.baseline
        rule.counters[(series, field)] = {"last": num, "time": time, "seen": clock, "freed": None}
        return from_zero(num) if zero else Fraction(0)
    state["seen"] = max(state["seen"], clock)
    if time < state["time"]:
        return None
    u, v = state["last"], num
    state["time"] = time
    if "float" in (u.kind, v.kind):
        a, b = u.real(), v.real()
        if b >= a:
            state["last"] = v
            return Fraction(b - a)
        if a - b <= a * 0.01:
            return Fraction(0)
    else:
        if v.value >= u.value:
            state["last"] = v
            return Fraction(v.value - u.value)
        if (u.value - v.value) * 100 <= u.value:
            return Fraction(0)
    state["last"] = v
    return from_zero(v)


# ---------------------------------------------------------------- functions over the samples of a window

class Sample:
    __slots__ = ("time", "arrival", "field", "value", "series", "step", "pane")

    def __init__(self, time, arrival, field, value, series, step, pane):
        self.time, self.arrival, self.field, self.value, self.series, self.step, self.pane = time, arrival, field, value, series, step, pane


def to_float(fraction):
    try:
        return float(fraction)
    except OverflowError:
        return math.inf if fraction > 0 else -math.inf


def spread(values):
    """Variance of the sample, from exact values."""
    n = len(values)
    s, q = sum(values), sum(v * v for v in values)
    return to_float((q - s * s / n) / (n - 1))


def rank(values, q):
    values = sorted(values)
    return values[min(max(math.ceil(q * len(values)), 1), len(values)) - 1]


def inner_value(kind, samples, period):
    if kind == "count":
        return float(len(samples))
    if kind in ("increase", "rate"):
        total = to_float(sum(s.step for s in samples))
        return total if kind == "increase" else total / (period / 1e9)
    if kind in ("first", "last"):
        pick = (min if kind == "first" else max)(samples, key=lambda s: (s.time, s.arrival))
        return pick.value.real() if isinstance(pick.value, Num) else 0.0
    exact = [s.value.exact() for s in samples]
    if kind == "sum":
        return to_float(sum(exact))
    if kind == "mean":
        return to_float(sum(exact)) / len(exact)
    real = [s.value.real() for s in samples]
    return {"min": min(real), "max": max(real), "range": max(real) - min(real)}[kind]


def nested(function, samples, period):
    by_series = {}
    for s in samples:
        by_series.setdefault(s.series, []).append(s)
    values = [inner_value(function.inner, ss, period) for ss in by_series.values()]
    if function.outer == "count":
        return ("int", len(values))
    if function.outer == "quantile":
        return ("float", rank(values, function.q))
    exact = [Fraction(v) for v in values if math.isfinite(v)]
    if len(exact) != len(values):
        return None
    if function.outer == "stddev":
        return ("float", math.sqrt(spread(exact))) if len(values) > 1 else None
    if function.outer == "sum":
        return ("float", to_float(sum(exact)))
    if function.outer == "mean":
        return ("float", to_float(sum(exact)) / len(values))
    return ("float", min(values) if function.outer == "min" else max(values))


def typed(value):
    if isinstance(value, Num):
        return (value.kind, value.value)
    return ("bool", value) if isinstance(value, bool) else ("string", value)


def distinct_key(value):
    if isinstance(value, Num):
        return ("number", value.exact())
    return (type(value).__name__, value)


def result(function, samples, period, total):
    """(type, value), or None."""
    kind = function.kind
    samples = [s for s in samples if function.takes(s.value, s.step)]
    if not samples:
        return None
    if kind == "count":
        return ("int", len(samples))
    if kind == "nested":
        return nested(function, samples, period)
    if kind in ("first", "last"):
        return typed((min if kind == "first" else max)(samples, key=lambda s: (s.time, s.arrival)).value)
    if kind == "distinct":
        return ("int", len({distinct_key(s.value) for s in samples}))
    if kind == "count_series":
        return ("int", len({s.series for s in samples}))
    if kind in ("increase", "rate", "total"):
        value = to_float(total if kind == "total" else sum(s.step for s in samples))
        return ("float", value / (period / 1e9) if kind == "rate" else value)
    exact, real = [s.value.exact() for s in samples], [s.value.real() for s in samples]
    if kind == "sum":
        return ("float", to_float(sum(exact)))
    if kind == "mean":
        return ("float", to_float(sum(exact)) / len(exact))
    if kind in ("min", "max", "range"):
        return ("float", {"min": min(real), "max": max(real), "range": max(real) - min(real)}[kind])
    if kind in ("variance", "stddev"):
        if len(exact) < 2:
            return None
        v = spread(exact)
        # The third: what double-double may be off by, since it is the difference of two sums of this size.
        noise = float(sum(x * x for x in exact) * Fraction(1, 2**100)) if max(map(abs, real)) < 1e150 else 0.0
        return ("float", v, noise) if kind == "variance" else ("float", math.sqrt(v), math.sqrt(noise))
    if kind == "quantile":
        return ("float", rank(real, function.q))
    if len(samples) < 2:
        return None
    first, last = min(samples, key=lambda s: (s.time, s.arrival)), max(samples, key=lambda s: (s.time, s.arrival))
    if kind == "interval":
        return ("int", last.time - first.time)
    if "float" in (first.value.kind, last.value.kind):
        d = last.value.real() - first.value.real()
    else:
        d = float(last.value.value - first.value.value)
    if kind == "diff":
        return ("float", d)
    if kind == "non_negative_diff":
        return ("float", d) if d >= 0 else None
    if kind == "percent_change":
        return ("float", d / first.value.real() * 100) if first.value.real() != 0 else None
    assert kind == "derivative", kind
    return ("float", d / ((last.time - first.time) / 1e9)) if last.time != first.time else None


def decimal(v):
    text = repr(v)
    if "e" in text:
        text = format(Decimal(text), "f")
    return text[:-2] if text.endswith(".0") else text


def buckets(function, samples):
    """[(le, count)]"""
    values = [s.value.real() for s in samples if isinstance(s.value, Num)]
    if not values:
        return []
    if function.bounds is not None:
        bounds = list(function.bounds)
    else:
        bounds = [0.0] if min(values) <= 0 else []
        positive = [v for v in values if v > 0]
        if positive:
            k = math.frexp(min(positive))[1] + 1
            while k >= -1074 and not (math.ldexp(1.0, k) < min(positive) if k <= 1023 else False):
                k -= 1
            if k < -1074:
                k = -1074
            while k <= 1023:
                bounds.append(math.ldexp(1.0, k))
                if bounds[-1] > max(positive):
                    break
                k += 1
    return [(decimal(b), sum(v <= b for v in values)) for b in bounds] + [("+Inf", len(values))]


# ---------------------------------------------------------------- replay

class Replay:
    def __init__(self, rules, pod="limpet"):
        self.rules, self.pod = rules, pod
        self.clock = None
        self.arrival = 0
        self.results = []  # (rule, measurement, tags, time, {field: (type, value)})
        self.written_back = []
        self.lines = {"read": 0, "bad": {}, "written_back": 0, "original_dropped": 0, "unowned": 0, "shed": 0}

    def emit(self, rule, window, groups):
        end = window * rule.every
        begin = end - rule.period
        stamp = end if rule.timestamp == "end" else begin
        for key in groups:
            inside = [s for s in rule.groups.get(key, []) if begin <= s.time < end]
            if not inside:
                continue
            fields, lines = {}, []
            for field in sorted({s.field for s in inside}):
                samples = [s for s in inside if s.field == field]
                for f in rule.functions_of(field):
                    name = rule.field_name.replace("{function}", f.suffix).replace("{field}", field)
                    if f.kind == "histogram":
                        for le, n in buckets(f, samples):
                            tags = tuple(sorted(dict(key[1], le=le).items()))
                            lines.append((rule.name, key[0], tags, stamp, {name: ("int", n)}))
                        continue
                    total = None
                    if f.kind == "total":
                        total = rule.total_of(key, field, window, end)
                    value = result(f, samples, rule.period, total)
                    if value is not None and not (value[0] == "float" and not math.isfinite(value[1])):
                        fields.setdefault(name, value)
            if rule.mode is True:
                if fields:
                    self.results.append((rule.name, key[0], key[1], stamp, fields))
                self.results += lines

    def windows_with_data(self, rule):
        return {k for samples in rule.groups.values() for s in samples for k in range(s.pane + 1, s.pane + rule.panes + 1)} - rule.emitted

    def advance(self, everything=False):
        while True:
            todo = []
            for rule in self.rules:
                if rule.next_correction is not None and (everything or rule.next_correction <= self.clock):
                    todo.append((rule.next_correction, rule.order, None, rule))
                open_windows = [k for k in rule.pending if everything or rule.due(k) <= self.clock]
                if open_windows:
                    k = min(open_windows)
                    todo.append((rule.due(k), rule.order, k, rule))
            if not todo:
                return
            _, _, window, rule = min(todo, key=lambda t: (t[0], t[1], t[2] is not None))
            if window is None:
                rule.next_correction = None
                again, rule.to_correct = rule.to_correct, {}
                for key, windows in again.items():
                    for k in sorted(windows):
                        self.emit(rule, k, [key])
            else:
                rule.emitted.add(window)
                rule.pending.discard(window)
                self.emit(rule, window, list(rule.groups))

    def line(self, text):
        if text.strip(" ") == "" or text.lstrip(" ").startswith("#"):
            return
        self.lines["read"] += 1
        self.arrival += 1
        try:
            name, tags, fields, time = parse_line(text)
            if time is None:
                if self.clock is None:
                    raise Bad("timestamp")
                time = self.clock
        except Bad as bad:
            self.lines["bad"][bad.reason] = self.lines["bad"].get(bad.reason, 0) + 1
            return
        if self.clock is None or time > self.clock:
            self.clock = time
            self.advance()
        dropped, taken, all_late, passes = False, False, True, False
        for rule in self.rules:
            if not rule.selects(name, tags):
                continue
            mine = {f: v for f, v in fields.items() if rule.functions_of(f)}
            if not mine:
                continue
            late = self.apply(rule, name, tags, mine, time)
            if rule.mode == "preview":
                continue
            taken = True
            all_late &= late
            passes |= rule.late == "pass"
            dropped |= rule.drop_original
        if dropped and not (taken and all_late and passes):
            self.lines["original_dropped"] += 1
        else:
            self.lines["written_back"] += 1
            self.written_back.append(text)

    def drop(self, rule, reason):
        rule.ledger["dropped"][reason] = rule.ledger["dropped"].get(reason, 0) + 1

    def apply(self, rule, name, tags, fields, time):
        """True: late for all its windows."""
        if rule.watch_began is None:
            rule.watch_began = self.clock
        pane = time // rule.every
        windows = range(pane + 1, pane + rule.panes + 1)
        missed = [k for k in windows if self.clock >= rule.due(k) or k in rule.emitted]
        late = len(missed) == len(windows)
        key = rule.group_of(name, tags)
        if rule.late == "correct":
            again = [k for k in missed if self.clock < rule.keep(k)]
            if again:
                late = False
                rule.to_correct.setdefault(key, set()).update(again)
                rule.emitted.update(again)
                rule.pending -= set(again)
                if rule.next_correction is None:
                    rule.next_correction = rule.due(rule.first_unclosed(self.clock))
        if not late:
            where = self.fold(rule, key, pane)
            if where != key and key in rule.to_correct:
                rule.to_correct.setdefault(where, set()).update(rule.to_correct.pop(key))
            key = where
        series = (name, tuple(sorted(tags.items())))
        for field, value in fields.items():
            rule.ledger["seen"] += 1
            if late:
                self.drop(rule, "late")
                continue
            functions = rule.functions_of(field)
            step = None
            if isinstance(value, Num) and any(f.is_counter() for f in functions):
                step = count(rule, series, field, value, time, self.clock)
                if any(f.kind == "total" for f in functions):
                    rule.add_to_total(key, field, step, time, pane, self.clock)
            if not any(f.takes(value, step) for f in functions):
                self.drop(rule, "out_of_order" if isinstance(value, Num) else "type")
                self.touch(rule, key, pane)
                continue
            rule.ledger["aggregated"] += 1
            rule.groups.setdefault(key, []).append(Sample(time, self.arrival, field, value, series, step, pane))
            rule.pending.update(k for k in windows if k not in rule.emitted and self.clock < rule.due(k))
            self.touch(rule, key, pane)
        return late

    def touch(self, rule, key, pane):
        rule.newest_pane[key] = max(pane, rule.newest_pane.get(key, pane))

    def fold(self, rule, key, pane):
        def active(k):
            return k in rule.newest_pane and self.clock < rule.keep(rule.newest_pane[k] + rule.panes)
        overflow = (key[0], tuple(sorted({**rule.tags, "limpet_overflow": self.pod}.items())))
        if active(key):
            return key
        if key in rule.folded and rule.first_unclosed(self.clock) > rule.folded[key] + rule.panes:
            del rule.folded[key]
        if key not in rule.folded and sum(active(k) for k in rule.newest_pane if ("limpet_overflow", self.pod) not in k[1]) < rule.max_groups:
            return key
        rule.folded[key] = max(pane, rule.folded.get(key, pane))
        return overflow

    def run(self, lines):
        for rule in self.rules:
            rule.pending = set()
        for text in lines:
            self.line(text)
        self.advance(everything=True)

    def ledger(self):
        return {"lines": self.lines, "rules": {r.name: r.ledger for r in self.rules}}


def load(path):
    with open(path, "rb") as f:
        table = tomllib.load(f)
    rules = [Rule(t, table.get("defaults", {}), i) for i, t in enumerate(table.get("rule", []))]
    return [r for r in rules if r.mode is not False]


def split_lines(text):
    """A newline within a quoted string does not end a line; the generator writes none elsewhere."""
    return [line for line in text.split("\n")]


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--rules", required=True)
    p.add_argument("--ledger")
    p.add_argument("--all", action="store_true")
    p.add_argument("lines")
    a = p.parse_args()
    replay = Replay(load(a.rules))
    with open(a.lines, encoding="utf-8", newline="") as f:
        replay.run(split_lines(f.read()))
    for rule, measurement, tags, time, fields in replay.results:
        print(rule, measurement, tags, time, fields)
    if a.all:
        print("\n".join(replay.written_back))
    print(json.dumps(replay.ledger()), file=open(a.ledger, "w") if a.ledger else sys.stderr)


if __name__ == "__main__":
    main()
