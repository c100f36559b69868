"""Random rules and lines, from a seed. Small alphabets, so that what is interesting happens often."""
import random

T0 = 1763640000 * 10**9
S = 10**9
SIMPLE = ["count", "sum", "min", "max", "mean", "range", "stddev", "variance", "stdev", "s2", "first", "last", "interval", "diff",
          "percent_change", "derivative", "non_negative_diff", "distinct", "count_series", "increase", "rate", "total", "p50", "p99", "p99.9",
          "p0", "p100", "quantile(0.25)"]
OUTER = ["count", "sum", "min", "max", "mean", "stddev", "p50", "p90", "quantile(0.75)"]
INNER = ["count", "sum", "min", "max", "mean", "first", "last", "range", "increase", "rate"]
NAMES = ["cpu", "disk io", "m,x"]
FIELDS = ["v", "w", "counter", "bytes_in", "text"]


def functions(r):
    out = []
    for _ in range(r.randint(1, 5)):
        kind = r.random()
        if kind < 0.65:
            f = r.choice(SIMPLE)
        elif kind < 0.85:
            f = f"{r.choice(OUTER)}({r.choice(INNER)})"
        elif not any(o.startswith("histogram") for o in out):
            f = r.choice(["histogram", "histogram(0.1, 0.5, 1, 5)", "histogram(-1,0,100)"])
        else:
            continue
        if f not in out and not (f in ("p50", "p99", "p99.9") and f in out):
            out.append(f)
    return out


def toml_list(items):
    return "[" + ", ".join(f'"{i}"' for i in items) + "]"


def rules(r):
    text = ""
    if r.random() < 0.2:
        text += f'[defaults]\ngrace = "{r.choice(["1s", "7s"])}"\n'
    for n in range(r.randint(1, 4)):
        every = r.choice([1, 2, 5, 10])
        panes = r.choice([1, 1, 2, 3, 6])
        text += f'[[rule]]\nname = "rule {n}"\nperiod = "{every * panes}s"\n'
        text += f'measurement = "{r.choice(["{measurement}", "x_{measurement}"])}_{n}"\n'
        if panes > 1 or r.random() < 0.3:
            text += f'every = "{every}s"\n'
        if r.random() < 0.7:
            text += f'grace = "{r.choice(["0s", "1s", "3s", "15s", "1500ms"])}"\n'
        if r.random() < 0.5:
            text += f"namepass = {toml_list(r.sample(['cpu', 'disk io', 'm,x', 'c*', '*o', '[cd]*'], r.randint(1, 2)))}\n"
        if r.random() < 0.15:
            text += 'namedrop = ["disk*"]\n'
        if r.random() < 0.2:
            text += 'tagpass = { host = ["a", "b*"], env = ["prod"] }\n'
        if r.random() < 0.15:
            text += 'tagdrop = { env = ["d*"] }\n'
        if r.random() < 0.15:
            text += f"fieldinclude = {toml_list(r.sample(FIELDS, 3))}\n"
        if r.random() < 0.15:
            text += f"fieldexclude = {toml_list(r.sample(FIELDS, 1))}\n"
        grouping = r.random()
        if grouping < 0.4:
            text += f"by = {toml_list(r.sample(['env', 'host', 'pod', 'h*'], r.randint(0, 2)))}\n"
        elif grouping < 0.8:
            text += f"without = {toml_list(r.sample(['host', 'pod', 'p*', 'env'], r.randint(1, 2)))}\n"
        if r.random() < 0.4:
            text += "drop_original = true\n"
        if r.random() < 0.5:
            text += f'late = "{r.choice(["drop", "pass", "correct"])}"\n'
        if r.random() < 0.3:
            text += f'late_limit = "{r.choice(["5s", "30s", "2m"])}"\n'
        if r.random() < 0.2:
            text += 'tags = { source = "limpet", "a b" = "c" }\n'
        if r.random() < 0.2:
            text += 'timestamp = "start"\n'
        if r.random() < 0.2:
            text += f'field_name = "{r.choice(["{function}_{field}", "{field}.{function}"])}"\n'
        if r.random() < 0.5:
            text += f'baseline = "{r.choice(["0s", "5s", "1h"])}"\n'
        if r.random() < 0.3:
            text += 'first = "skip"\n'
        if r.random() < 0.4:
            text += f'expire = "{r.choice(["3s", "10s", "1m"])}"\n'
        if r.random() < 0.2:
            text += f"max_groups = {r.randint(1, 3)}\n"
        if r.random() < 0.1:
            text += 'enabled = "preview"\n'
        text += "[rule.fields]\n"
        for field in r.sample(FIELDS, r.randint(1, 3)):
            text += f"{field} = {toml_list(functions(r))}\n"
        if r.random() < 0.2:
            text += '"b*" = ["count", "mean"]\n'
    return text


def escape(s):
    return s.replace(",", "\\,").replace(" ", "\\ ").replace("=", "\\=")


