"""Reads whatever appears in a cluster's directory, and judges it by src/sharding/ASSIGNMENT_FORMAT.md: every file is valid and in its canonical form,
numbers rise, files that must not change do not, and what an assignment says has changed is what has.
"""

import os
import re
import threading
import time

from assignment_files import SPACE, Broken, Directory, decode_assignment, decode_report, encode_assignment, encode_report, ranges

LOOK_S = 0.02


class Watch:
    def __init__(self, path):
        self.directory = Directory(path)
        self.bodies = {}  # generation -> body
        self.files = {}  # generation -> bytes
        self.reports = {}  # name -> [(when, report)], in monotonic seconds
        self.seen = {}  # path -> bytes
        self.wrong = []
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def stop(self):
        self.stopping.set()
        self.thread.join()
        self._look()
        return self

    def _run(self):
        while not self.stopping.wait(LOOK_S):
            self._look()

    def _look(self):
        self._names()
        for path in [self.directory.path / "assignment.json", *self.directory.assignments.glob("*.json"), *self.directory.reports.glob("*.json")]:
            try:
                data = path.read_bytes()
            except OSError:
                continue
            if self.seen.get(path) != data:
                self.seen[path] = data
                self._judge(path, data)

    def _names(self):
        known = {".": r"assignment\.json", "assignments": r"[1-9][0-9]*\.json", "reports": r"[A-Za-z0-9][A-Za-z0-9_.-]*\.(json|lock|drain)"}
        for folder, pattern in known.items():
            try:
                with os.scandir(self.directory.path / folder) as entries:
                    for entry in entries:
                        if entry.is_file() and not re.fullmatch(pattern + r"|\.tmp-.*", entry.name):
                            self.wrong.append(f"{folder}/{entry.name}")
            except FileNotFoundError:
                pass

    def _judge(self, path, data):
        try:
            if path.parent == self.directory.reports:
                self._judge_report(path, data)
            else:
                self._judge_assignment(path, data)
        except Broken as error:
            self.wrong.append(f"{path}: {error}: {data[:2000]}")

    def _judge_report(self, path, data):
        report = decode_report(data, path.stem)
        if encode_report(report) != data:
            self.wrong.append(f"{path}: not canonical: {differing(data, encode_report(report))}")
        before = self.reports.setdefault(path.stem, [])
        if before and before[-1][1]["incarnation"] == report["incarnation"] and report["sequence"] <= before[-1][1]["sequence"]:
            self.wrong.append(f"{path}: sequence {report['sequence']} follows {before[-1][1]['sequence']}")
        before.append((time.monotonic(), report))

    def _judge_assignment(self, path, data):
        body = decode_assignment(data)
        if encode_assignment(body) != data:
            self.wrong.append(f"{path}: not canonical: {differing(data, encode_assignment(body))}")
        if path.parent == self.directory.assignments and path.name != f"{body['generation']}.json":
            self.wrong.append(f"{path} is generation {body['generation']}")
        if self.files.setdefault(body["generation"], data) != data:
            self.wrong.append(f"two different generations {body['generation']}")
        self.bodies[body["generation"]] = body

    def states(self, name):
        """The states that a pod has reported, each once where it follows itself."""
        found = [report["state"] for _, report in self.reports.get(name, [])]
        return [state for i, state in enumerate(found) if i == 0 or found[i - 1] != state]

    def generations(self):
        return [self.bodies[n] for n in sorted(self.bodies)]

    def history(self, key):
        """[(cutover, owner)] of a key, oldest first."""
        found = []
        for body in self.generations():
            cutover, owner = next((cutover, owner) for low, high, owner, cutover in ranges(body) if low <= key < high)
            if not found or found[-1][1] != owner:
                found.append((cutover, owner))
        return found

    def owner_at(self, key, unix_s):
        """Whose a window is that begins then."""
        history = self.history(key)
        return next((owner for cutover, owner in reversed(history) if cutover <= unix_s), history[0][1])


def differing(found, right):
    """Where two texts part, from the body's own bytes on."""
    found, right = (text.rpartition(b'"cluster"')[2] for text in (found, right))
    at = next((i for i, (a, b) in enumerate(zip(found, right)) if a != b), min(len(found), len(right)))
    return f"{found[max(at - 60, 0) : at + 100]!r} instead of {right[max(at - 60, 0) : at + 100]!r}"


def changes(before, after):
    """[(low, high, from, to, cutover)] of each range with another owner."""
    borders = sorted({low for body in (before, after) for low, _, _, _ in ranges(body)})
    was, now, found = ranges(before), ranges(after), []
    for low, high in zip(borders, [*borders[1:], SPACE]):
        old = next(owner for a, b, owner, _ in was if a <= low < b)
        new, cutover = next((owner, cutover) for a, b, owner, cutover in now if a <= low < b)
        if old != new:
            found.append((low, high, old, new, cutover))
    return found


def unexplained(before, after):
    """What changed hands and is not in `moved`, or not with the right names and cutover."""

    def said(change):
        low, high, old, new, cutover = change
        return any(
            move["low"] <= low and high <= move["high"] and (move["from"], move["to"]) == (old, new)
            and move["cutover"] == cutover
            for move in after["moved"]
        )

    return [change for change in changes(before, after) if not said(change)]
