#!/usr/bin/env python3
"""Golden tests: text in, text out. Each file of scenarios/ is one scenario: a sentence, then blocks in the order in which things happen.

  # What is shown.
  --- rules            the rules file; a second one later is a reload
  --- lines            lines of line protocol, in order
  --- clock TIME       time moves on to TIME (ns since 1970, or seconds after 2025-11-20T12:00:00Z as +N)
  --- expect           the results since the last expect, in any order
  --- written_back     the lines passed through since the last written_back
  --- end              the end of the input: all open windows are emitted
  --- bad lines        what `limpet test` says of lines that cannot be parsed
  --- dropped RULE     samples dropped by reason, `late 1` a line
  --- errors           instead of anything else: what `limpet check` says of the rules

usage: run.py [--limpet PATH] [--update] [NAME...]     --update writes what came into the files: review the diff
"""
import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

T0 = 1763640000 * 10**9
BAD_LINE = r"^  line \d+ of the input.*\n"
HERE = pathlib.Path(__file__).parent


def parse(text):
    """(comment, [[head, body]])"""
    parts = re.split(r"^--- (.*)\n", text, flags=re.M)
    return parts[0], [[parts[i].strip(), parts[i + 1]] for i in range(1, len(parts), 2)]


def render(comment, blocks):
    return comment + "".join(f"--- {head}\n{body}" for head, body in blocks)


def quoted(text):
    return json.dumps(text, ensure_ascii=True).replace("\\u007f", "\\u007F")


def clock(word):
    return T0 + round(float(word[1:]) * 10**9) if word.startswith("+") else int(word)


def steps(blocks):
    """A `limpet test` step for each expect or written_back, with what happens before it."""
    out, pending, rules_seen, ended = [], [], False, False
    for i, (head, body) in enumerate(blocks):
        word = head.split()[0]
        if word == "rules":
            if rules_seen:
                pending.append(f"reload = {quoted(body)}")
            rules_seen = True
        elif word == "lines":
            pending.append(f"input = {quoted(body)}")
        elif word == "clock":
            pending.append(f"clock = {clock(head.split()[1])}")
        elif word == "end":
            pending.append("end = true")
        elif word in ("expect", "written_back"):
            out.append((i, pending, f"{word} = {quoted(body)}"))
            pending = []
    return out


def test_file(blocks):
    rules = next(body for head, body in blocks if head == "rules")
    text = f"rules_text = {quoted(rules)}\n[[test]]\nname = \"scenario\"\n"
    for head, body in blocks:
        if head.startswith("dropped"):
            counts = ", ".join(f"{why} = {n}" for why, n in (line.split() for line in body.splitlines() if line))
            text += f"dropped = {{ {quoted(head.split(None, 1)[1])} = {{ {counts} }} }}\n"
    for i, pending, check in steps(blocks):
        for action in pending:
            text += f"[[test.step]]\n{action}\nsilent = true\n"
        text += f"[[test.step]]\n{check}\n"
    return text


def bad_lines(output):
    return "".join(line.strip() + "\n" for line in re.findall(BAD_LINE, output, flags=re.M))


def run_check(limpet, blocks, folder):
    (folder / "rules.toml").write_text(blocks[0][1])
    done = subprocess.run([limpet, "check", "rules.toml"], cwd=folder, capture_output=True, text=True)
    got = done.stderr
    return got, got == blocks[1][1] and done.returncode == 1


def run_test(limpet, blocks, folder):
    (folder / "scenario.toml").write_text(test_file(blocks))
    done = subprocess.run([limpet, "test", "scenario.toml"], cwd=folder, capture_output=True, text=True)
    output = done.stdout + done.stderr
    wanted = "".join(body for head, body in blocks if head == "bad lines")
    if not wanted:
        return done.returncode == 0, output
    other = re.sub(BAD_LINE + "|^  step .*\n|^FAILED .*\n|^0 passed, 1 failed\n", "", output, flags=re.M)
    return bad_lines(output) == wanted and not other, output


def updated(limpet, blocks, folder):
    """Fills every expect and written_back with what comes, one after another."""
    blocks = [[head, "" if head in ("expect", "written_back") else body] for head, body in blocks]
    for i, (head, _) in enumerate(blocks):
        if head not in ("expect", "written_back"):
            continue
        good, output = run_test(limpet, blocks[:i + 1], folder)
        lines = re.findall(r"^  \+ (.*(?:\n(?!  [-+s]|FAILED|\d+ passed).*)*)", output, flags=re.M)
        blocks[i][1] = "".join(line + "\n" for line in lines)
    for block in blocks:
        if block[0] == "bad lines":
            block[1] = bad_lines(run_test(limpet, blocks, folder)[1])
    return blocks


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--limpet", default="build/release/limpet")
    p.add_argument("--update", action="store_true")
    p.add_argument("names", nargs="*")
    a = p.parse_args()
    limpet = str(pathlib.Path(a.limpet).resolve())
    passed = failed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for path in sorted(HERE.glob("scenarios/*.txt")):
            if a.names and path.stem not in a.names:
                continue
            comment, blocks = parse(path.read_text())
            if len(blocks) == 2 and blocks[1][0] == "errors":
                got, good = run_check(limpet, blocks, folder)
                if a.update:
                    path.write_text(render(comment, [blocks[0], ["errors", got]]))
                output = f"got:\n{got}"
            else:
                if a.update:
                    blocks = updated(limpet, blocks, folder)
                    path.write_text(render(comment, blocks))
                good, output = run_test(limpet, blocks, folder)
            passed, failed = passed + good, failed + (not good)
            if not good:
                print(f"FAILED {path.name}\n{output}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
