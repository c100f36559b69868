"""A sharder that follows src/sharding/ASSIGNMENT_FORMAT.md and nothing else. It plans as simply as can be: the first generation gives each ready pod
its share in order; what a draining or dead pod has goes to those who have least; a pod that owns nothing gets slices of those who have most.
"""

import threading
import time

from assignment_files import SPACE, Directory, ranges

DEAD_AFTER_S = 10.0
HELD_UP_S = 2.0
MOVED_S = 3600
ROUND_S = 0.2
REPORTED_GENERATION_MAX = (1 << 52) - 1


class StandInSharder:
    """cutover_s: how far ahead a move is announced. step() by hand, or start() for a thread that does it."""

    def __init__(self, path, cluster="default", slices_per_pod=4, cutover_s=10, fill=True):
        self.directory = Directory(path).make()
        self.cluster, self.slices_per_pod, self.cutover_s, self.fill = cluster, slices_per_pod, cutover_s, fill
        self.heard = {}  # name -> ((incarnation, sequence), when it changed)
        self.listening_since = self.stepped = time.monotonic()
        self.published = self.lost = 0
        self.stopping = threading.Event()
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.error = None

    def start(self):
        self.thread.start()
        return self

    def stop(self):
        self.stopping.set()
        if self.thread.is_alive():
            self.thread.join()
        if self.error:
            raise self.error

    def _run(self):
        try:
            while not self.stopping.wait(ROUND_S):
                self.step()
        except Exception as error:  # must fail the test, not vanish with the thread
            self.error = error

    def step(self):
        """One look at the reports. True: a generation was published."""
        with self.lock:
            planned = time.monotonic()
            reports = self.directory.read_reports()
            self._listen(reports, planned)
            before = self.directory.newest()
            if before and before["cluster"] != self.cluster:
                return False
            plan = Plan(self, before, reports)
            plan.make()
            return plan.changed and self._publish(plan.body(), planned)

    def move(self, low, to):
        """Gives the slice that begins at `low` to the pod named `to`. The cutover."""
        with self.lock:
            planned = time.monotonic()
            plan = Plan(self, self.directory.newest(), self.directory.read_reports())
            plan.move(plan.low.index(low), to, "balance")
            assert self._publish(plan.body(), planned)
            return plan.cutover_at

    def _publish(self, body, planned):
        won = self.directory.publish(body, planned)
        self.published += won
        self.lost += not won
        return won

    def _listen(self, reports, now):
        if now - self.stepped > HELD_UP_S:
            self.heard, self.listening_since = {}, now
        self.stepped = now
        for name, report in reports.items():
            life = (report["incarnation"], report["sequence"])
            if self.heard.get(name, (None,))[0] != life:
                self.heard[name] = (life, now)

    def state(self, name, reports, before):
        """What the assignment shall say of a pod."""
        now = time.monotonic()
        if name in self.heard and now - self.heard[name][1] < DEAD_AFTER_S:
            return reports[name]["state"] if name in reports else before
        return before if before == "dead" or now - self.listening_since < DEAD_AFTER_S else "dead"


class Plan:
    """The next generation, grown out of the one before."""

    def __init__(self, sharder, before, reports):
        self.sharder, self.before, self.reports = sharder, before, reports
        self.now_s = int(time.time())
        self.cutover_at = self.now_s + sharder.cutover_s
        was = {pod["name"]: pod for pod in before["pods"]} if before else {}
        self.pods = {name: self._pod(name, was.get(name)) for name in sorted({*was, *reports})}
        self.generation = before["generation"] + 1 if before else self._first_generation()
        numbers = sharder.directory.numbers()
        self.generation = max(self.generation, numbers[-1] + 1 if numbers else 0)
        rows = ranges(before) if before else []
        self.low, self.owner, self.cutover = ([row[i] for row in rows] for i in (0, 2, 3))
        self.since = list(before["slices"]["since"]) if before else []
        self.moved = [move for move in before["moved"] if move["at"] >= self.now_s - MOVED_S] if before else []
        self.causes = []
        self.changed = before is not None and any(self.pods[name] != was.get(name) for name in self.pods)

    def _first_generation(self):
        believed = [report["generation"] for report in self.reports.values() if report["generation"] <= REPORTED_GENERATION_MAX]
        return max(self.now_s, 1 + max(believed, default=0))

    def _pod(self, name, was):
        report = self.reports.get(name)
        told = {field: report[field] for field in ("incarnation", "address", "zone", "host", "revision", "weight")} if report else was
        pod = {**(was or {"name": name, "since": self.now_s}), **told}
        pod["state"] = self.sharder.state(name, self.reports, was["state"] if was else "dead")
        if was and (pod["state"], pod["incarnation"]) != (was["state"], was["incarnation"]):
            pod["since"] = self.now_s
        order = ("name", "incarnation", "address", "zone", "state", "host", "revision", "weight", "since")
        return {field: pod[field] for field in order}

    def make(self):
        ready = [name for name, pod in self.pods.items() if pod["state"] == "ready"]
        if not ready:
            self.changed = False
            return
        if not self.before:
            self._first(ready)
            return
        for i, owner in enumerate(self.owner):
            if self.pods[owner]["state"] in ("draining", "drained", "dead"):
                self.move(i, min(ready, key=self.owner.count), "death" if self.pods[owner]["state"] == "dead" else "drain")
        for name in ready if self.sharder.fill else ():
            while name not in self.owner or self.owner.count(name) + 1 < max(map(self.owner.count, ready)):
                most = max(ready, key=self.owner.count)
                self.move(self.owner.index(most), name, "fill")

    def _first(self, ready):
        count = len(ready) * self.sharder.slices_per_pod
        self.low = [i * SPACE // count for i in range(count)]
        self.owner = [ready[i * len(ready) // count] for i in range(count)]
        self.since = [self.generation] * count
        self.cutover = [0] * count  # nobody had them before
        self.causes.append("first generation")
        self.changed = True

    def move(self, i, to, cause):
        """The cutover of a death is now: nobody is left who could go on with windows."""
        high = self.low[i + 1] if i + 1 < len(self.low) else SPACE
        cutover = max(self.now_s if cause == "death" else self.cutover_at, self.cutover[i])
        entry = {"low": self.low[i], "high": high, "at": self.now_s, "cause": cause, "cutover": cutover, "from": self.owner[i], "to": to}
        self.moved.append(entry)
        if f"{cause} of {self.owner[i]}" not in self.causes:
            self.causes.append(f"{cause} of {self.owner[i]}")
        self.owner[i], self.since[i], self.cutover[i] = to, self.generation, cutover
        self.changed = True

    def body(self):
        index = {name: i for i, name in enumerate(self.pods)}
        return {
            "cluster": self.sharder.cluster,
            "generation": self.generation,
            "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.now_s)),
            "cause": self.causes,
            "pods": list(self.pods.values()),
            "slices": {
                "low": self.low,
                "owner": [index[owner] for owner in self.owner],
                "standby": [-1] * len(self.low),
                "since": self.since,
                "cutover": self.cutover,
            },
            "handoffs": self.before["handoffs"] if self.before else [],
            "moved": self.moved,
        }