def number(r, counters, key):
    kind = r.random()
    if key[2] == "counter" or (key[2] == "bytes_in" and r.random() < 0.8):
        v = counters.get(key, r.choice([0, 5, 10**6, 2**53]))
        move = r.random()
        if move < 0.08:
            v = r.randint(0, max(1, v // 2))  # reset
        elif move < 0.16:
            v -= v // 150  # small fall
        else:
            v += r.choice([0, 1, 7, 1000, 10**9])
        counters[key] = v
        return f"{v}i" if key[2] == "counter" else f"{v}u" if r.random() < 0.5 else f"{v}"
    if kind < 0.35:
        return repr(round(r.lognormvariate(-1, 2), r.randint(0, 9)))
    if kind < 0.6:
        return f"{r.randint(-5, 20)}i"
    if kind < 0.65:
        return f"{r.choice([2**53 + 1, -2**53 - 1, 2**63 - 1, -2**63])}i"
    if kind < 0.7:
        return f"{r.choice([0, 3, 2**64 - 1])}u"
    if kind < 0.75:
        return r.choice(["5e-324", "1e308", "-1.7976931348623157e308", "0", "-0", "1e-310", "0.1", "1.5e3", "1.", ".5"])
    if kind < 0.8:
        return f"{10**9 + r.random():.17g}"
    if kind < 0.9:
        return repr(r.uniform(-3, 3))
    return r.choice(["1", "2", "1i", "1u", "4", "8", "0.5"])


def value(r, counters, key):
    kind = r.random()
    if key[2] == "text" and kind < 0.8:
        return r.choice(['"on"', '"off"', '"a b,c=d"', r'"q\"uo\\te"', '""'])
    if kind < 0.04:
        return r.choice(["true", "F"])
    if kind < 0.07:
        return '"text"'
    return number(r, counters, key)


BAD = ["cpu", "cpu v", "cpu v=", "cpu v=abc", "cpu,host v=1", "cpu,host= v=1", "cpu v=1 x", "cpu v=1,", " ", "# comment", "",
       'cpu v="a\\n"', "cpu v=1e400", "cpu v=01i", "cpu v=99999999999999999999i", ",a=b v=1", "cpu v=1 12 13", "cpu v=NaN", "cpu =1"]


def lines(r):
    out, counters = [], {}
    now = T0 + r.randint(0, 20) * S
    for _ in range(r.randint(5, 150)):
        now += int(r.choice([0, 0, 0.2, 0.5, 1, 1, 2, 7, 40]) * S) + r.choice([0, 0, 1, 123456789])
        if r.random() < 0.01:
            now += 5000 * S
        if r.random() < 0.04:
            out.append(r.choice(BAD))
            continue
        time = now
        if r.random() < 0.25:
            time -= int(r.choice([0.1, 1, 2, 5, 12, 30, 100, 700]) * S)
        if r.random() < 0.03:
            time += 20 * S
        name = r.choice(NAMES)
        tags = {}
        if r.random() < 0.8:
            tags["host"] = r.choice(["a", "b1", "c c", "b1", "c_c", "c\x01c"])
        if r.random() < 0.7:
            tags["pod"] = r.choice(["p1", "p2", "p=3"])
        if r.random() < 0.5:
            tags["env"] = r.choice(["prod", "dev"])
        order = list(tags)
        if r.random() < 0.2:
            r.shuffle(order)
        else:
            order.sort()
        head = name.replace(",", "\\,").replace(" ", "\\ ") + "".join(f",{k}={escape(tags[k])}" for k in order)
        fields = r.sample(FIELDS, r.randint(1, 4))
        if r.random() < 0.05:
            fields.append(fields[0])
        if r.random() < 0.1:
            fields.append("un used")
        series = tuple(sorted(tags.items()))
        text = ",".join(f"{escape(f)}={value(r, counters, (name, series, f))}" for f in fields)
        stamp = "" if r.random() < 0.03 else f" {time}"
        out.append(f"{head} {text}{stamp}")
    return out


def generate(seed):
    r = random.Random(seed)
    return rules(r), lines(r)


AT_ONCE = ["count", "sum", "min", "first", "last", "interval", "stddev", "distinct", "p50", "sum(last)", "mean(max)", "histogram(1, 5)", "percent_change"]


def definition(r, common):
    """A rule, but for what is in force at once after a reload. Without counters, whose values move over."""
    every = r.choice([1, 2, 5])
    text = f'[[rule]]\nname = "r"\nperiod = "{every * r.choice([1, 2, 3])}s"\nevery = "{every}s"\n' + common
    text += r.choice(["", 'by = ["a"]\n', 'by = ["b"]\n', 'without = ["a"]\n'])
    text += r.choice(["", "", 'measurement = "x"\n']) + r.choice(["", "", 'tagpass = { a = ["1", "2"] }\n'])
    return text + f"[rule.fields]\nv = {toml_list(r.sample(AT_ONCE, r.randint(1, 4)))}\n"


def reload(seed):
    """Two definitions of a rule, lines, and after how many of them the second is loaded."""
    r = random.Random(f"reload {seed}")
    common = f'grace = "{r.choice([0, 1, 3])}s"\nlate = "{r.choice(["drop", "pass"])}"\ndrop_original = {r.choice(["true", "false"])}\n'
    now, out = T0, []
    for _ in range(60):
        now += int(r.choice([0, 0, 0.3, 0.5, 1, 2]) * S) + 1
        time = now - r.choice([0, 0, 0, 0, 1, 3, 6, 15]) * S
        v = r.choice(["0", "1", "2i", "5", "7.5", '"s"'])
        out.append(f"m,a={r.randint(1, 3)},b={r.randint(1, 2)} v={v} {time}")
    return definition(r, common), definition(r, common), out, r.randint(10, 50)
