#!/usr/bin/env python3
"""Compares `limpet replay` with the oracle, field by field, on random rules and lines. Shrinks what differs.
As many times with a reload in between.

usage: compare.py [--limpet PATH] [--seeds 1-400 | --seed N]
"""
import argparse
import json
import math
import pathlib
import subprocess
import sys
import tempfile

import generate
import limpet_oracle as oracle


def run_product(limpet, rules, lines, folder, everything):
    (folder / "rules.toml").write_text(rules)
    (folder / "lines.lp").write_text("".join(line + "\n" for line in lines))
    command = [limpet, "replay", "--rules", str(folder / "rules.toml"), "--stats", str(folder / "stats.json"), str(folder / "lines.lp")]
    done = subprocess.run(command + (["--all"] if everything else []), capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"exit {done.returncode}: {done.stderr}")
    return done.stdout, json.loads((folder / "stats.json").read_text())


def run_oracle(folder, lines):
    replay = oracle.Replay(oracle.load(folder / "rules.toml"))
    replay.run(lines)
    return replay


def typed(value):
    return (value.kind, value.value) if isinstance(value, oracle.Num) else ("bool", value) if isinstance(value, bool) else ("string", value)


def key_of(measurement, tags, time):
    return measurement, tuple(sorted(tags)), time


def product_results(text):
    out = {}
    for line in text.split("\n"):
        if line == "":
            continue
        name, tags, fields, time = oracle.parse_line(line)
        for field, value in fields.items():
            out.setdefault(key_of(name, tags.items(), time) + (field,), []).append(typed(value))
    return out


def oracle_results(replay):
    out = {}
    for _, measurement, tags, time, fields in replay.results:
        for field, value in fields.items():
            out.setdefault(key_of(measurement, tags, time) + (field,), []).append(value)
    return out


def close(got, wanted, field):
    if got[0] != wanted[0]:
        return False
    if got[0] in ("int", "uint") and any(part in field for part in ("distinct", "count_series")):
        return got[1] == wanted[1] if wanted[1] < 64 else abs(got[1] - wanted[1]) <= 0.1 * wanted[1]
    if got[0] != "float":
        return got[1] == wanted[1]
    a, b = got[1], wanted[1]
    if a == b or math.isclose(a, b, rel_tol=1e-12):
        return True
    parts = field.replace(".", "_").split("_")
    if any(p in ("p50", "p99", "p0", "p100", "p25") for p in parts):
        return math.isclose(a, b, rel_tol=0.01)
    if any(p in ("variance", "s2", "stddev", "stdev") for p in parts):
        return math.isclose(a, b, rel_tol=1e-9, abs_tol=wanted[2] if len(wanted) > 2 else 0.0)
    return False


def differences(limpet, rules, lines, folder):
    stdout, stats = run_product(limpet, rules, lines, folder, False)
    replay = run_oracle(folder, lines)
    got, wanted = product_results(stdout), oracle_results(replay)
    out = []
    for key in sorted(set(got) | set(wanted), key=str):
        g, w = got.get(key, []), wanted.get(key, [])
        if len(g) != len(w) or not all(close(a, b, key[-1]) for a, b in zip(g, w)):
            out.append(f"{key}: limpet {g}, oracle {w}")
    ledger = {"lines": stats["ledger"]["lines"], "rules": stats["ledger"]["rules"]}
    if ledger != replay.ledger():
        out.append(f"ledger: limpet {json.dumps(ledger)}\n        oracle {json.dumps(replay.ledger())}")
    everything, _ = run_product(limpet, rules, lines, folder, True)
    result_lines = set(stdout.split("\n"))
    passed = [line for line in everything.split("\n") if line and (line not in result_lines or line in lines)]
    if passed != replay.written_back:
        out.append(f"written back: limpet {passed}\n              oracle {replay.written_back}")
    return out


def product_reloaded(limpet, before, after, lines, cut, folder):
    """What comes out, results and lines, where the second definition is loaded behind the first lines."""
    step = "[[test.step]]\nsilent = true\n"
    (folder / "test.toml").write_text(
        f"rules_text = {json.dumps(before)}\n[[test]]\nname = \"reload\"\n"
        + step + f"input = {json.dumps(chr(10).join(lines[:cut]))}\n" + step + f"reload = {json.dumps(after)}\n"
        + f"[[test.step]]\nend = true\nexpect = \"\"\nwritten_back = \"\"\ninput = {json.dumps(chr(10).join(lines[cut:]))}\n")
    done = subprocess.run([limpet, "test", str(folder / "test.toml")], capture_output=True, text=True)
    if done.returncode > 1:
        raise RuntimeError(f"exit {done.returncode}: {done.stderr}")
    found = [line[4:] for line in done.stdout.split("\n") if line.startswith("  + ")]
    return "\n".join(line for line in found if line not in lines)


def reload_differences(limpet, before, after, lines, cut, folder):
    """Windows that began by the reload are as if the old definition had stayed, the others as if the new one had always been; where both
    write a series at one time, the new one does."""
    clock = max(int(line.split()[-1]) for line in lines[:cut])
    wanted = {}
    for text, is_its in ((before, lambda begin: begin <= clock), (after, lambda begin: begin > clock)):
        (folder / "rules.toml").write_text(text)
        replay = run_oracle(folder, lines)
        period = replay.rules[0].period
        found = {}
        for _, measurement, tags, time, fields in replay.results:
            if is_its(time - period):
                found.setdefault(key_of(measurement, tags, time), {}).update(fields)
        wanted.update(found)
    wanted = {key + (field,): [value] for key, fields in wanted.items() for field, value in fields.items()}
    got = product_results(product_reloaded(limpet, before, after, lines, cut, folder))
    keys = [key for key in sorted(set(got) | set(wanted), key=str)
            if len(got.get(key, [])) != len(wanted.get(key, [])) or not all(close(g, w, key[-1]) for g, w in zip(got[key], wanted[key]))]
    return [f"{key}: limpet {got.get(key, [])}, oracle {wanted.get(key, [])}" for key in keys]


def shrink(limpet, rules, lines, folder):
    """Takes away lines as long as something differs."""
    size = max(1, len(lines) // 2)
    while True:
        i = 0
        while i < len(lines):
            fewer = lines[:i] + lines[i + size:]
            if fewer and differences(limpet, rules, fewer, folder):
                lines = fewer
            else:
                i += size
        if size == 1:
            return lines
        size //= 2


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--limpet", default="build/release/limpet")
    p.add_argument("--seeds", default="1-400")
    p.add_argument("--seed", type=int)
    a = p.parse_args()
    first, last = (a.seed, a.seed) if a.seed is not None else map(int, a.seeds.split("-"))
    failed, shown, results = 0, 0, 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for seed in range(first, last + 1):
            rules, lines = generate.generate(seed)
            found = differences(a.limpet, rules, lines, folder)
            if not found:
                continue
            failed += 1
            if shown < 5:
                shown += 1
                lines = shrink(a.limpet, rules, lines, folder)
                print(f"--- seed {seed}\n{rules}\n" + "\n".join(lines))
                print("\n".join(differences(a.limpet, rules, lines, folder)))
        for seed in range(first, last + 1):
            before, after, lines, cut = generate.reload(seed)
            found = reload_differences(a.limpet, before, after, lines, cut, folder)
            failed += bool(found)
            if found and shown < 5:
                shown += 1
                print(f"--- reload, seed {seed}\n{before}--- after {cut} lines\n{after}" + "\n".join(lines))
                print("\n".join(found))
    print(f"{2 * (last - first + 1) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
